"""Protobuf messages of TensorFlow's wire format: ``VariableDef``, ``GraphDef``, ``MetaGraphDef`` and their parts.

``nbvars.proto.VariableDef`` and the other names of ``nbvars.proto`` (the file) are made at their first use, which is
also when protobuf is imported; ``DataType`` and the other enums have ``Name`` and ``Value``.
"""

from __future__ import annotations

from typing import Any

from nbvars.checks import expect_type, message
from nbvars.locks import importing

__all__ = ["message_class", "parse"]


def message_class(name: str) -> type[Any]:
    """Return the class of the message ``name``, such as ``"VariableDef"`` or ``"AttrValue.ListValue"``.

    Raises:
        ValueError: There is no such message.
        ImportError: protobuf is not installed.
    """
    with importing:
        import nbvars.proto.descriptors as built

    try:
        return built.MESSAGES[name]
    except KeyError:
        known = [known for known in built.MESSAGES if not known.endswith("Entry")]
        raise ValueError(
            message("proto.message_class", "there is no such message", repr(name), f"one of {known}")
        ) from None


def parse(name: str, data: bytes | bytearray | memoryview) -> Any:
    """Return the message ``name`` that ``data`` holds in protobuf's wire format.

    Fields that the message does not know are kept, and written again by ``SerializeToString``.

    Raises:
        TypeError: ``data`` is not bytes.
        ValueError: ``data`` is malformed, or there is no such message.
        ImportError: protobuf is not installed.
    """
    expect_type("proto.parse", "data", data, (bytes, bytearray, memoryview), "bytes, bytearray or memoryview")
    cls = message_class(name)
    from google.protobuf.message import DecodeError

    data = bytes(data)
    try:
        return cls.FromString(data)
    except (DecodeError, ValueError) as error:  # ValueError: how protobuf in pure Python finds text that is not UTF-8
        got = f"{len(data)} bytes that do not parse ({error})"
        raise ValueError(message("proto.parse", "data is malformed", got, f"a serialized {name} message")) from error


def __getattr__(name: str) -> Any:
    if name[:1].isupper():  # so that looking for any other name does not import protobuf
        import nbvars.proto.descriptors as built

        for table in (built.MESSAGES, built.ENUMS):
            if name in table:
                return table[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
