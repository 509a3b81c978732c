"""Gradients and the variables that they belong to: which pairs are left to update."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import Any

from keraslite.core.errors import short
from keraslite.core.op import Tensor
from keraslite.core.variable import Variable


def unzipped(pairs: Iterable[tuple[Any, Variable]]) -> tuple[list[Any], list[Variable]]:
    """Gradients and variables as a list each."""
    pairs = list(pairs)
    return [g for g, _ in pairs], [v for _, v in pairs]


def with_gradient(
    gradients: list[Any], variables: list[Variable]
) -> tuple[list[Any], list[Variable]]:
    """Without the pairs whose gradient is None."""
    pairs = list(zip(gradients, variables, strict=True))
    missing = [v.path for g, v in pairs if g is None]
    if not missing:
        return gradients, variables
    names = short(", ".join(missing), 300)
    if len(missing) == len(gradients):
        raise ValueError(
            "No gradient for any variable: the loss does not depend on them. Check that the loss "
            f"is computed from the model's outputs. Variables: {names}"
        )
    warnings.warn(
        f"No gradient for {len(missing)} variables, which stay as they are: the loss does not "
        f"depend on them. Variables: {names}",
        stacklevel=5,
    )
    return unzipped((g, v) for g, v in pairs if g is not None)


def overwrite(
    gradients: list[Tensor], variables: list[Variable]
) -> tuple[list[Tensor], list[Variable]]:
    """Set the variables whose gradient is their new value; returns the others."""
    pairs = list(zip(gradients, variables, strict=True))
    for gradient, variable in pairs:
        if variable.overwrite_with_gradient:
            variable.assign(gradient)
    return unzipped((g, v) for g, v in pairs if not v.overwrite_with_gradient)
