"""Exchange with other libraries without a copy: ``__cuda_array_interface__`` and DLPack."""

from __future__ import annotations

import gc
import re

import numpy as np
import pytest

import nbvars as tf
from tests.conftest import ALL_DTYPES, assert_same_bits, random_array


@pytest.fixture
def exported():
    from nbvars.kernels.cuda import exporting

    gc.collect()
    assert not exporting._exported
    return exporting._exported


def on_gpu(value):
    with tf.device("/gpu:0"):
        return tf.Variable(value)


class Interface:
    """An array of another library that has ``__cuda_array_interface__`` alone."""

    def __init__(self, array, **changes):
        self.array = array
        self.__cuda_array_interface__ = {**array.__cuda_array_interface__, **changes}


class ByDLPack:
    """An array of another library that has DLPack alone, in its old form or that with versions."""

    def __init__(self, array, is_old=False):
        self.array, self.is_old, self.streams = array, is_old, []

    def __dlpack_device__(self):
        return (2, 0)

    def __dlpack__(self, stream=None, **options):
        self.streams.append(stream)
        if self.is_old and options:
            raise TypeError("__dlpack__() got an unexpected keyword argument 'max_version'")
        return self.array.__dlpack__(stream=stream, **options)


FORMS = [Interface, ByDLPack, lambda array: ByDLPack(array, is_old=True)]


def test_the_interface_describes_the_memory():
    variable = on_gpu(np.zeros((2, 3), np.float32))
    found = variable.__cuda_array_interface__
    assert found == {
        "shape": (2, 3),
        "typestr": "<f4",
        "data": (variable._storage.array.pointer, False),
        "version": 3,
        "strides": None,
        "stream": 1,
    }
    assert tf.identity(variable).__cuda_array_interface__["data"][1]
    assert on_gpu(np.zeros((0, 3))).__cuda_array_interface__["data"][0] == 0


@pytest.mark.parametrize(
    ("form", "dtype"),
    [(form, dtype) for form in FORMS for dtype in ALL_DTYPES if (form, dtype) != (Interface, "bfloat16")],
)
def test_every_dtype_comes_over_without_a_copy(rng, form, dtype):
    value = random_array(rng, dtype, (3, 4))
    source, target = on_gpu(value), on_gpu(np.zeros_like(value))
    target.assign(form(source))
    assert_same_bits(target.numpy(), value)


@pytest.mark.parametrize("form", FORMS)
def test_updates_and_ops_take_arrays_of_other_libraries(form):
    source, target = on_gpu([1.0, 2.0]), on_gpu([10.0, 20.0])
    theirs = form(source)
    assert target.assign_add(theirs).numpy().tolist() == [11, 22]
    assert (target * theirs).numpy().tolist() == [11, 44]
    made = tf.convert_to_tensor(theirs)
    source.assign(0.0)
    assert (made.device, made.numpy().tolist()) == ("/gpu:0", [1, 2])


def test_bfloat16_has_no_code_in_the_interface():
    assert not hasattr(on_gpu(np.zeros(2, tf.bfloat16.numpy_dtype)), "__cuda_array_interface__")


def test_from_dlpack_shares_the_memory_of_a_gpu(exported):
    source = on_gpu([1.0, 2.0])
    tensor, kept = tf.from_dlpack(source), tf.from_dlpack(source, copy=True)
    assert tensor._array.pointer == source._storage.array.pointer
    source.assign_add(1.0)
    assert (tensor.numpy().tolist(), kept.numpy().tolist()) == ([2, 3], [1, 2])
    with tf.Graph().as_default():
        assert tf.from_dlpack(source).graph is tf.get_default_graph()
    del tensor, kept
    gc.collect()
    assert not exported


def test_what_nobody_takes_is_given_back(exported):
    source = on_gpu([1.0, 2.0])
    for version in (None, (1, 0)):
        capsule = source.__dlpack__(max_version=version)
        assert len(exported) == 1
        assert ("versioned" in repr(capsule)) == (version is not None)
        del capsule
        assert not exported


def test_the_memory_outlives_the_variable(exported):
    tensor = tf.from_dlpack(on_gpu([1.0, 2.0]))
    gc.collect()
    assert len(exported) == 1
    assert tensor.numpy().tolist() == [1, 2]


def test_a_tensor_is_read_only_for_who_knows_and_a_copy_for_who_does_not(exported):
    tensor = tf.identity(on_gpu([1.0, 2.0]))
    assert tf.from_dlpack(tensor)._array.pointer == tensor._array.pointer
    assert not tf.from_dlpack(tensor)._array.writeable
    assert tf.from_dlpack(ByDLPack(tensor, is_old=True))._array.pointer != tensor._array.pointer
    with pytest.raises(BufferError, match=r"only DLPack 1\.0 can tell that the memory is read-only"):
        tensor.__dlpack__(copy=False)
    with pytest.raises(BufferError, match=re.escape("the value is on a GPU: got dl_device=(1, 0), expected (2, 0)")):
        tensor.__dlpack__(dl_device=(1, 0))
    assert tensor.__dlpack_device__() == on_gpu(1.0).__dlpack_device__() == (2, 0)


def test_a_producer_hears_of_our_stream():
    theirs = ByDLPack(on_gpu([1.0]))
    tf.from_dlpack(theirs)
    assert theirs.streams == [1]


@pytest.mark.parametrize(
    ("changes", "error", "sentence"),
    [
        ({"data": (0, False)}, ValueError, "assign: the array has no memory: got address 0"),
        ({"strides": (4, 8)}, ValueError, "assign: the array is not C-contiguous: got strides (4, 8)"),
        ({"typestr": ">f4"}, TypeError, "assign: the value has an unsupported type: got >f4"),
        ({"typestr": "<M8[s]"}, TypeError, "assign: the value has an unsupported type: got datetime64[s]"),
        ({"mask": object()}, ValueError, "assign: the array has a mask"),
        ({"shape": (4,)}, ValueError, "assign: the update has the wrong shape: got (4,), expected (2, 2)"),
    ],
)
def test_what_cannot_be_taken_is_refused_and_changes_nothing(changes, error, sentence):
    source, target = on_gpu([[1.0, 2.0], [3.0, 4.0]]), on_gpu([[5.0, 6.0], [7.0, 8.0]])
    with pytest.raises(error, match=re.escape(sentence)):
        target.assign(Interface(source, **changes))
    assert target.numpy().tolist() == [[5, 6], [7, 8]]


def test_the_cpu_does_not_take_arrays_of_a_gpu_by_itself():
    with pytest.raises(
        tf.errors.InvalidArgumentError, match="a value is on another device: got /gpu:0, expected /cpu:0"
    ):
        tf.Variable([0.0]).assign(ByDLPack(on_gpu([1.0])))
