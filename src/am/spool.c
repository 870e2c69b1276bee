/*
 * spool.c
 *	  Records in temporary files.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "am/spool.h"

void
vecidx_spool_init(VecIdxSpool *spool, VecIdxTeam *team, Size size, uint64 *counts, int kind, int cell)
{
	spool->team = team;
	spool->size = size;
	spool->counts = counts;
	spool->kind = kind;
	spool->cell = cell;
	spool->file = NULL;
	spool->keeps = false;
	spool->read = NULL;
}

/* Do processes of the team read each other's files? */
static bool
is_shared(const VecIdxSpool *spool)
{
	return spool->team->parallel != NULL || spool->team->number > 0;
}

static void
name_file(const VecIdxSpool *spool, int process, char *name, Size size)
{
	snprintf(name, size, "k%d.c%d.p%d", spool->kind, spool->cell, process);
}

void
vecidx_spool_write(VecIdxSpool *spool, void *record)
{
	if (spool->file == NULL && is_shared(spool))
	{
		char		name[64];

		name_file(spool, spool->team->number, name, sizeof(name));
		spool->file = BufFileCreateFileSet(&spool->team->state->files.fs, name);
	}
	else if (spool->file == NULL)
		spool->file = BufFileCreateTemp(false);
	BufFileWrite(spool->file, record, spool->size);
	spool->counts[spool->team->number]++;
}

void
vecidx_spool_finish(VecIdxSpool *spool)
{
	if (spool->file == NULL || !is_shared(spool))
		return;
	BufFileExportFileSet(spool->file);
	BufFileClose(spool->file);
	spool->file = NULL;
}

uint64
vecidx_spool_before(const VecIdxSpool *spool, int process)
{
	uint64		total = 0;

	for (int i = 0; i < process; i++)
		total += spool->counts[i];
	return total;
}

uint64
vecidx_spool_total(const VecIdxSpool *spool)
{
	return vecidx_spool_before(spool, spool->team->size);
}

/* What a process wrote, to be read. */
static BufFile *
open_file(VecIdxSpool *spool, int process)
{
	BufFile    *file;
	char		name[64];

	if (!is_shared(spool))
		return spool->file;
	if (spool->read != NULL && spool->read[process] != NULL)
		return spool->read[process];
	name_file(spool, process, name, sizeof(name));
	file = BufFileOpenFileSet(&spool->team->state->files.fs, name, O_RDONLY, false);
	if (spool->keeps)
	{
		if (spool->read == NULL)
			spool->read = palloc0(spool->team->size * sizeof(BufFile *));
		spool->read[process] = file;
	}
	return file;
}

/* Reads some of what one process wrote; "first" is the number of its first record. */
static void
read_file(VecIdxSpool *spool, int process, uint64 first, uint64 from, uint64 to, void *record,
		  VecIdxSpoolTake take, void *state)
{
	BufFile    *file = open_file(spool, process);

	if (BufFileSeek(file, 0, (off_t) ((from - first) * spool->size), SEEK_SET) != 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not seek in temporary file of index build")));
	for (; from < to; from++)
	{
		CHECK_FOR_INTERRUPTS();
		if (BufFileRead(file, record, spool->size) != spool->size)
			ereport(ERROR,
					(errcode_for_file_access(),
					 errmsg("could not read temporary file of index build")));
		take(state, from, record);
	}
	if (file != spool->file && !spool->keeps)
		BufFileClose(file);
}

void
vecidx_spool_read(VecIdxSpool *spool, uint64 from, uint64 to, void *record, VecIdxSpoolTake take, void *state)
{
	uint64		first = 0;

	for (int process = 0; process < spool->team->size && from < to; process++)
	{
		uint64		end = first + spool->counts[process];

		if (from < end)
		{
			uint64		some = Min(to, end);

			read_file(spool, process, first, from, some, record, take, state);
			from = some;
		}
		first = end;
	}
}

void
vecidx_spool_close(VecIdxSpool *spool)
{
	if (spool->file != NULL)
		BufFileClose(spool->file);
	spool->file = NULL;
	for (int i = 0; spool->read != NULL && i < spool->team->size; i++)
	{
		if (spool->read[i] != NULL)
			BufFileClose(spool->read[i]);
	}
	spool->read = NULL;
}
