"""Recall against queries per second as an SVG file: one panel per number of clients."""
import math
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 620, 460
LEFT, RIGHT, TOP, BOTTOM = 72, 16, 46, 56
COLOURS = ("#0b6e99", "#c8553d", "#588157", "#7b4b94", "#b8860b", "#444444", "#d81b60", "#1e88e5")
RECALL_TICKS = (0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999, 1.0)
NEAREST_TO_ONE = 0.0005         # recall 1 is drawn where 1 - this would be


def write_plot(path, title, points):
    """points: list of dicts with label, clients, recall, qps, auto (a default setting: big dot)."""
    panels = sorted({p["clients"] for p in points})
    labels = list(dict.fromkeys(p["label"] for p in points))
    colour = {label: COLOURS[i % len(COLOURS)] for i, label in enumerate(labels)}
    body = []
    for i, clients in enumerate(panels):
        some = [p for p in points if p["clients"] == clients]
        panel = Panel(some, "%s, %d client%s" % (title, clients, "s" if clients > 1 else ""))
        body.append('<g transform="translate(%d,0)">' % (i * WIDTH))
        body.extend(panel.draw(labels, colour))
        body.append("</g>")
    with open(path, "w") as out:
        out.write('<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" '
                  'font-family="sans-serif" font-size="12">\n' % (WIDTH * len(panels), HEIGHT))
        out.write('<rect width="100%" height="100%" fill="white"/>\n')
        out.write("\n".join(body) + "\n</svg>\n")


def recall_scale(recall):
    return -math.log10(max(1.0 - recall, NEAREST_TO_ONE))


class Panel:
    """One diagram: recall to the right (stretched towards one), queries per second upwards (log)."""

    def __init__(self, points, title):
        self.points = points
        self.title = title
        lowest = min(p["recall"] for p in points)
        below = [t for t in RECALL_TICKS if t <= lowest]
        self.x_low = recall_scale(below[-1] if below else 0.0)
        self.x_high = recall_scale(1.0) + 0.08
        logs = [math.log10(max(p["qps"], 1e-3)) for p in points]
        self.y_low = min(logs) - 0.08
        self.y_high = max(logs) + 0.08

    def x(self, recall):
        share = (recall_scale(recall) - self.x_low) / (self.x_high - self.x_low)
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def y(self, qps):
        share = (math.log10(max(qps, 1e-3)) - self.y_low) / (self.y_high - self.y_low)
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)

    def draw(self, labels, colour):
        out = [text(LEFT, 22, self.title, size=14)]
        out += self.axes()
        for label in labels:
            mine = [p for p in self.points if p["label"] == label]
            out += self.curve(mine, colour[label])
        out += self.legend(labels, colour)
        return out

    def axes(self):
        bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
        out = ['<rect x="%d" y="%d" width="%d" height="%d" fill="none" stroke="#888"/>'
               % (LEFT, TOP, right - LEFT, bottom - TOP)]
        for tick in RECALL_TICKS:
            if recall_scale(tick) >= self.x_low - 1e-9:
                x = self.x(tick)
                out.append(line(x, TOP, x, bottom))
                out.append(text(x, bottom + 16, "%g" % tick, anchor="middle"))
        for tick in self.qps_ticks():
            y = self.y(tick)
            out.append(line(LEFT, y, right, y))
            out.append(text(LEFT - 6, y + 4, "%g" % tick, anchor="end"))
        out.append(text((LEFT + right) / 2, HEIGHT - 16, "recall", anchor="middle"))
        out.append('<g transform="translate(16,%d) rotate(-90)">%s</g>'
                   % ((TOP + bottom) / 2, text(0, 0, "queries per second", anchor="middle")))
        return out

    def qps_ticks(self):
        decades = range(math.floor(self.y_low), math.ceil(self.y_high) + 1)
        ticks = [m * 10.0 ** d for d in decades for m in (1, 2, 5)]
        return [t for t in ticks if self.y_low <= math.log10(t) <= self.y_high]

    def curve(self, points, colour):
        """Swept points are joined; points of default settings stand alone and larger."""
        swept = sorted((p for p in points if not p["auto"]), key=lambda p: (p["recall"], -p["qps"]))
        path = " ".join("%.1f,%.1f" % (self.x(p["recall"]), self.y(p["qps"])) for p in swept)
        out = ['<polyline points="%s" fill="none" stroke="%s" stroke-width="2"/>' % (path, colour)]
        for p in points:
            out.append('<circle cx="%.1f" cy="%.1f" r="%d" fill="%s" stroke="%s"><title>%s</title></circle>'
                       % (self.x(p["recall"]), self.y(p["qps"]), 6 if p["auto"] else 3,
                          "white" if p["auto"] else colour, colour, escape(p["knob"])))
        return out

    def legend(self, labels, colour):
        out = []
        for i, label in enumerate(labels):
            y = HEIGHT - BOTTOM - 12 - 16 * (len(labels) - 1 - i)
            out.append('<rect x="%d" y="%d" width="10" height="10" fill="%s"/>'
                       % (LEFT + 10, y - 9, colour[label]))
            out.append(text(LEFT + 26, y, label))
        return out


def line(x1, y1, x2, y2):
    return ('<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="#ddd"/>' % (x1, y1, x2, y2))


def text(x, y, content, anchor="start", size=12):
    return ('<text x="%.1f" y="%.1f" text-anchor="%s" font-size="%d">%s</text>'
            % (x, y, anchor, size, escape(content)))
