"""What the asv classes share: skipping libraries that are not there, and checking before timing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from asv_runner.benchmarks.mark import SkipNotImplemented

from benchmarks.cases import Case, expect_equal, is_installed


def checked_case(make: Callable[..., Case], library: str, *arguments: Any) -> Case:
    """Return a case of ``library`` that has run once and agreed with NumPy; skip where the library is missing."""
    if not is_installed(library):
        raise SkipNotImplemented(f"{library} is not installed")
    case = make(library, *arguments)
    expect_equal(library, case, make("numpy", *arguments))
    return case
