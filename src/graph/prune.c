/*
 * prune.c
 *	  Which neighbours a node keeps.
 */
#include "postgres.h"

#include "graph/graph.h"

int
vecidx_prune_compare(const void *a, const void *b)
{
	const VecIdxNeighbour *x = a;
	const VecIdxNeighbour *y = b;

	if (x->distance != y->distance)
		return x->distance < y->distance ? -1 : 1;
	return (x->node > y->node) - (x->node < y->node);
}

/* Is some kept neighbour nearer to it than the node itself is? */
static bool
is_covered(const VecIdxQuantizer *quantizer, const VecIdxNeighbour *kept, int count, const VecIdxNeighbour *neighbour)
{
	for (int i = 0; i < count; i++)
	{
		if (vecidx_quant_pair(quantizer, kept[i].vector, neighbour->vector) < neighbour->distance)
			return true;
	}
	return false;
}

int
vecidx_prune(const VecIdxQuantizer *quantizer, VecIdxNeighbour *neighbours, int count, int room)
{
	int			kept = 0;

	qsort(neighbours, count, sizeof(VecIdxNeighbour), vecidx_prune_compare);
	for (int i = 0; i < count && kept < room; i++)
	{
		VecIdxNeighbour neighbour = neighbours[i];

		if (!is_covered(quantizer, neighbours, kept, &neighbour))
			neighbours[kept++] = neighbour;
	}
	return kept;
}
