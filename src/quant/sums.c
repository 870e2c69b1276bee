/*
 * sums.c
 *	  Sums whose results are equal on every machine.
 *
 * Bytes on disk depend on them, so they use no kernel.  The product of two
 * floats is exact in double, so a compiler that fuses multiplication and
 * addition changes nothing; four partial sums in a fixed order leave it room
 * to overlap the additions, or to put two into one vector.
 */
#include "c.h"

#include "quant/quant_internal.h"

/* sum of a[i] * b[i]; a and b may be the same */
double
vecidx_sum_dot(const float *a, const float *b, int n)
{
	double		sum0 = 0;
	double		sum1 = 0;
	double		sum2 = 0;
	double		sum3 = 0;
	int			i = 0;

	for (; i + 4 <= n; i += 4)
	{
		sum0 += (double) a[i] * (double) b[i];
		sum1 += (double) a[i + 1] * (double) b[i + 1];
		sum2 += (double) a[i + 2] * (double) b[i + 2];
		sum3 += (double) a[i + 3] * (double) b[i + 3];
	}
	for (; i < n; i++)
		sum0 += (double) a[i] * (double) b[i];
	return (sum0 + sum2) + (sum1 + sum3);
}

double
vecidx_sum_squares(const float *a, int n)
{
	return vecidx_sum_dot(a, a, n);
}

/* sum of a[i] * (scale * b[i] + offset), small integers; n a multiple of 4 */
double
vecidx_sum_dot_levels(const float *a, const uint8 *b, int scale, int offset, int n)
{
	double		sum0 = 0;
	double		sum1 = 0;
	double		sum2 = 0;
	double		sum3 = 0;

	for (int i = 0; i < n; i += 4)
	{
		sum0 += (double) a[i] * (double) (scale * b[i] + offset);
		sum1 += (double) a[i + 1] * (double) (scale * b[i + 1] + offset);
		sum2 += (double) a[i + 2] * (double) (scale * b[i + 2] + offset);
		sum3 += (double) a[i + 3] * (double) (scale * b[i + 3] + offset);
	}
	return (sum0 + sum2) + (sum1 + sum3);
}

/* sum of a[i]; n a multiple of 4 */
double
vecidx_sum(const float *a, int n)
{
	double		sum0 = 0;
	double		sum1 = 0;
	double		sum2 = 0;
	double		sum3 = 0;

	for (int i = 0; i < n; i += 4)
	{
		sum0 += (double) a[i];
		sum1 += (double) a[i + 1];
		sum2 += (double) a[i + 2];
		sum3 += (double) a[i + 3];
	}
	return (sum0 + sum2) + (sum1 + sum3);
}
