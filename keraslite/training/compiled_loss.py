"""The loss that `compile` was given, applied to all outputs of a model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keraslite import losses as losses_module
from keraslite import ops
from keraslite.backend import engine
from keraslite.core import dtypes
from keraslite.core.errors import short
from keraslite.core.naming import to_snake_case
from keraslite.layers.bounds import Explain, check_array, check_range, host_array
from keraslite.losses.loss import Loss, LossFunctionWrapper
from keraslite.metrics import Mean
from keraslite.training.outputs import (
    SINGLE,
    aliases_of,
    match,
    match_weights,
    output_items,
    outputs_of,
)


class CompiledLoss(Loss):
    """Sum of the losses of the outputs, each with its weight.

    Args:
        loss: a loss (name, function, `Loss`), or a list or dict of them by output.
        loss_weights: a number for each output, in the same forms.
        output_names: names of the layers of the outputs, as in `outputs_of`: those of outputs in
            lists, and other names that `loss` may use for those in dicts.
    """

    def __init__(
        self,
        loss: Any,
        loss_weights: Any = None,
        output_names: Sequence[str] | None = None,
    ) -> None:
        super().__init__(name="compile_loss")
        self._loss = loss
        self._loss_weights = loss_weights
        self._output_names = output_names
        self._aliases: list[str] | None = None
        self._losses: dict[str, Any] | None = None
        self._weights: dict[str, float | None] = {}
        self.trackers: dict[str, Mean] = {}
        #: How many classes the labels of an output may name.
        self.classes: dict[str, int] = {}
        # Names are wrong at `compile`, not at the first batch.
        for entry in _leaves(loss):
            losses_module.get(entry)
        for entry in _leaves(loss_weights):
            if isinstance(entry, str):
                raise ValueError(
                    "`loss_weights` must be numbers: `compile` takes it third, as in "
                    "`compile(optimizer, loss, loss_weights)`. Pass metrics by name: "
                    f"`metrics=[...]`. Received: loss_weights={short(repr(loss_weights), 160)}"
                )

    @property
    def metrics(self) -> list[Mean]:
        """Means of the single losses, when there are several."""
        return list(self.trackers.values())

    @property
    def built(self) -> bool:
        return self._losses is not None

    def build(self, y_true: Any, y_pred: Any) -> None:
        """Match losses, weights and targets with the outputs; check what they expect."""
        if self._losses is not None:
            return
        places = outputs_of(y_pred, self._output_names)
        outputs = {place.key: place.value for place in places}
        names = list(outputs)
        self._aliases = aliases_of(places)
        found = match(
            "`loss`", self._loss, names, partial=True, aliases=self._aliases, everywhere=True
        )
        losses = {name: losses_module.get(entry) for name, entry in found.items()}
        self._losses = {
            name: loss
            if loss is None or isinstance(loss, Loss)
            else LossFunctionWrapper(loss, name=name_of(loss))
            for name, loss in losses.items()
        }
        self._weights = match(
            "`loss_weights`", self._loss_weights, names, partial=True, aliases=self._aliases
        )
        present = [name for name, loss in self._losses.items() if loss is not None]
        if isinstance(y_pred, dict) and isinstance(self._loss, dict):
            # `evaluate` lists losses in the order in which the user named them.
            given = list(self._loss)
            present.sort(key=lambda name: given.index(name) if name in given else len(given))
        if len(present) > 1:
            entries = {n: e if isinstance(e, str) else name_of(losses[n]) for n, e in found.items()}
            shown = {place.key: place.loss_name(entries[place.key]) for place in places}
            # Two losses of one name would have one place in the logs.
            if len(set(shown.values())) < len(shown):
                shown = {name: name for name in names}
            self.trackers = {name: Mean(name=f"{shown[name]}_loss") for name in present}
        for name, target in self._targets(y_true, names).items():
            loss = self._losses[name]
            if loss is not None and target is not None:
                check_target(loss, target, outputs[name], name)
            if getattr(loss, "fn", None) in _SPARSE:
                size = outputs[name].shape[getattr(loss, "axis", -1)]
                if size is not None:
                    self.classes[name] = size

    def of_output(self, name: str) -> Loss | None:
        """The loss of an output."""
        return (self._losses or {}).get(name)

    @property
    def is_built_in(self) -> bool:
        """Whether all losses are our own; a user's may understand any targets."""
        return all(_is_built_in(loss) for loss in (self._losses or {}).values() if loss is not None)

    def check_labels(self, y_true: Any, waits: bool = False) -> None:
        """Raise for labels that are no class of their output; see `host_array`."""
        targets = self._targets(y_true, list(self._losses or {}))
        for name in self.classes:
            if (labels := host_array(targets[name], waits)) is not None:
                check_array(labels, *self._labels_of(name))

    def _labels_of(self, name: str) -> tuple[int, Explain, Any]:
        """How many classes an output has, the error for another label, and the one to ignore."""
        loss, size = self.of_output(name), self.classes[name]

        def explain(value: Any, place: tuple[int, ...] | None) -> ValueError:
            row = "" if place is None else f" in row {place[0]}"
            return ValueError(
                f"The loss {loss.name!r}{_where(name)} expects labels from 0 to {size - 1}, "  # type: ignore[union-attr]
                f"since the outputs have {size} classes. Received: the label {value}{row}. Count "
                "classes from 0, or give the last layer more units."
            )

        return size, explain, getattr(loss, "ignore_class", None)

    def _targets(self, y_true: Any, names: list[str]) -> dict[str, Any]:
        partial = any(loss is None for loss in (self._losses or {}).values())
        if isinstance(y_true, (list, tuple)) and names == [SINGLE]:
            return {SINGLE: y_true[0] if len(y_true) == 1 else y_true}
        return match("targets", y_true, names, partial=partial, aliases=self._aliases)

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        self.build(y_true, y_pred)
        assert self._losses is not None
        outputs = output_items(y_pred, self._output_names)
        names = list(outputs)
        targets = self._targets(y_true, names)
        weights = match_weights(sample_weight, names, self._aliases)
        total = None
        for name, loss in self._losses.items():
            if loss is None:
                continue
            if targets[name] is None:
                raise ValueError(
                    f"The loss {loss.name!r}{_where(name)} needs targets. Received: None. "
                    "Give `y` to `fit`."
                )
            if name in self.classes and engine.is_tracing():
                check_range(self, targets[name], *self._labels_of(name))
            value = loss(targets[name], outputs[name], weights[name])
            weight = self._weights.get(name)
            tracker = self.trackers.get(name)
            if tracker is not None:
                tracker.update_state(value, sample_weight=_batch_size(outputs[name]))
            if weight is not None:
                value = ops.multiply(value, float(weight))
            total = value if total is None else ops.add(total, value)
        return ops.zeros(()) if total is None else total

    call = __call__

    def get_config(self) -> dict[str, Any]:
        raise NotImplementedError("A compiled loss is saved with its model.")


def _leaves(given: Any) -> list[Any]:
    if isinstance(given, dict) and "class_name" not in given:
        return [x for value in given.values() for x in _leaves(value)]
    if isinstance(given, (list, tuple)):
        return [x for value in given for x in _leaves(value)]
    return [] if given is None else [given]


def name_of(function: Any) -> str:
    """What logs call a loss, or a function that is used as one or as a metric."""
    if isinstance(function, Loss):
        return function.name
    name = getattr(function, "__name__", None) or to_snake_case(type(function).__name__)
    return "lambda" if name == "<lambda>" else name


def _batch_size(x: Any) -> Any:
    return ops.shape(x)[0] if len(x.shape) else None


_CATEGORICAL = (
    losses_module.categorical_crossentropy,
    losses_module.categorical_focal_crossentropy,
)
_SPARSE = (
    losses_module.sparse_categorical_crossentropy,
    losses_module.categorical_generalized_cross_entropy,
)
# Their targets have another shape than the outputs.
_OTHER = (losses_module.circle, losses_module.ctc)
_PACKAGE = __name__.partition(".")[0]

#: What the last layer ends in when a loss expects probabilities.
ACTIVATIONS = {
    losses_module.binary_crossentropy: "sigmoid",
    losses_module.binary_focal_crossentropy: "sigmoid",
    **dict.fromkeys((*_CATEGORICAL, *_SPARSE), "softmax"),
}


def _is_built_in(loss: Loss) -> bool:
    function = getattr(loss, "fn", type(loss))
    # Code that was given to `exec` may have None.
    return str(getattr(function, "__module__", "")).startswith(_PACKAGE)


def _where(name: str) -> str:
    return "" if name == SINGLE else f" of output {name!r}"


def check_target(loss: Loss, target: Any, output: Any, name: str) -> None:
    """Raise for targets that a built-in loss would silently broadcast or misread."""
    function = getattr(loss, "fn", None)
    if function in _OTHER or not type(loss).__module__.startswith(_PACKAGE):
        return
    where = _where(name)
    given, expected = tuple(target.shape), tuple(output.shape)
    received = f"Received: targets of shape {given}, outputs of shape {expected}"
    classes = expected[-1] if expected else None
    if function in _SPARSE:
        if len(given) == len(expected) and len(given) > 1 and given[-1] == classes != 1:
            raise ValueError(
                short(
                    f"The loss {loss.name!r}{where} expects integer labels of shape "
                    f"{expected[:-1]}, but the targets look one-hot. Use "
                    f"'categorical_crossentropy', or labels `y.argmax(-1)`. {received}"
                )
            )
        return
    if function in _CATEGORICAL and classes is not None and classes > 1:
        integers = len(given) < len(expected) or (len(given) == len(expected) and given[-1] == 1)
        if integers:
            raise ValueError(
                short(
                    f"The loss {loss.name!r}{where} expects one-hot targets of shape {expected}, "
                    f"but the targets look like integer labels. Use "
                    f"'sparse_categorical_crossentropy', or `keras.utils.to_categorical(y, "
                    f"{classes})`. {received}"
                )
            )
    if dtypes.standardize_dtype(target.dtype) == "string":
        raise ValueError(
            f"The loss {loss.name!r}{where} expects numbers, but the targets are strings. Map "
            f"them to integers with `keras.layers.StringLookup`. {received}"
        )
    squeezed = len(given) == len(expected) - 1 and classes == 1
    extra = len(given) == len(expected) + 1 and given[-1] == 1
    same = len(given) == len(expected) and all(
        a is None or b is None or a == b for a, b in zip(given, expected, strict=True)
    )
    # A user's function may compare what it likes.
    if same or squeezed or extra or not _is_built_in(loss):
        return
    raise ValueError(
        short(
            f"The loss {loss.name!r}{where} compares targets with outputs element by element: "
            f"expected targets of shape {expected}. {received}. Check the number of units of "
            "the last layer."
        )
    )
