"""``__array__``, ``__array_interface__`` and the buffer protocol: the memory of values, for reading only."""

from __future__ import annotations

import io
import sys
import threading

import numpy as np
import pytest

import nbvars as tf
from tests.conftest import ALL_DTYPES, numpy_dtype

buffers = pytest.mark.skipif(sys.version_info < (3, 12), reason="needs Python 3.12, which has __buffer__")


@pytest.fixture(params=[tf.Variable, tf.constant, lambda x: tf.Variable(x).value()], ids=["variable", "tensor", "live"])
def make(request):
    return request.param


@pytest.mark.parametrize("dtype", ALL_DTYPES)
@pytest.mark.parametrize("shape", [(), (0,), (2, 3)])
def test_asarray_shares_memory_keeps_the_dtype_and_is_read_only(make, dtype, shape):
    value = make(np.ones(shape, numpy_dtype(dtype)))
    array = np.asarray(value)
    assert array.dtype == numpy_dtype(dtype)
    assert array.shape == shape
    assert not array.flags.writeable
    assert np.shares_memory(array, value.__array__()) == bool(array.size)
    assert np.array_equal(array, value.numpy())


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_array_follows_the_rules_of_numpy_2(make, dtype):
    value = make(np.ones(2, numpy_dtype(dtype)))
    assert np.shares_memory(np.asarray(value, copy=False), value.__array__())
    assert np.shares_memory(np.asarray(value, value.dtype), value.__array__())
    for copy in (
        np.array(value),
        np.asarray(value, copy=True),
        np.asarray(value, np.float64),
        value.__array__(copy=True),
    ):
        assert copy.flags.writeable
        assert not np.shares_memory(copy, value.__array__())
    with pytest.raises(ValueError, match=r"copy|needs a copy: got float64"):
        np.asarray(value, np.float64, copy=False)
    with pytest.raises(ValueError, match=f"__array__: the dtype needs a copy: got float64, expected {dtype}"):
        value.__array__(np.float64, copy=False)


# NumPy 2.0 copies by itself what it got without a copy.
COPIES = [lambda v: v.__array__(copy=True), lambda v: v.__array__(np.float64)]
if np.lib.NumpyVersion(np.__version__) >= "2.1.0":
    COPIES += [np.array, lambda v: np.asarray(v, np.float64), lambda v: np.asarray(v, copy=True)]


@pytest.mark.parametrize("copy", COPIES)
def test_a_copy_of_a_variable_waits_for_locked_updates(copy):
    variable, copies = tf.Variable([1.0]), []
    thread = threading.Thread(target=lambda: copies.append(copy(variable)))
    with variable._storage.locked():
        thread.start()
        thread.join(0.05)
        assert thread.is_alive()
        variable.assign([2.0])
    thread.join()
    assert copies[0].tolist() == [2]


def test_the_array_interface_of_a_tensor_is_read_only():
    tensor = tf.constant(np.arange(6.0).reshape(2, 3))
    interface = tensor.__array_interface__
    assert interface["data"] == (tensor.__array__().ctypes.data, True)
    assert interface["shape"] == (2, 3)
    assert interface["typestr"] == tensor.__array__().dtype.str
    with pytest.raises(ValueError, match="WRITEABLE"):
        np.asarray(tensor).flags.writeable = True


def test_numpy_prefers_nothing_to_the_array_method_of_a_variable():
    variable = tf.Variable([1.0])
    assert not hasattr(variable, "__array_interface__")
    with pytest.raises(TypeError, match="bytes-like object is required"):
        memoryview(variable)
    assert variable.value().__array_interface__["data"][1]


def test_bfloat16_has_no_array_interface():
    tensor = tf.constant([1.0], dtype=tf.bfloat16)
    assert not hasattr(tensor, "__array_interface__")
    with pytest.raises(TypeError if sys.version_info < (3, 12) else BufferError):
        memoryview(tensor)


def test_there_is_no_array_namespace(make):
    assert not hasattr(make([1.0]), "__array_namespace__")


@buffers
def test_the_buffer_of_a_tensor_is_read_only_and_shows_updates_of_the_variable():
    variable = tf.Variable([1.0, 2.0])
    view = memoryview(variable.value())
    variable.assign([3.0, 4.0])
    assert view.readonly
    assert view.tolist() == [3, 4]
    assert bytes(memoryview(tf.constant([7], dtype=tf.uint8))) == b"\x07"
    with pytest.raises(TypeError, match="read-only"):
        view[0] = 1.0


@buffers
def test_who_asks_for_a_writable_buffer_is_refused():
    with pytest.raises((BufferError, TypeError), match=r"writable|read-write"):
        io.BytesIO(b"1234").readinto(tf.constant([0], dtype=tf.int32))
