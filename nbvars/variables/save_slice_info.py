"""``SaveSliceInfo``: which part of a larger variable a variable is."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from nbvars.checks import message
from nbvars.graph.messages import as_message, is_in_scope, prepend_name_scope, strip_name_scope
from nbvars.proto import message_class


class SaveSliceInfo:
    """Where a slice lies in the variable that it is a part of; an initializer gets it as ``partition_info``.

    Args:
        full_name: Name of the whole variable.
        full_shape: Sizes of the whole variable.
        var_offset: Index in the whole variable of the first element of the slice.
        var_shape: Sizes of the slice.
        save_slice_info_def: A ``SaveSliceInfoDef``, in the place of all of those.
        import_scope: Name scope to put before the name in ``save_slice_info_def``.

    Raises:
        TypeError: ``save_slice_info_def`` is something else.
        ValueError: ``save_slice_info_def`` is given and one of the first four too, or neither.

    Source: TensorFlow 1 source, ``Variable.SaveSliceInfo``.
    """

    __slots__ = ("full_name", "full_shape", "var_offset", "var_shape")

    full_name: str
    full_shape: list[int]
    var_offset: list[int]
    var_shape: list[int]

    def __init__(
        self,
        full_name: str | None = None,
        full_shape: Iterable[int] | None = None,
        var_offset: Iterable[int] | None = None,
        var_shape: Iterable[int] | None = None,
        save_slice_info_def: Any = None,
        import_scope: str | None = None,
    ) -> None:
        given = (full_name, full_shape, var_offset, var_shape)
        if any((value is None) is (save_slice_info_def is None) for value in given):
            expected = "a name, two shapes and an offset, or save_slice_info_def alone"
            raise ValueError(message("SaveSliceInfo", "the slice is not described", given, expected))
        if save_slice_info_def is not None:
            source = as_message("SaveSliceInfo", "SaveSliceInfoDef", save_slice_info_def)
            full_name = prepend_name_scope(source.full_name, import_scope)
            given = (full_name, source.full_shape, source.var_offset, source.var_shape)
        name, *sizes = given
        self.full_name = str(name)
        self.full_shape, self.var_offset, self.var_shape = ([int(size) for size in each or ()] for each in sizes)

    @property
    def spec(self) -> str:
        """Return the slice as text: ``"5 2 3,2:0,2"`` is rows 3 and 4, and both columns, of a shape ``[5, 2]``."""
        sizes = "".join(f"{size} " for size in self.full_shape)
        ranges = (f"{offset},{size}" for offset, size in zip(self.var_offset, self.var_shape, strict=True))
        return sizes + ":".join(ranges)

    def to_proto(self, export_scope: str | None = None) -> Any:
        """Return the ``SaveSliceInfoDef`` message; ``None`` if the name lies outside ``export_scope``.

        Args:
            export_scope: Name scope to leave out of the name.

        Raises:
            ImportError: protobuf is not installed.
        """
        if not is_in_scope(self.full_name, export_scope):
            return None
        return message_class("SaveSliceInfoDef")(
            full_name=strip_name_scope(self.full_name, export_scope),
            full_shape=self.full_shape,
            var_offset=self.var_offset,
            var_shape=self.var_shape,
        )

    def __repr__(self) -> str:
        return f"SaveSliceInfo({self.full_name!r}, {self.full_shape}, {self.var_offset}, {self.var_shape})"
