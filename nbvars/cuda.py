"""The GPU's side of nbvars: streams, waiting, and what becomes of bad indices that only a kernel can see.

Nothing here imports CUDA before the first call.

>>> import nbvars as tf
>>> with tf.device("/gpu:0"):  # doctest: +SKIP
...     v = tf.Variable([1.0, 2.0])
>>> with tf.cuda.stream(torch.cuda.current_stream()):  # doctest: +SKIP
...     v.assign_add(torch_tensor)
>>> tf.synchronize()  # doctest: +SKIP
"""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Literal

from nbvars.checks import message
from nbvars.devices import resolve_device
from nbvars.runtime.context import current_device
from nbvars.runtime.cuda_tensor import number_of

if TYPE_CHECKING:
    from nbvars.kernels.cuda.capture import CudaGraph

__all__ = ["capture", "set_index_checking", "stream", "synchronize"]


def _number_of(device: Any) -> int:
    """Return the number of a GPU, of the first one for ``None`` outside of the scope of one."""
    if device is None:
        device = current_device() if current_device() != "/cpu:0" else "/gpu:0"
    name = resolve_device(device)
    if name == "/cpu:0":
        raise ValueError(message("cuda", "the device is no GPU", repr(device), "such as '/gpu:0'"))
    return number_of(name)


def stream(stream: Any = None, device: Any = None) -> AbstractContextManager[None]:
    """Put what this thread asks of the GPU in a ``with`` block on ``stream``.

    It begins when the work is done that was on the stream before and on that around the block, and what follows the
    block waits for it: the GPU does, not the host. Without such a block work is on the legacy default stream, as that
    of torch and CuPy is. What other threads, or streams of other libraries, do with the same arrays meanwhile is not
    ordered.

    Args:
        stream: A stream of ``cuda.core``, any object that has ``__cuda_stream__``, such as CuPy's and torch's streams,
            or ``None`` for a new one.
        device: The GPU of the stream, by default that of the device scope or ``"/gpu:0"``.

    Raises:
        TypeError: ``stream`` is none.
        InvalidArgumentError: There is no such GPU.
    """
    number = _number_of(device)
    if stream is not None and not hasattr(stream, "__cuda_stream__"):
        expected = "an object with __cuda_stream__, or None for a new stream"
        raise TypeError(message("cuda.stream", "this is no stream", type(stream).__name__, expected))
    from nbvars.kernels.cuda.backend import backend
    from nbvars.kernels.cuda.streams import on_stream

    return on_stream(backend.new_stream(number) if stream is None else backend.as_stream(number, stream))


def capture(device: Any = None) -> AbstractContextManager[CudaGraph]:
    """Capture what this thread asks of a GPU in a ``with`` block in a CUDA graph; ``replay()`` asks for all of it.

    Nothing in the block is done before the first replay; a replay costs the host one launch. What the host does in the
    block, it does once, and numbers are those of then: but the settings of optimizers are taken anew at each replay,
    which also counts the steps. Tensors that are made in the block have the values of the last replay.

    Variables, and tensors from outside, are looked at where they are: assign to a variable, on the GPU, what a replay
    is to find. Kernels are compiled in the block if need be.

    Args:
        device: The GPU, by default that of the device scope or ``"/gpu:0"``.

    Returns:
        A context manager that gives the graph. Its ``replay()`` asks for the work on the current stream, without
        waiting; a replay begins when the one before has ended, on whatever streams.

    Raises:
        FailedPreconditionError: In the block, whatever the GPU alone cannot do: ``numpy()`` and all that looks at
            values, ``synchronize()``, arrays and lists of the host, other streams, another capture. The capture is
            given up then, the block ends with that error, and no variable has changed.
        InvalidArgumentError: There is no such GPU; or of an earlier call: a kernel has met a bad index.
    """
    number = _number_of(device)
    from nbvars.kernels.cuda.capture import capturing

    return capturing(number)


def synchronize(device: Any = None) -> None:
    """Wait until a GPU has done all that it was asked for, then raise what its kernels have met.

    Args:
        device: A GPU; if not given, all that were asked for something.

    Raises:
        InvalidArgumentError: An index was out of range, or there is no such GPU.
    """
    if device is None and "nbvars.kernels.cuda.backend" not in sys.modules:
        return
    numbers = None if device is None else [_number_of(device)]
    from nbvars.kernels.cuda import status
    from nbvars.kernels.cuda.backend import backend

    for number in backend.used_devices() if numbers is None else numbers:
        status.check(number)


def set_index_checking(mode: Literal["deferred", "sync", "off"]) -> None:
    """Choose what becomes of an index on a GPU that is out of range: its slice is left out in any case.

    Indices that are NumPy arrays or lists are checked before anything is written, in all modes.

    Args:
        mode: ``"deferred"``, the first choice: the error comes at a later call that asks the GPU for a value,
            ``synchronize()`` at the latest. ``"sync"``: each such update waits, and raises its own error. ``"off"``: no
            error.

    Raises:
        ValueError: ``mode`` is another word.
    """
    _number_of(None)
    from nbvars.kernels.cuda import status

    status.set_mode(mode)
