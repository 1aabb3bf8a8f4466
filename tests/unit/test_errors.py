from __future__ import annotations

import copy
import pickle
import threading

import pytest

from nbvars import errors

CLASSES = [
    ("CancelledError", 1, RuntimeError),
    ("UnknownError", 2, RuntimeError),
    ("InvalidArgumentError", 3, ValueError),
    ("DeadlineExceededError", 4, TimeoutError),
    ("NotFoundError", 5, LookupError),
    ("AlreadyExistsError", 6, ValueError),
    ("PermissionDeniedError", 7, PermissionError),
    ("ResourceExhaustedError", 8, MemoryError),
    ("FailedPreconditionError", 9, RuntimeError),
    ("AbortedError", 10, RuntimeError),
    ("OutOfRangeError", 11, IndexError),
    ("UnimplementedError", 12, NotImplementedError),
    ("InternalError", 13, RuntimeError),
    ("UnavailableError", 14, ConnectionError),
    ("DataLossError", 15, RuntimeError),
    ("UnauthenticatedError", 16, PermissionError),
]


@pytest.mark.parametrize(("name", "code", "built_in"), CLASSES)
def test_each_error_has_its_code_and_is_a_built_in(name, code, built_in):
    error = getattr(errors, name)("node", "op", "it broke")
    assert isinstance(error, errors.OpError)
    assert isinstance(error, built_in)
    assert (error.node_def, error.op, error.message) == ("node", "op", "it broke")
    assert error.error_code == code
    assert str(error) == "it broke"


@pytest.mark.parametrize(("name", "code", "built_in"), CLASSES)
def test_each_error_can_be_caught_as_its_built_in(name, code, built_in):
    with pytest.raises(built_in, match="it broke"):
        raise getattr(errors, name)(None, None, "it broke")


def test_every_subclass_is_in_the_table_above():
    assert {cls.__name__ for cls in errors.OpError.__subclasses__()} == {name for name, _, _ in CLASSES}


def test_codes_are_those_of_tensorflow():
    names = [name for name in vars(errors) if name.isupper()]
    assert [getattr(errors, name) for name in names] == list(range(17))
    assert (errors.OK, errors.OUT_OF_RANGE, errors.UNAUTHENTICATED) == (0, 11, 16)


def test_a_plain_op_error_is_unknown_unless_a_code_is_given():
    assert errors.OpError(None, None, "x").error_code == errors.UNKNOWN
    assert errors.OpError(None, None, "x", errors.ABORTED).error_code == errors.ABORTED


@pytest.mark.parametrize("name", [name for name, _, _ in CLASSES])
def test_a_pickled_error_keeps_everything_but_its_op(name):
    unpicklable_op = threading.Lock()
    error = getattr(errors, name)("node", unpicklable_op, "it broke")
    for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(twin) is type(error)
        assert (twin.node_def, twin.op, str(twin)) == ("node", None, "it broke")
        assert twin.error_code == error.error_code


class Op:
    """An operation whose ``node_def`` is what ``define`` returns or raises."""

    def __init__(self, define):
        self._define = define

    @property
    def node_def(self):
        return self._define()


def without_protobuf():
    raise ModuleNotFoundError("No module named 'google'")


def test_an_error_has_the_definition_of_its_operation_unless_it_is_given_one():
    op = Op(lambda: "of the operation")
    assert errors.OpError(None, op, "x").node_def == "of the operation"
    assert errors.OpError("given", op, "x").node_def == "given"
    assert errors.OpError(None, None, "x").node_def is None
    assert errors.OpError(None, "no operation", "x").node_def is None


def test_without_protobuf_an_error_has_no_definition():
    error = errors.AbortedError(None, Op(without_protobuf), "x")
    assert error.node_def is None
    assert str(pickle.loads(pickle.dumps(error))) == "x"


def test_a_pickled_error_asks_its_operation_for_nothing():
    unpicklable = Op(threading.Lock)
    twin = pickle.loads(pickle.dumps(errors.AbortedError(None, unpicklable, "x")))
    assert (twin.node_def, twin.op) == (None, None)


def test_an_operation_that_is_added_to_an_error_gives_the_definition():
    error = errors.AbortedError(None, None, "x")
    error.op = Op(lambda: "later")
    assert error.node_def == "later"


def test_a_pickled_op_error_keeps_its_code():
    error = errors.OpError(None, None, "x", errors.DATA_LOSS)
    assert pickle.loads(pickle.dumps(error)).error_code == errors.DATA_LOSS


def test_the_sentence_names_where_what_got_and_expected():
    sentence = errors.message("scatter_sub", "values has the wrong dtype", "float64", "float32")
    assert sentence == "scatter_sub: values has the wrong dtype: got float64, expected float32"


def test_the_sentence_ends_in_the_remedy_if_there_is_one():
    assert errors.message("f", "w", 1, 2, "use cast").endswith("got 1, expected 2; use cast")
