"""Checkpoints by their paths: which there are, which is the latest, and what they hold."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import numpy.typing as npt

from nbvars.checks import message
from nbvars.errors import DataLossError, NotFoundError, UnimplementedError
from nbvars.train.checkpoint_reader import CheckpointReader
from nbvars.train.checkpoint_state import get_checkpoint_state
from nbvars.train.safetensors_file import SUFFIX, open_safetensors
from nbvars.train.tensor_bundle import INDEX_SUFFIX, open_tensor_bundle

_log = logging.getLogger("nbvars")

META_SUFFIX = "meta"


def _file_of(prefix: str) -> str | None:
    """Return the file that tells that there is a checkpoint; ``None`` if there is none."""
    candidates = [prefix + SUFFIX, prefix + INDEX_SUFFIX, prefix]
    return next((path for path in candidates if os.path.isfile(path)), None)


def checkpoint_exists(checkpoint_prefix: str | os.PathLike[str]) -> bool:
    """Return whether there is a checkpoint of nbvars, or one of TensorFlow, of this path.

    Source: TensorFlow 1 API pages, ``tf.train.checkpoint_exists``.
    """
    return _file_of(os.fspath(checkpoint_prefix)) is not None


def get_checkpoint_mtimes(checkpoint_prefixes: Iterable[str | os.PathLike[str]]) -> list[float]:
    """Return when checkpoints were written, in seconds since 1970; those that are not there are left out.

    Source: TensorFlow 1 API pages, ``tf.train.get_checkpoint_mtimes``.
    """
    times = []
    for prefix in checkpoint_prefixes:
        path = _file_of(os.fspath(prefix))
        if path is not None:
            with suppress(FileNotFoundError):
                times.append(os.stat(path).st_mtime)
    return times


def remove_checkpoint(
    checkpoint_prefix: str | os.PathLike[str], checkpoint_format_version: int = 2, meta_graph_suffix: str = META_SUFFIX
) -> None:
    """Delete a checkpoint of nbvars, and the graph that is stored beside it; those of TensorFlow are only read.

    Source: TensorFlow 1 API pages, ``tf.train.remove_checkpoint``.
    """
    for suffix in (f".{meta_graph_suffix}", SUFFIX):
        with suppress(FileNotFoundError):
            os.unlink(os.fspath(checkpoint_prefix) + suffix)


def open_checkpoint(prefix: str) -> CheckpointReader:
    """Return a reader of the checkpoint of this path: of nbvars, of TensorFlow, or any safetensors file.

    Raises:
        NotFoundError: There is none.
        DataLossError: It is damaged, or something else.
        UnimplementedError: It is of a kind that cannot be read.
    """
    path = _file_of(prefix)
    if path is None:
        wrong, expected = "there is no checkpoint of this path", f"{prefix}{SUFFIX} or {prefix}{INDEX_SUFFIX}"
        raise NotFoundError(None, None, message("load_checkpoint", wrong, prefix, expected))
    if path.endswith(INDEX_SUFFIX):
        return open_tensor_bundle(path.removesuffix(INDEX_SUFFIX))
    return open_safetensors(path)


def load_checkpoint(ckpt_dir_or_file: str | os.PathLike[str]) -> CheckpointReader:
    """Return a reader of a checkpoint: ``get_tensor``, ``has_tensor``, ``get_variable_to_shape_map`` and others.

    Args:
        ckpt_dir_or_file: Path of a checkpoint, as ``Saver.save`` returns it, or a folder, whose latest one is meant;
            TensorFlow's checkpoints of version 2 are read too.

    Raises:
        ValueError: The folder has no checkpoint.
        NotFoundError: There is no such checkpoint.
        DataLossError: It is damaged.
        ImportError: The extra ``checkpoint`` is not installed.

    Source: TensorFlow 1 API pages, ``tf.train.load_checkpoint``.
    """
    path = os.fspath(ckpt_dir_or_file)
    if not os.path.isdir(path):
        return open_checkpoint(path)
    while (latest := latest_checkpoint(path)) is not None:
        # Who has listed later ones may have deleted it meanwhile.
        with suppress(NotFoundError):
            return open_checkpoint(latest)
    wrong = "Couldn't find 'checkpoint' file or checkpoints in given directory"
    raise ValueError(message("load_checkpoint", wrong, path, "a folder of Saver.save"))


def NewCheckpointReader(filepattern: str | os.PathLike[str]) -> CheckpointReader:  # noqa: N802 - TensorFlow's name
    """Return a reader of a checkpoint, as ``load_checkpoint``, but of no folder.

    Source: TensorFlow 1 API pages, ``tf.train.NewCheckpointReader``.
    """
    return open_checkpoint(os.fspath(filepattern))


def list_variables(ckpt_dir_or_file: str | os.PathLike[str]) -> list[tuple[str, list[int]]]:
    """Return names and shapes of the tensors of a checkpoint, by name; see ``load_checkpoint``.

    Source: TensorFlow 1 API pages, ``tf.train.list_variables``.
    """
    return sorted(load_checkpoint(ckpt_dir_or_file).get_variable_to_shape_map().items())


def load_variable(ckpt_dir_or_file: str | os.PathLike[str], name: str) -> npt.NDArray[Any]:
    """Return one tensor of a checkpoint; nothing else is read. See ``load_checkpoint``.

    Args:
        ckpt_dir_or_file: Path of a checkpoint, or a folder.
        name: Name of the tensor, with or without ``":0"``.

    Source: TensorFlow 1 API pages, ``tf.train.load_variable``.
    """
    return load_checkpoint(ckpt_dir_or_file).get_tensor(name.removesuffix(":0"))


def latest_checkpoint(checkpoint_dir: str | os.PathLike[str], latest_filename: str | None = None) -> str | None:
    """Return the path of the latest checkpoint of a folder whose checksums hold, all of which are tested.

    One that is missing or damaged is passed over for the newest before it, with a warning in the log.

    Returns:
        The path, for ``Saver.restore``; ``None`` if there is none.

    Raises:
        ImportError: The extra ``checkpoint`` is not installed.

    Source: TensorFlow 1 API pages, ``tf.train.latest_checkpoint``.
    """
    passed_over: list[str] = []
    while True:
        state = get_checkpoint_state(checkpoint_dir, latest_filename)
        if state is None:
            return None
        paths = [state.model_checkpoint_path, *reversed(state.all_model_checkpoint_paths)]
        found = next((path for path in dict.fromkeys(paths) if _holds(path)), None)
        # Where none holds, others may have been listed meanwhile, and these deleted.
        if found is not None or paths == passed_over:
            return found
        passed_over = paths


def _holds(path: str) -> bool:
    try:
        open_checkpoint(path).verify()
    except (DataLossError, NotFoundError, UnimplementedError, OSError) as error:
        _log.warning("latest_checkpoint: %s is passed over: %s", path, error)
        return False
    return True
