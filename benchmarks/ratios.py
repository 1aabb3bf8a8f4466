"""Print the main comparisons as ratios from one run: ``python -m benchmarks.ratios``.

One thread each, interleaved rounds in one process, medians, results compared with NumPy's before anything is timed.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import time
from collections.abc import Callable
from importlib.metadata import version

from benchmarks import graph_cases
from benchmarks.cases import LIBRARIES, Case, cast, counter, dense, expect_equal, is_installed, scatter_sub

ROUNDS = 9

# (what, how many calls make one measurement, maker, its arguments)
WORK: list[tuple[str, int, Callable[..., Case], tuple]] = [
    *(
        (f"{operation}({update}), {size} elements", 2000, dense, (operation, update, size))
        for operation in ("assign", "assign_add", "assign_sub")
        for update in ("number", "array")
        for size in (1, 16, 1024)
    ),
    ("assign_add(array), 1e7 elements", 1, dense, ("assign_add", "array", 10_000_000)),
    ("assign(array), 1e7 elements", 1, dense, ("assign", "array", 10_000_000)),
    ("scatter_sub, 1e6x64, 1e5 uniform rows", 1, scatter_sub, (1_000_000, 64, 100_000, "uniform")),
    ("scatter_sub, 1e6x64, 1e3 uniform rows", 20, scatter_sub, (1_000_000, 64, 1_000, "uniform")),
    ("scatter_sub, 1e5x16, 1e5 Zipf rows", 1, scatter_sub, (100_000, 16, 100_000, "zipf")),
    ("scatter_sub, 1e7x1, 1e6 uniform rows", 1, scatter_sub, (10_000_000, 1, 1_000_000, "uniform")),
    ("cast float32 to float16, 1e7", 1, cast, ("float32", "float16", 10_000_000)),
    ("cast float32 to bfloat16, 1e7", 1, cast, ("float32", "bfloat16", 10_000_000)),
    ("cast float16 to float32, 1e7", 1, cast, ("float16", "float32", 10_000_000)),
]


def interleaved(runs: dict[str, Callable[[], object]], calls: int) -> dict[str, float]:
    """Return the median seconds of one call of each, measured in turns."""
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(ROUNDS):
        for name, run in runs.items():
            start = time.perf_counter()
            for _ in range(calls):
                run()
            seconds[name].append((time.perf_counter() - start) / calls)
    return {name: statistics.median(times) for name, times in seconds.items()}


def print_row(what: str, times: dict[str, float], libraries: list[str]) -> None:
    """Print our time, and those of the others over ours."""
    ours = times[libraries[0]]
    others = "".join(f"{times[name] / ours:>11.2f}x" if name in times else f"{'-':>12}" for name in libraries[1:])
    print(f"{what:<40}{ours * 1e6:>12.2f} us{others}", flush=True)


def main() -> None:
    """Run the comparisons with the libraries that are installed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="part of the names of the comparisons to run")
    only = parser.parse_args().only
    libraries = [library for library in LIBRARIES if is_installed(library)]
    versions = ", ".join(
        f"{name} {version('tensorflow-cpu' if name == 'tensorflow' else name)}" for name in libraries[1:]
    )
    print(f"python {platform.python_version()}, {versions}; one thread; another's time over ours")
    print(f"{'':<40}{'nbvars':>15}" + "".join(f"{name:>12}" for name in libraries[1:]))
    for what, calls, make, arguments in WORK:
        if only in what:
            cases = {library: make(library, *arguments) for library in libraries}
            for library in libraries:
                expect_equal(library, make(library, *arguments), make("numpy", *arguments))
            print_row(what, interleaved({library: case.run for library, case in cases.items()}, calls), libraries)
    if only in "count_up_to, one thread":
        counters = {name: counter(name).count_up_to for name in ("nbvars", "python")}
        runs = {name: (lambda count=count: count(2**60)) for name, count in counters.items()}
        print_row("count_up_to, one thread (python: a Lock)", interleaved(runs, 20_000), ["nbvars", "python"])
    compare_sessions(only)


def compare_sessions(only: str) -> None:
    """Print what runs of a session take, beside the eager calls of the same updates."""
    libraries = [library for library in graph_cases.LIBRARIES if is_installed(library)]
    print(f"\n{'':<40}{'session':>15}{'eager':>12}" + "".join(f"{name:>12}" for name in libraries[1:]))
    for work in graph_cases.WORK:
        if only in f"session: {work}":
            cases = {library: graph_cases.update(library, work) for library in libraries}
            cases["eager"] = graph_cases.eager_update(work)
            graph_cases.expect_agreement(work, cases)
            times = interleaved({name: case.run for name, case in cases.items()}, 1000)
            print_row(f"session: {work}", times, ["nbvars", "eager", *libraries[1:]])
    if only in "building 1,000 ops":
        runs = {library: (lambda library=library: graph_cases.build(library, 1000)) for library in libraries}
        print_row("building 1,000 ops", interleaved(runs, 1), libraries)


if __name__ == "__main__":
    main()
