"""`ModelCheckpoint`: saves the model while it is trained."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from keraslite.callbacks.callback import Logs
from keraslite.callbacks.monitor import Monitor
from keraslite.utils.console import say


class ModelCheckpoint(Monitor):
    """Saves the model, or its weights, after every epoch or every so many batches.

    Args:
        filepath: ends in `.keras`, or in `.weights.h5` for weights. It may have fields:
            `{epoch}`, `{batch}` and names of the logs, as in
            `"model-{epoch:02d}-{val_loss:.2f}.keras"`.
        monitor: name of the value that tells the best model.
        verbose: 1 says what is saved.
        save_best_only: save only when the value is better than all before.
        save_weights_only: save only the weights.
        mode: "min", "max", or "auto" to tell from the metric.
        save_freq: "epoch", or the number of batches between saves.
        initial_value_threshold: the value to be better than at first.

    Raises:
        ValueError: for a path with another ending, or another `save_freq`.

    Example:
        >>> best = keras.callbacks.ModelCheckpoint("best.keras", save_best_only=True)
        >>> model.fit(x, y, validation_split=0.2, callbacks=[best])
    """

    def __init__(
        self,
        filepath: Any,
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: str = "auto",
        save_freq: int | str = "epoch",
        initial_value_threshold: float | None = None,
    ) -> None:
        super().__init__(monitor, mode)
        self.filepath = os.fspath(filepath)
        ending = ".weights.h5" if save_weights_only else ".keras"
        if not self.filepath.endswith(ending):
            raise ValueError(
                f"`filepath` must end in {ending!r} when `save_weights_only={save_weights_only}`. "
                f"Received: {self.filepath}"
            )
        if save_freq != "epoch" and not isinstance(save_freq, int):
            raise ValueError(
                "`save_freq` must be 'epoch' or a number of batches. "
                f"Received: save_freq={save_freq!r}"
            )
        self.verbose = verbose
        self.save_best_only = save_best_only
        self.save_weights_only = save_weights_only
        self.save_freq = save_freq
        self.best = initial_value_threshold
        self._epoch = 0
        self._batches = 0
        self._last_batch = -1

    def _idle_hooks(self) -> tuple[Callable[..., Any], ...]:
        return (ModelCheckpoint.on_train_batch_end,) if self.save_freq == "epoch" else ()

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._epoch = epoch
        self._last_batch = -1

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        if self.save_freq == "epoch":
            return
        # One call may stand for several batches.
        before = self._batches // int(self.save_freq)
        self._batches += batch - self._last_batch
        self._last_batch = batch
        if self._batches // int(self.save_freq) > before:
            self._save(logs, batch)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self._epoch = epoch
        if self.save_freq == "epoch":
            self._save(logs, None)

    def _save(self, logs: Logs | None, batch: int | None) -> None:
        message = "saving model"
        if self.save_best_only:
            value = self._value(logs, "no model is saved")
            if value is None:
                return
            if not self._improves(value, self.best):
                self._say(f"{self.monitor} did not improve from {self.best:.5f}")
                return
            best = "None" if self.best is None else f"{self.best:.5f}"
            message = f"{self.monitor} improved from {best} to {value:.5f}, saving model"
            self.best = value
        filepath = self._filled(logs, batch)
        self._say(f"{message} to {filepath}")
        os.makedirs(os.path.dirname(filepath) or ".", exist_ok=True)
        if self.save_weights_only:
            self.model.save_weights(filepath, overwrite=True)
        else:
            self.model.save(filepath, overwrite=True)
        self._say(f"finished saving model to {filepath}")

    def _say(self, text: str) -> None:
        if self.verbose:
            say(f"\nEpoch {self._epoch + 1}: {text}")

    def _filled(self, logs: Logs | None, batch: int | None) -> str:
        if "{" not in self.filepath:
            return self.filepath
        fields: dict[str, Any] = {**(logs or {}), "epoch": self._epoch + 1}
        if batch is not None:
            fields["batch"] = batch + 1
        try:
            return self.filepath.format(**fields)
        except KeyError as error:
            raise KeyError(
                f"`filepath` of ModelCheckpoint has the field {error}, which is not known. "
                f"Known: {', '.join(fields)}. Received: {self.filepath}"
            ) from error
