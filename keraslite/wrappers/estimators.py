"""Estimators of scikit-learn around a model: classifier, regressor, transformer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn import get_config
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, TransformerMixin
from sklearn.utils import check_consistent_length
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, column_or_1d, validate_data

from keraslite.core.errors import describe
from keraslite.models import Model, clone_model


class _OfModel:
    """What the estimators share. It stands before scikit-learn's mixins, to have the last word."""

    def __init__(
        self,
        model: Model | Callable[..., Model],
        warm_start: bool = False,
        model_kwargs: dict[str, Any] | None = None,
        fit_kwargs: dict[str, Any] | None = None,
    ) -> None:
        self.model = model
        self.warm_start = warm_start
        self.model_kwargs = model_kwargs
        self.fit_kwargs = fit_kwargs

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.non_deterministic = True  # Weights begin with random values.
        tags.target_tags.required = True
        for kind in (tags.classifier_tags, tags.regressor_tags):
            if kind is not None:
                kind.poor_score = True  # Nothing is known of the model.
        if tags.transformer_tags is not None:
            tags.transformer_tags.preserves_dtype = []  # The model has a dtype of its own.
        return tags

    @property
    def epoch_(self) -> int:
        """The number of epochs of the last `fit`; 0 before the first."""
        return len(self.history_.epoch) if hasattr(self, "history_") else 0

    def fit(self, X: Any, y: Any, **kwargs: Any) -> _OfModel:
        """Train the model.

        Args:
            X: array of shape `(samples, features)`.
            y: targets, of shape `(samples,)`.
            **kwargs: for `Model.fit`, before those of `fit_kwargs`.

        Returns:
            The estimator, with `model_`, `history_` and `n_features_in_`.

        Raises:
            RuntimeError: if the model is not compiled with a loss and an optimizer.
            TypeError: if `model` makes no model.
        """
        again = self.warm_start and hasattr(self, "model_")
        X, y = validate_data(self, X, y, reset=not again, y_numeric=self._y_numeric)
        y = column_or_1d(y, warn=True)
        if (weights := kwargs.get("sample_weight")) is not None:
            # scikit-learn has it that a weight of 0 is as good as no sample.
            check_consistent_length(X, weights)
            used = np.asarray(weights) != 0
            X, y, kwargs["sample_weight"] = X[used], y[used], np.asarray(weights)[used]
        y = self._encode(y)
        model = self.model_ if again else self._new_model(X, y)
        history = model.fit(X, y, **{**(self.fit_kwargs or {}), **kwargs})
        self.model_, self.history_ = model, history
        return self

    def set_fit_request(self, **kwargs: bool | str | None) -> _OfModel:
        """Say which metadata `fit` takes, where scikit-learn's metadata routing is enabled.

        Args:
            **kwargs: from an argument of `Model.fit`, such as `sample_weight`, to whether it is
                passed on, or to the name under which it is given.

        Raises:
            RuntimeError: if metadata routing is not enabled.
        """
        if not get_config()["enable_metadata_routing"]:
            raise RuntimeError(
                "`set_fit_request` needs scikit-learn's metadata routing. Call "
                "`sklearn.set_config(enable_metadata_routing=True)` first."
            )
        requests = self.get_metadata_routing()  # type: ignore[attr-defined]
        for name, alias in kwargs.items():
            requests.fit.add_request(param=name, alias=alias)
        self._metadata_request = requests
        return self

    def predict(self, X: Any) -> np.ndarray:
        """What the model predicts for `X`, in the form of `y`."""
        return self._decode(self._outputs(X))

    _y_numeric = True

    def _encode(self, y: np.ndarray) -> np.ndarray:
        return y[:, None]

    def _decode(self, outputs: np.ndarray) -> np.ndarray:
        return outputs[:, 0] if outputs.shape[1:] == (1,) else outputs

    def _outputs(self, X: Any) -> np.ndarray:
        check_is_fitted(self, "model_")
        X = validate_data(self, X, reset=False)
        return self.model_.predict(X, verbose=(self.fit_kwargs or {}).get("verbose", "auto"))

    def _new_model(self, X: np.ndarray, y: np.ndarray) -> Model:
        given = self.model
        if isinstance(given, Model):
            model = clone_model(given)
            if given.compiled and not model.compiled:
                model.compile_from_config(given.get_compile_config())
            if self.warm_start and given.built:
                if not model.built:
                    model(X[:1])
                model.set_weights(given.get_weights())
        else:
            model = given(X=X, y=y, **(self.model_kwargs or {})) if callable(given) else given
        if not isinstance(model, Model):
            raise TypeError(
                f"{type(self).__name__}: `model` must be a model, or a function of `X` and `y` "
                f"that returns one. Received: {describe(model)}"
            )
        if not model.compiled or model.loss is None or model.optimizer is None:
            raise RuntimeError(
                f"{type(self).__name__}: the model {model.name!r} must be compiled with a loss and "
                "an optimizer. Call `model.compile(optimizer=..., loss=...)` first."
            )
        return model


_DOC = """{summary}

    Args:
        model: a compiled model, of which a copy is trained and which stays as it is; or a
            function `model(X, y, **model_kwargs)` that returns a compiled one. {target}
        warm_start: whether the first `fit` begins with the weights of the given model, and every
            later one goes on with those of the one before. By default each begins anew.
        model_kwargs: for the function.
        fit_kwargs: for `Model.fit`. `verbose` is for predictions too.

    Attributes:
        model_: the trained model.
        history_: what its `fit` returned.
        {attribute}n_features_in_, feature_names_in_: as all estimators have them.

    The same data give the same estimator when the function begins with
    `keras.utils.set_random_seed`.

    Example:
        >>> def mlp(X, y, units=16):
        ...     layers = [keras.layers.Dense(units, "relu"), keras.layers.Dense({units}{how})]
        ...     model = keras.Sequential([keras.Input(X.shape[1:]), *layers])
        ...     model.compile("adam", "{loss}")
        ...     return model
        >>> estimator = {name}(mlp, fit_kwargs={{"epochs": 20, "verbose": 0}})
        >>> sklearn.model_selection.cross_val_score(estimator, X, y)
    """


class SKLearnClassifier(_OfModel, ClassifierMixin, BaseEstimator):
    __doc__ = _DOC.format(
        summary="A classifier of scikit-learn whose model is one of keraslite.",
        target="There `y` is one-hot, of shape `(samples, classes)`.",
        attribute="classes_: the classes, in the order of the outputs.\n        ",
        name="SKLearnClassifier",
        units="y.shape[1]",
        how=', "softmax"',
        loss="categorical_crossentropy",
    )

    _y_numeric = False

    def _encode(self, y: np.ndarray) -> np.ndarray:
        check_classification_targets(y)
        again = self.warm_start and hasattr(self, "model_")
        classes = np.unique(y)
        if again and not np.isin(classes, self.classes_).all():
            raise ValueError(
                "SKLearnClassifier: with `warm_start`, `y` must hold classes of the first `fit` "
                f"only. Received: {classes.tolist()[:10]}, expected: {self.classes_.tolist()[:10]}"
            )
        if not again:
            self.classes_ = classes
        if len(self.classes_) == 1:
            raise ValueError(
                "SKLearnClassifier: `y` must hold two classes or more, with a `sample_weight` that "
                f"is not 0 if there is one. Received: one class, {classes.tolist()}"
            )
        return np.eye(len(self.classes_))[np.searchsorted(self.classes_, y)]

    def _decode(self, outputs: np.ndarray) -> np.ndarray:
        return self.classes_[outputs.argmax(-1)]

    def decision_function(self, X: Any) -> np.ndarray:
        """The outputs of the model, of shape `(samples, classes)`.

        Of two classes the shape is `(samples,)`, as scikit-learn has it: how far the second
        output is above the first.
        """
        outputs = self._outputs(X)
        return outputs if len(self.classes_) > 2 else outputs[:, 1] - outputs[:, 0]


_OF_NUMBERS = {
    "target": "There `y` has the shape `(samples, 1)`.",
    "attribute": "",
    "units": "1",
    "how": "",
    "loss": "mse",
}


class SKLearnRegressor(_OfModel, RegressorMixin, BaseEstimator):
    __doc__ = _DOC.format(
        summary="A regressor of scikit-learn whose model is one of keraslite.",
        name="SKLearnRegressor",
        **_OF_NUMBERS,
    )


class SKLearnTransformer(_OfModel, TransformerMixin, BaseEstimator):
    __doc__ = _DOC.format(
        summary="A transformer of scikit-learn whose model is one of keraslite.",
        name="SKLearnTransformer",
        **_OF_NUMBERS,
    )

    def transform(self, X: Any) -> np.ndarray:
        """The outputs of the model for `X`."""
        return self._outputs(X)
