"""``PartitionedVariable``: the slices of a variable, and the variable that they are together."""

from __future__ import annotations

import numpy as np
import pytest

import nbvars as tf
from nbvars import GraphKeys
from nbvars.variables import initializers
from nbvars.variables.partitioned_variable import PartitionedVariable
from nbvars.variables.partitioners import fixed_size_partitioner
from nbvars.variables.save_slice_info import SaveSliceInfo
from nbvars.variables.variable_scope import get_variable, variable_scope
from nbvars.variables.variable_store import AUTO_REUSE

TABLE = np.arange(10, dtype=np.float32).reshape(5, 2)
BY_ROWS, BY_COLUMNS = fixed_size_partitioner(2), fixed_size_partitioner(2, axis=1)


@pytest.fixture(params=["graph", "eager"], autouse=True)
def mode(request):
    if request.param == "graph":
        with tf.Graph().as_default(), tf.Session().as_default():
            yield request.param
    else:
        tf.reset_default_graph()
        yield request.param
        tf.reset_default_graph()


@pytest.fixture
def graph():
    with tf.Graph().as_default() as graph, tf.Session().as_default():
        yield graph


def partitioned(value=TABLE, partitioner=BY_ROWS, name="w", **options):
    """Return a variable that has its initial value."""
    variable = get_variable(name, initializer=value, partitioner=partitioner, **options)
    run(variable.initializer)
    return variable


def run(target):
    """Return the value of ``target``, a tensor or operation, in either mode."""
    if tf.executing_eagerly():
        return target.numpy() if hasattr(target, "numpy") else target
    return tf.get_default_session().run(target)


def test_slices_are_variables_of_their_own():
    variable = get_variable("a/w", [5, 2], partitioner=BY_ROWS)
    assert isinstance(variable, PartitionedVariable)
    assert [part.name for part in variable] == ["a/w/part_0:0", "a/w/part_1:0"]
    assert [part.shape.as_list() for part in variable] == [[3, 2], [2, 2]]
    assert tf.get_collection(GraphKeys.TRAINABLE_VARIABLES) == list(variable) == variable._get_variable_list()


def test_it_is_described_as_a_whole():
    variable = get_variable("w", [5, 2], tf.int32, partitioner=BY_ROWS)
    assert (variable.name, variable.shape.as_list(), variable.dtype, variable.ndim) == ("w", [5, 2], tf.int32, 2)
    assert (len(variable), variable._get_partitions(), variable.get_shape()) == (2, [2, 1], variable.shape)
    assert repr(variable) == "<nbvars.PartitionedVariable 'w' shape=(5, 2) dtype=int32 partitions=[2, 1]>"


@pytest.mark.parametrize(
    ("num_rows", "num_parts", "expected"),
    [(5, 1, [5]), (5, 2, [3, 2]), (5, 3, [2, 2, 1]), (5, 5, [1] * 5), (6, 3, [2, 2, 2]), (1, 1, [1])],
)
def test_rows_are_shared_out_evenly(num_rows, num_parts, expected):
    variable = get_variable("w", [num_rows], partitioner=lambda shape, dtype: [num_parts])
    assert [part.shape.as_list() for part in variable] == [[size] for size in expected]
    offsets = [part._save_slice_info.var_offset for part in variable]
    assert offsets == [[sum(expected[:i])] for i in range(num_parts)]


def test_slices_know_their_place():
    variable = get_variable("a/w", [5, 2], partitioner=BY_ROWS)
    infos = [part._save_slice_info for part in variable]
    assert [info.spec for info in infos] == ["5 2 0,3:0,2", "5 2 3,2:0,2"]
    assert [(info.full_name, info.full_shape) for info in infos] == [("a/w", [5, 2])] * 2
    assert get_variable("v", [1])._save_slice_info is None


@pytest.mark.parametrize("partitioner", [BY_ROWS, BY_COLUMNS, fixed_size_partitioner(1)])
@pytest.mark.parametrize("make", [lambda: TABLE, lambda: tf.constant(TABLE), TABLE.tolist])
def test_value_is_cut_and_put_together_again(make, partitioner):
    variable = partitioned(make(), partitioner)
    np.testing.assert_array_equal(run(variable.as_tensor()), TABLE)
    np.testing.assert_array_equal(run(tf.convert_to_tensor(variable)), TABLE)


def test_shape_beside_a_value_must_agree():
    np.testing.assert_array_equal(run(partitioned(shape=[5, 2]).as_tensor()), TABLE)
    with pytest.raises(ValueError, match="got"):
        get_variable("v", [4, 2], initializer=TABLE, partitioner=BY_ROWS)


def test_initializer_is_told_where_each_slice_lies():
    seen = []

    def initializer(shape, dtype, partition_info):
        seen.append((shape, partition_info.full_shape, partition_info.var_offset))
        return tf.zeros(shape, dtype)

    get_variable("w", [5, 2], initializer=initializer, partitioner=BY_COLUMNS)
    get_variable(
        "v", [1], initializer=lambda shape, dtype, partition_info: seen.append(partition_info) or tf.ones(shape)
    )
    assert seen == [([5, 1], [5, 2], [0, 0]), ([5, 1], [5, 2], [0, 1]), None]


def test_slices_of_the_identity_are_the_identity_together():
    variable = get_variable("w", [4, 4], initializer=initializers.identity_initializer(), partitioner=BY_ROWS)
    run(variable.initializer)
    np.testing.assert_array_equal(run(variable.as_tensor()), np.eye(4))


def test_operators_take_its_value():
    variable = partitioned()
    np.testing.assert_array_equal(run(variable + 1), TABLE + 1)
    np.testing.assert_array_equal(run(2 * variable), TABLE * 2)
    np.testing.assert_array_equal(run(tf.matmul(variable, [[1.0], [1.0]])), TABLE.sum(axis=1, keepdims=True))
    np.testing.assert_array_equal(run(variable[1:4]), TABLE[1:4])


def test_it_equals_itself_alone():
    variable, other = partitioned(), partitioned(name="v")
    assert variable == variable
    assert variable != other
    assert len({variable, other}) == 2
    assert bool(variable)


@pytest.mark.parametrize("partitioner", [BY_ROWS, BY_COLUMNS, fixed_size_partitioner(1)])
@pytest.mark.parametrize(
    ("update", "expected"),
    [("assign", lambda new: new), ("assign_add", lambda new: TABLE + new), ("assign_sub", lambda new: TABLE - new)],
)
@pytest.mark.parametrize("new", [TABLE[::-1] * 3, np.float64(2.5), 7])
def test_updates_reach_all_slices(update, expected, new, partitioner):
    variable = partitioned(partitioner=partitioner)
    for updated in getattr(variable, update)(new):
        run(updated)
    np.testing.assert_array_equal(run(variable.as_tensor()), np.broadcast_to(expected(np.float32(new)), (5, 2)))


def test_update_takes_the_values_of_the_slices():
    variable, other = partitioned(), partitioned(TABLE * 2, name="v")
    for updated in [*variable.assign([np.ones((3, 2)), np.zeros((2, 2))]), *variable.assign_add(other)]:
        run(updated)
    np.testing.assert_array_equal(run(variable.as_tensor()), TABLE * 2 + np.repeat([1, 0], [3, 2])[:, None])


@pytest.mark.parametrize("value", [np.ones((4, 2)), np.ones(2), [np.ones((3, 2))], [np.ones((2, 2)), np.ones((3, 2))]])
def test_update_that_does_not_fit_changes_nothing(value):
    variable = partitioned()
    with pytest.raises(ValueError, match=r"got .*expected"):
        variable.assign(value)
    np.testing.assert_array_equal(run(variable.as_tensor()), TABLE)


def test_update_of_another_dtype_is_an_error():
    with pytest.raises(TypeError, match="got complex"):
        partitioned().assign(np.ones((5, 2), complex))


def test_it_is_shared_like_any_variable():
    variable = get_variable("w", [5, 2], partitioner=BY_ROWS)
    with variable_scope("", reuse=True):
        assert get_variable("w", [5, 2], partitioner=BY_ROWS) is variable
        assert get_variable("w", partitioner=BY_ROWS) is variable
        assert get_variable("w") is variable
    with variable_scope("", reuse=AUTO_REUSE):
        assert get_variable("w", [5, 2], partitioner=BY_ROWS) is variable


@pytest.mark.parametrize(
    ("options", "wrong"),
    [
        ({"shape": [4, 2]}, r"specified shape \(4, 2\) and found shape \(5, 2\)"),
        ({"dtype": tf.int32}, "specified dtype int32 and found dtype float32"),
        ({"partitioner": BY_COLUMNS}, r"specified partitions \[1, 2\] and found partitions \[2, 1\]"),
    ],
)
def test_it_is_not_shared_with_what_differs(options, wrong):
    get_variable("w", [5, 2], partitioner=BY_ROWS)
    with (
        variable_scope("", reuse=True),
        pytest.raises(ValueError, match=f"Trying to reuse partitioned variable w, but {wrong}"),
    ):
        get_variable("w", **{"shape": [5, 2], "partitioner": BY_ROWS, **options})


@pytest.mark.parametrize(
    ("reuse", "name", "partitioner", "wrong"),
    [
        (None, "w", BY_ROWS, r"Partitioned variable with name w already exists\. Did you mean to set reuse=True"),
        (True, "z", BY_ROWS, r"PartitionedVariable z does not exist, or was not created with tf\.get_variable\(\)"),
        (None, "w", None, "No partitioner was provided, but a partitioned version of the variable was found: w/part_0"),
        (AUTO_REUSE, "w", None, "No partitioner was provided, but a partitioned version"),
        (None, "whole", BY_ROWS, "A partitioner was provided, but an unpartitioned version .* was found: whole"),
    ],
)
def test_sharing_by_mistake_is_an_error(reuse, name, partitioner, wrong):
    get_variable("w", [5, 2], partitioner=BY_ROWS)
    get_variable("whole", [5, 2])
    with variable_scope("", reuse=reuse), pytest.raises(ValueError, match=wrong):
        get_variable(name, [5, 2], partitioner=partitioner)


@pytest.mark.parametrize(
    ("partitioner", "wrong"),
    [
        (7, "Partitioner must be callable, but received: 7"),
        (lambda shape, dtype: 2, "Partitioner must return a sequence, but saw: 2"),
        (lambda shape, dtype: [2], "partition list that does not match the Variable's rank: got .2., expected 2"),
        (lambda shape, dtype: [0, 1], "Partitioner returned zero partitions for some axes"),
        (lambda shape, dtype: [2, 2], "Can only slice a variable along one dimension"),
        (lambda shape, dtype: [6, 1], "more partitions than the shape"),
    ],
)
def test_bad_answer_of_a_partitioner_is_an_error(partitioner, wrong):
    with pytest.raises(ValueError, match=wrong):
        get_variable("w", [5, 2], partitioner=partitioner)


def test_shape_must_be_known():
    wrong = "Shape of a new partitioned variable must be fully defined, but instead was <unknown>"
    with pytest.raises(ValueError, match=wrong):
        get_variable("w", partitioner=BY_ROWS)


def test_partitioner_is_told_shape_and_dtype():
    seen = []
    get_variable("w", [5, 2], tf.int32, partitioner=lambda shape, dtype: seen.append((shape, dtype)) or [1, 1])
    assert seen == [(tf.TensorShape([5, 2]), tf.int32)]


def test_variable_without_rows_is_one_slice():
    variable = get_variable("w", [0, 2], partitioner=lambda shape, dtype: [1, 1])
    assert [part.shape.as_list() for part in variable] == [[0, 2]]


def test_regularizer_makes_a_loss_of_each_slice():
    get_variable("w", [5, 2], partitioner=BY_ROWS, regularizer=tf.reduce_sum)
    assert len(tf.get_collection(GraphKeys.REGULARIZATION_LOSSES)) == 2


def test_slices_may_come_in_any_order():
    first, second = get_variable("w", initializer=TABLE, partitioner=BY_ROWS)
    made = PartitionedVariable("w", [5, 2], tf.float32, [second, first], [2, 1])
    assert list(made) == [first, second]


@pytest.mark.parametrize(
    ("shape", "select", "partitions", "error", "wrong"),
    [
        ([5, 2], lambda slices: slices, (2, 0), ValueError, "partition values must be positive"),
        ([5, 2], lambda slices: slices, [2], ValueError, "partition values must be positive"),
        ([5, 2], lambda slices: slices[:1], [2, 1], ValueError, "not as many slices as partitions: got 1, expected 2"),
        ([6, 2], lambda slices: slices, [2, 1], ValueError, "save_slice_info does not match"),
        ([5, 2], iter, [2, 1], TypeError, "variable_list is not a list"),
        ([5, 2], lambda slices: slices, 2, TypeError, "partitions is not a list"),
    ],
)
def test_slices_must_make_up_the_variable(shape, select, partitions, error, wrong):
    slices = list(get_variable("w", initializer=TABLE, partitioner=BY_ROWS))
    with pytest.raises(error, match=wrong):
        PartitionedVariable("w", shape, tf.float32, select(slices), partitions)


def test_variable_that_is_no_slice_is_an_error():
    with pytest.raises(ValueError, match="v:0 is no slice of this variable"):
        PartitionedVariable("v", [1], tf.float32, [get_variable("v", [1])], [1])


def test_eager_value_is_an_array():
    with tf.eager_mode():
        variable = partitioned(name="e")
        np.testing.assert_array_equal(variable.numpy(), TABLE)
        np.testing.assert_array_equal(np.asarray(variable, np.float64), TABLE)
        assert variable.initializer is None


def test_eager_value_is_no_copy_of_the_users_array():
    with tf.eager_mode():
        value = TABLE.copy()
        variable = partitioned(value, name="e")
        value[:] = -1
        np.testing.assert_array_equal(variable.numpy(), TABLE)


def test_graph_value_needs_a_run(graph):
    variable = partitioned()
    num_ops = graph.version
    with pytest.raises(TypeError, match="numpy"):
        variable.numpy()
    with pytest.raises(TypeError, match="invalid type PartitionedVariable"):
        tf.get_default_session().run(variable)
    assert graph.version == num_ops


def test_operations_of_the_graph_have_its_name(graph):
    variable = partitioned()
    with tf.control_dependencies([tf.no_op()]), tf.name_scope("n"):
        first, second = variable.as_tensor(), tf.convert_to_tensor(variable)
    assert [first.name, second.name] == ["w:0", "w_1:0"]
    assert graph.get_operation_by_name("w/ConcatPartitions/concat").control_inputs == []
    assert variable.initializer is variable.initializer
    assert not any(op.name.startswith("n/") for op in graph.get_operations())


def test_updates_return_operations_if_asked(graph):
    updates = partitioned().assign(TABLE + 1, read_value=False, name="set")
    assert [type(each) for each in updates] == [tf.Operation] * 2


class TestSaveSliceInfo:
    INFO = SaveSliceInfo("a/b/w", [5, 2], [3, 0], [2, 2])

    def test_spec_is_that_of_checkpoints(self):
        assert self.INFO.spec == "5 2 3,2:0,2"

    @pytest.mark.parametrize(
        ("export_scope", "name"), [(None, "a/b/w"), ("a", "b/w"), ("a/", "b/w"), ("a/b", "w"), ("", "a/b/w")]
    )
    def test_message_keeps_everything(self, export_scope, name):
        pytest.importorskip("google.protobuf", reason="needs protobuf: pip install nbvars[proto]")
        made = self.INFO.to_proto(export_scope)
        assert type(made).__name__ == "SaveSliceInfoDef"
        again = SaveSliceInfo(save_slice_info_def=made, import_scope="x")
        assert again.full_name == f"x/{name}"
        assert (again.full_shape, again.var_offset, again.var_shape) == ([5, 2], [3, 0], [2, 2])

    def test_name_outside_the_exported_scope_gives_no_message(self):
        pytest.importorskip("google.protobuf", reason="needs protobuf: pip install nbvars[proto]")
        assert self.INFO.to_proto("ab") is None
        assert self.INFO.to_proto("b") is None

    @pytest.mark.parametrize("arguments", [(), ("w", [1]), ("w", [1], [0], [1], object())])
    def test_it_is_made_of_one_source(self, arguments):
        with pytest.raises(ValueError, match="SaveSliceInfo: the slice is not described"):
            SaveSliceInfo(*arguments)
