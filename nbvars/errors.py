"""TensorFlow's error classes, each also a Python built-in, its codes, and the sentence of every message."""

from __future__ import annotations

from typing import Any, Final

OK: Final = 0
CANCELLED: Final = 1
UNKNOWN: Final = 2
INVALID_ARGUMENT: Final = 3
DEADLINE_EXCEEDED: Final = 4
NOT_FOUND: Final = 5
ALREADY_EXISTS: Final = 6
PERMISSION_DENIED: Final = 7
RESOURCE_EXHAUSTED: Final = 8
FAILED_PRECONDITION: Final = 9
ABORTED: Final = 10
OUT_OF_RANGE: Final = 11
UNIMPLEMENTED: Final = 12
INTERNAL: Final = 13
UNAVAILABLE: Final = 14
DATA_LOSS: Final = 15
UNAUTHENTICATED: Final = 16


def message(where: str, wrong: str, got: object, expected: object, remedy: str = "") -> str:
    """Build the one error sentence: where, what was wrong, got, expected, and the remedy if there is one.

    ``got`` and ``expected`` appear as ``str`` shows them: pass ``repr(...)`` to have quotes around a string.
    """
    sentence = f"{where}: {wrong}: got {got}, expected {expected}"
    return f"{sentence}; {remedy}" if remedy else sentence


class OpError(Exception):
    """An operation failed; ``str()`` gives ``message``.

    Args:
        node_def: Definition of the failed operation; ``None`` for that of ``op``.
        op: The failed ``Operation``, or ``None``. A pickled error leaves it behind, with its graph.
        message: What went wrong, in one sentence.
        error_code: One of the codes above; each subclass has its own.

    Source: TensorFlow API pages, ``tf.errors.OpError``.
    """

    error_code: int = UNKNOWN

    def __init__(self, node_def: Any, op: Any, message: str, error_code: int | None = None) -> None:
        super().__init__(message)
        self._node_def = node_def
        self.op = op
        self.message = message
        if error_code is not None:
            self.error_code = error_code

    @property
    def node_def(self) -> Any:
        """Return the ``NodeDef`` message of the failed operation; ``None`` without one, or without protobuf."""
        if self._node_def is not None:
            return self._node_def
        try:
            return getattr(self.op, "node_def", None)
        except ImportError:
            return None

    def __str__(self) -> str:
        return self.message

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._node_def, None, self.message, self.error_code)


class CancelledError(OpError, RuntimeError):
    """The operation was cancelled."""

    error_code = CANCELLED


class UnknownError(OpError, RuntimeError):
    """No other class describes the error."""

    error_code = UNKNOWN


class InvalidArgumentError(OpError, ValueError):
    """An argument is wrong whatever the state of the system."""

    error_code = INVALID_ARGUMENT


class DeadlineExceededError(OpError, TimeoutError):
    """The operation did not finish in time."""

    error_code = DEADLINE_EXCEEDED


class NotFoundError(OpError, LookupError):
    """Something that was asked for, such as a file or a variable, is not there."""

    error_code = NOT_FOUND


class AlreadyExistsError(OpError, ValueError):
    """Something that was to be created is already there."""

    error_code = ALREADY_EXISTS


class PermissionDeniedError(OpError, PermissionError):
    """The caller may not run the operation."""

    error_code = PERMISSION_DENIED


class ResourceExhaustedError(OpError, MemoryError):
    """Memory, or another resource, ran out."""

    error_code = RESOURCE_EXHAUSTED


class FailedPreconditionError(OpError, RuntimeError):
    """The system is not in the state that the operation needs, as when a variable is read uninitialized."""

    error_code = FAILED_PRECONDITION


class AbortedError(OpError, RuntimeError):
    """The operation was stopped, typically by a concurrent one."""

    error_code = ABORTED


class OutOfRangeError(OpError, IndexError):
    """The operation went past the end of a valid range, as when a counter reaches its limit."""

    error_code = OUT_OF_RANGE


class UnimplementedError(OpError, NotImplementedError):
    """The operation is not implemented."""

    error_code = UNIMPLEMENTED


class InternalError(OpError, RuntimeError):
    """Something that the library relies on is broken."""

    error_code = INTERNAL


class UnavailableError(OpError, ConnectionError):
    """The runtime cannot be reached at present."""

    error_code = UNAVAILABLE


class DataLossError(OpError, RuntimeError):
    """Data is lost or damaged beyond recovery."""

    error_code = DATA_LOSS


class UnauthenticatedError(OpError, PermissionError):
    """The caller has not proved who it is."""

    error_code = UNAUTHENTICATED
