#!/usr/bin/python3
"""What a setting costs a search: its time with one value against another, in pairs.

One session searches with both values in turn, some ten milliseconds each, so that what slows the
machine slows both; the same queries, without a client between them.  The ratio of each pair is
what counts, and the spread of medians drawn anew says how far to believe the median.
"""
import argparse
import sys

import numpy as np

sys.dont_write_bytecode = True  # no __pycache__ in the source tree

import dataset
from bench import add_settings_arguments, build_settings, plan_uses, say, search_statement, server_settings
from contenders import OPERATORS, make_contender
from server import SCHEMA, Cluster, Database, ServerError, stop_on_signals


def main():
    options = parse_arguments()
    stop_on_signals()
    data = dataset.DataSet(options.data, options.metric, options.rows, options.queries)
    settings = server_settings(argparse.Namespace(**vars(options), cold=[]), data)
    cluster = Cluster(None, options.work_dir, settings)
    try:
        cluster.start()
        database = Database(cluster.dsn, cluster)
        prepare(options, data, database)
        report(options, measure(options, len(data.queries), database))
    finally:
        cluster.close()


def parse_arguments():
    parser = argparse.ArgumentParser(description="What a setting costs a search, in pairs of timings.")
    add = parser.add_argument
    add("--data", required=True, help="file.npz (base, queries) or base.fvecs,query.fvecs")
    add("--metric", required=True, choices=dataset.METRICS)
    add("--rows", type=int, help="use only the first ROWS rows of the base")
    add("--queries", type=int, help="use only the first QUERIES queries")
    add("--k", type=int, default=10, help="rows per query (default %(default)s)")
    add("--setting", default="vecidx.track_statistics", help="default: %(default)s")
    add("--values", default="on,off", help="of the setting: the ratio is of the first to the second")
    add("--pairs", type=int, default=2000, help="pairs of timings (default %(default)s)")
    add("--searches", type=int, default=50, help="of each timing (default %(default)s)")
    add_settings_arguments(parser)
    return parser.parse_args()


def prepare(options, data, database):
    """Loads rows and queries, builds the index, and makes the function that searches."""
    contender = make_contender("vecidx")
    if not database.has_extension(contender.extension):
        raise ServerError("extension %s is not installed" % contender.extension)
    database.psql("CREATE SCHEMA %s" % SCHEMA)
    database.load("items", data.base, contender.sql_type)
    database.load("queries", data.queries, contender.sql_type)
    database.psql(contender.create_sql("searched", "items", data.metric) + "ANALYZE items; CHECKPOINT",
                  build_settings(options, data))
    if not plan_uses(database, "searched", search_statement("items", "queries", data.metric, options.k),
                     {"enable_seqscan": "off"}):
        raise ServerError("the planner does not use the index")
    database.psql("""
CREATE FUNCTION search(setting text, value text, first int, count int, total int) RETURNS float8
LANGUAGE plpgsql AS $$
DECLARE
    start timestamptz;
BEGIN
    PERFORM set_config(setting, value, false);
    start := clock_timestamp();
    FOR i IN first .. first + count - 1 LOOP
        PERFORM id FROM items ORDER BY v %s (SELECT v FROM queries WHERE id = 1 + i %% total) LIMIT %d;
    END LOOP;
    RETURN extract(epoch FROM clock_timestamp() - start);
END $$""" % (OPERATORS[data.metric], options.k))


def measure(options, queries, database):
    """Ratios of the time with the first value to that with the second; who goes first alternates."""
    values = options.values.split(",")
    script = ""
    for pair in range(options.pairs):
        calls = ["search('%s', '%s', %d, %d, %d)" % (options.setting, value, pair * options.searches,
                                                     options.searches, queries) for value in values]
        script += "SELECT %s;\n" % ", ".join(calls if pair % 2 == 0 else calls[::-1])
    lines = database.psql(script, {"enable_seqscan": "off", "jit": "off"}).split()
    times = [tuple(map(float, line.split("|"))) for line in lines]
    return [a / b if pair % 2 == 0 else b / a for pair, (a, b) in enumerate(times)]


def report(options, ratios):
    ratios = np.array(ratios)
    quarters = np.quantile(ratios, [0.25, 0.5, 0.75])
    drawn = np.random.default_rng(1).choice(ratios, (1000, len(ratios)))
    low, high = np.quantile(np.median(drawn, axis=1), [0.025, 0.975])
    say("%s %s: %.4f times the time (median of %d pairs, 95 %% of medians drawn anew from %.4f to %.4f;"
        " quarters of pairs %.4f and %.4f)"
        % (options.setting, options.values.replace(",", "/"), quarters[1], len(ratios), low, high,
           quarters[0], quarters[2]))


if __name__ == "__main__":
    try:
        main()
    except (ServerError, ValueError) as problem:
        sys.exit("overhead.py: %s" % problem)
