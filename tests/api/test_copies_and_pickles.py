"""Copies and pickles of eager variables and of tensors."""

from __future__ import annotations

import copy
import io
import pickle
import threading

import numpy as np
import pytest

import nbvars as tf
from nbvars.variables import copying
from tests.conftest import ALL_DTYPES, numpy_dtype


def pickled(value):
    return pickle.loads(pickle.dumps(value))


WAYS = {"copy": copy.copy, "deepcopy": copy.deepcopy, "pickle": pickled}


@pytest.fixture(autouse=True)
def empty_default_graph():
    tf.reset_default_graph()


@pytest.fixture(params=WAYS)
def twin_of(request):
    return WAYS[request.param]


class AtMost:
    """A constraint that is an object."""

    def __init__(self, most):
        self.most = most

    def __call__(self, value):
        return tf.minimum(value, self.most)


class Layer:
    """Refers to a variable whose constraint refers to it."""

    def __init__(self):
        self.weights = tf.Variable([1.0, 2.0], constraint=self.constrain)

    def constrain(self, value):
        return value


class Named(tf.Variable):
    """A user's subclass, with an attribute and a constructor of its own."""

    def __init__(self, label):
        super().__init__([1.0])
        self.label = label


@pytest.mark.parametrize("dtype", ALL_DTYPES)
@pytest.mark.parametrize("shape", [(), (0,), (2, 3)], ids=str)
def test_a_twin_has_value_and_dtype(twin_of, dtype, shape):
    value = np.arange(np.prod(shape, dtype=int)).reshape(shape).astype(numpy_dtype(dtype))
    variable = tf.Variable(value)
    twin = twin_of(variable)
    assert type(twin) is tf.Variable
    assert twin.dtype is variable.dtype
    np.testing.assert_array_equal(twin.numpy(), value)


def test_a_twin_has_memory_of_its_own(twin_of):
    variable = tf.Variable([1.0, 2.0])
    twin = twin_of(variable)
    assert not np.shares_memory(twin._storage.array, variable._storage.array)
    twin.assign_add(1)
    variable.scatter_sub(tf.IndexedSlices([10.0], [0]))
    assert (variable.numpy().tolist(), twin.numpy().tolist()) == ([-9, 2], [2, 3])
    assert twin.initial_value.numpy().tolist() == [1, 2]


def test_a_twin_has_the_metadata(twin_of):
    variable = tf.Variable(
        [1, 2],
        trainable=False,
        collections=["mine", tf.GraphKeys.LOCAL_VARIABLES],
        caching_device=tf.DeviceSpec(device_type="CPU"),
        name="full",
        dtype=tf.int64,
        constraint=tf.abs,
        use_resource=True,
        synchronization=tf.VariableSynchronization.ON_WRITE,
        aggregation=tf.VariableAggregation.SUM,
    )
    variable._save_slice_info = tf.Variable.SaveSliceInfo("whole", [4], [0], [2])
    twin = twin_of(variable)
    assert (twin.trainable, twin.device, twin.constraint) == (False, "/cpu:0", tf.abs)
    assert (twin.synchronization, twin.aggregation) == (variable.synchronization, variable.aggregation)
    assert twin._caching_device == variable._caching_device
    assert twin._save_slice_info.var_shape == [2]
    for key in ("mine", tf.GraphKeys.LOCAL_VARIABLES):
        assert [each is twin for each in tf.get_collection(key)] == [False, True]
    assert tf.trainable_variables() == []


def test_a_twin_gets_a_name_as_a_new_variable_does(twin_of):
    with tf.name_scope("layer"):
        variable = tf.Variable(1.0, name="w")
        twin = twin_of(variable)
    assert (variable.name, twin.name, twin_of(variable).name) == ("layer/w:0", "layer/w_1:0", "layer/w_2:0")


def test_a_pickle_keeps_the_name_where_it_is_free():
    data = pickle.dumps(tf.Variable(1.0, name="w"))
    tf.reset_default_graph()
    variable = pickle.loads(data)
    assert variable.name == "w:0"
    assert tf.trainable_variables()[0] is variable


def test_a_twin_does_not_take_over_a_held_lock(twin_of):
    variable = tf.Variable([1.0])
    with variable._storage.locked():
        twin = twin_of(variable)
        updated = threading.Thread(target=twin.assign_add, args=(1, True))
        updated.start()
        updated.join(30)
        assert not updated.is_alive()
    assert twin.numpy() == [2]


@pytest.mark.parametrize("way", ["deepcopy", "pickle"])
def test_two_places_of_a_variable_are_two_places_of_its_twin(way):
    variable = tf.Variable([1.0])
    twin = WAYS[way]({"a": variable, "list": [variable, (variable,)]})
    assert twin["a"] is twin["list"][0] is twin["list"][1][0]
    assert twin["a"] is not variable


def test_a_constraint_that_is_an_object_is_shared_by_a_shallow_copy_only():
    variable = tf.Variable([1.0], constraint=AtMost(3.0))
    assert copy.copy(variable).constraint is variable.constraint
    for way in (copy.deepcopy, pickled):
        twin = way(variable)
        assert twin.constraint is not variable.constraint
        assert twin.constraint.most == 3


@pytest.mark.parametrize("way", ["deepcopy", "pickle"])
def test_a_constraint_may_refer_to_the_variable(way):
    for twin in (WAYS[way](Layer().weights), WAYS[way](Layer()).weights):
        assert twin.constraint.__self__.weights is twin


def test_a_constraint_that_cannot_be_pickled_is_an_error_and_not_forgotten():
    with pytest.raises((pickle.PicklingError, AttributeError), match="lambda"):
        pickle.dumps(tf.Variable([1.0], constraint=lambda value: value))


def test_a_subclass_keeps_its_attributes(twin_of):
    twin = twin_of(Named("mine"))
    assert (type(twin), twin.label) == (Named, "mine")


def test_a_pickle_of_another_format_is_refused(monkeypatch):
    monkeypatch.setattr(copying, "FORMAT", 99)
    data = pickle.dumps(tf.Variable(1.0))
    monkeypatch.undo()
    with pytest.raises(ValueError, match="the format of the variable is unknown: got 99, expected 1; load it with"):
        pickle.loads(data)


def test_a_pickle_from_a_device_that_is_not_here_is_on_this_one(monkeypatch):
    variable = tf.Variable(1.0)
    monkeypatch.setattr(tf.Variable, "device", "/gpu:7")
    data = pickle.dumps(variable)
    monkeypatch.undo()
    assert b"/gpu:7" in data
    assert pickle.loads(data).device == "/cpu:0"


def test_a_pickle_may_hand_out_the_memory_by_itself():
    variable, buffers = tf.Variable(np.arange(1000.0)), []
    data = pickle.dumps(variable, 5, buffer_callback=buffers.append)
    assert len(data) < 1000
    twin = pickle.loads(data, buffers=buffers)
    twin.assign_add(1)
    assert (twin.numpy() - variable.numpy()).tolist() == [1] * 1000


def test_a_pickle_has_no_address_and_no_lock():
    variable = tf.Variable([1.0])
    file = io.BytesIO()
    pickle.dump(variable, file)
    assert b"RLock" not in file.getvalue()
    assert variable._address.to_bytes(8, "little") not in file.getvalue()


def test_no_eager_variable_is_made_in_graph_mode(twin_of):
    variable = tf.Variable(1.0)
    with tf.Graph().as_default():
        with pytest.raises(RuntimeError, match=r"got graph mode, expected eager mode; use `with nbvars.eager_mode"):
            twin_of(variable)
        with tf.eager_mode():
            assert twin_of(variable).numpy() == 1


def test_a_variable_of_a_graph_says_what_to_do_in_the_place_of_pickling():
    with tf.Graph().as_default():
        variable = tf.Variable(1.0)
    with pytest.raises(TypeError, match=r"a variable of a graph cannot be pickled: .*train\.Saver, or .*to_proto\(\)"):
        pickle.dumps([variable])


@pytest.mark.parametrize("way", ["deepcopy", "pickle"])
def test_a_partitioned_variable_has_a_twin(way):
    parts = tf.get_variable("parts", [4, 2], partitioner=tf.fixed_size_partitioner(2))
    twin = WAYS[way](parts)
    for one, other in zip(parts, twin, strict=True):
        assert one is not other
        np.testing.assert_array_equal(one.numpy(), other.numpy())


# Tensors.


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16", "complex64", "bool"])
def test_a_pickled_tensor_has_value_and_dtype(dtype):
    tensor = tf.cast([0, 1, 2], dtype)
    twin = pickled(tensor)
    assert twin.dtype is tensor.dtype
    np.testing.assert_array_equal(twin.numpy(), tensor.numpy())


def test_the_twin_of_a_live_tensor_does_not_change_with_the_variable(twin_of):
    variable = tf.Variable([1.0])
    twin = twin_of(variable.value())
    variable.assign([2.0])
    assert twin.numpy() == [1]
