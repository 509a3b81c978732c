"""Rows of different lengths, windows over series and pairs of words."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from typing import Any

import numpy as np

from keraslite.training.py_dataset import PyDataset
from keraslite.utils.sequences import pad_sequences


class TimeseriesGenerator(PyDataset):
    """Windows over a series, in batches, with the target that follows each one.

    For programs of earlier releases; `keras.utils.timeseries_dataset_from_array` is the newer
    form.

    Args:
        data: array or list whose first axis is time.
        targets: for each time.
        length: time that a window covers.
        sampling_rate: time steps between the steps of a window.
        stride: time steps between the windows.
        start_index, end_index: the first and the last time.
        shuffle: whether batches hold windows from anywhere.
        reverse: whether the last step of a window comes first.
        batch_size: windows in a batch.

    Example:
        >>> windows, targets = TimeseriesGenerator(data, data, length=10)[0]
    """

    def __init__(
        self,
        data: Any,
        targets: Any,
        length: int,
        sampling_rate: int = 1,
        stride: int = 1,
        start_index: int = 0,
        end_index: int | None = None,
        shuffle: bool = False,
        reverse: bool = False,
        batch_size: int = 128,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if len(data) != len(targets):
            raise ValueError(
                "`data` and `targets` must have the same length. "
                f"Received: {len(data)} and {len(targets)}"
            )
        self.data = data
        self.targets = targets
        self.length = length
        self.sampling_rate = sampling_rate
        self.stride = stride
        self.start_index = start_index + length
        self.end_index = len(data) - 1 if end_index is None else end_index
        self.shuffle = shuffle
        self.reverse = reverse
        self.batch_size = batch_size
        if self.start_index > self.end_index:
            raise ValueError(
                f"`start_index` + `length` must not lie behind `end_index`, {self.end_index}: "
                f"there is no window. Received: {self.start_index}"
            )

    def __len__(self) -> int:
        return -(-(self.end_index - self.start_index + 1) // (self.batch_size * self.stride))

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        if self.shuffle:
            ends = np.random.randint(self.start_index, self.end_index + 1, self.batch_size)
        else:
            first = self.start_index + self.batch_size * self.stride * index
            last = min(first + self.batch_size * self.stride, self.end_index + 1)
            ends = np.arange(first, last, self.stride)
        step = self.sampling_rate
        windows = np.array([self.data[end - self.length : end : step] for end in ends])
        targets = np.array([self.targets[end] for end in ends])
        return (windows[:, ::-1] if self.reverse else windows), targets

    def get_config(self) -> dict[str, Any]:
        """The arguments; data as JSON."""
        series = {
            name: json.dumps(np.asarray(getattr(self, name)).tolist())
            for name in ("data", "targets")
        }
        names = ("length", "sampling_rate", "stride", "start_index", "end_index", "shuffle")
        names = (*names, "reverse", "batch_size")
        return {**series, **{name: getattr(self, name) for name in names}}

    def to_json(self, **kwargs: Any) -> str:
        """The generator as JSON; options of `json.dumps`."""
        config = {"class_name": type(self).__name__, "config": self.get_config()}
        return json.dumps(config, **kwargs)


def make_sampling_table(size: int, sampling_factor: float = 1e-5) -> np.ndarray:
    """How likely `skipgrams` keeps the word of each rank, the less the more frequent it is.

    min(1, sqrt(f / sampling_factor) / (f / sampling_factor)) with the frequency f that Zipf's
    law gives to a rank: Mikolov et al., "Distributed Representations of Words and Phrases and
    their Compositionality" (2013).

    Args:
        size: number of ranks.
        sampling_factor: the frequency from which on words are left out.
    """
    rank = np.maximum(np.arange(size), 1)
    inverse = rank * (np.log(rank) + 0.577) + 0.5 - 1 / (12 * rank)
    ratio = sampling_factor * inverse
    return np.minimum(1.0, ratio / np.sqrt(ratio))


def skipgrams(
    sequence: Sequence[int],
    vocabulary_size: int,
    window_size: int = 4,
    negative_samples: float = 1.0,
    shuffle: bool = True,
    categorical: bool = False,
    sampling_table: Any = None,
    seed: int | None = None,
) -> tuple[list[list[int]], list[Any]]:
    """Pairs of neighbouring words, and pairs of words that chance put together.

    Args:
        sequence: words as integers; 0 stands for no word.
        vocabulary_size: the largest integer plus one.
        window_size: how far neighbours may be apart.
        negative_samples: random pairs for each pair of neighbours.
        shuffle: whether to mix the pairs.
        categorical: whether labels are `[0, 1]` for neighbours and `[1, 0]` for others, in
            place of 1 and 0.
        sampling_table: how likely each word is kept; see `make_sampling_table`.
        seed: of the order.

    Returns:
        `(pairs, labels)`.
    """
    yes, no = ([0, 1], [1, 0]) if categorical else (1, 0)
    pairs: list[list[int]] = []
    for place, word in enumerate(sequence):
        if not word or (sampling_table is not None and sampling_table[word] < random.random()):
            continue
        near = range(max(place - window_size, 0), min(place + window_size + 1, len(sequence)))
        pairs += [[word, sequence[i]] for i in near if i != place and sequence[i]]
    labels: list[Any] = [yes] * len(pairs)
    if negative_samples > 0:
        words = [pair[0] for pair in pairs]
        random.shuffle(words)
        many = int(len(pairs) * negative_samples)
        pairs += [
            [words[i % len(words)], random.randint(1, vocabulary_size - 1)] for i in range(many)
        ]
        labels += [no] * many
    if shuffle:
        chosen = random.randint(0, 10**7) if seed is None else seed
        for part in (pairs, labels):
            random.Random(chosen).shuffle(part)
    return pairs, labels


__all__ = ["TimeseriesGenerator", "make_sampling_table", "pad_sequences", "skipgrams"]
