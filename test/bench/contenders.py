"""What can be measured: indexes in the server, and hnswlib in a process of its own.

A contender is named on the command line as `name` or `name(option=value,...)`; the options
go to the index's WITH clause.
"""
import re

OPERATORS = {"l2": "<->", "cosine": "<=>", "ip": "<#>"}
HNSW = {"m": "16", "ef_construction": "64"}


class SqlContender:
    """An index in the server.

    method and prefix give `USING method (v prefix_metric_ops)`; with_options and knobs are what
    its WITH clause and its sweep consist of.
    """

    def __init__(self, name, extension, sql_type, method):
        self.name = name
        self.label = name
        self.extension = extension
        self.sql_type = sql_type
        self.method = method
        self.prefix = "real" if sql_type == "real[]" else sql_type
        self.with_options = {}

    def create_sql(self, index, table, metric):
        options = ", ".join("%s = %s" % pair for pair in self.with_options.items())
        return "CREATE INDEX %s ON %s USING %s (v %s_%s_ops)%s;" % (
            index, table, self.method, self.prefix, metric, " WITH (%s)" % options if options else "")

    def knobs(self, efs, targets):
        """[(name, settings, automatic)]: the points of the curve."""
        if self.method == "hnsw":
            return [("ef %d" % ef, {"hnsw.ef_search": ef}, False) for ef in efs if ef <= 1000]
        swept = [("ef %d" % ef, {"vecidx.ef_search": ef}, False) for ef in efs]
        default = [("target %.2f" % t, {"vecidx.ef_search": 0, "vecidx.target_recall": t}, True)
                   for t in targets]
        return swept + default


class HnswlibContender:
    """hnswlib, called from Python in one process: no SQL, no transactions, no pages."""

    def __init__(self):
        self.name = "hnswlib"
        self.label = "hnswlib"
        self.with_options = dict(HNSW)


def make_contender(text):
    """The contender that a command line's `name(option=value,...)` asks for."""
    match = re.fullmatch(r"([\w-]+)(?:\((.*)\))?", text)
    if match is None or match.group(1) not in MAKERS:
        raise ValueError("unknown index \"%s\": choose from %s" % (text, ", ".join(MAKERS)))
    contender = MAKERS[match.group(1)]()
    for option in (match.group(2) or "").split(","):
        if option:
            name, value = option.split("=")
            contender.with_options[name.strip()] = value.strip()
    contender.label = text
    return contender


def make_pgvector():
    contender = SqlContender("pgvector", "vector", "vector", "hnsw")
    contender.with_options = dict(HNSW)
    return contender


MAKERS = {
    "vecidx": lambda: SqlContender("vecidx", "vecidx", "real[]", "vecidx"),
    "vecidx-vector": lambda: SqlContender("vecidx-vector", "vecidx_pgvector", "vector", "vecidx"),
    "pgvector": make_pgvector,
    "hnswlib": HnswlibContender,
}
