"""Shape rules of products that sum over axes, and of other products of tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keraslite.core.shapes import (
    Shape,
    broadcast,
    canonical_axes,
    canonical_axis,
    common,
    join,
    replace_axis,
    size,
)


def matmul(x1: Shape, x2: Shape) -> Shape:
    """Matrix products, with NumPy's rules for vectors and batches."""
    if not x1 or not x2:
        raise ValueError("Both arguments must have at least one axis.")
    inner1, inner2 = x1[-1], x2[-2] if len(x2) > 1 else x2[0]
    if inner1 is not None and inner2 is not None and inner1 != inner2:
        raise ValueError(
            f"The last size of `x1` must equal the last but one of `x2`: {inner1} is not {inner2}."
        )
    if len(x1) == 1:
        return (*x2[:-2], *x2[-1:]) if len(x2) > 1 else ()
    if len(x2) == 1:
        return tuple(x1[:-1])
    return (*broadcast(x1[:-2], x2[:-2]), x1[-2], x2[-1])


def _contract(x1: Shape, x2: Shape, axes1: Sequence[int], axes2: Sequence[int]) -> Shape:
    for a, b in zip(axes1, axes2, strict=True):
        common(x1[a], x2[b], "The sizes that are summed over")
    left = tuple(n for i, n in enumerate(x1) if i not in axes1)
    return left + tuple(n for i, n in enumerate(x2) if i not in axes2)


def tensordot(x1: Shape, x2: Shape, axes: Any = 2) -> Shape:
    if isinstance(axes, int):
        if not 0 <= axes <= min(len(x1), len(x2)):
            raise ValueError(f"`axes` must lie in [0, {min(len(x1), len(x2))}]; it is {axes}.")
        return _contract(x1, x2, range(len(x1) - axes, len(x1)), range(axes))
    first, second = (tuple(a) if isinstance(a, (tuple, list)) else (a,) for a in axes)
    if len(first) != len(second):
        raise ValueError("Both parts of `axes` must have the same length.")
    return _contract(x1, x2, canonical_axes(first, len(x1)), canonical_axes(second, len(x2)))


def dot(x1: Shape, x2: Shape) -> Shape:
    if not x1 or not x2:
        return tuple(x1) + tuple(x2)
    return _contract(x1, x2, [len(x1) - 1], [max(len(x2) - 2, 0)])


def inner(x1: Shape, x2: Shape) -> Shape:
    if not x1 or not x2:
        return tuple(x1) + tuple(x2)
    return _contract(x1, x2, [len(x1) - 1], [len(x2) - 1])


def outer(x1: Shape, x2: Shape) -> Shape:
    return (size(x1), size(x2))


def einsum(operands: Sequence[Shape], subscripts: str) -> Shape:
    """By the letters of `subscripts`; `...` broadcasts."""
    inputs, arrow, output = subscripts.replace(" ", "").partition("->")
    terms = inputs.split(",")
    if len(terms) != len(operands):
        raise ValueError(f"{subscripts!r} names {len(terms)} operands, not {len(operands)}.")
    sizes: dict[str, int | None] = {}
    spread: Shape = ()
    for term, shape in zip(terms, operands, strict=True):
        before, dots, after = term.partition("...")
        middle = len(shape) - len(before) - len(after)
        if middle < 0 or (middle and not dots):
            raise ValueError(f"{term!r} does not fit a shape of {len(shape)} axes.")
        spread = broadcast(spread, shape[len(before) : len(before) + middle])
        ends = [*shape[: len(before)], *shape[len(shape) - len(after) :]]
        for letter, n in zip(before + after, ends, strict=True):
            known = sizes.get(letter)
            sizes[letter] = join(known, n) if letter in sizes else n
    if not arrow:
        letters = inputs.replace(",", "").replace(".", "")
        once = "".join(sorted(c for c in set(letters) if letters.count(c) == 1))
        output = ("..." if "..." in inputs else "") + once
    before, dots, after = output.partition("...")
    unknown = set(before + after) - set(sizes)
    if unknown:
        raise ValueError(f"{sorted(unknown)} of the result stand in no operand.")
    left, right = ([sizes[c] for c in part] for part in (before, after))
    return (*left, *(spread if dots else ()), *right)


def cross(
    x1: Shape,
    x2: Shape,
    axisa: int,
    axisb: int,
    axisc: int,
    axis: int | None,
) -> Shape:
    if axis is not None:
        axisa = axisb = axisc = axis
    a, b = canonical_axis(axisa, len(x1)), canonical_axis(axisb, len(x2))
    if not {x1[a], x2[b]} <= {2, 3, None}:
        raise ValueError("The vectors must have 2 or 3 components.")
    rest = broadcast(replace_axis(x1, a), replace_axis(x2, b))
    if x1[a] == x2[b] == 2:
        return rest
    at = canonical_axis(axisc, len(rest) + 1)
    return (*rest[:at], 3, *rest[at:])
