"""Data sets for the benchmark: reading vectors, exact neighbours, recall.

Needs numpy only. A data set is a base, a set of queries and a metric; exact
neighbours are computed here and never taken from elsewhere.
"""
import copy
import hashlib
import os
import struct
import zipfile

import numpy as np

METRICS = ("l2", "cosine", "ip")
REL_TOLERANCE = 1e-6            # ties: how far beyond the k-th true distance still counts
ABS_TOLERANCE = 1e-9            # the same where the k-th true distance is zero


class DataSet:
    """base and queries as float32 matrices (base may be a read-only map of the file)."""

    def __init__(self, spec, metric, rows=None, queries=None):
        self.spec = spec
        self.metric = metric
        self.base, self.queries = read_vectors(spec)
        self.base = self.base[:rows]
        self.queries = np.ascontiguousarray(self.queries[:queries])
        self.rows, self.dim = self.base.shape
        if self.queries.shape[1] != self.dim:
            raise ValueError("base has %d dimensions, queries have %d"
                             % (self.dim, self.queries.shape[1]))

    def subset(self, rows):
        """The same queries over only the rows with these numbers, which become 0, 1, ..."""
        some = copy.copy(self)
        some.base = self.base[rows]
        some.rows = len(rows)
        return some

    def name(self):
        """A short name for titles: the file's, or its folder's where the file's says nothing."""
        path = self.spec.split(",")[0]
        stem = os.path.splitext(os.path.basename(path))[0]
        if stem in ("vectors", "base"):
            stem = os.path.basename(os.path.dirname(os.path.abspath(path)))
        return stem

    def key(self):
        """Identifies the rows, the queries and the metric; lower-case letters, digits and _."""
        text = repr((self.rows, len(self.queries), self.metric))
        for path in self.spec.split(","):
            stat = os.stat(path)
            text += repr((os.path.abspath(path), stat.st_size, stat.st_mtime_ns))
        return "d" + hashlib.sha1(text.encode()).hexdigest()[:10]

    def distances(self, query, ids):
        """float64 distances from one query to the rows with these numbers (from 0)."""
        x = self.base[ids].astype(np.float64)
        q = self.queries[query].astype(np.float64)
        return row_distances(x, q, self.metric)


def read_vectors(spec):
    """Returns (base, queries) of `file.npz` or of `base.fvecs,query.fvecs`."""
    paths = spec.split(",")
    if len(paths) == 2:
        return read_fvecs(paths[0]), read_fvecs(paths[1])
    return read_npz_member(spec, "base"), read_npz_member(spec, "queries")


def read_fvecs(path):
    """fvecs: each row is an int32 dimension followed by that many float32."""
    raw = np.memmap(path, dtype="<f4", mode="r")
    dim = int(raw[:1].view("<i4")[0])
    if dim <= 0 or len(raw) % (dim + 1) != 0:
        raise ValueError("%s is not an fvecs file" % path)
    return raw.reshape(-1, dim + 1)[:, 1:]


def read_npz_member(path, name):
    """A matrix of an npz file as float32; mapped, not read, where it is stored as float32."""
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo(name + ".npy")
        with archive.open(info) as member:
            version = np.lib.format.read_magic(member)
            shape, fortran, dtype = read_npy_header(member, version)
            header = member.tell()
    if info.compress_type == zipfile.ZIP_STORED and dtype == np.float32 and not fortran:
        start = zip_data_offset(path, info) + header
        return np.memmap(path, dtype=dtype, mode="r", offset=start, shape=shape)
    with np.load(path) as arrays:
        return np.ascontiguousarray(arrays[name], dtype=np.float32)


def read_npy_header(member, version):
    if version == (1, 0):
        return np.lib.format.read_array_header_1_0(member)
    return np.lib.format.read_array_header_2_0(member)


def zip_data_offset(path, info):
    """Where a stored member's bytes begin: after its local header, whose lengths may differ
    from those of the central directory."""
    with open(path, "rb") as f:
        f.seek(info.header_offset + 26)
        name_len, extra_len = struct.unpack("<HH", f.read(4))
    return info.header_offset + 30 + name_len + extra_len


def row_distances(x, q, metric):
    """Distances of the rows of x to q, both float64; NaN for a row that cosine cannot rank."""
    if metric == "l2":
        return np.sqrt(((x - q) ** 2).sum(axis=1))
    dot = x @ q
    if metric == "ip":
        return -dot
    with np.errstate(invalid="ignore", divide="ignore"):
        return 1.0 - dot / (np.linalg.norm(x, axis=1) * np.linalg.norm(q))


def exact_neighbours(data, k, cache_dir):
    """(ids, distances), both queries x k, distances ascending and float64. Cached in cache_dir."""
    path = os.path.join(cache_dir, "truth-%s-k%d.npz" % (data.key(), k))
    if os.path.exists(path):
        with np.load(path) as cached:
            return cached["ids"], cached["distances"]
    ids, distances = compute_neighbours(data, k)
    part = path + ".part.npz"
    np.savez(part, ids=ids, distances=distances)
    os.replace(part, path)
    return ids, distances


def compute_neighbours(data, k):
    """Two passes: float32 matrix products keep every row that rounding leaves in doubt, then
    float64 ranks those rows."""
    k = min(k, data.rows)
    scores = TopScores(data, k)
    step = max(1000, 200_000_000 // max(4 * len(data.queries), 4 * data.dim))
    for start in range(0, data.rows, step):
        scores.add(start, np.asarray(data.base[start:start + step]))
    ids = np.full((len(data.queries), k), -1, np.int64)
    distances = np.full((len(data.queries), k), np.inf)
    for q, candidates in enumerate(scores.ids):
        exact = data.distances(q, candidates)
        exact[np.isnan(exact)] = np.inf
        order = np.lexsort((candidates, exact))[:k]
        ids[q, :len(order)] = candidates[order]
        distances[q, :len(order)] = exact[order]
    ids[np.isinf(distances)] = -1
    return ids, distances


class TopScores:
    """Per query, the rows whose float32 score lies within rounding error of the k best so far.

    The error allowed is four times that of a sum whose roundings are independent.
    """

    def __init__(self, data, k):
        self.metric = data.metric
        self.k = k
        self.queries = unit_rows(data.queries) if data.metric == "cosine" else data.queries
        norms = np.linalg.norm(self.queries.astype(np.float64), axis=1)
        self.query_norm = norms
        self.unit_error = 4 * np.finfo(np.float32).eps * np.sqrt(data.dim)
        self.slack = np.zeros(len(norms))
        self.ids = [np.empty(0, np.int64) for _ in norms]
        self.scores = [np.empty(0, np.float32) for _ in norms]

    def add(self, start, block):
        """Merges the scores of rows start, start + 1, ..."""
        if self.metric == "cosine":
            block = unit_rows(block)
        norm2 = np.einsum("ij,ij->i", block, block)
        largest = float(np.sqrt(norm2.max(initial=0)))
        scores = self.queries @ block.T
        np.negative(scores, out=scores)
        if self.metric == "l2":
            scores *= 2
            scores += norm2
        if self.metric == "cosine":
            scores[:, norm2 == 0] = np.inf
        error = self.unit_error * largest * (largest + 2 * self.query_norm)
        self.slack = np.maximum(self.slack, error)
        for q in range(len(scores)):
            self.merge(q, start, scores[q])

    def merge(self, q, start, row):
        near = np.arange(len(row))
        if len(row) > self.k:
            bound = np.partition(row, self.k - 1)[self.k - 1]
            near = np.nonzero(row <= bound + 2 * self.slack[q])[0]
        ids = np.concatenate((self.ids[q], near + start))
        scores = np.concatenate((self.scores[q], row[near]))
        if len(scores) > self.k:
            bound = np.partition(scores, self.k - 1)[self.k - 1]
            kept = scores <= bound + 2 * self.slack[q]
            ids, scores = ids[kept], scores[kept]
        self.ids[q], self.scores[q] = ids, scores


def unit_rows(x):
    """Rows scaled to length one; a zero row stays zero."""
    norms = np.linalg.norm(x, axis=1, keepdims=True)
    norms[norms == 0] = 1
    return x / norms


def recall(data, truth, returned, k):
    """Mean share of the k best that each query's returned row numbers hold, ties counted.

    A returned row is right when its own true distance does not exceed the k-th true one.
    A row returned twice counts once; rows beyond the k-th returned do not count.
    """
    _, distances = truth
    total = 0.0
    for q, ids in enumerate(returned):
        finite = distances[q][np.isfinite(distances[q])]
        if len(finite) == 0:
            total += 1.0
            continue
        bound = finite[-1] + REL_TOLERANCE * abs(finite[-1]) + ABS_TOLERANCE
        unique = np.unique(np.asarray(ids[:k], dtype=np.int64))
        right = np.count_nonzero(data.distances(q, unique) <= bound) if len(unique) else 0
        total += min(right, len(finite)) / len(finite)
    return total / len(returned)
