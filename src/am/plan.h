/*
 * plan.h
 *	  What a build decides before it reads the whole table, by a sample.
 */
#ifndef VECIDX_PLAN_H
#define VECIDX_PLAN_H

#include "postgres.h"

#include "am/cells.h"
#include "am/sample.h"
#include "filter/shape.h"
#include "options.h"
#include "page/page.h"
#include "quant/sketch.h"

/* Fills in all that can be known without rows; the bits are chosen by the dimensions alone. */
extern void vecidx_plan_fixed(const VecIdxOptions *options, VecIdxMetric metric, const VecIdxFilterShape *shape,
							  int dimensions, VecIdxMetaFixed *fixed);

/* Rows of a table with so many that a build holds back, to calibrate with. */
extern int	vecidx_plan_queries(double rows);

/* All that follows wants a sample with rows. */

extern float *vecidx_plan_centroid(const VecIdxTableSample *sample);

/* Chooses the bits of a code, as quantizer = auto does, and notes why. */
extern void vecidx_plan_bits(const VecIdxTableSample *sample, const float *centroid, VecIdxMetaFixed *fixed);

extern VecIdxSketcher *vecidx_plan_sketcher(const VecIdxTableSample *sample, VecIdxMetric metric);

/* The sample's sketches; their keys, if wanted, are palloc'd, too. */
extern int8 *vecidx_plan_sketches(const VecIdxTableSample *sample, const VecIdxSketcher *sketcher, VecIdxSketchKey **keys);

/*
 * Cuts space into as few cells as let a build stay within maintenance_work_mem.
 * Returns the bytes that all rows at once would take.
 */
extern double vecidx_plan_cells(const VecIdxTableSample *sample, const VecIdxSketcher *sketcher,
								const VecIdxMetaFixed *fixed, VecIdxCells *cells);

#endif							/* VECIDX_PLAN_H */
