/*
 * sift.h
 *	  Searching under a filter: for nodes that pass a predicate.
 *
 * A sift walks from node to node that pass.  A node's neighbours are tested
 * before anything else is done with them; behind those that fail, the nearest
 * first, their own neighbours are looked for, as far as is needed to have
 * about as many that pass as a list has neighbours.  Nodes that fail are also
 * bridges: they are expanded when they lead nearer to the query than anything
 * that passes, for as long as that turns something up, and when nothing else
 * is left.
 *
 * The search's found nodes all pass, or may pass: whoever takes their rows
 * looks again, under lock.
 */
#ifndef VECIDX_SIFT_H
#define VECIDX_SIFT_H

#include "filter/predicate.h"
#include "graph/search.h"
#include "graph/store.h"

/* What a look at some of all filter rows tells. */
#define VECIDX_SAMPLE_SEEDS		64

typedef struct VecIdxShare
{
	uint32		rows;			/* looked at */
	uint32		passed;
	double		share;			/* of nodes that pass, about */
	uint32		seeds;
	uint32		seed[VECIDX_SAMPLE_SEEDS];	/* some that pass */
} VecIdxShare;

extern void vecidx_share_take(VecIdxHandle *handle, VecIdxPredicate *predicate, VecIdxShare *sample);

typedef struct VecIdxSift
{
	VecIdxSearch *search;
	VecIdxStore *store;
	VecIdxPredicate *predicate;
	double		share;			/* of nodes that pass: what is expected where little has been seen */
	uint8	   *row;			/* scratch */

	VecIdxHeap	bridges;		/* nodes that fail, by estimate */
	uint32	   *hopped;			/* such as were led through, and are no more than a last resort */
	uint32		hopped_count;
	uint32		hopped_room;
	uint32		vain;			/* bridges expanded in vain, one after the other */

	/* counts */
	uint64		tests;
	uint64		passes;
	uint64		lists;			/* lists read */
	uint64		bridged;		/* bridges expanded */
} VecIdxSift;

extern void vecidx_sift_init(VecIdxSift *sift, VecIdxSearch *search, VecIdxStore *store, VecIdxPredicate *predicate,
							 const VecIdxShare *sample);

/* Seeds the sift; false for an empty graph. */
extern bool vecidx_sift_begin(VecIdxSift *sift, const VecIdxShare *sample);

typedef enum VecIdxSifted
{
	VECIDX_SIFTED,				/* as the rule asks */
	VECIDX_SIFT_DRY,			/* fewer nodes than the rule's width can be reached */
	VECIDX_SIFT_DEAR			/* it has cost more than it may */
} VecIdxSifted;

/* Searches on until the rule says stop, or all that the sift has cost exceeds "cost". */
extern VecIdxSifted vecidx_sift_run(VecIdxSift *sift, const VecIdxStop *stop, double cost);

/*
 * Costs, in nanoseconds of a machine that has all pages in memory: what the
 * sift has cost; what one with so many expansions will; what a pass over all
 * nodes does, that estimates a share of them.
 */
extern double vecidx_sift_cost(const VecIdxSift *sift);
extern double vecidx_sift_expected(const VecIdxStore *store, double expansions, double share);
extern double vecidx_pass_expected(const VecIdxStore *store, const VecIdxPredicate *predicate, double share);

#endif							/* VECIDX_SIFT_H */
