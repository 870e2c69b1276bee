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

import cold
import contenders
import dataset
import figures
import picture
import plot
import report
import server
import writes


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

    def test_of_a_part_of_the_rows(self):
        base = self.random.standard_normal((500, 9)).astype(np.float32)
        part = dataset.DataSet(self.save(base, base[:5]), "l2").subset(np.arange(0, 500, 3))
        ids, distances = dataset.compute_neighbours(part, 10)
        np.testing.assert_allclose(distances, brute_force(part, 10), rtol=1e-9, atol=1e-12)
        self.assertEqual((part.rows, ids[0, 0], ids[3, 0]), (167, 0, 1))

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


def point(recall, qps, clients=1, **more):
    return {"label": "vecidx", "knob": "ef", "clients": clients, "recall": recall, "qps": qps,
            "auto": False, "planner": True, "short": 0, "p50": None, "p95": None, "p99": None, **more}


def result(label, points, floor_qps=None):
    floor = {"1": point(None, floor_qps)} if floor_qps else {}
    return {"label": label, "points": points, "floor": floor, "cold": [], "options": {},
            "build": {"seconds": 2.0, "peak_bytes": None, "index_bytes": 3 << 20}}


class Latencies(WithFolder):
    def test_all_logs_of_a_run_are_read(self):
        for name, lines in (("log.7", "0 1 20 0 1700000000 5\n0 2 30 0 1700000000 6\n"),
                            ("log.7.1", "1 1 40 0 1700000000 7\n")):
            with open(self.path(name), "w") as f:
                f.write(lines)
        found = server.read_latencies([self.path("log.7"), self.path("log.7.1")])
        self.assertEqual(found.tolist(), [20, 30, 40])

    def test_percentiles(self):
        self.assertEqual(figures.percentiles(np.arange(101)), {"p50": 50.0, "p95": 95.0, "p99": 99.0})
        self.assertEqual(figures.percentiles([]), {"p50": None, "p95": None, "p99": None})


class Curves(unittest.TestCase):
    CURVE = [point(0.90, 1000), point(0.99, 100), point(0.95, 90), point(0.85, 900)]

    def test_front_leaves_out_what_another_point_beats(self):
        self.assertEqual([p["recall"] for p in figures.front(self.CURVE)], [0.90, 0.99])

    def test_between_two_points(self):
        # 1 - recall and queries/s both fall tenfold along the line, so they fall together
        found = figures.at_recall(self.CURVE, 0.98)
        self.assertAlmostEqual(found["qps"], 200)
        self.assertEqual(found["between"], [0.90, 0.99])

    def test_at_below_and_above_what_was_measured(self):
        self.assertEqual(figures.at_recall(self.CURVE, 0.99), {"qps": 100, "between": [0.99, 0.99]})
        self.assertEqual(figures.at_recall(self.CURVE, 0.80), {"qps": 1000, "between": [0.90, 0.90]})
        self.assertEqual(figures.at_recall(self.CURVE, 0.995), {"qps": None, "reaches": 0.99})
        self.assertEqual(figures.at_recall([], 0.9), {"qps": None, "reaches": None})


class Ratios(unittest.TestCase):
    RESULTS = [result("vecidx", [point(0.95, 10_000)], 50_000),
               result("pgvector(m=24)", [point(0.95, 2_000), point(0.96, 9_000, short=1)], 50_000),
               result("hnswlib", [point(0.95, 20_000)])]

    def test_time_above_the_floor_is_compared_with_all_of_hnswlibs(self):
        ours, theirs, _ = figures.compare(self.RESULTS, [0.95])
        self.assertAlmostEqual(ours["us"], 100)
        self.assertAlmostEqual(ours["net_us"], 80)
        self.assertAlmostEqual(ours["qps_to_pgvector"], 5)
        self.assertAlmostEqual(ours["net_to_pgvector"], 480 / 80)
        self.assertAlmostEqual(ours["qps_to_hnswlib"], 0.5)
        self.assertAlmostEqual(ours["net_to_hnswlib"], 50 / 80)
        self.assertAlmostEqual(theirs["qps_to_pgvector"], 1)

    def test_a_level_out_of_reach_has_no_ratio(self):
        ours, theirs, _ = figures.compare(self.RESULTS, [0.96])
        self.assertEqual([r["reaches"] for r in (ours, theirs)], [0.95, 0.95])
        self.assertIsNone(ours["qps_to_pgvector"])
        self.assertIn("not reached, only 0.9500", "\n".join(report.ratio_table([ours, theirs])))

    def test_several_clients_over_one(self):
        points = [point(0.95, 1000), point(0.95, 1900, clients=2)]
        self.assertIsNone(report.over_one_client(points[0], points))
        self.assertAlmostEqual(report.over_one_client(points[1], points), 1.9)

    def test_growth(self):
        large = [result("vecidx", [point(0.95, 5_000)], 50_000)]
        grown = figures.growth([(1000, self.RESULTS), (9000, large)], [0.95])
        ours = grown[0]
        self.assertEqual((ours["label"], ours["rows"]), ("vecidx", [1000, 9000]))
        self.assertAlmostEqual(ours["growth"], 180 / 80)
        self.assertIsNone(grown[1]["growth"])
        self.assertIn("2.25", report.scale_table(grown)[1])


class Writes(unittest.TestCase):
    def test_advantage_is_above_one_where_better(self):
        self.assertEqual(figures.advantage(300, 100, "more"), 3)
        self.assertEqual(figures.advantage(20, 80, "less"), 4)
        for value, reference, better in ((1, 2, None), (None, 2, "less"), (1, 0, "more")):
            self.assertIsNone(figures.advantage(value, reference, better))

    def test_positions_among_the_rows_present(self):
        present = np.array([2, 3, 7])
        self.assertEqual(writes.positions(present, np.array([7, 2])).tolist(), [2, 0])
        for absent in (4, 8):
            with self.assertRaises(server.ServerError):
                writes.positions(present, np.array([2, absent]))

    def test_table(self):
        ours = [report.Measure("build", "s", "less", 2.0), report.Measure("recall", "share", None, 0.95),
                report.Measure("nodes", "nodes", None, 7)]
        theirs = [report.Measure("build", "s", "less", 5.0), report.Measure("recall", "share", None, 0.97)]
        lines = report.measure_table([{"label": "vecidx", "measures": ours}, {"label": "pgvector(m=8)", "measures": theirs}])
        self.assertEqual([line.split() for line in lines[1:4]], [
            ["build", "2.00", "s", "2.50", "5.00", "s", "1.00"], ["recall", "0.9500", "0.9700"], ["nodes", "7"]])


class ColdPages(WithFolder):
    BLOCK = 8192

    def index_file(self, kinds):
        """A file with a page of each kind, and last one that was never written."""
        with open(self.path("index"), "wb") as f:
            for kind in kinds:
                f.write(bytes(self.BLOCK - 8) + struct.pack("<IHH", 3, kind, cold.PAGE_ID))
            f.write(bytes(self.BLOCK))
        return self.path("index")

    def test_pages_are_told_apart_by_their_tails(self):
        path = self.index_file([1, 4, 7, 7, 5])
        self.assertEqual(cold.chosen_blocks(path, self.BLOCK, cold.DROPPED["rerank"]).tolist(),
                         [False, False, True, True, False, False])
        self.assertTrue(cold.chosen_blocks(path, self.BLOCK, cold.DROPPED["all"]).all())

    def test_what_was_just_written_is_in_memory(self):
        resident = cold.resident_bytes(self.index_file([7] * 9), self.BLOCK)
        self.assertEqual(resident.tolist(), [self.BLOCK] * 10)

    def test_segments_follow_each_other(self):
        for name in ("5", "5.1", "5.2", "5.4"):
            open(self.path(name), "w").close()
        self.assertEqual(cold.segments(self.path("5")), [self.path(n) for n in ("5", "5.1", "5.2")])


class Picture(WithFolder):
    DATA = {"name": "a<b", "rows": 1000, "dim": 8, "metric": "l2", "queries": 3, "k": 10}

    def runs(self):
        """Two data sets, the second measured in two runs."""
        ours = [point(0.2, 900), point(0.97, 700), point(1.0, 500), point(0.96, 800, auto=True, knob="target 0.95")]
        other = dict(self.DATA, rows=2000)
        return [{"data": self.DATA, "results": [result("vecidx", ours, 50_000)]},
                {"data": other, "results": [result("hnswlib", ours[:2])]},
                {"data": other, "results": [result("vecidx", ours[:3], 50_000),
                                            result("pgvector", [point(0.99, 100)], 50_000)]}]

    def test_shows_every_point_and_an_engine_always_alike(self):
        sets = picture.merge(self.runs())
        plot.write_plot(self.path("p.svg"), picture.panels(sets, 1))
        svg = xml.dom.minidom.parse(self.path("p.svg"))
        shown = [(t.firstChild.data.split(",")[0], t.parentNode) for t in svg.getElementsByTagName("title")]
        self.assertEqual(len(shown), 4 + 2 + 3 + 1)
        ours = [mark for label, mark in shown if label == "vecidx"]
        self.assertEqual({mark.getAttribute("fill") for mark in ours} - {"white"}, {plot.COLOURS[0]})
        self.assertEqual([mark.getAttribute("fill") for mark in ours].count("white"), 1)

    def test_table(self):
        sets = picture.merge(self.runs())
        rows = [line.strip("| ").split(" | ") for line in picture.markdown(sets, 1, [0.97])]
        self.assertEqual(rows[2], ["a<b, 1,000 × 8, L2", "vecidx", "2", "3", "0.960 (default settings)",
                                   "800", "1250", "1230", "-"])
        self.assertEqual([r[-1] for r in rows[4:]], ["7.0", "7.0", "1.0"])

    def test_clients_that_were_not_measured(self):
        with self.assertRaises(ValueError):
            picture.panels(picture.merge(self.runs()), 3)


if __name__ == "__main__":
    unittest.main()
