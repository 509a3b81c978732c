"""Sources for data that make their batches themselves: iterables and `PyDataset`s."""

from __future__ import annotations

import collections
import concurrent.futures
import functools
import itertools
import multiprocessing
import pickle
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from keraslite.core.errors import describe, short
from keraslite.training.data.convert import arrays_of, class_weights
from keraslite.training.data.source import Batch, Source, permutation
from keraslite.training.py_dataset import PyDataset

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
        data: gives batches: a generator, `tf.data.Dataset`, `DataLoader`, list-like...
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
        self._opened: Iterator[Any] | None = None
        self._first: Batch | None = None

    def batches(self, epoch: int) -> Iterator[Batch]:
        opened, self._opened = self._opened, None
        for batch in iter(self._data) if opened is None else opened:
            yield self._standard(batch)

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
        return len(data)
    except TypeError:
        return None


def _is_endless(data: Any) -> bool:
    cardinality = getattr(data, "cardinality", None)
    return callable(cardinality) and int(cardinality()) == -1


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
        self.endless = dataset.num_batches is None

    @property
    def num_batches(self) -> int | None:  # type: ignore[override]
        return self._dataset.num_batches

    def on_epoch_begin(self, epoch: int) -> None:
        self._dataset.on_epoch_begin()

    def on_epoch_end(self) -> None:
        self._dataset.on_epoch_end()

    def _order(self, epoch: int) -> Iterable[int]:
        number = self.num_batches
        if number is None:
            return itertools.count()
        return map(int, permutation(self.seed, epoch, number)) if self._shuffle else range(number)

    def _standard(self, batch: Any) -> Batch:
        return _standard(batch, f"`{type(self._dataset).__name__}`", self._class_weight)

    def batches(self, epoch: int) -> Iterator[Batch]:
        dataset, order = self._dataset, self._order(epoch)
        if dataset.workers > 1 or (dataset.workers == 1 and dataset.use_multiprocessing):
            found = _fetched_ahead(dataset, order)
        else:
            found = (dataset[index] for index in order)
        for batch in found:
            yield self._standard(batch)

    def peek(self) -> Batch:
        if self._first is None:
            if self.num_batches == 0:
                raise ValueError(
                    f"The data are empty: `{type(self._dataset).__name__}` has 0 batches."
                )
            self._first = self._standard(self._dataset[0])
        return self._first


def _fetched_ahead(dataset: PyDataset, order: Iterable[int]) -> Iterator[Any]:
    """Batches in order while workers fetch the next ones."""
    pool, fetch = _processes(dataset) if dataset.use_multiprocessing else _threads(dataset)
    window = max(dataset.workers, dataset.max_queue_size)
    indices = iter(order)
    try:
        waiting = collections.deque(
            pool.submit(fetch, index) for index in itertools.islice(indices, window)
        )
        while waiting:
            yield waiting.popleft().result()
            waiting.extend(pool.submit(fetch, index) for index in itertools.islice(indices, 1))
    except BrokenProcessPool as error:
        raise RuntimeError(
            f"A worker process of `{type(dataset).__name__}` died: it was killed (out of "
            "memory?), or the script lacks `if __name__ == '__main__':`. Try "
            "`use_multiprocessing=False`, which uses threads."
        ) from error
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


Pool = tuple[concurrent.futures.Executor, Callable[[int], Any]]


def _threads(dataset: PyDataset) -> Pool:
    pool = concurrent.futures.ThreadPoolExecutor(dataset.workers, thread_name_prefix="batches")
    return pool, dataset.__getitem__


def _processes(dataset: PyDataset) -> Pool:
    try:
        # Pickled once here, and not with every index.
        data = pickle.dumps(dataset)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise ValueError(
            short(
                f"`{type(dataset).__name__}` cannot be sent to worker processes: {error}. Keep "
                "what cannot be pickled out of it, or use `use_multiprocessing=False`."
            )
        ) from error
    # Forked children of a process with a running engine may hang.
    pool = concurrent.futures.ProcessPoolExecutor(
        dataset.workers,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_receive,
        initargs=(data,),
    )
    return pool, _fetch


@functools.cache
def _received() -> list[PyDataset]:
    return []


def _receive(data: bytes) -> None:
    _received().append(pickle.loads(data))


def _fetch(index: int) -> Any:
    return _received()[-1][index]
