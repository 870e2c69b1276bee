#!/usr/bin/python3
"""Recall against speed of vector indexes in PostgreSQL: see README.md beside this file."""
import argparse
import json
import os
import subprocess
import sys
import tempfile

import numpy as np

sys.dont_write_bytecode = True  # no __pycache__ in the source tree

import cold
import dataset
import figures
import memory
import report
from contenders import HnswlibContender, OPERATORS, make_contender
from server import SCHEMA, Cluster, Database, ServerError, stop_on_signals, timed

HERE = os.path.dirname(os.path.abspath(__file__))
MB = 1 << 20
COLD_BUFFERS = 512              # shared_buffers in MB of a run with cold pages


def main():
    options = parse_arguments()
    stop_on_signals()
    contenders = [make_contender(text) for text in options.index]
    if not options.scale:
        run(options, contenders)
        return
    runs = []
    for rows in options.scale:
        folder = os.path.join(options.out, "rows-%d" % rows)
        runs.append((rows, run(argparse.Namespace(**{**vars(options), "rows": rows, "out": folder}),
                               contenders)))
    report.write_scale(options, runs)


def run(options, contenders):
    """Measures and reports one data set; returns the contenders' results."""
    os.makedirs(options.out, exist_ok=True)
    data = dataset.DataSet(options.data, options.metric, options.rows, options.queries)
    if options.rows is not None and data.rows < options.rows:
        raise ValueError("%s has only %d rows" % (options.data, data.rows))
    say("data: %s, %d rows, %d dimensions, %d queries, %s"
        % (data.name(), data.rows, data.dim, len(data.queries), data.metric))
    truth = dataset.exact_neighbours(data, options.k, options.out)
    results = measure_all(options, data, truth, contenders)
    report.write(options, data, results)
    return results


def parse_arguments():
    parser = argparse.ArgumentParser(
        description="Recall against queries per second of vector indexes in PostgreSQL.")
    add = parser.add_argument
    add("--data", required=True, help="file.npz (base, queries) or base.fvecs,query.fvecs")
    add("--metric", required=True, choices=dataset.METRICS)
    add("--index", action="append", required=True, metavar="NAME[(OPTION=VALUE,...)]",
        help="vecidx, vecidx-vector, pgvector or hnswlib; may be given several times")
    add_data_arguments(parser)
    add("--k", type=int, default=10, help="rows per query (default %(default)s)")
    add("--ef", type=number_list(int), default=[10, 20, 40, 80, 160, 320],
        help="search widths, comma separated")
    add("--target-recall", type=number_list(float), default=[0.90, 0.95, 0.99],
        help="vecidx.target_recall values tried with default settings (an empty list: none)")
    add("--at", type=number_list(float), default=[0.95, 0.99],
        help="recalls at which contenders are compared, comma separated")
    add("--cold", type=number_list(str), default=[], metavar="WHAT,...",
        help="besides, each query once with cold pages: rerank, all (or both)")
    add("--seconds", type=int, default=5, help="length of each timing (default %(default)s)")
    add("--repeat", type=int, default=1, help="timings per point, the fastest counts")
    add("--clients", type=number_list(int), default=[1], help="numbers of clients, comma separated")
    add("--pin", action="store_true", help="n clients and their backends share n processors")
    add("--out", default="bench-out", help="folder for results and exact neighbours")
    add_server_arguments(parser)
    options = parser.parse_args()
    check_arguments(parser, options)
    return options


def add_data_arguments(parser):
    add = parser.add_argument
    add("--rows", type=int, help="use only the first ROWS rows of the base")
    add("--scale", type=number_list(int), default=[],
        help="measure at each of these numbers of rows, and the growth between them")
    add("--queries", type=int, help="use only the first QUERIES queries")


def check_arguments(parser, options):
    if options.dsn is not None and (options.pin or options.cold):
        parser.error("--pin and --cold need a cluster of bench.py's own, not --dsn")
    if options.scale and options.rows is not None:
        parser.error("--scale says how many rows, so --rows cannot")
    if not set(options.cold) <= set(cold.DROPPED):
        parser.error("--cold: choose from " + ", ".join(cold.DROPPED))


def add_server_arguments(parser):
    add = parser.add_argument
    add("--dsn", help="measure a running server (in a schema %s, dropped at the end)" % SCHEMA)
    add("--cluster", metavar="DIR", help="keep the cluster and its indexes here for further runs")
    add("--rebuild", action="append", default=[], metavar="NAME", help="build again, though kept")
    add("--python", default=sys.executable, help="the interpreter that can import hnswlib")
    add_settings_arguments(parser)


def add_settings_arguments(parser):
    add = parser.add_argument
    add("--work-dir", default="/var/tmp", help="where a throw-away cluster goes")
    add("--shared-buffers", type=int, metavar="MB", help="default: enough for the largest index; 512 with --cold")
    add("--maintenance-work-mem", type=int, metavar="MB", help="default: enough for any build")
    add("--build-workers", type=int, default=0, help="parallel workers (hnswlib: further threads)")
    add("--set", action="append", default=[], metavar="NAME=VALUE", help="session setting")
    add("--server-set", action="append", default=[], metavar="NAME=VALUE", help="server setting")


def number_list(kind):
    def parse(text):
        return [kind(word) for word in text.split(",") if word]
    parse.__name__ = "list"
    return parse


def say(message):
    print(message, flush=True)


def pairs(texts):
    return dict(text.split("=", 1) for text in texts)


# ---------------------------------------------------------------- the server and its sizes

def index_estimate(data):
    """Bytes of the largest index expected: float4 rows as graph tuples on 8 kB pages."""
    per_page = max(1, 8100 // (4 * data.dim + 104))
    return data.rows * (8192 // per_page + 320)


def build_memory(options, data):
    """maintenance_work_mem in MB: the whole graph with its float4 rows, within half of memory."""
    need = int(1.3 * data.rows * (4 * data.dim + 700)) // MB + 64
    return options.maintenance_work_mem or min(need, memory.total_ram() // 2 // MB)


def server_settings(options, data):
    buffers = min(int(1.1 * index_estimate(data)) // MB + 256, memory.total_ram() // 2 // MB)
    if options.cold:
        buffers = COLD_BUFFERS
    return {"shared_buffers": "%dMB" % (options.shared_buffers or buffers), "huge_pages": "try",
            "jit": "off", "autovacuum": "off", "fsync": "off", "max_wal_size": "16GB",
            "checkpoint_timeout": "1h", **pairs(options.server_set)}


def measure_all(options, data, truth, contenders):
    """Measures each contender on a server that lives as long as this function."""
    cluster = None
    try:
        if options.dsn is None and any(not isinstance(c, HnswlibContender) for c in contenders):
            settings = server_settings(options, data)
            say("server: " + ", ".join("%s %s" % pair for pair in settings.items()))
            cluster = Cluster(options.cluster, options.work_dir, settings)
            cluster.start()
        dsn = options.dsn or (cluster.dsn if cluster else None)
        bench = Bench(options, data, truth, Database(dsn, cluster, options.pin) if dsn else None)
        return bench.run(contenders)
    finally:
        if cluster is not None:
            cluster.close()


# ---------------------------------------------------------------- measuring

class Bench:
    """One run: the same data, queries and settings for every contender."""

    def __init__(self, options, data, truth, database):
        self.options = options
        self.data = data
        self.truth = truth
        self.db = database
        self.session_settings = {"jit": "off", **pairs(options.set)}
        self.kept = options.cluster is not None
        self.loaded = None
        self.floors = {}

    def run(self, contenders):
        results = []
        try:
            self.prepare_schema()
            for contender in contenders:
                say("\n%s" % contender.label)
                if isinstance(contender, HnswlibContender):
                    result = self.run_hnswlib(contender)
                else:
                    result = self.run_sql(contender)
                if result is not None:
                    results.append(result)
        finally:
            if self.db is not None and self.options.dsn is not None:
                self.db.psql("DROP SCHEMA IF EXISTS %s CASCADE" % SCHEMA)
        return results

    def prepare_schema(self):
        if self.db is not None:
            exists = "IF NOT EXISTS " if self.kept else ""
            self.db.psql("CREATE SCHEMA %s%s" % (exists, SCHEMA))
            self.db.psql("CREATE TABLE IF NOT EXISTS %s.builds (index_name name PRIMARY KEY,"
                         " seconds float8, peak_bytes int8)" % SCHEMA)

    def run_sql(self, contender):
        if not self.db.has_extension(contender.extension):
            say("  skipped: extension %s is not installed" % contender.extension)
            return None
        items, queries = self.load(contender.sql_type)
        index = self.index_name(contender, items)
        build = self.build(contender, index, items)
        say("  build %s" % report.describe_build(build))
        knobs = contender.knobs(self.options.ef, self.options.target_recall)
        statement = search_statement(items, queries, self.data.metric, self.options.k)
        points = [p for knob in knobs for p in self.measure_point(index, statement, *knob)]
        cold_runs = self.measure_cold(index, {"search": statement, "queries": len(self.data.queries),
                                             "warm": reading(items, queries, self.data.metric)},
                                      knobs, points)
        if self.kept:
            self.db.psql("UPDATE pg_index SET indisvalid = false WHERE indexrelid = '%s'::regclass"
                         % index)
        else:
            self.db.psql("DROP INDEX %s" % index)
        return {"label": contender.label, "build": build, "points": points, "cold": cold_runs,
                "floor": self.floor(items, queries), "options": contender.with_options}

    def load(self, sql_type):
        """Table names of items and queries; loads them, and drops those of another type."""
        names = ["%s_%s_%s" % (what, self.data.key(), sql_type.strip("[]"))
                 for what in ("items", "queries")]
        if self.loaded not in (None, sql_type) and not self.kept:
            other = self.loaded.strip("[]")
            self.db.psql("DROP TABLE items_%s_%s, queries_%s_%s"
                         % (self.data.key(), other, self.data.key(), other))
        if self.db.value("SELECT to_regclass('%s') IS NULL" % names[1]) == "t":
            self.db.psql("DROP TABLE IF EXISTS %s" % names[0])
            self.db.load(names[0], self.data.base, sql_type)
            self.db.psql("ALTER TABLE %s SET (parallel_workers = %d)"
                         % (names[0], self.options.build_workers))
            self.db.load(names[1], self.data.queries, sql_type)
        self.loaded = sql_type
        return names

    def index_name(self, contender, items):
        options = "".join("_%s%s" % pair for pair in sorted(contender.with_options.items()))
        text = "%s_%s%s" % (items, contender.method, options)
        return "".join(c if c.isalnum() or c == "_" else "_" for c in text.lower())[:63]

    def build(self, contender, index, items):
        """Builds the index, or makes a kept one visible again; returns what it cost."""
        if contender.name in self.options.rebuild or contender.label in self.options.rebuild:
            self.db.psql("DROP INDEX IF EXISTS %s" % index)
        if self.db.value("SELECT to_regclass('%s') IS NULL" % index) == "t":
            self.create_index(contender, index, items)
        self.db.psql("UPDATE pg_index SET indisvalid = true WHERE indexrelid = '%s'::regclass"
                     " AND NOT indisvalid" % index)
        row = self.db.value("SELECT seconds, peak_bytes, pg_relation_size(index_name::text)"
                            " FROM builds WHERE index_name = '%s'" % index)
        seconds, peak, size = row.split("|")
        return {"seconds": float(seconds), "peak_bytes": int(peak) if peak else None,
                "index_bytes": int(size)}

    def create_index(self, contender, index, items):
        seconds, peak = watched_build(
            self.db, contender.create_sql(index, items, self.data.metric),
            {**self.session_settings, **build_settings(self.options, self.data)})
        self.db.psql("DELETE FROM builds WHERE index_name = '%s';"
                     "INSERT INTO builds VALUES ('%s', %f, %s); ANALYZE %s; CHECKPOINT"
                     % (index, index, seconds, "NULL" if peak is None else peak, items))

    def measure_point(self, index, statement, knob, settings, automatic):
        """Recall over all queries (which also warms the cache), then speed per client count."""
        settings = {**self.session_settings, **settings}
        chosen = plan_uses(self.db, index, statement, settings)
        settings["enable_seqscan"] = "off"
        if not plan_uses(self.db, index, statement, settings):
            raise ServerError("the planner does not use %s even without sequential scans" % index)
        returned = answers(self.db, statement, settings, len(self.data.queries))
        recall = dataset.recall(self.data, self.truth, returned, self.options.k)
        points = []
        for clients in self.options.clients:
            timing = self.timing(statement, settings, clients)
            points.append({"knob": knob, **timing, "recall": recall, "auto": automatic,
                           "planner": chosen,
                           "short": sum(len(r) < self.options.k for r in returned)})
            say_point(points[-1])
        return points

    def measure_cold(self, index, statement, knobs, points):
        """What the searches cost whose pages are not in memory, for each setting."""
        runs = []
        recalls = {p["knob"]: p["recall"] for p in points}
        for dropped in self.options.cold:
            files = cold.IndexFiles(self.db, index, dropped)
            if files.empty():
                say("  --cold %s skipped: no such pages" % dropped)
                continue
            for knob, settings, _ in knobs:
                settings = {**self.session_settings, **settings, "enable_seqscan": "off"}
                runs.append({"knob": knob, "recall": recalls[knob],
                             **cold.run(files, statement, settings)})
                say("  %-12s %s cold: p50 %.0f µs, again %.0f µs" % (
                    knob, dropped, runs[-1]["cold"]["p50"], runs[-1]["again"]["p50"]))
        return runs

    def floor(self, items, queries):
        """The same round trip with a primary-key look-up instead, by number of clients."""
        statement = ("SELECT id FROM %s WHERE id = (SELECT id FROM %s WHERE id = {q})"
                     % (items, queries))
        if items not in self.floors:
            self.floors[items] = {str(c): self.timing(statement, self.session_settings, c)
                                  for c in self.options.clients}
        return self.floors[items]

    def timing(self, statement, settings, clients):
        """Queries/s and percentiles of the fastest of the repeats: the one that was disturbed least."""
        script = "\\set q random(1, %d)\n%s;\n" % (len(self.data.queries), statement.format(q=":q"))
        runs = [self.db.pgbench(script, settings, clients, ["-T", str(self.options.seconds)])
                for _ in range(self.options.repeat)]
        rate, micros = max(runs, key=lambda run: run[0])
        return {"clients": clients, "qps": rate, **figures.percentiles(micros)}

    # ------------------------------------------------------------ hnswlib

    def run_hnswlib(self, contender):
        can_import = subprocess.run([self.options.python, "-c", "import hnswlib, numpy"],
                                    stderr=subprocess.DEVNULL)
        if can_import.returncode != 0:
            say("  skipped: %s cannot import hnswlib" % self.options.python)
            return None
        with tempfile.TemporaryDirectory() as folder:
            build, answer = self.converse(contender, folder)
            points = [p for point in answer["points"] for p in self.hnswlib_points(point)]
        return {"label": contender.label, "build": build, "points": points, "floor": {}, "cold": [],
                "options": contender.with_options}

    def converse(self, contender, folder):
        """Lets the process build under a watch of its memory, then search."""
        process = subprocess.Popen([self.options.python, "-B", os.path.join(HERE, "hnswlib_process.py")],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            kept = self.hnswlib_file(contender)
            exchange(process, self.hnswlib_request(contender, folder, kept))
            watch = memory.PeakMemory(process.pid).start()
            built = exchange(process, "build")
            build = {"seconds": built["seconds"], "peak_bytes": watch.stop(),
                     "index_bytes": built["bytes"]}
            build = remember_build(build, kept)
            say("  build %s" % report.describe_build(build))
            return build, exchange(process, "search")
        finally:
            process.stdin.close()
            process.terminate()
            process.wait()

    def hnswlib_file(self, contender):
        if not self.kept:
            return None
        options = "".join("-%s%s" % pair for pair in sorted(contender.with_options.items()))
        path = os.path.join(self.options.cluster, "hnswlib-%s%s" % (self.data.key(), options))
        if "hnswlib" in self.options.rebuild and os.path.exists(path):
            os.remove(path)
        os.makedirs(self.options.cluster, exist_ok=True)
        return path

    def hnswlib_request(self, contender, folder, kept):
        return json.dumps({
            "data": self.options.data, "metric": self.data.metric, "rows": self.options.rows,
            "queries": self.options.queries, "k": self.options.k, "efs": self.options.ef,
            "clients": self.options.clients, "seconds": self.options.seconds,
            "repeat": self.options.repeat, "folder": folder,
            "pin": self.options.pin, "keep": kept, "threads": 1 + self.options.build_workers,
            "m": int(contender.with_options["m"]),
            "ef_construction": int(contender.with_options["ef_construction"])})

    def hnswlib_points(self, point):
        recall = dataset.recall(self.data, self.truth, np.load(point["ids"]), self.options.k)
        for clients, qps in point["qps"].items():
            known = figures.percentiles(point["micros"] if int(clients) == 1 else [])
            found = {"knob": "ef %d" % point["ef"], "clients": int(clients), "qps": qps, **known,
                     "recall": recall, "auto": False, "planner": None, "short": 0}
            say_point(found)
            yield found


def build_settings(options, data):
    return {"maintenance_work_mem": "%dMB" % build_memory(options, data),
            "max_parallel_maintenance_workers": options.build_workers}


def watched_build(database, sql, settings):
    """Seconds that the statement took, and the peak of its memory (None when unreadable)."""
    session = database.session(settings)
    watch = memory.PeakMemory(session.pid).start()
    try:
        seconds = timed(session, sql)
    finally:
        peak = watch.stop()
        session.close()
    return seconds, peak


def say_point(point):
    say("  %(knob)-12s %(clients)d client(s): recall %(recall).4f, %(qps).0f queries/s" % point)


def exchange(process, line):
    """Sends one line to the hnswlib process and returns its answer."""
    process.stdin.write(line + "\n")
    process.stdin.flush()
    answer = process.stdout.readline()
    if not answer:
        raise RuntimeError("the hnswlib process ended early")
    return json.loads(answer)


def remember_build(build, kept):
    """Keeps what a build cost beside a kept index; for a loaded index returns what was kept."""
    if kept is None:
        return build
    path = kept + ".json"
    if build["seconds"] is None:
        with open(path) as f:
            return json.load(f)
    with open(path, "w") as f:
        json.dump(build, f)
    return build


def search_statement(items, queries, metric, k):
    return ("SELECT id FROM %s ORDER BY v %s (SELECT v FROM %s WHERE id = {q}) LIMIT %d"
            % (items, OPERATORS[metric], queries, k))


def reading(items, queries, metric):
    """SQL that reads the table's rows and the query vectors, but no index on the vectors."""
    return ("SET enable_indexscan = off; SELECT count(*) FROM %s; SELECT count(v %s v) FROM %s"
            % (items, OPERATORS[metric], queries))


def plan_uses(database, index, statement, settings):
    plan = database.psql("PREPARE s(int) AS %s; EXPLAIN (COSTS off) EXECUTE s(1);"
                         % statement.format(q="$1"), settings)
    return "Index Scan using %s " % index in plan


def answers(database, statement, settings, queries):
    """Row numbers (from 0) that the statement returns for each query."""
    script = ["PREPARE s(int) AS %s;" % statement.format(q="$1")]
    for q in range(1, queries + 1):
        script.append("\\echo -\nEXECUTE s(%d);" % q)
    output = database.psql("\n".join(script), settings)
    return [np.array(block.split(), np.int64) - 1 for block in output.split("-\n")[1:]]


if __name__ == "__main__":
    try:
        main()
    except (ServerError, ValueError) as error:
        sys.exit("bench.py: %s" % error)
