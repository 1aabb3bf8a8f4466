"""Work of a GPU that is captured in a CUDA graph, and asked for as a whole as often as one likes.

Memory comes from the stream around the capture, at once, and stays as long as the graph: no two arrays of a step share
any. Memory that the graph itself allocates would cost less where temporaries are large, but it is there only during a
replay, so that results could not be read afterwards, and freeing it is one more thing that can go wrong.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from nbvars.capturing import Recording, expect_no_capture, set_recording
from nbvars.checks import message
from nbvars.errors import FailedPreconditionError
from nbvars.kernels.cuda import status
from nbvars.kernels.cuda.backend import backend
from nbvars.kernels.cuda.memory import keeping_arrays
from nbvars.kernels.cuda.streams import capturing_on, current_stream
from nbvars.locks import ForkSafeLock


class CudaGraph:
    """Work of a GPU that ``nbvars.cuda.capture`` has captured.

    It keeps the memory that the work has to do with: of variables that are no longer there, too.
    """

    def __init__(self, device: int) -> None:
        self._device = device
        self._lock = ForkSafeLock()
        # The graph goes before the memory that it keeps: a tuple's last item does.
        self._captured: tuple[Recording, Any] | None = None
        self._last_stream: Any = None

    def _complete(self, executable: Any, recording: Recording) -> None:
        self._captured = recording, executable

    def replay(self) -> None:
        """Ask the GPU for the captured work, on the current stream; nothing waits.

        Settings of optimizers, such as the learning rate, have the values that they have now. A replay begins when the
        one before has ended, on whatever streams.

        Raises:
            FailedPreconditionError: The graph was not captured to its end, or another one is being captured.
            InvalidArgumentError: Of an earlier call: a kernel has met a bad index.
            RuntimeError: This process was forked from one that used CUDA.
        """
        expect_no_capture("replay", "a graph cannot be replayed", "replay it outside of the block")
        if self._captured is None:
            wrong, expected = "there is nothing to replay", "a `with capture()` block that has ended well"
            raise FailedPreconditionError(None, None, message("replay", wrong, "no captured work", expected))
        recording, executable = self._captured
        backend.expect_device(self._device)
        status.raise_pending(self._device)
        with self._lock:
            stream = current_stream()
            if self._last_stream not in (None, stream):
                stream.wait(self._last_stream)
            for prepare in recording.before_replay:
                prepare()
            backend.launch_graph(self._device, executable)
            self._last_stream = stream
        status.after_launch(self._device)

    def __del__(self) -> None:
        # The memory is freed in the order of the stream it came from, which must not overtake a replay on another one.
        if self._captured is not None and self._last_stream not in (None, self._captured[0].outside):
            with contextlib.suppress(Exception):  # in a forked child, or when Python ends
                backend.expect_device(self._device)
                self._captured[0].outside.wait(self._last_stream)

    def __repr__(self) -> str:
        state = "not captured" if self._captured is None else f"keeps {len(self._captured[0].kept)} arrays"
        return f"<nbvars.cuda.CudaGraph device='/gpu:{self._device}', {state}>"


@contextmanager
def capturing(device: int) -> Iterator[CudaGraph]:
    """Capture what this thread asks of GPU ``device`` in a ``with`` block: nothing of it is done before a replay."""
    expect_no_capture("capture", "captures cannot be nested", "end the other one first")
    status.prepare(device)
    graph, recording = CudaGraph(device), Recording(device, current_stream())
    capture = backend.begin_capture(device)
    try:
        with keeping_arrays(), capturing_on(capture.stream):
            set_recording(recording)
            try:
                yield graph
            finally:
                set_recording(None)
        if recording.refusal is not None:
            raise recording.refusal
    except BaseException:
        backend.abandon_capture(capture)
        raise
    graph._complete(backend.end_capture(capture), recording)
