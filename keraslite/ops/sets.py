"""Tensors as sets: what is in them, and each element once."""

from __future__ import annotations

from typing import Any

from keraslite.core import dtypes, shapes
from keraslite.core.op import Tensor, TensorLike, composite
from keraslite.core.promotion import DtypeRule
from keraslite.ops.arithmetic import minimum, subtract
from keraslite.ops.core import as_tensor, cast, dtype, shape, widened
from keraslite.ops.creation import arange, ones
from keraslite.ops.indexing import nonzero, take
from keraslite.ops.joining import concatenate
from keraslite.ops.logic import equal, greater, isnan, logical_not, not_equal, where
from keraslite.ops.nan import nanmin
from keraslite.ops.reductions import any, cumsum
from keraslite.ops.shaping import moveaxis, ravel, reshape
from keraslite.ops.sorting import argsort, searchsorted, sort

__all__ = ["isin", "unique"]


def _isin_shape(x1: Any, x2: Any, *static: Any) -> Any:
    return tuple(x1)


@composite(_isin_shape, DtypeRule(dtypes.promote, output="bool"), native=False)
def isin(
    x1: TensorLike, x2: TensorLike, assume_unique: bool = False, invert: bool = False
) -> Tensor:
    """Whether each element of `x1` occurs in `x2`.

    Args:
        x1: a tensor.
        x2: a tensor of any shape.
        assume_unique: whether no element occurs twice in either; makes no difference.
        invert: whether to tell what does *not* occur.

    Returns:
        A boolean tensor shaped like `x1`.

    Example:
        >>> keras.ops.isin([1, 2, 3], [3, 1])
        array([ True, False,  True])
    """
    x1, x2 = (_sortable(x) for x in (x1, ravel(x2)))
    if x2.shape[0] == 0:
        found = not_equal(x1, x1) & equal(x1, x1)
    else:
        # NaN equals nothing, and would lead the search astray.
        ordered = sort(where(isnan(x2), nanmin(x2), x2))
        place = minimum(searchsorted(ordered, x1), shape(x2)[0] - 1)
        found = equal(take(ordered, place), x1)
    return logical_not(found) if invert else found


def _sortable(x: Tensor) -> Tensor:
    return cast(x, "int32") if dtype(x) == "bool" else widened(x)


def unique(
    x: TensorLike,
    sorted: bool = True,
    return_index: bool = False,
    return_inverse: bool = False,
    return_counts: bool = False,
    axis: int | None = None,
    size: int | None = None,
    fill_value: Any = None,
) -> Any:
    """Each element once. NaN equals nothing, itself included.

    How many there are depends on the values: inside of a compiled step of a static engine
    `size` is needed.

    Args:
        x: a tensor.
        sorted: whether to sort; they come sorted in any case.
        return_index: whether to return where each stands first.
        return_inverse: whether to return which one stands at each place of `x`.
        return_counts: whether to return how often each occurs.
        axis: compares whole slices along this axis; None the elements of the flattened tensor.
        size: how many to return: the first ones, filled up at the end if there are fewer.
        fill_value: what to fill up with, 0 by default.

    Returns:
        The elements (a vector, or a tensor with another size along `axis`), or a tuple of
        them and what was asked for, in the order of the arguments. Indices and counts are
        int32 vectors, the inverse is shaped like `x` or, with an axis, a vector; both are 0
        where the elements were filled up.

    Raises:
        ValueError: for an axis that `x` has not.

    Example:
        >>> keras.ops.unique([2, 1, 2], return_counts=True)
        (array([1, 2], dtype=int32), array([1, 2], dtype=int32))
    """
    x = as_tensor(x)
    sizes = shape(x)
    if axis is None and return_inverse and sizes.count(None) > 1:
        raise ValueError(
            "ops.unique: for the inverse, one size may be unknown at most. "
            f"Received: x of shape {sizes}"
        )
    if axis is None:
        rows = ravel(x)
        order = argsort(rows)
    else:
        at = shapes.canonical_axis(axis, len(x.shape))
        rows = moveaxis(x, at, 0)
        order = _lexical_order(rows)
    rows = take(rows, order, 0)
    differs = not_equal(rows[1:], rows[:-1])
    if len(x.shape) > 1 and axis is not None:
        differs = any(differs, tuple(range(1, len(x.shape))))
    first = concatenate([ones((1,), "bool"), differs]) if x.shape[:1] != (0,) else differs
    # Which of the unique elements stands at each place in order.
    rank = subtract(cumsum(cast(first, "int32")), 1)
    if size is None:
        index = nonzero(first)[0]
        which = take(rank, index)
    else:
        which = arange(size)
        index = searchsorted(rank, which)
    counts = subtract(searchsorted(rank, which, "right"), index)
    values, index = take(rows, index, 0), take(order, index)
    if size is not None:
        there = greater(counts, 0)
        index = where(there, index, 0)
        there = reshape(there, (-1, *[1] * (len(rows.shape) - 1)))
        values = where(there, values, cast(0 if fill_value is None else fill_value, dtype(x)))
    found = [values if axis is None else moveaxis(values, 0, at)]
    if return_index:
        found.append(index)
    if return_inverse:
        inverse = take(rank, argsort(order))
        found.append(reshape(inverse, sizes) if axis is None else inverse)
    if return_counts:
        found.append(counts)
    return tuple(found) if len(found) > 1 else found[0]


def _lexical_order(rows: Tensor) -> Tensor:
    """The order of slices by their first element, those alike by their second, and so on."""
    count = shapes.size(tuple(rows.shape[1:]))
    if not count:
        raise ValueError(
            "ops.unique: all sizes but that of `axis` must be known and not 0. "
            f"Received: slices of shape {tuple(rows.shape[1:])}"
        )
    columns = reshape(rows, (-1, count))
    order = argsort(columns[:, -1])
    # A stable sort by a column keeps the order by the columns behind it.
    for i in reversed(range(count - 1)):
        order = take(order, argsort(take(columns[:, i], order)))
    return order
