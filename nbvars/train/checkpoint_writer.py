"""Writes variables to a safetensors file, while updates go on.

The library would take all arrays at once, which needs them not to change meanwhile or a copy of all of them. Here each
variable is copied under its lock, piece by piece through a small buffer, so that its value is one that it had; one
thread writes what is copied, and another one has the disk begin with it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np

from nbvars.progress import progress_of_bytes
from nbvars.storage import aligned_empty
from nbvars.train.checkpoint_files import Identity, identity_of, replaced_file, write_all
from nbvars.train.checkpoint_reader import Bytes, byte_view
from nbvars.train.checksum import crc32c
from nbvars.train.manifest import PIECE_BYTES, Described
from nbvars.train.safetensors_file import check_format
from nbvars.train.safetensors_header import header_bytes, layout_of
from nbvars.train.saveables import SavedPart

_CHUNK_BYTES = 2 << 20
"""What is copied before it is handed on, still in the processor's cache; ``PIECE_BYTES`` is a multiple of it."""
_HALF_BYTES = 8 << 20
"""Half of the buffer: as much as the disk may be behind before a copy has to wait for it. With 32 MiB, which no cache
holds, saving 256 MiB takes 1.3 times as long (Zen 4).
"""
_SYNC_BYTES = 64 << 20
"""After so much the disk is asked to begin."""


def write_checkpoint(
    path: str,
    variables: dict[str, Described],
    parts: dict[str, list[SavedPart]],
    global_step: int | None,
) -> Identity | None:
    """Write the file of a checkpoint, which is there as a whole or not at all; return which version of it that is.

    Raises:
        OSError: It cannot be written; what was there before is unchanged.
        ResourceExhaustedError: There is no memory for the buffer.
    """
    layout = layout_of(variables)
    header = header_bytes(variables, None, global_step)
    with replaced_file(path) as new:
        write_all(new.descriptor, np.frombuffer(header, np.uint8))
        checksums: dict[str, list[int]] = {name: [] for name in variables}
        with _Writing(new.descriptor, layout.num_bytes) as writing:
            pieces = _written(writing, variables, parts, list(layout.offsets), checksums)
            for _ in progress_of_bytes(pieces, layout.num_bytes):
                pass
        complete = np.frombuffer(header_bytes(variables, checksums, global_step), np.uint8)
        assert complete.size == len(header)
        os.lseek(new.descriptor, 0, os.SEEK_SET)
        write_all(new.descriptor, complete)
        check_format(new.path)
        # Not later by its path: another process may replace it at any time.
        return identity_of(new.descriptor)


def _written(
    writing: _Writing,
    variables: dict[str, Described],
    parts: dict[str, list[SavedPart]],
    order: list[str],
    checksums: dict[str, list[int]],
) -> Iterator[int]:
    """Hand the variables on to be written, and take their checksums; yield the numbers of bytes."""
    for name in order:
        place = 0
        for source, lock in _sources(variables[name], parts[name]):
            with lock:
                start = 0
                while start < source.size:
                    end = min(source.size, start + _CHUNK_BYTES - place % _CHUNK_BYTES)
                    chunk = writing.room(end - start)
                    chunk[:] = source[start:end]
                    if place % PIECE_BYTES == 0:
                        checksums[name].append(0)
                    checksums[name][-1] = crc32c(chunk, checksums[name][-1])
                    writing.write(chunk)
                    yield end - start
                    place, start = place + end - start, end


def _sources(made: Described, parts: list[SavedPart]) -> Iterator[tuple[Bytes, AbstractContextManager[None]]]:
    """Yield the bytes of a variable in their order, each range with the lock to hold while it is copied."""
    rows = sorted(parts, key=lambda part: part.place[0].start if part.place else 0)
    if len(parts) == 1 or all(part.storage.array.shape[1:] == made.shape[1:] for part in parts):
        for part in rows:
            yield byte_view(part.storage.array), part.storage.locked()
        return
    whole = aligned_empty(made.shape, made.dtype.numpy_dtype)
    for part in parts:
        whole[part.place] = part.storage.read()
    yield byte_view(whole), nullcontext()


class _Writing:
    """Writes to a file, in another thread if there is much to write."""

    def __init__(self, descriptor: int, total: int) -> None:
        self._descriptor = descriptor
        half_bytes = min(_HALF_BYTES, max(total, 1))
        self._halves = [aligned_empty((half_bytes,), np.dtype(np.uint8)) for _ in range(2)]
        self._tasks: list[list[Future[Any]]] = [[], []]
        self._current = 0
        self._used = 0
        self._not_synced = 0
        self._syncs: list[Future[Any]] = []
        has_threads = total > _SYNC_BYTES
        self._writer = ThreadPoolExecutor(1, "nbvars-write") if has_threads else None
        self._syncer = ThreadPoolExecutor(1, "nbvars-sync") if has_threads else None

    def room(self, num_bytes: int) -> Bytes:
        """Return memory for a chunk; waits until what it held is written."""
        if self._used + num_bytes > self._halves[0].size:
            self._current, self._used = 1 - self._current, 0
            self._wait(self._current)
        start, self._used = self._used, self._used + num_bytes
        return self._halves[self._current][start : self._used]

    def write(self, chunk: Bytes) -> None:
        """Write ``chunk`` at the end of the file, some time before ``room`` gives its memory to another one."""
        self._tasks[self._current].append(_submit(self._writer, self._write, chunk))

    def _write(self, chunk: Bytes) -> None:
        write_all(self._descriptor, chunk)
        self._not_synced += chunk.size
        if self._syncer is not None and self._not_synced >= _SYNC_BYTES:
            self._not_synced = 0
            self._syncs.append(_submit(self._syncer, os.fdatasync, self._descriptor))

    def _wait(self, half: int) -> None:
        """Wait until the chunks of a half are written; an error of it is raised here."""
        tasks, self._tasks[half] = self._tasks[half], []
        for task in tasks:
            task.result()

    def __enter__(self) -> _Writing:
        return self

    def __exit__(self, kind: Any, *error: object) -> None:
        try:
            if kind is None:
                self._wait(1 - self._current)
                self._wait(self._current)
        finally:
            for pool in (self._writer, self._syncer):
                if pool is not None:
                    pool.shutdown(cancel_futures=kind is not None)
        if kind is None:
            for sync in self._syncs:
                sync.result()


def _submit(pool: ThreadPoolExecutor | None, run: Callable[..., Any], *arguments: Any) -> Future[Any]:
    """Have ``pool`` run something; run it here if there is no pool, or it takes no more: the interpreter ends."""
    if pool is not None:
        try:
            return pool.submit(run, *arguments)
        except RuntimeError:
            pass
    done: Future[Any] = Future()
    run(*arguments)
    done.set_result(None)
    return done
