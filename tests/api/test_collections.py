"""Collections of variables: which ones a variable joins, and that it leaves them when it is gone."""

from __future__ import annotations

import gc
import tracemalloc

import pytest

import nbvars as tf
from nbvars import GraphKeys


@pytest.fixture(autouse=True)
def _empty_graph():
    tf.reset_default_graph()


def test_variable_joins_the_standard_collections():
    variable = tf.Variable(1.0)
    for collection in (
        tf.all_variables(),
        tf.global_variables(),
        tf.trainable_variables(),
        tf.get_collection(GraphKeys.VARIABLES),
        tf.get_collection(GraphKeys.GLOBAL_VARIABLES),
        tf.get_collection(GraphKeys.TRAINABLE_VARIABLES),
        tf.get_collection("variables"),
        variable.graph.get_collection("trainable_variables"),
    ):
        assert type(collection) is list
        assert [kept is variable for kept in collection] == [True]
    assert tf.local_variables() == []


def test_variable_that_is_not_trainable_joins_no_trainable_variables():
    variable = tf.Variable(1.0, trainable=False)
    assert tf.trainable_variables() == []
    assert tf.all_variables()[0] is variable


@pytest.mark.parametrize("kind", [list, tuple, set])
def test_variable_joins_the_collections_that_it_is_given(kind):
    variable = tf.Variable(1.0, trainable=False, collections=kind([GraphKeys.LOCAL_VARIABLES, "mine"]))
    assert tf.local_variables()[0] is tf.get_collection("mine")[0] is variable
    assert tf.all_variables() == []


def test_trainable_variable_joins_the_trainable_ones_besides_its_collections():
    variable = tf.Variable(1.0, collections=["mine"])
    assert tf.trainable_variables()[0] is variable
    assert tf.all_variables() == []
    trainable = tf.Variable(1.0, collections=[GraphKeys.TRAINABLE_VARIABLES, "mine", "mine"])
    assert [kept is trainable for kept in tf.trainable_variables()] == [False, True]
    assert len(tf.get_collection("mine")) == 2


def test_variable_of_no_collections_joins_none():
    variable = tf.Variable(1.0, trainable=False, collections=[])
    assert tf.all_variables() == tf.trainable_variables() == []
    assert variable.numpy() == 1


def test_collections_keep_the_order_in_which_variables_were_made():
    variables = [tf.Variable(i) for i in range(20)]
    del variables[3:7]
    assert [kept is made for kept, made in zip(tf.all_variables(), variables, strict=True)] == [True] * 16


def test_deleted_variable_leaves_its_collections():
    variable, kept = tf.Variable(1.0, collections=["variables", "mine"]), tf.Variable(2.0)
    del variable
    assert tf.get_collection("mine") == []
    assert len(tf.all_variables()) == len(tf.trainable_variables()) == 1
    assert tf.all_variables()[0] is kept


def test_variable_in_a_cycle_leaves_its_collections():
    class Model:
        def __init__(self):
            self.me = self
            self.weights = tf.Variable([1.0])

    Model()
    gc.collect()
    assert tf.all_variables() == []


def test_a_list_of_variables_keeps_them():
    tf.Variable(1.0)
    kept = [tf.Variable(2.0)]
    collected = tf.all_variables()
    kept.clear()
    assert len(tf.all_variables()) == 1
    collected.clear()
    assert tf.all_variables() == []


def test_many_variables_leave_nothing_behind():
    def make(number):
        for _ in range(number):
            tf.Variable(0.0).assign_add(1.0)

    make(100)
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        objects = len(gc.get_objects())
        make(10_000)
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
        assert len(gc.get_objects()) - objects < 100
    finally:
        tracemalloc.stop()
    assert after - before < 40_000  # half a pointer for each variable
    assert tf.all_variables() == tf.trainable_variables() == []
    assert tf.Variable(0.0).name == "Variable_10100:0"


def test_get_collection_filters_by_the_beginning_of_the_name():
    with tf.name_scope("layer"):
        first, second = tf.Variable(1.0, name="w"), tf.Variable(1.0, name="b")
    other = tf.Variable(1.0, name="w")
    assert [kept is first for kept in tf.get_collection("variables", "layer/w")] == [True]
    for function in (tf.global_variables, tf.trainable_variables):
        assert {kept.name for kept in function("layer")} == {first.name, second.name}
        assert {kept.name for kept in function(".*w")} == {first.name, other.name}
        assert function("nothing") == []
    assert tf.local_variables("layer") == []


def test_values_that_are_added_are_kept():
    tf.add_to_collection("losses", 1.5)
    tf.add_to_collection("losses", "two")
    tf.add_to_collections(["losses", "updates", "updates"], 3)
    tf.add_to_collections("losses", 4)
    assert tf.get_collection("losses") == [1.5, "two", 3, 4]
    assert tf.get_collection("updates") == [3]
    assert tf.get_collection("losses", ".*") == []  # these have no names


def test_added_variable_is_kept_by_the_collection():
    tf.add_to_collection("mine", tf.Variable([1.0, 2.0], collections=[]))
    assert tf.get_collection("mine")[0].numpy().tolist() == [1, 2]


def test_get_collection_returns_a_copy():
    tf.add_to_collection("mine", 1)
    tf.get_collection("mine").append(2)
    tf.get_collection("none").append(2)
    assert tf.get_collection("mine") == [1]
    assert tf.get_collection("none") == []


def test_collections_can_be_listed_and_cleared():
    graph = tf.get_default_graph()
    variable = tf.Variable(1.0)
    tf.add_to_collection("mine", 1)
    assert graph.get_all_collection_keys() == ["variables", "trainable_variables", "mine"]
    graph.clear_collection("mine")
    graph.clear_collection("variables")
    graph.clear_collection("never there")
    assert graph.get_all_collection_keys() == ["trainable_variables"]
    assert tf.all_variables() == []
    assert variable.numpy() == 1


def test_variable_that_left_a_cleared_collection_is_no_trouble():
    variable, other = tf.Variable(1.0), tf.Variable(2.0)
    tf.get_default_graph().clear_collection("variables")
    tf.get_default_graph().add_to_collection("variables", other)
    del variable
    assert tf.all_variables()[0] is other


def test_graphs_have_their_own_collections():
    variable = tf.Variable(1.0)
    tf.reset_default_graph()
    assert tf.all_variables() == []
    assert variable.graph is not tf.get_default_graph()
    assert variable.graph.get_collection("variables")[0] is variable
    graph = tf.Graph()
    graph.add_to_collection("mine", 1)
    assert tf.get_collection("mine") == []


def test_graph_keys_are_those_of_tensorflow():
    assert GraphKeys.VARIABLES == GraphKeys.GLOBAL_VARIABLES == "variables"
    assert GraphKeys.TRAINABLE_VARIABLES == "trainable_variables"
    assert GraphKeys.LOCAL_VARIABLES == "local_variables"


def test_eager_is_the_mode():
    assert tf.executing_eagerly() is True


def test_a_collection_needs_a_name_that_can_be_hashed():
    words = r"collection: the name of a collection cannot be hashed: got \[1\], expected a string"
    tf.reset_default_graph()
    for use in (
        lambda: tf.add_to_collection([1], 2),
        lambda: tf.add_to_collections([[1]], 2),
        lambda: tf.get_collection([1]),
        lambda: tf.Variable(0.0, collections=[[1]]),
    ):
        with pytest.raises(TypeError, match=words):
            use()
    assert tf.Variable(0.0).name == "Variable:0"
