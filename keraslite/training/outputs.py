"""Matching targets, weights, losses and metrics with the outputs of a model.

Everything is matched by name, never by alphabetical accident: outputs become an ordered
dict from name to tensor, and whatever a user gives for them is brought to the same keys.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keraslite.core import tree
from keraslite.core.errors import describe, nearest, short

SINGLE = "output"
"""The key of a model's only output; never shown."""


def output_items(y_pred: Any, names: Sequence[str] | None = None) -> dict[str, Any]:
    """The outputs by name.

    Dicts are named by their keys (nested ones with slashes), lists by `names`, else
    `output_0`, `output_1`...; a single output is called `SINGLE`.
    """
    if isinstance(y_pred, (list, tuple)):
        if names is None or len(names) != len(y_pred) or len(set(names)) != len(names):
            names = [f"output_{i}" for i in range(len(y_pred))]
        y_pred = dict(zip(names, y_pred, strict=True))
    if not isinstance(y_pred, dict):
        return {SINGLE: y_pred}
    found: dict[str, Any] = {}
    for key, value in y_pred.items():
        if tree.is_nested(value):
            found.update({f"{key}/{k}": v for k, v in output_items(value).items()})
        else:
            found[str(key)] = value
    return found


def match(
    what: str,
    given: Any,
    outputs: Sequence[str],
    *,
    partial: bool = False,
    aliases: Sequence[str] | None = None,
    everywhere: bool = False,
) -> dict[str, Any]:
    """Bring `given` to the keys of the outputs.

    Args:
        what: for error messages, such as "targets" or "`loss`".
        given: one value, a list in the order of the outputs, or a dict by name.
        outputs: names of the outputs.
        partial: outputs that are not mentioned get None.
        aliases: other names of the outputs that a dict may use, in the same order.
        everywhere: one value holds for all outputs.

    Raises:
        ValueError: for a wrong number, or missing or extra keys.
    """
    names = list(outputs)
    if not isinstance(given, (dict, list, tuple)):
        if len(names) == 1 or everywhere or given is None:
            return dict.fromkeys(names, given)
        raise ValueError(
            f"The model has {len(names)} outputs ({', '.join(names)}). Expected a list or dict of "
            f"{what} with one entry for each. Received: {describe(given)}"
        )
    if isinstance(given, dict):
        given = _flat(given, names)
        other = dict(zip(aliases or (), names, strict=False))
        if names == [SINGLE] and len(given) == 1 and set(given) - set(other):
            return {SINGLE: next(iter(given.values()))}
        renamed = {(k if k in names else other.get(k, k)): v for k, v in given.items()}
        extra = [k for k in renamed if k not in names]
        missing = [n for n in names if n not in renamed]
        if extra or (missing and not partial):
            shown = list(aliases) if names == [SINGLE] and aliases else names
            hint = "".join(nearest(k, shown) for k in extra[:1])
            problem = f"unknown keys {extra}" if extra else f"missing keys {missing}"
            raise ValueError(
                short(
                    f"The keys of {what} do not match the outputs: {problem}.{hint} "
                    f"Expected: {shown}. Received: {list(map(str, given))}"
                )
            )
        return {n: renamed.get(n) for n in names}
    values = list(given)
    if len(values) != len(names) or any(isinstance(v, (list, tuple)) for v in values):
        leaves = tree.flatten(given)
        if len(leaves) == len(names):
            values = leaves
        else:
            listed = f" ({', '.join(names)})" if names != [SINGLE] else ""
            raise ValueError(
                f"The model has {len(names)} output(s){listed}. Expected one entry of {what} for "
                f"each. Received: {describe(given)}"
            )
    return dict(zip(names, values, strict=True))


def match_weights(given: Any, outputs: Sequence[str], aliases: Sequence[str] | None) -> Any:
    """Bring sample weights to the keys of the outputs: see `match`."""
    return match("sample weights", given, outputs, partial=True, aliases=aliases, everywhere=True)


def _flat(given: dict, names: Sequence[str]) -> dict[str, Any]:
    """Spread nested dicts out where the outputs are nested too."""
    found: dict[str, Any] = {}
    for key, value in given.items():
        nested = [n for n in names if n.startswith(f"{key}/")]
        if nested and isinstance(value, (dict, list, tuple)):
            inner = output_items(value, [n.split("/", 1)[1] for n in nested])
            found.update({f"{key}/{k}": v for k, v in inner.items()})
        else:
            found[str(key)] = value
    return found
