/*
 * encode.c
 *	  From values to their stored forms.
 */
#include "postgres.h"

#include "access/tupmacs.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "fmgr.h"
#include "utils/array.h"
#include "utils/jsonb.h"
#include "utils/typcache.h"

#include "compat.h"
#include "filter/encode.h"

uint64
vecidx_filter_hash(Oid type, Oid collation, Datum value)
{
	TypeCacheEntry *entry = lookup_type_cache(type, TYPECACHE_HASH_EXTENDED_PROC_FINFO);
	uint64		hash;

	if (!OidIsValid(entry->hash_extended_proc_finfo.fn_oid))
		return 0;
	hash = DatumGetUInt64(FunctionCall2Coll(&entry->hash_extended_proc_finfo, collation, value, UInt64GetDatum(0)));
	return hash == 0 ? 1 : hash;
}

/* The bytes of a value of which 15 may be stored; NULL if its length tells that it is never stored whole. */
static const char *
value_bytes(const VecIdxFilterColumn *column, Datum value, Size *size)
{
	if (column->length == -1)
	{
		*size = VARSIZE_ANY_EXHDR(DatumGetPointer(value));
		return VARDATA_ANY(DatumGetPointer(value));
	}
	*size = column->type == NAMEOID ? strnlen(NameStr(*DatumGetName(value)), NAMEDATALEN) : (Size) column->length;
	return DatumGetPointer(value);
}

static void
store_short(const VecIdxFilterColumn *column, Datum value, uint8 *stored)
{
	Datum		flat = column->length == -1 ? PointerGetDatum(PG_DETOAST_DATUM(value)) : value;
	Size		size;
	const char *bytes = value_bytes(column, flat, &size);

	memset(stored, 0, VECIDX_SHORT_SIZE);
	if (size <= VECIDX_SHORT_BYTES)
	{
		stored[0] = (uint8) size;
		memcpy(stored + 1, bytes, size);
	}
	else
	{
		uint64		hash = vecidx_filter_hash(column->type, column->collation, flat);

		stored[0] = VECIDX_SHORT_CUT;
		memcpy(stored + 1, bytes, VECIDX_SHORT_PREFIX);
		memcpy(stored + VECIDX_SHORT_HASH, &hash, sizeof(hash));
	}
	if (DatumGetPointer(flat) != DatumGetPointer(value))
		pfree(DatumGetPointer(flat));
}

static void
store_set(const VecIdxFilterColumn *column, Datum value, uint8 *stored)
{
	VecIdxSignature set = {{0, 0}};

	if (OidIsValid(column->element))
		vecidx_signature_array(column->element, column->collation, value, &set);
	else
		vecidx_signature_jsonb(value, &set);
	memcpy(stored, &set, VECIDX_SET_SIZE);
}

void
vecidx_filter_store(const VecIdxFilterColumn *column, Datum value, uint8 *stored)
{
	switch (column->form)
	{
		case VECIDX_FORM_FIXED:
			if (column->by_value)
			{
				Datum		aligned = 0;

				store_att_byval(&aligned, value, column->length);
				memcpy(stored, &aligned, column->length);
			}
			else
				memcpy(stored, DatumGetPointer(value), column->length);
			break;
		case VECIDX_FORM_SHORT:
			store_short(column, value, stored);
			break;
		case VECIDX_FORM_SET:
			store_set(column, value, stored);
			break;
	}
}

static bool
fetch_short(const VecIdxFilterColumn *column, const uint8 *stored, char *room, Datum *value)
{
	Size		size = stored[0];

	if (size > VECIDX_SHORT_BYTES)
		return false;
	if (column->length == -1)
	{
		SET_VARSIZE(room, size + VARHDRSZ);
		memcpy(VARDATA(room), stored + 1, size);
	}
	else
	{
		memset(room, 0, NAMEDATALEN);
		memcpy(room, stored + 1, size);
	}
	*value = PointerGetDatum(room);
	return true;
}

bool
vecidx_filter_fetch(const VecIdxFilterColumn *column, const uint8 *stored, char *room, Datum *value)
{
	if (column->form != VECIDX_FORM_FIXED)
		return column->form == VECIDX_FORM_SHORT && fetch_short(column, stored, room, value);
	memcpy(room, stored, column->length);
	*value = fetch_att(room, column->by_value, column->length);
	return true;
}

/* Places are taken from the highest bits of a product, which all bits of the hash have a part in. */
void
vecidx_signature_add(VecIdxSignature *set, uint64 hash)
{
	hash = (hash ^ hash >> 32) * UINT64CONST(0x9E3779B97F4A7C15);
	set->bits[hash >> 63] |= UINT64CONST(1) << (hash >> 57 & 63);
	set->bits[hash >> 56 & 1] |= UINT64CONST(1) << (hash >> 50 & 63);
}

void
vecidx_signature_array(Oid element, Oid collation, Datum array, VecIdxSignature *set)
{
	ArrayType  *flat = DatumGetArrayTypeP(array);
	ArrayIterator iterator = array_create_iterator(flat, 0, NULL);
	Datum		value;
	bool		isnull;

	while (array_iterate(iterator, &value, &isnull))
	{
		uint64		hash = isnull ? 0 : vecidx_filter_hash(element, collation, value);

		if (isnull)
			continue;
		if (hash == 0)
		{
			memset(set, 0xFF, sizeof(VecIdxSignature));
			break;
		}
		vecidx_signature_add(set, hash);
	}
	array_free_iterator(iterator);
	if (PointerGetDatum(flat) != array)
		pfree(flat);
}

/* Seeds that tell what a hash is of. */
#define STRING_SEED		1
#define PAIR_SEED		2
#define SCALAR_SEED		3

uint64
vecidx_signature_string(const char *string, int length)
{
	return hash_bytes_extended((const unsigned char *) string, length, STRING_SEED);
}

static void
add_element(VecIdxSignature *set, const JsonbValue *value)
{
	uint64		hash = SCALAR_SEED;

	if (value->type == jbvString)
		hash = vecidx_signature_string(value->val.string.val, value->val.string.len);
	else
		JsonbHashScalarValueExtended(value, &hash, SCALAR_SEED);
	vecidx_signature_add(set, hash);
}

static void
add_pair(VecIdxSignature *set, uint64 key, const JsonbValue *value)
{
	uint64		hash = PAIR_SEED;

	JsonbHashScalarValueExtended(value, &hash, PAIR_SEED);
	vecidx_signature_add(set, hash_combine64(key, hash));
}

void
vecidx_signature_jsonb(Datum document, VecIdxSignature *set)
{
	Jsonb	   *flat = DatumGetJsonbP(document);
	JsonbIterator *iterator = JsonbIteratorInit(&flat->root);
	JsonbValue	value;
	JsonbIteratorToken token;
	uint64		key = 0;

	while ((token = JsonbIteratorNext(&iterator, &value, false)) != WJB_DONE)
	{
		if (token == WJB_KEY)
		{
			key = vecidx_signature_string(value.val.string.val, value.val.string.len);
			vecidx_signature_add(set, key);
		}
		else if (token == WJB_ELEM)
			add_element(set, &value);
		else if (token == WJB_VALUE)
			add_pair(set, key, &value);
	}
	if (PointerGetDatum(flat) != document)
		pfree(flat);
}
