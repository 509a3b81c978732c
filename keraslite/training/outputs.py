"""Matching targets, weights, losses and metrics with the outputs of a model.

Everything is matched by name, never by alphabetical accident: outputs become an ordered
dict from name to tensor, and whatever a user gives for them is brought to the same keys.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from keraslite.core import tree
from keraslite.core.errors import describe, nearest, short

SINGLE = "output"
"""The key of a model's only output; never shown."""


class Output(NamedTuple):
    """One output of a model, and where it stands among them.

    Attributes:
        path: of the dict or list that holds it, such as `"y/"`; empty for the outermost one.
        place: key of the dict, or index in the list.
        layer: the layer that it comes from, where that is known.
        value: the output itself.
    """

    path: str
    place: str | int
    layer: str | None
    value: Any

    @property
    def key(self) -> str:
        """What the output is called here."""
        return self.path + self._called(f"output_{self.place}")

    def loss_name(self, loss: str) -> str:
        """What logs call the output in names of losses; `loss` stands for one without a name."""
        return self.path + self._called(loss)

    def _called(self, unnamed: str) -> str:
        return self.place if isinstance(self.place, str) else self.layer or unnamed


def outputs_of(y_pred: Any, names: Sequence[str] | None = None) -> list[Output]:
    """The outputs with their places, in order.

    `names` are those of their layers, in the order of `tree.flatten`.
    """
    known = list(names or ())
    count = len(tree.flatten(y_pred))
    labels = known if len(known) == len(set(known)) == count else [None] * count
    if not isinstance(y_pred, (dict, list, tuple)):
        return [Output("", SINGLE, labels[0], y_pred)]
    return list(_inside("", y_pred, tree.pack_sequence_as(y_pred, labels)))


def aliases_of(outputs: Sequence[Output]) -> list[str] | None:
    """The layers of the outputs, as other names of them; None where they are not known."""
    return [o.layer for o in outputs if o.layer is not None] or None


def prefixes_of(outputs: Sequence[Output]) -> dict[str, str]:
    """What logs put before names of metrics: keys of a plain dict, else names of layers."""
    plain = not any(o.path for o in outputs)

    def name(output: Output) -> str | None:
        is_key = plain and isinstance(output.place, str)
        return output._called("") if is_key else output.layer

    found = {o.key: name(o) for o in outputs}
    return {key: f"{name}_" if name and len(found) > 1 else "" for key, name in found.items()}


def _inside(path: str, part: Any, labels: Any) -> Iterator[Output]:
    for place, value in part.items() if isinstance(part, dict) else enumerate(part):
        if tree.is_nested(value):
            yield from _inside(f"{path}{place}/", value, labels[place])
        else:
            where = place if isinstance(place, int) and not isinstance(part, dict) else str(place)
            yield Output(path, where, labels[place], value)


def output_items(y_pred: Any, names: Sequence[str] | None = None) -> dict[str, Any]:
    """The outputs by name.

    Dicts are named by their keys, lists by `names` (see `outputs_of`), else `output_0`,
    `output_1`..., what is nested with slashes: `y/b`. A single output is called `SINGLE`.
    """
    if not isinstance(y_pred, (dict, list, tuple)):
        return {SINGLE: y_pred}
    return {output.key: output.value for output in outputs_of(y_pred, names)}


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
    if isinstance(given, dict) or (any("/" in n for n in names) and not _is_flat(given, names)):
        given = spread(given, names)
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


def _is_flat(given: Sequence[Any], names: Sequence[str]) -> bool:
    return len(given) == len(names) and not any(tree.is_nested(x) for x in given)


def spread(given: Any, names: Sequence[str]) -> dict[str, Any]:
    """Nested dicts and lists by the names of outputs that are nested in the same way."""
    heads = list(dict.fromkeys(n.split("/", 1)[0] for n in names))
    found: dict[str, Any] = {}
    for key, value in given.items() if isinstance(given, dict) else _paired(heads, given):
        inner = [n.removeprefix(f"{key}/") for n in names if n.startswith(f"{key}/")]
        if inner and isinstance(value, (dict, list, tuple)):
            found.update({f"{key}/{k}": v for k, v in spread(value, inner).items()})
        else:
            found[str(key)] = value
    return found


def _paired(heads: list[str], given: Sequence[Any]) -> Iterator[tuple[str, Any]]:
    if len(heads) != len(given):
        raise ValueError(
            f"Expected one entry for each of {', '.join(heads)}. Received: {describe(given)}"
        )
    return zip(heads, given, strict=True)
