/*
 * share.c
 *	  What the processes of a build share from the start.
 */
#include "postgres.h"

#include "access/tableam.h"
#include "miscadmin.h"

#include "am/build.h"

void *
vecidx_build_notes(VecIdxBuildShared *shared, int number)
{
	return vecidx_build_part(shared, shared->notes + number * MAXALIGN(vecidx_truth_notes_size(shared->queries)));
}

/* Where the parts of the shared memory lie; returns its size. */
static Size
lay_shared(VecIdxBuild *build, VecIdxBuildShared *shared, int processes, Snapshot snapshot)
{
	const VecIdxTruth *truth = build->plan.truth;
	VecIdxQuantParams params = vecidx_layout_quant(&build->fixed);
	Size		at = MAXALIGN(sizeof(VecIdxBuildShared));

	shared->queries = truth != NULL ? truth->count : 0;
	shared->quantizer = at;
	at += MAXALIGN(vecidx_quantizer_size(&params));
	shared->sketcher = at;
	at += MAXALIGN(vecidx_sketcher_size(build->fixed.dimensions, build->plan.sketcher->width));
	shared->cells = build->plan.cells;
	shared->centres = at;
	at += MAXALIGN((Size) build->plan.cells * build->plan.sketcher->width);
	shared->load = at;
	at += MAXALIGN(vecidx_load_state_size(build->plan.cells, processes));
	shared->query_rows = at;
	at += MAXALIGN((Size) shared->queries * build->fixed.dimensions * sizeof(float));
	shared->query_tids = at;
	at += MAXALIGN(shared->queries * sizeof(ItemPointerData));
	shared->query_filters = at;
	at += MAXALIGN((Size) shared->queries * build->fixed.filter_size);
	shared->notes = at;
	at += processes * MAXALIGN(vecidx_truth_notes_size(shared->queries));
	shared->scan = at;
	return at + table_parallelscan_estimate(build->heap, snapshot);
}

static void
fill_shared(VecIdxBuild *build, Snapshot snapshot)
{
	VecIdxBuildShared *shared = build->shared;
	const VecIdxTruth *truth = build->plan.truth;
	VecIdxQuantParams params = vecidx_layout_quant(&build->fixed);

	shared->heap = RelationGetRelid(build->heap);
	shared->index = RelationGetRelid(build->index);
	shared->concurrent = build->info->ii_Concurrent;
	shared->fixed = build->fixed;
	shared->plan.m = build->fixed.m;
	shared->plan.effort = vecidx_weave_effort(build->fixed.m, build->fixed.ef_construction);
	memcpy(vecidx_build_part(shared, shared->quantizer), build->plan.quantizer, vecidx_quantizer_size(&params));
	memcpy(vecidx_build_part(shared, shared->sketcher), build->plan.sketcher,
		   vecidx_sketcher_size(build->fixed.dimensions, build->plan.sketcher->width));
	if (truth != NULL)
	{
		memcpy(vecidx_build_part(shared, shared->query_rows), truth->rows,
			   (Size) truth->count * truth->dimensions * sizeof(float));
		memcpy(vecidx_build_part(shared, shared->query_tids), truth->tids, truth->count * sizeof(ItemPointerData));
	}
	memcpy(vecidx_build_part(shared, shared->centres), build->plan.centres,
		   (Size) shared->cells * build->plan.sketcher->width);
	pg_atomic_init_u64(&((VecIdxLoadState *) vecidx_build_part(shared, shared->load))->rows, 0);
	for (int i = 0; i < VECIDX_POOL_LOCKS; i++)
		SpinLockInit(&shared->locks[i]);
	table_parallelscan_initialize(build->heap, vecidx_build_part(shared, shared->scan), snapshot);
}

void
vecidx_build_share(VecIdxBuild *build, int helpers, Snapshot snapshot)
{
	VecIdxBuildShared parts = {0};
	Size		size = lay_shared(build, &parts, helpers + 1, snapshot);

	vecidx_team_create(&build->team, helpers, size);
	build->shared = vecidx_team_shared(build->team.state);
	*build->shared = parts;
	fill_shared(build, snapshot);
	build->plan.held_filters = vecidx_build_part(build->shared, build->shared->query_filters);
}

void
vecidx_build_see(VecIdxBuild *build)
{
	VecIdxBuildShared *shared = build->shared;

	build->plan.type = vecidx_row_type(build->index);
	build->plan.quantizer = vecidx_build_part(shared, shared->quantizer);
	build->plan.sketcher = vecidx_build_part(shared, shared->sketcher);
	build->plan.cells = shared->cells;
	build->plan.centres = vecidx_build_part(shared, shared->centres);
	build->plan.held_filters = vecidx_build_part(shared, shared->query_filters);
	vecidx_build_derive(&build->plan, &shared->fixed, build->index);
	if (shared->queries > 0)
	{
		const float *rows = vecidx_build_part(shared, shared->query_rows);
		const ItemPointerData *tids = vecidx_build_part(shared, shared->query_tids);
		Size		dimensions = shared->fixed.dimensions;

		build->plan.truth = vecidx_truth_create(build->plan.type->metric, dimensions, shared->queries);
		for (int i = 0; i < shared->queries; i++)
			vecidx_truth_query(build->plan.truth, i, rows + i * dimensions, &tids[i]);
	}
}
