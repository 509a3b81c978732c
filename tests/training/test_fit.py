"""`fit`, `evaluate`, `predict` and steps on batches, against Keras on the same engine."""

from __future__ import annotations

import datetime
import itertools
import time
import warnings
from typing import Any

import numpy as np
import pytest

import keraslite
from keraslite.training.data import make_source
from keraslite.training.fit_options import Pace
from tests.training.oracle import (
    BATCH,
    SAMPLES,
    assert_same,
    check,
    data,
    dense,
    dense_eager,
    fill,
    keras,
    sample_weights,
)

X, Y = data()
W = sample_weights()
LABELS = np.arange(SAMPLES) % 3
LATER = data(7)
PART = X[:BATCH], Y[:BATCH]
NO_ORDER: dict[str, Any] = {"batch_size": BATCH, "shuffle": False, "verbose": 0}


def fitted(k: Any, model: Any, *args: Any, **kwargs: Any) -> Any:
    """The history, the weights, and how many updates there were."""
    history = model.fit(*args, **{**NO_ORDER, **kwargs})
    return {
        "history": history.history,
        "epoch": list(history.epoch),
        "weights": model.get_weights(),
        "iterations": int(k.ops.convert_to_numpy(model.optimizer.iterations)),
    }


FITS: dict[str, dict[str, Any]] = {
    "epochs": {"epochs": 3},
    "batch_size_default": {"batch_size": None},
    "one_batch": {"batch_size": 100, "epochs": 2},
    "initial_epoch": {"epochs": 5, "initial_epoch": 3},
    "no_epochs": {"epochs": 2, "initial_epoch": 2},
    "steps_fewer_than_data": {"steps_per_epoch": 2, "epochs": 3},
    "validation_split": {"validation_split": 0.4, "epochs": 2},
    "validation_data": {"validation_data": LATER, "epochs": 2},
    "validation_list": {"validation_data": list(LATER)},
    "validation_weights": {"validation_data": (*LATER, W)},
    "validation_batch_size": {"validation_data": LATER, "validation_batch_size": 4},
    "validation_steps": {"validation_data": LATER, "validation_steps": 2, "epochs": 2},
    "validation_freq": {"validation_data": LATER, "validation_freq": 2, "epochs": 4},
    "validation_epochs": {"validation_data": LATER, "validation_freq": [1, 3], "epochs": 4},
    "sample_weight": {"sample_weight": W},
    "sample_weight_split": {"sample_weight": W, "validation_split": 0.2},
}


@pytest.mark.requires("trainable")
@pytest.mark.filterwarnings("ignore:.*ran (dry|out of data)")
def test_fit() -> None:
    """All rows with one pair of models, so that each step is compiled once."""
    models = {k: dense(k, metrics=["mae"], weighted_metrics=["mse"]) for k in (keraslite, keras)}
    start = models[keras].get_weights()
    for row, kwargs in FITS.items():
        found = []
        for k, model in models.items():
            model.set_weights(start)
            model.optimizer.iterations.assign(0)
            found.append(fitted(k, model, X, Y, **kwargs))
        try:
            assert_same(*found)
        except AssertionError as error:
            raise AssertionError(f"row {row!r}: {error}") from None


def test_weights_in_a_column_are_those_of_the_samples() -> None:
    """Also when the step was compiled for flat ones."""
    model = dense(keraslite, weighted_metrics=["mae"])
    found = [model.evaluate(X, Y, sample_weight=w, verbose=0) for w in (W, W[:, None], None)]
    assert_same(found[1], found[0])
    assert abs(found[2][0] - found[0][0]) > 1e-3


@pytest.mark.requires("trainable")
@pytest.mark.parametrize("kind", ["dense", "flat", "one_hot"])
def test_class_weight(kind: str) -> None:
    y = {"dense": LABELS[:, None], "flat": LABELS, "one_hot": np.eye(3)[LABELS]}[kind]
    loss = "categorical_crossentropy" if kind == "one_hot" else "sparse_categorical_crossentropy"

    def run(k: Any) -> Any:
        model = dense_eager(
            k, 3, "softmax", loss=loss, metrics=["accuracy"], weighted_metrics=["acc"]
        )
        return fitted(
            k, model, X, y, class_weight={0: 0.5, 2: 3.0}, validation_data=(X, y), epochs=2
        )

    check(run)


@pytest.mark.requires("trainable")
def test_way_of_running_changes_nothing() -> None:
    """Neither for whole groups of batches nor for the rest, which is smaller."""
    results = []
    for compiled in ({}, {"steps_per_execution": 2}, {"run_eagerly": True}):
        model = dense(keraslite, optimizer=keraslite.optimizers.Adam(0.05), **compiled)
        results.append(fitted(keraslite, model, X, Y, epochs=2, validation_data=LATER))
    assert_same(results[1], results[0], tolerance=1e-6)
    assert_same(results[2], results[0], tolerance=1e-6)


@pytest.mark.requires("trainable")
def test_results_are_the_same_whoever_reads_them() -> None:
    """Nobody, a progress bar, or a callback after every batch, which gets the values so far."""
    seen: list[dict[str, float]] = []
    watching = keraslite.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: seen.append(dict(logs))
    )
    results = []
    for given in ({}, {"verbose": 1}, {"callbacks": [watching]}):
        model = dense(keraslite, metrics=["mae", keraslite.metrics.AUC(name="auc")])
        labels = (Y > 0).astype("float32")
        results.append(fitted(keraslite, model, X, labels, validation_data=(X, labels), **given))
    for found in results[1:]:
        assert_same(found, results[0], tolerance=1e-6)
    assert seen[-1] == pytest.approx({k: results[0]["history"][k][0] for k in seen[-1]}, rel=1e-5)
    assert len({logs["mae"] for logs in seen}) == len(seen) > 1


@pytest.mark.requires("trainable")
@pytest.mark.parametrize("on", ["class", "instance"])
def test_results_of_ones_own(on: str) -> None:
    def results(*args: Any) -> dict[str, Any]:
        return {"answer": keraslite.ops.convert_to_tensor(42.0)}

    model = dense(keraslite)
    if on == "class":
        model.__class__ = type("Own", (type(model),), {"get_metrics_result": results})
    else:
        model.get_metrics_result = results
    assert model.fit(X, Y, **NO_ORDER).history == {"answer": [42.0]}


@pytest.mark.requires("trainable")
def test_steps_per_execution_calls_hooks_around_groups() -> None:
    seen: list[Any] = []
    callback = keraslite.callbacks.LambdaCallback(
        on_train_batch_begin=lambda batch, logs: seen.append(("begin", batch)),
        on_train_batch_end=lambda batch, logs: seen.append(("end", batch)),
    )
    model = dense(keraslite, steps_per_execution=2)
    model.fit(X[:20], Y[:20], batch_size=4, verbose=0, callbacks=[callback])
    assert seen == [
        (edge, i) for i in (0, 2, 4) for edge, i in (("begin", i), ("end", min(i + 1, 4)))
    ]


@pytest.mark.requires("trainable", "fuses_steps")
def test_automatic_steps_per_execution_changes_nothing(monkeypatch: Any) -> None:
    """Steps are fused when nobody watches them, and give the same bits."""
    fused: list[int] = []

    def settle(pace: Pace, outputs: Any) -> None:
        pace.size, pace.is_settled = 2, True
        fused.append(pace.size)

    monkeypatch.setattr(Pace, "note", settle)
    seen: list[int] = []
    watcher = keraslite.callbacks.LambdaCallback(on_train_batch_end=lambda i, logs: seen.append(i))
    models = {size: dense(keraslite, steps_per_execution=size) for size in (1, "auto")}
    start = models[1].get_weights()
    results = []
    for size, callbacks in ((1, []), ("auto", []), ("auto", [watcher])):
        model = models[size]
        model.set_weights(start)
        model.optimizer.iterations.assign(0)
        given = {"epochs": 2, "batch_size": 4, "callbacks": callbacks, "validation_data": LATER}
        results.append(fitted(keraslite, model, X, Y, **given))
        assert model.steps_per_execution == 1
    assert_same(results[1], results[0], tolerance=0)
    assert_same(results[2], results[0], tolerance=0)
    assert len(fused) == 2  # Training and validation.
    assert seen == [*range(5), *range(5)]


@pytest.mark.requires("trainable")
def test_a_pace_is_found_by_the_clock(monkeypatch: Any) -> None:
    """Single steps for as long as compiling took, then as many as fill 20 ms."""
    now = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    for seconds, expected in ((0.0001, 32), (0.002, 10), (0.01, 1)):
        pace = Pace()
        pace.begin()
        for elapsed in (0.5, *[seconds] * round(0.5 / seconds)):
            assert not pace.is_settled and list(itertools.islice("abc", pace)) == ["a"]
            now[0] += elapsed + 1e-9
            pace.note({})
        assert pace.is_settled and pace.size in (expected, expected - 1)


@pytest.mark.requires("trainable")
def test_max_time() -> None:
    """The epoch in which the time is up ends with what there is."""
    model = dense(keraslite)
    history = model.fit(itertools.cycle([PART]), steps_per_epoch=10**9, max_time=0.2, verbose=0)
    assert history.epoch == [0] and model.optimizer.iterations > 0
    limit = datetime.timedelta(microseconds=1)
    history = model.fit(X, Y, epochs=5, validation_data=LATER, max_time=limit, verbose=0)
    assert list(history.history) == ["loss", "val_loss"] and history.epoch == [0]
    assert model.fit(X, Y, epochs=2, max_time=100, verbose=0).epoch == [0, 1]


@pytest.mark.requires("trainable")
def test_validation_every_few_steps() -> None:
    """It disturbs nothing, and finds what `evaluate` finds after as many steps."""
    model = dense(keraslite, metrics=["mae"])
    expected = fitted(keraslite, model, X, Y, epochs=4, batch_size=4)
    model = dense(keraslite, metrics=["mae"])
    given = {"validation_data": LATER, "validation_every": 7, "batch_size": 4, **{"verbose": 0}}
    history = model.fit(X, Y, epochs=4, shuffle=False, **given)
    trained = {key: history.history[key] for key in ("loss", "mae")}
    order = ["loss", "mae"]
    assert_same(trained, {key: expected["history"][key] for key in order})
    assert_same(model.get_weights(), expected["weights"])
    assert [found["step"] for found in history.validations] == [7, 14]
    # Five steps an epoch: in the second and the third one.
    assert history.history["val_loss"] == [found["val_loss"] for found in history.validations]
    model = dense(keraslite, metrics=["mae"])
    model.fit(X, Y, steps_per_epoch=5, shuffle=False, batch_size=4, verbose=0)
    model.fit(X[:8], Y[:8], shuffle=False, batch_size=4, verbose=0)
    np.testing.assert_allclose(
        model.evaluate(*LATER, verbose=0, return_dict=True)["loss"],
        history.validations[0]["val_loss"],
        rtol=1e-5,
    )


@pytest.mark.requires("trainable")
def test_fast_dev_run() -> None:
    called: list[int] = []
    callback = keraslite.callbacks.LambdaCallback(on_epoch_end=lambda i, logs: called.append(i))
    for run, steps in ((True, 1), (2, 2)):
        model = dense(keraslite)
        given = {"validation_data": LATER, "callbacks": [callback], "batch_size": 4, "verbose": 0}
        history = model.fit(X, Y, epochs=9, fast_dev_run=run, **given)
        assert history.epoch == [0] and "val_loss" in history.history and not called
        assert model.optimizer.iterations == steps
    endless = itertools.cycle([PART])
    assert dense(keraslite).fit(endless, epochs=9, fast_dev_run=1, verbose=0).epoch == [0]


@pytest.mark.requires("trainable")
@pytest.mark.parametrize(
    "make",
    {
        "accumulation": lambda k: k.optimizers.Adam(0.05, gradient_accumulation_steps=2),
        "clipping": lambda k: k.optimizers.SGD(0.3, momentum=0.9, global_clipnorm=0.2),
        "averages": lambda k: k.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.8),
        "schedule": lambda k: k.optimizers.SGD(
            k.optimizers.schedules.ExponentialDecay(0.2, 2, 0.5)
        ),
        "decay": lambda k: k.optimizers.AdamW(0.05, weight_decay=0.1),
    }.values(),
    ids=["accumulation", "clipping", "averages", "schedule", "decay"],
)
def test_optimizers_in_fit(make: Any) -> None:
    def run(k: Any) -> Any:
        return fitted(k, dense_eager(k, optimizer=make(k)), X, Y, epochs=2, batch_size=4)

    check(run)


@pytest.mark.requires("trainable")
def test_freezing_after_compile_needs_no_new_step_by_hand() -> None:
    model = dense(keraslite)
    model.fit(X, Y, **NO_ORDER)
    before = model.get_weights()
    model.layers[0].trainable = False
    model.compile(keraslite.optimizers.SGD(0.1), "mse")
    model.fit(X, Y, **NO_ORDER)
    after = model.get_weights()
    np.testing.assert_array_equal(before[0], after[0])
    assert np.abs(before[2] - after[2]).max() > 1e-4
    model.layers[0].trainable = True
    model.compile(keraslite.optimizers.SGD(0.1), "mse")
    model.fit(X, Y, **NO_ORDER)
    assert np.abs(model.get_weights()[0] - after[0]).max() > 1e-4


@pytest.mark.requires("trainable")
def test_batch_normalization_and_dropout_states() -> None:
    def run(k: Any) -> Any:
        model = k.Sequential(
            [k.Input((4,)), k.layers.Dense(3), k.layers.BatchNormalization(), k.layers.Dense(1)]
        )
        model.compile(k.optimizers.SGD(0.05), "mse", run_eagerly=k is keras)
        fill(model).layers[1].moving_variance.assign(np.ones(3))
        result = fitted(k, model, X, Y, epochs=2, validation_data=LATER)
        return {**result, "predict": model.predict(X, verbose=0)}

    check(run)


@pytest.mark.requires("trainable")
def test_mixed_float16_scales_the_loss() -> None:
    def run(k: Any) -> Any:
        policy = k.DTypePolicy("mixed_float16")
        layers = [k.layers.Dense(3, "tanh", dtype=policy), k.layers.Dense(1, dtype=policy)]
        inputs = k.Input((4,))
        model = k.Model(inputs, layers[1](layers[0](inputs)))
        model.dtype_policy = policy
        model.compile(k.optimizers.SGD(0.1), "mse")
        fill(model)
        result = fitted(k, model, X, Y, epochs=2)
        scale = k.ops.convert_to_numpy(model.optimizer.dynamic_scale)
        kind = type(model.optimizer).__name__
        model.compile(k.optimizers.SGD(0.1), "mse", auto_scale_loss=False)
        return {**result, "scale": scale, "kinds": [kind, type(model.optimizer).__name__]}

    found = check(run, tolerance=4e-3)
    assert found["kinds"] == ["LossScaleOptimizer", "SGD"]


@pytest.mark.requires("trainable")
def test_shuffle_is_seeded_and_complete() -> None:
    def order(shuffle: Any, seed: int) -> list[list[float]]:
        seen: list[list[float]] = []

        class Seeing(keraslite.Sequential):
            def train_step(self, batch: Any) -> Any:
                seen.append(np.asarray(keraslite.ops.convert_to_numpy(batch[0]))[:, 0].tolist())
                return super().train_step(batch)

        keraslite.utils.set_random_seed(seed)
        model = Seeing([keraslite.Input((1,)), keraslite.layers.Dense(1)])
        model.compile("sgd", "mse", run_eagerly=True)
        x = np.arange(10, dtype="float32")[:, None]
        model.fit(x, x, batch_size=4, epochs=2, verbose=0, shuffle=shuffle)
        return seen

    shuffled = order(True, 1)
    assert shuffled == order(True, 1) != order(True, 2)
    for epoch in (shuffled[:3], shuffled[3:]):
        assert sorted(sum(epoch, [])) == list(range(10))
    assert shuffled[:3] != shuffled[3:]
    assert order(False, 1) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]] * 2
    blocks = order("batch", 1)
    for epoch in (blocks[:3], blocks[3:]):
        assert sorted(epoch) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


def test_evaluate_and_predict() -> None:
    def run(k: Any) -> Any:
        model = dense(k, metrics=["mae"], weighted_metrics=["mse"])
        given = {"verbose": 0, "batch_size": BATCH}
        return {
            "list": model.evaluate(X, Y, **given),
            "weighted": model.evaluate(X, Y, sample_weight=W, **given),
            "dict": model.evaluate(X, Y, return_dict=True, **given),
            "steps": model.evaluate(X, Y, steps=2, return_dict=True, **given),
            "predict": model.predict(X, **given),
            "predict_steps": model.predict(X, steps=2, **given),
            "on_batch": model.predict_on_batch(X),
            "one": model.predict(X[:1], verbose=0),
            "one_double": model.predict(X[:1].astype("float64"), verbose=0, batch_size=1),
            "one_list": model.predict([X[:1]], verbose=0),
            "again": model.predict(X[1:2], verbose=0),
        }

    check(run)
    model = dense(keraslite, metrics=["mae"], weighted_metrics=["mse"])
    found = model.evaluate(X, Y, verbose=0, return_dict=True)
    # Keras has "compile_metrics" there, which names nothing that `evaluate` returns.
    assert model.metrics_names == ["loss", "mae", "mse"]
    assert model.evaluate(X, Y, verbose=0) == [found[name] for name in model.metrics_names]


def test_evaluate_without_metrics_is_a_number() -> None:
    check(lambda k: dense_eager(k).evaluate(X, Y, verbose=0))


@pytest.mark.requires("trainable")
def test_test_on_batch() -> None:
    def run(k: Any) -> Any:
        model = dense_eager(k, metrics=["mae"], weighted_metrics=["mse"])
        found = [model.test_on_batch(*PART), model.test_on_batch(*PART, sample_weight=W[:BATCH])]
        return found, model.test_on_batch(X[:3], Y[:3], return_dict=True)

    check(run)


@pytest.mark.requires("trainable")
def test_train_on_batch() -> None:
    def run(k: Any) -> Any:
        model = dense_eager(k, metrics=["mae"], weighted_metrics=["mse"])
        found = [
            model.train_on_batch(*PART),
            model.train_on_batch(*PART, sample_weight=W[:BATCH]),
            model.train_on_batch(X[:4], Y[:4], return_dict=True),
        ]
        return found, model.get_weights()

    check(run)
    labels = LABELS[:BATCH, None]

    def weighted(k: Any) -> Any:
        model = dense_eager(k, 3, "softmax", loss="sparse_categorical_crossentropy")
        return model.train_on_batch(X[:BATCH], labels, class_weight={0: 2.0, 1: 0.5, 2: 1.0})

    check(weighted)


@pytest.mark.requires("trainable")
def test_stop_training_in_the_middle_of_an_epoch() -> None:
    def run(k: Any) -> Any:
        class Stop(k.callbacks.Callback):
            def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
                if batch == 1:
                    self.model.stop_training = True

        return fitted(k, dense_eager(k), X, Y, epochs=3, callbacks=[Stop()])

    check(run)


@pytest.mark.requires("trainable")
def test_history_object() -> None:
    def run(k: Any) -> Any:
        model = dense_eager(k)
        history = model.fit(X, Y, epochs=2, **NO_ORDER)
        assert isinstance(history, k.callbacks.History)
        assert history.model is model and model.history is history
        return history.params, history.epoch

    check(run)


@pytest.mark.requires("trainable")
def test_frozen_model_is_trained_with_a_warning_only() -> None:
    model = dense(keraslite)
    model.trainable = False
    model.compile("sgd", "mse")
    before = model.get_weights()
    with pytest.warns(UserWarning, match="no trainable weights"):
        model.fit(X, Y, **NO_ORDER)
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.requires("trainable")
def test_interrupted_fit_leaves_a_usable_model() -> None:
    class Interrupt(keraslite.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            raise KeyboardInterrupt

    model = dense_eager(keraslite)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, Y, callbacks=[Interrupt()], **NO_ORDER)
    again = dense_eager(keraslite)
    again.train_on_batch(X[:BATCH], Y[:BATCH])
    assert_same(model.get_weights(), again.get_weights())
    assert np.isfinite(model.fit(X, Y, **NO_ORDER).history["loss"]).all()


@pytest.mark.requires("trainable")
def test_weights_read_and_set_by_callbacks_are_current() -> None:
    def run(k: Any) -> Any:
        seen = []

        class Halve(k.callbacks.Callback):
            def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
                seen.append(self.model.get_weights())
                kernel = self.model.layers[1].kernel
                kernel.assign(kernel * 0.5)

        return fitted(k, dense_eager(k), X, Y, callbacks=[Halve()]), seen

    check(run)


def test_errors() -> None:
    model = keraslite.Sequential([keraslite.Input((4,)), keraslite.layers.Dense(1)])
    with pytest.raises(ValueError, match=r"compile"):
        model.evaluate(X, Y)
    model = dense(keraslite)
    for given, message in (
        ({"x": X, "y": Y[:5]}, "same number of samples"),
        ({"x": X[:0], "y": Y[:0]}, "0 samples"),
        ({"x": X, "y": Y, "steps": 0}, "at least 1"),
        ({"x": X, "y": Y, "batch_size": 0}, "batch_size"),
        ({"x": X, "y": Y[:, :0]}, "shape"),
        ({"x": X}, "needs targets"),
    ):
        with pytest.raises(ValueError, match=message):
            model.evaluate(**given, verbose=0)
    with pytest.raises(ValueError, match="0 samples"):
        model.predict(X[:0])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert make_source(X, Y, batch_size=BATCH).num_batches == 3
