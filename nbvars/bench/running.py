"""Run comparisons: make the cases, check that they agree, measure those that do."""

from __future__ import annotations

import datetime
import os
import platform
import warnings
from collections.abc import Collection
from pathlib import Path
from typing import Any, NamedTuple

import nbvars
from nbvars.bench.case import Case, expect_agreement
from nbvars.bench.comparisons import Comparison
from nbvars.bench.libraries import is_installed, library_of, on_processors, processors_at_hand, version_of
from nbvars.bench.timing import DEFAULT, Budget, Timing, measure, summarize
from nbvars.info import gather_info


class Result(NamedTuple):
    """What came out of one comparison: times, the lines that were timed, and remarks, each by series."""

    panel: str
    name: str
    rounds: int
    timings: dict[str, Timing]
    statements: dict[str, str]
    remarks: dict[str, str]


class Report(NamedTuple):
    """Results, and all that one has to know of the machine to read them."""

    setting: dict[str, Any]
    results: list[Result]


def gather_setting(libraries: Collection[str], num_threads: int) -> dict[str, Any]:
    """Return date, machine, its load, threads, and versions of nbvars, what it stands on, and ``libraries``."""
    info = gather_info()
    versions = {name: info[name] for name in ("nbvars", "python", "numpy", "numba", "llvmlite")}
    peers = {library: version_of(library) for library in libraries if library != "python"}
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "cpu": f"{_cpu_model()} ({info['cpu']})",
        "cpu_features": info["cpu_features"],
        "processors": processors_at_hand(),
        "system": f"{platform.system()} {platform.machine()}",
        "load": round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else 0.0,
        "threads": num_threads,
        "versions": versions | peers,
    }


def _cpu_model() -> str:
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()


def run_comparison(
    comparison: Comparison, libraries: Collection[str], num_threads: int, budget: Budget = DEFAULT
) -> Result:
    """Return what ``comparison`` gives for nbvars and those of ``libraries`` that it has.

    A library that fails or disagrees is not timed; a remark says why. If nbvars does, that is an error.
    """
    reference = next((name for name in comparison.series[1:] if is_installed(library_of(name))), "nbvars")
    wanted = [name for name in comparison.series if library_of(name) in ("nbvars", *libraries)]
    count = processors_at_hand() if comparison.uses_all_processors else num_threads
    nbvars.set_num_threads(count)
    with on_processors(count), warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".* is in beta")  # a function of torch's
        expected = comparison.make(reference)
        expected.run()
        cases: dict[str, Case] = {}
        remarks = {name: text for name, text in comparison.remarks.items() if name in wanted}
        for name in wanted:
            try:
                cases[name] = comparison.make(name)
                cases[name].run()
                expect_agreement(name, cases[name], expected.state())
            except Exception as error:
                if library_of(name) == "nbvars":
                    raise
                cases.pop(name, None)
                remarks[name] = f"not timed: {type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
        del expected  # its memory
        rounds = measure(cases, budget)
    timings = {name: summarize(seconds) for name, seconds in rounds.items()}
    statements = {name: case.statement for name, case in cases.items()}
    return Result(comparison.panel, comparison.name, len(rounds["nbvars"]), timings, statements, remarks)
