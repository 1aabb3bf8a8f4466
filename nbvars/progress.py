"""A progress bar on stderr where that is a terminal and tqdm is installed; nothing otherwise."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

_Item = TypeVar("_Item")


def progress(items: Iterable[_Item], total: int, unit: str) -> Iterable[_Item]:
    """Return ``items``, of which there are ``total``, with a progress bar."""
    try:
        from tqdm import tqdm
    except ImportError:
        return items
    # disable=None: silent unless stderr is a terminal.
    bar: Iterable[_Item] = tqdm(items, total=total, unit=f" {unit}", disable=None, leave=False)
    return bar
