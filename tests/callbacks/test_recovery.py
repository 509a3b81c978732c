"""Training that goes on after an interruption, and weights that stand in for others."""

from __future__ import annotations

import functools
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import keraslite as keras
from keraslite import callbacks, ops
from keraslite.callbacks import snapshot
from keraslite.saving.commit import Generations
from tests.callbacks import killed

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


def numbers() -> Any:
    """An endless generator that draws by the global generator of NumPy."""
    while True:
        rows = np.random.randint(0, SIZE, BATCH)
        yield X[rows], Y[rows]


class Reshuffled:
    """Begins anew in every epoch, in an order that is drawn with its first batch."""

    def __init__(self) -> None:
        self.draws = np.random.default_rng(5)

    def __iter__(self) -> Any:
        rows = self.draws.permutation(SIZE)
        for start in range(0, SIZE, BATCH):
            where = rows[start : start + BATCH]
            yield X[where], Y[where]


class Counting(keras.utils.PyDataset):
    """Changes at the end of an epoch, in a way that does not depend on anything else."""

    shift = 0

    def __len__(self) -> int:
        return SIZE // BATCH

    def __getitem__(self, index: int) -> Any:
        rows = (np.arange(BATCH) + index * BATCH + self.shift) % SIZE
        return X[rows], Y[rows]

    def on_epoch_end(self) -> None:
        self.shift += 3


@functools.cache
def shared(per_execution: int) -> tuple[Any, list[np.ndarray]]:
    """A model, and all its state at the beginning; it is compiled once."""
    model = make()
    model.steps_per_execution = per_execution
    fit(model, epochs=1)
    return model, [v.numpy() for v in model._step_variables("train")]


def run(
    *given: Any, per_execution: int = 1, seed: int = 2, scale: float = 1, **options: Any
) -> Any:
    """A training from the beginning; epochs, logs, and the state at the end."""
    model, begun = shared(per_execution)
    for variable, value in zip(model._step_variables("train"), begun, strict=True):
        variable.assign((value * scale).astype(value.dtype))
    np.random.seed(seed)
    # What the rate depends on must not be done again when an epoch goes on.
    rate = callbacks.LearningRateScheduler(lambda epoch, rate: rate * 0.5)
    given = (*given, rate)
    if "data" in options:
        options = {"verbose": 0, "epochs": EPOCHS, **options}
        history = model.fit(options.pop("data")(), callbacks=list(given), **options)
    else:
        history = fit(model, *given, **options)
    return history.epoch, history.history, state(model)


ROWS = [
    ("epoch", 7, {}),
    ("epoch", 6, {"validation_split": 0.2}),
    (5, 11, {"shuffle": False}),
    (2, 10, {"steps_per_epoch": 3}),
    ("epoch", 5, {"steps_per_epoch": 2}),
    (4, 15, {"per_execution": 2}),
    (2, 13, {"data": numbers, "steps_per_epoch": 5}),
    (2, 13, {"data": Reshuffled}),
    (2, 13, {"data": Counting, "shuffle": False}),
]


def names(row: Any) -> str:
    return getattr(row, "__name__", str(row))


@pytest.mark.filterwarnings("ignore:The data ran dry")
@pytest.mark.parametrize(("save_freq", "after", "options"), ROWS, ids=names)
def test_resumed_run_equals_one_without_interruption(
    save_freq: Any, after: int, options: dict[str, Any], tmp_path: Path
) -> None:
    expected = run(**options)
    with pytest.raises(Interruption):
        stop = Stop(-(-after // options.get("per_execution", 1)))
        run(callbacks.BackupAndRestore(tmp_path, save_freq), stop, **options)
    # Other weights and seeds: everything comes from the backup.
    found = run(callbacks.BackupAndRestore(tmp_path, save_freq), seed=4, scale=0, **options)
    assert found[:2] == expected[:2]
    for mine, other in zip(found[2], expected[2], strict=True):
        np.testing.assert_array_equal(mine, other)
    assert not tmp_path.exists()


def test_interruption_after_every_batch(tmp_path: Path) -> None:
    seen: list[int] = []
    count = callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: seen.append(batch))
    expected = run(count, epochs=2)
    per_epoch = len(seen) // 2
    for after in range(1, 2 * per_epoch + 1):
        folder = tmp_path / str(after)
        with pytest.raises(Interruption):
            run(Stop(after), callbacks.BackupAndRestore(folder, 1), epochs=2)
        seen.clear()
        # An interruption in the first batch leaves no backup.
        scale = 1 if after == 1 else 0
        found = run(count, callbacks.BackupAndRestore(folder, 1), epochs=2, scale=scale)
        # The batch of the interruption is done again, no other.
        assert seen == [n % per_epoch for n in range(after - 1, 2 * per_epoch)]
        assert found[:2] == expected[:2]
        for mine, other in zip(found[2], expected[2], strict=True):
            np.testing.assert_array_equal(mine, other)


def test_killed_process(tmp_path: Path) -> None:
    program = [sys.executable, killed.__file__, str(tmp_path / "killed")]
    done = subprocess.run(program, capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert any((tmp_path / "killed" / "backup").iterdir())
    found, expected = killed.train(tmp_path / "killed"), killed.train(tmp_path / "whole")
    for mine, other in zip(found.pop("variables"), expected.pop("variables"), strict=True):
        np.testing.assert_array_equal(mine, other)
    assert found == expected


# Files -----------------------------------------------------------------------------


class Killed(BaseException):
    pass


def test_killed_between_any_two_writes(tmp_path: Path, monkeypatch: Any) -> None:
    """As by kill -9: nothing runs afterwards, what was written stays."""
    files = Generations(tmp_path / "backup", "backup")
    left = [0]

    def dying(function: Any) -> Any:
        def run(*args: Any, **kwargs: Any) -> Any:
            left[0] -= 1
            if left[0] == 0:
                raise Killed
            return None if left[0] < 0 else function(*args, **kwargs)

        return run

    def write(number: int) -> None:
        with files.writing() as file:
            snapshot.write(file, {"number": number, "array": np.arange(5)})

    write(0)
    number = kills = 0
    while True:
        number += 1
        left[0] = number
        with monkeypatch.context() as patch:
            for name in ("open", "fdopen", "fsync", "chmod", "replace", "unlink", "close"):
                patch.setattr(os, name, dying(getattr(os, name)))
            patch.setattr(np, "savez", dying(np.savez))
            try:
                write(number)
            except Killed:
                kills += 1
        with files.reading() as file:
            assert snapshot.read(file)["number"] in (number - 1, number)
        write(number)
        if left[0] > 0:
            break
    assert kills >= 7 and len(list(files.directory.glob("backup-*"))) == 2
    files.clear()
    assert not files.directory.exists()


def test_damaged_files_are_recognised(tmp_path: Path) -> None:
    files = Generations(tmp_path, "backup")
    bfloat16 = keras.ops.convert_to_numpy(keras.ops.ones((2,), "bfloat16"))
    states = [
        {"a": [1.5, None, True, "\u00e9", {"x": (np.float32(2), np.int64(3))}], "b": bfloat16},
        {"a": float("inf"), "b": np.array(5), "c": np.zeros((0, 2), "int8")},
    ]
    for state_ in states:
        with files.writing() as file:
            snapshot.write(file, state_)
    first, last = sorted(tmp_path.iterdir())
    good = last.read_bytes()
    for place in (0, 30, len(good) // 2, len(good) - 40, len(good) - 1):
        last.write_bytes(good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :])
        with pytest.warns(UserWarning, match="is damaged and was removed"), files.reading() as file:
            found = snapshot.read(file)
        assert found["a"][:4] == states[0]["a"][:4] and not last.exists()
        assert [type(x) for x in found["a"][4]["x"]] == [np.float32, np.int64]
        assert found["b"].dtype == bfloat16.dtype
        last.write_bytes(good)
    with files.reading() as file:
        assert snapshot.read(file)["c"].shape == (0, 2)
    for path, size in ((first, 10), (last, len(good) - 5)):
        path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(ValueError, match="no other is left"), files.reading():
        pass
    with pytest.raises(TypeError, match="The state 'x/0' must be made of"), files.writing() as file:
        snapshot.write(file, {"x": [object()]})


def test_states_of_callbacks() -> None:
    found = callbacks.CallbackList([callbacks.EarlyStopping("a"), callbacks.EarlyStopping("b")])
    found.callbacks[1].wait = 3
    kept = found.get_state()
    assert list(kept) == ["EarlyStopping", "EarlyStopping_2"]
    other = callbacks.CallbackList([callbacks.EarlyStopping("a"), callbacks.EarlyStopping("b")])
    other.set_state(kept)
    assert other.callbacks[1].wait == 3
    with pytest.warns(UserWarning, match="not there: EarlyStopping_2"):
        callbacks.CallbackList([callbacks.EarlyStopping("a")]).set_state(kept)


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
