"""Builds and searches an hnswlib index; a process of its own, so that its memory can be watched.

Reads one JSON request from standard input, answers in lines of JSON: {"event": "ready"}, then
"built", then "done". Between them it waits for a line, so that the caller can start its watch.
Returned row numbers go to files, because they are many.
"""
import contextlib
import json
import os
import sys
import time

import hnswlib
import numpy as np

from dataset import DataSet

BATCH = 10_000


def main():
    request = json.loads(sys.stdin.readline())
    data = DataSet(request["data"], request["metric"], request["rows"], request["queries"])
    tell(event="ready")
    sys.stdin.readline()
    index, seconds, size = open_index(request, data)
    tell(event="built", seconds=seconds, bytes=size)
    sys.stdin.readline()
    tell(event="done", points=[measure(index, data, request, i, ef)
                               for i, ef in enumerate(request["efs"])])


def tell(**what):
    print(json.dumps(what), flush=True)


def open_index(request, data):
    """(index, build seconds, bytes); builds unless the request names a file that holds it."""
    index = hnswlib.Index(space=request["metric"], dim=data.dim)
    path = request["keep"]
    if path is not None and os.path.exists(path):
        index.load_index(path, max_elements=data.rows)
        return index, None, index.index_file_size()
    start = time.monotonic()
    index.init_index(max_elements=data.rows, M=request["m"],
                     ef_construction=request["ef_construction"])
    for first in range(0, data.rows, BATCH):
        rows = np.asarray(data.base[first:first + BATCH])
        ids = np.arange(first, first + len(rows))
        index.add_items(rows, ids, num_threads=request["threads"])
    seconds = time.monotonic() - start
    if path is not None:
        index.save_index(path)
    return index, seconds, index.index_file_size()


def measure(index, data, request, number, ef):
    """Row numbers of one untimed pass over all queries, then queries per second per client count,
    then the latency of each query, asked alone by one thread."""
    index.set_ef(max(ef, request["k"]))
    ids, _ = index.knn_query(data.queries, k=request["k"], num_threads=1)
    path = os.path.join(request["folder"], "hnswlib-%d.npy" % number)
    np.save(path, ids.astype(np.int64))
    rates = {str(c): max(rate(index, data, request, c) for _ in range(request["repeat"]))
             for c in request["clients"]}
    return {"ef": ef, "ids": path, "qps": rates, "micros": latencies(index, data, request)}


def latencies(index, data, request):
    """µs of each query, the call from Python included."""
    found = []
    with processors(request, 1):
        for query in data.queries:
            start = time.perf_counter_ns()
            index.knn_query(query, k=request["k"], num_threads=1)
            found.append((time.perf_counter_ns() - start) / 1000)
    return found


@contextlib.contextmanager
def processors(request, clients):
    """Confines the process to as many processors as there are clients, where that was asked for."""
    everywhere = os.sched_getaffinity(0)
    if request["pin"]:
        os.sched_setaffinity(0, set(sorted(everywhere)[:clients]))
    try:
        yield
    finally:
        os.sched_setaffinity(0, everywhere)


def rate(index, data, request, clients):
    """Queries per second of so many threads, each answering one query at a time."""
    count = 0
    with processors(request, clients):
        start = time.monotonic()
        while time.monotonic() - start < request["seconds"]:
            index.knn_query(data.queries, k=request["k"], num_threads=clients)
            count += len(data.queries)
        return count / (time.monotonic() - start)


if __name__ == "__main__":
    main()
