"""The methods of a variable that update, or read, some of its rows or positions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

from nbvars.graph.indexed_slices import IndexedSlices
from nbvars.graph.tensor import Tensor, TensorValue
from nbvars.ops import state_ops
from nbvars.ops.indexing_ops import gather, gather_nd
from nbvars.runtime.tensor import HasValue


class RowUpdates(HasValue):
    """What ``Variable`` does with rows: each method is the op of its name."""

    __slots__ = ()

    def _update_by(self, op: str, *arguments: Any) -> Self:
        update: Callable[..., Self] = getattr(state_ops, op)
        return update(self, *arguments)

    def _scatter(
        self, operation: str, delta: IndexedSlices, use_locking: bool, name: str | None, deterministic: bool | None
    ) -> Self:
        op = f"scatter_{operation}"
        return self._update_by(op, *state_ops.parts_of(op, delta), use_locking, name, deterministic)

    def scatter_sub(
        self,
        delta: IndexedSlices,
        use_locking: bool = False,
        name: str | None = None,
        deterministic: bool | None = None,
    ) -> Self:
        """Subtract the slices of ``delta`` from the rows they belong to, as ``nbvars.scatter_sub``.

        Raises:
            ValueError: ``delta`` is no ``IndexedSlices``.
        """
        return self._scatter("sub", delta, use_locking, name, deterministic)

    def scatter_add(
        self,
        delta: IndexedSlices,
        use_locking: bool = False,
        name: str | None = None,
        deterministic: bool | None = None,
    ) -> Self:
        """Add the slices of ``delta`` to the rows they belong to, as ``nbvars.scatter_add``."""
        return self._scatter("add", delta, use_locking, name, deterministic)

    def scatter_update(
        self,
        delta: IndexedSlices,
        use_locking: bool = False,
        name: str | None = None,
        deterministic: bool | None = None,
    ) -> Self:
        """Replace rows by the slices of ``delta``, as ``nbvars.scatter_update``."""
        return self._scatter("update", delta, use_locking, name, deterministic)

    def scatter_mul(
        self,
        delta: IndexedSlices,
        use_locking: bool = False,
        name: str | None = None,
        deterministic: bool | None = None,
    ) -> Self:
        """Multiply rows by the slices of ``delta``, as ``nbvars.scatter_mul``."""
        return self._scatter("mul", delta, use_locking, name, deterministic)

    def scatter_div(
        self,
        delta: IndexedSlices,
        use_locking: bool = False,
        name: str | None = None,
        deterministic: bool | None = None,
    ) -> Self:
        """Divide rows by the slices of ``delta``, as ``nbvars.scatter_div``."""
        return self._scatter("div", delta, use_locking, name, deterministic)

    def scatter_min(
        self,
        delta: IndexedSlices,
        use_locking: bool = False,
        name: str | None = None,
        deterministic: bool | None = None,
    ) -> Self:
        """Keep the smaller of rows and the slices of ``delta``, as ``nbvars.scatter_min``."""
        return self._scatter("min", delta, use_locking, name, deterministic)

    def scatter_max(
        self,
        delta: IndexedSlices,
        use_locking: bool = False,
        name: str | None = None,
        deterministic: bool | None = None,
    ) -> Self:
        """Keep the larger of rows and the slices of ``delta``, as ``nbvars.scatter_max``."""
        return self._scatter("max", delta, use_locking, name, deterministic)

    def batch_scatter_update(
        self,
        delta: IndexedSlices,
        use_locking: bool = False,
        name: str | None = None,
        deterministic: bool | None = None,
    ) -> Self:
        """Replace rows within each batch by the slices of ``delta``, as ``nbvars.batch_scatter_update``."""
        op = "batch_scatter_update"
        return self._update_by(op, *state_ops.parts_of(op, delta), use_locking, name, deterministic)

    def scatter_nd_sub(
        self,
        indices: TensorValue,
        updates: TensorValue,
        use_locking: bool = False,
        name: str | None = None,
        deterministic: bool | None = None,
    ) -> Self:
        """Subtract ``updates`` at positions, as ``nbvars.scatter_nd_sub``."""
        return self._update_by("scatter_nd_sub", indices, updates, use_locking, name, deterministic)

    def scatter_nd_add(
        self,
        indices: TensorValue,
        updates: TensorValue,
        use_locking: bool = False,
        name: str | None = None,
        deterministic: bool | None = None,
    ) -> Self:
        """Add ``updates`` at positions, as ``nbvars.scatter_nd_add``."""
        return self._update_by("scatter_nd_add", indices, updates, use_locking, name, deterministic)

    def scatter_nd_update(
        self,
        indices: TensorValue,
        updates: TensorValue,
        use_locking: bool = False,
        name: str | None = None,
        deterministic: bool | None = None,
    ) -> Self:
        """Replace slices at positions by ``updates``, as ``nbvars.scatter_nd_update``."""
        return self._update_by("scatter_nd_update", indices, updates, use_locking, name, deterministic)

    def gather_nd(self, indices: TensorValue, name: str | None = None) -> Tensor:
        """Return the slices at positions, as ``nbvars.gather_nd``."""
        return gather_nd(self, indices, name)

    def sparse_read(self, indices: TensorValue, name: str | None = None) -> Tensor:
        """Return the rows that ``indices`` name, as ``nbvars.gather``."""
        return gather(self, indices, name=name)
