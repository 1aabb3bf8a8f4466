"""What the asv classes share: skipping what is not there or takes too long, and checking before timing."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

from asv_runner.benchmarks.mark import SkipNotImplemented

import nbvars
from nbvars.bench.case import Case, expect_agreement
from nbvars.bench.libraries import is_installed, library_of

TRAINS = importlib.util.find_spec("nbvars.train.optimizer") is not None
"""Whether this nbvars has optimizers, and with them a ``Saver``."""


class Timed:
    """How long asv measures one combination of parameters: enough for a median, and seconds at most."""

    rounds = 1
    repeat = (5, 30, 2.0)
    warmup_time = 0.05
    timeout = 300


def checked_case(make: Callable[..., Case], series: str, *arguments: Any, reference: str = "numpy") -> Case:
    """Return a case of ``series`` that has run once and agreed with ``reference``; skip where it is not there."""
    if not is_installed(library_of(series)):
        raise SkipNotImplemented(f"{library_of(series)} is not installed")
    nbvars.set_num_threads(1)
    case = make(series, *arguments)
    case.run()
    if series != reference:
        expected = make(reference, *arguments)
        expected.run()
        expect_agreement(series, case, expected.state())
    return case


def skip(condition: bool, why: str) -> None:
    """Skip this combination of parameters if ``condition`` holds."""
    if condition:
        raise SkipNotImplemented(why)
