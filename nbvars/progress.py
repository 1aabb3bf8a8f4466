"""A progress bar on stderr where that is a terminal and tqdm is installed; nothing otherwise."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

from nbvars.locks import importing

_Item = TypeVar("_Item")


def progress(items: Iterable[_Item], total: int, unit: str) -> Iterable[_Item]:
    """Return ``items``, of which there are ``total``, with a progress bar."""
    try:
        with importing:
            from tqdm import tqdm
    except ImportError:
        return items
    # disable=None: silent unless stderr is a terminal.
    bar: Iterable[_Item] = tqdm(items, total=total, unit=f" {unit}", disable=None, leave=False)
    return bar


def progress_of_bytes(pieces: Iterable[int], total: int) -> Iterator[int]:
    """Yield ``pieces``, numbers of bytes that are done, with a progress bar if that takes longer than a second."""
    try:
        with importing:
            from tqdm import tqdm
    except ImportError:
        yield from pieces
        return
    with tqdm(total=total, unit="B", unit_scale=True, disable=None, leave=False, delay=1) as bar:
        for num_bytes in pieces:
            bar.update(num_bytes)
            yield num_bytes
