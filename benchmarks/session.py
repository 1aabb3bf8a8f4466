"""Runs of a session: what graph mode adds to an update, and what TensorFlow 1's adds."""

from __future__ import annotations

from benchmarks.common import Timed, checked_case
from nbvars.bench.session import GRAPH_SERIES, RUNS, SERIES, build_graph, session


class SessionRun(Timed):
    """A thousand runs, so that microseconds are nanoseconds a run."""

    params = (list(RUNS), list(SERIES))
    param_names = ("work", "library")

    def setup(self, work, library):
        self.case = checked_case(session, library, work, reference="nbvars eager")

    def time_thousand_runs(self, work, library):
        self.case.run(1000)


class GraphBuilding(Timed):
    """A graph of 1,000 additions."""

    params = (list(GRAPH_SERIES),)
    param_names = ("library",)

    def setup(self, library):
        self.case = checked_case(build_graph, library, 1000, reference="nbvars")

    def time_thousand_ops(self, library):
        self.case.run()
