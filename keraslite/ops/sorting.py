"""Order: sorting, searching, ranking, counting, differences of neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keraslite.backend import engine
from keraslite.core import dtypes, shapes
from keraslite.core.errors import check_choice
from keraslite.core.op import Tensor, TensorLike, composite, kernel, primitive
from keraslite.core.promotion import FLOAT, KEEP, TO_BOOL, TO_INDEX, DtypeRule
from keraslite.ops.arithmetic import add, minimum, subtract
from keraslite.ops.core import cast, dtype, shape, widened
from keraslite.ops.creation import linspace
from keraslite.ops.indexing import get_item, segment_sum, take_along_axis
from keraslite.ops.logic import equal, isfinite, less, logical_and, not_equal, where
from keraslite.ops.reductions import sum
from keraslite.ops.shaping import expand_dims, reshape

__all__ = [
    "argpartition",
    "argsort",
    "bincount",
    "diff",
    "digitize",
    "histogram",
    "in_top_k",
    "searchsorted",
    "sort",
    "top_k",
]


@composite(shapes.cumulative, KEEP, native=False)
def sort(x: TensorLike, axis: int | None = -1) -> Tensor:
    """Sort in rising order; NaN comes last.

    Args:
        x: a tensor.
        axis: the axis; None sorts the flattened tensor.

    Returns:
        A tensor of the shape of `x`, or a vector for `axis=None`.

    Example:
        >>> keras.ops.sort([3, 1, 2])
        array([1, 2, 3], dtype=int32)
    """
    return _sort(reshape(x, (-1,)), 0) if axis is None else _sort(x, axis)


@composite(shapes.cumulative, TO_INDEX, native=False)
def argsort(x: TensorLike, axis: int | None = -1) -> Tensor:
    """The indices that sort; equal elements keep their order. See `sort`.

    Returns:
        An int32 tensor.
    """
    return _argsort(reshape(x, (-1,)), 0) if axis is None else _argsort(x, axis)


def _partition_shape(x: Any, kth: Any, axis: int | None = -1) -> Any:
    found = shapes.cumulative(x, axis)
    n = found[0 if axis is None else axis]
    for k in kth if isinstance(kth, (tuple, list)) else (kth,):
        if n is not None and not -n <= k < n:
            raise ValueError(f"`kth` must lie in [{-n}, {n - 1}]; it is {k}.")
    return found


@composite(_partition_shape, TO_INDEX, native=False, checked=True)
def argpartition(x: TensorLike, kth: int | Sequence[int], axis: int | None = -1) -> Tensor:
    """Indices that put the `kth` element where sorting would put it.

    What stands before it is not larger, what stands behind it is not smaller. (All other
    elements come in order too; do not rely on it.)

    Args:
        x: a tensor.
        kth: which element, or several.
        axis: the axis; None for the flattened tensor.

    Returns:
        An int32 tensor of the shape of `x`, or a vector for `axis=None`.

    Raises:
        ValueError: if there is no `kth` element.
    """
    return argsort(x, axis)


_sort, _argsort, _min, _max = map(kernel, ("sort", "argsort", "min", "max"))


@primitive(None, KEEP)
def top_k(x: TensorLike, k: int, sorted: bool = True) -> tuple[Tensor, Tensor]:
    """The `k` largest elements along the last axis, and where they stand.

    Args:
        x: a tensor.
        k: how many.
        sorted: whether they come in falling order.

    Returns:
        `(values, indices)`, each of shape `x.shape[:-1] + (k,)`; indices are int32.

    Example:
        >>> keras.ops.top_k([1, 3, 2], 2)
        (array([3, 2], dtype=int32), array([1, 2], dtype=int32))
    """


def _in_top_k_shape(targets: Any, predictions: Any, k: int) -> Any:
    if len(predictions) != len(targets) + 1:
        raise ValueError("`predictions` must have one axis more than `targets`, the classes.")
    return shapes.broadcast(targets, predictions[:-1])


@composite(_in_top_k_shape, TO_BOOL, native=False)
def in_top_k(targets: TensorLike, predictions: TensorLike, k: int) -> Tensor:
    """Whether the right class is among the `k` with the highest predictions.

    Classes that tie with the `k`-th count as in.

    Args:
        targets: class indices of shape `(batch,)`.
        predictions: of shape `(batch, classes)`.
        k: how many classes.

    Returns:
        A boolean tensor shaped like `targets`; False where the prediction of the right
        class is not finite or its index out of range.
    """
    classes = shape(predictions)[-1]
    inside = logical_and(targets >= 0, targets < classes)
    index = expand_dims(where(inside, targets, 0), -1)
    mine = take_along_axis(predictions, index, -1)
    above = sum(cast(predictions > mine, "int32"), -1)
    valid = logical_and(inside, isfinite(reshape(mine, shape(targets))))
    return logical_and(valid, less(above, k))


_INDICES = DtypeRule(dtypes.promote, output="int32")


def _search_shape(sorted_sequence: Any, values: Any, side: str = "left") -> Any:
    check_choice("", ("left", "right"), side=side)
    if len(sorted_sequence) != 1:
        raise ValueError("`sorted_sequence` must have one axis.")
    return values


_searchsorted = kernel("searchsorted")


@composite(_search_shape, _INDICES, native=False, checked=True)
def searchsorted(sorted_sequence: TensorLike, values: TensorLike, side: str = "left") -> Tensor:
    """Where values would stand in a sorted vector.

    Args:
        sorted_sequence: a vector in rising order.
        values: a tensor.
        side: `"left"`: before equal elements; `"right"`: behind them.

    Returns:
        An int32 tensor shaped like `values`.

    Raises:
        ValueError: for another `side`, or if the sequence is no vector.

    Example:
        >>> keras.ops.searchsorted([1, 3, 5], [3, 4])
        array([1, 2], dtype=int32)
    """
    return _searchsorted(sorted_sequence, values, side)


def digitize(x: TensorLike, bins: TensorLike) -> Tensor:
    """The bin that each element falls into: how many edges are not above it.

    Args:
        x: a tensor.
        bins: edges in rising order.

    Returns:
        An int32 tensor shaped like `x`.

    Example:
        >>> keras.ops.digitize([0.5, 2.0], [1.0, 2.0, 3.0])
        array([0, 2], dtype=int32)
    """
    return searchsorted(bins, x, "right")


_bincount = kernel("bincount")


def _bincount_shape(x: Any, weights: Any, minlength: int, sparse: bool) -> Any:
    if len(x) not in (1, 2):
        raise ValueError(f"`x` must have 1 or 2 axes; it has {len(x)}.")
    return (*x[:-1], None)


@composite(_bincount_shape, DtypeRule(dtypes.promote, apart={"x": None}), native=False)
def bincount(
    x: TensorLike,
    weights: TensorLike | None = None,
    minlength: int = 0,
    sparse: bool = False,
) -> Tensor:
    """How often each number from 0 on occurs.

    How long the result is depends on the values; in a compiled step of a static engine
    it is `minlength`.

    Args:
        x: integers that are not negative: a vector, or a batch of vectors.
        weights: what each occurrence counts, shaped like `x`; 1 by default.
        minlength: the least length of the result.
        sparse: whether to return a sparse tensor.

    Returns:
        A tensor with the counts as its last axis: int32, or the dtype of `weights`.

    Raises:
        NotImplementedError: for `sparse=True` on an engine without sparse tensors.

    Example:
        >>> keras.ops.bincount([1, 1, 3])
        array([0, 2, 0, 1], dtype=int32)
    """
    found = _bincount(x, weights, minlength)
    return engine.to_sparse(found) if sparse else found


def _histogram_shape(x: Any, bins: int = 10, range: Any = None) -> Any:
    if len(x) != 1:
        raise ValueError(f"`x` must have 1 axis; it has {len(x)}.")
    if not isinstance(bins, int) or bins < 1:
        raise ValueError("`bins` must be a positive int.")
    if range is not None and range[0] > range[1]:
        raise ValueError(f"`range` must rise; it is {tuple(range)}.")
    return (bins,), (bins + 1,)


@composite(_histogram_shape, FLOAT, native=False, checked=True)
def histogram(
    x: TensorLike, bins: int = 10, range: Sequence[float] | None = None
) -> tuple[Tensor, Tensor]:
    """How many elements fall into each of some equally wide bins.

    Args:
        x: a vector.
        bins: how many bins.
        range: where the first begins and the last ends, by default the extremes of `x`;
            what lies outside is not counted. Without any width it grows by 1.

    Returns:
        `(counts, edges)`, float vectors of lengths `bins` and `bins + 1`. A bin holds its
        lower edge, the last one both.

    Raises:
        ValueError: for another rank, fewer bins than one or a falling range.

    Example:
        >>> keras.ops.histogram([1.0, 2.0, 2.5, 4.0], bins=3)
        (array([1., 2., 1.]), array([1., 2., 3., 4.]))
    """
    wide = widened(x)
    if range is None:
        # Of nothing the range is that from 0 to 1.
        empty = x.shape[0] == 0
        low, high = (0, 1) if empty else (_min(wide, None, False), _max(wide, None, False))
    else:
        low, high = range
    low, high = cast(low, dtype(wide)), cast(high, dtype(wide))
    half = where(equal(low, high), 0.5, 0)
    low, high = subtract(low, half), add(high, half)
    edges = linspace(low, high, bins + 1)
    place = searchsorted(edges, wide, "right") - 1
    inside = logical_and(wide >= low, wide <= high)
    # The upper end belongs to the last bin; outsiders go to a bin more.
    place = where(inside, minimum(place, bins - 1), bins)
    counts = segment_sum(cast(inside, "int32"), place, bins + 1)[:bins]
    return cast(counts, dtype(x)), cast(edges, dtype(x))


@composite(shapes.diff, KEEP)
def diff(a: TensorLike, n: int = 1, axis: int = -1) -> Tensor:
    """Each element less the one before it; of booleans, whether they differ.

    Args:
        a: a tensor.
        n: how many times.
        axis: the axis.

    Returns:
        A tensor whose size along the axis is smaller by `n`.

    Example:
        >>> keras.ops.diff([1, 4, 9])
        array([3, 5], dtype=int32)
    """
    at = shapes.canonical_axis(axis, len(a.shape))
    join = not_equal if dtype(a) == "bool" else subtract
    before = (slice(None),) * at
    for _ in range(n):
        a = join(get_item(a, (*before, slice(1, None))), get_item(a, (*before, slice(None, -1))))
    return a
