"""Graphs: what they hold, how it is found, and who may add to it."""

from __future__ import annotations

import copy
import pickle
import re
import threading

import numpy as np
import pytest

import nbvars as tf


@pytest.fixture(autouse=True)
def graph():
    with tf.Graph().as_default() as graph:
        yield graph


def fill(graph):
    """Add the operations ``a``, with one output, and ``n``, without any."""
    with graph.as_default():
        return tf.constant(1.0, name="a"), tf.no_op(name="n")


def test_version_counts_the_operations(graph):
    assert graph.version == 0
    fill(graph)
    assert graph.version == 2
    tf.constant(1.0) + 2.0
    assert graph.version == len(graph.get_operations()) == 5


def test_operations_come_in_the_order_in_which_they_were_made(graph):
    made = [tf.no_op(name=name) for name in ("b", "a", "c")]
    assert graph.get_operations() == made
    graph.get_operations().clear()
    assert graph.get_operations() == made


def test_seed_is_none_until_it_is_set(graph):
    assert graph.seed is None
    tf.set_random_seed(7)
    assert graph.seed == 7
    graph.seed = 8
    assert graph.seed == 8
    assert tf.Graph().seed is None


def test_elements_are_found_by_name(graph):
    a, n = fill(graph)
    v = tf.Variable(1.0, name="v")
    parts = tf.split(tf.ones([4]), 2, name="parts")
    assert graph.get_operation_by_name("n") is graph.as_graph_element("n") is n
    assert graph.get_operation_by_name("a") is graph.as_graph_element(a.op) is a.op
    assert graph.get_tensor_by_name("a:0") is graph.as_graph_element("a:0") is graph.as_graph_element(a) is a
    assert graph.get_tensor_by_name("parts:1") is parts[1]
    assert graph.as_graph_element(v) is graph.as_graph_element("v:0") is v.ref()
    assert graph.as_graph_element("v") is v.op
    assert graph.as_graph_element("a", allow_tensor=False) is a.op
    assert graph.as_graph_element("a:0", allow_operation=False) is a


@pytest.mark.parametrize(
    ("name", "error", "words"),
    [
        ("b", KeyError, "The name 'b' refers to an Operation not in the graph"),
        ("", KeyError, "The name '' refers to an Operation not in the graph"),
        ("A", KeyError, "The name 'A' refers to an Operation not in the graph"),
        ("b:0", KeyError, "The name 'b:0' refers to a Tensor which does not exist: got 'b:0', expected an operation"),
        (":0", KeyError, "The name ':0' refers to a Tensor which does not exist"),
        ("a:1", KeyError, "The name 'a:1' refers to a Tensor which does not exist: got 'a:1', expected an output of 1"),
        ("n:0", KeyError, "The name 'n:0' refers to a Tensor which does not exist: got 'n:0', expected an output of 0"),
        ("a:", ValueError, "The name 'a:' looks like a Tensor name, but is not a valid one: got 'a:', expected"),
        ("a:x", ValueError, "The name 'a:x' looks like a Tensor name, but is not a valid one"),
        ("a:-1", ValueError, "The name 'a:-1' looks like a Tensor name, but is not a valid one"),
        ("a:0:0", ValueError, "The name 'a:0:0' looks like a Tensor name, but is not a valid one"),
        ("a:" + "9" * 5000, ValueError, "looks like a Tensor name, but is not a valid one"),
    ],
    ids=range(12),
)
def test_names_that_are_not_there_are_refused(graph, name, error, words):
    fill(graph)
    with pytest.raises(error, match=words):
        graph.as_graph_element(name)


@pytest.mark.parametrize(
    ("name", "find", "words"),
    [
        ("a:0", "get_operation_by_name", "Name 'a:0' appears to refer to a Tensor, not a Operation"),
        ("b:0", "get_operation_by_name", "Name 'b:0' appears to refer to a Tensor, not a Operation"),
        (
            "a",
            "get_tensor_by_name",
            "The name 'a' refers to an Operation, not a Tensor: got 'a', expected Tensor names",
        ),
        ("b", "get_tensor_by_name", r"The name 'b' looks like an \(invalid\) Operation name, not a Tensor"),
    ],
)
def test_names_of_the_wrong_kind_are_refused(graph, name, find, words):
    fill(graph)
    with pytest.raises(ValueError, match=words):
        getattr(graph, find)(name)


@pytest.mark.parametrize("name", [3, None, b"a"])
def test_names_must_be_strings(graph, name):
    with pytest.raises(TypeError, match=f"Operation names are strings: got {type(name).__name__}, expected a string"):
        graph.get_operation_by_name(name)
    with pytest.raises(TypeError, match=f"Tensor names are strings: got {type(name).__name__}, expected a string"):
        graph.get_tensor_by_name(name)


@pytest.mark.parametrize("obj", [3, None, tf.float32, np.ones(2), ["a"]], ids=repr)
def test_what_is_no_element_is_refused(graph, obj):
    fill(graph)
    for kinds, described in (({}, "Tensor or Operation"), ({"allow_tensor": False}, "Operation")):
        words = f"Can not convert a {type(obj).__name__} into a {described}: got {re.escape(repr(obj))}, expected a"
        with pytest.raises(TypeError, match=words):
            graph.as_graph_element(obj, **kinds)


def test_elements_of_the_wrong_kind_are_refused(graph):
    a, n = fill(graph)
    with pytest.raises(TypeError, match="Can not convert a Operation into a Tensor: got <nbvars"):
        graph.as_graph_element(n, allow_operation=False)
    with pytest.raises(TypeError, match="Can not convert a GraphTensor into a Operation: got <nbvars"):
        graph.as_graph_element(a, allow_tensor=False)
    with pytest.raises(ValueError, match="allow_tensor and allow_operation can't both be False"):
        graph.as_graph_element(a, allow_tensor=False, allow_operation=False)
    with tf.eager_mode(), pytest.raises(TypeError, match="Can not convert a EagerTensor into a Tensor or Operation"):
        graph.as_graph_element(tf.constant(1.0))


def test_elements_of_another_graph_are_refused(graph):
    other = tf.Graph()
    for element in (*fill(other), other.get_operation_by_name("a")):
        words = f"{element.name} is not an element of this graph: it must be from the same graph: got <nbvars.graph"
        with pytest.raises(ValueError, match=words):
            graph.as_graph_element(element)


def test_create_op_takes_any_type(graph):
    a, _ = fill(graph)
    op = graph.create_op("Anything", [a, a], ["float32", tf.int64], name="x", attrs={"k": 3, "text": "t"})
    assert (op.type, op.name, op.graph) == ("Anything", "x", graph)
    assert op.inputs == [a, a]
    assert [(output.dtype, output.shape.ndims, output.value_index) for output in op.outputs] == [
        (tf.float32, None, 0),
        (tf.int64, None, 1),
    ]
    assert (op.get_attr("k"), op.get_attr("text")) == (3, "t")
    assert [graph.create_op("Anything", []).name for _ in range(2)] == ["Anything", "Anything_1"]
    with graph.name_scope("s"), tf.control_dependencies([op]), tf.device("/gpu:0"):
        inner = graph.create_op("NoOp", [], [], name="_x")
    assert (inner.name, inner.control_inputs, inner.device) == ("s/_x", [op], "/device:GPU:0")
    assert graph.get_operation_by_name("s/_x") is inner


def test_create_op_of_a_type_that_nbvars_knows_can_be_run(graph):
    x = tf.constant([1.0, -2.0])
    y = graph.create_op("Neg", [x], [tf.float32]).outputs[0]
    with tf.Session() as session:
        assert session.run(y).tolist() == [-1, 2]
        unknown = graph.create_op("Anything", [x], [tf.float32])
        with pytest.raises(tf.errors.UnimplementedError, match="no kernel for the operation 'Anything'"):
            session.run(unknown)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ((3, []), TypeError, "create_op: op_type is no name: got 3, expected a string such as 'MatMul'"),
        (("", []), TypeError, "create_op: op_type is no name: got '', expected a string"),
        (("Neg", [3.0]), TypeError, "create_op: an input is no tensor: got 3.0, expected a tensor of this graph"),
        (("Neg", [None]), TypeError, "create_op: an input is no tensor: got None"),
        (("Neg", [], ["nothing"]), TypeError, "nothing"),
        (("Neg", [], [], None, "a b"), ValueError, "the name is not valid: got 'a b'"),
        (("Neg", [], [], None, "_a"), ValueError, "the name is not valid: got '_a'"),
        (("Neg", [], [], None, "a:0"), ValueError, "the name is not valid: got 'a:0'"),
    ],
    ids=range(8),
)
def test_create_op_checks_its_arguments(graph, arguments, error, words):
    with pytest.raises(error, match=words):
        graph.create_op(*arguments)
    assert graph.version == 0


@pytest.mark.parametrize(
    "use",
    [
        lambda graph, a, w, x, v, n: a + x,
        lambda graph, a, w, x, v, n: x + a,
        lambda graph, a, w, x, v, n: tf.concat([w, v], 0),
        lambda graph, a, w, x, v, n: w * v,
        lambda graph, a, w, x, v, n: w.assign(v),
        lambda graph, a, w, x, v, n: w.assign_add(tf.identity(v)),
        lambda graph, a, w, x, v, n: tf.scatter_sub(w, tf.range(2), v),
        lambda graph, a, w, x, v, n: tf.assign_sub(v, w),
        lambda graph, a, w, x, v, n: graph.create_op("Neg", [x]),
        lambda graph, a, w, x, v, n: tf.group(a, x),
        lambda graph, a, w, x, v, n: tf.group(n, a.op),
        lambda graph, a, w, x, v, n: tf.tuple([a, x]),
        lambda graph, a, w, x, v, n: graph.colocate_with(x).__enter__(),
        lambda graph, a, w, x, v, n: graph.control_dependencies([n]).__enter__(),
        lambda graph, a, w, x, v, n: graph.prevent_feeding(x),
        lambda graph, a, w, x, v, n: graph.is_fetchable(n),
        lambda graph, a, w, x, v, n: tf.name_scope("s", values=[a, n]).__enter__(),
    ],
    ids=range(17),
)
def test_graphs_are_not_mixed(graph, use):
    with tf.Graph().as_default() as other:
        x, n = fill(other)
        v = tf.Variable([1.0, 2.0], name="v")
    a, w = tf.constant(1.0), tf.Variable([1.0, 2.0])
    versions = graph.version, other.version
    with pytest.raises(ValueError, match="must be from the same graph"):
        use(graph, a, w, x, v, n)
    made = graph.get_operations()[versions[0] :] + other.get_operations()[versions[1] :]
    # What came before the error may stay; nothing has inputs of both graphs.
    assert {op.type for op in made} <= {"Const", "Identity", "Range"}
    assert all(tensor.graph is op.graph for op in made for tensor in op.inputs)


@pytest.mark.parametrize(
    "add",
    [
        lambda graph: tf.constant(1.0),
        lambda graph: graph.get_tensor_by_name("a:0") + graph.get_tensor_by_name("a:0"),
        lambda graph: tf.Variable(1.0),
        lambda graph: tf.Variable(graph.get_tensor_by_name("a:0")),
        lambda graph: tf.placeholder("float32"),
        lambda graph: tf.no_op(),
        lambda graph: tf.group(graph.get_operation_by_name("n")),
        lambda graph: graph.create_op("NoOp", [], []),
        lambda graph: graph.get_collection("variables")[0].assign_add(1.0),
        lambda graph: graph.get_collection("variables")[0].read_value(),
        lambda graph: graph.add_to_collection("mine", 1),
        lambda graph: tf.IndexedSlices([1.0], [0]).values,
    ],
    ids=range(12),
)
def test_a_finalized_graph_cannot_be_added_to(graph, add):
    fill(graph)
    tf.Variable(1.0)
    assert not graph.finalized
    graph.finalize()
    assert graph.finalized
    version, collections = graph.version, graph.get_all_collection_keys()
    with pytest.raises(RuntimeError, match="Graph is finalized and cannot be modified: got an addition, expected none"):
        add(graph)
    assert graph.version == version
    assert graph.get_all_collection_keys() == collections
    graph.finalize()


def test_a_finalized_graph_can_be_run_and_asked(graph):
    a, n = fill(graph)
    v, x = tf.Variable(3.0), tf.placeholder("float32")
    graph.finalize()
    with tf.Session() as session, tf.control_dependencies([n]), tf.name_scope("s"), tf.device("/cpu:0"):
        session.run(v.initializer)
        assert session.run([a, v, x, n], {x: 5}) == [1, 3, 5, None]
        v.load(4.0)
        assert v.eval() == 4
    graph.prevent_feeding(x)
    x.set_shape([2])
    graph.seed = 3
    assert graph.unique_name("a") == "a_1"


def test_feeding_can_be_prevented(graph):
    a, n = fill(graph)
    v = tf.Variable(1.0)
    assert graph.is_feedable(a)
    assert graph.is_feedable("a:0")
    assert graph.is_feedable(v)
    graph.prevent_feeding(a)
    assert not graph.is_feedable(a)
    assert graph.is_fetchable(a)
    with tf.Session() as session, pytest.raises(ValueError, match="Tensor a:0 may not be fed"):
        session.run(a, {a: 2.0})
    with pytest.raises(TypeError, match="Can not convert a Operation into a Tensor"):
        graph.is_feedable(n)
    with pytest.raises(TypeError, match="Can not convert a int into a Tensor"):
        graph.prevent_feeding(3)


def test_fetching_can_be_prevented(graph):
    a, n = fill(graph)
    b = tf.constant(2.0)
    for element in (a, a.op, n, b, "n"):
        assert graph.is_fetchable(element)
    graph.prevent_fetching(a.op)
    graph.prevent_fetching(n)
    graph.prevent_fetching(b)
    for element in (a, a.op, n, b, b.op, "n", "a:0"):
        assert not graph.is_fetchable(element)
    assert graph.is_feedable(a)
    with tf.Session() as session:
        for element in (a, n):
            with pytest.raises(ValueError, match="has been marked as not fetchable"):
                session.run(element)
        assert session.run(a + 1.0) == 2


def test_parts_of_a_graph_are_their_own_copies(graph):
    a, n = fill(graph)
    for part in (graph, a, n, tf.Variable(1.0)):
        assert copy.copy(part) is part
        assert copy.deepcopy(part) is part
        assert copy.deepcopy({"part": [part]})["part"][0] is part


def test_parts_of_a_graph_cannot_be_pickled(graph):
    a, n = fill(graph)
    for part in (graph, a, n, tf.Variable(1.0), [a]):
        with pytest.raises(TypeError, match=r"pickle: a (part|variable) of a graph cannot be pickled: got <nbvars"):
            pickle.dumps(part)


def test_threads_add_to_one_graph_without_losing_anything(graph):
    num_threads, num_ops = 8, 200
    start = threading.Barrier(num_threads)
    x = tf.constant(1.0, name="x")
    made, errors = [[] for _ in range(num_threads)], []

    def add(thread):
        try:
            start.wait()
            with graph.as_default(), tf.name_scope(f"thread{thread}/"), tf.device(f"/task:{thread}"):
                for i in range(num_ops):
                    y = tf.identity(x, name="y")
                    graph.create_op("NoOp", [], [], name=f"/all/{i}")
                    graph.add_to_collection("made", y)
                    made[thread].append(y)
        except BaseException as error:
            errors.append(error)
            raise

    threads = [threading.Thread(target=add, args=(i,)) for i in range(num_threads)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    ops = graph.get_operations()
    assert len(ops) == len({op.name.lower() for op in ops}) == 1 + 2 * num_threads * num_ops
    assert [op._id for op in ops] == list(range(len(ops)))
    assert len(x.consumers()) == len(graph.get_collection("made")) == num_threads * num_ops
    for i, tensors in enumerate(made):
        assert [y.name for y in tensors] == [f"thread{i}/y:0"] + [f"thread{i}/y_{k}:0" for k in range(1, num_ops)]
        assert {y.device for y in tensors} == {f"/task:{i}"}


def test_threads_that_ask_for_one_name_get_different_ones(graph):
    num_threads, num_ops = 8, 200
    start = threading.Barrier(num_threads)

    def add():
        start.wait()
        for _ in range(num_ops):
            graph.create_op("NoOp", [], [], name="n")

    threads = [threading.Thread(target=add) for _ in range(num_threads)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expected = {"n", *(f"n_{i}" for i in range(1, num_threads * num_ops))}
    assert {op.name for op in graph.get_operations()} == expected
    assert graph.version == len(expected)
