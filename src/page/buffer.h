/*
 * buffer.h
 *	  Pages under lock: the only callers of the buffer manager's locks and of
 *	  generic WAL.
 *
 * Lock order: the metapage first, then pages by ascending block number.  No
 * page lock is held while a search runs, while the heap is read or while a
 * user's function is called.
 */
#ifndef VECIDX_BUFFER_H
#define VECIDX_BUFFER_H

#include "postgres.h"

#include "access/generic_xlog.h"
#include "storage/bufmgr.h"
#include "utils/rel.h"

#include "compat.h"
#include "page/page.h"

/* Generic WAL has no records of more pages. */
#define VECIDX_EDIT_PAGES	MAX_GENERIC_XLOG_PAGES

/* A page of an edit. */
typedef struct VecIdxEdited
{
	Buffer		buffer;
	bool		fresh;			/* never written before: logged as a whole */
	uint32		low;			/* what of the image is there: from this byte */
	uint32		high;			/* to before this one */
	PGAlignedBlock image;		/* what the page will be, if the edit is logged */
} VecIdxEdited;

/* A set of page changes that becomes one WAL record, or none while an index is built. */
typedef struct VecIdxEdit
{
	Relation	index;
	bool		logged;
	int			pages;
	VecIdxEdited page[VECIDX_EDIT_PAGES];
	int			changed[VECIDX_EDIT_PAGES]; /* numbers of pages that finish has changed */
} VecIdxEdit;

/* Kinds of pages as visits are counted: the order of the first is that of VecIdxRunKind. */
typedef enum VecIdxVisit
{
	VECIDX_VISIT_CODE,
	VECIDX_VISIT_ADJACENCY,
	VECIDX_VISIT_UPPER,
	VECIDX_VISIT_RERANK,
	VECIDX_VISIT_FILTER,
	VECIDX_VISIT_OTHER,
	VECIDX_VISITS
} VecIdxVisit;

/*
 * Pages that this session has looked at, unpinned or under lock, as often as it
 * did: found in shared buffers, or read.  Pages being edited do not count.
 */
typedef struct VecIdxVisits
{
	uint64		hit[VECIDX_VISITS];
	uint64		read[VECIDX_VISITS];
} VecIdxVisits;

extern VecIdxVisits vecidx_visits;

/* Counts a visit of the page that was pinned last. */
extern void vecidx_visit_pinned(VecIdxPageKind kind);

extern uint32 vecidx_crc(const void *data, Size size);

/*
 * Errors with ERRCODE_INDEX_CORRUPTED and a hint to REINDEX; the detail is a
 * sentence without its period.  The first tells the block, the second is for
 * damage that no single block shows.
 */
pg_noreturn extern void vecidx_corrupted(Relation index, BlockNumber block, const char *what);
pg_noreturn extern void vecidx_damaged(Relation index, const char *what);

/*
 * Pins a page.  "recent" is a buffer where it may still be (or InvalidBuffer):
 * if so, the buffer mapping table is not asked.
 */
extern Buffer vecidx_buffer_pin(Relation index, BlockNumber block, Buffer recent);

/* Did it have to read the page that was pinned last? */
extern bool vecidx_buffer_was_read(void);

/*
 * Share-locks a pinned page and checks that it is of the given kind and that
 * its first slot is "first"; errors when it is damaged.  Returns its address.
 * Release with vecidx_buffer_release, which unlocks and unpins.
 */
extern Page vecidx_buffer_lock(Relation index, Buffer buffer, VecIdxPageKind kind, uint32 first);
extern void vecidx_buffer_release(Buffer buffer);

/* Both, for pages that are read now and then. */
extern Buffer vecidx_buffer_share(Relation index, BlockNumber block, VecIdxPageKind kind, uint32 first, Page *page);

/* The same kind of check for a page that the caller has locked. */
extern void vecidx_page_check(Relation index, BlockNumber block, Page page, VecIdxPageKind kind, uint32 first);

/* The same without an error, for a page that is peeked at: what never changes in it is looked at. */
extern bool vecidx_page_fits(Page page, VecIdxPageKind kind, uint32 first);

/* Bytes of a page that are to be changed. */
typedef struct VecIdxPart
{
	BlockNumber block;
	VecIdxPageKind kind;		/* that the page must be of */
	uint32		first;			/* its first slot */
	uint32		offset;
	uint32		size;
	Buffer		recent;			/* where the page may still be, or InvalidBuffer */
} VecIdxPart;

/*
 * An edit.  vecidx_edit_part locks the page exclusively and returns the image
 * of the part, to be changed; a page that was never written is initialized;
 * asking twice gives the same image.  vecidx_edit_page makes all of a page the
 * part, and returns its beginning.  finish applies, logs, unlocks and unpins all
 * pages; abandon unlocks and unpins, and drops
 * changes made so far (there must be none when the edit is not logged).
 */
extern void vecidx_edit_begin(VecIdxEdit *edit, Relation index, bool logged);
extern void *vecidx_edit_part(VecIdxEdit *edit, const VecIdxPart *part);
extern Page vecidx_edit_page(VecIdxEdit *edit, BlockNumber block, VecIdxPageKind kind, uint32 first);
extern void vecidx_edit_finish(VecIdxEdit *edit);
extern void vecidx_edit_abandon(VecIdxEdit *edit);

/*
 * Of a table's page: makes the TID of a heap-only row version, which the page
 * holds, that of the first of its chain; false if it has none.
 */
extern bool vecidx_buffer_heap_root(Buffer buffer, ItemPointer tid);

/* Makes sure that the fork has at least that many blocks.  Takes the extension lock. */
extern void vecidx_buffer_extend(Relation index, BlockNumber blocks);

/* Writes the whole image of a page of any fork that is being created; log_page adds a WAL record. */
extern void vecidx_page_create(Relation index, ForkNumber fork, BlockNumber block, Page image, bool log_page);

/* The same, without WAL, for a page of the main fork that is there: what it held does not matter. */
extern void vecidx_page_fill(Relation index, BlockNumber block, Page image);
extern void vecidx_page_init(Page page, VecIdxPageKind kind, uint32 first);

#endif							/* VECIDX_BUFFER_H */
