"""The order of a run is that in which the operations were made, whatever is asked for and however often."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import nbvars as tf


@pytest.fixture
def graph():
    with tf.Graph().as_default() as graph:
        yield graph


def started(*variables):
    session = tf.Session(graph=variables[0].graph)
    session.run([variable.initializer for variable in variables])
    return session


@pytest.mark.parametrize("attempt", range(3))
def test_a_fetched_variable_is_read_when_all_updates_are_done(graph, attempt):
    a = tf.Variable(7)
    session = started(a)
    assert session.run([a, a + 0, a.assign_add(1)]) == [8, 7, 8]


def test_reads_between_updates_see_what_is_before_them(graph):
    a = tf.Variable(7)
    before = a + 0
    first = a.assign_add(1)
    between = a + 0
    second = a.assign_add(10)
    after = a + 0
    session = started(a)
    assert session.run([after, second, between, first, before, a]) == [18, 18, 8, 18, 7, 18]
    assert session.run([between, second]) == [18, 28]


def test_only_what_is_needed_runs(graph):
    a = tf.Variable(7)
    first, second = a.assign_add(1), a.assign_add(10)
    session = started(a)
    assert session.run(second) == 17
    assert session.run([]) == []
    assert session.run(a + 0) == 17
    assert session.run(first.op) is None
    assert session.run(a) == 18


def test_an_operation_that_is_needed_twice_runs_once(graph):
    a = tf.Variable(0)
    step = a.assign_add(1)
    with tf.control_dependencies([step]):
        x, y = a + 10, a + 20
    session = started(a)
    assert session.run([step, step.op, x, y, x, tf.group(step, x)]) == [1, None, 11, 21, 11, None]


def test_control_dependencies_run_first_though_nothing_is_taken_from_them(graph):
    a, b = tf.Variable(1), tf.Variable(100)
    with tf.control_dependencies([a.assign_add(1), b.assign(a)]):
        copied = tf.identity(b)
    assert started(a, b).run([copied, a]) == [2, 2]


def test_value_is_live_and_read_value_is_a_copy(graph):
    a = tf.Variable(7)
    live, copied, update = a.value(), a.read_value(), a.assign_add(1)
    assert started(a).run([live, copied, update]) == [8, 7, 8]


def test_a_reference_that_an_update_returned_shows_later_updates(graph):
    a = tf.Variable(1)
    doubled = a.assign(a * 2)
    read = doubled + 0
    tripled = a.assign(a * 3)
    assert started(a).run([doubled, read, tripled]) == [6, 2, 6]


def test_updates_can_follow_upon_the_reference_of_an_update(graph):
    a = tf.Variable(1)
    chained = tf.assign_sub(tf.assign_add(tf.assign(a, 10), 5), 1)
    session = started(a)
    assert session.run(chained) == 14
    assert session.run(chained) == 14


def test_an_update_by_the_variable_itself_takes_its_value_before(graph):
    a = tf.Variable([1, 2, 3])
    doubled = a.assign_add(a)
    reversed_ = a.assign(a.value()[::-1])
    session = started(a)
    np.testing.assert_array_equal(session.run([doubled, reversed_])[1], [6, 4, 2])


def test_a_swap_needs_copies(graph):
    a, b = tf.Variable(1), tf.Variable(2)
    old_a, old_b = a.read_value(), b.read_value()
    swap = tf.group(a.assign(old_b), b.assign(old_a))
    session = started(a, b)
    session.run(swap)
    assert session.run([a, b]) == [2, 1]


def test_initializers_run_in_the_order_of_the_variables(graph):
    a = tf.Variable(3)
    b = tf.Variable(a.initialized_value() + 1)
    session = tf.Session()
    session.run([b.initializer, a.initializer])
    assert session.run([a, b]) == [3, 4]


def test_a_cached_value_is_taken_once_a_run(graph):
    a = tf.Variable(7, caching_device="/cpu:0")
    before, update, after = a + 0, a.assign_add(1), a + 0
    assert started(a).run([before, update, after, a]) == [7, 8, 7, 8]


def test_operations_made_after_a_run_join_the_next_ones(graph):
    a = tf.Variable(0)
    session = started(a)
    fetches = []
    for step in range(3):
        fetches.append(a.assign_add(10**step))
        session.run(fetches)
    assert session.run(a) == 1 + 11 + 111


class Instruction(NamedTuple):
    """An operation of a random program; ``x`` and ``y`` name earlier nodes, ``number`` is a constant."""

    kind: str
    x: int
    y: int
    number: int


KINDS = ["plus", "copy", "read_value", "assign", "assign_add", "assign_sub", "after"]
UPDATES = ("assign", "assign_add", "assign_sub")
INSTRUCTIONS = st.lists(
    st.builds(Instruction, st.sampled_from(KINDS), st.integers(0, 99), st.integers(0, 99), st.integers(-9, 9)),
    min_size=1,
    max_size=14,
)


class Node(NamedTuple):
    """What the simulation knows of a node: a reference has a ``variable``; ``needs`` are the nodes before it."""

    instruction: Instruction | None
    variable: int | None
    needs: tuple[int, ...]


def resolved(program):
    """Return the nodes of ``program``, with indices in the place of whatever number stood for them.

    The first four are two variables and their live values.
    """
    nodes = [Node(None, 0, ()), Node(None, 1, ()), Node(None, 0, ()), Node(None, 1, ())]
    for each in program:
        updated = [
            k for k, node in enumerate(nodes) if k < 2 or (node.instruction and node.instruction.kind in UPDATES)
        ]
        x, y = each.x % len(nodes), each.y % len(nodes)
        if each.kind in UPDATES:
            x = updated[each.x % len(updated)]
        elif each.kind == "read_value":
            x = each.x % 2
        variable = nodes[x].variable if each.kind in UPDATES else None
        needs = (x, y) if each.kind in (*UPDATES, "after") else (x,)
        nodes.append(Node(each._replace(x=x, y=y), variable, needs))
    return nodes


def build(nodes, initial):
    """Return the tensors of ``nodes`` in the default graph, and the two variables."""
    a, b = (tf.Variable(value) for value in initial)
    tensors = [a, b, a.value(), b.value()]
    for node in nodes[4:]:
        kind, x, y, number = node.instruction
        if kind == "plus":
            tensor = tensors[x] + number
        elif kind == "copy":
            tensor = tf.identity(tensors[x])
        elif kind == "read_value":
            tensor = tensors[x].read_value()
        elif kind == "after":
            with tf.control_dependencies([tensors[y]]):
                tensor = tf.identity(tensors[x])
        else:
            tensor = getattr(tf, kind)(tensors[x], tensors[y])
        tensors.append(tensor)
    return tensors, (a, b)


def wrapped(number):
    """Return ``number`` as int32 holds it."""
    return (number + 2**31) % 2**32 - 2**31


def simulate(nodes, state, fetches):
    """Run the nodes that ``fetches`` need, in order, on ``state``; return the values of ``fetches``."""
    needed, todo = set(), list(fetches)
    while todo:
        node = todo.pop()
        needed.add(node)
        todo += nodes[node].needs
    values = {}

    def value(k):
        return values[k] if nodes[k].variable is None else state[nodes[k].variable]

    for k in sorted(needed):
        if nodes[k].instruction is None:
            continue
        kind, x, y, number = nodes[k].instruction
        if kind == "assign":
            state[nodes[k].variable] = value(y)
        elif kind == "assign_add":
            state[nodes[k].variable] = wrapped(state[nodes[k].variable] + value(y))
        elif kind == "assign_sub":
            state[nodes[k].variable] = wrapped(state[nodes[k].variable] - value(y))
        else:
            values[k] = wrapped(value(x) + (number if kind == "plus" else 0))
    return [value(k) for k in fetches]


@given(INSTRUCTIONS, st.lists(st.lists(st.integers(0, 99), min_size=1, max_size=5), min_size=1, max_size=4))
def test_random_programs_run_as_a_plain_simulation_of_them(program, runs):
    nodes, initial = resolved(program), [5, -3]
    with tf.Graph().as_default():
        tensors, variables = build(nodes, initial)
        session = started(*variables)
        state = list(initial)
        for run in [*runs, *runs]:
            fetches = [k % len(nodes) for k in run]
            assert session.run([tensors[k] for k in fetches]) == simulate(nodes, state, fetches)
        assert session.run(list(variables)) == state
