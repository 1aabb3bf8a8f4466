"""Arrays of torch and JAX as values of variables and tensors, and the other way round. They run where those are."""

from __future__ import annotations

import numpy as np
import pytest

import nbvars as tf


def torch_array(values, dtype):
    torch = pytest.importorskip("torch")
    return torch.tensor(values, dtype=getattr(torch, dtype))


def jax_array(values, dtype):
    return pytest.importorskip("jax.numpy").asarray(values, dtype)


@pytest.fixture(params=[torch_array, jax_array], ids=["torch", "jax"])
def make(request):
    return request.param


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16", "int32", "uint8", "bool"])
def test_a_foreign_array_becomes_a_tensor_of_its_dtype(make, dtype):
    array = make([1, 0, 1], dtype)
    for convert in (tf.convert_to_tensor, tf.constant, tf.Variable, tf.from_dlpack):
        value = convert(array)
        assert value.dtype == dtype
        assert value.numpy().astype(int).tolist() == [1, 0, 1]


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "int32"])
def test_updates_take_foreign_arrays_by_the_rules_of_numpys(make, dtype):
    variable = tf.Variable([0.0, 0.0, 0.0])
    variable.assign(make([1, 2, 3], dtype)).assign_add(make([1, 1, 1], dtype), use_locking=True)
    variable.scatter_add(tf.IndexedSlices(make([10.0], "float32"), make([2], "int32")))
    assert variable.assign_sub(make([0, 0, 4], dtype)).numpy().tolist() == [2, 3, 10]
    with pytest.raises(TypeError, match="got float32, expected int32"):
        tf.Variable([1, 2]).assign(make([1, 2], "float32"))
    with pytest.raises(ValueError, match=r"got \(2,\), expected \(3,\)"):
        variable.assign(make([1, 2], "float32"))
    assert variable.numpy().tolist() == [2, 3, 10]


def test_operators_between_a_variable_and_a_foreign_array_give_tensors(make):
    variable, array = tf.Variable([1.0, 2.0]), make([3, 5], "float32")
    for got, expected in ((variable * array, [3, 10]), (array - variable, [2, 3]), (array < variable, [False, False])):
        assert isinstance(got, tf.Tensor)
        assert got.numpy().tolist() == expected


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "int32"])
@pytest.mark.parametrize("kind", [tf.Variable, tf.constant], ids=["variable", "tensor"])
def test_torch_takes_values_by_dlpack(kind, dtype):
    value = kind([1, 2, 3], dtype=dtype)
    torch = pytest.importorskip("torch")
    array = torch.from_dlpack(value)
    assert array.dtype == getattr(torch, dtype)
    assert array.tolist() == [1, 2, 3]
    assert array.data_ptr() == np.asarray(value).ctypes.data
    assert torch.from_dlpack(value, copy=True).add_(1).tolist() == [2, 3, 4]
    assert value.numpy().tolist() == [1, 2, 3]


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "int32"])
@pytest.mark.parametrize("name", ["from_dlpack", "array"])
def test_arrays_of_jax_do_not_change_with_the_variable(name, dtype):
    jnp = pytest.importorskip("jax.numpy")
    variable = tf.Variable(np.ones(1000, np.int8), dtype=dtype)
    array = getattr(jnp, name)(variable)
    variable.assign_add(np.ones(1000, np.int8))
    assert array.dtype == dtype
    assert np.asarray(array).astype(int).tolist() == [1] * 1000


def test_from_dlpack_shares_the_memory_of_torch():
    array = torch_array([1.0, 2.0], "float32")
    tensor, copy = tf.from_dlpack(array), tf.from_dlpack(array, copy=True)
    array += 1
    assert tensor.numpy().tolist() == [2, 3]
    assert copy.numpy().tolist() == [1, 2]


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_tensor_or_gradient_does_not_change_with_the_torch_tensor(dtype):
    array = torch_array([1.0, 2.0], dtype)
    variable = tf.Variable([1.0, 1.0], dtype=dtype)
    tensor = tf.convert_to_tensor(array)
    with tf.GradientTape() as tape:
        product = variable * array
    array += 1
    assert tensor.numpy().tolist() == [1, 2]
    assert tape.gradient(product, variable).numpy().tolist() == [1, 2]


@pytest.mark.parametrize("use", [tf.convert_to_tensor, tf.from_dlpack, tf.Variable])
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda x: x.requires_grad_(), r"requires? grad.*detach\(\)"),
        (lambda x: x.to("meta"), "meta"),
        (lambda x: x.to_sparse(), r"Sparse layout|torch.strided"),
    ],
    ids=["requires_grad", "elsewhere", "sparse"],
)
def test_what_torch_refuses_is_refused_in_its_words(use, change, words):
    array = change(torch_array([1.0, 2.0], "float32"))
    with pytest.raises((TypeError, RuntimeError, BufferError, ValueError), match=words):
        use(array)


def test_scipy_takes_tensors_as_arrays():
    linalg = pytest.importorskip("scipy.linalg")
    matrix = np.array([[2.0, 1.0], [1.0, 3.0]])
    for value in (tf.Variable(matrix), tf.constant(matrix)):
        np.testing.assert_array_equal(linalg.cholesky(value), linalg.cholesky(matrix))
