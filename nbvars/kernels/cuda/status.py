"""Errors that only kernels can see, such as an index out of range: they leave the slice out and report, once a device.

A kernel claims the device's slot in its memory, and then writes the report where the host can read it without waiting.
The slot keeps the first report until it is raised; what fails meanwhile is left out all the same.
"""

from __future__ import annotations

import functools
import itertools
from typing import Literal

from nbvars.capturing import expect_no_capture, recording
from nbvars.checks import message
from nbvars.errors import InvalidArgumentError
from nbvars.kernels.cuda.backend import backend
from nbvars.kernels.cuda.signature import INT64, Pointer, Signature
from nbvars.kernels.cuda.toolkit import IS_SIMULATED
from nbvars.kernels.cuda.vectors import on_device
from nbvars.locks import ForkSafeLock

if IS_SIMULATED:
    from nbvars.kernels.cuda.simulated_intrinsics import exchange, fence_system
else:
    from nbvars.kernels.cuda.intrinsics import exchange, fence_system

Mode = Literal["deferred", "sync", "off"]
_MODES = ("deferred", "sync", "off")

INDEX_OUT_OF_RANGE = (
    "an index is out of range: indices[{position}] = {value} is not in [0, {limit}); the slice was left out"
)

# The words of a report; the first tells whether there is one.
_IS_THERE, _ERROR, _POSITION, _VALUE, _LIMIT = range(5)
_NUM_WORDS = 5
_WORD_BYTES = 8
_CLAIMED = INT64.type(1)

SLOT_SIGNATURE: Signature = (Pointer(INT64), Pointer(INT64), INT64)
"""The parameters ``claim, report, error`` of a kernel that may fail: ``slot_arguments`` gives them."""


@on_device
def report_once(claim, report, error, position, value, limit):
    """Report what is wrong, unless another report waits; the host fills its sentence with the last three."""
    if error != 0 and exchange(claim, 0, _CLAIMED) == 0:
        report[_ERROR] = error
        report[_POSITION] = position
        report[_VALUE] = value
        report[_LIMIT] = limit
        fence_system()
        report[_IS_THERE] = 1


class _Slot:
    """Where kernels of one device report."""

    def __init__(self, device: int) -> None:
        self.device, self.lock = device, ForkSafeLock()
        self.claim = backend.allocate(device, _WORD_BYTES)
        self.report = backend.allocate_shared(device, _NUM_WORDS * _WORD_BYTES)
        self.words = backend.view_of_shared(self.report, _NUM_WORDS)
        self.words[:] = 0
        backend.set_to_zero(device, self.claim.address, _WORD_BYTES)
        backend.synchronize(device)  # other streams use it, too

    def take_report(self) -> str:
        """Return the sentence of the report that waits, ``""`` if there is none, and make room for the next."""
        with self.lock:
            if not self.words[_IS_THERE]:
                return ""
            _, error, position, value, limit = self.words.tolist()
            self.words[_IS_THERE] = 0
            backend.set_to_zero(self.device, self.claim.address, _WORD_BYTES)
        sentence, width = _sentences[error]
        position, axis = divmod(position, width)
        return sentence.format(position=position, axis=axis, value=value, limit=limit)


_making = ForkSafeLock()
_slots: dict[int, _Slot] = {}
_sentences: dict[int, tuple[str, int]] = {}
_numbers = itertools.count(1)  # error 0 is never reported
_mode: Mode = "deferred"


def _slot_of(device: int) -> _Slot:
    slot = _slots.get(device)
    if slot is None:
        with _making:
            slot = _slots.get(device) or _slots.setdefault(device, _Slot(device))
    return slot


@functools.cache
def error_of(where: str, sentence: str, width: int = 1) -> int:
    """Return the number by which kernels report ``sentence``, of ``{position}``, ``{value}`` and ``{limit}``.

    What kernels report as the position is one of ``{position}`` and ``{axis}``, ``width`` of which there are.
    """
    number = next(_numbers)
    _sentences[number] = f"{where}: {sentence}", width
    return number


def get_mode() -> Mode:
    """Return how errors of kernels are raised."""
    return _mode


def set_mode(mode: Mode) -> None:
    """Choose how errors of kernels are raised: launches that follow keep to it.

    ``"deferred"``: at the next call that looks, and at those that wait for the GPU. ``"sync"``: every launch that may
    fail waits, and raises its own. ``"off"``: never; bad slices are left out silently.
    """
    global _mode  # noqa: PLW0603 - one mode of the process
    if mode not in _MODES:
        raise ValueError(message("set_index_checking", "no such mode", repr(mode), f"one of {list(_MODES)}"))
    _mode = mode


def slot_arguments(device: int, where: str, sentence: str = INDEX_OUT_OF_RANGE, width: int = 1) -> tuple[int, int, int]:
    """Return ``claim, report, error`` for the launch of a kernel that may fail; ``sentence`` as ``error_of`` has it."""
    slot = _slot_of(device)
    return slot.claim.address, slot.report.address, 0 if _mode == "off" else error_of(where, sentence, width)


def raise_pending(device: int) -> None:
    """Raise what kernels of ``device`` have reported so far, without waiting for those that run.

    Not where a step is captured: it is none of what that asks for.

    Raises:
        InvalidArgumentError: Names the op, the position, the value and the range; it is raised once.
    """
    slot = _slots.get(device)
    if slot is not None and slot.words[_IS_THERE] and recording() is None:
        sentence = slot.take_report()
        if sentence:
            raise InvalidArgumentError(None, None, sentence)


def check(device: int) -> None:
    """Wait for all work of ``device``, then raise what its kernels reported, as ``raise_pending``.

    Raises:
        FailedPreconditionError: A step is being captured.
    """
    expect_no_capture("synchronize", "the host cannot wait for the GPU", "wait after a replay")
    backend.synchronize(device)
    raise_pending(device)


def prepare(device: int) -> None:
    """Make ready for kernels of ``device`` that are launched later, and raise what was reported before."""
    _slot_of(device)
    check(device)


def after_launch(device: int) -> None:
    """Do what the mode asks for after the launch of a kernel that may fail: where that is captured, at the replay."""
    if _mode == "sync" and recording() is None:
        check(device)
