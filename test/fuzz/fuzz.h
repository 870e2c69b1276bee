/*
 * fuzz.h
 *	  Damaged input for the layers that read what others wrote.
 *
 * A target turns a number into an input, always the same, and runs the code
 * under test on it.  Each input runs in a child process, so that a crash, a
 * sanitizer's complaint or a hang costs that input alone.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include "postgres.h"

#include <setjmp.h>

#include "utils/rel.h"

typedef struct FuzzTarget
{
	const char *name;
	void		(*prepare) (void);	/* once, before the first input; may be NULL */
	void		(*run) (uint64 input);
} FuzzTarget;

extern const FuzzTarget fuzz_decode;
extern const FuzzTarget fuzz_pages;
extern const FuzzTarget fuzz_sealed;
extern const FuzzTarget fuzz_filters;
extern const FuzzTarget fuzz_filters_sealed;
extern const FuzzTarget fuzz_weave;

/* Ends the process with a message: the input has found a bug. */
extern void fuzz_fail(const char *format,...) pg_attribute_printf(1, 2) __attribute__((noreturn));

/* Random numbers of the input under way. */
extern void fuzz_seed(uint64 seed);
extern uint64 fuzz_random(void);
extern uint32 fuzz_below(uint32 limit);

/* Changes some of "size" bytes in place: bits, bytes, words, ranges, or an interesting number. */
extern void fuzz_mutate(void *bytes, Size size);

/* The server's stand-ins (server.c). */

typedef struct FuzzError
{
	int			code;			/* SQLSTATE; 0: none */
	char		message[256];	/* primary message */
} FuzzError;

/* Runs a function; an ERROR in it ends it and is told. */
extern FuzzError fuzz_try(void (*function) (void *argument), void *argument);

/* The one relation there is.  Its file is in memory. */
extern Relation fuzz_index(void);

/* Has it a filter column?  Changes with fuzz_reset only. */
extern bool fuzz_filtered;

/* What row i has there. */
#define FUZZ_FILTER_VALUES		5
#define FUZZ_FILTER(i)			((i) * 7 % 11 % FUZZ_FILTER_VALUES)

/* Forgets all memory contexts, all handles, and the file's contents. */
extern void fuzz_reset(void);

/* The file, as one piece; set copies it in and makes it that long. */
extern const char *fuzz_file(BlockNumber *blocks);
extern void fuzz_set_file(const char *bytes, BlockNumber blocks);

#endif							/* FUZZ_H */
