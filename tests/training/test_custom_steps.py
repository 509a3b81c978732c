"""Training steps of one's own: the portable form, and Keras's form for each engine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import keraslite
from keraslite.backend import backend
from tests.training.oracle import (
    BATCH,
    assert_same,
    check,
    data,
    dense,
    fill,
    keras,
    sample_weights,
)

X, Y = data()
W = sample_weights()
RUN: dict[str, Any] = {"batch_size": BATCH, "shuffle": False, "verbose": 0}
pytestmark = pytest.mark.requires("trainable")


def only_on(name: str) -> Any:
    """For a form that is written in the engine's own functions."""
    return pytest.mark.skipif(
        keras.config.backend() != name, reason=f"this form is for {name}, not for {backend()}"
    )


def build(k: Any, steps: type, **compiled: Any) -> Any:
    """A functional model with the methods of `steps`, compiled with a loss and a metric."""
    cls = type("Custom", (steps, k.Model), {})
    inputs = k.Input((4,))
    hidden = k.layers.BatchNormalization()(k.layers.Dense(3, "tanh")(inputs))
    model = cls(inputs, k.layers.Dense(1)(hidden))
    compiled = {"loss": "mse", "metrics": ["mae"], **compiled}
    model.compile(k.optimizers.SGD(0.1, momentum=0.9), **compiled)
    return fill(model)


def test_metrics_without_those_of_compile() -> None:
    """A model that lists its own alone, as for a step of one's own, but has no such step."""

    def run(k: Any) -> Any:
        class Own(k.Model):
            def __init__(self) -> None:
                super().__init__()
                self.inner = k.layers.Dense(1)
                self.seen = k.metrics.Mean(name="seen")

            @property
            def metrics(self):
                return [self.seen]

            def call(self, x):
                return self.inner(x)

        model = Own()
        model(X)
        fill(model).compile(k.optimizers.SGD(0.1), "mse", metrics=["mae"])
        return model.fit(X, Y, **RUN).history, model.get_weights()

    check(run)


def histories(model: Any, weights: Any = None) -> Any:
    history = model.fit(
        X, Y, epochs=2, validation_data=(X, Y), sample_weight=weights, **RUN
    ).history
    return {"history": dict(sorted(history.items())), "weights": model.get_weights()}


# The forms ------------------------------------------------------------------------------


def portable(k: Any) -> type:
    class Steps:
        def train_step(self, batch):
            x, y, w = k.utils.unpack_x_y_sample_weight(batch)

            def objective():
                y_pred = self(x, training=True)
                return self.compute_loss(x, y, y_pred, w), y_pred

            (loss, y_pred), gradients = k.ops.value_and_grad(
                objective, variables=self.trainable_variables, has_aux=True
            )()
            self.optimizer.apply(gradients, self.trainable_variables)
            for metric in self.metrics:
                if metric.name == "loss":
                    metric.update_state(loss, sample_weight=k.ops.shape(x)[0])
                else:
                    metric.update_state(y, y_pred, sample_weight=w)
            return self.get_metrics_result()

    return Steps


def state_form(k: Any) -> type:
    jax = pytest.importorskip("jax")

    class Steps:
        def objective(self, trained, others, x, y, w, training=False):
            y_pred, others = self.stateless_call(trained, others, x, training=training)
            return self.compute_loss(x, y, y_pred, sample_weight=w), (y_pred, others)

        def update(self, state, loss, y, y_pred):
            logs, new = {}, []
            for metric in self.metrics:
                mine = state[len(new) : len(new) + len(metric.variables)]
                given = (loss,) if metric.name == "loss" else (y, y_pred)
                mine = metric.stateless_update_state(mine, *given)
                logs[metric.name] = metric.stateless_result(mine)
                new += mine
            return logs, new

        def train_step(self, state, batch):
            trained, others, optimizer, metrics = state
            x, y, w = k.utils.unpack_x_y_sample_weight(batch)
            differentiate = jax.value_and_grad(self.objective, has_aux=True)
            (loss, (y_pred, others)), gradients = differentiate(
                trained, others, x, y, w, training=True
            )
            trained, optimizer = self.optimizer.stateless_apply(optimizer, gradients, trained)
            logs, metrics = self.update(metrics, loss, y, y_pred)
            return logs, (trained, others, optimizer, metrics)

        def test_step(self, state, batch):
            trained, others, metrics = state
            x, y, w = k.utils.unpack_x_y_sample_weight(batch)
            loss, (y_pred, others) = self.objective(trained, others, x, y, w)
            logs, metrics = self.update(metrics, loss, y, y_pred)
            return logs, (trained, others, metrics)

    return Steps


class Logging:
    """Metrics as the forms of Keras update them."""

    def logged(self, loss, y, y_pred):
        for metric in self.metrics:
            metric.update_state(*((loss,) if metric.name == "loss" else (y, y_pred)))
        return {metric.name: metric.result() for metric in self.metrics}


def tape_form(k: Any) -> type:
    tf = pytest.importorskip("tensorflow")

    class Steps(Logging):
        def train_step(self, batch):
            x, y, w = k.utils.unpack_x_y_sample_weight(batch)
            with tf.GradientTape() as tape:
                y_pred = self(x, training=True)
                loss = self.compute_loss(y=y, y_pred=y_pred, sample_weight=w)
            variables = self.trainable_variables
            self.optimizer.apply(tape.gradient(loss, variables), variables)
            return self.logged(loss, y, y_pred)

        def test_step(self, batch):
            x, y, w = k.utils.unpack_x_y_sample_weight(batch)
            y_pred = self(x, training=False)
            loss = self.compute_loss(y=y, y_pred=y_pred, sample_weight=w)
            return self.logged(loss, y, y_pred)

    return Steps


def backward_form(k: Any) -> type:
    torch = pytest.importorskip("torch")

    class Steps(Logging):
        def train_step(self, batch):
            x, y, w = k.utils.unpack_x_y_sample_weight(batch)
            self.zero_grad()
            y_pred = self(x, training=True)
            loss = self.compute_loss(y=y, y_pred=y_pred, sample_weight=w)
            loss.backward()
            variables = list(self.trainable_weights)
            gradients = [v.value.grad for v in variables]
            with torch.no_grad():
                self.optimizer.apply(gradients, variables)
            return self.logged(loss, y, y_pred)

    return Steps


class Plain:
    """The steps of the framework."""


def test_portable_form_trains_as_fit_does() -> None:
    expected = histories(build(keras, Plain), W)
    assert_same(histories(build(keraslite, portable(keraslite)), W), expected)


NATIVE: list[Any] = [
    pytest.param(state_form, marks=only_on("jax"), id="state"),
    pytest.param(tape_form, marks=only_on("tensorflow"), id="tape"),
    pytest.param(backward_form, marks=only_on("torch"), id="backward"),
]


@pytest.mark.parametrize("loss", ["mse", None])
def test_loss_of_ones_own_without_training(loss: str | None) -> None:
    """An override of the form that Keras has had longest; `evaluate` needs no other loss."""

    def run(k: Any) -> Any:
        class Own:
            def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None):
                return k.ops.mean(k.ops.abs(y - y_pred))

        model = build(k, Own, loss=loss)
        return histories(model), model.evaluate(X, Y, verbose=0)

    check(run)


@pytest.mark.parametrize("form", NATIVE)
def test_form_of_the_engine(form: Callable[[Any], type]) -> None:
    expected = histories(build(keras, form(keras)), W)
    for compiled in ({}, {"steps_per_execution": 2}):
        assert_same(histories(build(keraslite, form(keraslite), **compiled), W), expected)


def test_metrics_of_ones_own() -> None:
    """A step with its own trackers, listed by `metrics`, and no loss in `compile`."""

    class Own(keraslite.Model):
        def __init__(self) -> None:
            super().__init__()
            self.dense = keraslite.layers.Dense(1)
            self.tracker = keraslite.metrics.Mean(name="loss")
            self.error = keraslite.metrics.MeanAbsoluteError(name="error")

        def call(self, x):
            return self.dense(x)

        @property
        def metrics(self):
            return [self.tracker, self.error]

        def train_step(self, batch):
            x, y = batch

            def objective():
                y_pred = self(x, training=True)
                return keraslite.ops.mean((y - y_pred) ** 2), y_pred

            (loss, y_pred), gradients = keraslite.ops.value_and_grad(
                objective, variables=self.trainable_variables, has_aux=True
            )()
            self.optimizer.apply(gradients, self.trainable_variables)
            self.tracker.update_state(loss)
            self.error.update_state(y, y_pred)
            return {m.name: m.result() for m in self.metrics}

        def test_step(self, batch):
            x, y = batch
            self.error.update_state(y, self(x, training=False))
            return {"error": self.error.result()}

    model = Own()
    model.compile(keraslite.optimizers.SGD(0.1))
    history = model.fit(X, Y, epochs=3, validation_data=(X, Y), **RUN).history
    assert list(history) == ["error", "loss", "val_error"]
    assert history["loss"][-1] < history["loss"][0]
    expected = np.abs(model.predict(X, verbose=0) - Y).mean()
    np.testing.assert_allclose(model.evaluate(X, Y, verbose=0), expected, rtol=1e-5)


@pytest.mark.parametrize(
    "form", ["portable", pytest.param("backward", marks=only_on("torch"), id="backward")]
)
def test_two_optimizers_and_no_call(form: str) -> None:
    """As a generative adversarial network has them."""

    class Pair(keraslite.Model):
        def __init__(self) -> None:
            super().__init__()
            self.maker = keraslite.Sequential([keraslite.Input((2,)), keraslite.layers.Dense(4)])
            self.judge = keraslite.Sequential([keraslite.Input((4,)), keraslite.layers.Dense(1)])
            self.noise = keraslite.random.SeedGenerator(3)

        def compile(self, maker_optimizer, judge_optimizer):
            super().compile()
            self.maker_optimizer = maker_optimizer
            self.judge_optimizer = judge_optimizer

        def descend(self, part, optimizer, objective):
            if form == "backward":
                self.zero_grad()
                loss = objective()
                loss.backward()
                variables = part.trainable_variables
                optimizer.apply([v.value.grad for v in variables], variables)
                return loss.detach()
            loss, gradients = keraslite.ops.value_and_grad(
                objective, variables=part.trainable_variables
            )()
            optimizer.apply(gradients, part.trainable_variables)
            return loss

        def train_step(self, x):
            mean = keraslite.ops.mean
            noise = keraslite.random.normal((len(X), 2), seed=self.noise)
            made = self.maker(noise)
            judged = self.descend(
                self.judge,
                self.judge_optimizer,
                lambda: mean((self.judge(x) - 1) ** 2) + mean(self.judge(made) ** 2),
            )
            fooled = self.descend(
                self.maker,
                self.maker_optimizer,
                lambda: mean((self.judge(self.maker(noise)) - 1) ** 2),
            )
            return {"judge": judged, "maker": fooled}

    model = Pair()
    model.compile(keraslite.optimizers.Adam(0.05), keraslite.optimizers.SGD(0.05, momentum=0.5))
    before = model.get_weights()
    seed = model.noise.state.numpy().copy()
    history = model.fit(X, epochs=4, batch_size=len(X), verbose=0).history
    assert set(history) == {"judge", "maker"}
    assert np.isfinite([*history["judge"], *history["maker"]]).all()
    for a, b in zip(before, model.get_weights(), strict=True):
        assert np.abs(a - b).max() > 0
    assert int(model.maker_optimizer.iterations.numpy()) == 4
    assert (model.noise.state.numpy() != seed).any()


def test_gradient_penalty_differentiates_twice() -> None:
    """The step of a model that penalises the slope of its output."""

    class Smooth(keraslite.Sequential):
        def train_step(self, batch):
            x, y = batch

            def objective():
                slope = keraslite.ops.grad(lambda z: keraslite.ops.sum(self(z) ** 2))(x)
                return keraslite.ops.mean((self(x) - y) ** 2) + keraslite.ops.mean(slope**2)

            loss, gradients = keraslite.ops.value_and_grad(
                objective, variables=self.trainable_variables
            )()
            self.optimizer.apply(gradients, self.trainable_variables)
            return {"loss": loss}

    model = Smooth([keraslite.Input((4,)), keraslite.layers.Dense(1, use_bias=False)])
    model.compile(keraslite.optimizers.SGD(0.1))
    fill(model)
    kernel = model.get_weights()[0].astype("float64")
    model.fit(X, Y, batch_size=len(X), verbose=0)
    # d/dx sum((x k)^2) = 2 (x k) k'; its mean square, differentiated by k.
    x = X.astype("float64")
    out, norm = x @ kernel, (kernel**2).sum()
    rate = 2 * x.T @ (out - Y) / len(X)
    rate += (8 * norm * x.T @ out + 8 * (out**2).sum() * kernel) / x.size
    np.testing.assert_allclose(model.get_weights()[0], kernel - 0.1 * rate, rtol=2e-4)


def test_predict_step_of_ones_own() -> None:
    def run(k: Any) -> Any:
        class Doubled(k.Sequential):
            def predict_step(self, *args):
                # Keras's form for jax has the state before the data, and after the result.
                found = super().predict_step(*args)
                return (found[0] * 2, found[1]) if isinstance(found, tuple) else found * 2

        model = Doubled([k.Input((4,)), k.layers.Dense(1)])
        return fill(model).predict(X, verbose=0, batch_size=BATCH)

    check(run)


def test_overridden_functions_are_used() -> None:
    """`make_train_function` may wrap what the framework makes."""
    calls: list[str] = []

    class Counting(keraslite.Sequential):
        def make_train_function(self, force: bool = False):
            step = super().make_train_function(force)

            def counted(batches):
                calls.append("train")
                return step(batches)

            return counted

    model = Counting([keraslite.Input((4,)), keraslite.layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(X, Y, **RUN)
    assert len(calls) == 3


def test_pure_functions_of_the_model() -> None:
    """`stateless_compute_loss` and `compute_loss_and_updates` leave the model as it is."""
    model = dense(keraslite, metrics=["mae"])
    model.train_on_batch(X, Y)
    trained = [v.value for v in model.trainable_variables]
    others = [v.value for v in model.non_trainable_variables]
    metrics = [v.value for v in model.metrics_variables]
    before = [v.numpy().copy() for v in model.metrics_variables]
    y_pred, _ = model.stateless_call(trained, others, X)
    loss, (_, _, new) = model.stateless_compute_loss(
        trained, others, metrics, x=X, y=keraslite.ops.convert_to_tensor(Y), y_pred=y_pred
    )
    expected = model.evaluate(X, Y, verbose=0)[0]
    np.testing.assert_allclose(float(keraslite.ops.convert_to_numpy(loss)), expected, rtol=1e-5)
    assert len(new) == len(metrics)
    model.set_weights(model.get_weights())
    model.reset_metrics()
    for variable, value in zip(model.metrics_variables, before, strict=True):
        variable.assign(value)
    state = model.get_state_tree("numpy_array")
    assert set(state) == {
        "trainable_variables",
        "non_trainable_variables",
        "optimizer_variables",
        "metrics_variables",
    }
    other = dense(keraslite, metrics=["mae"])
    other.train_on_batch(X[:3], Y[:3])
    model.set_state_tree(state)
    assert_same(model.get_state_tree("numpy_array"), state)
