"""``import_meta_graph``: a graph with its collections from a message or a file, and the ``Saver`` that goes with it."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

from nbvars import proto
from nbvars.checks import message
from nbvars.graph.graph import get_default_graph
from nbvars.graph.keys import GraphKeys
from nbvars.graph.messages import as_message, is_in_scope, strip_name_scope
from nbvars.graph.mode import expect_graph_mode
from nbvars.runtime.import_graph import import_graph_def
from nbvars.train.collection_def import add_collections, check_collections
from nbvars.train.meta_graph_export import clear_devices_of
from nbvars.train.saver import Saver

_log = logging.getLogger("nbvars")


def import_meta_graph(
    meta_graph_or_file: Any, clear_devices: bool = False, import_scope: str | None = None
) -> Saver | None:
    """Add the operations of a ``MetaGraphDef`` to the default graph, and fill the collections.

    A variable is one object in all the collections that hold it.

    Args:
        meta_graph_or_file: The message, ours or TensorFlow's, its bytes, or the path of a file of
            ``export_meta_graph``, as text or not.
        clear_devices: Leave out the devices.
        import_scope: Name scope of what is added, made unique; none if not given.

    Returns:
        A ``Saver`` of the global variables in ``import_scope``, by their names without it, set up as the message says;
        ``None`` if there are none.

    Raises:
        RuntimeError: The mode is eager, or the graph is finalized.
        ValueError: The message is malformed, or a name is taken; see ``import_graph_def``.
        TypeError: ``meta_graph_or_file`` is something else.
        OSError: The file cannot be read.
        ImportError: protobuf is not installed.

    Source: TensorFlow 1 API pages, ``tf.train.import_meta_graph``.
    """
    expect_graph_mode("import_meta_graph")
    is_file = isinstance(meta_graph_or_file, (str, os.PathLike))
    made: Any = proto.message_class("MetaGraphDef")()
    given = _read(Path(meta_graph_or_file)) if is_file else meta_graph_or_file
    made.CopyFrom(as_message("import_meta_graph", "MetaGraphDef", given))
    if clear_devices:
        clear_devices_of(made.graph_def)
    check_collections(made)
    graph = get_default_graph()
    with graph.name_scope(import_scope) as scope:
        import_graph_def(made.graph_def, name=scope)
    add_collections(graph, made, scope)
    return _saver(graph.get_collection(GraphKeys.GLOBAL_VARIABLES), made, scope)


def _saver(variables: list[Any], made: Any, scope: str) -> Saver | None:
    """Return a ``Saver`` of variables, by the names that they have in checkpoints of the graph that was exported."""
    named: dict[str, list[Any]] = {}
    for variable in variables:
        if is_in_scope(variable.name, scope):
            info = variable._save_slice_info
            name = variable.name.removesuffix(":0") if info is None else info.full_name
            named.setdefault(strip_name_scope(name, scope), []).append(variable)
    if not named:
        _log.info("import_meta_graph: Saver not created because there are no variables in the graph to restore")
        return None
    return Saver(named, saver_def=made.saver_def if made.HasField("saver_def") else None)


def _read(path: Path) -> Any:
    """Return the message of a file, which is in protobuf's wire format or text."""
    data = path.read_bytes()
    try:
        return proto.parse("MetaGraphDef", data)
    except ValueError as wire_error:
        from google.protobuf import text_format

        try:
            return text_format.Parse(data, proto.message_class("MetaGraphDef")())
        except (text_format.ParseError, UnicodeDecodeError) as error:
            wrong = f"the file holds no MetaGraphDef ({wire_error}; as text: {error})"
            raise ValueError(message("import_meta_graph", wrong, str(path), "a file of export_meta_graph")) from error
