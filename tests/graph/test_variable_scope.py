"""Variable scopes: names, defaults and ``reuse``, of scopes within scopes and of scopes opened again."""

from __future__ import annotations

import threading

import numpy as np
import pytest

import nbvars as tf
from nbvars import GraphKeys
from nbvars.variables import initializers
from nbvars.variables.partitioned_variable import PartitionedVariable
from nbvars.variables.partitioners import fixed_size_partitioner
from nbvars.variables.scope_state import VariableScope
from nbvars.variables.variable_scope import (
    get_local_variable,
    get_variable,
    get_variable_scope,
    no_regularizer,
    variable_op_scope,
    variable_scope,
)
from nbvars.variables.variable_store import AUTO_REUSE


@pytest.fixture(params=["graph", "eager"], autouse=True)
def mode(request):
    if request.param == "graph":
        with tf.Graph().as_default():
            yield request.param
    else:
        tf.reset_default_graph()
        yield request.param
        tf.reset_default_graph()


@pytest.fixture
def graph():
    with tf.Graph().as_default() as graph:
        yield graph


def variable(name="w", **options):
    return get_variable(name, [2], **options)


def test_names_of_variables_begin_with_those_of_the_scopes():
    with variable_scope("a"):
        assert variable().name == "a/w:0"
        with variable_scope("b"):
            assert variable().name == "a/b/w:0"
        assert variable("v").name == "a/v:0"
    assert variable().name == "w:0"


def test_scope_of_several_levels():
    with variable_scope("a/b") as scope:
        assert scope.name == "a/b"
        assert variable().name == "a/b/w:0"


def test_scope_is_left_after_an_error():
    with pytest.raises(KeyError), variable_scope("a"):
        raise KeyError
    assert get_variable_scope().name == ""


def test_current_scope_is_the_one_that_was_opened():
    with variable_scope("a") as scope:
        assert get_variable_scope() is scope
        with variable_scope("b") as inner:
            assert get_variable_scope() is inner
        assert get_variable_scope() is scope


def test_outermost_scope_has_no_name_and_no_defaults():
    scope = get_variable_scope()
    assert (scope.name, scope.original_name_scope, scope.reuse, scope.dtype) == ("", "", False, tf.float32)
    kept = ("initializer", "regularizer", "caching_device", "partitioner", "custom_getter", "constraint")
    assert [getattr(scope, name) for name in kept] == [None] * len(kept)


def test_operations_are_in_a_name_scope_that_gets_a_number_when_it_is_opened_again(graph):
    with variable_scope("a") as scope:
        first = tf.constant(1, name="c")
    with variable_scope("a") as same_name:
        second = tf.constant(1, name="c")
    with variable_scope(scope) as same_scope:
        third = tf.constant(1, name="c")
    assert [c.name for c in (first, second, third)] == ["a/c:0", "a_1/c:0", "a_2/c:0"]
    assert [s.name for s in (scope, same_name, same_scope)] == ["a", "a", "a"]
    assert [s.original_name_scope for s in (scope, same_name, same_scope)] == ["a/", "a_1/", "a/"]


def test_original_name_scope_can_be_opened_again(graph):
    with variable_scope("a") as scope:
        pass
    with variable_scope(scope, auxiliary_name_scope=False) as again, tf.name_scope(again.original_name_scope):
        assert variable().name == "a/w:0"
        assert tf.constant(1, name="c").name == "a/c:0"


def test_without_a_name_scope_operations_stay_where_they_are(graph):
    with tf.name_scope("n"), variable_scope("b", auxiliary_name_scope=False) as scope:
        assert (scope.original_name_scope, variable().name) == ("n/", "b/w:0")
        assert tf.constant(1, name="c").name == "n/c:0"
    with variable_scope("d", auxiliary_name_scope=False) as scope:
        assert scope.original_name_scope == ""
        assert tf.constant(1, name="c").name == "c:0"


def test_scope_is_entered_again_from_anywhere(graph):
    with variable_scope("a"), variable_scope("b") as scope:
        variable()
    with variable_scope("c"), variable_scope(scope, reuse=True):
        assert variable().name == "a/b/w:0"
        assert tf.constant(1, name="c").name == "c/b/c:0"


def test_outermost_scope_can_be_entered_again():
    outermost = get_variable_scope()
    with variable_scope("a"), variable_scope(outermost) as scope:
        assert scope.name == ""
        assert variable().name == "w:0"


def test_changes_of_a_scope_entered_again_stay_there():
    with variable_scope("a") as scope:
        pass
    with variable_scope(scope) as again:
        again.reuse_variables()
        again.set_dtype(tf.int32)
    assert (scope.reuse, scope.dtype) == (False, tf.float32)


def test_reuse_reaches_inner_scopes():
    with variable_scope("a"), variable_scope("b"):
        first = variable()
    with variable_scope("a", reuse=True) as scope, variable_scope("b") as inner:
        assert (scope.reuse, inner.reuse) == (True, True)
        assert variable() is first


@pytest.mark.parametrize("reuse", [None, False])
def test_inner_scope_cannot_undo_reuse(reuse):
    with variable_scope("a", reuse=True), variable_scope("b", reuse=reuse) as scope:
        assert scope.reuse is True


def test_inner_scope_may_be_stricter():
    with variable_scope("a", reuse=AUTO_REUSE), variable_scope("b", reuse=True) as scope:
        assert scope.reuse is True
        with pytest.raises(ValueError, match="does not exist"):
            variable()


def test_scope_entered_again_has_its_own_reuse():
    with variable_scope("a") as scope:
        variable()
    with variable_scope("b", reuse=True), variable_scope(scope) as again:
        assert again.reuse is False
        assert variable("v").name == "a/v:0"


def test_reuse_variables_holds_until_the_end_of_the_scope():
    with variable_scope("a") as scope:
        first = variable()
        scope.reuse_variables()
        assert variable() is first
        with pytest.raises(ValueError, match="does not exist"):
            variable("v")
    with variable_scope("a"):
        assert variable("v").name == "a/v:0"


def test_auto_reuse_makes_what_is_missing_and_shares_what_is_there():
    def model():
        with variable_scope("a", reuse=AUTO_REUSE):
            return variable()

    assert model() is model()


def test_default_name_gets_a_number():
    names = []
    for _ in range(3):
        with variable_scope(None, default_name="layer"):
            names.append(variable().name)
    assert names == ["layer/w:0", "layer_1/w:0", "layer_2/w:0"]


def test_default_name_is_not_used_beside_a_name():
    for _ in range(2):
        with variable_scope("a", "layer") as scope:
            assert scope.name == "a"


def test_default_name_passes_over_names_in_use():
    with variable_scope("layer"), variable_scope("inner"):
        pass
    with variable_scope("layer_1"):
        pass
    with variable_scope(None, "layer") as scope:
        assert scope.name == "layer_2"


def test_numbers_start_anew_when_a_scope_is_opened_again():
    def inner_names():
        names = []
        for _ in range(2):
            with variable_scope(None, "bar") as inner:
                names.append(inner.name)
        return names

    with variable_scope("foo") as scope:
        first = inner_names()
    with variable_scope(scope):
        second = inner_names()
    with variable_scope("foo"):
        third = inner_names()
    assert first == second == third == ["foo/bar", "foo/bar_1"]


DEFAULTS = {
    "initializer": initializers.ones_initializer(),
    "regularizer": no_regularizer,
    "caching_device": "/cpu:0",
    "partitioner": fixed_size_partitioner(1),
    "custom_getter": lambda getter, *args, **kwargs: getter(*args, **kwargs),
    "dtype": tf.float64,
    "use_resource": True,
}


@pytest.mark.parametrize("name", DEFAULTS)
def test_defaults_reach_inner_scopes_and_scopes_entered_again(name):
    with variable_scope("a", **{name: DEFAULTS[name]}) as scope:
        assert getattr(scope, name) is DEFAULTS[name]
        with variable_scope("b") as inner:
            assert getattr(inner, name) is DEFAULTS[name]
    with variable_scope(scope) as again:
        assert getattr(again, name) is DEFAULTS[name]
    assert getattr(get_variable_scope(), name) is not DEFAULTS[name]


@pytest.mark.parametrize("name", DEFAULTS)
def test_defaults_can_be_set_within_the_scope(name):
    with variable_scope("a") as scope:
        getattr(scope, f"set_{name}")(DEFAULTS[name])
        with variable_scope("b") as inner:
            assert getattr(inner, name) is DEFAULTS[name]


def test_constraint_holds_in_its_own_scope_alone():
    with variable_scope("a", constraint=tf.square) as scope:
        assert variable().constraint is tf.square
        assert variable("v", constraint=tf.abs).constraint is tf.abs
        with variable_scope("b"):
            assert variable().constraint is None
    with variable_scope(scope) as again:
        assert again.constraint is None


def test_initializer_and_dtype_of_the_scope_are_used():
    with variable_scope("a", initializer=initializers.constant_initializer(3), dtype=tf.float64):
        first, second = variable(), variable("v", initializer=initializers.zeros_initializer(), dtype=tf.float32)
    assert [each.dtype.base_dtype for each in (first, second)] == [tf.float64, tf.float32]
    if tf.executing_eagerly():
        np.testing.assert_array_equal([first.numpy(), second.numpy()], [[3, 3], [0, 0]])


def test_initializer_of_the_scope_may_be_a_value():
    with variable_scope("a", initializer=3):
        assert get_variable("n").dtype.base_dtype is tf.int32
        with pytest.raises(ValueError, match="explicit dtype 'float32' don't match"):
            get_variable("x", dtype=tf.float32)


def test_regularizer_of_the_scope_can_be_kept_away():
    with variable_scope("a", regularizer=tf.reduce_sum):
        variable()
        variable("v", regularizer=no_regularizer)
        with variable_scope("b", regularizer=no_regularizer):
            variable()
    assert len(tf.get_collection(GraphKeys.REGULARIZATION_LOSSES)) == 1


def test_partitioner_of_the_scope_cuts_all_but_scalars():
    with variable_scope("a", partitioner=fixed_size_partitioner(2)):
        assert isinstance(variable(), PartitionedVariable)
        assert get_variable("n", []).name == "a/n:0"
        assert get_variable("m", initializer=0).name == "a/m:0"


def test_custom_getters_call_those_of_outer_scopes():
    called = []

    def adding(suffix):
        def custom_getter(getter, name, *args, **kwargs):
            called.append(suffix)
            return getter(f"{name}{suffix}", *args, **kwargs)

        return custom_getter

    with variable_scope("a", custom_getter=adding("_outer")) as scope:
        with variable_scope("b", custom_getter=adding("_middle")), variable_scope("c", custom_getter=adding("_inner")):
            assert variable().name == "a/b/c/w_inner_middle_outer:0"
        with variable_scope(scope, custom_getter=adding("_again")):
            assert variable().name == "a/w_again_outer:0"
        assert variable(custom_getter=adding("_alone")).name == "a/w_alone:0"
    assert called == ["_inner", "_middle", "_outer", "_again", "_outer", "_alone"]


def test_collections_of_a_scope_hold_its_variables_alone():
    with variable_scope("a.b") as scope:
        w, v, local = variable(), variable("v", trainable=False), get_local_variable("l", [2])
        with variable_scope("c"):
            inner = variable()
    with variable_scope("axb"):
        other = variable()
    assert scope.global_variables() == [w, v, inner]
    assert scope.trainable_variables() == [w, inner]
    assert scope.local_variables() == [local]
    assert scope.get_collection("nothing") == []
    assert get_variable_scope().global_variables() == [w, v, inner, other]


def test_op_scope_is_a_scope_with_its_values_first():
    with variable_op_scope([], "a", "default", dtype=tf.float64) as scope:
        assert (scope.name, variable().dtype.base_dtype) == ("a", tf.float64)
    with variable_op_scope(None, None, "default") as scope:
        assert scope.name == "default"


def test_graph_of_the_values_is_the_default_graph(graph):
    x = tf.constant(1.0)
    with tf.Graph().as_default(), variable_scope("a", values=[x]):
        assert tf.get_default_graph() is graph
        assert variable().graph is graph


def test_threads_begin_outside_all_scopes():
    graph, is_eager, names = tf.get_default_graph(), tf.executing_eagerly(), []

    def work(scope):
        with tf.eager_mode() if is_eager else graph.as_default():
            names.append(get_variable_scope().name)
            with variable_scope(scope):
                names.append(variable().name)

    with variable_scope("a") as scope:
        thread = threading.Thread(target=work, args=(scope,))
        thread.start()
        thread.join()
        assert get_variable_scope() is scope
    assert names == ["", "a/w:0"]


def test_scopes_belong_to_the_default_graph():
    with variable_scope("a"), tf.Graph().as_default():
        assert get_variable_scope().name == ""


def test_scopes_must_be_left_in_order():
    outer, inner = variable_scope("a"), variable_scope("b")
    outer.__enter__()
    inner.__enter__()
    with pytest.raises(RuntimeError, match="Improper nesting of variable_scope"):
        outer.__exit__(None, None, None)


@pytest.mark.parametrize(
    ("arguments", "error", "wrong"),
    [
        ({"name_or_scope": None}, TypeError, "If default_name is None then name_or_scope is required"),
        ({"name_or_scope": 3}, TypeError, "name_or_scope must be a string or VariableScope: got 3"),
        ({"name_or_scope": "a", "reuse": 3}, ValueError, "The reuse parameter must be True or False or None: got 3"),
        ({"name_or_scope": "a", "auxiliary_name_scope": 1}, TypeError, "auxiliary_name_scope must be"),
        (
            {"name_or_scope": None, "default_name": "d", "reuse": True},
            ValueError,
            "reuse=True cannot be used without a name_or_scope",
        ),
    ],
)
def test_wrong_arguments_are_errors(arguments, error, wrong):
    with pytest.raises(error, match=wrong):
        variable_scope(**arguments)


def test_scope_made_by_hand_can_be_entered():
    with variable_scope(VariableScope(AUTO_REUSE, "x/y", dtype=tf.float64)):
        assert variable() is variable()
        assert variable().name == "x/y/w:0"
