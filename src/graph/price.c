/*
 * price.c
 *	  What the ways to rows that pass a filter cost.
 */
#include "postgres.h"

#include <math.h>

#include "graph/price.h"

/*
 * Measured with 60,000 rows of 784 dimensions and codes of 1 bit, which the
 * processor's caches hold, and with 1,000,000 of 768, which they do not: what
 * a look costs there, and how much more here.
 */
static const VecIdxPrices cached = {
	.estimate = 25, .test = 8, .list = 120, .enter = 8000,
	.row = 0.35, .call = 15, .match = 30, .page = 10
};
static const VecIdxPrices missed = {
	.estimate = 95, .test = 72, .list = 280, .enter = 7000,
	.row = 0.35, .call = 0, .match = 10, .page = 160
};

/* Bytes of an index's codes, neighbours and filter rows that the caches hold, about. */
#define CACHE		(16.0 * 1024 * 1024)

/* Of the neighbours of a node that is expanded, about so many are new. */
#define NEW_NEIGHBOURS	0.7

/* The share of looks for which the caches do not have what they look at. */
static double
missing_share(const VecIdxHandle *handle)
{
	const VecIdxRun *run = handle->layout.run;
	double		bytes = (double) handle->state.nodes *
	((double) run[VECIDX_RUN_CODE].size + run[VECIDX_RUN_ADJACENCY].size + run[VECIDX_RUN_FILTER].size);

	return Max(0, 1 - CACHE / Max(bytes, 1));
}

VecIdxPrices
vecidx_prices_of(const VecIdxHandle *handle)
{
	double		share = missing_share(handle);

	return (VecIdxPrices)
	{
		.estimate = cached.estimate + share * missed.estimate,
		.test = cached.test + share * missed.test,
		.list = cached.list + share * missed.list,
		.enter = cached.enter + share * missed.enter,
		.row = cached.row + share * missed.row,
		.call = cached.call + share * missed.call,
		.match = cached.match + share * missed.match,
		.page = cached.page + share * missed.page,
		.met = 2 * NEW_NEIGHBOURS * handle->fixed.m
	};
}

double
vecidx_price_wide(const VecIdxPrices *prices, double expansions)
{
	return expansions * (prices->list + prices->met * (prices->test + prices->estimate));
}

double
vecidx_price_narrow(const VecIdxPrices *prices, double expansions, double lists, double share)
{
	return expansions * (lists * (prices->list + prices->met * prices->test) +
						 prices->met * (1 + lists * share) * prices->estimate);
}

double
vecidx_price_probe(const VecIdxPrices *prices, double tests)
{
	return prices->enter + vecidx_price_wide(prices, tests / prices->met);
}

double
vecidx_price_pass(const VecIdxPrices *prices, const VecIdxHandle *handle, const VecIdxPredicate *predicate, double share, double open)
{
	double		nodes = handle->state.nodes;
	double		per_page = Max(handle->layout.run[VECIDX_RUN_CODE].per_page, 1);
	double		visited = nodes / per_page * (1 - pow(1 - Min(share, 1), per_page));
	double		row = 0;

	for (int i = 0; i < predicate->tests; i++)
		row += predicate->test[i].kind == VECIDX_TEST_CALL ? prices->call : prices->row;
	return nodes * (open * row + share * prices->match) + visited * prices->page;
}
