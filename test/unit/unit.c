/*
 * unit.c
 *	  The harness and the main program.
 */
#include "c.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "unit.h"

/* c.h's own printf and the like are in a library of the server's. */
#undef printf
#undef vprintf
#undef vsnprintf

#define ALIGNMENT 64

/* Failed checks beyond this are counted, not printed. */
#define MAX_MESSAGES 5

/* One allocation. */
typedef struct Block
{
	struct Block *next;
	void	   *memory;
} Block;

static char case_name[200];
static bool in_case = false;
static int	case_failures;
static int	passed = 0;
static int	failed = 0;
static uint64 random_state;
static Block *blocks = NULL;

static void
finish_case(void)
{
	if (!in_case)
		return;
	in_case = false;
	unit_free_all();
	if (case_failures == 0)
	{
		passed++;
		printf("ok      %s\n", case_name);
	}
	else
	{
		failed++;
		printf("FAILED  %s (%d checks)\n", case_name, case_failures);
	}
	fflush(stdout);
}

void
unit_case(const char *format,...)
{
	va_list		args;

	finish_case();
	va_start(args, format);
	vsnprintf(case_name, sizeof(case_name), format, args);
	va_end(args);
	in_case = true;
	case_failures = 0;
	random_state = UINT64CONST(0x243f6a8885a308d3);
}

void
unit_check(bool ok, const char *format,...)
{
	va_list		args;

	if (ok)
		return;
	if (case_failures++ < MAX_MESSAGES)
	{
		printf("        ");
		va_start(args, format);
		vprintf(format, args);
		va_end(args);
		printf("\n");
	}
}

/* xorshift64* (Vigna 2014) */
uint64
unit_random(void)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return random_state * UINT64CONST(0x2545f4914f6cdd1d);
}

int
unit_random_below(int limit)
{
	return (int) ((unit_random() >> 32) % (uint64) limit);
}

float *
unit_random_floats(Size n)
{
	float	   *x = unit_alloc(n * sizeof(float), 4 * unit_random_below(16));

	for (Size i = 0; i < n; i++)
		x[i] = (float) unit_random_normal();
	return x;
}

double
unit_random_uniform(void)
{
	return (double) (unit_random() >> 11) * 0x1p-53;
}

/* Box and Muller's transform, half of it. */
double
unit_random_normal(void)
{
	double		radius = sqrt(-2.0 * log(1.0 - unit_random_uniform()));

	return radius * cos(6.283185307179586 * unit_random_uniform());
}

void *
unit_alloc(Size size, int offset)
{
	Block	   *block = malloc(sizeof(Block));
	void	   *memory;

	/* one byte at least, and not more: the size is what sanitizers watch */
	if (block == NULL || posix_memalign(&memory, ALIGNMENT, Max(size + offset, 1)) != 0)
		abort();
	block->memory = memory;
	block->next = blocks;
	blocks = block;
	return (char *) memory + offset;
}

void
unit_free_all(void)
{
	while (blocks != NULL)
	{
		Block	   *next = blocks->next;

		free(blocks->memory);
		free(blocks);
		blocks = next;
	}
}

int
main(void)
{
	suite_kernel();
	suite_panel();
	suite_cross();
	suite_within();
	suite_crc();
	suite_format();
	suite_rotation();
	suite_estimate();
	suite_rerank();
	suite_decode();
	suite_hostile();
	suite_choose();
	suite_sketch();
	suite_delta();
	suite_latency();
	suite_advice();
	finish_case();
	printf("unit: %d passed, %d failed\n", passed, failed);
	return failed == 0 ? 0 : 1;
}
