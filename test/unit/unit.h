/*
 * unit.h
 *	  A harness for tests of the layers that need no server.
 *
 * A program is a list of suites.  A suite runs cases, each begun by
 * unit_case(); a case fails when one of its checks does.  Everything random
 * comes from unit_random() and starts anew with each case, so a case gives the
 * same numbers whatever ran before it.
 */
#ifndef UNIT_H
#define UNIT_H

#include "c.h"

#include <math.h>

/* Ends the case before, if any. */
extern void unit_case(const char *format,...) __attribute__((format(printf, 1, 2)));

/* One expectation; the message says what was found. */
extern void unit_check(bool ok, const char *format,...) __attribute__((format(printf, 2, 3)));

extern uint64 unit_random(void);
extern int	unit_random_below(int limit);

/* Normal floats in memory by unit_alloc, at any multiple of 4 bytes. */
extern float *unit_random_floats(Size n);
extern double unit_random_uniform(void);	/* in [0, 1) */
extern double unit_random_normal(void);

/*
 * size bytes of memory whose last is the last of an allocation, so that
 * sanitizers see any byte read or written too far, at an address that is
 * offset beyond a multiple of 64.  Freed when the case ends, or by
 * unit_free_all().
 */
extern void *unit_alloc(Size size, int offset);
extern void unit_free_all(void);

/* The suites. */
extern void suite_kernel(void);
extern void suite_panel(void);
extern void suite_cross(void);
extern void suite_within(void);
extern void suite_crc(void);
extern void suite_format(void);
extern void suite_rotation(void);
extern void suite_estimate(void);
extern void suite_rerank(void);
extern void suite_decode(void);
extern void suite_hostile(void);
extern void suite_choose(void);
extern void suite_sketch(void);
extern void suite_delta(void);
extern void suite_latency(void);
extern void suite_advice(void);

#endif							/* UNIT_H */
