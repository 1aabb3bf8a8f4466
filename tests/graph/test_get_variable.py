"""``get_variable``: what it makes, shares and refuses, in graph mode and in eager mode alike."""

from __future__ import annotations

import functools
import gc
import threading
import weakref

import numpy as np
import pytest

import nbvars as tf
from nbvars import GraphKeys
from nbvars.variables import initializers
from nbvars.variables.distribution import VariableAggregation, VariableSynchronization
from nbvars.variables.variable_scope import get_local_variable, get_variable, no_regularizer, variable_scope
from nbvars.variables.variable_store import AUTO_REUSE


@pytest.fixture(params=["graph", "eager"], autouse=True)
def mode(request):
    if request.param == "graph":
        with tf.Graph().as_default():
            yield request.param
    else:
        tf.reset_default_graph()
        yield request.param
        tf.reset_default_graph()


def value_of(variable):
    """Return the first value of a variable."""
    if tf.executing_eagerly():
        return variable.numpy()
    with tf.Session() as session:
        session.run(variable.initializer)
        return session.run(variable)


def base_dtype(variable):
    return variable.dtype.base_dtype


def reusing(**options):
    return variable_scope("", reuse=True, **options)


def test_name_shape_and_dtype_are_those_asked_for():
    variable = get_variable("w", [2, 3], tf.int64)
    assert (variable.name, tuple(variable.shape.as_list()), base_dtype(variable)) == ("w:0", (2, 3), tf.int64)


def test_dtype_is_float32_if_not_given():
    assert base_dtype(get_variable("w", [1])) is tf.float32


@pytest.mark.parametrize("shape", [[2, 3], (2, 3), tf.TensorShape([2, 3])])
def test_default_for_floats_is_glorot_uniform(shape):
    value = value_of(get_variable("w", shape))
    limit = np.sqrt(6 / (2 + 3))
    assert np.abs(value).max() <= limit
    assert len(np.unique(value)) == 6


@pytest.mark.parametrize("dtype", [tf.int32, tf.int64, tf.bool])
def test_default_for_integers_is_zero(dtype):
    np.testing.assert_array_equal(value_of(get_variable("w", [3], dtype)), np.zeros(3, dtype.numpy_dtype))


def test_other_dtypes_need_an_initializer():
    with pytest.raises(ValueError, match="An initializer for variable w of complex64 is required: got complex64"):
        get_variable("w", [2], tf.complex64)


@pytest.mark.parametrize(
    "initializer",
    [
        initializers.ones_initializer,
        initializers.ones_initializer(),
        initializers.constant_initializer(1),
        lambda shape, dtype: np.ones(shape, dtype.numpy_dtype),
        lambda shape, dtype=None, partition_info=None: tf.ones(shape, dtype),
        functools.partial(lambda value, shape, dtype: tf.fill(shape, tf.cast(value, dtype)), 1),
    ],
)
def test_initializer_is_called_with_shape_and_dtype(initializer):
    variable = get_variable("w", [2, 2], tf.float64, initializer)
    assert base_dtype(variable) is tf.float64
    np.testing.assert_array_equal(value_of(variable), np.ones((2, 2)))


def test_initializer_without_arguments_gives_shape_and_dtype():
    variable = get_variable("w", initializer=lambda: tf.constant([1, 2]))
    assert base_dtype(variable) is tf.int32
    np.testing.assert_array_equal(value_of(variable), [1, 2])


@pytest.mark.parametrize(
    ("value", "dtype"),
    [
        (3, tf.int32),
        (0.5, tf.float32),
        ([1.0, 2.0], tf.float32),
        (np.array([1.5, 2.5]), tf.float64),
        (np.float32(2), tf.float32),
    ],
)
def test_value_as_initializer_gives_shape_and_dtype(value, dtype):
    variable = get_variable("w", initializer=value)
    assert base_dtype(variable) is dtype
    np.testing.assert_array_equal(value_of(variable), value)


def test_tensor_as_initializer():
    np.testing.assert_array_equal(value_of(get_variable("w", initializer=tf.constant([1.0, 2.0]) * 2)), [2, 4])


def test_value_and_shape_exclude_each_other():
    wrong = r"If initializer is a constant, do not specify shape\.: got \[2\], expected shape None"
    with pytest.raises(ValueError, match=wrong):
        get_variable("w", [2], initializer=[1.0, 2.0])


@pytest.mark.parametrize(("value", "dtype"), [(1.0, tf.float64), (1, tf.float32), (np.ones(2), tf.float32)])
def test_value_of_another_dtype_than_the_given_one_is_an_error(value, dtype):
    with pytest.raises(ValueError, match=f"explicit dtype '{dtype}' don't match"):
        get_variable("w", initializer=value, dtype=dtype)


@pytest.mark.parametrize(
    ("shape", "shown"), [(None, "<unknown>"), ([None, 2], r"\(\?, 2\)"), (tf.TensorShape(None), "<unknown>")]
)
@pytest.mark.parametrize("initializer", [None, initializers.zeros_initializer()])
def test_shape_of_a_new_variable_must_be_known(shape, shown, initializer):
    wrong = rf"Shape of a new variable \(a/w\) must be fully defined, but instead was {shown}"
    with variable_scope("a"), pytest.raises(ValueError, match=wrong):
        get_variable("w", shape, initializer=initializer)


@pytest.mark.parametrize("initializer", [lambda: tf.zeros([2]), len, bytes])
def test_initializer_that_does_not_take_the_shape_is_an_error(initializer):
    with pytest.raises(ValueError, match="The initializer passed is not valid"):
        get_variable("w", [2], initializer=initializer)


@pytest.mark.parametrize("shape", [[2], [None]])
def test_initializer_that_makes_another_shape_is_an_error(shape):
    def initializer(shape=None, dtype=None):
        return tf.zeros([3, 1])

    with pytest.raises(ValueError, match=r"the initializer of w made another shape: got \(3, 1\), expected"):
        get_variable("w", shape, initializer=initializer)


@pytest.mark.parametrize(
    ("name", "error"), [("", ValueError), ("w/", ValueError), ("a b", ValueError), (None, TypeError)]
)
def test_malformed_name_is_an_error(name, error):
    with pytest.raises(error, match="name"):
        get_variable(name, [1])


def test_existing_variable_is_not_made_again():
    with variable_scope("a"):
        get_variable("w", [1])
        wrong = (
            r"Variable a/w already exists, disallowed\. "
            r"Did you mean to set reuse=True or reuse=tf\.AUTO_REUSE in VarScope\?: got reuse=False"
        )
        with pytest.raises(ValueError, match=wrong):
            get_variable("w", [1])


def test_missing_variable_is_not_made_in_a_reusing_scope():
    wrong = (
        r"Variable a/w does not exist, or was not created with tf\.get_variable\(\)\. "
        r"Did you mean to set reuse=tf\.AUTO_REUSE in VarScope\?: got reuse=True"
    )
    with variable_scope("a", reuse=True), pytest.raises(ValueError, match=wrong):
        get_variable("w", [1])


def test_variable_of_the_constructor_is_not_found():
    tf.Variable(0.0, name="w")
    with reusing(), pytest.raises(ValueError, match="was not created with"):
        get_variable("w")


@pytest.mark.parametrize("shape", [None, [2, 3], [None, 3], tf.TensorShape(None)])
def test_existing_variable_is_shared_if_shape_and_dtype_fit(shape):
    variable = get_variable("w", [2, 3])
    with reusing():
        assert get_variable("w", shape) is variable


@pytest.mark.parametrize("value", [0, 0.5, np.ones(2)])
def test_auto_reuse_makes_a_variable_once(value):
    with variable_scope("", reuse=AUTO_REUSE):
        assert get_variable("w", initializer=value) is get_variable("w", initializer=value)


def test_shared_variable_must_have_the_shape():
    get_variable("w", [3])
    wrong = r"Trying to share variable w, but specified shape \(2,\) and found shape \(3,\)\."
    with reusing(), pytest.raises(ValueError, match=wrong):
        get_variable("w", [2])


def test_shared_variable_must_have_the_dtype():
    get_variable("w", [3])
    wrong = "Trying to share variable w, but specified dtype float64 and found dtype float32"
    with reusing(), pytest.raises(ValueError, match=wrong):
        get_variable("w", [3], tf.float64)


def test_failed_variable_can_be_asked_for_again():
    with pytest.raises(ZeroDivisionError):
        get_variable("w", initializer=lambda: 1 / 0)
    with reusing(), pytest.raises(ValueError, match="does not exist"):
        get_variable("w", [1])


@pytest.mark.parametrize(("trainable", "expected"), [(None, True), (True, True), (False, False)])
def test_trainable_variables_join_their_collection(trainable, expected):
    variable = get_variable("w", [1], trainable=trainable)
    assert variable.trainable is expected
    assert tf.get_collection(GraphKeys.GLOBAL_VARIABLES) == [variable]
    assert tf.get_collection(GraphKeys.TRAINABLE_VARIABLES) == [variable] * expected


def test_variable_that_is_synchronised_on_read_is_not_trainable():
    variable = get_variable("w", [1], synchronization=VariableSynchronization.ON_READ)
    assert not variable.trainable


def test_recorded_arguments_reach_the_variable():
    def constraint(value):
        return value

    synchronization, aggregation = VariableSynchronization.NONE, VariableAggregation.SUM
    variable = get_variable("w", [1], constraint=constraint, synchronization=synchronization, aggregation=aggregation)
    assert (variable.constraint, variable.synchronization, variable.aggregation) == (
        constraint,
        synchronization,
        aggregation,
    )


def test_collections_are_those_given():
    variable = get_variable("w", [1], trainable=False, collections=["mine"])
    assert tf.get_collection("mine") == [variable]
    assert tf.get_collection(GraphKeys.GLOBAL_VARIABLES) == []


def test_local_variable_joins_the_local_variables_alone():
    keys = ["mine"]
    variable = get_local_variable("w", [1], tf.int32, collections=keys)
    assert base_dtype(variable) is tf.int32
    assert tf.get_collection(GraphKeys.LOCAL_VARIABLES) == tf.get_collection("mine") == [variable]
    assert tf.get_collection(GraphKeys.GLOBAL_VARIABLES) == tf.get_collection(GraphKeys.TRAINABLE_VARIABLES) == []
    assert keys == ["mine"]


def test_name_scopes_do_not_reach_the_variable():
    with tf.name_scope("n"):
        assert get_variable("w", [1]).name == "w:0"


def test_regularizer_makes_a_loss_of_a_new_variable():
    def regularizer(variable):
        return 2.0 * tf.reduce_sum(variable)

    with variable_scope("", reuse=AUTO_REUSE):
        for _ in range(2):
            variable = get_variable("w", [3], initializer=initializers.ones_initializer(), regularizer=regularizer)
    (loss,) = tf.get_collection(GraphKeys.REGULARIZATION_LOSSES)
    if tf.executing_eagerly():
        assert loss.numpy() == 6
        return
    assert loss.name.startswith("w/Regularizer/")
    with tf.Session() as session:
        session.run(variable.initializer)
        assert session.run(loss) == 6


def test_regularizer_that_returns_none_makes_no_loss():
    get_variable("w", [3], regularizer=no_regularizer)
    assert tf.get_collection(GraphKeys.REGULARIZATION_LOSSES) == []


def test_custom_getter_is_called_with_all_arguments_by_name():
    seen = {}

    def custom_getter(getter, name, **arguments):
        seen.update(arguments)
        return getter(f"{name}_mine", **arguments)

    variable = get_variable("w", [2], tf.float64, custom_getter=custom_getter)
    assert variable.name == "w_mine:0"
    assert set(seen) == {
        *("shape", "dtype", "initializer", "regularizer", "reuse", "trainable", "collections", "caching_device"),
        *("partitioner", "validate_shape", "use_resource", "constraint", "synchronization", "aggregation"),
    }
    assert (seen["shape"], seen["dtype"], seen["reuse"]) == ([2], tf.float64, False)


def test_custom_getter_may_return_something_else():
    assert get_variable("w", [2], custom_getter=lambda getter, name, **arguments: name) == "w"


def test_custom_getter_may_pass_arguments_by_place():
    def custom_getter(getter, name, shape=None, dtype=None, **arguments):
        return getter(name, shape, tf.int32)

    assert base_dtype(get_variable("w", [2], custom_getter=custom_getter)) is tf.int32


def test_custom_getter_that_takes_no_constraint_gets_none():
    def custom_getter(
        getter, name, shape, dtype, initializer, regularizer, reuse, trainable, collections, caching_device,
        partitioner, validate_shape, use_resource, synchronization, aggregation,
    ):  # fmt: skip
        return getter(name, shape, dtype)

    variable = get_variable("w", [2], constraint=tf.square, custom_getter=custom_getter)
    assert variable.constraint is None


def test_custom_getter_must_be_callable():
    with pytest.raises(ValueError, match="Passed a custom_getter which is not callable: 3: got 3"):
        get_variable("w", [2], custom_getter=3)


def test_threads_that_share_a_variable_make_it_once():
    graph, is_eager, barrier, found = tf.get_default_graph(), tf.executing_eagerly(), threading.Barrier(4), []

    def ask():
        with variable_scope("", reuse=AUTO_REUSE):
            found.append(get_variable("w", [100]))

    def work():
        barrier.wait()
        if is_eager:
            ask()
        else:
            with graph.as_default():
                ask()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert len(set(map(id, found))) == 1


def test_variables_belong_to_the_default_graph():
    first = get_variable("w", [1])
    with tf.Graph().as_default():
        second = get_variable("w", [1])
        with reusing():
            assert get_variable("w") is second
    with reusing():
        assert get_variable("w") is first


class TestInGraphMode:
    """What only operations show."""

    @pytest.fixture(autouse=True)
    def _graph(self):
        with tf.Graph().as_default():
            yield

    def test_operations_have_the_names_of_the_variable(self):
        with variable_scope("a"), tf.name_scope("n"):
            get_variable("w", [2], initializer=initializers.random_uniform_initializer())
        names = {op.name for op in tf.get_default_graph().get_operations()}
        assert {"a/w", "a/w/Assign", "a/w/read"} < names
        assert all(name.startswith("a/w") for name in names)
        assert any(name.startswith("a/w/Initializer/random_uniform") for name in names)

    def test_control_dependencies_do_not_reach_the_variable(self):
        gate = tf.no_op()
        with tf.control_dependencies([gate]):
            get_variable("w", [2], regularizer=tf.reduce_sum)
        assert [op.name for op in tf.get_default_graph().get_operations() if op.control_inputs] == []

    def test_caching_device_caches_reads(self):
        variable = get_variable("w", [2], caching_device="/cpu:0")
        assert tf.DeviceSpec.from_string(variable.value().op.device).device_type == "CPU"

    def test_initializer_of_another_graph_is_an_error(self):
        with tf.Graph().as_default():
            foreign = tf.constant(1.0)
        with pytest.raises(ValueError, match="must be from the same graph as the variable"):
            get_variable("w", initializer=foreign)

    def test_taken_name_of_an_operation_is_numbered_but_found_by_its_own(self):
        tf.constant(1, name="w")
        variable = get_variable("w", [1])
        assert variable.name == "w_1:0"
        with reusing():
            assert get_variable("w") is variable


def test_variables_live_as_long_as_their_graph(mode):
    graph = tf.Graph()
    with graph.as_default(), tf.eager_mode() if mode == "eager" else tf.graph_mode(), variable_scope("a"):
        variable = weakref.ref(get_variable("w", [1]))
    reference = weakref.ref(graph)
    gc.collect()
    assert variable() is not None
    del graph
    gc.collect()
    assert (variable(), reference()) == (None, None)


def test_a_variable_to_be_read_only_is_not_trainable():
    variable = get_variable("w", [2], synchronization=VariableSynchronization.ON_READ)
    assert not variable.trainable
    assert variable not in tf.trainable_variables()
