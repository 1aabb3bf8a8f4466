"""A graph with its collections as a protobuf message, ``MetaGraphDef``, in memory and in files."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from nbvars import proto
from nbvars.checks import message
from nbvars.graph.graph import Graph, get_default_graph
from nbvars.graph.messages import as_message, is_in_scope, strip_name_scope
from nbvars.graph.mode import expect_graph_mode
from nbvars.train.checkpoint_files import write_whole
from nbvars.train.collection_def import collection_defs


def export_meta_graph(
    filename: str | os.PathLike[str] | None = None,
    meta_info_def: Any = None,
    graph_def: Any = None,
    saver_def: Any = None,
    collection_list: Iterable[str] | None = None,
    as_text: bool = False,
    graph: Graph | None = None,
    export_scope: str | None = None,
    clear_devices: bool = False,
) -> Any:
    """Return a graph with its collections as a ``MetaGraphDef`` message, and write it to a file if one is given.

    Variables of the standard collections are written as ``VariableDef``, numbers and strings as they are (floats with
    32 bits), operations and tensors by name. Collections of anything else are left out, with a warning in the log.
    The values of the variables are not part of it. A file is replaced as a whole, or stays as it was.

    Args:
        filename: File to write.
        meta_info_def: A ``MetaInfoDef`` to put into the message.
        graph_def: A ``GraphDef`` in the place of that of ``graph``.
        saver_def: A ``SaverDef`` to put into the message.
        collection_list: The collections; all if not given.
        as_text: Write the file as text.
        graph: The graph; the default graph if not given.
        export_scope: Export only what lies in this name scope, without the scope in the names.
        clear_devices: Leave out the devices.

    Raises:
        RuntimeError: The mode is eager, and no graph is given.
        ValueError: An operation in ``export_scope`` has an input from outside.
        TypeError: An attribute of an operation cannot be written.
        OSError: The file cannot be written.
        ImportError: protobuf is not installed.

    Source: TensorFlow 1 API pages, ``tf.train.export_meta_graph``.
    """
    if graph is None:
        expect_graph_mode("export_meta_graph")
        graph = get_default_graph()
    made = proto.message_class("MetaGraphDef")()
    made.meta_info_def.SetInParent()
    if meta_info_def is not None:
        made.meta_info_def.CopyFrom(as_message("export_meta_graph", "MetaGraphDef.MetaInfoDef", meta_info_def))
    if saver_def is not None:
        made.saver_def.CopyFrom(as_message("export_meta_graph", "SaverDef", saver_def))
    whole = graph.as_graph_def() if graph_def is None else as_message("export_meta_graph", "GraphDef", graph_def)
    made.graph_def.CopyFrom(whole)
    if export_scope:
        _keep_scope(made.graph_def, export_scope)
    if clear_devices:
        clear_devices_of(made.graph_def)
    for key, collection in collection_defs(graph, collection_list, export_scope):
        made.collection_def[key].CopyFrom(collection)
    if filename is not None:
        _write(Path(filename), made, as_text)
    return made


def _keep_scope(graph_def: Any, scope: str) -> None:
    """Leave only the nodes of ``scope``, and strip it from all names."""
    nodes = [node for node in graph_def.node if is_in_scope(node.name, scope)]
    for node in nodes:
        outside = [name for name in node.input if not is_in_scope(name.removeprefix("^"), scope)]
        if outside:
            wrong = f"operation {node.name!r} has an input from outside the export scope"
            raise ValueError(message("export_meta_graph", wrong, outside, f"inputs in {scope!r}"))
        node.name = strip_name_scope(node.name, scope)
        node.input[:] = [_stripped(name, "^", scope) for name in node.input]
        if "_class" in node.attr:
            groups = [group.decode() for group in node.attr["_class"].list.s]
            kept = [group for group in groups if is_in_scope(group.removeprefix("loc:@"), scope)]
            node.attr["_class"].list.s[:] = [_stripped(group, "loc:@", scope).encode() for group in kept]
    kept_nodes = [type(node).FromString(node.SerializeToString()) for node in nodes]
    del graph_def.node[:]
    graph_def.node.extend(kept_nodes)


def _stripped(name: str, prefix: str, scope: str) -> str:
    """Return ``name``, which may begin with ``prefix``, without ``scope``."""
    bare = name.removeprefix(prefix)
    return name[: len(name) - len(bare)] + strip_name_scope(bare, scope)


def clear_devices_of(graph_def: Any) -> None:
    """Leave out the devices of the nodes."""
    for node in graph_def.node:
        node.device = ""


def _write(path: Path, made: Any, as_text: bool) -> None:
    """Write a file under another name first, so that nobody sees half of it."""
    if as_text:
        from google.protobuf import text_format

        data = text_format.MessageToString(made).encode()
    else:
        data = made.SerializeToString()
    write_whole(os.fspath(path), data)
