"""Initializers: the first values of weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from keraslite.backend import engine
from keraslite.core.dtypes import standardize_dtype
from keraslite.core.old_names import add_hints
from keraslite.core.op import Tensor
from keraslite.core.registry import Catalog, exported
from keraslite.initializers.base import Initializer
from keraslite.initializers.constants import STFT, Constant, Identity, Ones, Zeros
from keraslite.initializers.random import (
    GlorotNormal,
    GlorotUniform,
    HeNormal,
    HeUniform,
    LecunNormal,
    LecunUniform,
    Orthogonal,
    RandomNormal,
    RandomUniform,
    TruncatedNormal,
    VarianceScaling,
)

IdentityInitializer = identity = Identity
OrthogonalInitializer = orthogonal = Orthogonal
STFTInitializer = stft = STFT
constant = Constant
glorot_normal = GlorotNormal
glorot_uniform = GlorotUniform
he_normal = HeNormal
he_uniform = HeUniform
lecun_normal = LecunNormal
lecun_uniform = LecunUniform
ones = Ones
random_normal = RandomNormal
random_uniform = RandomUniform
truncated_normal = TruncatedNormal
variance_scaling = VarianceScaling
zeros = Zeros

__all__ = [
    "STFT",
    "Constant",
    "GlorotNormal",
    "GlorotUniform",
    "HeNormal",
    "HeUniform",
    "Identity",
    "IdentityInitializer",
    "Initializer",
    "LecunNormal",
    "LecunUniform",
    "Ones",
    "Orthogonal",
    "OrthogonalInitializer",
    "RandomNormal",
    "RandomUniform",
    "STFTInitializer",
    "TruncatedNormal",
    "VarianceScaling",
    "Zeros",
    "constant",
    "deserialize",
    "get",
    "glorot_normal",
    "glorot_uniform",
    "he_normal",
    "he_uniform",
    "identity",
    "lecun_normal",
    "lecun_uniform",
    "ones",
    "orthogonal",
    "random_normal",
    "random_uniform",
    "serialize",
    "stft",
    "truncated_normal",
    "variance_scaling",
    "zeros",
]

CATALOG = Catalog(
    kind="initializer",
    module="keras.initializers",
    objects=[x for x in exported(globals()) if x is not Initializer],
    aliases={
        "IdentityInitializer": Identity,
        "OrthogonalInitializer": Orthogonal,
        "STFTInitializer": STFT,
        "normal": RandomNormal,
        "one": Ones,
        "uniform": RandomUniform,
        "zero": Zeros,
    },
    base=Initializer,
)


def get(identifier: Any) -> Any:
    """The initializer that `identifier` stands for.

    Args:
        identifier: None, a name, a config, a class, an `Initializer`, a function of a shape
            and a dtype, or an array that is the value.

    Raises:
        ValueError: for an unknown name; says the nearest one.

    Example:
        >>> keras.initializers.get("glorot_uniform")
        <GlorotUniform object ...>
    """
    if isinstance(identifier, np.ndarray) or engine.is_tensor(identifier):
        return _given(identifier)
    return CATALOG.get(identifier)


def _given(value: Any) -> Any:
    """A function that gives `value` for a weight of its shape."""

    def initialize(shape: Sequence[int], dtype: Any = None) -> Tensor:
        if tuple(shape) != tuple(value.shape):
            raise ValueError(
                f"The array given as initializer has the shape {tuple(value.shape)}; the weight "
                f"needs {tuple(shape)}. Received: shape={tuple(shape)}"
            )
        return engine.convert(value, standardize_dtype(dtype))

    return initialize


def serialize(initializer: Any) -> Any:
    """What configs hold for an initializer."""
    return CATALOG.serialize(initializer)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """The initializer for what `serialize` gave.

    Args:
        config: a name or a config.
        custom_objects: name -> class that the config may name.

    Raises:
        ValueError: for an unknown name.
    """
    return CATALOG.deserialize(config, custom_objects)


add_hints(__name__)
