"""How a model of an old file was trained: `training_config`, and the state of the optimizer."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from keraslite.core.errors import short
from keraslite.saving.legacy_config import modern

_OPTIONS = ("loss", "metrics", "weighted_metrics", "loss_weights")
_COPIED = ("run_eagerly", "steps_per_execution", "jit_compile", "auto_scale_loss")
#: What a slot is called in files -> how our variables for it end.
_SLOTS = {
    "m": "momentum",
    "v": "velocity",
    "vhat": "velocity_hat",
    "rms": "velocity",
    "mg": "average_gradient",
    "accum_grad": "accumulated_grad",
    "accum_var": "accumulated_delta_var",
}
_KINDS = {*_SLOTS.values(), "accumulator", "linear", "norm", "accumulated_gradient"}


def compile_arguments(config: Mapping[str, Any], version: str) -> dict[str, Any]:
    """The arguments of `compile` in the form of Keras 3, from a `training_config`."""
    kinds = {"loss": "loss", "metrics": "metric", "weighted_metrics": "metric"}
    found = {key: modern(config.get(key), kinds.get(key), version) for key in _OPTIONS}
    found = {key: _names(value) if key in kinds else value for key, value in found.items()}
    for key in ("metrics", "weighted_metrics"):
        # One output: a list in a list.
        if _is_nested(found[key]):
            found[key] = found[key][0]
    found.update({key: config[key] for key in _COPIED if config.get(key) is not None})
    found["optimizer"] = modern(config.get("optimizer_config"), "optimizer", version)
    return found


def _is_nested(metrics: Any) -> bool:
    return isinstance(metrics, list) and len(metrics) == 1 and isinstance(metrics[0], list)


def _names(value: Any) -> Any:
    """Functions stand by their names."""
    if isinstance(value, list):
        return [_names(v) for v in value]
    if isinstance(value, dict):
        if value.get("class_name") == "function":
            return value["config"]
        if "class_name" not in value:
            return {k: _names(v) for k, v in value.items()}
    return value


def assign_state(
    optimizer: Any, trained: Mapping[str, Any], stored: Sequence[tuple[str, Any]], path: str
) -> None:
    """Give an optimizer the state that a file of any release has for it.

    A state that does not fit is left out, with a warning: the optimizer begins anew.

    Args:
        optimizer: built.
        trained: the trained variables of the model, by name and in the order of the file.
        stored: the names and arrays of the file, in its order.
        path: of the file, for the warning.
    """
    # Some releases sorted the variables by name.
    orders = [list(trained.values()), [trained[name] for name in sorted(trained)]]
    pairs = _same(optimizer, [value for _, value in stored])
    for order in orders if pairs is None else ():
        pairs = pairs or _by_slot(optimizer, order, stored)
    if pairs is None:
        warnings.warn(
            short(
                f"The optimizer state in {path!r} ({len(stored)} arrays) does not fit "
                f"{type(optimizer).__name__}; the optimizer begins anew."
            ),
            stacklevel=4,
        )
        return
    for variable, value in pairs:
        variable.assign(np.asarray(value))


def _same(optimizer: Any, values: Sequence[Any]) -> list[tuple[Any, Any]] | None:
    """The layout of Keras 3: the variables as they are."""
    own = optimizer.variables
    fits = [tuple(v.shape) for v in own] == [tuple(v.shape) for v in values]
    return list(zip(own, values, strict=True)) if fits else None


def _by_slot(
    optimizer: Any, trained: Sequence[Any], stored: Sequence[tuple[str, Any]]
) -> list[tuple[Any, Any]] | None:
    """Files of Keras 1 and 2: the iteration, then one array for each slot and variable."""
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    slots = _slots(optimizer, trained)
    pairs: list[tuple[Any, Any]] = []
    found: dict[str, list[Any]] = {}
    unnamed = []
    for number, (name, value) in enumerate(stored):
        slot = _slot_of(name)
        if slot in slots:
            found.setdefault(slot, []).append(value)
        elif value.shape == () and ("iter" in name or number == 0):
            pairs.append((optimizer._iterations, value))
        elif value.shape != ():
            unnamed.append(value)
    for slot, variables in slots.items():
        if not found.get(slot):
            # Keras 1 and 2 without names: all arrays of one slot, then those of the next.
            found[slot], unnamed = unnamed[: len(variables)], unnamed[len(variables) :]
        shapes = [tuple(value.shape) for value in found[slot]]
        if shapes != [tuple(v.shape) for v in variables]:
            return None
        pairs += zip(variables, found[slot], strict=True)
    return pairs


def _slots(optimizer: Any, trained: Sequence[Any]) -> dict[str, list[Any]]:
    """What the optimizer keeps for each variable: kind -> one for each of `trained`."""
    slots: dict[str, list[Any]] = {}
    own = {v.name: v for v in optimizer.variables}
    for variable in trained:
        prefix = f"{variable.path.replace('/', '_')}_"
        for name in own:
            if name.startswith(prefix) and name.removeprefix(prefix) in _KINDS:
                slots.setdefault(name.removeprefix(prefix), []).append(own[name])
    return slots


def _slot_of(name: str) -> str:
    """`velocity` for `Adam/v/dense/kernel:0` and for `Adam/dense/kernel/v:0`."""
    parts = name.partition(":")[0].split("/")
    words = (_SLOTS.get(part, part) for part in (parts[-1], *parts[1:2]))
    return next((word for word in words if word in _KINDS), "")
