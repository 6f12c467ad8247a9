"""The pictures of docs/benchmarks.md, drawn from results. SVG that reads on white and on black.

The background is left out, text stays text, and ink and colours are of a middle brightness. The
same results give the same bytes with the same matplotlib.
"""

from __future__ import annotations

import io
import math
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from matplotlib.figure import Figure as Canvas

if TYPE_CHECKING:
    from bench.harness import Figure
    from bench.results import Results

INK = "#768390"
COLOURS = (
    *("#2f81f7", "#e5534b", "#2da44e", "#bf8700", "#a371f7", "#db61a2"),
    *("#1b9aaa", "#8c6d46", "#5c7cfa", "#e8590c", "#66a80f", "#868e96"),
)
OURS = COLOURS[0]
STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "whence",
    "font.family": "sans-serif",
    "font.size": 11,
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "grid.color": INK,
    "grid.alpha": 0.2,
    "axes.spines.top": False,
    "axes.spines.right": False,
}
LABEL_GAP = 0.032  # of the height of the axes: between the names at the ends of the lines

PANELS = (
    # scenario, unit, title, label
    ("search", "ms", "A search over HTTP", "milliseconds, median"),
    ("facets", "ms", "Facets and versions over HTTP", "milliseconds, median"),
    ("growth", "µs a trace", "Durable ingest", "microseconds a trace"),
)

Lines = dict[str, list[tuple[int, float]]]  # by what was measured: traces in the store, median


def find_growth(results: Results) -> dict[str, Lines]:
    """Return what was measured at several sizes of the store, by the panel's title."""
    found: dict[str, Lines] = {}
    for scenario, unit, title, _ in PANELS:
        outcome = results.outcome(scenario)
        lines: Lines = defaultdict(list)
        for one in outcome.figures if outcome else ():
            if one.size and one.values and one.subject == "whence" and one.unit == unit:
                lines[one.name].append((one.size, one.median))
        found[title] = {name: sorted(points) for name, points in lines.items() if len(points) > 1}
    return found


def draw_growth(results: Results) -> bytes:
    """Draw cost against size, both logarithmic."""
    growth = find_growth(results)
    with mpl.rc_context(STYLE):
        canvas = Canvas(figsize=(13, 8), layout="constrained")
        grid = canvas.add_gridspec(2, 2, width_ratios=(1, 1), height_ratios=(3, 2))
        places = (grid[:, 0], grid[0, 1], grid[1, 1])
        for place, (_, _, title, label) in zip(places, PANELS, strict=True):
            panel = canvas.add_subplot(place)
            _draw_lines(
                panel, growth[title], gap=LABEL_GAP if place is places[0] else 2 * LABEL_GAP
            )
            panel.set_title(title, loc="left")
            panel.set_ylabel(label)
            panel.set_xlabel("traces in the store")
        return _save(canvas)


def _draw_lines(panel: Any, lines: Lines, gap: float) -> None:
    panel.set_xscale("log")
    panel.set_yscale("log")
    panel.grid(visible=True, which="major")
    values = [value for points in lines.values() for _, value in points]
    sizes = sorted({size for points in lines.values() for size, _ in points})
    if not values:
        panel.text(0.5, 0.5, "not measured", transform=panel.transAxes, ha="center")
        return
    low, high = min(values) / 1.5, max(values) * 1.5
    if high / low < 20:  # a flat line looks flat
        low, high = low / 3, high * 3
    panel.set_ylim(low, high)
    panel.set_xlim(sizes[0] / 1.3, sizes[-1] * 1.3)
    panel.set_xticks(sizes, [_shorten(size) for size in sizes])
    panel.minorticks_off()
    ticks = [tick for power in range(-1, 6) for tick in (10**power, 3 * 10**power)]
    shown = [tick for tick in ticks if low <= tick <= high]
    panel.set_yticks(shown, [f"{tick:g}" for tick in shown])
    ends = sorted((points[-1][1], name) for name, points in lines.items())
    heights = _spread([end for end, _ in ends], low, high, gap)
    for place, (end, name) in enumerate(ends):
        colour = COLOURS[place % len(COLOURS)]
        points = lines[name]
        line = "-" if place < len(COLOURS) else "--"
        panel.plot(
            *zip(*points, strict=True), color=colour, marker="o", markersize=4, lw=1.8, ls=line
        )
        panel.annotate(
            f"{name}  {end:.3g}",
            xy=(1.02, heights[place]),
            xycoords="axes fraction",
            color=colour,
            va="center",
            fontsize=10,
            annotation_clip=False,
        )


def _spread(values: list[float], low: float, high: float, gap: float) -> list[float]:
    """Return heights within the axes, from 0 to 1, with room for a line of text each.

    Rising values move as little as they can: those that crowd are set out around their mean.
    """
    heights = [math.log(one / low) / math.log(high / low) for one in values]
    crowds: list[list[float]] = []  # of heights less the room that those below take
    for place, height in enumerate(heights):
        crowds.append([height - place * gap])
        while len(crowds) > 1 and _mean(crowds[-2]) >= _mean(crowds[-1]):
            last = crowds.pop()
            crowds[-1] += last
    moved = [_mean(crowd) for crowd in crowds for _ in crowd]
    return [height + place * gap for place, height in enumerate(moved)]


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


BARS = (
    # scenario, figure, title, unit, what more is
    ("calling_thread", "one after the other, CPU of the thread", "Calling thread", "worse"),
    ("delivered", "until delivered, as fast as it goes", "CPU until delivered", "worse"),
    ("ingest_peers", "spans in the store", "Durable ingest", "better"),
)


def draw_peers(results: Results) -> bytes:
    """Draw what the peers need beside Whence, logarithmic."""
    with mpl.rc_context(STYLE):
        canvas = Canvas(figsize=(12, 3.4), layout="constrained")
        for panel, (scenario, name, title, more) in zip(
            canvas.subplots(1, len(BARS)), BARS, strict=True
        ):
            outcome = results.outcome(scenario)
            figures = [
                one
                for one in (outcome.figures if outcome else ())
                if one.name == name and one.values and one.subject != "no tracing"
            ]
            unit = figures[0].unit if figures else ""
            panel.set_title(f"{title}, {unit}\n(more is {more})", loc="left", fontsize=11)
            _draw_bars(panel, figures)
        return _save(canvas)


def _draw_bars(panel: Any, figures: list[Figure]) -> None:
    for side in ("bottom", "left"):
        panel.spines[side].set_visible(False)
    panel.set_xticks([])
    if not figures:
        panel.set_yticks([])
        panel.text(0, 0.5, "not measured", transform=panel.transAxes)
        return
    figures = sorted(figures, key=lambda one: (one.subject == "whence", one.median))
    names = [one.subject for one in figures]
    values = [max(one.median, 1e-3) for one in figures]
    colours = [OURS if name == "whence" else INK for name in names]
    panel.set_xscale("log")
    bars = panel.barh(names, values, color=colours, height=0.6)
    panel.bar_label(
        bars,
        labels=[f" {value:,.3g}" if value < 1000 else f" {value:,.0f}" for value in values],
        color=INK,
        fontsize=10,
    )
    panel.set_xlim(min(values) / 3, max(values) * 6)
    panel.set_xticks([])
    panel.minorticks_off()
    panel.tick_params(axis="y", length=0)


def _shorten(size: int) -> str:
    for unit, name in ((1_000_000, "M"), (1_000, "k")):
        if size >= unit:
            return f"{size / unit:g} {name}"
    return str(size)


def _save(canvas: Canvas) -> bytes:
    out = io.BytesIO()
    canvas.savefig(out, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    # matplotlib ends some lines with spaces
    lines = [line.rstrip() for line in out.getvalue().decode().splitlines()]
    return ("\n".join(lines) + "\n").encode()
