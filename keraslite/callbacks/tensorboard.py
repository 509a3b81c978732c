"""`TensorBoard`: results, weights and the graph of a model for TensorBoard."""

from __future__ import annotations

import os
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from keraslite.callbacks.callback import Logs
from keraslite.callbacks.event_file import EventFile
from keraslite.callbacks.periodic import Periodic


class TensorBoard(Periodic):
    """Writes what TensorBoard shows. Needs the package `tensorboard`.

    The run `train` has `epoch_<name>` for every value of the logs and for the learning rate,
    and `batch_<name>`; the run `validation` has `epoch_<name>`, and
    `evaluation_<name>_vs_iterations` by the number of updates.

    Args:
        log_dir: folder of the runs; show it with `tensorboard --logdir=<log_dir>`.
        histogram_freq: every how many epochs to write histograms of the weights; 0 for never.
        write_graph: whether to write the graph of the layers, where the model has a config.
        write_images: whether to write weights as images too, when their histograms are.
        write_steps_per_second: whether to write how many steps are done in a second.
        update_freq: "epoch"; or "batch", or a number of batches, to write values during epochs.
        profile_batch: not supported; use the profiler of the engine.
        embeddings_freq: not supported.
        embeddings_metadata: not supported.

    Raises:
        ImportError: if the package `tensorboard` is not installed.
        ValueError: for another `update_freq`.

    Example:
        >>> board = keras.callbacks.TensorBoard("logs", update_freq=100)
        >>> model.fit(x, y, callbacks=[board])
    """

    def __init__(
        self,
        log_dir: Any = "logs",
        histogram_freq: int = 0,
        write_graph: bool = True,
        write_images: bool = False,
        write_steps_per_second: bool = False,
        update_freq: int | str = "epoch",
        profile_batch: Any = 0,
        embeddings_freq: int = 0,
        embeddings_metadata: Any = None,
    ) -> None:
        super().__init__()
        self._set_frequency(1 if update_freq == "batch" else update_freq, "update_freq")
        self.update_freq = self.save_freq
        for name, given in (
            ("profile_batch", profile_batch),
            ("embeddings_freq", embeddings_freq),
            ("embeddings_metadata", embeddings_metadata),
        ):
            if given:
                warnings.warn(
                    f"TensorBoard: `{name}` is not supported and has no effect.", stacklevel=2
                )
        self.log_dir = os.fspath(log_dir)
        self.histogram_freq = histogram_freq
        self.write_graph = write_graph
        self.write_images = write_images
        self.write_steps_per_second = write_steps_per_second
        self._files: dict[str, EventFile] = {}
        self._wrote_graph = False

    @property
    def summary(self) -> EventFile:
        """The file of the run `train`, for numbers of your own: `summary.scalar(...)`."""
        return self._file("train")

    def _file(self, run: str) -> EventFile:
        if run not in self._files:
            self._files[run] = EventFile(Path(self.log_dir) / run)
        return self._files[run]

    def _close(self) -> None:
        for file in self._files.values():
            file.close()
        self._files = {}

    def _updates(self) -> int:
        """How many updates the optimizer did; without one how many batches were seen."""
        iterations = getattr(self.model.optimizer, "iterations", None)
        return self._batches if iterations is None else int(iterations)

    # Training --------------------------------------------------------------------

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self._batches = self._updates()
        file = self._file("train")
        from keraslite.utils.summary import graph_of

        # A subclass of one's own computes in Python code, which no file can show.
        if self.write_graph and not self._wrote_graph and graph_of(self.model) is not None:
            file.graph(self.model.to_json())
            self._wrote_graph = True

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        super().on_epoch_begin(epoch, logs)
        self._epoch_began = self._wrote = time.perf_counter(), self._updates()

    def _act(self, logs: Logs | None, batch: int | None) -> None:
        values = dict(logs or {})
        if self.write_steps_per_second:
            values["steps_per_second"] = self._speed(self._wrote, self._batches)
            self._wrote = time.perf_counter(), self._batches
        self._scalars("train", "batch_{}", values, self._batches)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        logs = logs or {}
        train = {name: value for name, value in logs.items() if not name.startswith("val_")}
        rate = getattr(self.model.optimizer, "learning_rate", None)
        if rate is not None:
            train["learning_rate"] = float(rate)
        if self.write_steps_per_second:
            train["steps_per_second"] = self._speed(self._epoch_began, self._updates())
        self._scalars("train", "epoch_{}", train, epoch)
        validation = {n.removeprefix("val_"): v for n, v in logs.items() if n.startswith("val_")}
        if validation:
            self._scalars("validation", "epoch_{}", validation, epoch)
        if self.histogram_freq and epoch % self.histogram_freq == 0:
            self._weights(epoch)

    def on_train_end(self, logs: Logs | None = None) -> None:
        self._close()

    # Evaluation ------------------------------------------------------------------

    def on_test_end(self, logs: Logs | None = None) -> None:
        alone = not self._files
        self._scalars("validation", "evaluation_{}_vs_iterations", logs or {}, self._updates())
        if alone:
            self._close()

    # Writing ---------------------------------------------------------------------

    def _scalars(self, run: str, tag: str, values: dict[str, Any], step: int) -> None:
        file = self._file(run)
        for name, value in values.items():
            if np.ndim(value) == 0:
                file.scalar(tag.format(name), value, step)
        file.flush()

    def _speed(self, since: tuple[float, int], step: int) -> float:
        return (step - since[1]) / max(time.perf_counter() - since[0], 1e-9)

    def _weights(self, epoch: int) -> None:
        file = self._file("train")
        for variable in self.model.weights:
            values = variable.numpy()
            file.histogram(f"{variable.path}/histogram", values, epoch)
            images = _as_images(values)
            if self.write_images and images is not None:
                file.images(f"{variable.path}/image", images, epoch)
        file.flush()


def _as_images(values: np.ndarray) -> np.ndarray | None:
    """Weights as images of shape `(number, height, width)`; None for other ranks than 1 to 3."""
    values = np.squeeze(values).astype("float32")
    if values.ndim == 1:
        return values[None, None]
    if values.ndim == 2:
        return values[None]
    return np.moveaxis(values, -1, 0) if values.ndim == 3 else None
