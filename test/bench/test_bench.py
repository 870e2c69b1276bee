#!/usr/bin/python3
"""Checks of the benchmark's own arithmetic, without a server: test_bench.py"""
import os
import struct
import sys
import tempfile
import unittest
import xml.dom.minidom

import numpy as np

sys.dont_write_bytecode = True

import contenders
import dataset
import plot
import server


def brute_force(data, k):
    """The k smallest distances per query, straight from the definition."""
    base, out = np.asarray(data.base, np.float64), []
    for query in data.queries.astype(np.float64):
        d = dataset.row_distances(base, query, data.metric)
        out.append(np.sort(d[~np.isnan(d)])[:k])
    return np.array(out)


class WithFolder(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.random = np.random.default_rng(1)

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def save(self, base, queries, save=np.savez):
        save(self.path("x.npz"), base=base, queries=queries)
        return self.path("x.npz")


class Reading(WithFolder):
    def test_npz_of_float32_is_mapped(self):
        base = self.random.standard_normal((50, 7)).astype(np.float32)
        data = dataset.DataSet(self.save(base, base[:3]), "l2")
        self.assertIsInstance(data.base, np.memmap)
        np.testing.assert_array_equal(data.base, base)

    def test_other_types_become_float32(self):
        base = self.random.integers(0, 256, (50, 7), dtype=np.uint8)
        for save in (np.savez, np.savez_compressed):
            data = dataset.DataSet(self.save(base, base[:3].astype(np.float16), save), "l2", rows=20)
            self.assertEqual((data.base.dtype, data.queries.dtype), (np.float32, np.float32))
            np.testing.assert_array_equal(data.base, base[:20])

    def test_fvecs(self):
        base = self.random.standard_normal((9, 5)).astype("<f4")
        for name, rows in (("b", base), ("q", base[:2])):
            with open(self.path(name), "wb") as f:
                for row in rows:
                    f.write(struct.pack("<i", 5) + row.tobytes())
        data = dataset.DataSet(self.path("b") + "," + self.path("q"), "ip")
        np.testing.assert_array_equal(data.base, base)
        np.testing.assert_array_equal(data.queries, base[:2])


class Truth(WithFolder):
    def check(self, base, queries, metric):
        data = dataset.DataSet(self.save(base, queries), metric)
        _, distances = dataset.exact_neighbours(data, 10, self.folder.name)
        np.testing.assert_allclose(distances, brute_force(data, 10), rtol=1e-9, atol=1e-12)
        return data

    def test_every_metric_equals_brute_force(self):
        base = (self.random.standard_normal((3000, 33)) + 3).astype(np.float32)
        queries = (self.random.standard_normal((20, 33)) + 3).astype(np.float32)
        for metric in dataset.METRICS:
            self.check(base, queries, metric)

    def test_rows_that_float32_products_cannot_separate(self):
        base = (1000 + 1e-2 * self.random.standard_normal((2000, 16))).astype(np.float32)
        self.check(base, base[:10] + np.float32(1e-3), "l2")

    def test_zero_rows_have_no_cosine_distance(self):
        base = self.random.standard_normal((40, 4)).astype(np.float32)
        base[5:] = 0
        data = dataset.DataSet(self.save(base, base[:2]), "cosine")
        ids, distances = dataset.exact_neighbours(data, 10, self.folder.name)
        self.assertEqual(np.isfinite(distances).sum(), 10)
        self.assertEqual(dataset.recall(data, (ids, distances), [range(5), range(5)], 10), 1.0)


class Recall(WithFolder):
    def setUp(self):
        super().setUp()
        base = np.repeat(np.arange(10, dtype=np.float32), 2)[:, None]
        self.data = dataset.DataSet(self.save(base, np.zeros((1, 1), np.float32)), "l2")
        self.truth = dataset.exact_neighbours(self.data, 3, self.folder.name)

    def of(self, ids):
        return dataset.recall(self.data, self.truth, [ids], 3)

    def test_either_of_two_equal_rows_is_right(self):
        self.assertEqual(self.of([0, 1, 2]), 1.0)
        self.assertEqual(self.of([3, 0, 1]), 1.0)

    def test_wrong_missing_and_repeated_rows_count_nothing(self):
        self.assertAlmostEqual(self.of([0, 1, 4]), 2 / 3)
        self.assertAlmostEqual(self.of([0, 1]), 2 / 3)
        self.assertAlmostEqual(self.of([0, 0, 0]), 1 / 3)
        self.assertEqual(self.of([]), 0.0)

    def test_rows_beyond_k_count_nothing(self):
        self.assertAlmostEqual(self.of([8, 9, 10, 0, 1, 2]), 0.0)


class Copy(unittest.TestCase):
    ROWS = np.array([[1.5, -2.0], [0.25, 3.0]], np.float32)

    def test_real_array(self):
        want = b"PGCOPY\n\xff\r\n\0" + bytes(8)
        for i, row in enumerate(self.ROWS, 1):
            array = struct.pack(">iiiii", 1, 0, 700, 2, 1)
            array += b"".join(struct.pack(">if", 4, x) for x in row)
            want += struct.pack(">hiii", 2, 4, i, len(array)) + array
        self.assertEqual(b"".join(map(bytes, server.copy_chunks(self.ROWS, "real[]"))),
                         want + b"\xff\xff")

    def test_vector(self):
        want = b"PGCOPY\n\xff\r\n\0" + bytes(8)
        for i, row in enumerate(self.ROWS, 1):
            want += struct.pack(">hiii", 2, 4, i, 12) + struct.pack(">hhff", 2, 0, *row)
        self.assertEqual(b"".join(map(bytes, server.copy_chunks(self.ROWS, "vector"))),
                         want + b"\xff\xff")


class Contenders(unittest.TestCase):
    def test_options_reach_the_with_clause(self):
        contender = contenders.make_contender("pgvector(m=24)")
        self.assertEqual(contender.create_sql("i", "t", "cosine"),
                         "CREATE INDEX i ON t USING hnsw (v vector_cosine_ops)"
                         " WITH (m = 24, ef_construction = 64);")

    def test_ours_has_no_options_by_default(self):
        contender = contenders.make_contender("vecidx")
        self.assertEqual(contender.create_sql("i", "t", "l2"),
                         "CREATE INDEX i ON t USING vecidx (v real_l2_ops);")

    def test_unknown_name(self):
        with self.assertRaises(ValueError):
            contenders.make_contender("none")


class Plot(WithFolder):
    def test_is_well_formed_and_shows_every_point(self):
        points = [{"label": "a<b", "clients": c, "recall": r, "qps": 100 * c, "auto": r == 1, "knob": "ef"}
                  for c in (1, 2) for r in (0.2, 0.9, 1.0)]
        plot.write_plot(self.path("p.svg"), "title & more", points)
        svg = xml.dom.minidom.parse(self.path("p.svg"))
        self.assertEqual(len(svg.getElementsByTagName("circle")), 6)


if __name__ == "__main__":
    unittest.main()
