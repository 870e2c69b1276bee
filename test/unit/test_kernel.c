/*
 * test_kernel.c
 *	  Every kernel set against plain loops that follow kernel.h.
 */
#include "c.h"

#include "kernel/kernel.h"
#include "unit.h"

#define MAX_SETS 4

/* The largest padded dimension count is 16000; the transform stays below it. */
#define LARGEST 16000
#define LARGEST_TRANSFORM 8192

/* Bytes of a code or of float data that random sizes leave room for. */
typedef struct Inputs
{
	int			n;
	bool		extreme;		/* of the largest values */
	uint8	   *code;
	uint8	   *other;
	int8	   *q;
	uint8	   *planes;
	float	   *x;
	float	   *z;
} Inputs;

/* Level of a dimension, read as kernel.h lays codes out. */
static int
level_of(const uint8 *code, int bits, int i)
{
	int			block = i / (128 / bits);
	int			within = i % (128 / bits);

	if (bits == 1)
		return (code[i / 8] >> (i % 8)) & 1;
	return (code[16 * block + within % 16] >> (bits * (within / 16))) & ((1 << bits) - 1);
}

/* Integer of a dimension, read from interleaved bit planes. */
static int
plane_value(const uint8 *planes, int i)
{
	static const int weight[4] = {1, 2, 4, -8};
	int			value = 0;

	for (int j = 0; j < 4; j++)
		value += weight[j] * ((planes[64 * (i / 128) + 16 * j + i % 128 / 8] >> (i % 8)) & 1);
	return value;
}

static void
fill_bytes(void *p, Size size)
{
	for (Size i = 0; i < size; i++)
		((uint8 *) p)[i] = (uint8) (unit_random() >> 40);
}

static void
fill_floats(float *p, int n)
{
	for (int i = 0; i < n; i++)
	{
		float		value = (float) unit_random_normal();

		memcpy((char *) p + i * sizeof(float), &value, sizeof(float));
	}
}

static float
float_at(const float *p, int i)
{
	float		value;

	memcpy(&value, (const char *) p + i * sizeof(float), sizeof(float));
	return value;
}

/* Planes are zero beyond n, where the last block is half full. */
static void
end_planes(uint8 *planes, int n)
{
	for (int j = 0; n % 128 != 0 && j < 4; j++)
		memset(planes + n / 128 * 64 + 16 * j + 8, 0, 8);
}

/* Random inputs for codes of some bits; extreme gives the largest values there are. */
static void
make_inputs(Inputs *in, int n, int bits, bool extreme)
{
	Size		size = (Size) n * bits / 8;

	in->n = n;
	in->extreme = extreme;
	in->code = unit_alloc(size, unit_random_below(4));
	in->other = unit_alloc(size, unit_random_below(4));
	in->q = unit_alloc(n, unit_random_below(4));
	in->planes = unit_alloc(VECIDX_PLANES_SIZE(n), unit_random_below(4));
	in->z = unit_alloc(n * sizeof(float), unit_random_below(4));
	fill_bytes(in->code, size);
	fill_bytes(in->other, size);
	fill_bytes(in->planes, VECIDX_PLANES_SIZE(n));
	fill_floats(in->z, n);
	for (int i = 0; i < n; i++)
		in->q[i] = (int8) (unit_random_below(255) - 127);
	if (extreme)
	{
		int8		top = unit_random_below(2) == 0 ? 127 : -127;

		memset(in->code, 0xff, size);
		memset(in->other, 0xff, size);
		memset(in->planes, 0xff, VECIDX_PLANES_SIZE(n));
		memset(in->q, top, n);
	}
	end_planes(in->planes, n);
}

static void
check_int(const VecIdxKernels *set, const char *entry, int n, int64 found, int64 expected)
{
	unit_check(found == expected, "%s %s n=%d: %lld, expected %lld", set->name, entry, n,
			   (long long) found, (long long) expected);
}

/* magnitude: sum of the terms' magnitudes, of which rounding is a small part. */
static void
check_float(const VecIdxKernels *set, const char *entry, int n, double found, double expected, double magnitude)
{
	unit_check(fabs(found - expected) <= 1e-6 * magnitude + 1e-30, "%s %s n=%d: %.9g, expected %.9g",
			   set->name, entry, n, found, expected);
}

static void
check_dot(const VecIdxKernels *set, const Inputs *in, int bits)
{
	const uint8 *code = in->code;
	int64		expected = 0;

	for (int i = 0; i < in->n; i++)
		expected += level_of(code, bits, i) * (bits == 1 ? plane_value(in->planes, i) : in->q[i]);
	if (bits == 1)
		check_int(set, "dot_b1", in->n, set->dot_b1(code, in->planes, in->n), expected);
	else if (bits == 2)
		check_int(set, "dot_b2", in->n, set->dot_b2(code, in->q, in->n), expected);
	else if (bits == 4)
		check_int(set, "dot_b4", in->n, set->dot_b4(code, in->q, in->n), expected);
	else
		check_int(set, "dot_b8", in->n, set->dot_b8(code, in->q, in->n), expected);
}

static void
check_float_dot_and_pair(const VecIdxKernels *set, const Inputs *in, int bits)
{
	double		dot = 0;
	double		magnitude = 0;
	int64		pair = 0;

	for (int i = 0; i < in->n; i++)
	{
		double		term = (double) level_of(in->code, bits, i) * float_at(in->z, i);

		dot += term;
		magnitude += fabs(term);
		pair += level_of(in->code, bits, i) * level_of(in->other, bits, i);
	}
	if (bits == 4)
	{
		check_float(set, "dotf_b4", in->n, set->dotf_b4(in->code, in->z, in->n), dot, magnitude);
		check_int(set, "pair_b4", in->n, set->pair_b4(in->code, in->other, in->n), pair);
	}
	else
	{
		check_float(set, "dotf_b8", in->n, set->dotf_b8(in->code, in->z, in->n), dot, magnitude);
		check_int(set, "pair_b8", in->n, set->pair_b8(in->code, in->other, in->n), pair);
	}
}

/* One product, by the entry for one code. */
static int32
single_dot(const VecIdxKernels *set, const uint8 *code, const Inputs *in, int bits)
{
	switch (bits)
	{
		case 1:
			return set->dot_b1(code, in->planes, in->n);
		case 2:
			return set->dot_b2(code, in->q, in->n);
		case 4:
			return set->dot_b4(code, in->q, in->n);
		default:
			return set->dot_b8(code, in->q, in->n);
	}
}

static void
batch_dots(const VecIdxKernels *set, const uint8 *const *codes, int count, const Inputs *in, int bits, int32 *dots)
{
	switch (bits)
	{
		case 1:
			set->dots_b1(codes, count, in->planes, in->n, dots);
			break;
		case 2:
			set->dots_b2(codes, count, in->q, in->n, dots);
			break;
		case 4:
			set->dots_b4(codes, count, in->q, in->n, dots);
			break;
		default:
			set->dots_b8(codes, count, in->q, in->n, dots);
			break;
	}
}

/* Many codes at once, at addresses of no alignment, give what scalar gives for each. */
static void
check_batch(const VecIdxKernels *set, const Inputs *in, int bits, int count)
{
	Size		size = (Size) in->n * bits / 8;
	const uint8 **codes = unit_alloc(count * sizeof(uint8 *), 0);
	int32	   *dots = unit_alloc(count * sizeof(int32), 4);

	for (int i = 0; i < count; i++)
	{
		uint8	   *code = unit_alloc(size, unit_random_below(64));

		if (in->extreme)
			memset(code, 0xff, size);
		else
			fill_bytes(code, size);
		codes[i] = code;
	}
	batch_dots(set, codes, count, in, bits, dots);
	for (int i = 0; i < count; i++)
		unit_check(dots[i] == single_dot(&vecidx_kernels_scalar, codes[i], in, bits),
				   "%s dots_b%d n=%d: code %d of %d: %d, expected %d", set->name, bits, in->n, i, count,
				   dots[i], single_dot(&vecidx_kernels_scalar, codes[i], in, bits));
}

static void
test_batches(const VecIdxKernels *set, int bits)
{
	unit_case("kernel %s: %d-bit codes, many at once", set->name, bits);
	for (int count = 0; count <= 100; count++)
	{
		Inputs		in;

		make_inputs(&in, 64 * unit_random_below(12), bits, count % 10 == 9);
		check_batch(set, &in, bits, count);
		unit_free_all();
	}
	for (int i = 0; i < 2; i++)
	{
		Inputs		in;

		make_inputs(&in, i == 0 ? LARGEST : 16384, bits, i == 0);
		check_batch(set, &in, bits, 5);
		unit_free_all();
	}
}

/* Values of every size up to the largest: overflow must give the same finite floats. */
static void
test_estimates(const VecIdxKernels *set)
{
	unit_case("kernel %s: estimates give the bits of one alone", set->name);
	for (int count = 0; count <= 100; count++)
	{
		VecIdxLine	line = {unit_random_normal(), 0.01 * unit_random_normal(), 1000 * unit_random_normal()};
		int32	   *dots = unit_alloc(count * sizeof(int32), 4 * unit_random_below(16));
		float	   *f0 = unit_alloc(count * sizeof(float), 4 * unit_random_below(16));
		float	   *f1 = unit_alloc(count * sizeof(float), 4 * unit_random_below(16));
		float	   *estimates = unit_alloc(count * sizeof(float), 4 * unit_random_below(16));

		fill_floats(f0, count);
		fill_floats(f1, count);
		for (int i = 0; i < count; i++)
		{
			dots[i] = unit_random_below(1000000) - 500000;
			if (unit_random_below(4) == 0)
				f1[i] = unit_random_below(2) == 0 ? FLT_MAX : -FLT_MAX;
		}
		set->estimates(&line, dots, f0, f1, count, estimates);
		for (int i = 0; i < count; i++)
		{
			float		expected = vecidx_line_estimate(&line, dots[i], f0[i], f1[i]);

			unit_check(estimates[i] == expected && isfinite(expected), "%s estimate %d of %d: %.9g, expected %.9g",
					   set->name, i, count, estimates[i], expected);
		}
		unit_free_all();
	}
}

static void
test_codes(const VecIdxKernels *set, int bits)
{
	unit_case("kernel %s: %d-bit codes", set->name, bits);
	for (int round = 0; round < 60; round++)
	{
		int			n = round < 20 ? 64 * round : 64 * unit_random_below(40);
		Inputs		in;

		if (round == 59)
			n = LARGEST;
		if (round == 58)
			n = 2 * 16384;
		make_inputs(&in, n, bits, round >= 50);
		check_dot(set, &in, bits);
		if (bits >= 4)
			check_float_dot_and_pair(set, &in, bits);
		unit_free_all();
	}
}

static void
test_floats(const VecIdxKernels *set)
{
	unit_case("kernel %s: float rows", set->name);
	for (int n = 0; n < 200; n++)
	{
		float	   *a = unit_alloc(n * sizeof(float), unit_random_below(8));
		float	   *b = unit_alloc(n * sizeof(float), unit_random_below(8));
		double		dot = 0;
		double		magnitude = 0;
		double		l2sq = 0;

		fill_floats(a, n);
		fill_floats(b, n);
		for (int i = 0; i < n; i++)
		{
			double		x = float_at(a, i);
			double		y = float_at(b, i);

			dot += x * y;
			magnitude += fabs(x * y);
			l2sq += (x - y) * (x - y);
		}
		check_float(set, "dot", n, set->dot(a, b, n), dot, magnitude);
		check_float(set, "l2sq", n, set->l2sq(a, b, n), l2sq, l2sq);
		unit_free_all();
	}
}

static void
test_hamming(const VecIdxKernels *set)
{
	unit_case("kernel %s: hamming", set->name);
	for (int n = 0; n < 200; n++)
	{
		uint8	   *a = unit_alloc(n, unit_random_below(8));
		uint8	   *b = unit_alloc(n, unit_random_below(8));
		int			expected = 0;

		fill_bytes(a, n);
		fill_bytes(b, n);
		for (int i = 0; i < n * 8; i++)
			expected += ((a[i / 8] ^ b[i / 8]) >> (i % 8)) & 1;
		check_int(set, "hamming", n, set->hamming(a, b, n), expected);
		unit_free_all();
	}
}

/* A half by its definition. */
static double
half_meaning(uint16 half)
{
	int			exponent = (half >> 10) & 31;
	int			fraction = half & 1023;
	double		value;

	if (exponent == 31)
		value = fraction == 0 ? HUGE_VAL : NAN;
	else if (exponent == 0)
		value = ldexp(fraction, -24);
	else
		value = ldexp(1024 + fraction, exponent - 25);
	return half & 0x8000 ? -value : value;
}

static void
test_half(const VecIdxKernels *set)
{
	enum
	{
		ALL = 65536
	};
	uint8	   *halves;
	float	   *floats;

	unit_case("kernel %s: every half", set->name);
	halves = unit_alloc(2 * ALL, 1);
	floats = unit_alloc(ALL * sizeof(float), 0);
	for (int i = 0; i < ALL; i++)
	{
		uint16		half = (uint16) i;

		memcpy(halves + 2 * i, &half, sizeof(half));
	}
	/* in runs of every length up to 40, for the tails */
	for (int i = 0, length = 1; i < ALL; i += length, length = length % 40 + 1)
		set->half_to_float(halves + 2 * i, floats + i, Min(length, ALL - i));
	for (int i = 0; i < ALL; i++)
	{
		double		expected = half_meaning((uint16) i);

		if (isnan(expected))
			unit_check(isnan(floats[i]), "%s half %04x: %g, expected NaN", set->name, i, floats[i]);
		else
			unit_check(floats[i] == expected && !signbit(floats[i]) == !signbit(expected),
					   "%s half %04x: %g, expected %g", set->name, i, floats[i], expected);
	}
}

/* Sums in double are equal in all sets, of addresses without alignment too. */
static void
test_wide(const VecIdxKernels *set)
{
	unit_case("kernel %s: sums in double are scalar's", set->name);
	for (int n = 0; n < 200; n++)
	{
		float	   *a = unit_alloc(n * sizeof(float), unit_random_below(8));
		float	   *b = unit_alloc(n * sizeof(float), unit_random_below(8));
		double		found;
		double		expected;

		fill_floats(a, n);
		fill_floats(b, n);
		found = set->dot_wide(a, b, n);
		expected = vecidx_kernels_scalar.dot_wide(a, b, n);
		unit_check(found == expected, "%s dot_wide n=%d: %.17g, expected %.17g", set->name, n, found, expected);
		check_float(set, "dot_wide and dot", n, found, vecidx_kernels_scalar.dot(a, b, n),
					vecidx_kernels_scalar.dot_wide(a, a, n) + vecidx_kernels_scalar.dot_wide(b, b, n));
		unit_free_all();
	}
}

static void
test_scale_and_subtract(const VecIdxKernels *set)
{
	unit_case("kernel %s: scale and subtract give scalar's bits", set->name);
	for (int n = 0; n < 200; n++)
	{
		double		factor = unit_random_normal();
		float	   *a = unit_alloc(n * sizeof(float), 4 * unit_random_below(16));
		float	   *b = unit_alloc(n * sizeof(float), 4 * unit_random_below(16));
		float	   *found = unit_alloc(n * sizeof(float), 4 * unit_random_below(16));
		float	   *expected = unit_alloc(n * sizeof(float), 0);
		float		largest;

		fill_floats(a, n);
		fill_floats(b, n);
		if (n > 0)
			b[unit_random_below(n)] *= -1000;
		largest = set->subtract(a, b, found, n);
		unit_check(largest == vecidx_kernels_scalar.subtract(a, b, expected, n),
				   "%s n=%d: largest difference %g", set->name, n, largest);
		unit_check(memcmp(found, expected, n * sizeof(float)) == 0, "%s subtract n=%d differs", set->name, n);

		set->scale(found, factor, n);
		for (int i = 0; i < n; i++)
			unit_check(found[i] == (float) (expected[i] * factor), "%s scale n=%d: %g, expected %g",
					   set->name, n, found[i], (float) (expected[i] * factor));
		unit_free_all();
	}
}

/* Against definitions in double, and scalar for the sums that must be equal. */
static void
check_rounding(const VecIdxKernels *set, const float *x, int n, VecIdxRounding rounding)
{
	VecIdxRounding expected = rounding;
	int8	   *v = unit_alloc(n, unit_random_below(8));
	int8	   *scalar_v = unit_alloc(n, 0);
	int64		sum = 0;
	int64		squares = 0;
	int			far_off = 0;

	set->round(x, n, &rounding, v);
	vecidx_kernels_scalar.round(x, n, &expected, scalar_v);
	for (int i = 0; i < n; i++)
	{
		double		value = (double) x[i] * rounding.inverse;

		value = Max(-rounding.bottom, Min(value, rounding.top));
		far_off += fabs(value - v[i]) > 0.5 + 1e-4;
		sum += v[i];
		squares += v[i] * v[i];
	}
	unit_check(far_off == 0, "%s round n=%d: %d are not the nearest integers", set->name, n, far_off);
	unit_check(memcmp(v, scalar_v, n) == 0, "%s round n=%d differs from scalar", set->name, n);
	unit_check(rounding.dot == expected.dot, "%s round n=%d: dot %.17g, expected %.17g",
			   set->name, n, rounding.dot, expected.dot);
	check_int(set, "round, sum", n, rounding.sum, sum);
	check_int(set, "round, squares", n, rounding.squares, squares);
}

/* Likewise. */
static void
check_leveling(const VecIdxKernels *set, const float *x, int n, VecIdxLeveling leveling)
{
	VecIdxLeveling expected = leveling;
	uint8	   *u = unit_alloc(n, unit_random_below(8));
	uint8	   *scalar_u = unit_alloc(n, 0);
	int64		sum = 0;
	int64		squares = 0;
	int			far_off = 0;

	set->level(x, n, &leveling, u);
	vecidx_kernels_scalar.level(x, n, &expected, scalar_u);
	for (int i = 0; i < n; i++)
	{
		double		level = floor((double) x[i] * leveling.inverse + (leveling.top + 1) / 2);

		far_off += u[i] != Max(0, Min(level, leveling.top));
		sum += u[i];
		squares += u[i] * u[i];
	}
	unit_check(far_off == 0, "%s level n=%d: %d are other levels", set->name, n, far_off);
	unit_check(memcmp(u, scalar_u, n) == 0, "%s level n=%d differs from scalar", set->name, n);
	unit_check(leveling.dot == expected.dot, "%s level n=%d: dot %.17g, expected %.17g",
			   set->name, n, leveling.dot, expected.dot);
	check_int(set, "level, sum", n, leveling.sum, sum);
	check_int(set, "level, squares", n, leveling.squares, squares);
}

static void
check_planes(const VecIdxKernels *set, int n)
{
	uint8	   *planes = unit_alloc(VECIDX_PLANES_SIZE(n), unit_random_below(8));
	uint8	   *ended = unit_alloc(VECIDX_PLANES_SIZE(n), 0);
	int8	   *v = unit_alloc(n, unit_random_below(8));
	int			wrong = 0;

	for (int i = 0; i < n; i++)
		v[i] = (int8) (unit_random_below(16) - 8);
	memset(planes, 0x55, VECIDX_PLANES_SIZE(n));
	set->planes(v, n, planes);
	for (int i = 0; i < n; i++)
		wrong += plane_value(planes, i) != v[i];
	unit_check(wrong == 0, "%s planes n=%d: %d integers are others", set->name, n, wrong);
	memcpy(ended, planes, VECIDX_PLANES_SIZE(n));
	end_planes(ended, n);
	unit_check(memcmp(planes, ended, VECIDX_PLANES_SIZE(n)) == 0, "%s planes n=%d: not zero beyond", set->name, n);
}

/* What makes a query, or codes, of a rotated vector. */
static void
test_rounding(const VecIdxKernels *set)
{
	static const VecIdxRounding planes = {.inverse = 3,.bottom = 8,.top = 7};
	static const VecIdxRounding bytes = {.inverse = 40,.bottom = 127,.top = 127};

	unit_case("kernel %s: moments, integers, levels and planes", set->name);
	for (int n = 0; n <= LARGEST; n = n < 2000 ? n + 64 : n + 1536 + 64)
	{
		float	   *x = unit_alloc(n * sizeof(float), 4 * unit_random_below(16));
		VecIdxMoments moments;
		VecIdxMoments expected;

		fill_floats(x, n);
		set->measure(x, n, &moments);
		vecidx_kernels_scalar.measure(x, n, &expected);
		unit_check(moments.sum == expected.sum && moments.squares == expected.squares &&
				   moments.largest == expected.largest, "%s measure n=%d differs from scalar", set->name, n);
		check_float(set, "measure", n, moments.squares, vecidx_kernels_scalar.dot(x, x, n), moments.squares);
		check_rounding(set, x, n, planes);
		check_rounding(set, x, n, bytes);
		check_planes(set, n);
		for (int bits = 1; bits <= 8; bits *= 2)
		{
			VecIdxLeveling levels = {.inverse = n % 192 == 0 ? 0 : 0.3f * (1 << bits),.top = (1 << bits) - 1};

			check_leveling(set, x, n, levels);
		}
		unit_free_all();
	}
}

static void
test_multiply_and_butterfly(const VecIdxKernels *set)
{
	unit_case("kernel %s: multiply and butterfly give scalar's bits", set->name);
	for (int n = 0; n < 1000; n += 64)
	{
		float	   *x = unit_alloc(n * sizeof(float), 4 * unit_random_below(16));
		float	   *y = unit_alloc(n * sizeof(float), 4 * unit_random_below(16));
		float	   *sum = unit_alloc(n * sizeof(float), 0);
		int			half = n > 0 ? n - 32 : 0;
		int			wrong = 0;

		fill_floats(x, n);
		fill_floats(y, n);
		for (int i = 0; i < n; i++)
			sum[i] = x[i] * y[i];
		set->multiply(x, y, n);
		unit_check(memcmp(x, sum, n * sizeof(float)) == 0, "%s multiply n=%d differs", set->name, n);

		set->butterfly(x, y, half);
		for (int i = 0; i < half; i++)
			wrong += fabsf(x[i] + y[i] - 2 * sum[i]) > 1e-6f * (fabsf(x[i]) + fabsf(y[i]));
		for (int i = half; i < n; i++)
			wrong += x[i] != sum[i];
		unit_check(wrong == 0, "%s butterfly n=%d: %d elements are wrong", set->name, half, wrong);
		unit_free_all();
	}
}

static int
parity(unsigned int bits)
{
	int			odd = 0;

	for (; bits != 0; bits &= bits - 1)
		odd ^= 1;
	return odd;
}

/* By the definition, for the scalar set: entry i is the sum of +-x[j]. */
static void
test_hadamard_meaning(const VecIdxKernels *set)
{
	unit_case("kernel %s: hadamard is the transform", set->name);
	for (int n = 1; n <= 256; n *= 2)
	{
		float	   *x = unit_alloc(n * sizeof(float), 0);
		float	   *y = unit_alloc(n * sizeof(float), 0);

		fill_floats(x, n);
		memcpy(y, x, n * sizeof(float));
		set->hadamard(y, NULL, n);
		for (int i = 0; i < n; i++)
		{
			double		expected = 0;
			double		magnitude = 0;

			for (int j = 0; j < n; j++)
			{
				expected += parity(i & j) ? -x[j] : x[j];
				magnitude += fabs(x[j]);
			}
			check_float(set, "hadamard", n, y[i], expected, magnitude);
		}
	}
}

/* Codes on disk depend on the transform, so no bit may differ between sets. */
static void
test_hadamard_bits(const VecIdxKernels *set)
{
	unit_case("kernel %s: hadamard gives scalar's bits", set->name);
	for (int n = 1; n <= LARGEST_TRANSFORM; n *= 2)
	{
		/* a round of a rotation may start at any multiple of 64 dimensions */
		float	   *x = unit_alloc(n * sizeof(float), n < 8 ? 4 : 0);
		float	   *y = unit_alloc(n * sizeof(float), 4);
		float	   *factors = unit_alloc(n * sizeof(float), 4 * unit_random_below(16));

		fill_floats(x, n);
		fill_floats(factors, n);
		x[n / 2] *= 1e20f;
		memcpy(y, x, n * sizeof(float));
		set->hadamard(x, NULL, n);
		vecidx_kernels_scalar.hadamard(y, NULL, n);
		unit_check(memcmp(x, y, n * sizeof(float)) == 0, "%s hadamard n=%d differs from scalar", set->name, n);

		set->hadamard(x, factors, n);
		for (int i = 0; i < n; i++)
			y[i] *= factors[i];
		vecidx_kernels_scalar.hadamard(y, NULL, n);
		unit_check(memcmp(x, y, n * sizeof(float)) == 0, "%s hadamard n=%d with factors differs from scalar",
				   set->name, n);
		unit_free_all();
	}
}

static void
test_choice(const VecIdxKernels *const *sets, int count)
{
	unit_case("kernel: choice");
	unit_check(count >= 1 && sets[count - 1] == &vecidx_kernels_scalar, "scalar is not the last set");
	unit_check(vecidx_kernels() == sets[0], "the first choice is %s, expected %s",
			   vecidx_kernels()->name, sets[0]->name);
	for (int i = 0; i < count; i++)
	{
		unit_check(vecidx_kernels_force(sets[i]->name), "%s cannot be forced", sets[i]->name);
		unit_check(vecidx_kernels() == sets[i], "%s is not in use after being forced", sets[i]->name);
		unit_check(!vecidx_kernels_force("abacus"), "a set that does not exist can be forced");
		unit_check(vecidx_kernels() == sets[i], "a failed force changed the set");
	}
	unit_check(vecidx_kernels_force("auto") && vecidx_kernels() == sets[0], "auto does not choose again");
	unit_check(vecidx_kernels_available(NULL, 0) == 0, "available writes more than there is room for");
}

void
suite_kernel(void)
{
	const VecIdxKernels *sets[MAX_SETS];
	int			count = vecidx_kernels_available(sets, MAX_SETS);

	test_choice(sets, count);
	test_hadamard_meaning(&vecidx_kernels_scalar);
	for (int i = 0; i < count; i++)
	{
		for (int bits = 1; bits <= 8; bits *= 2)
		{
			test_codes(sets[i], bits);
			test_batches(sets[i], bits);
		}
		test_estimates(sets[i]);
		test_floats(sets[i]);
		test_wide(sets[i]);
		test_scale_and_subtract(sets[i]);
		test_rounding(sets[i]);
		test_multiply_and_butterfly(sets[i]);
		test_hamming(sets[i]);
		test_half(sets[i]);
		if (sets[i] != &vecidx_kernels_scalar)
			test_hadamard_bits(sets[i]);
	}
}
