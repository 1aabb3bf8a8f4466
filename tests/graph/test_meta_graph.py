"""Graphs with their collections, as messages and files."""

from __future__ import annotations

import logging
import os
import stat

import numpy as np
import pytest

import nbvars as tf
from nbvars import proto
from nbvars.train import Saver, export_meta_graph, import_meta_graph

KEYS = tf.GraphKeys


@pytest.fixture
def model():
    """A graph: two variables in the scope ``layer``, a local counter, and a loss that falls."""
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 2], name="x")
        with tf.name_scope("layer"), tf.device("/cpu:0"):
            weights = tf.Variable([[1.0], [2.0]], name="weights")
            tf.Variable([0.5], name="bias", trainable=False)
        tf.Variable(0, name="count", trainable=False, collections=[KEYS.LOCAL_VARIABLES])
        output = tf.matmul(x, weights) + tf.global_variables()[1]
        tf.reduce_mean(tf.square(output), name="loss")
        weights.assign_sub(tf.matmul(tf.transpose(x), output) * 0.1, name="train")
        graph.add_to_collection("endpoints", output)
        graph.add_to_collection("endpoints", output.op)
        graph.add_to_collection("endpoints", weights)
        yield graph


def trained(graph):
    """Return the losses of three steps in a session of its own, and the weights after them."""
    with graph.as_default(), tf.Session() as session:
        session.run([variable.initializer for variable in tf.global_variables()])
        feed = {"x:0": np.array([[1, 2], [3, -4]], np.float32)}
        losses = [session.run(["loss:0", "train:0"], feed)[0] for _ in range(3)]
        return losses, session.run(tf.trainable_variables())


def test_an_imported_graph_trains_to_the_same_bits(model):
    made = export_meta_graph(graph=model)
    with tf.Graph().as_default() as other:
        assert isinstance(import_meta_graph(made), Saver)
    losses, weights = trained(model)
    other_losses, other_weights = trained(other)
    assert losses == other_losses
    np.testing.assert_array_equal(weights[0], other_weights[0])


def test_collections_come_back_with_one_object_for_a_variable(model):
    made = export_meta_graph()
    with tf.Graph().as_default() as other:
        import_meta_graph(made.SerializeToString())
        weights, bias = tf.global_variables()
        assert [variable.name for variable in (weights, bias)] == ["layer/weights:0", "layer/bias:0"]
        assert tf.trainable_variables() == [weights]
        assert [variable.name for variable in tf.local_variables()] == ["count:0"]
        tensor, op, variable = other.get_collection("endpoints")
        assert tensor is other.get_tensor_by_name("add:0")
        assert op is tensor.op
        assert variable is weights
        assert (weights.trainable, bias.trainable) == (True, False)


def test_exporting_an_imported_graph_gives_the_same_message(model):
    made = export_meta_graph()
    with tf.Graph().as_default():
        import_meta_graph(made)
        assert export_meta_graph() == made


def test_variables_are_written_as_serialized_messages(model):
    made = export_meta_graph()
    [data] = made.collection_def["trainable_variables"].bytes_list.value
    assert proto.parse("VariableDef", data) == tf.trainable_variables()[0].to_proto()
    assert len(made.collection_def["variables"].bytes_list.value) == 2
    assert made.collection_def["endpoints"].node_list.value == ["add:0", "add", "layer/weights:0"]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([3, -4], [3, -4]),
        ([0.5, 0.1], [0.5, float(np.float32(0.1))]),
        (["text", "ü"], ["text", "ü"]),
        ([b"bytes", b"\xff"], ["bytes", b"\xff"]),
    ],
)
def test_numbers_and_strings_come_back(values, expected):
    with tf.Graph().as_default() as graph:
        for value in values:
            graph.add_to_collection("mine", value)
        made = export_meta_graph()
    with tf.Graph().as_default() as other:
        import_meta_graph(made)
        assert other.get_collection("mine") == expected


@pytest.mark.parametrize(
    "values",
    [[object()], [1, "a"], [True], [2**70], [None, 1], [{"a": 1}], [1, 0.5]],
    ids=["object", "mixed", "bool", "large", "none", "dict", "int and float"],
)
def test_other_values_are_left_out_with_a_warning(values, caplog):
    with tf.Graph().as_default() as graph, caplog.at_level(logging.WARNING, "nbvars"):
        for value in values:
            graph.add_to_collection("odd", value)
        graph.add_to_collection("good", 1)
        made = export_meta_graph()
    assert list(made.collection_def) == ["good"]
    assert "'odd' is left out" in caplog.text


def test_a_key_that_is_no_string_is_left_out_with_a_warning(caplog):
    with tf.Graph().as_default() as graph, caplog.at_level(logging.WARNING, "nbvars"):
        graph.add_to_collection(("a", 1), 1)
        assert not export_meta_graph().collection_def
    assert "the key is no string" in caplog.text


def test_only_the_collections_asked_for_are_written(model):
    assert list(export_meta_graph(collection_list=["variables", "nothing"]).collection_def) == ["variables"]


def test_a_collection_of_unknown_kind_is_left_out_with_a_warning(caplog):
    made = proto.message_class("MetaGraphDef")()
    made.collection_def["odd"].any_list.value.add(type_url="x")
    with tf.Graph().as_default() as graph, caplog.at_level(logging.WARNING, "nbvars"):
        import_meta_graph(made)
        assert graph.get_all_collection_keys() == []
    assert "'odd' is left out" in caplog.text


def test_an_import_scope_goes_before_all_names(model):
    made = export_meta_graph()
    with tf.Graph().as_default() as other:
        for scope in ("one", "one_1"):
            import_meta_graph(made, import_scope="one")
            assert other.get_tensor_by_name(f"{scope}/loss:0") is not None
        names = [variable.name for variable in tf.global_variables()]
        assert names == ["one/layer/weights:0", "one/layer/bias:0", "one_1/layer/weights:0", "one_1/layer/bias:0"]
        assert [variable.name for variable in tf.trainable_variables()] == [names[0], names[2]]


def test_an_export_scope_is_taken_off_all_names(model):
    made = export_meta_graph(export_scope="layer")
    nodes = [node.name for node in made.graph_def.node]
    assert nodes[:4] == ["weights/initial_value", "weights", "weights/Assign", "weights/read"]
    assert made.graph_def.node[2].input == ["weights", "weights/initial_value"]
    assert made.graph_def.node[2].attr["_class"].list.s == [b"loc:@weights"]
    assert list(made.collection_def["endpoints"].node_list.value) == ["weights:0"]
    assert "local_variables" not in made.collection_def
    with tf.Graph().as_default():
        import_meta_graph(made, import_scope="copy")
        assert [variable.name for variable in tf.global_variables()] == ["copy/weights:0", "copy/bias:0"]


def test_an_input_from_outside_the_export_scope_is_a_value_error():
    with tf.Graph().as_default():
        outside = tf.constant(1.0, name="outside")
        with tf.name_scope("inside"):
            tf.add(outside, 1.0)
        with pytest.raises(
            ValueError, match=r"'inside/add' has an input from outside the export scope: got \['outside'\]"
        ):
            export_meta_graph(export_scope="inside")


def test_devices_can_be_cleared(model):
    assert {node.device for node in export_meta_graph().graph_def.node} == {"", "/device:CPU:0"}
    made = export_meta_graph(clear_devices=True)
    assert {node.device for node in made.graph_def.node} == {""}
    made = export_meta_graph()
    with tf.Graph().as_default() as other:
        import_meta_graph(made, clear_devices=True)
        assert {op.device for op in other.get_operations()} == {""}
    assert "/device:CPU:0" in {node.device for node in made.graph_def.node}


@pytest.mark.parametrize("as_text", [False, True])
def test_a_file_comes_back(model, tmp_path, as_text):
    path = tmp_path / "model.meta"
    made = export_meta_graph(path, as_text=as_text)
    assert (b"meta_info_def {" in path.read_bytes()) is as_text
    for source in (path, str(path)):
        with tf.Graph().as_default():
            import_meta_graph(source)
            assert export_meta_graph() == made


def test_a_file_is_replaced_as_a_whole_or_not_at_all(model, tmp_path, monkeypatch):
    path = tmp_path / "model.meta"
    path.write_bytes(b"before")

    def fail(*paths):
        raise OSError("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", fail)
        with pytest.raises(OSError, match="the disk is full"):
            export_meta_graph(path)
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]
    export_meta_graph(path)
    assert list(tmp_path.iterdir()) == [path]
    plain = tmp_path / "plain"
    plain.write_bytes(b"")
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)


def test_a_missing_file_is_an_os_error(tmp_path):
    with tf.Graph().as_default(), pytest.raises(FileNotFoundError):
        import_meta_graph(tmp_path / "nothing.meta")


@pytest.mark.parametrize("data", [b"\xff\xff", b"graph_def {", b"no message"], ids=repr)
def test_a_file_of_something_else_is_a_value_error(tmp_path, data):
    path = tmp_path / "model.meta"
    path.write_bytes(data)
    with tf.Graph().as_default(), pytest.raises(ValueError, match="holds no MetaGraphDef"):
        import_meta_graph(path)


def test_messages_of_trainable_variables_without_the_field_are_trainable(model):
    made = export_meta_graph()
    for key in ("variables", "trainable_variables"):
        values = made.collection_def[key].bytes_list.value
        for i, data in enumerate(values):
            old = proto.parse("VariableDef", data)
            old.ClearField("trainable")
            values[i] = old.SerializeToString()
    with tf.Graph().as_default():
        import_meta_graph(made)
        assert [variable.trainable for variable in tf.global_variables()] == [True, False]


def test_nothing_is_added_if_a_collection_names_what_is_not_there(model):
    made = export_meta_graph()
    made.collection_def["endpoints"].node_list.value.append("elsewhere:0")
    with tf.Graph().as_default() as other:
        with pytest.raises(ValueError, match="'endpoints' names what is not in the graph: got 'elsewhere:0'"):
            import_meta_graph(made)
        del made.graph_def.node[:]
        with pytest.raises(ValueError, match="'variables' names what is not in the graph: got 'layer/weights:0'"):
            import_meta_graph(made)
        assert other.version == 0
        assert other.get_all_collection_keys() == []


def test_the_parts_that_are_given_are_put_in():
    info = proto.message_class("MetaGraphDef.MetaInfoDef")(tags=["serve"], meta_graph_version="7")
    nodes = proto.message_class("GraphDef")(node=[{"name": "a", "op": "NoOp"}])
    made = export_meta_graph(meta_info_def=info, graph_def=nodes, graph=tf.Graph())
    assert made.meta_info_def == info
    assert made.graph_def == nodes


def test_eager_mode_has_no_meta_graph():
    for call in (export_meta_graph, lambda: import_meta_graph(b"")):
        with pytest.raises(RuntimeError, match="not compatible with eager execution"):
            call()
