/*
 * order.c
 *	  Which ids the nodes of a build get.
 *
 * A search reads the codes of a node's neighbours together.  Greedy packing
 * makes them share pages: a page starts with a node that the page before has
 * links to, and takes next the unplaced node with the most links from the
 * page so far.  (The idea of filling blocks with neighbours is that of
 * Starling's block shuffling, Wang et al., SIGMOD 2024, arXiv 2401.02116.)
 */
#include "postgres.h"

#include "miscadmin.h"

#include "graph/order.h"

typedef struct Packing
{
	/* fixed */
	const VecIdxLevels *levels;

	/* changes */
	uint32	   *order;			/* new id -> point */
	uint32		placed;
	bool	   *done;			/* by point; twins and guests are from the start */
	uint16	   *links;			/* by point: links from the page so far */
	uint32	   *reached;		/* points with links > 0 */
	uint32		reached_count;
	uint32		next;			/* all points below are placed */
} Packing;

/* Counts the links of a node that was just placed. */
static void
reach_neighbours(Packing *packing, uint32 node)
{
	const uint32 *neighbours;
	int			count = vecidx_levels_neighbours(packing->levels, 0, node, &neighbours);

	for (int i = 0; i < count; i++)
	{
		uint32		neighbour = neighbours[i];

		if (packing->done[neighbour])
			continue;
		if (packing->links[neighbour]++ == 0)
			packing->reached[packing->reached_count++] = neighbour;
	}
}

static void
place_node(Packing *packing, uint32 node)
{
	packing->order[packing->placed++] = node;
	packing->done[node] = true;
	reach_neighbours(packing, node);
}

/* The unplaced node with the most links from the page, or none; drops placed ones from the list. */
static uint32
best_reached(Packing *packing)
{
	uint32		best = VECIDX_NONE;
	uint32		kept = 0;

	for (uint32 i = 0; i < packing->reached_count; i++)
	{
		uint32		node = packing->reached[i];

		if (packing->done[node])
			continue;
		packing->reached[kept++] = node;
		if (best == VECIDX_NONE || packing->links[node] > packing->links[best])
			best = node;
	}
	packing->reached_count = kept;
	return best;
}

static uint32
first_unplaced(Packing *packing)
{
	while (packing->done[packing->next])
		packing->next++;
	return packing->next;
}

/* Forgets the page's links, but goes on from one of them. */
static uint32
start_page(Packing *packing)
{
	uint32		seed = best_reached(packing);

	for (uint32 i = 0; i < packing->reached_count; i++)
		packing->links[packing->reached[i]] = 0;
	packing->reached_count = 0;
	return seed != VECIDX_NONE ? seed : first_unplaced(packing);
}

uint32 *
vecidx_order_nodes(const VecIdxLevels *levels, uint32 home, uint32 per_page, uint32 *nodes)
{
	Packing		packing = {0};
	Size		points = levels->points->count;

	packing.levels = levels;
	packing.done = palloc_extended(points * sizeof(bool), MCXT_ALLOC_HUGE);
	packing.links = palloc_extended(points * sizeof(uint16), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	packing.reached = palloc_extended(points * sizeof(uint32), MCXT_ALLOC_HUGE);
	*nodes = 0;
	for (Size point = 0; point < points; point++)
	{
		packing.done[point] = point >= home || levels->points->levels[point] == VECIDX_TWIN;
		*nodes += !packing.done[point];
	}
	packing.order = palloc_extended(Max(*nodes, 1) * sizeof(uint32), MCXT_ALLOC_HUGE);
	while (packing.placed < *nodes)
	{
		uint32		end = Min(*nodes, packing.placed + Max(per_page, 1));

		CHECK_FOR_INTERRUPTS();
		place_node(&packing, start_page(&packing));
		while (packing.placed < end)
		{
			uint32		node = best_reached(&packing);

			place_node(&packing, node != VECIDX_NONE ? node : first_unplaced(&packing));
		}
	}
	pfree(packing.done);
	pfree(packing.links);
	pfree(packing.reached);
	return packing.order;
}
