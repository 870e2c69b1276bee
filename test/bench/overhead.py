#!/usr/bin/python3
"""What a setting costs a search: queries per second with one value against another, in pairs.

Both values are measured in turn, again and again on the same warm index, so that what slows the
machine for a while slows both; the ratio of each pair is what counts, and its spread says how far
to believe it.
"""
import argparse
import statistics
import sys

sys.dont_write_bytecode = True  # no __pycache__ in the source tree

import dataset
from bench import add_settings_arguments, build_settings, plan_uses, say, search_statement, server_settings
from contenders import make_contender
from server import SCHEMA, Cluster, Database, ServerError, stop_on_signals


def main():
    options = parse_arguments()
    stop_on_signals()
    data = dataset.DataSet(options.data, options.metric, options.rows, options.queries)
    settings = server_settings(argparse.Namespace(**vars(options), cold=[]), data)
    cluster = Cluster(None, options.work_dir, settings)
    try:
        cluster.start()
        database = Database(cluster.dsn, cluster, options.pin)
        statement = prepare(options, data, database)
        for clients in options.clients:
            ratios = [measure_pair(options, data, database, statement, clients, i)
                      for i in range(options.pairs)]
            report(options, clients, ratios)
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
    add("--values", default="on,off", help="of the setting: the ratio is the first by the second")
    add("--pairs", type=int, default=30, help="pairs of timings (default %(default)s)")
    add("--seconds", type=int, default=2, help="length of each timing (default %(default)s)")
    add("--clients", type=lambda text: [int(n) for n in text.split(",")], default=[1],
        help="numbers of clients, comma separated")
    add("--pin", action="store_true", help="n clients and their backends share n processors")
    add_settings_arguments(parser)
    return parser.parse_args()


def prepare(options, data, database):
    """Loads rows and queries, and builds the index; returns the statement to time."""
    contender = make_contender("vecidx")
    if not database.has_extension(contender.extension):
        raise ServerError("extension %s is not installed" % contender.extension)
    database.psql("CREATE SCHEMA %s" % SCHEMA)
    database.load("items", data.base, contender.sql_type)
    database.load("queries", data.queries, contender.sql_type)
    database.psql(contender.create_sql("searched", "items", data.metric) + "ANALYZE items; CHECKPOINT",
                  build_settings(options, data))
    statement = search_statement("items", "queries", data.metric, options.k)
    if not plan_uses(database, "searched", statement, {"enable_seqscan": "off"}):
        raise ServerError("the planner does not use the index")
    return "\\set q random(1, %d)\n%s;\n" % (len(data.queries), statement.format(q=":q"))


def measure_pair(options, data, database, script, clients, number):
    """Queries per second with the first value by those with the second; who goes first alternates."""
    values = options.values.split(",")
    order = values if number % 2 == 0 else values[::-1]
    rates = {}
    for value in order:
        settings = {"enable_seqscan": "off", "jit": "off", options.setting: value}
        rates[value], _ = database.pgbench(script, settings, clients, ["-T", str(options.seconds)])
    return rates[values[0]] / rates[values[1]]


def report(options, clients, ratios):
    quarters = statistics.quantiles(ratios, n=4) if len(ratios) > 1 else [ratios[0]] * 3
    error = statistics.stdev(ratios) / len(ratios) ** 0.5 if len(ratios) > 1 else float("nan")
    say("%s %s, %d clients: %.4f times the speed (median of %d pairs; quarters %.4f to %.4f; mean %.4f, standard error %.4f)"
        % (options.setting, options.values.replace(",", "/"), clients, statistics.median(ratios), len(ratios),
           quarters[0], quarters[2], statistics.mean(ratios), error))


if __name__ == "__main__":
    try:
        main()
    except (ServerError, ValueError) as problem:
        sys.exit("overhead.py: %s" % problem)
