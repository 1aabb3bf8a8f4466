"""Casts of arrays: to a new one, and into one that is there."""

from __future__ import annotations

from benchmarks.common import Timed, checked_case
from nbvars.bench.cast import SERIES, SERIES_WITH_OUT, cast

HALVES = ["float16-float32", "bfloat16-float32", "float32-float16", "float32-bfloat16"]
PAIRS = [
    *HALVES,
    "float16-bfloat16",
    "bfloat16-float16",
    "float16-float64",
    "float64-float16",
    "float64-bfloat16",
    "float32-float64",
    "float64-float32",
    "float32-int32",
    "int32-float32",
    "float32-int64",
    "int64-float32",
    "float64-int64",
    "int64-float64",
    "int32-int64",
    "int64-int32",
    "float32-uint8",
    "uint8-float32",
    "float32-int8",
    "int8-float32",
    "uint8-float16",
    "bool-float32",
    "float32-bool",
]


class Cast(Timed):
    """Ten million elements to a new array, one thread."""

    params = (PAIRS, list(SERIES))
    param_names = ("pair", "library")

    def setup(self, pair, library):
        self.case = checked_case(cast, library, *pair.split("-"), 10_000_000)

    def time_cast(self, pair, library):
        self.case.run()


class CastInto(Timed):
    """Ten million elements into an array that is there, one thread."""

    params = (PAIRS, list(SERIES_WITH_OUT))
    param_names = ("pair", "library")

    def setup(self, pair, library):
        self.case = checked_case(cast, library, *pair.split("-"), 10_000_000, True)

    def time_cast_into(self, pair, library):
        self.case.run()


class SmallCast(Timed):
    """A thousand casts of a thousand elements to a new array."""

    params = (HALVES, list(SERIES))
    param_names = ("pair", "library")

    def setup(self, pair, library):
        self.case = checked_case(cast, library, *pair.split("-"), 1000)

    def time_thousand_casts(self, pair, library):
        self.case.run(1000)


class Memory:
    """The most memory that the process had: ten casts of 400 MB to 200 MB, each in place of the last."""

    params = (["nbvars", "numpy", "torch"],)
    param_names = ("library",)
    timeout = 300

    def setup(self, library):
        # Unchecked: the check would need more memory than the cast.
        self.case = checked_case(cast, library, "float32", "float16", 100_000_000, reference=library)

    def peakmem_ten_casts(self, library):
        self.case.run(10)
