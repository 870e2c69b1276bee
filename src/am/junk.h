/*
 * junk.h
 *	  Spares queries a distance that nobody reads.
 */
#ifndef VECIDX_JUNK_H
#define VECIDX_JUNK_H

/* Puts the planner hook in place. */
extern void vecidx_junk_init(void);

#endif							/* VECIDX_JUNK_H */
