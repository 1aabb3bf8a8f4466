"""Updates in graph mode: the same bits as in eager mode, references, shapes known and unknown, counters."""

from __future__ import annotations

import threading

import numpy as np
import pytest

import nbvars as tf
from nbvars.errors import FailedPreconditionError, InvalidArgumentError, OutOfRangeError
from nbvars.kernels.cpu import assign as assign_kernels
from nbvars.kernels.cpu.threads import run_parts
from tests.conftest import assert_same_bits, random_array

DTYPES = ["float32", "int32", "bfloat16"]
DENSE = ["assign", "assign_add", "assign_sub"]
SCATTERS = ["add", "div", "max", "min", "mul", "sub", "update"]
ND = ["scatter_nd_add", "scatter_nd_sub", "scatter_nd_update"]
ROWS = [[2, 0], [1, 1]]
POSITIONS = [[2, 1], [0, 0], [2, 1]]
BATCHED = [[1, 0], [1, 1], [0, 0]]

# The op, the shape of the variable, the indices, and the shape of the update.
CASES = [
    *[(op, (3, 2), None, (3, 2)) for op in DENSE],
    *[(f"scatter_{op}", (3, 2), ROWS, (2, 2, 2)) for op in SCATTERS],
    *[(op, (3, 2), POSITIONS, (3,)) for op in ND],
    ("batch_scatter_update", (3, 2), BATCHED, (3, 2)),
]
LARGE = [
    ("assign_add", (700, 100), None, (700, 100)),
    ("scatter_sub", (700, 100), [[3, 699, 3]], (1, 3, 100)),
]


def ids_of(cases):
    return [f"{op}-{'x'.join(map(str, shape))}" for op, shape, *_ in cases]


@pytest.fixture
def graph():
    with tf.Graph().as_default() as graph:
        yield graph


@pytest.fixture
def sess(graph):
    with tf.Session() as sess:
        yield sess


def initialized(sess, *args, **kwargs):
    variable = tf.Variable(*args, **kwargs)
    sess.run(variable.initializer)
    return variable


def update(op, ref, indices, value, **options):
    """Call the public function of ``op``."""
    return getattr(tf, op)(ref, *([] if indices is None else [indices]), value, **options)


def eager_result(op, start, indices, value, **options):
    with tf.eager_mode():
        return update(op, tf.Variable(start), indices, value, **options).numpy()


# The same bits as in eager mode.


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("op", "shape", "indices", "value_shape"), CASES + LARGE, ids=ids_of(CASES + LARGE))
@pytest.mark.parametrize("use_locking", [False, True])
def test_update_has_the_bits_of_the_eager_update(sess, rng, op, shape, indices, value_shape, dtype, use_locking):
    start, value = random_array(rng, dtype, shape), random_array(rng, dtype, value_shape)
    v = initialized(sess, start)
    node = update(op, v, indices, value, use_locking=use_locking)
    assert node.op.get_attr("use_locking") is use_locking
    expected = eager_result(op, start, indices, value, use_locking=use_locking)
    assert_same_bits(sess.run(node), expected)
    assert_same_bits(v.eval(), expected)
    # Once more, by the fast path where there is one.
    assert_same_bits(sess.run(node), eager_result(op, expected, indices, value, use_locking=use_locking))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("op", "shape", "indices", "value_shape"), CASES, ids=ids_of(CASES))
def test_update_by_fed_values_has_the_bits_of_the_eager_update(sess, rng, op, shape, indices, value_shape, dtype):
    start, value = random_array(rng, dtype, shape), random_array(rng, dtype, value_shape)
    v = initialized(sess, start)
    fed_value = tf.placeholder(dtype)
    fed_indices = None if indices is None else tf.placeholder("int64")
    node = update(op, v, fed_indices, fed_value)
    assert node.shape.as_list() == list(shape)
    feeds = {fed_value: value} | ({} if indices is None else {fed_indices: indices})
    assert_same_bits(sess.run(node, feeds), eager_result(op, start, indices, value))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("number", [3, -7, np.int32(5)])
@pytest.mark.parametrize(("op", "shape", "indices", "value_shape"), CASES, ids=ids_of(CASES))
def test_number_changes_every_element_that_the_update_names(sess, rng, op, shape, indices, value_shape, dtype, number):
    if dtype == "bfloat16" and isinstance(number, np.generic):
        number = 0.1
    start = random_array(rng, dtype, shape)
    v = initialized(sess, start)
    node = update(op, v, indices, number)
    expected = eager_result(op, start, indices, number)
    assert_same_bits(sess.run(node), expected)
    assert_same_bits(sess.run(node), eager_result(op, expected, indices, number))


@pytest.mark.parametrize("operation", SCATTERS)
def test_scatter_methods_take_indexed_slices(sess, operation):
    v = initialized(sess, np.full((3, 2), 6.0, np.float32))
    slices = tf.IndexedSlices(tf.constant([[2.0, 3.0], [4.0, 5.0]]), tf.constant([2, 2]))
    node = getattr(v, f"scatter_{operation}")(slices)
    expected = eager_result(f"scatter_{operation}", np.full((3, 2), 6.0, np.float32), [2, 2], [[2.0, 3.0], [4.0, 5.0]])
    assert sess.run(node).tolist() == expected.tolist()


def test_methods_of_positions_and_batches_are_those_of_the_functions(sess):
    v = initialized(sess, np.zeros((2, 2), np.float32))
    nodes = [
        v.scatter_nd_add([[0, 0]], [1.0]),
        v.scatter_nd_sub([[0, 1]], [1.0]),
        v.scatter_nd_update([[1, 0]], [5.0]),
        v.batch_scatter_update(tf.IndexedSlices([[7.0], [8.0]], [[1], [1]])),
    ]
    assert [node.op.type for node in nodes] == [
        "ScatterNdAdd",
        "ScatterNdSub",
        "ScatterNdUpdate",
        "BatchScatterUpdate",
    ]
    assert sess.run(nodes)[-1].tolist() == [[1.0, 7.0], [5.0, 8.0]]


def test_numbers_beyond_int64_reach_uint64_variables(sess):
    v = initialized(sess, np.zeros(2, np.uint64))
    node = v.assign_add(2**63 + 5)
    sess.run(node)
    assert sess.run(v.assign(2**64 - 1)).tolist() == [2**64 - 1] * 2


def test_complex_variables_are_updated_by_numbers_and_arrays(sess):
    v = initialized(sess, [1 + 1j, 2j], dtype="complex64")
    sess.run([v.assign_add(1j), v.assign_sub([1.0, 1.0])])
    sess.run(v.assign_add(1j))
    assert v.eval().tolist() == [3j, -1 + 4j]


def test_bool_variables_can_be_assigned(sess):
    v = initialized(sess, [True, False])
    for value, expected in (([False, True], [False, True]), (True, [True, True])):
        node = v.assign(value)
        sess.run(node)
        assert sess.run(node).tolist() == expected


@pytest.mark.parametrize("op", ["assign", "assign_add", "assign_sub", "scatter_add", "scatter_update"])
def test_variable_may_be_updated_by_itself(sess, op):
    start = np.array([1.0, 2.0, 4.0], np.float32)
    v = initialized(sess, start)
    indices = None if op.startswith("assign") else [2, 0, 1]
    assert sess.run(update(op, v, indices, v)).tolist() == eager_result(op, start, indices, start).tolist()


@pytest.mark.usefixtures("restored_num_threads")
def test_large_updates_of_a_session_are_shared_out_to_threads(sess, monkeypatch):
    tf.set_num_threads(2)
    parts = []

    def recording(kernel, arguments):
        parts.append(len(arguments))
        run_parts(kernel, arguments)

    monkeypatch.setattr(assign_kernels, "run_parts", recording)
    start = np.arange(2 * assign_kernels.PART_BYTES // 4, dtype=np.float32)
    v = initialized(sess, start)
    delta = tf.placeholder("float32", start.shape)
    parts.clear()
    sess.run(v.assign_sub(delta).op, {delta: start[::-1]})
    assert parts == [2]
    assert (v.eval() == start - start[::-1]).all()


# References.


def test_updates_return_references_that_other_updates_take(sess):
    v = initialized(sess, 1.0)
    chained = tf.assign_add(v.assign(2.0), 1.0)
    assert chained.dtype == v.dtype
    assert chained.op.inputs[0].op.type == "Assign"
    assert v.assign(1.0).op.type == "Assign"
    assert sess.run(chained) == 3.0
    assert sess.run(tf.count_up_to(initialized(sess, 5).assign(7), 9)) == 7


def test_every_update_returns_a_reference(graph):
    v = tf.Variable([[1.0, 2.0]])
    for op, indices, value in [("assign", None, [[1.0, 2.0]]), ("scatter_add", [0], [[1.0, 1.0]])]:
        node = update(op, v, indices, value)
        assert node.dtype is v.dtype
        assert node.shape.as_list() == [1, 2]
    assert tf.identity(v.assign([[0.0, 0.0]])).dtype is tf.float32


def test_updates_of_a_run_are_made_in_the_order_of_their_creation(sess):
    v = initialized(sess, 7)
    fetches = [v, v + 0, v.assign_add(1)]
    assert [sess.run(fetches) for _ in range(3)] == [[8, 7, 8], [9, 8, 9], [10, 9, 10]]
    sess.run([v.assign(1), v.assign_add(5), v.assign_sub(2)])
    assert v.eval() == 4


def test_read_value_false_gives_the_operation(sess):
    v = initialized(sess, 1.0)
    for op in (
        v.assign(5.0, read_value=False),
        v.assign_add(2.0, read_value=False),
        v.assign_sub(1.0, read_value=False),
    ):
        assert isinstance(op, tf.Operation)
        assert sess.run(op) is None
    assert v.eval() == 6.0


def test_names_of_updates_are_those_of_tensorflow(graph):
    v = tf.Variable([1.0])
    assert v.assign([1.0]).name == "Assign:0"
    assert v.assign_add([1.0], name="bump").name == "bump:0"
    assert tf.scatter_sub(v, [0], [1.0]).name == "ScatterSub:0"
    assert [tensor.name for tensor in tf.scatter_sub(v, [0], [1.0]).op.inputs] == [
        "Variable:0",
        "ScatterSub_1/indices:0",
        "ScatterSub_1/value:0",
    ]


# Shapes.


@pytest.mark.parametrize("op", DENSE)
def test_static_shape_of_an_update_is_what_either_side_knows(graph, op):
    known, unknown = tf.Variable([[1.0, 2.0]]), tf.Variable([[1.0, 2.0]], validate_shape=False)
    assert update(op, known, None, tf.placeholder("float32")).shape.as_list() == [1, 2]
    assert update(op, known, None, tf.placeholder("float32", [None, 2])).shape.as_list() == [1, 2]
    assert update(op, unknown, None, tf.placeholder("float32", [None, 2])).shape.as_list() == [None, 2]
    assert update(op, unknown, None, tf.placeholder("float32")).shape.ndims is None
    assert update(op, known, None, 1.0).shape.as_list() == [1, 2]


def test_variable_without_validation_has_an_unknown_shape_and_takes_any(sess):
    start = tf.placeholder("float32", [None, 2])
    v = tf.Variable(start, validate_shape=False)
    assert v.shape.ndims is None
    assert v.value().shape.ndims is None
    sess.run(v.initializer, {start: [[1.0, 2.0]]})
    bump = v.assign_add(1.0)
    assert sess.run(bump).tolist() == [[2.0, 3.0]]
    sess.run(v.initializer, {start: np.zeros((3, 2))})
    assert sess.run(bump).tolist() == [[1.0, 1.0]] * 3


@pytest.mark.parametrize("validate_shape", [True, False])
def test_assign_without_validation_changes_the_shape(sess, validate_shape):
    v = initialized(sess, [1.0, 2.0], validate_shape=validate_shape)
    longer = tf.assign(v, [5.0, 6.0, 7.0], validate_shape=False)
    assert longer.shape.as_list() == [3]
    assert sess.run(longer).tolist() == [5.0, 6.0, 7.0]
    # Updates that come later find the new shape: through the reference, whose shape is known, or by a fed value.
    assert sess.run(tf.assign_add(longer, [1.0, 1.0, 1.0])).tolist() == [6.0, 7.0, 8.0]
    delta = tf.placeholder("float32")
    assert sess.run(v.assign_add(delta), {delta: [1.0, 1.0, 1.0]}).tolist() == [6.0 + 1, 7.0 + 1, 8.0 + 1]
    assert sess.run(tf.scatter_add(v, [2], [10.0])).tolist() == [7.0, 8.0, 19.0]
    assert v.eval().shape == (3,)


def test_assign_of_a_number_without_validation_makes_a_scalar(sess):
    v = initialized(sess, [1.0, 2.0], validate_shape=False)
    node = tf.assign(v, 5.0, validate_shape=False)
    assert node.shape.as_list() == []
    assert sess.run(node) == 5.0
    assert v.eval().shape == ()


def test_assign_gives_a_variable_its_first_value(sess):
    v, w, u = tf.Variable([1.0, 2.0]), tf.Variable([1.0, 2.0]), tf.Variable([1.0, 2.0], validate_shape=False)
    assert sess.run(v.assign([3.0, 4.0])).tolist() == [3.0, 4.0]
    assert sess.run(w.assign(5.0)).tolist() == [5.0, 5.0]
    assert sess.run(u.assign([[6.0]])).tolist() == [[6.0]]


@pytest.mark.parametrize("op", DENSE)
def test_other_static_shape_is_an_error_when_the_graph_is_built(graph, op):
    v = tf.Variable([1.0, 2.0])
    value = tf.ones([3])
    with pytest.raises(ValueError, match=rf"{op}: .*got \(3,\), expected \(2,\)"):
        update(op, v, None, value)
    with pytest.raises(ValueError, match=r"got \(\), expected \(2,\); a number changes every element"):
        update(op, v, None, tf.constant(1.0))
    assert [node.name for node in graph.get_operations() if node.inputs and node.inputs[0] is v.ref()] == [
        "Variable/Assign",
        "Variable/read",
    ]


@pytest.mark.parametrize(
    ("op", "indices", "value", "words"),
    [
        ("scatter_add", [0, 1], [[1.0, 2.0]], r"got \(1, 2\), expected \(2, 2\)"),
        ("scatter_update", [0], [[1.0, 2.0, 3.0]], r"got \(1, 3\), expected \(1, 2\)"),
        ("scatter_nd_add", [[0, 0, 0]], [1.0], r"with k from 1 to 2"),
        ("scatter_nd_update", [[0, 0]], [1.0, 2.0], r"got \(2,\), expected \(1,\)"),
        ("batch_scatter_update", [[0]], [[1.0]], "batch axes"),
    ],
)
def test_static_shapes_of_row_updates_are_checked_when_the_graph_is_built(graph, op, indices, value, words):
    v = tf.Variable(np.zeros((3, 2), np.float32))
    with pytest.raises(ValueError, match=words):
        update(op, v, indices, value)


@pytest.mark.parametrize(
    ("op", "indices", "value"),
    [
        ("assign", None, np.zeros((4, 2))),
        ("assign_add", None, np.zeros(2)),
        ("assign_sub", None, np.zeros(())),
        ("scatter_add", [0, 1], np.zeros((3, 2))),
        ("scatter_nd_sub", [[0, 0, 0]], np.zeros(1)),
        ("batch_scatter_update", [[0], [0]], np.zeros((2, 1))),
    ],
)
def test_other_shape_in_a_run_is_an_error_that_carries_the_operation(sess, op, indices, value):
    v = initialized(sess, np.ones((3, 2), np.float32))
    fed, rows = tf.placeholder("float32"), tf.placeholder("int32")
    node = update(op, v, None if indices is None else rows, fed, name="wrong")
    feeds = {fed: value} | ({} if indices is None else {rows: indices})
    with pytest.raises(InvalidArgumentError, match=r"got .* expected .*'wrong'") as caught:
        sess.run(node, feeds)
    assert caught.value.op is node.op
    assert v.eval().tolist() == [[1.0, 1.0]] * 3


def test_reinitializing_after_a_change_of_shape_needs_the_validation_off(sess):
    v = initialized(sess, [1.0, 2.0])
    sess.run(tf.assign(v, [1.0], validate_shape=False))
    with pytest.raises(InvalidArgumentError, match=r"got \(2,\), expected \(1,\)") as caught:
        sess.run(v.initializer)
    assert caught.value.op is v.initializer


# Indices.


@pytest.mark.parametrize("bad", [-1, 3, 2**31])
@pytest.mark.parametrize("operation", SCATTERS)
def test_bad_index_is_named_and_nothing_is_written(sess, operation, bad):
    v = initialized(sess, [1.0, 2.0, 3.0])
    node = update(f"scatter_{operation}", v, np.array([0, bad]), [9.0, 9.0])
    for _ in range(2):
        with pytest.raises(InvalidArgumentError, match=rf"indices\[1\] = {bad} is not in \[0, 3\)") as caught:
            sess.run(node)
        assert caught.value.op is node.op
    assert v.eval().tolist() == [1.0, 2.0, 3.0]


@pytest.mark.parametrize("op", ND)
def test_bad_position_is_named_and_nothing_is_written(sess, op):
    v = initialized(sess, [[1.0, 2.0]])
    with pytest.raises(InvalidArgumentError, match=r"indices\[1\] = \[0, 2\] is not in shape \(1, 2\)"):
        sess.run(update(op, v, [[0, 0], [0, 2]], [9.0, 9.0]))
    assert v.eval().tolist() == [[1.0, 2.0]]


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32", "uint64"])
def test_indices_may_be_of_any_integer_dtype(sess, dtype):
    v = initialized(sess, [1.0, 2.0, 3.0])
    node = tf.scatter_add(v, np.array([2, 0, 2], dtype), [1.0, 2.0, 3.0])
    sess.run(node)
    assert sess.run(node).tolist() == [5.0, 2.0, 11.0]


def test_no_indices_change_nothing(sess):
    v = initialized(sess, [1.0, 2.0])
    assert sess.run(tf.scatter_add(v, [], np.zeros(0, np.float32))).tolist() == [1.0, 2.0]


def test_division_by_an_integer_zero_writes_nothing(sess):
    v = initialized(sess, [6, 7])
    node = tf.scatter_div(v, [0, 1], [2, 0])
    with pytest.raises(InvalidArgumentError, match="divi") as caught:
        sess.run(node)
    assert caught.value.op is node.op
    assert v.eval().tolist() == [6, 7]


def test_failed_update_leaves_its_variable_and_keeps_earlier_updates_of_the_run(sess):
    v, w = initialized(sess, [1.0]), initialized(sess, [1.0])
    first, bad, last = v.assign([5.0]), tf.scatter_add(w, [3], [1.0]), v.assign([6.0])
    with pytest.raises(InvalidArgumentError):
        sess.run([first, bad, last])
    assert (v.eval().tolist(), w.eval().tolist()) == ([5.0], [1.0])


# Counters.


@pytest.mark.parametrize("dtype", ["int32", "int64"])
def test_count_up_to_counts_and_then_raises(sess, dtype):
    v = initialized(sess, 3, dtype=dtype)
    count = v.count_up_to(5)
    assert count.dtype is tf.as_dtype(dtype)
    assert [int(sess.run(count)) for _ in range(2)] == [3, 4]
    for _ in range(2):
        with pytest.raises(OutOfRangeError, match="Reached limit of 5") as caught:
            sess.run(count)
        assert caught.value.op is count.op
    assert v.eval() == 5


def test_count_up_to_gives_the_count_of_its_own_step(sess):
    v = initialized(sess, 0)
    one, two = v.count_up_to(10), tf.count_up_to(v, 10)
    assert sess.run([two, one, v]) == [1, 0, 2]


def test_counter_whose_shape_is_not_known_is_checked_in_the_run(sess):
    v = initialized(sess, [1, 2], validate_shape=False)
    count = v.count_up_to(5)
    with pytest.raises(InvalidArgumentError, match=r"ref is no scalar: got \(2,\)") as caught:
        sess.run(count)
    assert caught.value.op is count.op
    assert v.eval().tolist() == [1, 2]


def test_threads_get_distinct_counts(sess):
    v = initialized(sess, 0, dtype="int64")
    count = sess.make_callable(v.count_up_to(400))
    found: list[int] = []

    def work():
        try:
            while True:
                found.append(int(count()))
        except OutOfRangeError:
            pass

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == list(range(400))


@pytest.mark.parametrize("use_locking", [False, True])
def test_locked_updates_of_threads_add_up(sess, use_locking):
    v = initialized(sess, np.zeros(3, np.float32))
    bump = sess.make_callable(v.assign_add([1.0, 1.0, 1.0], use_locking=use_locking).op)

    def work():
        for _ in range(200):
            bump()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if use_locking:
        assert v.eval().tolist() == [800.0] * 3
    else:
        assert (v.eval() <= 800.0).all()


# Before the initializer.


@pytest.mark.parametrize(
    "make",
    [
        lambda v: v,
        lambda v: v.value(),
        lambda v: v.read_value(),
        lambda v: v + 1,
        lambda v: v.assign_add([1, 1]),
        lambda v: v.assign_add(1),
        lambda v: tf.scatter_add(v, [0], [1]),
        lambda v: tf.scatter_nd_add(v, [[0]], [1]),
        lambda v: tf.group(v.assign_sub([1, 1])),
    ],
)
def test_use_of_a_variable_without_a_value_is_an_error_that_names_it(sess, make):
    v = tf.Variable([1, 2], name="empty")
    fetch = make(v)
    with pytest.raises(FailedPreconditionError, match="Attempting to use uninitialized value empty") as caught:
        sess.run(fetch)
    assert caught.value.op is v.op
    with pytest.raises(FailedPreconditionError, match="uninitialized value empty"):
        sess.make_callable(fetch)()
    sess.run(v.initializer)
    sess.run(fetch)


def test_count_without_a_value_is_an_error_that_names_the_variable(sess):
    v = tf.Variable(0, name="empty")
    with pytest.raises(FailedPreconditionError, match="Attempting to use uninitialized value empty"):
        sess.run(v.count_up_to(3))
