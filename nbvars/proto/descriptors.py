"""The message classes and enums of ``nbvars.proto``, built in a descriptor pool of their own.

Importing this module needs protobuf.
"""

from __future__ import annotations

from importlib import resources
from typing import Any, Final

from nbvars.checks import message

try:
    from google.protobuf.descriptor_pool import DescriptorPool
    from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
    from google.protobuf.message_factory import GetMessageClass
except ImportError as error:
    raise ImportError(
        message("nbvars.proto", "protobuf is missing", error, "protobuf 4.25 or newer", "pip install nbvars[proto]")
    ) from error

from nbvars.proto.reader import read_proto

_FILE: Final = "nbvars/proto/nbvars.proto"


def _load() -> Any:
    """Return the descriptor of the whole file, in a new pool."""
    pool = DescriptorPool()
    text = resources.files("nbvars.proto").joinpath("nbvars.proto").read_text("utf-8")
    pool.AddSerializedFile(read_proto(text, _FILE).SerializeToString())
    return pool.FindFileByName(_FILE)


def _message_classes(descriptors: Any, outer: type[Any] | None = None) -> dict[str, type[Any]]:
    """Return the classes of ``descriptors`` and of what is nested in them, by names such as ``AttrValue.ListValue``."""
    classes: dict[str, type[Any]] = {}
    for descriptor in descriptors.values():
        cls = GetMessageClass(descriptor)
        # Module and name are where pickle finds the class again. The default would name a module that is not there.
        cls.__module__, cls.__qualname__ = "nbvars.proto", descriptor.name
        if outer is not None:
            cls.__qualname__ = f"{outer.__qualname__}.{descriptor.name}"
            # protobuf in pure Python leaves this to generated code.
            setattr(outer, descriptor.name, cls)
        classes[cls.__qualname__] = cls
        classes |= _message_classes(descriptor.nested_types_by_name, cls)
    return classes


DESCRIPTOR: Final = _load()
MESSAGES: Final = _message_classes(DESCRIPTOR.message_types_by_name)
ENUMS: Final = {name: EnumTypeWrapper(descriptor) for name, descriptor in DESCRIPTOR.enum_types_by_name.items()}
