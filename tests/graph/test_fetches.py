"""What can be fetched, in which structures, and whose memory the values have."""

from __future__ import annotations

import collections
import itertools
from typing import NamedTuple

import numpy as np
import pytest

import nbvars as tf


class Pair(NamedTuple):
    first: object
    second: object


@pytest.fixture
def session():
    with tf.Graph().as_default(), tf.Session() as session:
        yield session


def initialized(session, value, **options):
    variable = tf.Variable(value, **options)
    session.run(variable.initializer)
    return variable


STRUCTURES = [
    lambda x, y: [x, y, x],
    lambda x, y: (x, y),
    Pair,
    lambda x, y: {"x": x, 3: y},
    lambda x, y: collections.OrderedDict([("y", y), ("x", x)]),
    lambda x, y: [x, [y, (x, {"deep": Pair([x], ())})], {}],
    lambda x, y: Pair({"a": [y]}, (x,)),
    lambda x, y: [],
    lambda x, y: (),
    lambda x, y: {},
    lambda x, y: x,
]


@pytest.mark.parametrize("structure", STRUCTURES)
def test_the_values_have_the_structure_of_the_fetches(session, structure):
    x, y = tf.constant(1), tf.constant(2)
    expected = structure(1, 2)
    for _ in range(2):
        values = session.run(structure(x, y))
        assert values == expected
        assert type(values) is (np.int32 if expected == 1 else type(expected))


def test_the_order_of_an_ordered_dict_is_kept(session):
    x, y = tf.constant(1), tf.constant(2)
    assert list(session.run(collections.OrderedDict([("y", y), ("x", x)]))) == ["y", "x"]
    assert list(session.run(collections.OrderedDict([("x", x), ("y", y)]))) == ["x", "y"]


def test_a_defaultdict_keeps_its_factory(session):
    x = tf.constant(1)
    for factory in (list, dict):
        values = session.run(collections.defaultdict(factory, x=x))
        assert values == {"x": 1}
        assert values["missing"] == factory()


def test_lists_and_tuples_of_equal_content_are_told_apart(session):
    x = tf.constant(1)
    fetches = [[x], (x,), ([x],), [(x,)], Pair(x, x), (x, x), {"x": x}, collections.OrderedDict(x=x)]
    for each in fetches + fetches[::-1]:
        value = session.run(each)
        assert type(value) is type(each)
        if isinstance(each, tuple) and isinstance(each[0], list):
            assert value == ([1],)


def test_a_list_that_changes_between_runs_is_fetched_as_it_is(session):
    x, y = tf.constant(1), tf.constant(2)
    fetches = [x]
    assert session.run(fetches) == [1]
    fetches.append(y)
    assert session.run(fetches) == [1, 2]


def test_a_structure_is_not_taken_for_a_plan_with_feeds(session):
    x = tf.placeholder(tf.int32)
    y = x + 1
    assert session.run(y, {x: 1}) == 2
    with pytest.raises(tf.errors.InvalidArgumentError, match="You must feed a value"):
        session.run(((x,), y))


class Unhashable:
    """Something that stands for a tensor, as TensorFlow lets other libraries define it."""

    __hash__ = None

    def __init__(self, tensor):
        self._tensor = tensor

    def _as_graph_element(self):
        return self._tensor


def test_what_has_no_hash_can_be_fetched_though_no_plan_is_kept_for_it(session):
    one, two = Unhashable(tf.constant(1)), Unhashable(tf.constant(2))
    assert [session.run(one), session.run(two), session.run([two, one])] == [1, 2, [2, 1]]
    assert session._plans == {}


def test_operations_give_none(session):
    variable = tf.Variable(3)
    assert session.run(variable.initializer) is None
    assert session.run([variable.op, variable, tf.no_op(), tf.group(variable.assign_add(1))]) == [None, 4, None, None]


def test_names_stand_for_tensors_and_operations(session):
    tf.constant(5, name="five")
    assert session.run(["five:0", "five", {"x": "five:0"}]) == [5, None, {"x": 5}]


def test_variables_their_values_and_references_can_be_fetched(session):
    variable = initialized(session, [1.0, 2.0], name="v")
    for fetch in (variable, variable.value(), variable.ref(), variable.read_value(), "v:0", "v/read:0"):
        np.testing.assert_array_equal(session.run(fetch), [1.0, 2.0])


SCALARS = [
    (3, np.int32),
    (2.5, np.float32),
    (True, np.bool_),
    (np.float64(2.5), np.float64),
    (np.int64(7), np.int64),
    (np.uint8(7), np.uint8),
    (1 + 2j, np.complex128),
    (np.float16(0.5), np.float16),
    ("héllo", bytes),
]


@pytest.mark.parametrize(("value", "kind"), SCALARS)
def test_scalars_are_numpy_scalars_and_strings_bytes(session, value, kind):
    expected = value.encode() if kind is bytes else value
    constant = tf.constant(value)
    fed = tf.placeholder(constant.dtype)
    for got in [*session.run([constant, tf.identity(constant)]), session.run(fed, {fed: value})]:
        assert type(got) is kind
        assert got == expected


def test_the_scalar_of_a_variable_is_a_numpy_scalar(session):
    variable = initialized(session, 1.5)
    fetches = [variable, variable + 1, variable.assign_add(1), variable.value(), variable.read_value()]
    assert [type(value) for value in session.run(fetches)] == [np.float32] * 5


def test_arrays_of_strings_hold_bytes(session):
    np.testing.assert_array_equal(session.run(tf.constant([["a", "b"]])), np.array([[b"a", b"b"]], object))


def test_indexed_slices_give_an_indexed_slices_value(session):
    slices = tf.IndexedSlices(tf.constant([[1.0, 2.0]]), tf.constant([3]), dense_shape=[5, 2])
    for value in (session.run(slices), session.run([slices, slices])[1]):
        assert isinstance(value, tf.IndexedSlicesValue)
        np.testing.assert_array_equal(value.values, [[1.0, 2.0]])
        np.testing.assert_array_equal(value.indices, [3])
        np.testing.assert_array_equal(value.dense_shape, [5, 2])
    assert session.run(tf.IndexedSlices(slices.values, slices.indices)).dense_shape is None


def test_fetching_indexed_slices_adds_nothing_to_the_graph(session):
    slices = tf.IndexedSlices(tf.constant([[1.0]]), np.array([3]), dense_shape=[5, 1])
    session.graph.finalize()
    version = session.graph.version
    assert session.run(slices).indices == [3]
    with tf.Graph().as_default():
        assert session.run({"slices": slices})["slices"].indices == [3]
    assert session.graph.version == version


FETCHES = [
    None,
    [None],
    {"x": None},
    1,
    2.5,
    {1, 2},
    object(),
    b"bytes",
    np.zeros(3),
    iter([]),
    int,
]


@pytest.mark.parametrize("fetches", FETCHES)
def test_what_is_no_part_of_a_graph_cannot_be_fetched(session, fetches):
    tf.constant(1)
    for _ in range(2):
        with pytest.raises(TypeError, match=r"a fetch has invalid type .*got .*, expected a tensor, operation or"):
            session.run(fetches)
        with pytest.raises(TypeError, match="a fetch has invalid type"):
            session.make_callable(fetches)


def test_eager_values_cannot_be_fetched(session):
    tf.constant(1)
    with tf.eager_mode():
        values = [tf.constant(1), tf.Variable(1), tf.IndexedSlices(tf.constant([1]), tf.constant([1]))]
    for value in values:
        with pytest.raises(TypeError, match="a fetch has invalid type"):
            session.run(value)


@pytest.mark.parametrize("name", ["missing", "missing:0", "x:1", "x:", "x:y", ":0", ""])
def test_a_name_that_is_not_there_is_a_value_error(session, name):
    tf.constant(1, name="x")
    with pytest.raises(ValueError, match="cannot be interpreted as a Tensor"):
        session.run([name])


def test_what_is_of_another_graph_cannot_be_fetched(session):
    tf.constant(1)
    with tf.Graph().as_default():
        others = [tf.constant(1), tf.Variable(1), tf.no_op()]
    for other in others:
        with pytest.raises(ValueError, match="is not an element of this graph"):
            session.run({"other": other})


def test_what_must_not_be_fetched_is_an_error(session):
    x = tf.constant(1)
    session.graph.prevent_fetching(x.op)
    with pytest.raises(ValueError, match="not fetchable"):
        session.run(x.op)


# Whose memory: each function returns tensors whose values could be one array, or views of one.


def of_a_tensor(session, fed):
    x = tf.constant(np.ones((2, 3), np.float32)) + 1
    return [x, x, tf.identity(x), tf.reshape(x, [3, 2]), tf.transpose(x), x[0], x[:, 1:], tf.squeeze(x)]


def of_a_constant(session, fed):
    x = tf.constant(np.ones((2, 3), np.float32))
    return [x, x, tf.identity(x), tf.reshape(x, [6]), tf.transpose(x), tf.expand_dims(x, 0), *tf.unstack(x)]


def of_a_variable(session, fed):
    v = initialized(session, np.ones((2, 3), np.float32))
    views = [tf.identity(v), tf.reshape(v, [6]), tf.transpose(v), v[0], tf.reshape(v.assign_add(v), [3, 2])]
    return [v, v, v.value(), v.read_value(), *views, v.assign(v.value()), *tf.split(v, 3, axis=1)]


def of_a_feed(session, fed):
    return [fed, fed, tf.identity(fed), tf.reshape(fed, [3, 2]), tf.transpose(fed), fed[0], *tf.unstack(fed, 2)]


def of_a_default(session, fed):
    x = tf.zeros([2, 3]) + 1
    default, constant = tf.placeholder_with_default(x, None), tf.placeholder_with_default(np.ones(3), None)
    return [x, default, default, tf.identity(default), tf.reshape(default, [-1]), constant, constant]


def of_a_group(session, fed):
    x = tf.constant([1.0, 2.0])
    y = x * 2
    return [x, y, *tf.tuple([x, y, y]), *tf.tuple([y])]


def of_slices(session, fed):
    x = tf.constant([[1.0], [2.0]]) * 2
    slices = tf.IndexedSlices(x, tf.constant([0, 1]), dense_shape=[5, 1])
    return [x, slices, slices, tf.identity(slices.indices)]


def of_strings(session, fed):
    x = tf.constant(["a", "b"])
    return [x, x, tf.identity(x)]


SHARING = [of_a_tensor, of_a_constant, of_a_variable, of_a_feed, of_a_default, of_a_group, of_slices, of_strings]


def arrays_of(values):
    flat = itertools.chain.from_iterable(
        value if isinstance(value, tf.IndexedSlicesValue) else [value] for value in values
    )
    return [value for value in flat if isinstance(value, np.ndarray)]


@pytest.mark.parametrize("make", SHARING)
def test_fetched_arrays_are_writable_and_nobody_elses(session, make):
    fed = tf.placeholder(tf.float32)
    given = np.ones((2, 3), np.float32)
    fetches = make(session, fed)
    first, second = (arrays_of(session.run(fetches, {fed: given})) for _ in range(2))
    assert len(first) >= 3
    for array in first + second:
        assert array.flags.writeable
        assert array.flags.owndata
        assert array.base is None
    for one, other in itertools.combinations([given, *first, *second], 2):
        assert not np.may_share_memory(one, other)


@pytest.mark.parametrize("make", [make for make in SHARING if make is not of_a_variable])
def test_writing_to_what_was_fetched_changes_no_later_run(session, make):
    fed = tf.placeholder(tf.float32)
    given = np.ones((2, 3), np.float32)
    fetches = make(session, fed)
    expected = [array.copy() for array in arrays_of(session.run(fetches, {fed: given}))]
    for array in arrays_of(session.run(fetches, {fed: given})):
        array[...] = b"changed" if array.dtype == object else 99
    for got, wanted in zip(arrays_of(session.run(fetches, {fed: given})), expected, strict=True):
        np.testing.assert_array_equal(got, wanted)


def test_writing_to_a_fetched_variable_leaves_the_variable(session):
    variable = initialized(session, np.ones(3, np.float32))
    for fetch in (variable, variable.value(), variable.read_value(), variable.assign_add(np.zeros(3)), variable[:]):
        session.run(fetch)[:] = 99
        np.testing.assert_array_equal(session.run(variable), [1, 1, 1])


def test_fetched_arrays_of_each_op_are_new_in_each_run(session):
    x = tf.constant(np.arange(6, dtype=np.float32).reshape(2, 3))
    functions = [
        tf.abs, tf.ceil, tf.exp, tf.floor, tf.negative, tf.ones_like, tf.relu, tf.reduce_sum, tf.round, tf.shape,
        tf.sign, tf.size, tf.softmax, tf.square, tf.zeros_like, tf.add_n, tf.argmax, tf.is_nan, tf.unstack, tf.cumsum,
        lambda x: tf.cast(x, tf.float32),
        lambda x: tf.cast(x, tf.int32),
        lambda x: tf.gather(x, [0, 1]),
        lambda x: tf.concat([x], 0),
        lambda x: tf.stack([x]),
        lambda x: tf.tile(x, [1, 1]),
        lambda x: tf.pad(x, [[0, 0], [0, 0]]),
        lambda x: tf.maximum(x, x),
        lambda x: tf.where(x > 1, x, x),
        lambda x: tf.broadcast_to(x, [2, 2, 3]),
        lambda x: tf.reduce_max(x, axis=[]),
        lambda x: tf.slice(x, [0, 0], [2, 3]),
        lambda x: tf.clip_by_value(x, 0.0, 9.0),
        lambda x: tf.matmul(x, x, transpose_b=True),
        lambda x: tf.zeros([2, 3]),
        lambda x: tf.fill([2], 1.0),
        lambda x: tf.eye(3),
        lambda x: tf.range(4),
        lambda x: tf.linspace(0.0, 1.0, 3),
    ]  # fmt: skip
    fetches = [function([x] if function is tf.add_n else x) for function in functions]
    first, second = (arrays_of(flat(session.run(fetches))) for _ in range(2))
    for one, other in itertools.combinations(first + second, 2):
        assert not np.may_share_memory(one, other)
    assert all(array.flags.writeable and array.flags.owndata for array in first)


def flat(values):
    for value in values:
        yield from value if isinstance(value, (list, tuple)) else [value]


@pytest.mark.parametrize("layout", ["fortran", "strided", "reversed", "read_only"])
def test_a_fed_array_of_any_layout_is_fetched_as_a_copy(session, layout):
    given = np.asfortranarray(np.arange(12.0, dtype=np.float32).reshape(3, 4))
    given = {"strided": given[:, ::2], "reversed": given[::-1]}.get(layout, given)
    given.flags.writeable = layout != "read_only"
    fed = tf.placeholder(tf.float32)
    got, view = session.run([fed, tf.transpose(fed)], {fed: given})
    np.testing.assert_array_equal(got, given)
    np.testing.assert_array_equal(view, given.T)
    assert got.flags.writeable
    assert view.flags.writeable
    assert not np.may_share_memory(got, given)
    assert not np.may_share_memory(view, given)
