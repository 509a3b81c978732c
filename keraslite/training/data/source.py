"""`Source`: passes over batches, and which source suits which data."""

from __future__ import annotations

import abc
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from keraslite.core.errors import describe, short
from keraslite.training.py_dataset import PyDataset

Batch = tuple[Any, ...]


class Source(abc.ABC):
    """Batches, pass after pass: `(x,)`, `(x, y)` or `(x, y, sample_weight)`.

    Attributes:
        num_batches: in one pass; None when it is not known.
        batch_size: samples in a batch, None when it is not known.
        endless: whether a pass never ends.
        seed: of the orders of the passes.
        random_access: whether a pass may begin at a batch without making those before it.
    """

    num_batches: int | None = None
    batch_size: int | None = None
    endless = False
    seed = 0
    random_access = True

    @abc.abstractmethod
    def batches(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """A pass over the batches; the order depends on the epoch and the seed only.

        Args:
            epoch: number of the pass.
            start: how many batches to leave out, without making them where that is possible.
        """

    @abc.abstractmethod
    def peek(self) -> Batch:
        """The first batch, which stays in the source."""

    def in_memory(self) -> Batch | None:
        """All samples, where they are NumPy arrays; None for what comes batch by batch."""
        return None

    def on_epoch_begin(self, epoch: int) -> None:  # noqa: B027
        """Called before every pass."""

    def on_epoch_end(self) -> None:  # noqa: B027
        """Called after every pass."""

    def close(self) -> None:  # noqa: B027
        """End what the source has started; a later pass starts it again."""

    def ran_dry(self, got: int, expected: int | None) -> None:
        """Warn that a pass ended early, or had no batch at all."""
        steps = f"{got} of {expected} steps" if expected else "no batch for another pass"
        warnings.warn(
            f"The data ran dry: got {steps}. Give data for "
            "`steps_per_epoch * epochs` batches, or repeat them (`dataset.repeat()`, "
            "`itertools.cycle`).",
            stacklevel=2,
        )


def new_seed() -> int:
    """A seed for shuffling, from NumPy's global state that `set_random_seed` sets."""
    return int(np.random.randint(2**31 - 1))


def permutation(seed: int, epoch: int, size: int) -> np.ndarray:
    """The order of `size` things in an epoch: the same on every engine and in every run."""
    return np.random.default_rng([seed, epoch]).permutation(size)


def make_source(
    x: Any,
    y: Any = None,
    sample_weight: Any = None,
    *,
    batch_size: int | None = None,
    shuffle: bool | str = False,
    class_weight: Mapping[int, float] | None = None,
    steps: int | None = None,
    seed: int | None = None,
) -> Source:
    """The source for what users give to `fit`, `evaluate` and `predict`.

    Args:
        x: arrays, tensors, pandas frames or lists and dicts of them; or a Python generator,
            `PyDataset`, `tf.data.Dataset`, torch `DataLoader`, or another iterable of batches.
        y: targets, for arrays only.
        sample_weight: weight of each sample, for arrays only.
        batch_size: for arrays only, 32 by default.
        shuffle: a new order in every pass; `"batch"` keeps neighbours together.
        class_weight: class -> weight; becomes the sample weight.
        steps: batches that will be taken; an array source does not need it.
        seed: of the shuffling, drawn from NumPy's global state by default.

    Raises:
        ValueError: for data that do not fit together, or that are no data.
    """
    from keraslite.training.data import arrays, batches

    if class_weight is not None and sample_weight is not None:
        raise ValueError(
            "Give either `sample_weight` or `class_weight`. Received: both. Multiply the "
            "sample weights by the weights of their classes."
        )
    seed = new_seed() if seed is None and shuffle else (seed or 0)
    if arrays.are_arrays(x):
        return arrays.ArraySource(
            x,
            y,
            sample_weight,
            batch_size=batch_size,
            shuffle=shuffle,
            class_weight=class_weight,
            seed=seed,
        )
    kind = _kind(x)
    for name, value in (("y", y), ("sample_weight", sample_weight)):
        if value is not None:
            raise ValueError(
                f"`{name}` must not be given beside {kind}: its batches hold the targets and "
                f"weights, as (x, y) or (x, y, sample_weight). Received: {name}={describe(value)}"
            )
    if batch_size is not None:
        _refuse_batch_size(x, kind, batch_size)
    if isinstance(x, PyDataset):
        return batches.DatasetSource(x, shuffle=bool(shuffle), class_weight=class_weight, seed=seed)
    return batches.IterableSource(x, class_weight=class_weight)


def _refuse_batch_size(x: Any, kind: str, batch_size: int) -> None:
    text = (
        f"`batch_size` is for arrays: {kind} makes the batches itself. "
        f"Received: batch_size={batch_size}"
    )
    if hasattr(x, "__next__"):
        raise ValueError(text)
    # Keras ignores it for data sets, and programs pass it along with validation data.
    warnings.warn(f"{text}, which is ignored.", stacklevel=4)


def _kind(x: Any) -> str:
    if isinstance(x, PyDataset):
        return "a `PyDataset`"
    if hasattr(x, "__next__"):
        return "a generator"
    if hasattr(x, "__iter__") and not isinstance(x, (str, bytes, set)):
        return f"a `{type(x).__name__}`"
    raise ValueError(
        short(
            "`x` must be arrays, tensors or lists or dicts of them, a generator, a `PyDataset`, "
            f"a `tf.data.Dataset` or a torch `DataLoader`. Received: x={describe(x)}"
        )
    )
