/*
 * x86.c
 *	  The kernels for x86-64: AVX2 and AVX-512.
 *
 * set		needs								what it buys
 * avx2		AVX2, FMA, F16C						8 floats, 32 bytes; bits counted by
 *												a table of 16 in a shuffle
 * avx512	AVX-512 F, BW, DQ, VL, VPOPCNTDQ,	16 floats, 64 bytes; bits counted and
 *			VNNI								bytes multiplied by one instruction
 *
 * Every function that uses more than the baseline carries its target; nothing
 * here may run before the *_usable functions said yes.
 */
#include "c.h"

#include "kernel/kernel.h"
#include "kernel/kernel_sets.h"

#ifdef VECIDX_KERNELS_X86

#include <cpuid.h>
#include <immintrin.h>

#define AVX2 __attribute__((target("avx2,fma,f16c")))
#define AVX512 __attribute__((target("avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vpopcntdq,avx512vnni")))

/* __builtin_cpu_supports asks XGETBV too, but old compilers know no F16C there. */
static bool
has_f16c(void)
{
	unsigned int eax;
	unsigned int ebx;
	unsigned int ecx;
	unsigned int edx;

	return __get_cpuid(1, &eax, &ebx, &ecx, &edx) && (ecx & bit_F16C) != 0;
}

bool
vecidx_kernels_avx2_usable(void)
{
	__builtin_cpu_init();
	return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && has_f16c();
}

bool
vecidx_kernels_avx512_usable(void)
{
	return vecidx_kernels_avx2_usable() &&
		__builtin_cpu_supports("avx512f") &&
		__builtin_cpu_supports("avx512bw") &&
		__builtin_cpu_supports("avx512dq") &&
		__builtin_cpu_supports("avx512vl") &&
		__builtin_cpu_supports("avx512vpopcntdq") &&
		__builtin_cpu_supports("avx512vnni");
}

/*
 * AVX2
 */

AVX2 static inline __m256i
load_bytes_avx2(const void *p)
{
	return _mm256_loadu_si256((const __m256i *) p);
}

/* 16 bytes, in both halves. */
AVX2 static inline __m256i
load_twice_avx2(const uint8 *p)
{
	return _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *) p));
}

AVX2 static inline float
sum_floats_avx2(__m256 v)
{
	__m128		sum = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));

	sum = _mm_add_ps(sum, _mm_movehl_ps(sum, sum));
	sum = _mm_add_ss(sum, _mm_shuffle_ps(sum, sum, 1));
	return _mm_cvtss_f32(sum);
}

AVX2 static inline int32
sum_int32_avx2(__m256i v)
{
	__m128i		sum = _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));

	sum = _mm_add_epi32(sum, _mm_shuffle_epi32(sum, 0x4e));
	sum = _mm_add_epi32(sum, _mm_shuffle_epi32(sum, 0xb1));
	return _mm_cvtsi128_si32(sum);
}

/* All ones in the first count of 8 lanes. */
AVX2 static inline __m256i
first_lanes_avx2(int count)
{
	return _mm256_cmpgt_epi32(_mm256_set1_epi32(count), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

AVX2 static float
dot_avx2(const float *a, const float *b, int n)
{
	__m256		sum0 = _mm256_setzero_ps();
	__m256		sum1 = _mm256_setzero_ps();
	__m256		sum2 = _mm256_setzero_ps();
	__m256		sum3 = _mm256_setzero_ps();
	int			i = 0;

	for (; i + 32 <= n; i += 32)
	{
		sum0 = _mm256_fmadd_ps(_mm256_loadu_ps(a + i), _mm256_loadu_ps(b + i), sum0);
		sum1 = _mm256_fmadd_ps(_mm256_loadu_ps(a + i + 8), _mm256_loadu_ps(b + i + 8), sum1);
		sum2 = _mm256_fmadd_ps(_mm256_loadu_ps(a + i + 16), _mm256_loadu_ps(b + i + 16), sum2);
		sum3 = _mm256_fmadd_ps(_mm256_loadu_ps(a + i + 24), _mm256_loadu_ps(b + i + 24), sum3);
	}
	for (; i < n; i += 8)
	{
		__m256i		mask = first_lanes_avx2(n - i);

		sum0 = _mm256_fmadd_ps(_mm256_maskload_ps(a + i, mask), _mm256_maskload_ps(b + i, mask), sum0);
	}
	return sum_floats_avx2(_mm256_add_ps(_mm256_add_ps(sum0, sum1), _mm256_add_ps(sum2, sum3)));
}

AVX2 static inline __m256
add_square_avx2(__m256 a, __m256 b, __m256 sum)
{
	__m256		d = _mm256_sub_ps(a, b);

	return _mm256_fmadd_ps(d, d, sum);
}

AVX2 static float
l2sq_avx2(const float *a, const float *b, int n)
{
	__m256		sum0 = _mm256_setzero_ps();
	__m256		sum1 = _mm256_setzero_ps();
	__m256		sum2 = _mm256_setzero_ps();
	__m256		sum3 = _mm256_setzero_ps();
	int			i = 0;

	for (; i + 32 <= n; i += 32)
	{
		sum0 = add_square_avx2(_mm256_loadu_ps(a + i), _mm256_loadu_ps(b + i), sum0);
		sum1 = add_square_avx2(_mm256_loadu_ps(a + i + 8), _mm256_loadu_ps(b + i + 8), sum1);
		sum2 = add_square_avx2(_mm256_loadu_ps(a + i + 16), _mm256_loadu_ps(b + i + 16), sum2);
		sum3 = add_square_avx2(_mm256_loadu_ps(a + i + 24), _mm256_loadu_ps(b + i + 24), sum3);
	}
	for (; i < n; i += 8)
	{
		__m256i		mask = first_lanes_avx2(n - i);

		sum0 = add_square_avx2(_mm256_maskload_ps(a + i, mask), _mm256_maskload_ps(b + i, mask), sum0);
	}
	return sum_floats_avx2(_mm256_add_ps(_mm256_add_ps(sum0, sum1), _mm256_add_ps(sum2, sum3)));
}

/* The number of bits in each byte. */
AVX2 static inline __m256i
count_bits_avx2(__m256i v)
{
	const __m256i table = _mm256_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4,
										   0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4);
	const __m256i low = _mm256_set1_epi8(15);

	return _mm256_add_epi8(_mm256_shuffle_epi8(table, _mm256_and_si256(v, low)),
						   _mm256_shuffle_epi8(table, _mm256_and_si256(_mm256_srli_epi16(v, 4), low)));
}

/* One vector of planes is one 64-dimension block: each quarter is a plane. */
AVX2 static int32
dot_b1_avx2(const uint8 *code, const uint8 *planes, int n)
{
	__m256i		sum = _mm256_setzero_si256();
	int			blocks = n / 64;
	int64		plane[4];

	for (int i = 0; i < blocks;)
	{
		__m256i		bytes = _mm256_setzero_si256();
		int			end = Min(blocks, i + 31);	/* 8 bits, 31 times, fit a byte */

		for (; i < end; i++)
		{
			int64		word;

			memcpy(&word, code + 8 * i, sizeof(word));
			bytes = _mm256_add_epi8(bytes,
									count_bits_avx2(_mm256_and_si256(_mm256_set1_epi64x(word),
																	 load_bytes_avx2(planes + 32 * i))));
		}
		sum = _mm256_add_epi64(sum, _mm256_sad_epu8(bytes, _mm256_setzero_si256()));
	}
	_mm256_storeu_si256((__m256i *) plane, sum);
	return (int32) (plane[0] + 2 * plane[1] + 4 * plane[2] - 8 * plane[3]);
}

/* Shifts of both halves bring two groups of 16 levels down, in their order. */
AVX2 static int32
dot_b2_avx2(const uint8 *code, const int8 *q, int n)
{
	const __m256i shift01 = _mm256_setr_epi32(0, 0, 0, 0, 2, 2, 2, 2);
	const __m256i shift23 = _mm256_setr_epi32(4, 4, 4, 4, 6, 6, 6, 6);
	const __m256i mask = _mm256_set1_epi8(3);
	__m256i		sum = _mm256_setzero_si256();

	for (int i = 0; i < n;)
	{
		__m256i		words = _mm256_setzero_si256();
		int			end = Min(n, i + 64 * 21);	/* 21 * 4 * 3 * 127 fit 16 bits */

		for (; i < end; i += 64)
		{
			__m256i		c = load_twice_avx2(code + i / 4);
			__m256i		u01 = _mm256_and_si256(_mm256_srlv_epi32(c, shift01), mask);
			__m256i		u23 = _mm256_and_si256(_mm256_srlv_epi32(c, shift23), mask);

			words = _mm256_add_epi16(words, _mm256_maddubs_epi16(u01, load_bytes_avx2(q + i)));
			words = _mm256_add_epi16(words, _mm256_maddubs_epi16(u23, load_bytes_avx2(q + i + 32)));
		}
		sum = _mm256_add_epi32(sum, _mm256_madd_epi16(words, _mm256_set1_epi16(1)));
	}
	return sum_int32_avx2(sum);
}

AVX2 static int32
dot_b4_avx2(const uint8 *code, const int8 *q, int n)
{
	const __m256i shift = _mm256_setr_epi32(0, 0, 0, 0, 4, 4, 4, 4);
	const __m256i mask = _mm256_set1_epi8(15);
	__m256i		sum = _mm256_setzero_si256();

	for (int i = 0; i < n;)
	{
		__m256i		words = _mm256_setzero_si256();
		int			end = Min(n, i + 64 * 4);	/* 4 * 4 * 15 * 127 fit 16 bits */

		for (; i < end; i += 64)
		{
			__m256i		u0 = _mm256_srlv_epi32(load_twice_avx2(code + i / 2), shift);
			__m256i		u1 = _mm256_srlv_epi32(load_twice_avx2(code + i / 2 + 16), shift);

			words = _mm256_add_epi16(words, _mm256_maddubs_epi16(_mm256_and_si256(u0, mask),
																 load_bytes_avx2(q + i)));
			words = _mm256_add_epi16(words, _mm256_maddubs_epi16(_mm256_and_si256(u1, mask),
																 load_bytes_avx2(q + i + 32)));
		}
		sum = _mm256_add_epi32(sum, _mm256_madd_epi16(words, _mm256_set1_epi16(1)));
	}
	return sum_int32_avx2(sum);
}

/*
 * Two products of unsigned and signed bytes can overflow the 16 bits that
 * maddubs has for them.  u - 128 is small enough, at most 128 in magnitude;
 * what is then missing is 128 times the sum of q.
 */
AVX2 static int32
dot_b8_avx2(const uint8 *code, const int8 *q, int n)
{
	const __m256i middle = _mm256_set1_epi8((char) 128);
	const __m256i ones = _mm256_set1_epi8(1);
	__m256i		sum = _mm256_setzero_si256();
	__m256i		missing = _mm256_setzero_si256();

	for (int i = 0; i < n; i += 32)
	{
		__m256i		u = _mm256_xor_si256(load_bytes_avx2(code + i), middle);
		__m256i		v = load_bytes_avx2(q + i);
		__m256i		products = _mm256_maddubs_epi16(_mm256_abs_epi8(u), _mm256_sign_epi8(v, u));

		sum = _mm256_add_epi32(sum, _mm256_madd_epi16(products, _mm256_set1_epi16(1)));
		missing = _mm256_add_epi32(missing, _mm256_madd_epi16(_mm256_maddubs_epi16(ones, v),
															  _mm256_set1_epi16(128)));
	}
	return sum_int32_avx2(_mm256_add_epi32(sum, missing));
}

/* Eight levels, a byte each, times eight floats. */
AVX2 static inline __m256
add_levels_avx2(__m128i levels, const float *z, __m256 sum)
{
	__m256		u = _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(levels));

	return _mm256_fmadd_ps(u, _mm256_loadu_ps(z), sum);
}

AVX2 static float
dotf_b4_avx2(const uint8 *code, const float *z, int n)
{
	const __m128i mask = _mm_set1_epi8(15);
	__m256		sum0 = _mm256_setzero_ps();
	__m256		sum1 = _mm256_setzero_ps();
	__m256		sum2 = _mm256_setzero_ps();
	__m256		sum3 = _mm256_setzero_ps();

	for (int i = 0; i < n; i += 32)
	{
		__m128i		c = _mm_loadu_si128((const __m128i *) (code + i / 2));
		__m128i		low = _mm_and_si128(c, mask);
		__m128i		high = _mm_and_si128(_mm_srli_epi16(c, 4), mask);

		sum0 = add_levels_avx2(low, z + i, sum0);
		sum1 = add_levels_avx2(_mm_srli_si128(low, 8), z + i + 8, sum1);
		sum2 = add_levels_avx2(high, z + i + 16, sum2);
		sum3 = add_levels_avx2(_mm_srli_si128(high, 8), z + i + 24, sum3);
	}
	return sum_floats_avx2(_mm256_add_ps(_mm256_add_ps(sum0, sum1), _mm256_add_ps(sum2, sum3)));
}

AVX2 static float
dotf_b8_avx2(const uint8 *code, const float *z, int n)
{
	__m256		sum0 = _mm256_setzero_ps();
	__m256		sum1 = _mm256_setzero_ps();
	__m256		sum2 = _mm256_setzero_ps();
	__m256		sum3 = _mm256_setzero_ps();

	for (int i = 0; i < n; i += 32)
	{
		const uint8 *c = code + i;

		sum0 = add_levels_avx2(_mm_loadl_epi64((const __m128i *) c), z + i, sum0);
		sum1 = add_levels_avx2(_mm_loadl_epi64((const __m128i *) (c + 8)), z + i + 8, sum1);
		sum2 = add_levels_avx2(_mm_loadl_epi64((const __m128i *) (c + 16)), z + i + 16, sum2);
		sum3 = add_levels_avx2(_mm_loadl_epi64((const __m128i *) (c + 24)), z + i + 24, sum3);
	}
	return sum_floats_avx2(_mm256_add_ps(_mm256_add_ps(sum0, sum1), _mm256_add_ps(sum2, sum3)));
}

AVX2 static int32
pair_b4_avx2(const uint8 *a, const uint8 *b, int n)
{
	const __m256i mask = _mm256_set1_epi8(15);
	__m256i		sum = _mm256_setzero_si256();

	for (int i = 0; i < n / 2;)
	{
		__m256i		words = _mm256_setzero_si256();
		int			end = Min(n / 2, i + 32 * 32);	/* 32 * 4 * 15 * 15 fit 16 bits */

		for (; i < end; i += 32)
		{
			__m256i		u = load_bytes_avx2(a + i);
			__m256i		w = load_bytes_avx2(b + i);

			words = _mm256_add_epi16(words, _mm256_maddubs_epi16(_mm256_and_si256(u, mask),
																 _mm256_and_si256(w, mask)));
			u = _mm256_and_si256(_mm256_srli_epi16(u, 4), mask);
			w = _mm256_and_si256(_mm256_srli_epi16(w, 4), mask);
			words = _mm256_add_epi16(words, _mm256_maddubs_epi16(u, w));
		}
		sum = _mm256_add_epi32(sum, _mm256_madd_epi16(words, _mm256_set1_epi16(1)));
	}
	return sum_int32_avx2(sum);
}

AVX2 static int32
pair_b8_avx2(const uint8 *a, const uint8 *b, int n)
{
	const __m256i even = _mm256_set1_epi16(0xff);
	__m256i		sum0 = _mm256_setzero_si256();
	__m256i		sum1 = _mm256_setzero_si256();

	for (int i = 0; i < n; i += 32)
	{
		__m256i		u = load_bytes_avx2(a + i);
		__m256i		w = load_bytes_avx2(b + i);

		sum0 = _mm256_add_epi32(sum0, _mm256_madd_epi16(_mm256_and_si256(u, even),
														_mm256_and_si256(w, even)));
		sum1 = _mm256_add_epi32(sum1, _mm256_madd_epi16(_mm256_srli_epi16(u, 8),
														_mm256_srli_epi16(w, 8)));
	}
	return sum_int32_avx2(_mm256_add_epi32(sum0, sum1));
}

AVX2 static int32
hamming_avx2(const uint8 *a, const uint8 *b, int nbytes)
{
	__m256i		sum = _mm256_setzero_si256();
	int			i = 0;

	for (; i + 32 <= nbytes; i += 32)
	{
		__m256i		counts = count_bits_avx2(_mm256_xor_si256(load_bytes_avx2(a + i),
															  load_bytes_avx2(b + i)));

		sum = _mm256_add_epi64(sum, _mm256_sad_epu8(counts, _mm256_setzero_si256()));
	}
	return sum_int32_avx2(sum) + vecidx_kernels_scalar.hamming(a + i, b + i, nbytes - i);
}

AVX2 static void
half_to_float_avx2(const uint8 *half, float *out, int n)
{
	int			i = 0;

	for (; i + 8 <= n; i += 8)
		_mm256_storeu_ps(out + i, _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *) (half + 2 * i))));
	vecidx_kernels_scalar.half_to_float(half + 2 * i, out + i, n - i);
}

/* Replaces a and b by their sum and difference. */
AVX2 static inline void
butterfly_avx2(__m256 *a, __m256 *b)
{
	__m256		sum = _mm256_add_ps(*a, *b);

	*b = _mm256_sub_ps(*a, *b);
	*a = sum;
}

/* Butterflies at distance 1, 2 and 4, inside a vector. */
AVX2 static inline __m256
butterflies_within_avx2(__m256 v)
{
	const __m256 minus1 = _mm256_setr_ps(0.0f, -0.0f, 0.0f, -0.0f, 0.0f, -0.0f, 0.0f, -0.0f);
	const __m256 minus2 = _mm256_setr_ps(0.0f, 0.0f, -0.0f, -0.0f, 0.0f, 0.0f, -0.0f, -0.0f);
	const __m256 minus4 = _mm256_setr_ps(0.0f, 0.0f, 0.0f, 0.0f, -0.0f, -0.0f, -0.0f, -0.0f);

	v = _mm256_add_ps(_mm256_permute_ps(v, 0xb1), _mm256_xor_ps(v, minus1));
	v = _mm256_add_ps(_mm256_permute_ps(v, 0x4e), _mm256_xor_ps(v, minus2));
	return _mm256_add_ps(_mm256_permute2f128_ps(v, v, 1), _mm256_xor_ps(v, minus4));
}

/*
 * Butterflies at distance h, 2 h and 4 h for eight vectors that lie h floats
 * apart; with within, those inside the vectors before (h = 8 then).
 */
AVX2 static inline void
eight_avx2(float *x, int h, bool within)
{
	__m256		v0 = _mm256_loadu_ps(x);
	__m256		v1 = _mm256_loadu_ps(x + h);
	__m256		v2 = _mm256_loadu_ps(x + 2 * h);
	__m256		v3 = _mm256_loadu_ps(x + 3 * h);
	__m256		v4 = _mm256_loadu_ps(x + 4 * h);
	__m256		v5 = _mm256_loadu_ps(x + 5 * h);
	__m256		v6 = _mm256_loadu_ps(x + 6 * h);
	__m256		v7 = _mm256_loadu_ps(x + 7 * h);

	if (within)
	{
		v0 = butterflies_within_avx2(v0);
		v1 = butterflies_within_avx2(v1);
		v2 = butterflies_within_avx2(v2);
		v3 = butterflies_within_avx2(v3);
		v4 = butterflies_within_avx2(v4);
		v5 = butterflies_within_avx2(v5);
		v6 = butterflies_within_avx2(v6);
		v7 = butterflies_within_avx2(v7);
	}
	butterfly_avx2(&v0, &v1);
	butterfly_avx2(&v2, &v3);
	butterfly_avx2(&v4, &v5);
	butterfly_avx2(&v6, &v7);
	butterfly_avx2(&v0, &v2);
	butterfly_avx2(&v1, &v3);
	butterfly_avx2(&v4, &v6);
	butterfly_avx2(&v5, &v7);
	butterfly_avx2(&v0, &v4);
	butterfly_avx2(&v1, &v5);
	butterfly_avx2(&v2, &v6);
	butterfly_avx2(&v3, &v7);
	_mm256_storeu_ps(x, v0);
	_mm256_storeu_ps(x + h, v1);
	_mm256_storeu_ps(x + 2 * h, v2);
	_mm256_storeu_ps(x + 3 * h, v3);
	_mm256_storeu_ps(x + 4 * h, v4);
	_mm256_storeu_ps(x + 5 * h, v5);
	_mm256_storeu_ps(x + 6 * h, v6);
	_mm256_storeu_ps(x + 7 * h, v7);
}

/* Butterflies at distance h, over all n. */
AVX2 static void
stage_avx2(float *x, int n, int h)
{
	for (int i = 0; i < n; i += 2 * h)
	{
		for (int j = i; j < i + h; j += 8)
		{
			__m256		a = _mm256_loadu_ps(x + j);
			__m256		b = _mm256_loadu_ps(x + j + h);

			butterfly_avx2(&a, &b);
			_mm256_storeu_ps(x + j, a);
			_mm256_storeu_ps(x + j + h, b);
		}
	}
}

AVX2 static void
hadamard_avx2(float *x, int n)
{
	int			h;

	if (n < 64)
	{
		vecidx_kernels_scalar.hadamard(x, n);
		return;
	}
	for (int i = 0; i < n; i += 64)
		eight_avx2(x + i, 8, true);
	for (h = 64; h * 8 <= n; h *= 8)
	{
		for (int i = 0; i < n; i += 8 * h)
		{
			for (int j = i; j < i + h; j += 8)
				eight_avx2(x + j, h, false);
		}
	}
	for (; h < n; h *= 2)
		stage_avx2(x, n, h);
}

const VecIdxKernels vecidx_kernels_avx2 = {
	.name = "avx2",
	.dot = dot_avx2,
	.l2sq = l2sq_avx2,
	.dot_b1 = dot_b1_avx2,
	.dot_b2 = dot_b2_avx2,
	.dot_b4 = dot_b4_avx2,
	.dot_b8 = dot_b8_avx2,
	.dotf_b4 = dotf_b4_avx2,
	.dotf_b8 = dotf_b8_avx2,
	.pair_b4 = pair_b4_avx2,
	.pair_b8 = pair_b8_avx2,
	.hamming = hamming_avx2,
	.half_to_float = half_to_float_avx2,
	.hadamard = hadamard_avx2,
};

/*
 * AVX-512
 */

AVX512 static inline __m512i
load_bytes_avx512(const void *p)
{
	return _mm512_loadu_si512(p);
}

AVX512 static inline __mmask16
first_lanes_avx512(int count)
{
	return count >= 16 ? 0xffff : (__mmask16) ((1 << count) - 1);
}

AVX512 static float
dot_avx512(const float *a, const float *b, int n)
{
	__m512		sum0 = _mm512_setzero_ps();
	__m512		sum1 = _mm512_setzero_ps();
	__m512		sum2 = _mm512_setzero_ps();
	__m512		sum3 = _mm512_setzero_ps();
	int			i = 0;

	for (; i + 64 <= n; i += 64)
	{
		sum0 = _mm512_fmadd_ps(_mm512_loadu_ps(a + i), _mm512_loadu_ps(b + i), sum0);
		sum1 = _mm512_fmadd_ps(_mm512_loadu_ps(a + i + 16), _mm512_loadu_ps(b + i + 16), sum1);
		sum2 = _mm512_fmadd_ps(_mm512_loadu_ps(a + i + 32), _mm512_loadu_ps(b + i + 32), sum2);
		sum3 = _mm512_fmadd_ps(_mm512_loadu_ps(a + i + 48), _mm512_loadu_ps(b + i + 48), sum3);
	}
	for (; i < n; i += 16)
	{
		__mmask16	mask = first_lanes_avx512(n - i);

		sum0 = _mm512_fmadd_ps(_mm512_maskz_loadu_ps(mask, a + i),
							   _mm512_maskz_loadu_ps(mask, b + i), sum0);
	}
	return _mm512_reduce_add_ps(_mm512_add_ps(_mm512_add_ps(sum0, sum1), _mm512_add_ps(sum2, sum3)));
}

AVX512 static inline __m512
add_square_avx512(__m512 a, __m512 b, __m512 sum)
{
	__m512		d = _mm512_sub_ps(a, b);

	return _mm512_fmadd_ps(d, d, sum);
}

AVX512 static float
l2sq_avx512(const float *a, const float *b, int n)
{
	__m512		sum0 = _mm512_setzero_ps();
	__m512		sum1 = _mm512_setzero_ps();
	__m512		sum2 = _mm512_setzero_ps();
	__m512		sum3 = _mm512_setzero_ps();
	int			i = 0;

	for (; i + 64 <= n; i += 64)
	{
		sum0 = add_square_avx512(_mm512_loadu_ps(a + i), _mm512_loadu_ps(b + i), sum0);
		sum1 = add_square_avx512(_mm512_loadu_ps(a + i + 16), _mm512_loadu_ps(b + i + 16), sum1);
		sum2 = add_square_avx512(_mm512_loadu_ps(a + i + 32), _mm512_loadu_ps(b + i + 32), sum2);
		sum3 = add_square_avx512(_mm512_loadu_ps(a + i + 48), _mm512_loadu_ps(b + i + 48), sum3);
	}
	for (; i < n; i += 16)
	{
		__mmask16	mask = first_lanes_avx512(n - i);

		sum0 = add_square_avx512(_mm512_maskz_loadu_ps(mask, a + i),
								 _mm512_maskz_loadu_ps(mask, b + i), sum0);
	}
	return _mm512_reduce_add_ps(_mm512_add_ps(_mm512_add_ps(sum0, sum1), _mm512_add_ps(sum2, sum3)));
}

/* Two 64-dimension blocks at a time, each plane in one 64-bit lane. */
AVX512 static int32
dot_b1_avx512(const uint8 *code, const uint8 *planes, int n)
{
	const __m512i spread = _mm512_setr_epi64(0, 0, 0, 0, 1, 1, 1, 1);
	const __m512i weight = _mm512_setr_epi64(1, 2, 4, -8, 1, 2, 4, -8);
	__m512i		sum = _mm512_setzero_si512();
	int			i = 0;

	for (; i + 128 <= n; i += 128)
	{
		__m128i		two = _mm_loadu_si128((const __m128i *) (code + i / 8));
		__m512i		c = _mm512_permutexvar_epi64(spread, _mm512_castsi128_si512(two));
		__m512i		hits = _mm512_and_si512(c, load_bytes_avx512(planes + i / 2));

		sum = _mm512_add_epi64(sum, _mm512_popcnt_epi64(hits));
	}
	if (i < n)
	{
		__m128i		one = _mm_loadl_epi64((const __m128i *) (code + i / 8));
		__m256i		hits = _mm256_and_si256(_mm256_broadcastq_epi64(one), load_bytes_avx2(planes + i / 2));

		sum = _mm512_add_epi64(sum, _mm512_zextsi256_si512(_mm256_popcnt_epi64(hits)));
	}
	return (int32) _mm512_reduce_add_epi64(_mm512_mullo_epi64(sum, weight));
}

/* The 16 bytes of a block in each quarter, shifted down to one group of 16 levels. */
AVX512 static inline __m512i
add_b2_avx512(__m512i sum, const uint8 *code, const int8 *q)
{
	const __m512i shift = _mm512_setr_epi32(0, 0, 0, 0, 2, 2, 2, 2, 4, 4, 4, 4, 6, 6, 6, 6);
	__m512i		c = _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *) code));
	__m512i		u = _mm512_and_si512(_mm512_srlv_epi32(c, shift), _mm512_set1_epi8(3));

	return _mm512_dpbusd_epi32(sum, u, load_bytes_avx512(q));
}

/* Two sums, here and below, because each waits for its own last addition. */
AVX512 static int32
dot_b2_avx512(const uint8 *code, const int8 *q, int n)
{
	__m512i		sum0 = _mm512_setzero_si512();
	__m512i		sum1 = _mm512_setzero_si512();
	int			i = 0;

	for (; i + 128 <= n; i += 128)
	{
		sum0 = add_b2_avx512(sum0, code + i / 4, q + i);
		sum1 = add_b2_avx512(sum1, code + i / 4 + 16, q + i + 64);
	}
	if (i < n)
		sum0 = add_b2_avx512(sum0, code + i / 4, q + i);
	return _mm512_reduce_add_epi32(_mm512_add_epi32(sum0, sum1));
}

/* Two blocks, each in two quarters. */
AVX512 static inline __m512i
add_b4_avx512(__m512i sum, const uint8 *code, const int8 *q)
{
	const __m512i spread = _mm512_setr_epi64(0, 1, 0, 1, 2, 3, 2, 3);
	const __m512i shift = _mm512_setr_epi32(0, 0, 0, 0, 4, 4, 4, 4, 0, 0, 0, 0, 4, 4, 4, 4);
	__m512i		c = _mm512_permutexvar_epi64(spread, _mm512_castsi256_si512(load_bytes_avx2(code)));
	__m512i		u = _mm512_and_si512(_mm512_srlv_epi32(c, shift), _mm512_set1_epi8(15));

	return _mm512_dpbusd_epi32(sum, u, load_bytes_avx512(q));
}

AVX512 static int32
dot_b4_avx512(const uint8 *code, const int8 *q, int n)
{
	__m512i		sum0 = _mm512_setzero_si512();
	__m512i		sum1 = _mm512_setzero_si512();
	int			i = 0;

	for (; i + 128 <= n; i += 128)
	{
		sum0 = add_b4_avx512(sum0, code + i / 2, q + i);
		sum1 = add_b4_avx512(sum1, code + i / 2 + 32, q + i + 64);
	}
	if (i < n)
		sum0 = add_b4_avx512(sum0, code + i / 2, q + i);
	return _mm512_reduce_add_epi32(_mm512_add_epi32(sum0, sum1));
}

AVX512 static int32
dot_b8_avx512(const uint8 *code, const int8 *q, int n)
{
	__m512i		sum = _mm512_setzero_si512();

	for (int i = 0; i < n; i += 64)
		sum = _mm512_dpbusd_epi32(sum, load_bytes_avx512(code + i), load_bytes_avx512(q + i));
	return _mm512_reduce_add_epi32(sum);
}

/* Sixteen levels, a byte each, times sixteen floats. */
AVX512 static inline __m512
add_levels_avx512(__m128i levels, const float *z, __m512 sum)
{
	__m512		u = _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(levels));

	return _mm512_fmadd_ps(u, _mm512_loadu_ps(z), sum);
}

AVX512 static float
dotf_b8_avx512(const uint8 *code, const float *z, int n)
{
	__m512		sum0 = _mm512_setzero_ps();
	__m512		sum1 = _mm512_setzero_ps();
	__m512		sum2 = _mm512_setzero_ps();
	__m512		sum3 = _mm512_setzero_ps();

	for (int i = 0; i < n; i += 64)
	{
		const uint8 *c = code + i;

		sum0 = add_levels_avx512(_mm_loadu_si128((const __m128i *) c), z + i, sum0);
		sum1 = add_levels_avx512(_mm_loadu_si128((const __m128i *) (c + 16)), z + i + 16, sum1);
		sum2 = add_levels_avx512(_mm_loadu_si128((const __m128i *) (c + 32)), z + i + 32, sum2);
		sum3 = add_levels_avx512(_mm_loadu_si128((const __m128i *) (c + 48)), z + i + 48, sum3);
	}
	return _mm512_reduce_add_ps(_mm512_add_ps(_mm512_add_ps(sum0, sum1), _mm512_add_ps(sum2, sum3)));
}

/* The second factor must be signed: w - 128, and 128 times the sum of u is missing. */
AVX512 static int32
pair_b8_avx512(const uint8 *a, const uint8 *b, int n)
{
	const __m512i middle = _mm512_set1_epi8((char) 128);
	const __m512i ones = _mm512_set1_epi8(1);
	__m512i		sum = _mm512_setzero_si512();
	__m512i		levels = _mm512_setzero_si512();

	for (int i = 0; i < n; i += 64)
	{
		__m512i		u = load_bytes_avx512(a + i);

		sum = _mm512_dpbusd_epi32(sum, u, _mm512_xor_si512(load_bytes_avx512(b + i), middle));
		levels = _mm512_dpbusd_epi32(levels, u, ones);
	}
	return _mm512_reduce_add_epi32(_mm512_add_epi32(sum, _mm512_slli_epi32(levels, 7)));
}

AVX512 static int32
hamming_avx512(const uint8 *a, const uint8 *b, int nbytes)
{
	__m512i		sum = _mm512_setzero_si512();

	for (int i = 0; i < nbytes; i += 64)
	{
		int			left = nbytes - i;
		__mmask64	mask = left >= 64 ? ~UINT64CONST(0) : (UINT64CONST(1) << left) - 1;
		__m512i		differ = _mm512_xor_si512(_mm512_maskz_loadu_epi8(mask, a + i),
											  _mm512_maskz_loadu_epi8(mask, b + i));

		sum = _mm512_add_epi64(sum, _mm512_popcnt_epi64(differ));
	}
	return (int32) _mm512_reduce_add_epi64(sum);
}

/* What is rarely used, or gains too little from wider vectors, is as in AVX2. */
const VecIdxKernels vecidx_kernels_avx512 = {
	.name = "avx512",
	.dot = dot_avx512,
	.l2sq = l2sq_avx512,
	.dot_b1 = dot_b1_avx512,
	.dot_b2 = dot_b2_avx512,
	.dot_b4 = dot_b4_avx512,
	.dot_b8 = dot_b8_avx512,
	.dotf_b4 = dotf_b4_avx2,
	.dotf_b8 = dotf_b8_avx512,
	.pair_b4 = pair_b4_avx2,
	.pair_b8 = pair_b8_avx512,
	.hamming = hamming_avx512,
	.half_to_float = half_to_float_avx2,
	.hadamard = hadamard_avx2,
};

#endif							/* VECIDX_KERNELS_X86 */
