"""Every loss against Keras, as a function and as a class, with weights, masks and reductions."""

from __future__ import annotations

from typing import Any, NamedTuple

import keras as oracle
import numpy as np
import pytest

from keraslite import losses, ops
from keraslite.backend import engine

BATCH, CLASSES = 6, 4
RNG = np.random.default_rng(7)
NUMBERS = RNG.normal(size=(BATCH, CLASSES)).astype("float32")
OTHERS = RNG.normal(size=(BATCH, CLASSES)).astype("float32")
POSITIVE = np.abs(NUMBERS) + 0.1
RATES = np.abs(OTHERS) + 0.1
LOGITS = 2 * OTHERS
PROBABILITIES = (np.exp(LOGITS) / np.exp(LOGITS).sum(-1, keepdims=True)).astype("float32")
LABELS = RNG.integers(0, CLASSES, BATCH).astype("int32")
ONE_HOT = np.eye(CLASSES, dtype="float32")[LABELS]
BITS = RNG.integers(0, 2, (BATCH, CLASSES)).astype("float32")
UNIT = (OTHERS / np.linalg.norm(OTHERS, axis=-1, keepdims=True)).astype("float32")
LOGIT_OF = np.log(PROBABILITIES / (1 - PROBABILITIES))
WEIGHTS = np.array([1.0, 0.0, 2.0, 0.5, 3.0, 1.0], "float32")


class Case(NamedTuple):
    function: str
    cls: str
    y_true: np.ndarray
    y_pred: np.ndarray
    arguments: dict[str, Any] = {}


CASES = [
    Case("mean_squared_error", "MeanSquaredError", NUMBERS, OTHERS),
    Case("mean_absolute_error", "MeanAbsoluteError", NUMBERS, OTHERS),
    Case("mean_absolute_percentage_error", "MeanAbsolutePercentageError", NUMBERS, OTHERS),
    Case("mean_squared_logarithmic_error", "MeanSquaredLogarithmicError", POSITIVE, RATES),
    Case("huber", "Huber", NUMBERS, OTHERS),
    Case("huber", "Huber", NUMBERS, OTHERS, {"delta": 0.3}),
    Case("log_cosh", "LogCosh", NUMBERS, 50 * OTHERS),
    Case("hinge", "Hinge", BITS, OTHERS),
    Case("hinge", "Hinge", 2 * BITS - 1, OTHERS),
    Case("squared_hinge", "SquaredHinge", BITS, OTHERS),
    Case("categorical_hinge", "CategoricalHinge", ONE_HOT, OTHERS),
    Case("kl_divergence", "KLDivergence", PROBABILITIES, PROBABILITIES[::-1].copy()),
    Case("poisson", "Poisson", POSITIVE, RATES),
    Case("cosine_similarity", "CosineSimilarity", NUMBERS, OTHERS),
    Case("dice", "Dice", BITS, PROBABILITIES),
    Case("dice", "Dice", BITS, PROBABILITIES, {"axis": (1,)}),
    Case("tversky", "Tversky", BITS, PROBABILITIES, {"alpha": 0.3, "beta": 0.9}),
    Case("circle", "Circle", LABELS, UNIT),
    Case("circle", "Circle", LABELS, UNIT, {"gamma": 10.0, "remove_diagonal": False}),
    Case("binary_crossentropy", "BinaryCrossentropy", BITS, PROBABILITIES),
    Case("binary_crossentropy", "BinaryCrossentropy", BITS, LOGITS, {"from_logits": True}),
    Case(
        "binary_crossentropy", "BinaryCrossentropy", BITS, PROBABILITIES, {"label_smoothing": 0.2}
    ),
    Case("binary_focal_crossentropy", "BinaryFocalCrossentropy", BITS, PROBABILITIES),
    Case(
        "binary_focal_crossentropy",
        "BinaryFocalCrossentropy",
        BITS,
        LOGITS,
        {"from_logits": True, "apply_class_balancing": True, "alpha": 0.4, "gamma": 1.5},
    ),
    Case("categorical_crossentropy", "CategoricalCrossentropy", ONE_HOT, PROBABILITIES),
    Case(
        "categorical_crossentropy",
        "CategoricalCrossentropy",
        ONE_HOT,
        LOGITS,
        {"from_logits": True, "label_smoothing": 0.1},
    ),
    Case("categorical_focal_crossentropy", "CategoricalFocalCrossentropy", ONE_HOT, PROBABILITIES),
    Case(
        "categorical_focal_crossentropy",
        "CategoricalFocalCrossentropy",
        ONE_HOT,
        LOGITS,
        {"from_logits": True, "gamma": 1.5},
    ),
    Case("sparse_categorical_crossentropy", "SparseCategoricalCrossentropy", LABELS, PROBABILITIES),
    Case(
        "sparse_categorical_crossentropy",
        "SparseCategoricalCrossentropy",
        LABELS[:, None],
        LOGITS,
        {"from_logits": True},
    ),
    Case(
        "sparse_categorical_crossentropy",
        "SparseCategoricalCrossentropy",
        LABELS,
        PROBABILITIES,
        {"ignore_class": 1},
    ),
    Case(
        "categorical_generalized_cross_entropy",
        "CategoricalGeneralizedCrossEntropy",
        LABELS,
        PROBABILITIES,
        {"q": 0.5},
    ),
]
IDS = [f"{c.function}-{i}" for i, c in enumerate(CASES)]


tensor = oracle.ops.convert_to_tensor


def check(found: Any, expected: Any) -> None:
    expected = oracle.ops.convert_to_numpy(expected)
    assert tuple(found.shape) == expected.shape
    np.testing.assert_allclose(ops.convert_to_numpy(found), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_function(case: Case) -> None:
    found = getattr(losses, case.function)(case.y_true, case.y_pred, **case.arguments)
    theirs = getattr(oracle.losses, case.function)
    check(found, theirs(tensor(case.y_true), tensor(case.y_pred), **case.arguments))


@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "sum", "none"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_class(case: Case, weighted: bool, reduction: str) -> None:
    arguments = {**case.arguments, "reduction": reduction}
    weights = WEIGHTS if weighted else None
    ours, theirs = (getattr(m, case.cls)(**arguments) for m in (losses, oracle.losses))
    found = ours(case.y_true, case.y_pred, sample_weight=weights)
    check(found, theirs(case.y_true, case.y_pred, sample_weight=weights))
    assert (ours.name, ours.dtype, ours.reduction) == (theirs.name, theirs.dtype, theirs.reduction)


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_config_interchanges_with_keras(case: Case) -> None:
    ours = getattr(losses, case.cls)(**case.arguments, reduction="sum", name="mine")
    config = ours.get_config()
    again = losses.deserialize(losses.serialize(ours))
    assert type(again) is type(ours) and again.get_config() == config
    theirs = getattr(oracle.losses, case.cls).from_config(config)
    assert theirs.get_config().items() <= config.items()
    check(again(case.y_true, case.y_pred), theirs(case.y_true, case.y_pred))


SHAPES = [
    ((6,), (6, 1)),
    ((6, 1), (6,)),
    ((6, 3), (6, 3)),
    ((6, 3), (6, 3, 1)),
    ((6, 3, 4), (6, 3, 4)),
]


@pytest.mark.parametrize("shapes", SHAPES, ids=str)
@pytest.mark.parametrize("name", ["MeanSquaredError", "Huber", "Hinge", "CosineSimilarity"])
def test_ranks_that_differ_by_one(name: str, shapes: tuple) -> None:
    y_true, y_pred = (np.random.normal(size=shape).astype("float32") for shape in shapes)
    found = getattr(losses, name)(reduction=None)(y_true, y_pred)
    check(found, getattr(oracle.losses, name)(reduction=None)(y_true, y_pred))


@pytest.mark.parametrize("reduction", ["sum", "mean", "mean_with_sample_weight", None])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("masked", [False, True])
def test_masks_and_weights(masked: bool, weighted: bool, reduction: str | None) -> None:
    y_true, y_pred = NUMBERS.reshape(2, 3, 4), OTHERS.reshape(2, 3, 4)
    weights = WEIGHTS.reshape(2, 3) if weighted else None
    mask = np.array([[True, True, False], [True, False, False]])
    values = np.square(y_true - y_pred).mean(-1)
    weight = (weights if weighted else 1.0) * (mask if masked else np.ones((2, 3)))
    expected = values * weight
    if reduction is not None:
        expected = expected.sum()
    if reduction == "mean":
        expected /= mask.sum() if masked else mask.size
    if reduction == "mean_with_sample_weight":
        expected /= weight.sum()
    prediction = ops.convert_to_tensor(y_pred)
    if masked:
        engine.set_mask(prediction, ops.convert_to_tensor(mask))
    found = losses.MeanSquaredError(reduction)(y_true, prediction, sample_weight=weights)
    np.testing.assert_allclose(ops.convert_to_numpy(found), expected, rtol=1e-5)


def test_weights_meet_the_first_axes() -> None:
    y_true, y_pred = NUMBERS.reshape(2, 3, 4), OTHERS.reshape(2, 3, 4)
    weights = np.array([2.0, 0.5], "float32")
    found = losses.MeanAbsoluteError(None)(y_true, y_pred, sample_weight=weights)
    expected = np.abs(y_true - y_pred).mean(-1) * weights[:, None]
    np.testing.assert_allclose(ops.convert_to_numpy(found), expected, rtol=1e-5)
    with pytest.raises(ValueError, match=r"expected shape \(2, 3\).*Received: shape \(3,\)"):
        losses.MeanAbsoluteError()(y_true, y_pred, sample_weight=np.ones(3))


def test_nothing_left_by_a_mask_is_zero() -> None:
    prediction = ops.convert_to_tensor(OTHERS)
    engine.set_mask(prediction, ops.zeros((BATCH,), "bool"))
    assert float(losses.MeanSquaredError()(NUMBERS, prediction)) == 0.0


def test_large_class_numbers_survive() -> None:
    # float16 has no 2049: the label must not take the loss's dtype.
    y_pred = np.zeros((1, 2050), "float32")
    y_pred[0, 2049] = 20.0
    loss = losses.SparseCategoricalCrossentropy(from_logits=True, dtype="float16")
    assert float(loss(np.array([2049]), y_pred)) < 0.01


def test_loss_of_ones_own() -> None:
    class Summed(losses.Loss):
        def call(self, y_true: Any, y_pred: Any) -> Any:
            return y_pred["a"] - y_true["a"] + y_pred["b"] * y_true["b"]

    loss = Summed()
    assert loss.name == "summed" and loss.get_config() == {
        "name": "summed",
        "reduction": "sum_over_batch_size",
    }
    y_true = {"a": np.ones(2, "float64"), "b": np.ones(2, "int32")}
    found = loss(y_true, {"a": np.ones(2), "b": np.array([1.0, 3.0])})
    assert float(found) == 2.0 and ops.dtype(found) == "float32"


@pytest.mark.parametrize("short", ["mse", "mae", "mape", "msle", "bce", "kld"])
def test_short_names(short: str) -> None:
    expected = getattr(losses, oracle.losses.get(short).__name__)
    assert losses.get(short) is losses.get(short.upper()) is expected


def test_get() -> None:
    assert losses.get(None) is None
    assert isinstance(losses.get("MeanSquaredError"), losses.MeanSquaredError)
    assert losses.get("mean_squared_error") is losses.mean_squared_error
    assert losses.get({"class_name": "Huber", "config": {"delta": 2.0}}).delta == 2.0
    with pytest.raises(ValueError, match="Did you mean 'mean_squared_error'"):
        losses.get("mean_square_error")
    with pytest.raises(ValueError, match="`reduction` must be one of.*Received: 'average'"):
        losses.MeanSquaredError(reduction="average")


@pytest.mark.parametrize("name", ["categorical_crossentropy", "categorical_focal_crossentropy"])
def test_axis_that_does_not_exist(name: str) -> None:
    with pytest.raises(ValueError, match="`axis` must lie in"):
        getattr(losses, name)(ONE_HOT, PROBABILITIES, axis=2)


@pytest.mark.requires("trainable")
@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_gradient(case: Case) -> None:
    """The analytic gradient along a direction equals a difference quotient."""
    loss = getattr(losses, case.cls)(**case.arguments)
    direction = np.random.normal(size=case.y_pred.shape).astype("float32")

    def value(y_pred: Any) -> Any:
        return loss(case.y_true, y_pred)

    _, (gradient,) = engine.value_and_grad_of(
        lambda x: (value(x), None), [ops.convert_to_tensor(case.y_pred)]
    )
    step = 1e-4
    moved = [float(value(case.y_pred + s * direction)) for s in (step, -step)]
    slope = float(np.sum(ops.convert_to_numpy(gradient) * direction))
    assert slope == pytest.approx((moved[0] - moved[1]) / (2 * step), rel=2e-2, abs=2e-2)
