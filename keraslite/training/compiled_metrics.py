"""The metrics that `compile` was given, one set an output."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from keraslite import metrics as metrics_module
from keraslite.core.errors import describe
from keraslite.metrics import Metric
from keraslite.training.compiled_loss import _leaves, name_of
from keraslite.training.outputs import (
    SINGLE,
    aliases_of,
    match,
    match_weights,
    output_items,
    outputs_of,
    prefixes_of,
    spread,
)

_ACCURACY = ("accuracy", "acc")
_CROSSENTROPY = ("crossentropy", "ce")


class _Entry(NamedTuple):
    output: str
    prefix: str
    shown: str
    metric: Metric
    weighted: bool


class CompiledMetrics(Metric):
    """Metrics by output, as one metric with a dict of results.

    Args:
        metrics: a list for the only output, or lists in a list or dict by output.
        weighted_metrics: the same, for metrics that use sample weights.
        output_names: names of the layers of the outputs: see `CompiledLoss`.
    """

    def __init__(
        self,
        metrics: Any,
        weighted_metrics: Any = None,
        output_names: Sequence[str] | None = None,
    ) -> None:
        super().__init__(name="compile_metrics")
        self._given = metrics
        self._given_weighted = weighted_metrics
        self._output_names = output_names
        self._aliases: list[str] | None = None
        self.built = False
        self._entries: list[_Entry] = []
        for entry in [*_leaves(metrics), *_leaves(weighted_metrics)]:
            if not _by_shape_alone(entry):
                metrics_module.get(entry)

    @property
    def metrics(self) -> list[Metric]:
        return [entry.metric for entry in self._entries]

    @property
    def names(self) -> list[str]:
        """What the results of the metrics are called in the logs."""
        return [entry.shown for entry in self._entries]

    @property
    def of_one_output(self) -> bool:
        return all(entry.output == SINGLE for entry in self._entries)

    @property
    def variables(self) -> list[Any]:
        return [v for metric in self.metrics for v in metric.variables]

    def build(self, y_true: Any, y_pred: Any) -> None:
        """Make the metrics, now that the outputs are known."""
        if self.built:
            return
        places = outputs_of(y_pred, self._output_names)
        outputs = {place.key: place.value for place in places}
        names = list(outputs)
        prefixes = prefixes_of(places)
        self._aliases = aliases_of(places)
        targets = match("targets", y_true, names, partial=True, aliases=self._aliases)
        for given, weighted in ((self._given, False), (self._given_weighted, True)):
            what = "`weighted_metrics`" if weighted else "`metrics`"
            for output, entries in _by_output(what, given, names, self._aliases).items():
                for entry in entries:
                    metric = _make(entry, targets[output], outputs[output])
                    if metric is not None:
                        metric._prepare(targets[output], outputs[output])
                        prefix = prefixes[output]
                        name = metric.name = entry if isinstance(entry, str) else metric.name
                        shown = self._unique(prefix, name, weighted)
                        self._entries.append(_Entry(output, prefix, shown, metric, weighted))
        self.built = True

    def _unique(self, prefix: str, name: str, weighted: bool) -> str:
        taken = set(self.names)
        if weighted and prefix + name in taken:
            name = f"weighted_{name}"
        name = prefix + name
        found, number = name, 0
        while found in taken:
            number += 1
            found = f"{name}_{number}"
        return found

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add one batch to every metric."""
        self.build(y_true, y_pred)
        if not self._entries:
            return
        outputs = output_items(y_pred, self._output_names)
        names = list(outputs)
        targets = match("targets", y_true, names, partial=True, aliases=self._aliases)
        weights = match_weights(sample_weight, names, self._aliases)
        for output, _, _, metric, weighted in self._entries:
            weight = weights[output] if weighted else None
            metric.update_state(targets[output], outputs[output], sample_weight=weight)

    def result(self) -> dict[str, Any]:
        """The values by name."""
        found: dict[str, Any] = {}
        for _, prefix, shown, metric, _ in self._entries:
            value = metric.result()
            if isinstance(value, dict):
                found.update({f"{prefix}{k}": v for k, v in value.items()})
            else:
                found[shown] = value
        return found

    def reset_state(self) -> None:
        for metric in self.metrics:
            metric.reset_state()


def _by_output(
    what: str, given: Any, names: list[str], aliases: Sequence[str] | None
) -> dict[str, list[Any]]:
    """A list of metrics for every output."""

    def listed(value: Any) -> list[Any]:
        if value is None:
            return []
        return list(value) if isinstance(value, (list, tuple)) else [value]

    if given is None:
        return {name: [] for name in names}
    if isinstance(given, dict):
        found = match(what, given, names, partial=True, aliases=aliases)
        return {name: listed(value) for name, value in found.items()}
    entries = listed(given)
    if any("/" in name for name in names) and len(entries) != len(names):
        return _by_output(what, spread(entries, names), names, aliases)
    if len(names) == 1:
        flat = (
            entries[0] if len(entries) == 1 and isinstance(entries[0], (list, tuple)) else entries
        )
        return {names[0]: list(flat)}
    if len(entries) != len(names):
        raise ValueError(
            f"The model has {len(names)} outputs ({', '.join(names)}). Expected {what} as a dict "
            f"by output, or a list with one entry for each. Received: {describe(given)}"
        )
    return {name: listed(e) for name, e in zip(names, entries, strict=True)}


def _by_shape_alone(entry: Any) -> bool:
    """Whether a name stands for one of several metrics, which the shapes tell apart."""
    return isinstance(entry, str) and entry.lower() in (*_ACCURACY, *_CROSSENTROPY)


def _make(entry: Any, target: Any, output: Any) -> Metric | None:
    if entry is None:
        return None
    if _by_shape_alone(entry):
        return _by_shape(entry.lower() in _ACCURACY, target, output)
    found = metrics_module.get(entry)
    if isinstance(found, Metric):
        return found
    return metrics_module.MeanMetricWrapper(found, name=name_of(found))


def _by_shape(accuracy: bool, target: Any, output: Any) -> Metric:
    """The accuracy or cross-entropy that suits the shapes, as Keras chooses it."""
    classes = output.shape[-1] if len(output.shape) else 1
    if classes == 1 or len(output.shape) <= 1:
        kind = "Binary"
    elif target is None or len(target.shape) < len(output.shape) or target.shape[-1] == 1:
        kind = "SparseCategorical"
    else:
        kind = "Categorical"
    what = "Accuracy" if accuracy else "Crossentropy"
    return getattr(metrics_module, kind + what)(what.lower())
