/*
 * compat.h
 *	  Differences between PostgreSQL 15 and 18: the only place that looks at
 *	  PG_VERSION_NUM.  Each wrapper has the shape of the newest release.
 */
#ifndef VECIDX_COMPAT_H
#define VECIDX_COMPAT_H

#include "postgres.h"

#include "commands/vacuum.h"
#include "storage/buf_internals.h"
#include "storage/bufmgr.h"
#include "utils/rel.h"

#if PG_VERSION_NUM < 150000 || PG_VERSION_NUM >= 190000
#error "vecidx supports PostgreSQL 15 to 18"
#endif

#if PG_VERSION_NUM >= 160000
#include "varatt.h"
typedef RelFileLocator VecIdxLocator;
typedef RelFileNumber VecIdxFileNumber;
#define VecIdxRelationLocator(rel) ((rel)->rd_locator)
#define VecIdxRelationFile(rel) ((rel)->rd_locator.relNumber)
#define VecIdxLocatorEquals(a, b) RelFileLocatorEquals(a, b)
#define VecIdxBufferTagEquals(a, b) BufferTagsEqual(a, b)
#define VecIdxInitBufferTag(tag, locator, block) InitBufferTag(tag, &(locator), MAIN_FORKNUM, block)
#else
typedef RelFileNode VecIdxLocator;
typedef Oid VecIdxFileNumber;
#define VecIdxRelationLocator(rel) ((rel)->rd_node)
#define VecIdxRelationFile(rel) ((rel)->rd_node.relNode)
#define VecIdxLocatorEquals(a, b) RelFileNodeEquals(a, b)
#define VecIdxBufferTagEquals(a, b) BUFFERTAGS_EQUAL(*(a), *(b))
#define VecIdxInitBufferTag(tag, locator, block) INIT_BUFFERTAG(*(tag), locator, MAIN_FORKNUM, block)
#endif

/* Path of the first file of a relation's main fork, palloc'd.  Callers include common/relpath.h. */
#if PG_VERSION_NUM >= 180000
#define VecIdxRelationPath(rel) pstrdup(relpathbackend((rel)->rd_locator, (rel)->rd_backend, MAIN_FORKNUM).str)
#else
#define VecIdxRelationPath(rel) relpathbackend(VecIdxRelationLocator(rel), (rel)->rd_backend, MAIN_FORKNUM)
#endif

#if PG_VERSION_NUM < 180000
#define pg_noreturn __attribute__((noreturn))
#endif

#if PG_VERSION_NUM >= 180000
#define VecIdxVacuumDelayPoint(analyze) vacuum_delay_point(analyze)
#else
#define VecIdxVacuumDelayPoint(analyze) vacuum_delay_point()
#endif

/* Since 17 maintenance does not look up functions where its caller says.  Callers include utils/guc.h. */
#if PG_VERSION_NUM >= 170000
#define VecIdxRestrictSearchPath() RestrictSearchPath()
#else
#define VecIdxRestrictSearchPath() ((void) 0)
#endif

/* Since 16 this can give its errors back.  Callers include utils/regproc.h. */
#if PG_VERSION_NUM >= 160000
#define VecIdxNameList(text) stringToQualifiedNameList(text, NULL)
#else
#define VecIdxNameList(text) stringToQualifiedNameList(text)
#endif

/* Callers include catalog/pg_class.h and utils/acl.h. */
#if PG_VERSION_NUM >= 160000
#define VecIdxOwnsRelation(relid, role) object_ownercheck(RelationRelationId, relid, role)
#else
#define VecIdxOwnsRelation(relid, role) pg_class_ownercheck(relid, role)
#endif

/* What XLogRegisterBufData is given: for who stands in for the server. */
#if PG_VERSION_NUM >= 180000
typedef const void *VecIdxWalBytes;
typedef uint32 VecIdxWalSize;
#elif PG_VERSION_NUM >= 160000
typedef char *VecIdxWalBytes;
typedef uint32 VecIdxWalSize;
#else
typedef char *VecIdxWalBytes;
typedef int VecIdxWalSize;
#endif

/* Since 18 EXPLAIN ANALYZE shows the number of searches. */
#if PG_VERSION_NUM >= 180000
#define VecIdxCountSearch(scan) \
	do { if ((scan)->instrument) (scan)->instrument->nsearches++; } while (0)
#else
#define VecIdxCountSearch(scan) ((void) (scan))
#endif

/* Since 17 an access method says that it builds with parallel workers. */
#if PG_VERSION_NUM >= 170000
#define VecIdxSetBuildsParallel(am) ((am)->amcanbuildparallel = true)
#else
#define VecIdxSetBuildsParallel(am) ((void) (am))
#endif

/* Since 18 an infinite cost alone no longer keeps the planner from a path. */
#if PG_VERSION_NUM >= 180000
#define VecIdxDisablePath(indexpath) ((indexpath)->path.disabled_nodes = 2)
#else
#define VecIdxDisablePath(indexpath) ((void) (indexpath))
#endif

/* Before 17 ordered scans get no = ANY behind the first column, and only the server's own access methods booleans. */
#if PG_VERSION_NUM < 170000
#define VECIDX_NEEDS_KEYS_HOOK
#endif

/* Since 18 extensions can add to what EXPLAIN says of a node. */
#if PG_VERSION_NUM >= 180000
#define VECIDX_HAS_EXPLAIN_HOOK
#endif

/* Since 17 sessions find shared memory by its name, and waits have names.  Callers include utils/wait_event.h. */
#if PG_VERSION_NUM >= 170000
#define VECIDX_HAS_DSM_REGISTRY
#define VecIdxWaitEvent(name) WaitEventExtensionNew(name)
#else
#define VecIdxWaitEvent(name) PG_WAIT_EXTENSION
#endif

/* Since 17 the server has a way to read ahead.  Callers include storage/read_stream.h. */
#if PG_VERSION_NUM >= 180000
#define VECIDX_HAS_READ_STREAM
#define VECIDX_READ_STREAM_FLAGS (READ_STREAM_MAINTENANCE | READ_STREAM_FULL | READ_STREAM_USE_BATCHING)
#elif PG_VERSION_NUM >= 170000
#define VECIDX_HAS_READ_STREAM
#define VECIDX_READ_STREAM_FLAGS (READ_STREAM_MAINTENANCE | READ_STREAM_FULL)
#endif

#endif							/* VECIDX_COMPAT_H */
