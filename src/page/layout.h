/*
 * layout.h
 *	  Where a slot lies: arithmetic from node ids to blocks.  No I/O.
 *
 * Extent 0 (the base) has the capacity that the build chose.  Extent e > 0
 * holds growth << (e - 1) nodes, at most VECIDX_MAX_GROWTH.
 */
#ifndef VECIDX_LAYOUT_H
#define VECIDX_LAYOUT_H

#include "page/page.h"
#include "quant/quant.h"

#define VECIDX_MIN_GROWTH		64
#define VECIDX_MAX_GROWTH		8192
#define VECIDX_GROWTH_STEPS		8	/* doublings from the smallest to the largest, plus one */

StaticAssertDecl(VECIDX_MIN_GROWTH << (VECIDX_GROWTH_STEPS - 1) == VECIDX_MAX_GROWTH,
				 "growth steps must lead from the smallest extent to the largest");

typedef enum VecIdxRunKind
{
	VECIDX_RUN_CODE,
	VECIDX_RUN_ADJACENCY,
	VECIDX_RUN_UPPER,
	VECIDX_RUN_RERANK,
	VECIDX_RUN_FILTER,			/* rows lie across its pages: filter.h reads and writes them, not slot.h */
	VECIDX_RUNS
} VecIdxRunKind;

/* What one kind of slot takes. */
typedef struct VecIdxRun
{
	uint32		size;			/* bytes of a slot */
	uint32		per_page;		/* slots in a page; 0 when a slot spans pages */
	uint64		inverse;		/* 2^64 / per_page, rounded up; 0 for less than two a page */
	uint32		span;			/* pages of a slot; 1 unless it spans; 0 when there are no such slots */
	uint16		kind;			/* VecIdxPageKind */
} VecIdxRun;

typedef struct VecIdxLayout
{
	VecIdxRun	run[VECIDX_RUNS];
	uint32		salt;			/* of the marks of code slots: other in every build of every index */
	uint32		base_capacity;
	uint32		base_upper;
	uint32		m;
	/* extents 1 .. steps double; those behind are all of the last one's size */
	int			steps;
	uint32		capacity[VECIDX_GROWTH_STEPS];	/* nodes in extent 1 + i */
	uint32		uppers[VECIDX_GROWTH_STEPS];	/* upper slots in extent 1 + i */
	uint32		first_node[VECIDX_GROWTH_STEPS + 1];	/* sums of capacity, base included */
	uint32		first_upper[VECIDX_GROWTH_STEPS + 1];
} VecIdxLayout;

/* A slot's place inside its extent. */
typedef struct VecIdxPlace
{
	uint32		extent;
	BlockNumber block;			/* relative to the extent's first block */
	uint32		offset;			/* byte in the page */
} VecIdxPlace;

extern VecIdxQuantParams vecidx_layout_quant(const VecIdxMetaFixed *fixed);
extern void vecidx_layout_init(VecIdxLayout *layout, const VecIdxMetaFixed *fixed);

/* Upper slots that an extent of that many nodes gets: the expected number and a quarter more. */
extern uint32 vecidx_layout_uppers(uint32 m, uint32 nodes);

extern VecIdxPlace vecidx_layout_place(const VecIdxLayout *layout, VecIdxRunKind run, uint32 slot);

/* Pages of an extent, all runs together, and where one of its runs starts. */
extern BlockNumber vecidx_layout_extent_pages(const VecIdxLayout *layout, uint32 extent);
extern BlockNumber vecidx_layout_run_start(const VecIdxLayout *layout, uint32 extent, VecIdxRunKind run);
extern BlockNumber vecidx_layout_run_pages(const VecIdxLayout *layout, uint32 extent, VecIdxRunKind run);

/*
 * slot / per_page without a division: the high half of the product with the
 * inverse is exact for 32 bits (Lemire et al., arXiv 1902.01961).
 */
static inline uint32
vecidx_layout_page(const VecIdxRun *run, uint32 slot)
{
#ifdef HAVE_INT128
	if (likely(run->inverse != 0))
		return (uint32) (((uint128) run->inverse * slot) >> 64);
#endif
	return slot / run->per_page;
}

/* What the code slot of a node has as its mark. */
static inline uint32
vecidx_layout_mark(const VecIdxLayout *layout, uint32 node)
{
	return node ^ layout->salt;
}

/* First slot of an extent's run, and how many it holds. */
extern uint32 vecidx_layout_first(const VecIdxLayout *layout, uint32 extent, VecIdxRunKind run);
extern uint32 vecidx_layout_capacity(const VecIdxLayout *layout, uint32 extent, VecIdxRunKind run);

#endif							/* VECIDX_LAYOUT_H */
