"""Control dependencies: which operations an operation waits for."""

from __future__ import annotations

import re

import numpy as np
import pytest

import nbvars as tf


@pytest.fixture(autouse=True)
def graph():
    with tf.Graph().as_default() as graph:
        yield graph


def names(op):
    """Return the names of the control inputs of what may be an operation, a tensor or a variable."""
    return [each.name for each in getattr(op, "op", op).control_inputs]


def test_blocks_add_up_without_duplicates(graph):
    a, b, c = (tf.no_op(name=name) for name in "abc")
    with tf.control_dependencies([a, b, a]):
        assert names(tf.no_op()) == ["a", "b"]
        with graph.control_dependencies([c, a]):
            assert names(tf.no_op()) == ["a", "b", "c"]
        assert names(tf.no_op()) == ["a", "b"]
    assert names(tf.no_op()) == []


def test_none_undoes_the_blocks_around(graph):
    a, b = tf.no_op(name="a"), tf.no_op(name="b")
    with tf.control_dependencies([a]):
        with tf.control_dependencies(None):
            assert names(tf.no_op()) == []
            with tf.control_dependencies([b]):
                assert names(tf.no_op()) == ["b"]
        assert names(tf.no_op()) == ["a"]


def test_what_the_inputs_imply_is_dropped():
    a, b = tf.constant(1.0, name="a"), tf.constant(2.0, name="b")
    with tf.control_dependencies([a, b]):
        x = tf.identity(a, name="x")
        y = tf.identity(x, name="y")
        with tf.control_dependencies([x]):
            z = tf.identity(a, name="z")
            made = [x, y, z, tf.identity(z), tf.identity(y)]
    assert [names(each) for each in made] == [["b"], [], ["b", "x"], [], ["x"]]


def test_an_op_of_an_earlier_block_implies_nothing():
    a = tf.no_op(name="a")
    with tf.control_dependencies([a]):
        x = tf.constant(1.0)
    with tf.control_dependencies([a]):
        y = tf.identity(x)
    assert names(x) == names(y) == ["a"]


def test_tensors_variables_slices_and_names_stand_for_their_operations():
    v = tf.Variable([1.0], name="v")
    t = tf.constant(1.0, name="t")
    s = tf.IndexedSlices(tf.constant([1.0], name="s"), tf.constant([0], name="i"))
    for control, expected in [(v, "v"), (t, "t"), (s, "s"), (v.initializer, "v/Assign"), ("t", "t"), ("t:0", "t")]:
        with tf.control_dependencies([control]):
            assert names(tf.no_op()) == [expected]
    with tf.control_dependencies(iter((t, v, t.op))):
        assert names(tf.no_op()) == ["t", "v"]
    with tf.control_dependencies(()):
        assert names(tf.no_op()) == []


def test_slices_of_arrays_become_constants_to_wait_for(graph):
    with tf.control_dependencies([tf.IndexedSlices(np.ones((1, 2), np.float32), [0])]):
        assert names(tf.no_op()) == ["Const"]


@pytest.mark.parametrize("make", [tf.no_op, lambda: tf.constant([1.0]), lambda: tf.Variable(1.0)])
def test_one_operation_tensor_or_variable_is_no_list(make):
    one = make()
    words = f"control_dependencies: control_inputs is no list: got {type(one).__name__}, expected a list of operations"
    with pytest.raises(TypeError, match=words), tf.control_dependencies(one):
        pass


@pytest.mark.parametrize("bad", [3, "a", tf.float32])
def test_what_is_no_list_is_refused(bad):
    words = f"control_inputs is no list: got {type(bad).__name__}, expected a list of operations and tensors, or None"
    with pytest.raises(TypeError, match=words), tf.control_dependencies(bad):
        pass


@pytest.mark.parametrize("bad", [3, None, 1.0, [1], np.ones(2), tf.float32], ids=repr)
def test_what_is_no_operation_is_refused(bad):
    words = f"Can not convert a {type(bad).__name__} into a Tensor or Operation: got {re.escape(repr(bad))}, expected"
    with pytest.raises(TypeError, match=words), tf.control_dependencies([tf.no_op(), bad]):
        pass
    assert names(tf.no_op()) == []


def test_a_name_that_is_not_there_is_a_key_error():
    with pytest.raises(KeyError, match="The name 'a' refers to an Operation not in the graph"):
        tf.control_dependencies(["a"]).__enter__()
    with pytest.raises(KeyError, match="The name 'a:0' refers to a Tensor which does not exist"):
        tf.control_dependencies(["a:0"]).__enter__()


def test_operations_of_another_graph_are_refused(graph):
    with tf.Graph().as_default():
        others = [tf.no_op(name="h"), tf.constant(1.0, name="h"), tf.Variable(1.0, name="h")]
    words = "h.* is not an element of this graph: it must be from the same graph: got <nbvars"
    for other in others:
        with pytest.raises(ValueError, match=words), tf.control_dependencies([tf.no_op(), other]):
            pass
    assert names(tf.no_op()) == []


def test_variables_wait_for_nothing():
    gate = tf.no_op(name="gate")
    with tf.control_dependencies([gate]):
        variables = [
            tf.Variable([1.0, 2.0], name="plain"),
            tf.Variable(lambda: tf.constant(3.0), name="callable"),
            tf.Variable(1, name="cached", caching_device="/cpu:0"),
            tf.Variable(1, name="free", validate_shape=False),
        ]
        update = variables[0].assign_add([1.0, 1.0])
    ops = [op for op in gate.graph.get_operations() if op.name.split("/")[0] in ("plain", "callable", "cached", "free")]
    assert len(ops) >= 16
    assert [op.name for op in ops if op.control_inputs] == []
    # Updates do wait: here the constant that the update takes, and thereby the update.
    assert names(update.op.inputs[1]) == ["gate"]
    assert names(update) == []


def test_updates_by_tensors_of_outside_wait():
    variable, delta, gate = tf.Variable([1.0]), tf.constant([2.0]), tf.no_op(name="gate")
    with tf.control_dependencies([gate]):
        assert names(variable.assign_add(delta)) == ["gate"]
        assert names(variable.read_value()) == ["gate"]
        assert names(tf.scatter_sub(variable, tf.constant([0]), delta)) == []  # its indices wait


def test_create_op_and_every_kind_of_op_wait():
    x, gate = tf.constant([1.0]), tf.no_op(name="gate")
    with tf.control_dependencies([gate]):
        ops = [x.graph.create_op("Any", [x], ["float32"]), tf.exp(x), tf.placeholder("int32"), tf.group(x), tf.no_op()]
    assert [names(op) for op in ops] == [["gate"]] * 3 + [["gate", "Const"]] + [["gate"]]


def test_an_exception_ends_the_block():
    gate = tf.no_op(name="gate")
    with pytest.raises(KeyError), tf.control_dependencies([gate]), tf.control_dependencies(None):
        raise KeyError
    assert names(tf.no_op()) == []


def test_control_inputs_run_before_what_waits_for_them():
    variable = tf.Variable(1.0)
    with tf.Session() as session:
        session.run(variable.initializer)
        with tf.control_dependencies([variable.assign(5.0)]):
            later = variable.read_value()
        assert session.run(later) == 5
        with tf.control_dependencies([tf.IndexedSlices(tf.reshape(variable.assign_add(1.0), [1]), [0])]):
            done = tf.no_op()
        assert session.run(done) is None
        assert session.run(variable) == 6


def test_tuple_stands_in_for_operations(graph):
    v = tf.Variable([1.0], name="v")
    op, value, nothing = tf.tuple([v.assign([2.0]).op, v.value(), None])
    assert (op.type, value.name, nothing) == ("NoOp", "tuple/control_dependency:0", None)
    with tf.Session() as session:
        session.run(v.initializer)
        assert session.run([op, value])[1].tolist() == [2.0]


def test_group_refuses_names(graph):
    with pytest.raises(TypeError, match="group: a name stands for no operation here: got 'x', expected operations"):
        tf.group("x")
