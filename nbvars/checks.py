"""The checks that ops share; each raises the one error sentence: where, what was wrong, got, expected."""

from __future__ import annotations

from collections.abc import Collection

from nbvars.dtypes import DType
from nbvars.errors import message

__all__ = [
    "expect_dtype",
    "expect_dtype_in",
    "expect_integer",
    "expect_rank",
    "expect_shape",
    "expect_type",
    "message",
]


def expect_dtype(op: str, argument: str, got: DType, expected: DType) -> None:
    """Raise ``TypeError`` unless ``got`` is ``expected``."""
    if got is not expected:
        raise TypeError(message(op, f"{argument} has the wrong dtype", got, expected))


def expect_dtype_in(op: str, argument: str, got: DType, allowed: Collection[DType], described: str) -> None:
    """Raise ``TypeError`` unless ``got`` is one of ``allowed``, which ``described`` puts in words."""
    if got not in allowed:
        raise TypeError(message(op, f"{argument} has the wrong dtype", got, described))


def expect_integer(op: str, argument: str, dtype: DType) -> None:
    """Raise ``TypeError`` unless ``dtype`` is an integer type."""
    if not dtype.is_integer:
        raise TypeError(message(op, f"{argument} has the wrong dtype", dtype, "an integer dtype"))


def expect_shape(op: str, argument: str, got: tuple[int, ...], expected: tuple[int, ...]) -> None:
    """Raise ``ValueError`` unless ``got`` is ``expected``."""
    if got != expected:
        raise ValueError(message(op, f"{argument} has the wrong shape", got, expected))


def expect_rank(op: str, argument: str, got: int, expected: int) -> None:
    """Raise ``ValueError`` unless ``got`` is ``expected``."""
    if got != expected:
        raise ValueError(message(op, f"{argument} has the wrong rank", got, expected))


def expect_type(op: str, argument: str, value: object, types: type | tuple[type, ...], described: str) -> None:
    """Raise ``TypeError`` unless ``value`` is an instance of ``types``, which ``described`` puts in words."""
    if not isinstance(value, types):
        raise TypeError(message(op, f"{argument} has the wrong type", type(value).__name__, described))
