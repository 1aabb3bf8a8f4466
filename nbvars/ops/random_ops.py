"""Random tensors.

Every number comes from a stream, a NumPy ``Generator`` (PCG64) of its own:

- An op with a ``seed`` draws from the stream of ``(global seed, seed)``, one without from that of the global
  seed alone. Calls with the same seed share a stream, each going on where the one before stopped.
- ``set_random_seed`` starts all streams anew, so the same calls then give the same numbers.
- In a graph, each op has a stream of its own in each session, from the pair of the graph's seed and its own: a fixed
  number where only the op has one, the number of operations before it where only the graph has one.
- Without ``set_random_seed``, an op with a ``seed`` repeats from process to process; one without does not.

Threads may draw at once: each call has its numbers to itself, in an order that is that of the calls.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from nbvars import dtypes
from nbvars.checks import expect_dtype_in, message
from nbvars.dtypes import as_numeric_dtype
from nbvars.errors import InvalidArgumentError
from nbvars.graph.graph import get_default_graph
from nbvars.graph.mode import executing_eagerly
from nbvars.graph.tensor import Tensor, TensorValue
from nbvars.locks import ReentrantLock
from nbvars.ops.rows import FLOATING, HALVES, REAL, Dtypes
from nbvars.ops.shape_rules import (
    Sizes,
    as_int,
    as_sizes,
    broadcast_shapes,
    check_same_dtype,
    checked_shape,
    merge_shapes,
)
from nbvars.runtime.conversion import borrow
from nbvars.runtime.definition import Array, OpDefinition, Shape, TensorSpec
from nbvars.runtime.dispatch import apply_op
from nbvars.runtime.streams import DEFAULT_SEED, Stream, unsigned

# What an op draws from: in eager mode the stream of a number, in a graph that of a pair in a session.
Seed: TypeAlias = int | Stream | None


class _Streams:
    """The streams of the global seed."""

    def __init__(self) -> None:
        self._lock = ReentrantLock()  # a signal handler may draw, too
        self.restart(None)

    def restart(self, seed: int | None) -> None:
        """Forget all streams; the next ones start from ``seed``."""
        with self._lock:
            self._seed = seed
            self._generators: dict[int | None, np.random.Generator] = {}

    def draw(self, seed: Seed, numbers: Callable[[np.random.Generator], Array]) -> Array:
        """Return what ``numbers`` draws from the stream of an op's ``seed``."""
        if isinstance(seed, Stream):
            drawn: Array = seed.draw(numbers)
            return drawn
        with self._lock:
            if seed not in self._generators:
                self._generators[seed] = np.random.Generator(np.random.PCG64(self._entropy(seed)))
            return numbers(self._generators[seed])

    def before_fork(self) -> None:
        """Let draws of other threads end: the child would wait for them for ever."""
        self._lock.acquire()

    def after_fork_in_parent(self) -> None:
        """Go on as before."""
        self._lock.release()

    def after_fork_in_child(self) -> None:
        """Go on with the seeded streams; what was seeded by chance begins anew, or both would draw the same."""
        if self._seed is None:
            self._generators.pop(None, None)
        self._lock.release()

    def _entropy(self, seed: int | None) -> list[int] | None:
        if seed is None:
            return None if self._seed is None else [unsigned(self._seed)]
        return [unsigned(DEFAULT_SEED if self._seed is None else self._seed), unsigned(seed)]


_streams = _Streams()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_streams.before_fork,
        after_in_parent=_streams.after_fork_in_parent,
        after_in_child=_streams.after_fork_in_child,
    )


def set_random_seed(seed: int) -> None:
    """Set the global seed, and start all streams of random numbers anew; in graph mode, set that of the default graph.

    Source: TensorFlow 1 API pages, ``tf.set_random_seed``.
    """
    number = as_int("set_random_seed", "seed", seed)
    if executing_eagerly():
        _streams.restart(number)
    else:
        get_default_graph().seed = number


def _drawn_dtype(dtype: np.dtype[Any]) -> Any:
    """Return the dtype in which numbers are drawn before they are rounded to ``dtype``."""
    return np.float32 if dtype in HALVES else dtype


def _scaled(numbers: Array, mean: Array, stddev: Array) -> Array:
    """Return ``numbers * stddev + mean``, rounded once to the dtype of ``mean``."""
    exact = numbers.dtype
    return np.asarray(numbers * stddev.astype(exact) + mean.astype(exact)).astype(mean.dtype)


def _infer_random(op: str, allowed: Dtypes, first: TensorSpec, second: TensorSpec, shape: Shape) -> TensorSpec:
    """Return the spec of random numbers of two parameters, which are broadcast to ``shape``."""
    expect_dtype_in(op, "dtype", first.dtype, allowed, allowed.described)
    check_same_dtype(op, "the second parameter", second.dtype, first.dtype)
    if shape is not None:
        for parameter in (first, second):
            merge_shapes(op, "a parameter", shape, broadcast_shapes(op, shape, parameter.shape))
    return TensorSpec(shape, first.dtype)


def _normal_definition(op: str, op_type: str, draw: Callable[..., Array]) -> OpDefinition:
    """Return the definition of a distribution that has a mean and a standard deviation."""

    def infer(mean: TensorSpec, stddev: TensorSpec, shape: tuple[int, ...] | None, seed: Seed) -> TensorSpec:
        return _infer_random(op, FLOATING, mean, stddev, checked_shape(op, "shape", shape))

    def compute(mean: Array, stddev: Array, shape: tuple[int, ...], seed: Seed) -> Array:
        exact = _drawn_dtype(mean.dtype)
        return _scaled(_streams.draw(seed, lambda stream: draw(stream, shape, exact)), mean, stddev)

    return OpDefinition(op_type, infer, compute, op, ("shape",))


def _draw_normal(stream: np.random.Generator, shape: tuple[int, ...], dtype: Any) -> Array:
    return np.asarray(stream.standard_normal(shape, dtype))


def _draw_truncated(stream: np.random.Generator, shape: tuple[int, ...], dtype: Any) -> Array:
    numbers = _draw_normal(stream, shape, dtype)
    outside = np.abs(numbers) > 2
    while outside.any():
        numbers[outside] = stream.standard_normal(int(outside.sum()), dtype)
        outside = np.abs(numbers) > 2
    return numbers


RANDOM_NORMAL = _normal_definition("random_normal", "RandomStandardNormal", _draw_normal)
TRUNCATED_NORMAL = _normal_definition("truncated_normal", "TruncatedNormal", _draw_truncated)


def random_normal(
    shape: Sizes,
    mean: TensorValue = 0.0,
    stddev: TensorValue = 1.0,
    dtype: Any = dtypes.float32,
    seed: int | None = None,
    name: str | None = None,
) -> Tensor:
    """Return numbers of a normal distribution.

    Source: TensorFlow 1 API pages, ``tf.random_normal``.
    """
    parameters = _parameters("random_normal", (mean, stddev), dtype, FLOATING)
    attrs = _attrs("random_normal", shape, seed)
    return apply_op(RANDOM_NORMAL, *parameters, name=name, **attrs)


def truncated_normal(
    shape: Sizes,
    mean: TensorValue = 0.0,
    stddev: TensorValue = 1.0,
    dtype: Any = dtypes.float32,
    seed: int | None = None,
    name: str | None = None,
) -> Tensor:
    """Return numbers of a normal distribution, those beyond two standard deviations drawn again.

    Source: TensorFlow 1 API pages, ``tf.truncated_normal``.
    """
    parameters = _parameters("truncated_normal", (mean, stddev), dtype, FLOATING)
    attrs = _attrs("truncated_normal", shape, seed)
    return apply_op(TRUNCATED_NORMAL, *parameters, name=name, **attrs)


def _parameters(op: str, values: tuple[TensorValue, ...], dtype: Any, allowed: Dtypes) -> list[Tensor]:
    """Return the parameters of a distribution as tensors of the dtype of its numbers."""
    target = as_numeric_dtype(dtype)
    expect_dtype_in(op, "dtype", target, allowed, allowed.described)
    return [borrow(value, target, op) for value in values]


def _attrs(op: str, shape: Sizes, seed: int | None) -> dict[str, Any]:
    return {"shape": as_sizes(op, "shape", shape), "seed": _seed(op, seed)}


def _seed(op: str, seed: int | None) -> int | None:
    """Return the seed of an op; ``TypeError`` if it is no integer."""
    number: int | None = None if seed is None else as_int(op, "seed", seed)
    return number


def _infer_uniform(minval: TensorSpec, maxval: TensorSpec, shape: tuple[int, ...] | None, seed: Seed) -> TensorSpec:
    return _infer_random("random_uniform", REAL, minval, maxval, checked_shape("random_uniform", "shape", shape))


def _uniform(minval: Array, maxval: Array, shape: tuple[int, ...], seed: Seed) -> Array:
    dtype = minval.dtype
    is_integer = dtype.kind in "iu"
    if np.any(minval >= maxval if is_integer else minval > maxval):
        wrong = message("random_uniform", "the range is empty", f"[{minval}, {maxval})", "minval below maxval")
        raise InvalidArgumentError(None, None, wrong)
    if is_integer:
        return _streams.draw(seed, lambda stream: np.asarray(stream.integers(minval, maxval, shape, dtype)))
    exact = _drawn_dtype(dtype)
    width = np.subtract(maxval, minval, dtype=exact)
    if not np.isfinite(width).all():
        got, expected = f"[{minval}, {maxval})", f"a width that fits {dtype}"
        wrong = message("random_uniform", "the range is too wide", got, expected)
        raise InvalidArgumentError(None, None, wrong)
    numbers = _streams.draw(seed, lambda stream: np.asarray(stream.random(shape, exact)))
    scaled = _scaled(numbers, minval, width)
    # Rounding can give maxval itself, which is not in the range.
    return np.where(scaled < maxval, scaled, np.nextafter(maxval, minval))


RANDOM_UNIFORM = OpDefinition("RandomUniform", _infer_uniform, _uniform, "random_uniform", ("shape",))


def random_uniform(
    shape: Sizes,
    minval: TensorValue = 0,
    maxval: TensorValue | None = None,
    dtype: Any = dtypes.float32,
    seed: int | None = None,
    name: str | None = None,
) -> Tensor:
    """Return numbers distributed evenly over ``[minval, maxval)``; ``maxval`` is 1 unless given.

    Raises:
        ValueError: ``maxval`` is not given, and ``dtype`` is an integer type.
        InvalidArgumentError: The range is empty, or wider than the dtype can tell.

    Source: TensorFlow 1 API pages, ``tf.random_uniform``.
    """
    if maxval is None:
        if as_numeric_dtype(dtype).is_integer:
            raise ValueError(message("random_uniform", "integers need a maxval", "None", "an integer"))
        maxval = 1.0
    parameters = _parameters("random_uniform", (minval, maxval), dtype, REAL)
    attrs = _attrs("random_uniform", shape, seed)
    return apply_op(RANDOM_UNIFORM, *parameters, name=name, **attrs)


def _infer_shuffle(x: TensorSpec, seed: Seed) -> TensorSpec:
    return x


def _shuffle(x: Array, seed: Seed) -> Array:
    if x.ndim == 0:
        return x
    order = _streams.draw(seed, lambda stream: stream.permutation(len(x)))
    shuffled: Array = x[np.asarray(order, like=x)]
    return shuffled


RANDOM_SHUFFLE = OpDefinition("RandomShuffle", _infer_shuffle, _shuffle)


def random_shuffle(value: TensorValue, seed: int | None = None, name: str | None = None) -> Tensor:
    """Return the rows of a tensor in a random order.

    Source: TensorFlow 1 API pages, ``tf.random_shuffle``.
    """
    return apply_op(RANDOM_SHUFFLE, value, name=name, seed=_seed("random_shuffle", seed))
