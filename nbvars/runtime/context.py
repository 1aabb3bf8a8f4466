"""Where this thread's ops run: the device scopes, and the mode."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from nbvars.devices import DeviceSpec, resolve_device


class _Scopes(threading.local):
    """The device scope that a thread is in: its specification, and the local device that it names."""

    def __init__(self) -> None:
        self.spec = DeviceSpec()
        self.device = resolve_device(None)


_scopes = _Scopes()


def current_device() -> str:
    """Return the device on which this thread's ops run, such as ``"/cpu:0"``."""
    return _scopes.device


def executing_eagerly() -> bool:
    """Return whether ops run at once.

    Source: TensorFlow 1 API pages, ``tf.executing_eagerly``.
    """
    return True


@contextmanager
def device(name: str | DeviceSpec | None) -> Iterator[None]:
    """Run the ops of a ``with`` block, in this thread, on the device ``name``.

    What an inner scope leaves open it takes from the outer one; ``None`` undoes all outer scopes.

    Raises:
        TypeError: ``name`` is neither a string nor a ``DeviceSpec``.
        ValueError: ``name`` is malformed.
        InvalidArgumentError: There is no such device.

    Source: TensorFlow 1 API pages, ``tf.device``.
    """
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
