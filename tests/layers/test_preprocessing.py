"""Layers that prepare data against Keras: values, inferred specs, configs, what `adapt` learns."""

from __future__ import annotations

import copy
import dataclasses
import os
from typing import Any

import numpy as np
import pytest

import keraslite
from keraslite.backend import engine
from keraslite.backend.foreign import host_array

keras = pytest.importorskip("keras")
pytest.importorskip("tensorflow")
assert os.environ.get("KERAS_BACKEND") in (None, keras.backend.backend())


@dataclasses.dataclass
class Row:
    """One layer, the data it adapts to, and inputs."""

    name: str
    args: dict[str, Any]
    inputs: list[Any]
    data: Any = None
    tolerance: float = 1e-5

    @property
    def id(self) -> str:
        words = [f"{k}={v}" for k, v in self.args.items()]
        words += ["adapted"] if self.data is not None else []
        return "-".join([self.name, *words]).replace(" ", "")[:120]

    def make(self, library: Any) -> Any:
        layer = getattr(library.layers, self.name)(**copy.deepcopy(self.args))
        if self.data is not None:
            layer.adapt(self.data)
        return layer


def strings(*rows: Any) -> np.ndarray:
    return np.array(list(rows), dtype=object)


WORDS = [
    strings("a", "q", "a"),
    strings(["a"], ["b"]),
    strings(["a", "b"], ["q", ""]),
    np.array(["a", "zz"]),
    ["a", "zz"],
    "a",
]
NUMBERS = [
    np.array([5, 0, 99, -7]),
    np.array([[5], [9]]),
    np.array([[5, 7], [0, 7]]),
    [[5, 7], [1, 2]],
    5,
]
SEEN_WORDS = strings("a", "b", "a", "c", "zz", "", "")
SEEN_NUMBERS = np.array([5, 7, 9, 5, 0, 0, -1])
TEXTS = ["Hello, World! Foo_bar", "hello foo's", "caf\xc9 É  x\ty\x0bz", "", 'a-b c.d "q" \\ ^']
TEXT_INPUTS = [
    strings(*TEXTS[:3]),
    strings(*([t] for t in TEXTS[:3])),
    "hello world",
    TEXTS,
]
OPTIONS: list[dict[str, Any]] = [
    {},
    {"num_oov_indices": 3},
    {"mask_token": ""},
    {"mask_token": "", "num_oov_indices": 3, "max_tokens": 8},
    {"max_tokens": 8, "pad_to_max_tokens": True},
    {"num_oov_indices": 4, "salt": [1, 2]},
]


def lookups(mode: str) -> list[Row]:
    found = []
    weights = {"idf_weights": [0.5, 0.6, 0.7]} if mode == "tf_idf" else {}
    for options in OPTIONS:
        args = {"output_mode": mode, **options}
        given = {"vocabulary": ["a", "b", "c"], **args, **weights}
        found += [
            Row("StringLookup", given, WORDS),
            Row("StringLookup", args, WORDS, SEEN_WORDS),
        ]
        args = dict(args)
        if "mask_token" in args:
            args["mask_token"] = 0
        if "salt" in args:
            args["oov_method"] = "farmhash"
        given = {"vocabulary": [5, 7, 9], **args, **weights}
        found += [
            Row("IntegerLookup", given, NUMBERS),
            Row("IntegerLookup", args, NUMBERS, SEEN_NUMBERS),
        ]
    return found


PLACES = [np.array([[1, 2, 3], [0, 4, -1]]), [0, 1, 2]]
LONG = "longer text here, more than sixteen"
HASHED = [
    strings(["a", "bb"], ["", LONG], [LONG * 2, LONG * 5]),
    ["a", "b"],
    np.array([[1, 2], [-3, 10**6]]),
]
CROSSED = [
    (strings("a", "bb", "c"), np.array([1, 2, 3])),
    (strings(["a"], ["b"]), strings(["q"], ["r"]), np.array([[1], [-2]])),
    (["a", "b"], [1, 2]),
]
CATEGORIES = [np.array(x) for x in ([3, 2, 0, 1], [[3], [1]], [[0, 1], [0, 0], [3, 1]])]
FLOATS = [
    np.array([[-1.5, 1.0], [3.4, 0.5]]),
    np.array([-1.5, 1.0, 3.4, 0.5]),
    np.array([[0, 1], [2, 3]]),
]
CUBE = np.arange(24.0).reshape(2, 3, 4)
SOUND = np.sin(np.arange(1200) * 0.7).reshape(2, 300, 2).astype("float32")
NOISE = np.random.default_rng(0).normal(size=(2, 3000)).astype("float32")
SMALL_MEL = {"fft_length": 256, "sequence_stride": 64}

ROWS = [
    *[row for mode in ("int", "one_hot", "multi_hot", "count", "tf_idf") for row in lookups(mode)],
    Row("IntegerLookup", {"vocabulary": [5, 7, 9], "invert": True, "oov_token": -9}, PLACES),
    Row("IntegerLookup", {"vocabulary": [5, 7], "num_oov_indices": 4}, NUMBERS),
    *[
        Row("Hashing", {"num_bins": 7, **options}, HASHED)
        for options in (
            {},
            {"salt": 5},
            {"salt": [1, 2]},
            {"output_mode": "one_hot"},
            {"output_mode": "count"},
        )
    ],
    Row("Hashing", {"num_bins": 7, "mask_value": ""}, HASHED[:2]),
    Row("Hashing", {"num_bins": 7, "mask_value": 2}, HASHED[2:]),
    Row("HashedCrossing", {"num_bins": 7}, CROSSED),
    Row("HashedCrossing", {"num_bins": 7, "output_mode": "one_hot"}, CROSSED),
    *[
        Row("CategoryEncoding", {"num_tokens": 4, "output_mode": mode}, CATEGORIES)
        for mode in ("one_hot", "multi_hot", "count")
    ],
    *[
        Row("Discretization", {"bin_boundaries": [0.0, 1.0, 2.0], "output_mode": mode}, FLOATS)
        for mode in ("int", "one_hot", "multi_hot", "count")
    ],
    Row("Discretization", {"num_bins": 4}, FLOATS, np.arange(100.0) / 20),
    Row("Discretization", {"num_bins": 7, "epsilon": 0.1}, FLOATS, NOISE[:, :75]),
    *[
        Row("Normalization", args, [CUBE, CUBE.astype(int)], CUBE)
        for args in ({}, {"axis": None}, {"axis": 1}, {"axis": (-1, 1)}, {"invert": True})
    ],
    Row("Normalization", {"mean": [3.0, 1.0], "variance": [2.0, 4.0]}, [np.array([[1.0, 2.0]])]),
    Row("Normalization", {"mean": 3.0, "variance": 2.0}, FLOATS[:1]),
    Row("Rescaling", {"scale": 0.5, "offset": 1}, FLOATS),
    *[
        Row("TextVectorization", args, TEXT_INPUTS, TEXTS)
        for args in (
            {},
            {"standardize": None},
            {"standardize": "lower"},
            {"standardize": "strip_punctuation"},
            {"split": "character"},
            {"split": None},
            {"split": None, "output_mode": "count"},
            {"ngrams": 2},
            {"ngrams": (1, 3)},
            {"output_mode": "multi_hot"},
            {"output_mode": "count", "max_tokens": 40, "pad_to_max_tokens": True},
            {"output_mode": "tf_idf"},
            {"max_tokens": 5},
            {"output_sequence_length": 4},
        )
    ],
    *[
        Row("STFTSpectrogram", {"frame_length": 64, **args}, [SOUND, SOUND[..., :1]], None, 2e-3)
        for args in (
            {},
            {"mode": "magnitude", "frame_step": 16, "fft_length": 128},
            {"mode": "real", "padding": "same"},
            {"mode": "stft", "expand_dims": True},
            {"mode": "psd", "scaling": "spectrum", "window": "hamming", "periodic": True},
            {"mode": "magnitude", "window": None},
        )
    ],
    *[
        Row("MelSpectrogram", args, [NOISE, NOISE[0]], None, 2e-3)
        for args in (
            {"num_mel_bins": 20, **SMALL_MEL},
            {"sequence_length": 200, "power_to_db": False, **SMALL_MEL},
            {"min_power": 1e-3, "ref_power": 2.0, "mag_exp": 1.0, "top_db": 10.0, **SMALL_MEL},
        )
    ],
]
# Keras's NumPy engine has no convolution without another framework.
if keras.backend.backend() == "numpy":
    ROWS = [row for row in ROWS if row.name != "STFTSpectrogram"]
rows = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)


def for_keras(x: Any) -> Any:
    """Its NumPy engine does not take arrays of objects."""
    return x.tolist() if isinstance(x, np.ndarray) and x.dtype.kind in "OU" else x


def plain(x: Any) -> np.ndarray:
    if keras.ops.is_tensor(x) and not engine.is_tensor(x):
        x = keras.ops.convert_to_numpy(x)
    found = host_array(x)
    if found.dtype.kind != "O":
        return found
    texts = [t.decode() if isinstance(t, bytes) else t for t in found.ravel().tolist()]
    return np.array(texts, dtype=object).reshape(found.shape)


@rows
def test_values_and_specs(row: Row) -> None:
    ours, theirs = row.make(keraslite), row.make(keras)
    for x in row.inputs:
        output = ours(x)
        got, expected = plain(output), plain(theirs(for_keras(x)))
        assert got.shape == expected.shape
        if got.dtype.kind == "O":
            assert got.tolist() == expected.tolist()
        else:
            np.testing.assert_allclose(got, expected, rtol=row.tolerance, atol=row.tolerance)
        if not isinstance(x, np.ndarray):
            continue
        symbol = keraslite.KerasTensor((None, *x.shape[1:]), x.dtype)
        spec = ours.compute_output_spec(symbol)
        assert len(spec.shape) == got.ndim
        assert all(a in (None, b) for a, b in zip(spec.shape, got.shape, strict=True))
        is_string = got.dtype.kind == "O"
        assert spec.dtype == ("string" if is_string else str(got.dtype))


@rows
def test_configs(row: Row) -> None:
    ours, theirs = row.make(keraslite), row.make(keras)
    config = ours.get_config()
    assert set(config) == set(theirs.get_config())
    again = type(ours).from_config(copy.deepcopy(config))
    skipped = ("name", "vocabulary_size")
    assert {k: v for k, v in again.get_config().items() if k not in skipped} == {
        k: v for k, v in config.items() if k not in skipped
    }
    type(theirs).from_config(copy.deepcopy(config))
    type(ours).from_config(theirs.get_config())


@pytest.mark.parametrize(
    "row", [r for r in ROWS if "Lookup" in r.name or "Text" in r.name], ids=lambda row: row.id
)
def test_vocabularies(row: Row) -> None:
    ours, theirs = row.make(keraslite), row.make(keras)
    kind = int if row.name == "IntegerLookup" else str
    for special in (True, False):
        expected = [kind(t) for t in theirs.get_vocabulary(special)]
        assert ours.get_vocabulary(special) == expected
    assert ours.vocabulary_size() == theirs.vocabulary_size()


WRONG = [
    ("StringLookup", {"max_tokens": 1}),
    ("StringLookup", {"num_oov_indices": -1}),
    ("StringLookup", {"output_mode": "x"}),
    ("StringLookup", {"output_mode": "one_hot", "invert": True}),
    ("StringLookup", {"pad_to_max_tokens": True}),
    ("StringLookup", {"idf_weights": [1.0]}),
    ("StringLookup", {"salt": "a"}),
    ("StringLookup", {"vocabulary": []}),
    ("StringLookup", {"vocabulary": ["a", "a"]}),
    ("StringLookup", {"vocabulary": ["a", ""], "mask_token": ""}),
    ("StringLookup", {"vocabulary": ["a", "b"], "max_tokens": 2}),
    ("StringLookup", {"vocabulary": ["a"], "output_mode": "tf_idf"}),
    ("StringLookup", {"vocabulary": "/nowhere/at/all.txt"}),
    ("StringLookup", {"sparse": True}),
    ("IntegerLookup", {"salt": 1}),
    ("IntegerLookup", {"vocabulary_dtype": "int32"}),
    ("IntegerLookup", {"oov_method": "x"}),
    ("TextVectorization", {"standardize": "x"}),
    ("TextVectorization", {"split": "x"}),
    ("TextVectorization", {"ngrams": "a"}),
    ("TextVectorization", {"output_mode": "count", "output_sequence_length": 3}),
    ("TextVectorization", {"output_mode": "count", "ragged": True}),
    ("Hashing", {"num_bins": 0}),
    ("Hashing", {"num_bins": 3, "dtype": "float32"}),
    ("HashedCrossing", {"num_bins": 3, "output_mode": "count"}),
    ("CategoryEncoding", {}),
    ("CategoryEncoding", {"num_tokens": 3, "output_mode": "int"}),
    ("Discretization", {}),
    ("Discretization", {"num_bins": 3, "bin_boundaries": [1.0]}),
    ("Discretization", {"bin_boundaries": [2.0, 1.0]}),
    ("Normalization", {"mean": 1.0}),
    ("STFTSpectrogram", {"mode": "x"}),
    ("STFTSpectrogram", {"frame_step": 300}),
    ("MelSpectrogram", {"sequence_length": 5000}),
]


@pytest.mark.parametrize(("name", "args"), WRONG, ids=lambda x: str(x).replace(" ", ""))
def test_wrong_arguments(name: str, args: dict[str, Any]) -> None:
    with pytest.raises(ValueError) as caught:
        getattr(keraslite.layers, name)(**args)
    assert name in str(caught.value) or "vocabular" in str(caught.value)
    assert len(str(caught.value)) <= 600


def test_unknown_tokens_are_an_error_without_a_place() -> None:
    layer = keraslite.layers.StringLookup(vocabulary=["a"], num_oov_indices=0)
    with pytest.raises(ValueError, match="num_oov_indices=0"):
        layer(["b"])
    with pytest.raises(ValueError, match="adapt"):
        keraslite.layers.StringLookup()(["b"])


def test_own_functions_and_series_of_updates() -> None:
    layer = keraslite.layers.TextVectorization(
        standardize=lambda texts: np.array([t.upper() for t in texts], dtype=object),
        split=lambda texts: [t.split("-") for t in texts],
    )
    layer.adapt(["a-b", "b-q"])
    assert layer.get_vocabulary() == ["", "[UNK]", "B", "Q", "A"]
    assert plain(layer(["a-b-b", "q"])).tolist() == [[4, 2, 2], [3, 0, 0]]
    layer = keraslite.layers.TextVectorization()
    layer.update_state(["a b"])
    layer.update_state(iter(["c"]).__next__())
    layer.finalize_state()
    assert layer.get_vocabulary(False) == ["c", "b", "a"]
    layer.adapt(text for text in (["d"], ["e d"]))
    assert layer.get_vocabulary(False) == ["d", "e"]


def test_places_become_strings() -> None:
    places = np.array([[1, 2], [0, 4], [-1, 3]])
    layer = keraslite.layers.StringLookup(vocabulary=["a", "b", "c"], invert=True)
    expected = [["a", "b"], ["[UNK]", "[UNK]"], ["[UNK]", "c"]]
    assert plain(layer(places)).tolist() == expected
    assert layer.compute_output_spec(keraslite.KerasTensor((None, 2), "int64")).dtype == "string"
    args = {"vocabulary": ["a"], "mask_token": "", "num_oov_indices": 2, "oov_token": "X"}
    layer = keraslite.layers.StringLookup(invert=True, **args)
    assert plain(layer([0, 1, 2, 3, 4])).tolist() == ["", "X", "X", "a", "X"]


def test_count_weights() -> None:
    layer = keraslite.layers.CategoryEncoding(3, "count")
    x, weights = np.array([[0, 1], [0, 0]]), np.array([[0.1, 0.2], [0.3, 0.4]])
    found = plain(layer(x, count_weights=weights))
    np.testing.assert_allclose(found, [[0.1, 0.2, 0], [0.7, 0, 0]], rtol=1e-6)


def test_pipeline() -> None:
    layers = keraslite.layers
    pipeline = layers.Pipeline([layers.Rescaling(2.0), layers.Dense(2)])
    x = np.ones((1, 3), "float32")
    expected = plain(pipeline(x))
    again = layers.Pipeline.from_config(pipeline.get_config())
    again(x)
    again.set_weights(pipeline.get_weights())
    np.testing.assert_allclose(plain(again(x)), expected, rtol=1e-6)
