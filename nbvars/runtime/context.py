"""Where this thread's ops run: the device scopes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from nbvars.devices import DeviceSpec, resolve_device
from nbvars.graph.graph import get_default_graph
from nbvars.graph.mode import executing_eagerly
from nbvars.graph.scopes import Device
from nbvars.graph.tensor import Symbolic, TensorLike


class _Scopes(threading.local):
    """The device scope that a thread is in: its specification, and the local device that it names."""

    def __init__(self) -> None:
        self.spec = DeviceSpec()
        self.device = resolve_device(None)


_scopes = _Scopes()


def current_device() -> str:
    """Return the device on which this thread's ops run, such as ``"/cpu:0"``."""
    return _scopes.device


def explicit_device() -> str | None:
    """Return the device that this thread's scopes name; ``None`` where they leave it open."""
    return None if _scopes.spec.device_type is None else _scopes.device


def anywhere() -> AbstractContextManager[None]:
    """Have the ops of a ``with`` block run where their tensors are, and on the CPU those that have none."""
    return _eager_device(None)


def beside(value: TensorLike) -> AbstractContextManager[None]:
    """Run the ops of a ``with`` block on the device of a value of eager mode; what is of a graph, the graph places."""
    return nullcontext() if isinstance(value, Symbolic) else _eager_device(value.device)


def device(name: str | Device) -> AbstractContextManager[None]:
    """Run the ops of a ``with`` block, in this thread, on the device ``name``.

    What an inner scope leaves open it takes from the outer one; ``None`` undoes all outer scopes. In graph mode this is
    ``Graph.device`` of the default graph, which also takes functions, and any device: the session looks for it.

    Raises:
        TypeError: ``name`` is neither a string nor a ``DeviceSpec``.
        ValueError: ``name`` is malformed.
        InvalidArgumentError: There is no such device.

    Source: TensorFlow 1 API pages, ``tf.device``.
    """
    return _eager_device(name) if executing_eagerly() else get_default_graph().device(name)


@contextmanager
def _eager_device(name: Any) -> Iterator[None]:
    if name is None:
        spec = DeviceSpec()
    else:
        inner = name if isinstance(name, DeviceSpec) else DeviceSpec.from_string(name)
        spec = _scopes.spec.make_merged_spec(inner)
    outer = _scopes.spec, _scopes.device
    _scopes.spec, _scopes.device = spec, resolve_device(spec)
    try:
        yield
    finally:
        _scopes.spec, _scopes.device = outer
