"""The stream of a thread: where its copies and kernels go."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from nbvars.capturing import expect_no_capture, recording


class _Thread(threading.local):
    """The stream that a thread has chosen; else the legacy default stream, to which torch and CuPy keep, too."""

    stream: Any = None


_thread = _Thread()


def set_default_stream(stream: Any) -> None:
    """Have threads begin with ``stream``: the backend says so when it is imported."""
    _Thread.stream = stream


def current_stream() -> Any:
    """Return the stream of this thread: in the driver's backend an object of ``cuda.core``."""
    return _thread.stream


def memory_stream() -> Any:
    """Return the stream that memory comes from, and that constants are copied on: nothing of that is captured."""
    found = recording()
    return _thread.stream if found is None else found.outside


@contextmanager
def capturing_on(stream: Any) -> Iterator[None]:
    """Put the work of a ``with`` block on ``stream``, which captures it, so that nobody waits for it."""
    outer = _thread.stream
    _thread.stream = stream
    try:
        yield
    finally:
        _thread.stream = outer


@contextmanager
def on_stream(stream: Any) -> Iterator[None]:
    """Put the work of a ``with`` block on ``stream``: after what there was before, and before all that follows."""
    expect_no_capture("cuda.stream", "other streams cannot be captured", "put the replay on the stream")
    outer = _thread.stream
    stream.wait(outer)
    _thread.stream = stream
    try:
        yield
    finally:
        _thread.stream = outer
        outer.wait(stream)
