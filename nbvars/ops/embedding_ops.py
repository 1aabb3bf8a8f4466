"""Rows of a table by number, also of a table that is spread over several variables."""

from __future__ import annotations

from typing import Any

from nbvars.checks import expect_integer, message
from nbvars.dtypes import int64
from nbvars.graph.tensor import Tensor, TensorValue
from nbvars.ops.array_ops import identity, reshape, shape, size
from nbvars.ops.cast_ops import cast
from nbvars.ops.clip_ops import clip_by_norm
from nbvars.ops.indexing_ops import boolean_mask, gather, sum_of_slices
from nbvars.ops.joining_ops import concat
from nbvars.ops.math_ops import clip_by_value, equal, maximum, minimum
from nbvars.ops.ramp_ops import range as ramp
from nbvars.ops.shape_rules import as_sizes
from nbvars.runtime.building import op_scope
from nbvars.runtime.conversion import borrow, convert_to_tensor

_WHERE = "embedding_lookup"


def embedding_lookup(
    params: Any,
    ids: TensorValue,
    partition_strategy: str = "mod",
    name: str | None = None,
    validate_indices: bool = True,
    max_norm: TensorValue | None = None,
) -> Tensor:
    """Return the rows of a table that ``ids`` name.

    The gradient by a variable is ``IndexedSlices`` of the rows that were looked up: an optimizer reads no others.

    Args:
        params: A table of shape ``[n, *row]``; or a list of tables or a ``PartitionedVariable``, together ``n`` rows.
        ids: Integers of any shape, each in ``[0, n)``.
        partition_strategy: Where the rows of several tables are. ``"mod"``: row ``id`` is in table
            ``id % len(params)``; ``"div"``: each table has its share in one piece, the first ``n % len(params)`` one
            row more than the others.
        name: Name of the op.
        validate_indices: Without effect: ids are always checked.
        max_norm: Scale rows of a greater Euclidean norm down to this one.

    Returns:
        Shape ``[*ids.shape, *row]``.

    Raises:
        InvalidArgumentError: An id is out of range; of several tables the message names the row within one.
        TypeError: ``ids`` are no integers, or tables differ in dtype.
        ValueError: There is no table, their rows differ in shape, or the strategy is unknown.

    Source: TensorFlow 1 API pages, ``tf.nn.embedding_lookup``.
    """
    tables = _listed(params)
    if partition_strategy not in _PLACES:
        wrong = "Unrecognized partition strategy"
        raise ValueError(message(_WHERE, wrong, repr(partition_strategy), "'mod' or 'div'"))
    with op_scope(name, _WHERE, *map(borrow, tables), borrow(ids)) as scope:
        is_empty_list = isinstance(ids, (list, tuple)) and not ids
        wanted = convert_to_tensor(ids, int64 if is_empty_list else None, "ids")
        expect_integer(_WHERE, "ids", wanted.dtype.base_dtype)
        if len(tables) == 1:
            return identity(_rows(tables[0], wanted, max_norm, scope))
        found = _of_several(tables, cast(reshape(wanted, [-1]), int64), partition_strategy, max_norm)
        return reshape(found, concat([shape(wanted, out_type=int64), shape(found, out_type=int64)[1:]], 0))


def _listed(params: Any) -> list[Any]:
    """Return the tables."""
    # A ``PartitionedVariable``, of which this layer knows nothing, has its parts here.
    params = getattr(params, "_variable_list", params)
    if params is None:
        raise ValueError(message(_WHERE, "params must be specified", None, "a table"))
    tables = list(params) if isinstance(params, (list, tuple)) else [params]
    if not tables:
        raise ValueError(message(_WHERE, "Need at least one param", "none", "a table or a list of tables"))
    return tables


def _rows(table: Any, ids: Tensor, max_norm: Any, name: str | None = None) -> Tensor:
    found = gather(table, ids, name=name)
    if max_norm is None:
        return found
    rank = borrow(table).shape.ndims
    if rank is None:
        wrong = "max_norm needs to know the axes of a row"
        raise ValueError(message(_WHERE, wrong, "unknown", "a table of known rank"))
    clipped: Tensor = clip_by_norm(found, max_norm, list(range(1 - rank, 0)))
    return clipped


def _of_several(tables: list[Any], ids: Tensor, strategy: str, max_norm: Any) -> Tensor:
    """Return the rows that a vector of ids names."""
    table, row = _PLACES[strategy](tables, ids)
    place = ramp(size(ids, out_type=int64))
    found, places = [], []
    for number, each in enumerate(tables):
        is_here = equal(table, number)
        found.append(_rows(each, boolean_mask(row, is_here), max_norm))
        places.append(boolean_mask(place, is_here))
    # Row i of what was found belongs to places[i]; the other way round, place j gets row order[j].
    order = sum_of_slices(place, concat(places, 0), as_sizes(_WHERE, "ids", shape(ids)))
    return gather(concat(found, 0), order)


def _mod(tables: list[Any], ids: Tensor) -> tuple[Tensor, Tensor]:
    """Return the table of each id, and the row within it."""
    return ids % len(tables), ids // len(tables)


def _div(tables: list[Any], ids: Tensor) -> tuple[Tensor, Tensor]:
    """Return the table of each id, and the row within it."""
    total = convert_to_tensor(sum(_num_rows(table) for table in tables), int64)
    share, extra = total // len(tables), total % len(tables)
    table = maximum(ids // (share + 1), (ids - extra) // maximum(share, 1))
    # An id that is out of range gets a row that no table has, which gather tells.
    table = clip_by_value(table, 0, len(tables) - 1)
    return table, ids - table * share - minimum(table, extra)


_PLACES = {"mod": _mod, "div": _div}


def _num_rows(table: Any) -> Any:
    tensor = borrow(table)
    static = tensor.shape
    known = static.as_list()[0] if static.ndims else None
    return shape(tensor, out_type=int64)[0] if known is None else known
