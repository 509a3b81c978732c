"""Training that goes on after an interruption, and weights that stand in for others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import keraslite as keras
from keraslite import callbacks, ops

pytestmark = pytest.mark.requires("trainable")
SIZE, BATCH, EPOCHS = 20, 4, 4
RNG = np.random.default_rng(0)
X = RNG.normal(size=(SIZE, 3)).astype("float32")
Y = X.sum(1, keepdims=True)


class Interruption(Exception):
    pass


class Stop(callbacks.Callback):
    """Interrupts after a batch, counted over all epochs."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self.left = after

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.left -= 1
        if self.left == 0:
            raise Interruption


def make(optimizer: Any = None, seed: int = 3) -> Any:
    keras.utils.set_random_seed(seed)
    model = keras.Sequential(
        [
            keras.Input((3,)),
            keras.layers.Dense(6, "tanh"),
            keras.layers.Dropout(0.3),
            keras.layers.BatchNormalization(),
            keras.layers.Dense(1),
        ]
    )
    optimizer = optimizer or keras.optimizers.Adam(0.05, use_ema=True)
    model.compile(optimizer, "mse", metrics=["mae"])
    return model


def fit(model: Any, *given: Any, **arguments: Any) -> Any:
    options = {"batch_size": BATCH, "epochs": EPOCHS, "verbose": 0, **arguments}
    return model.fit(X, Y, callbacks=list(given), **options)


def state(model: Any) -> list[np.ndarray]:
    return [v.numpy() for v in (*model.variables, *model.optimizer.variables)]


ROWS = [
    ("epoch", 7, {}),
    ("epoch", 6, {"validation_split": 0.2}),
    (2, 13, {}),
    (5, 11, {"shuffle": False}),
    (1, 10, {}),
    (2, 13, {"steps_per_epoch": 5, "batch_size": 2}),
    (2, 5, {"steps_per_epoch": 2}),
    ("epoch", 5, {"steps_per_epoch": 2}),
    ("epoch", 11, {"steps_per_execution": 2}),
    (4, 15, {"steps_per_execution": 2}),
]


@pytest.mark.filterwarnings("ignore:The data ran dry")
@pytest.mark.parametrize(("save_freq", "after", "arguments"), ROWS, ids=str)
def test_resumed_run_equals_one_without_interruption(
    save_freq: Any, after: int, arguments: dict[str, Any], tmp_path: Path
) -> None:
    arguments = dict(arguments)
    per_execution = arguments.pop("steps_per_execution", 1)

    def new(seed: int = 3) -> Any:
        model = make(seed=seed)
        model.steps_per_execution = per_execution
        return model

    whole = new()
    expected = fit(whole, **arguments)
    broken, backup = new(), callbacks.BackupAndRestore(tmp_path, save_freq)
    with pytest.raises(Interruption):
        fit(broken, backup, Stop(-(-after // per_execution)), **arguments)
    # Another seed: the order of the samples and the noise come from the backup.
    resumed = new(4)
    for variable in resumed.variables:
        variable.assign(ops.zeros_like(variable.value))
    history = fit(resumed, callbacks.BackupAndRestore(tmp_path, save_freq), **arguments)
    for mine, other in zip(state(resumed), state(whole), strict=True):
        np.testing.assert_array_equal(mine, other)
    epochs = len(history.epoch)
    assert history.epoch == expected.epoch[-epochs:]
    for name, values in history.history.items():
        assert values == expected.history[name][-epochs:]
    assert not any(tmp_path.glob("*"))


# Averages --------------------------------------------------------------------------


class Watch(callbacks.Callback):
    """Keeps the first weight at several moments."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, float, float]] = []

    def _look(self, when: str) -> None:
        average = self.model.optimizer._averaged()[0][1]
        weight = self.model.weights[0]
        self.seen.append((when, weight.numpy()[0, 0], average.numpy()[0, 0]))

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self._look("trained")

    def on_test_begin(self, logs: Any = None) -> None:
        self._look("tested")

    def on_test_end(self, logs: Any = None) -> None:
        self._look("after the test")

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        if epoch:
            self._look("new epoch")

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self._look("epoch")


@pytest.mark.parametrize("on_epoch", [False, True])
def test_averages_stand_in_for_weights(on_epoch: bool) -> None:
    model, watch = make(keras.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.5)), Watch()
    swap = callbacks.SwapEMAWeights(on_epoch)
    fit(model, swap, watch, epochs=3, validation_data=(X, Y))
    trained = next(s for s in watch.seen if s[0] == "trained")
    swapped = {"tested", "epoch"} if on_epoch else {"tested"}
    for when, weight, average in watch.seen:
        if when == "trained":
            trained = (when, weight, average)
            continue
        assert average == trained[2]
        assert weight == (average if when in swapped else trained[1]), when
    # At the end the averages stay.
    assert model.weights[0].numpy()[0, 0] == trained[2]
    before = state(model)
    assert model.evaluate(X, Y, verbose=0, callbacks=[swap], return_dict=True) == model.evaluate(
        X, Y, verbose=0, return_dict=True
    )
    model.predict(X, verbose=0, callbacks=[swap])
    for mine, other in zip(state(model), before, strict=True):
        np.testing.assert_array_equal(mine, other)


def test_averages_when_training_is_stopped_early() -> None:
    model, watch = make(keras.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.5)), Watch()
    stop = callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: setattr(model, "stop_training", epoch == 1)
    )
    fit(model, callbacks.SwapEMAWeights(True), watch, stop)
    assert model.weights[0].numpy()[0, 0] == watch.seen[-1][2]


def test_averages_of_an_optimizer_without_them() -> None:
    model = make(keras.optimizers.SGD())
    with pytest.raises(ValueError, match="make it with `use_ema=True`"):
        model.evaluate(X, Y, verbose=0, callbacks=[callbacks.SwapEMAWeights()])


def test_averages_of_inner_optimizers() -> None:
    inner = keras.optimizers.SGD(0.1, use_ema=True)
    chosen = keras.optimizers.OptimizerMap(keras.optimizers.Adam(), {".*kernel": inner})
    for optimizer in (
        keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.1, use_ema=True)),
        keras.optimizers.MultiOptimizer(chosen),
    ):
        model = make(optimizer)
        fit(model, epochs=1)
        for variable in model.weights:
            variable.assign(ops.ones_like(variable.value))
        swap = callbacks.SwapEMAWeights()
        swap.set_model(model)
        swap.on_test_begin()
        assert np.any(model.weights[0].numpy() != 1)
        swap.on_test_end()
        assert np.all(model.weights[0].numpy() == 1)
