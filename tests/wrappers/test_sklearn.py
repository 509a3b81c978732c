"""The estimators pass scikit-learn's own checks; and what these do not look at."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import keraslite as keras
from keraslite import wrappers

pytest.importorskip("sklearn", minversion="1.6")
from sklearn import config_context
from sklearn.datasets import load_iris
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import estimator_checks_generator

pytestmark = pytest.mark.requires("trainable")

# Each check trains, and compiling a step takes seconds: where `fit` does that, a few of them.
FEW = {"check_fit_idempotent", "check_classifiers_one_label_sample_weights"}
QUIET = {"epochs": 8, "verbose": 0}
SOFTMAX = {"loss": "categorical_crossentropy", "activation": "softmax"}


def linear(
    X: Any, y: Any, loss: str = "mse", activation: str | None = None, rate: Any = 0.1
) -> Any:
    keras.utils.set_random_seed(0)  # So that the same data give the same estimator.
    layers = [keras.Input(X.shape[1:]), keras.layers.Dense(y.shape[1], activation)]
    model = keras.Sequential(layers)
    model.compile(keras.optimizers.SGD(rate), loss)
    return model


class _Strict:
    """With the checks that are left out for what is random or poor: this model is neither."""

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()  # type: ignore[misc]
        assert tags.non_deterministic
        tags.non_deterministic = False
        for kind in (tags.classifier_tags, tags.regressor_tags):
            if kind is not None:
                assert kind.poor_score
                kind.poor_score = False
        return tags


class Classifier(_Strict, wrappers.SKLearnClassifier):
    pass


class Regressor(_Strict, wrappers.SKLearnRegressor):
    pass


class Transformer(_Strict, wrappers.SKLearnTransformer):
    pass


def checks() -> Iterator[Any]:
    can = keras.backend.engine.capabilities
    for estimator in (
        Classifier(linear, model_kwargs=SOFTMAX, fit_kwargs=QUIET),
        Regressor(linear, fit_kwargs=QUIET),
        Transformer(linear, fit_kwargs=QUIET),
    ):
        for instance, check in estimator_checks_generator(estimator):
            name = check.func.__name__
            few = can.fuses_steps or not can.trainable
            if name in FEW if few else name != "check_array_api_input":
                yield pytest.param(instance, check, id=f"{type(instance).__name__}-{name}")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("estimator", "check"), list(checks()))
def test_scikit_learns_checks(estimator: Any, check: Any) -> None:
    check(estimator)


def test_in_a_pipeline() -> None:
    x, y = load_iris(return_X_y=True)
    names = np.array(["setosa", "versicolor", "virginica"])[y]
    kwargs = {**SOFTMAX, "rate": 0.3}
    classifier = wrappers.SKLearnClassifier(linear, model_kwargs=kwargs, fit_kwargs=QUIET)
    steps = make_pipeline(StandardScaler(), classifier).fit(x, names)
    assert steps.score(x, names) > 0.8
    again = pickle.loads(pickle.dumps(steps))
    np.testing.assert_array_equal(again.predict(x), steps.predict(x))
    assert again.decision_function(x).shape == (150, 3)


def test_a_model_is_copied_and_goes_on_when_asked() -> None:
    x, y = load_iris(return_X_y=True)
    x, y = x[:100], y[:100]
    model = linear(x, np.eye(2)[y], **SOFTMAX)
    before = model.get_weights()
    warm = wrappers.SKLearnClassifier(model, warm_start=True, fit_kwargs=QUIET)
    assert warm.epoch_ == 0
    assert warm.fit(x, y, epochs=1).epoch_ == 1 and warm.fit_kwargs == QUIET
    loss = warm.history_.history["loss"][0]
    trained = warm.model_
    assert warm.fit(x, y).model_ is trained and warm.epoch_ == 8
    assert warm.history_.history["loss"][0] < loss
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    scores = warm.decision_function(x)
    assert scores.shape == (100,) and roc_auc_score(y, scores) > 0.9
    np.testing.assert_array_equal(warm.predict(x), (scores > 0).astype(int))
    with pytest.raises(ValueError, match="classes of the first `fit`"):
        warm.fit(x, y + 1)


def test_metadata_is_passed_on() -> None:
    x, y = load_iris(return_X_y=True)
    classifier = wrappers.SKLearnClassifier(linear, model_kwargs=SOFTMAX, fit_kwargs=QUIET)
    with pytest.raises(RuntimeError, match="enable_metadata_routing"):
        classifier.set_fit_request(sample_weight=True)
    with config_context(enable_metadata_routing=True):
        found = cross_validate(
            classifier.set_fit_request(sample_weight=True),
            x,
            y,
            params={"sample_weight": (y > 0) * 1.0},
            cv=[(np.arange(150), np.arange(150))],
            scoring=lambda *args: 0.0,
            return_estimator=True,
        )
    assert found["estimator"][0].classes_.tolist() == [1, 2]


@pytest.mark.parametrize(
    ("model", "error", "words"),
    [
        (3, TypeError, "must be a model.*Received: 3"),
        (lambda X, y: 3, TypeError, "that returns one. Received: 3"),
        (keras.Sequential([keras.layers.Dense(1)]), RuntimeError, "must be compiled"),
    ],
)
def test_mistakes(model: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        wrappers.SKLearnRegressor(model).fit(np.ones((3, 2)), np.arange(3.0))
