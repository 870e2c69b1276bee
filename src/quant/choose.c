/*
 * choose.c
 *	  How many bits a code needs, from a sample of rows.
 *
 * A walk over codes goes wrong where the error of an estimate exceeds the gap
 * between the distance of a row that should be found, the 10th nearest, and of
 * one that need not be, the 50th.  Both are measured in units of 2 |r| |z| (L2)
 * or |r| |z| (else), r and z the residuals of row and query.  In these units B
 * bits err by k_B / sqrt(D - 1) times the sine of the angle between r and z,
 * because an estimate is exact along r; the gap is the data's own.
 *
 * The table has more rows than the sample, so its neighbours are nearer and the
 * gap is smaller.  How much smaller the sample itself tells: its gap between
 * the 2nd and the 10th is what its gap between the 10th and the 50th would be
 * in five times as many rows.
 *
 * Measured on pixels, text vectors, their projections to fewer dimensions and
 * synthetic ones, with the gap of all rows: of the true top 10, the 40 nearest
 * by estimate hold 0.78 where the gap is 1.0 times the error, 0.91 at 1.4,
 * 0.95 at 1.9, 0.98 at 2.4, and 0.99 at 3, whatever the set.
 */
#include "c.h"

#include "quant/quant_internal.h"

/* The gap must be this many times the error. */
#define MARGIN 2.0

/* So few dimensions cost little in any code, and rotate badly. */
#define SMALL_DIMENSIONS 64

/* Without evidence. */
#define DEFAULT_BITS 4
#define SMALL_BITS 8

/* Rows of the sample that serve as queries, at most. */
#define MAX_PROBES 64

/* The ranks whose distances make the gaps, and the ratio between them. */
#define NEXT_RANK 2
#define NEAR_RANK 10
#define FAR_RANK 50
#define RANK_RATIO 5.0

/* Fewer sampled rows say nothing about neighbours. */
#define MIN_SAMPLE (4 * FAR_RANK)

/* Tables grow, and what was right for a small one should last. */
#define MIN_TOTAL 100000.0

/* A row among the nearest of a probe. */
typedef struct Near
{
	float		distance;
	int			row;
} Near;

/* What one probe says.  Gaps are in units of its |r| |z|, doubled for L2. */
typedef struct Probe
{
	double		gap;			/* between NEAR_RANK and FAR_RANK */
	double		inner_gap;		/* between NEXT_RANK and NEAR_RANK */
	double		norm2;			/* |z|^2 */
	double		near_norm2;		/* mean |r|^2 of the near rows */
	double		apart;			/* mean |r - z|^2 of the near rows */
} Probe;

static const int widths[4] = {1, 2, 4, 8};

/* What codes of so many bits and the query rounded for them err together. */
static double
total_noise(int bits)
{
	double		noise = vecidx_quant_noise(bits);

	return sqrt(noise * noise + 1.0 / vecidx_query_precision(bits));
}

static inline const float *
sample_row(const VecIdxSample *sample, int row)
{
	return sample->rows + (Size) row * sample->dimensions;
}

static inline int
probe_row(const VecIdxSample *sample, int probes, int i)
{
	return (int) ((int64) i * sample->count / probes);
}

/* Puts a row where it belongs among the nearest; returns their number. */
static int
insert_near(Near *near, int count, Near candidate)
{
	int			i = count < FAR_RANK ? count++ : FAR_RANK - 1;

	for (; i > 0 && near[i - 1].distance > candidate.distance; i--)
		near[i] = near[i - 1];
	near[i] = candidate;
	return count;
}

/*
 * Fills near with the FAR_RANK rows nearest to a probe, nearest first; returns
 * how many there are.  Rows equal to the probe do not count: they would be the
 * same node.
 */
static int
find_near(const VecIdxSample *sample, int probe, Near *near)
{
	const VecIdxKernels *kernels = vecidx_kernels();
	const float *row = sample_row(sample, probe);
	int			count = 0;

	for (int i = 0; i < sample->count; i++)
	{
		Near		candidate = {.row = i};

		if (sample->metric == VECIDX_IP)
			candidate.distance = -kernels->dot(row, sample_row(sample, i), sample->dimensions);
		else
			candidate.distance = kernels->l2sq(row, sample_row(sample, i), sample->dimensions);
		if (i == probe || (sample->metric != VECIDX_IP && candidate.distance == 0))
			continue;
		if (count < FAR_RANK || candidate.distance < near[count - 1].distance)
			count = insert_near(near, count, candidate);
	}
	return count;
}

/* Asks one probe; false if it cannot tell. */
static bool
ask_probe(const VecIdxSample *sample, int row_number, Probe *probe)
{
	const VecIdxKernels *kernels = vecidx_kernels();
	const float *row = sample_row(sample, row_number);
	int			n = sample->dimensions;
	Near		near[FAR_RANK];
	double		unit;

	if (find_near(sample, row_number, near) < FAR_RANK)
		return false;

	memset(probe, 0, sizeof(*probe));
	probe->norm2 = kernels->l2sq(row, sample->centroid, n);
	for (int i = 0; i < FAR_RANK; i++)
	{
		const float *other = sample_row(sample, near[i].row);

		probe->near_norm2 += kernels->l2sq(other, sample->centroid, n) / FAR_RANK;
		probe->apart += kernels->l2sq(row, other, n) / FAR_RANK;
	}

	/* cosine was searched by squared distance too, twice its order distance */
	unit = sqrt(probe->norm2 * probe->near_norm2) * (sample->metric == VECIDX_IP ? 1.0 : 2.0);
	if (!(unit > 0 && isfinite(unit)))
		return false;
	probe->gap = (near[FAR_RANK - 1].distance - near[NEAR_RANK - 1].distance) / unit;
	probe->inner_gap = (near[NEAR_RANK - 1].distance - near[NEXT_RANK - 1].distance) / unit;
	return true;
}

/* Sine of the angle between a probe and its near rows, in a table where all are nearer by shrink. */
static double
near_sine(const Probe *probe, double shrink)
{
	double		product = 0.5 * (probe->norm2 + probe->near_norm2 - shrink * probe->apart);
	double		cosine2 = product * product / (probe->norm2 * probe->near_norm2);

	return sqrt(Max(0.0, 1.0 - cosine2));
}

/* The middle of the values; puts them in order. */
static double
median(double *values, int count)
{
	for (int i = 1; i < count; i++)
	{
		double		value = values[i];
		int			j = i;

		for (; j > 0 && values[j - 1] > value; j--)
			values[j] = values[j - 1];
		values[j] = value;
	}
	return values[count / 2];
}

/* How much smaller gaps are in the table than in the sample. */
static double
table_shrink(const VecIdxSample *sample, const Probe *probes, int count, double gap)
{
	double		total = Max(sample->total, MIN_TOTAL);
	double		inner_gaps[MAX_PROBES];
	double		ratio;

	for (int i = 0; i < count; i++)
		inner_gaps[i] = probes[i].inner_gap;
	ratio = median(inner_gaps, count) / gap;
	ratio = Min(1.0, Max(ratio, 1.0 / RANK_RATIO));
	if (total <= sample->count)
		return 1.0;
	return pow(ratio, log(total / sample->count) / log(RANK_RATIO));
}

/* Fills contrast and noise; false if the sample cannot tell. */
static bool
measure(const VecIdxSample *sample, VecIdxEvidence *evidence)
{
	int			padded = TYPEALIGN(VECIDX_BLOCK, sample->dimensions);
	int			asked = Min(sample->count, MAX_PROBES);
	Probe		probes[MAX_PROBES];
	double		values[MAX_PROBES];
	int			count = 0;
	double		gap;
	double		shrink;
	double		sine;

	for (int i = 0; i < asked; i++)
	{
		vecidx_quant_yield();
		if (ask_probe(sample, probe_row(sample, asked, i), &probes[count]))
			count++;
	}
	if (count == 0)
		return false;

	for (int i = 0; i < count; i++)
		values[i] = probes[i].gap;
	gap = median(values, count);
	if (!(gap > 0))
		return false;
	shrink = table_shrink(sample, probes, count, gap);
	for (int i = 0; i < count; i++)
		values[i] = near_sine(&probes[i], shrink);
	sine = median(values, count);

	evidence->contrast = (float) (gap * shrink);
	for (int i = 0; i < 4; i++)
		evidence->noise[i] = (float) (total_noise(widths[i]) * sine / sqrt(padded - 1));
	return true;
}

void
vecidx_quant_choose(const VecIdxSample *sample, VecIdxEvidence *evidence)
{
	memset(evidence, 0, sizeof(*evidence));
	if (sample->metric == VECIDX_HAMMING)
	{
		evidence->bits = 1;
		return;
	}
	evidence->bits = sample->dimensions <= SMALL_DIMENSIONS ? SMALL_BITS : DEFAULT_BITS;
	if (sample->count < MIN_SAMPLE || !measure(sample, evidence))
		return;

	evidence->sampled = sample->count;
	if (sample->dimensions <= SMALL_DIMENSIONS)
		return;
	evidence->bits = SMALL_BITS;
	for (int i = 3; i >= 0; i--)
	{
		if (MARGIN * evidence->noise[i] <= evidence->contrast)
			evidence->bits = widths[i];
	}
}
