"""Small updates, where the call costs more than the work."""

from __future__ import annotations

from benchmarks.cases import LIBRARIES, dense
from benchmarks.common import checked_case


class Dispatch:
    """One update of 1 to 1024 float32."""

    params = (["assign", "assign_add", "assign_sub"], ["number", "array"], [1, 16, 1024], LIBRARIES)
    param_names = ("operation", "update", "num_elements", "library")

    def setup(self, operation, update, num_elements, library):
        self.run = checked_case(dense, library, operation, update, num_elements).run

    def time_update(self, operation, update, num_elements, library):
        self.run()
