"""Graphs as messages: TensorFlow's form, exact round trips, and what ``import_graph_def`` refuses."""

from __future__ import annotations

import numpy as np
import pytest

import nbvars as tf
from nbvars import proto
from nbvars.runtime.import_graph import import_graph_def


def described(graph, prefix=""):
    """Return all that a message must keep of the operations of a graph."""
    return [
        (
            op.name.removeprefix(prefix),
            op.type,
            op.device,
            [tensor.name.removeprefix(prefix) for tensor in op.inputs],
            [control.name.removeprefix(prefix) for control in op.control_inputs],
            [(str(tensor.dtype), str(tensor.shape)) for tensor in op.outputs],
            [group.decode().replace(prefix, "") for group in op.colocation_groups()],
            sorted((key, repr(value)) for key, value in op._attrs.items()),
        )
        for op in graph.get_operations()
    ]


def imported(graph_def, **options):
    """Return a new graph with the operations of ``graph_def``."""
    with tf.Graph().as_default() as graph:
        import_graph_def(graph_def, **{"name": "", **options})
    return graph


def node(name, op="NoOp", inputs=(), **attrs):
    values = {key: proto.message_class("AttrValue")(**value) for key, value in attrs.items()}
    return proto.message_class("NodeDef")(name=name, op=op, input=inputs, attr=values)


def graph_def_of(*nodes):
    return proto.message_class("GraphDef")(node=nodes)


# One graph of each kind of operation and attribute.


def variables(x):
    for dtype in (tf.float32, tf.int32):
        variable = tf.Variable([[1, 2], [3, 4]], dtype=dtype, name="v")
        variable.assign(variable + tf.constant(1, dtype))
        variable.assign_add(5 * tf.ones([2, 2], dtype), use_locking=True)
        variable.assign_sub(tf.ones([2, 2], dtype))
        variable.scatter_sub(tf.IndexedSlices(tf.ones([1, 2], dtype), [1]))
        tf.scatter_nd_update(variable, [[0, 1]], tf.constant([7], dtype))
        tf.is_variable_initialized(variable)
    tf.assign_add(tf.Variable(1.0), 2)
    free = tf.Variable([1.0], validate_shape=False)
    tf.assign(free, [1.0, 2.0], validate_shape=False)
    tf.Variable(1, name="count", trainable=False).count_up_to(10)


def keys(x):
    x[0], x[None, ..., 1:2], x[::-1, :-1:3], x[[1, 0]], x[..., tf.constant([0])], x[x > 0]


def attributes(x):
    tf.reduce_sum(x, axis=[0, -1], keepdims=True)
    tf.reduce_mean(x)
    tf.squeeze(x[None])
    tf.transpose(x, [1, 0])
    tf.tensordot(x, x, [[1, 0], [1, 0]])
    tf.tensordot(x, x, 2)
    tf.norm(x, ord=2.1, axis=0)
    tf.norm(x, ord="euclidean")
    tf.pad(x, [[0, 1], [1, 0]], "REFLECT")
    tf.split(x, [1, 1], axis=1)
    tf.unstack(x, axis=1)
    tf.unique(tf.constant([1, 2, 1]), out_idx=tf.int64)
    tf.argmax(x, 1, output_type=tf.int32)
    tf.cast(x, tf.bfloat16)
    tf.zeros_like(x, tf.int64)
    tf.eye(2, batch_shape=[3])
    tf.matmul(x, x, transpose_b=True)
    tf.one_hot([0, 2], 3)
    tf.cumsum(x, exclusive=True)


def constants(x):
    tf.constant(["text", "ü"])
    tf.constant(np.arange(6, dtype=np.float16).reshape(2, 3))
    tf.constant(1 + 2j)
    tf.constant([], tf.int32)
    tf.constant(True)


def random(x):
    tf.random_normal([2, 2], seed=3)
    tf.random_uniform([2], seed=-1)
    tf.random_shuffle(x, seed=2**40)
    tf.truncated_normal([1])


def sizes_from_tensors(x):
    rows = tf.shape(x)[0]
    tf.reshape(x, tf.stack([rows, 2]))
    tf.fill(tf.stack([rows]), 1.0)
    tf.tile(x, tf.placeholder(tf.int32, [2]))
    tf.slice(x, tf.placeholder(tf.int32, [2]), [1, 1])
    tf.random_uniform(tf.shape(x), seed=1)


def scopes(x):
    with tf.device("/cpu:0"), tf.name_scope("scope"):
        first = tf.add(x, x)
    with tf.control_dependencies([first.op, tf.no_op("nothing")]):
        tf.identity(x, name="after")
    with tf.colocate_with(first):
        tf.negative(x)
    tf.group(first, name="both")
    tf.placeholder_with_default(tf.ones([2]), [None])


def branches(x):
    with tf.name_scope("outer"):
        table = tf.Variable([1.0, 2.0], name="table")

        def then():
            return tf.cond(x[0, 0] > 5, lambda: table.assign_add([1.0, 1.0]) + 0.0, lambda: table + 0.0)

        tf.cond(tf.reduce_sum(x) > 0, then, lambda: tf.zeros([2]))


def loops(x):
    tf.while_loop(lambda i, total: i < 3, lambda i, total: (i + 1, total + tf.reduce_sum(x)), [tf.constant(0), 0.0])


KINDS = [variables, keys, attributes, constants, random, sizes_from_tensors, scopes, branches, loops]


def built(kind):
    with tf.Graph().as_default() as graph:
        kind(tf.placeholder(tf.float32, [None, 2], name="x"))
    return graph


@pytest.mark.parametrize("kind", KINDS)
def test_a_graph_survives_with_its_names_shapes_and_attributes(kind):
    graph = built(kind)
    made = graph.as_graph_def()
    again = imported(made.SerializeToString())
    if kind not in (branches, loops):  # their attributes are objects of the graph
        assert described(again) == described(graph)
    assert again.as_graph_def() == made


@pytest.mark.parametrize("kind", KINDS)
def test_an_imported_graph_computes_the_same(kind):
    graph = built(kind)
    again = imported(graph.as_graph_def())
    feed = {"x:0": np.array([[1, -2], [3, 4]], np.float32)}
    for op in graph.get_operations():
        if op.type == "Placeholder" and op.name != "x":
            feed[op.outputs[0].name] = np.ones(2, np.int32)
    results = []
    for each in (graph, again):
        with tf.Session(graph=each) as session:
            session.run([op for op in each.get_operations() if op.name.endswith("/Assign")], feed)
            named = [
                tensor.name
                for op in graph.get_operations()
                for tensor in op.outputs
                if op._context is None and not op.name.startswith("truncated_normal")
            ]
            results.append(session.run(named, feed))
    for name, first, second in zip(named, *results, strict=True):
        np.testing.assert_array_equal(first, second, err_msg=name, strict=True)


@pytest.mark.parametrize("kind", KINDS)
def test_a_name_scope_goes_before_all_names(kind):
    graph = built(kind)
    again = imported(graph.as_graph_def(), name="a/b")
    assert [op.name for op in again.get_operations()] == [f"a/b/{op.name}" for op in graph.get_operations()]
    if kind not in (branches, loops):
        assert described(again, "a/b/") == described(graph)


def test_branches_of_two_imports_are_kept_apart():
    made = built(branches).as_graph_def()
    with tf.Graph().as_default() as graph:
        import_graph_def(made)
        import_graph_def(made)
    again = imported(graph.as_graph_def())
    contexts = {op._context.name for op in again.get_operations() if op._context is not None}
    assert {name.split("/")[0] for name in contexts} == {"import", "import_1"}
    assert again.as_graph_def() == graph.as_graph_def()


def test_a_graph_with_variables_trains_to_the_same_bits():
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 3], name="x")
        weights = tf.Variable(tf.random_normal([3, 1], seed=4), name="weights")
        error = tf.matmul(x, weights) - 1.0
        tf.reduce_mean(tf.square(error), name="loss")
        weights.assign_sub(tf.matmul(tf.transpose(x), error) * 0.05, name="train")
        made, definition = graph.as_graph_def(), weights.to_proto()
    again = imported(made)
    with again.as_default():
        remade = tf.Variable.from_proto(definition)
    feed = {"x:0": np.arange(12, dtype=np.float32).reshape(4, 3) / 10}
    results = []
    for variable in (weights, remade):
        with tf.Session(graph=variable.graph) as session:
            session.run(variable.initializer)
            losses = [session.run(["loss:0", "train"], feed)[0] for _ in range(5)]
            results.append((losses, session.run(variable).tolist()))
    assert results[0] == results[1]
    assert results[0][0][-1] < results[0][0][0]


def test_the_value_of_an_imported_variable_is_live():
    with tf.Graph().as_default() as graph:
        definition = tf.Variable(1.0, name="v").to_proto()
    with imported(graph.as_graph_def()).as_default(), tf.Session() as session:
        variable = tf.Variable.from_proto(definition)
        read = variable.value()
        updated = variable.assign_add(1.0)
        with tf.control_dependencies([updated]):
            after = read + 0.0
        session.run(variable.initializer)
        assert session.run(after) == 2


def test_a_node_has_the_form_of_tensorflow():
    with tf.Graph().as_default() as graph, tf.device("/cpu:0"):
        variable = tf.Variable([1.0, 2.0], name="a")
        indices, values = tf.constant([0]), tf.constant([1.0])
        with tf.control_dependencies([tf.no_op("first")]):
            update = tf.scatter_sub(variable, indices, values, name="update")
        both = tf.unique(tf.constant([1, 1]), name="u")
        tf.add(both.idx, 1, name="sum")
    nodes = {each.name: each for each in graph.as_graph_def().node}
    assert update.op.node_def == nodes["update"]
    assert {key: nodes["a"].attr[key].WhichOneof("value") for key in nodes["a"].attr} == {
        "shape": "shape",
        "dtype": "type",
        "container": "s",
        "shared_name": "s",
    }
    assert list(nodes["update"].input) == ["a", "Const", "Const_1", "^first"]
    assert nodes["update"].device == "/device:CPU:0"
    assert nodes["update"].attr["T"].type == 1
    assert nodes["update"].attr["Tindices"].type == tf.int32.as_datatype_enum
    assert nodes["update"].attr["_class"].list.s == [b"loc:@a"]
    assert nodes["a/Assign"].attr["validate_shape"].b
    assert nodes["Const"].attr["value"].tensor.tensor_shape.dim[0].size == 1
    assert nodes["sum"].input[0] == "u:1"


def test_shapes_are_added_where_asked_for():
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, name="x")
        x.set_shape([None, 3])
        tf.placeholder(tf.float32, name="unknown")
    assert "_output_shapes" not in graph.as_graph_def().node[0].attr
    made = graph.as_graph_def(add_shapes=True)
    assert [dim.size for dim in made.node[0].attr["_output_shapes"].list.shape[0].dim] == [-1, 3]
    again = imported(made)
    assert again.get_tensor_by_name("x:0").shape.as_list() == [None, 3]
    assert again.get_tensor_by_name("unknown:0").shape.ndims is None
    assert imported(graph.as_graph_def()).get_tensor_by_name("x:0").shape.ndims is None
    assert again.as_graph_def() == graph.as_graph_def()


def test_only_what_is_new_is_written():
    with tf.Graph().as_default() as graph:
        tf.no_op("old")
        version = graph.version
        tf.no_op("new")
    assert [each.name for each in graph.as_graph_def(from_version=version).node] == ["new"]
    assert graph.as_graph_def().versions.producer > 0


def test_an_operation_of_unknown_type_becomes_a_plain_node():
    with tf.Graph().as_default() as graph:
        x = tf.constant([1.0], name="x")
        attrs = {"a": (1, None), "b": b"bytes", "c": "text", "T": tf.float32}
        op = graph.create_op("Mystery", [x], [tf.float32, tf.int64], name="m", attrs=attrs)
        tf.negative(op.outputs[0], name="after")
    again = imported(graph.as_graph_def())
    assert described(again) == described(graph)
    assert again.get_operation_by_name("m").get_attr("a") == (1, None)
    with tf.Session(graph=again) as session, pytest.raises(tf.errors.UnimplementedError, match="'m'"):
        session.run("after:0")


def test_a_plain_node_without_our_attributes_has_the_dtype_that_its_attributes_tell():
    made = graph_def_of(node("c", "Conv9D", T={"type": 1}), node("d", "Lookup", ["c"], key_dtype={"type": 20}))
    graph = imported(made)
    assert graph.get_tensor_by_name("c:0").dtype is tf.float32
    assert graph.get_operation_by_name("d").outputs == []
    assert graph.as_graph_def().node[1].attr["key_dtype"].type == 20


# A GraphDef of TensorFlow 2.21: a = Variable([1., 2.]); assign_add(a, [1., 1.], name="u").
TENSORFLOW = (
    b"\nD\n\x0fa/initial_value\x12\x05Const*\x0b\n\x05dtype\x12\x020\x01*\x1d\n\x05value\x12\x14B\x12\x08\x01\x12\x04"
    b'\x12\x02\x08\x02"\x08\x00\x00\x80?\x00\x00\x00@\nQ\n\x01a\x12\nVariableV2*\x0b\n\x05dtype\x12\x020\x01*\x0f\n'
    b"\x05shape\x12\x06:\x04\x12\x02\x08\x02*\x0f\n\tcontainer\x12\x02\x12\x00*\x11\n\x0bshared_name\x12\x02\x12\x00"
    b"\nn\n\x08a/Assign\x12\x06Assign\x1a\x01a\x1a\x0fa/initial_value*\x14\n\x06_class\x12\n\n\x08\x12\x06loc:@a*\x11"
    b"\n\x0buse_locking\x12\x02(\x01*\x07\n\x01T\x12\x020\x01*\x14\n\x0evalidate_shape\x12\x02(\x01\n4\n\x06a/read"
    b"\x12\x08Identity\x1a\x01a*\x14\n\x06_class\x12\n\n\x08\x12\x06loc:@a*\x07\n\x01T\x12\x020\x01"
)


def test_a_graph_of_tensorflow_runs():
    graph = imported(TENSORFLOW)
    with tf.Session(graph=graph) as session:
        session.run("a/Assign")
        assert session.run("a/read:0").tolist() == [1, 2]
    assert graph.get_operation_by_name("a/read").colocation_groups() == [b"loc:@a"]
    assert graph.get_operation_by_name("a/read")._attrs == {}
    again = graph.as_graph_def()
    assert [(each.name, each.op, list(each.input), sorted(each.attr)) for each in again.node] == [
        (each.name, each.op, list(each.input), sorted(each.attr)) for each in proto.parse("GraphDef", TENSORFLOW).node
    ]


def test_attributes_that_a_writer_left_out_have_their_defaults():
    made = proto.parse("GraphDef", TENSORFLOW)
    for each in made.node:
        each.attr.pop("use_locking", None)
        each.attr.pop("validate_shape", None)
    with tf.Session(graph=imported(made)) as session:
        session.run("a/Assign")
        assert session.run("a:0").tolist() == [1, 2]


def test_elements_are_returned_in_the_order_asked_for():
    with tf.Graph().as_default() as graph:
        tf.unique(tf.constant([1]), name="u")
        tf.no_op("nothing")
    with tf.Graph().as_default() as other:
        elements = import_graph_def(graph.as_graph_def(), return_elements=["nothing", "u:1", "u", "u:0"])
        assert import_graph_def(graph.as_graph_def()) is None
        assert import_graph_def(graph.as_graph_def(), return_elements=[]) == []
    names = ["import/nothing", "import/u:1", "import/u", "import/u:0"]
    assert elements == [other.as_graph_element(name) for name in names]


def test_inputs_are_replaced():
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [], name="x")
        with tf.control_dependencies([tf.no_op("before")]):
            tf.negative(x, name="minus")
    with tf.Graph().as_default() as other, tf.Session() as session:
        mine, gate = tf.constant(4.0, name="mine"), tf.no_op("gate")
        [minus, kept] = import_graph_def(
            graph.as_graph_def(), input_map={"x": mine, "^before": gate}, return_elements=["minus:0", "x:0"]
        )
        assert [each.name for each in minus.op.inputs] == ["mine:0"]
        assert minus.op.control_inputs == [gate]
        assert kept is mine
        assert mine.consumers() == [minus.op]
        assert session.run(minus) == -4
        assert other.get_operation_by_name("import/x").type == "Placeholder"


def test_an_input_that_graph_def_does_not_have_can_be_replaced():
    made = graph_def_of(node("n", "Neg", ["elsewhere:0"], T={"type": 1}))
    with tf.Graph().as_default(), tf.Session() as session:
        [tensor] = import_graph_def(made, {"elsewhere": tf.constant(2.0)}, ["n:0"])
        assert session.run(tensor) == -2


def test_a_variable_can_replace_another():
    with tf.Graph().as_default() as graph:
        tf.assign_add(tf.Variable(1.0, name="v"), 2.0, name="update")
    with tf.Graph().as_default(), tf.Session() as session:
        mine = tf.Variable(10.0)
        [update] = import_graph_def(graph.as_graph_def(), {"v:0": mine}, ["update:0"])
        session.run(mine.initializer)
        assert session.run(update) == 12
        assert session.run(mine) == 12


def test_scopes_around_the_import_count():
    made = graph_def_of(node("a"), node("b", inputs=["^a"]))
    with tf.Graph().as_default() as graph:
        gate = tf.no_op("gate")
        with tf.device("/cpu:0"), tf.control_dependencies([gate]), tf.name_scope("outer"):
            import_graph_def(made, name="inner")
    a, b = graph.get_operations()[1:]
    assert (a.name, a.device, a.control_inputs) == ("outer/inner/a", "/device:CPU:0", [gate])
    assert b.control_inputs == [a]


def test_names_of_imported_operations_are_taken():
    with tf.Graph().as_default():
        import_graph_def(graph_def_of(node("a"), node("b_1")), name="")
        assert [tf.no_op("A").name, tf.no_op("b").name, tf.no_op("b").name] == ["A_1", "b", "b_2"]


def test_nodes_out_of_order_are_put_in_order():
    made = graph_def_of(node("c", inputs=["^b"]), node("a"), node("b", inputs=["^a"]), node("d"))
    assert [op.name for op in imported(made).get_operations()] == ["a", "b", "c", "d"]


def test_a_long_chain_out_of_order_needs_no_deep_stack():
    nodes = [node(f"n{i}", inputs=[f"^n{i + 1}"]) for i in range(5000)]
    assert imported(graph_def_of(*nodes, node("n5000"))).version == 5001


CONST = {"dtype": {"type": 1}, "value": {"tensor": {"dtype": 1, "tensor_shape": {}, "float_val": [1]}}}


@pytest.mark.parametrize(
    ("nodes", "words"),
    [
        ([node("a"), node("a")], "Node 'a' is not unique"),
        ([node("a", inputs=["b"])], "Unknown input node 'b'"),
        ([node("a", inputs=["^b"])], r"Unknown input node '\^b'"),
        ([node("a", "Const", **CONST), node("b", "Neg", ["a:1"])], "a:1 does not exist"),
        ([node("a"), node("b", "Neg", ["a"])], "a:0 does not exist"),
        ([node("a", inputs=["b:x"])], "malformed"),
        ([node("a", inputs=["b:"])], "malformed"),
        ([node("a", inputs=["^b"]), node("b", inputs=["^a"])], "cycle"),
        ([node("a", inputs=["^a"])], "cycle"),
        ([node("a b")], "not valid"),
        ([node("")], "not valid"),
        ([node("a", "")], "has no op"),
        ([node("a", _class={"list": {"s": [b"loc:@b"]}})], "colocated with unknown node 'b'"),
        ([node("a", "Const", **CONST), node("b", "AddV2", ["a"])], "Node 'b' of type AddV2 cannot be imported"),
        ([node("a", "Const", **CONST), node("b", "Sum", ["a"])], "Node 'b' of type Sum cannot be imported"),
        ([node("a", "Const", **CONST), node("b", "Neg", ["a"], odd={"i": 3})], "the attribute 'odd' is not known"),
        ([node("a", "Const", **CONST), node("b", "AssignAdd", ["a", "a"])], "ref cannot be updated"),
        ([node("a", "Const", **CONST), node("b", "ScatterSub", ["a", "a"])], "wrong number of inputs"),
        ([node("a", "Const", **{**CONST, "dtype": {"type": 3}})], "wrong dtype"),
        ([node("a", "Const")], "'value'"),
        ([node("a", "Const", dtype={"type": 1}, value={"i": 3})], "Node 'a' of type Const cannot be imported"),
        ([node("a", "VariableV2", shape={"shape": {}})], "'dtype'"),
        ([node("a", "Placeholder", dtype={"type": 999})], "unknown dtype"),
        ([node("a", "Neg")], "missing"),
        ([node("a", "Const", **CONST), node("b", "Cast", ["a"], dtype={"i": 3})], "dtype of an output"),
        ([node("a", "PlaceholderWithDefault", dtype={"type": 1})], "PlaceholderWithDefault cannot be imported"),
        ([node("a", "Const", **CONST, _output_shapes={"list": {"shape": [{"dim": [{"size": 2}]}]}})], "compatible"),
    ],
)
def test_a_malformed_graph_is_a_value_error_and_adds_nothing(nodes, words):
    made = graph_def_of(node("first"), *nodes)
    with tf.Graph().as_default() as graph:
        kept = tf.constant(1.0, name="kept")
        before = graph.as_graph_def()
        with pytest.raises(ValueError, match=words):
            import_graph_def(made, name="")
        assert graph.as_graph_def() == before
        assert kept.consumers() == []
        assert tf.no_op("first").name == "first"


@pytest.mark.parametrize("data", [b"\xff\xff", b"\n\x05abc"], ids=repr)
def test_malformed_bytes_are_a_value_error(data):
    with pytest.raises(ValueError, match="data is malformed"):
        imported(data)


@pytest.mark.parametrize("value", [3, "a", None, proto.message_class("NodeDef")()], ids=type)
def test_what_is_no_graph_def_is_a_type_error(value):
    with pytest.raises(TypeError, match="must be a GraphDef proto"):
        imported(value)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"return_elements": ["b"]}, ValueError, "Requested return_element 'b' not found"),
        ({"return_elements": ["a:1"]}, ValueError, "Requested return_element 'a:1' not found"),
        ({"return_elements": ["^a"]}, ValueError, "not found"),
        ({"return_elements": [3]}, TypeError, "holds no name"),
        ({"input_map": {3: "a"}}, TypeError, "All keys for argument `input_map` must be strings"),
        ({"input_map": {"a": "kept"}}, TypeError, "is no tensor"),
        ({"input_map": {"a": 1.0}}, TypeError, "Can not convert a float into a Tensor"),
        ({"input_map": {"a:x": 1.0}}, ValueError, "malformed"),
        ({"name": "a b"}, ValueError, "not valid"),
    ],
)
def test_wrong_arguments_add_nothing(options, error, words):
    with tf.Graph().as_default() as graph:
        tf.constant(1.0, name="kept")
        with pytest.raises(error, match=words):
            import_graph_def(graph_def_of(node("a", "Const", **CONST), node("n", "Neg", ["a"])), **options)
        assert graph.version == 1


def test_a_replacement_must_fit():
    made = graph_def_of(node("a", "Const", **CONST), node("n", "Neg", ["a"]))
    with tf.Graph().as_default() as graph:
        mine = tf.constant(1)
        for key, words in (("a", "has the wrong dtype: got int32, expected float32"), ("b", r"\['b:0'\]")):
            with pytest.raises(ValueError, match=words):
                import_graph_def(made, {key: mine})
        with tf.Graph().as_default():
            elsewhere = tf.constant(1.0)
        with pytest.raises(ValueError, match="not an element of this graph"):
            import_graph_def(made, {"a": elsewhere})
        assert graph.version == 1


def test_a_replacement_that_no_node_takes_is_no_error_if_it_is_there():
    with tf.Graph().as_default() as graph:
        import_graph_def(graph_def_of(node("a", "Const", **CONST)), {"a": tf.constant(1.0)})
        assert graph.version == 2


def test_a_name_that_is_taken_is_a_value_error():
    with tf.Graph().as_default() as graph:
        tf.no_op("b")
        with pytest.raises(ValueError, match="the name of an operation is taken: got 'b'"):
            import_graph_def(graph_def_of(node("a"), node("b")), name="")
        assert [op.name for op in graph.get_operations()] == ["b"]


def test_a_finalized_graph_takes_nothing():
    with tf.Graph().as_default() as graph:
        graph.finalize()
        with pytest.raises(RuntimeError, match="Graph is finalized"):
            import_graph_def(graph_def_of(node("a")))


def test_eager_mode_imports_nothing():
    with pytest.raises(RuntimeError, match="not compatible with eager execution"):
        import_graph_def(graph_def_of(node("a")))


def test_an_attribute_that_cannot_be_written_names_its_operation():
    with tf.Graph().as_default() as graph:
        graph.create_op("Mystery", [], name="m", attrs={"odd": object()})
        with pytest.raises(TypeError, match="attribute 'odd' of operation 'm'"):
            graph.as_graph_def()
