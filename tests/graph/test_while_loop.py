"""``while_loop``: loops of a graph against Python's, their errors, and random programs against a plain oracle."""

from __future__ import annotations

import _thread
import threading
import tracemalloc
from collections import namedtuple
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import nbvars as tf

Point = namedtuple("Point", "x y")


@pytest.fixture
def session() -> Iterator[tf.Session]:
    with tf.Graph().as_default() as graph, tf.Session(graph=graph) as session:
        yield session


def variable(session: tf.Session, value: Any, name: str = "v") -> Any:
    """Return an initialized variable."""
    made = tf.Variable(value, name=name)
    session.run(made.initializer)
    return made


def count_to(n: Any, body: Callable[[Any, Any], Any], start: Any, **options: Any) -> Any:
    """Return ``x`` after ``x = body(i, x)`` for each ``i`` below ``n``."""
    return tf.while_loop(lambda i, x: i < n, lambda i, x: [i + 1, body(i, x)], [0, start], **options)[1]


@pytest.mark.parametrize("n", [0, 1, 2, 10])
def test_factorial(session: tf.Session, n: int) -> None:
    limit = tf.placeholder(tf.int32, [])
    _, product = tf.while_loop(lambda i, p: i <= limit, lambda i, p: (i + 1, p * i), [1, 1])
    assert session.run(product, {limit: n}) == np.prod(range(1, n + 1), dtype=int)


def test_collatz(session: tf.Session) -> None:
    start = tf.placeholder(tf.int64, [])

    def step(n: Any, steps: Any) -> Any:
        return tf.cond(tf.equal(n % 2, 0), lambda: n // 2, lambda: 3 * n + 1), steps + 1

    _, steps = tf.while_loop(lambda n, steps: n > 1, step, [start, 0])

    def expected(n: int) -> int:
        return 0 if n == 1 else 1 + expected(n // 2 if n % 2 == 0 else 3 * n + 1)

    assert [session.run(steps, {start: n}) for n in range(1, 31)] == [expected(n) for n in range(1, 31)]


def test_power_iteration_finds_the_largest_eigenvalue(session: tf.Session) -> None:
    matrix = np.array([[2, 1, 0], [1, 3, 1], [0, 1, 4]], np.float32)
    m = tf.constant(matrix)

    def body(i: Any, x: Any) -> Any:
        product = tf.matmul(m, x)
        return product / tf.norm(product)

    x = count_to(60, body, tf.ones([3, 1]))
    value = tf.reduce_sum(x * tf.matmul(m, x))
    assert x.shape.as_list() == [3, 1]
    assert session.run(value) == pytest.approx(np.linalg.eigvalsh(matrix)[-1], rel=1e-5)


def test_loop_variables_change_places_all_at_once(session: tf.Session) -> None:
    a, b = tf.while_loop(lambda a, b: b < 100, lambda a, b: (b, a + b), [0, 1])
    assert session.run([a, b]) == [89, 144]
    swapped = tf.while_loop(lambda i, x, y: i < 3, lambda i, x, y: (i + 1, y, x), [0, 1.5, 2.5])
    assert session.run(swapped) == (3, 2.5, 1.5)


def test_no_iteration_leaves_the_initial_values_and_runs_no_update(session: tf.Session) -> None:
    v = variable(session, 0)
    x = count_to(0, lambda i, x: x + v.assign_add(1), 42)
    assert session.run(x) == 42
    assert session.run(v) == 0


def test_updates_of_a_variable_happen_in_each_iteration(session: tf.Session) -> None:
    v = variable(session, 1)
    x = count_to(5, lambda i, x: x * 10 + tf.identity(v.assign_add(i)), 0)
    expected, value = 0, 1
    for i in range(5):
        value += i
        expected = expected * 10 + value
    assert session.run([x, v]) == [expected, value]


def test_rows_of_a_table_are_updated_in_a_loop(session: tf.Session) -> None:
    table = variable(session, np.zeros((4, 2), np.float32))
    order = tf.constant([3, 1, 3])

    def body(i: Any, total: Any) -> Any:
        slices = tf.IndexedSlices(tf.ones([1, 2]) * tf.cast(i + 1, tf.float32), tf.reshape(order[i], [1]))
        with tf.control_dependencies([table.scatter_sub(slices)]):
            return total + tf.reduce_sum(table)

    total = count_to(3, body, 0.0)
    assert session.run(total) == -2 - 6 - 12
    assert session.run(table).tolist() == [[0, 0], [-2, -2], [0, 0], [-4, -4]]


def test_a_loop_variable_that_starts_as_a_variable_is_its_value_at_the_start(session: tf.Session) -> None:
    v = variable(session, [1, 2])
    x = count_to(2, lambda i, x: x + v.assign_add([10, 10]) - v, v)
    assert session.run([x, v])[0].tolist() == [1, 2]


def test_a_variable_that_the_body_returns_is_its_value_in_that_iteration(session: tf.Session) -> None:
    v = variable(session, [0, 0])

    def body(i: Any, last: Any, before_last: Any) -> Any:
        with tf.control_dependencies([v.assign_add([1, 2])]):
            return tf.identity(i) + 1, v, last

    zeros = np.zeros(2, np.int32)
    _, last, before_last = tf.while_loop(lambda i, x, y: i < 3, body, [0, zeros, zeros])
    later = v.assign_add([100, 100])
    got = session.run([last, before_last, later])
    assert [each.tolist() for each in got] == [[3, 6], [2, 4], [103, 106]]


def test_the_condition_reads_a_variable_in_each_iteration(session: tf.Session) -> None:
    v = variable(session, 0)
    x = tf.while_loop(lambda x: v < 4, lambda x: x + tf.identity(v.assign_add(1)), [0])
    assert session.run(x) == 1 + 2 + 3 + 4


def test_what_comes_from_outside_runs_once_and_before(session: tf.Session) -> None:
    v = variable(session, 0)
    outside = tf.identity(v.assign_add(1))
    assert session.run(count_to(5, lambda i, x: x + outside, 0)) == 5
    assert session.run(v) == 1


def test_a_random_operation_draws_anew_in_each_iteration(session: tf.Session) -> None:
    def body(i: Any, drawn: Any) -> Any:
        return tf.concat([drawn, tf.random_uniform([1], seed=7)], 0)

    drawn = count_to(20, body, np.zeros(0, np.float32), shape_invariants=[tf.TensorShape([]), tf.TensorShape([None])])
    first, second = session.run(drawn), session.run(drawn)
    assert len(set(first) | set(second)) == 40


def test_counters_of_eight_threads_lose_no_count(session: tf.Session) -> None:
    counter = variable(session, np.int64(0))
    n, which = tf.placeholder(tf.int32, []), tf.placeholder(tf.int32, [])
    total = count_to(n, lambda i, x: x + which + 0 * tf.cast(tf.count_up_to(counter, 10**9), tf.int32), 0)
    run = session.make_callable(total, [n, which])
    got: dict[int, int] = {}
    threads = [
        threading.Thread(target=lambda k=k: got.update({k: int(run(100 + k, k))}))  # type: ignore[misc]
        for k in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got == {k: k * (100 + k) for k in range(8)}
    assert session.run(counter) == sum(100 + k for k in range(8))


@pytest.mark.parametrize("rows", range(4))
def test_loops_and_conditionals_nest_in_each_other(session: tf.Session, rows: int) -> None:
    v, n = variable(session, 0), tf.placeholder(tf.int32, [])

    def inner(i: Any, total: Any) -> Any:
        return count_to(i, lambda j, x: tf.cond(j % 2 > 0, lambda: x + i, lambda: x - v.assign_add(j)), total)

    result = tf.cond(n > 1, lambda: count_to(n, inner, 100), lambda: tf.constant(-1))
    expected, value = 100, 0
    for i in range(rows):
        for j in range(i):
            if j % 2:
                expected += i
            else:
                value += j
                expected -= value
    assert session.run([result, v], {n: rows}) == ([expected, value] if rows > 1 else [-1, 0])


def test_loops_nest_ten_deep(session: tf.Session) -> None:
    def level(depth: int, x: Any) -> Any:
        return x + 1 if depth == 0 else count_to(2, lambda i, y: level(depth - 1, y), x)

    assert session.run(level(10, tf.constant(0))) == 2**10


@pytest.mark.parametrize("limit", [0, 3, 10])
@pytest.mark.parametrize("as_tensor", [False, True])
def test_maximum_iterations_end_a_loop(session: tf.Session, limit: int, as_tensor: bool) -> None:
    v = variable(session, 0)
    most = tf.placeholder_with_default(np.int64(limit), []) if as_tensor else limit
    x = tf.while_loop(lambda x: x < 6, lambda x: x + v.assign_add(1) * 0 + 1, [0], maximum_iterations=most)
    assert session.run(x) == min(limit, 6)
    assert session.run(v) == min(limit, 6)


def test_maximum_iterations_keep_the_structure_that_the_body_returns(session: tf.Session) -> None:
    result = tf.while_loop(
        lambda x, y: True, lambda x, y: Point(x + 1, {"a": y["a"] * 2}), [0, {"a": 1}], maximum_iterations=3
    )
    assert session.run(result) == Point(3, {"a": 8})


def test_a_loop_over_nested_structures(session: tf.Session) -> None:
    def body(i: Any, d: Any) -> Any:
        return [i + 1, {"b": (d["b"][0] + 1.5,), "a": Point(d["a"].y, d["a"].x + i)}]

    start = [0, {"a": Point(1, 2), "b": (0.5,)}]
    result = tf.while_loop(lambda i, d: i < 2, body, start)
    assert session.run(result) == [2, {"a": Point(1, 3), "b": (3.5,)}]


@pytest.mark.parametrize(
    ("start", "returned", "expected"),
    [([0], lambda x: x, 3), ([0], lambda x: [x], 3), ((0,), lambda x: (x,), 3), ([(0,)], lambda x: [(x,)], (3,))],
)
def test_one_loop_variable_comes_back_alone(
    session: tf.Session, start: Any, returned: Callable[[Any], Any], expected: Any
) -> None:
    def first(x: Any) -> Any:
        return x[0] if isinstance(x, tuple) else x

    def body(x: Any) -> Any:
        return returned(first(x) + 1)

    assert session.run(tf.while_loop(lambda x: first(x) < 3, body, start)) == expected
    same = tf.while_loop(lambda x: first(x) < 3, body, start, return_same_structure=True)
    assert session.run(same) in ([expected], (expected,))


def test_indexed_slices_are_loop_variables(session: tf.Session) -> None:
    start = tf.IndexedSlices(np.ones((1, 2), np.float32), [3], [9, 2])

    def body(i: Any, s: Any) -> Any:
        values, indices = tf.concat([s.values, s.values * 2], 0), tf.concat([s.indices, s.indices], 0)
        return i + 1, tf.IndexedSlices(values, indices, [9, 2])

    shapes = [tf.TensorShape([]), tf.TensorShape([None, 2])]
    result = tf.while_loop(lambda i, s: i < 2, body, [0, start], shapes)[1]
    got = session.run(result)
    assert got.values.tolist() == [[1, 1], [2, 2], [2, 2], [4, 4]]
    assert (got.indices.tolist(), got.dense_shape.tolist()) == ([3, 3, 3, 3], [9, 2])


def test_a_computed_shape_of_slices_is_carried_along(session: tf.Session) -> None:
    num_rows = tf.placeholder(tf.int64, [])

    def slices(scale: float) -> Any:
        return tf.IndexedSlices([[scale, 1.0]], [0], tf.stack([num_rows, 2]))

    def body(s: Any) -> Any:
        return tf.IndexedSlices(s.values * 2, s.indices, tf.add(s.dense_shape, [1, 0]))

    picked = tf.cond(num_rows > 4, lambda: slices(5.0), lambda: slices(3.0))
    looped = tf.while_loop(lambda s: s.values[0, 0] < 20, body, [picked], [tf.TensorShape([1, 2])])
    first = session.run(looped[0], {num_rows: 9})
    assert (first.values.tolist(), first.dense_shape.tolist()) == ([[20, 4]], [11, 2])
    second = session.run(picked, {num_rows: 4})
    assert (second.values.tolist(), second.dense_shape.tolist()) == ([[3, 1]], [4, 2])


def test_strings_are_loop_variables(session: tf.Session) -> None:
    a, b = tf.while_loop(lambda a, b: False, lambda a, b: (b, a), ["x", b"y"])
    assert session.run([a, b]) == [b"x", b"y"]


def test_a_shape_invariant_lets_a_loop_variable_grow(session: tf.Session) -> None:
    shapes = [tf.TensorShape([]), tf.TensorShape([None, 2])]
    x = count_to(3, lambda i, x: tf.concat([x, x], 0), np.ones((1, 2), np.float32), shape_invariants=shapes)
    assert x.shape.as_list() == [None, 2]
    assert session.run(x).shape == (8, 2)


def test_the_operation_is_called_by_the_name_and_its_parts_lie_in_its_scope(session: tf.Session) -> None:
    result = tf.while_loop(lambda x: x < 3, lambda x: tf.add(x, 1, name="next"), [0])
    other = tf.while_loop(lambda x: x < 3, lambda x: x + 1, [0], name="climb")
    assert (result.name, other.name, result.op.type) == ("while:0", "climb:0", "While")
    assert {"while/next", "while/Less"} <= {op.name for op in tf.get_default_graph().get_operations()}


def test_the_result_can_be_fed(session: tf.Session) -> None:
    v = variable(session, 0)
    x = count_to(3, lambda i, x: x + v.assign_add(1), 0)
    assert session.run(x * 2, {x: 21}) == 42
    assert session.run(v) == 0


def test_what_a_run_returns_is_a_copy(session: tf.Session) -> None:
    fed, x = np.zeros(3, np.float32), tf.placeholder(tf.float32, [3])
    same, results = count_to(1, lambda i, x: x, x), count_to(2, lambda i, x: tf.ones([3]), tf.zeros([3]))
    for _ in range(2):
        got, ones = session.run([same, results], {x: fed})
        assert (got.tolist(), ones.tolist()) == ([0, 0, 0], [1, 1, 1])
        got += 1
        ones += 1
    assert fed.tolist() == [0, 0, 0]


def test_memory_does_not_grow_with_the_iterations(session: tf.Session) -> None:
    n = tf.placeholder(tf.int32, [])
    x = count_to(n, lambda i, x: tf.cond(i % 2 > 0, lambda: x + 1, lambda: x * 2 - x), tf.zeros([1000]))

    def peak(iterations: int) -> int:
        tracemalloc.start()
        session.run(x, {n: iterations})
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    peak(10)
    assert peak(2000) < peak(10) + 10_000


def test_an_infinite_loop_can_be_interrupted_and_the_session_goes_on(session: tf.Session) -> None:
    v = variable(session, 0)
    forever = tf.while_loop(lambda x: True, lambda x: x + v.assign_add(1), [0])

    def interrupt() -> None:
        # Bounded, for the case that the loop has failed.
        if any(session.run(v) >= 5 for _ in range(1_000_000)):
            _thread.interrupt_main()

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        session.run(forever)
    thread.join()
    assert session.run(v) >= 5


def test_a_failure_in_an_iteration_carries_its_operation_and_earlier_updates_stay(session: tf.Session) -> None:
    v = variable(session, 0)
    table = tf.constant([5, 6, 7])

    def body(i: Any, x: Any) -> Any:
        looked_up = tf.gather(table, i, name="look_up")
        return tf.identity(v.assign(looked_up))

    x = count_to(5, body, 0)
    with pytest.raises(tf.errors.InvalidArgumentError, match="3") as raised:
        session.run(x)
    assert raised.value.op.name == "while/look_up"
    assert session.run(v) == 7


def test_a_counter_at_its_limit_ends_a_loop_by_its_error(session: tf.Session) -> None:
    v = variable(session, 0)
    x = tf.while_loop(lambda x: True, lambda x: tf.count_up_to(v, 4), [0])
    with pytest.raises(tf.errors.OutOfRangeError, match="Reached limit of 4"):
        session.run(x)
    assert session.run(v) == 4


def test_a_condition_of_unknown_shape_must_be_a_scalar_in_the_run(session: tf.Session) -> None:
    go_on = tf.placeholder(tf.bool)
    x = tf.while_loop(lambda x: go_on, lambda x: x + 1, [0])
    assert session.run(x, {go_on: False}) == 0
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"the condition must be a scalar: got shape \(2,\)"):
        session.run(x, {go_on: [True, False]})


def less_than_3(x: Any, *others: Any) -> Any:
    return x < 3


def same(*values: Any) -> Any:
    return values


VECTOR = np.zeros(2, np.float32)


@pytest.mark.parametrize(
    ("arguments", "error", "sentence"),
    [
        ((1, same, [0]), TypeError, "cond must be callable: got 1"),
        ((less_than_3, None, [0]), TypeError, "body must be callable: got None"),
        ((less_than_3, same, 0), TypeError, "loop_vars is no list: got 0"),
        ((less_than_3, same, {"a": 0}), TypeError, "loop_vars is no list"),
        ((less_than_3, same, []), ValueError, r"loop_vars must be provided: got \[\]"),
        ((less_than_3, same, [None]), ValueError, "None values not supported"),
        ((lambda x: x, same, [0]), TypeError, "the condition has the wrong dtype: got int32, expected bool"),
        ((lambda x: [x < 3], same, [0]), ValueError, r"the condition must be a scalar: got shape \(1,\)"),
        ((less_than_3, lambda x: None, [0]), ValueError, "None values not supported"),
        ((less_than_3, lambda x: tf.no_op(), [0]), TypeError, "an operation has no value"),
        (
            (less_than_3, lambda x: (x, x), [0]),
            ValueError,
            "another structure .* got a list of 2, expected a list of 1",
        ),
        ((less_than_3, lambda x, y: x, [0, 1]), ValueError, "got a list of 1, expected a list of 2"),
        ((less_than_3, lambda x, y: (x, [y]), [0, 1]), ValueError, "got a list of 1, expected a single value"),
        ((less_than_3, lambda x, y: (x, (y,)), [0, (1,)]), ValueError, "got a tuple of 1, expected a single value"),
        ((less_than_3, lambda x, y: (x, list(y)), [0, (1,)]), TypeError, "got a list of 1, expected a tuple of 1"),
        ((less_than_3, lambda x: x * 1.5, [0]), TypeError, "wrong dtype|has the wrong dtype"),
        (
            (less_than_3, lambda x: tf.cast(x, tf.float32), [0]),
            TypeError,
            "loop variable 'while/Const:0' has another dtype after one iteration: got float32, expected int32",
        ),
        (
            (lambda x: True, lambda x: tf.concat([x, x], 0), [VECTOR]),
            ValueError,
            r"'while/Const:0' is not an invariant for the loop: it enters the loop with shape \(2,\).*got \(4,\)",
        ),
        (
            (lambda x: True, same, [VECTOR], [tf.TensorShape([3])]),
            ValueError,
            r"shape invariant of 'while/Const:0' is not compatible .* got \(3,\), expected one that \(2,\) fits",
        ),
        (
            (lambda x: True, lambda x: tf.reshape(x, [1, 2]), [VECTOR], [tf.TensorShape([None])]),
            ValueError,
            r"not an invariant for the loop.*got \(1, 2\), expected \(\?,\)",
        ),
        (
            (lambda x: True, lambda x: tf.reshape(x, tf.placeholder(tf.int32, [1])), [VECTOR]),
            ValueError,
            r"not an invariant for the loop.*got \(\?,\), expected \(2,\)",
        ),
        ((less_than_3, same, [0], [None]), TypeError, "a shape invariant is no shape: got None"),
        ((less_than_3, same, [0], [[]]), ValueError, "shape_invariants has another structure"),
        ((less_than_3, same, [0], None, 0), TypeError, "parallel_iterations must be a positive integer: got 0"),
    ],
)
def test_a_misuse_is_an_error_when_the_graph_is_built(
    session: tf.Session, arguments: tuple[Any, ...], error: type[Exception], sentence: str
) -> None:
    with pytest.raises(error, match=sentence):
        tf.while_loop(*arguments)


@pytest.mark.parametrize(
    ("limit", "error", "sentence"),
    [
        ([1], ValueError, r"maximum_iterations must be a scalar: got shape \(1,\)"),
        (1.5, TypeError, "maximum_iterations has the wrong dtype: got float32"),
    ],
)
@pytest.mark.parametrize("mode", [tf.graph_mode, tf.eager_mode])
def test_the_greatest_number_of_iterations_is_one_integer(
    mode: Any, limit: Any, error: type[Exception], sentence: str
) -> None:
    with tf.Graph().as_default(), mode(), pytest.raises(error, match=sentence):
        tf.while_loop(less_than_3, same, [0], maximum_iterations=limit)


def test_tensors_of_a_loop_can_be_used_fetched_and_fed_nowhere_else(session: tf.Session) -> None:
    found: list[Any] = []

    def body(x: Any) -> Any:
        found.extend([x, tf.add(x, 1, name="inner")])
        return found[1]

    tf.while_loop(less_than_3, body, [0])
    for tensor in found:
        with pytest.raises(ValueError, match="belongs to a branch or loop and cannot be used outside"):
            tensor + 1
        with pytest.raises(ValueError, match="belongs to a branch or loop and cannot be used outside"):
            tf.group(tensor.op)
        with pytest.raises(ValueError, match="not fetchable, or belongs to a branch or loop"):
            session.run(tensor)
        with pytest.raises(ValueError, match="may not be fed"):
            session.run(tf.constant(1), {tensor: 1})


def test_an_initial_value_made_in_a_loop_is_refused_and_a_function_lifts_the_variable_out(session: tf.Session) -> None:
    with pytest.raises(ValueError, match="inside a control-flow"):
        count_to(3, lambda i, x: x + tf.Variable(tf.zeros([])), 0.0)
    made = []

    def body(i: Any, x: Any) -> Any:
        made.append(tf.Variable(lambda: tf.constant(2.0), name="w"))
        return x + made[0]

    x = count_to(3, body, 0.0)
    session.run(made[0].initializer)
    assert session.run([x, made[0]]) == [6.0, 2.0]


def test_eager_mode_is_the_loop_of_python() -> None:
    v = tf.Variable(0)
    seen = []

    def body(a: Any, b: Any) -> Any:
        seen.append(int(a))
        v.assign_add(1)
        return b, a + b

    a, b = tf.while_loop(lambda a, b: a < 10, body, [0, 1])
    assert seen == [0, 1, 1, 2, 3, 5, 8]
    assert (int(a), int(b), int(v)) == (13, 21, 7)
    assert isinstance(a, tf.Tensor)


def test_eager_loops_keep_what_a_variable_was_count_and_check_structures() -> None:
    v = tf.Variable([1.0])
    start = [v, np.zeros(1, np.float32)]
    old, total = tf.while_loop(
        lambda x, y: True, lambda x, y: (x, y + v.assign_add([1.0])), start, maximum_iterations=2
    )
    assert (old.numpy().tolist(), total.numpy().tolist()) == ([1.0], [5.0])
    assert v.numpy().tolist() == [3.0]
    assert int(tf.while_loop(less_than_3, lambda x: x + 1, [0])) == 3
    assert len(tf.while_loop(less_than_3, lambda x: x + 1, [0], return_same_structure=True)) == 1
    with pytest.raises(ValueError, match="got a list of 2, expected a list of 1"):
        tf.while_loop(less_than_3, lambda x: (x, x), [0])
    with pytest.raises(TypeError, match="the condition has the wrong dtype: got int32, expected bool"):
        tf.while_loop(lambda x: x, lambda x: x, [0])


# Programs of two integers ``x`` and ``y`` and one variable: each is a nested tuple.
LEAVES = st.one_of(st.sampled_from(["x", "y", "read"]), st.integers(-3, 3))


def _programs(inner: Any) -> Any:
    return st.one_of(
        st.tuples(st.sampled_from(["add", "multiply", "assign_add", "assign"]), inner, inner),
        st.tuples(st.just("cond"), inner, inner, inner, inner),
        st.tuples(st.just("loop"), st.integers(0, 3), inner, inner),
    )


def built(program: Any, x: Any, y: Any, v: Any) -> Any:
    """Return the tensor of a program."""
    if program in ("x", "y"):
        return x if program == "x" else y
    if program == "read":
        return tf.identity(v)
    if isinstance(program, int):
        return tf.constant(program)
    kind, *parts = program
    if kind == "cond":
        test = built(parts[0], x, y, v) < built(parts[1], x, y, v)
        return tf.cond(test, lambda: built(parts[2], x, y, v), lambda: built(parts[3], x, y, v))
    if kind == "loop":
        start = built(parts[1], x, y, v)
        return count_to(parts[0], lambda i, total: built(parts[2], total, i, v), start)
    first, second = (built(part, x, y, v) for part in parts)
    if kind in ("add", "multiply"):
        return first + second if kind == "add" else first * second
    with tf.control_dependencies([first]):
        return tf.identity(getattr(v, kind)(second))


def computed(program: Any, x: int, y: int, v: list[int]) -> int:
    """Return the value of a program, and leave that of the variable in ``v``."""
    if program in ("x", "y"):
        return x if program == "x" else y
    if program == "read":
        return v[0]
    if isinstance(program, int):
        return program
    kind, *parts = program
    if kind == "cond":
        test = computed(parts[0], x, y, v) < computed(parts[1], x, y, v)
        return computed(parts[2] if test else parts[3], x, y, v)
    if kind == "loop":
        total = computed(parts[1], x, y, v)
        for i in range(parts[0]):
            total = computed(parts[2], total, i, v)
        return total
    first, second = (computed(part, x, y, v) for part in parts)
    if kind == "assign":
        v[0] = wrapped(second)
    if kind == "assign_add":
        v[0] = wrapped(v[0] + second)
    return wrapped(first + second) if kind == "add" else wrapped(first * second) if kind == "multiply" else v[0]


def wrapped(value: int) -> int:
    """Return ``value`` as int32 holds it."""
    return (value + 2**31) % 2**32 - 2**31


@given(st.recursive(LEAVES, _programs, max_leaves=12), st.integers(-5, 5), st.integers(-5, 5))
def test_random_programs_compute_what_python_computes(program: Any, x: int, y: int) -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        v = variable(session, 1)
        inputs = tf.placeholder(tf.int32, []), tf.placeholder(tf.int32, [])
        result = built(program, *inputs, v)
        state, expected = [1], []
        for values in ((x, y), (y, x), (x, x)):
            expected = [computed(program, *values, state), state[0]]
            assert session.run([result, v], dict(zip(inputs, values, strict=True))) == expected
