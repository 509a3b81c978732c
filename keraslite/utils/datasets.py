"""`Batches`, a data set of batches, and the functions that make it of series and text files."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from keraslite.training.py_dataset import PyDataset


class Batches(PyDataset):
    """Batches of samples that are read when they are needed.

    It has what programs use of a `tf.data.Dataset`: iteration, `len`, `take`, `skip`, `map`;
    `cache` and `prefetch` change nothing. `fit` takes it on every engine. Batches are NumPy.

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
            found = tuple(x[0] for x in found) if isinstance(found, tuple) else found[0]
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

    def cache(self, *args: Any) -> Batches:
        """The same data set."""
        return self

    def prefetch(self, buffer_size: int | None = None) -> Batches:
        """The same data set; `fit` reads ahead by itself, see `workers`."""
        return self


def check_format(format: str) -> None:
    """Raise for a `format` that is neither Keras's default nor one we have."""
    if format != "tf":
        raise ValueError(
            "`format` must be left out: data sets are `PyDataset`s on every engine. "
            f"Received: format={format!r}"
        )


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
) -> Batches:
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
        format: has no effect.

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
    check_format(format)
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

    return Batches(read, len(starts), batch_size, shuffle, seed)


# Files -------------------------------------------------------------------------------------


def text_dataset_from_directory(
    directory: Any,
    labels: Any = "inferred",
    label_mode: str | None = "int",
    class_names: Sequence[str] | None = None,
    batch_size: int | None = 32,
    max_length: int | None = None,
    shuffle: bool = True,
    seed: int | None = None,
    validation_split: float | None = None,
    subset: str | None = None,
    follow_links: bool = False,
    format: str = "tf",
    verbose: bool = True,
) -> Any:
    """Texts in the `.txt` files of a folder, with the folders in it as labels.

    Args:
        directory: with a folder for each class.
        labels: `"inferred"` from the folders, None for texts alone, or a list of labels in
            the order of the sorted paths.
        label_mode: `"int"`, `"categorical"` (one-hot), `"binary"` (one float), or None.
        class_names: the folders, in the order of the labels.
        batch_size: texts in a batch; None gives single texts.
        max_length: texts are cut to so many bytes.
        shuffle: whether every pass has an order of its own; otherwise paths are sorted.
        seed: of the orders and of the split.
        validation_split: share of the files for validation.
        subset: `"training"`, `"validation"` or `"both"`.
        follow_links: whether links to folders are followed.
        format: has no effect.
        verbose: whether to print how many files there are.

    Returns:
        A `PyDataset` of `(texts, labels)` or texts, with the attribute `class_names`; two of
        them for `subset="both"`. Texts are arrays of `bytes`.

    Example:
        >>> train = keras.utils.text_dataset_from_directory("aclImdb/train", batch_size=64)
        >>> vectorize.adapt(train.map(lambda text, label: text))
    """
    check_format(format)

    def read(files: Sequence[str]) -> np.ndarray:
        texts = np.empty(len(files), dtype=object)
        for place, path in enumerate(files):
            with open(path, "rb") as file:
                texts[place] = file.read(-1 if max_length is None else max_length)
        return texts

    return dataset_of_files(
        directory,
        (".txt",),
        read,
        labels=labels,
        label_mode=label_mode,
        class_names=class_names,
        batch_size=batch_size,
        shuffle=shuffle,
        seed=seed,
        validation_split=validation_split,
        subset=subset,
        follow_links=follow_links,
        verbose=verbose,
    )


def dataset_of_files(
    directory: Any,
    extensions: tuple[str, ...],
    read: Callable[[Sequence[str]], np.ndarray],
    *,
    labels: Any,
    label_mode: str | None,
    class_names: Sequence[str] | None,
    batch_size: int | None,
    shuffle: bool,
    seed: int | None,
    validation_split: float | None,
    subset: str | None,
    follow_links: bool,
    verbose: bool,
) -> Any:
    """Batches of what `read` makes of the files below a folder, and their labels.

    The options are those of the `*_dataset_from_directory` functions.
    """
    _check_options(labels, label_mode, validation_split, subset, shuffle, seed)
    paths, found, names = index_directory(
        directory, labels, extensions, class_names, follow_links, verbose
    )
    if labels is None:
        label_mode = None
    if label_mode == "binary" and len(names) != 2:
        raise ValueError(
            "`label_mode='binary'` needs exactly two classes. "
            f"Received: {len(names)} classes, {names[:10]}"
        )
    if shuffle:
        seed = int(np.random.randint(2**31 - 1)) if seed is None else seed
        order = np.random.RandomState(seed).permutation(len(paths))
        paths, found = [paths[i] for i in order], found[order]
    encoded = encode_labels(found, label_mode, len(names))

    def part(which: str | None) -> Batches:
        chosen = _part_of(len(paths), validation_split, which, verbose)
        files = paths[chosen]
        of_files = None if encoded is None else encoded[chosen]

        def batch(samples: np.ndarray) -> Any:
            inputs = read([files[i] for i in samples])
            return inputs if of_files is None else (inputs, of_files[samples])

        dataset = Batches(batch, len(files), batch_size, shuffle, seed)
        dataset.class_names = None if label_mode is None else names
        dataset.file_paths = files
        return dataset

    if subset == "both":
        return [part("training"), part("validation")]
    return part(subset)


def _check_options(
    labels: Any,
    label_mode: str | None,
    validation_split: float | None,
    subset: str | None,
    shuffle: bool,
    seed: int | None,
) -> None:
    if labels not in ("inferred", None) and not isinstance(labels, (list, tuple, np.ndarray)):
        raise ValueError(f"`labels` must be 'inferred', None or a list. Received: {labels!r:.80}")
    if label_mode not in ("int", "categorical", "binary", None):
        raise ValueError(
            "`label_mode` must be 'int', 'categorical', 'binary' or None. "
            f"Received: label_mode={label_mode!r}"
        )
    if validation_split is not None and not 0 < validation_split < 1:
        raise ValueError(
            "`validation_split` must lie between 0 and 1. "
            f"Received: validation_split={validation_split}"
        )
    if (validation_split is None) != (subset is None):
        raise ValueError(
            "`validation_split` and `subset` must be given together. "
            f"Received: validation_split={validation_split}, subset={subset!r}"
        )
    if subset not in (None, "training", "validation", "both"):
        raise ValueError(
            f"`subset` must be 'training', 'validation' or 'both'. Received: subset={subset!r}"
        )
    if validation_split and shuffle and seed is None and subset != "both":
        raise ValueError(
            "`validation_split` of shuffled files needs a `seed`, so that the two calls for "
            "training and validation split them alike."
        )


def index_directory(
    directory: Any,
    labels: Any,
    extensions: tuple[str, ...],
    class_names: Sequence[str] | None = None,
    follow_links: bool = False,
    verbose: bool = True,
) -> tuple[list[str], np.ndarray, list[str]]:
    """Files of some kinds below a folder: sorted paths, labels, names of the classes.

    Args:
        directory: with a folder for each class, unless `labels` is None.
        labels: `"inferred"`, None, or a list.
        extensions: in lower case, with the dot.
        class_names: the folders, in the order of the labels.
        follow_links: whether links to folders are followed.
        verbose: whether to print how many files there are.
    """
    root = Path(directory)
    if not root.is_dir():
        raise FileNotFoundError(f"There is no folder {str(root)!r}.")
    folders = sorted(p.name for p in root.iterdir() if p.is_dir())
    if isinstance(labels, str) and class_names is not None:
        if unknown := [n for n in class_names if n not in folders]:
            raise ValueError(
                f"`class_names` names folders that are not in {str(root)!r}: {unknown[:5]}."
            )
        folders = list(class_names)
    paths: list[str] = []
    places: list[int] = []
    for place, folder in enumerate(folders):
        files = _files(root / folder, extensions, follow_links)
        paths += files
        places += [place] * len(files)
    if labels is None:
        paths = sorted(paths + _files(root, extensions, follow_links, deep=False))
        found, names = np.zeros(len(paths), "int32"), []
    elif isinstance(labels, str):
        found, names = np.array(places, "int32"), folders
    else:
        found = np.asarray(labels)
        if len(found) != len(paths):
            raise ValueError(
                f"`labels` must have one label for each of the {len(paths)} files in "
                f"{str(root)!r}. Received: {len(found)} labels"
            )
        names = list(class_names or map(str, sorted(set(found.tolist()))))
    if verbose:
        of_classes = f" belonging to {len(names)} classes" if names else ""
        print(f"Found {len(paths)} files{of_classes}.")
    if not paths:
        raise ValueError(
            f"There are no files {', '.join(extensions)} in {str(root)!r} or the folders in it."
        )
    return paths, found, names


def _files(
    folder: Path, extensions: tuple[str, ...], follow_links: bool, deep: bool = True
) -> list[str]:
    if not deep:
        return [str(p) for p in folder.iterdir() if p.suffix.lower() in extensions and p.is_file()]
    walked = os.walk(folder, followlinks=follow_links)
    found = (Path(at) / name for at, _, names in walked for name in names)
    return sorted(str(p) for p in found if p.suffix.lower() in extensions)


def encode_labels(labels: np.ndarray, label_mode: str | None, classes: int) -> np.ndarray | None:
    """Labels in the form that `label_mode` names; None for none."""
    if label_mode is None:
        return None
    if label_mode == "categorical":
        return np.eye(classes, dtype="float32")[labels]
    if label_mode == "binary":
        return labels.astype("float32")[:, None]
    return labels.astype("int32")


def _part_of(size: int, split: float | None, which: str | None, verbose: bool) -> slice:
    if split is None:
        return slice(0, size)
    held = int(split * size)
    chosen = slice(0, size - held) if which == "training" else slice(size - held, size)
    if verbose:
        print(f"Using {chosen.stop - chosen.start} files for {which}.")
    return chosen


__all__ = ["Batches", "text_dataset_from_directory", "timeseries_dataset_from_array"]
