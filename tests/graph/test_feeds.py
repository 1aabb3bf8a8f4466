"""What ``feed_dict`` takes: keys, values, dtypes and shapes."""

from __future__ import annotations

import numpy as np
import pytest

import nbvars as tf


@pytest.fixture
def session():
    with tf.Graph().as_default(), tf.Session() as session:
        yield session


def initialized(session, value, **options):
    variable = tf.Variable(value, **options)
    session.run(variable.initializer)
    return variable


def eager(make):
    with tf.eager_mode():
        return make()


VALUES = [
    [1, 2.5],
    (1, 2.5),
    [np.float32(1), 2.5],
    np.array([1, 2.5], np.float32),
    np.array([1, 2.5], np.float64),
    np.array([1, 2.5], ">f4"),
    np.array([2.5, 1], np.float32)[::-1],
    np.array([1, 2.5], np.float16),
    eager(lambda: tf.constant([1, 2.5])),
    eager(lambda: tf.Variable([1, 2.5])),
    eager(lambda: [tf.constant(1.0), 2.5]),
    eager(lambda: tf.IndexedSlices([1.0, 2.5], [0, 1], dense_shape=[2])),
]


@pytest.mark.parametrize("value", VALUES)
def test_a_placeholder_takes_whatever_can_become_its_dtype(session, value):
    x = tf.placeholder(tf.float32, [2])
    got = session.run([x, x + 1], {x: value})
    assert got[0].dtype == np.float32
    np.testing.assert_array_equal(got[0], [1, 2.5])
    np.testing.assert_array_equal(got[1], [2, 3.5])


def test_int_arrays_and_bools_may_become_floats(session):
    x = tf.placeholder(tf.float32)
    for value in (np.array([1, 0]), [True, False], np.array([True, False]), [1, 0], range(1, -1, -1)):
        np.testing.assert_array_equal(session.run(x * 2, {x: value}), [2, 0])


@pytest.mark.parametrize(
    ("dtype", "value"),
    [
        ("int32", 1.5),
        ("int32", [1, 2.5]),
        ("int32", np.float64(1)),
        ("int32", np.ones(3, np.float32)),
        ("float32", 1j),
        ("float32", np.ones(3, np.complex64)),
        ("bool", 1),
        ("float32", "text"),
        ("float32", ["1", "2"]),
        ("float32", None),
        ("float32", {"a": 1}),
        ("float32", object()),
        ("string", 1),
        ("string", [b"a", 1]),
        ("float32", eager(lambda: tf.constant([1, 2]))),
        ("float32", eager(lambda: tf.constant([1, 2], tf.float64))),
        ("int64", eager(lambda: tf.Variable(1))),
    ],
)
def test_a_value_of_another_kind_is_a_type_error(session, dtype, value):
    x = tf.placeholder(dtype, name="x")
    with pytest.raises(TypeError, match=r"feed of 'x:0': .*got .*expected"):
        session.run(x, {x: value})


def test_a_python_int_that_does_not_fit_is_a_value_error(session):
    x = tf.placeholder(tf.int32)
    with pytest.raises(ValueError, match="a number does not fit int32"):
        session.run(x, {x: 2**31})


def test_a_ragged_list_is_a_value_error(session):
    x = tf.placeholder(tf.float32)
    with pytest.raises(ValueError, match="do not form an array"):
        session.run(x, {x: [[1.0], [1.0, 2.0]]})


def test_strings_are_fed_as_text_or_bytes(session):
    x = tf.placeholder(tf.string)
    np.testing.assert_array_equal(session.run(x, {x: ["é", b"b"]}), np.array(["é".encode(), b"b"], object))
    assert session.run(x, {x: np.array("abc")}) == b"abc"


SHAPES = [
    ([2], (3,)),
    ([2], ()),
    ([2], (2, 1)),
    ([], (1,)),
    ([None, 3], (3,)),
    ([None, 3], (3, 4)),
    ([0], (1,)),
]


@pytest.mark.parametrize(("shape", "given"), SHAPES)
def test_a_value_of_another_shape_is_an_error_that_names_both(session, shape, given):
    x = tf.placeholder(tf.float32, shape, name="x")
    call = session.make_callable(x, [x])
    for run in (lambda value: session.run(x, {x: value}), call):
        for value in (np.zeros(given, np.float32), np.zeros(given).tolist()):
            with pytest.raises(ValueError, match="Cannot feed value of shape") as caught:
                run(value)
            sentence = f"Cannot feed value of shape {given} for Tensor 'x:0', which has shape {x.shape}"
            assert sentence in str(caught.value)


@pytest.mark.parametrize("given", [(0, 3), (1, 3), (5, 3)])
def test_unknown_sizes_take_any_size(session, given):
    x, y = tf.placeholder(tf.float32, [None, 3]), tf.placeholder(tf.float32)
    value = np.ones(given, np.float32)
    assert session.run([tf.shape(x), tf.shape(y)], {x: value, y: value})[0].tolist() == list(given)


def test_an_unfed_placeholder_is_named(session):
    x = tf.placeholder(tf.float32, [2], name="inputs")
    with pytest.raises(
        tf.errors.InvalidArgumentError, match="You must feed a value for placeholder tensor 'inputs'"
    ) as e:
        session.run(x + 1)
    assert e.value.op is x.op


KEYS = {
    "a placeholder": lambda: tf.placeholder(tf.float32),
    "a constant": lambda: tf.constant(1.0),
    "an intermediate tensor": lambda: tf.constant(1.0) * 2,
    "a default": lambda: tf.placeholder_with_default(1.0, []),
    "a variable": lambda: tf.Variable(1.0),
    "the value of a variable": lambda: tf.Variable(1.0).value(),
    "the copy of a variable": lambda: tf.Variable(1.0).read_value(),
    "the reference of a variable": lambda: tf.Variable(1.0).ref(),
    "an update": lambda: tf.Variable(1.0).assign_add(1),
    "random numbers": lambda: tf.random_uniform([]),
    "a count": lambda: tf.Variable(1).count_up_to(3),
    "one of several outputs": lambda: tf.unstack(tf.constant([1.0, 2.0]))[1],
}


@pytest.mark.parametrize("make", KEYS.values(), ids=KEYS)
def test_any_tensor_can_be_fed_and_fetched(session, make):
    key = make()
    plus = key + 1
    for name in (key, key.name):
        assert session.run([key, plus, key.name], {name: 40}) == [40, 41, 40]
        assert session.make_callable([plus, key], [name])(40) == [41, 40]


def test_what_is_only_behind_a_fed_tensor_does_not_run(session):
    variable = initialized(session, 1)
    doubled = variable.assign_add(1) * 2
    assert session.run(doubled + 1, {doubled: 10}) == 11
    assert session.run(variable) == 1


def test_an_operation_that_runs_for_other_reasons_leaves_a_fed_output_as_it_is(session):
    variable = initialized(session, 1)
    count, update, computed = variable.count_up_to(9), variable.assign_add(10), variable * 2
    with tf.control_dependencies([count, update, computed]):
        done = tf.constant(0) + 0
    got = session.run([count, computed, done, count + 1, variable], {count: 50, computed: 60})
    assert got == [50, 60, 0, 51, 12]


def test_a_fed_variable_is_seen_by_all_that_read_it_and_needs_no_value(session):
    variable = tf.Variable(1.0)
    fetches = [variable, variable.value(), variable.read_value(), variable + 1, tf.identity(variable.value())]
    assert session.run(fetches, {variable: 5}) == [5, 5, 5, 6, 5]
    with pytest.raises(tf.errors.FailedPreconditionError):
        session.run(variable)


def test_feeding_the_value_of_a_variable_leaves_the_variable_alone(session):
    variable = initialized(session, 1.0)
    assert session.run([variable.value() + 1, variable], {variable.value(): 5}) == [6, 1]
    assert session.run([variable.value() + 1, variable.assign_add(1)], {variable.value(): 5}) == [6, 2]
    assert session.run(variable) == 2


@pytest.mark.parametrize("update", ["assign", "assign_add", "assign_sub"])
def test_a_fed_variable_cannot_be_updated(session, update):
    variable = initialized(session, 1.0, name="v")
    changed = getattr(variable, update)(2.0)
    for fetch in (changed, changed.op, changed + 1):
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"v:0 is no reference .*got a fed value") as caught:
            session.run(fetch, {variable: 5})
        assert caught.value.op is variable.op
    assert session.run(variable) == 1


def test_feeding_the_initial_value_is_how_load_works(session):
    variable = tf.Variable([1.0, 2.0])
    session.run(variable.initializer, {variable.initial_value: [3, 4]})
    np.testing.assert_array_equal(session.run(variable), [3, 4])
    variable.load([5, 6], session)
    np.testing.assert_array_equal(session.run(variable), [5, 6])


def test_feeds_that_are_not_needed_are_checked_and_change_nothing(session):
    x, y = tf.placeholder(tf.float32, [2]), tf.constant(1)
    assert session.run(y, {x: [1, 2]}) == 1
    with pytest.raises(ValueError, match="Cannot feed value of shape"):
        session.run(y, {x: [1, 2, 3]})


def test_the_order_of_feeds_does_not_matter(session):
    x, y = tf.placeholder(tf.int32), tf.placeholder(tf.int32)
    difference = x - y
    assert session.run(difference, {x: 5, y: 3}) == session.run(difference, {y: 3, x: 5}) == 2
    assert session.make_callable(difference, [y, x])(3, 5) == 2


def test_the_last_value_of_a_tensor_named_twice_counts(session):
    x = tf.placeholder(tf.int32, name="x")
    assert session.run(x + 0, {x: 1, "x:0": 2}) == 2
    assert session.run(x + 0, {"x:0": 2, x: 1}) == 1


def test_a_tuple_of_tensors_takes_a_tuple_of_values(session):
    x, y, z = (tf.placeholder(tf.int32) for _ in range(3))
    for _ in range(2):
        assert session.run([x, y, z], {(x, (y, z)): [1, (2, 3)]}) == [1, 2, 3]
        assert session.run([x, y, z], {(x,): (1,), (y, z): (2, 3)}) == [1, 2, 3]
    with pytest.raises(ValueError, match=r"wrong number of values .*got 1, expected 2"):
        session.run(x, {(x, y): [1]})
    with pytest.raises(TypeError, match=r"several tensors.*got 1, expected a tuple of 2 values"):
        session.run(x, {(x, y): 1})


def test_indexed_slices_are_fed_by_their_parts(session):
    slices = tf.IndexedSlices(tf.constant([[1.0]]), tf.constant([0]), dense_shape=[3, 1])
    fetches = [slices.values * 2, slices.indices]
    given = ([[3.0]], [2])
    for value in (given, tf.IndexedSlicesValue(*given, [3, 1]), eager(lambda: tf.IndexedSlices(*given))):
        doubled, indices = session.run(fetches, {slices: value})
        assert (doubled.tolist(), indices.tolist()) == ([[6.0]], [2])
    assert session.run(slices, {slices: given}).values.tolist() == [[3.0]]


@pytest.mark.parametrize("key", ["x", "missing:0", "x:1", "missing", 1, None, b"x:0", object(), 1.5, frozenset()])
def test_a_key_that_is_no_tensor_is_a_type_error(session, key):
    x = tf.placeholder(tf.float32, name="x")
    with pytest.raises(TypeError, match="Cannot interpret feed_dict key as Tensor"):
        session.run(x, {key: 1})
    with pytest.raises(TypeError, match="Cannot interpret feed_dict key as Tensor"):
        session.make_callable(x, [key])


def test_keys_of_another_kind_or_graph_are_type_errors(session):
    x = tf.placeholder(tf.float32)
    with tf.Graph().as_default():
        other = tf.placeholder(tf.float32)
    keys = [
        x.op,
        tf.Variable(1.0).initializer,
        other,
        other.op,
        eager(lambda: tf.constant(1)),
        eager(lambda: tf.Variable(1)),
    ]
    for key in keys:
        with pytest.raises(TypeError, match="Cannot interpret feed_dict key as Tensor"):
            session.run(x, {key: 1})


def test_a_list_in_the_feed_list_of_a_callable_is_a_type_error(session):
    x = tf.placeholder(tf.float32)
    with pytest.raises(TypeError, match="Cannot interpret feed_dict key as Tensor"):
        session.make_callable(x, [[x]])


def test_a_tensor_of_a_graph_is_no_value(session):
    x, y = tf.placeholder(tf.float32), tf.constant(1.0)
    slices = tf.IndexedSlices(tf.stack([y]), tf.constant([0]), dense_shape=[1])
    with tf.Graph().as_default():
        other = tf.constant(1.0)
    version = session.graph.version
    for value in (y, other, [y], [1.0, (y, 2.0)], [[[y]]], slices, [slices]):
        with pytest.raises(TypeError, match="The value of a feed cannot be a Tensor"):
            session.run(x, {x: value})
    assert session.graph.version == version
    with pytest.raises(TypeError, match="The value of a feed cannot be a Tensor"):
        session.run(x, {x: tf.Variable(1.0)})


def test_what_must_not_be_fed_is_an_error(session):
    x = tf.placeholder(tf.float32, name="x")
    session.graph.prevent_feeding(x)
    with pytest.raises(ValueError, match="Tensor x:0 may not be fed"):
        session.run(x, {x: 1})
    doubled = x * 2
    assert session.run(doubled, {doubled: 7}) == 7


@pytest.mark.parametrize("feeds", [[1], "x:0", 3, {1}])
def test_feeds_that_are_no_dict_are_a_type_error(session, feeds):
    x = tf.placeholder(tf.float32)
    with pytest.raises(TypeError, match="feed_dict is no dict"):
        session.run(x, feeds)


def test_no_feeds_may_be_none_or_empty(session):
    x = tf.constant(3)
    assert session.run(x, None) == session.run(x, {}) == session.run(x, feed_dict={}) == 3


def test_changing_a_fed_array_after_the_run_changes_nothing(session):
    given = np.ones(3, np.float32)
    x = tf.placeholder(tf.float32)
    variable = tf.Variable(tf.zeros([3]))
    fed_initial, assigned = tf.Variable(x, validate_shape=False), variable.assign(x)
    session.run(variable.initializer)
    got = session.run([fed_initial.initializer, assigned, x, tf.identity(x), x[:2]], {x: given})
    given[:] = 99
    for array in [*got[1:], *session.run([variable, fed_initial])]:
        assert array.tolist() in ([1, 1, 1], [1, 1])


def test_a_variable_of_eager_mode_is_fed_as_it_is_now(session):
    source = eager(lambda: tf.Variable([1.0, 2.0]))
    x = tf.placeholder(tf.float32)
    copied = tf.Variable([0.0, 0.0])
    session.run(copied.initializer)
    got = session.run([x, copied.assign(x)], {x: source})
    eager(lambda: source.assign([9.0, 9.0]))
    assert [value.tolist() for value in (*got, session.run(copied))] == [[1, 2]] * 3
    assert session.run(x, {x: source}).tolist() == [9, 9]


def test_eval_and_run_take_feeds(session):
    x = tf.placeholder(tf.int32)
    variable = initialized(session, 0)
    assert (x + 1).eval({x: 2}) == 3
    variable.assign(x).op.run({x: 7})
    assert variable.eval() == 7
    with tf.Session() as other:
        assert (x + 1).eval(feed_dict={x: 2}, session=other) == 3


def test_the_dense_shape_of_slices_is_fed_with_them(session):
    parts = tf.placeholder(tf.float32, [None, 2]), tf.placeholder(tf.int32, [None]), tf.placeholder(tf.int32, [2])
    slices = tf.IndexedSlices(*parts)
    given = (np.ones((1, 2), np.float32), [1], [3, 2])
    for value in (given, tf.IndexedSlicesValue(*given)):
        assert session.run(parts[2], {slices: value}).tolist() == [3, 2]
