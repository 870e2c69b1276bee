/*
 * page.h
 *	  The on-disk format, and nothing else.
 *
 * An index is one fork of ordinary pages.  Block 0 is the metapage.  Behind it
 * come, in any order, centroid pages, directory pages and extents.  An extent
 * holds a fixed number of nodes in five runs of consecutive pages:
 *
 *		code run		one code slot a node: what a search reads most
 *		adjacency run	one adjacency slot a node: neighbours and heap TIDs
 *		upper run		upper slots: one for each level above 0 of a node
 *		rerank run		one rerank slot a node: what decides the order
 *		filter run		one filter row a node: the values of filter columns; only
 *						in an index that has some
 *
 * Node ids and upper slot numbers are dense; which page holds a slot is
 * arithmetic (layout.h) on them and on the extent's first block, which the
 * directory tells.
 *
 * Every page:
 *
 *		| page header (24) | slots ... | tail (8) |
 *
 * The header's pd_lower and pd_upper both stand at the tail, so that generic
 * WAL and full-page images keep every byte.  A slot larger than a page fills
 * consecutive pages of its run, each to the tail.  A filter page is cut the
 * other way: field by field, of all rows that it holds (filter/shape.h).
 *
 * All integers and floats are in the byte order of the machine, as everywhere
 * in PostgreSQL.  Checksums are CRC-32C over the bytes that follow them, and
 * of VECIDX_CRC_QUARTERED bytes or more that over the CRC-32C of their
 * quarters (the first three are whole numbers of 8 bytes).
 *
 * Version history
 *		1	first format
 *		2	what the calibration found is no longer part of what is fixed, and is
 *			a stop rule and a rerank factor where it was a beam width; code
 *			slots have a mark where they had their node id; long checksums are
 *			made of quarters
 *		3	filter columns; an index without them is the same in version 2
 */
#ifndef VECIDX_PAGE_H
#define VECIDX_PAGE_H

#include "postgres.h"

#include "storage/bufpage.h"
#include "storage/itemptr.h"

#include "vecidx.h"

#define VECIDX_MAGIC			0x56584944	/* "VXID" */
#define VECIDX_FORMAT_VERSION	3
#define VECIDX_FORMAT_OLDEST	2	/* that can be read */

#define VECIDX_METAPAGE_BLOCK	0

#define VECIDX_CRC_QUARTERED	256

/* In the last two bytes of each page, where pg_filedump looks. */
#define VECIDX_PAGE_ID			0xFF94

typedef enum VecIdxPageKind
{
	VECIDX_PAGE_META = 1,
	VECIDX_PAGE_CENTROID = 2,
	VECIDX_PAGE_DIRECTORY = 3,
	VECIDX_PAGE_CODE = 4,
	VECIDX_PAGE_ADJACENCY = 5,
	VECIDX_PAGE_UPPER = 6,
	VECIDX_PAGE_RERANK = 7,
	VECIDX_PAGE_FILTER = 8
} VecIdxPageKind;

/* The special space. */
typedef struct VecIdxPageTail
{
	uint32		first;			/* node id or slot number of the first slot; index of the page in its chain */
	uint16		kind;			/* VecIdxPageKind */
	uint16		page_id;		/* VECIDX_PAGE_ID */
} VecIdxPageTail;

StaticAssertDecl(sizeof(VecIdxPageTail) == 8, "page tail must stay 8 bytes");
StaticAssertDecl(MAXALIGN(SizeOfPageHeaderData) == 24, "slots start at byte 24");

#define VECIDX_PAGE_START		24
#define VECIDX_PAGE_USABLE		(BLCKSZ - VECIDX_PAGE_START - sizeof(VecIdxPageTail))

#define VecIdxPageGetTail(page) ((VecIdxPageTail *) PageGetSpecialPointer(page))

/*
 * Code slot: this header, then the code's bits.  Immutable while the node
 * lives.  Read without a pin on the walk, and without looking at the buffer's
 * header: the mark alone tells a reader that it looks at what it meant to.
 */
typedef struct VecIdxCodeSlot
{
	uint32		mark;			/* own id, mixed with the index's salt (layout.h) */
	float		f0;
	float		f1;
	uint16		error;			/* upper half of a float32, rounded up */
	uint8		state;			/* VecIdxState; the adjacency slot's decides */
	uint8		check;			/* folded checksum of all else in the slot */
} VecIdxCodeSlot;

StaticAssertDecl(sizeof(VecIdxCodeSlot) == 16, "code slot header must stay 16 bytes");

typedef enum VecIdxState
{
	VECIDX_FREE = 0,			/* on the free list; also a slot never used */
	VECIDX_LIVE = 1,
	VECIDX_TOMBSTONE = 2,		/* no TID left; still routes until vacuum has spliced it out */
	VECIDX_EXTENSION = 3		/* no node: holds more TIDs of the node "upper" */
} VecIdxState;

#define VECIDX_INLINE_TIDS		2

/*
 * Adjacency slot: this header, then 2 m neighbours as node ids.
 *
 * In an EXTENSION slot the TIDs go on over the space of the neighbours, "upper"
 * is the owner and "next" the next slot of the owner's chain.
 *
 * All TIDs of a slot are of rows with the slot's filter row; so equal vectors
 * may take several slots, and in an index with filter columns the code and
 * rerank slots of an extension repeat its owner's.
 */
typedef struct VecIdxAdjacencySlot
{
	uint32		crc;			/* of all that follows */
	uint32		node;			/* own id */
	uint32		version;		/* goes up when the slot is freed and when it is used again */
	uint8		state;			/* VecIdxState */
	uint8		level;
	uint8		tids;			/* number of TIDs in this slot */
	uint8		neighbours;		/* number of neighbours */
	uint32		upper;			/* LIVE, TOMBSTONE: upper slot of level 1, or none.  EXTENSION: owner */
	uint32		next;			/* LIVE: first extension; EXTENSION: next one; FREE: next free slot */
	ItemPointerData tid[VECIDX_INLINE_TIDS];
	/* uint32 neighbour[2 * m] follows */
} VecIdxAdjacencySlot;

StaticAssertDecl(offsetof(VecIdxAdjacencySlot, tid) == 24, "TIDs start at byte 24 of an adjacency slot");
StaticAssertDecl(sizeof(VecIdxAdjacencySlot) == 36, "neighbours start at byte 36 of an adjacency slot");
StaticAssertDecl(2 * VECIDX_MAX_M <= PG_UINT8_MAX, "number of neighbours must fit a byte");

#define VecIdxAdjacencySize(m)	(sizeof(VecIdxAdjacencySlot) + 2 * (m) * sizeof(uint32))
#define VecIdxAdjacencyNeighbours(slot) ((uint32 *) ((char *) (slot) + sizeof(VecIdxAdjacencySlot)))
#define VecIdxExtensionTids(m)	((VECIDX_INLINE_TIDS * sizeof(ItemPointerData) + 2 * (m) * sizeof(uint32)) / sizeof(ItemPointerData))

/*
 * Upper slot: this header, then m links.  The slots of one node, level 1 and
 * up, have consecutive numbers.
 */
typedef struct VecIdxUpperLink
{
	uint32		node;
	uint32		upper;			/* that node's upper slot on the same level */
} VecIdxUpperLink;

typedef struct VecIdxUpperSlot
{
	uint32		crc;			/* of all that follows */
	uint32		node;			/* owner; FREE: the next free slot */
	uint8		state;			/* VECIDX_FREE or VECIDX_LIVE */
	uint8		level;
	uint8		links;			/* number of links */
	uint8		unused;			/* zero */
	/* VecIdxUpperLink link[m] follows */
} VecIdxUpperSlot;

StaticAssertDecl(sizeof(VecIdxUpperSlot) == 12, "links start at byte 12 of an upper slot");

#define VecIdxUpperSize(m)		(sizeof(VecIdxUpperSlot) + (m) * sizeof(VecIdxUpperLink))
#define VecIdxUpperLinks(slot)	((VecIdxUpperLink *) ((char *) (slot) + sizeof(VecIdxUpperSlot)))

/* Rerank slot: this header, then the rerank vector (quant.h). */
typedef struct VecIdxRerankSlot
{
	uint32		crc;			/* of all that follows */
	uint32		node;			/* own id */
	uint32		version;		/* the adjacency slot's when this was written */
	uint32		unused;			/* zero */
} VecIdxRerankSlot;

StaticAssertDecl(sizeof(VecIdxRerankSlot) == 16, "rerank slot header must stay 16 bytes");

/*
 * The flags of a filter row: one bit, and a checksum of the rest of the row
 * and the node's id.
 */
#define VECIDX_FILTER_TWINS		0x80	/* slots of the node's chain may have other values */
#define VECIDX_FILTER_CHECK		0x7F

/* Recall targets and result counts for which the effort of a search is measured. */
#define VECIDX_TARGETS			6
#define VECIDX_TARGET_KS		3

#define VECIDX_META_EXTENTS		1024	/* directory entries in the metapage itself */
#define VECIDX_META_DIRECTORIES	512 /* directory pages that it can name */

/* The part that never changes after the build (or after the first row of an index built empty). */
typedef struct VecIdxMetaFixed
{
	uint8		metric;			/* VecIdxMetric */
	uint8		rerank;			/* VecIdxRerank */
	uint8		bits;			/* of a code */
	uint8		bits_chosen;	/* 1: by quantizer = auto */
	uint16		m;
	uint16		ef_construction;
	uint32		dimensions;		/* 0: not known before the first row */
	uint32		base_capacity;	/* nodes in extent 0 */
	uint32		base_upper;		/* upper slots in extent 0 */
	uint32		growth;			/* nodes in extent 1, a power of two */
	uint64		seed;			/* of the rotation */
	uint64		build;			/* a random number: tells this build from any other in the same file */
	uint32		centroid_block; /* first of the consecutive centroid pages */
	uint32		centroid_pages; /* 0: the centroid is the origin */
	uint32		centroid_crc;	/* of its floats */
	/* why these bits (VecIdxEvidence) */
	uint32		sampled;
	float		contrast;
	float		noise[4];
	uint16		filter_columns;	/* key columns behind the vector */
	uint16		filter_size;	/* bytes of a filter row; 0 without such columns */
} VecIdxMetaFixed;

StaticAssertDecl(sizeof(VecIdxMetaFixed) == 80, "version 3 has filter columns where version 2 had padding");

/* The effort that reaches a recall target for a number of results (graph/effort.h). */
typedef struct VecIdxMetaEffort
{
	float		slack;			/* of the stop rule: share by which Euclidean distances may lie beyond */
	float		factor;			/* share of an estimate's bound that is believed */
	float		expanded;		/* nodes that a search expands, on average */
	uint32		limit;			/* and at most */
	uint32		exact;			/* 1: rows decide what rerank vectors leave open */
} VecIdxMetaEffort;

typedef enum VecIdxTuningSource
{
	VECIDX_TUNED_NOT = 0,
	VECIDX_TUNED_BY_BUILD = 1,	/* rows of the table as queries, as the index was built */
	VECIDX_TUNED_BY_ROWS = 2,	/* the same later */
	VECIDX_TUNED_BY_QUERIES = 3 /* queries that the user gave */
} VecIdxTuningSource;

/* What was measured on the finished index.  Changes when it is measured again. */
typedef struct VecIdxMetaTuning
{
	uint32		source;			/* VecIdxTuningSource */
	uint32		queries;		/* number of queries behind the table */
	uint32		nodes;			/* nodes that the index had then */
	float		norm;			/* largest norm of a row, where order distances are inner products */
	VecIdxMetaEffort effort[VECIDX_TARGETS][VECIDX_TARGET_KS];
} VecIdxMetaTuning;

/* The part that inserts and vacuum change. */
typedef struct VecIdxMetaState
{
	uint32		nodes;			/* ids given out so far: all below are in use or free */
	uint32		uppers;			/* upper slots given out so far */
	uint32		free_node;		/* head of the list of free ids, or none */
	uint32		free_nodes;		/* its length */
	uint32		free_upper;		/* head of the list of free upper slots, or none */
	uint32		free_uppers;	/* its length */
	uint32		extensions;		/* slots that hold more TIDs, not nodes */
	uint32		tombstones;
	uint32		epoch;			/* goes up when a vacuum starts to splice tombstones out */
	uint32		entry;			/* a node of the highest level, or none */
	uint32		entry_upper;	/* its upper slot on that level, or none */
	uint32		entry_level;
	uint32		level_nodes[VECIDX_MAX_LEVEL + 1];	/* live nodes that reach level i (0 unused) */
	uint32		extents;		/* number of extents */
	uint32		directories;	/* number of directory pages */
	uint32		end;			/* first block that nothing uses */
} VecIdxMetaState;

typedef struct VecIdxMeta
{
	uint32		magic;
	uint32		version;
	uint32		crc;			/* of fixed, tuning, state, and the entries of directory and extent in use */
	uint32		unused;
	VecIdxMetaFixed fixed;
	VecIdxMetaTuning tuning;
	VecIdxMetaState state;
	uint32		directory[VECIDX_META_DIRECTORIES]; /* blocks of directory pages */
	uint32		extent[VECIDX_META_EXTENTS];	/* first blocks of extents */
} VecIdxMeta;

StaticAssertDecl(offsetof(VecIdxMeta, magic) == 0 && offsetof(VecIdxMeta, version) == 4,
				 "magic and version come first in every version");
StaticAssertDecl(sizeof(VecIdxMeta) <= VECIDX_PAGE_USABLE, "metapage must fit a page");

/* A directory page is an array of the extents' first blocks; a centroid page one of floats. */
#define VECIDX_DIRECTORY_EXTENTS	(VECIDX_PAGE_USABLE / sizeof(uint32))
#define VECIDX_CENTROID_FLOATS		(VECIDX_PAGE_USABLE / sizeof(float))

#endif							/* VECIDX_PAGE_H */
