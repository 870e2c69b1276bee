/*
 * main.c
 *	  Runs targets on inputs, in children, and counts.
 *
 *		fuzz all SECONDS SEED		each target for so long, from input SEED on
 *		fuzz TARGET SECONDS SEED	one target
 *		fuzz TARGET INPUT			one input, in this process
 */
#include "postgres.h"

#undef printf
#undef fprintf
#undef vfprintf

#include <signal.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fuzz.h"

/* An input that takes this many seconds hangs. */
#define PATIENCE	30

/* Failures of one target after which it is given up. */
#define MOST_FAILURES	5

static const FuzzTarget *const targets[] = {&fuzz_decode, &fuzz_pages, &fuzz_sealed, &fuzz_filters, &fuzz_filters_sealed, &fuzz_weave};

static uint64 random_state;

void
fuzz_seed(uint64 seed)
{
	random_state = seed * UINT64CONST(0x9E3779B97F4A7C15);
}

/* SplitMix64 */
uint64
fuzz_random(void)
{
	uint64		x = random_state += UINT64CONST(0x9E3779B97F4A7C15);

	x = (x ^ (x >> 30)) * UINT64CONST(0xBF58476D1CE4E5B9);
	x = (x ^ (x >> 27)) * UINT64CONST(0x94D049BB133111EB);
	return x ^ (x >> 31);
}

uint32
fuzz_below(uint32 limit)
{
	return (uint32) ((fuzz_random() >> 32) * limit >> 32);
}

static void
mutate_number(uint8 *bytes, Size size)
{
	static const uint32 interesting[] = {
		0, 1, 2, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0x8000, 0xFFFF, 0x10000,
		0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF, 0x7F800000, 0x7FC00000
	};
	uint32		number = interesting[fuzz_below(lengthof(interesting))];
	Size		width = (Size) 1 << fuzz_below(3);

	if (width <= size)
		memcpy(bytes + fuzz_below(size - width + 1), &number, width);
}

void
fuzz_mutate(void *memory, Size size)
{
	uint8	   *bytes = memory;
	Size		from = fuzz_below(size);
	Size		count = 1 + fuzz_below(Min(size - from, 64));

	switch (fuzz_below(5))
	{
		case 0:
			bytes[from] ^= 1 << fuzz_below(8);
			break;
		case 1:
			mutate_number(bytes, size);
			break;
		case 2:
			memset(bytes + from, fuzz_below(2) ? 0 : 0xFF, count);
			break;
		case 3:
			memmove(bytes + from, bytes + fuzz_below(size - count + 1), count);
			break;
		default:
			for (Size i = from; i < from + count; i++)
				bytes[i] = fuzz_random();
			break;
	}
}

void
fuzz_fail(const char *format,...)
{
	va_list		arguments;

	va_start(arguments, format);
	fprintf(stderr, "fuzz: ");
	vfprintf(stderr, format, arguments);
	fprintf(stderr, "\n");
	va_end(arguments);
	_exit(1);
}

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec * 1e-9;
}

/* Runs inputs in a child until the time is over or it dies; *done tells how many it finished. */
static bool
run_child(const FuzzTarget *target, uint64 first, double end, volatile uint64 *done)
{
	int			status;
	pid_t		child;

	*done = 0;
	fflush(NULL);
	child = fork();
	if (child < 0)
		fuzz_fail("could not fork");
	if (child == 0)
	{
		do
		{
			alarm(PATIENCE);
			fuzz_seed(first + *done);
			target->run(first + *done);
			(*done)++;
		} while (now() < end);
		_exit(0);
	}
	waitpid(child, &status, 0);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void
run_target(const FuzzTarget *target, int seconds, uint64 seed, uint64 *passed, uint64 *failed)
{
	volatile uint64 *done = mmap(NULL, sizeof(uint64), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	uint64		input = seed;
	uint64		failures = 0;
	double		end;

	if (target->prepare)
		target->prepare();
	end = now() + seconds;
	while (now() < end && failures < MOST_FAILURES)
	{
		bool		well = run_child(target, input, end, done);

		*passed += *done;
		input += *done;
		if (well)
			continue;
		printf("failed: %s %llu\n", target->name, (unsigned long long) input);
		failures++;
		input++;
	}
	*failed += failures;
	printf("%s: %llu inputs, %llu failed\n", target->name,
		   (unsigned long long) (input - seed), (unsigned long long) failures);
}

static void
run_one(const char *name, uint64 input)
{
	for (Size i = 0; i < lengthof(targets); i++)
	{
		if (strcmp(targets[i]->name, name) != 0)
			continue;
		if (targets[i]->prepare)
			targets[i]->prepare();
		fuzz_seed(input);
		targets[i]->run(input);
		return;
	}
	fuzz_fail("no target \"%s\"", name);
}

int
main(int argc, char **argv)
{
	uint64		passed = 0;
	uint64		failed = 0;
	int			ran = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc == 3)
	{
		run_one(argv[1], strtoull(argv[2], NULL, 10));
		return 0;
	}
	if (argc != 4)
		fuzz_fail("usage: fuzz all|TARGET SECONDS SEED, or fuzz TARGET INPUT");
	for (Size i = 0; i < lengthof(targets); i++)
	{
		if (strcmp(argv[1], "all") != 0 && strcmp(argv[1], targets[i]->name) != 0)
			continue;
		run_target(targets[i], atoi(argv[2]), strtoull(argv[3], NULL, 10), &passed, &failed);
		ran++;
	}
	printf("fuzz: %llu passed, %llu failed\n", (unsigned long long) passed, (unsigned long long) failed);
	return failed > 0 || ran == 0;
}
