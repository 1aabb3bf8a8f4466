"""Operations and tensors of a graph: their properties, and what they refuse."""

from __future__ import annotations

import operator
import re

import numpy as np
import pytest

import nbvars as tf


@pytest.fixture(autouse=True)
def graph():
    with tf.Graph().as_default() as graph:
        yield graph


@pytest.fixture
def x():
    return tf.placeholder("float32", [3], name="x")


def test_properties_of_a_tensor(graph, x):
    with tf.device("/cpu:0"):
        y = tf.add(x, x, name="y")
    assert isinstance(y, tf.Tensor)
    assert (y.name, y.dtype, y.shape, y.get_shape()) == ("y:0", tf.float32, [3], tf.TensorShape([3]))
    assert (y.device, y.value_index, y.ndim) == ("/device:CPU:0", 0, 1)
    assert y.graph is y.op.graph is graph
    assert y.op.outputs == [y]
    assert x.consumers() == [y.op, y.op]
    assert y.consumers() == []
    assert repr(y) == str(y) == f"{y}" == "<nbvars.Tensor 'y:0' shape=(3,) dtype=float32>"


def test_properties_of_an_operation(graph, x):
    gate = tf.no_op(name="gate")
    with tf.control_dependencies([gate]), tf.device("/gpu:1"):
        op = tf.add(x, x, name="y").op
    assert isinstance(op, tf.Operation)
    assert (op.name, op.type, op.device) == ("y", "AddV2", "/device:GPU:1")
    assert op.inputs == [x, x]
    assert op.values() == (op.outputs[0],)
    assert op.control_inputs == [gate]
    assert op.colocation_groups() == [b"loc:@y"]
    assert op.graph is graph
    assert gate.inputs == gate.outputs == gate.control_inputs == []
    assert repr(op) == "<nbvars.Operation 'y' type=AddV2>"


def test_outputs_are_numbered():
    parts = tf.split(tf.ones([4]), 2, name="parts")
    assert [(part.name, part.value_index) for part in parts] == [("parts:0", 0), ("parts:1", 1)]
    assert parts[0].op is parts[1].op
    assert parts[0].op.outputs == list(parts)


def test_changing_the_lists_of_an_operation_changes_nothing(x):
    op = tf.exp(x).op
    for values in (op.inputs, op.outputs, op.control_inputs, x.consumers()):
        values.append(None)
    assert None not in [*op.inputs, *op.outputs, *op.control_inputs, *x.consumers()]


def test_attributes_of_an_operation():
    op = tf.placeholder("int64", [None, 2]).op
    assert op.get_attr("dtype") is tf.int64
    assert op.get_attr("shape").as_list() == [None, 2]
    with pytest.raises(ValueError, match="operation 'Placeholder' has no such attribute: got 'nope', expected one of"):
        op.get_attr("nope")


@pytest.mark.parametrize(
    ("shape", "expected"),
    [(None, "<unknown>"), ([], "()"), ([None, 2], "(None, 2)"), ([3], "(3,)")],
)
def test_repr_shows_what_is_known_of_the_shape(shape, expected):
    tensor = tf.placeholder("int32", shape, name="p")
    assert repr(tensor) == f"<nbvars.Tensor 'p:0' shape={expected} dtype=int32>"


def test_set_shape_adds_to_what_is_known():
    tensor = tf.placeholder("float32", None)
    for added, known in [
        (None, None),
        ([None, None], [None, None]),
        ([None, 3], [None, 3]),
        (None, [None, 3]),
        (tf.TensorShape([2, None]), [2, 3]),
        ((2, 3), [2, 3]),
    ]:
        tensor.set_shape(added)
        assert (None if tensor.shape.ndims is None else tensor.shape.as_list()) == known
    assert tf.exp(tensor).shape == [2, 3]


@pytest.mark.parametrize(
    ("shape", "error"),
    [([3, 3], ValueError), ([3], ValueError), ([2, 3, 1], ValueError), ([], ValueError), ("a", TypeError)],
)
def test_set_shape_refuses_what_contradicts(shape, error):
    tensor = tf.placeholder("float32", [2, None])
    with pytest.raises(error, match=r"got .*, expected"):
        tensor.set_shape(shape)
    assert tensor.shape.as_list() == [2, None]


def test_tensors_are_equal_to_themselves_alone(x):
    y, same = tf.identity(x), x
    assert x == same
    assert x != y
    assert not (x == 1)  # noqa: SIM201 - the operator itself
    assert (x == None) is False  # noqa: E711
    assert (np.ones(3) == x) is False
    assert x in [1, x]
    assert x not in [1, y]
    assert {x: 1, y: 2}[same] == 1
    assert len({x, y, same}) == 2
    assert hash(x) == hash(same)
    assert len({x.op, y.op, same.op}) == 2
    assert tf.equal(x, y).dtype is tf.bool


REFUSED = {
    "bool": (
        bool,
        "using a Tensor as a Python bool is not allowed in a graph: got {}, expected `is not None`, or the ops",
    ),
    "if": (lambda t: 1 if t else 2, "using a Tensor as a Python bool is not allowed"),
    "and": (lambda t: t and t, "using a Tensor as a Python bool is not allowed"),
    "iter": (iter, "Tensor objects are only iterable in eager mode: got {}, expected unstack(x) or while_loop"),
    "for": (list, "Tensor objects are only iterable in eager mode"),
    "unpack": (lambda t: [*t], "Tensor objects are only iterable in eager mode"),
    "len": (len, "a tensor of a graph has no value before a Session runs it: got {}, expected x.shape[0] or"),
    "reversed": (reversed, "a tensor of a graph has no value before a Session runs it"),
    "int": (int, "int: a tensor of a graph has no value before a Session runs it: got {}, expected the result of"),
    "float": (float, "float: a tensor of a graph has no value before a Session runs it"),
    "complex": (complex, "complex: a tensor of a graph has no value before a Session runs it"),
    "index": (lambda t: [1, 2][t], "index: a tensor of a graph has no value before a Session runs it"),
    "range": (range, "index: a tensor of a graph has no value before a Session runs it"),
    "numpy": (lambda t: t.numpy(), "numpy: a tensor of a graph has no value before a Session runs it"),
    "format": (lambda t: f"{t:.2f}", "format: a tensor of a graph has no value before a Session runs it"),
    "np.array": (
        np.array,
        "__array__: a tensor of a graph has no value before a Session runs it: got {}, expected the",
    ),
    "np.asarray": (np.asarray, "__array__: a tensor of a graph has no value"),
    "object": (lambda t: np.array(t, object), "__array__: a tensor of a graph has no value"),
    "list": (lambda t: np.array([t, t]), "__array__: a tensor of a graph has no value"),
    "mixed": (lambda t: np.array([t, 1], object), "__array__: a tensor of a graph has no value"),
    "exp": (np.exp, "__array__: a tensor of a graph has no value"),
    "np.add": (lambda t: np.add(np.ones(3), t), "__array__: a tensor of a graph has no value"),
    "maximum": (lambda t: np.maximum(t, 0), "__array__: a tensor of a graph has no value"),
    "sum": (np.sum, "__array__: a tensor of a graph has no value"),
    "dot": (lambda t: np.dot(np.ones(3), t), "__array__: a tensor of a graph has no value"),
    "stack": (lambda t: np.stack([t, t]), "__array__: a tensor of a graph has no value"),
    "where": (lambda t: np.where(t, 1, 2), "__array__: a tensor of a graph has no value"),
    "full": (lambda t: np.full(3, t), "__array__: a tensor of a graph has no value"),
}


@pytest.mark.parametrize(("use", "words"), REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize(
    "make", [lambda: tf.ones([3]), lambda: tf.Variable([1.0, 2.0, 3.0])], ids=["tensor", "variable"]
)
def test_a_tensor_of_a_graph_is_no_value(graph, make, use, words):
    tensor = make()
    version = graph.version
    with pytest.raises(TypeError, match=re.escape(words.format(tensor)) if "{}" in words else re.escape(words)):
        use(tensor)
    assert graph.version == version


@pytest.mark.parametrize(
    "apply",
    [operator.add, operator.sub, operator.mul, operator.truediv, operator.floordiv, operator.mod, operator.pow],
)
@pytest.mark.parametrize(
    "other", [np.full(3, 2, np.float32), np.float32(2), np.float64(2), np.int64(2), 2, [2.0, 2.0, 2.0]]
)
@pytest.mark.parametrize("make", [tf.constant, tf.Variable], ids=["tensor", "variable"])
def test_operators_with_arrays_and_numbers_on_either_side_make_tensors(make, apply, other):
    value = np.array([1, 2, 3], np.float32)
    tensor = make(value)
    results = [apply(tensor, other), apply(other, tensor)]
    assert all(type(result) is type(tf.constant(1)) for result in results)
    with tf.Session() as session:
        if isinstance(tensor, tf.Variable):
            session.run(tensor.initializer)
        plain = np.asarray(other, np.float32)
        np.testing.assert_allclose(session.run(results[0]), apply(value, plain), rtol=1e-6)
        np.testing.assert_allclose(session.run(results[1]), apply(plain, value), rtol=1e-6)


@pytest.mark.parametrize("apply", [operator.lt, operator.le, operator.gt, operator.ge])
@pytest.mark.parametrize("other", [np.full(3, 2, np.float32), np.float32(2), 2])
def test_comparisons_with_arrays_and_numbers_make_tensors(apply, other):
    value = np.array([1, 2, 3], np.float32)
    tensor = tf.constant(value)
    results = [apply(tensor, other), apply(other, tensor)]
    with tf.Session() as session:
        for got, expected in zip(session.run(results), [apply(value, other), apply(other, value)], strict=True):
            assert got.tolist() == expected.tolist()


def test_unary_operators_and_matmul_make_tensors():
    m = tf.constant([[1.0, -2.0], [3.0, 4.0]])
    array = np.array([[1, 1], [0, 1]], np.float32)
    with tf.Session() as session:
        got = session.run([-m, +m, abs(m), m @ array, array @ m, m[0], m[:, 1], ~tf.constant([True])])
    value = np.array([[1, -2], [3, 4]], np.float32)
    for result, expected in zip(got, [-value, value, abs(value), value @ array, array @ value], strict=False):
        np.testing.assert_array_equal(result, expected)
    assert [each.tolist() for each in got[5:]] == [[1, -2], [-2, 4], [False]]


def test_an_array_that_is_added_to_in_place_becomes_a_tensor(x):
    total = np.ones(3, np.float32)
    total += x
    assert isinstance(total, tf.Tensor)


def test_items_of_a_tensor_cannot_be_assigned(x):
    with pytest.raises(TypeError, match="does not support item assignment"):
        x[0] = 1.0


def test_eval_and_run_use_the_default_session(x):
    y, variable = x + 1.0, tf.Variable(2.0)
    words = "No default session is registered"
    for use in (lambda: y.eval({x: [1, 2, 3]}), variable.eval, variable.initializer.run):
        with pytest.raises(ValueError, match=words):
            use()
    with tf.Session() as session:
        assert variable.initializer.run() is None
        assert variable.eval() == 2
        assert y.eval({x: [1, 2, 3]}).tolist() == [2, 3, 4]
        assert y.eval(feed_dict={"x:0": [0, 0, 0]}).tolist() == [1, 1, 1]
        other = tf.Session()
        variable.initializer.run(session=other)
        other.run(variable.assign(9.0))
        assert [variable.eval(), variable.eval(session=other), (variable + 1.0).eval(session=session)] == [2, 9, 3]
    with tf.Graph().as_default(), tf.Session():
        with pytest.raises(ValueError, match="must be from the same graph as the session"):
            y.eval({x: [1, 2, 3]})
        with pytest.raises(ValueError, match="must be from the same graph as the session"):
            variable.initializer.run()


def test_attributes_that_the_inputs_tell_are_there():
    with tf.Graph().as_default():
        x = tf.constant([1.0, 2.0])
        assert tf.add(x, x).op.get_attr("T") is tf.float32
        assert tf.cast(x, tf.int32).op.get_attr("SrcT") is tf.float32
        assert tf.stack([x, x, x]).op.get_attr("N") == 3
        update = tf.Variable([1, 2]).scatter_add(tf.IndexedSlices([1], np.array([0])))
        assert update.op.get_attr("Tindices") is tf.int64
        with pytest.raises(ValueError, match=r"no such attribute: got 'nope', expected one of .*'T'"):
            tf.add(x, x).op.get_attr("nope")


def test_bit_operators_are_named_after_themselves(graph):
    for dtype in (tf.bool, tf.int32):
        x = tf.placeholder(dtype)
        results = [x & x, x | x, x ^ x]
        assert [each.name.split(":")[0].split("_")[0] for each in results] == ["and", "or", "xor"]


def test_a_name_is_a_string(graph):
    with pytest.raises(ValueError, match="the name is not valid: got 3"):
        tf.no_op(name=3)
