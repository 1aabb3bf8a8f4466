"""Initializers: objects that make the first value of a variable, given its shape and dtype.

They are calls of the library's ops and nothing else, so that each call gives a tensor in eager mode and adds ops
in graph mode. The module is what TensorFlow calls ``tf.initializers``.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nbvars import dtypes, ops
from nbvars.checks import message
from nbvars.dtypes import DType
from nbvars.graph.tensor import Tensor
from nbvars.ops.decomposition_ops import qr
from nbvars.ops.shape_rules import Sizes
from nbvars.variables.initializer import FloatingInitializer, Initializer, PartitionInfo, TypedInitializer
from nbvars.variables.scaling_initializers import (
    GlorotNormal,
    GlorotUniform,
    UniformUnitScaling,
    VarianceScaling,
    he_normal,
    he_uniform,
    lecun_normal,
    lecun_uniform,
)

__all__ = [
    "Constant",
    "GlorotNormal",
    "GlorotUniform",
    "Identity",
    "Initializer",
    "Ones",
    "Orthogonal",
    "PartitionInfo",
    "RandomNormal",
    "RandomUniform",
    "TruncatedNormal",
    "UniformUnitScaling",
    "VarianceScaling",
    "Zeros",
    "constant",
    "constant_initializer",
    "glorot_normal",
    "glorot_normal_initializer",
    "glorot_uniform",
    "glorot_uniform_initializer",
    "he_normal",
    "he_uniform",
    "identity",
    "identity_initializer",
    "lecun_normal",
    "lecun_uniform",
    "ones",
    "ones_initializer",
    "orthogonal",
    "orthogonal_initializer",
    "random_normal",
    "random_normal_initializer",
    "random_uniform",
    "random_uniform_initializer",
    "truncated_normal",
    "truncated_normal_initializer",
    "uniform_unit_scaling",
    "uniform_unit_scaling_initializer",
    "variance_scaling",
    "variance_scaling_initializer",
    "zeros",
    "zeros_initializer",
]


class Zeros(TypedInitializer):
    """Make nothing but zeros.

    Source: TensorFlow 1 API pages, ``tf.zeros_initializer``.
    """

    def __init__(self, dtype: Any = dtypes.float32) -> None:
        super().__init__(dtype)

    def _value(self, shape: tuple[int, ...], dtype: DType, partition_info: PartitionInfo | None) -> Tensor:
        return ops.zeros(shape, dtype)


class Ones(TypedInitializer):
    """Make nothing but ones.

    Source: TensorFlow 1 API pages, ``tf.ones_initializer``.
    """

    def __init__(self, dtype: Any = dtypes.float32) -> None:
        super().__init__(dtype)

    def _value(self, shape: tuple[int, ...], dtype: DType, partition_info: PartitionInfo | None) -> Tensor:
        return ops.ones(shape, dtype)


class Constant(TypedInitializer):
    """Make a given value; its last element fills what is left of the shape.

    A slice of a partitioned variable gets the value like a whole one.

    Args:
        value: A number or string, nested lists of them, or an array.
        dtype: The dtype of the result, unless a call gives another.
        verify_shape: Raise ``TypeError`` where the shape of ``value`` is not that of the variable. It is no
            part of the configuration.

    Raises:
        TypeError: ``value`` is something else.

    Source: TensorFlow 1 API pages, ``tf.constant_initializer``.
    """

    _config_names = ("value",)

    def __init__(self, value: Any = 0, dtype: Any = dtypes.float32, verify_shape: bool = False) -> None:
        if not (np.isscalar(value) or isinstance(value, (list, tuple, np.ndarray))):
            expected = "a number, a string, a list, a tuple or an array"
            raise TypeError(message("Constant", "value has the wrong type", type(value).__name__, expected))
        super().__init__(dtype)
        self.value: Any = value
        self._verify_shape = verify_shape

    def __call__(
        self,
        shape: Sizes,
        dtype: Any = None,
        partition_info: PartitionInfo | None = None,
        verify_shape: bool | None = None,
    ) -> Tensor:
        sizes = self._sizes(shape)
        result_dtype = self.dtype if dtype is None else self._checked(dtype)
        if not (self._verify_shape if verify_shape is None else verify_shape):
            return ops.constant(self.value, result_dtype, sizes)
        made = ops.constant(self.value, result_dtype)
        if made.shape != sizes:
            raise TypeError(message("Constant", "value has the wrong shape", made.shape, sizes))
        return made


class RandomNormal(FloatingInitializer):
    """Draw from a normal distribution.

    Source: TensorFlow 1 API pages, ``tf.random_normal_initializer``.
    """

    _config_names = ("mean", "stddev", "seed")

    def __init__(
        self, mean: Any = 0.0, stddev: Any = 1.0, seed: int | None = None, dtype: Any = dtypes.float32
    ) -> None:
        super().__init__(dtype)
        self.mean = mean
        self.stddev = stddev
        self.seed = seed

    def _value(self, shape: tuple[int, ...], dtype: DType, partition_info: PartitionInfo | None) -> Tensor:
        return ops.random_normal(shape, self.mean, self.stddev, dtype, self.seed)


class TruncatedNormal(RandomNormal):
    """Draw from a normal distribution; what lies beyond two standard deviations is drawn again.

    Source: TensorFlow 1 API pages, ``tf.truncated_normal_initializer``.
    """

    def _value(self, shape: tuple[int, ...], dtype: DType, partition_info: PartitionInfo | None) -> Tensor:
        return ops.truncated_normal(shape, self.mean, self.stddev, dtype, self.seed)


class RandomUniform(TypedInitializer):
    """Draw evenly from ``[minval, maxval)``; without ``maxval``, which integers need, it is 1.

    Source: TensorFlow 1 API pages, ``tf.random_uniform_initializer``.
    """

    _config_names = ("minval", "maxval", "seed")

    def __init__(
        self, minval: Any = 0, maxval: Any = None, seed: int | None = None, dtype: Any = dtypes.float32
    ) -> None:
        super().__init__(dtype)
        self.minval = minval
        self.maxval = maxval
        self.seed = seed

    def _value(self, shape: tuple[int, ...], dtype: DType, partition_info: PartitionInfo | None) -> Tensor:
        return ops.random_uniform(shape, self.minval, self.maxval, dtype, self.seed)


class Orthogonal(FloatingInitializer):
    """Make ``gain`` times a random matrix of orthonormal rows or columns, whichever are fewer.

    All axes but the last are the rows: a shape ``[..., n]`` is that of a matrix of ``n`` columns. A slice of a
    partitioned variable is orthogonal by itself.

    Raises:
        TypeError: ``dtype`` is not a floating dtype.
        ValueError: From a call: the shape has fewer than two axes.

    Source: TensorFlow 1 API pages, ``tf.orthogonal_initializer``.
    """

    _config_names = ("gain", "seed")

    def __init__(self, gain: float = 1.0, seed: int | None = None, dtype: Any = dtypes.float32) -> None:
        super().__init__(dtype)
        self.gain = gain
        self.seed = seed

    def _value(self, shape: tuple[int, ...], dtype: DType, partition_info: PartitionInfo | None) -> Tensor:
        if len(shape) < 2:
            raise ValueError(message("Orthogonal", "the shape has the wrong rank", shape, "2 axes or more"))
        num_rows, num_columns = math.prod(shape[:-1]), shape[-1]
        tall = (max(num_rows, num_columns), min(num_rows, num_columns))
        q, r = qr(ops.random_normal(tall, dtype=dtype, seed=self.seed))
        # Only with a positive diagonal of r is q distributed evenly over all orthogonal matrices.
        diagonal = ops.reduce_sum(ops.multiply(r, ops.eye(tall[1], dtype=dtype)), axis=0)
        q = ops.multiply(q, ops.sign(diagonal))
        if num_rows < num_columns:
            q = ops.transpose(q)
        return ops.multiply(self.gain, ops.reshape(q, shape))


class Identity(FloatingInitializer):
    """Make ``gain`` times the identity matrix, or a slice of it.

    Raises:
        TypeError: ``dtype`` is not a floating dtype.
        ValueError: From a call: the variable is not a matrix.

    Source: TensorFlow 1 API pages, ``tf.initializers.identity``.
    """

    _config_names = ("gain",)

    def __init__(self, gain: float = 1.0, dtype: Any = dtypes.float32) -> None:
        super().__init__(dtype)
        self.gain = gain

    def _value(self, shape: tuple[int, ...], dtype: DType, partition_info: PartitionInfo | None) -> Tensor:
        full_shape = self._full_shape(shape, partition_info)
        if len(full_shape) != 2:
            raise ValueError(message("Identity", "the shape has the wrong rank", full_shape, "2 axes"))
        matrix = ops.eye(*full_shape, dtype=dtype)
        if partition_info is not None:
            matrix = ops.slice(matrix, partition_info.var_offset, shape)
        return ops.multiply(self.gain, matrix)


# The names of the module ``tf.initializers``, and those of ``tf``.
constant = constant_initializer = Constant
glorot_normal = glorot_normal_initializer = GlorotNormal
glorot_uniform = glorot_uniform_initializer = GlorotUniform
identity = identity_initializer = Identity
ones = ones_initializer = Ones
orthogonal = orthogonal_initializer = Orthogonal
random_normal = random_normal_initializer = RandomNormal
random_uniform = random_uniform_initializer = RandomUniform
truncated_normal = truncated_normal_initializer = TruncatedNormal
uniform_unit_scaling = uniform_unit_scaling_initializer = UniformUnitScaling
variance_scaling = variance_scaling_initializer = VarianceScaling
zeros = zeros_initializer = Zeros
