"""Updates of rows."""

from __future__ import annotations

from benchmarks.common import Timed, checked_case, skip
from nbvars.bench.scatter import SERIES, scatter

LIBRARIES = [name for name in SERIES if name != "torch index_put_"]


class ScatterSub(Timed):
    """A table of a million rows of float32 (a quarter of that if they are of 256), int64 indices, one thread."""

    params = ([1, 16, 64, 256], [10**3, 10**5, 10**6], ["unique", "uniform", "zipf"], list(SERIES))
    param_names = ("width", "num_slices", "distribution", "library")

    def setup(self, width, num_slices, distribution, library):
        num_rows = 250_000 if width == 256 else 1_000_000
        skip(distribution == "unique" and num_slices > num_rows, "there are not so many rows")
        slow = width * num_slices > 10**7 and library not in ("nbvars", "torch", "jax")
        skip(slow, "takes seconds, and tells no more than fewer slices do")
        self.case = checked_case(scatter, library, "sub", num_rows, width, num_slices, distribution)

    def time_scatter_sub(self, width, num_slices, distribution, library):
        self.case.run()


class Scatter(Timed):
    """The other updates: 100,000 rows of 64 float32, in a table of a million."""

    params = (["add", "update", "mul", "div", "min", "max"], ["int32", "int64"], LIBRARIES)
    param_names = ("operation", "index_dtype", "library")

    def setup(self, operation, index_dtype, library):
        skip((operation, library) == ("div", "torch"), "torch has no such function")
        # The order of repeated rows is open in some libraries, and decides what is in the row at last.
        distribution = "unique" if operation == "update" else "uniform"
        arguments = (operation, 1_000_000, 64, 100_000, distribution, "float32", index_dtype)
        self.case = checked_case(scatter, library, *arguments)

    def time_scatter(self, operation, index_dtype, library):
        self.case.run()


class ScatterSubOfDtypes(Timed):
    """100,000 rows of 64 elements, in a table of a million."""

    params = (["float16", "bfloat16", "float64", "int32", "int64"], LIBRARIES)
    param_names = ("dtype", "library")

    def setup(self, dtype, library):
        self.case = checked_case(scatter, library, "sub", 1_000_000, 64, 100_000, "uniform", dtype)

    def time_scatter_sub(self, dtype, library):
        self.case.run()


class Memory:
    """The most memory that the process had: what it needs beside a table of 256 MB and slices of as much."""

    params = (["nbvars", "numpy", "torch"],)
    param_names = ("library",)
    timeout = 300

    def setup(self, library):
        # Unchecked: the check would need more memory than the update.
        self.case = checked_case(scatter, library, "sub", 1_000_000, 64, 1_000_000, reference=library)

    def peakmem_scatter_sub(self, library):
        self.case.run()
