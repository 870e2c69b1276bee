/*
 * audit.c
 *	  What a scan has returned, compared with what a sweep finds.
 *
 * Both are rows that the snapshot can see, with exact distances from the table,
 * so that the quality of codes, graph and rerank vectors all count.  What the
 * executor makes of the rows (conditions that the index does not know) does
 * not: what counts is what was returned to it, and the sweep is asked for as
 * many.
 *
 * An executor that ends does not expect errors: those of a cursor's outer
 * transaction would leave open what it had opened.  So an audit is a
 * subtransaction of its own, and what it opens is its own.
 */
#include "postgres.h"

#include "access/xact.h"
#include "common/pg_prng.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "am/audit.h"
#include "am/gather.h"
#include "am/tally.h"
#include "graph/nearest.h"
#include "graph/rank.h"
#include "graph/sweep.h"
#include "graph/truth.h"

/* After an audit there is none for so many times as long as it took, so that audits take a tenth of a session's time at most. */
#define PAUSE_FACTOR	10

/* No audit of this session before that. */
static TimestampTz not_before = 0;

/* The rows that the scan should have returned first. */
typedef struct Found
{
	const VecIdxAudited *scan;
	VecIdxExact *exact;
	VecIdxSweep sweep;
	VecIdxRank	rank;
	VecIdxGather rows;
	float		distance[VECIDX_AUDIT_ROWS];
	VecIdxNearest nearest;		/* of these */
} Found;

VecIdxAudit *
vecidx_audit_draw(const VecIdxScanOptions *options)
{
	if (options->audit_rate <= 0 || !options->track || pg_prng_double(&pg_global_prng_state) >= options->audit_rate)
		return NULL;
	return palloc0(sizeof(VecIdxAudit));
}

/*
 * Reads under serializable isolation leave locks, by which transactions may
 * fail: they are not to be more than the query needs.
 */
bool
vecidx_audit_is_due(const VecIdxAudit *audit, const VecIdxScanOptions *options)
{
	return audit->count > 0 && IsTransactionState() && !proc_exit_inprogress && InterruptHoldoffCount == 0 &&
		!IsInParallelMode() && !IsolationIsSerializable() &&
		(options->audit_interval == 0 || GetCurrentTimestamp() >= not_before);
}

/* The rows of a node, or of a slot where that is what a sweep gives out. */
static void
gather(Found *found, const VecIdxRanked *ranked)
{
	vecidx_gather_clear(&found->rows);
	if (found->scan->predicate != NULL)
		vecidx_gather_slot(&found->rows, ranked->node, ranked->distance.version);
	else
		vecidx_gather_node(&found->rows, ranked->node, ranked->distance.version, false);
}

/* For vecidx_rank_settle. */
static bool
exact_distance(void *state, const VecIdxRanked *ranked, float *distance)
{
	Found	   *found = state;

	gather(found, ranked);
	return vecidx_exact_distance(found->exact, found->scan->row, found->rows.tids, found->rows.count, distance);
}

/* Offers the rows at hand that the snapshot can see; they are all as near, so no more of them than are wanted. */
static void
offer_rows(Found *found)
{
	uint32		seen = 0;

	for (uint32 i = 0; i < found->rows.count && seen < found->nearest.room; i++)
	{
		float		distance;

		CHECK_FOR_INTERRUPTS();
		if (!vecidx_exact_distance(found->exact, found->scan->row, &found->rows.tids[i], 1, &distance))
			continue;
		vecidx_nearest_offer(&found->nearest, distance);
		seen++;
	}
}

static void
begin_sweep(Found *found, const VecIdxAudited *scan, uint32 wanted)
{
	found->nearest.heap = found->distance;
	found->nearest.room = wanted;
	found->nearest.count = 0;
	vecidx_sweep_init(&found->sweep, scan->store, scan->work, (Size) work_mem * 1024 / 2);
	found->sweep.predicate = scan->predicate;
	vecidx_rank_init(&found->rank, scan->store, scan->work);
	found->rank.factor = VECIDX_SWEEP_FACTOR;
	vecidx_gather_init(&found->rows, scan->store, scan->predicate);
}

/*
 * The nearest rows, as many as are wanted, if there are so many.  Nodes are
 * settled as a set, not in order, so all of a set are looked at.
 */
static void
find_nearest(Found *found)
{
	while (!vecidx_nearest_full(&found->nearest))
	{
		uint32		count = vecidx_rank_best(&found->rank, found->nearest.room - found->nearest.count);

		CHECK_FOR_INTERRUPTS();
		if (count == 0 && vecidx_sweep_pass(&found->sweep, &found->rank, found->nearest.room) == 0)
			break;
		vecidx_rank_settle(&found->rank, count, exact_distance, found);
		for (uint32 i = 0; i < count; i++)
		{
			gather(found, &found->rank.ready[i]);
			offer_rows(found);
		}
		vecidx_rank_drop(&found->rank, count);
	}
}

/* Exact distances of the rows noted that can be seen; their number. */
static int
read_noted(const VecIdxAudit *audit, const Found *found, double *distances)
{
	int			count = 0;

	for (uint32 i = 0; i < audit->count; i++)
	{
		float		distance;

		CHECK_FOR_INTERRUPTS();
		if (vecidx_exact_distance(found->exact, found->scan->row, &audit->tid[i], 1, &distance))
			distances[count++] = distance;
	}
	return count;
}

static void
compare(const VecIdxAudit *audit, const VecIdxAudited *scan, const VecIdxStatsRef *ref)
{
	Found	   *found = palloc(sizeof(Found));
	double		noted[VECIDX_AUDIT_ROWS];
	int			count;

	found->scan = scan;
	found->exact = vecidx_exact_create(scan->scan, scan->type, scan->store->handle->fixed.dimensions);
	count = read_noted(audit, found, noted);
	if (count > 0)
	{
		begin_sweep(found, scan, count);
		find_nearest(found);
	}
	if (count > 0 && found->nearest.count > 0)
		vecidx_tally_audit(ref, found->nearest.count,
						   vecidx_truth_right(noted, count, found->distance[0], found->nearest.count));
	vecidx_exact_free(found->exact);
}

/* A cancel is meant for the query: it is met again where that looks for one next. */
static void
recover(MemoryContext context, const char *index)
{
	ErrorData  *error;

	MemoryContextSwitchTo(context);
	error = CopyErrorData();
	FlushErrorState();
	RollbackAndReleaseCurrentSubTransaction();
	if (error->sqlerrcode == ERRCODE_QUERY_CANCELED)
		QueryCancelPending = InterruptPending = true;
	else
		ereport(LOG,
				(errmsg("could not measure the recall of a scan of vecidx index \"%s\": %s", index, error->message),
				 errhidestmt(true), errhidecontext(true)));
}

static void
try_compare(const VecIdxAudit *audit, const VecIdxAudited *scan, const VecIdxStatsRef *ref)
{
	MemoryContext old = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(scan->work);
	PG_TRY();
	{
		/* when the executor ends, there may be none for the functions that an index calls */
		PushActiveSnapshot(scan->scan->xs_snapshot);
		compare(audit, scan, ref);
		PopActiveSnapshot();
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		recover(scan->work, RelationGetRelationName(scan->scan->indexRelation));
	}
	PG_END_TRY();
	MemoryContextSwitchTo(old);
	CurrentResourceOwner = owner;
}

void
vecidx_audit_run(const VecIdxAudit *audit, const VecIdxAudited *scan, const VecIdxScanOptions *options, const VecIdxStatsRef *ref)
{
	TimestampTz start = GetCurrentTimestamp();
	TimestampTz end;

	try_compare(audit, scan, ref);
	end = GetCurrentTimestamp();
	not_before = end + Max((end - start) * PAUSE_FACTOR, (int64) options->audit_interval * 1000);
}
