#!/usr/bin/python3
"""The planner's choice beside the best plan there is, on a grid of filtered searches.

Uses what filters.py leaves in a cluster (--cluster). For each share of rows that pass, correlation,
k (0: no LIMIT) and way to state the condition (as a constant, or as a parameter of a statement
prepared and executed often enough for the server to settle on a generic plan, if it does), a query is timed as planned and under each plan that settings can force: an ordered scan of vecidx,
a btree's bitmap and a sort, a scan of the table and a sort.
"""
import argparse
import json
import os
import sys

import numpy as np

sys.dont_write_bytecode = True  # no __pycache__ in the source tree

import dataset
import filters
from contenders import OPERATORS
from server import SCHEMA, Cluster, Database, stop_on_signals

FORCED = {
    "vecidx": {"enable_seqscan": "off", "enable_sort": "off", "enable_bitmapscan": "off"},
    "btree": {"enable_seqscan": "off", "enable_indexscan": "off"},
    "table": {"enable_indexscan": "off", "enable_bitmapscan": "off"},
}
GOOD = 1.5                      # times the best plan's time
EXECUTIONS = 7                  # the server decides at the sixth

FUNCTION = """
CREATE OR REPLACE FUNCTION timed(bound int) RETURNS float8 LANGUAGE plpgsql AS $$
DECLARE
    asked record;
    begun timestamptz;
    best float8;
    took float8;
    times float8[];
BEGIN
    FOR asked IN SELECT q FROM queries ORDER BY n LIMIT %(queries)d LOOP
        best := 'infinity';
        FOR i IN 1..3 LOOP
            begun := clock_timestamp();
            PERFORM count(*) FROM (SELECT id FROM with_vecidx WHERE %(column)s %(compare)s %(bound)s
                ORDER BY v %(operator)s asked.q %(limit)s) s;
            took := 1e6 * extract(epoch FROM clock_timestamp() - begun);
            best := least(best, took);
            EXIT WHEN took > 100000;
        END LOOP;
        times := times || best;
    END LOOP;
    RETURN (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY t) FROM unnest(times) t);
END $$;
"""
PLAN = r"""
SELECT q FROM queries ORDER BY n LIMIT 1 \gset
PREPARE planned(int, vector) AS SELECT id FROM with_vecidx WHERE %(column)s %(compare)s %(bound)s
    ORDER BY v %(operator)s $2 %(limit)s;
%(before)sEXPLAIN (FORMAT json) EXECUTE planned(%(value)d, :'q');
"""


def main():
    options = parse_arguments()
    stop_on_signals()
    os.makedirs(options.out, exist_ok=True)
    data = dataset.DataSet(options.data, options.metric, options.rows, None)
    cluster = Cluster(options.cluster, None, filters.server_settings(data))
    cluster.start()
    try:
        database = Database(cluster.dsn, cluster)
        if not filters.prepared(database):
            raise SystemExit("run filters.py with this cluster first")
        results = measure_all(options, database, data)
    finally:
        cluster.close()
    with open(os.path.join(options.out, "plans.json"), "w") as f:
        json.dump(results, f, indent=1)
    write_table(os.path.join(options.out, "plans.md"), data, results)


def parse_arguments():
    parser = argparse.ArgumentParser(description="The planner's choice beside the best plan.")
    add = parser.add_argument
    add("--data", required=True, help="as given to filters.py")
    add("--metric", required=True, choices=dataset.METRICS)
    add("--rows", type=int)
    add("--cluster", required=True, metavar="DIR", help="that filters.py has left")
    add("--k", type=filters.number_list(int), default=[1, 10, 100, 0], help="0: no LIMIT")
    add("--share", type=filters.number_list(float), default=list(filters.SHARES))
    add("--queries", type=int, default=5)
    add("--out", default="bench-out", help="folder for results")
    return parser.parse_args()


def measure_all(options, database, data):
    for column in ("rank", "chance"):
        database.psql("CREATE INDEX IF NOT EXISTS with_vecidx_%s ON with_vecidx (%s)" % (column, column))
    database.psql("VACUUM ANALYZE with_vecidx")
    try:
        return [cell(options, database, data, *what) for what in cells(options)]
    finally:
        for column in ("rank", "chance"):
            database.psql("DROP INDEX with_vecidx_%s" % column)


def cells(options):
    for k in options.k:
        for correlation in filters.CORRELATIONS:
            for share in options.share:
                for constant in (True, False):
                    yield k, correlation, share, constant


def cell(options, database, data, k, correlation, share, constant):
    count = max(1, round(share * data.rows))
    value = data.rows - count if correlation == "far" else count
    words = {"column": "chance" if correlation == "none" else "rank", "value": value,
             "compare": ">=" if correlation == "far" else "<", "operator": OPERATORS[data.metric],
             "before": EXECUTIONS * ("EXPLAIN (ANALYZE, FORMAT json) EXECUTE planned(%d, :'q') \\g /dev/null\n" % value),
             "limit": "LIMIT %d" % k if k > 0 else "", "queries": options.queries}
    mode = {"plan_cache_mode": "force_generic_plan" if constant else "auto"}
    ask = FUNCTION % {**words, "bound": value if constant else "bound"} + "SELECT timed(%d)" % value
    plan = plan_of(database.psql(PLAN % {**words, "bound": value if constant else "$1"}, mode))
    times = {name: float(database.value(ask, {**mode, **settings})) for name, settings in FORCED.items()}
    planned = float(database.value(ask, mode))
    best = min(times, key=times.get)
    result = {"k": k, "correlation": correlation, "share": share, "constant": constant, "plan": plan,
              "planned": planned, "best": best, "times": times,
              # the same plan timed twice says nothing but how loud the machine is
              "ratio": 1.0 if plan == best else times.get(plan, planned) / times[best]}
    print("k %(k)d, %(correlation)s, %(share)g, constant %(constant)s: %(plan)s, best %(best)s, ratio %(ratio).2f,"
          " us %(times)s" % {**result, "times": {n: round(t) for n, t in times.items()}}, flush=True)
    return result


def plan_of(explained):
    """The name in FORCED of a plan."""
    if "with_vecidx_v_" in explained:
        return "vecidx"
    return "btree" if "with_vecidx_" in explained else "table"


def write_table(path, data, results):
    ratios = np.array([r["ratio"] for r in results])
    lines = ["%s, %d rows, %d dimensions, %s: %d of %d choices within %g times of the best plan"
             % (data.name(), data.rows, data.dim, data.metric, (ratios <= GOOD).sum(), len(ratios), GOOD), "",
             "| k | correlation | passing | condition | planned | best | ratio | vecidx µs | btree µs | table µs |",
             "|---|---|---|---|---|---|---|---|---|---|"]
    for r in results:
        lines.append("| %s | %s | %g %% | %s | %s | %s | %.2f | %.0f | %.0f | %.0f |"
                     % (r["k"] or "all", r["correlation"], 100 * r["share"],
                        "constant" if r["constant"] else "parameter", r["plan"], r["best"], r["ratio"],
                        *(r["times"][name] for name in FORCED)))
    with open(path, "w") as f:
        f.write("\n".join(lines) + "\n")
    print(lines[0])


if __name__ == "__main__":
    main()
