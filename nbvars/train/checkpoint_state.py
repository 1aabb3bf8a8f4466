"""The file ``checkpoint`` of a folder, which lists its checkpoints as TensorFlow does: in protobuf's text format."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from nbvars.checks import message
from nbvars.train.checkpoint_files import write_whole

_log = logging.getLogger("nbvars")

_FIELD = re.compile(
    r"""\s*(?:\#[^\n]*\n\s*)*(\w+)\s*:\s*("(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|[-+\w.]+)\s*[;,]?\s*""", re.ASCII
)
_ESCAPE = re.compile(rb"\\(?:x([0-9a-fA-F]{1,2})|([0-7]{1,3})|(.))", re.DOTALL)
_ESCAPES = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"a": b"\a", b"b": b"\b", b"f": b"\f", b"v": b"\v"}
_ESCAPED = {"\n": r"\n", "\r": r"\r", "\t": r"\t", '"': r"\"", "'": r"\'", "\\": r"\\"}


@dataclass
class CheckpointState:
    """What the file says; the fields are those of TensorFlow's message ``CheckpointState``."""

    model_checkpoint_path: str = ""
    all_model_checkpoint_paths: list[str] = field(default_factory=list)
    all_model_checkpoint_timestamps: list[float] = field(default_factory=list)
    last_preserved_timestamp: float | None = None

    def __str__(self) -> str:
        lines = [f"model_checkpoint_path: {_quoted(self.model_checkpoint_path)}"]
        lines += [f"all_model_checkpoint_paths: {_quoted(path)}" for path in self.all_model_checkpoint_paths]
        lines += [f"all_model_checkpoint_timestamps: {time!r}" for time in self.all_model_checkpoint_timestamps]
        if self.last_preserved_timestamp is not None:
            lines.append(f"last_preserved_timestamp: {self.last_preserved_timestamp!r}")
        return "".join(f"{line}\n" for line in lines)


def _quoted(text: str) -> str:
    escaped = (_ESCAPED.get(char) or (char if char.isprintable() else _octal(char)) for char in text)
    return f'"{"".join(escaped)}"'


def _octal(char: str) -> str:
    return "".join(f"\\{byte:03o}" for byte in char.encode(errors="surrogateescape"))


def _unquoted(text: str) -> str:
    def plain(match: re.Match[bytes]) -> bytes:
        hexadecimal, octal, char = match.groups()
        if hexadecimal or octal:
            return bytes([int(hexadecimal, 16) if hexadecimal else int(octal, 8) & 0xFF])
        return _ESCAPES.get(char, char)

    return _ESCAPE.sub(plain, text[1:-1].encode(errors="surrogateescape")).decode(errors="surrogateescape")


def parse_state(text: str) -> CheckpointState:
    """Return what a file says; fields that it does not know are passed over.

    Raises:
        ValueError: The text is malformed.
    """
    state, at = CheckpointState(), 0
    while at < len(text):
        match = _FIELD.match(text, at)
        if match is None:
            if not text[at:].strip():
                break
            wrong = "the text is malformed"
            raise ValueError(message("checkpoint state", wrong, repr(text[at : at + 40]), "a field and its value"))
        at = match.end()
        _set(state, *match.groups())
    return state


def _set(state: CheckpointState, name: str, value: str) -> None:
    is_text = value[0] in "\"'"
    if name == "model_checkpoint_path" and is_text:
        state.model_checkpoint_path = _unquoted(value)
    elif name == "all_model_checkpoint_paths" and is_text:
        state.all_model_checkpoint_paths.append(_unquoted(value))
    elif name == "all_model_checkpoint_timestamps":
        state.all_model_checkpoint_timestamps.append(float(value))
    elif name == "last_preserved_timestamp":
        state.last_preserved_timestamp = float(value)


def state_path(folder: str | os.PathLike[str], latest_filename: str | None) -> str:
    """Return the path of the file."""
    return os.path.join(folder, latest_filename or "checkpoint")


def get_checkpoint_state(
    checkpoint_dir: str | os.PathLike[str], latest_filename: str | None = None
) -> CheckpointState | None:
    """Return what the file ``checkpoint`` of a folder says, with paths that lead from here.

    Returns:
        The state; ``None``, with a warning in the log, if the file is not there, cannot be read or is malformed.

    Raises:
        ValueError: The file names no checkpoint.

    Source: TensorFlow 1 API pages, ``tf.train.get_checkpoint_state``.
    """
    folder, path = os.fspath(checkpoint_dir), state_path(checkpoint_dir, latest_filename)
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            state = parse_state(file.read())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        _log.warning("get_checkpoint_state: %s is ignored: %s", path, error)
        return None
    if not state.model_checkpoint_path:
        wrong = "Invalid checkpoint state loaded"
        raise ValueError(message("get_checkpoint_state", wrong, path, "a file that names a checkpoint"))
    state.model_checkpoint_path = os.path.join(folder, state.model_checkpoint_path)
    state.all_model_checkpoint_paths = [os.path.join(folder, each) for each in state.all_model_checkpoint_paths]
    return state


def generate_checkpoint_state_proto(
    save_dir: str | os.PathLike[str],
    model_checkpoint_path: str,
    all_model_checkpoint_paths: Iterable[str] | None = None,
    all_model_checkpoint_timestamps: Iterable[float] | None = None,
    last_preserved_timestamp: float | None = None,
) -> CheckpointState:
    """Return the state of a folder; paths that are relative, as the folder is, become relative to it.

    Args:
        save_dir: The folder.
        model_checkpoint_path: The newest checkpoint.
        all_model_checkpoint_paths: All checkpoints, the newest last; it is added if it is not there.
        all_model_checkpoint_timestamps: When each was written, in seconds since 1970.
        last_preserved_timestamp: When the last one was written that is to stay.

    Raises:
        ValueError: There are not as many times as checkpoints.

    Source: TensorFlow 1 API pages, ``tf.train.generate_checkpoint_state_proto``.
    """
    folder, newest = os.fspath(save_dir), os.fspath(model_checkpoint_path)
    paths = [os.fspath(path) for path in all_model_checkpoint_paths or ()]
    times = [float(time) for time in all_model_checkpoint_timestamps or ()]
    if paths[-1:] != [newest]:
        paths.append(newest)
    if times and len(times) != len(paths):
        wrong = "Checkpoint timestamps, if provided, must match checkpoint paths"
        raise ValueError(message("update_checkpoint_state", wrong, f"{len(times)} times", f"{len(paths)}"))
    if not os.path.isabs(folder):
        newest, *paths = (path if os.path.isabs(path) else os.path.relpath(path, folder) for path in [newest, *paths])
    return CheckpointState(newest, paths, times, last_preserved_timestamp)


def update_checkpoint_state(
    save_dir: str | os.PathLike[str],
    model_checkpoint_path: str,
    all_model_checkpoint_paths: Iterable[str] | None = None,
    latest_filename: str | None = None,
    all_model_checkpoint_timestamps: Iterable[float] | None = None,
    last_preserved_timestamp: float | None = None,
) -> None:
    """Replace the file ``checkpoint`` of a folder, as a whole and durably.

    Args:
        save_dir: The folder.
        model_checkpoint_path: The newest checkpoint.
        all_model_checkpoint_paths: All checkpoints, the newest last; it is added if it is not there.
        latest_filename: Another name for the file.
        all_model_checkpoint_timestamps: When each was written, in seconds since 1970.
        last_preserved_timestamp: When the last one was written that is to stay.

    Raises:
        ValueError: There are not as many times as checkpoints.
        RuntimeError: The file and the checkpoint have one name.
        OSError: The file cannot be written; it is as it was.

    Source: TensorFlow 1 API pages, ``tf.train.update_checkpoint_state``.
    """
    state = generate_checkpoint_state_proto(
        save_dir,
        model_checkpoint_path,
        all_model_checkpoint_paths,
        all_model_checkpoint_timestamps,
        last_preserved_timestamp,
    )
    path = state_path(save_dir, latest_filename)
    if path == state.model_checkpoint_path:
        wrong = "Save path conflicts with path used for checkpoint state"
        raise RuntimeError(message("update_checkpoint_state", wrong, path, "another save path"))
    write_whole(path, str(state).encode(errors="surrogateescape"))
