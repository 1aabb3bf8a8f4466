"""Times that can be compared: of all cases in turns, until their medians are settled."""

from __future__ import annotations

import gc
import itertools
import statistics
import time
from typing import NamedTuple

from nbvars.bench.case import Case


class Budget(NamedTuple):
    """How long to measure the cases of one comparison."""

    least_rounds: int = 5
    most_rounds: int = 31
    round_s: float = 0.01
    """A case runs so often that it takes about so long in each round."""
    total_s: float = 1.5
    """No round begins later, but for the least number."""
    settled: float = 0.01
    """Share of a median that its standard error is to get below."""


DEFAULT = Budget()
QUICK = Budget(least_rounds=3, most_rounds=5, round_s=0.001, total_s=0.2)


class Timing(NamedTuple):
    """Seconds of one call: the median of all rounds, and the quartiles around it."""

    seconds: float
    low: float
    high: float


def measure(cases: dict[str, Case], budget: Budget = DEFAULT) -> dict[str, list[float]]:
    """Return the seconds of one call of each case in each round, one after the other in every round.

    Every other round goes backwards: what one case leaves in the caches is not always found by the same next one.
    """
    seconds: dict[str, list[float]] = {name: [] for name in cases}
    begin, gc_was_enabled = time.perf_counter(), gc.isenabled()
    gc.disable()
    try:
        calls = {name: _calls_to_fill(budget.round_s, case) for name, case in cases.items()}
        for number in itertools.count(1):
            for name in cases if number % 2 else reversed(cases):
                seconds[name].append(cases[name].run(calls[name]) / calls[name])
            late = time.perf_counter() - begin > budget.total_s
            if number >= budget.least_rounds and (late or number >= budget.most_rounds or _settled(seconds, budget)):
                return seconds
    finally:
        if gc_was_enabled:
            gc.enable()
    raise AssertionError("unreachable")


def _calls_to_fill(seconds: float, case: Case) -> int:
    calls = 1
    while True:
        took = case.run(calls)
        if took >= seconds / 4:
            took = min(took, case.run(calls))  # the first may have found cold caches
        if took >= seconds / 4:
            return max(1, round(calls * seconds / took))
        calls *= 4


def _settled(seconds: dict[str, list[float]], budget: Budget) -> bool:
    timings = [(summarize(rounds), len(rounds)) for rounds in seconds.values()]
    # The standard error of a median of normal noise is 1.25 standard deviations, or 0.93 quartile ranges, over root n.
    return all(0.93 * (t.high - t.low) / count**0.5 <= budget.settled * t.seconds for t, count in timings)


def summarize(rounds: list[float]) -> Timing:
    """Return the median and the quartiles of the times of one case."""
    if len(rounds) == 1:
        return Timing(rounds[0], rounds[0], rounds[0])
    low, median, high = statistics.quantiles(rounds, n=4, method="inclusive")
    return Timing(median, low, high)
