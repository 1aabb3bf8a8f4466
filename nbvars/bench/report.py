"""Results as a table for a person, and as JSON for a program."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nbvars.bench.comparisons import PANELS
from nbvars.bench.running import Report, Result
from nbvars.bench.timing import Timing
from nbvars.checks import message

_UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "us"), (1e-9, "ns"))
_SIGNS = "*+#^~"
MEANING = (
    "Ratios: the time of that library over that of nbvars; above 1, nbvars is faster. Medians of interleaved rounds."
)


def format_seconds(seconds: float) -> str:
    """Return a time of three digits with its unit."""
    size, unit = next(((size, unit) for size, unit in _UNITS if seconds >= size), _UNITS[-1])
    return f"{three_digits(seconds / size)} {unit}"


def three_digits(number: float) -> str:
    """Return ``number`` with three digits, or all of those before the point."""
    for limit, decimals in ((9.995, 2), (99.95, 1)):
        if number < limit:
            return f"{number:.{decimals}f}"
    return f"{number:.0f}"


def ratio(result: Result, series: str) -> float:
    """Return the time of ``series`` over that of nbvars."""
    return result.timings[series].seconds / result.timings["nbvars"].seconds


def series_of(results: Sequence[Result]) -> list[str]:
    """Return all series but nbvars that were timed, in the order in which they first come up."""
    return list(dict.fromkeys(name for result in results for name in result.timings if name != "nbvars"))


def format_setting(setting: dict[str, Any]) -> str:
    """Return two lines: versions, and the machine."""
    versions = ", ".join(f"{name} {version}" for name, version in setting["versions"].items())
    threads = f"{setting['threads']} thread{'s' if setting['threads'] > 1 else ''}"
    machine = f"{setting['cpu']}, {setting['processors']} processors, load before {setting['load']}"
    return f"{versions}\n{machine}; {threads}; {setting['date'][:10]}"


def format_report(report: Report) -> str:
    """Return the table: a part for each panel, with the series it has."""
    parts = [f"{format_setting(report.setting)}\n{MEANING}"]
    width = max((len(result.name) for result in report.results), default=0)
    for panel, group in itertools.groupby(report.results, lambda result: result.panel):
        parts.append("\n".join(_format_panel(panel, list(group), width)))
    return "\n\n".join(parts)


def _format_panel(panel: str, results: list[Result], width: int) -> list[str]:
    remarks: list[str] = []
    shown = list(dict.fromkeys([*series_of(results), *(name for result in results for name in result.remarks)]))
    widths = [max(8, len(name)) for name in shown]
    head = "".join(f"  {name:>{size}} " for name, size in zip(shown, widths, strict=True))
    lines = [f"{panel}: {PANELS.get(panel, '')}".rstrip(": "), f"{'':<{width}}  {'nbvars':>8}{head}".rstrip()]
    for result in results:
        line = f"{result.name:<{width}}  {format_seconds(result.timings['nbvars'].seconds):>8}"
        for name, size in zip(shown, widths, strict=True):
            cell = f"{three_digits(ratio(result, name))}x" if name in result.timings else "-"
            line += f"  {cell:>{size}}{_mark(name, result, remarks)}"
        lines.append(line.rstrip())
    return lines + [
        f"  {sign} {remark}"
        for sign, remark in itertools.zip_longest(_SIGNS[: len(remarks)], remarks, fillvalue=_SIGNS[-1])
    ]


def _mark(series: str, result: Result, remarks: list[str]) -> str:
    """Return the sign that leads to the remark on one number, which is added to ``remarks``."""
    if series not in result.remarks:
        return " "
    remark = f"{series}: {result.remarks[series]}"
    if remark not in remarks:
        remarks.append(remark)
    return _SIGNS[min(remarks.index(remark), len(_SIGNS) - 1)]


def to_json(report: Report) -> str:
    """Return ``report`` as JSON, with ratios, so that nobody has to divide."""
    results = []
    for result in report.results:
        series = {
            name: {**timing._asdict(), "ratio": round(ratio(result, name), 4), "statement": result.statements[name]}
            for name, timing in result.timings.items()
        }
        row = {"panel": result.panel, "name": result.name, "rounds": result.rounds, "remarks": result.remarks}
        results.append({**row, "series": series})
    return json.dumps({**report.setting, "results": results}, indent=2)


def from_json(path: Path) -> Report:
    """Return the report that ``to_json`` wrote to ``path``; ``ValueError`` if it is another file."""
    try:
        setting = json.loads(path.read_text(encoding="utf-8"))
        rows = setting.pop("results")
        results = [_result(row) for row in rows]
        format_setting(setting)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        got = f"{type(error).__name__}: {error}"
        raise ValueError(message(str(path), "these are no results", got, "a file that --json wrote")) from error
    return Report(setting, results)


def _result(row: dict[str, Any]) -> Result:
    series = row["series"]
    timings = {name: Timing(values["seconds"], values["low"], values["high"]) for name, values in series.items()}
    statements = {name: values["statement"] for name, values in series.items()}
    return Result(row["panel"], row["name"], row["rounds"], timings, statements, row["remarks"])
