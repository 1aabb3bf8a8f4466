"""Checkpoints: to the disk, and back from the system's cache."""

from __future__ import annotations

from benchmarks.common import TRAINS, Timed, checked_case, skip
from nbvars.bench.saver import SAVES, SERIES, load, restore, save


class Saver(Timed):
    """One variable of 256 MiB."""

    params = (list(SERIES),)
    param_names = ("library",)
    repeat = (5, 9, 20.0)
    warmup_time = 0

    def setup(self, library):
        skip(library == "nbvars" and not (TRAINS and SAVES), "this nbvars has no Saver, or not its libraries")
        self.save, self.restore, self.load = (checked_case(work, library, 256 << 20) for work in (save, restore, load))

    def time_save(self, library):
        self.save.run()

    def time_restore(self, library):
        self.restore.run()

    def time_load(self, library):
        self.load.run()
