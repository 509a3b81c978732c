"""Automatic names of layers, variables and other objects."""

from __future__ import annotations

import functools
import re
from collections import Counter

_counts: Counter[str] = Counter()


@functools.lru_cache(maxsize=4096)
def to_snake_case(name: str) -> str:
    """`"MaxPooling2D"` -> `"max_pooling2d"`, the way automatic names are written."""
    name = re.sub(r"\W+", "", name)
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


def get_uid(prefix: str = "") -> int:
    """A number that rises by one at each call with this prefix, from 1 on.

    Example:
        >>> get_uid("dense"), get_uid("dense")
        (1, 2)
    """
    _counts[prefix] += 1
    return _counts[prefix]


def auto_name(prefix: str) -> str:
    """`prefix`, then `prefix_1`, `prefix_2`..."""
    number = get_uid(prefix) - 1
    return f"{prefix}_{number}" if number else prefix


def unique_among(name: str, taken: set[str]) -> str:
    """`name`, or `name_1`, `name_2`... where it is taken; the result is added to `taken`."""
    found, number = name, 0
    while found in taken:
        number += 1
        found = f"{name}_{number}"
    taken.add(found)
    return found


def reset() -> None:
    """Start all automatic names again."""
    _counts.clear()
