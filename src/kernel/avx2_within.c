/*
 * avx2_within.c
 *	  AVX2: what lies in an interval.
 */
#include "c.h"

#include "kernel/within.h"
#include "kernel/x86.h"

#ifdef VECIDX_KERNELS_X86

/* Which of 32 marks are not 0. */
AVX2 static inline uint64
bits_of_32(const uint8 *mark)
{
	return (uint32) ~_mm256_movemask_epi8(_mm256_cmpeq_epi8(load_bytes_avx2(mark), _mm256_setzero_si256()));
}

AVX2 static void
gather_bits(const uint8 *mark, uint32 words, uint64 *bits)
{
	for (uint32 word = 0; word < words; word++)
		bits[word] = bits_of_32(mark + 64 * word) | bits_of_32(mark + 64 * word + 32) << 32;
}

VECIDX_WITHIN(AVX2, vecidx_within_avx2, gather_bits);

#endif							/* VECIDX_KERNELS_X86 */
