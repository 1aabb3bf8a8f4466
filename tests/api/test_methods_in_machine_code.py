"""The updates of ``Variable`` in machine code say and do what those in Python do."""

from __future__ import annotations

import inspect
import signal
import sys

import ml_dtypes
import numpy as np
import pytest

import nbvars as tf
from nbvars.kernels.cpu import methods
from nbvars.kernels.cpu.fast_updates import in_machine_code
from tests.conftest import assert_same_bits, numpy_dtype, run_python

UPDATES = ("assign", "assign_add", "assign_sub")
METHODS = (*UPDATES, "count_up_to")


@pytest.fixture(scope="module", autouse=True)
def _in_machine_code():
    """Have all methods in machine code, whatever ran before."""
    for replace in in_machine_code.values():
        replace()


def in_python(variable, name, /, *args, **kwargs):
    return getattr(tf.Variable, methods.in_python(name))(variable, *args, **kwargs)


def outcome(call, /, *args, **kwargs):
    """Return what a call returned, or the class and the text of its error."""
    try:
        return call(*args, **kwargs)
    except Exception as error:  # any: they are compared
        return type(error), str(error)


class Float(float):
    pass


class Array(np.ndarray):
    pass


BASE = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
CALLS = {
    "array": ((BASE,), {}),
    "array, locked": ((BASE, True), {}),
    "array, not locked": ((BASE, False), {}),
    "array, locked by name": ((BASE,), {"use_locking": True}),
    "array, not locked by name": ((BASE,), {"use_locking": False}),
    "locked by a truth": ((BASE,), {"use_locking": 1}),
    "with a name": ((BASE,), {"name": "x"}),
    "with all arguments": ((BASE, True, "x", False), {}),
    "with all arguments by name": ((), {"read_value": True, "name": "x"}),
    "float": ((1.5,), {}),
    "float, locked": ((1.5, True), {}),
    "int": ((3,), {}),
    "minus one": ((-1,), {}),
    "minus one as a float": ((-1.0,), {}),
    "bool": ((True,), {}),
    "nan": ((float("nan"),), {}),
    "an int beyond int64": ((2**70,), {}),
    "an int beyond float64": ((10**400,), {}),
    "a complex number": ((1j,), {}),
    "a subclass of float": ((Float(2.0),), {}),
    "a NumPy number": ((np.float32(2.0),), {}),
    "a subclass of ndarray": ((BASE.view(Array),), {}),
    "a list": ((BASE.tolist(),), {}),
    "a tensor": ((tf.constant(BASE),), {}),
    "a variable": ((tf.Variable(BASE),), {}),
    "float64": ((BASE.astype(np.float64),), {}),
    "int32": ((BASE.astype(np.int32),), {}),
    "bfloat16": ((BASE.astype(ml_dtypes.bfloat16),), {}),
    "the other byte order": ((BASE.astype(">f4"),), {}),
    "Fortran's order": ((np.asfortranarray(BASE),), {}),
    "every second": ((np.repeat(BASE, 2, axis=2)[..., ::2],), {}),
    "backwards": ((BASE[::-1],), {}),
    "not aligned": ((np.frombuffer(b"\0" + BASE.tobytes(), np.float32, offset=1).reshape(BASE.shape),), {}),
    "read-only": ((np.broadcast_to(BASE, BASE.shape),), {}),
    "another shape": ((BASE[0],), {}),
    "another rank": ((BASE.reshape(2, 12),), {}),
    "one more axis": ((BASE[None],), {}),
    "rank 0": ((np.array(2.0, np.float32),), {}),
    "empty": ((np.zeros((0, 3, 4), np.float32),), {}),
    "None": ((None,), {}),
    "a string": (("x",), {}),
    "nothing": ((), {}),
    "too many": ((1.0, True, None, True, 5), {}),
    "an unknown name": ((1.0,), {"locking": True}),
    "twice": ((1.0, True), {"use_locking": True}),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("name", UPDATES)
def test_an_update_does_what_that_in_python_does(name, call):
    args, kwargs = CALLS[call]
    here, there = tf.Variable(BASE), tf.Variable(BASE)
    for times in range(2):  # the first may be what compiles the kernel
        got, expected = outcome(getattr(here, name), *args, **kwargs), outcome(in_python, there, name, *args, **kwargs)
        assert (got, expected) == (here, there) if expected is there else _same_error(got, expected), times
        assert_same_bits(here.numpy(), there.numpy())


def _same_error(got, expected):
    """Compare two errors; Python names a function where it has been given wrong arguments."""
    return got[0] is expected[0] and got[1].replace("_in_python", "") == expected[1].replace("_in_python", "")


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64", "int8", "uint64", "int32", "bool", "complex64"])
@pytest.mark.parametrize("value", [1, 0.5, -1, 2**40, 2**63, True, np.ones(3), np.ones(3, np.int64)], ids=repr)
def test_every_dtype_takes_what_it_takes_in_python(dtype, value):
    here, there = (tf.Variable(np.zeros(3, numpy_dtype(dtype))) for _ in range(2))
    for name in UPDATES[: 1 if dtype == "bool" else 3]:
        for given in (value, value.astype(here.numpy().dtype) if isinstance(value, np.ndarray) else value):
            for _ in range(2):
                got, expected = outcome(getattr(here, name), given), outcome(in_python, there, name, given)
                assert (got, expected) == (here, there) if expected is there else _same_error(got, expected)
                assert_same_bits(here.numpy(), there.numpy())


@pytest.mark.parametrize("shape", [(), (1,), (0,), (1, 1), (2, 1, 3, 1, 2), (300,), (70_000,), (2_200_000,)], ids=str)
def test_variables_of_every_rank_and_size(shape):
    variable, delta = tf.Variable(np.zeros(shape, np.float32)), np.ones(shape, np.float32)
    for _ in range(2):
        variable.assign_add(delta).assign_add(1.0).assign_sub(delta, use_locking=True)
    assert_same_bits(variable.numpy() + np.zeros(shape, np.float32), np.full(shape, 2, np.float32))


@pytest.mark.parametrize("limit", [3, -1, 2**40, 2**70, 3.0, True, np.int64(3), "3", None], ids=repr)
@pytest.mark.parametrize("start", [0, -2, 3])
def test_a_counter_counts_as_in_python(start, limit):
    here, there = (tf.Variable(start, dtype=tf.int32) for _ in range(2))
    for _ in range(4):
        got, expected = outcome(here.count_up_to, limit), outcome(in_python, there, "count_up_to", limit)
        assert got == expected
        assert type(got) is type(expected)
    assert here.numpy() == there.numpy()


@pytest.mark.parametrize("value", [np.zeros(3, np.int64), np.float32(1), np.int8(1)], ids=repr)
def test_what_is_no_counter_is_told_so(value):
    assert outcome(tf.Variable(value).count_up_to, 5) == outcome(in_python, tf.Variable(value), "count_up_to", 5)


def test_a_counter_takes_its_limit_by_name():
    counter = tf.Variable(0)
    assert [counter.count_up_to(limit=9) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(TypeError, match="limit"):
        counter.count_up_to()


def test_no_reference_is_lost_or_kept():
    variable, array, number, name = tf.Variable(BASE), BASE.copy(), float("1.25"), "".join(["use_", "locking"])
    objects = (variable, array, number, name, None, True, tf.Variable)
    calls = [((array,), {}), ((number,), {}), ((array,), {name: True}), ((array[0],), {}), ((), {}), ((number, 1), {})]

    def call_all():
        for args, kwargs in calls:
            outcome(variable.assign_add, *args, **kwargs)

    call_all()
    before = [sys.getrefcount(each) for each in objects]
    for _ in range(200):
        call_all()
    after = [sys.getrefcount(each) for each in objects]
    # What the interpreter does meanwhile takes or gives back some references to None.
    assert max(abs(a - b) for a, b in zip(after, before, strict=True)) < 100


def test_a_subclass_overrides_and_calls_what_it_overrides():
    class Clipped(tf.Variable):
        def assign_add(self, delta, *args, **kwargs):
            return super().assign_add(min(delta, 1.0), *args, **kwargs)

    assert Clipped(1.0).assign_add(5.0).assign_add(0.5).numpy() == 2.5


@pytest.mark.parametrize("name", METHODS)
def test_the_method_of_the_class_wants_a_variable(name):
    assert getattr(tf.Variable, name)(tf.Variable(2), 3) is not None
    with pytest.raises(TypeError, match="'Variable'"):
        getattr(tf.Variable, name)(2.0, 3)
    with pytest.raises(TypeError):
        getattr(tf.Variable, name)()


@pytest.mark.parametrize("name", METHODS)
def test_a_variable_that_was_never_set_up_is_an_error_as_in_python(name):
    empty = object.__new__(tf.Variable)
    assert outcome(getattr(empty, name), 1) == outcome(in_python, empty, name, 1)
    assert outcome(getattr(empty, name), 1)[0] is AttributeError


@pytest.mark.parametrize("name", METHODS)
def test_it_has_the_signature_and_the_documentation(name):
    method, original = getattr(tf.Variable, name), getattr(tf.Variable, methods.in_python(name))
    assert inspect.isroutine(method)
    assert not inspect.isfunction(method)
    assert list(inspect.signature(method).parameters) == list(inspect.signature(original).parameters)
    assert method.__doc__ == inspect.getdoc(original)
    assert method.__name__ == name


IN_A_NEW_PROCESS = """
import threading
import numpy as np
import nbvars as tf

table, start = tf.Variable(np.zeros(8)), threading.Barrier(4)
kinds = [type(tf.Variable.assign_add).__name__]

def work():
    start.wait()
    for _ in range(1000):
        table.assign_add(np.ones(8), use_locking=True)

threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
kinds += [type(tf.Variable.assign_add).__name__, type(tf.Variable.assign_sub).__name__]
print(table.numpy().tolist() == [4000.0] * 8, *kinds)
"""


def test_a_method_is_replaced_once_it_is_used_by_threads_too():
    assert run_python(IN_A_NEW_PROCESS) == "True function method_descriptor function"


def test_the_first_update_of_a_process_compiles_no_method():
    code = """
import nbvars as tf
variable = tf.Variable(0.0)
for _ in range(2):
    print(variable.assign_add(1.0).numpy(), type(tf.Variable.assign_add).__name__)
"""
    assert run_python(code) == "1.0 function\n2.0 method_descriptor"


IN_A_HANDLER = """
import signal
import numpy as np
import nbvars as tf

table, ones, calls = tf.Variable(np.zeros(8)), np.ones(8), 0
table.assign_sub(ones).assign_add(ones)
in_handler = tf.Variable(np.zeros(8))

def on_signal(signum, frame):
    global calls
    calls += 1
    in_handler.assign_sub(ones)

signal.signal(signal.SIGALRM, on_signal)
signal.setitimer(signal.ITIMER_REAL, 5e-3, 5e-3)
table.assign_add(ones)  # compiles the method meanwhile
signal.setitimer(signal.ITIMER_REAL, 0)
print(type(tf.Variable.assign_add).__name__, calls > 3)
in_handler.assign_sub(ones)
print(table.numpy()[0], in_handler.numpy()[0] == -calls - 1)
"""


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs signal.setitimer")
def test_a_signal_handler_updates_while_its_thread_compiles_a_method(tmp_path):
    expected = "method_descriptor True\n1.0 True"
    assert run_python(IN_A_HANDLER, NUMBA_CACHE_DIR=str(tmp_path)) == expected


def test_a_method_that_somebody_else_has_put_there_stays():
    code = """
import nbvars as tf
calls, original = [], tf.Variable.assign_add
tf.Variable.assign_add = lambda self, delta: calls.append(delta) or original(self, delta)
variable = tf.Variable(0.0)
for _ in range(5):
    variable.assign_add(1.0)
print(calls == [1.0] * 5, variable.numpy(), type(tf.Variable.assign_add).__name__)
"""
    assert run_python(code) == "True 5.0 function"


def test_a_class_whose_objects_are_not_clear_gets_no_methods():
    class WithoutSlots:
        pass

    class WithSlots:
        __slots__ = ("address", "other")

    assert methods._place_of(WithoutSlots, "address") is None
    assert {methods._place_of(WithSlots, slot) for slot in ("address", "other")} == {16, 24}
