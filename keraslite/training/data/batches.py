"""Sources for data that make their batches themselves: iterables and `PyDataset`s."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from keraslite.core.errors import describe
from keraslite.training.data.convert import arrays_of, class_weights
from keraslite.training.data.source import Batch, Source, permutation
from keraslite.training.py_dataset import PyDataset
from keraslite.training.workers import Workers

_FORMS = "(x,), (x, y) or (x, y, sample_weight)"


def _standard(batch: Any, origin: str, class_weight: Mapping[int, float] | None) -> Batch:
    """A batch as a tuple of trees of arrays."""
    if isinstance(batch, list):
        batch = tuple(batch)
    if not isinstance(batch, tuple):
        batch = (batch,)
    if not 1 <= len(batch) <= 3:
        raise ValueError(f"{origin} must give {_FORMS}. Received: a tuple of {len(batch)}")
    names = ("x", "y", "sample_weight")
    batch = tuple(
        arrays_of(dict(part) if isinstance(part, Mapping) else part, f"{name} of a batch")
        for name, part in zip(names, batch, strict=False)
    )
    if class_weight is None:
        return batch
    if len(batch) == 3:
        raise ValueError(
            f"`class_weight` cannot be used when {origin.lower()} gives sample weights itself."
        )
    weights = class_weights(batch[1] if len(batch) > 1 else None, class_weight)
    return (*batch, weights)


class IterableSource(Source):
    """Batches of an iterator (each once) or of an iterable (every pass begins again).

    Args:
        data: gives batches: a generator, `tf.data.Dataset`, `DataLoader`, data set of grain...
        class_weight: class -> weight.
    """

    def __init__(
        self, data: Iterable[Any], class_weight: Mapping[int, float] | None = None
    ) -> None:
        self._data = data
        self._class_weight = class_weight
        self._is_iterator = hasattr(data, "__next__")
        self._origin = "The generator" if self._is_iterator else f"The {type(data).__name__}"
        self.num_batches = None if self._is_iterator else _length(data)
        self.endless = _is_endless(data)
        # As `MapDataset` of grain has it.
        self.random_access = hasattr(data, "slice") and hasattr(data, "__getitem__")
        self._opened: Iterator[Any] | None = None
        self._first: Batch | None = None

    def batches(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        opened, self._opened = self._opened, None
        for batch in self._from(start) if opened is None or start else opened:
            yield self._standard(batch)

    def _from(self, start: int) -> Iterator[Any]:
        if start and self.random_access:
            return iter(self._data.slice(slice(start, None)))  # type: ignore[attr-defined]
        return itertools.islice(iter(self._data), start, None)

    def close(self) -> None:
        self._opened = None

    def peek(self) -> Batch:
        # Kept, so that validation after each epoch does not begin a pass to look at it.
        if self._first is None:
            iterator = iter(self._data)
            try:
                batch = next(iterator)
            except StopIteration:
                raise ValueError(
                    f"The data are empty: {self._origin.lower()} gave 0 batches. A generator "
                    "gives its batches only once."
                ) from None
            self._first = self._standard(batch)
            self._opened = itertools.chain([batch], iterator)
        return self._first

    def _standard(self, batch: Any) -> Batch:
        if self._is_iterator and not isinstance(batch, tuple):
            raise ValueError(
                f"The generator must give tuples: {_FORMS}. Received: {describe(batch)}"
            )
        return _standard(batch, self._origin, self._class_weight)


def _length(data: Any) -> int | None:
    """The number of batches, where the data know it."""
    try:
        found = len(data)
    except TypeError:
        return None
    return None if found == sys.maxsize else found


def _is_endless(data: Any) -> bool:
    """Whether `data` say that they never end: as `tf.data` does, or with the largest length."""
    cardinality = getattr(data, "cardinality", None)
    if callable(cardinality):
        return int(cardinality()) == -1
    return getattr(data, "__len__", int)() == sys.maxsize


class DatasetSource(Source):
    """Batches of a `PyDataset`, in its order or shuffled, fetched ahead by its workers.

    Args:
        dataset: the `PyDataset`.
        shuffle: a new order of the batches in every pass.
        class_weight: class -> weight.
        seed: of the orders.
    """

    def __init__(
        self,
        dataset: PyDataset,
        *,
        shuffle: bool = False,
        class_weight: Mapping[int, float] | None = None,
        seed: int = 0,
    ) -> None:
        dataset._warn_if_not_initialized()
        self._dataset = dataset
        self._shuffle = shuffle
        self._class_weight = class_weight
        self.seed = seed
        self._first: Batch | None = None
        self._workers: Workers | None = None
        self.endless = dataset.num_batches is None

    @property
    def num_batches(self) -> int | None:  # type: ignore[override]
        return self._dataset.num_batches

    def on_epoch_begin(self, epoch: int) -> None:
        self._dataset.on_epoch_begin()

    def on_epoch_end(self) -> None:
        self._dataset.on_epoch_end()

    def _order(self, epoch: int, start: int) -> Iterable[int]:
        number = self.num_batches
        if number is None:
            return itertools.count(start)
        if self._shuffle:
            return map(int, permutation(self.seed, epoch, number)[start:])
        return range(start, number)

    def _standard(self, batch: Any) -> Batch:
        return _standard(batch, f"`{type(self._dataset).__name__}`", self._class_weight)

    def batches(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        dataset, order = self._dataset, self._order(epoch, start)
        if dataset.workers > 1 or (dataset.workers == 1 and dataset.use_multiprocessing):
            if self._workers is None:
                self._workers = Workers(dataset)
            found = self._workers.batches(order)
        else:
            found = (self._fetch(index) for index in order)
        for batch in found:
            yield self._standard(batch)

    def _fetch(self, index: int) -> Any:
        try:
            return self._dataset[index]
        except Exception as error:
            error.add_note(f"This was batch {index} of `{type(self._dataset).__name__}`.")
            raise

    def close(self) -> None:
        if self._workers is not None:
            self._workers.close()
            self._workers = None

    def peek(self) -> Batch:
        if self._first is None:
            if self.num_batches == 0:
                raise ValueError(
                    f"The data are empty: `{type(self._dataset).__name__}` has 0 batches."
                )
            self._first = self._standard(self._fetch(0))
        return self._first
