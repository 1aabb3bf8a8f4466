"""One piece of work by one library: the line that is timed, and the state that it leaves, checked before timing."""

from __future__ import annotations

import itertools
import time
from typing import Any

import numpy as np
import numpy.typing as npt

from nbvars.checks import message

_CHUNK = 1 << 20
_ULPS = {2: 8, 4: 100, 8: 100}
"""By size of the dtype: how many units in the last place, of the largest element, a peer may be off. XLA and Eigen add
the slices of one row in an order of their own.
"""


_LOOP = """
def loop(_calls, {names}):
    _begin = _clock()
    for _ in _calls:
        {statement}
    _seconds = _clock() - _begin
    return _seconds, locals()
"""


class Case:
    """``statement`` is timed as it stands, in a function; it and the expression ``state`` use ``names``.

    The statement may assign to a name: the next run goes on from there.
    """

    def __init__(self, statement: str, state: str, /, **names: Any) -> None:
        self.statement = statement
        self._state = compile(state, "<state>", "eval")
        self._names = names
        source = _LOOP.format(names=", ".join(names), statement=statement.replace("\n", "\n        "))
        defined: dict[str, Any] = {"_clock": time.perf_counter}
        exec(compile(source, f"<{statement}>", "exec"), defined)
        self._loop = defined["loop"]

    def run(self, calls: int = 1) -> float:
        """Run the statement ``calls`` times; return how many seconds all of them took."""
        seconds, after = self._loop(itertools.repeat(None, calls), **self._names)
        self._names = {name: after[name] for name in self._names}
        return float(seconds)

    def state(self) -> npt.NDArray[Any]:
        """Return what the statement changes or makes; the array may be a view of it."""
        return np.asarray(eval(self._state, self._names.copy()))


def expect_agreement(series: str, case: Case, expected: npt.NDArray[Any]) -> None:
    """Raise ``ValueError`` unless the state of ``case`` is ``expected``: to the bit for nbvars, nearly for others."""
    got = case.state()
    if (got.dtype, got.shape) != (expected.dtype, expected.shape):
        described = [f"{array.dtype} of shape {array.shape}" for array in (got, expected)]
        raise ValueError(message(series, "the result is of another kind", *described))
    got, expected = got.reshape(-1), expected.reshape(-1)
    tolerance = 0.0 if series.partition(" ")[0] == "nbvars" else _tolerance(expected)
    for first in range(0, expected.size, _CHUNK):  # in parts: the states may be as large as memory allows
        pair = expected[first : first + _CHUNK], got[first : first + _CHUNK]
        if np.array_equal(*pair):
            continue
        wanted, found = (array.astype(np.float64) for array in pair)
        with np.errstate(invalid="ignore"):  # infinities
            bad = np.flatnonzero(~((np.abs(found - wanted) <= tolerance) | (found == wanted)))
        if bad.size:
            k = bad[0]
            wrong = f"the result differs at element {first + k}"
            raise ValueError(message(series, wrong, found[k], f"{wanted[k]}, and at most {tolerance:.1e} off"))


def _tolerance(expected: npt.NDArray[Any]) -> float:
    if expected.dtype.kind in "iub" or not expected.size:
        return 0.0
    bits = {"bfloat16": 7, "float16": 10, "float32": 23}.get(expected.dtype.name, 52)
    largest = max(1.0, float(expected.max()), -float(expected.min()))
    return _ULPS[expected.dtype.itemsize] * 2.0**-bits * largest
