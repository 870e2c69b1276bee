/*
 * sketch.c
 *	  Short integer images of rows.
 */
#include "c.h"

#include "quant/quant_internal.h"
#include "quant/sketch.h"

/* Times that the sample is multiplied into the axes. */
#define ITERATIONS		3

/* Share of the variance that is enough. */
#define ENOUGH			0.8f

/* Standard deviations of a coordinate that integers span on each side. */
#define SPAN			4.5

/* So few dimensions make coordinates that are alike: see find_offsets. */
#define FEW				8

/* Sums of squares in float are trusted from here up to the largest. */
#define SMALLEST_SUM	1e-30f

/* Of a key, so that a distance stays finite. */
#define LARGEST_KEY		(FLT_MAX / 8)

#define PANELS(width)	((width) / VECIDX_PANEL)

Size
vecidx_sketcher_size(int dimensions, int width)
{
	return offsetof(VecIdxSketcher, data) +
		((Size) dimensions + width + (Size) width * dimensions) * sizeof(float);
}

int
vecidx_sketcher_width(int dimensions)
{
	/* few dimensions need many coordinates to be seen finer than a step of them */
	if (dimensions <= 32)
		return 256;
	return dimensions <= 64 ? 64 : dimensions <= 128 ? 128 : 256;
}

bool
vecidx_sketcher_suffices(const VecIdxSketcher *sketcher)
{
	return sketcher->captured >= ENOUGH || sketcher->width == VECIDX_SKETCH_MAX;
}

static inline float *
centre_of(VecIdxSketcher *sketcher)
{
	return sketcher->data;
}

static inline float *
offsets_of(VecIdxSketcher *sketcher)
{
	return sketcher->data + sketcher->dimensions;
}

static inline float *
panels_of(VecIdxSketcher *sketcher)
{
	return offsets_of(sketcher) + sketcher->width;
}

/* The sample while axes are sought. */
typedef struct Sample
{
	int			count;
	int			dimensions;
	int			width;
	float		unit;			/* residuals are multiplied by it, so that squares stay in range */
	float	   *rows;			/* residuals, row after row */
	float	   *columns;		/* the same, dimension after dimension */
	float	   *products;		/* panels of rows times axes: [width / 16][count][16] */
	float	   *axes;			/* axis after axis */
} Sample;

Size
vecidx_sketcher_scratch(int dimensions, int width, int count)
{
	Size		sampled = Min(count, VECIDX_SKETCH_SAMPLE);

	return (2 * sampled * dimensions + sampled * width + (Size) width * dimensions) * sizeof(float);
}

static void
map_sample(Sample *sample, void *scratch)
{
	Size		rows = (Size) sample->count * sample->dimensions;

	sample->rows = scratch;
	sample->columns = sample->rows + rows;
	sample->products = sample->columns + rows;
	sample->axes = sample->products + (Size) sample->count * sample->width;
}

static void
find_centre(VecIdxSketcher *sketcher, const float *rows, int count)
{
	float	   *centre = centre_of(sketcher);

	for (int j = 0; j < sketcher->dimensions; j++)
	{
		double		sum = 0;

		for (int i = 0; i < count; i++)
			sum += rows[(Size) i * sketcher->dimensions + j];
		centre[j] = (float) (sum / count);
	}
}

/* A power of two that brings the largest element of the rows near one. */
static float
choose_unit(const float *rows, Size count)
{
	float		largest = 0;
	int			exponent;

	for (Size i = 0; i < count; i++)
		largest = Max(largest, fabsf(rows[i]));
	frexpf(largest, &exponent);
	return ldexpf(1, Min(-exponent, FLT_MAX_EXP - 2));
}

static void
take_residuals(Sample *sample, VecIdxSketcher *sketcher, const float *rows)
{
	const float *centre = centre_of(sketcher);
	int			dimensions = sample->dimensions;

	sample->unit = choose_unit(rows, (Size) sample->count * dimensions);
	for (int i = 0; i < sample->count; i++)
	{
		const float *row = rows + (Size) i * dimensions;
		float	   *residual = sample->rows + (Size) i * dimensions;

		for (int j = 0; j < dimensions; j++)
		{
			residual[j] = row[j] * sample->unit - centre[j] * sample->unit;
			sample->columns[(Size) j * sample->count + i] = residual[j];
		}
	}
}

/* A number that looks drawn by chance, in [-1, 1). */
static float
noise_at(uint64 seed)
{
	seed = (seed + 1) * UINT64CONST(0x9E3779B97F4A7C15);
	seed = (seed ^ seed >> 30) * UINT64CONST(0xBF58476D1CE4E5B9);
	seed = (seed ^ seed >> 27) * UINT64CONST(0x94D049BB133111EB);
	return (float) ((double) (int64) (seed ^ seed >> 31) * (1.0 / 9223372036854775808.0));
}

/* Takes what lies along another axis off. */
static void
take_off(float *pg_restrict axis, const float *pg_restrict other, float length, int n)
{
	int			k = 0;

	for (; k + 16 <= n; k += 16)
	{
		for (int j = 0; j < 16; j++)
			axis[k + j] -= length * other[k + j];
	}
	for (; k < n; k++)
		axis[k] -= length * other[k];
}

/* Makes the axes orthonormal by Gram-Schmidt, twice; one that vanishes is drawn anew. */
static void
straighten_axes(Sample *sample)
{
	const VecIdxKernels *kernels = vecidx_kernels();
	int			n = sample->dimensions;

	for (int i = 0; i < sample->width; i++)
	{
		float	   *axis = sample->axes + (Size) i * n;
		double		before = sqrt(vecidx_sum_squares(axis, n));
		double		norm = 0;

		vecidx_quant_yield();
		for (int pass = 0; pass < 4; pass++)
		{
			if (before > 0)
				kernels->scale(axis, 1.0 / before, n);
			for (int j = 0; j < i; j++)
			{
				const float *other = sample->axes + (Size) j * n;

				take_off(axis, other, kernels->dot(axis, other, n), n);
			}
			norm = sqrt(vecidx_sum_squares(axis, n));
			if (norm > 0.5)
				break;
			for (int k = 0; k < n && norm < 1e-3; k++)
				axis[k] = noise_at((uint64) i << 40 | (uint64) pass << 32 | k);
			before = sqrt(vecidx_sum_squares(axis, n));
		}
		if (norm > 0)
			kernels->scale(axis, 1.0 / norm, n);
	}
}

/* Panel number p of the axes: [dimensions][16]. */
static void
fill_panel(const Sample *sample, int p, float *panel)
{
	for (int j = 0; j < VECIDX_PANEL; j++)
	{
		const float *axis = sample->axes + (Size) (p * VECIDX_PANEL + j) * sample->dimensions;

		for (int k = 0; k < sample->dimensions; k++)
			panel[(Size) k * VECIDX_PANEL + j] = axis[k];
	}
}

static void
empty_panel(Sample *sample, int p, const float *panel)
{
	for (int j = 0; j < VECIDX_PANEL; j++)
	{
		float	   *axis = sample->axes + (Size) (p * VECIDX_PANEL + j) * sample->dimensions;

		for (int k = 0; k < sample->dimensions; k++)
			axis[k] = panel[(Size) k * VECIDX_PANEL + j];
	}
}

/* axes := X' X axes, a panel at a time; "panel" has room for one. */
static void
multiply_axes(Sample *sample, float *panel)
{
	const VecIdxKernels *kernels = vecidx_kernels();

	for (int p = 0; p < PANELS(sample->width); p++)
	{
		float	   *products = sample->products + (Size) p * sample->count * VECIDX_PANEL;

		vecidx_quant_yield();
		fill_panel(sample, p, panel);
		kernels->panel_f32(sample->rows, sample->count, panel, sample->dimensions, products, VECIDX_PANEL);
		kernels->panel_f32(sample->columns, sample->dimensions, products, sample->count, panel, VECIDX_PANEL);
		empty_panel(sample, p, panel);
	}
}

/* The subspace of most variance. */
static void
find_axes(Sample *sample, float *panel)
{
	Size		size = (Size) sample->width * sample->dimensions;

	if (sample->dimensions <= sample->width)
	{
		memset(sample->axes, 0, size * sizeof(float));
		for (int i = 0; i < sample->dimensions; i++)
			sample->axes[(Size) i * sample->dimensions + i] = 1;
		return;
	}
	for (Size i = 0; i < size; i++)
		sample->axes[i] = noise_at(i);
	for (int i = 0; i < ITERATIONS; i++)
	{
		multiply_axes(sample, panel);
		straighten_axes(sample);
	}
}

/* The median of not too many numbers, which come into order. */
static double
median_of(double *numbers, int count)
{
	for (int i = 1; i < count; i++)
	{
		double		moved = numbers[i];
		int			at = i;

		for (; at > 0 && numbers[at - 1] > moved; at--)
			numbers[at] = numbers[at - 1];
		numbers[at] = moved;
	}
	return numbers[count / 2];
}

/*
 * Variance of a coordinate (of the sample's residuals), and the share of all
 * variance that the axes see.  The median of the rows counts, so that a few
 * that lie far off do not make all others look alike.
 */
static double
measure_axes(VecIdxSketcher *sketcher, const Sample *sample)
{
	double		squares[VECIDX_SKETCH_SAMPLE];
	double		total = vecidx_sum_squares(sample->rows, sample->count * sample->dimensions);
	double		seen = 0;
	double		median;

	for (int i = 0; i < sample->count; i++)
	{
		vecidx_quant_yield();
		squares[i] = 0;
		for (int j = 0; j < Min(sample->width, sample->dimensions); j++)
		{
			double		x = vecidx_kernels()->dot(sample->rows + (Size) i * sample->dimensions,
												  sample->axes + (Size) j * sample->dimensions, sample->dimensions);

			squares[i] += x * x;
		}
		seen += squares[i];
	}
	sketcher->captured = total > 0 ? (float) Min(1.0, seen / total) : 1;
	median = median_of(squares, sample->count);
	return (median > 0 ? median : seen / sample->count) / sample->width;
}

/* Mixes the axes by a Hadamard transform with random signs, so that all coordinates vary alike; scales them. */
static void
mix_axes(const Sample *sample, float factor, float *row, float *panels)
{
	int			width = sample->width;

	for (int k = 0; k < sample->dimensions; k++)
	{
		for (int j = 0; j < width; j++)
			row[j] = sample->axes[(Size) j * sample->dimensions + k] * (noise_at(~(uint64) j) < 0 ? -factor : factor);
		vecidx_kernels()->hadamard(row, NULL, width);
		for (int j = 0; j < width; j++)
			panels[(Size) (j / VECIDX_PANEL) * sample->dimensions * VECIDX_PANEL +
				   (Size) k * VECIDX_PANEL + j % VECIDX_PANEL] = row[j];
	}
}

/*
 * Coordinates that hold the same of a row would be rounded the same way, and
 * no better be known together than one of them: each is shifted by another
 * part of a step.
 */
static void
find_offsets(VecIdxSketcher *sketcher)
{
	float	   *offsets = offsets_of(sketcher);

	for (int p = 0; p < PANELS(sketcher->width); p++)
		vecidx_kernels()->panel_f32(centre_of(sketcher), 1,
									panels_of(sketcher) + (Size) p * sketcher->dimensions * VECIDX_PANEL,
									sketcher->dimensions, offsets + p * VECIDX_PANEL, VECIDX_PANEL);
	for (int j = 0; j < sketcher->width && sketcher->dimensions < FEW; j++)
		offsets[j] += (j + 0.5f) / sketcher->width - 0.5f;
}

static double
longest_row(const float *rows, int count, int dimensions)
{
	double		longest = 0;

	for (int i = 0; i < count; i++)
	{
		const float *row = rows + (Size) i * dimensions;

		longest = Max(longest, vecidx_kernels()->dot_wide(row, row, dimensions));
	}
	return sqrt(longest);
}

VecIdxSketcher *
vecidx_sketcher_init(void *memory, VecIdxMetric metric, int dimensions, int width,
					 const float *rows, int count, void *scratch)
{
	VecIdxSketcher *sketcher = memory;
	Sample		sample = {.count = Min(count, VECIDX_SKETCH_SAMPLE), .dimensions = dimensions, .width = width};
	float		row[VECIDX_SKETCH_MAX];
	double		variance;

	memset(sketcher, 0, offsetof(VecIdxSketcher, data));
	sketcher->metric = metric;
	sketcher->dimensions = dimensions;
	sketcher->width = width;
	sketcher->weight = metric == VECIDX_IP ? 1 : 2;
	map_sample(&sample, scratch);
	find_centre(sketcher, rows, sample.count);
	take_residuals(&sample, sketcher, rows);
	find_axes(&sample, panels_of(sketcher));
	variance = measure_axes(sketcher, &sample);
	sketcher->scale = 1;
	if (variance > 0)
		sketcher->scale = (float) Min(VECIDX_CROSS_MOST / (SPAN * sqrt(variance)) * sample.unit, FLT_MAX / 4);
	sketcher->reach = vecidx_clamp(1.25 * longest_row(rows, sample.count, dimensions));
	mix_axes(&sample, sketcher->scale / sqrtf(width), row, panels_of(sketcher));
	find_offsets(sketcher);
	return sketcher;
}

static double
squared_apart(const float *a, const float *b, int n)
{
	float		sum = vecidx_kernels()->l2sq(a, b, n);
	double		wide = 0;

	if (likely(sum >= SMALLEST_SUM && sum <= FLT_MAX))
		return sum;
	for (int i = 0; i < n; i++)
		wide += ((double) a[i] - b[i]) * ((double) a[i] - b[i]);
	return wide;
}

static float
clamp_key(double value)
{
	return (float) Max(-LARGEST_KEY, Min(value, LARGEST_KEY));
}

/*
 * What the sketch leaves to be known of a row.  "left" is how much more its
 * squared length is, in units, than that of its sketch: what lies outside the
 * subspace.  Near rows differ little from each other, however long they are:
 * so distances start from the lengths of the sketches, which are exact.
 */
static VecIdxSketchKey
make_key(const VecIdxSketcher *sketcher, const float *row, int32 length, double left)
{
	const VecIdxKernels *kernels = vecidx_kernels();
	double		square = (double) sketcher->scale * sketcher->scale;
	VecIdxSketchKey key;

	key.own = clamp_key(length + Max(left, 0));
	key.lift = 0;
	key.sum = 0;
	if (sketcher->metric == VECIDX_IP)
	{
		double		norm2 = kernels->dot_wide(row, row, sketcher->dimensions);

		/* -<a, b> is half of |a - b|^2 - |a|^2 - |b|^2 */
		key.own = clamp_key(0.5 * (key.own - square * norm2));
		key.lift = clamp_key(square * sqrt(norm2) * sketcher->reach);
	}
	key.other = key.own;
	return key;
}

/* What rounding tells of a sketch. */
typedef struct Rounded
{
	int32		length;			/* squared */
	int32		sum;			/* of coordinates */
	double		seen;			/* the squared length before rounding */
} Rounded;

static Rounded
round_coordinates(const float *product, const float *offsets, int width, int8 *sketch)
{
	Rounded		rounded = {0};
	float		seen = 0;

	for (int j = 0; j < width; j++)
	{
		float		x = product[j] - offsets[j];

		/* the comparisons leave no NaN */
		x = x > -VECIDX_CROSS_MOST ? x : -VECIDX_CROSS_MOST;
		x = x < VECIDX_CROSS_MOST ? x : VECIDX_CROSS_MOST;
		sketch[j] = (int8) (x < 0 ? x - 0.5f : x + 0.5f);
		rounded.length += sketch[j] * sketch[j];
		rounded.sum += sketch[j];
		seen += x * x;
	}
	rounded.seen = seen;
	return rounded;
}

void
vecidx_sketch_rows(const VecIdxSketcher *sketcher, const float *rows, int count, float *products,
				   int8 *sketches, VecIdxSketchKey *keys)
{
	const float *offsets = sketcher->data + sketcher->dimensions;
	const float *panels = offsets + sketcher->width;
	double		square = (double) sketcher->scale * sketcher->scale;
	int			width = sketcher->width;

	for (int p = 0; p < PANELS(width); p++)
		vecidx_kernels()->panel_f32(rows, count, panels + (Size) p * sketcher->dimensions * VECIDX_PANEL,
									sketcher->dimensions, products + p * VECIDX_PANEL, width);
	for (int i = 0; i < count; i++)
	{
		const float *row = rows + (Size) i * sketcher->dimensions;
		Rounded		rounded = round_coordinates(products + (Size) i * width, offsets, width, sketches + (Size) i * width);
		double		whole = square * squared_apart(row, sketcher->data, sketcher->dimensions);

		keys[i] = make_key(sketcher, row, rounded.length, whole - rounded.seen);
		keys[i].sum = VECIDX_CROSS_LIFT * rounded.sum;
	}
}
