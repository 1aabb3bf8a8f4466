"""The stream of a thread: where its copies and kernels go."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


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


@contextmanager
def on_stream(stream: Any) -> Iterator[None]:
    """Put the work of a ``with`` block on ``stream``: after what there was before, and before all that follows."""
    outer = _thread.stream
    stream.wait(outer)
    _thread.stream = stream
    try:
        yield
    finally:
        _thread.stream = outer
        outer.wait(stream)
