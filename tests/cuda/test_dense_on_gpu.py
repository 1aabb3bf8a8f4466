"""Dense mathematics on a GPU: the results of the CPU, by functions that CuPy has, on arrays that stay there."""

from __future__ import annotations

import numpy as np
import pytest

import nbvars as tf
from nbvars.dtypes import as_dtype
from nbvars.runtime.cuda_dispatch import compute_on_gpu
from nbvars.runtime.definition import TensorSpec
from nbvars.runtime.dispatch import apply_op
from nbvars.runtime.quiet import quietly
from tests.api.test_op_definitions import CASES, DEFINITIONS


def on_cpu(op_type, arrays, attrs):
    tf.set_random_seed(1)
    result = quietly(DEFINITIONS[op_type].compute, *arrays, **attrs)
    return [np.asarray(each) for each in (result if isinstance(result, tuple) else (result,))]


def on_gpu(op_type, arrays, attrs):
    from nbvars.kernels.cuda.memory import to_device

    tf.set_random_seed(1)
    specs = [TensorSpec(array.shape, as_dtype(array.dtype)) for array in arrays]
    results = compute_on_gpu(DEFINITIONS[op_type], [to_device(array, 0) for array in arrays], specs, attrs)
    return [each if isinstance(each, np.ndarray) else each.copy_to_host() for each in results]


def cases_of(op_type):
    return [(arrays, attrs) for name, arrays, attrs in CASES if name == op_type]


@pytest.mark.parametrize("op_type", [name for name in DEFINITIONS if name != "Eye"])
def test_an_op_on_the_gpu_gives_what_it_gives_on_the_cpu(op_type):
    for arrays, attrs in cases_of(op_type):
        got, expected = on_gpu(op_type, arrays, attrs), on_cpu(op_type, arrays, attrs)
        assert len(got) == len(expected), attrs
        for one, other in zip(got, expected, strict=True):
            assert (one.dtype, one.shape) == (other.dtype, other.shape), (arrays, attrs)
            exact = [each.astype(np.float32) if each.dtype.itemsize == 2 else each for each in (one, other)]
            np.testing.assert_array_equal(*exact, err_msg=str((arrays, attrs)))


def gradients_on(device, op_type, arrays, attrs):
    """Return the gradients of all outputs that are floats by all inputs that are, as arrays of the host."""
    with tf.device(device), tf.GradientTape() as tape:
        tensors = [tf.constant(array) for array in arrays]
        tape.watch(tensors)
        outputs = apply_op(DEFINITIONS[op_type], *tensors, **attrs)
        listed = outputs if isinstance(outputs, tuple) else (outputs,)
        floats = [each for each in listed if each.dtype.is_floating]
    found = tape.gradient(floats, tensors) if floats else []
    return [None if each is None else tf.convert_to_tensor(each).numpy() for each in found]


def has_gradient(op_type):
    from nbvars.autodiff.table import GRADIENTS

    return GRADIENTS.get(op_type) is not None and op_type not in ("Cast", "SaturateCast")


@pytest.mark.parametrize("op_type", [name for name in DEFINITIONS if has_gradient(name)])
def test_a_gradient_on_the_gpu_is_that_on_the_cpu(op_type):
    for arrays, attrs in cases_of(op_type):
        if arrays[0].dtype != np.float32:
            continue
        results = []
        for place in ("/cpu:0", "/gpu:0"):
            tf.set_random_seed(1)
            try:
                results.append(gradients_on(place, op_type, arrays, attrs))
            except LookupError as error:  # a norm that has none
                results.append([str(error)])
        for expected, got in zip(*results, strict=True):
            if isinstance(expected, np.ndarray):
                np.testing.assert_allclose(got, expected, rtol=1e-6, err_msg=str((arrays, attrs)))
            else:
                assert got == expected
