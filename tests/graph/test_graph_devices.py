"""Devices of operations: device scopes, and colocation."""

from __future__ import annotations

import contextlib

import pytest

import nbvars as tf
from nbvars import DeviceSpec


@pytest.fixture(autouse=True)
def graph():
    with tf.Graph().as_default() as graph:
        yield graph


def device_in(*scopes):
    """Return the device of an operation that is made inside ``scopes``."""
    with contextlib.ExitStack() as stack:
        for scope in scopes:
            stack.enter_context(tf.device(scope))
        return tf.no_op(name="x").device


@pytest.mark.parametrize(
    ("scopes", "expected"),
    [
        ([], ""),
        (["/cpu:0"], "/device:CPU:0"),
        (["cpu:0"], "/device:CPU:0"),
        (["/GPU:1"], "/device:GPU:1"),
        (["/device:TPU:1"], "/device:TPU:1"),
        (["/gpu:*"], "/device:GPU:*"),
        (["/job:ps/task:1"], "/job:ps/task:1"),
        (["/job:x/replica:2/task:3/device:GPU:4"], "/job:x/replica:2/task:3/device:GPU:4"),
        (["/job:ps", "/cpu:0"], "/job:ps/device:CPU:0"),
        (["/job:ps/cpu:0", "/gpu:1"], "/job:ps/device:GPU:1"),
        (["/gpu:*", "/gpu:2"], "/device:GPU:2"),
        (["/gpu:2", "/gpu:*"], "/device:GPU:2"),
        (["/cpu:0", ""], "/device:CPU:0"),
        (["/job:a", "/job:b", "/task:3"], "/job:b/task:3"),
        (["/job:ps", None], ""),
        (["/job:ps/cpu:0", None, "/task:2"], "/task:2"),
        ([DeviceSpec(job="w", task=3), "/gpu:*"], "/job:w/task:3/device:GPU:*"),
        (["/cpu:0", DeviceSpec(job="w")], "/job:w/device:CPU:0"),
    ],
    ids=str,
)
def test_device_scopes_are_merged(scopes, expected):
    assert device_in(*scopes) == expected
    assert tf.no_op().device == ""


@pytest.mark.parametrize(
    ("scopes", "expected"),
    [
        ([lambda op: "/cpu:0"], "/device:CPU:0"),
        ([lambda op: DeviceSpec(job="s")], "/job:s"),
        ([lambda op: f"/job:{op.name}_{op.type}"], "/job:x_NoOp"),
        ([lambda op: ""], ""),
        ([lambda op: None], ""),
        (["/job:ps", lambda op: "/cpu:0"], "/job:ps/device:CPU:0"),
        (["/job:ps", lambda op: None], "/job:ps"),
        # What a function returns takes the place of what the inner scopes say.
        ([lambda op: "/cpu:0", "/job:ps"], "/device:CPU:0"),
        ([lambda op: f"/job:q{op.device}", "/gpu:3"], "/job:q/device:GPU:3"),
        ([lambda op: f"/task:1{op.device}", lambda op: "/cpu:0"], "/task:1/device:CPU:0"),
        ([lambda op: "/cpu:0", None], ""),
        (["/task:4", lambda op: "/job:r", "/gpu:0", "/gpu:1"], "/job:r/task:4"),
    ],
    ids=range(12),
)
def test_device_functions_choose_by_operation(scopes, expected):
    assert device_in(*scopes) == expected


@pytest.mark.parametrize(
    ("bad", "error"), [("bad", ValueError), ("/foo:1", ValueError), ("/cpu:0/gpu:0", ValueError), (3, TypeError)]
)
def test_what_is_no_device_is_refused(bad, error):
    with pytest.raises(error, match="device: a device"), tf.device(bad):
        pass
    assert tf.no_op().device == ""


def test_what_a_function_returns_must_be_a_device(graph):
    for function, error in (
        (lambda op: 3, TypeError),
        (lambda op: "bad", ValueError),
        (lambda op: 1 / 0, ArithmeticError),
    ):
        with tf.device(function), pytest.raises(error):
            tf.no_op()
    assert graph.get_operations() == []
    assert tf.no_op().device == ""


def test_tensors_and_variables_have_the_device_of_their_operation():
    with tf.device("/gpu:0"):
        v = tf.Variable([1.0], name="v")
        assert tf.constant(1.0).device == "/device:GPU:0"
    assert {v.device, v.op.device, v.initializer.device, v.value().device, v.initial_value.device} == {"/device:GPU:0"}
    with tf.device("/gpu:1"):
        assert tf.identity(v).device == "/device:GPU:1"


def test_updates_are_where_their_variable_is():
    with tf.device("/gpu:0"):
        v = tf.Variable([1, 2], name="v")
        counter = tf.Variable(1, name="c")
    slices = tf.IndexedSlices([1], [0])
    with tf.device("/gpu:1"), tf.colocate_with(tf.no_op(name="other")):
        updates = [v.assign([1, 2]), v.assign_add([1, 2]), v.assign_sub([1, 2]), v.scatter_sub(slices), v.initializer]
        updates += [v.value(), v.scatter_nd_add([[0]], [1]), tf.is_variable_initialized(v), v]
        counts = counter.count_up_to(3)
    for update in updates:
        op = getattr(update, "op", update)
        assert op.device == "/device:GPU:0"
        assert b"loc:@v" in op.colocation_groups()
    assert counts.device == "/device:GPU:0"
    assert b"loc:@c" in counts.op.colocation_groups()


@pytest.fixture
def a():
    with tf.device("/cpu:0"):
        return tf.constant(1.0, name="a")


@pytest.fixture
def b():
    with tf.device("/gpu:1"):
        return tf.constant(1.0, name="b")


def placed(op):
    return op.device, [group.decode() for group in op.colocation_groups()]


def test_an_operation_is_a_group_of_its_own(a):
    assert placed(a.op) == ("/device:CPU:0", ["loc:@a"])
    assert placed(tf.no_op(name="x")) == ("", ["loc:@x"])


@pytest.mark.parametrize("form", [lambda a: a, lambda a: a.op, lambda a: "a", lambda a: "a:0"])
def test_colocation_takes_over_group_and_device(graph, a, form):
    with tf.device("/job:z/gpu:2"), graph.colocate_with(form(a)):
        assert placed(tf.no_op()) == ("/device:CPU:0", ["loc:@a"])
        with tf.device("/gpu:5"):
            assert placed(tf.no_op()) == ("/device:CPU:0", ["loc:@a"])
        with tf.device(None):
            assert placed(tf.no_op()) == ("/device:CPU:0", ["loc:@a"])
    assert placed(tf.no_op(name="last")) == ("", ["loc:@last"])


def test_colocation_blocks_add_up(a, b):
    with tf.colocate_with(a):
        with tf.colocate_with(b):
            both = tf.no_op()
            assert placed(both) == ("/device:GPU:1", ["loc:@a", "loc:@b"])
        with tf.colocate_with(b, ignore_existing=True):
            assert placed(tf.no_op()) == ("/device:GPU:1", ["loc:@b"])
        with tf.colocate_with(None, ignore_existing=True):
            assert placed(tf.no_op(name="w")) == ("", ["loc:@w"])
    with tf.colocate_with(both):
        assert placed(tf.no_op()) == ("/device:GPU:1", ["loc:@a", "loc:@b"])


def test_colocation_with_what_has_no_device():
    free = tf.no_op(name="free")
    with tf.device("/gpu:1"), tf.colocate_with(free):
        assert placed(tf.no_op()) == ("", ["loc:@free"])
        with tf.device("/gpu:2"):
            assert placed(tf.no_op()) == ("/device:GPU:2", ["loc:@free"])


def test_colocation_with_none_must_ignore_what_is_around(graph, a):
    words = r"Trying to reset colocation \(op is None\) but ignore_existing is not True: got op None, expected"
    with pytest.raises(ValueError, match=words), graph.colocate_with(None):
        pass


def test_colocation_needs_an_operation_of_the_graph(graph):
    with tf.Graph().as_default():
        other = tf.no_op(name="h")
    with pytest.raises(ValueError, match="h is not an element of this graph: it must be from the same graph"):
        tf.colocate_with(other).__enter__()
    with pytest.raises(TypeError, match="Can not convert a int into a Tensor or Operation"):
        tf.colocate_with(3).__enter__()
    assert placed(tf.no_op(name="x")) == ("", ["loc:@x"])


def test_exceptions_end_the_scopes(a):
    with pytest.raises(KeyError), tf.device("/gpu:0"), tf.colocate_with(a), tf.device(lambda op: "/gpu:1"):
        raise KeyError
    assert placed(tf.no_op(name="x")) == ("", ["loc:@x"])
