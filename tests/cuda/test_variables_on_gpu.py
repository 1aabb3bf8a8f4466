"""Variables and tensors of eager mode on a GPU."""

from __future__ import annotations

import copy
import pickle
import re
import threading

import numba
import numpy as np
import pytest

import nbvars as tf
from nbvars.errors import InvalidArgumentError, UnimplementedError
from tests.conftest import ALL_DTYPES, assert_same_bits, numpy_dtype, random_array

GPU = "/gpu:0"


def on_gpu(value, **options):
    with tf.device(GPU):
        return tf.Variable(value, **options)


def constant_on_gpu(value, dtype=None):
    with tf.device(GPU):
        return tf.constant(value, dtype)


def test_a_variable_is_where_its_device_scope_says():
    inside, outside = on_gpu([1.0, 2.0]), tf.Variable([1.0, 2.0])
    with tf.device(GPU), tf.device("/cpu:0"):
        inner = tf.Variable(1)
    assert (inside.device, outside.device, inner.device) == (GPU, "/cpu:0", "/cpu:0")
    assert isinstance(inside, tf.Variable)
    assert "/gpu:0" in tf.list_devices()


@pytest.mark.parametrize("dtype", ALL_DTYPES)
def test_values_of_every_dtype_come_back_as_they_went(rng, dtype):
    for shape in [(), (0, 3), (5,), (2, 3)]:
        value = random_array(rng, dtype, shape)
        assert_same_bits(np.asarray(on_gpu(value).numpy()), value)
        assert_same_bits(np.asarray(constant_on_gpu(value).numpy()), value)


def test_an_initial_value_can_be_anything_that_has_a_value():
    given = [[1.0, 2.0], np.array([1.0, 2.0], np.float32), tf.constant([1.0, 2.0]), constant_on_gpu([1.0, 2.0])]
    given += [tf.Variable([1.0, 2.0]), on_gpu([1.0, 2.0]), lambda: tf.constant([1.0, 2.0])]
    for each in given:
        variable = on_gpu(each)
        assert (variable.device, variable.dtype, variable.numpy().tolist()) == (GPU, tf.float32, [1, 2])
        assert variable.initial_value.device == GPU
        variable.assign_add(1.0)
        assert variable.initial_value.numpy().tolist() == [1, 2]
    assert constant_on_gpu([1, 2], tf.float64).dtype is tf.float64


def test_initializers_make_the_same_numbers_as_on_the_cpu():
    def made(device):
        tf.set_random_seed(7)
        with tf.device(device):
            return tf.Variable(lambda: tf.random_normal([5]) * 2.0)

    assert_same_bits(made(GPU).numpy(), made("/cpu:0").numpy())


@pytest.mark.parametrize("use_locking", [False, True])
def test_updates_take_whatever_those_on_the_cpu_take(use_locking):
    kinds = [
        lambda x: x,
        lambda x: np.array(x, np.float32),
        lambda x: np.array(x, np.int16),
        constant_on_gpu,
        on_gpu,
        lambda x: on_gpu(x).value(),
    ]
    for make in kinds:
        variable, twin = on_gpu([1.0, 2.0, 3.0]), tf.Variable([1.0, 2.0, 3.0])
        delta = make([4.0, 5.0, 6.0])
        for op in ("assign_add", "assign_sub", "assign", "assign_add"):
            assert getattr(variable, op)(delta, use_locking) is variable
            getattr(twin, op)([4.0, 5.0, 6.0], use_locking)
            assert variable.numpy().tolist() == twin.numpy().tolist()


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16", "float64", "int8", "int64", "uint64", "complex64"])
def test_a_number_changes_every_element(dtype):
    for number in (3, np.int8(2), 1.5, 1e30, np.float64(2.25), 2 - 1j):
        variable = on_gpu(np.arange(5).astype(numpy_dtype(dtype)))
        twin = tf.Variable(np.arange(5).astype(numpy_dtype(dtype)))
        try:
            twin.assign_add(number)
        except (TypeError, ValueError) as error:
            with pytest.raises(type(error), match=re.escape(str(error))):
                variable.assign_add(number)
        else:
            variable.assign_add(number)
        assert_same_bits(variable.numpy(), twin.numpy())


def test_a_variable_can_be_its_own_update():
    variable = on_gpu([1.0, 2.0])
    variable.assign_add(variable).assign_add(variable.value())
    assert variable.numpy().tolist() == [4, 8]
    variable.assign_sub(variable)
    assert variable.numpy().tolist() == [0, 0]


@pytest.mark.parametrize(
    ("value", "error", "sentence"),
    [
        ([1.0], ValueError, "assign: the update has the wrong shape: got (1,), expected (2, 2); a number changes"),
        (np.ones((2, 2)) * 1j, TypeError, "assign: the value has the wrong dtype: got complex128, expected float32"),
        ([[1.0, 2.0], [3.0]], ValueError, "assign: the nested lists do not form an array"),
        ("a", TypeError, "assign: the value has an unsupported type"),
        (2**2000, ValueError, "assign: a number does not fit float32"),
    ],
)
def test_what_does_not_fit_is_refused_and_changes_nothing(value, error, sentence):
    variable = on_gpu([[1.0, 2.0], [3.0, 4.0]])
    with pytest.raises(error, match=re.escape(sentence)):
        variable.assign(value)
    assert variable.numpy().tolist() == [[1, 2], [3, 4]]


def test_nothing_moves_between_devices_by_itself():
    here, there = tf.Variable([1.0, 2.0]), on_gpu([1.0, 2.0])
    to_gpu = (
        "a value is on another device: got /cpu:0, expected /gpu:0; copy it by `with device('/gpu:0'): identity(x)`"
    )
    to_cpu = (
        "a value is on another device: got /gpu:0, expected /cpu:0; copy it by `with device('/cpu:0'): identity(x)`"
    )
    for wrong, call in [
        (to_gpu, lambda: there.assign(here)),
        (to_gpu, lambda: there.assign_add(tf.constant([1.0, 2.0]))),
        (to_gpu, lambda: there + here),
        (to_gpu, lambda: tf.matmul(tf.ones([1, 2]), tf.reshape(there, [2, 1]))),
        (to_cpu, lambda: here.assign(there)),
        (to_cpu, lambda: tf.Variable(there)),
    ]:
        with pytest.raises(InvalidArgumentError, match=re.escape(wrong)):
            call()
    with tf.device(GPU), pytest.raises(InvalidArgumentError, match=re.escape(to_gpu)):
        here + 1
    with tf.device("/cpu:0"), pytest.raises(InvalidArgumentError, match=re.escape(to_cpu)):
        there + 1
    assert (here.numpy().tolist(), there.numpy().tolist()) == ([1, 2], [1, 2])


def test_identity_copies_between_devices():
    here, there = tf.Variable([1.0, 2.0]), on_gpu([3.0, 4.0])
    with tf.device(GPU):
        uploaded, kept = tf.identity(here), tf.identity(there)
    with tf.device("/cpu:0"):
        downloaded = tf.identity(there)
    assert [each.device for each in (uploaded, kept, downloaded, tf.identity(there))] == [GPU, GPU, "/cpu:0", GPU]
    here.assign(0.0), there.assign(0.0)
    assert [each.numpy().tolist() for each in (uploaded, kept, downloaded)] == [[1, 2], [3, 4], [3, 4]]
    there.assign(uploaded)
    assert there.numpy().tolist() == [1, 2]


def test_numbers_arrays_lists_and_scalars_join_what_is_on_the_gpu():
    x = constant_on_gpu([1.0, 2.0])
    for other in (2, np.array([2.0, 2.0], np.float32), [2.0, 2.0], tf.constant(2.0), tf.Variable(2.0)):
        for result in (x * other, other * x):
            assert (result.device, result.numpy().tolist()) == (GPU, [2, 4])
    assert tf.stack([x, [5.0, 6.0]]).numpy().tolist() == [[1, 2], [5, 6]]
    assert tf.convert_to_tensor([x[0], 7.0]).device == GPU


def test_ops_without_tensors_put_their_results_on_the_device_of_the_scope():
    with tf.device(GPU):
        made = [tf.zeros([2]), tf.ones([2], tf.int32), tf.fill([2], 3.0), tf.range(3), tf.random_normal([2])]
        made += [tf.constant(1), tf.convert_to_tensor([1, 2]), tf.eye(2), tf.linspace(0.0, 1.0, 3)]
        sizes = [tf.shape(made[0]), tf.size(made[0]), tf.rank(made[0])]
    assert {each.device for each in made} == {GPU}
    assert [each.device for each in sizes] == ["/cpu:0"] * 3
    assert [each.numpy().tolist() for each in sizes] == [[2], 2, 1]
    assert made[3].numpy().tolist() == [0, 1, 2]


def test_dense_mathematics_gives_what_the_cpu_gives(rng):
    value = rng.standard_normal((3, 4)).astype(np.float32)
    here, there = tf.Variable(value), on_gpu(value)
    for op in [
        lambda v: tf.matmul(v, v, transpose_b=True),
        lambda v: tf.reduce_sum(tf.exp(v) * 2.0, 1),
        lambda v: tf.nn.softmax(v - 1.0),
        lambda v: tf.transpose(v)[1:, 0],
        lambda v: tf.concat([v, v], 0),
        lambda v: tf.gather(v, [2, 0]),
        lambda v: v.sparse_read(np.array([1, 1])),
        lambda v: tf.where(v > 0, v, -v),
        lambda v: tf.argmax(v, 1),
        lambda v: tf.reshape(v, [-1]),
    ]:
        got, expected = op(there), op(here)
        assert got.device == GPU
        assert got.dtype is expected.dtype
        np.testing.assert_allclose(got.numpy(), expected.numpy(), rtol=1e-6)


def test_results_do_not_change_with_the_variable():
    variable = on_gpu([[1.0, 2.0], [3.0, 4.0]])
    live, results = (
        variable.value(),
        [variable.read_value(), tf.reshape(variable, [4]), tf.identity(variable), variable[0]],
    )
    before = [each.numpy().tolist() for each in results]
    variable.assign(0.0)
    assert [each.numpy().tolist() for each in results] == before
    assert live.numpy().tolist() == [[0, 0], [0, 0]]
    assert copy.copy(live).numpy().tolist() == [[0, 0], [0, 0]]


def test_what_is_wrong_with_an_op_is_said_as_on_the_cpu():
    x = constant_on_gpu([1.0, 2.0])
    with pytest.raises(ValueError, match="matmul"):
        tf.matmul(x, x)
    with pytest.raises(TypeError, match="expected float32"):
        x + constant_on_gpu([1, 2])


def test_an_op_that_the_library_cannot_compute_is_named(monkeypatch):
    from nbvars.kernels.cuda import dense

    def refuse(*_):
        raise TypeError("Implicit conversion to a NumPy array is not allowed.")

    x = constant_on_gpu([1.0, 2.0])
    monkeypatch.setattr(dense, "compute_on", refuse)
    sentence = "Exp: CuPy cannot compute this on a GPU: got TypeError: Implicit conversion"
    with pytest.raises(UnimplementedError, match=re.escape(sentence)):
        tf.exp(x)


def test_gradients_flow_on_the_gpu_and_between_devices():
    here, there = tf.Variable([1.0, 2.0]), on_gpu([3.0, 4.0])
    with tf.GradientTape() as tape:
        with tf.device(GPU):
            moved = tf.identity(here)
        loss = tf.reduce_sum(moved * there * there)
    of_here, of_there = tape.gradient(loss, [here, there])
    assert (of_here.device, of_there.device) == ("/cpu:0", GPU)
    assert of_here.numpy().tolist() == [9, 16]
    assert of_there.numpy().tolist() == [6, 16]


def test_the_value_is_read_where_only_the_host_can():
    x = constant_on_gpu([[1.0, 2.0], [3.0, 4.0]])
    assert np.asarray(x).tolist() == [[1, 2], [3, 4]]
    assert np.add(x, 1).tolist() == [[2, 3], [4, 5]]
    assert (len(x), x.ndim, x.shape.as_list()) == (2, 2, [2, 2])
    assert [row.numpy().tolist() for row in x] == [[1, 2], [3, 4]]
    assert (float(x[0, 1]), int(x[1, 0]), bool(x[0, 0] > 0)) == (2.0, 3, True)
    assert repr(x[0, 0]) == "nbvars.Tensor(1.0, shape=(), dtype=float32, device='/gpu:0')"
    assert "<th>device</th><td>/gpu:0</td>" in x._repr_html_()
    with pytest.raises(ValueError, match=r"bool: the tensor has no single value: got shape \(2, 2\)"):
        bool(x)
    with pytest.raises(ValueError, match="the value is in the memory of a GPU: got copy=False"):
        np.array(x, copy=False)
    with pytest.raises(TypeError, match="NumPy cannot write to a GPU"):
        np.add(1.0, 1.0, out=on_gpu([1.0]))


def test_a_variable_shows_its_value_and_device():
    variable = on_gpu([1.0, 2.0], name="shown")
    assert repr(variable) == (
        "<nbvars.Variable 'shown:0' shape=(2,) dtype=float32 device='/gpu:0', numpy=array([1., 2.], dtype=float32)>"
    )
    assert "<th>device</th><td>/gpu:0</td>" in variable._repr_html_()
    with pytest.raises(TypeError, match="a variable on a GPU cannot be shared among processes"):
        variable.share_memory()


@pytest.mark.parametrize("clone", [copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_copies_and_pickles_have_memory_of_their_own_on_the_gpu(clone):
    variable = on_gpu([1.0, 2.0], name="original", trainable=False)
    twin, tensor = clone(variable), clone(constant_on_gpu([5.0]))
    variable.assign(0.0)
    assert (twin.device, twin.trainable, twin.numpy().tolist()) == (GPU, False, [1, 2])
    assert (tensor.device, tensor.numpy().tolist()) == (GPU, [5])


def test_a_pickle_from_a_gpu_is_on_the_cpu_of_a_machine_without_one(monkeypatch):
    from nbvars import devices

    data = pickle.dumps([on_gpu([1.0, 2.0]), constant_on_gpu([3.0])])
    monkeypatch.setattr(devices, "find_gpus", lambda: devices.Gpus(0, "", "no CUDA driver was found"))
    variable, tensor = pickle.loads(data)
    assert (variable.device, tensor.device) == ("/cpu:0", "/cpu:0")
    assert type(variable) is tf.Variable
    assert variable.assign_add(1.0).numpy().tolist() == [2, 3]


def test_a_class_of_the_user_stays_on_the_cpu():
    class Mine(tf.Variable):
        pass

    with tf.device(GPU), pytest.raises(TypeError, match="a class of your own cannot be on a GPU: got Mine under"):
        Mine(1.0)
    assert Mine(1.0).device == "/cpu:0"


def test_compiled_code_of_the_cpu_refuses_it():
    @numba.njit
    def read(v):
        return v

    with pytest.raises(TypeError, match="njit: a variable of a GPU is out of the reach of code for the CPU"):
        read(on_gpu([1.0]))


def test_threads_lose_no_locked_update():
    variable = on_gpu(np.zeros(20, np.int32))
    threads = [
        threading.Thread(target=lambda: [variable.assign_add(1, use_locking=True) for _ in range(5)]) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert variable.numpy().tolist() == [10] * 20


def test_a_saver_keeps_and_restores_variables_on_a_gpu(tmp_path):
    variable, counter = on_gpu([[1.0, 2.0]], name="saved"), tf.Variable(3, name="on_cpu")
    saver = tf.train.Saver([variable, counter])
    path = saver.save(None, str(tmp_path / "model"))
    variable.assign(0.0), counter.assign(0)
    saver.restore(None, path)
    assert (variable.numpy().tolist(), counter.numpy()) == ([[1, 2]], 3)
    assert variable.device == GPU


def test_deterministic_ops_are_a_setting_and_an_argument():
    from nbvars.runtime.determinism import is_deterministic

    assert not is_deterministic()
    tf.enable_deterministic_ops()
    try:
        assert is_deterministic()
        assert not is_deterministic(False)
    finally:
        tf.disable_deterministic_ops()
    assert is_deterministic(True)
    table = tf.Variable(np.zeros((3, 2), np.float32))
    table.scatter_add(tf.IndexedSlices(np.ones((2, 2), np.float32), [1, 1]), deterministic=True)
    assert tf.scatter_nd_add(table, [[0, 1]], [5.0], deterministic=False).numpy().tolist() == [[0, 5], [2, 2], [0, 0]]
