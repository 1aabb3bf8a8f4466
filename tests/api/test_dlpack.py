"""DLPack: values for other libraries, and theirs for us."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from ml_dtypes import bfloat16

import nbvars as tf
from nbvars.runtime.dlpack import _Exporter, array_from_dlpack
from tests.conftest import ALL_DTYPES, numpy_dtype

IS_VERSIONED = np.lib.NumpyVersion(np.__version__) >= "2.1.0"
versioned = pytest.mark.skipif(not IS_VERSIONED, reason="needs NumPy 2.1, which knows DLPack 1.0")


@pytest.fixture(params=[tf.Variable, tf.constant], ids=["variable", "tensor"])
def make(request):
    return request.param


class Legacy:
    """An array from before DLPack 1.0."""

    def __init__(self, array):
        self._array = array

    def __dlpack__(self, stream=None):
        return self._array.__dlpack__()

    def __dlpack_device__(self):
        return (1, 0)


@versioned
@pytest.mark.parametrize("dtype", [dtype for dtype in ALL_DTYPES if dtype != "bfloat16"])
@pytest.mark.parametrize("shape", [(), (0,), (2, 3)])
def test_numpy_takes_values_read_only_and_without_a_copy(make, dtype, shape):
    value = make(np.ones(shape, dtype))
    array = np.from_dlpack(value)
    assert array.dtype == dtype
    assert array.shape == shape
    assert not array.flags.writeable
    assert np.shares_memory(array, np.asarray(value)) == bool(array.size)


@versioned
def test_the_array_outlives_the_variable_and_shows_its_updates():
    variable = tf.Variable(np.zeros(5))
    array = np.from_dlpack(variable)
    variable.assign_add(1.0)
    assert array.tolist() == [1] * 5
    del variable
    assert array.tolist() == [1] * 5
    with pytest.raises(ValueError, match=r"read-only|WRITEABLE"):
        array.flags.writeable = True


@versioned
def test_a_copy_is_writable_and_apart(make):
    value = make([1.0, 2.0])
    array = np.from_dlpack(value, copy=True)
    array[0] = 9
    assert value.numpy().tolist() == [1, 2]


def test_who_cannot_be_told_that_memory_is_read_only_gets_a_copy(make):
    value = make([1.0, 2.0])
    array = np.from_dlpack(_Exporter(value.__dlpack__()))
    assert array.tolist() == [1, 2]
    assert not np.shares_memory(array, np.asarray(value))


def test_a_copy_of_a_variable_waits_for_locked_updates():
    variable, capsules = tf.Variable([1.0]), []
    thread = threading.Thread(target=lambda: capsules.append(variable.__dlpack__(copy=True)))
    with variable._storage.locked():
        thread.start()
        thread.join(0.05)
        assert thread.is_alive()
        variable.assign([2.0])
    thread.join()
    assert np.from_dlpack(_Exporter(capsules[0])).tolist() == [2]


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"dl_device": (2, 0)}, BufferError, r"the value is on the CPU: got dl_device=\(2, 0\), expected \(1, 0\)"),
        ({"stream": 1}, ValueError, "the CPU has no streams: got stream=1, expected None"),
        ({"copy": False}, BufferError, "got max_version=None, expected .*; pass copy=True"),
        ({"copy": False, "max_version": (0, 8)}, BufferError, r"got max_version=\(0, 8\)"),
    ],
)
def test_what_cannot_be_exported_is_refused(make, arguments, error, words):
    with pytest.raises(error, match=words):
        make([1.0]).__dlpack__(**arguments)


def test_the_device_is_the_cpu(make):
    assert make([1.0]).__dlpack_device__() == (1, 0)


@pytest.mark.parametrize("dtype", ALL_DTYPES)
@pytest.mark.parametrize("shape", [(), (0, 2), (2, 3)])
def test_every_dtype_comes_back(make, dtype, shape):
    value = make(np.ones(shape, numpy_dtype(dtype)))
    for copy in (None, True):
        back = tf.from_dlpack(value, copy)
        assert isinstance(back, tf.Tensor)
        assert back.dtype == dtype
        np.testing.assert_array_equal(back.numpy(), value.numpy())


def test_a_tensor_from_dlpack_shows_later_changes_but_what_is_made_of_it_does_not():
    array = np.zeros(3)
    tensor = tf.from_dlpack(array)
    made = [tf.identity(tensor), tensor + 0, tf.constant(tensor), tf.Variable(tensor), tf.reshape(tensor, [3, 1])]
    array[:] = 7
    assert tensor.numpy().tolist() == [7, 7, 7]
    assert not any(np.any(value.numpy()) for value in made)
    with pytest.raises(ValueError, match="read-only"):
        np.asarray(tensor)[0] = 1


@pytest.mark.parametrize("wrap", [np.asarray, Legacy])
def test_from_dlpack_copies_where_it_is_told_to(wrap):
    array = np.zeros(3)
    tensor = tf.from_dlpack(wrap(array), copy=True)
    array[:] = 7
    assert tensor.numpy().tolist() == [0, 0, 0]


def test_arrays_from_before_dlpack_1_share_memory():
    array = np.arange(6.0)[::-2]
    tensor = tf.from_dlpack(Legacy(array))
    assert np.shares_memory(np.asarray(tensor), array)
    assert tensor.numpy().tolist() == [5, 3, 1]


@versioned
def test_from_dlpack_takes_read_only_arrays_and_leaves_them_so():
    array = np.arange(3)
    array.flags.writeable = False
    assert tf.Variable(tf.from_dlpack(array)).assign_add(1).numpy().tolist() == [1, 2, 3]
    assert array.tolist() == [0, 1, 2]


class Elsewhere:
    def __dlpack__(self, **_):
        raise AssertionError("not to be called")

    def __dlpack_device__(self):
        return (2, 0)


class Exhausted(Legacy):
    def __dlpack__(self, **_):
        capsule = self._array.__dlpack__()
        np.from_dlpack(_Exporter(capsule))
        return capsule


@pytest.mark.parametrize(
    ("value", "error", "words"),
    [
        ([1, 2], TypeError, "from_dlpack: the value does not know DLPack: got list"),
        (Elsewhere(), BufferError, r"not on the CPU: got device \(2, 0\), expected \(1, 0\); copy it to the CPU first"),
        (Exhausted(np.zeros(3)), BufferError, "this is no capsule of DLPack: .* expected one not used before"),
    ],
)
def test_what_from_dlpack_cannot_take_is_refused(value, error, words):
    with pytest.raises(error, match=words):
        tf.from_dlpack(value)


def test_a_dtype_that_numpy_does_not_have_is_refused():
    class Strange(Legacy):
        def __dlpack__(self, **_):
            capsule = self._array.__dlpack__()
            from nbvars.kernels.capsules import managed_in

            managed_in(capsule)[1].tensor.bits = 4
            return capsule

    with pytest.raises(BufferError, match="NumPy cannot take the memory: got dtype code 1 of 4 bits and 1 lanes"):
        tf.from_dlpack(Strange(np.zeros(3, np.uint8)))


def test_errors_of_the_other_library_come_through():
    class Broken(Elsewhere):
        def __dlpack__(self, **_):
            raise BufferError("of the library")

        def __dlpack_device__(self):
            return (1, 0)

    with pytest.raises(BufferError, match="of the library"):
        tf.from_dlpack(Broken())


def test_bfloat16_is_shared_as_such():
    variable = tf.Variable([1.5, -2.0], dtype=tf.bfloat16)
    array = array_from_dlpack(variable)
    assert array.dtype == bfloat16
    assert array.tolist() == [1.5, -2]
    assert np.shares_memory(array, np.asarray(variable)) == IS_VERSIONED
    with pytest.raises((RuntimeError, BufferError), match="Unsupported dtype"):
        np.from_dlpack(variable)


def test_in_a_graph_the_value_becomes_a_constant():
    with tf.Graph().as_default(), tf.Session() as session:
        tensor = tf.from_dlpack(np.arange(3))
        assert tensor.op.type == "Const"
        assert session.run(tensor).tolist() == [0, 1, 2]
        variable = tf.Variable([1.0])
        assert not hasattr(variable, "__dlpack__")
        with pytest.raises(TypeError, match="does not know DLPack: got GraphVariable"):
            tf.from_dlpack(variable)
