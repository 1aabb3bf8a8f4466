"""What nbvars adds to the header of a checkpoint: checksums, and where each variable belongs."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from nbvars.dtypes import DType, as_dtype

PIECE_BYTES = 16 << 20
"""Each piece of a tensor of this size has a checksum of its own, so that several threads can test them."""
_VERSION = 1


class Recorded(NamedTuple):
    """What the manifest says of a variable."""

    dtype: DType
    shape: tuple[int, ...]
    checksums: list[int]


class Described(NamedTuple):
    """What is known of a variable before it is written."""

    dtype: DType
    shape: tuple[int, ...]
    trainable: bool
    collections: list[str]


def num_pieces(num_bytes: int) -> int:
    """Return the number of checksums of a tensor."""
    return -(-num_bytes // PIECE_BYTES)


def manifest_text(variables: dict[str, Described], checksums: dict[str, list[int]], global_step: int | None) -> str:
    """Return the manifest as JSON; its length does not depend on the checksums."""
    entries = {
        name: {
            "crc32c": [f"{checksum:08x}" for checksum in checksums[name]],
            "dtype": made.dtype.name,
            "shape": made.shape,
            "trainable": made.trainable,
            "collections": made.collections,
        }
        for name, made in variables.items()
    }
    manifest = {"version": _VERSION, "global_step": global_step, "piece_bytes": PIECE_BYTES, "variables": entries}
    return json.dumps(manifest, separators=(",", ":"))


class Manifest(NamedTuple):
    """A manifest that was read."""

    global_step: int | None
    piece_bytes: int
    variables: dict[str, Recorded]


def read_manifest(text: str) -> Manifest:
    """Return what a manifest says.

    Raises:
        ValueError: It is malformed, or of a later version.
    """
    try:
        made: Any = json.loads(text, object_pairs_hook=without_duplicates)
        if made["version"] != _VERSION:
            raise ValueError(f"the manifest is of version {made['version']}, later than {_VERSION}")
        variables = {name: _recorded(entry) for name, entry in made["variables"].items()}
        piece_bytes = int(made["piece_bytes"])
        if piece_bytes < 1:
            raise ValueError(f"piece_bytes is {piece_bytes}")
        return Manifest(made["global_step"], piece_bytes, variables)
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"the manifest is malformed ({type(error).__name__}: {error})") from error


def _recorded(entry: Any) -> Recorded:
    checksums = [int(text, 16) for text in entry["crc32c"]]
    return Recorded(as_dtype(entry["dtype"]), tuple(map(int, entry["shape"])), checksums)


def without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object of JSON as a dict; ``ValueError`` if it has a key twice."""
    made = dict(pairs)
    if len(made) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = sorted({key for key in keys if keys.count(key) > 1})
        raise ValueError(f"keys are there twice: {twice}")
    return made
