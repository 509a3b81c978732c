"""`ModelCheckpoint`: saves the model while it is trained."""

from __future__ import annotations

import os
from collections import ChainMap
from typing import Any

from keraslite.callbacks.callback import Logs
from keraslite.callbacks.monitor import Monitor
from keraslite.callbacks.periodic import Periodic
from keraslite.saving import background
from keraslite.utils.console import say


class Saver(Monitor, Periodic):
    """Base of callbacks that save the model now and then, or when it is better than before."""

    _state_attributes = ("best", "_batches")

    def __init__(
        self,
        monitor: str,
        verbose: int,
        save_best_only: bool,
        mode: str,
        save_freq: int | str,
        initial_value_threshold: float | None,
    ) -> None:
        super().__init__(monitor, mode)
        self._set_frequency(save_freq)
        self.verbose = verbose
        self.save_best_only = save_best_only
        self.best = initial_value_threshold

    def _destination(self, logs: Logs | None, batch: int | None) -> Any:
        """Where to save, in words that the user knows."""
        raise NotImplementedError

    def _save(self, destination: Any) -> None:
        raise NotImplementedError

    def _act(self, logs: Logs | None, batch: int | None) -> None:
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
        destination = self._destination(logs, batch)
        self._say(f"{message} to {destination}")
        self._save(destination)
        self._say(f"finished saving model to {destination}")

    def _say(self, text: str) -> None:
        if self.verbose:
            say(f"\nEpoch {self._epoch + 1}: {text}")


class ModelCheckpoint(Saver):
    """Saves the model, or its weights, after every epoch or every so many batches.

    Args:
        filepath: ends in `.keras` or `.h5`, for weights in `.weights.h5`. It may have fields:
            `{epoch}`, `{batch}` and names of the logs, as in
            `"model-{epoch:02d}-{val_loss:.2f}.keras"`.
        monitor: name of the value that tells the best model.
        verbose: 1 says what is saved.
        save_best_only: save only when the value is better than all before.
        save_weights_only: save only the weights.
        mode: "min", "max", or "auto" to tell from the metric.
        save_freq: "epoch", or the number of batches between saves.
        initial_value_threshold: the value to be better than at first.
        asynchronous: whether training goes on while a file is written, from a copy of the
            state. What goes wrong is raised at the next save or the end of training.

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
        asynchronous: bool = False,
    ) -> None:
        super().__init__(monitor, verbose, save_best_only, mode, save_freq, initial_value_threshold)
        self.filepath = os.fspath(filepath)
        endings = (".weights.h5",) if save_weights_only else (".keras", ".h5")
        if not self.filepath.endswith(endings):
            raise ValueError(
                f"`filepath` must end in {endings[0]!r} when `save_weights_only="
                f"{save_weights_only}`. Received: {self.filepath}"
            )
        self.save_weights_only = save_weights_only
        self.asynchronous = asynchronous

    def _save(self, destination: str) -> None:
        os.makedirs(os.path.dirname(destination) or ".", exist_ok=True)
        save = self.model.save_weights if self.save_weights_only else self.model.save
        # Models with a `save` of their own may not know the keyword.
        options = {"asynchronous": True} if self.asynchronous else {}
        save(destination, overwrite=True, **options)

    def on_train_end(self, logs: Logs | None = None) -> None:
        super().on_train_end(logs)
        if self.asynchronous:
            background.finish()

    def _destination(self, logs: Logs | None, batch: int | None) -> str:
        if "{" not in self.filepath:
            return self.filepath
        own = {"epoch": self._epoch + 1} | ({} if batch is None else {"batch": batch + 1})
        fields = ChainMap(own, {} if logs is None else logs)
        try:
            return self.filepath.format_map(fields)
        except KeyError as error:
            raise KeyError(
                f"`filepath` of ModelCheckpoint has the field {error}, which is not known. "
                f"Known: {', '.join(fields)}. Received: {self.filepath}"
            ) from error
