/*
 * x86.h
 *	  What the files of the x86-64 sets share.
 *
 * set		needs								what it buys
 * avx2		AVX2, FMA, F16C						8 floats, 32 bytes; bits counted by
 *												a table of 16 in a shuffle
 * avx512	AVX-512 F, BW, DQ, VL, VPOPCNTDQ,	16 floats, 64 bytes; bits counted and
 *			VNNI								bytes multiplied by one instruction
 *
 * Every function that uses more than the baseline carries its target; nothing
 * of a set may run before its *_usable function said yes.  *_rows.c are the
 * entries for floats alone, *_codes.c those that read codes, *_cross.c those
 * for sketches; avx2_within.c, which marks what lies in an interval, and
 * x86_crc.c are in both sets.
 */
#ifndef VECIDX_KERNEL_X86_H
#define VECIDX_KERNEL_X86_H

#include "kernel/kernel.h"
#include "kernel/kernel_sets.h"

#ifdef VECIDX_KERNELS_X86

#include <immintrin.h>

#define AVX2 __attribute__((target("avx2,fma,f16c")))
#define AVX512 __attribute__((target("avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vpopcntdq,avx512vnni")))

/* Before a loop whose few sums must all stay in registers: gcc unrolls it at any level of optimization. */
#if defined(__clang__)
#define VECIDX_UNROLL _Pragma("unroll")
#else
#define VECIDX_UNROLL _Pragma("GCC unroll 8")
#endif

VECIDX_DECLARE_ROW_KERNELS(avx2);
VECIDX_DECLARE_ROW_KERNELS(avx512);

AVX2 static inline __m256i
load_bytes_avx2(const void *p)
{
	return _mm256_loadu_si256((const __m256i *) p);
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

/* The sum of 16 lanes in double, by halves: lanes 0 to 3 in v0, and so on. */
AVX2 static inline double
sum_doubles_avx2(__m256d v0, __m256d v1, __m256d v2, __m256d v3)
{
	__m256d		four = _mm256_add_pd(_mm256_add_pd(v0, v2), _mm256_add_pd(v1, v3));
	__m128d		two = _mm_add_pd(_mm256_castpd256_pd128(four), _mm256_extractf128_pd(four, 1));

	return _mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two)));
}

AVX512 static inline __m512i
load_bytes_avx512(const void *p)
{
	return _mm512_loadu_si512(p);
}

/* The first count of 16 lanes. */
AVX512 static inline __mmask16
first_lanes_avx512(int count)
{
	return count >= 16 ? 0xffff : (__mmask16) ((1 << count) - 1);
}

#endif							/* VECIDX_KERNELS_X86 */

#endif							/* VECIDX_KERNEL_X86_H */
