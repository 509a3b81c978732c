"""Callbacks that keep or show results: `History`, `ProgbarLogger`, `CSVLogger`."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from keraslite.callbacks.callback import Callback, Logs
from keraslite.utils.console import say
from keraslite.utils.progbar import Progbar


class History(Callback):
    """Keeps the logs of every epoch; `fit` returns it.

    Attributes:
        history: name -> list of values, one an epoch.
        epoch: the indices of the epochs.
        validations: results of `fit(validation_every=...)`, with the `step`.

    Example:
        >>> model.fit(x, y, epochs=2).history["loss"]
        [0.31, 0.12]
    """

    _state_attributes = ("epoch", "history")

    def __init__(self) -> None:
        super().__init__()
        self.history: dict[str, list[Any]] = {}
        self.epoch: list[int] = []
        self.validations: list[dict[str, Any]] = []

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.epoch = []

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)
        self.model.history = self


class ProgbarLogger(Callback):
    """Shows progress on standard output; `fit(verbose=...)` adds it.

    Raises:
        ValueError: for a `verbose` other than 0, 1 and 2.
    """

    #: Redrawing reads the logs, which waits for the step.
    _INTERVAL = 0.1

    def __init__(self) -> None:
        super().__init__()
        self._progbar: Progbar | None = None
        self._seen = 0
        self._target: int | None = None
        self._verbose = 1
        self._epochs = 1
        self._in_fit = False

    def set_params(self, params: dict[str, Any]) -> None:
        super().set_params(params)
        verbose = params.get("verbose", 1)
        self._verbose = 1 if verbose == "auto" else int(verbose)
        self._epochs = params.get("epochs", 1) or 1
        self._target = params.get("steps")

    def _idle_hooks(self) -> tuple[Callable[..., Any], ...]:
        # Without a live bar only the number of batches counts, when it is not known before.
        if self._verbose == 1 or (self._verbose and self._target is None):
            return ()
        cls = ProgbarLogger
        return (cls.on_train_batch_end, cls.on_test_batch_end, cls.on_predict_batch_end)

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self._in_fit = True

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._start()
        if self._verbose and self._epochs > 1:
            say(f"Epoch {epoch + 1}/{self._epochs}")

    def on_test_begin(self, logs: Logs | None = None) -> None:
        if not self._in_fit:
            self._start()

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        self._start()

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        self._step(batch, logs)

    def on_test_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        if not self._in_fit:
            self._step(batch, logs)

    def on_predict_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        self._step(batch, None)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self._finish(logs)

    def on_test_end(self, logs: Logs | None = None) -> None:
        if not self._in_fit:
            self._finish(logs)

    def on_predict_end(self, logs: Logs | None = None) -> None:
        self._finish(None)

    def on_train_end(self, logs: Logs | None = None) -> None:
        self._in_fit = False

    def _start(self) -> None:
        self._seen = 0
        self._progbar = Progbar(
            self._target,
            verbose=self._verbose,
            interval=self._INTERVAL,
            stateless_metrics=(),  # Logs are means already.
        )

    def _step(self, batch: int, logs: Logs | None) -> None:
        assert self._progbar is not None
        # `batch` is the last one of several when a step runs more than one.
        self._seen = batch + 1
        values = list((logs or {}).items()) if self._progbar.is_due() else None
        self._progbar.update(self._seen, values, finalize=False)

    def _finish(self, logs: Logs | None) -> None:
        if self._progbar is None:
            return
        if self._target is None:
            self._progbar.target = self._seen
        done = self._seen or self._target or 0
        self._progbar.update(done, list((logs or {}).items()), finalize=True)
        self._progbar = None


class CSVLogger(Callback):
    """Writes the results of each epoch to a file of comma-separated values.

    The columns are `epoch` and the names of the logs in sorted order. Before the first
    validation its columns are `NA`.

    Args:
        filename: of the file.
        separator: between values.
        append: continue the file where there is one.

    Example:
        >>> model.fit(x, y, callbacks=[keras.callbacks.CSVLogger("training.csv")])
    """

    def __init__(self, filename: Any, separator: str = ",", append: bool = False) -> None:
        super().__init__()
        self.filename = Path(filename)
        self.separator = separator
        self.append = append
        self.keys: list[str] | None = None
        self.csv_file: Any = None
        self.writer: Any = None

    def on_train_begin(self, logs: Logs | None = None) -> None:
        continued = self.append and self.filename.exists() and self.filename.stat().st_size > 0
        self.keys = self._columns() if continued else None
        self._header = not continued
        self.csv_file = open(self.filename, "a" if self.append else "w", newline="")  # noqa: SIM115
        self.writer = None

    def get_state(self) -> dict[str, Any]:
        # Rows that were written after a backup are written again, and a new run without
        # `append` begins with an empty file.
        text = self.filename.read_bytes().decode() if self.csv_file is not None else ""
        return {"text": text, "keys": self.keys}

    def set_state(self, state: dict[str, Any]) -> None:
        self.csv_file.truncate(0)
        self.csv_file.seek(0)
        self.csv_file.write(state["text"])
        self.csv_file.flush()
        self.keys = state["keys"]
        self._header = not state["text"]
        self.writer = None

    def _columns(self) -> list[str]:
        """The columns of the file that is continued, in whose order new rows are written."""
        with open(self.filename, newline="") as file:
            return next(csv.reader(file, delimiter=self.separator))[1:]

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        logs = logs or {}
        if self.keys is None:
            self.keys = sorted(logs)
            # Validation may come in later epochs only.
            if not any(key.startswith("val_") for key in self.keys):
                self.keys += [f"val_{key}" for key in self.keys if key != "learning_rate"]
        if self.writer is None:
            self.writer = csv.DictWriter(
                self.csv_file,
                ["epoch", *self.keys],
                delimiter=self.separator,
                extrasaction="ignore",
            )
            if self._header:
                self.writer.writeheader()
        row = {key: _plain(logs[key]) if key in logs else "NA" for key in self.keys}
        self.writer.writerow({"epoch": epoch, **row})
        self.csv_file.flush()

    def on_train_end(self, logs: Logs | None = None) -> None:
        self.csv_file.close()
        self.writer = None


def _plain(value: Any) -> Any:
    if isinstance(value, Iterable) and not isinstance(value, str) and np.ndim(value):
        return f'"[{", ".join(map(str, value))}]"'
    return value
