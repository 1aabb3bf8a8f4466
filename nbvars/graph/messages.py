"""What all readers and writers of protobuf messages share: messages from anywhere, and names moved between scopes."""

from __future__ import annotations

from typing import Any

from nbvars import proto
from nbvars.checks import message


def as_message(where: str, name: str, value: Any) -> Any:
    """Return ``value`` as our message ``name``: it is one, or TensorFlow's message of that name, or its bytes.

    Raises:
        TypeError: ``value`` is something else.
        ValueError: The bytes are malformed.
        ImportError: protobuf is not installed.
    """
    cls = proto.message_class(name)
    if isinstance(value, cls):
        return value
    if isinstance(value, (bytes, bytearray, memoryview)):
        return proto.parse(name, value)
    descriptor = getattr(value, "DESCRIPTOR", None)
    if getattr(descriptor, "name", None) != name.rpartition(".")[2] or not hasattr(value, "SerializeToString"):
        raise TypeError(message(where, f"must be a {name} proto", repr(value), f"a {name} message, or its bytes"))
    return proto.parse(name, value.SerializeToString())


def is_in_scope(name: str, scope: str | None) -> bool:
    """Return whether ``name``, such as ``"a/b:0"``, lies in the name scope ``scope``; in ``None`` lies everything."""
    return not scope or name.startswith(f"{scope.rstrip('/')}/")


def strip_name_scope(name: str, scope: str | None) -> str:
    """Return ``name`` without ``scope`` at its beginning, if it is there."""
    return name[len(scope.rstrip("/")) + 1 :] if scope and is_in_scope(name, scope) else name


def prepend_name_scope(name: str, scope: str | None) -> str:
    """Return ``name`` in the name scope ``scope``."""
    return f"{scope.rstrip('/')}/{name}" if scope else name
