"""NumPy's functions called with tensors and variables: what they give, and how they write to a variable."""

from __future__ import annotations

import threading
from collections import deque

import numpy as np
import pytest

import nbvars as tf
from nbvars.graph.tensor import Tensor

X = np.array([1.0, 2.0, 4.0])


@pytest.fixture(params=[tf.Variable, tf.constant], ids=["variable", "tensor"])
def value(request):
    return request.param(np.array([3.0, 5.0, 7.0], np.float32))


def is_array(got, expected):
    assert type(got) in (np.ndarray, np.bool_, np.float32, np.float64)
    assert got.dtype == np.asarray(expected).dtype
    np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize(
    "call",
    [
        np.exp,
        lambda v: np.add(v, 1),
        lambda v: np.add(v, v),
        lambda v: np.maximum(X, v),
        lambda v: np.add(X, v, dtype=np.float32),
        lambda v: np.add(v, 1, where=v > 4, out=np.zeros(3, np.float32)),
        np.add.reduce,
        lambda v: np.multiply.outer(X, v),
        lambda v: np.divmod(X, v)[1],
        lambda v: np.add.reduceat(v, [0, 2]),
    ],
)
def test_ufuncs_compute_on_the_array(value, call):
    is_array(call(value), call(value.numpy()))


@pytest.mark.parametrize(
    "call",
    [
        np.mean,
        lambda v: np.concatenate([v, X]),
        lambda v: np.stack((v, v)),
        lambda v: np.concatenate(deque([v, v])),
        lambda v: np.where(v > 4, v, X),
        lambda v: np.einsum("i,i->", v, X),
        lambda v: np.einsum("i,j->ij", v, v),
        lambda v: np.linalg.norm(v, ord=1),
        np.zeros_like,
        lambda v: np.sum(X, where=(v > 4)),
        lambda v: np.clip(X, v[0], v),
        lambda v: np.block([[v, X], [X, v]]),
        lambda v: np.asarray([1.0, 2.0], like=v),
    ],
)
def test_other_functions_compute_on_the_array(value, call):
    with np.errstate(all="raise"):
        is_array(call(value), call(value.numpy()))


def test_questions_about_an_array_are_answered_as_for_an_array(value):
    assert np.shape(value) == (3,)
    assert type(np.shape(value)) is tuple
    assert np.size(value) == 3
    assert np.isrealobj(value)
    assert np.result_type(value, np.float64) == np.float64
    assert np.shares_memory(value, np.asarray(value))


@pytest.mark.parametrize("left", [X, np.float64(2), np.array(2), np.array([[1.0], [2.0]])])
@pytest.mark.parametrize(
    "operator",
    [
        lambda x, y: x + y,
        lambda x, y: x - y,
        lambda x, y: x * y,
        lambda x, y: x / y,
        lambda x, y: x // y,
        lambda x, y: x % y,
        lambda x, y: x**y,
        lambda x, y: x < y,
        lambda x, y: x <= y,
        lambda x, y: x > y,
        lambda x, y: x >= y,
        lambda x, y: x == y,
        lambda x, y: x != y,
    ],
)
def test_an_operator_between_an_array_and_a_tensor_gives_a_tensor_of_its_dtype(value, operator, left):
    expected = operator(left.astype(np.float32), value.numpy())
    got = operator(left, value)
    assert isinstance(got, Tensor)
    np.testing.assert_allclose(got.numpy(), expected, rtol=1e-6)
    assert got.dtype in (tf.float32, tf.bool)


def test_the_operators_of_matrices_and_of_bits_give_tensors_too():
    matrix, bits = tf.Variable(np.eye(3)), tf.Variable([True, False, True])
    assert isinstance(np.ones((2, 3)) @ matrix, Tensor)
    for got in (np.array([True, True, False]) & bits, np.array([True] * 3) ^ bits, np.array([False] * 3) | bits):
        assert isinstance(got, Tensor)
    assert (np.array([True] * 3) ^ bits).numpy().tolist() == [False, True, False]


def test_operators_follow_the_tensor_and_functions_follow_numpys_promotion():
    value = tf.Variable([1.0, 2.0])
    assert (value * np.float64(2)).dtype == (np.float64(2) * value).dtype == "float32"
    assert (value * np.ones(2)).dtype == (np.ones(2) * value).dtype == "float32"
    assert np.multiply(value, np.float64(2)).dtype == np.multiply(value, np.ones(2)).dtype == np.float64
    assert np.multiply(value, 2.0).dtype == np.float32
    counts = tf.Variable([1, 2])
    for operands in ((counts, np.float64(2)), (np.ones(2), counts)):
        with pytest.raises(TypeError, match="got float64, expected int32"):
            operands[0] * operands[1]
    assert np.multiply(counts, np.float64(2)).dtype == np.float64


def test_a_tape_sees_operators_with_an_array_on_the_left():
    variable = tf.Variable([1.0, 2.0])
    with tf.GradientTape() as tape:
        product = np.array([3.0, 4.0], np.float32) * variable
    assert tape.gradient(product, variable).numpy().tolist() == [3, 4]


def test_an_array_stays_an_array_in_place(value):
    array = same = X.copy()
    array += value
    array *= value
    assert array is same
    assert array.tolist() == [12, 35, 77]


def test_masks_survive():
    got = np.ma.masked_array(X, [False, True, False]) + tf.Variable([1.0, 1.0, 1.0])
    assert got.tolist() == [2, None, 5]


def test_ufuncs_write_to_a_variable():
    variable = tf.Variable([1.0, 2.0, 3.0])
    assert np.add(variable, X, out=variable) is variable
    assert variable.numpy().tolist() == [2, 4, 7]
    np.negative(variable, out=variable, where=[True, False, True])
    assert variable.numpy().tolist() == [-2, 4, -7]
    np.multiply.accumulate(X, out=variable)
    assert variable.numpy().tolist() == [1, 2, 8]


def test_ufuncs_of_several_outputs_write_to_variables_and_arrays():
    whole, rest, array = tf.Variable(np.zeros(3)), tf.Variable(np.zeros(3)), np.zeros(3)
    first, second = np.divmod(X, 3.0, out=(whole, rest))
    assert first is whole
    assert second is rest
    assert whole.numpy().tolist() == [0, 0, 1]
    assert rest.numpy().tolist() == [1, 2, 1]
    first, second = np.divmod(X, 2.0, out=(None, rest))
    assert first.tolist() == [0, 1, 2]
    assert second is rest
    assert np.divmod(X, 2.0, out=(array, whole))[0] is array


def test_other_functions_write_to_a_variable():
    total, table = tf.Variable(0.0, dtype="float64"), tf.Variable(np.zeros(6))
    assert np.sum(tf.Variable(X), out=total) is total
    assert total.numpy() == 7
    assert np.concatenate([X, total + X], out=table) is table
    assert table.numpy().tolist() == [1, 2, 4, 8, 9, 11]
    np.copyto(table, 0, where=table > 4)
    assert table.numpy().tolist() == [1, 2, 4, 0, 0, 0]
    array = np.zeros(())
    assert np.sum(tf.Variable(X), out=array) is array


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda v: np.divide([1.0, 1.0, 0.0], [1.0, 1.0, 0.0], out=v), FloatingPointError),
        (lambda v: np.add(v, 1j, out=v), TypeError),
        (lambda v: np.add(v, np.ones((2, 3)), out=v), ValueError),
        (lambda v: np.concatenate([v, v], out=v), ValueError),
        (lambda v: np.copyto(v, [1.0, 2.0]), ValueError),
    ],
)
def test_what_numpy_refuses_leaves_the_variable_as_it_was(call, error):
    variable = tf.Variable([1.0, 2.0, 3.0])
    with np.errstate(all="raise"), pytest.raises(error):
        call(variable)
    assert variable.numpy().tolist() == [1, 2, 3]
    assert variable.assign_add(1, use_locking=True).numpy().tolist() == [2, 3, 4]


def test_a_ufunc_holds_the_lock_from_the_read_to_the_write():
    class Waits:
        """An operand whose conversion tells that the ufunc runs: it adds by itself, element by element."""

        def __radd__(self, number):
            started.set()
            assert not done.wait(0.05)
            return number + 1.0

    started, done = threading.Event(), threading.Event()
    variable = tf.Variable([1.0])

    def add():
        started.wait()
        variable.assign_add(10.0, use_locking=True)
        done.set()

    thread = threading.Thread(target=add)
    thread.start()
    np.add(variable, np.array([Waits()], object), out=variable, casting="unsafe")
    thread.join()
    assert variable.numpy().tolist() == [12]


def test_threads_that_write_to_two_variables_in_different_orders_do_not_wait_for_each_other():
    x, y = tf.Variable(np.zeros(4)), tf.Variable(np.zeros(4))
    orders = [(x, y), (y, x)]

    def run(order):
        for _ in range(300):
            np.modf(np.ones(4), out=order)

    threads = [threading.Thread(target=run, args=(order,)) for order in orders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()


def test_updates_by_ufuncs_in_many_threads_are_all_kept():
    variable = tf.Variable(np.zeros(50))

    def run():
        for _ in range(200):
            np.add(variable, 1, out=variable)
            variable.assign_add(1.0, use_locking=True)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (variable.numpy() == 1600).all()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda t: np.add(X, X, out=t), "np.add: a tensor cannot be written to: got out=EagerTensor"),
        (lambda t: np.mean(X, out=t), "np.mean: a tensor cannot be written to: got out=EagerTensor"),
        (lambda t: np.copyto(t, X), "np.copyto: a tensor cannot be written to"),
        (lambda t: np.add.at(t, [0], 1.0), "np.add.at: it changes arrays only: .*; use scatter_add"),
        (lambda t: np.add.at(tf.Variable(X), [0], 1.0), "got Variable, expected an array; use scatter_add"),
    ],
)
def test_what_cannot_be_done_is_refused(call, words):
    tensor = tf.constant(X)
    with pytest.raises(TypeError, match=words):
        call(tensor)
    assert tensor.numpy().tolist() == X.tolist()


@pytest.mark.parametrize("write", [lambda v: np.put(v, [0], 9), lambda v: np.round(X, 0, v)])
def test_functions_that_write_by_position_find_a_read_only_array(write):
    variable = tf.Variable(np.zeros(3))
    with pytest.raises(ValueError, match="read-only"):
        write(variable)
    assert not variable.numpy().any()


def test_a_ufunc_leaves_operands_of_other_libraries_to_them():
    class Other:
        def __array_ufunc__(self, ufunc, method, *inputs, **arguments):
            return [type(each).__name__ for each in inputs]

        def __array_function__(self, function, types, arguments, keywords):
            return [type(each).__name__ for each in arguments[0]]

    assert np.add(tf.constant(X), Other()) == ["ndarray", "Other"]
    assert np.concatenate([tf.constant(X), Other()]) == ["ndarray", "Other"]


def test_an_array_and_a_variable_of_a_graph_add_an_operation():
    with tf.Graph().as_default():
        variable = tf.Variable([1.0, 2.0, 3.0])
        assert (X + variable).op.type == "AddV2"
        assert not hasattr(type(variable), "__array_ufunc__")
        with pytest.raises(TypeError, match="a tensor of a graph has no value before a Session runs it"):
            np.add(tf.constant(X), variable)
