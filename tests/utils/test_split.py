"""`split_dataset` against Keras."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import keraslite
from keraslite import utils

keras = pytest.importorskip("keras")
tf = pytest.importorskip("tensorflow")

X = np.arange(10)
PAIR = (X, X.reshape(10, 1) * 2.0)
SIZES: list[dict[str, Any]] = [
    {"left_size": 0.8},
    {"left_size": 3},
    {"right_size": 0.25},
    {"right_size": 0.55},
    {"left_size": 0.3, "right_size": 0.3},
    {"left_size": 3, "right_size": 0.5},
    {"left_size": 0.5, "shuffle": True, "seed": 3},
]


def plain(dataset: Any) -> list[Any]:
    return [keraslite.tree.map_structure(lambda x: np.asarray(x).tolist(), x) for x in dataset]


@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize("data", [X, PAIR, list(PAIR)], ids=lambda x: type(x).__name__)
def test_arrays(data: Any, sizes: dict[str, Any]) -> None:
    found = utils.split_dataset(data, **sizes)
    expected = keras.utils.split_dataset(data, **sizes, preferred_backend="tensorflow")
    for ours, theirs in zip(found, expected, strict=True):
        assert isinstance(ours, utils.PyDataset)
        assert plain(ours) == plain(theirs)
        assert plain(ours.batch(4)) == plain(theirs.batch(4))


@pytest.mark.parametrize("batch_size", [None, 4])
def test_data_sets_of_tensorflow(batch_size: int | None) -> None:
    data = tf.data.Dataset.from_tensor_slices(PAIR)
    data = data if batch_size is None else data.batch(batch_size)
    expected = keras.utils.split_dataset(data, left_size=0.5)
    for ours, theirs in zip(utils.split_dataset(data, left_size=0.5), expected, strict=True):
        assert isinstance(ours, tf.data.Dataset) and plain(ours) == plain(theirs)
    if batch_size is None:
        left, right = utils.split_dataset(data.filter(lambda x, y: x > 1), 0.5, shuffle=True)
        values = [x for part in (left, right, left) for x, _ in plain(part)]
        assert sorted(values[:8]) == list(range(2, 10)) and values[8:] == values[:4]
        with pytest.raises(ValueError, match="end"):
            utils.split_dataset(data.repeat(), 0.5)


class Squares:
    """Samples by index, as data sets of torch give them."""

    def __len__(self) -> int:
        return 6

    def __getitem__(self, i: int) -> dict[str, Any]:
        return {"x": np.full((2,), i), "y": i**2}


def test_samples_by_index() -> None:
    left, right = utils.split_dataset(Squares(), right_size=2)
    assert plain(right) == [{"x": [4, 4], "y": 16}, {"x": [5, 5], "y": 25}]
    assert plain(left.batch(3))[0] == {"x": [[0, 0], [1, 1], [2, 2]], "y": [0, 1, 4]}
    # Ours, of single samples, in the order that they have.
    windows = utils.timeseries_dataset_from_array(X, None, 4, batch_size=None, shuffle=True)
    expected = plain(windows.take(-1))
    parts = utils.split_dataset(windows, 0.5)
    list(windows)
    assert [x for part in parts for x in plain(part)] == expected


@pytest.mark.parametrize(
    ("data", "sizes", "kind"),
    [
        (X, {}, ValueError),
        (X, {"left_size": 10}, ValueError),
        (X, {"left_size": 1.0}, ValueError),
        (X, {"left_size": 0}, ValueError),
        (X, {"left_size": 0.01}, ValueError),
        (X, {"left_size": 0.6, "right_size": 0.6}, ValueError),
        (X, {"left_size": 6, "right_size": 6}, ValueError),
        (X, {"left_size": "a"}, TypeError),
        ((X, X[:4]), {"left_size": 3}, ValueError),
        ([], {"left_size": 3}, ValueError),
        ([1, 2, 3], {"left_size": 2}, ValueError),
        ("abc", {"left_size": 2}, TypeError),
        (iter("abc"), {"left_size": 2}, TypeError),
    ],
    ids=str,
)
def test_errors(data: Any, sizes: dict[str, Any], kind: type[Exception]) -> None:
    with pytest.raises(kind):
        keras.utils.split_dataset(data, **sizes, preferred_backend="tensorflow")
    with pytest.raises(kind, match=r"split_dataset.*Received"):
        utils.split_dataset(data, **sizes)


def test_batches_are_refused() -> None:
    windows = utils.timeseries_dataset_from_array(X, None, 4)
    with pytest.raises(TypeError, match="batch_size=None"):
        utils.split_dataset(windows, 0.5)
