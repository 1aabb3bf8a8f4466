"""Who listens to ops of eager mode: the gradient tapes of a thread."""

from __future__ import annotations

import threading
from typing import Any, Protocol

from nbvars.runtime.definition import OpDefinition


class Recorder(Protocol):
    """What hears of each op that this thread runs."""

    def record(
        self, definition: OpDefinition, inputs: tuple[Any, ...], attrs: dict[str, Any], outputs: tuple[Any, ...]
    ) -> None:
        """Take note of one op."""


class _Listening(threading.local):
    """The recorders of a thread, the first one first."""

    def __init__(self) -> None:
        self.recorders: tuple[Recorder, ...] = ()


listening: _Listening = _Listening()


def record(definition: OpDefinition, inputs: tuple[Any, ...], attrs: dict[str, Any], outputs: tuple[Any, ...]) -> None:
    """Tell every recorder of this thread of an op."""
    for recorder in listening.recorders:
        recorder.record(definition, inputs, attrs, outputs)
