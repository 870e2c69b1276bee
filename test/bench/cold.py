"""Searches whose pages are not in memory: each query once, after the caches were emptied.

The server is restarted, so that shared buffers are empty, and the operating system is told to
forget the index's files.  Which page is of which kind is read from the pages themselves.
"""
import ctypes
import os
import time

import numpy as np

import figures
from server import ServerError

DROPPED = {"rerank": 7, "all": None}    # what can be dropped: VecIdxPageKind of the pages, or all
PAGE_ID = 0xFF94                # VECIDX_PAGE_ID
OPENING = 10                    # queries that open a session: planned, caches of the backend filled
SYSTEM_PAGE = os.sysconf("SC_PAGE_SIZE")


class IndexFiles:
    """The files of one index, with the pages that are to be cold; nothing may change it meanwhile."""

    def __init__(self, database, index, dropped):
        self.database = database
        self.index = index
        self.dropped = dropped
        database.psql("CHECKPOINT")
        path = database.value("SELECT pg_relation_filepath('%s')" % index)
        self.block = int(database.value("SHOW block_size"))
        self.segments = segments(os.path.join(database.cluster.data, path))
        self.chosen = [chosen_blocks(s, self.block, DROPPED[dropped]) for s in self.segments]

    def empty(self):
        return not any(chosen.any() for chosen in self.chosen)

    def drop(self, everything):
        """Makes the system forget the chosen pages, or all; clean pages only can be forgotten."""
        for path, chosen in zip(self.segments, self.chosen):
            drop_blocks(path, self.block, np.ones_like(chosen) if everything else chosen)

    def cached_bytes(self):
        """Bytes of the chosen pages that the system holds in memory."""
        return sum(int(resident_bytes(path, self.block)[chosen].sum())
                   for path, chosen in zip(self.segments, self.chosen))

    def chosen_bytes(self):
        return self.block * sum(int(chosen.sum()) for chosen in self.chosen)


def segments(path):
    """PostgreSQL cuts a relation into files: path, path.1, path.2, ..."""
    found = [path]
    while os.path.exists("%s.%d" % (path, len(found))):
        found.append("%s.%d" % (path, len(found)))
    return found


def chosen_blocks(path, block, kind):
    """Which blocks of a file are pages of that kind (None: any): told by the last words of each."""
    pages = np.memmap(path, np.uint8, mode="r").reshape(-1, block)
    if kind is None:
        return np.ones(len(pages), bool)
    tail = np.ascontiguousarray(pages[:, -4:]).view(np.uint16)
    return (tail[:, 0] == kind) & (tail[:, 1] == PAGE_ID)


def drop_blocks(path, block, chosen):
    """Writes the file out and advises the system to forget these blocks."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], chosen.astype(np.int8), [0]))))
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
        for first, end in edges.reshape(-1, 2).tolist():
            os.posix_fadvise(fd, first * block, (end - first) * block, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(fd)


def resident_bytes(path, block):
    """Bytes of each block of a file that are in memory."""
    pages = np.memmap(path, np.uint8, mode="c")
    found = np.zeros(len(pages) // SYSTEM_PAGE, np.uint8)
    mincore = ctypes.CDLL(None, use_errno=True).mincore
    if mincore(ctypes.c_void_p(pages.ctypes.data), ctypes.c_size_t(len(pages)),
               ctypes.c_void_p(found.ctypes.data)) != 0:
        raise OSError(ctypes.get_errno(), "mincore failed", path)
    return SYSTEM_PAGE * (found & 1).reshape(-1, block // SYSTEM_PAGE).sum(axis=1, dtype=np.int64)


# ---------------------------------------------------------------- a run

def run(files, statement, settings):
    """Latencies of all queries, each once, first cold and then again.

    statement is a dict: "search" with {q} for the number of a query, "queries" how many there
    are, "warm" the SQL that reads the tables and leaves the index alone.
    """
    database = files.database
    database.cluster.restart()
    files.drop(everything=True)
    prewarm = load_hot(database, files.index) if files.dropped == "rerank" else None
    database.psql(statement["warm"])
    files.drop(everything=False)
    before = files.cached_bytes()
    cold = once(database, statement, settings)
    after = files.cached_bytes()
    again = once(database, statement, settings)
    return {"dropped": files.dropped, "prewarm_seconds": prewarm, "cold": cold, "again": again,
            "resident": before / files.chosen_bytes(),
            "bytes_per_query": (after - before) / statement["queries"]}


def load_hot(database, index):
    """Seconds that it takes to bring what searches walk over into shared buffers."""
    if database.value("SELECT to_regproc('vecidx_prewarm') IS NULL") == "t":
        raise ServerError("this version of vecidx has no vecidx_prewarm, which --cold rerank needs")
    start = time.monotonic()
    database.psql("SELECT * FROM vecidx_prewarm('%s', 'hot')" % index)
    return time.monotonic() - start


def once(database, statement, settings):
    """Percentiles over one pass of one client; the queries that open the session do not count."""
    queries = statement["queries"]
    script = "\\set q :q + 1\n%s;\n" % statement["search"].format(q=":q")
    _, latencies = database.pgbench(script, settings, 1, ["-t", str(queries), "-D", "q=0"])
    counted = latencies[min(OPENING, queries // 2):]
    return {**figures.percentiles(counted), "mean": float(counted.mean())}
