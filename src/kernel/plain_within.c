/*
 * plain_within.c
 *	  What lies in an interval, with the instructions that all processors have.
 */
#include "c.h"

#include "kernel/within.h"

VECIDX_WITHIN(, vecidx_within_plain);
