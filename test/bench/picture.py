#!/usr/bin/python3
"""One picture, or the rows of one table, for all engines and several data sets: see README.md.

    picture.py OUT.svg results.json...
    picture.py --table results.json...
"""
import argparse
import json
import sys

sys.dont_write_bytecode = True  # no __pycache__ in the source tree

import figures
import plot
import report

DEFAULT_KNOB = "target 0.95"    # what vecidx does when no setting is touched
HEAD = ("data", "engine", "build, s", "index, MiB", "recall", "queries/s", "µs", "µs above floor",
        "times pgvector's queries/s")


def main():
    options = parse_arguments()
    sets = merge(read(path) for path in options.files)
    if options.table:
        print("\n".join(markdown(sets, options.clients, options.at)))
    else:
        plot.write_plot(options.out, panels(sets, options.clients))


def parse_arguments():
    parser = argparse.ArgumentParser(description="A picture or a table of several results.json files.")
    add = parser.add_argument
    add("files", nargs="+", metavar="FILE", help="OUT.svg (unless --table), then results.json files")
    add("--table", action="store_true", help="print a markdown table instead")
    add("--clients", type=int, default=1, help="the number of clients to show (default %(default)s)")
    add("--at", default="0.95,0.99", help="recalls of the table's rows (default %(default)s)")
    options = parser.parse_args()
    if not options.table:
        options.out = options.files.pop(0)
    if not options.files or not options.table and not options.out.endswith(".svg"):
        parser.error("give OUT.svg and results.json files, or --table and results.json files")
    options.at = [float(word) for word in options.at.split(",") if word]
    return options


def read(path):
    with open(path) as f:
        return json.load(f)


def merge(runs):
    """[(data, results)], a data set once; of an engine measured twice the later run counts."""
    sets = {}
    for run in runs:
        data = run["data"]
        key = (data["name"], data["rows"], data["dim"], data["metric"], data["k"])
        _, found = sets.setdefault(key, (data, {}))
        found.update((r["label"], r) for r in run["results"])
    return [(data, list(found.values())) for data, found in sets.values()]


# ---------------------------------------------------------------- the picture

def panels(sets, clients):
    """What plot.write_plot draws: one panel a data set."""
    found = [(report.describe(data), figures.plotted(results, clients)) for data, results in sets]
    found = [(title, points) for title, points in found if points]
    if not found:
        raise ValueError("nothing was measured with %d client(s)" % clients)
    return found


# ---------------------------------------------------------------- the table

def markdown(sets, clients, levels):
    lines = [row(HEAD), row(["---"] * len(HEAD))]
    for data, results in sets:
        first = report.describe(data)
        for result in results:
            for cells in engine_rows(result, results, clients, levels):
                lines.append(row([first] + cells))
                first = ""
    return lines


def row(cells):
    return "| " + " | ".join(cells) + " |"


def engine_rows(result, results, clients, levels):
    """Cells of an engine: as it is by default, where it has such a point, then at each recall."""
    found = [default_cells(p, result, results) for p in result["points"]
             if p["auto"] and p["knob"] == DEFAULT_KNOB and p["clients"] == clients]
    found += [level_cells(result, results, clients, level) for level in levels]
    found = [cells for i, cells in enumerate(found) if cells not in found[:i]]
    build = result["build"]
    built = ["%.0f" % build["seconds"], "%.0f" % (build["index_bytes"] / report.MB)]
    names = [result["label"], ""]
    return [[names[i > 0]] + (["", ""] if i > 0 else built) + cells for i, cells in enumerate(found)]


def default_cells(point, result, results):
    """Against the recall that the default settings happen to reach."""
    clients, qps = point["clients"], point["qps"]
    ratio = ratio_to_pgvector(qps, results, clients, point["recall"])
    return ["%.3f (default settings)" % point["recall"]] + speed(result, clients, qps) + [ratio]


def level_cells(result, results, clients, level):
    standing = figures.standing(result, clients, level)
    if standing["qps"] is None:
        return ["%g not reached" % level, "", "", "", ""]
    low, high = standing["between"]
    recall = "%.3f" % high if low == high else "%g" % level
    ratio = ratio_to_pgvector(standing["qps"], results, clients, level)
    return [recall] + speed(result, clients, standing["qps"]) + [ratio]


def speed(result, clients, qps):
    micros = 1e6 * clients / qps
    net = "%.0f" % figures.net_micros(result, clients, qps) if result["floor"] else "(no round trip)"
    return ["{:,.0f}".format(qps), "%.0f" % micros, net]


def ratio_to_pgvector(qps, results, clients, level):
    for result in results:
        if result["label"].split("(")[0] == "pgvector":
            reference = figures.standing(result, clients, level)["qps"]
            return "-" if reference is None else "%.1f" % (qps / reference)
    return "-"


if __name__ == "__main__":
    try:
        main()
    except (OSError, KeyError, ValueError) as error:
        sys.exit("picture.py: %s" % error)
