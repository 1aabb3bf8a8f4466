"""A progress bar on stderr where that is a terminal and tqdm is installed; nothing otherwise."""

from __future__ import annotations

import functools
import sys
import weakref
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from nbvars.locks import ForkSafeLock, importing

_Item = TypeVar("_Item")


def progress(items: Iterable[_Item], total: int, unit: str) -> Iterable[_Item]:
    """Return ``items``, of which there are ``total``, with a progress bar."""
    bar_type = _bar_type() if _is_terminal() else None
    if bar_type is None:
        return items
    bar: Iterable[_Item] = bar_type(items, total=total, unit=f" {unit}", leave=False)
    return bar


def progress_of_bytes(pieces: Iterable[int], total: int) -> Iterator[int]:
    """Yield ``pieces``, numbers of bytes that are done, with a progress bar if that takes longer than a second."""
    bar_type = _bar_type() if _is_terminal() else None
    if bar_type is None:
        yield from pieces
        return
    with bar_type(total=total, unit="B", unit_scale=True, leave=False, delay=1) as bar:
        for num_bytes in pieces:
            bar.update(num_bytes)
            yield num_bytes


def _is_terminal() -> bool:
    is_terminal = getattr(sys.stderr, "isatty", None)
    return is_terminal is not None and bool(is_terminal())


@functools.cache
def _bar_type() -> Any:
    """Return tqdm's bar, with a lock that is free in a child; ``None`` if tqdm is not installed.

    tqdm's own lock stays locked in a child that is forked while another thread makes a bar, even one that shows
    nothing, and its thread that watches slow bars is not worth having.
    """
    try:
        with importing:
            from tqdm import tqdm
    except ImportError:
        return None
    members = {"_lock": ForkSafeLock(), "_instances": weakref.WeakSet(), "monitor_interval": 0}
    return type("Bar", (tqdm,), members)
