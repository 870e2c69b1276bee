/*
 * kernel_sets.h
 *	  The kernel sets beside scalar, and what their files share.
 *
 * Their files compile with the baseline flags of their platform; what needs
 * more carries a target attribute, so that one binary runs everywhere.  They
 * compile to nothing on other platforms.
 */
#ifndef VECIDX_KERNEL_SETS_H
#define VECIDX_KERNEL_SETS_H

#include "kernel/kernel.h"

#if defined(__x86_64__) && defined(__GNUC__)
#define VECIDX_KERNELS_X86 1
#endif

#if defined(__aarch64__) && defined(__GNUC__) && !defined(WORDS_BIGENDIAN)
#define VECIDX_KERNELS_ARM 1

/* Clang before 16 has the dot product only where all code may use it. */
#if !defined(__clang__) || __clang_major__ >= 16 || defined(__ARM_FEATURE_DOTPROD)
#define VECIDX_KERNELS_DOTPROD 1
#endif
#endif

#ifdef VECIDX_KERNELS_X86
extern const VecIdxWithin vecidx_within_avx2;
extern void vecidx_x86_crc_quarters(const uint8 *data, Size n, uint32 *crc);
extern const VecIdxKernels vecidx_kernels_avx2;
extern const VecIdxKernels vecidx_kernels_avx512;

/* Whether the processor has what the set uses and the system saves its registers. */
extern bool vecidx_kernels_avx2_usable(void);
extern bool vecidx_kernels_avx512_usable(void);
#endif

#ifdef VECIDX_KERNELS_ARM
extern const VecIdxKernels vecidx_kernels_neon;
#ifdef VECIDX_KERNELS_DOTPROD
extern void vecidx_arm_crc_quarters(const uint8 *data, Size n, uint32 *crc);
extern const VecIdxKernels vecidx_kernels_dotprod;
extern bool vecidx_kernels_dotprod_usable(void);
#endif
#endif

/*
 * The entries for rows, panels and crosses, which lie in files of their own.  A set that
 * has them under these names declares them and puts them into its table.
 */
#define VECIDX_DECLARE_ROW_KERNELS(set) \
	extern float vecidx_##set##_dot(const float *a, const float *b, int n); \
	extern float vecidx_##set##_l2sq(const float *a, const float *b, int n); \
	extern double vecidx_##set##_dot_wide(const float *a, const float *b, int n); \
	extern void vecidx_##set##_half_to_float(const uint8 *half, float *out, int n); \
	extern void vecidx_##set##_panel_f32(const float *rows, int count, const float *panel, int n, \
										 float *products, int stride); \
	extern void vecidx_##set##_cross(const VecIdxCross *cross, int rows, int columns, int32 *products, int stride); \
	extern int vecidx_##set##_below(const int32 *products, const float *others, const float *limits, float weight, \
									int count, VecIdxHit *hits); \
	extern void vecidx_##set##_scale(float *x, double factor, int n); \
	extern float vecidx_##set##_subtract(const float *a, const float *b, float *out, int n); \
	extern void vecidx_##set##_measure(const float *x, int n, VecIdxMoments *moments); \
	extern void vecidx_##set##_round(const float *x, int n, VecIdxRounding *rounding, int8 *v); \
	extern void vecidx_##set##_level(const float *x, int n, VecIdxLeveling *leveling, uint8 *u); \
	extern void vecidx_##set##_planes(const int8 *v, int n, uint8 *planes); \
	extern void vecidx_##set##_estimates(const VecIdxLine *line, const int32 *dots, const float *f0, \
										 const float *f1, int count, float *estimates); \
	extern void vecidx_##set##_multiply(float *x, const float *factors, int n); \
	extern void vecidx_##set##_butterfly(float *x, float *y, int n); \
	extern void vecidx_##set##_hadamard(float *x, const float *factors, int n)

#define VECIDX_ROW_KERNELS(set) \
	.dot = vecidx_##set##_dot, \
	.l2sq = vecidx_##set##_l2sq, \
	.dot_wide = vecidx_##set##_dot_wide, \
	.half_to_float = vecidx_##set##_half_to_float, \
	.panel_f32 = vecidx_##set##_panel_f32, \
	.cross = vecidx_##set##_cross, \
	.below = vecidx_##set##_below, \
	.scale = vecidx_##set##_scale, \
	.subtract = vecidx_##set##_subtract, \
	.measure = vecidx_##set##_measure, \
	.round = vecidx_##set##_round, \
	.level = vecidx_##set##_level, \
	.planes = vecidx_##set##_planes, \
	.estimates = vecidx_##set##_estimates, \
	.multiply = vecidx_##set##_multiply, \
	.butterfly = vecidx_##set##_butterfly, \
	.hadamard = vecidx_##set##_hadamard

/* Lets the scalar set do what is left of "below" from product number "from" on; returns all that was found. */
static inline int
vecidx_below_rest(const int32 *products, const float *others, const float *limits, float weight, int from, int count,
				  VecIdxHit *hits, int found)
{
	int			more = vecidx_kernels_scalar.below(products + from, others + from, limits + from, weight, count - from,
												   hits + found);

	for (int i = found; i < found + more; i++)
		hits[i].place += from;
	return found + more;
}

/*
 * Defines vecidx_SET_cross from cross_SET_block, which does the first "rows"
 * rows, 1 or 2, and four columns of a cross; it is inlined for either.  What
 * is left of the columns is done with one of them in the place of those that
 * are not there.
 */
#define VECIDX_CROSS_ENTRY(attribute, set) \
attribute static void \
cross_##set##_rest(const VecIdxCross *part, int rows, int columns, int32 *products, int stride) \
{ \
	const int8 *four[4]; \
	int32		sums[4]; \
	int32		both[2][4]; \
	VecIdxCross rest = {part->n, part->rows, four, sums}; \
\
	for (int j = 0; j < 4; j++) \
	{ \
		four[j] = part->columns[j < columns ? j : 0]; \
		sums[j] = part->sums[j < columns ? j : 0]; \
	} \
	if (rows == 2) \
		cross_##set##_block(&rest, 2, both[0], 4); \
	else \
		cross_##set##_block(&rest, 1, both[0], 4); \
	for (int i = 0; i < rows; i++) \
		memcpy(products + (Size) i * stride, both[i], columns * sizeof(int32)); \
} \
\
attribute void \
vecidx_##set##_cross(const VecIdxCross *cross, int rows, int columns, int32 *products, int stride) \
{ \
	for (int i = 0; i < rows; i += 2) \
	{ \
		VecIdxCross part = *cross; \
		int32	   *out = products + (Size) i * stride; \
		int			j = 0; \
\
		part.rows += (Size) i * cross->n; \
		for (; j + 4 <= columns; j += 4, part.columns += 4, part.sums += 4) \
		{ \
			if (rows - i >= 2) \
				cross_##set##_block(&part, 2, out + j, stride); \
			else \
				cross_##set##_block(&part, 1, out + j, stride); \
		} \
		if (j < columns) \
			cross_##set##_rest(&part, rows - i >= 2 ? 2 : 1, columns - j, out + j, stride); \
	} \
}

/*
 * Defines NAME and NAME_batch, the entries for one code and for many, from
 * NAME_width, which does width codes, 1 or 4, and is inlined into both.
 */
#define VECIDX_CODE_ENTRIES(attribute, name, query_type) \
attribute static int32 \
name(const uint8 *code, const query_type *query, int n) \
{ \
	int32		dot; \
\
	name##_width(&code, 1, query, n, &dot); \
	return dot; \
} \
\
attribute static void \
name##_batch(const uint8 *const *codes, int count, const query_type *query, int n, int32 *dots) \
{ \
	int			i = 0; \
\
	for (; i + 4 <= count; i += 4) \
		name##_width(codes + i, 4, query, n, dots + i); \
	for (; i < count; i++) \
		name##_width(codes + i, 1, query, n, dots + i); \
}

#endif							/* VECIDX_KERNEL_SETS_H */
