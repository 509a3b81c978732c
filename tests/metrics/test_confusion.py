"""Metrics of counts against scikit-learn, in compiled steps, and what they refuse."""

from __future__ import annotations

from typing import Any

import keras as oracle
import numpy as np
import pytest
from sklearn import metrics as sklearn

import keraslite
from keraslite import metrics, ops
from keraslite.backend import engine
from keraslite.metrics import confusion

RNG = np.random.default_rng(5)
SIZE, CLASSES = 300, 3
TRUE = RNG.integers(0, 2, SIZE)
SCORES = np.clip(0.6 * RNG.random(SIZE) + 0.3 * TRUE, 0, 1).astype("float32")
WEIGHTS = RNG.random(SIZE).astype("float32")
LABELS, SAID = RNG.integers(0, CLASSES, (2, SIZE))
NUMBERS, OTHERS = RNG.normal(size=(2, SIZE, 2)).astype("float32")
#: exact areas need a threshold between any two predictions
BETWEEN = np.convolve(np.unique(SCORES), [0.5, 0.5], "valid").tolist()


def value(metric: Any, *args: Any, **kwargs: Any) -> Any:
    return ops.convert_to_numpy(metric(*args, **kwargs))


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["plain", "weighted"])
def test_against_scikit_learn(weights: np.ndarray | None) -> None:
    given = {"sample_weight": weights}
    said = SCORES > 0.5
    rows = [
        (metrics.AUC(thresholds=BETWEEN), sklearn.roc_auc_score, SCORES),
        (metrics.Precision(), sklearn.precision_score, said),
        (metrics.Recall(), sklearn.recall_score, said),
        (metrics.FBetaScore("micro", 2.0, 0.5), None, SCORES),
        (metrics.R2Score(), sklearn.r2_score, OTHERS),
        (metrics.MeanIoU(CLASSES, dtype="float32"), None, SAID),
    ]
    for metric, function, y_pred in rows:
        if isinstance(metric, metrics.R2Score):
            found = value(metric, NUMBERS, OTHERS, **given)
            expected = function(NUMBERS, OTHERS, **given)
        elif isinstance(metric, metrics.FBetaScore):
            found = value(metric, TRUE[:, None], SCORES[:, None], **given)
            expected = sklearn.fbeta_score(TRUE, said, beta=2.0, **given)
        elif isinstance(metric, metrics.MeanIoU):
            found = value(metric, LABELS, SAID, **given)
            expected = sklearn.jaccard_score(LABELS, SAID, average="macro", **given)
        else:
            found = value(metric, TRUE, SCORES, **given)
            expected = function(TRUE, y_pred, **given)
        np.testing.assert_allclose(found, expected, rtol=1e-5, err_msg=metric.name)


def test_f1_of_classes_against_scikit_learn() -> None:
    one_hot = np.eye(CLASSES, dtype="float32")
    for average in (None, "macro", "weighted"):
        found = value(metrics.F1Score(average), one_hot[LABELS], one_hot[SAID])
        np.testing.assert_allclose(
            found, sklearn.f1_score(LABELS, SAID, average=average), rtol=1e-5
        )


@pytest.mark.parametrize("even", [False, True])
@pytest.mark.parametrize("few", [0, 2**20], ids=["histogram", "comparing"])
def test_counts_are_those_of_comparing_each(
    even: bool, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(confusion, "_FEW", few)
    values = np.linspace(0, 1, 9) if even else np.array([0.9, 0.1, 0.55, 0.1, 0.3])
    rows = [x.reshape(-1, 3).copy() for x in (TRUE, SCORES, WEIGHTS)]
    rows[1][0, 0] = np.nan
    said = np.greater(rows[1], values[:, None, None].astype("float32"))
    for per_label, axes in ((False, (1, 2)), (True, 1)):
        counts = confusion.count_at(
            confusion.Thresholds(values, even), *map(ops.convert_to_tensor, rows), per_label
        )
        yes = rows[0] == 1
        for found, chosen in zip(
            counts.values(), (said & yes, said & ~yes, ~said & ~yes, ~said & yes), strict=True
        ):
            expected = (chosen * rows[2]).sum(axes)
            np.testing.assert_allclose(ops.convert_to_numpy(found), expected, rtol=1e-5, atol=1e-5)


def test_what_is_not_a_number_is_never_yes() -> None:
    for metric in (metrics.TruePositives(thresholds=[0.0, 0.5]), metrics.AUC(num_thresholds=3)):
        metric.update_state([1, 1], [float("nan"), 0.7])
        counted = metric.accumulator if hasattr(metric, "accumulator") else metric.true_positives
        np.testing.assert_array_equal(counted.numpy()[:2], [1, 1])


LATE = [
    (lambda m: m.AUC(multi_label=True), (SIZE // 3, 3)),
    (lambda m: m.F1Score("macro"), (SIZE // 3, 3)),
    (lambda m: m.R2Score(), (SIZE // 3, 3)),
]


@pytest.mark.parametrize(("make", "shape"), LATE, ids=["AUC", "F1Score", "R2Score"])
def test_variables_that_follow_the_data(make: Any, shape: Any) -> None:
    """They are there before a step is compiled, and a copy of the state has them."""
    metric, y_true, y_pred = make(metrics), TRUE.reshape(shape), SCORES.reshape(shape)
    metric._prepare(y_true, y_pred)
    state = metric.stateless_reset_state()
    state = metric.stateless_update_state(state, y_true, y_pred)
    theirs = make(oracle.metrics)
    theirs.update_state(y_true, y_pred)
    np.testing.assert_allclose(
        ops.convert_to_numpy(metric.stateless_result(state)),
        oracle.ops.convert_to_numpy(theirs.result()),
        rtol=1e-5,
    )


@pytest.mark.requires("compiled")
def test_in_a_compiled_step() -> None:
    several = [
        metrics.AUC(),
        metrics.AUC(curve="PR", from_logits=True),
        metrics.Precision(thresholds=[0.6, 0.3]),
        metrics.Recall(top_k=1, class_id=0),
        metrics.SpecificityAtSensitivity(0.5),
        metrics.OneHotMeanIoU(3, dtype="float32"),
        metrics.F1Score(),
        metrics.R2Score(num_regressors=2),
    ]
    y_true, y_pred = TRUE.reshape(-1, 3).astype("float32"), SCORES.reshape(-1, 3)
    weights = WEIGHTS[: len(y_true)]
    expected = []
    for metric in several:
        metric.update_state(y_true, y_pred, sample_weight=weights)
        expected.append(ops.convert_to_numpy(metric.result()))
        metric.reset_state()

    def step(batch: Any) -> Any:
        for metric in several:
            metric.update_state(batch[0], batch[1], sample_weight=batch[2])
        return [metric.result() for metric in several]

    compiled = engine.compile_step(step, [v for metric in several for v in metric.variables])
    for found, known in zip(compiled([y_true, y_pred, weights]), expected, strict=True):
        np.testing.assert_allclose(ops.convert_to_numpy(found), known, rtol=1e-5, atol=1e-6)


@pytest.mark.requires("trainable")
def test_in_fit() -> None:
    inputs = RNG.normal(size=(40, 3)).astype("float32")
    y_true = np.eye(2, dtype="float32")[RNG.integers(0, 2, 40)]
    model = keraslite.Sequential([keraslite.Input((3,)), keraslite.layers.Dense(2, "softmax")])
    model.compile(
        "sgd",
        "categorical_crossentropy",
        metrics=[metrics.AUC(multi_label=True), metrics.F1Score("macro"), "precision"],
        weighted_metrics=[metrics.BinaryIoU([1], dtype="float32"), metrics.R2Score()],
    )
    model.fit(inputs, y_true, epochs=1, verbose=0, sample_weight=WEIGHTS[:40])
    logs = model.evaluate(inputs, y_true, verbose=0, sample_weight=WEIGHTS[:40], return_dict=True)
    y_pred = model.predict(inputs, verbose=0)
    rows = {
        "auc": (metrics.AUC(multi_label=True), None),
        "f1_score": (metrics.F1Score("macro"), None),
        "precision": (metrics.Precision(), None),
        "binary_io_u": (metrics.BinaryIoU([1], dtype="float32"), WEIGHTS[:40]),
        "r2_score": (metrics.R2Score(), WEIGHTS[:40]),
    }
    for name, (metric, weights) in rows.items():
        key = next(k for k in logs if k.startswith(name))
        expected = value(metric, y_true, y_pred, sample_weight=weights)
        np.testing.assert_allclose(logs[key], expected, rtol=1e-4, err_msg=name)


REFUSED = [
    (lambda: metrics.Precision(thresholds=1.5), "`thresholds` must be a number in"),
    (lambda: metrics.Recall(thresholds=[]), "`thresholds` must be a number in"),
    (lambda: metrics.AUC(thresholds=[0.5, 2]), "`thresholds` must be a number in"),
    (lambda: metrics.AUC(num_thresholds=1), "`num_thresholds` must be an integer >= 2"),
    (lambda: metrics.AUC(curve="x"), "`curve` must be one of"),
    (lambda: metrics.AUC(summation_method="x"), "`summation_method` must be one of"),
    (lambda: metrics.AUC(num_labels=2), "`num_labels` goes with"),
    (lambda: metrics.AUC(label_weights=[-1]), "must not be negative"),
    (lambda: metrics.AUC(multi_label=True)([1, 0], [0.5, 0.1]), "shape .batch, labels"),
    (
        lambda: metrics.AUC(multi_label=True, num_labels=3, label_weights=[1.0]),
        "one of `label_weights` for each of 3",
    ),
    (lambda: metrics.RecallAtPrecision(2.0), "`precision` must lie in"),
    (lambda: metrics.RecallAtPrecision(0.5, 0), "`num_thresholds` must be an integer >= 1"),
    (lambda: metrics.Precision()([[1, 0]], [[0.5, 0.1, 0.2]]), "must have the same shape"),
    (lambda: metrics.Precision(class_id=3)([[1, 0]], [[0.5, 0.1]]), "`class_id=3` needs"),
    (lambda: metrics.Precision()([1, 0], [1, 0], [1.0, 1.0, 1.0]), "do not fit the values"),
    (lambda: metrics.IoU(2, [2]), "`target_class_ids` must be some of the classes 0 to 1"),
    (lambda: metrics.IoU(2, [0])([1, 0, 1], [1, 0]), "as many targets as predictions"),
    (lambda: metrics.F1Score("x"), "`average` must be one of"),
    (lambda: metrics.FBetaScore(beta=2), "`beta` must be a float above 0"),
    (lambda: metrics.F1Score(threshold=2.0), "`threshold` must be None, or a float"),
    (lambda: metrics.F1Score()([1, 0], [1, 0]), r"same shape \(batch, columns\)"),
    (lambda: metrics.F1Score().result(), "has seen no batch yet"),
    (lambda: metrics.R2Score("x"), "`class_aggregation` must be one of"),
    (lambda: metrics.R2Score(num_regressors=-1), "`num_regressors` must be at least 0"),
    (lambda: metrics.R2Score()([1.0], [1.0]), r"same shape \(batch, columns\)"),
]


@pytest.mark.parametrize(("make", "message"), REFUSED, ids=[m for _, m in REFUSED])
def test_refused(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_weights_that_are_not_whole_need_a_float() -> None:
    with pytest.warns(UserWarning, match="cuts sample weights to whole numbers.*float32"):
        metrics.MeanIoU(2).update_state([0, 1], [0, 1], sample_weight=[0.5, 1.0])


def test_predictions_beyond_the_classes_do_not_count() -> None:
    metric = metrics.MeanIoU(2)
    metric.update_state([0, 1, 5, 1], [0, 1, 1, -1])
    np.testing.assert_array_equal(metric.total_cm.numpy(), [[1, 0], [0, 1]])


def test_few_samples_leave_r2_unadjusted() -> None:
    data = np.arange(4.0)[:, None], np.array([0, 1, 2.0, 4])[:, None]
    found = [float(metrics.R2Score(num_regressors=n)(*data)) for n in (0, 2, 3, 5)]
    np.testing.assert_allclose(found, [0.8, 0.4, 0.8, 0.8], rtol=1e-5)
