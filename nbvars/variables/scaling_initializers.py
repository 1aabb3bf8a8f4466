"""Random initializers whose variance follows from the numbers of inputs and outputs of a weight."""

from __future__ import annotations

import math
from typing import Any

from nbvars import dtypes, ops
from nbvars.checks import message
from nbvars.dtypes import DType
from nbvars.graph.tensor import Tensor
from nbvars.variables.initializer import FloatingInitializer, PartitionInfo

# The standard deviation of a standard normal distribution that is cut off at two deviations.
_TRUNCATED_STDDEV = 0.87962566103423978


class UniformUnitScaling(FloatingInitializer):
    """Draw evenly from ``(-limit, limit)``, ``limit = factor * sqrt(3 / n)``: a product keeps its variance.

    ``n`` is the product of all sizes but the last, of the whole variable if it is partitioned.

    Source: TensorFlow 1 API pages, ``tf.uniform_unit_scaling_initializer``.
    """

    _config_names = ("factor", "seed")

    def __init__(self, factor: float = 1.0, seed: int | None = None, dtype: Any = dtypes.float32) -> None:
        super().__init__(dtype)
        self.factor = factor
        self.seed = seed

    def _value(self, shape: tuple[int, ...], dtype: DType, partition_info: PartitionInfo | None) -> Tensor:
        num_inputs = max(1, math.prod(self._full_shape(shape, partition_info)[:-1]))
        limit = math.sqrt(3 / num_inputs) * self.factor
        return ops.random_uniform(shape, -limit, limit, dtype, self.seed)


_MODES = ("fan_in", "fan_out", "fan_avg")
_DISTRIBUTIONS = ("normal", "uniform", "truncated_normal", "untruncated_normal")


class VarianceScaling(FloatingInitializer):
    """Draw numbers of variance ``scale / n``, ``n`` being the number of inputs or outputs of a weight.

    Of a shape ``[..., inputs, outputs]`` the sizes in front, a kernel's, count for both; a vector has its size
    as both numbers, a scalar 1. They are those of the whole variable if it is partitioned.

    Args:
        scale: A positive number.
        mode: What ``n`` is: ``"fan_in"`` (inputs), ``"fan_out"`` (outputs) or ``"fan_avg"`` (their mean).
        distribution: ``"truncated_normal"`` or, the same, ``"normal"``; ``"untruncated_normal"``; ``"uniform"``.
        seed: The seed of the random ops.
        dtype: The dtype of the result, unless a call gives another.

    Raises:
        TypeError: ``dtype`` is not a floating dtype.
        ValueError: ``scale`` is not positive, or ``mode`` or ``distribution`` is unknown.

    Source: TensorFlow 1 API pages, ``tf.variance_scaling_initializer``.
    """

    _config_names: tuple[str, ...] = ("scale", "mode", "distribution", "seed")

    def __init__(
        self,
        scale: float = 1.0,
        mode: str = "fan_in",
        distribution: str = "truncated_normal",
        seed: int | None = None,
        dtype: Any = dtypes.float32,
    ) -> None:
        where = type(self).__name__
        if not scale > 0:
            raise ValueError(message(where, "scale is not positive", scale, "a number above 0"))
        if mode not in _MODES:
            raise ValueError(message(where, "unknown mode", repr(mode), f"one of {list(_MODES)}"))
        lowered = str(distribution).lower()
        if lowered not in _DISTRIBUTIONS:
            expected = f"one of {list(_DISTRIBUTIONS)}"
            raise ValueError(message(where, "unknown distribution", repr(distribution), expected))
        super().__init__(dtype)
        self.scale = scale
        self.mode = mode
        self.distribution = lowered
        self.seed = seed

    def _value(self, shape: tuple[int, ...], dtype: DType, partition_info: PartitionInfo | None) -> Tensor:
        fan_in, fan_out = _fans(self._full_shape(shape, partition_info))
        fan = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[self.mode]
        stddev = math.sqrt(self.scale / max(1, fan))
        if self.distribution == "uniform":
            limit = math.sqrt(3) * stddev
            return ops.random_uniform(shape, -limit, limit, dtype, self.seed)
        if self.distribution == "untruncated_normal":
            return ops.random_normal(shape, 0.0, stddev, dtype, self.seed)
        return ops.truncated_normal(shape, 0.0, stddev / _TRUNCATED_STDDEV, dtype, self.seed)


def _fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """Return the numbers of inputs and of outputs of a weight."""
    if len(shape) < 2:
        size = math.prod(shape)
        return size, size
    kernel_size = math.prod(shape[:-2])
    return kernel_size * shape[-2], kernel_size * shape[-1]


class GlorotUniform(VarianceScaling):
    """Draw evenly with the variance ``2 / (inputs + outputs)``: Glorot and Bengio, 2010.

    Source: TensorFlow 1 API pages, ``tf.glorot_uniform_initializer``.
    """

    _config_names = ("seed",)

    def __init__(self, seed: int | None = None, dtype: Any = dtypes.float32) -> None:
        super().__init__(1.0, "fan_avg", "uniform", seed, dtype)


class GlorotNormal(VarianceScaling):
    """Draw from a truncated normal distribution of variance ``2 / (inputs + outputs)``: Glorot and Bengio, 2010.

    Source: TensorFlow 1 API pages, ``tf.glorot_normal_initializer``.
    """

    _config_names = ("seed",)

    def __init__(self, seed: int | None = None, dtype: Any = dtypes.float32) -> None:
        super().__init__(1.0, "fan_avg", "truncated_normal", seed, dtype)


def he_normal(seed: int | None = None) -> VarianceScaling:
    """Return ``VarianceScaling(2, "fan_in", "truncated_normal", seed)``: He and others, 2015.

    Source: TensorFlow 1 API pages, ``tf.initializers.he_normal``.
    """
    return VarianceScaling(2.0, "fan_in", "truncated_normal", seed)


def he_uniform(seed: int | None = None) -> VarianceScaling:
    """Return ``VarianceScaling(2, "fan_in", "uniform", seed)``: He and others, 2015.

    Source: TensorFlow 1 API pages, ``tf.initializers.he_uniform``.
    """
    return VarianceScaling(2.0, "fan_in", "uniform", seed)


def lecun_normal(seed: int | None = None) -> VarianceScaling:
    """Return ``VarianceScaling(1, "fan_in", "truncated_normal", seed)``: LeCun and others, 1998.

    Source: TensorFlow 1 API pages, ``tf.initializers.lecun_normal``.
    """
    return VarianceScaling(1.0, "fan_in", "truncated_normal", seed)


def lecun_uniform(seed: int | None = None) -> VarianceScaling:
    """Return ``VarianceScaling(1, "fan_in", "uniform", seed)``: LeCun and others, 1998.

    Source: TensorFlow 1 API pages, ``tf.initializers.lecun_uniform``.
    """
    return VarianceScaling(1.0, "fan_in", "uniform", seed)
