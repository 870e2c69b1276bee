/*
 * meta.h
 *	  The metapage: created, read, checked, changed.
 */
#ifndef VECIDX_META_H
#define VECIDX_META_H

#include "page/buffer.h"
#include "page/handle.h"

/* The image of a metapage for an index without nodes. */
extern void vecidx_meta_init(Page page, const VecIdxMetaFixed *fixed);

/* The metapage of a locked, or of any, page; errors unless its magic, version and checksum are right. */
extern VecIdxMeta *vecidx_meta_get(Relation index, Page page);

/* Locks the metapage in an edit, checks it, and brings the handle up to it. */
extern VecIdxMeta *vecidx_meta_edit(VecIdxEdit *edit, VecIdxHandle *handle);

/* To be called after every change, before the edit is finished: sets the checksum and brings the handle up to date. */
extern void vecidx_meta_changed(VecIdxMeta *meta, VecIdxHandle *handle);

/* Puts what was measured in force. */
extern void vecidx_meta_tune(VecIdxHandle *handle, const VecIdxMetaTuning *tuning, bool logged);

/*
 * Makes sure that there is an extent for the next node (and its code,
 * adjacency and rerank pages exist in the file), as far as the handle knows.
 * Holds no lock on return.
 */
extern void vecidx_meta_grow(VecIdxHandle *handle, bool logged);

/* Number of nodes and upper slots that the present extents hold. */
extern uint32 vecidx_meta_node_room(const VecIdxHandle *handle);
extern uint32 vecidx_meta_upper_room(const VecIdxHandle *handle);

#endif							/* VECIDX_META_H */
