"""Casts to a new array."""

from __future__ import annotations

from benchmarks.cases import LIBRARIES, cast
from benchmarks.common import checked_case

PAIRS = [
    "float32-float16",
    "float32-bfloat16",
    "float16-float32",
    "bfloat16-float32",
    "float64-float32",
    "float32-int32",
    "int32-float32",
]


class Cast:
    """One thread."""

    params = (PAIRS, [1_000, 10_000_000], LIBRARIES)
    param_names = ("pair", "num_elements", "library")

    def setup(self, pair, num_elements, library):
        self.run = checked_case(cast, library, *pair.split("-"), num_elements).run

    def time_cast(self, pair, num_elements, library):
        self.run()
