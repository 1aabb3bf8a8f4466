"""``Saver``: what cannot be saved or restored is said, all at once, and changes nothing."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

import nbvars as tf
from nbvars import errors
from nbvars.train import checkpoint_files, checksum, folder_lock
from tests.conftest import run_python


def saved(folder, **values):
    """Save variables of these values; return the path."""
    variables = {name: tf.Variable(value) for name, value in values.items()}
    return tf.train.Saver(variables).save(None, folder / "model")


def test_one_error_lists_all_that_does_not_fit_and_nothing_changes(tmp_path):
    path = saved(tmp_path, weights=np.ones(3), bias=np.ones(2, np.float32), count=7, unused=1.0)
    names = {"weight": np.zeros(3), "bias": np.zeros(5, np.float32), "count": 0.0, "other": 0.0}
    variables = {name: tf.Variable(value) for name, value in names.items()}
    with pytest.raises(errors.NotFoundError) as raised:
        tf.train.Saver(variables).restore(None, path)
    for part in (
        "Key weight not found in checkpoint (closest: weights)",
        "Key other not found in checkpoint;",
        "bias has shape (2,) there and (5,) here",
        "count is int32 there and float32 here",
        "in the checkpoint and not in the program: unused, weights",
    ):
        assert part in str(raised.value)
    for name, value in names.items():
        np.testing.assert_array_equal(variables[name].numpy(), value)


@pytest.mark.parametrize(("value", "match"), [(np.zeros(4), "has shape"), (np.zeros(3, np.float32), "is float64")])
def test_another_shape_or_dtype_is_an_invalid_argument(value, match, tmp_path):
    path = saved(tmp_path, v=np.ones(3))
    with pytest.raises(errors.InvalidArgumentError, match=match):
        tf.train.Saver({"v": tf.Variable(value)}).restore(None, path)


def test_reshape_does_not_change_the_number_of_elements(tmp_path):
    path = saved(tmp_path, v=np.ones(3))
    with pytest.raises(errors.InvalidArgumentError, match="has shape"):
        tf.train.Saver({"v": tf.Variable(np.ones(4))}, reshape=True).restore(None, path)


@pytest.mark.parametrize("path", [None, "nothing", "folder/nothing"])
def test_a_path_without_a_checkpoint_is_a_value_error(path, tmp_path):
    with pytest.raises(ValueError, match=r"is not a valid checkpoint|when it is None"):
        tf.train.Saver([tf.Variable(1.0)]).restore(None, path and tmp_path / path)


def test_readers_say_what_is_not_there(tmp_path):
    path = saved(tmp_path, v=1.0)
    with pytest.raises(errors.NotFoundError, match="no checkpoint of this path"):
        tf.train.load_checkpoint(tmp_path / "other")
    with pytest.raises(errors.NotFoundError, match="Key w not found in checkpoint"):
        tf.train.load_variable(path, "w")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="Couldn't find 'checkpoint' file"):
        tf.train.load_checkpoint(tmp_path / "empty")


@pytest.mark.parametrize("var_list", [3, "w", [3], {"w": "w"}, [[3]]])
def test_what_is_no_variable_is_a_type_error(var_list):
    with pytest.raises(TypeError, match="Saver: "):
        tf.train.Saver(var_list)


def test_variables_have_one_name_each():
    variable, other = tf.Variable(1.0, name="v"), tf.Variable(1.0, name="w")
    with pytest.raises(ValueError, match="At least two variables have the same name: v"):
        tf.train.Saver([variable, other, variable])
    with pytest.raises(ValueError, match="will be restored with two names"):
        tf.train.Saver({"a": variable, "b": variable})
    with pytest.raises(ValueError, match="not the slices of one variable"):
        tf.train.Saver({"a": [variable, other]})


def test_variables_of_several_graphs_do_not_share_a_saver():
    with tf.Graph().as_default():
        first = tf.Variable(1.0, name="a")
    with tf.Graph().as_default():
        second = tf.Variable(1.0, name="b")
    for other in (second, tf.Variable(1.0, name="c")):
        with pytest.raises(ValueError, match="several graphs, or some of them are eager"):
            tf.train.Saver([first, other])


@pytest.mark.parametrize(
    "arguments",
    [
        {"var_list": []},
        {"max_to_keep": -1},
        {"max_to_keep": "5"},
        {"keep_checkpoint_every_n_hours": -1.0},
        {"keep_checkpoint_every_n_hours": float("nan")},
        {"builder": object()},
        {"var_list": [], "defer_build": True},
    ],
)
def test_arguments_that_make_no_sense_are_value_errors(arguments):
    variable = tf.Variable(1.0)
    with pytest.raises(ValueError, match=r"got .*, expected"):
        tf.train.Saver(**arguments)
    assert variable.numpy() == 1.0


def test_a_graph_needs_its_own_open_session(tmp_path):
    with tf.Graph().as_default() as graph:
        saver = tf.train.Saver([tf.Variable(1.0)])
    with pytest.raises(TypeError, match="'sess' must be a Session"):
        saver.save(None, tmp_path / "model")
    with pytest.raises(ValueError, match="of another graph"):
        saver.save(tf.Session(graph=tf.Graph()), tmp_path / "model")
    session = tf.Session(graph=graph)
    session.close()
    with pytest.raises(RuntimeError, match="closed Session"):
        saver.restore(session, tmp_path / "model")


def test_uninitialized_variables_are_all_named(tmp_path):
    with tf.Graph().as_default() as graph:
        first, second = tf.Variable(1.0, name="first"), tf.Variable(1.0, name="second")
        saver = tf.train.Saver([first, second])
    with pytest.raises(errors.FailedPreconditionError, match="uninitialized value first:0, second:0"):
        saver.save(tf.Session(graph=graph), tmp_path / "model")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("path", "latest", "match"),
    [
        ("model", "a/b", "must not contain path components"),
        ("checkpoint", None, "collides with 'save_path'"),
        ("nowhere/model", None, "doesn't exist, can't save"),
        ("", None, "names no file"),
    ],
)
def test_names_that_cannot_be_are_value_errors(path, latest, match, tmp_path):
    saver = tf.train.Saver([tf.Variable(1.0)])
    with pytest.raises(ValueError, match=match):
        saver.save(None, f"{tmp_path}/{path}", latest_filename=latest)


@pytest.mark.parametrize("step", [1.5, "1", None.__class__])
def test_a_step_is_a_whole_number(step, tmp_path):
    with pytest.raises(TypeError, match="global_step is no whole number"):
        tf.train.Saver([tf.Variable(1.0)]).save(None, tmp_path / "model", step)


@pytest.mark.parametrize("value", ["x", 3])
def test_last_checkpoints_are_a_list(value):
    with pytest.raises(ValueError, match="last_checkpoints is no list"):
        tf.train.Saver([tf.Variable(1.0)]).set_last_checkpoints(value)


def failing(function, call_number, error):
    """Return ``function``, which raises ``error`` when it is called for this time."""
    calls = iter(range(1, 1000))

    def call(*arguments, **named):
        if next(calls) == call_number:
            raise OSError(error, os.strerror(error))
        return function(*arguments, **named)

    return call


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO, errno.EROFS], ids=errno.errorcode.get)
@pytest.mark.parametrize(
    ("function", "call_number"),
    [("open", 2), ("write", 1), ("write", 2), ("write", 3), ("fsync", 1), ("replace", 1), ("write", 4), ("fsync", 3)],
)
def test_an_error_of_the_disk_leaves_the_old_checkpoint(function, call_number, error, tmp_path, monkeypatch):
    variable = tf.Variable(np.full(1000, 1.0))
    saver = tf.train.Saver({"v": variable}, max_to_keep=1)
    old = saver.save(None, tmp_path / "model", 1)
    variable.assign(np.full(1000, 2.0))
    with monkeypatch.context() as patched:
        patched.setattr(checkpoint_files.os, function, failing(getattr(os, function), call_number, error))
        with pytest.raises(OSError, match="what was there before is unchanged") as raised:
            saver.save(None, tmp_path / "model", 2)
    assert raised.value.errno == error
    assert raised.value.filename
    assert tf.train.latest_checkpoint(tmp_path) == old
    np.testing.assert_array_equal(tf.train.load_variable(old, "v"), np.full(1000, 1.0))
    assert not [name for name in os.listdir(tmp_path) if name.endswith("nbvars-tmp")]
    new = saver.save(None, tmp_path / "model", 3)
    assert tf.train.latest_checkpoint(tmp_path) == new


# The header is written before the threads begin.
@pytest.mark.parametrize(("function", "call_number"), [("write", 5), ("fdatasync", 1)])
def test_an_error_in_a_thread_is_raised(function, call_number, tmp_path, monkeypatch):
    variable = tf.Variable(np.zeros(80 << 20, np.uint8))
    monkeypatch.setattr(checkpoint_files.os, function, failing(getattr(os, function), call_number, errno.ENOSPC))
    with pytest.raises(OSError, match="No space left"):
        tf.train.Saver({"v": variable}).save(None, tmp_path / "model")
    assert os.listdir(tmp_path) == []


def test_all_is_on_the_disk_before_it_gets_its_name_and_before_the_old_one_goes(tmp_path, monkeypatch):
    calls = []

    def recorded(name):
        function = getattr(os, name)

        def call(*arguments):
            place = arguments[0] if isinstance(arguments[0], str) else os.readlink(f"/proc/self/fd/{arguments[0]}")
            calls.append((name, Path(place).name.split(".")[-1]))
            return function(*arguments)

        return call

    saver = tf.train.Saver([tf.Variable(1.0)], max_to_keep=1)
    saver.save(None, tmp_path / "model", 1)
    for name in ("fsync", "replace", "unlink"):
        monkeypatch.setattr(checkpoint_files.os, name, recorded(name))
    saver.save(None, tmp_path / "model", 2)
    new, folder = "nbvars-tmp", tmp_path.name
    durable = [("fsync", new), ("replace", new), ("fsync", folder)]
    assert calls[:7] == [*durable, *durable, ("unlink", "safetensors")]


def test_left_over_files_of_killed_saves_go_and_those_of_living_ones_stay(tmp_path):
    living = checkpoint_files._create(str(tmp_path / "living"))
    dead = checkpoint_files._create(str(tmp_path / "dead"))
    os.close(dead.descriptor)
    foreign = tmp_path / ".foreign.tmp"
    foreign.touch()
    tf.train.Saver([tf.Variable(1.0)]).save(None, tmp_path / "model")
    assert Path(living.path).exists()
    assert foreign.exists()
    assert not Path(dead.path).exists()
    os.close(living.descriptor)


def test_a_folder_that_somebody_holds_too_long_is_used_without_its_lock(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(folder_lock, "_TIMEOUT_S", 0.0)
    holder = os.open(tmp_path, os.O_RDONLY)
    assert folder_lock.try_lock(holder)
    path = tf.train.Saver([tf.Variable(1.0)]).save(None, tmp_path / "model")
    os.close(holder)
    assert "another process holds" in caplog.text
    assert tf.train.latest_checkpoint(tmp_path) == path


def test_a_missing_library_names_the_extra(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "google_crc32c", None)
    with pytest.raises(ImportError, match=r"google_crc32c is missing.*pip install nbvars\[checkpoint\]"):
        checksum.crc32c(b"")
    with pytest.raises(ImportError, match=r"pip install nbvars\[checkpoint\]"):
        tf.train.Saver([tf.Variable(1.0)]).save(None, tmp_path / "model")
    assert os.listdir(tmp_path) == []


def test_import_of_the_library_imports_neither():
    run_python("import nbvars, sys; assert not {'safetensors', 'google_crc32c', 'tqdm'} & set(sys.modules)")


def test_a_file_of_another_library_is_restored_without_checksums(tmp_path):
    safetensors.numpy.save_file({"v": np.arange(3)}, tmp_path / "other.safetensors")
    variable = tf.Variable(np.zeros(3, np.int64))
    for path in (tmp_path / "other", tmp_path / "other.safetensors"):
        variable.assign(np.zeros(3, np.int64))
        tf.train.Saver({"v": variable}).restore(None, path)
        np.testing.assert_array_equal(variable.numpy(), [0, 1, 2])


def test_saving_at_the_end_of_the_interpreter_works(tmp_path):
    code = f"""
import atexit, numpy as np, nbvars as tf
variable = tf.Variable(np.ones(80 << 20, np.uint8), name="v")
saver = tf.train.Saver([variable])
atexit.register(lambda: saver.restore(None, saver.save(None, {str(tmp_path / "model")!r})))
"""
    run_python(code)
    assert tf.train.load_variable(tmp_path / "model", "v").sum() == 80 << 20


def test_a_signal_handler_may_save_during_a_save(tmp_path):
    code = f"""
import signal, os, numpy as np, nbvars as tf
from nbvars.train import checkpoint_files
variable = tf.Variable(np.ones(1000), name="v")
saver = tf.train.Saver([variable])
signal.signal(signal.SIGUSR1, lambda *_: saver.save(None, {str(tmp_path / "handler")!r}))
replace = os.replace
def replace_and_signal(*names):
    checkpoint_files.os.replace = replace
    os.kill(os.getpid(), signal.SIGUSR1)
    replace(*names)
checkpoint_files.os.replace = replace_and_signal
saver.save(None, {str(tmp_path / "model")!r})
"""
    run_python(code)
    assert tf.train.load_variable(tmp_path / "model", "v").sum() == 1000
    assert tf.train.load_variable(tmp_path / "handler", "v").sum() == 1000
