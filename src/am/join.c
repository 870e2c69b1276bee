/*
 * join.c
 *	  Lists of nodes, each put together of those that the node got in its cells.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "am/join.h"

/* Records that a process reads at a time. */
#define PIECE	1024

typedef struct NodeList
{
	uint32		count;
	uint32		neighbours[FLEXIBLE_ARRAY_MEMBER];	/* ids, nearest first; distances follow behind room of them */
} NodeList;

static Size
list_size(int room)
{
	return offsetof(NodeList, neighbours) + room * (sizeof(uint32) + sizeof(float));
}

static inline NodeList *
list_of(const VecIdxJoined *joined, uint32 id)
{
	return (NodeList *) (joined->lists + (Size) (id - joined->first) * list_size(joined->room));
}

Size
vecidx_joined_size(uint32 count, int room)
{
	return count * list_size(room);
}

void
vecidx_joined_clear(VecIdxJoined *joined)
{
	for (uint32 i = 0; i < joined->count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		list_of(joined, joined->first + i)->count = 0;
	}
}

void
vecidx_joined_copy(VecIdxJoined *joined, const VecIdxJoined *from)
{
	uint32		start = Max(joined->first, from->first);
	uint32		end = Min(joined->first + joined->count, from->first + from->count);

	for (uint32 id = start; id < end; id++)
		memcpy(list_of(joined, id), list_of(from, id), list_size(joined->room));
}

/*
 * Enters a neighbour in order of distance, unless it is there; the farthest
 * gives way.  Ids decide among equals, so that it does not matter who comes
 * first.
 */
static void
enter_neighbour(NodeList *list, int room, uint32 id, float distance)
{
	float	   *distances = (float *) (list->neighbours + room);
	uint32		at = list->count;

	for (uint32 i = 0; i < list->count; i++)
	{
		if (list->neighbours[i] == id)
			return;
	}
	while (at > 0 && (distances[at - 1] > distance || (distances[at - 1] == distance && list->neighbours[at - 1] > id)))
		at--;
	if (at == (uint32) room)
		return;
	if (list->count < (uint32) room)
		list->count++;
	for (uint32 i = list->count - 1; i > at; i--)
	{
		list->neighbours[i] = list->neighbours[i - 1];
		distances[i] = distances[i - 1];
	}
	list->neighbours[at] = id;
	distances[at] = distance;
}

typedef struct Reading
{
	VecIdxJoined *joined;
	const VecIdxLoad *load;
	const VecIdxRoll *roll;
	slock_t    *locks;
} Reading;

static void
take_list(void *state, uint64 number pg_attribute_unused(), const void *record)
{
	Reading    *reading = state;
	const VecIdxLoadList *read = record;
	const float *distances = vecidx_load_distances(reading->load, read);
	uint32		id = reading->roll->ids[read->number];
	NodeList	   *list = list_of(reading->joined, id);
	slock_t    *lock = &reading->locks[id % VECIDX_POOL_LOCKS];

	SpinLockAcquire(lock);
	for (uint32 i = 0; i < read->count; i++)
		enter_neighbour(list, reading->joined->room, reading->roll->ids[read->neighbours[i]], distances[i]);
	SpinLockRelease(lock);
}

void
vecidx_joined_read(VecIdxJoined *joined, VecIdxLoad *load, const VecIdxRoll *roll, int cell,
				   slock_t *locks, VecIdxDeal *deal)
{
	Reading		reading = {joined, load, roll, locks};
	VecIdxSpool *spool = &load->spools[VECIDX_LOAD_LIST][cell];
	uint32		from;
	uint32		to;

	while (vecidx_deal_take(deal, PIECE, (uint32) vecidx_spool_total(spool), &from, &to))
		vecidx_spool_read(spool, from, to, load->record, take_list, &reading);
}

int
vecidx_joined_list(const VecIdxJoined *joined, uint32 id, const uint32 **ids)
{
	const NodeList *list = list_of(joined, id);

	*ids = list->neighbours;
	return (int) list->count;
}
