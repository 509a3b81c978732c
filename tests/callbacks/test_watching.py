"""What watching a training costs, and where it finds NaN."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import keraslite as keras
from keraslite import callbacks
from keraslite.training.logs import LazyLogs

pytestmark = pytest.mark.requires("trainable")
RNG = np.random.default_rng(0)
X = RNG.normal(size=(24, 3)).astype("float32")
Y = X.sum(1, keepdims=True)


class Own(callbacks.Callback):
    seen = 0

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        logs = logs or {}
        self.seen += 1


def test_batch_hooks_do_not_read_logs(tmp_path: Path, monkeypatch: Any) -> None:
    """Reading waits for the step: nobody does it who does not look at the values."""
    reads = []
    fetch = LazyLogs._fetch
    monkeypatch.setattr(
        LazyLogs,
        "_fetch",
        lambda logs: (reads.append(1) if logs._pending is not None else None, fetch(logs))[1],
    )
    own, seen = Own(), []
    given = [
        callbacks.ModelCheckpoint(str(tmp_path / "m-{epoch}-{batch}.keras"), save_freq=5),
        callbacks.BackupAndRestore(tmp_path / "backup", save_freq=4),
        callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: seen.append(batch)),
        callbacks.EarlyStopping("loss"),
        own,
    ]
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse", metrics=["mae"])
    model.fit(X, Y, batch_size=2, verbose=0, callbacks=given)
    assert seen == list(range(12)) and own.seen == 12
    assert sorted(p.name for p in tmp_path.glob("*.keras")) == ["m-1-10.keras", "m-1-5.keras"]
    assert not reads
    model.fit(X, Y, batch_size=2, verbose=0, callbacks=callbacks.TerminateOnNaN())
    assert len(reads) == 12


# NaN -------------------------------------------------------------------------------


@keras.saving.register_keras_serializable("tests")
class Reciprocal(keras.layers.Layer):
    """Infinite where its input is 0."""

    def call(self, x: Any) -> Any:
        return 1.0 / x


def _data(kind: str) -> tuple[Any, Any]:
    x, y = np.ones((12, 3), "float32"), np.ones((12, 1), "float32")
    if kind == "inputs":
        x[8, 1] = np.nan
    elif kind == "targets":
        y[8] = np.inf
    elif kind == "output":
        x[8] = 0
    elif kind == "loss":
        y[8] = 1e30
    return x, y


PLACES = {
    "inputs": "the inputs of the batch",
    "targets": "the targets of the batch",
    "output": "the output of layer 'outer/inner/bad' (Reciprocal)",
    "loss": "the loss",
    "gradient": "the gradient of 'outer/last/bias'",
    "weight": "the updated weight 'outer/last/kernel'",
}


@pytest.mark.parametrize("kind", PLACES)
@pytest.mark.filterwarnings("ignore:.*holds")
def test_debugging_names_the_first_bad_place(kind: str) -> None:
    inner = keras.Sequential([Reciprocal(name="bad"), keras.layers.Dropout(0.1)], name="inner")
    last = keras.layers.Dense(1, kernel_initializer="ones", name="last")
    model = keras.Sequential([keras.Input((3,)), inner, last], name="outer")
    x, y = _data(kind)
    loss: Any = "mse"
    rate = 0.01
    if kind == "gradient":
        # The derivative of the root is infinite at 0, which the third batch reaches.
        x[8:], y[8:] = 1e30, 0
        loss = lambda y, p: keras.ops.sqrt(keras.ops.abs(p) * keras.ops.cast(y, p.dtype))  # noqa: E731
    elif kind == "weight":
        rate = 3e38
    model.compile(keras.optimizers.SGD(rate), loss)
    seen: list[Any] = []
    keep = callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: seen.append([v.numpy() for v in model.variables])
    )
    keras.config.set_debug_nans(True)
    try:
        with pytest.raises(FloatingPointError) as caught:
            model.fit(x, y, batch_size=4, shuffle=False, verbose=0, callbacks=[keep])
    finally:
        keras.config.set_debug_nans(False)
    text = str(caught.value)
    assert f"first in {PLACES[kind]}. " in text and len(text) <= 600
    if kind != "weight":
        assert "at update 3, " in text
        for found, expected in zip(model.variables, seen[-1], strict=True):
            np.testing.assert_array_equal(found.numpy(), expected)


def test_terminate_on_nan_says_where(capsys: Any) -> None:
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    x, y = _data("targets")
    model.fit(x, y, batch_size=4, shuffle=False, verbose=0, callbacks=callbacks.TerminateOnNaN())
    assert "Batch 2: Invalid loss, terminating training (epoch 0)" in capsys.readouterr().out
