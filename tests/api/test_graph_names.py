"""Names: each is given out once, in the name scope of its thread."""

from __future__ import annotations

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
