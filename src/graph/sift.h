/*
 * sift.h
 *	  Searching under a filter: for nodes that pass a predicate.
 *
 * A wide sift goes the way of an unfiltered search: all neighbours are
 * estimated, and the nearest expanded, whether they pass or not; only those
 * that pass count for the rule.  That is the cheapest as long as what passes
 * is about as frequent near the query as elsewhere.  A node is tested when it
 * is near enough for the verdict to matter, which most never are.
 *
 * A narrow sift walks from node to node that pass.  Neighbours that fail are
 * not expanded; behind the nearest of them their own neighbours are looked
 * for, as far as is needed to have about as many that pass as a list has
 * neighbours.  It starts from what a survey has found, and so comes to where
 * nodes pass, however far from the query that is.  Nodes that fail are
 * expanded as bridges when they lead nearer to the query than anything that
 * passes, for as long as that turns something up, and when nothing else is
 * left.
 *
 * A sift begins wide, and becomes narrow when it meets few nodes that pass.
 *
 * A sift that probes is begun before a pass, where that is dear: it goes on only
 * as long as what passes is so much more frequent near the query than elsewhere
 * that few expansions will find it.
 *
 * The search's found nodes all pass, or may pass: whoever takes their rows
 * looks again, under lock.
 */
#ifndef VECIDX_SIFT_H
#define VECIDX_SIFT_H

#include "filter/predicate.h"
#include "graph/price.h"
#include "graph/search.h"
#include "graph/survey.h"
#include "graph/store.h"

typedef struct VecIdxSift
{
	VecIdxSearch *search;
	VecIdxStore *store;
	VecIdxPredicate *predicate;
	const VecIdxSurvey *survey;
	bool		surveyed;		/* it has been begun with what passes of the survey, too */
	double		share;			/* of nodes that pass: what is expected where little has been seen */

	/* set by the caller before it runs */
	const VecIdxPrices *prices;
	float		factor;			/* share of a bound that is believed */
	float		dense;			/* stretch of the rule where all nodes pass */
	bool		unsure;			/* whether the rule's stretch is enough */
	double		expansions;		/* that an unfiltered search for as many makes */
	double		expansions_among;	/* that one for as many makes as they are among */
	bool		probing;		/* gives up soon unless what passes is more frequent near the query than elsewhere */

	bool		twins;			/* there are nodes with rows of other values */
	int			first_field;	/* that tests look at */
	uint8	   *row;			/* scratch */

	bool		narrow;
	uint64		probe_at;		/* tests after which a sift that probes asks whether to go on */
	int			added;			/* times that slack was added, to make sure */
	uint32		gains;			/* nodes that came among the nearest since */
	VecIdxHeap	bridges;		/* nodes that fail and may be expanded, by estimate */
	VecIdxHeapItem *spare;		/* others: too far, or led through; in no order */
	uint32		spare_count;
	uint32		spare_room;
	VecIdxCandidate *untested;	/* nodes that are too far for it to matter whether they pass */
	uint32		untested_count;
	uint32		untested_room;
	uint32		vain;			/* bridges expanded in vain, one after the other */

	/* counts */
	uint64		tests;
	uint64		passes;
	uint64		lists;			/* lists read */
	uint64		bridged;		/* bridges expanded */
} VecIdxSift;

extern void vecidx_sift_init(VecIdxSift *sift, VecIdxSearch *search, VecIdxStore *store, VecIdxPredicate *predicate,
							 const VecIdxSurvey *survey);

/* Seeds the sift; false for an empty graph. */
extern bool vecidx_sift_begin(VecIdxSift *sift);

typedef enum VecIdxSifted
{
	VECIDX_SIFTED,				/* as the rule asks */
	VECIDX_SIFT_DRY,			/* fewer nodes than the rule's width can be reached */
	VECIDX_SIFT_DEAR			/* it has cost more than it may */
} VecIdxSifted;

/*
 * Searches on until the rule says stop, or all that the sift has cost (by its
 * prices) exceeds "cost".  The rule's stretch is that for as many of all nodes as the wanted
 * ones would be among if what passes were evenly spread.
 */
extern VecIdxSifted vecidx_sift_run(VecIdxSift *sift, const VecIdxStop *stop, double cost);

/* What a sift that probes costs until it gives up. */
extern double vecidx_sift_probe_cost(const VecIdxPrices *prices);

#endif							/* VECIDX_SIFT_H */
