"""Collections in graph mode: the lists themselves, and what a finalized graph still allows."""

from __future__ import annotations

import gc

import pytest

import nbvars as tf
from nbvars import GraphKeys


@pytest.fixture(autouse=True)
def graph():
    with tf.Graph().as_default() as graph:
        yield graph


def test_a_collection_itself_changes_with_the_graph_and_the_graph_with_it(graph):
    reference = tf.get_collection_ref("mine")
    tf.add_to_collection("mine", 1)
    assert reference == [1]
    reference.append(2)
    assert tf.get_collection("mine") == graph.get_collection("mine") == [1, 2]
    assert graph.get_collection_ref("mine") is reference


@pytest.mark.parametrize(
    "change",
    [
        lambda values: values.append(4),
        lambda values: values.extend([4, 5]),
        lambda values: values.insert(1, 9),
        lambda values: values.insert(-1, 9),
        lambda values: values.insert(99, 9),
        lambda values: values.pop(),
        lambda values: values.pop(0),
        lambda values: values.remove(2),
        lambda values: values.reverse(),
        lambda values: values.clear(),
        lambda values: values.__setitem__(1, 7),
        lambda values: values.__setitem__(-1, None),
        lambda values: values.__setitem__(slice(0, 2), [7, 8, 9]),
        lambda values: values.__setitem__(slice(None, None, 2), [7, 8]),
        lambda values: values.__setitem__(slice(None), []),
        lambda values: values.__delitem__(1),
        lambda values: values.__delitem__(slice(1, None)),
        lambda values: values.__iadd__([5]),
        lambda values: values.index(3),
        lambda values: values.index(4),
        lambda values: values[5],
        lambda values: values.__setitem__(5, 1),
        lambda values: values.__delitem__(5),
        lambda values: values.remove(4),
    ],
    ids=range(24),
)
def test_a_collection_changes_as_a_list_does(change):
    outcomes = []
    reference, expected = tf.get_collection_ref("mine"), [1, 2, 3]
    reference.extend(expected)
    for values in (reference, expected):
        try:
            result = change(values)
            outcomes.append(result if isinstance(result, int) else None)
        except (IndexError, ValueError) as error:
            outcomes.append(type(error))
    assert outcomes[0] == outcomes[1]
    assert tf.get_collection("mine") == expected
    assert list(reference) == reference[:] == expected
    assert len(reference) == len(expected)
    assert repr(reference) == repr(expected)
    assert reference == expected
    assert reference != [*expected, 0]


def test_a_collection_cannot_be_hashed():
    with pytest.raises(TypeError, match="unhashable"):
        hash(tf.get_collection_ref("mine"))


def test_collections_are_equal_to_collections_and_lists_of_the_same_values(graph):
    graph.add_to_collections(["a", "b"], 1)
    assert graph.get_collection_ref("a") == graph.get_collection_ref("b")
    assert graph.get_collection_ref("a") != graph.get_collection_ref("c")
    assert graph.get_collection_ref("a") != (1,)


def test_none_is_a_value_like_any_other():
    tf.add_to_collection("mine", None)
    tf.add_to_collection("mine", 0)
    assert tf.get_collection("mine") == [None, 0]
    assert len(tf.get_collection_ref("mine")) == 2


def test_a_collection_that_was_cleared_leaves_the_list_that_it_was(graph):
    reference = graph.get_collection_ref("mine")
    reference.append(1)
    graph.clear_collection("mine")
    assert graph.get_collection("mine") == []
    assert graph.get_collection_ref("mine") is not reference
    assert reference == [1]


def test_collections_are_listed_if_they_hold_something(graph):
    graph.get_collection_ref("empty")
    graph.add_to_collection("b", 1)
    graph.add_to_collections(("a", "b"), 2)
    graph.add_to_collections("word", 3)
    assert graph.get_all_collection_keys() == graph.collections == ["b", "a", "word"]


def test_variables_of_a_graph_are_kept_by_their_collections():
    tf.Variable(1.0, name="v")
    tf.Variable(1.0, name="w", trainable=False)
    tf.Variable(1.0, name="x", collections=["mine", GraphKeys.LOCAL_VARIABLES])
    gc.collect()

    def names(*key):
        return [variable.name for variable in tf.get_collection(*key)]

    assert names(GraphKeys.GLOBAL_VARIABLES) == ["v:0", "w:0"]
    assert names(GraphKeys.TRAINABLE_VARIABLES) == ["v:0", "x:0"]
    assert names("mine") == names(GraphKeys.LOCAL_VARIABLES) == ["x:0"]
    assert names(GraphKeys.GLOBAL_VARIABLES, "w") == ["w:0"]


def test_a_scope_selects_whatever_has_a_name_that_begins_so():
    with tf.name_scope("layer"):
        a = tf.constant(1.0, name="a")
    b = tf.constant(1.0, name="b")
    for value in (a, b, 3, a.op):
        tf.add_to_collection("mine", value)
    assert tf.get_collection("mine", "layer") == [a, a.op]
    assert tf.get_collection("mine", ".*a") == [a, a.op]
    assert tf.get_collection("mine", "") == [a, b, a.op]
    assert tf.get_collection("mine", "ayer") == []
    assert tf.get_collection("mine") == [a, b, 3, a.op]


def test_a_finalized_graph_takes_nothing_into_its_collections(graph):
    graph.add_to_collection("mine", 1)
    graph.finalize()
    words = "Graph is finalized and cannot be modified"
    for change in (
        lambda: graph.add_to_collection("mine", 2),
        lambda: tf.add_to_collections(["mine", "other"], 2),
        lambda: graph.clear_collection("mine"),
    ):
        with pytest.raises(RuntimeError, match=words):
            change()
    assert graph.get_collection("mine") == [1]
    assert graph.get_collection_ref("mine") == [1]
    with tf.eager_mode(), pytest.raises(RuntimeError, match=words):
        tf.Variable(1.0)


def test_eager_variables_stay_weak_when_their_collection_is_changed(graph):
    with tf.eager_mode():
        first, second, third = (tf.Variable(float(i), name="v") for i in range(3))
    reference = tf.get_collection_ref(GraphKeys.VARIABLES)
    reference.insert(1, "between")
    del reference[2]
    assert [reference[0] is first, reference[1], reference[2] is third] == [True, "between", True]
    del first
    gc.collect()
    assert len(reference) == 2
    reference[0] = second
    del second, third
    gc.collect()
    assert [variable.name for variable in reference] == ["v_1:0"]  # what a user puts in stays
    assert len(tf.trainable_variables()) == 1
