"""``DType``, its constants under TensorFlow's names and numbers, and ``as_dtype``.

``bool`` in this module is the dtype; the built-in is spelled ``builtins.bool``.
"""

from __future__ import annotations

import builtins
from typing import TYPE_CHECKING, Any, Final, NoReturn, final

import ml_dtypes
import numpy as np

from nbvars.errors import message


@final
class DType:
    """The type of the elements of a tensor or a variable.

    Each type exists once, so ``is`` and ``==`` between two ``DType`` agree; ``==`` also knows NumPy's dtypes
    and scalar types, and names. ``DType(x)`` is ``as_dtype(x)``.

    ``as_ref`` is the reference type, that of a graph's variable, and ``base_dtype`` leads back from it; a
    reference type differs from its base in name and number only. Each is itself where there is nowhere to go.

    Source: TensorFlow API pages, ``tf.DType``.
    """

    __slots__ = (
        "as_datatype_enum",
        "as_numpy_dtype",
        "as_ref",
        "base_dtype",
        "is_bool",
        "is_complex",
        "is_floating",
        "is_integer",
        "is_ref_dtype",
        "is_unsigned",
        "name",
        "numpy_dtype",
        "size",
    )

    name: str
    numpy_dtype: np.dtype[Any]
    as_numpy_dtype: type[np.generic]
    as_datatype_enum: int
    size: int
    as_ref: DType
    base_dtype: DType
    is_ref_dtype: builtins.bool
    is_bool: builtins.bool
    is_complex: builtins.bool
    is_floating: builtins.bool
    is_integer: builtins.bool
    is_unsigned: builtins.bool

    def __new__(cls, value: object) -> DType:
        return as_dtype(value)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Return ``numpy_dtype``: NumPy looks here, so that ``np.zeros(3, dtype=variable.dtype)`` works."""
        return self.numpy_dtype

    @property
    def real_dtype(self) -> DType:
        """Return the type of the real part: float32 for complex64 and its reference; itself for any other type."""
        return _REAL.get(self.base_dtype, self)

    @property
    def is_numpy_compatible(self) -> builtins.bool:
        """Return ``True``: every type here has a NumPy form."""
        return True

    @property
    def min(self) -> int | float:
        """Return the smallest finite value; complex types and ``string`` have none (``TypeError``)."""
        return self._bounds("min")[0]

    @property
    def max(self) -> int | float:
        """Return the largest finite value; complex types and ``string`` have none (``TypeError``)."""
        return self._bounds("max")[1]

    @property
    def limits(self) -> tuple[int | float, int | float]:
        """Return the range of an image's intensities: ``(0, max)`` for integers and ``(0, 1)`` for floats."""
        if self.is_floating:
            return 0.0, 1.0
        return (False, True) if self.is_bool else (0, self._bounds("limits")[1])

    def is_compatible_with(self, other: object) -> builtins.bool:
        """Return whether a value of the type ``other`` is one of this type: whether it or its base is this type.

        So float32 takes a float32_ref, but not the other way round.

        Raises:
            TypeError: ``other`` names no type.
        """
        theirs = as_dtype(other)
        return self in (theirs, theirs.base_dtype)

    def _bounds(self, asked: str) -> tuple[int | float, int | float]:
        if self.is_bool:
            return False, True
        if self.is_integer:
            integer_info = np.iinfo(self.numpy_dtype)
            return integer_info.min, integer_info.max
        if self.is_floating:
            # ml_dtypes 0.6 has no annotations here.
            float_info = ml_dtypes.finfo(self.numpy_dtype)  # type: ignore[no-untyped-call]
            return float(float_info.min), float(float_info.max)
        raise TypeError(message(f"DType.{asked}", "the type has no bounds", self, "a real dtype"))

    def __eq__(self, other: object) -> builtins.bool:
        return self is other or self is _find(other)

    # Types are keys of the tables that every call goes through, so the hash is the built-in one by identity;
    # the price is that a name, though equal, finds nothing in such a table.
    if TYPE_CHECKING:

        def __hash__(self) -> int: ...
    else:
        __hash__ = object.__hash__

    def __repr__(self) -> str:
        return f"nbvars.{self.name}"

    def __str__(self) -> str:
        return self.name

    def __format__(self, format_spec: str) -> str:
        return format(self.name, format_spec)

    def __reduce__(self) -> tuple[Any, ...]:
        return as_dtype, (self.name,)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        wrong = "a dtype cannot be changed"
        raise AttributeError(message("DType", wrong, f"{name}={value!r}", "no assignment"))

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(message("DType", "a dtype cannot be changed", f"del {name}", "no deletion"))


def _define(as_numpy_dtype: type[np.generic], as_datatype_enum: int, **different: object) -> DType:
    """Make the one ``DType`` of a NumPy scalar type, and its reference; numbers are those of ``types.proto``."""
    numpy_dtype = np.dtype(as_numpy_dtype)
    dtype, reference = object.__new__(DType), object.__new__(DType)
    fields = {
        "name": numpy_dtype.name,
        "numpy_dtype": numpy_dtype,
        "as_numpy_dtype": as_numpy_dtype,
        "as_datatype_enum": as_datatype_enum,
        "size": numpy_dtype.itemsize,
        "as_ref": reference,
        "base_dtype": dtype,
        "is_ref_dtype": False,
        "is_bool": as_numpy_dtype is np.bool_,
        "is_complex": issubclass(as_numpy_dtype, np.complexfloating),
        "is_floating": as_numpy_dtype is ml_dtypes.bfloat16 or issubclass(as_numpy_dtype, np.floating),
        "is_integer": issubclass(as_numpy_dtype, np.integer),
        "is_unsigned": issubclass(as_numpy_dtype, np.unsignedinteger),
    } | different
    _fill(dtype, fields)
    as_reference = {"name": f"{dtype.name}_ref", "as_datatype_enum": as_datatype_enum + 100, "is_ref_dtype": True}
    _fill(reference, fields | as_reference)
    return dtype


def _fill(dtype: DType, fields: dict[str, object]) -> None:
    """Set the fields of a new dtype."""
    for field, value in fields.items():
        object.__setattr__(dtype, field, value)


bool_: Final = _define(np.bool_, 10)
int8: Final = _define(np.int8, 6)
int16: Final = _define(np.int16, 5)
int32: Final = _define(np.int32, 3)
int64: Final = _define(np.int64, 9)
uint8: Final = _define(np.uint8, 4)
uint16: Final = _define(np.uint16, 17)
uint32: Final = _define(np.uint32, 22)
uint64: Final = _define(np.uint64, 23)
float16: Final = _define(np.float16, 19)
bfloat16: Final = _define(ml_dtypes.bfloat16, 14)
float32: Final = _define(np.float32, 1)
float64: Final = _define(np.float64, 2)
complex64: Final = _define(np.complex64, 8)
complex128: Final = _define(np.complex128, 18)
# Bytes of any length, kept as objects: an element has no size of its own.
string: Final = _define(np.object_, 7, name="string", size=0)

bool: Final = bool_
half: Final = float16
double: Final = float64

# The types of numbers: those that kernels know.
ALL: Final[tuple[DType, ...]] = (
    bool_,
    int8,
    int16,
    int32,
    int64,
    uint8,
    uint16,
    uint32,
    uint64,
    float16,
    bfloat16,
    float32,
    float64,
    complex64,
    complex128,
)

KNOWN: Final[tuple[DType, ...]] = (*ALL, string)
REFS: Final[tuple[DType, ...]] = tuple(dtype.as_ref for dtype in KNOWN)

_REAL: Final = {complex64: float32, complex128: float64}
_BY_ENUM: Final = {dtype.as_datatype_enum: dtype for dtype in KNOWN + REFS}


def _types() -> dict[type, DType]:
    """Map scalar types: NumPy's, its C names (``longlong`` may be a type of its own), and Python's."""
    by_name = {dtype.name: dtype for dtype in ALL}
    signed = (np.byte, np.short, np.intc, np.int_, np.intp, np.longlong)
    unsigned = (np.ubyte, np.ushort, np.uintc, np.uint, np.uintp, np.ulonglong)
    types: dict[type, DType] = {c_type: by_name[np.dtype(c_type).name] for c_type in signed + unsigned}
    types |= {dtype.as_numpy_dtype: dtype for dtype in ALL}
    types |= dict.fromkeys((object, str, bytes, np.object_, np.str_, np.bytes_), string)
    return types | {builtins.bool: bool_, int: int32, float: float32, complex: complex64}


def _names() -> dict[str, DType]:
    """Map names: nbvars's, TensorFlow's short ones, Python's, and NumPy's array codes such as ``<f4``."""
    names = {dtype.name: dtype for dtype in KNOWN}
    names |= {"half": half, "double": double}
    names |= {"float": float32, "int": int32, "complex": complex64}
    names |= {f"{name}_ref": dtype.as_ref for name, dtype in names.items()}
    names["?"] = bool_
    for dtype in ALL:
        # The code of bfloat16 is that of any two bytes.
        if dtype is not bfloat16:
            code = f"{dtype.numpy_dtype.kind}{dtype.size}"
            names |= {byte_order + code: dtype for byte_order in ("", "<", ">", "=", "|")}
    return names


_BY_TYPE: Final = _types()
_BY_NAME: Final = _names()


def _find(value: object) -> DType | None:
    """Return the ``DType`` that ``value`` names, or ``None``."""
    if isinstance(value, DType):
        return value
    if isinstance(value, np.dtype):
        return _BY_TYPE.get(value.type)
    if isinstance(value, type):
        return _BY_TYPE.get(value)
    return _BY_NAME.get(value) if isinstance(value, str) else None


def _find_with_number(value: object) -> DType | None:
    """Return the ``DType`` that ``value`` names, which may be a number of ``types.proto``, or ``None``."""
    found = _find(value)
    if found is None and isinstance(value, int) and not isinstance(value, builtins.bool):
        return _BY_ENUM.get(value)
    return found


def _unknown(value: object, known: tuple[DType, ...]) -> TypeError:
    expected = f"one of [{', '.join(dtype.name for dtype in known)}]"
    return TypeError(message("as_dtype", "unknown dtype", repr(value), expected))


def as_dtype(value: object) -> DType:
    """Return the ``DType`` that ``value`` names.

    Args:
        value: A ``DType``, a name, a NumPy dtype of any byte order, a NumPy scalar type, one of Python's
            ``bool``, ``int`` (int32), ``float`` (float32), ``complex`` (complex64), ``str``, ``bytes`` and
            ``object`` (string), or a number of TensorFlow's ``types.proto``. Names that end in ``_ref``, and
            numbers above 100, are those of reference types.

    Raises:
        TypeError: ``value`` names no type of nbvars.

    Source: TensorFlow API pages, ``tf.as_dtype``.
    """
    found = _find_with_number(value)
    if found is None:
        raise _unknown(value, KNOWN)
    return found


def as_numeric_dtype(value: object) -> DType:
    """Return the type of numbers, one of ``ALL``, that ``value`` names; of a reference type, its base.

    Raises:
        TypeError: ``value`` names no type of nbvars, or names ``string``.
    """
    found = _find_with_number(value)
    if found is None or found.base_dtype is string:
        raise _unknown(value, ALL)
    return found.base_dtype
