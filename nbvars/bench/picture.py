"""Results as a picture: one panel a group of workloads, one dot a library; matplotlib is imported on use."""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nbvars.bench.comparisons import PANELS
from nbvars.bench.report import format_seconds, format_setting, ratio, series_of
from nbvars.bench.running import Report, Result

# The colours of Okabe and Ito (2008), which the colour-blind can tell apart; the shapes say the same once more.
STYLES = {
    "numpy": ("#0072B2", "o"),
    "torch": ("#D55E00", "s"),
    "torch index_put_": ("#D55E00", "p"),
    "torch fused": ("#D55E00", "H"),
    "tensorflow": ("#E69F00", "^"),
    "jax": ("#009E73", "D"),
    "numexpr": ("#CC79A7", "v"),
    "python Lock": ("#000000", "X"),
    "python itertools": ("#7F7F7F", "P"),
    "python file": ("#7F7F7F", "d"),
    "nbvars eager": ("#56B4E9", "h"),
}
_OTHER = ("#7F7F7F", "*")
_TICKS = (0.01, 0.1, 1.0, 10.0, 100.0, 1000.0)
_ROW, _HEAD = 0.235, 0.62  # inches: of a row, and of what a panel has besides
_GREY, _PALE = "#666666", "#F0F0F0"


def save_picture(report: Report, path: Path) -> None:
    """Save the ratios of ``report`` on a log scale."""
    from matplotlib.figure import Figure

    columns = _columns([(name, list(rows)) for name, rows in itertools.groupby(report.results, lambda r: r.panel)])
    body = max(sum(_height(rows) for _, rows in column) for column in columns)
    notes = _footnotes(report)
    top, bottom = 1.0, 0.25 + 0.17 * len(notes)
    figure = Figure(figsize=(6.6 * len(columns), top + body + bottom), facecolor="white")
    limits = _limits(report.results)
    for number, column in enumerate(columns):
        y = top
        for panel, rows in column:
            place = (number * 6.6 + 2.55, y + _HEAD / 2 + 0.06, 3.35, _ROW * len(rows))
            _draw_panel(_axes_at(figure, place), panel, rows, limits)
            y += _height(rows)
    _draw_head(figure, report)
    for number, note in enumerate(notes):
        y = 1 - (top + body + 0.1 + 0.17 * number) / figure.get_figheight()
        figure.text(0.2 / figure.get_figwidth(), y, note, fontsize=8, color=_GREY, va="top")
    figure.savefig(path, dpi=150)


def _height(rows: Sequence[Result]) -> float:
    return _HEAD + _ROW * len(rows)


def _columns(panels: list[tuple[str, list[Result]]]) -> list[list[tuple[str, list[Result]]]]:
    """Return the panels in their order in one column, or in two that are as alike in height as can be."""
    if len(panels) == 1:
        return [panels]
    heights = [_height(rows) for _, rows in panels]
    cut = min(range(1, len(panels)), key=lambda k: max(sum(heights[:k]), sum(heights[k:])))
    return [panels[:cut], panels[cut:]]


def _limits(results: Sequence[Result]) -> tuple[float, float]:
    ratios = [ratio(result, name) for result in results for name in result.timings if name not in result.remarks]
    return min(0.5, min(ratios) / 1.4), max(2.0, max(ratios) * 1.4)


def _axes_at(figure: Any, place: tuple[float, float, float, float]) -> Any:
    """Return axes at ``(left, top, width, height)`` in inches from the left and from the top."""
    width, height = figure.get_size_inches()
    left, top, wide, high = place
    return figure.add_axes((left / width, 1 - (top + high) / height, wide / width, high / height))


def _draw_panel(axes: Any, panel: str, rows: Sequence[Result], limits: tuple[float, float]) -> None:
    axes.set(xscale="log", xlim=limits, ylim=(len(rows) - 0.5, -0.5))
    axes.axvspan(limits[0], 1, color=_PALE, zorder=0)
    axes.axvline(1, color="black", linewidth=1, zorder=2)
    axes.grid(axis="x", color="#DDDDDD", linewidth=0.6)
    axes.hlines(range(len(rows)), *limits, color="#DDDDDD", linewidth=0.6, zorder=1)
    for y, row in enumerate(rows):
        _draw_row(axes, y, row, limits)
    axes.set_yticks(range(len(rows)), [row.name for row in rows], fontsize=8.5)
    ticks = [tick for tick in _TICKS if limits[0] <= tick <= limits[1]]
    axes.set_xticks(ticks, [f"{tick:g}x" for tick in ticks], fontsize=8)
    axes.minorticks_off()
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    for y, row in enumerate(rows):
        own = format_seconds(row.timings["nbvars"].seconds).replace("us", "\N{MICRO SIGN}s")
        axes.annotate(own, (1.015, y), xycoords=("axes fraction", "data"), fontsize=8, color=_GREY, va="center")
    left, above = (-2.35 * 72, 5), {"textcoords": "offset points", "va": "bottom"}
    title = axes.annotate(panel, (0, 1), left, "axes fraction", fontsize=11, fontweight="bold", **above)
    axes.annotate(PANELS.get(panel, ""), (1, 0), (7, 1), title, fontsize=8.5, color=_GREY, **above)


def _draw_row(axes: Any, y: int, row: Result, limits: tuple[float, float]) -> None:
    near = (limits[1] / limits[0]) ** 0.03
    last, number = 0.0, 0
    for name in sorted(series_of([row]), key=lambda name: ratio(row, name)):
        x = min(max(ratio(row, name), limits[0] * 1.1), limits[1] / 1.1)  # at the edge, if it is beyond
        number = number + 1 if x < last * near else 0
        dodged = y + (0.0, 0.28, -0.28)[number % 3]  # dots that would hide each other
        color, marker = STYLES.get(name, _OTHER)
        face, edge = ("white", color) if name in row.remarks else (color, "white")
        shape = marker if x == ratio(row, name) else "<" if x > ratio(row, name) else ">"
        style = {"marker": shape, "facecolor": face, "edgecolor": edge, "linewidth": 0.8}
        axes.scatter(x, dodged, s=42, zorder=3, clip_on=False, **style)
        last = x


def _draw_head(figure: Any, report: Report) -> None:
    from matplotlib.lines import Line2D

    width, height = figure.get_size_inches()
    left = 0.2 / width
    figure.text(left, 1 - 0.12 / height, "Time of other libraries over that of nbvars", fontsize=14, va="top")
    meaning = "log scale; right of the line, in white: nbvars is faster; grey numbers: time of nbvars itself"
    figure.text(left, 1 - 0.42 / height, meaning, fontsize=9, color=_GREY, va="top")
    handles = [
        Line2D([], [], linestyle="", marker=marker, color=color, markersize=7, label=name)
        for name, (color, marker) in STYLES.items()
        if name in series_of(report.results)
    ]
    place = {"loc": "upper left", "bbox_to_anchor": (left, 1 - 0.6 / height), "borderaxespad": 0}
    figure.legend(handles=handles, ncols=9, frameon=False, fontsize=9, handletextpad=0.1, columnspacing=1.2, **place)


def _footnotes(report: Report) -> list[str]:
    remarks = {
        f"hollow {name}: {text}" for row in report.results for name, text in row.remarks.items() if name in row.timings
    }
    lines = [*sorted(remarks), *format_setting(report.setting).splitlines()]
    return [part for line in lines for part in textwrap.wrap(line, 175 if len(report.results) > 20 else 100)]
