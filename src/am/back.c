/*
 * back.c
 *	  Links back: the neighbours of a new node name it in turn.
 */
#include "postgres.h"

#include "am/back.h"
#include "am/pause.h"
#include "page/peek.h"

/* Vectors and distances of a node's neighbours as seen from it; those that are gone are left out. */
static int
measure_neighbours(VecIdxInserter *inserter, uint32 owner, VecIdxNeighbour *neighbours, int count)
{
	VecIdxSource *source = &inserter->store.source;
	const uint8 *vector = source->vector(source, owner);
	int			kept = 0;

	if (vector == NULL)
		return 0;
	for (int i = 0; i < count; i++)
	{
		neighbours[kept] = neighbours[i];
		if (neighbours[kept].vector == NULL)
			neighbours[kept].vector = source->vector(source, neighbours[i].node);
		if (neighbours[kept].vector == NULL)
			continue;
		neighbours[kept].distance = vecidx_quant_pair(inserter->handle->quantizer, vector, neighbours[kept].vector);
		kept++;
	}
	return kept;
}

/* The new node, as its neighbours on a level shall name it. */
static VecIdxNeighbour
own_link(const VecIdxInserter *inserter, int level, uint32 node, uint32 upper)
{
	VecIdxNeighbour link = {.node = node, .upper = VECIDX_NONE, .vector = inserter->arrival.vector};

	if (level > 0)
		link.upper = upper + level - 1;
	return link;
}

/*
 * Works out a neighbour's list with a link back; false if nothing has to be
 * written: it is gone, or the link is there, or does not belong there.
 */
static bool
plan_link(VecIdxInserter *inserter, VecIdxEdge *edge, int level, VecIdxNeighbour link)
{
	VecIdxHandle *handle = inserter->handle;
	int			room = vecidx_link_room(handle->fixed.m, level);
	VecIdxNeighbour neighbours[VECIDX_LIST_MAX + 1];
	int			count;
	bool		linked = false;

	vecidx_edge_look(handle, edge);
	if (!vecidx_edge_lives(edge, level))
		return false;
	count = vecidx_edge_list(edge, neighbours, room);
	for (int i = 0; i < count; i++)
	{
		if (neighbours[i].node == link.node)
			return false;
	}
	neighbours[count++] = link;
	if (count > room)
	{
		count = measure_neighbours(inserter, edge->owner, neighbours, count);
		count = vecidx_prune(handle->quantizer, neighbours, count, room);
		for (int i = 0; i < count; i++)
			linked = linked || neighbours[i].node == link.node;
		if (!linked)
			return false;
	}
	vecidx_edge_want(edge, neighbours, count);
	return true;
}

/*
 * How many of its neighbours, the nearest ones, name the new node in turn.
 * Each costs a page in WAL after a checkpoint.  (39,000 rows inserted into
 * 200,000 x 768, m = 16: 77 kB a row there, with all m of them 91, with half of
 * them 56.  Recall is that with all within 0.003 from ef = 20 on, but 0.02 lower
 * at ef = 10; with half of them the inserted rows are found 0.01 less well at
 * ef = 20, 0.04 at ef = 10.  Ten rounds of replacing a fifth of the rows end with
 * the same recall as with all.)
 */
static inline int
links_back(int m)
{
	return Max(m * 3 / 4, 2);
}

/* Number of times that links back are tried when others change the same lists. */
#define LINK_TRIES	16

static void
link_level(VecIdxInserter *inserter, int level, uint32 node, uint32 upper)
{
	const VecIdxArrival *arrival = &inserter->arrival;
	VecIdxRunKind run = level == 0 ? VECIDX_RUN_ADJACENCY : VECIDX_RUN_UPPER;
	Size		size = MAXALIGN(inserter->handle->layout.run[run].size);
	int			count = Min(arrival->count[level], links_back(inserter->handle->fixed.m));
	VecIdxNeighbour link = own_link(inserter, level, node, upper);
	VecIdxEdge *edges = palloc(count * sizeof(VecIdxEdge));
	char	   *copies = palloc(2 * count * size);

	for (int i = 0; i < count; i++)
	{
		edges[i].run = run;
		edges[i].slot = level == 0 ? arrival->neighbours[level][i].node : arrival->neighbours[level][i].upper;
		edges[i].seen = copies + 2 * i * size;
		edges[i].wanted = copies + (2 * i + 1) * size;
		edges[i].owner = arrival->neighbours[level][i].node;
	}
	for (int try = 0; try < LINK_TRIES && count > 0; try++)
	{
		int			planned = 0;

		for (int i = 0; i < count; i++)
		{
			VecIdxEdge	edge = edges[i];

			if (plan_link(inserter, &edge, level, link))
				edges[planned++] = edge;
		}
		vecidx_pause("insert-planned");
		count = vecidx_edges_write(inserter->handle, edges, planned, inserter->logged);
	}
}

void
vecidx_back_link(VecIdxInserter *inserter, uint32 node, uint32 upper)
{
	const VecIdxArrival *arrival = &inserter->arrival;
	int			top = upper == VECIDX_NONE ? 0 : Min(arrival->top, arrival->level);

	for (int level = 0; level <= Min(top, arrival->top); level++)
		link_level(inserter, level, node, upper);
}
