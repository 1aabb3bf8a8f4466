"""How notebooks show variables and tensors: a table of facts, and the first elements."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

import numpy.typing as npt

MOST_ROWS, MOST_COLUMNS = 6, 8
"""Of the elements that are shown."""
_MORE = "…"


def first_elements(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return a copy of what is shown of ``array``, and one more row and column if there are more."""
    if 0 in array.shape:
        return array.reshape(0)
    for _ in range(array.ndim - 2):
        array = array[0]
    if array.ndim > 1:
        array = array[: MOST_ROWS + 1]
    return array[..., : MOST_COLUMNS + 1].copy() if array.ndim else array.copy()


def size_of(array: Any) -> str:
    """Return the size of an array in words."""
    return f"{array.nbytes:,} bytes, {array.size:,} element{'' if array.size == 1 else 's'}"


def to_html(title: str, facts: Mapping[str, object], rank: int, elements: npt.NDArray[Any] | None) -> str:
    """Return ``facts`` and a preview of a value of ``rank`` axes, of which ``first_elements`` gave ``elements``."""
    rows = "".join(f"<tr><th>{escape(name)}</th><td>{escape(str(fact))}</td></tr>" for name, fact in facts.items())
    preview = "" if elements is None else _preview(rank, elements)
    return f"<div><strong>{escape(title)}</strong><table>{rows}</table>{preview}</div>"


def _preview(rank: int, elements: npt.NDArray[Any]) -> str:
    if elements.size == 0:
        return "<em>no elements</em>"
    matrix = elements.reshape(-1, elements.shape[-1] if elements.ndim else 1)
    rows = [_row(row) for row in matrix[:MOST_ROWS]]
    if len(matrix) > MOST_ROWS:
        rows.append(f"<tr><td>{_MORE}</td></tr>")
    index = ", ".join(["0"] * (rank - 2))
    caption = f"<caption>[{index}, :, :]</caption>" if rank > 2 else ""
    return f"<table>{caption}{''.join(rows)}</table>"


def _row(row: npt.NDArray[Any]) -> str:
    cells = [escape(str(element)) for element in row[:MOST_COLUMNS]]
    more = [_MORE] if len(row) > MOST_COLUMNS else []
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells + more)}</tr>"
