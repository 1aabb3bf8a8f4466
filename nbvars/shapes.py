"""``Dimension`` and ``TensorShape``: sizes that may be unknown, as TensorFlow 1 has them."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Iterator
from typing import Any, ClassVar, Final, SupportsIndex, TypeAlias, overload

import numpy as np

from nbvars.errors import message

_LARGEST_SIZE: Final = 2**63 - 1


def _as_size(value: object) -> int | None:
    """Return ``value`` as the size of a dimension; ``None`` is an unknown one."""
    if value is None or isinstance(value, Dimension):
        return None if value is None else value.value
    size = value if type(value) is int else _index(value)
    if size is None:
        raise TypeError(message("shape", "a dimension is not an integer", repr(value), "an integer or None"))
    if size < 0:
        raise ValueError(message("shape", "a dimension is negative", size, "0 or more"))
    if size > _LARGEST_SIZE:
        wrong = "a dimension is too large for int64"
        raise ValueError(message("shape", wrong, size, f"at most {_LARGEST_SIZE}"))
    return size


def _index(value: object) -> int | None:
    """Return ``value`` as an ``int``, ``None`` if it is not an integer."""
    try:
        return None if isinstance(value, (bool, np.bool_)) else operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        return None


def _number(value: object) -> Any:
    """Return an operand as an integer, ``None`` for an unknown size, or ``NotImplemented``.

    Unlike a size it may be negative: ``Dimension(3) + -1`` is 2.
    """
    if value is None or isinstance(value, Dimension):
        return None if value is None else value.value
    number = _index(value)
    return NotImplemented if number is None else number


_Operator: TypeAlias = Callable[["Dimension", object], Any]


def _comparison(relation: Callable[[int, int], bool]) -> _Operator:
    """Make an operator that gives ``None`` where a size is unknown."""

    def compare(self: Dimension, other: object) -> Any:
        number = _number(other)
        if number is NotImplemented:
            return NotImplemented
        return None if self.value is None or number is None else relation(self.value, number)

    return compare


def _arithmetic(operation: Callable[[int, int], int], is_reflected: bool = False) -> _Operator:
    """Make an operator that gives an unknown ``Dimension`` where a size is unknown."""

    def compute(self: Dimension, other: object) -> Any:
        number = _number(other)
        if number is NotImplemented:
            return NotImplemented
        if self.value is None or number is None:
            return Dimension(None)
        return Dimension(operation(number, self.value) if is_reflected else operation(self.value, number))

    return compute


class Dimension:
    """The size of one dimension: an integer, or ``None`` where it is unknown.

    Arithmetic with an unknown size gives an unknown ``Dimension``, and a comparison with one gives ``None``.

    Raises:
        TypeError: ``value`` is not an integer, a ``Dimension`` or ``None``.
        ValueError: ``value`` is negative or too large for int64.

    Source: TensorFlow 1 API pages, ``tf.Dimension``.
    """

    __slots__ = ("_value",)

    def __init__(self, value: SupportsIndex | Dimension | None) -> None:
        self._value = _as_size(value)

    @property
    def value(self) -> int | None:
        """Return the size, ``None`` where it is unknown."""
        return self._value

    def is_compatible_with(self, other: SupportsIndex | Dimension | None) -> bool:
        """Return whether the two are equal or one of them is unknown."""
        size = _as_size(other)
        return self._value is None or size is None or self._value == size

    def assert_is_compatible_with(self, other: SupportsIndex | Dimension | None) -> None:
        """Raise ``ValueError`` unless the two are equal or one of them is unknown."""
        if not self.is_compatible_with(other):
            raise ValueError(message("Dimension", "two sizes differ", other, self))

    def merge_with(self, other: SupportsIndex | Dimension | None) -> Dimension:
        """Return what the two say together; ``ValueError`` where they differ."""
        self.assert_is_compatible_with(other)
        return Dimension(other if self._value is None else self._value)

    def __int__(self) -> int:
        return self.__index__()

    def __index__(self) -> int:
        if self._value is None:
            raise TypeError(message("Dimension", "an unknown size has no number", self, "a known size"))
        return self._value

    __eq__: ClassVar[_Operator] = _comparison(operator.eq)
    __ne__: ClassVar[_Operator] = _comparison(operator.ne)
    __lt__: ClassVar[_Operator] = _comparison(operator.lt)
    __le__: ClassVar[_Operator] = _comparison(operator.le)
    __gt__: ClassVar[_Operator] = _comparison(operator.gt)
    __ge__: ClassVar[_Operator] = _comparison(operator.ge)

    __add__: ClassVar[_Operator] = _arithmetic(operator.add)
    __sub__: ClassVar[_Operator] = _arithmetic(operator.sub)
    __mul__: ClassVar[_Operator] = _arithmetic(operator.mul)
    __floordiv__: ClassVar[_Operator] = _arithmetic(operator.floordiv)
    __mod__: ClassVar[_Operator] = _arithmetic(operator.mod)
    __radd__: ClassVar[_Operator] = _arithmetic(operator.add, is_reflected=True)
    __rsub__: ClassVar[_Operator] = _arithmetic(operator.sub, is_reflected=True)
    __rmul__: ClassVar[_Operator] = _arithmetic(operator.mul, is_reflected=True)
    __rfloordiv__: ClassVar[_Operator] = _arithmetic(operator.floordiv, is_reflected=True)
    __rmod__: ClassVar[_Operator] = _arithmetic(operator.mod, is_reflected=True)

    def __hash__(self) -> int:
        return hash(self._value)

    def __repr__(self) -> str:
        return f"Dimension({self._value})"

    def __str__(self) -> str:
        return "?" if self._value is None else str(self._value)


class TensorShape:
    """The shape of a tensor: a size for each dimension, some of them or even their number unknown.

    Args:
        dims: The sizes, ``None`` for an unknown one; a single integer for a vector; ``None`` for a shape
            of unknown rank.

    Raises:
        TypeError: A size is not an integer, a ``Dimension`` or ``None``.
        ValueError: A size is negative or too large for int64.

    Source: TensorFlow 1 API pages, ``tf.TensorShape``.
    """

    __slots__ = ("_sizes",)

    def __init__(self, dims: TensorShape | Iterable[Any] | SupportsIndex | None) -> None:
        self._sizes: tuple[int | None, ...] | None
        if dims is None:
            self._sizes = None
        elif isinstance(dims, TensorShape):
            self._sizes = dims._sizes
        elif isinstance(dims, (tuple, list)):
            self._sizes = tuple(map(_as_size, dims))
        elif isinstance(dims, (str, bytes)):
            expected = "integers, or None for an unknown rank"
            raise TypeError(message("shape", "a string is not a shape", repr(dims), expected))
        elif isinstance(dims, Iterable) and getattr(dims, "ndim", None) != 0:
            self._sizes = tuple(map(_as_size, dims))
        else:
            self._sizes = (_as_size(dims),)

    @property
    def ndims(self) -> int | None:
        """Return the number of dimensions, ``None`` where it is unknown."""
        return None if self._sizes is None else len(self._sizes)

    @property
    def rank(self) -> int | None:
        """Return the number of dimensions, ``None`` where it is unknown."""
        return self.ndims

    @property
    def dims(self) -> list[Dimension] | None:
        """Return the dimensions, ``None`` where the rank is unknown."""
        return None if self._sizes is None else [Dimension(size) for size in self._sizes]

    def as_list(self) -> list[int | None]:
        """Return the sizes, ``None`` for an unknown one; ``ValueError`` where the rank is unknown."""
        return list(self._known_rank("as_list"))

    def num_elements(self) -> int | None:
        """Return the product of the sizes, ``None`` where one is unknown."""
        sizes = [size for size in self._sizes or () if size is not None]
        return math.prod(sizes) if self.is_fully_defined() else None

    def is_fully_defined(self) -> bool:
        """Return whether the rank and all sizes are known."""
        return self._sizes is not None and None not in self._sizes

    def assert_is_fully_defined(self) -> None:
        """Raise ``ValueError`` unless the rank and all sizes are known."""
        if not self.is_fully_defined():
            wrong = "the shape is not fully defined"
            raise ValueError(message("TensorShape", wrong, self, "known sizes only"))

    def is_compatible_with(self, other: Any) -> bool:
        """Return whether one tensor could have both shapes."""
        theirs = as_shape(other)._sizes
        if self._sizes is None or theirs is None:
            return True
        pairs_agree = (a is None or b is None or a == b for a, b in zip(self._sizes, theirs, strict=False))
        return len(self._sizes) == len(theirs) and all(pairs_agree)

    def assert_is_compatible_with(self, other: Any) -> None:
        """Raise ``ValueError`` unless one tensor could have both shapes."""
        if not self.is_compatible_with(other):
            wrong = "two shapes are not compatible"
            raise ValueError(message("TensorShape", wrong, as_shape(other), f"one that fits {self}"))

    def assert_same_rank(self, other: Any) -> None:
        """Raise ``ValueError`` if both ranks are known and differ."""
        rank = as_shape(other).ndims
        if self.ndims is not None and rank is not None and self.ndims != rank:
            wrong = "two shapes differ in rank"
            raise ValueError(message("TensorShape", wrong, as_shape(other), f"the rank of {self}"))

    def assert_has_rank(self, rank: int) -> None:
        """Raise ``ValueError`` unless the rank is ``rank`` or unknown."""
        self._check_rank(f"rank {rank}", self.ndims in (None, rank))

    def with_rank(self, rank: int) -> TensorShape:
        """Return this shape, all sizes unknown if its rank is; ``ValueError`` if its rank is another."""
        self.assert_has_rank(rank)
        return unknown_shape(rank) if self._sizes is None else self

    def with_rank_at_least(self, rank: int) -> TensorShape:
        """Return this shape; ``ValueError`` if its rank is known and below ``rank``."""
        self._check_rank(f"rank {rank} or more", self.ndims is None or self.ndims >= rank)
        return self

    def with_rank_at_most(self, rank: int) -> TensorShape:
        """Return this shape; ``ValueError`` if its rank is known and above ``rank``."""
        self._check_rank(f"rank {rank} or less", self.ndims is None or self.ndims <= rank)
        return self

    def merge_with(self, other: Any) -> TensorShape:
        """Return what the two shapes say together; ``ValueError`` where they differ."""
        self.assert_is_compatible_with(other)
        theirs = as_shape(other)
        if self._sizes is None or theirs._sizes is None:
            return theirs if self._sizes is None else self
        return TensorShape([b if a is None else a for a, b in zip(self._sizes, theirs._sizes, strict=True)])

    def most_specific_compatible_shape(self, other: Any) -> TensorShape:
        """Return the most specific shape that fits both: what they do not share is unknown."""
        theirs = as_shape(other)._sizes
        if self._sizes is None or theirs is None or len(self._sizes) != len(theirs):
            return TensorShape(None)
        return TensorShape([a if a == b else None for a, b in zip(self._sizes, theirs, strict=True)])

    def concatenate(self, other: Any) -> TensorShape:
        """Return the sizes of this shape followed by those of ``other``; an unknown rank makes it unknown."""
        theirs = as_shape(other)._sizes
        return TensorShape(None if self._sizes is None or theirs is None else self._sizes + theirs)

    def __add__(self, other: Any) -> TensorShape:
        return self.concatenate(other)

    def __radd__(self, other: Any) -> TensorShape:
        return as_shape(other).concatenate(self)

    def __len__(self) -> int:
        return len(self._known_rank("len"))

    def __bool__(self) -> bool:
        return self._sizes is not None

    def __iter__(self) -> Iterator[Dimension]:
        return map(Dimension, self._known_rank("iteration"))

    @overload
    def __getitem__(self, key: slice) -> TensorShape: ...
    @overload
    def __getitem__(self, key: SupportsIndex) -> Dimension: ...
    def __getitem__(self, key: slice | SupportsIndex) -> TensorShape | Dimension:
        """Return a dimension, or the shape of a slice; of an unknown rank only ``[i:k]`` has a length."""
        if isinstance(key, slice):
            return _slice_of_unknown(key) if self._sizes is None else TensorShape(self._sizes[key])
        if self._sizes is None:
            return Dimension(None)
        try:
            return Dimension(self._sizes[key])
        except IndexError as cause:
            expected = f"an index of one of {len(self._sizes)} dimensions"
            raise IndexError(message("TensorShape", "no such dimension", key, expected)) from cause

    def __eq__(self, other: object) -> bool:
        if other is None or isinstance(other, TensorShape):
            return self._sizes == (None if other is None else other._sizes)
        if not isinstance(other, (tuple, list)):
            return NotImplemented
        try:
            return self._sizes == tuple(map(_as_size, other))
        except (TypeError, ValueError):
            return False

    def __hash__(self) -> int:
        return hash(self._sizes)

    def __repr__(self) -> str:
        return f"TensorShape({None if self._sizes is None else list(self._sizes)})"

    def __str__(self) -> str:
        return "<unknown>" if self._sizes is None else str(self._sizes).replace("None", "?")

    def __reduce__(self) -> tuple[Any, ...]:
        return TensorShape, (self._sizes,)

    def _known_rank(self, asked: str) -> tuple[int | None, ...]:
        """Return the sizes for what needs a known rank."""
        if self._sizes is None:
            wrong = f"{asked} needs a known rank"
            raise ValueError(message("TensorShape", wrong, self, "a shape of known rank"))
        return self._sizes

    def _check_rank(self, expected: str, is_right: bool) -> None:
        if not is_right:
            raise ValueError(message("TensorShape", "the shape has the wrong rank", self, expected))


def _slice_of_unknown(key: slice) -> TensorShape:
    """Return the shape of a slice of unknown rank, taken to be long enough, as TensorFlow does."""
    start = 0 if key.start is None else key.start
    if key.step not in (None, 1) or key.stop is None or start < 0 or key.stop < 0:
        return TensorShape(None)
    return unknown_shape(max(0, key.stop - start))


def unknown_shape(rank: int | None = None) -> TensorShape:
    """Return a shape of ``rank`` unknown sizes, or of unknown rank."""
    return TensorShape(None if rank is None else (None,) * rank)


def as_shape(shape: Any) -> TensorShape:
    """Return ``shape`` as a ``TensorShape``; what is one already comes back as it is.

    Raises:
        TypeError: A size is not an integer, a ``Dimension`` or ``None``.
        ValueError: A size is negative or too large for int64.
    """
    return shape if isinstance(shape, TensorShape) else TensorShape(shape)
