/*
 * price.h
 *	  What the ways to rows that pass a filter cost.
 *
 * Nanoseconds of a machine that has all pages in memory.  Only their ratios
 * matter: they decide between ways.
 */
#ifndef VECIDX_PRICE_H
#define VECIDX_PRICE_H

#include "filter/predicate.h"
#include "page/handle.h"

typedef struct VecIdxPrices
{
	/* of a sift */
	double		estimate;
	double		test;
	double		list;			/* to read one */
	double		enter;			/* until the nodes near the query are reached */

	/* of a pass */
	double		row;			/* per test of the cheap kinds */
	double		call;			/* of the others */
	double		match;			/* a row that passes */
	double		page;			/* a page of codes with such rows */

	double		met;			/* neighbours of a node, about, that a search has not met before */
} VecIdxPrices;

extern VecIdxPrices vecidx_prices_of(const VecIdxHandle *handle);

/* A wide sift with so many expansions. */
extern double vecidx_price_wide(const VecIdxPrices *prices, double expansions);

/* A narrow one, which reads "lists" lists for each, of whose nodes a share passes. */
extern double vecidx_price_narrow(const VecIdxPrices *prices, double expansions, double lists, double share);

/* One that gives up after so many tests. */
extern double vecidx_price_probe(const VecIdxPrices *prices, double tests);

/* A pass over all nodes, of which a share passes, and over a part of the filter pages. */
extern double vecidx_price_pass(const VecIdxPrices *prices, const VecIdxHandle *handle, const VecIdxPredicate *predicate, double share,
								double open);

#endif							/* VECIDX_PRICE_H */
