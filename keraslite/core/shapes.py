"""Shape rules: from the shapes of an op's arguments to the shape of its result.

A rule takes all arguments of the op, in order, with a shape in the place of each tensor. `None`
is an unknown size. Rules also word the error for shapes that do not fit, the same on every engine.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

Shape = tuple[int | None, ...]


def same(x: Shape, *static: Any) -> Shape:
    """Elementwise on one tensor."""
    return tuple(x)


def scalar(*args: Any) -> Shape:
    """Ops that give a single value."""
    return ()


def join(a: int | None, b: int | None) -> int | None:
    if a == 1:
        return b
    if b == 1 or a == b:
        return a
    if a is None or b is None:
        return b if a is None else a
    raise ValueError(f"sizes {a} and {b} do not broadcast.")


def broadcast(*shapes: Any) -> Shape:
    """Elementwise on several tensors, by NumPy's broadcasting; what is no shape is ignored."""
    given = [tuple(s) for s in shapes if isinstance(s, (tuple, list))]
    rank = max((len(s) for s in given), default=0)
    result: Shape = (1,) * rank
    for shape in given:
        padded = (1,) * (rank - len(shape)) + shape
        try:
            result = tuple(join(a, b) for a, b in zip(result, padded, strict=True))
        except ValueError as error:
            listed = ", ".join(map(str, given))
            raise ValueError(f"The shapes {listed} do not fit: {error}") from None
    return result


def canonical_axis(axis: int, rank: int) -> int:
    """`axis` as a number from 0 to `rank - 1`."""
    if not -rank <= axis < rank:
        raise ValueError(f"`axis` must lie in [{-rank}, {rank - 1}] for rank {rank}; it is {axis}.")
    return axis % rank


def canonical_axes(axis: int | Sequence[int] | None, rank: int) -> tuple[int, ...]:
    """`axis` as a tuple of numbers from 0 to `rank - 1`; None means all axes."""
    if axis is None:
        return tuple(range(rank))
    axes = axis if isinstance(axis, (tuple, list)) else (axis,)
    found = tuple(canonical_axis(a, rank) for a in axes)
    if len(set(found)) != len(found):
        raise ValueError(f"`axis` names an axis twice: {axis}.")
    return found


def reduce(x: Shape, axis: Any = None, keepdims: bool = False, *static: Any) -> Shape:
    """Reductions such as `sum`."""
    axes = canonical_axes(axis, len(x))
    if keepdims:
        return tuple(1 if i in axes else n for i, n in enumerate(x))
    return tuple(n for i, n in enumerate(x) if i not in axes)


def reduce_filled(x: Shape, axis: Any = None, keepdims: bool = False, initial: Any = None) -> Shape:
    """Reductions that have no value for an empty axis unless there is an `initial` one."""
    axes = canonical_axes(axis, len(x))
    if initial is None and 0 in [x[i] for i in axes]:
        raise ValueError("There is no extreme of nothing: an axis is empty. Give `initial`.")
    return reduce(x, axis, keepdims)


def index_of(x: Shape, axis: int | None = None, keepdims: bool = False) -> Shape:
    """Reductions to the index of one element."""
    found = reduce(x, axis, keepdims)
    if 0 in ([x[axis]] if axis is not None else x):
        raise ValueError("There is no extreme of nothing: an axis is empty.")
    return found


def window(
    size: int | None, kernel: int, stride: int, padding: str, dilation: int = 1
) -> int | None:
    """The number of positions of a window along one axis."""
    if size is None:
        return None
    span = (kernel - 1) * dilation + 1
    steps = size if padding in ("same", "causal") else size - span + 1
    if steps <= 0:
        raise ValueError(
            f"A window of {span} does not fit into a size of {size} with padding={padding!r}."
        )
    return -(-steps // stride)


# Sizes ---------------------------------------------------------------------------


def size(shape: Sequence[int | None]) -> int | None:
    """The number of elements; None where a size is unknown (and none is zero)."""
    if 0 in shape:
        return 0
    return None if None in shape else math.prod(shape)  # type: ignore[arg-type]


def total(sizes: Sequence[int | None]) -> int | None:
    """The sum of sizes; None where one is unknown."""
    return None if None in sizes else sum(sizes)  # type: ignore[arg-type]


def replace_axis(shape: Shape, axis: int, *new: int | None) -> Shape:
    """`shape` with the size at `axis` replaced by the sizes `new`."""
    return (*shape[:axis], *new, *shape[axis + 1 :])


def common(a: int | None, b: int | None, what: str) -> int | None:
    if a is not None and b is not None and a != b:
        raise ValueError(f"{what} must be equal: {a} is not {b}.")
    return b if a is None else a


def may_equal(a: Shape, b: Shape) -> bool:
    """Whether two shapes are equal, as far as their sizes are known."""
    return len(a) == len(b) and all(m == n or None in (m, n) for m, n in zip(a, b, strict=True))


def rank_at_least(x: Shape, rank: int, name: str = "x") -> None:
    if len(x) < rank:
        raise ValueError(f"`{name}` must have at least {rank} axes; it has {len(x)}.")


# One tensor, same rank -------------------------------------------------------------


def along(x: Shape, axis: Any = -1, *static: Any) -> Shape:
    """Ops that keep the shape and work along `axis` (an int, several or None)."""
    canonical_axes(axis, len(x))
    return tuple(x)


def cumulative(x: Shape, axis: int | None = None, *static: Any) -> Shape:
    """Running totals; with `axis=None` over the flattened tensor."""
    return (size(x),) if axis is None else along(x, axis)


def matrix(x: Shape, *static: Any) -> Shape:
    """Ops on the last two axes that keep the shape."""
    rank_at_least(x, 2)
    return tuple(x)


def square_matrix(x: Shape, *static: Any) -> Shape:
    """The same where these two axes must be equally long."""
    rank_at_least(x, 2)
    common(x[-1], x[-2], "The last two sizes")
    return tuple(x)


def roll(x: Shape, shift: Any, axis: Any = None) -> Shape:
    return tuple(x) if axis is None else along(x, axis)


# One tensor, another shape ---------------------------------------------------------


def reshape(x: Shape, newshape: Any) -> Shape:
    """One -1 stands for what is left; entries that are tensors are unknown sizes."""
    wanted = newshape if isinstance(newshape, (tuple, list)) else (newshape,)
    sizes = [int(n) if isinstance(n, (int, np.integer)) else None for n in wanted]
    if sizes.count(-1) > 1:
        raise ValueError("`newshape` may hold one -1.")
    if any(n is not None and n < -1 for n in sizes):
        raise ValueError("`newshape` must not hold sizes below -1.")
    known = [n for n in sizes if n is not None and n != -1]
    if -1 in sizes:
        return tuple(_left_over(x, sizes, known) if n == -1 else n for n in sizes)
    count = size(x)
    if None not in sizes and count is not None and math.prod(known) != count:
        raise ValueError(f"{count} elements do not fill a tensor of shape {tuple(sizes)}.")
    return tuple(sizes)


def _left_over(x: Shape, sizes: list[int | None], known: list[int]) -> int | None:
    """The size that -1 stands for."""
    count, rest = size(x), math.prod(known)
    if count is None or None in sizes:
        return None
    if (rest == 0 and count != 0) or (rest and count % rest):
        raise ValueError(f"{count} elements cannot be split into sizes {tuple(sizes)}.")
    return count // rest if rest else 0


def transpose(x: Shape, axes: Sequence[int] | None = None) -> Shape:
    if axes is None:
        return tuple(reversed(x))
    order = canonical_axes(tuple(axes), len(x))
    if len(order) != len(x):
        raise ValueError(f"`axes` must name each of the {len(x)} axes once; it is {tuple(axes)}.")
    return tuple(x[i] for i in order)


def moveaxis(x: Shape, source: Any, destination: Any) -> Shape:
    start, end = canonical_axes(source, len(x)), canonical_axes(destination, len(x))
    if len(start) != len(end):
        raise ValueError("`source` and `destination` must name the same number of axes.")
    order = [i for i in range(len(x)) if i not in start]
    for where, axis in sorted(zip(end, start, strict=True)):
        order.insert(where, axis)
    return tuple(x[i] for i in order)


def swapaxes(x: Shape, axis1: int, axis2: int) -> Shape:
    a, b = canonical_axis(axis1, len(x)), canonical_axis(axis2, len(x))
    sizes = list(x)
    sizes[a], sizes[b] = sizes[b], sizes[a]
    return tuple(sizes)


def broadcast_to(x: Shape, shape: Sequence[int]) -> Shape:
    given = tuple(shape)
    missing = len(given) - len(x)
    pairs = zip(x, given[missing:], strict=True) if missing >= 0 else [(2, 1)]
    if any(n not in (1, None, m) and m is not None for n, m in pairs):
        raise ValueError(f"The shape {tuple(x)} does not broadcast to {given}.")
    return given


def expand_dims(x: Shape, axis: Any) -> Shape:
    axes = axis if isinstance(axis, (tuple, list)) else (axis,)
    new = canonical_axes(tuple(axes), len(x) + len(axes))
    sizes = iter(x)
    return tuple(1 if i in new else next(sizes) for i in range(len(x) + len(axes)))


def squeeze(x: Shape, axis: Any = None) -> Shape:
    if axis is None:
        return tuple(n for n in x if n != 1)
    axes = canonical_axes(axis, len(x))
    for i in axes:
        if x[i] not in (1, None):
            raise ValueError(f"Only axes of size 1 can go; axis {i} has size {x[i]}.")
    return tuple(n for i, n in enumerate(x) if i not in axes)


def flatten(x: Shape, *static: Any) -> Shape:
    return (size(x),)


def pad(x: Shape, pad_width: Any, *static: Any) -> Shape:
    pairs = pad_pairs(pad_width, len(x))
    return tuple(total((n, low, high)) for n, (low, high) in zip(x, pairs, strict=True))


def pad_pairs(pad_width: Any, rank: int) -> tuple[tuple[int, int], ...]:
    """`pad_width` in its full form: `(before, after)` for each axis."""
    if hasattr(pad_width, "tolist"):
        pad_width = pad_width.tolist()
    if isinstance(pad_width, int):
        pad_width = (pad_width,)
    entries = [tuple(p) if isinstance(p, (tuple, list)) else p for p in pad_width]
    if entries and all(isinstance(p, int) for p in entries) and len(entries) <= 2:
        entries = [tuple(entries) * (2 // len(entries))]
    pairs = [p * 2 if isinstance(p, tuple) and len(p) == 1 else p for p in entries]
    if len(pairs) == 1:
        pairs *= rank
    if len(pairs) != rank or not all(isinstance(p, tuple) and len(p) == 2 for p in pairs):
        raise ValueError(
            f"`pad_width` must be an int, a pair or one pair for each of the {rank} axes; "
            f"it is {pad_width}."
        )
    if any(n < 0 for p in pairs for n in p):
        raise ValueError("`pad_width` must not be negative.")
    return tuple(pairs)


def tile(x: Shape, repeats: Any) -> Shape:
    times = tuple(repeats) if isinstance(repeats, (tuple, list)) else (repeats,)
    rank = max(len(x), len(times))
    sizes = (1,) * (rank - len(x)) + tuple(x)
    times = (1,) * (rank - len(times)) + times
    return tuple(None if n is None else n * t for n, t in zip(sizes, times, strict=True))


def repeat(x: Shape, repeats: Any, axis: int | None = None) -> Shape:
    sizes = (size(x),) if axis is None else tuple(x)
    at = 0 if axis is None else canonical_axis(axis, len(x))
    if isinstance(repeats, int):
        size_at = sizes[at]
        new = None if size_at is None else size_at * repeats
    elif isinstance(repeats, (tuple, list)):
        if len(repeats) != 1:
            common(sizes[at], len(repeats), "The length of `repeats` and the size of the axis")
        if len(repeats) == 1:
            return repeat(x, int(repeats[0]), axis)
        new = int(sum(repeats))
    else:
        new = None
    return replace_axis(sizes, at, new)


def split(x: Shape, indices_or_sections: Any, axis: int = 0) -> list[Shape]:
    at = canonical_axis(axis, len(x))
    n = x[at]
    if isinstance(indices_or_sections, int):
        sections = indices_or_sections
        if sections < 1:
            raise ValueError("The number of sections must be positive.")
        if n is not None and n % sections:
            raise ValueError(f"A size of {n} cannot be split into {sections} equal parts.")
        return [replace_axis(x, at, None if n is None else n // sections)] * sections
    bounds = [0, *(int(i) for i in indices_or_sections), None]
    sizes = [slice_size(slice(a, b), n) for a, b in zip(bounds, bounds[1:], strict=False)]
    return [replace_axis(x, at, m) for m in sizes]


def unstack(x: Shape, num: int | None = None, axis: int = 0) -> list[Shape]:
    at = canonical_axis(axis, len(x))
    count = common(num, x[at], "`num` and the size of the axis")
    if count is None:
        raise ValueError(f"The size of axis {axis} is unknown: give `num`.")
    return [replace_axis(x, at)] * count


def diagonal(x: Shape, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Shape:
    rank_at_least(x, 2)
    a, b = canonical_axes((axis1, axis2), len(x))
    rest = tuple(n for i, n in enumerate(x) if i not in (a, b))
    return (*rest, _diagonal_size(x[a], x[b], offset))


def _diagonal_size(rows: int | None, columns: int | None, offset: int) -> int | None:
    if rows is None or columns is None:
        return None
    return max(min(rows + min(offset, 0), columns - max(offset, 0)), 0)


def trace(x: Shape, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Shape:
    return diagonal(x, offset, axis1, axis2)[:-1]


def diag(x: Shape, k: int = 0) -> Shape:
    """A vector becomes a matrix, a matrix gives its diagonal."""
    if len(x) == 1:
        n = total((x[0], abs(k)))
        return (n, n)
    if len(x) != 2:
        raise ValueError(f"`x` must have 1 or 2 axes; it has {len(x)}.")
    return diagonal(x, k)


def diff(a: Shape, n: int = 1, axis: int = -1) -> Shape:
    at = canonical_axis(axis, len(a))
    if n < 0:
        raise ValueError(f"`n` must not be negative; it is {n}.")
    before = a[at]
    return replace_axis(a, at, None if before is None else max(before - n, 0))


# Several tensors -------------------------------------------------------------------


def concatenate(xs: Sequence[Shape], axis: int | None = 0) -> Shape:
    if not xs:
        raise ValueError("At least one tensor is needed.")
    if axis is None:
        return (total([size(x) for x in xs]),)
    at = canonical_axis(axis, len(xs[0]))
    joined = list(xs[0])
    for x in xs[1:]:
        if len(x) != len(joined):
            raise ValueError("All tensors must have the same number of axes.")
        for i, n in enumerate(x):
            if i != at:
                joined[i] = common(joined[i], n, f"The sizes of axis {i}")
    joined[at] = total([x[at] for x in xs])
    return tuple(joined)


def stack(xs: Sequence[Shape], axis: int = 0) -> Shape:
    if not xs:
        raise ValueError("At least one tensor is needed.")
    one = list(xs[0])
    for x in xs[1:]:
        if len(x) != len(one):
            raise ValueError("All tensors must have the same shape.")
        one = [common(a, b, "Sizes of the same axis") for a, b in zip(one, x, strict=True)]
    at = canonical_axis(axis, len(one) + 1)
    return (*one[:at], len(xs), *one[at:])


# Indexing ----------------------------------------------------------------------------


def slice_size(key: slice, n: int | None) -> int | None:
    """How many elements a slice takes from a size."""
    if n is not None:
        return len(range(*key.indices(n)))
    whole = key.start in (None, 0) and key.stop is None and key.step in (None, 1, -1)
    # Of an unknown size only an empty slice is known.
    return 0 if not whole and key.start == key.stop and key.start is not None else None


def take(x: Shape, indices: Shape, axis: int | None = None) -> Shape:
    if axis is None:
        return tuple(indices)
    return replace_axis(x, canonical_axis(axis, len(x)), *indices)


def take_along_axis(x: Shape, indices: Shape, axis: int | None = None) -> Shape:
    if axis is None:
        return (size(indices),)
    at = canonical_axis(axis, len(x))
    if len(indices) != len(x):
        raise ValueError("`indices` must have as many axes as `x`.")
    others = broadcast(replace_axis(x, at, 1), replace_axis(indices, at, 1))
    return replace_axis(others, at, indices[at])


def nonzero(x: Shape) -> tuple[Shape, ...]:
    """One vector for each axis; how long they are depends on the values."""
    rank_at_least(x, 1)
    return ((None,),) * len(x)


def slice_update(inputs: Shape, start_indices: Any, updates: Shape) -> Shape:
    if len(updates) != len(inputs):
        raise ValueError("`updates` must have as many axes as `inputs`.")
    for n, m in zip(inputs, updates, strict=True):
        if n is not None and m is not None and m > n:
            raise ValueError("`updates` must not be larger than `inputs`.")
    return tuple(inputs)


def segment(data: Shape, ids: Shape, num_segments: int | None = None, *static: Any) -> Shape:
    rank_at_least(data, 1, "data")
    if len(ids) != 1:
        raise ValueError(f"`segment_ids` must have 1 axis; it has {len(ids)}.")
    common(data[0], ids[0], "The first sizes of `data` and `segment_ids`")
    return (num_segments, *data[1:])
