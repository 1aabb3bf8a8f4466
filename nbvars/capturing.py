"""Whether this thread captures a step of a GPU, for those who do at once what a capture cannot repeat.

Nothing here imports CUDA: ``nbvars.kernels.cuda.capture`` begins and ends captures.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from nbvars.errors import FailedPreconditionError, message


class Recording:
    """What the host has to know of a step that is captured.

    Attributes:
        device: The number of the GPU.
        outside: The stream around the capture: what must be done at once goes there, and memory comes from there.
        kept: What the step has to do with, by ``id``: it lives as long as the captured step.
        before_replay: What the host does at each replay, in order, before the GPU begins.
        refusal: The first error of what cannot be captured, after which there is no captured step.
    """

    def __init__(self, device: int, outside: Any) -> None:
        self.device, self.outside = device, outside
        self.kept: dict[int, Any] = {}
        self.before_replay: list[Callable[[], Any]] = []
        self.refusal: FailedPreconditionError | None = None


class _Thread(threading.local):
    recording: Recording | None = None


_thread = _Thread()


def recording() -> Recording | None:
    """Return what this thread captures; ``None`` if it captures nothing."""
    return _thread.recording


def set_recording(new: Recording | None) -> None:
    """Have this thread capture, or no longer."""
    _thread.recording = new


def expect_no_capture(where: str, wrong: str, remedy: str) -> None:
    """Raise ``FailedPreconditionError``, and give up the capture, if this thread captures a step."""
    found = _thread.recording
    if found is not None:
        text = message(where, wrong, "a step that is being captured", "work of the GPU alone", remedy)
        error = FailedPreconditionError(None, None, text)
        found.refusal = found.refusal or error
        raise error
