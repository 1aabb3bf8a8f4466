"""``cond``: one branch runs, the other leaves no trace; structures, shapes and errors as in TensorFlow 1."""

from __future__ import annotations

import threading
from collections import namedtuple
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

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


def pred() -> Any:
    return tf.placeholder(tf.bool, [], name="pred")


def choose(session: tf.Session, true_fn: Callable[[], Any], false_fn: Callable[[], Any], **options: Any) -> list[Any]:
    """Return what a run of the conditional gives with a true predicate, and with a false one."""
    which = pred()
    result = tf.cond(which, true_fn, false_fn, **options)
    return [session.run(result, {which: value}) for value in (True, False)]


def test_each_predicate_runs_its_branch(session: tf.Session) -> None:
    x = tf.constant(3.0)
    assert choose(session, lambda: x * 2, lambda: x - 1) == [6.0, 2.0]


def test_an_update_happens_only_in_the_branch_that_is_taken(session: tf.Session) -> None:
    v = variable(session, 10)
    which = pred()
    result = tf.cond(which, lambda: v.assign_add(1), lambda: v.assign_sub(5))
    got = [session.run([result, v], {which: value}) for value in (True, True, False)]
    assert got == [[11, 11], [12, 12], [7, 7]]


def test_a_variable_without_value_may_stand_in_the_branch_not_taken(session: tf.Session) -> None:
    v = tf.Variable(5, name="v")
    result = tf.cond(tf.is_variable_initialized(v), v.read_value, lambda: tf.constant(-1))
    assert session.run(result) == -1
    session.run(v.initializer)
    assert session.run(result) == 5


@pytest.mark.parametrize("read", ["variable", "value", "ref", "read_value"])
def test_a_variable_returned_from_a_branch_is_its_value_at_that_time(session: tf.Session, read: str) -> None:
    v = variable(session, [1, 2])
    which = pred()
    source = (lambda: v) if read == "variable" else getattr(v, read)
    result = tf.cond(which, source, source)
    with tf.control_dependencies([result]):
        later = v.assign_add([10, 10])
    got, _, after = session.run([result, later.op, v], {which: True})
    assert got.tolist() == [1, 2]
    assert after.tolist() == [11, 12]


def test_a_read_in_a_branch_sees_the_updates_before_it(session: tf.Session) -> None:
    v = variable(session, 1)

    def branch() -> Any:
        first = tf.identity(v)
        with tf.control_dependencies([v.assign_add(10)]):
            second = tf.identity(v)
        return [first, second, v]

    before = v.assign(7)
    with tf.control_dependencies([before]):
        result = tf.cond(tf.constant(True), branch, lambda: [0, 0, 0])
    assert session.run(result) == [7, 17, 17]


def test_what_comes_from_outside_runs_whichever_branch_is_taken(session: tf.Session) -> None:
    v = variable(session, 0)
    outside = v.assign_add(1)
    assert choose(session, lambda: tf.identity(outside), lambda: tf.constant(-1)) == [1, -1]
    assert session.run(v) == 2


def test_control_dependencies_inside_a_branch_run_with_it_and_those_from_outside_before(session: tf.Session) -> None:
    v, w = variable(session, 0, "v"), variable(session, 0, "w")
    outside = w.assign_add(1)

    def branch() -> Any:
        with tf.control_dependencies([v.assign_add(1), outside]):
            return tf.constant(1)

    assert choose(session, branch, lambda: tf.constant(0)) == [1, 0]
    assert session.run([v, w]) == [1, 2]


def test_control_dependencies_around_a_conditional_run_before_its_branches(session: tf.Session) -> None:
    v = variable(session, 1)
    with tf.control_dependencies([v.assign(5)]):
        result = tf.cond(tf.constant(True), lambda: v * 2, lambda: v * 3)
    assert session.run(result) == 10


def test_a_placeholder_is_fed_to_a_branch(session: tf.Session) -> None:
    x, which = tf.placeholder(tf.float32, [None]), pred()
    result = tf.cond(which, lambda: tf.reduce_sum(x), lambda: tf.reduce_max(x))
    feed = {x: [1.0, 5.0, 2.0]}
    assert [session.run(result, {**feed, which: value}) for value in (True, False)] == [8.0, 5.0]


@pytest.mark.parametrize("outer", [True, False])
@pytest.mark.parametrize("inner", [True, False])
def test_conditionals_nest_and_see_all_around_them(session: tf.Session, outer: bool, inner: bool) -> None:
    p, q, x = pred(), pred(), tf.placeholder(tf.int32, [])

    def branch(sign: int) -> Any:
        own = x * sign
        return tf.cond(q, lambda: own + x, lambda: tf.cond(p, lambda: own * 100, lambda: own * 1000))

    result = tf.cond(p, lambda: branch(1), lambda: branch(-1))
    own = 7 if outer else -7
    expected = own + 7 if inner else own * 100 if outer else own * 1000
    assert session.run(result, {p: outer, q: inner, x: 7}) == expected


def test_what_only_the_innermost_branch_needs_from_outside_is_there(session: tf.Session) -> None:
    v, x, p = variable(session, 5), tf.constant(3) * 2, pred()

    def middle() -> Any:
        own = tf.constant(100) + 1
        return tf.cond(p, lambda: own + x + v, lambda: own)

    result = tf.cond(p, middle, lambda: 0)
    assert session.run(result, {p: True}) == 101 + 6 + 5


def test_conditionals_nest_fifty_deep(session: tf.Session) -> None:
    which = pred()

    def level(depth: int) -> Any:
        if depth == 50:
            return tf.constant(0)
        return tf.cond(which, lambda: level(depth + 1) + 1, lambda: tf.constant(-depth))

    result = level(0)
    assert [session.run(result, {which: value}) for value in (True, False)] == [50, 0]


@pytest.mark.parametrize(
    ("then", "other", "expected"),
    [
        ([1, 2.5], [3, 4.5], [[1, 2.5], [3, 4.5]]),
        ((1, (2, 3)), (4, (5, 6)), [(1, (2, 3)), (4, (5, 6))]),
        (Point(1, 2), Point(3, 4), [Point(1, 2), Point(3, 4)]),
        ({"a": 1, "b": 2.5}, {"b": 4.5, "a": 3}, [{"a": 1, "b": 2.5}, {"a": 3, "b": 4.5}]),
        ({"a": [1]}, {"a": [2]}, [{"a": [1]}, {"a": [2]}]),
        ([1], [2], [1, 2]),
        ([1], 2, [1, 2]),
        ((1,), [2], [1, 2]),
        (np.int64(3), np.int64(4), [3, 4]),
        ("yes", b"no", [b"yes", b"no"]),
    ],
)
def test_a_structure_comes_back_with_the_values_of_the_branch(
    session: tf.Session, then: Any, other: Any, expected: list[Any]
) -> None:
    got = choose(session, lambda: then, lambda: other)
    assert got == expected
    if isinstance(expected[0], (list, tuple, dict)):
        assert {type(each) for each in got} == {type(expected[0])}


def test_strict_keeps_a_list_of_one(session: tf.Session) -> None:
    assert choose(session, lambda: [1], lambda: [2], strict=True) == [[1], [2]]


def test_indexed_slices_come_back_as_such(session: tf.Session) -> None:
    x = tf.placeholder_with_default(np.ones((2, 3), np.float32), [None, 3])
    which = pred()
    result = tf.cond(
        which,
        lambda: tf.IndexedSlices(x * 2, tf.constant([0, 4]), [5, 3]),
        lambda: tf.IndexedSlices(np.zeros((1, 3), np.float32), np.array([2], np.int32), [5, 3]),
    )
    assert isinstance(result, tf.IndexedSlices)
    assert result.values.shape.as_list() == [None, 3]
    first, second = (session.run(result, {which: value}) for value in (True, False))
    assert first.values.tolist() == [[2, 2, 2], [2, 2, 2]]
    assert (first.indices.tolist(), second.indices.tolist()) == ([0, 4], [2])
    assert first.dense_shape.tolist() == [5, 3]
    assert second.values.shape == (1, 3)


def test_an_operation_becomes_a_tensor_that_tells_which_branch_ran(session: tf.Session) -> None:
    v = variable(session, 0)
    result = choose(session, lambda: tf.group(v.assign_add(1)), tf.no_op)
    assert result == [True, False]
    assert session.run(v) == 1


def test_an_operation_from_outside_may_be_returned(session: tf.Session) -> None:
    v = variable(session, 0)
    add = v.assign_add(1).op
    assert choose(session, lambda: add, tf.no_op) == [True, False]
    assert session.run(v) == 2


@pytest.mark.parametrize(
    ("then", "other", "common"),
    [
        ([2, 3], [2, 3], [2, 3]),
        ([2, 3], [2, 4], [2, None]),
        ([2, 3], [5, 4], [None, None]),
        ([], [], []),
    ],
)
def test_the_static_shape_is_what_both_branches_have_in_common(
    session: tf.Session, then: list[int], other: list[int], common: list[int | None]
) -> None:
    which = pred()
    result = tf.cond(which, lambda: tf.zeros(then), lambda: tf.ones(other))
    assert result.shape.as_list() == common
    assert session.run(result, {which: True}).shape == tuple(then)
    assert session.run(result, {which: False}).shape == tuple(other)


def test_branches_of_different_ranks_leave_the_rank_unknown(session: tf.Session) -> None:
    which = pred()
    result = tf.cond(which, lambda: tf.zeros([2]), lambda: tf.zeros([2, 1]))
    assert result.shape.ndims is None
    doubled = result * 2
    assert session.run(doubled, {which: False}).shape == (2, 1)


def test_the_operation_is_called_by_the_name_and_its_branches_lie_in_its_scope(session: tf.Session) -> None:
    first = tf.cond(tf.constant(True), lambda: tf.constant(1, name="one"), lambda: tf.constant(2, name="two"))
    second = tf.cond(tf.constant(True), tf.no_op, tf.no_op, name="pick")
    graph = tf.get_default_graph()
    assert (first.name, second.name) == ("cond:0", "pick:0")
    assert first.op.type == "If"
    assert {"cond/one", "cond/two", "pick/NoOp"} <= {op.name for op in graph.get_operations()}


def test_the_former_names_of_the_functions_are_taken(session: tf.Session) -> None:
    assert session.run(tf.cond(tf.constant(False), fn1=lambda: 1, fn2=lambda: 2)) == 2


def test_a_bool_variable_is_a_predicate_that_is_read_when_the_conditional_runs(session: tf.Session) -> None:
    v = variable(session, False)
    with tf.control_dependencies([v.assign(tf.logical_not(v))]):
        result = tf.cond(v, lambda: 1, lambda: 0)
    assert [session.run(result) for _ in range(3)] == [1, 0, 1]


def test_what_a_run_returns_is_a_copy_of_what_a_branch_took_from_outside(session: tf.Session) -> None:
    fed, x = np.zeros(3, np.float32), tf.placeholder(tf.float32, [3])
    constant, computed = tf.constant([1.0, 1.0, 1.0]), x + 1
    which = pred()
    for source, value in ((x, 0.0), (constant, 1.0), (computed, 1.0)):
        result = tf.cond(which, lambda source=source: source, lambda: tf.zeros([3]))
        for _ in range(2):
            outside, got = session.run([source, result], {x: fed, which: True})
            assert got.tolist() == [value] * 3
            got += 5
            assert outside.tolist() == [value] * 3
    assert fed.tolist() == [0, 0, 0]


def test_the_result_and_the_predicate_can_be_fed(session: tf.Session) -> None:
    v = variable(session, 0)
    test = tf.constant(True)
    result = tf.cond(test, lambda: tf.identity(v.assign_add(1)), lambda: tf.constant(-1))
    assert session.run(result + 1, {test: False}) == 0
    assert session.run(result + 1, {result: 41}) == 42
    assert session.run(v) == 0


def test_a_random_operation_in_a_branch_draws_anew_in_each_run(session: tf.Session) -> None:
    result = tf.cond(tf.constant(True), lambda: tf.random_uniform([4], seed=1), lambda: tf.zeros([4]))
    first, second = session.run(result), session.run(result)
    assert not np.array_equal(first, second)


def test_eight_threads_share_a_plan_with_their_own_feeds(session: tf.Session) -> None:
    v = variable(session, 0)
    x, which = tf.placeholder(tf.int32, []), pred()
    result = tf.cond(which, lambda: [x * 2, v.assign_add(1, use_locking=True)], lambda: [x + 1, 0])
    wrong: list[int] = []

    def work(start: int) -> None:
        for i in range(start, start + 100):
            doubled = session.run(result[0], {x: i, which: i % 2 == 0})
            if doubled != (i * 2 if i % 2 == 0 else i + 1):
                wrong.append(i)

    threads = [threading.Thread(target=work, args=(1000 * k,)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert session.run(v) == 400


def test_a_failure_in_a_branch_carries_its_operation_and_the_other_branch_does_not_fail(session: tf.Session) -> None:
    index, which = tf.placeholder(tf.int32, []), pred()
    result = tf.cond(which, lambda: tf.gather([1, 2], index, name="look_up"), lambda: tf.constant(0))
    feed = {index: 7}
    assert session.run(result, {**feed, which: False}) == 0
    with pytest.raises(tf.errors.InvalidArgumentError, match="7") as raised:
        session.run(result, {**feed, which: True})
    assert raised.value.op.name == "cond/look_up"


def test_an_update_before_a_failure_in_a_branch_stays(session: tf.Session) -> None:
    v = variable(session, [1, 2])

    def branch() -> Any:
        with tf.control_dependencies([v.assign([5, 6])]):
            return tf.scatter_add(v, [9], [1])

    result = tf.cond(tf.constant(True), branch, lambda: v)
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"indices\[0\] = 9 is not in \[0, 2\)"):
        session.run(result)
    assert session.run(v).tolist() == [5, 6]


@pytest.mark.parametrize(
    ("arguments", "error", "sentence"),
    [
        ((True, lambda: 1, lambda: 2), TypeError, "pred must not be a Python bool: got True"),
        ((1, lambda: 1, lambda: 2), TypeError, "pred has the wrong dtype: got int32, expected bool"),
        (([True], lambda: 1, lambda: 2), ValueError, r"pred must be a scalar: got shape \(1,\), expected shape \(\)"),
        ((np.True_, None, lambda: 2), TypeError, "true_fn argument required: got None"),
        ((np.True_, lambda: 1), TypeError, "false_fn argument required: got None"),
        ((np.True_, 1, lambda: 2), TypeError, "true_fn must be callable: got 1"),
        ((np.True_, lambda: 1, 2), TypeError, "false_fn must be callable: got 2"),
        ((np.True_, lambda: None, lambda: 2), ValueError, "true_fn must have a return value: got None"),
        ((np.True_, lambda: 1, lambda: None), ValueError, "false_fn must have a return value: got None"),
        ((np.True_, lambda: [1, None], lambda: [1, None]), ValueError, "None values not supported: got None"),
        ((np.True_, list, list), ValueError, r"must return at least one result: got \[\]"),
        ((np.True_, lambda: [1, 2], lambda: 1), ValueError, "got a single value, expected a list of 2"),
        ((np.True_, lambda: [1, 2], lambda: [1, 2, 3]), ValueError, "got a list of 3, expected a list of 2"),
        ((np.True_, lambda: [1, (2, 3)], lambda: [1, 2]), ValueError, "got a single value, expected a tuple of 2"),
        ((np.True_, lambda: [1, 2], lambda: (1, 2)), TypeError, "got a tuple of 2, expected a list of 2"),
        ((np.True_, lambda: {"a": 1}, lambda: {"b": 1}), ValueError, r"keys \['b'\], expected .* keys \['a'\]"),
        ((np.True_, lambda: 1, lambda: 1.5), ValueError, "must have the same type: got float32 .*, expected int32"),
        ((np.True_, tf.no_op, lambda: 1), ValueError, "must have the same type: got int32 .*, expected bool"),
        ((np.True_, object, object), TypeError, "unsupported type"),
    ],
)
def test_a_misuse_is_an_error_when_the_graph_is_built(
    session: tf.Session, arguments: tuple[Any, ...], error: type[Exception], sentence: str
) -> None:
    with pytest.raises(error, match=sentence):
        tf.cond(*arguments)


def test_a_function_cannot_be_given_twice(session: tf.Session) -> None:
    with pytest.raises(TypeError, match="true_fn and fn1 may not be set simultaneously"):
        tf.cond(tf.constant(True), lambda: 1, lambda: 2, fn1=lambda: 1)


def test_slices_of_different_wholes_are_different_structures(session: tf.Session) -> None:
    def slices(num_rows: int) -> Any:
        return tf.IndexedSlices(tf.zeros([1, 2]), tf.constant([0]), [num_rows, 2])

    with pytest.raises(ValueError, match=r"got IndexedSlices of dense_shape \(4, 2\), expected .* \(3, 2\)"):
        tf.cond(tf.constant(True), lambda: slices(3), lambda: slices(4))


def test_a_predicate_of_unknown_shape_must_be_a_scalar_in_the_run(session: tf.Session) -> None:
    which = tf.placeholder(tf.bool)
    result = tf.cond(which, lambda: 1, lambda: 2)
    assert session.run(result, {which: True}) == 1
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"pred must be a scalar: got shape \(1,\)") as raised:
        session.run(result, {which: [True]})
    assert raised.value.op is result.op


def leaked(session: tf.Session) -> Any:
    """Return a tensor of a branch."""
    found = []

    def branch() -> Any:
        found.append(tf.constant([1.0, 2.0], name="inner"))
        return found[0]

    tf.cond(tf.constant(True), branch, lambda: tf.zeros([2]))
    return found[0]


@pytest.mark.parametrize(
    "use",
    [
        lambda tensor: tensor + 1,
        tf.group,
        lambda tensor: tf.cond(tf.constant(True), lambda: tensor, lambda: tf.zeros([2])),
        lambda tensor: tf.cond(tf.constant(True), lambda: tensor.op, tf.no_op),
        lambda tensor: tf.cond(tf.constant(True), lambda: tensor * 2, lambda: tf.zeros([2])),
        lambda tensor: tf.Graph.control_dependencies(tensor.graph, [tensor.op]).__enter__(),
    ],
)
def test_a_tensor_of_a_branch_cannot_be_used_outside(session: tf.Session, use: Callable[[Any], Any]) -> None:
    tensor = leaked(session)
    with pytest.raises(ValueError, match=r"cond/inner.* belongs to a branch or loop and cannot be used outside"):
        use(tensor)


def test_a_tensor_of_a_branch_can_be_neither_fetched_nor_fed(session: tf.Session) -> None:
    tensor = leaked(session)
    with pytest.raises(ValueError, match="not fetchable, or belongs to a branch or loop"):
        session.run(tensor)
    with pytest.raises(ValueError, match="Tensor cond/inner:0 may not be fed"):
        session.run(tf.constant(1), {tensor: [1.0, 2.0]})


def test_a_tensor_of_another_graph_cannot_be_returned(session: tf.Session) -> None:
    with tf.Graph().as_default():
        foreign = tf.constant(1)
    with pytest.raises(ValueError, match="must be from the same graph"):
        tf.cond(tf.constant(True), lambda: foreign, lambda: 2)


def test_an_initial_value_made_in_a_branch_is_refused_and_a_function_lifts_the_variable_out(
    session: tf.Session,
) -> None:
    def tensor_branch() -> Any:
        return tf.Variable(tf.zeros([2])) + 1

    with pytest.raises(ValueError, match="inside a control-flow"):
        tf.cond(tf.constant(True), tensor_branch, lambda: tf.zeros([2]))
    made = []

    def function_branch() -> Any:
        made.append(tf.Variable(lambda: tf.ones([2]), name="w"))
        return made[0] + 1

    result = tf.cond(tf.constant(True), function_branch, lambda: tf.zeros([2]))
    session.run(made[0].initializer)
    assert session.run(result).tolist() == [2.0, 2.0]
    assert session.run(made[0] * 3).tolist() == [3.0, 3.0]


def test_after_an_error_in_a_branch_operations_are_made_outside_again(session: tf.Session) -> None:
    def branch() -> Any:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        tf.cond(tf.constant(True), branch, lambda: 1)
    assert session.run(tf.constant(2) + 1) == 3


def test_a_tensor_of_a_graph_makes_a_conditional_of_it_even_in_eager_mode() -> None:
    with tf.Graph().as_default() as graph:
        which = tf.placeholder(tf.bool, [])
    result = tf.cond(which, lambda: tf.constant(1), lambda: tf.constant(2))
    with tf.Session(graph=graph) as session:
        assert session.run(result, {which: False}) == 2


@pytest.mark.parametrize("which", [True, False, np.True_, np.False_])
def test_eager_mode_calls_one_function(which: Any) -> None:
    called = []
    result = tf.cond(which, lambda: called.append("then") or [1], lambda: called.append("else") or [2])
    assert called == ["then" if which else "else"]
    assert result == (1 if which else 2)
    assert tf.cond(tf.constant(which), lambda: [1], lambda: [2], strict=True) == [1 if which else 2]


@pytest.mark.parametrize(
    ("which", "error", "sentence"),
    [
        (1, TypeError, "pred has the wrong dtype: got int32, expected bool"),
        ([True], ValueError, r"pred must be a scalar: got shape \(1,\)"),
    ],
)
def test_eager_mode_checks_the_predicate_too(which: Any, error: type[Exception], sentence: str) -> None:
    with pytest.raises(error, match=sentence):
        tf.cond(which, lambda: 1, lambda: 2)


def test_an_eager_update_happens_only_in_the_branch_that_is_taken() -> None:
    v = tf.Variable(1)
    tf.cond(v > 0, lambda: v.assign_add(1), lambda: v.assign(100))
    assert v.numpy() == 2
