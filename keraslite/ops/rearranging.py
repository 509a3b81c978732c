"""`rearrange`: axes split, joined and put in order, by a pattern that names them.

The notation is that of A. Rogozhnikov, "Einops: Clear and Reliable Tensor Manipulations with
Einstein-like Notation" (2022).
"""

from __future__ import annotations

import functools
import math
import re
from typing import Any

from keraslite.core.op import Tensor, TensorLike, composite
from keraslite.core.promotion import KEEP
from keraslite.ops.core import shape
from keraslite.ops.shaping import reshape, transpose

__all__ = ["rearrange"]

_TOKEN = re.compile(r"\s*(\.\.\.|[A-Za-z_]\w*|1|[()])")
# What `...` is called outside of parentheses, and inside.
_DOTS, _JOINED = "...", "(...)"

Groups = tuple[tuple[str, ...], ...]
"""For each axis of a tensor the names of the parts that it is made of; none for size 1."""


def _groups(side: str) -> Groups:
    found: list[tuple[str, ...]] = []
    inside: list[str] | None = None
    at = 0
    while side[at:].strip():
        match = _TOKEN.match(side, at)
        if match is None:
            raise ValueError(f"`pattern` cannot be read from {side[at:].strip()!r} on.")
        token, at = match[1], match.end()
        if token in "()":
            if (token == "(") != (inside is None):
                raise ValueError("The parentheses of `pattern` must be closed, and not nested.")
            if inside is not None:
                found.append(tuple(inside))
            inside = [] if token == "(" else None
        elif inside is not None:
            inside += [] if token == "1" else [_JOINED if token == _DOTS else token]
        else:
            found.append(() if token == "1" else (token,))
    if inside is not None:
        raise ValueError("The parentheses of `pattern` must be closed, and not nested.")
    return tuple(found)


def _parse(pattern: str) -> tuple[Groups, Groups]:
    sides = pattern.split("->")
    if len(sides) != 2:
        raise ValueError("`pattern` must have one arrow, as in 'a b -> b a'.")
    left, right = map(_groups, sides)
    names, others = ([name.strip("()") for g in side for name in g] for side in (left, right))
    for name in names + others:
        if names.count(name) != 1 or others.count(name) != 1:
            raise ValueError(f"`pattern` must name {name!r} once on each side.")
    if any(_JOINED in group for group in left):
        raise ValueError("On the left, '...' must stand outside of parentheses.")
    return left, right


@functools.lru_cache(maxsize=512)
def _plan(pattern: str, rank: int, given: frozenset[str]) -> tuple[Groups, Groups]:
    """Both sides of the pattern, with names for the axes that `...` stands for."""
    left, right = _parse(pattern)
    dots = (_DOTS,) in left
    spare = rank - len(left) + dots
    if spare < 0 or (spare and not dots):
        raise ValueError(f"`pattern` is of {len(left) - dots} axes; the tensor has {rank}.")
    extra = tuple(f"...{i}" for i in range(spare))
    unknown = given.difference(*left)
    if unknown:
        raise ValueError(f"A size is given for {sorted(unknown)[0]!r}, which `pattern` has not.")
    return _spread(left, extra), _spread(right, extra)


def _spread(groups: Groups, extra: tuple[str, ...]) -> Groups:
    """The groups with names in the place of `...`."""
    found: list[tuple[str, ...]] = []
    for group in groups:
        if group == (_DOTS,):
            found.extend((name,) for name in extra)
        else:
            found.append(tuple(n for m in group for n in (extra if m == _JOINED else (m,))))
    return tuple(found)


def _sizes(left: Groups, sizes: Any, lengths: dict[str, int]) -> dict[str, Any]:
    """The size of each named part; None, or a tensor, where it is not known."""
    found: dict[str, Any] = dict(lengths)
    for group, n in zip(left, sizes, strict=True):
        known = math.prod(lengths[name] for name in group if name in lengths)
        missing = [name for name in group if name not in lengths]
        if len(missing) > 1:
            raise ValueError(f"Give the sizes of all but one of {', '.join(missing)}.")
        fixed = isinstance(n, int)
        if fixed and (n % known if missing and known else n != known):
            raise ValueError(f"A size of {n} does not split into ({' '.join(group)}).")
        for name in missing:
            found[name] = None if n is None else n if known == 1 else n // known
    return found


def _total(group: tuple[str, ...], sizes: dict[str, Any]) -> Any:
    parts = [sizes[name] for name in group]
    return None if any(n is None for n in parts) else math.prod(parts)


def _rearrange_shape(tensor: Any, pattern: str, axes_lengths: dict[str, int]) -> Any:
    left, right = _plan(pattern, len(tensor), frozenset(axes_lengths))
    sizes = _sizes(left, tensor, axes_lengths)
    return tuple(_total(group, sizes) for group in right)


@composite(_rearrange_shape, KEEP, native=False)
def _rearrange(tensor: TensorLike, pattern: str, axes_lengths: dict[str, int]) -> Tensor:
    left, right = _plan(pattern, len(tensor.shape), frozenset(axes_lengths))
    sizes = _sizes(left, shape(tensor), axes_lengths)
    parts = [name for group in left for name in group]
    order = [parts.index(name) for group in right for name in group]
    if any(len(group) != 1 for group in left):
        tensor = reshape(tensor, [sizes[name] for name in parts])
    tensor = transpose(tensor, order)
    if any(len(group) != 1 for group in right):
        tensor = reshape(tensor, [_total(group, sizes) for group in right])
    return tensor


def rearrange(tensor: TensorLike, pattern: str, **axes_lengths: int) -> Tensor:
    """Split, join and reorder axes, by name.

    Args:
        tensor: a tensor.
        pattern: names for the axes before and after `->`. Names in parentheses make up one
            axis, the first one counting slowest; `...` stands for any number of axes, and
            `1` or `()` for an axis of size 1.
        axes_lengths: the sizes of parts that do not follow from the shape.

    Returns:
        A tensor with the same elements.

    Raises:
        ValueError: for a pattern that cannot be read, or does not fit the tensor.

    Example:
        >>> image = keras.ops.zeros((2, 4, 6, 3))
        >>> keras.ops.rearrange(image, "b (h p) (w q) c -> b (h w) (p q c)", p=2, q=2).shape
        (2, 6, 12)
    """
    return _rearrange(tensor, pattern, axes_lengths)
