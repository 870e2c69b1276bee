"""Arithmetic on what was measured: percentiles, the best of a curve, one contender against another."""
import math

import numpy as np

PERCENTILES = (50, 95, 99)
NEAREST_TO_ONE = 0.0005         # recall 1 counts as 1 - this where the scale is stretched
REFERENCES = ("pgvector", "hnswlib")


def percentiles(micros):
    """{"p50": µs, ...} of single latencies; None for each where there are none."""
    if len(micros) == 0:
        return {"p%d" % p: None for p in PERCENTILES}
    return {"p%d" % p: float(np.percentile(micros, p)) for p in PERCENTILES}


def stretched(recall):
    """Where a recall stands on a scale that is stretched towards one."""
    return -math.log10(max(1.0 - recall, NEAREST_TO_ONE))


def micros(point):
    """µs of one query of one client."""
    return 1e6 * point["clients"] / point["qps"]


# ---------------------------------------------------------------- a curve and its best

def front(points):
    """The points that no other beats in recall and speed at once, by ascending recall."""
    best = []
    for point in sorted(points, key=lambda p: (-p["recall"], -p["qps"])):
        if not best or point["qps"] > best[-1]["qps"]:
            best.append(point)
    return best[::-1]


def at_recall(points, level):
    """The best queries/s at a recall, and the recalls measured on either side of it.

    {"qps": q, "between": [low, high]}: the logarithm of q lies on the straight line between two
    neighbours of the front, as drawn in the plot.  Where all of the front lies above the level
    its fastest point stands for it, and low equals high.  {"qps": None, "reaches": r} where the
    curve ends below the level.
    """
    curve = front(points)
    above = [p for p in curve if p["recall"] >= level]
    if not above:
        return {"qps": None, "reaches": max((p["recall"] for p in curve), default=None)}
    high = above[0]
    below = [p for p in curve if p["recall"] < level]
    if not below or high["recall"] == level:
        return {"qps": high["qps"], "between": [high["recall"], high["recall"]]}
    low = below[-1]
    ends = stretched(low["recall"]), stretched(high["recall"])
    share = (stretched(level) - ends[0]) / (ends[1] - ends[0]) if ends[1] > ends[0] else 1.0
    return {"qps": low["qps"] ** (1 - share) * high["qps"] ** share,
            "between": [low["recall"], high["recall"]]}


# ---------------------------------------------------------------- contenders side by side

def client_counts(results):
    return sorted({p["clients"] for r in results for p in r["points"]})


def plotted(results, clients):
    """The points of all contenders that a plot shows, labelled; not those that gave too few rows."""
    return [dict(p, label=r["label"]) for r in results for p in r["points"]
            if p["clients"] == clients and not p["short"]]


def net_micros(result, clients, qps):
    """µs of a search beyond the floor; all of it where there is no round trip to take off."""
    floor = result["floor"].get(str(clients))
    return 1e6 * clients / qps - (1e6 * clients / floor["qps"] if floor else 0.0)


def above_level(between, level):
    """Whether a single point that lies above the level stands for it."""
    return between is not None and between[0] == between[1] > level


def standing(result, clients, level):
    """What a contender achieves at a recall: the row of a ratio table, without the ratios.

    Settings at which queries get too few rows do not count.
    """
    points = [p for p in result["points"] if p["clients"] == clients and not p["short"]]
    row = {"label": result["label"], "clients": clients, "level": level,
           "round_trip": bool(result["floor"]), **at_recall(points, level)}
    if row["qps"] is not None:
        row["us"] = 1e6 * clients / row["qps"]
        row["net_us"] = net_micros(result, clients, row["qps"])
    return row


def compare(results, levels):
    """Rows of every contender at every level and number of clients, with ratios to the references.

    qps_to_X is its queries/s over those of X; net_to_X is the time above the floor of X over its
    own.  Both exceed one where it is faster than X.
    """
    rows = []
    for level in levels:
        for clients in client_counts(results):
            some = [standing(r, clients, level) for r in results]
            for row in some:
                row.update(ratios(row, some))
            rows += some
    return rows


def ratios(row, others):
    out = {}
    for name in REFERENCES:
        reference = next((o for o in others if o["label"].split("(")[0] == name), None)
        known = reference is not None and None not in (reference["qps"], row["qps"])
        out["qps_to_" + name] = row["qps"] / reference["qps"] if known else None
        known = known and row["net_us"] > 0
        out["net_to_" + name] = reference["net_us"] / row["net_us"] if known else None
    return out


def advantage(value, reference, better):
    """How many times better a value is than a reference, where "more" or "less" is better."""
    if better is None or not value or not reference:
        return None
    return value / reference if better == "more" else reference / value


def growth(runs, levels):
    """How the cost at each recall grows with the rows: runs is [(rows, results)], smallest first.

    One row per level, number of clients and contender: "us", "net_us" and "between" per number of
    rows, and "growth", the last net time over the first.
    """
    table = {}
    for rows, results in runs:
        for row in compare(results, levels):
            key = (row["level"], row["clients"], row["label"])
            entry = table.setdefault(key, {"level": key[0], "clients": key[1], "label": key[2],
                                           "rows": [], "us": [], "net_us": [], "between": []})
            entry["rows"].append(rows)
            for what in ("us", "net_us", "between"):
                entry[what].append(row.get(what))
    for entry in table.values():
        first, last = entry["net_us"][0], entry["net_us"][-1]
        entry["growth"] = last / first if first and last and len(entry["rows"]) > 1 else None
    return list(table.values())
