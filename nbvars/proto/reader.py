"""``read_proto``: the part of the ``.proto`` language that ``nbvars.proto`` is written in, as descriptors."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
)

_COMMENT = re.compile(r"//.*")
_STATEMENT = re.compile(r"\s*([^;{}]*?)\s*([;{}])")
_HEADER = re.compile(r'(syntax\s*=|package)\s*"?([\w.]+)"?')
_ENUM_VALUE = re.compile(r"(\w+)\s*=\s*(\d+)")
_FIELD = re.compile(r"(?:(optional|repeated)\s+)?(?:map<string,\s*([\w.]+)>|([\w.]+))\s+(\w+)\s*=\s*(\d+)")
_SCALARS = ("bool", "bytes", "double", "float", "int32", "int64", "string", "uint32", "uint64")


class _Scope(NamedTuple):
    """What the braces around a statement belong to; inside a ``oneof``, its message and its number there."""

    descriptor: Any
    oneof_index: int | None = None


def read_proto(text: str, name: str) -> Any:
    """Return the ``FileDescriptorProto`` of the file ``name`` that holds ``text``.

    Types that are no scalars are left as written: a descriptor pool looks them up, and finds out whether they are
    messages or enums.
    """
    file = FileDescriptorProto(name=name)
    scopes = [_Scope(file)]
    for statement, end in _STATEMENT.findall(_COMMENT.sub("", text)):
        if end == "{":
            scopes.append(_open(scopes[-1].descriptor, *statement.split()))
        elif end == "}":
            scopes.pop()
        elif isinstance(scopes[-1].descriptor, DescriptorProto):
            _add_field(scopes[-1], statement)
        elif isinstance(scopes[-1].descriptor, EnumDescriptorProto):
            value, number = _groups(_ENUM_VALUE, statement)
            scopes[-1].descriptor.value.add(name=value, number=int(number))
        else:
            _add_header(file, statement)
    return file


def _open(parent: Any, kind: str, name: str) -> _Scope:
    if kind == "oneof":
        parent.oneof_decl.add(name=name)
        return _Scope(parent, len(parent.oneof_decl) - 1)
    if kind == "enum":
        return _Scope(parent.enum_type.add(name=name))
    assert kind == "message", kind
    siblings = parent.nested_type if isinstance(parent, DescriptorProto) else parent.message_type
    return _Scope(siblings.add(name=name))


def _add_header(file: Any, statement: str) -> None:
    keyword, value = _groups(_HEADER, statement)
    if keyword == "package":
        file.package = value
    else:
        file.syntax = value


def _add_field(scope: _Scope, statement: str) -> None:
    label, map_value, type_name, name, number = _groups(_FIELD, statement)
    message = scope.descriptor
    field = message.field.add(name=name, number=int(number), label=FieldDescriptorProto.LABEL_OPTIONAL)
    if map_value:
        type_name = _add_map_entry(message, name, map_value)
    if map_value or label == "repeated":
        field.label = FieldDescriptorProto.LABEL_REPEATED
    _set_type(field, type_name)
    if scope.oneof_index is not None:
        field.oneof_index = scope.oneof_index
    elif label == "optional":
        # Presence of a proto3 scalar is a oneof of its own with this one field; these come after the real ones.
        field.proto3_optional = True
        field.oneof_index = len(message.oneof_decl)
        message.oneof_decl.add(name=f"_{name}")


def _add_map_entry(message: Any, name: str, value_type: str) -> str:
    """Add the message that one item of the map ``name`` is on the wire; return its name."""
    entry = message.nested_type.add(name="".join(word.capitalize() for word in name.split("_")) + "Entry")
    entry.options.map_entry = True
    for number, (part, type_name) in enumerate([("key", "string"), ("value", value_type)], start=1):
        _set_type(entry.field.add(name=part, number=number, label=FieldDescriptorProto.LABEL_OPTIONAL), type_name)
    return str(entry.name)


def _set_type(field: Any, type_name: str) -> None:
    if type_name in _SCALARS:
        field.type = FieldDescriptorProto.Type.Value(f"TYPE_{type_name.upper()}")
    else:
        field.type_name = type_name


def _groups(pattern: re.Pattern[str], statement: str) -> tuple[str, ...]:
    match = pattern.fullmatch(statement)
    assert match, statement
    return match.groups()
