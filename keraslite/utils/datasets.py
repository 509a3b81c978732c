"""`Batches`, a data set of batches, and functions that make it of series and parts of data."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from keraslite.core import tree
from keraslite.core.errors import check_choice
from keraslite.training.py_dataset import PyDataset


class Batches(PyDataset):
    """Batches of samples that are read when they are needed.

    It has what programs use of a `tf.data.Dataset`: iteration, `len`, `take`, `skip`, `map`,
    `batch`; `cache` and `prefetch` change nothing. `fit` takes it on every engine. Batches are
    NumPy.

    Args:
        read: from sample numbers to a batch: an array, or a tuple of them.
        size: number of samples.
        batch_size: samples in a batch; None gives single samples.
        shuffle: whether every pass has an order of its own.
        seed: of the orders.

    Example:
        >>> for x, y in dataset.map(lambda x, y: (vectorize(x), y)).take(1):
        ...     print(x.shape, y.shape)
    """

    class_names: Sequence[str] | None = None
    file_paths: Sequence[str] | None = None

    def __init__(
        self,
        read: Callable[[np.ndarray], Any],
        size: int,
        batch_size: int | None = 32,
        shuffle: bool = False,
        seed: int | None = None,
    ) -> None:
        super().__init__()
        if batch_size is not None and batch_size < 1:
            raise ValueError(f"`batch_size` must be positive. Received: batch_size={batch_size}")
        self._read = read
        self._size = size
        self._batch_size = batch_size
        self._shuffle = shuffle
        self._random = np.random.default_rng(seed)
        self._first, self._end = 0, -(-size // (batch_size or 1))
        self._functions: tuple[Callable[..., Any], ...] = ()
        self._order = np.arange(size)
        self.on_epoch_end()

    def on_epoch_end(self) -> None:
        """A new order, if the samples are shuffled."""
        if self._shuffle:
            self._order = self._random.permutation(self._size)

    def __len__(self) -> int:
        return max(self._end - self._first, 0)

    def __getitem__(self, index: int) -> Any:
        if not -len(self) <= index < len(self):
            raise IndexError(f"There are {len(self)} batches. Received: index {index}")
        place = self._first + index % len(self)
        if self._batch_size is None:
            found = self._read(self._order[place : place + 1])
            found = tree.map_structure(lambda x: x[0], found)
        else:
            start = place * self._batch_size
            found = self._read(self._order[start : start + self._batch_size])
        for function in self._functions:
            found = function(*found) if isinstance(found, tuple) else function(found)
        return found

    def __iter__(self) -> Iterator[Any]:
        for i in range(len(self)):
            yield self[i]
        self.on_epoch_end()

    def _changed(self, **changes: Any) -> Batches:
        found = object.__new__(type(self))
        found.__dict__.update(self.__dict__, **changes)
        return found

    def map(self, function: Callable[..., Any], **kwargs: Any) -> Batches:
        """The batches after `function(x, y)`; options of `tf.data` have no effect."""
        return self._changed(_functions=(*self._functions, function))

    def take(self, count: int) -> Batches:
        """The first `count` batches; all for -1."""
        end = self._end if count < 0 else min(self._end, self._first + count)
        return self._changed(_end=end)

    def skip(self, count: int) -> Batches:
        """All but the first `count` batches."""
        return self._changed(_first=min(self._first + count, self._end))

    def batch(self, batch_size: int) -> Batches:
        """What this data set gives, samples or batches, stacked in batches."""
        return Batches(lambda places: _stacked([self[i] for i in places]), len(self), batch_size)

    def cache(self, *args: Any) -> Batches:
        """The same data set."""
        return self

    def prefetch(self, buffer_size: int | None = None) -> Batches:
        """The same data set; `fit` reads ahead by itself, see `workers`."""
        return self


def _stacked(samples: Sequence[Any]) -> Any:
    return tree.map_structure(lambda *parts: np.stack(parts), *samples)


def in_format(dataset: Any, format: str) -> Any:
    """A data set, or several, as it is for "tf", or as one of the package grain.

    Raises:
        ImportError: without grain.
        ValueError: for another format.
    """
    if format == "tf":
        return dataset
    check_choice("", ("tf", "grain"), format=format)
    try:
        import grain
    except ImportError:
        raise ImportError("`format='grain'` needs grain. Run `pip install grain`.") from None
    if isinstance(dataset, list):
        return [in_format(part, format) for part in dataset]
    found = grain.MapDataset.source(dataset)
    for name in ("class_names", "file_paths"):
        setattr(found, name, getattr(dataset, name))
    return found


# Series ------------------------------------------------------------------------------------


def timeseries_dataset_from_array(
    data: Any,
    targets: Any,
    sequence_length: int,
    sequence_stride: int = 1,
    sampling_rate: int = 1,
    batch_size: int | None = 128,
    shuffle: bool = False,
    seed: int | None = None,
    start_index: int | None = None,
    end_index: int | None = None,
    format: str = "tf",
) -> Any:
    """Windows over a series, in batches.

    Args:
        data: array whose first axis is time.
        targets: `targets[i]` belongs to the window that starts at time i; None for none.
        sequence_length: time steps in a window.
        sequence_stride: time steps between the starts of windows.
        sampling_rate: time steps between the steps of a window.
        batch_size: windows in a batch; None gives single windows.
        shuffle: whether every pass has an order of its own.
        seed: of the orders.
        start_index, end_index: range of time to use.
        format: `"tf"` for a `PyDataset`, or `"grain"`.

    Returns:
        A `PyDataset` of `(windows, targets)`, or of windows alone. Windows have the shape
        `(batch, sequence_length, ...)`.

    Example:
        >>> data = np.arange(100)
        >>> dataset = keras.utils.timeseries_dataset_from_array(data[:-10], data[10:], 10)
        >>> windows, targets = dataset[0]
        >>> windows[0], targets[0]
        (array([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]), 10)
    """
    data = np.asarray(data)
    targets = None if targets is None else np.asarray(targets)
    for name, value in (
        ("sequence_length", sequence_length),
        ("sampling_rate", sampling_rate),
        ("sequence_stride", sequence_stride),
    ):
        if value < 1 or value >= max(len(data), 2):
            if name == "sequence_length" and value >= 1:
                continue
            raise ValueError(
                f"`{name}` must be positive and below the length of the data, {len(data)}. "
                f"Received: {name}={value}"
            )
    for name, index in (("start_index", start_index), ("end_index", end_index)):
        if index is not None and not 0 <= index <= len(data) - (name == "start_index"):
            raise ValueError(
                f"`{name}` must lie within the data, of length {len(data)}. "
                f"Received: {name}={index}"
            )
    first = start_index or 0
    end = len(data) if end_index is None else end_index
    if end <= first:
        raise ValueError(
            "`end_index` must be above `start_index`. "
            f"Received: start_index={start_index}, end_index={end_index}"
        )
    span = (sequence_length - 1) * sampling_rate
    last = end - first - span
    if targets is not None:
        last = min(last, len(targets) - first)
    starts = first + np.arange(0, max(last, 0), sequence_stride)
    steps = np.arange(sequence_length) * sampling_rate

    def read(samples: np.ndarray) -> Any:
        chosen = starts[samples]
        windows = data[chosen[:, None] + steps]
        return windows if targets is None else (windows, targets[chosen])

    return in_format(Batches(read, len(starts), batch_size, shuffle, seed), format)


# Parts -------------------------------------------------------------------------------------


def split_dataset(
    dataset: Any,
    left_size: float | None = None,
    right_size: float | None = None,
    shuffle: bool = False,
    seed: int | None = None,
    preferred_backend: str | None = None,
) -> tuple[Any, Any]:
    """The first samples of a data set, and the last ones.

    Args:
        dataset: an array, or a tuple, list or dict of arrays with one entry for each sample;
            an object with `len` that gives samples by index, such as a `Dataset` of torch; or
            a `tf.data.Dataset`.
        left_size: how many samples the first part has: an integer, or a share below 1.
        right_size: how many the second one has; the rest by default.
        shuffle: whether to mix the samples before.
        seed: of the order.
        preferred_backend: has no effect.

    Returns:
        Two data sets of single samples, to be used with `.batch(size)`: `PyDataset`s, or
        `tf.data.Dataset`s of one. One that is in batches stays so.

    Raises:
        TypeError: for other data, or sizes that are no numbers.
        ValueError: for sizes that do not fit.

    Example:
        >>> train, test = keras.utils.split_dataset((x, y), left_size=0.8)
        >>> model.fit(train.batch(32), validation_data=test.batch(32))
    """
    seed = random.randrange(2**31) if seed is None else seed
    if hasattr(dataset, "unbatch"):
        return _split_stream(dataset, left_size, right_size, shuffle, seed)
    total, sample = _samples_of(dataset)
    left, right = _split_sizes(left_size, right_size, total)
    order = list(range(total))
    if shuffle:
        # As Keras orders them.
        random.Random(seed).shuffle(order)

    def part(chosen: list[int]) -> Batches:
        return Batches(
            lambda places: _stacked([sample(chosen[i]) for i in places]), len(chosen), None
        )

    return part(order[:left]), part(order[total - right :])


def _split_stream(
    dataset: Any, left_size: float | None, right_size: float | None, shuffle: bool, seed: int
) -> tuple[Any, Any]:
    """The parts of a `tf.data.Dataset`, by its own methods."""
    batch_size = getattr(dataset, "_batch_size", None)
    samples = dataset if batch_size is None else dataset.unbatch()
    total = int(samples.cardinality())
    if total == -1:
        raise ValueError("split_dataset: `dataset` must end. Received: one without an end")
    total = sum(1 for _ in samples) if total < 0 else total
    left, right = _split_sizes(left_size, right_size, total)
    if shuffle:
        samples = samples.shuffle(total, seed=seed, reshuffle_each_iteration=False)
    parts = samples.take(left), samples.skip(total - right)
    return parts if batch_size is None else tuple(x.batch(batch_size) for x in parts)  # type: ignore[return-value]


def _samples_of(dataset: Any) -> tuple[int, Callable[[int], Any]]:
    """How many samples there are, and what gives each."""
    if isinstance(dataset, Batches) and dataset._batch_size is None:
        # Of the order that it has now.
        dataset = dataset.take(-1)
        return len(dataset), dataset.__getitem__
    if isinstance(dataset, (tuple, list, Mapping)) or hasattr(dataset, "__array__"):
        whole = tuple(dataset) if isinstance(dataset, list) else dataset
        arrays = tree.map_structure(np.asarray, whole)
        sizes = {x.shape[0] if x.ndim else None for x in tree.flatten(arrays)}
        if len(sizes) != 1 or None in sizes:
            raise ValueError(
                "split_dataset: all arrays must have one entry for each sample. "
                f"Received: shapes {[x.shape for x in tree.flatten(arrays)]}"
            )
        return sizes.pop(), lambda i: tree.map_structure(lambda x: x[i], arrays)
    known = hasattr(dataset, "__len__") and hasattr(dataset, "__getitem__")
    if not known or isinstance(dataset, (str, bytes, PyDataset)):
        raise TypeError(
            "split_dataset: `dataset` must be arrays, a data set with `len` that gives samples by "
            "index, or a tf.data.Dataset. Make one of files with `batch_size=None`. "
            f"Received: {type(dataset).__name__}"
        )
    return len(dataset), dataset.__getitem__


def _split_sizes(left: float | None, right: float | None, total: int) -> tuple[int, int]:
    """The sizes of both parts."""
    given = f"left_size={left}, right_size={right}, for {total} samples"
    if left is None and right is None:
        raise ValueError(
            "split_dataset: `left_size` or `right_size` must be given. Received: neither"
        )
    for name, size in (("left_size", left), ("right_size", right)):
        if not isinstance(size, (int, float, type(None))) or isinstance(size, bool):
            raise TypeError(f"split_dataset: `{name}` must be a number. Received: {size!r}")
        if size is not None and not 0 < size < (1 if isinstance(size, float) else total):
            raise ValueError(
                f"split_dataset: `{name}` must be an integer below the number of samples, or a "
                f"share between 0 and 1. Received: {given}"
            )
    sizes = [round(n * total) if isinstance(n, float) else n for n in (left, right)]
    first = total - sizes[1] if sizes[0] is None else sizes[0]  # type: ignore[operator]
    last = total - first if sizes[1] is None else sizes[1]
    if min(first, last) < 1 or first + last > total:
        raise ValueError(
            "split_dataset: both parts must have samples, and together no more than there are. "
            f"Received: {given}"
        )
    return first, last


__all__ = ["Batches", "split_dataset", "timeseries_dataset_from_array"]
