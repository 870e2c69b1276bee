"""What a run prints and leaves in its folder: table.txt, results.json, recall-qps.svg."""
import collections
import json
import os

import figures
import plot

METRICS = {"l2": "L2", "cosine": "cosine", "ip": "inner product"}
MB = 1 << 20
FLOOR = "  without the index"
REFERENCE = "pgvector"

# One figure of a contender; better is "more", "less" or None where ratios say nothing.
Measure = collections.namedtuple("Measure", "name unit better value")


def write(options, data, results):
    """Prints the tables of one data set and writes its files."""
    ratios = figures.compare(results, options.at)
    described = {"name": data.name(), "rows": data.rows, "dim": data.dim, "metric": data.metric,
                 "queries": len(data.queries), "k": options.k}
    lines = [headline(described), ""] + build_table(results) + [""] + point_table(results)
    lines += [""] + ratio_table(ratios)
    if any(r["cold"] for r in results):
        lines += [""] + cold_table(results)
    save_table(options.out, "table.txt", lines)
    save_json(options.out, "results.json", {"arguments": vars(options), "data": described,
                                            "results": results, "ratios": ratios})
    panels = client_panels(described, results)
    if panels:
        plot.write_plot(os.path.join(options.out, "recall-qps.svg"), panels)


def write_scale(options, runs):
    """The same for several numbers of rows: runs is [(rows, results)]."""
    entries = figures.growth(sorted(runs, key=lambda run: run[0]), options.at)
    save_table(options.out, "scale.txt", scale_table(entries))
    save_json(options.out, "scale.json", {"arguments": vars(options), "growth": entries})


def write_measures(options, data, results):
    """The same for writes: results is [{"label", "measures", ...}]."""
    described = {"name": data.name(), "rows": options.rows, "dim": data.dim, "metric": data.metric}
    save_table(options.out, "table.txt", [describe(described), ""] + measure_table(results))
    saved = [{**r, "measures": [m._asdict() for m in r["measures"]]} for r in results]
    save_json(options.out, "results.json", {"arguments": vars(options), "data": described, "results": saved})


def save_table(folder, name, lines):
    print("\n" + "\n".join(lines), flush=True)
    with open(os.path.join(folder, name), "w") as f:
        f.write("\n".join(lines) + "\n")


def save_json(folder, name, content):
    with open(os.path.join(folder, name), "w") as f:
        json.dump(content, f, indent=1)


def client_panels(data, results):
    title = "%s, %d client%s"
    found = [(title % (describe(data), c, "s" * (c > 1)), figures.plotted(results, c))
             for c in figures.client_counts(results)]
    return [(title, points) for title, points in found if points]


def describe(data):
    """A data set as titles name it."""
    return "%s, %s × %s, %s" % (data["name"], "{:,}".format(data["rows"]), "{:,}".format(data["dim"]),
                                METRICS[data["metric"]])


def headline(data):
    return ("%(name)s: %(rows)d rows, %(dim)d dimensions, %(metric)s, recall@%(k)d"
            " over %(queries)d queries" % data)


# ---------------------------------------------------------------- cells

def megabytes(size):
    return "-" if size is None else "%.1f MB" % (size / MB)


def whole(value, width=9):
    return "%*s" % (width, "" if value is None else "%.0f" % value)


def times(value, width=9):
    return "%*s" % (width, "-" if value is None else "%.2f" % value)


def describe_build(build):
    return "%.1f s, %s of memory, index of %s" % (
        build["seconds"], megabytes(build["peak_bytes"]), megabytes(build["index_bytes"]))


def latency_cells(point):
    return " ".join(whole(point["p%d" % p], 7) for p in figures.PERCENTILES)


LATENCY_HEAD = " ".join("%7s" % ("p%d" % p) for p in figures.PERCENTILES)


# ---------------------------------------------------------------- tables

def build_table(results):
    lines = ["%-32s %10s %14s %14s" % ("index", "build s", "build memory", "index size")]
    for r in results:
        b = r["build"]
        lines.append("%-32s %10.1f %14s %14s" % (r["label"], b["seconds"],
                                                megabytes(b["peak_bytes"]), megabytes(b["index_bytes"])))
    return lines


def point_table(results):
    """µs net of the floor: what the search itself costs a client, beside the round trip."""
    lines = ["%-32s %-12s %7s %8s %9s %9s %9s %s %9s" % (
        "index", "setting", "clients", "recall", "queries/s", "µs", "µs net", LATENCY_HEAD, "to 1 cl.")]
    marks = set()
    for r in results:
        for floor in r["floor"].values():
            lines.append(point_line(r, dict(floor, knob="floor"), marks))
        for p in r["points"]:
            lines.append(point_line(r, p, marks))
    if "*" in marks:
        lines.append("* the planner prefers a sequential scan; the index was forced")
    if "!" in marks:
        lines.append("! some queries returned fewer rows than asked for")
    return lines


def point_line(result, point, marks):
    is_floor = point["knob"] == "floor"
    clients, qps = point["clients"], point["qps"]
    mark = ("*" if point.get("planner") is False else "") + ("!" if point.get("short") else "")
    marks.update(mark)
    net = figures.net_micros(result, clients, qps) if result["floor"] and not is_floor else None
    same = list(result["floor"].values()) if is_floor else result["points"]
    scaling = over_one_client(point, same)
    return "%-32s %-12s %7d %8s %9.0f %9.0f %s %s %s %s" % (
        result["label"], point["knob"], clients, "" if is_floor else "%.4f" % point["recall"], qps,
        figures.micros(point), whole(net), latency_cells(point),
        "%9s" % "" if scaling is None else times(scaling), mark)


def over_one_client(point, points):
    """Queries/s of several clients over those of one at the same setting."""
    single = [p["qps"] for p in points if p["clients"] == 1 and p.get("knob") == point.get("knob")]
    return point["qps"] / single[0] if single and point["clients"] > 1 else None


ABOVE_NOTE = "+ even the lowest recall measured lies above the level: the fastest point stands for it."
RATIO_NOTES = (
    "q/s:X is queries/s over those of X; net:X is µs net of X over one's own: above 1 is faster than X.",
    "hnswlib has no round trip: its µs net is all of its µs.", ABOVE_NOTE)


def ratio_table(rows):
    lines = ["%-32s %7s %6s %-15s %9s %9s %9s %11s %11s %11s %11s" % (
        "index", "clients", "recall", "measured", "queries/s", "µs", "µs net", "q/s:pgvec", "net:pgvec",
        "q/s:hnswl", "net:hnswl")]
    for row in rows:
        head = "%-32s %7d %6g " % (row["label"], row["clients"], row["level"])
        lines.append(head + (ratio_cells(row) if row["qps"] is not None else unreached(row)))
    return lines + list(RATIO_NOTES)


def ratio_cells(row):
    low, high = row["between"]
    between = "%.4f..%.4f" % (low, high)
    if low == high:
        between = "%.4f%s" % (high, "+" * figures.above_level(row["between"], row["level"]))
    cells = [times(row[kind + name], 11) for name in figures.REFERENCES for kind in ("qps_to_", "net_to_")]
    return "%-15s %9.0f %9.0f %9.0f %s" % (between, row["qps"], row["us"], row["net_us"], " ".join(cells))


def unreached(row):
    return "not reached" + (", only %.4f" % row["reaches"] if row["reaches"] is not None else "")


COLD_NOTES = ("cold: each query for the first time; again: the same queries once more.  MB/query: read by"
              " the cold ones.", "in memory: share of the chosen pages that were cached before the cold ones.")


def cold_table(results):
    lines = ["%-24s %-12s %-7s %8s %9s %9s %-6s %s %9s" % (
        "index", "setting", "dropped", "recall", "in memory", "MB/query", "", LATENCY_HEAD, "mean µs")]
    for r in results:
        for c in r["cold"]:
            lines.append("%-24s %-12s %-7s %8.4f %8.1f%% %9.3f %-6s %s %9.0f" % (
                r["label"], c["knob"], c["dropped"], c["recall"], 100 * c["resident"],
                c["bytes_per_query"] / MB, "cold", latency_cells(c["cold"]), c["cold"]["mean"]))
            lines.append("%-75s %-6s %s %9.0f" % ("", " again", latency_cells(c["again"]), c["again"]["mean"]))
    return lines + list(COLD_NOTES)


def scale_table(entries):
    counts = sorted({rows for e in entries for rows in e["rows"]})
    head = "%-32s %7s %6s" % ("µs net of the floor at rows:", "clients", "recall")
    lines = [head + "".join("%12d" % rows for rows in counts) + "%10s" % "growth"]
    for e in entries:
        cells = "".join(scale_cell(e, rows) for rows in counts)
        lines.append("%-32s %7d %6g" % (e["label"], e["clients"], e["level"]) + cells + times(e["growth"], 10))
    return lines + [ABOVE_NOTE]


def scale_cell(entry, rows):
    if rows not in entry["rows"]:
        return "%12s" % "-"
    i = entry["rows"].index(rows)
    if entry["net_us"][i] is None:
        return "%12s" % "not reached"
    return "%12s" % ("%.0f%s" % (entry["net_us"][i],
                                 "+" * figures.above_level(entry["between"][i], entry["level"])))


MEASURE_FORMATS = {"s": "%.2f s", "/s": "%.0f /s", "B": "%.0f B", "share": "%.4f", "times": "%.2f x"}


def measure_cell(measure):
    if measure.value is None:
        return "-"
    if measure.unit == "bytes":
        return megabytes(measure.value)
    return MEASURE_FORMATS.get(measure.unit, "%.0f") % measure.value


def measure_table(results):
    """A line per measure, a column per contender; contenders have the same measures in the same order,
    but for further ones at the end."""
    reference = next((r["measures"] for r in results if r["label"].split("(")[0] == REFERENCE), [])
    longest = max((r["measures"] for r in results), key=len, default=[])
    lines = ["%-46s" % "" + "".join("%20s %7s" % (r["label"][:20], "ratio" * bool(reference)) for r in results)]
    for i, measure in enumerate(longest):
        cells = [measure_cells(r["measures"][i:i + 1], reference[i:i + 1]) for r in results]
        lines.append("%-46s" % measure.name + "".join(cells))
    return lines + ["ratio: how many times better than %s." % REFERENCE] * bool(reference)


def measure_cells(own, reference):
    if not own:
        return "%28s" % ""
    ratio = figures.advantage(own[0].value, reference[0].value, own[0].better) if reference else None
    return "%20s %s" % (measure_cell(own[0]), "%7s" % "" if ratio is None else times(ratio, 7))
