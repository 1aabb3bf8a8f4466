"""The stream of a thread: where its copies and kernels go."""

from __future__ import annotations

import threading
from typing import Any


class _Thread(threading.local):
    """The stream that a thread has chosen; ``None`` is the legacy default stream, to which torch and CuPy keep, too."""

    stream: Any = None


_thread = _Thread()


def current_stream() -> Any:
    """Return the stream of this thread, as an object of ``cuda.core``."""
    stream = _thread.stream
    if stream is None:
        from cuda.core import LEGACY_DEFAULT_STREAM

        return LEGACY_DEFAULT_STREAM
    return stream
