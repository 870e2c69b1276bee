#!/usr/bin/python3
"""What writes cost with a vector index: build, insert, update, vacuum, churn.  See README.md."""
import argparse
import json
import os
import sys

import numpy as np

sys.dont_write_bytecode = True  # no __pycache__ in the source tree

import dataset
import figures
import report
from bench import (add_settings_arguments, answers, build_settings, number_list, pairs, plan_uses,
                   say, search_statement, server_settings, watched_build)
from contenders import SqlContender, make_contender
from report import Measure
from server import SCHEMA, Cluster, Database, ServerError, stop_on_signals, timed

STEPS = ("build", "insert", "update", "vacuum", "churn")
K = 10
SEED = 1
TRIAL = 200                     # inserts by which the rate of the timed ones is foreseen
EXPLAINED = 100                 # inserts whose buffers are counted
OPENING = 5                     # inserts that open a session, not counted
LOGGED = 100                    # inserts whose WAL is measured
BULK = 20_000                   # rows of one large UPDATE
DELETED = 0.3                   # share of the rows that one VACUUM has to take out
CHURNED = 0.2                   # share of the rows that one round of churn replaces


def main():
    options = parse_arguments()
    stop_on_signals()
    os.makedirs(options.out, exist_ok=True)
    data = dataset.DataSet(options.data, options.metric, options.rows + options.hold, options.queries)
    if data.rows < options.rows + options.hold:
        raise ValueError("%s has only %d rows, not %d and %d to insert"
                         % (options.data, data.rows, options.rows, options.hold))
    contenders = [make_contender(text) for text in options.index]
    if not all(isinstance(c, SqlContender) for c in contenders):
        raise ValueError("only indexes in the server can be written to by SQL")
    results = measure_all(options, data, contenders)
    report.write_measures(options, data, results)


def parse_arguments():
    parser = argparse.ArgumentParser(description="What writes cost with a vector index.")
    add = parser.add_argument
    add("--data", required=True, help="file.npz (base, queries) or base.fvecs,query.fvecs")
    add("--metric", required=True, choices=dataset.METRICS)
    add("--index", action="append", metavar="NAME[(OPTION=VALUE,...)]",
        help="default: vecidx-vector and pgvector")
    add("--rows", type=int, default=50_000, help="rows of the table (default %(default)s)")
    add("--hold", type=int, default=20_000, help="further rows, to insert (default %(default)s)")
    add("--queries", type=int, help="use only the first QUERIES queries")
    add("--steps", type=number_list(str), default=STEPS, help="default: " + ",".join(STEPS))
    add("--clients", type=number_list(int), default=[1, 8], help="of single-row writes (default 1,8)")
    add("--seconds", type=int, default=10, help="length of each timing (default %(default)s)")
    add("--rounds", type=int, default=10, help="of churn (default %(default)s)")
    add("--target-recall", type=float, default=0.95, help="how vecidx searches (default %(default)s)")
    add("--ef", type=int, default=100, help="how pgvector searches (default %(default)s)")
    add("--out", default="writes-out", help="folder for results")
    add_settings_arguments(parser)
    options = parser.parse_args()
    options.index = options.index or ["vecidx-vector", "pgvector"]
    options.cold = []
    if not set(options.steps) <= set(STEPS):
        parser.error("--steps: choose from " + ", ".join(STEPS))
    return options


def measure_all(options, data, contenders):
    """Measures each contender on a cluster that lives as long as this function."""
    settings = server_settings(options, data)
    say("server: " + ", ".join("%s %s" % pair for pair in settings.items()))
    cluster = Cluster(None, options.work_dir, settings)
    try:
        cluster.start()
        database = Database(cluster.dsn, cluster)
        database.psql("CREATE SCHEMA " + SCHEMA)
        return [r for c in contenders for r in measure(options, data, database, c)]
    finally:
        cluster.close()


def measure(options, data, database, contender):
    """[{"label", "measures", "rounds"}] of one contender; empty where it is not installed."""
    say("\n%s" % contender.label)
    if not database.has_extension(contender.extension):
        say("  skipped: extension %s is not installed" % contender.extension)
        return []
    load(database, data, contender.sql_type)
    subject = Subject(options, data, database, contender)
    subject.build()
    for step in [s for s in STEPS if s in options.steps]:
        getattr(subject, "step_" + step)()
    return [{"label": contender.label, "measures": subject.measures, "rounds": subject.rounds}]


def load(database, data, sql_type):
    """Table "source" of all rows and table "queries", unless they are there with this type."""
    known = "SELECT format_type(atttypid, NULL) FROM pg_attribute WHERE attrelid = to_regclass('source') AND attname = 'v'"
    if database.value(known) == sql_type:
        return
    database.psql("DROP TABLE IF EXISTS source, queries")
    database.load("source", data.base, sql_type)
    database.load("queries", data.queries, sql_type)
    database.psql("ALTER TABLE source ADD note int NOT NULL DEFAULT 0")


class Table:
    """A table that is written to: the first rows of "source", more of which a sequence gives out."""

    def __init__(self, database, name, rows):
        self.db = database
        self.name = name
        self.next = rows + 1
        database.psql("DROP TABLE IF EXISTS {t}; DROP SEQUENCE IF EXISTS {t}_taken;"
                      "CREATE TABLE {t} (LIKE source INCLUDING ALL);"
                      "CREATE SEQUENCE {t}_taken START {next};"
                      "INSERT INTO {t} SELECT * FROM source WHERE id < {next} ORDER BY id;"
                      .format(t=name, next=self.next))
        database.psql("VACUUM ANALYZE %s" % name)
        self.insert_one = ("INSERT INTO {t} SELECT * FROM source"
                           " WHERE id = (SELECT nextval('{t}_taken'))".format(t=name))

    def insert(self, rows, clients=1):
        """Inserts rows singly, by pgbench; returns rows per second."""
        each = max(1, rows // clients)
        rate, _ = self.db.pgbench(self.insert_one + ";\n", {}, clients, ["-t", str(each)])
        self.next += each * clients
        return rate

    def insert_logged(self):
        """Bytes of WAL of one insert."""
        before = self.db.value("SELECT pg_current_wal_insert_lsn()")
        self.insert(LOGGED)
        return wal_since(self.db, before) / LOGGED

    def insert_explained(self):
        """Buffers that one insert touches, each as often as it is looked up."""
        explain = "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) EXECUTE one;\n\\echo -\n"
        rows = OPENING + EXPLAINED
        output = self.db.psql("PREPARE one AS %s;\n%s" % (self.insert_one, explain * rows))
        self.next += rows
        plans = [json.loads(text)[0]["Plan"] for text in output.split("\n-\n")[OPENING:rows]]
        return sum(p["Shared Hit Blocks"] + p["Shared Read Blocks"] for p in plans) / EXPLAINED

    def update(self, rows, clients, seconds):
        """Updates a number of single rows, by pgbench; returns rows per second."""
        script = ("\\set one random(1, %d)\nUPDATE %s SET note = note + 1 WHERE id = :one;\n"
                  % (rows, self.name))
        return self.db.pgbench(script, {}, clients, ["-T", str(seconds)])[0]

    def timed(self, sql):
        """Seconds that a statement takes; {t} in it is the table."""
        session = self.db.session({})
        try:
            return timed(session, sql.format(t=self.name) + ";")
        finally:
            session.close()


def wal_since(database, lsn):
    return int(database.value("SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '%s')" % lsn))


class Subject:
    """One contender: a table with its index, the same without ("floor"), and what was measured."""

    def __init__(self, options, data, database, contender):
        self.options = options
        self.data = data
        self.db = database
        self.contender = contender
        self.items = Table(database, "items", options.rows)
        self.floor = Table(database, "floor", options.rows)
        self.chance = np.random.default_rng(SEED)
        self.measures = []
        self.rounds = []

    def note(self, *words):
        measure = Measure(*words)
        self.measures.append(measure)
        say("  %-46s %s" % (measure.name, report.measure_cell(measure)))

    def note_both(self, name, unit, better, of_items, of_floor):
        self.note(name, unit, better, of_items)
        self.note(report.FLOOR, unit, None, of_floor)

    def note_slowdown(self, name, times):
        self.note(name, "times", "less", times)

    # ------------------------------------------------------------ steps

    def build(self):
        self.db.psql("ALTER TABLE items SET (parallel_workers = %d)" % self.options.build_workers)
        settings = {**pairs(self.options.set), **build_settings(self.options, self.data)}
        seconds, peak = watched_build(
            self.db, self.contender.create_sql("items_v", "items", self.data.metric), settings)
        self.db.psql("ANALYZE items")
        self.note("build", "s", "less", seconds)
        self.note("build memory", "bytes", "less", peak)
        self.note("index size", "bytes", "less", self.index_bytes())

    def step_build(self):
        self.note("recall, built", "share", None, self.recall())

    def step_insert(self):
        """Timed inserts stand between those right after a checkpoint and those long after it."""
        tables = (self.items, self.floor)
        self.db.psql("CHECKPOINT")
        fresh = [t.insert_logged() for t in tables]
        buffers = [t.insert_explained() for t in tables]
        trial = [t.insert(TRIAL) for t in tables]
        for left, clients in zip(range(len(self.options.clients), 0, -1), self.options.clients):
            rates = [t.insert(self.affordable(t, rate, left), clients) for t, rate in zip(tables, trial)]
            self.note_both("inserts, %d client(s)" % clients, "/s", "more", *rates)
        steady = [t.insert_logged() for t in tables]
        self.note_both("WAL an insert, after a checkpoint", "B", "less", *fresh)
        self.note_both("WAL an insert, steady", "B", "less", *steady)
        self.note_both("buffers an insert", "buffers", "less", *buffers)
        self.note("recall, after inserts", "share", None, self.recall())

    def affordable(self, table, rate, runs_left):
        """Rows that a timing may insert: those of its seconds, or a fair part of what is held."""
        held = self.options.rows + self.options.hold + 1 - table.next - LOGGED
        if held < runs_left:
            raise ServerError("no rows left to insert: give a larger --hold")
        return min(int(rate * self.options.seconds), held // runs_left)

    def step_update(self):
        """Updates of an indexed column, so that none is HOT, while the vectors stay as they are."""
        tables = (self.items, self.floor)
        self.db.psql("CREATE INDEX items_note ON items (note); CREATE INDEX floor_note ON floor (note);"
                     "CHECKPOINT")
        for clients in self.options.clients:
            rates = [t.update(self.options.rows, clients, self.options.seconds) for t in tables]
            self.note_both("updates, %d client(s)" % clients, "/s", "more", *rates)
            self.note_slowdown("updates, %d client(s), slower by" % clients, rates[1] / rates[0])
        bulk = min(BULK, self.options.rows)
        seconds = [t.timed("UPDATE {t} SET note = note + 1 WHERE id <= %d" % bulk) for t in tables]
        self.note_both("update of %d rows" % bulk, "s", "less", *seconds)
        self.note_slowdown("update of %d rows, slower by" % bulk, seconds[0] / seconds[1])
        seconds = [t.timed("VACUUM {t}") for t in tables]
        self.note_both("VACUUM after updates", "s", "less", *seconds)
        self.db.psql("DROP INDEX items_note, floor_note")

    def step_vacuum(self):
        before = self.recall()
        live = self.live()
        doomed = self.some(live, DELETED)
        for table in (self.items, self.floor):
            self.delete(table, doomed)
        seconds = [t.timed("VACUUM {t}") for t in (self.items, self.floor)]
        self.note_both("VACUUM of %.0f %% deleted" % (100 * DELETED), "s", "less", *seconds)
        self.note("recall, before the deletes", "share", None, before)
        self.note("recall, after the VACUUM", "share", None, self.recall())

    def step_churn(self):
        first_bytes = self.index_bytes()
        for number in range(1, self.options.rounds + 1):
            self.rounds.append({"round": number, **self.churn_once()})
            say("  round %(round)d: inserts %(insert_seconds).1f s, VACUUM %(vacuum_seconds).1f s,"
                " recall %(recall).4f, index %(index_bytes)d bytes" % self.rounds[-1])
        self.note("churn, rows a second inserted", "/s", "more",
                  sum(r["rows"] for r in self.rounds) / sum(r["insert_seconds"] for r in self.rounds))
        self.note("churn, a VACUUM", "s", "less", np.mean([r["vacuum_seconds"] for r in self.rounds]))
        self.note("churn, index grown by", "times", "less", self.index_bytes() / first_bytes)
        self.note("churn, least recall", "share", None, min(r["recall"] for r in self.rounds))
        self.note("churn, last recall", "share", None, self.rounds[-1]["recall"])
        if self.contender.method == "vecidx":
            nodes = int(self.db.value("SELECT vecidx_check('items_v')"))
            self.note("vecidx_check passed, nodes", "nodes", None, nodes)

    def churn_once(self):
        """Replaces some rows by as many of those that the table had not."""
        live = self.live()
        doomed = self.some(live, CHURNED)
        spare = np.setdiff1d(np.arange(1, self.data.rows + 1), live)
        if len(spare) < len(doomed):
            raise ServerError("a round of churn needs %d rows, give a larger --hold" % len(doomed))
        incoming = self.chance.choice(spare, len(doomed), replace=False)
        self.delete(self.items, doomed)
        self.choose(incoming)
        inserted = self.items.timed("INSERT INTO {t} SELECT * FROM source WHERE id IN (SELECT id FROM chosen)")
        vacuumed = self.items.timed("VACUUM {t}")
        return {"rows": len(incoming), "insert_seconds": inserted, "vacuum_seconds": vacuumed,
                "index_bytes": self.index_bytes(), "recall": self.recall()}

    # ------------------------------------------------------------ rows

    def live(self):
        """The ids of the table's rows, ascending."""
        return np.array(self.db.psql("SELECT id FROM items ORDER BY id").split(), np.int64)

    def some(self, ids, share):
        return self.chance.choice(ids, int(share * len(ids)), replace=False)

    def choose(self, ids):
        """Fills table "chosen"."""
        self.db.psql("DROP TABLE IF EXISTS chosen; CREATE TABLE chosen (id int);\nCOPY chosen FROM STDIN;\n%s\n\\.\n"
                     "ANALYZE chosen;" % "\n".join(map(str, ids)))

    def delete(self, table, ids):
        self.choose(ids)
        self.db.psql("DELETE FROM %s WHERE id IN (SELECT id FROM chosen)" % table.name)

    def index_bytes(self):
        return int(self.db.value("SELECT pg_relation_size('items_v')"))

    def recall(self):
        """Recall over all queries among the rows that are there now."""
        knob, settings, _ = self.contender.knobs([self.options.ef], [self.options.target_recall])[-1]
        settings = {**pairs(self.options.set), **settings, "enable_seqscan": "off"}
        statement = search_statement("items", "queries", self.data.metric, K)
        if not plan_uses(self.db, "items_v", statement, settings):
            raise ServerError("the planner does not use the index of %s" % self.contender.label)
        returned = answers(self.db, statement, settings, len(self.data.queries))
        rows = self.live() - 1
        present = self.data.subset(rows)
        truth = dataset.compute_neighbours(present, K)
        return dataset.recall(present, truth, [positions(rows, ids) for ids in returned], K)


def positions(sorted_ids, ids):
    """Where each of the ids stands among the sorted ones; all must be there."""
    where = np.searchsorted(sorted_ids, ids)
    if not np.array_equal(sorted_ids[np.minimum(where, len(sorted_ids) - 1)], ids):
        raise ServerError("a search returned a row that the table does not have")
    return where


if __name__ == "__main__":
    try:
        main()
    except (ServerError, ValueError) as error:
        sys.exit("writes.py: %s" % error)
