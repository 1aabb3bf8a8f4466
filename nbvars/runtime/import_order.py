"""The order in which the nodes of a ``GraphDef`` can be made."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Any

from nbvars.checks import message

_WHERE = "import_graph_def"


def parse_input(where: str, text: str) -> tuple[str, int]:
    """Return the operation that an input names, and the index of the output: -1 for a control input, ``"^a"``."""
    if text.startswith("^"):
        return text[1:], -1
    name, colon, index = text.rpartition(":")
    if not colon:
        return text, 0
    if not (index.isascii() and index.isdecimal() and len(index) < 10):
        raise ValueError(message(where, "the name of a tensor is malformed", repr(text), "'name:index'"))
    return name, int(index)


def in_order(nodes: Iterable[Any], replaced: Collection[tuple[str, int]]) -> list[Any]:
    """Return ``nodes`` in their order, save that one whose input comes later waits for it.

    Raises:
        ValueError: Two nodes have one name, a node that is an input is missing, or nodes wait for each other.
    """
    by_name: dict[str, Any] = {}
    for node in nodes:
        if node.name in by_name:
            raise ValueError(message(_WHERE, f"Node {node.name!r} is not unique", "two nodes", "one"))
        by_name[node.name] = node
    done: dict[str, Any] = {}
    for node in by_name.values():
        _visit(node, by_name, replaced, done)
    return list(done.values())


def _visit(first: Any, by_name: dict[str, Any], replaced: Collection[tuple[str, int]], done: dict[str, Any]) -> None:
    """Add a node to ``done``, behind all that it waits for: depth first, on a stack of our own."""
    if first.name in done:
        return
    waiting = {first.name: _sources(first, by_name, replaced)}
    while waiting:
        name = next(reversed(waiting))
        source = next(waiting[name], None)
        if source is None:
            del waiting[name]
            done[name] = by_name[name]
        elif source in waiting:
            raise ValueError(message(_WHERE, "nodes wait for each other in a cycle", [*waiting, source], "no cycle"))
        elif source not in done:
            waiting[source] = _sources(by_name[source], by_name, replaced)


def _sources(node: Any, by_name: dict[str, Any], replaced: Collection[tuple[str, int]]) -> Iterator[str]:
    """Yield the names of the nodes that ``node`` takes something from."""
    for text in node.input:
        key = parse_input(_WHERE, text)
        if key in replaced:
            continue
        if key[0] not in by_name:
            wrong = f"Node {node.name!r}: Unknown input node {text!r}"
            raise ValueError(message(_WHERE, wrong, repr(text), "a node of graph_def, or a key of input_map"))
        yield key[0]
