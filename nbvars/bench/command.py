"""``python -m nbvars bench``: what the options choose, and what becomes of it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import nbvars
from nbvars.bench.comparisons import PANELS, Comparison, comparisons
from nbvars.bench.libraries import PEERS, installed_peers, processors_at_hand
from nbvars.bench.picture import save_picture
from nbvars.bench.report import format_report, from_json, to_json
from nbvars.bench.running import Report, gather_setting, run_comparison
from nbvars.bench.timing import DEFAULT, QUICK
from nbvars.checks import message
from nbvars.loss_plot import expect_plottable, expect_writable
from nbvars.progress import progress


def choose_libraries(asked: Sequence[str] | None) -> list[str]:
    """Return the peers to compare with: those ``asked`` for, or all that are installed."""
    installed = installed_peers()
    if not asked:
        return installed
    for name in asked:
        if name not in PEERS:
            raise ValueError(message("--libraries", "there is no such peer", repr(name), f"some of {list(PEERS)}"))
        if name not in installed:
            wrong = "the library is not installed"
            raise ValueError(message("--libraries", wrong, repr(name), f"some of {installed}"))
    return [name for name in PEERS if name in asked]


def choose_comparisons(words: Sequence[str], quick: bool) -> list[Comparison]:
    """Return the comparisons whose panel and name have all of ``words`` in them."""
    found = comparisons(quick)
    chosen = [row for row in found if all(word.lower() in f"{row.panel} {row.name}".lower() for word in words)]
    if not chosen:
        expected = f"parts of what the table shows, such as {', '.join(PANELS)}"
        raise ValueError(message("--only", "no comparison has all of these words", list(words), expected))
    return chosen


def choose_threads(asked: int) -> int:
    """Return ``asked`` if this process has so many processors."""
    most = processors_at_hand()
    if not 1 <= asked <= most:
        raise ValueError(message("--threads", "the processors are not so many", asked, f"an integer from 1 to {most}"))
    return asked


def run(chosen: Sequence[Comparison], libraries: Sequence[str], num_threads: int, quick: bool) -> tuple[Report, bool]:
    """Return what was measured, and whether Ctrl-C ended it early."""
    threads_before = nbvars.get_num_threads()
    report = Report(gather_setting(libraries, num_threads), [])
    try:
        for comparison in progress(chosen, len(chosen), "comparison"):
            result = run_comparison(comparison, libraries, num_threads, QUICK if quick else DEFAULT)
            report.results.append(result)
    except KeyboardInterrupt:
        return report, True
    finally:
        nbvars.set_num_threads(threads_before)
    return report, False


def show(report: Report, json_to: str | None, plot: Path | None) -> None:
    """Print the table, or JSON if ``json_to`` is ``"-"``; save JSON and the picture where they are wanted."""
    print(to_json(report) if json_to == "-" else format_report(report))
    if json_to not in (None, "-"):
        Path(json_to).write_text(to_json(report) + "\n", encoding="utf-8")
        print(f"saved {json_to}")
    if plot is not None and report.results:
        save_picture(report, plot)
        print(f"saved {plot}", file=sys.stderr if json_to == "-" else sys.stdout)


def main(options: argparse.Namespace) -> None:
    """Run the command of these parsed ``options``; what is wrong with them shows before anything is measured."""
    parser: argparse.ArgumentParser = options.parser
    try:
        libraries = choose_libraries(options.libraries)
        chosen = choose_comparisons(options.only or [], options.quick)
        num_threads = choose_threads(options.threads)
    except ValueError as error:
        parser.error(str(error))
    try:
        if options.plot is not None:
            expect_plottable(options.plot, "--plot", "bench")
        if options.json not in (None, "-"):
            expect_writable(Path(options.json), "--json")
        loaded = from_json(options.load) if options.load else None
    except (ImportError, OSError, ValueError) as error:
        parser.exit(1, f"{parser.prog}: error: {error}\n")
    if loaded is not None:
        show(loaded, options.json, options.plot)
        return
    print(f"{len(chosen)} comparisons with {', '.join(libraries)}; threads: {num_threads}", file=sys.stderr, flush=True)
    report, interrupted = run(chosen, libraries, num_threads, options.quick)
    show(report, options.json, options.plot)
    if interrupted:
        raise KeyboardInterrupt
