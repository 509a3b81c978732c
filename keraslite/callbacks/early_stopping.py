"""Callbacks that end training: `EarlyStopping`, `TerminateOnNaN`."""

from __future__ import annotations

import math
from typing import Any

from keraslite.callbacks.callback import Callback, Logs
from keraslite.callbacks.monitor import Monitor
from keraslite.utils.console import say

_ADVICE = (
    "Look for NaN in the data, lower the learning rate, or clip gradients (`clipnorm` of the "
    "optimizer); `keras.config.set_debug_nans(True)` names the layer."
)


class EarlyStopping(Monitor):
    """Ends training when a value has stopped improving.

    Args:
        monitor: name of the value in the logs.
        min_delta: the least change that counts as an improvement.
        patience: epochs without improvement after which training ends.
        verbose: 1 says so.
        mode: "min", "max", or "auto" to tell from the metric.
        baseline: training ends as well when the value does not get better than this.
        restore_best_weights: put back the weights of the best epoch at the end.
        start_from_epoch: epochs before this one do not count.

    Example:
        >>> stop = keras.callbacks.EarlyStopping("val_loss", patience=3)
        >>> model.fit(x, y, validation_split=0.2, epochs=100, callbacks=[stop])
    """

    _state_attributes = ("best", "wait", "stopped_epoch", "best_epoch", "best_weights")

    def __init__(
        self,
        monitor: str = "val_loss",
        min_delta: float = 0,
        patience: int = 0,
        verbose: int = 0,
        mode: str = "auto",
        baseline: float | None = None,
        restore_best_weights: bool = False,
        start_from_epoch: int = 0,
    ) -> None:
        super().__init__(monitor, mode, min_delta)
        self.patience = patience
        self.verbose = verbose
        self.baseline = baseline
        self.restore_best_weights = restore_best_weights
        self.start_from_epoch = start_from_epoch
        self._reset()

    def _reset(self) -> None:
        self.wait = 0
        self.stopped_epoch = 0
        self.best = None
        self.best_epoch = 0
        self.best_weights: Any = None

    def get_monitor_value(self, logs: Logs | None) -> float | None:
        """The monitored value; a subclass may compute another one from the logs."""
        return self._value(logs, "training is not stopped early")

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self._reset()

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        value = self.get_monitor_value(logs)
        if value is None or epoch < self.start_from_epoch:
            return
        if self.restore_best_weights and self.best_weights is None:
            # Even where no epoch is better than NaN there is something to restore.
            self.best_weights = self.model.get_weights()
            self.best_epoch = epoch
        self.wait += 1
        if self._improves(value, self.best):
            self.best = value
            self.best_epoch = epoch
            if self.restore_best_weights:
                self.best_weights = self.model.get_weights()
            if self.baseline is None or self._improves(value, self.baseline):
                self.wait = 0
            return
        if self.wait >= self.patience and epoch > 0:
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def on_train_end(self, logs: Logs | None = None) -> None:
        if self.stopped_epoch > 0 and self.verbose:
            say(f"Epoch {self.stopped_epoch + 1}: early stopping")
        if self.restore_best_weights and self.best_weights is not None:
            if self.verbose:
                best = self.best_epoch + 1
                say(f"Restoring model weights from the end of the best epoch: {best}.")
            self.model.set_weights(self.best_weights)


class TerminateOnNaN(Callback):
    """Ends training when the loss is NaN or infinite.

    It reads the loss after every step, so steps do not overlap.

    Args:
        raise_error: raise in place of ending training.

    Raises:
        RuntimeError: if `raise_error` is set.
    """

    def __init__(self, raise_error: bool = False) -> None:
        super().__init__()
        self.raise_error = raise_error
        self._epoch = 0

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        loss = (logs or {}).get("loss")
        if loss is None or math.isfinite(loss):
            return
        if self.raise_error:
            raise RuntimeError(
                f"The loss is {loss} at batch {batch} of epoch {self._epoch}. {_ADVICE}"
            )
        say(f"Batch {batch}: Invalid loss, terminating training (epoch {self._epoch}). {_ADVICE}")
        self.model.stop_training = True
