"""Latency against the share of rows that pass, as an SVG file: a panel for each correlation."""
import math
from xml.sax.saxutils import escape

from plot import COLOURS

WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 380, 320, 60, 60, 14, 44
TITLES = {"none": "no correlation", "near": "what is near passes", "far": "what is far passes"}


def write(path, results, k):
    some = [r for r in results if r["k"] == k]
    ways = list(dict.fromkeys(r["way"] for r in some))
    correlations = list(dict.fromkeys(r["correlation"] for r in some))
    scale = Scale(some)
    body = []
    for i, way in enumerate(ways):
        body.append('<text x="%d" y="20" fill="%s">%s</text>' % (LEFT + 110 * i, COLOURS[i], escape(way)))
    for i, correlation in enumerate(correlations):
        body.append('<g transform="translate(%d,0)">' % (WIDTH * i))
        body += scale.axes(TITLES[correlation])
        for colour, way in zip(COLOURS, ways):
            body += scale.curve([r for r in some if r["way"] == way and
                                 (r["correlation"] == correlation or way == "unfiltered")], way, colour)
        body.append("</g>")
    with open(path, "w") as out:
        out.write('<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif"'
                  ' font-size="12" fill="#222">\n<rect width="100%%" height="100%%" fill="white"/>\n%s\n</svg>\n'
                  % (WIDTH * len(correlations), HEIGHT, "\n".join(body)))


class Scale:
    """Both axes are logarithmic; a point below recall 0.95 is hollow."""

    def __init__(self, results):
        self.shares = sorted({r["share"] for r in results})
        self.low = math.floor(math.log10(min(r["p50"] for r in results)))
        self.high = math.ceil(math.log10(max(r["p50"] for r in results)))

    def x(self, share):
        first, last = math.log(self.shares[0]), math.log(self.shares[-1])
        part = (math.log(share) - first) / ((last - first) or 1)
        return LEFT + part * (WIDTH - LEFT - RIGHT)

    def y(self, micros):
        part = (math.log10(micros) - self.low) / ((self.high - self.low) or 1)
        return HEIGHT - BOTTOM - part * (HEIGHT - TOP - BOTTOM)

    def axes(self, title):
        lines = ['<text x="%d" y="44" font-weight="bold">%s</text>' % (LEFT, escape(title))]
        for power in range(self.low, self.high + 1):
            y = self.y(10 ** power)
            lines.append('<path d="M%d %.1fH%d" stroke="#ddd"/>' % (LEFT, y, WIDTH - RIGHT))
            lines.append('<text x="%d" y="%.1f" text-anchor="end">%g ms</text>' % (LEFT - 4, y + 4, 10 ** power / 1e3))
        for share in self.shares[::2]:
            lines.append('<text x="%.1f" y="%d" text-anchor="middle">%g %%</text>'
                         % (self.x(share), HEIGHT - BOTTOM + 16, 100 * share))
        return lines

    def curve(self, results, way, colour):
        if way == "unfiltered":
            return ['<path d="M%d %.1fH%d" stroke="%s" stroke-dasharray="4 3"/>'
                    % (LEFT, self.y(r["p50"]), WIDTH - RIGHT, colour) for r in results]
        points = [(self.x(r["share"]), self.y(r["p50"]), r["recall"]) for r in results]
        lines = ['<polyline fill="none" stroke="%s" points="%s"/>'
                 % (colour, " ".join("%.1f,%.1f" % point[:2] for point in points))]
        lines += ['<circle cx="%.1f" cy="%.1f" r="3" stroke="%s" fill="%s"/>'
                  % (x, y, colour, colour if recall >= 0.95 else "white") for x, y, recall in points]
        return lines
