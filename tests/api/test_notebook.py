"""What notebooks show of variables and tensors."""

from __future__ import annotations

import threading
from xml.etree import ElementTree

import numpy as np
import pytest

import nbvars as tf
from nbvars.runtime.notebook import MOST_COLUMNS, MOST_ROWS
from tests.conftest import ALL_DTYPES


@pytest.fixture(autouse=True)
def empty_default_graph():
    tf.reset_default_graph()


def shown(value):
    """Return the facts and the cells of the preview, read back from well-formed HTML."""
    tree = ElementTree.fromstring(value._repr_html_())
    facts, *preview = tree.findall("table")
    rows = {row.find("th").text: row.find("td").text for row in facts}
    return rows, [[cell.text for cell in row.findall("td")] for table in preview for row in table.findall("tr")]


def test_a_variable_shows_its_facts_and_elements():
    variable = tf.Variable([[1.0, 2.5], [3.0, -4.0]], name="w", collections=["mine"])
    tf.add_to_collection("chosen", variable)
    facts, elements = shown(variable)
    assert facts == {
        "name": "w:0",
        "shape": "(2, 2)",
        "dtype": "float32",
        "device": "/cpu:0",
        "trainable": "True",
        "collections": "mine, trainable_variables, chosen",
        "size": "16 bytes, 4 elements",
    }
    assert elements == [["1.0", "2.5"], ["3.0", "-4.0"]]


def test_a_variable_in_no_collection_says_so():
    assert shown(tf.Variable(1, trainable=False, collections=[]))[0]["collections"] == "none"


def test_a_tensor_shows_its_facts_and_elements():
    facts, elements = shown(tf.constant([1, 2, 3], tf.int16))
    assert facts == {"shape": "(3,)", "dtype": "int16", "device": "/cpu:0", "size": "6 bytes, 3 elements"}
    assert elements == [["1", "2", "3"]]


def test_one_element_is_not_many():
    assert shown(tf.constant(1.0))[0]["size"] == "4 bytes, 1 element"


@pytest.mark.parametrize("dtype", ALL_DTYPES)
def test_elements_of_every_dtype_are_shown(dtype):
    tensor = tf.cast([0, 1], dtype)
    assert shown(tensor)[1] == [[str(element) for element in tensor.numpy()]]


@pytest.mark.parametrize(
    ("shape", "num_rows", "num_columns"),
    [
        ((), 1, 1),
        ((MOST_COLUMNS,), 1, MOST_COLUMNS),
        ((MOST_COLUMNS + 1,), 1, MOST_COLUMNS + 1),
        ((1000,), 1, MOST_COLUMNS + 1),
        ((MOST_ROWS, 2), MOST_ROWS, 2),
        ((1000, 1000), MOST_ROWS + 1, MOST_COLUMNS + 1),
        ((3, 5, 7, 4), 7, 4),
    ],
    ids=str,
)
def test_no_more_than_the_first_elements_are_shown(shape, num_rows, num_columns):
    value = np.arange(np.prod(shape, dtype=int)).reshape(shape)
    _, elements = shown(tf.Variable(value))
    assert (len(elements), len(elements[0])) == (num_rows, num_columns)
    assert elements[0][0] == "0"
    assert (elements[0][-1] == "…") == (num_columns > MOST_COLUMNS)
    assert (elements[-1] == ["…"]) == (num_rows > MOST_ROWS)


@pytest.mark.parametrize("shape", [(0,), (2, 0), (0, 2), (0, 3, 2), (2, 0, 3, 3), (3, 3, 0)], ids=str)
def test_a_value_without_elements_says_so(shape):
    html = tf.Variable(np.zeros(shape))._repr_html_()
    assert "no elements" in html
    assert "0 bytes, 0 elements" in html


def test_what_is_no_html_is_escaped():
    variable = tf.Variable(1.0, collections=["<script>&"])
    assert "<script>" not in variable._repr_html_()
    assert shown(variable)[0]["collections"].startswith("<script>&")


def test_the_elements_are_those_between_locked_updates():
    variable, html = tf.Variable([1, 1]), []
    reader = threading.Thread(target=lambda: html.append(variable._repr_html_()))
    with variable._storage.locked():
        variable._storage.array[0] = 2
        reader.start()
        reader.join(0.05)
        assert html == []
        variable._storage.array[1] = 2
    reader.join()
    assert "<td>2</td><td>2</td>" in html[0]


def test_a_variable_of_a_graph_shows_its_facts_alone():
    with tf.Graph().as_default():
        facts, elements = shown(tf.Variable([1.0, 2.0], name="w"))
    assert facts["name"] == "w:0"
    assert (facts["dtype"], facts["value"]) == ("float32_ref", "in a Session")
    assert facts["collections"] == "variables, trainable_variables"
    assert elements == []
