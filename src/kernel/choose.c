/*
 * choose.c
 *	  Which kernel set runs.
 */
#include "c.h"

#include "kernel/kernel.h"
#include "kernel/kernel_sets.h"

#define MAX_SETS 4

/* NULL until first use and after force("auto"). */
static const VecIdxKernels *chosen = NULL;

int
vecidx_kernels_available(const VecIdxKernels **sets, int max)
{
	int			count = 0;

#ifdef VECIDX_KERNELS_X86
	if (count < max && vecidx_kernels_avx512_usable())
		sets[count++] = &vecidx_kernels_avx512;
	if (count < max && vecidx_kernels_avx2_usable())
		sets[count++] = &vecidx_kernels_avx2;
#endif
#ifdef VECIDX_KERNELS_DOTPROD
	if (count < max && vecidx_kernels_dotprod_usable())
		sets[count++] = &vecidx_kernels_dotprod;
#endif
#ifdef VECIDX_KERNELS_ARM
	if (count < max)
		sets[count++] = &vecidx_kernels_neon;
#endif
	if (count < max)
		sets[count++] = &vecidx_kernels_scalar;
	return count;
}

const VecIdxKernels *
vecidx_kernels(void)
{
	if (unlikely(chosen == NULL))
	{
		if (vecidx_kernels_available(&chosen, 1) == 0)
			chosen = &vecidx_kernels_scalar;
	}
	return chosen;
}

bool
vecidx_kernels_force(const char *name)
{
	const VecIdxKernels *sets[MAX_SETS];
	int			count;

	if (strcmp(name, "auto") == 0)
	{
		chosen = NULL;
		return true;
	}

	count = vecidx_kernels_available(sets, MAX_SETS);
	for (int i = 0; i < count; i++)
	{
		if (strcmp(sets[i]->name, name) == 0)
		{
			chosen = sets[i];
			return true;
		}
	}
	return false;
}
