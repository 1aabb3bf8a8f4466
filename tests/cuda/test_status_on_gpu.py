from __future__ import annotations

import re

import numpy as np
import pytest

from nbvars.errors import InvalidArgumentError


@pytest.fixture
def status():
    """The module, in its first mode and without reports afterwards."""
    from nbvars.kernels.cuda import status

    yield status
    status.set_mode("deferred")
    try:
        status.check(0)
    except InvalidArgumentError:
        pytest.fail("a report was left over")


def scatter_to(indices, op_type="scatter_add"):
    from nbvars.kernels import find_kernel
    from nbvars.kernels.cuda.memory import to_device

    ref = to_device(np.zeros(5, np.float32), 0)
    values = to_device(np.ones(np.shape(indices), np.float32), 0)
    find_kernel(op_type, "gpu")(ref, to_device(np.asarray(indices), 0), values)
    return ref


def message_of(op_type, position, value):
    return re.escape(
        f"{op_type}: an index is out of range: indices[{position}] = {value} is not in [0, 5); the slice was left out"
    )


def test_a_report_names_op_position_value_and_range_and_is_raised_once(status):
    ref = scatter_to([1, 9, 1])
    assert ref.copy_to_host().tolist() == [0, 2, 0, 0, 0]
    with pytest.raises(InvalidArgumentError, match=message_of("scatter_add", 1, 9)):
        status.check(0)
    status.check(0)
    status.raise_pending(0)


def test_the_first_report_stays_until_it_is_raised_and_the_next_finds_room(status):
    from nbvars.kernels.cuda.backend import backend

    scatter_to([-3])
    backend.synchronize(0)
    with pytest.raises(InvalidArgumentError, match=message_of("scatter_add", 0, -3)):
        scatter_to([0], "scatter_max")  # which looks, and then does nothing
    scatter_to([0, 2**40], "scatter_max")
    with pytest.raises(InvalidArgumentError, match=message_of("scatter_max", 1, 2**40)):
        status.check(0)


def test_of_many_bad_indices_one_is_reported(status):
    ref = scatter_to([5, -1, 3, 77])
    with pytest.raises(InvalidArgumentError, match=r"indices\[[013]\] = (5|-1|77) is not in \[0, 5\)"):
        status.check(0)
    status.check(0)
    assert ref.copy_to_host().tolist() == [0, 0, 0, 1, 0]


def test_in_mode_sync_the_launch_itself_raises(status):
    status.set_mode("sync")
    assert status.get_mode() == "sync"
    with pytest.raises(InvalidArgumentError, match=message_of("scatter_sub", 0, 5)):
        scatter_to([5], "scatter_sub")
    scatter_to([4], "scatter_sub")


def test_in_mode_off_bad_slices_are_left_out_silently(status):
    status.set_mode("off")
    assert scatter_to([5, 2]).copy_to_host().tolist() == [0, 0, 1, 0, 0]
    status.check(0)


def test_a_mode_that_is_none_is_refused(status):
    with pytest.raises(ValueError, match="no such mode: got 'later', expected one of"):
        status.set_mode("later")
    assert status.get_mode() == "deferred"


def test_the_sentence_is_the_callers(status):
    error = status.error_of("an_op", "value {value} of {limit} at {position}")
    assert error != 0
    assert error == status.error_of("an_op", "value {value} of {limit} at {position}")
    assert error != status.error_of("another_op", "value {value} of {limit} at {position}")
