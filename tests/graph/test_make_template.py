"""``make_template``: functions that make their variables once."""

from __future__ import annotations

import re
import threading

import pytest

import nbvars as tf
from nbvars.variables import initializers
from nbvars.variables.template import make_template
from nbvars.variables.variable_scope import get_local_variable, get_variable, variable_scope

ZERO = initializers.zeros_initializer()


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


def get_weight(name="w"):
    return get_variable(name, [], initializer=ZERO)


def add_weight(x):
    return tf.add(x, get_weight(), name="y")


def test_calls_share_their_variables():
    template = make_template("s", get_weight)
    first = template()
    assert first.name == "s/w:0"
    assert template() is first
    assert tf.global_variables() == [first]


def test_templates_of_one_name_have_variables_of_their_own():
    assert [make_template("s", get_weight)().name for _ in range(3)] == ["s/w:0", "s_1/w:0", "s_2/w:0"]


def test_templates_in_a_reusing_scope_share():
    with variable_scope("a") as scope:
        first = make_template("s", get_weight)()
    with variable_scope(scope, reuse=True):
        assert make_template("s", get_weight)() is first


def test_scope_is_that_of_the_first_call():
    template = make_template("s", get_weight)
    assert (template.variable_scope, template.variable_scope_name) == (None, None)
    with variable_scope("a"):
        first = template()
    with variable_scope("b"):
        assert template() is first
    assert (first.name, template.variable_scope.name, template.variable_scope_name) == ("a/s/w:0", "a/s", "a/s/")


def test_scope_can_be_that_of_the_definition():
    with variable_scope("a"):
        template = make_template("s", get_weight, create_scope_now_=True)
    assert (template.variable_scope.name, template.variables) == ("a/s", [])
    with variable_scope("b"):
        assert template().name == "a/s/w:0"


def test_scopes_of_definitions_get_numbers():
    templates = [make_template("s", get_weight, create_scope_now_=True) for _ in range(3)]
    assert [template.variable_scope.name for template in templates] == ["s", "s_1", "s_2"]
    assert [template().name for template in templates] == ["s/w:0", "s_1/w:0", "s_2/w:0"]


def test_unique_name_gets_no_number():
    assert make_template("s", get_weight, unique_name_="u")().name == "u/w:0"
    with pytest.raises(ValueError, match="Variable u/w already exists"):
        make_template("s", get_weight, unique_name_="u")()


@pytest.mark.parametrize("create_scope_now", [False, True])
def test_operations_of_each_call_are_in_a_name_scope(graph, create_scope_now):
    template = make_template("s", add_weight, create_scope_now)
    assert [template(1.0).name for _ in range(3)] == ["s/y:0", "s_1/y:0", "s_2/y:0"]


def test_arguments_reach_the_function():
    template = make_template("s", lambda *args, **kwargs: (args, kwargs), y=2)
    assert template(1, z=3) == ((1,), {"y": 2, "z": 3})


def test_custom_getter_is_that_of_the_scope():
    def custom_getter(getter, name, *args, **kwargs):
        return getter(f"{name}_mine", *args, **kwargs)

    for now in (False, True):
        template = make_template("s", get_weight, now, custom_getter_=custom_getter)
        assert template().name.endswith("/w_mine:0")
        assert template() is template()


def test_variables_are_those_of_the_scope():
    def make():
        return get_weight(), get_variable("n", [], trainable=False), get_local_variable("l", [])

    get_weight("other")
    template = make_template("s", make)
    assert template.variables == template.trainable_variables == []
    w, n, local = template()
    assert template.variables == [w, n, local]
    assert (template.global_variables, template.local_variables) == ([w, n], [local])
    assert (template.trainable_variables, template.non_trainable_variables) == ([w], [n])


def test_name_and_function_are_those_given():
    make_template("s", get_weight)()
    template = make_template("s", get_weight)
    template()
    assert (template.name, template.func, template.variable_scope.name) == ("s", get_weight, "s_1")


def test_templates_within_templates_share_too():
    inner = make_template("inner", get_weight)
    outer = make_template("outer", lambda: (get_weight("v"), inner(), make_template("own", get_weight)()))
    first = outer()
    assert [variable.name for variable in first] == ["outer/v:0", "outer/inner/w:0", "outer/own/w:0"]
    assert outer() == first


def test_later_call_with_another_name_is_an_error():
    template = make_template("s", get_weight)
    template("w")
    with pytest.raises(ValueError, match="Variable s/v does not exist"):
        template("v")
    assert template("w").name == "s/w:0"


def test_trainable_variable_of_the_constructor_is_an_error():
    made = []
    template = make_template("s", lambda: made.append(tf.Variable(1.0)))
    template()
    wrong = (
        "Trainable variable created when calling a template after the first time, "
        "perhaps you used tf.Variable when you meant tf.get_variable"
    )
    with pytest.raises(ValueError, match=wrong):
        template()


def test_other_variables_of_the_constructor_are_not():
    template = make_template("s", lambda: tf.Variable(1.0, trainable=False))
    assert template() is not template()


def test_error_tells_where_the_template_was_made():
    def fail():
        raise KeyError("no")

    template = make_template("s", fail)
    with pytest.raises(KeyError) as caught:
        template()
    (note,) = caught.value.__notes__
    assert re.fullmatch(r"in the template 's', originally defined at .*test_make_template\.py, line \d+", note)


def test_call_after_a_failed_first_call_is_a_first_call():
    state = {"fails": True}

    def make():
        if state["fails"]:
            raise KeyError
        return get_weight()

    template = make_template("s", make)
    with pytest.raises(KeyError):
        template()
    assert template.variables == []
    state["fails"] = False
    assert template() is template()


def test_function_may_call_its_template():
    def make(depth):
        weight = get_weight()
        return [weight, *(template(depth - 1) if depth else [])]

    template = make_template("s", make)
    assert len(set(template(2))) == 1


def test_threads_that_call_first_make_the_variables_once():
    graph, is_eager, barrier, found = tf.get_default_graph(), tf.executing_eagerly(), threading.Barrier(4), []
    template = make_template("s", get_weight)

    def work():
        with tf.eager_mode() if is_eager else graph.as_default():
            barrier.wait()
            found.append(template())

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert len(set(map(id, found))) == 1


def test_name_is_needed():
    with pytest.raises(ValueError, match="name_ cannot be None"):
        make_template(None, get_weight)
