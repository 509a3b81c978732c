"""What callbacks share that follow one value of the logs."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from keraslite.callbacks.callback import Callback, Logs
from keraslite.core.errors import nearest, short

_UP = ("acc", "accuracy", "auc")
_DOWN = ("loss", "crossentropy")


class Monitor(Callback):
    """Follows the value named `monitor` and knows what an improvement is.

    Args:
        monitor: name in the logs.
        mode: "min", "max", or "auto" to tell from the metric.
        min_delta: the least change that counts.
    """

    _state_attributes = ("best",)

    def __init__(self, monitor: str, mode: str = "auto", min_delta: float = 0.0) -> None:
        super().__init__()
        if mode not in ("auto", "min", "max"):
            warnings.warn(
                f"`mode` of {type(self).__name__} must be 'auto', 'min' or 'max'. Received: "
                f"{mode!r}, which is taken for 'auto'.",
                stacklevel=3,
            )
            mode = "auto"
        self.monitor = monitor
        self.mode = mode
        self.min_delta = abs(min_delta)
        self.best: float | None = None
        self.monitor_op: Callable[[Any, Any], Any] | None = None
        self._warned = False

    def _value(self, logs: Logs | None, why: str) -> float | None:
        """The value, None with one warning when the logs do not have it.

        Raises:
            ValueError: if it is not known whether it should fall or rise.
        """
        logs = logs or {}
        if self.monitor_op is None:
            self.monitor_op = np.greater if self._rises(logs) else np.less
        if self.monitor in logs:
            return float(np.asarray(logs[self.monitor]).reshape(-1)[0])
        if not self._warned:
            self._warned = True
            if self.monitor.removeprefix("val_") in logs:
                hint = " Give `validation_data` or `validation_split` to `fit`."
            else:
                hint = nearest(self.monitor, logs)
            warnings.warn(
                short(
                    f"{type(self).__name__}: the logs have no {self.monitor!r}, so {why}.{hint} "
                    f"Available: {', '.join(logs)}"
                ),
                stacklevel=3,
            )
        return None

    def _rises(self, logs: Logs) -> bool:
        if self.mode != "auto":
            return self.mode == "max"
        name = self.monitor.removeprefix("val_")
        for ends, rises in ((_DOWN, False), (_UP, True)):
            if any(name == end or name.endswith(f"_{end}") for end in ends):
                return rises
        for metric in _single_metrics(self.model):
            direction = getattr(metric, "_direction", None)
            same = name == metric.name or name.endswith(f"_{metric.name}")
            if same and direction is not None:
                return direction == "up"
        raise ValueError(
            short(
                f"{type(self).__name__} cannot tell whether {self.monitor!r} should fall or rise."
                f"{'' if self.monitor in logs else nearest(self.monitor, logs)} Give "
                f"`mode='min'` or `mode='max'`. Available: {', '.join(logs)}"
            )
        )

    def _improves(self, value: float, reference: float | None) -> bool:
        if reference is None:
            return True
        assert self.monitor_op is not None
        margin = -self.min_delta if self.monitor_op is np.greater else self.min_delta
        return bool(self.monitor_op(value + margin, reference))


def _single_metrics(model: Any) -> Iterator[Any]:
    for metric in getattr(model, "metrics", ()):
        yield from getattr(metric, "metrics", (metric,))
