#!/usr/bin/python3
"""Filtered search: recall and latency from all rows passing to one in ten thousand.

Three correlations of the filter with the query: none; what passes is what lies nearest to a place
beside the queries; what passes is what lies farthest from it. Four ways to the nearest rows that
pass: vecidx with the filter's column in the index; pgvector's hnsw with iterative scans; all rows
that pass, by a btree, sorted; and, as a measure, vecidx without any filter.
"""
import argparse
import json
import os
import sys

import numpy as np

sys.dont_write_bytecode = True  # no __pycache__ in the source tree

import dataset
import filters_plot
from contenders import OPERATORS
from server import SCHEMA, Cluster, Database, stop_on_signals

SHARES = (1.0, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.003, 0.001, 0.0001)
CORRELATIONS = ("none", "near", "far")
WAYS = ("vecidx", "pgvector", "btree", "unfiltered")
# what makes the planner take a way: in a table of its own, where one index can be meant only
SETTINGS = {
    "vecidx": {"enable_seqscan": "off", "enable_sort": "off", "enable_bitmapscan": "off"},
    "pgvector": {"enable_seqscan": "off", "enable_sort": "off", "enable_bitmapscan": "off",
                 "hnsw.iterative_scan": "relaxed_order", "hnsw.ef_search": 100,
                 "hnsw.max_scan_tuples": 2147483647, "hnsw.scan_mem_multiplier": 100},
    "btree": {"enable_seqscan": "off", "enable_indexscan": "off"},
}
SETTINGS["unfiltered"] = SETTINGS["vecidx"]
CHUNK = 4096                    # rows that fit the processor's cache
TABLES = {"vecidx": "with_vecidx", "unfiltered": "with_vecidx", "pgvector": "with_others",
          "btree": "with_others"}


def main():
    options = parse_arguments()
    stop_on_signals()
    os.makedirs(options.out, exist_ok=True)
    data = dataset.DataSet(options.data, options.metric, options.rows, None)
    sample = Sample(data, options.queries)
    results = measure_all(options, data, sample)
    with open(os.path.join(options.out, "filters.json"), "w") as f:
        json.dump(results, f, indent=1)
    write_table(os.path.join(options.out, "filters.md"), data, results)
    filters_plot.write(os.path.join(options.out, "filters.svg"), results, options.k[0])


def parse_arguments():
    parser = argparse.ArgumentParser(description="Recall and latency of filtered search.")
    add = parser.add_argument
    add("--data", required=True, help="file.npz (base, queries) or base.fvecs,query.fvecs")
    add("--metric", required=True, choices=dataset.METRICS)
    add("--rows", type=int, help="use only the first ROWS rows of the base")
    add("--queries", type=int, default=50, help="default %(default)s")
    add("--k", type=number_list(int), default=[10, 100], help="rows a query, comma separated")
    add("--share", type=number_list(float), default=list(SHARES), help="of rows that pass")
    add("--ways", type=number_list(str), default=list(WAYS))
    add("--seconds", type=float, default=10, help="for a cell; five queries are asked at least")
    add("--build-workers", type=int, default=1, help="of the builds, besides the leader")
    add("--out", default="bench-out", help="folder for results")
    add("--cluster", metavar="DIR", help="keep the cluster and its indexes here for further runs")
    add("--work-dir", default="/var/tmp", help="where a throw-away cluster goes")
    add("--set", action="append", default=[], metavar="NAME=VALUE", help="session setting")
    return parser.parse_args()


def number_list(kind):
    def parse(text):
        return [kind(word) for word in text.split(",") if word]
    parse.__name__ = "list"
    return parse


def say(message):
    print(message, flush=True)


def distances_to_all(data, queries):
    """float64, queries x rows, some rows at a time."""
    distances = np.empty((len(queries), data.rows))
    for start in range(0, data.rows, CHUNK):
        rows = data.base[start:start + CHUNK].astype(np.float64)
        for i, query in enumerate(queries.astype(np.float64)):
            distances[i, start:start + CHUNK] = dataset.row_distances(rows, query, data.metric)
    return distances


class Sample:
    """The queries, those nearest to one of the rows, and for each row two numbers to filter by."""

    def __init__(self, data, count):
        generator = np.random.default_rng(7)
        anchor = data.base[generator.integers(data.rows)].astype(np.float64)
        near = np.argsort(dataset.row_distances(data.queries.astype(np.float64), anchor, data.metric))
        self.queries = data.queries[near[:count]]
        self.chance = generator.permutation(data.rows)
        order = np.argsort(distances_to_all(data, anchor[None])[0], kind="stable")
        self.rank = np.empty(data.rows, np.int64)
        self.rank[order] = np.arange(data.rows)
        self.distances = distances_to_all(data, self.queries)

    def condition(self, correlation, share, rows):
        """(SQL, mask of rows)"""
        count = max(1, round(share * rows))
        if correlation == "none":
            return "chance < %d" % count, self.chance < count
        if correlation == "near":
            return "rank < %d" % count, self.rank < count
        return "rank >= %d" % (rows - count), self.rank >= rows - count

    def recall(self, query, found, mask, k):
        """The share of the k nearest that was found; by distance, so that ties count."""
        distances = np.where(mask, self.distances[query], np.inf)
        wanted = min(k, int(mask.sum()))
        limit = np.partition(distances, wanted - 1)[wanted - 1]
        limit += abs(limit) * dataset.REL_TOLERANCE + dataset.ABS_TOLERANCE
        if not mask[found].all():
            raise ValueError("a row that does not pass was returned")
        return min(wanted, int((distances[found] <= limit).sum())) / wanted


# ---------------------------------------------------------------- the server

def measure_all(options, data, sample):
    cluster = Cluster(options.cluster, options.work_dir, server_settings(data, options.build_workers))
    cluster.start()
    try:
        database = Database(cluster.dsn, cluster)
        if not prepared(database):
            prepare(database, data, sample, options)
        load_queries(database, sample)
        return [cell(database, options, data, sample, *what)
                for k in options.k for what in cells(options, k)]
    finally:
        cluster.close()


def server_settings(data, build_workers=1):
    size = data.rows * data.dim * 4 >> 20
    return {"max_parallel_maintenance_workers": build_workers, "max_parallel_workers": build_workers,
            "max_worker_processes": 8 + build_workers, "shared_buffers": "%dMB" % (256 + 6 * size), "fsync": "off", "autovacuum": "off",
            "maintenance_work_mem": "%dMB" % (256 + 3 * size), "jit": "off", "max_wal_size": "16GB"}


def prepared(database):
    return database.value("SELECT to_regclass('%s.with_others_chance') IS NOT NULL" % SCHEMA) == "t"


def prepare(database, data, sample, options):
    for extension in ("vecidx_pgvector", "vector"):
        if not database.has_extension(extension):
            raise SystemExit("extension %s is needed" % extension)
    database.psql("DROP SCHEMA IF EXISTS %s CASCADE; CREATE SCHEMA %s" % (SCHEMA, SCHEMA))
    database.load("loaded", data.base, "vector")
    rows = ["%d\t%d\t%d" % (i + 1, c, r) for i, (c, r) in enumerate(zip(sample.chance, sample.rank))]
    database.psql("CREATE TABLE numbers (id int, chance int, rank int);\nCOPY numbers FROM STDIN;\n"
                  + "\n".join(rows) + "\n\\.\n")
    for table in ("with_vecidx", "with_others"):
        database.psql("CREATE TABLE %s AS SELECT id, v, chance, rank FROM loaded JOIN numbers USING (id)"
                      " ORDER BY id; VACUUM ANALYZE %s" % (table, table))
    operators = "vector_%s_ops" % options.metric
    say("vecidx: %s" % build(database, "with_vecidx USING vecidx (v %s, chance, rank)" % operators))
    if "pgvector" in options.ways:
        say("pgvector: %s" % build(database, "with_others USING hnsw (v %s)" % operators))
    for column in ("rank", "chance"):
        database.psql("CREATE INDEX with_others_%s ON with_others (%s)" % (column, column))


def build(database, what):
    return database.psql("\\timing on\nCREATE INDEX ON " + what).strip()


def load_queries(database, sample):
    rows = ["%d\t[%s]" % (i, ",".join(map(repr, q.tolist()))) for i, q in enumerate(sample.queries)]
    database.psql("DROP TABLE IF EXISTS queries; CREATE TABLE queries (n int, q vector(%d));\n"
                  "COPY queries FROM STDIN;\n%s\n\\.\n" % (sample.queries.shape[1], "\n".join(rows)))


# ---------------------------------------------------------------- one cell

def cells(options, k):
    for correlation in CORRELATIONS:
        for share in options.share:
            for way in options.ways:
                if way != "unfiltered" or (correlation == "none" and share == options.share[0]):
                    yield k, correlation, share, way


# Each query once to warm up, then the fastest of three, which leaves out what others did to the machine; of
# one if it is slow, or of none before. When the time of a cell is up, the queries asked so far have to do.
# Beside each, the same query without the filter is timed in the same way: machines change their speed from
# one minute to the next.
FUNCTION = """
DROP FUNCTION IF EXISTS ask();
CREATE FUNCTION ask() RETURNS TABLE (n int, micros float8, ids int[], how text, beside float8) LANGUAGE plpgsql AS $$
DECLARE
    asked record;
    begun timestamptz;
    took float8;
    other int[];
    first timestamptz := clock_timestamp();
BEGIN
    FOR asked IN SELECT * FROM queries ORDER BY queries.n LOOP
        n := asked.n;
        micros := 'infinity';
        beside := 'infinity';
        FOR i IN 0..3 LOOP
            IF %(compared)s THEN
                begun := clock_timestamp();
                other := array(SELECT id FROM %(table)s ORDER BY v %(operator)s asked.q LIMIT %(k)d);
                took := 1e6 * extract(epoch FROM clock_timestamp() - begun);
                beside := CASE i WHEN 0 THEN beside ELSE least(beside, took) END;
            END IF;
            begun := clock_timestamp();
            ids := array(SELECT id FROM %(table)s WHERE %(condition)s ORDER BY v %(operator)s asked.q LIMIT %(k)d);
            took := 1e6 * extract(epoch FROM clock_timestamp() - begun);
            IF i > 0 OR took > 200000 THEN
                micros := least(micros, took);
            END IF;
            EXIT WHEN took > CASE i WHEN 0 THEN 200000 ELSE 20000 END;
        END LOOP;
        how := (SELECT strategy FROM vecidx_last_scan());
        RETURN NEXT;
        EXIT WHEN clock_timestamp() > first + %(seconds)g * interval '1 second' AND n >= 4;
    END LOOP;
END $$;
SELECT n, micros, array_to_string(ids, ','), how, beside FROM ask();
"""


def cell(database, options, data, sample, k, correlation, share, way):
    condition, mask = sample.condition(correlation, share, data.rows)
    if way == "unfiltered":
        condition, mask = "true", np.ones(data.rows, bool)
    settings = {**SETTINGS[way], "plan_cache_mode": "force_generic_plan",
                **dict(text.split("=", 1) for text in options.set)}
    output = database.psql(FUNCTION % {"table": TABLES[way], "condition": condition, "k": k,
                                       "seconds": options.seconds,
                                       "compared": "true" if way == "vecidx" else "false",
                                       "operator": OPERATORS[data.metric]}, settings)
    micros, recalls, rows, how, beside = [], [], [], [], []
    for line in output.splitlines():
        query, time, ids, strategy, other = line.split("|")
        found = np.array([int(i) - 1 for i in ids.split(",") if i], np.int64)
        micros.append(float(time))
        rows.append(len(found))
        recalls.append(sample.recall(int(query), found, mask, k))
        how.append(strategy)
        beside.append(float(other))
    result = {"k": k, "correlation": correlation, "share": share, "way": way,
              "queries": len(rows), "recall": float(np.mean(recalls)), "rows": float(np.mean(rows)),
              "p50": float(np.percentile(micros, 50)), "p95": float(np.percentile(micros, 95)),
              "how": max(set(how), key=how.count) if way in ("vecidx", "unfiltered") else ""}
    if way == "vecidx":
        result["beside_p50"], result["beside_p95"] = np.percentile(beside, 50), np.percentile(beside, 95)
    say("k %(k)d, %(correlation)s, %(share)g, %(way)s: recall %(recall).3f, rows %(rows).1f,"
        " p50 %(p50).0f us, p95 %(p95).0f us %(how)s" % result)
    return result


def write_table(path, data, results):
    lines = ["%s, %d rows, %d dimensions, %s" % (data.name(), data.rows, data.dim, data.metric), "",
             "| k | correlation | passing | way | recall | rows | p50 µs | p95 µs | without filter, p50 | p95 | |",
             "|---|---|---|---|---|---|---|---|---|---|---|"]
    for r in results:
        beside = "%.0f | %.0f" % (r["beside_p50"], r["beside_p95"]) if "beside_p50" in r else " | "
        lines.append("| %d | %s | %g %% | %s | %.3f | %.1f | %.0f | %.0f | %s | %s |"
                     % (r["k"], r["correlation"], 100 * r["share"], r["way"], r["recall"], r["rows"],
                        r["p50"], r["p95"], beside, r["how"]))
    with open(path, "w") as f:
        f.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
