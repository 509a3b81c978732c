"""`TensorBoard`: results, weights and the graph of a model for TensorBoard."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from keraslite.backend import engine
from keraslite.callbacks import projector
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
        profile_batch: the batch of `fit`, from 1, or the first and the last one, that the
            engine's profiler records; 0 for none.
        embeddings_freq: every how many epochs to write the weights of `Embedding` layers for
            the projector; 0 for never.
        embeddings_metadata: file with the names of an embedding's rows, or such files by the
            names of the layers.

    Raises:
        ImportError: if the package `tensorboard` is not installed.
        NotImplementedError: if batches are to be profiled and the engine has no profiler.
        ValueError: for another `update_freq` or `profile_batch`, or a layer that is not there.

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
        self._profiled = _first_and_last(profile_batch)
        self._profiler: Any = None
        self._trained = 0
        self.embeddings_freq = embeddings_freq
        self.embeddings_metadata = embeddings_metadata
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
            self._files[run] = EventFile(self._run(run))
        return self._files[run]

    def _run(self, name: str) -> Path:
        return Path(self.log_dir) / name

    def _close(self) -> None:
        for file in self._files.values():
            file.close()
        self._files = {}

    def _updates(self) -> int:
        """How many updates the optimizer did; without one how many batches were seen."""
        iterations = getattr(self.model.optimizer, "iterations", None)
        return self._batches if iterations is None else int(iterations)

    def _idle_hooks(self) -> tuple[Callable[..., Any], ...]:
        if self.save_freq != "epoch" or self._profiled[1]:
            return ()
        return TensorBoard.on_train_batch_begin, TensorBoard.on_train_batch_end

    # Training --------------------------------------------------------------------

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self._batches = self._updates()
        self._trained = 0
        if self.embeddings_freq:
            projector.configure(self._run("train"), self.model, self.embeddings_metadata)
        file = self._file("train")
        from keraslite.utils.summary import graph_of

        # A subclass of one's own computes in Python code, which no file can show.
        if self.write_graph and not self._wrote_graph and graph_of(self.model) is not None:
            file.graph(self.model.to_json())
            self._wrote_graph = True

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        super().on_epoch_begin(epoch, logs)
        self._epoch_began = self._wrote = time.perf_counter(), self._updates()

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        super().on_train_batch_begin(batch, logs)
        first, last = self._profiled
        if self._profiler is None and first <= self._trained + 1 <= last:
            self._profiler = engine.profile(str(self._run("train")))
            self._profiler.__enter__()

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        self._trained += batch - self._first_batch + 1
        if self._profiler is not None and self._trained >= self._profiled[1]:
            dict(logs or {})  # The step has to end within what is recorded.
            self._end_profile()
        super().on_train_batch_end(batch, logs)

    def _end_profile(self) -> None:
        if self._profiler is not None:
            profiler, self._profiler = self._profiler, None
            profiler.__exit__(None, None, None)

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
        if self.embeddings_freq and epoch % self.embeddings_freq == 0:
            projector.write(self._run("train"), self.model)

    def on_train_end(self, logs: Logs | None = None) -> None:
        self._end_profile()
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


def _first_and_last(given: Any) -> tuple[int, int]:
    """The batches to profile; `(0, 0)` for none."""
    parts = given.split(",") if isinstance(given, str) else given
    parts = tuple(parts) if isinstance(parts, (list, tuple)) else (parts, parts)
    try:
        first, last = map(int, parts)
    except (TypeError, ValueError):
        first, last = -1, -1
    if not 0 <= first <= last or (first == 0 and last):
        raise ValueError(
            "TensorBoard: `profile_batch` must be the number of a batch, from 1, the first and the "
            f"last one, or 0 for none. Received: profile_batch={given!r}"
        )
    return first, last


def _as_images(values: np.ndarray) -> np.ndarray | None:
    """Weights as images of shape `(number, height, width)`; None for other ranks than 1 to 3."""
    values = np.squeeze(values).astype("float32")
    if values.ndim == 1:
        return values[None, None]
    if values.ndim == 2:
        return values[None]
    return np.moveaxis(values, -1, 0) if values.ndim == 3 else None
