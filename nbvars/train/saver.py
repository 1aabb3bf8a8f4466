"""``Saver``: writes variables to files, and reads them back."""

from __future__ import annotations

import logging
import math
import os
import time
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from nbvars import proto
from nbvars.checks import message
from nbvars.errors import NotFoundError
from nbvars.graph.graph import Graph
from nbvars.graph.messages import as_message
from nbvars.graph.tensor import Tensor
from nbvars.locks import ForkSafeLock
from nbvars.train.checkpoint_files import Identity, identity_of
from nbvars.train.checkpoint_state import update_checkpoint_state
from nbvars.train.checkpoint_writer import write_checkpoint
from nbvars.train.checkpoints import META_SUFFIX, checkpoint_exists, open_checkpoint
from nbvars.train.folder_lock import locked_folder
from nbvars.train.global_step import global_step as value_of_step
from nbvars.train.meta_graph_export import export_meta_graph
from nbvars.train.restoring import restore
from nbvars.train.retention import Retention, times_of
from nbvars.train.safetensors_file import SUFFIX
from nbvars.train.saveables import (
    Saveable,
    check_session,
    checked_saveables,
    default_variables,
    described,
    graph_of,
    saved_parts,
)
from nbvars.variables.variable import Variable

_log = logging.getLogger("nbvars")

V1, V2 = 1, 2


class Saver:
    """Saves variables to checkpoints, and restores them, in both modes.

    A checkpoint is one safetensors file, ``<save_path>-<global_step>.safetensors``, with a checksum for each 16 MiB
    of a variable. It is written under another name, synchronized to the disk and then renamed; the old ones are
    deleted after that. So a call that returned has saved, whatever happens later, and one that failed, or was killed,
    has changed nothing. Each variable is saved with a value that it had at one moment of the call, as
    ``Variable.read_value()`` gives it; another moment for each. Its lock is held while it is copied: for longer than
    that takes only where it is larger than 16 MiB, and the disk cannot keep up.

    Nothing is added to the graph, so a finalized one will do.

    Args:
        var_list: Variables, or a dict of them by the names that they have in the checkpoint (``"w"`` for ``"w:0"`` if
            not said otherwise). A partitioned variable is one tensor, whatever its slices; a list of those is the same.
            If not given, the global variables and the saveable objects that the default graph has now.
        reshape: Restore from a tensor of another shape that has as many elements.
        sharded: Recorded: there is always one file.
        max_to_keep: How many checkpoints stay; ``None`` or 0 for all.
        keep_checkpoint_every_n_hours: Of those that would go, one for so many hours stays.
        name: Recorded.
        restore_sequentially: Recorded.
        saver_def: A ``SaverDef``, whose ``max_to_keep``, ``keep_checkpoint_every_n_hours`` and ``sharded`` are taken.
        builder: Not supported.
        defer_build: Take the variables that there are at the first use, and not those that there are now.
        allow_empty: Do nothing, and do not raise, if there are no variables.
        write_version: Recorded: the format is that of nbvars. TensorFlow's version 2 can be restored.
        pad_step_number: Write step 7 as ``00000007``.
        save_relative_paths: Write paths that are relative to the folder into the file ``checkpoint``.
        filename: Recorded.

    Raises:
        ValueError: There are no variables, or they are of several graphs, or two have one name.
        TypeError: Something in ``var_list`` is no variable.

    Source: TensorFlow 1 API pages, ``tf.train.Saver``.
    """

    def __init__(
        self,
        var_list: Any = None,
        reshape: bool = False,
        sharded: bool = False,
        max_to_keep: int | None = 5,
        keep_checkpoint_every_n_hours: float = 10000.0,
        name: str | None = None,
        restore_sequentially: bool = False,
        saver_def: Any = None,
        builder: Any = None,
        defer_build: bool = False,
        allow_empty: bool = False,
        write_version: int = V2,
        pad_step_number: bool = False,
        save_relative_paths: bool = False,
        filename: str | None = None,
    ) -> None:
        if defer_build and var_list is not None:
            wrong = "If `var_list` is provided then build cannot be deferred"
            raise ValueError(message("Saver", wrong, "defer_build=True", "defer_build=False, or no var_list"))
        if builder is not None:
            raise ValueError(message("Saver", "a builder cannot be used", repr(builder), "None"))
        if saver_def is not None:
            given = as_message("Saver", "SaverDef", saver_def)
            max_to_keep, sharded = given.max_to_keep, given.sharded
            keep_checkpoint_every_n_hours, write_version = given.keep_checkpoint_every_n_hours, given.version
        _check_numbers(max_to_keep, keep_checkpoint_every_n_hours)
        self._var_list = var_list
        self._reshape = reshape
        self._sharded = bool(sharded)
        self._every_n_hours = float(keep_checkpoint_every_n_hours)
        self._name = name
        self._restore_sequentially = restore_sequentially
        self._allow_empty = allow_empty
        self._write_version = write_version
        self._pad_step_number = pad_step_number
        self._save_relative_paths = save_relative_paths
        self._filename = filename
        self._lock = ForkSafeLock()
        self._saveables: dict[str, Saveable] | None = None
        self._retention = Retention(max_to_keep or 0, self._every_n_hours, time.time())
        if not defer_build:
            self.build()

    def build(self) -> None:
        """Find the variables; without ``defer_build`` that is done already.

        Raises:
            ValueError: There are none, and ``allow_empty`` is not set.
        """
        if self._saveables is not None:
            return
        var_list = default_variables() if self._var_list is None else self._var_list
        saveables = checked_saveables(var_list)
        if not saveables and not self._allow_empty:
            remedy = "create variables first, or pass allow_empty=True"
            raise ValueError(message("Saver", "No variables to save", "none", "one or more", remedy))
        self._saveables = saveables

    def _built(self) -> dict[str, Saveable]:
        self.build()
        assert self._saveables is not None
        return self._saveables

    @property
    def last_checkpoints(self) -> list[str]:
        """Return the paths of the checkpoints that stay, the newest last; none if ``max_to_keep`` is 0."""
        return self._retention.paths

    def set_last_checkpoints(self, last_checkpoints: Sequence[str]) -> None:
        """Take these checkpoints for the last ones, of a time that lets none of them be deleted later.

        Source: TensorFlow 1 API pages, ``tf.train.Saver.set_last_checkpoints``.
        """
        self.set_last_checkpoints_with_time([(path, math.inf) for path in _list(last_checkpoints)])

    def set_last_checkpoints_with_time(self, last_checkpoints_with_time: Sequence[tuple[str, float]]) -> None:
        """Take these checkpoints, with their times in seconds since 1970, for the last ones.

        Source: TensorFlow 1 API pages, ``tf.train.Saver.set_last_checkpoints_with_time``.
        """
        with self._lock:
            self._retention.set(_list(last_checkpoints_with_time))

    def recover_last_checkpoints(self, checkpoint_paths: Iterable[str]) -> None:
        """Take those of the checkpoints that are there for the last ones, as after a restart.

        Source: TensorFlow 1 API pages, ``tf.train.Saver.recover_last_checkpoints``.
        """
        with self._lock:
            self._retention.set(times_of(checkpoint_paths))

    def save(
        self,
        sess: Any,
        save_path: str | os.PathLike[str],
        global_step: Any = None,
        latest_filename: str | None = None,
        meta_graph_suffix: str = META_SUFFIX,
        write_meta_graph: bool | None = None,
        write_state: bool = True,
        strip_default_attrs: bool = False,
        save_debug_info: bool = False,
    ) -> str | None:
        """Save the variables; return the path of the checkpoint, for ``restore``.

        Args:
            sess: The session that holds their values; ``None`` for eager ones.
            save_path: The path, to which ``-<global_step>`` is added, and then the ending of the file.
            global_step: A number, variable or tensor.
            latest_filename: Name of the file that lists the checkpoints of the folder: ``"checkpoint"``.
            meta_graph_suffix: Ending of the file of the graph.
            write_meta_graph: Write the graph too, as ``export_meta_graph``. If not given, where there is one and
                protobuf is installed; a graph that cannot be written is then a warning in the log.
            write_state: Write the file that lists the checkpoints, and delete old ones.
            strip_default_attrs: Without effect, as is the next one.
            save_debug_info: Without effect.

        Returns:
            The path; ``None`` if there are no variables and ``allow_empty`` is set.

        Raises:
            TypeError: ``sess`` is no session, and the variables are those of a graph.
            ValueError: ``latest_filename`` is no plain name, or that of the checkpoint, or the folder is not there.
            FailedPreconditionError: Variables are not initialized.
            OSError: The disk is full, the folder is read-only, or the like. Earlier checkpoints are as they were.
            ImportError: The extra ``checkpoint`` is not installed.

        Source: TensorFlow 1 API pages, ``tf.train.Saver.save``.
        """
        saveables = self._built()
        path = os.fspath(save_path)
        folder = _checked_folder(path, latest_filename)
        graph = graph_of(saveables)
        check_session("Saver.save", sess, graph)
        step = _step_of(sess, global_step)
        if not saveables:
            return None
        if step is not None:
            path = f"{path}-{step:08d}" if self._pad_step_number else f"{path}-{step}"
        with self._lock:
            parts = saved_parts(saveables, sess)
            identity = write_checkpoint(path + SUFFIX, described(saveables, parts), parts, step)
            if graph is not None and write_meta_graph is not False:
                self._write_graph(f"{path}.{meta_graph_suffix}", graph, bool(write_meta_graph))
            if write_state:
                self._record(folder, path, identity, latest_filename, meta_graph_suffix)
        return path

    def _write_graph(self, path: str, graph: Graph, is_wanted: bool) -> None:
        """Write the graph; unless it was asked for, what stands against it is no error."""
        try:
            saver_def = self.as_saver_def()
        except ImportError:
            if is_wanted:
                raise
            return
        try:
            export_meta_graph(path, saver_def=saver_def, graph=graph)
        except (TypeError, ValueError) as error:
            if is_wanted:
                raise
            _log.warning("Saver.save: the graph is not written to %s: %s", path, error)

    def _record(
        self, folder: str, path: str, identity: Identity | None, latest_filename: str | None, meta_suffix: str
    ) -> None:
        """List the new checkpoint, and then delete those that leave the list.

        Another process that saves under the same names may have replaced the checkpoint already and, with later ones
        in its list, deleted it. Then the list is left to that process: the newest in it is there at any time.
        """
        with locked_folder(folder):
            if identity_of(path + SUFFIX) is None:
                return
            self._retention.add(path, time.time(), identity)
            paths = self.last_checkpoints
            if self._save_relative_paths:
                path, *paths = (os.path.relpath(each, folder or ".") for each in [path, *paths])
                # As they are given to it, they would be made relative to the folder once more.
                update_checkpoint_state(os.path.abspath(folder), path, paths, latest_filename)
            else:
                update_checkpoint_state(folder, path, paths, latest_filename)
            self._retention.delete_old(meta_suffix)

    def restore(self, sess: Any, save_path: str | os.PathLike[str] | None) -> None:
        """Give the variables the values that a checkpoint holds; they need not be initialized.

        All checksums are tested, and all names, shapes and dtypes compared, before the first variable changes.

        Args:
            sess: The session of the variables; ``None`` for eager ones.
            save_path: Path of a checkpoint, as ``save`` or ``latest_checkpoint`` returns it. It may be one of
                TensorFlow (version 2), or a safetensors file of another library.

        Raises:
            TypeError: ``sess`` is no session, and the variables are those of a graph.
            ValueError: There is no such checkpoint.
            NotFoundError: Variables are not in it. This message, and the next one, lists all that does not fit.
            InvalidArgumentError: Shapes or dtypes differ.
            DataLossError: It is damaged.
            ImportError: The extra ``checkpoint`` is not installed.

        Source: TensorFlow 1 API pages, ``tf.train.Saver.restore``.
        """
        saveables = self._built()
        check_session("Saver.restore", sess, graph_of(saveables))
        if save_path is None:
            raise ValueError(message("Saver.restore", "Can't load save_path when it is None", None, "a path"))
        path = os.fspath(save_path)
        if not checkpoint_exists(path):
            wrong = "The passed save_path is not a valid checkpoint"
            raise ValueError(message("Saver.restore", wrong, path, "what save or latest_checkpoint returns"))
        if saveables:
            try:
                reader = open_checkpoint(path)
            except NotFoundError as error:  # another process has deleted it just now
                raise ValueError(str(error)) from error
            restore(saveables, reader, sess, self._reshape)

    def as_saver_def(self) -> Any:
        """Return the ``SaverDef`` message; it names no operations, of which a ``Saver`` has none. Needs protobuf."""
        return proto.message_class("SaverDef")(
            max_to_keep=self._retention.max_to_keep,
            sharded=self._sharded,
            keep_checkpoint_every_n_hours=self._every_n_hours,
            version=self._write_version,
        )

    def to_proto(self, export_scope: str | None = None) -> Any:
        """Return ``as_saver_def()``."""
        return self.as_saver_def()

    @staticmethod
    def from_proto(saver_def: Any, import_scope: str | None = None) -> Saver:
        """Return a ``Saver`` of the default graph's variables that is set up as ``saver_def`` says."""
        return Saver(saver_def=saver_def, name=import_scope)

    def export_meta_graph(
        self,
        filename: str | os.PathLike[str] | None = None,
        collection_list: Iterable[str] | None = None,
        as_text: bool = False,
        export_scope: str | None = None,
        clear_devices: bool = False,
        clear_extraneous_savers: bool = False,
        strip_default_attrs: bool = False,
        save_debug_info: bool = False,
    ) -> Any:
        """Return the graph as a ``MetaGraphDef`` with this saver in it, as ``nbvars.train.export_meta_graph``."""
        graph = graph_of(self._built())
        return export_meta_graph(
            filename, None, None, self.as_saver_def(), collection_list, as_text, graph, export_scope, clear_devices
        )


def _check_numbers(max_to_keep: Any, every_n_hours: Any) -> None:
    if max_to_keep is not None and (not isinstance(max_to_keep, (int, np.integer)) or max_to_keep < 0):
        raise ValueError(message("Saver", "max_to_keep is no number of files", repr(max_to_keep), "0 or more, or None"))
    if not every_n_hours >= 0:
        wrong = "keep_checkpoint_every_n_hours is no time"
        raise ValueError(message("Saver", wrong, repr(every_n_hours), "0 or more"))


def _checked_folder(path: str, latest_filename: str | None) -> str:
    """Return the folder of a checkpoint."""
    folder, name = os.path.split(path)
    latest = latest_filename or "checkpoint"
    if os.path.dirname(latest):
        wrong = "'latest_filename' must not contain path components"
        raise ValueError(message("Saver.save", wrong, latest, "a plain name"))
    if not name:
        raise ValueError(message("Saver.save", "save_path names no file", repr(path), "a folder and a name"))
    if name == latest:
        wrong = "'latest_filename' collides with 'save_path'"
        raise ValueError(message("Saver.save", wrong, latest, "different names"))
    if not os.path.isdir(folder or "."):
        wrong = f"Parent directory of {path} doesn't exist, can't save"
        raise ValueError(message("Saver.save", wrong, folder, "a folder that is there"))
    return folder


def _step_of(sess: Any, step: Any) -> int | None:
    """Return the number of a step."""
    if step is None:
        return None
    if isinstance(step, (Variable, Tensor)):
        return value_of_step(sess, step)
    try:
        return int(step.__index__())
    except (AttributeError, TypeError) as error:
        wrong = "global_step is no whole number"
        raise TypeError(message("Saver.save", wrong, repr(step), "an integer, variable or tensor")) from error


def _list(values: Any) -> list[Any]:
    if not isinstance(values, (list, tuple)):
        raise ValueError(message("Saver", "last_checkpoints is no list", repr(values), "a list"))
    return list(values)
