/*
 * fixture.h
 *	  Quantizers, rows and their stored forms for tests, in memory of exactly
 *	  the sizes that quant.h promises.
 */
#ifndef FIXTURE_H
#define FIXTURE_H

#include "c.h"

#include "quant/quant.h"

#define FIXTURE_SEED UINT64CONST(20240229)

typedef struct Fixture
{
	VecIdxQuantParams params;
	VecIdxQuantizer *quantizer;
	float	   *centroid;
	void	   *scratch;
	void	   *query_memory;
} Fixture;

/* A row as the index would keep it, at addresses of no alignment. */
typedef struct Stored
{
	uint8	   *code;
	uint8	   *rerank;
	VecIdxFactors factors;
} Stored;

extern const char *fixture_metric_name(VecIdxMetric metric);
extern const char *fixture_rerank_name(VecIdxRerank rerank);

/* centroid may be NULL: zero. */
extern void fixture_make(Fixture *fixture, const VecIdxQuantParams *params, const float *centroid);
extern void fixture_store(const Fixture *fixture, const float *row, Stored *stored);
extern VecIdxQuery *fixture_query(const Fixture *fixture, const float *row);

/*
 * count rows of embedding-like data: a common offset, directions that vary
 * much and little, and unit length for cosine.
 */
extern float *fixture_rows(VecIdxMetric metric, int dimensions, int count);

/* The mean of rows. */
extern float *fixture_mean(const float *rows, int dimensions, int count);

/* By definition, in double. */
extern double fixture_distance(VecIdxMetric metric, const float *a, const float *b, int dimensions);
extern double fixture_apart(const float *a, const float *b, int dimensions);	/* Euclidean */

#endif							/* FIXTURE_H */
