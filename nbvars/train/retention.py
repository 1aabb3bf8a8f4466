"""Which checkpoints of a ``Saver`` stay: the newest, and one every some hours."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import NamedTuple

from nbvars.train.checkpoint_files import Identity, delete_version, identity_of
from nbvars.train.safetensors_file import SUFFIX

_log = logging.getLogger("nbvars")


class Kept(NamedTuple):
    """A checkpoint, when it was written, in seconds since 1970, and which version of its file that is."""

    path: str
    time_s: float
    identity: Identity | None


class Retention:
    """The list of the checkpoints that are there, the newest last, and of those that are to go.

    Args:
        max_to_keep: How many stay; 0 means all, and then none is listed.
        every_n_hours: Of those that would go, one for so many hours stays.
        now_s: The time.
    """

    def __init__(self, max_to_keep: int, every_n_hours: float, now_s: float) -> None:
        self.max_to_keep = max_to_keep
        self._every_s = every_n_hours * 3600
        self._next_s = now_s + self._every_s
        self.kept: list[Kept] = []
        self._leaving: list[Kept] = []

    @property
    def paths(self) -> list[str]:
        """Return the paths of those that stay."""
        return [each.path for each in self.kept]

    def set(self, paths_and_times: Sequence[tuple[str, float]]) -> None:
        """Replace the list by checkpoints that are there."""
        self.kept = [Kept(path, time_s, identity_of(path + SUFFIX)) for path, time_s in paths_and_times]

    def add(self, path: str, time_s: float, identity: Identity | None) -> None:
        """Add the newest checkpoint; what is now too old leaves the list, and ``delete_old`` deletes it."""
        if not self.max_to_keep:
            return
        self.kept = [each for each in self.kept if each.path != path]
        self._leaving = [each for each in self._leaving if each.path != path]
        self.kept.append(Kept(path, time_s, identity))
        while len(self.kept) > self.max_to_keep:
            self._leaving.append(self.kept.pop(0))

    def delete_old(self, meta_suffix: str) -> None:
        """Delete what has left the list, unless it is the one that stays for these hours.

        What another process has written meanwhile under the same name stays, and so do checkpoints of TensorFlow.
        """
        while self._leaving:
            leaving = self._leaving.pop(0)
            if leaving.time_s > self._next_s:
                self._next_s += self._every_s
                continue
            try:
                if delete_version(leaving.path + SUFFIX, leaving.identity):
                    with suppress(FileNotFoundError):
                        os.unlink(f"{leaving.path}.{meta_suffix}")
            except OSError as error:
                _log.warning("Saver.save: the old checkpoint %s could not be deleted: %s", leaving.path, error)


def times_of(paths: Iterable[str]) -> list[tuple[str, float]]:
    """Return paths of checkpoints of nbvars that are there, each with its time."""
    found = []
    for path in paths:
        with suppress(OSError):
            found.append((path, os.stat(path + SUFFIX).st_mtime))
    return found
