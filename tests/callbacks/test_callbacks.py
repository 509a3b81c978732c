"""Callbacks: when they are called and with what, and what each does, against Keras."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import keraslite
from tests.training.oracle import BATCH, check, data
from tests.training.oracle import dense_eager as dense

X, Y = data()
LATER = data(7)
RUN: dict[str, Any] = {"batch_size": BATCH, "shuffle": False, "verbose": 0}
HOOKS = [
    *(f"on_{phase}_{edge}" for phase in ("train", "test", "predict") for edge in ("begin", "end")),
    *(
        f"on_{phase}_batch_{edge}"
        for phase in ("train", "test", "predict")
        for edge in ("begin", "end")
    ),
    "on_epoch_begin",
    "on_epoch_end",
]
trains = pytest.mark.requires("trainable")


def recorder(k: Any, seen: list[Any], name: str = "") -> Any:
    """A callback that notes every hook with its arguments."""

    def note(hook: str) -> Any:
        def method(self: Any, *args: Any, logs: Any = None) -> None:
            *index, logs = args if isinstance(args[-1:] and args[-1], dict) else (*args, logs)
            logs = {key: tuple(np.shape(v)) if key == "outputs" else v for key, v in logs.items()}
            seen.append((name + hook, index, logs))

        return method

    return type("Recorder", (k.callbacks.Callback,), {hook: note(hook) for hook in HOOKS})()


@trains
def test_order_and_arguments_of_hooks_in_fit() -> None:
    def run(k: Any) -> Any:
        seen: list[Any] = []
        model = dense(k, metrics=["mae"])
        callbacks = [recorder(k, seen), recorder(k, seen, "second ")]
        model.fit(X, Y, epochs=2, callbacks=callbacks, validation_data=LATER, **RUN)
        params = {key: callbacks[0].params[key] for key in ("epochs", "steps", "verbose")}
        assert callbacks[0].model is model
        return seen, params

    check(run)


def test_order_and_arguments_of_hooks_in_evaluate_and_predict() -> None:
    def run(k: Any) -> Any:
        seen: list[Any] = []
        model = dense(k)
        for method, args in ((model.evaluate, (X, Y)), (model.predict, (X,))):
            method(*args, batch_size=BATCH, verbose=0, callbacks=[recorder(k, seen)])
        return seen

    check(run)


@trains
def test_batch_hooks_without_anything_to_do_are_not_called() -> None:
    """Reading logs waits for the step, so only who needs them is asked."""
    quiet = keraslite.callbacks.CallbackList([keraslite.callbacks.EarlyStopping("loss")])
    assert not (quiet.watches_train_batches or quiet.watches_test_batches)
    nan = keraslite.callbacks.CallbackList([keraslite.callbacks.TerminateOnNaN()])
    assert nan.watches_train_batches and not nan.watches_predict_batches

    class Old(keraslite.callbacks.Callback):
        calls = 0

        def on_batch_end(self, batch, logs=None):
            self.calls += 1

    old = Old()
    dense(keraslite).fit(X, Y, callbacks=[old], **RUN)
    assert old.calls == 3


def test_callback_list() -> None:
    seen: list[Any] = []
    found = keraslite.callbacks.CallbackList(
        [[recorder(keraslite, seen)]], add_history=True, model="model", epochs=3
    )
    assert found.history is found.callbacks[1] and found.callbacks[0].model == "model"
    assert found.callbacks[0].params["epochs"] == 3
    found.append(recorder(keraslite, seen, "late "))
    found.on_epoch_begin(2, {"a": 1})
    found.on_batch_end(5)
    assert seen == [
        ("on_epoch_begin", [2], {"a": 1}),
        ("late on_epoch_begin", [2], {"a": 1}),
        ("on_train_batch_end", [5], {}),
        ("late on_train_batch_end", [5], {}),
    ]
    for wrong in (5, keraslite.callbacks.History):
        with pytest.raises(TypeError, match="callbacks"):
            keraslite.callbacks.CallbackList([wrong])


@trains
def test_logs_added_by_a_callback_reach_those_after_it() -> None:
    def run(k: Any) -> Any:
        class Adds(k.callbacks.Callback):
            def on_epoch_end(self, epoch, logs=None):
                logs["twice"] = 2 * logs["loss"]

        return dense(k).fit(X, Y, epochs=2, callbacks=[Adds()], **RUN).history

    check(run)


# Callbacks that follow a made-up value -----------------------------------------------------

CURVES: dict[str, list[float]] = {
    "falls": [5.0, 4.0, 3.0, 2.0, 1.0, 0.5],
    "plateau": [5.0, 4.0, 4.0, 4.0, 4.0, 3.0],
    "bounces": [5.0, 3.0, 4.0, 2.95, 4.0, 6.0],
    "nan": [5.0, np.nan, 4.0, np.nan, 6.0, 7.0],
    "rises": [0.1, 0.2, 0.3, 0.25, 0.2, 0.1],
}
STOPS: dict[str, dict[str, Any]] = {
    "default": {},
    "patience": {"patience": 2},
    "delta": {"patience": 1, "min_delta": 0.5},
    "max": {"patience": 1, "mode": "max"},
    "baseline": {"patience": 1, "baseline": 3.5},
    "restore": {"patience": 2, "restore_best_weights": True},
    "start": {"patience": 1, "start_from_epoch": 2, "restore_best_weights": True},
    "baseline_restore": {"baseline": 0.2, "restore_best_weights": True},
}
PLATEAUS: dict[str, dict[str, Any]] = {
    "default": {"patience": 1},
    "patience": {"patience": 2, "factor": 0.5},
    "cooldown": {"patience": 1, "cooldown": 2, "factor": 0.5},
    "floor": {"patience": 1, "factor": 0.1, "min_lr": 0.05},
    "max": {"patience": 1, "mode": "max", "factor": 0.5},
}


class Stub:
    """As much of a model as such callbacks need: weights that count epochs."""

    def __init__(self, k: Any) -> None:
        self.stop_training = False
        self.metrics: list[Any] = []
        self.optimizer = k.optimizers.SGD(0.4)
        self.epoch = -1
        self.restored: Any = None

    def get_weights(self) -> Any:
        return [np.array(self.epoch)]

    def set_weights(self, weights: Any) -> None:
        self.restored = int(weights[0])


def follow(k: Any, callback: Any, curve: list[float]) -> Any:
    """Run the hooks over a curve; the learning rates, the end, what was restored."""
    model = Stub(k)
    callback.set_model(model)
    callback.set_params({"epochs": len(curve)})
    callback.on_train_begin()
    rates = []
    for epoch, value in enumerate(curve):
        model.epoch = epoch
        callback.on_epoch_begin(epoch)
        callback.on_epoch_end(epoch, {"val_loss": value})
        rates.append(float(k.ops.convert_to_numpy(model.optimizer.learning_rate)))
        if model.stop_training:
            break
    callback.on_train_end()
    return {"rates": rates, "epoch": model.epoch, "restored": model.restored}


@pytest.mark.parametrize("row", STOPS)
@pytest.mark.parametrize("curve", CURVES)
def test_early_stopping(row: str, curve: str) -> None:
    def run(k: Any) -> Any:
        callback = k.callbacks.EarlyStopping(**{"mode": "min", **STOPS[row]})
        found = follow(k, callback, CURVES[curve])
        return {**found, "stopped": callback.stopped_epoch, "best_epoch": callback.best_epoch}

    check(run)


@pytest.mark.parametrize("row", PLATEAUS)
@pytest.mark.parametrize("curve", CURVES)
def test_reduce_on_plateau(row: str, curve: str) -> None:
    check(
        lambda k: follow(
            k, k.callbacks.ReduceLROnPlateau(**{"mode": "min", **PLATEAUS[row]}), CURVES[curve]
        )
    )


@trains
@pytest.mark.parametrize("monitor", ["val_loss", "loss", "val_mae", "val_accuracy", "val_auto"])
def test_direction_is_told_from_the_metric(monitor: str) -> None:
    def run(k: Any) -> Any:
        metrics = ["mae", "accuracy", k.metrics.CosineSimilarity(name="auto")]
        model = dense(k, metrics=metrics)
        callback = k.callbacks.EarlyStopping(monitor, patience=5)
        model.fit(X, Y, callbacks=[callback], validation_data=LATER, **RUN)
        return bool(callback.monitor_op(2.0, 1.0))

    check(run)


@trains
def test_monitor_that_is_not_there_warns_once() -> None:
    callback = keraslite.callbacks.EarlyStopping("val_loss", mode="min")
    with pytest.warns(UserWarning, match="validation_data") as found:
        dense(keraslite).fit(X, Y, epochs=3, callbacks=[callback], **RUN)
    assert len(found) == 1
    wrong = keraslite.callbacks.ReduceLROnPlateau("val_los")
    with pytest.raises(ValueError, match="val_los"):
        dense(keraslite).fit(X, Y, callbacks=[wrong], **RUN)


@trains
def test_learning_rate_scheduler() -> None:
    def run(k: Any) -> Any:
        found = []
        for schedule in (lambda epoch: 0.1 / (epoch + 1), lambda epoch, rate: rate * 0.5):
            callback = k.callbacks.LearningRateScheduler(schedule)
            model = dense(k)
            found.append(model.fit(X, Y, epochs=3, callbacks=[callback], **RUN).history)
        return found

    check(run)
    with pytest.raises(ValueError, match="float"):
        callback = keraslite.callbacks.LearningRateScheduler(lambda epoch: "0.1")
        dense(keraslite).fit(X, Y, callbacks=[callback], **RUN)


@trains
@pytest.mark.filterwarnings("ignore:.y. holds NaN")
def test_terminate_on_nan() -> None:
    def run(k: Any) -> Any:
        y = Y.copy()
        y[BATCH] = np.inf
        model = dense(k)
        seen: list[Any] = []
        callbacks = [k.callbacks.TerminateOnNaN(), recorder(k, seen)]
        history = model.fit(X, y, epochs=3, callbacks=callbacks, **RUN).history
        return history, [hook for hook, _, _ in seen]

    check(run)
    with pytest.raises(RuntimeError, match="batch 0 of epoch 0"):
        callback = keraslite.callbacks.TerminateOnNaN(raise_error=True)
        dense(keraslite).fit(X, Y * np.nan, callbacks=[callback], **RUN)


@trains
@pytest.mark.parametrize("append", [False, True])
def test_csv_logger(append: bool, tmp_path: Path) -> None:
    def run(k: Any) -> Any:
        path = tmp_path / f"{k.__name__}.csv"
        model = dense(k, metrics=["mae"])
        for start in (0, 2):
            callback = k.callbacks.CSVLogger(path, separator=";", append=append)
            model.fit(
                X, Y, initial_epoch=start, epochs=start + 2, callbacks=[callback],
                validation_data=LATER, validation_freq=2, **RUN,
            )  # fmt: skip
        rows = [line.split(";") for line in path.read_text().splitlines()]
        return rows[0], [[None if v == "NA" else float(v) for v in row] for row in rows[1:]]

    header, rows = check(run)
    assert header[0] == "epoch" and len(rows) == (4 if append else 2)


@trains
def test_progress_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    model = dense(keraslite, metrics=["mae"])
    for verbose, lines in ((0, 0), (2, 4)):
        model.fit(X, Y, epochs=2, batch_size=BATCH, verbose=verbose, validation_data=LATER)
        text = capsys.readouterr().out
        assert len(text.splitlines()) == lines
    assert "Epoch 2/2" in text and "3/3" in text and "val_mae" in text
