/*
 * drift.c
 *	  How far the rows of an index have moved since it was built.
 *
 * Codes say how a row lies relative to the centroid of the rows that there
 * were at the build.  When later rows have another centre, the part of their
 * residuals that they have in common takes up the codes' bits, and estimates
 * of them tell less.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "graph/store.h"
#include "monitor/monitor.h"

/* Versions go up when a slot is freed and when it is used again: those of the build have the first. */
#define FIRST_VERSION	1

void
vecidx_drift_note(VecIdxDrift *drift, const VecIdxHandle *handle, const VecIdxAdjacencySlot *slot)
{
	if (slot->state != VECIDX_LIVE || (slot->node < handle->fixed.base_capacity && slot->version == FIRST_VERSION))
		return;
	if (drift->met++ % drift->stride != 0)
		return;
	if (drift->count == VECIDX_DRIFT_SAMPLE)
	{
		/* every second one */
		for (uint32 i = 0; i < drift->count / 2; i++)
			drift->nodes[i] = drift->nodes[2 * i];
		drift->count /= 2;
		drift->stride *= 2;
	}
	drift->nodes[drift->count++] = slot->node;
}

/* Adds a node's residual to the sum; false if the node has died. */
static bool
add_residual(VecIdxStore *store, uint32 node, float *row, void *scratch, double *sum, double *spread)
{
	VecIdxHandle *handle = store->handle;
	const float *centroid = vecidx_quant_centroid(handle->quantizer);
	const uint8 *vector = store->source.vector(&store->source, node);

	if (vector == NULL)
		return false;
	vecidx_quant_decode(handle->quantizer, vector, scratch, row);
	for (uint32 i = 0; i < handle->fixed.dimensions; i++)
	{
		double		residual = (double) row[i] - centroid[i];

		sum[i] += residual;
		*spread += residual * residual;
	}
	return true;
}

/*
 * Share of the mean square of a residual that is the square of the mean
 * residual.  What a sample of rows around the centroid itself would show, the
 * n-th part, is taken off.
 */
double
vecidx_drift_measure(const VecIdxDrift *drift, VecIdxHandle *handle)
{
	VecIdxQuantParams params = vecidx_layout_quant(&handle->fixed);
	float	   *row = palloc(params.dimensions * sizeof(float));
	double	   *sum = palloc0(params.dimensions * sizeof(double));
	void	   *scratch = palloc(vecidx_quant_scratch_size(&params));
	double		spread = 0;
	double		mean = 0;
	double		n = 0;
	VecIdxStore store;

	vecidx_store_init(&store, handle, CurrentMemoryContext);
	for (uint32 i = 0; i < drift->count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		n += add_residual(&store, drift->nodes[i], row, scratch, sum, &spread);
		vecidx_store_query(&store, NULL);
	}
	for (int i = 0; i < params.dimensions; i++)
		mean += sum[i] * sum[i];
	if (n < VECIDX_DRIFT_LEAST || spread <= 0)
		return 0;
	/* mean is n^2 times the square of the mean, spread n times the mean square */
	return Max(0.0, (mean - spread) / ((n - 1) * spread));
}
