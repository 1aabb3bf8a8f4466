"""The file ``checkpoint``: the text is TensorFlow's."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

import nbvars as tf
from nbvars.train.checkpoint_state import parse_state

# Written by TensorFlow 2.21: text_format of a CheckpointState.
TEXT = r"""model_checkpoint_path: "a\"b\\c\n\tü\001\'"
all_model_checkpoint_paths: "a"
all_model_checkpoint_paths: "b"
all_model_checkpoint_timestamps: 1.5
all_model_checkpoint_timestamps: 1700000000.1234567
all_model_checkpoint_timestamps: 3.0
all_model_checkpoint_timestamps: 1e+30
all_model_checkpoint_timestamps: 1e-07
all_model_checkpoint_timestamps: 1.2345678901234568e+17
last_preserved_timestamp: 2.0
"""
STATE = tf.train.CheckpointState(
    "a\"b\\c\n\tü\x01'", ["a", "b"], [1.5, 1700000000.1234567, 3.0, 1e30, 1e-7, 123456789012345678.0], 2.0
)


def test_the_text_is_that_of_tensorflow():
    assert str(STATE) == TEXT
    assert parse_state(TEXT) == STATE


def test_other_forms_of_the_text_are_read():
    text = "# a comment\nmodel_checkpoint_path : 'x\\x41\\101', unknown: 3; all_model_checkpoint_paths:\"y\""
    assert parse_state(text) == tf.train.CheckpointState("xAA", ["y"])


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_path_comes_back(path):
    assert parse_state(str(tf.train.CheckpointState(path, [path]))).all_model_checkpoint_paths == [path]


@pytest.mark.parametrize("text", ["nonsense", 'model_checkpoint_path: "x', "a: {}", "last_preserved_timestamp: x"])
def test_a_malformed_file_is_ignored_with_a_warning(text, tmp_path, caplog):
    (tmp_path / "checkpoint").write_text(text)
    assert tf.train.get_checkpoint_state(tmp_path) is None
    assert tf.train.latest_checkpoint(tmp_path) is None
    assert "is ignored" in caplog.text


def test_a_file_that_names_no_checkpoint_is_a_value_error(tmp_path):
    (tmp_path / "checkpoint").write_text("")
    with pytest.raises(ValueError, match="Invalid checkpoint state"):
        tf.train.get_checkpoint_state(tmp_path)


def test_no_file_is_no_state(tmp_path):
    assert tf.train.get_checkpoint_state(tmp_path) is None
    assert tf.train.get_checkpoint_state(tmp_path / "nowhere") is None


def test_the_newest_is_added_to_the_list(tmp_path):
    tf.train.update_checkpoint_state(tmp_path, "b", ["a"], all_model_checkpoint_timestamps=[1, 2])
    assert (tmp_path / "checkpoint").read_text() == (
        'model_checkpoint_path: "b"\nall_model_checkpoint_paths: "a"\nall_model_checkpoint_paths: "b"\n'
        "all_model_checkpoint_timestamps: 1.0\nall_model_checkpoint_timestamps: 2.0\n"
    )
    state = tf.train.get_checkpoint_state(tmp_path)
    assert state.all_model_checkpoint_paths == [str(tmp_path / "a"), str(tmp_path / "b")]
    assert state.last_preserved_timestamp is None


def test_paths_become_relative_to_a_relative_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    os.mkdir("folder")
    tf.train.update_checkpoint_state("folder", "folder/b", ["folder/a", "/c", "folder/b"], "latest")
    state = tf.train.get_checkpoint_state("folder", "latest")
    assert state.all_model_checkpoint_paths == ["folder/a", "/c", "folder/b"]
    assert 'model_checkpoint_path: "b"' in (tmp_path / "folder" / "latest").read_text()


def test_bad_arguments_are_errors(tmp_path):
    with pytest.raises(ValueError, match="must match checkpoint paths"):
        tf.train.update_checkpoint_state(tmp_path, "b", ["a", "b"], all_model_checkpoint_timestamps=[1.0])
    with pytest.raises(RuntimeError, match="conflicts with path"):
        tf.train.update_checkpoint_state(tmp_path, str(tmp_path / "checkpoint"))
