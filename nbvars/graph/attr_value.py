"""Attributes of operations as ``AttrValue`` messages, and back, exactly.

What ``AttrValue`` can say is said as TensorFlow says it: bools, integers of 64 bits, floats of 32 bits, strings,
dtypes, shapes, arrays, and tuples of one of these kinds (lists come back as tuples). Text is ``str``; bytes that are
not UTF-8 are ``bytes``. The rest takes the form of a ``func``: its name says the kind, its ``attr`` holds the parts.

The kinds:

=================== =============================== =====================================
name                stands for                      parts
=================== =============================== =====================================
``nbvars.None``     ``None``
``nbvars.Ellipsis`` ``...``
``nbvars.slice``    a slice                         ``start``, ``stop``, ``step``
``nbvars.tuple``    a tuple of several kinds        ``"0"``, ``"1"``, ...
``nbvars.int``      an integer beyond 64 bits       ``value``, its decimal digits
``nbvars.number``   a float of 64 bits, or complex  ``value``, as an array
``nbvars.bytes``    bytes that are UTF-8            ``value``, as text
``nbvars.element``  a tensor or operation           ``name``
``nbvars.context``  a branch of a conditional ...   ``name``, ``is_loop``, ``outer``
=================== =============================== =====================================

An ``AttrValue`` that means nothing here, such as the name of a function of TensorFlow, is kept as the message it is.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np

from nbvars import proto
from nbvars.checks import message
from nbvars.dtypes import KNOWN, REFS, DType, as_dtype
from nbvars.graph.control_flow import ControlFlowContext
from nbvars.graph.messages import as_message
from nbvars.graph.operation import Operation
from nbvars.graph.tensor import GraphTensor
from nbvars.graph.tensor_proto import array_from_proto, array_to_proto, shape_from_proto, shape_to_proto
from nbvars.shapes import TensorShape


def to_attr_value(value: Any) -> Any:
    """Return ``value`` as an ``AttrValue``; ``TypeError`` if it is of no kind that an attribute can be."""
    if getattr(getattr(value, "DESCRIPTOR", None), "name", None) == "AttrValue":
        return as_message("AttrValue", "AttrValue", value)
    if isinstance(value, np.generic):
        value = value.item()
    attr = proto.message_class("AttrValue")()
    field = _field_of(value)
    if field is not None:
        _put(attr, field, [value])
        return attr
    if isinstance(value, (tuple, list)):
        if not value:
            attr.list.SetInParent()
            return attr
        field = _field_of(value[0])
        if field is not None and all(_field_of(each) == field for each in value):
            _put(attr.list, field, value)
            return attr
    attr.func.name, parts = _parts_of(value)
    for key, part in parts.items():
        attr.func.attr[key].CopyFrom(to_attr_value(part))
    return attr


def _field_of(value: Any) -> str | None:
    """Return the field of ``AttrValue`` that says ``value`` as it is, or ``None``."""
    if isinstance(value, int) and not isinstance(value, bool):
        return "i" if -(2**63) <= value < 2**63 else None
    if isinstance(value, float):
        return "f" if abs(value) <= _LARGEST_FLOAT32 and float(np.float32(value)) == value else None
    if isinstance(value, bytes):
        return None if _is_utf8(value) else "s"
    return next((field for kind, field in _FIELDS.items() if isinstance(value, kind)), None)


_LARGEST_FLOAT32 = float(np.finfo(np.float32).max)
_FIELDS = {bool: "b", str: "s", DType: "type", TensorShape: "shape", np.ndarray: "tensor"}


def _is_utf8(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


_WRITERS: dict[str, Callable[[Any], Any]] = {
    "s": lambda value: value.encode() if isinstance(value, str) else value,
    "type": lambda value: value.as_datatype_enum,
    "shape": shape_to_proto,
    "tensor": array_to_proto,
}
_READERS: dict[str, Callable[[Any], Any]] = {
    "s": lambda value: value.decode() if _is_utf8(value) else value,
    "type": as_dtype,
    "shape": shape_from_proto,
    "tensor": array_from_proto,
    "b": bool,
    "i": int,
    "f": float,
}


def _put(target: Any, field: str, values: Any) -> None:
    """Write ``values`` to the field of a list, or the one of them to that of an ``AttrValue``."""
    write = _WRITERS.get(field, lambda value: value)
    written = [write(value) for value in values]
    if target.DESCRIPTOR.name == "ListValue":
        getattr(target, field).extend(written)
    elif field in ("shape", "tensor"):
        getattr(target, field).CopyFrom(written[0])
    else:
        setattr(target, field, written[0])


def _parts_of(value: Any) -> tuple[str, dict[str, Any]]:
    """Return name and parts of what ``AttrValue`` has no field for."""
    if value is None or value is Ellipsis:
        return f"nbvars.{'None' if value is None else 'Ellipsis'}", {}
    if isinstance(value, slice):
        return "nbvars.slice", {"start": value.start, "stop": value.stop, "step": value.step}
    if isinstance(value, (tuple, list)):
        return "nbvars.tuple", {str(i): each for i, each in enumerate(value)}
    if isinstance(value, int):
        return "nbvars.int", {"value": str(value)}
    if isinstance(value, (float, complex)):
        return "nbvars.number", {"value": np.array(value)}
    if isinstance(value, bytes):
        return "nbvars.bytes", {"value": value.decode()}
    if isinstance(value, (GraphTensor, Operation)):
        return "nbvars.element", {"name": value.name}
    if isinstance(value, ControlFlowContext):
        return "nbvars.context", {"name": value.name, "is_loop": value.is_loop, "outer": value.outer}
    expected = "numbers, strings, dtypes, shapes, arrays, slices, None, ..., and tuples of those"
    raise TypeError(message("AttrValue", "no attribute can be of this kind", repr(value), expected))


Makers: TypeAlias = Mapping[str, Callable[[dict[str, Any]], Any]]
_MAKERS: Makers = {
    "nbvars.None": lambda parts: None,
    "nbvars.Ellipsis": lambda parts: Ellipsis,
    "nbvars.slice": lambda parts: slice(parts["start"], parts["stop"], parts["step"]),
    "nbvars.tuple": lambda parts: tuple(parts[str(i)] for i in range(len(parts))),
    "nbvars.int": lambda parts: int(parts["value"]),
    "nbvars.number": lambda parts: parts["value"].item(),
    "nbvars.bytes": lambda parts: parts["value"].encode(),
}


def from_attr_value(attr: Any, makers: Makers = _MAKERS) -> Any:
    """Return what an ``AttrValue`` says: a value as ``to_attr_value`` takes it, or the message itself.

    Args:
        attr: The message.
        makers: What makes values of parts, by the name of the kind; ``with_makers`` adds those of one graph.

    Raises:
        ValueError: The message contradicts itself.
    """
    field = attr.WhichOneof("value")
    try:
        if field == "list":
            return _from_list(attr)
        if field == "func" and attr.func.name in makers:
            parts = {key: from_attr_value(part, makers) for key, part in attr.func.attr.items()}
            return makers[attr.func.name](parts)
        if field not in _READERS or (field == "type" and not _is_known(attr.type)):
            return copy.deepcopy(attr)
        return _READERS[field](getattr(attr, field))
    except (KeyError, AttributeError, TypeError, ValueError) as error:
        got = str(attr).strip()
        raise ValueError(message("AttrValue", f"the message is malformed ({error!r})", got, "an attribute")) from error


def with_makers(element: Callable[[str], Any], context: Callable[[str, bool, Any], Any]) -> Makers:
    """Return the makers that also know the elements of a graph by name, and the branches and loops of one."""
    return {
        **_MAKERS,
        "nbvars.element": lambda parts: element(parts["name"]),
        "nbvars.context": lambda parts: context(parts["name"], parts["is_loop"], parts["outer"]),
    }


def _from_list(attr: Any) -> Any:
    """Return the tuple of a list, the message itself if it holds what has no meaning here."""
    fields = [field.name for field, _ in attr.list.ListFields()]
    if not fields:
        return ()
    values = getattr(attr.list, fields[0])
    if len(fields) > 1:
        raise ValueError(f"a list of {fields}")
    if fields[0] not in _READERS or (fields[0] == "type" and not all(map(_is_known, values))):
        return copy.deepcopy(attr)
    return tuple(map(_READERS[fields[0]], values))


def _is_known(number: int) -> bool:
    """Return whether a number of ``DataType`` names a dtype of ours."""
    return number in _KNOWN


_KNOWN = {dtype.as_datatype_enum for dtype in KNOWN + REFS}
