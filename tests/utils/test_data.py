"""`pad_sequences`, data sets of series and text files, `Config`, against Keras."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import keraslite
from keraslite import preprocessing, utils

keras = pytest.importorskip("keras")
pytest.importorskip("tensorflow")

ROWS: list[tuple[list, dict[str, Any]]] = [
    ([[1], [2, 3], [4, 5, 6]], {}),
    ([[1], [2, 3], [4, 5, 6]], {"maxlen": 2, "padding": "post", "truncating": "post", "value": 9}),
    ([[1, 2, 3], []], {"maxlen": 2, "dtype": "float32"}),
    ([[[1, 2]], [[2, 3], [3, 4]]], {}),
    ([["a"], ["b", "c"]], {"dtype": object, "value": "x"}),
    ([["a"], ["b", "c"]], {"dtype": "str", "value": "x"}),
]


@pytest.mark.parametrize(("rows", "args"), ROWS, ids=str)
def test_pad_sequences(rows: list, args: dict[str, Any]) -> None:
    got, expected = utils.pad_sequences(rows, **args), keras.utils.pad_sequences(rows, **args)
    assert got.dtype == expected.dtype
    np.testing.assert_array_equal(got, expected)
    assert preprocessing.sequence.pad_sequences is utils.pad_sequences


@pytest.mark.parametrize(
    ("rows", "args"),
    [([1, 2], {}), ([[1]], {"padding": "x"}), ([["a"]], {"value": "x"}), ([[[1]], [[1, 2]]], {})],
    ids=str,
)
def test_pad_sequences_errors(rows: list, args: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="pad_sequences|sequences"):
        utils.pad_sequences(rows, **args)


def batches(dataset: Any) -> list:
    def plain(batch: Any) -> Any:
        parts = batch if isinstance(batch, tuple) else (batch,)
        return tuple(np.asarray(x).tolist() for x in parts)

    return [plain(batch) for batch in dataset]


SERIES = np.arange(20)
WINDOWS: list[dict[str, Any]] = [
    {"targets": None, "sequence_length": 4},
    {"targets": SERIES[4:], "sequence_length": 4, "batch_size": 3},
    {"targets": SERIES, "sequence_length": 4, "sampling_rate": 2, "sequence_stride": 3},
    {"targets": None, "sequence_length": 4, "batch_size": None},
    {"targets": SERIES, "sequence_length": 4, "start_index": 3, "end_index": 12},
    {"targets": SERIES[:5], "sequence_length": 4},
    {"targets": None, "sequence_length": 50},
]


@pytest.mark.parametrize("args", WINDOWS, ids=lambda a: str(sorted(a)))
def test_windows_over_a_series(args: dict[str, Any]) -> None:
    ours = utils.timeseries_dataset_from_array(SERIES, **args)
    assert batches(ours) == batches(keras.utils.timeseries_dataset_from_array(SERIES, **args))


def test_shuffled_windows() -> None:
    args = {"targets": SERIES, "sequence_length": 4, "shuffle": True, "batch_size": 4}
    dataset = utils.timeseries_dataset_from_array(SERIES, seed=1, **args)
    again = utils.timeseries_dataset_from_array(SERIES, seed=1, **args)
    first, second = batches(dataset), batches(dataset)
    assert first == batches(again) and first != second
    for windows, targets in first:
        assert [w[0] for w in windows] == targets
    assert sorted(t for _, targets in second for t in targets) == list(range(17))
    assert len(dataset.take(2)) == 2 and len(dataset.skip(2)) == len(dataset) - 2


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("neg", "pos", "Zed"):
        (tmp_path / name / "sub").mkdir(parents=True)
        for i in range(3):
            (tmp_path / name / f"{i}.txt").write_text(f"{name} {i} é text")
        (tmp_path / name / "sub" / "9.txt").write_text(f"sub {name}")
        (tmp_path / name / "x.csv").write_text("no")
    return tmp_path


TEXTS: list[dict[str, Any]] = [
    {},
    {"label_mode": "categorical", "batch_size": 4},
    {"label_mode": None},
    {"class_names": ["pos", "neg"], "label_mode": "binary"},
    {"labels": None, "label_mode": None, "batch_size": None},
    {"labels": list(range(12))},
    {"max_length": 5},
    {"validation_split": 0.25, "subset": "validation"},
]


@pytest.mark.parametrize("args", TEXTS, ids=str)
def test_texts_in_a_folder(folder: Path, args: dict[str, Any]) -> None:
    args = {"shuffle": False, "verbose": False, **args}
    ours = utils.text_dataset_from_directory(folder, **args)
    theirs = keras.utils.text_dataset_from_directory(folder, **args)
    assert batches(ours) == batches(theirs)
    assert ours.class_names == getattr(theirs, "class_names", None)


def test_texts_are_split_and_vectorized(folder: Path) -> None:
    train, held = utils.text_dataset_from_directory(
        folder, validation_split=0.25, subset="both", seed=1, batch_size=4, verbose=False
    )
    assert len(train.file_paths) == 9 and not set(train.file_paths) & set(held.file_paths)
    layer = keraslite.layers.TextVectorization(output_sequence_length=5)
    layer.adapt(train.map(lambda texts, labels: texts))
    x, y = train.map(lambda texts, labels: (layer(texts), labels)).prefetch()[0]
    assert tuple(x.shape) == (4, 5) and y.shape == (4,)
    with pytest.raises(ValueError, match="seed"):
        utils.text_dataset_from_directory(folder, validation_split=0.25, subset="training")
    with pytest.raises(FileNotFoundError):
        utils.text_dataset_from_directory(folder / "nowhere")


def test_config() -> None:
    config = utils.Config(a=1, b=2)
    config.c = 3
    config["a"] = 5
    del config.b
    assert (config.a, config["c"], len(config), list(config)) == (5, 3, 2, ["a", "c"])
    assert config.as_dict() == {"a": 5, "c": 3} and config.to_json() == '{"a": 5, "c": 3}'
    assert config.get("z", 7) == 7 and config.pop("z", 4) == 4 and "z" not in config
    for other in (copy.deepcopy(config), pickle.loads(pickle.dumps(config))):
        assert other.as_dict() == config.as_dict()
    assert config.freeze().frozen
    for change in (
        lambda: setattr(config, "a", 1),
        lambda: config.update(a=1),
        lambda: config.pop("a"),
        lambda: config.__delitem__("a"),
    ):
        with pytest.raises(ValueError, match="frozen"):
            change()
    config.unfreeze().update({"a": 1}, d=2)
    assert config.as_dict() == {"a": 1, "c": 3, "d": 2}
    with pytest.raises(AttributeError, match="zz"):
        _ = config.zz


def test_legacy_configs() -> None:
    layer = keraslite.layers.Dense(2, activation="relu")
    known = {"Dense": keraslite.layers.Dense}
    form = utils.legacy.serialize_keras_object(layer)
    assert set(form) == {"class_name", "config"}
    again = utils.legacy.deserialize_keras_object(form, module_objects=known)
    assert again.get_config() == layer.get_config()
    with pytest.raises(ValueError, match="Nope"):
        utils.legacy.deserialize_keras_object("Nope", module_objects=known)
