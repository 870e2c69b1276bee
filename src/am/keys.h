/*
 * keys.h
 *	  Conditions on filter columns that the planner does not hand to an ordered
 *	  scan by itself.
 */
#ifndef VECIDX_KEYS_H
#define VECIDX_KEYS_H

/* Puts the planner hook in place, where one is needed. */
extern void vecidx_keys_init(void);

#endif							/* VECIDX_KEYS_H */
