"""``Saver``: what is saved is restored, in both modes."""

from __future__ import annotations

import inspect
import json
import os
import time

import numpy as np
import pytest
from safetensors import safe_open

import nbvars as tf
from nbvars.train import checkpoints
from nbvars.train import saver as saver_module
from tests.conftest import ALL_DTYPES, assert_same_bits, random_array

SHAPES = [(), (1,), (0, 3), (5, 4)]


def names_in(folder):
    return sorted(os.listdir(folder))


@pytest.mark.parametrize("dtype", ALL_DTYPES)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_eager_variables_come_back_with_the_same_bits(dtype, shape, rng, tmp_path):
    value = random_array(rng, dtype, shape)
    variable = tf.Variable(value, name="v")
    path = tf.train.Saver([variable]).save(None, tmp_path / "model")
    variable.assign(np.zeros_like(value))
    tf.train.Saver([variable]).restore(None, path)
    assert_same_bits(np.asarray(variable.numpy()), value)
    assert_same_bits(tf.train.load_variable(path, "v"), value)


@pytest.mark.parametrize("dtype", ALL_DTYPES)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("is_initialized", [False, True])
def test_variables_of_a_session_come_back_with_the_same_bits(dtype, shape, is_initialized, rng, tmp_path):
    value = random_array(rng, dtype, shape)
    with tf.Graph().as_default():
        variable = tf.Variable(np.zeros_like(value), name="v")
        saver = tf.train.Saver()
        with tf.Session() as sess:
            sess.run(variable.initializer)
            variable.load(value)
            path = saver.save(sess, tmp_path / "model", write_meta_graph=False)
        with tf.Session() as sess:
            if is_initialized:
                sess.run(variable.initializer)
            saver.restore(sess, path)
            assert_same_bits(np.asarray(sess.run(variable)), value)


@pytest.mark.parametrize("dtype", [dtype for dtype in ALL_DTYPES if dtype != "complex128"])
def test_the_library_reads_the_file(dtype, rng, tmp_path):
    value = random_array(rng, dtype, (3, 5))
    path = tf.train.Saver([tf.Variable(value, name="v")]).save(None, tmp_path / "model")
    with safe_open(f"{path}.safetensors", "numpy") as file:
        assert_same_bits(file.get_tensor("v"), value)


def test_complex128_is_stored_as_pairs_of_float64(tmp_path):
    path = tf.train.Saver([tf.Variable(np.array([1 + 2j]), name="v")]).save(None, tmp_path / "model")
    with safe_open(f"{path}.safetensors", "numpy") as file:
        np.testing.assert_array_equal(file.get_tensor("v"), [[1.0, 2.0]])
    assert tf.train.load_checkpoint(path).get_variable_to_dtype_map() == {"v": tf.complex128}


def test_variables_of_all_sizes_share_a_file_in_any_order(rng, tmp_path):
    sizes = [3, 700_000, 1, 0, 5_000_000, 12, 1_500_000]
    variables = [tf.Variable(random_array(rng, "float32", (size,)), name=f"v{size}") for size in sizes]
    before = [variable.numpy() for variable in variables]
    path = tf.train.Saver().save(None, tmp_path / "model")
    for variable in variables:
        variable.assign(np.zeros(variable.shape, np.float32))
    tf.train.Saver().restore(None, path)
    for variable, value in zip(variables, before, strict=True):
        assert_same_bits(variable.numpy(), value)


def test_tensors_are_as_aligned_in_the_file_as_their_sizes_allow(tmp_path):
    sizes = {"a": 7, "b": 64, "c": 0, "d": 4096, "e": 12, "f": 200, "g": 2}
    types = {"b": np.float32, "f": np.complex128, "g": np.float64}
    variables = {name: tf.Variable(np.zeros(size, types.get(name, np.uint8))) for name, size in sizes.items()}
    tf.train.Saver(variables).save(None, tmp_path / "model")
    data = (tmp_path / "model.safetensors").read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:start])
    offsets = {name: start + header[name]["data_offsets"][0] for name in sizes}
    assert [name for name, offset in offsets.items() if offset % 64 == 0] == ["b", "c", "d", "f", "g"]
    assert (offsets["e"] % 16, offsets["a"] % 4) == (0, 0)


def test_a_large_file_is_written_and_read_by_several_threads(restored_num_threads, tmp_path):
    tf.set_num_threads(2)
    sizes = (9_000_001, 17)
    variables = [tf.Variable(np.arange(n), name=f"v{n}") for n in sizes]
    path = tf.train.Saver().save(None, tmp_path / "model")
    for variable in variables:
        variable.assign(np.zeros(variable.shape, np.int64))
    tf.train.Saver().restore(None, path)
    for variable, size in zip(variables, sizes, strict=True):
        np.testing.assert_array_equal(variable.numpy(), np.arange(size))


def test_the_signature_is_that_of_tensorflow():
    parameters = inspect.signature(tf.train.Saver).parameters
    assert {name: parameter.default for name, parameter in parameters.items()} == {
        "var_list": None,
        "reshape": False,
        "sharded": False,
        "max_to_keep": 5,
        "keep_checkpoint_every_n_hours": 10000.0,
        "name": None,
        "restore_sequentially": False,
        "saver_def": None,
        "builder": None,
        "defer_build": False,
        "allow_empty": False,
        "write_version": tf.train.SaverDef.V2,
        "pad_step_number": False,
        "save_relative_paths": False,
        "filename": None,
    }


def test_a_dict_names_the_variables_in_the_checkpoint(tmp_path):
    one, two = tf.Variable(1.0), tf.Variable(2.0)
    path = tf.train.Saver({"a": one, "b": two}).save(None, tmp_path / "model")
    assert tf.train.list_variables(path) == [("a", []), ("b", [])]
    tf.train.Saver({"b": one, "a": two}).restore(None, path)
    assert (one.numpy(), two.numpy()) == (2.0, 1.0)


def test_names_are_those_of_the_operations(tmp_path):
    with tf.Graph().as_default(), tf.Session() as sess:
        with tf.name_scope("layer"):
            variable = tf.Variable(1.0, name="w")
        sess.run(variable.initializer)
        path = tf.train.Saver().save(sess, tmp_path / "model")
        assert tf.train.list_variables(path) == [(variable.op.name, [])]


def test_eager_variables_that_are_gone_are_not_saved(tmp_path):
    kept = tf.Variable(1.0, name="kept")
    tf.Variable(2.0, name="gone")
    path = tf.train.Saver().save(None, tmp_path / "model")
    assert [name for name, _ in tf.train.list_variables(path)] == [kept.name[:-2]]


@pytest.mark.parametrize(
    ("step", "pad", "name"),
    [(None, False, "model"), (7, False, "model-7"), (np.int64(7), True, "model-00000007"), (0, False, "model-0")],
)
def test_the_path_ends_in_the_step(step, pad, name, tmp_path):
    saver = tf.train.Saver([tf.Variable(1.0)], pad_step_number=pad)
    assert saver.save(None, tmp_path / "model", step) == str(tmp_path / name)
    assert names_in(tmp_path) == ["checkpoint", f"{name}.safetensors"]


def test_the_step_may_be_a_variable(tmp_path):
    step = tf.train.create_global_step()
    step.assign(12)
    path = tf.train.Saver().save(None, tmp_path / "model", step)
    assert path.endswith("model-12")
    assert tf.train.load_checkpoint(path).global_step == 12
    with tf.Graph().as_default(), tf.Session() as sess:
        step = tf.train.create_global_step()
        sess.run(step.assign(3).op)
        assert tf.train.Saver().save(sess, tmp_path / "model", step).endswith("model-3")


def test_a_finalized_graph_can_be_saved_and_restored(tmp_path):
    with tf.Graph().as_default() as graph, tf.Session() as sess:
        variable = tf.Variable([1, 2])
        sess.run(variable.initializer)
        graph.finalize()
        num_operations = len(graph.get_operations())
        saver = tf.train.Saver()
        saver.restore(sess, saver.save(sess, tmp_path / "model"))
        assert len(graph.get_operations()) == num_operations


def test_a_variable_without_a_fixed_shape_takes_that_of_the_checkpoint(tmp_path):
    path = tf.train.Saver({"v": tf.Variable(np.ones((2, 3), np.float32))}).save(None, tmp_path / "model")
    with tf.Graph().as_default(), tf.Session() as sess:
        variable = tf.Variable([1.0], validate_shape=False)
        sess.run(variable.initializer)
        tf.train.Saver({"v": variable}).restore(sess, path)
        assert sess.run(variable).shape == (2, 3)


def test_reshape_takes_a_tensor_with_as_many_elements(tmp_path):
    source, target = tf.Variable(np.arange(6)), tf.Variable(np.zeros((2, 3), np.int64))
    path = tf.train.Saver({"v": source}).save(None, tmp_path / "model")
    tf.train.Saver({"v": target}, reshape=True).restore(None, path)
    np.testing.assert_array_equal(target.numpy(), [[0, 1, 2], [3, 4, 5]])


def partitioned(name, shape, num_parts, axis=0):
    """Return a partitioned variable that counts its elements, in eager mode."""
    partitioner = tf.fixed_size_partitioner(num_parts, axis)
    variable = tf.get_variable(name, shape, partitioner=partitioner)
    variable.assign(np.arange(np.prod(shape), dtype=np.float32).reshape(shape))
    return variable


@pytest.mark.parametrize(("before", "after"), [((3, 0), (2, 0)), ((2, 1), (3, 0)), ((2, 0), (1, 0))])
def test_a_partitioned_variable_is_one_tensor_for_any_slices(before, after, tmp_path):
    source = partitioned("source", (6, 4), *before)
    target = partitioned("target", (6, 4), *after)
    expected = source.numpy()
    target.assign(np.zeros((6, 4), np.float32))
    path = tf.train.Saver({"table": source}).save(None, tmp_path / "model")
    assert tf.train.list_variables(path) == [("table", [6, 4])]
    tf.train.Saver({"table": list(target)}).restore(None, path)
    np.testing.assert_array_equal(target.numpy(), expected)
    whole = tf.Variable(np.zeros((6, 4), np.float32))
    tf.train.Saver({"table": whole}).restore(None, path)
    np.testing.assert_array_equal(whole.numpy(), expected)


def test_slices_in_the_list_belong_to_their_whole_variable(tmp_path):
    with tf.Graph().as_default(), tf.Session() as sess:
        table = tf.get_variable("table", [5, 2], partitioner=tf.fixed_size_partitioner(2))
        sess.run(tf.global_variables_initializer())
        expected = np.concatenate(sess.run(list(table)))
        path = tf.train.Saver().save(sess, tmp_path / "model")
    np.testing.assert_array_equal(tf.train.load_variable(path, "table"), expected)
    with tf.Graph().as_default(), tf.Session() as sess:
        table = tf.get_variable("table", [5, 2], partitioner=tf.fixed_size_partitioner(3))
        tf.train.Saver().restore(sess, path)
        np.testing.assert_array_equal(np.concatenate(sess.run(list(table))), expected)


def test_only_some_slices_can_be_restored_but_not_saved(tmp_path):
    table = partitioned("table", (4, 2), 2)
    path = tf.train.Saver([table]).save(None, tmp_path / "model")
    _, last = table
    last.assign(np.zeros((2, 2), np.float32))
    saver = tf.train.Saver([last])
    saver.restore(None, path)
    np.testing.assert_array_equal(last.numpy(), [[4, 5], [6, 7]])
    with pytest.raises(ValueError, match="some slices of 'table' are missing"):
        saver.save(None, tmp_path / "other")


def test_the_oldest_checkpoints_go(tmp_path):
    saver = tf.train.Saver([tf.Variable(1.0)], max_to_keep=2)
    paths = [saver.save(None, tmp_path / "model", step) for step in range(4)]
    assert saver.last_checkpoints == paths[2:]
    assert names_in(tmp_path) == ["checkpoint", "model-2.safetensors", "model-3.safetensors"]
    assert tf.train.get_checkpoint_state(tmp_path).all_model_checkpoint_paths == paths[2:]


@pytest.mark.parametrize("max_to_keep", [None, 0])
def test_all_checkpoints_stay_if_there_is_no_limit(max_to_keep, tmp_path):
    saver = tf.train.Saver([tf.Variable(1.0)], max_to_keep=max_to_keep)
    for step in range(7):
        saver.save(None, tmp_path / "model", step)
    assert len(names_in(tmp_path)) == 8
    assert saver.last_checkpoints == []
    assert tf.train.get_checkpoint_state(tmp_path).all_model_checkpoint_paths == [str(tmp_path / "model-6")]


def test_the_graph_goes_with_its_checkpoint(tmp_path):
    with tf.Graph().as_default(), tf.Session() as sess:
        sess.run(tf.Variable(1.0).initializer)
        saver = tf.train.Saver(max_to_keep=1)
        for step in range(2):
            saver.save(sess, tmp_path / "model", step)
    assert names_in(tmp_path) == ["checkpoint", "model-1.meta", "model-1.safetensors"]


def test_one_checkpoint_every_some_hours_stays(tmp_path, monkeypatch):
    now = [1e9]
    monkeypatch.setattr(saver_module, "time", type("Clock", (), {"time": staticmethod(lambda: now[0])}))
    saver = tf.train.Saver([tf.Variable(1.0)], max_to_keep=1, keep_checkpoint_every_n_hours=1.0)
    for step in range(10):
        now[0] += 1200
        saver.save(None, tmp_path / "model", step)
    # Written 4800 and 8400 s after the saver was made: the first ones past each hour that had to go.
    assert [name for name in names_in(tmp_path) if name != "checkpoint"] == [
        "model-3.safetensors",
        "model-6.safetensors",
        "model-9.safetensors",
    ]


def test_a_checkpoint_of_the_same_name_is_replaced_and_stays(tmp_path):
    variable = tf.Variable(1.0)
    saver = tf.train.Saver({"v": variable}, max_to_keep=2)
    for value in range(5):
        variable.assign(float(value))
        path = saver.save(None, tmp_path / "model")
    assert saver.last_checkpoints == [path]
    assert tf.train.load_variable(path, "v") == 4.0


def test_recovered_checkpoints_go_as_those_of_the_saver_itself(tmp_path):
    variable = tf.Variable(1.0)
    first = tf.train.Saver([variable])
    paths = [first.save(None, tmp_path / "model", step) for step in range(2)]
    saver = tf.train.Saver([variable], max_to_keep=2)
    saver.recover_last_checkpoints([str(tmp_path / "nothing"), *paths])
    assert saver.last_checkpoints == paths
    saver.save(None, tmp_path / "model", 2)
    assert names_in(tmp_path) == ["checkpoint", "model-1.safetensors", "model-2.safetensors"]


def test_checkpoints_that_were_set_are_never_deleted(tmp_path):
    variable = tf.Variable(1.0)
    old = tf.train.Saver([variable]).save(None, tmp_path / "old")
    saver = tf.train.Saver([variable], max_to_keep=1)
    saver.set_last_checkpoints([old])
    saver.save(None, tmp_path / "new")
    assert tf.train.checkpoint_exists(old)
    saver.set_last_checkpoints_with_time([(old, time.time())])
    saver.save(None, tmp_path / "newer")
    assert not tf.train.checkpoint_exists(old)


def test_what_another_process_wrote_under_the_name_is_not_deleted(tmp_path):
    variable = tf.Variable(1.0)
    saver = tf.train.Saver([variable], max_to_keep=1)
    path = saver.save(None, tmp_path / "model", 1)
    tf.train.Saver([variable]).save(None, tmp_path / "model", 1)
    saver.save(None, tmp_path / "model", 2)
    assert tf.train.checkpoint_exists(path)


@pytest.mark.parametrize("num_later", [1, 4])
def test_the_latest_is_there_if_another_process_overtakes_a_save_of_the_same_names(num_later, tmp_path, monkeypatch):
    ours, others = (tf.train.Saver({"v": tf.Variable(value)}, max_to_keep=2) for value in (1.0, 2.0))
    write = saver_module.write_checkpoint

    def overtaken(*arguments):
        identity = write(*arguments)
        monkeypatch.setattr(saver_module, "write_checkpoint", write)
        for step in range(num_later):
            others.save(None, tmp_path / "model", step)
        return identity

    monkeypatch.setattr(saver_module, "write_checkpoint", overtaken)
    ours.save(None, tmp_path / "model", 0)
    expected = str(tmp_path / f"model-{num_later - 1}")
    assert tf.train.get_checkpoint_state(tmp_path).model_checkpoint_path == expected
    assert tf.train.latest_checkpoint(tmp_path) == expected
    assert len(ours.last_checkpoints) == (num_later == 1)


def test_a_folder_is_read_though_its_latest_checkpoint_is_deleted_meanwhile(tmp_path, monkeypatch):
    saver = tf.train.Saver({"v": tf.Variable(1.0)}, max_to_keep=1)
    first = saver.save(None, tmp_path / "model", 0)
    find = checkpoints.latest_checkpoint

    def overtaken(folder):
        found = find(folder)
        if found == first:
            saver.save(None, tmp_path / "model", 1)
        return found

    monkeypatch.setattr(checkpoints, "latest_checkpoint", overtaken)
    assert tf.train.load_checkpoint(tmp_path).path == f"{tmp_path / 'model-1'}.safetensors"


def test_write_state_false_leaves_no_trace_but_the_checkpoint(tmp_path):
    saver = tf.train.Saver([tf.Variable(1.0)])
    saver.save(None, tmp_path / "model", write_state=False)
    assert names_in(tmp_path) == ["model.safetensors"]
    assert saver.last_checkpoints == []


def test_relative_paths_let_the_folder_move(tmp_path, monkeypatch):
    folder = tmp_path / "before"
    folder.mkdir()
    monkeypatch.chdir(tmp_path)
    variable = tf.Variable(1.0)
    for path in (folder / "model", "before/model"):
        tf.train.Saver([variable], save_relative_paths=True).save(None, path)
        assert (folder / "checkpoint").read_text().startswith('model_checkpoint_path: "model"\n')
    folder.rename(tmp_path / "after")
    assert tf.train.latest_checkpoint("after") == "after/model"


def test_defer_build_finds_the_variables_at_the_first_use(tmp_path):
    saver = tf.train.Saver(defer_build=True)
    variable = tf.Variable(1.0, name="late")
    assert tf.train.list_variables(saver.save(None, tmp_path / "model")) == [("late", [])]
    variable.assign(2.0)


def test_allow_empty_saves_nothing(tmp_path):
    saver = tf.train.Saver([], allow_empty=True)
    assert saver.save(None, tmp_path / "model") is None
    assert names_in(tmp_path) == []


def test_saver_def_goes_there_and_back():
    variable = tf.Variable(1.0)
    made = tf.train.Saver([variable], max_to_keep=3, keep_checkpoint_every_n_hours=2.0, sharded=True).to_proto()
    again = tf.train.Saver([variable], saver_def=made.SerializeToString())
    assert again.as_saver_def() == made
    assert tf.train.Saver.from_proto(made).as_saver_def().max_to_keep == 3


def test_an_imported_graph_comes_with_its_saver(tmp_path):
    with tf.Graph().as_default(), tf.Session() as sess:
        variable = tf.Variable([1.0, 2.0], name="w")
        table = tf.get_variable("table", [4, 2], partitioner=tf.fixed_size_partitioner(2))
        sess.run(tf.global_variables_initializer())
        expected = np.concatenate(sess.run(list(table)))
        path = tf.train.Saver(max_to_keep=9).save(sess, tmp_path / "model")
        assert variable.name == "w:0"
    for scope in (None, "copy"):
        with tf.Graph().as_default(), tf.Session() as sess:
            saver = tf.train.import_meta_graph(f"{path}.meta", import_scope=scope)
            saver.restore(sess, path)
            prefix = f"{scope}/" if scope else ""
            np.testing.assert_array_equal(sess.run(f"{prefix}w:0"), [1.0, 2.0])
            got = [sess.run(f"{prefix}table/part_{i}:0") for i in range(2)]
            np.testing.assert_array_equal(np.concatenate(got), expected)
            assert saver.as_saver_def().max_to_keep == 9


def test_a_graph_that_cannot_be_written_is_an_error_only_if_it_was_asked_for(tmp_path, monkeypatch, caplog):
    def fail(*arguments, **named):
        raise TypeError("no such message")

    monkeypatch.setattr(saver_module, "export_meta_graph", fail)
    with tf.Graph().as_default(), tf.Session() as sess:
        sess.run(tf.Variable(1.0).initializer)
        saver = tf.train.Saver()
        saver.save(sess, tmp_path / "model")
        assert "the graph is not written" in caplog.text
        with pytest.raises(TypeError, match="no such message"):
            saver.save(sess, tmp_path / "model", write_meta_graph=True)


def test_list_variables_and_reader_tell_what_there_is(tmp_path):
    variables = {"b": tf.Variable([1, 2]), "a": tf.Variable(1.0)}
    path = tf.train.Saver(variables).save(None, tmp_path / "model")
    reader = tf.train.NewCheckpointReader(path)
    assert tf.train.list_variables(tmp_path) == [("a", []), ("b", [2])]
    assert reader.get_variable_to_shape_map() == {"a": [], "b": [2]}
    assert reader.get_variable_to_dtype_map() == {"a": tf.float32, "b": tf.int32}
    assert reader.has_tensor("a")
    assert not reader.has_tensor("c")
    assert reader.debug_string() == b"a (float32) []\nb (int32) [2]\n"
    assert tf.train.load_variable(tmp_path, "b:0").tolist() == [1, 2]


def test_a_reader_goes_on_seeing_the_checkpoint_that_it_opened(tmp_path):
    variable = tf.Variable(1.0)
    saver = tf.train.Saver({"v": variable})
    path = saver.save(None, tmp_path / "model")
    reader = tf.train.load_checkpoint(path)
    variable.assign(2.0)
    saver.save(None, tmp_path / "model")
    assert reader.get_tensor("v") == 1.0
    assert tf.train.load_variable(path, "v") == 2.0


def test_times_and_removal_of_checkpoints(tmp_path):
    path = tf.train.Saver([tf.Variable(1.0)]).save(None, tmp_path / "model")
    (written,) = tf.train.get_checkpoint_mtimes([path, str(tmp_path / "nothing")])
    assert abs(written - time.time()) < 60
    tf.train.remove_checkpoint(path)
    assert not tf.train.checkpoint_exists(path)
    tf.train.remove_checkpoint(path)
