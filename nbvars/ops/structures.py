"""Nested structures: lists, tuples, named tuples, dicts and ``IndexedSlices``, and the values that are their leaves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from nbvars.checks import message
from nbvars.graph.indexed_slices import IndexedSlices
from nbvars.graph.tensor import GraphTensor


def _parts(structure: Any, splits_slices: bool) -> dict[Any, Any] | None:
    """Return what ``structure`` consists of, by key; ``None`` for a leaf."""
    if isinstance(structure, (list, tuple)):
        return dict(enumerate(structure))
    if isinstance(structure, Mapping):
        return dict(structure)
    if splits_slices and isinstance(structure, IndexedSlices):
        parts = {"values": structure.values, "indices": structure.indices}
        is_computed = isinstance(structure._dense_shape, GraphTensor)
        return {**parts, "dense_shape": structure._dense_shape} if is_computed else parts
    return None


def flatten(structure: Any, splits_slices: bool = True) -> list[Any]:
    """Return the leaves; ``IndexedSlices`` are several (what they consist of), one if ``splits_slices`` is false."""
    parts = _parts(structure, splits_slices)
    if parts is None:
        return [structure]
    return [leaf for part in parts.values() for leaf in flatten(part, splits_slices)]


def flatten_like(where: str, wrong: str, structure: Any, template: Any, splits_slices: bool = True) -> list[Any]:
    """Return the leaves of ``structure``, in the order of those of ``template``.

    Raises:
        ValueError: The structures differ in depth, length or keys; ``wrong`` says what they are.
        TypeError: They differ in type alone, as a list and a tuple do.
    """
    parts, expected = _parts(structure, splits_slices), _parts(template, splits_slices)
    if parts is None and expected is None:
        return [structure]
    got_text, expected_text = _described(structure), _described(template)
    if parts is None or expected is None or parts.keys() != expected.keys():
        raise ValueError(message(where, wrong, got_text, expected_text))
    if got_text != expected_text and not isinstance(structure, Mapping):
        error = ValueError if isinstance(structure, IndexedSlices) else TypeError
        raise error(message(where, wrong, got_text, expected_text))
    return [leaf for key in expected for leaf in flatten_like(where, wrong, parts[key], expected[key], splits_slices)]


def _described(structure: Any) -> str:
    """Return the outermost level of a structure in words."""
    if isinstance(structure, IndexedSlices):
        is_computed = isinstance(structure._dense_shape, GraphTensor)
        return f"IndexedSlices of dense_shape {'that is computed' if is_computed else structure._dense_shape}"
    if isinstance(structure, Mapping):
        return f"a dict with the keys {list(structure)}"
    if isinstance(structure, (list, tuple)):
        return f"a {type(structure).__name__} of {len(structure)}"
    return "a single value"


def pack(template: Any, leaves: Iterable[Any]) -> Any:
    """Return the structure of ``template`` with other leaves."""
    return _packed(template, iter(leaves))


def _packed(template: Any, leaves: Iterator[Any]) -> Any:
    parts = _parts(template, True)
    if parts is None:
        return next(leaves)
    packed = [_packed(part, leaves) for part in parts.values()]
    if isinstance(template, IndexedSlices):
        return IndexedSlices(*packed, *[template._dense_shape][len(packed) - 2 :])
    if isinstance(template, Mapping):
        kind: Any = type(template)
        return kind(zip(parts, packed, strict=True))
    return sequence_like(template, packed)


def sequence_like(template: Any, elements: Iterable[Any]) -> Any:
    """Return a list, tuple or named tuple, as ``template`` is, of ``elements``."""
    kind: Any = type(template)
    return kind._make(elements) if hasattr(kind, "_make") else kind(elements)
