"""Arrays as a source of batches, and splitting off validation data."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from keraslite.backend import engine
from keraslite.core import tree
from keraslite.core.errors import describe, short
from keraslite.training.data.convert import (
    arrays_of,
    class_weights,
    is_table,
    named_leaves,
    rows_of,
)
from keraslite.training.data.source import Batch, Source, permutation

_NAMES = ("x", "y", "sample_weight")


def are_arrays(x: Any) -> bool:
    """Whether `x` is an array or holds arrays, as opposed to giving batches."""
    if x is None or isinstance(x, (list, tuple, Mapping)) or engine.is_tensor(x) or is_table(x):
        return True
    return hasattr(x, "shape") and hasattr(x, "dtype")


def _trees(x: Any, y: Any, sample_weight: Any) -> list[Any]:
    """The three trees with leaves that are arrays, `Mapping`s as dicts."""
    given = [dict(t) if isinstance(t, Mapping) else t for t in (x, y, sample_weight)]
    for name, data in zip(_NAMES[:2], given, strict=False):
        _refuse_lists(name, data)
    # Weights of shape (n, 1) would spread over the samples, so a series stays flat there.
    return [
        arrays_of(data, name, expand_series=name != "sample_weight")
        for name, data in zip(_NAMES, given, strict=True)
    ]


def _refuse_lists(name: str, data: Any) -> None:
    if isinstance(data, (list, tuple)):
        first = next((leaf for leaf in tree.flatten(data) if leaf is not None), None)
        if isinstance(first, (int, float, str, bytes)):
            raise ValueError(
                f"`{name}` is a list of Python values. Use `np.array({name})`: a list stands for "
                f"several inputs or outputs. Received: {name}={describe(data)}"
            )


def _count(trees: list[Any]) -> int:
    """The number of samples, which must be one for all."""
    sizes: dict[str, int] = {}
    for name, data in zip(_NAMES, trees, strict=True):
        for where, leaf in named_leaves(name, data):
            if leaf is None:
                continue
            if not len(leaf.shape):
                raise ValueError(
                    f"`{where}` must have a batch axis. Received: {describe(leaf)}. For one "
                    "sample use `x[None]`."
                )
            sizes[where] = int(leaf.shape[0])
    if not sizes:
        raise ValueError("There are no data: `x` is None. Received: x=None")
    (first, count), *rest = sizes.items()
    for where, size in rest:
        if size != count:
            listed = ", ".join(f"{name}: {size}" for name, size in sizes.items())
            raise ValueError(
                short(
                    f"`{first}` and `{where}` must have the same number of samples. "
                    f"Received: {listed}"
                )
            )
    if count == 0:
        raise ValueError(f"The data are empty: `{first}` has 0 samples.")
    return count


class ArraySource(Source):
    """Batches of arrays that are in memory: slices, or rows by shuffled indices.

    Args:
        x, y, sample_weight: trees of arrays.
        batch_size: 32 by default.
        shuffle: True for a new order of the samples in every pass, `"batch"` of the batches.
        class_weight: class -> weight.
        seed: of the orders.
    """

    def __init__(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        *,
        batch_size: int | None = None,
        shuffle: bool | str = False,
        class_weight: Mapping[int, float] | None = None,
        seed: int = 0,
    ) -> None:
        if shuffle not in (True, False, "batch"):
            raise ValueError(f"`shuffle` must be True, False or 'batch'. Received: {shuffle!r}")
        trees = _trees(x, y, sample_weight)
        self.size = _count(trees)
        if class_weight is not None:
            trees[2] = class_weights(trees[1], class_weight)
        self.batch_size = 32 if batch_size is None else int(batch_size)
        if self.batch_size < 1:
            raise ValueError(f"`batch_size` must be at least 1. Received: {batch_size}")
        self.num_batches = math.ceil(self.size / self.batch_size)
        self.shuffle = shuffle
        self.seed = seed
        while trees[-1] is None and len(trees) > 1:
            trees.pop()
        self._leaves, self._spec = tree.split(tuple(trees))
        self._readers = [rows_of(leaf) for leaf in self._leaves]

    def _read(self, where: slice | np.ndarray) -> Batch:
        return tree.unflatten(self._spec, [read(where) for read in self._readers])

    def batches(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        size, count = self.batch_size, self.size
        assert size is not None and self.num_batches is not None
        if self.shuffle is True:
            order = permutation(self.seed, epoch, count)
            for first in range(start * size, count, size):
                yield self._read(order[first : first + size])
            return
        numbers: Any = range(self.num_batches)
        if self.shuffle == "batch":
            numbers = permutation(self.seed, epoch, self.num_batches)
        for number in numbers[start:]:
            first = int(number) * size
            yield self._read(slice(first, min(first + size, count)))

    def peek(self) -> Batch:
        return self._read(slice(0, self.batch_size))

    def in_memory(self) -> Batch:
        # Files that are mapped into memory may be larger than it.
        kept = [x if type(x) is np.ndarray or engine.is_tensor(x) else None for x in self._leaves]
        return tree.unflatten(self._spec, kept)


def train_validation_split(
    arrays: tuple[Any, Any, Any], validation_split: float
) -> tuple[tuple[Any, Any, Any], tuple[Any, Any, Any]]:
    """Arrays without their last samples, and those.

    Args:
        arrays: `(x, y, sample_weight)`, each a tree of arrays or None.
        validation_split: share of the samples, between 0 and 1.

    Returns:
        Two tuples like `arrays`: for training and for validation.

    Raises:
        ValueError: for data that are no arrays, a share out of range, too few samples.
    """
    if not 0 < validation_split < 1:
        raise ValueError(
            f"`validation_split` must lie between 0 and 1. Received: {validation_split}"
        )
    if not are_arrays(arrays[0]):
        raise ValueError(
            "`validation_split` is for arrays only. Give `validation_data` in its place. "
            f"Received: x={describe(arrays[0])}"
        )
    trees = _trees(*arrays)
    count = _count(trees)
    kept = math.floor(count * (1.0 - validation_split))
    if not 0 < kept < count:
        raise ValueError(
            f"`validation_split={validation_split}` of {count} samples leaves {kept} for training "
            f"and {count - kept} for validation. Both need at least one."
        )

    def part(where: slice) -> tuple[Any, Any, Any]:
        return tuple(tree.map_structure(lambda leaf: rows_of(leaf)(where), t) for t in trees)

    return part(slice(0, kept)), part(slice(kept, count))
