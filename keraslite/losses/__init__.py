"""Losses: what training minimises."""

from __future__ import annotations

from typing import Any

from keraslite.core.old_names import add_hints
from keraslite.core.registry import Catalog, exported
from keraslite.losses.crossentropy import (
    BinaryCrossentropy,
    BinaryFocalCrossentropy,
    CategoricalCrossentropy,
    CategoricalFocalCrossentropy,
    CategoricalGeneralizedCrossEntropy,
    SparseCategoricalCrossentropy,
    binary_crossentropy,
    binary_focal_crossentropy,
    categorical_crossentropy,
    categorical_focal_crossentropy,
    categorical_generalized_cross_entropy,
    sparse_categorical_crossentropy,
)
from keraslite.losses.hinge import (
    CategoricalHinge,
    Hinge,
    SquaredHinge,
    categorical_hinge,
    hinge,
    squared_hinge,
)
from keraslite.losses.loss import Loss, LossFunctionWrapper
from keraslite.losses.probabilistic import CTC, KLDivergence, Poisson, ctc, kl_divergence, poisson
from keraslite.losses.regression import (
    Huber,
    LogCosh,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    huber,
    log_cosh,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
)
from keraslite.losses.similarity import (
    Circle,
    CosineSimilarity,
    Dice,
    Tversky,
    circle,
    cosine_similarity,
    dice,
    tversky,
)

__all__ = [
    "BinaryCrossentropy",
    "BinaryFocalCrossentropy",
    "CTC",
    "CategoricalCrossentropy",
    "CategoricalFocalCrossentropy",
    "CategoricalGeneralizedCrossEntropy",
    "CategoricalHinge",
    "Circle",
    "CosineSimilarity",
    "Dice",
    "Hinge",
    "Huber",
    "KLDivergence",
    "LogCosh",
    "Loss",
    "MeanAbsoluteError",
    "MeanAbsolutePercentageError",
    "MeanSquaredError",
    "MeanSquaredLogarithmicError",
    "Poisson",
    "SparseCategoricalCrossentropy",
    "SquaredHinge",
    "Tversky",
    "binary_crossentropy",
    "binary_focal_crossentropy",
    "categorical_crossentropy",
    "categorical_focal_crossentropy",
    "categorical_generalized_cross_entropy",
    "categorical_hinge",
    "circle",
    "cosine_similarity",
    "ctc",
    "deserialize",
    "dice",
    "get",
    "hinge",
    "huber",
    "kl_divergence",
    "log_cosh",
    "mean_absolute_error",
    "mean_absolute_percentage_error",
    "mean_squared_error",
    "mean_squared_logarithmic_error",
    "poisson",
    "serialize",
    "sparse_categorical_crossentropy",
    "squared_hinge",
    "tversky",
]
add_hints(__name__)
_SHORT = {
    "bce": binary_crossentropy,
    "kld": kl_divergence,
    "mae": mean_absolute_error,
    "mape": mean_absolute_percentage_error,
    "mse": mean_squared_error,
    "msle": mean_squared_logarithmic_error,
}
CATALOG = Catalog(
    "loss",
    "keras.losses",
    [LossFunctionWrapper, *exported(globals())],
    {**_SHORT, **{name.upper(): function for name, function in _SHORT.items()}},
    Loss,
)


def get(identifier: Any) -> Any:
    """The loss that `identifier` stands for.

    Args:
        identifier: None, a name (`"mse"`, `"mean_squared_error"`, `"MeanSquaredError"`), a
            config, a class, a function or an instance.

    Returns:
        A function or a `Loss`; a function's name gives the function.

    Raises:
        ValueError: for an unknown name; says the nearest one.

    Example:
        >>> keras.losses.get("mse") is keras.losses.mean_squared_error
        True
    """
    return CATALOG.get(identifier)


def serialize(loss: Any) -> Any:
    """What a config holds for a loss; `deserialize` takes it."""
    return CATALOG.serialize(loss)


def deserialize(name: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """The loss for what `serialize` gave.

    Args:
        name: a config or a name.
        custom_objects: name -> your own class or function.
    """
    return CATALOG.deserialize(name, custom_objects)
