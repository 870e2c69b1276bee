"""Recall against queries per second as an SVG file: panels in a grid, one legend for all."""
import math
from xml.sax.saxutils import escape

from figures import stretched

WIDTH, HEIGHT = 460, 360        # of a panel
LEFT, RIGHT, TOP, BOTTOM = 66, 14, 36, 48
LEGEND_LINE = 22
TICK_ROOM = 30                  # pixels between two labels of the axis of recall
COLOURS = ("#0b6e99", "#c8553d", "#588157", "#7b4b94", "#b8860b", "#444444", "#d81b60", "#1e88e5")
MARKERS = ("circle", "square", "triangle", "diamond")
ENGINES = ("vecidx", "pgvector", "hnswlib", "vecidx-vector")    # look the same in every picture
RECALL_TICKS = (0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999, 1.0)
RING = "default settings"


def write_plot(path, panels, columns=2):
    """panels: [(title, points)]; a point is a dict with label, recall, qps, knob and auto (drawn
    as a ring: what an engine does by its default settings)."""
    styles = make_styles(p["label"] for _, points in panels for p in points)
    rings = any(p["auto"] for _, points in panels for p in points)
    columns = min(columns, len(panels))
    width = WIDTH * columns
    legend = Legend(styles, rings, width - LEFT - RIGHT)
    height = legend.height + HEIGHT * -(-len(panels) // columns)
    body = legend.draw()
    for i, (title, points) in enumerate(panels):
        body.append('<g transform="translate(%d,%d)">'
                    % (i % columns * WIDTH, legend.height + i // columns * HEIGHT))
        body += Panel(points, title).draw(styles)
        body.append("</g>")
    with open(path, "w") as out:
        out.write('<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d"'
                  ' font-family="sans-serif" font-size="12" fill="#222">\n'
                  % (width, height, width, height))
        out.write('<rect width="100%" height="100%" fill="white"/>\n')
        out.write("\n".join(body) + "\n</svg>\n")


def make_styles(labels):
    """{label: (colour, marker)}, in the order of the legend."""
    found = list(dict.fromkeys(labels))
    known = [label for label in ENGINES if label in found]
    styles = {label: ENGINES.index(label) for label in known}
    for label in found:
        if label not in styles:
            styles[label] = len(ENGINES) + len(styles) - len(known)
    return {label: (COLOURS[i % len(COLOURS)], MARKERS[i % len(MARKERS)])
            for label, i in styles.items()}


class Legend:
    """A line or more above the panels."""

    def __init__(self, styles, rings, width):
        self.entries = []
        x = y = 0
        items = list(styles.items()) + ([(RING, None)] if rings else [])
        for label, style in items:
            advance = 30 + 7 * len(label)
            if x > 0 and x + advance > width:
                x, y = 0, y + 1
            self.entries.append((LEFT + x, LEGEND_LINE * (y + 1), label, style))
            x += advance
        self.height = LEGEND_LINE * (y + 1) + 10

    def draw(self):
        out = []
        for x, y, label, style in self.entries:
            out.append(ring(x + 6, y - 4, "#666", "") if style is None
                       else marker(style[1], x + 6, y - 4, style[0], ""))
            out.append(text(x + 17, y, label))
        return out


class Panel:
    """One diagram: recall to the right (stretched towards one), queries per second upwards (log)."""

    def __init__(self, points, title):
        self.points = points
        self.title = title
        recalls = [p["recall"] for p in points]
        below = [t for t in RECALL_TICKS if t <= min(recalls)]
        above = [t for t in RECALL_TICKS if t >= max(recalls)]
        self.x_low = stretched(below[-1] if below else 0.0) - 0.05
        self.x_high = stretched(above[0]) + 0.05
        logs = [math.log10(max(p["qps"], 1e-3)) for p in points]
        self.y_low = min(logs) - 0.08
        self.y_high = max(logs) + 0.08

    def x(self, recall):
        share = (stretched(recall) - self.x_low) / (self.x_high - self.x_low)
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def y(self, qps):
        share = (math.log10(max(qps, 1e-3)) - self.y_low) / (self.y_high - self.y_low)
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)

    def draw(self, styles):
        out = [text(LEFT, 24, self.title, size=14)]
        out += self.axes()
        for label, style in styles.items():
            out += self.curve([p for p in self.points if p["label"] == label], *style)
        return out

    def axes(self):
        bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
        out = ['<rect x="%d" y="%d" width="%d" height="%d" fill="none" stroke="#888"/>'
               % (LEFT, TOP, right - LEFT, bottom - TOP)]
        for tick in self.recall_ticks():
            x = self.x(tick)
            out.append(line(x, TOP, x, bottom))
            out.append(text(x, bottom + 16, "%g" % tick, anchor="middle"))
        for tick in self.qps_ticks():
            y = self.y(tick)
            out.append(line(LEFT, y, right, y))
            out.append(text(LEFT - 6, y + 4, "{:,g}".format(tick), anchor="end"))
        out.append(text((LEFT + right) / 2, HEIGHT - 12, "recall", anchor="middle"))
        out.append('<g transform="translate(14,%d) rotate(-90)">%s</g>'
                   % ((TOP + bottom) / 2, text(0, 0, "queries per second", anchor="middle")))
        return out

    def recall_ticks(self):
        """From the highest down, leaving out those whose labels would touch."""
        ticks = []
        for tick in RECALL_TICKS[::-1]:
            inside = self.x_low <= stretched(tick) <= self.x_high
            if inside and (not ticks or self.x(ticks[-1]) - self.x(tick) >= TICK_ROOM):
                ticks.append(tick)
        return ticks

    def qps_ticks(self):
        decades = range(math.floor(self.y_low), math.ceil(self.y_high) + 1)
        ticks = [m * 10.0 ** d for d in decades for m in (1, 2, 5)]
        return [t for t in ticks if self.y_low <= math.log10(t) <= self.y_high]

    def curve(self, points, colour, shape):
        """Swept points are joined; points of default settings stand alone, as rings."""
        swept = sorted((p for p in points if not p["auto"]), key=lambda p: (p["recall"], -p["qps"]))
        path = " ".join("%.1f,%.1f" % (self.x(p["recall"]), self.y(p["qps"])) for p in swept)
        out = ['<polyline points="%s" fill="none" stroke="%s" stroke-width="2"/>' % (path, colour)]
        for p in sorted(points, key=lambda p: p["auto"]):
            x, y = self.x(p["recall"]), self.y(p["qps"])
            what = "%s, %s: recall %.4f, %.0f queries/s" % (p["label"], p["knob"], p["recall"], p["qps"])
            out.append(ring(x, y, colour, what) if p["auto"] else marker(shape, x, y, colour, what))
        return out


def ring(x, y, colour, title):
    return ('<circle cx="%.1f" cy="%.1f" r="6" fill="white" stroke="%s" stroke-width="2">%s</circle>'
            % (x, y, colour, tooltip(title)))


def marker(shape, x, y, colour, title):
    """A filled mark of about 8 pixels; title shows when the pointer rests on it."""
    if shape == "circle":
        return '<circle cx="%.1f" cy="%.1f" r="4" fill="%s">%s</circle>' % (x, y, colour, tooltip(title))
    corners = {"square": ((-3.5, -3.5), (3.5, -3.5), (3.5, 3.5), (-3.5, 3.5)),
               "triangle": ((0, -5), (4.5, 3.5), (-4.5, 3.5)),
               "diamond": ((0, -5), (5, 0), (0, 5), (-5, 0))}[shape]
    path = " ".join("%.1f,%.1f" % (x + dx, y + dy) for dx, dy in corners)
    return '<polygon points="%s" fill="%s">%s</polygon>' % (path, colour, tooltip(title))


def tooltip(title):
    return "<title>%s</title>" % escape(title) if title else ""


def line(x1, y1, x2, y2):
    return ('<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="#ddd"/>' % (x1, y1, x2, y2))


def text(x, y, content, anchor="start", size=12):
    return ('<text x="%.1f" y="%.1f" text-anchor="%s" font-size="%d">%s</text>'
            % (x, y, anchor, size, escape(content)))
