"""What `compile` makes of losses, weights and metrics: names and values as Keras has them."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import keraslite
from tests.training.oracle import (
    SAMPLES,
    assert_same,
    check,
    data,
    dense,
    fill,
    sample_weights,
)

X, Y = data()
Y2 = data(3, outputs=2)[1]
LABELS = (np.arange(SAMPLES) % 3).astype("int32")
W, W2 = sample_weights(), sample_weights(2)
RUN: dict[str, Any] = {"batch_size": 8, "shuffle": False, "verbose": 0}


def two_outputs(k: Any, outputs: str = "list") -> Any:
    """Outputs of one and two units by layers `first` and `second`, `second` twice where nested."""
    inputs = k.Input((4,))
    hidden = k.layers.Dense(3, "tanh")(inputs)
    a = k.layers.Dense(1, name="first")(hidden)
    b = k.layers.Dense(2, name="second")(hidden)
    c = k.layers.Dense(2, name="third")(hidden)
    given = {
        "list": [a, b],
        "dict": {"u": a, "v": b},
        "names": {"second": b, "first": a},
        "lists_in_dict": {"u": a, "v": [b, c]},
        "dicts_in_dict": {"u": a, "v": {"p": b, "q": c}},
        "lists_in_list": [a, [b, c]],
    }
    return fill(k.Model(inputs, given[outputs]))


def trained(k: Any, model: Any, x: Any, y: Any, fit: dict[str, Any], **compiled: Any) -> Any:
    """Histories where the engine trains, and what `evaluate` gives in any case.

    Line by line: Keras's graphs for TensorFlow average losses of unequal batches otherwise.
    """
    compiled.setdefault("run_eagerly", True)
    model.compile(optimizer=k.optimizers.SGD(0.05), **compiled)
    found: dict[str, Any] = {}
    weights = fit.pop("sample_weight", None)
    if keraslite.backend.engine.capabilities.trainable:
        history = model.fit(x, y, sample_weight=weights, epochs=2, **fit, **RUN)
        found["history"] = history.history
    given = {"sample_weight": weights, "batch_size": 8, "verbose": 0}
    found["evaluate"] = model.evaluate(x, y, return_dict=True, **given)
    # Keras lists the values of metrics with one name twice.
    if not any("weighted_" in name for name in found["evaluate"]):
        found["list"] = model.evaluate(x, y, **given)
    return found


# A row: loss, and whatever else `compile` gets. One output of 3 softmax units, or of 1 unit.
CLASSES: dict[str, dict[str, Any]] = {
    "accuracy_sparse": {"loss": "sparse_categorical_crossentropy", "metrics": ["accuracy", "acc"]},
    "names": {
        "loss": "sparse_categorical_crossentropy",
        "metrics": ["sparse_categorical_accuracy", "sparse_categorical_crossentropy"],
    },
    "weighted": {
        "loss": "sparse_categorical_crossentropy",
        "weighted_metrics": ["accuracy", "sparse_categorical_crossentropy"],
    },
}


@pytest.mark.parametrize("row", CLASSES)
def test_classifier(row: str) -> None:
    def run(k: Any) -> Any:
        model = dense(k, 3, "softmax")
        return trained(k, model, X, LABELS, {"sample_weight": W}, **CLASSES[row])

    check(run)


def _objects(k: Any) -> dict[str, Any]:
    return {
        "loss": k.losses.CategoricalCrossentropy(label_smoothing=0.1, name="smooth"),
        "metrics": [
            k.metrics.CategoricalAccuracy(name="hits"),
            "accuracy",
            k.metrics.TopKCategoricalAccuracy(2),
        ],
    }


def test_one_hot_and_objects() -> None:
    def run(k: Any) -> Any:
        return trained(k, dense(k, 3, "softmax"), X, np.eye(3)[LABELS], {}, **_objects(k))

    check(run)


def _own(y_true: Any, y_pred: Any) -> Any:
    return (y_true - y_pred) ** 4


# For one output; a function makes what belongs to a library.
REGRESSION: dict[str, Any] = {
    "short_names": {"loss": "mse", "metrics": ["mae", "mse", "MeanAbsoluteError"]},
    "long_names": {
        "loss": "mean_squared_error",
        "metrics": ["mape", lambda a, b: a - b],
    },
    "functions": {"loss": _own, "metrics": [_own], "weighted_metrics": [_own]},
    "in_lists": {"loss": ["mse"], "metrics": [["mae"]], "loss_weights": [0.5]},
    "number_weight": {"loss": "mse", "loss_weights": 0.5},
    "binary_accuracy": {
        "loss": "binary_crossentropy",
        "metrics": ["accuracy", "bce"],
    },
    "sum": lambda k: {"loss": k.losses.MeanSquaredError(reduction="sum")},
    "mean_with_sample_weight": lambda k: {
        "loss": k.losses.MeanAbsoluteError(reduction="mean_with_sample_weight")
    },
    "same_metric_twice": lambda k: {
        "loss": "mse",
        "metrics": [k.metrics.MeanAbsoluteError(name="e"), "mae", "mae"],
        "weighted_metrics": [k.metrics.MeanAbsoluteError(name="e"), "mae", "mse"],
    },
    "objects_as_metrics": lambda k: {
        "loss": "mse",
        "metrics": [
            k.losses.MeanAbsoluteError(),
            k.losses.Huber(name="h"),
            functools.partial(k.losses.huber, delta=0.2),
            "ACC",
        ],
    },
    "loss_of_the_whole_batch": lambda k: {"loss": lambda a, b: k.ops.mean((a - b) ** 2)},
    "stateful": lambda k: {
        "loss": "mse",
        "metrics": [k.metrics.RootMeanSquaredError(), k.metrics.CosineSimilarity()],
        "weighted_metrics": [k.metrics.RootMeanSquaredError(name="wrmse")],
    },
}


@pytest.mark.parametrize("row", REGRESSION)
def test_one_output(row: str) -> None:
    def run(k: Any) -> Any:
        given = REGRESSION[row]
        model = dense(k, 1, "sigmoid")
        target = (Y > 0).astype("float32")
        compiled = given(k) if callable(given) else given
        return trained(k, model, X, target, {"sample_weight": W}, **compiled)

    check(run)


# (form of the outputs, form of the targets, arguments of `compile`, arguments of `fit`).
OUTPUTS: dict[str, tuple[str, Any, dict[str, Any], dict[str, Any]]] = {
    "one_loss": ("list", [Y, Y2], {"loss": "mse", "metrics": [["mae"], ["mse"]]}, {}),
    "lists": (
        "list",
        [Y, Y2],
        {"loss": ["mse", "mae"], "loss_weights": [0.3, 2.0], "metrics": ["mae", "mse"]},
        {},
    ),
    "tuples": ("list", (Y, Y2), {"loss": ["mse", "mae"], "metrics": [[], ["mse", "mae"]]}, {}),
    "dicts": (
        "dict",
        {"v": Y2, "u": Y},
        {
            "loss": {"v": "mae", "u": "mse"},
            "loss_weights": {"u": 0.5, "v": 1.5},
            "metrics": {"v": "mae", "u": ["mse", "mae"]},
            "weighted_metrics": {"u": ["mae"]},
        },
        {"sample_weight": {"u": W, "v": W2}},
    ),
    "dict_for_list": (
        "list",
        [Y, Y2],
        {"loss": {"second": "mse", "first": "mae"}, "metrics": {"second": ["mae"]}},
        {},
    ),
    "dicts_for_list": (
        "list",
        {"second": Y2, "first": Y},
        {"loss": {"second": "mse", "first": "mae"}, "metrics": {"second": ["mae"]}},
        {},
    ),
    "none_in_list": ("list", [Y, Y2], {"loss": ["mse", None], "metrics": [None, ["mae"]]}, {}),
    "none_in_dict": (
        "dict",
        {"u": Y, "v": Y2},
        {"loss": {"u": "mse", "v": None}, "metrics": {"v": ["mae"], "u": None}},
        {},
    ),
    "partial_dict": ("dict", {"u": Y, "v": Y2}, {"loss": {"u": "mse"}}, {}),
    **{
        outputs: (
            outputs,
            {"u": Y, "v": values},
            {"loss": {"u": "mse", "v": losses}, "metrics": {"u": "mae", "v": metrics}},
            {},
        )
        for outputs, values, losses, metrics in (
            ("lists_in_dict", [Y2, -Y2], ["mse", "mae"], [["mae"], ["mse", "mae"]]),
            (
                "dicts_in_dict",
                {"p": Y2, "q": -Y2},
                {"p": "mse", "q": "mae"},
                {"p": "mae", "q": ["mse"]},
            ),
        )
    },
    "lists_in_list": ("lists_in_list", [Y, [Y2, -Y2]], {"loss": ["mse", ["mse", "mae"]]}, {}),
    "weights_in_list": (
        "list",
        [Y, Y2],
        {"loss": "mse", "weighted_metrics": [["mae"], ["mae"]]},
        {"sample_weight": [W, W2]},
    ),
    "split": (
        "names",
        {"first": Y, "second": Y2},
        {"loss": {"first": "mse", "second": "mae"}, "metrics": {"first": ["mae"]}},
        {"validation_split": 0.2},
    ),
}


@pytest.mark.filterwarnings("ignore:No gradient")
@pytest.mark.parametrize("row", OUTPUTS)
def test_two_outputs(row: str) -> None:
    outputs, y, compiled, fit = OUTPUTS[row]
    check(lambda k: trained(k, two_outputs(k, outputs), X, y, dict(fit), **compiled))


@pytest.mark.requires("trainable")
@pytest.mark.parametrize("metrics", [None, [["mae"], ["mae", "mse"]]])
def test_outputs_without_names(metrics: Any) -> None:
    """The logs call them what their losses are called."""

    def run(k: Any) -> Any:
        class Net(k.Model):
            def __init__(self) -> None:
                super().__init__()
                self.one, self.two = k.layers.Dense(1), k.layers.Dense(2)

            def call(self, x: Any) -> Any:
                return [self.one(x), self.two(x)]

        net = Net()
        net(X)
        fill(net).compile(k.optimizers.SGD(0.05), ["mse", "mae"], metrics=metrics, run_eagerly=True)
        return net.fit(X, [Y, Y2], **RUN).history

    check(run)


@pytest.mark.requires("trainable")
def test_two_outputs_compiled() -> None:
    _, y, compiled, fit = OUTPUTS["dicts"]
    found = [
        trained(
            keraslite,
            two_outputs(keraslite, "dict"),
            X,
            y,
            dict(fit),
            run_eagerly=eager,
            **compiled,
        )
        for eager in (True, False)
    ]
    assert_same(*found)


# Models whose loss has more than one part.


def _activity(k: Any) -> Any:
    inputs = k.Input((4,))
    hidden = k.layers.Dense(
        3,
        kernel_regularizer=k.regularizers.L2(0.02),
        bias_regularizer="l1",
        activity_regularizer=k.regularizers.L1(0.03),
    )(inputs)
    return k.Model(inputs, k.layers.Dense(1)(hidden))


def _added(k: Any) -> Any:
    class Adds(k.layers.Layer):
        def call(self, x: Any, training: Any = None) -> Any:
            self.add_loss(0.1 * k.ops.mean(x**2))
            return x

    return k.Sequential([k.Input((4,)), Adds(), k.layers.Dense(1)])


def _subclass(k: Any) -> Any:
    class Net(k.Model):
        def __init__(self) -> None:
            super().__init__()
            self.inner = k.layers.Dense(3, "tanh", kernel_regularizer="l2")
            self.outer = k.layers.Dense(1)
            self.seen = k.metrics.Mean(name="seen")

        def call(self, x: Any) -> Any:
            hidden = self.inner(x)
            self.add_loss(0.2 * k.ops.mean(hidden))
            return self.outer(hidden)

        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
            loss = super().compute_loss(x, y, y_pred, sample_weight, training)
            return loss + 0.5 * k.ops.mean(k.ops.abs(y_pred))

        def compute_metrics(self, x, y, y_pred, sample_weight=None):
            self.seen.update_state(y_pred)
            return {**super().compute_metrics(x, y, y_pred, sample_weight), "extra": 3.0}

    net = Net()
    net(X[:2])
    return net


def _loss_only_in_layers(k: Any) -> Any:
    class Net(k.Model):
        def __init__(self) -> None:
            super().__init__()
            self.inner = k.layers.Dense(3)

        def call(self, x: Any) -> Any:
            hidden = self.inner(x)
            self.add_loss(k.ops.mean(hidden**2))
            return hidden

    net = Net()
    net(X[:2])
    return net


@pytest.mark.requires("trainable")
@pytest.mark.parametrize("make", [_activity, _added, _subclass], ids=lambda f: f.__name__)
def test_losses_of_layers_and_overrides(make: Callable[[Any], Any]) -> None:
    def run(k: Any) -> Any:
        fit = {"sample_weight": W, "validation_data": (X, Y)}
        return trained(k, fill(make(k)), X, Y, fit, loss="mse", metrics=["mae"])

    check(run)


@pytest.mark.requires("trainable")
def test_loss_of_layers_alone() -> None:
    def run(k: Any) -> Any:
        model = fill(_loss_only_in_layers(k))
        model.compile(k.optimizers.SGD(0.05), run_eagerly=True)
        return model.fit(X, epochs=2, **RUN).history

    check(run)


@pytest.mark.parametrize("name", ["Circle", "circle", "CTC", "ctc"])
def test_losses_whose_targets_have_another_shape(name: str) -> None:
    """And the config of a model before and after `compile`."""

    def run(k: Any) -> Any:
        sequences = name.lower() == "ctc"
        model = k.Sequential([k.Input((6, 4) if sequences else (4,)), k.layers.Dense(3)])
        before = model.get_compile_config()
        model.compile(loss=getattr(k.losses, name)() if name[0].isupper() else name)
        x = np.stack([X] * 6, axis=1) if sequences else X
        y = np.ones((SAMPLES, 2), "int32") if sequences else LABELS
        return before, fill(model).evaluate(x, y, batch_size=10, verbose=0)

    check(run, tolerance=1e-4)


@pytest.mark.parametrize("form", ["value", "variable", "dict"])
def test_custom_metric_by_subclass_runs_on(form: str) -> None:
    def run(k: Any) -> Any:
        class Largest(k.metrics.Metric):
            def __init__(self, name: str = "largest") -> None:
                super().__init__(name=name)
                self.seen = self.add_variable((), "zeros", name="seen")

            def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
                self.seen.assign(k.ops.maximum(self.seen, k.ops.max(y_pred)))

            def result(self) -> Any:
                # Keras fails on variables where the engine compiles.
                forms = {"variable": self.seen, "dict": {"largest": self.seen}}
                return forms.get(form if k is keraslite else "value", self.seen.value)

        return trained(k, dense(k), X, Y, {}, loss="mse", metrics=[Largest()], run_eagerly=False)

    check(run)


@pytest.mark.requires("trainable")
def test_masks_hide_values_from_metrics_in_training_too() -> None:
    """Keras has them in both on torch alone."""
    layers = keraslite.layers
    model = keraslite.Sequential(
        [keraslite.Input((4,)), layers.Embedding(3, 2, mask_zero=True), layers.Dense(1)]
    )
    model.compile(keraslite.optimizers.SGD(0.0), "mse", metrics=["mae"])
    fill(model)
    words, targets = LABELS[:8].reshape(2, 4), Y2[:4].reshape(2, 4, 1)
    logs = model.fit(words, targets, verbose=0).history
    expected = np.abs(model.predict(words, verbose=0) - targets)[words > 0].mean()
    np.testing.assert_allclose(logs["mae"], [expected], rtol=1e-5)
    np.testing.assert_allclose(model.evaluate(words, targets, verbose=0)[1], expected, rtol=1e-5)


def test_layer_metrics_are_in_the_logs() -> None:
    class Watching(keraslite.layers.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.watched = keraslite.metrics.Mean(name="size")

        def call(self, x: Any) -> Any:
            self.watched.update_state(keraslite.ops.mean(x))
            return x

    model = keraslite.Sequential([keraslite.Input((4,)), Watching(), keraslite.layers.Dense(1)])
    model.compile("sgd", "mse")
    found = model.evaluate(X, Y, batch_size=8, verbose=0, return_dict=True)
    expected = np.mean([X[:8].mean(), X[8:16].mean(), X[16:].mean()])
    np.testing.assert_allclose(found["size"], expected, rtol=1e-5)


def test_wrong_entries_are_errors() -> None:
    cases: list[tuple[str, Any, dict[str, Any], str]] = [
        ("dict", {"u": Y, "v": Y2}, {"loss": {"u": "mse", "w": "mse"}}, r"unknown keys \['w'\]"),
        ("dict", {"u": Y}, {"loss": "mse"}, r"missing keys \['v'\]"),
        ("list", [Y, Y2], {"loss": ["mse"]}, "2 output"),
        ("list", [Y, Y2], {"loss": "mse", "metrics": [["mae"]]}, "`metrics`"),
        ("list", [Y2, Y2[:, :1]], {"loss": "mse"}, "first"),
    ]
    for outputs, y, compiled, message in cases:
        model = two_outputs(keraslite, outputs)
        with pytest.raises(ValueError, match=message):
            model.compile("sgd", **compiled)
            model.evaluate(X, y, verbose=0)
    with pytest.raises(ValueError, match="mena"):
        dense(keraslite, loss="mena_squared_error")


# Names whose alphabetical order is not that of the graph: keys must decide, nothing else.
NAMES = ("zeta", "alpha", "mid")


def _wired(form: str) -> keraslite.Model:
    """Each output is its input times a number of its own: 1, 10, 100."""
    ins = {name: keraslite.Input((1,), name=name) for name in NAMES}
    outs = {
        name: keraslite.layers.Rescaling(10.0**i, name=f"out_{name}")(ins[name])
        for i, name in enumerate(NAMES)
    }
    if form == "nested":
        model = keraslite.Model(ins, {"deep": {n: outs[n] for n in NAMES[:2]}, "mid": outs["mid"]})
    else:
        model = keraslite.Model(ins, outs if form == "dict" else list(outs.values()))
    keys = {"dict": NAMES, "list": [f"out_{n}" for n in NAMES]}.get(
        form, ["deep/zeta", "deep/alpha", "mid"]
    )
    model.keys = list(keys)
    return model


@pytest.mark.parametrize("form", ["dict", "list", "nested"])
def test_keys_decide_what_belongs_together(form: str) -> None:
    """In every order of the keys of inputs, targets, losses, weights and metrics."""
    model = _wired(form)
    values = dict(zip(NAMES, (1.0, 2.0, 3.0), strict=True))
    expected = {key: (10.0**i * (i + 1)) for i, key in enumerate(model.keys)}
    factors = dict(zip(model.keys, (2.0, 3.0, 5.0), strict=True))
    total = sum(factors[key] * value for key, value in expected.items())
    zeros = np.zeros((4, 1), "float32")
    for order in itertools.permutations(range(3)):
        keys = [model.keys[i] for i in order]
        model.compile(
            loss=dict.fromkeys(keys, "mae"),
            loss_weights={key: factors[key] for key in reversed(keys)},
            metrics={key: ["mae"] for key in keys[1:]},
            run_eagerly=True,
        )
        x = {NAMES[i]: np.full((4, 1), values[NAMES[i]], "float32") for i in order}
        y: Any = {key: zeros for key in keys}
        if form == "nested":
            deep = {key.split("/")[1]: zeros for key in keys if "/" in key}
            y = {"mid": zeros, "deep": deep} if order[0] else {"deep": deep, "mid": zeros}
        found = model.evaluate(x, y, verbose=0, return_dict=True)
        np.testing.assert_allclose(found["loss"], total, rtol=1e-6)
        for key, value in expected.items():
            np.testing.assert_allclose(found[f"{key}_loss"], value, rtol=1e-6)
        for key in keys[1:]:
            # Metrics of nested outputs have the names of layers.
            shown = f"out_{key.split('/')[-1]}" if form == "nested" else key
            np.testing.assert_allclose(found[f"{shown}_mae"], expected[key], rtol=1e-6)
    # What a model does not ask for is left alone; what it lacks is an error.
    assert_same(model.evaluate({**x, "more": zeros}, y, verbose=0, return_dict=True), found)
    for kept in itertools.combinations(NAMES, 2):
        with pytest.raises(ValueError, match=r"misses the input\(s\)"):
            model.evaluate({name: x[name] for name in kept}, y, verbose=0)
    with pytest.raises(ValueError, match="unknown keys"):
        model.evaluate(x, {**y, "more": zeros}, verbose=0)
    with pytest.raises(ValueError, match="missing keys"):
        model.evaluate(x, {"mid": zeros} if form == "nested" else {keys[0]: zeros}, verbose=0)
