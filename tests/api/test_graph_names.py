"""Names: each is given out once, in the name scope of its thread."""

from __future__ import annotations

import contextlib
import re
import threading

import pytest

import nbvars as tf


@pytest.fixture(autouse=True)
def _empty_graph():
    tf.reset_default_graph()


def name_of(name=None):
    return tf.Variable(0, name=name).name


def unique(*names):
    graph = tf.Graph()
    return [graph.unique_name(name) for name in names]


def test_variables_without_a_name_are_numbered():
    assert [name_of() for _ in range(3)] == ["Variable:0", "Variable_1:0", "Variable_2:0"]


def test_taken_names_are_numbered():
    assert [name_of("w"), name_of("b"), name_of("w"), name_of("w")] == ["w:0", "b:0", "w_1:0", "w_2:0"]


def test_name_of_a_deleted_variable_stays_taken():
    variable = tf.Variable(0, name="w")
    del variable
    assert name_of("w") == "w_1:0"


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["a", "a_1", "a"], ["a", "a_1", "a_2"]),
        (["a", "a", "a_1"], ["a", "a_1", "a_1_1"]),
        (["a_1", "a", "a"], ["a_1", "a", "a_2"]),
        (["a", "a_2", "a", "a", "a_2"], ["a", "a_2", "a_1", "a_3", "a_2_1"]),
        (["a_1", "a_1", "a_1"], ["a_1", "a_1_1", "a_1_2"]),
        (["a_0", "a", "a"], ["a_0", "a", "a_1"]),
        (["a_01", "a", "a"], ["a_01", "a", "a_1"]),
        (["W", "w", "W"], ["W", "w_1", "W_2"]),
        (["a/b", "a/b"], ["a/b", "a/b_1"]),
        (["a_" + "9" * 5000, "a_" + "9" * 5000], ["a_" + "9" * 5000, "a_" + "9" * 5000 + "_1"]),
    ],
    ids=lambda names: names[1] if len(names[0]) < 99 else "long",
)
def test_unique_names(names, expected):
    assert unique(*names) == expected


def test_unique_names_are_unique_whatever_was_asked_for():
    names = unique(*["a", "a_1", "a", "a_1_1", "a_1", "A", "a_2", "a_3", "a", "a_2", "a_1", "a_1_1", "a_01", "a"] * 3)
    assert len({name.lower() for name in names}) == len(names)


@pytest.mark.parametrize("name", ["a", "A.b", ".a", "0", "a-b", "a/b", "a_b", "a>b", "a\\b"])
def test_valid_names_are_kept(name):
    assert unique(name) == [name]


@pytest.mark.parametrize("name", ["", " ", "a b", "_a", "/a", "-a", "a:0", "a\n", "ä", "a,b", None, 3, b"a"])
def test_names_that_are_not_valid_are_refused(name):
    sentence = f"unique_name: the name is not valid: got {re.escape(repr(name))}, expected letters, digits and"
    with pytest.raises(ValueError, match=sentence):
        tf.Graph().unique_name(name)


def test_a_name_that_is_not_marked_as_used_stays_free():
    graph = tf.Graph()
    asked = [("a", False), ("a", False), ("a", True), ("a", False), ("a", True), ("A", False), ("a", True)]
    assert [graph.unique_name(name, mark) for name, mark in asked] == ["a", "a", "a", "a_1", "a_1", "A_2", "a_2"]


@pytest.mark.parametrize("name", ["_x", "-x", "_", "/x", "x", "a/_b"])
def test_names_in_a_scope_may_begin_with_what_the_whole_must_not_begin_with(name):
    graph = tf.Graph()
    with graph.name_scope("o"):
        assert graph.unique_name(name) == f"o/{name}"
        with graph.name_scope(name) as scope:
            assert scope == f"o/{name}_1/"


@pytest.mark.parametrize("name", ["a b", "a:0", "", "\n", None, 3])
def test_names_in_a_scope_that_are_not_valid_are_refused(name):
    graph = tf.Graph()
    words = f"the name is not valid: got {re.escape(repr(name))}, expected letters, digits and ._/-$"
    with graph.name_scope("o"), pytest.raises(ValueError, match=words):
        graph.unique_name(name)


def test_name_scopes_come_before_names():
    with tf.name_scope("outer") as outer:
        assert outer == "outer/"
        assert name_of("w") == "outer/w:0"
        with tf.name_scope("inner") as inner:
            assert inner == "outer/inner/"
            assert [name_of("w"), name_of("w"), name_of()] == [f"outer/inner/{n}:0" for n in ("w", "w_1", "Variable")]
        assert name_of("w") == "outer/w_1:0"
    assert name_of("w") == "w:0"


def test_name_scope_that_is_taken_is_numbered():
    for expected in ("a/", "a_1/", "a_2/"):
        with tf.name_scope("a") as scope:
            assert scope == expected
    assert name_of("a") == "a_3:0"


def test_name_scope_with_a_slash_is_entered_again():
    with tf.name_scope("a") as scope:
        name_of("w")
    with tf.name_scope(scope) as again:
        assert again == "a/"
        assert name_of("w") == "a/w_1:0"


@pytest.mark.parametrize("name", [None, ""])
def test_name_scope_of_nothing_is_the_outermost(name):
    with tf.name_scope("a"), tf.name_scope(name) as scope:
        assert scope == ""
        assert name_of("w") == "w:0"


def test_name_scope_ends_with_an_exception():
    with pytest.raises(KeyError), tf.name_scope("a"):
        raise KeyError
    assert name_of("w") == "w:0"


def test_name_scope_that_is_not_valid_is_refused():
    with pytest.raises(ValueError, match="the name is not valid: got 'a b', expected"), tf.name_scope("a b"):
        pass


def test_name_scopes_belong_to_their_threads():
    names = []
    with tf.name_scope("here"):
        thread = threading.Thread(target=lambda: names.append(name_of("w")))
        thread.start()
        thread.join()
        assert name_of("w") == "here/w:0"
    assert names == ["w:0"]


def test_reset_default_graph_frees_all_names():
    assert [name_of("w"), name_of("w")] == ["w:0", "w_1:0"]
    tf.reset_default_graph()
    assert name_of("w") == "w:0"


def test_graphs_have_their_own_names():
    first, second = tf.Graph(), tf.Graph()
    assert first.unique_name("w") == second.unique_name("w") == "w"
    with first.name_scope("a"):
        assert first.unique_name("w") == "a/w"
        assert second.unique_name("w") == "w_1"


def test_a_scope_must_be_a_string():
    with (
        pytest.raises(ValueError, match="unique_name: the name is not valid: got 3, expected letters"),
        tf.name_scope(3),
    ):
        pass


@pytest.mark.parametrize(
    ("scopes", "expected"),
    [
        (["a/b"], ["a/b/"]),
        (["a", "x/"], ["a/", "x/"]),
        (["a", "x/y/", "z"], ["a/", "x/y/", "x/y/z/"]),
        (["a", "/"], ["a/", ""]),
        (["a", "", "b"], ["a/", "", "b/"]),
        (["a", None, "a"], ["a/", "", "a_1/"]),
        (["a", "A", "a"], ["a/", "a/A/", "a/A/a/"]),
        (["a_1", "a", "a_1/"], ["a_1/", "a_1/a/", "a_1/"]),
    ],
)
def test_nested_name_scopes(scopes, expected):
    graph, found = tf.Graph(), []
    with contextlib.ExitStack() as stack:
        for scope in scopes:
            found.append(stack.enter_context(graph.name_scope(scope)))
            assert graph.get_name_scope() == found[-1].rstrip("/")
    assert found == expected
    assert graph.get_name_scope() == ""


@pytest.mark.parametrize("name", ["a b/", "_a/", "a:0/"])
def test_an_absolute_name_scope_must_be_valid(name):
    graph = tf.Graph()
    with graph.name_scope("o"), pytest.raises(ValueError, match="the name is not valid: got "), graph.name_scope(name):
        pass
    assert graph.get_name_scope() == ""


def test_an_absolute_name_scope_takes_no_name():
    graph = tf.Graph()
    with graph.name_scope("x/"):
        pass
    assert graph.unique_name("x") == "x"


@pytest.mark.parametrize(
    ("name", "default_name", "expected"),
    [("n", None, "o/n/"), ("n", "d", "o/n/"), (None, "d", "o/d/"), (None, None, ""), ("", "d", "")],
)
def test_the_default_name_of_a_scope_stands_in_for_none(name, default_name, expected):
    with tf.name_scope("o"), tf.name_scope(name, default_name) as scope:
        assert scope == expected


def test_a_name_scope_of_values_is_in_their_graph():
    graph, other = tf.Graph(), tf.Graph()
    with graph.as_default():
        x, v = tf.constant(1.0), tf.Variable(1.0)
        slices = tf.IndexedSlices(tf.constant([1.0]), [0])
    with other.as_default():
        y = tf.constant(1.0)
        for i, value in enumerate([x, x.op, v, slices]):
            with tf.name_scope(None, "d", [1.0, value]) as scope:
                assert tf.get_default_graph() is graph
                assert scope == (f"d_{i}/" if i else "d/")
        with tf.name_scope("d", values=[]):
            assert tf.get_default_graph() is other
    with tf.name_scope("d", values=[y, y]):
        assert tf.get_default_graph() is other
        assert not tf.executing_eagerly()
    words = "name_scope: Const:0 must be from the same graph as Const:0: got "
    with pytest.raises(ValueError, match=words), tf.name_scope("d", values=[x, y]):
        pass


def test_a_name_scope_of_values_needs_a_name():
    words = r"At least one of name \(None\) and default_name \(None\) must be provided: got None, expected a string"
    with pytest.raises(ValueError, match=words), tf.name_scope(None, None, []):
        pass
    words = "name_scope: default_name is no string: got list, expected a string; is it for values?"
    with pytest.raises(TypeError, match=re.escape(words)), tf.name_scope(None, []):
        pass


def test_names_of_operations_are_unique_whatever_their_case():
    with tf.Graph().as_default():
        with tf.name_scope("foo"):
            names = [tf.no_op(name="FOO").name]
        names += [tf.no_op(name=name).name for name in ("FOO", "foo", "Foo_1")]
        with tf.name_scope("FOO") as scope:
            names.append(scope)
    assert names == ["foo/FOO", "FOO_1", "foo_2", "Foo_1_1", "FOO_3/"]


def test_a_name_with_a_slash_is_the_name_of_the_operation_as_it_is():
    with tf.Graph().as_default(), tf.name_scope("o"):
        assert tf.no_op(name="a/b/").name == "a/b"
        with pytest.raises(ValueError, match="the name of the operation is taken: got 'a/b', expected another name"):
            tf.no_op(name="a/b/")
        with tf.name_scope("a/"):
            assert tf.no_op(name="b").name == "a/b_1"
        with pytest.raises(ValueError, match="the name is not valid: got '_a', expected"):
            tf.no_op(name="_a/")
        assert tf.no_op(name="_a").name == "o/_a"
