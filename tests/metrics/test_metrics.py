"""Every metric against Keras over several batches, and what all metrics have in common."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import keras as oracle
import numpy as np
import pytest

from keraslite import losses, metrics, ops
from keraslite.backend import engine

BATCH, CLASSES, BATCHES = 8, 4, 3
RNG = np.random.default_rng(11)


def _softmax(x: np.ndarray) -> np.ndarray:
    return (np.exp(x) / np.exp(x).sum(-1, keepdims=True)).astype("float32")


def _numbers(*shape: int) -> np.ndarray:
    return RNG.normal(size=(BATCHES, *shape)).astype("float32")


NUMBERS, OTHERS = _numbers(BATCH, CLASSES), _numbers(BATCH, CLASSES)
LOGITS, PROBABILITIES = 2 * OTHERS, _softmax(2 * OTHERS)
LABELS = RNG.integers(0, CLASSES, (BATCHES, BATCH)).astype("int32")
ONE_HOT = np.eye(CLASSES, dtype="float32")[LABELS]
BITS = RNG.integers(0, 2, (BATCHES, BATCH, CLASSES)).astype("float32")
SMALL_INTS = RNG.integers(0, 3, (BATCHES, BATCH, CLASSES)).astype("int32")
WEIGHTS = RNG.choice([0.0, 0.5, 1.0, 2.0], (BATCHES, BATCH)).astype("float32")
UNIT = RNG.random((BATCHES, BATCH, CLASSES)).astype("float32")
# Some predictions lie on thresholds, some beyond all.
ROUNDED = (np.round(UNIT * 12) / 10 - 0.1).astype("float32")
CUTS = {"thresholds": [0.7, 0.2, 0.5]}
AT = {"num_thresholds": 11}
FLOAT = {"dtype": "float32"}
AXIS_0 = {"num_classes": 4, "axis": 0}
LONG, LONG_LABELS = _softmax(_numbers(BATCH, 5, CLASSES)), RNG.integers(0, CLASSES, (3, BATCH, 5))


class Case(NamedTuple):
    cls: str
    y_true: Any
    y_pred: Any
    arguments: dict[str, Any] = {}


CASES = [
    Case("Accuracy", SMALL_INTS, SMALL_INTS[:, ::-1]),
    Case("BinaryAccuracy", BITS, PROBABILITIES),
    Case("BinaryAccuracy", BITS, PROBABILITIES, {"threshold": 0.2}),
    Case("BinaryAccuracy", BITS[..., 0], PROBABILITIES[..., :1], {"threshold": 0.3}),
    Case("CategoricalAccuracy", ONE_HOT, PROBABILITIES),
    Case("SparseCategoricalAccuracy", LABELS, PROBABILITIES),
    Case("SparseCategoricalAccuracy", LABELS[..., None], PROBABILITIES),
    Case("SparseCategoricalAccuracy", LONG_LABELS, LONG),
    Case("TopKCategoricalAccuracy", ONE_HOT, PROBABILITIES, {"k": 2}),
    Case("SparseTopKCategoricalAccuracy", LABELS, PROBABILITIES, {"k": 2}),
    Case("SparseTopKCategoricalAccuracy", LABELS, np.ones_like(PROBABILITIES), {"k": 1}),
    Case(
        "SparseTopKCategoricalAccuracy",
        LABELS,
        np.argsort(-PROBABILITIES, axis=-1).astype("int32"),
        {"k": 2, "from_sorted_ids": True},
    ),
    Case("MeanSquaredError", NUMBERS, OTHERS),
    Case("RootMeanSquaredError", NUMBERS, OTHERS),
    Case("MeanAbsoluteError", NUMBERS, OTHERS),
    Case("MeanAbsolutePercentageError", NUMBERS, OTHERS),
    Case("MeanSquaredLogarithmicError", np.abs(NUMBERS), np.abs(OTHERS)),
    Case("LogCoshError", NUMBERS, OTHERS),
    Case("CosineSimilarity", NUMBERS, OTHERS),
    Case("CosineSimilarity", NUMBERS, OTHERS, {"axis": 1}),
    Case("PearsonCorrelation", NUMBERS, OTHERS),
    Case("PearsonCorrelation", np.ones_like(NUMBERS), OTHERS),
    Case("ConcordanceCorrelation", NUMBERS, OTHERS),
    Case("Hinge", BITS, OTHERS),
    Case("SquaredHinge", BITS, OTHERS),
    Case("CategoricalHinge", ONE_HOT, OTHERS),
    Case("KLDivergence", PROBABILITIES, PROBABILITIES[:, ::-1]),
    Case("Poisson", np.abs(NUMBERS), np.abs(OTHERS)),
    Case("BinaryCrossentropy", BITS, PROBABILITIES, {"label_smoothing": 0.1}),
    Case("BinaryCrossentropy", BITS, LOGITS, {"from_logits": True}),
    Case("CategoricalCrossentropy", ONE_HOT, PROBABILITIES),
    Case("CategoricalCrossentropy", ONE_HOT, LOGITS, {"from_logits": True, "label_smoothing": 0.1}),
    Case("SparseCategoricalCrossentropy", LABELS, PROBABILITIES),
    Case("SparseCategoricalCrossentropy", LABELS, LOGITS, {"from_logits": True}),
    Case("TruePositives", BITS, UNIT),
    Case("FalsePositives", BITS, UNIT, {"thresholds": 0.3}),
    Case("TrueNegatives", BITS, ROUNDED, CUTS),
    Case("FalseNegatives", BITS, UNIT, {"thresholds": [0.2, 0.9]}),
    Case("Precision", BITS, UNIT),
    Case("Precision", BITS[..., 0], UNIT[..., :1], CUTS),
    Case("Precision", BITS, UNIT, {"top_k": 2}),
    Case("Precision", BITS, ROUNDED, {"top_k": 2, "thresholds": 0.6, "class_id": 1}),
    Case("Recall", BITS, ROUNDED, CUTS),
    Case("Recall", BITS, UNIT, {"class_id": 3}),
    Case("Recall", BITS, UNIT, {"top_k": 1}),
    Case("SensitivityAtSpecificity", BITS, UNIT, {"specificity": 0.6}),
    Case("SensitivityAtSpecificity", BITS, ROUNDED, {"specificity": 0.4, **AT, "class_id": 2}),
    Case("SpecificityAtSensitivity", BITS, UNIT, {"sensitivity": 0.6, "num_thresholds": 1}),
    Case("SpecificityAtSensitivity", BITS, UNIT, {"sensitivity": 0.7, **AT}),
    Case("PrecisionAtRecall", BITS, UNIT, {"recall": 0.3}),
    Case("RecallAtPrecision", BITS, UNIT, {"precision": 0.55}),
    Case("RecallAtPrecision", BITS, UNIT, {"precision": 1.0, **AT}),
    Case("AUC", BITS, UNIT),
    Case("AUC", BITS, ROUNDED, {"num_thresholds": 11, "summation_method": "majoring"}),
    Case("AUC", BITS, UNIT, {"curve": "PR", "num_thresholds": 20}),
    Case("AUC", BITS, UNIT, {"curve": "PR", "summation_method": "minoring"}),
    Case("AUC", BITS, UNIT, {"curve": "PRGAIN"}),
    Case("AUC", BITS, ROUNDED, CUTS),
    Case("AUC", BITS, OTHERS, {"from_logits": True, "label_weights": [1.0, 0.0, 2.0, 1.0]}),
    Case("AUC", BITS, UNIT, {"multi_label": True}),
    Case("AUC", BITS, UNIT, {"multi_label": True, "num_labels": CLASSES, "curve": "PR"}),
    Case("AUC", BITS, UNIT, {"multi_label": True, "label_weights": [1.0, 0.0, 2.0, 1.0], **CUTS}),
    Case("IoU", LABELS, LABELS[:, ::-1], {"num_classes": 4, "target_class_ids": [0, 2]}),
    Case("MeanIoU", LABELS, SMALL_INTS[..., 0], {"num_classes": 3, "ignore_class": 1, **FLOAT}),
    Case("MeanIoU", LABELS, SMALL_INTS[..., 0], {"num_classes": 6, "ignore_class": -1, **FLOAT}),
    Case("BinaryIoU", BITS[..., 0], ROUNDED[..., 0], {"threshold": 0.4, **FLOAT}),
    Case("BinaryIoU", BITS[..., 0], UNIT[..., :1], {"target_class_ids": [1], **FLOAT}),
    Case("OneHotIoU", ONE_HOT, UNIT, {"num_classes": 4, "target_class_ids": [3], **FLOAT}),
    Case("OneHotMeanIoU", ONE_HOT, LABELS, {"num_classes": 4, "sparse_y_pred": True, **FLOAT}),
    Case("OneHotMeanIoU", *(np.swapaxes(x, 1, 2) for x in (ONE_HOT, UNIT)), AXIS_0),
    Case("F1Score", ONE_HOT, UNIT),
    Case("F1Score", BITS, UNIT, {"average": "macro", "threshold": 0.4}),
    Case("FBetaScore", BITS, UNIT, {"average": "micro", "beta": 2.0, "threshold": 0.4}),
    Case("FBetaScore", ONE_HOT, UNIT, {"average": "weighted", "beta": 0.5}),
    Case("R2Score", NUMBERS, OTHERS),
    Case("R2Score", NUMBERS, OTHERS, {"class_aggregation": None, "num_regressors": 2}),
    Case("R2Score", NUMBERS, OTHERS, {"class_aggregation": "variance_weighted_average"}),
]
IDS = [f"{c.cls}-{i}" for i, c in enumerate(CASES)]
tensor = oracle.ops.convert_to_tensor


def numpy(x: Any) -> np.ndarray:
    return np.asarray(oracle.ops.convert_to_numpy(x))


def unnumbered(name: str) -> str:
    """A name without what makes it unique in a session."""
    return re.sub(r"_\d+(/|$)", r"\1", name)


def check_state(ours: Any, theirs: Any) -> None:
    paths, expected = ([unnumbered(v.path) for v in m.variables] for m in (ours, theirs))
    assert paths == expected
    for mine, other in zip(ours.variables, theirs.variables, strict=True):
        np.testing.assert_allclose(mine.numpy(), numpy(other), rtol=2e-5, atol=1e-5)
    np.testing.assert_allclose(
        ops.convert_to_numpy(ours.result()), numpy(theirs.result()), rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_three_batches(case: Case, weighted: bool) -> None:
    # Keras takes no weights here, or cuts them to whole numbers.
    whole = case.cls.endswith("IoU") and "dtype" not in case.arguments
    weighted = weighted and case.arguments.get("axis") is None and not whole
    ours = getattr(metrics, case.cls)(**case.arguments)
    theirs = getattr(oracle.metrics, case.cls)(**case.arguments)
    for i in range(BATCHES):
        weights = WEIGHTS[i] if weighted else None
        y_true, y_pred = (np.ascontiguousarray(x[i]) for x in (case.y_true, case.y_pred))
        ours.update_state(y_true, y_pred, sample_weight=weights)
        theirs.update_state(tensor(y_true), tensor(y_pred), sample_weight=weights)
    check_state(ours, theirs)
    ours.reset_state()
    assert all(not v.numpy().any() for v in ours.variables)
    assert unnumbered(ours.name) == unnumbered(theirs.name)
    assert ours._direction == getattr(theirs, "_direction", None)


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_config_interchanges_with_keras(case: Case) -> None:
    ours = getattr(metrics, case.cls)(**case.arguments, name="mine")
    config = ours.get_config()
    again = metrics.deserialize(metrics.serialize(ours))
    assert type(again) is type(ours) and again.get_config() == config
    theirs = getattr(oracle.metrics, case.cls).from_config(config)
    expected = theirs.get_config()
    if expected.get("label_weights") is not None:
        expected["label_weights"] = numpy(expected["label_weights"]).tolist()
    assert expected.items() <= config.items()


VALUES = [
    (3.0, None),
    (3.0, 2.0),
    ([1.0, 2.0, 4.0], None),
    ([1.0, 2.0, 4.0], [1.0, 0.0, 3.0]),
    ([1.0, 2.0, 4.0], [[1.0], [0.0], [3.0]]),
    ([[1.0, 2.0], [5.0, 7.0]], None),
    ([[1.0, 2.0], [5.0, 7.0]], [1.0, 3.0]),
    ([[1.0, 2.0], [5.0, 7.0]], [[1.0, 0.0], [2.0, 2.0]]),
    ([[1.0, 2.0], [5.0, 7.0]], [[1.0], [2.0]]),
    ([[[1.0, 2.0]], [[5.0, 7.0]]], [[1.0], [2.0]]),
]


@pytest.mark.parametrize("name", ["Mean", "Sum"])
@pytest.mark.parametrize(("values", "weights"), VALUES, ids=str)
def test_mean_and_sum(name: str, values: Any, weights: Any) -> None:
    ours, theirs = getattr(metrics, name)(), getattr(oracle.metrics, name)()
    for _ in range(2):
        ours.update_state(values, weights)
        theirs.update_state(values, weights)
    check_state(ours, theirs)


def test_mean_of_nothing_is_zero_and_nan_shows() -> None:
    metric = metrics.Mean()
    assert float(metric.result()) == 0.0
    assert np.isnan(float(metric([float("nan"), 1.0])))


def test_mask_of_predictions() -> None:
    y_pred = ops.convert_to_tensor(np.array([[1.0, 1.0], [3.0, 3.0], [9.0, 9.0]], "float32"))
    engine.set_mask(y_pred, ops.convert_to_tensor(np.array([True, True, False])))
    metric = metrics.MeanAbsoluteError()
    metric.update_state(np.zeros((3, 2)), y_pred, sample_weight=np.array([1.0, 3.0, 5.0]))
    assert float(metric.result()) == pytest.approx(10 / 4)


def test_stateless() -> None:
    metric = metrics.MeanSquaredError()
    metric.update_state([[1.0]], [[9.0]])
    before = [v.numpy() for v in metric.variables]
    state = metric.stateless_reset_state()
    state = metric.stateless_update_state(state, [[1.0], [2.0]], [[3.0], [2.0]])
    assert float(metric.stateless_result(state)) == 2.0
    np.testing.assert_array_equal(before, [v.numpy() for v in metric.variables])
    with pytest.raises(ValueError, match="each of its 2 variables. Received: 1 values"):
        metric.stateless_result(state[:1])


class Nested(metrics.Metric):
    """A metric with variables of several kinds and metrics inside."""

    def __init__(self, scale: float = 1.0, name: str = "nested", **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)
        self.scale = scale
        self.hits = self.add_weight(name="hits", shape=(2,), initializer="ones")
        self.inner = [metrics.Mean(name="inner"), {"last": metrics.Sum(name="last")}]
        self.counter = self.add_variable((), "zeros", dtype="int32", name="counter")

    def update_state(self, values: Any) -> None:
        self.hits.assign_add(values)
        self.inner[0].update_state(values)
        self.counter.assign_add(1)

    def result(self) -> Any:
        return {"hits": self.hits, "mean": self.inner[0].result()}


def test_metric_of_ones_own() -> None:
    metric = Nested(scale=2.0)
    found = metric([1.0, 2.0])
    np.testing.assert_array_equal(found["hits"].numpy(), [2.0, 3.0])
    assert float(found["mean"]) == 1.5
    paths = ["nested/hits", "nested/counter", "inner/total", "inner/count", "last/total"]
    assert [v.path for v in metric.variables] == paths
    assert metric.get_config() == {"scale": 2.0, "name": "nested", "dtype": "float32"}
    metric.reset_state()
    assert not any(v.numpy().any() for v in metric.variables)
    result = metric.stateless_result(
        metric.stateless_update_state([v.value for v in metric.variables], [1.0, 3.0])
    )
    np.testing.assert_array_equal(ops.convert_to_numpy(result["hits"]), [1.0, 3.0])


def test_constructor_without_super() -> None:
    class Forgetful(metrics.Metric):
        def __init__(self) -> None:
            self.total = self.add_weight(name="total")

    with pytest.raises(RuntimeError, match=r"Forgetful: call `super\(\).__init__\(\)` first"):
        Forgetful()


def test_dtype() -> None:
    metric = metrics.Mean(dtype="float16")
    assert {v.dtype for v in metric.variables} == {metric.dtype} == {"float16"}
    metric.update_state(np.array([1, 2], "int64"))
    assert ops.dtype(metric.result()) == "float16"


@pytest.mark.parametrize("name", ["TruePositives", "AUC", "R2Score", "RecallAtPrecision"])
def test_counts_keep_their_bits(name: str) -> None:
    """Counts go on beyond 256, where bfloat16 has no odd numbers, in the dtype that Keras has."""
    arguments = (0.5,) if name == "RecallAtPrecision" else ()
    low, full = (getattr(metrics, name)(*arguments, dtype=d) for d in ("bfloat16", "float32"))
    theirs = getattr(oracle.metrics, name)(*arguments, dtype="bfloat16")
    values = UNIT[0].repeat(60, 0)
    for metric in (low, full):
        for _ in range(3):
            metric.update_state(values > 0.4, values)
    theirs.update_state(tensor(ONE_HOT[0]), tensor(UNIT[0]))
    assert {v.dtype for v in low.variables} == {v.dtype for v in theirs.variables} == {"float32"}
    np.testing.assert_array_equal(*(ops.convert_to_numpy(m.result()) for m in (low, full)))
    assert low.get_config()["dtype"] == theirs.get_config()["dtype"] == "bfloat16"


def test_wrapper() -> None:
    metric = metrics.MeanMetricWrapper(losses.huber, name="mine", delta=2.0)
    assert float(metric([[0.0]], [[4.0]])) == 6.0
    again = metrics.deserialize(metrics.serialize(metric))
    assert again.name == "mine" and float(again([[0.0]], [[4.0]])) == 6.0
    theirs = oracle.metrics.MeanMetricWrapper(oracle.losses.huber, name="mine", delta=2.0)
    assert metric.get_config() == theirs.get_config()


@pytest.mark.parametrize(
    ("name", "cls"),
    [
        ("mse", "MeanSquaredError"),
        ("MSE", "MeanSquaredError"),
        ("mean_squared_error", "MeanSquaredError"),
        ("binary_crossentropy", "BinaryCrossentropy"),
        ("TopKCategoricalAccuracy", "TopKCategoricalAccuracy"),
        ("accuracy", "Accuracy"),
        ("auc", "AUC"),
        ("f1_score", "F1Score"),
        ("f_beta_score", "FBetaScore"),
        ("true_positives", "TruePositives"),
    ],
)
def test_get(name: str, cls: str) -> None:
    assert type(metrics.get(name)) is getattr(metrics, cls)
    assert metrics.get(name) is not metrics.get(name)


def test_get_what_is_none() -> None:
    assert metrics.get(None) is None
    with pytest.raises(ValueError, match="Unknown metric: 'acuracy'.* Did you mean 'accuracy'"):
        metrics.get("acuracy")
