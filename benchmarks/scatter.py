"""Updates of rows."""

from __future__ import annotations

from benchmarks.cases import LIBRARIES, scatter_sub
from benchmarks.common import checked_case


class ScatterSub:
    """float32 slices, int64 indices, one thread."""

    params = (["1000000x64", "100000x16", "10000000x1"], [1_000, 100_000], ["uniform", "zipf"], LIBRARIES)
    param_names = ("table", "num_slices", "distribution", "library")

    def setup(self, table, num_slices, distribution, library):
        num_rows, width = map(int, table.split("x"))
        self.run = checked_case(scatter_sub, library, num_rows, width, num_slices, distribution).run

    def time_scatter_sub(self, table, num_slices, distribution, library):
        self.run()
