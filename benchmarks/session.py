"""Runs of a session: what graph mode adds to an update, and what TensorFlow 1's adds."""

from __future__ import annotations

from asv_runner.benchmarks.mark import SkipNotImplemented

from benchmarks.cases import is_installed
from benchmarks.graph_cases import LIBRARIES, WORK, build, eager_update, expect_agreement, update


class SessionRun:
    """A thousand runs, so that microseconds are nanoseconds a run."""

    params = (WORK, ["eager", *LIBRARIES])
    param_names = ("work", "library")

    def setup(self, work, library):
        if library != "eager" and not is_installed(library):
            raise SkipNotImplemented(f"{library} is not installed")
        case = eager_update(work) if library == "eager" else update(library, work)
        expect_agreement(work, {library: case})
        self.case = case

    def time_thousand_runs(self, work, library):
        run = self.case.run
        for _ in range(1000):
            run()


class GraphBuilding:
    """A graph of 1,000 additions."""

    params = LIBRARIES
    param_names = ("library",)

    def setup(self, library):
        if not is_installed(library):
            raise SkipNotImplemented(f"{library} is not installed")
        assert build(library, 10) == 11

    def time_thousand_ops(self, library):
        build(library, 1000)
