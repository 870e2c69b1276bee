/*
 * scalar.c
 *	  The kernels in plain C: the definition of each entry, and the set of last
 *	  resort.
 *
 * Speed is second here, but loops over floats keep several partial sums: that
 * is nearer to the exact value than one running sum, and lets any compiler
 * vectorise them.
 */
#include "c.h"

#include "kernel/kernel.h"

/* Partial sums in the float loops. */
#define LANES 8

/* Those of the sums in double, which all sets have. */
#define WIDE_LANES 16

/* Callers promise no alignment, so every float goes through here. */
static inline float
load_float(const float *p)
{
	float		value;

	memcpy(&value, p, sizeof(value));
	return value;
}

static inline float
sum_lanes(const float *lane)
{
	return ((lane[0] + lane[4]) + (lane[2] + lane[6])) +
		((lane[1] + lane[5]) + (lane[3] + lane[7]));
}

static float
dot(const float *a, const float *b, int n)
{
	float		lane[LANES] = {0};
	int			i = 0;

	for (; i + LANES <= n; i += LANES)
	{
		for (int j = 0; j < LANES; j++)
			lane[j] += load_float(a + i + j) * load_float(b + i + j);
	}
	for (; i < n; i++)
		lane[i % LANES] += load_float(a + i) * load_float(b + i);
	return sum_lanes(lane);
}

static float
l2sq(const float *a, const float *b, int n)
{
	float		lane[LANES] = {0};
	int			i;

	for (i = 0; i + LANES <= n; i += LANES)
	{
		for (int j = 0; j < LANES; j++)
		{
			float		d = load_float(a + i + j) - load_float(b + i + j);

			lane[j] += d * d;
		}
	}
	for (; i < n; i++)
	{
		float		d = load_float(a + i) - load_float(b + i);

		lane[i % LANES] += d * d;
	}
	return sum_lanes(lane);
}

static inline int
count_bits(uint8 byte)
{
	byte = (byte & 0x55) + ((byte >> 1) & 0x55);
	byte = (byte & 0x33) + ((byte >> 2) & 0x33);
	return (byte & 0x0f) + (byte >> 4);
}

static int32
dot_b1(const uint8 *code, const uint8 *planes, int n)
{
	int32		sum = 0;

	for (int i = 0; i < n / 8; i++)
	{
		/* byte i % 16 of each plane of 128-dimension block i / 16 */
		const uint8 *plane = planes + i / 16 * 64 + i % 16;

		sum += count_bits(code[i] & plane[0]);
		sum += count_bits(code[i] & plane[16]) * 2;
		sum += count_bits(code[i] & plane[32]) * 4;
		sum -= count_bits(code[i] & plane[48]) * 8;
	}
	return sum;
}

/* Level of dimension i of a code of 2, 4 or 8 bits. */
static inline int
level_at(const uint8 *code, int bits, int i)
{
	int			per_block = 128 / bits;
	int			in_block = i % per_block;
	uint8		byte = code[16 * (i / per_block) + in_block % 16];

	return (byte >> (bits * (in_block / 16))) & ((1 << bits) - 1);
}

static inline int32
dot_levels(const uint8 *code, const int8 *q, int bits, int n)
{
	int32		sum = 0;

	for (int i = 0; i < n; i++)
		sum += level_at(code, bits, i) * q[i];
	return sum;
}

static int32
dot_b2(const uint8 *code, const int8 *q, int n)
{
	return dot_levels(code, q, 2, n);
}

static int32
dot_b4(const uint8 *code, const int8 *q, int n)
{
	return dot_levels(code, q, 4, n);
}

static int32
dot_b8(const uint8 *code, const int8 *q, int n)
{
	return dot_levels(code, q, 8, n);
}

static void
dots_b1(const uint8 *const *codes, int count, const uint8 *planes, int n, int32 *dots)
{
	for (int i = 0; i < count; i++)
		dots[i] = dot_b1(codes[i], planes, n);
}

static void
dots_b2(const uint8 *const *codes, int count, const int8 *q, int n, int32 *dots)
{
	for (int i = 0; i < count; i++)
		dots[i] = dot_b2(codes[i], q, n);
}

static void
dots_b4(const uint8 *const *codes, int count, const int8 *q, int n, int32 *dots)
{
	for (int i = 0; i < count; i++)
		dots[i] = dot_b4(codes[i], q, n);
}

static void
dots_b8(const uint8 *const *codes, int count, const int8 *q, int n, int32 *dots)
{
	for (int i = 0; i < count; i++)
		dots[i] = dot_b8(codes[i], q, n);
}

static void
estimates_of(const VecIdxLine *line, const int32 *dots, const float *f0, const float *f1,
			 int count, float *estimates)
{
	for (int i = 0; i < count; i++)
		estimates[i] = vecidx_line_estimate(line, dots[i], f0[i], f1[i]);
}

static inline float
dotf_levels(const uint8 *code, const float *z, int bits, int n)
{
	float		lane[LANES] = {0};

	for (int i = 0; i < n; i += LANES)
	{
		for (int j = 0; j < LANES; j++)
			lane[j] += (float) level_at(code, bits, i + j) * load_float(z + i + j);
	}
	return sum_lanes(lane);
}

static float
dotf_b4(const uint8 *code, const float *z, int n)
{
	return dotf_levels(code, z, 4, n);
}

static float
dotf_b8(const uint8 *code, const float *z, int n)
{
	return dotf_levels(code, z, 8, n);
}

static int32
pair_b4(const uint8 *a, const uint8 *b, int n)
{
	int32		sum = 0;

	for (int i = 0; i < n / 2; i++)
		sum += (a[i] & 15) * (b[i] & 15) + (a[i] >> 4) * (b[i] >> 4);
	return sum;
}

static int32
pair_b8(const uint8 *a, const uint8 *b, int n)
{
	int32		sum = 0;

	for (int i = 0; i < n; i++)
		sum += a[i] * b[i];
	return sum;
}

static int32
hamming(const uint8 *a, const uint8 *b, int nbytes)
{
	int32		sum = 0;

	for (int i = 0; i < nbytes; i++)
		sum += count_bits(a[i] ^ b[i]);
	return sum;
}

/*
 * A half is sign, 5 bits of exponent, 10 of fraction.  Moved to the place of a
 * float's bits it is too small by 2^112, the difference of the exponents'
 * biases; that multiplication is exact and mends subnormals too.  Infinities
 * and NaNs, exponent 31, need the largest exponent instead.
 */
static inline float
half_value(uint16 half)
{
	uint32		magnitude = (uint32) (half & 0x7fff) << 13;
	uint32		sign = (uint32) (half & 0x8000) << 16;
	float		value;
	uint32		bits;

	if (magnitude >= ((uint32) 31 << 23))
		bits = magnitude | 0x7f800000;
	else
	{
		memcpy(&value, &magnitude, sizeof(value));
		value *= 0x1p112f;
		memcpy(&bits, &value, sizeof(bits));
	}
	bits |= sign;
	memcpy(&value, &bits, sizeof(value));
	return value;
}

static void
half_to_float(const uint8 *half, float *out, int n)
{
	for (int i = 0; i < n; i++)
	{
		uint16		bits;

		memcpy(&bits, half + 2 * i, sizeof(bits));
		out[i] = half_value(bits);
	}
}

/* The sum of the partial sums, half by half. */
static double
sum_wide_lanes(double *lane)
{
	for (int width = WIDE_LANES / 2; width > 0; width /= 2)
	{
		for (int j = 0; j < width; j++)
			lane[j] += lane[j + width];
	}
	return lane[0];
}

static double
dot_wide(const float *a, const float *b, int n)
{
	double		lane[WIDE_LANES] = {0};
	int			i = 0;

	for (; i + WIDE_LANES <= n; i += WIDE_LANES)
	{
		for (int j = 0; j < WIDE_LANES; j++)
			lane[j] += (double) load_float(a + i + j) * (double) load_float(b + i + j);
	}
	for (; i < n; i++)
		lane[i % WIDE_LANES] += (double) load_float(a + i) * (double) load_float(b + i);
	return sum_wide_lanes(lane);
}

static void
scale(float *x, double factor, int n)
{
	for (int i = 0; i < n; i++)
		x[i] = (float) ((double) x[i] * factor);
}

static float
subtract(const float *a, const float *b, float *out, int n)
{
	float		largest = 0;

	for (int i = 0; i < n; i++)
	{
		float		magnitude;

		out[i] = a[i] - b[i];
		magnitude = out[i] < 0 ? -out[i] : out[i];
		largest = magnitude > largest ? magnitude : largest;
	}
	return largest;
}

static void
measure(const float *x, int n, VecIdxMoments *moments)
{
	double		sum[WIDE_LANES] = {0};
	double		squares[WIDE_LANES] = {0};
	float		largest[WIDE_LANES] = {0};

	for (int i = 0; i < n; i += WIDE_LANES)
	{
		for (int j = 0; j < WIDE_LANES; j++)
		{
			float		value = x[i + j];
			float		magnitude = value < 0 ? -value : value;

			sum[j] += (double) value;
			squares[j] += (double) value * (double) value;
			largest[j] = magnitude > largest[j] ? magnitude : largest[j];
		}
	}
	moments->sum = sum_wide_lanes(sum);
	moments->squares = sum_wide_lanes(squares);
	moments->largest = 0;
	for (int j = 0; j < WIDE_LANES; j++)
		moments->largest = Max(moments->largest, largest[j]);
}

static void
round_values(const float *x, int n, VecIdxRounding *rounding, int8 *v)
{
	float		offset = (float) rounding->bottom + 0.5f;
	float		last = (float) (rounding->bottom + rounding->top);
	double		dot[WIDE_LANES] = {0};

	rounding->sum = 0;
	rounding->squares = 0;
	for (int i = 0; i < n; i += WIDE_LANES)
	{
		for (int j = 0; j < WIDE_LANES; j++)
		{
			float		level = x[i + j] * rounding->inverse;
			int			integer;

			level += offset;
			level = level > 0 ? level : 0;
			level = level < last ? level : last;
			integer = (int) level - rounding->bottom;
			v[i + j] = (int8) integer;
			dot[j] += (double) x[i + j] * (double) integer;
			rounding->sum += integer;
			rounding->squares += integer * integer;
		}
	}
	rounding->dot = sum_wide_lanes(dot);
}

/* The product is exact, as both factors are floats: fusing changes nothing. */
static void
level_values(const float *x, int n, VecIdxLeveling *leveling, uint8 *u)
{
	double		middle = (leveling->top + 1) / 2;
	double		dot[WIDE_LANES] = {0};

	leveling->sum = 0;
	leveling->squares = 0;
	for (int i = 0; i < n; i += WIDE_LANES)
	{
		for (int j = 0; j < WIDE_LANES; j++)
		{
			double		level = (double) x[i + j] * leveling->inverse + middle;
			int			integer;

			level = level > 0 ? level : 0;
			level = level < leveling->top ? level : leveling->top;
			integer = (int) level;
			u[i + j] = (uint8) integer;
			dot[j] += (double) x[i + j] * (double) (2 * integer - leveling->top);
			leveling->sum += integer;
			leveling->squares += integer * integer;
		}
	}
	leveling->dot = sum_wide_lanes(dot);
}

static void
planes(const int8 *v, int n, uint8 *plane)
{
	memset(plane, 0, VECIDX_PLANES_SIZE(n));
	for (int i = 0; i < n; i++)
	{
		for (int j = 0; j < 4; j++)
			plane[i / 128 * 64 + 16 * j + i % 128 / 8] |= (((uint8) v[i] >> j) & 1) << (i % 8);
	}
}

static void
multiply(float *x, const float *factors, int n)
{
	for (int i = 0; i < n; i++)
		x[i] *= factors[i];
}

static void
butterfly(float *x, float *y, int n)
{
	for (int i = 0; i < n; i++)
	{
		float		sum = x[i] + y[i];

		y[i] = x[i] - y[i];
		x[i] = sum;
	}
}

static void
hadamard(float *x, const float *factors, int n)
{
	if (factors != NULL)
		multiply(x, factors, n);
	for (int h = 1; h < n; h *= 2)
	{
		for (int i = 0; i < n; i += 2 * h)
		{
			for (int j = i; j < i + h; j++)
			{
				float		a = x[j];
				float		b = x[j + h];

				x[j] = a + b;
				x[j + h] = a - b;
			}
		}
	}
}

static void
panel_f32(const float *rows, int count, const float *panel, int n, float *products, int stride)
{
	for (int i = 0; i < count; i++)
	{
		float	   *out = products + (Size) i * stride;

		memset(out, 0, VECIDX_PANEL * sizeof(float));
		for (int k = 0; k < n; k++)
		{
			for (int j = 0; j < VECIDX_PANEL; j++)
				out[j] += rows[(Size) i * n + k] * panel[k * VECIDX_PANEL + j];
		}
	}
}

static void
cross_of(const VecIdxCross *cross, int rows, int columns, int32 *products, int stride)
{
	for (int i = 0; i < rows; i++)
	{
		const uint8 *row = cross->rows + (Size) i * cross->n;

		for (int j = 0; j < columns; j++)
		{
			int32		sum = -cross->sums[j];

			for (int k = 0; k < cross->n; k++)
				sum += row[k] * cross->columns[j][k];
			products[(Size) i * stride + j] = sum;
		}
	}
}

static int
below(const int32 *products, const float *others, const float *limits, float weight, int count, VecIdxHit *hits)
{
	int			found = 0;

	for (int i = 0; i < count; i++)
	{
		float		distance = others[i] - weight * (float) products[i];

		if (distance < limits[i])
		{
			hits[found].distance = distance;
			hits[found++].place = i;
		}
	}
	return found;
}

const VecIdxKernels vecidx_kernels_scalar = {
	.name = "scalar",
	.dot = dot,
	.l2sq = l2sq,
	.dot_b1 = dot_b1,
	.dot_b2 = dot_b2,
	.dot_b4 = dot_b4,
	.dot_b8 = dot_b8,
	.dots_b1 = dots_b1,
	.dots_b2 = dots_b2,
	.dots_b4 = dots_b4,
	.dots_b8 = dots_b8,
	.estimates = estimates_of,
	.dotf_b4 = dotf_b4,
	.dotf_b8 = dotf_b8,
	.pair_b4 = pair_b4,
	.pair_b8 = pair_b8,
	.hamming = hamming,
	.half_to_float = half_to_float,
	.panel_f32 = panel_f32,
	.cross = cross_of,
	.below = below,
	.within = &vecidx_within_plain,
	.dot_wide = dot_wide,
	.scale = scale,
	.subtract = subtract,
	.measure = measure,
	.round = round_values,
	.level = level_values,
	.planes = planes,
	.multiply = multiply,
	.butterfly = butterfly,
	.hadamard = hadamard,
};
