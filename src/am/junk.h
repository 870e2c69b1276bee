/*
 * junk.h
 *	  Spares queries a distance that nobody reads.
 */
#ifndef VECIDX_JUNK_H
#define VECIDX_JUNK_H

/* Puts the planner hook in place. */
extern void vecidx_junk_init(void);

/* Has plans that were made before the hook was there made again at their next use.  To be called by scans. */
extern void vecidx_junk_replan(void);

#endif							/* VECIDX_JUNK_H */
