"""The one loop: epochs and batches around a model's step, with callbacks."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from keraslite import config
from keraslite.backend import engine
from keraslite.callbacks import CallbackList
from keraslite.core import tree
from keraslite.training.data import Source, make_source, train_validation_split
from keraslite.training.logs import LazyLogs, sorted_logs

if TYPE_CHECKING:
    from keraslite.training.trainer import Trainer


def _verbosity(verbose: int | str) -> int:
    if verbose == "auto":
        return 1
    if verbose not in (0, 1, 2, True, False):
        raise ValueError(f"`verbose` must be 'auto', 0, 1 or 2. Received: {verbose!r}")
    return int(verbose)


def _steps(source: Source, steps: int | None) -> int | None:
    """How many batches a pass has; None when only running dry tells."""
    if steps is not None and steps < 1:
        raise ValueError(f"The number of steps must be at least 1. Received: {steps}")
    found = steps if steps is not None else source.num_batches
    limit = config.max_steps_per_epoch()
    if limit is not None:
        found = limit if found is None else min(found, limit)
    if found is None and source.endless:
        raise ValueError(
            "The data never end, so the number of steps must be given: `steps_per_epoch` for "
            "`fit`, `steps` for `evaluate` and `predict`."
        )
    return found


def _groups(batches: Iterator[Any], size: int, limit: int | None) -> Iterator[list[Any]]:
    """Lists of up to `size` batches, `limit` batches in all."""
    batches = itertools.islice(batches, limit)
    while group := list(itertools.islice(batches, size)):
        yield group


class _Passes:
    """Batches of one source, pass after pass.

    Args:
        source: of the batches.
        steps: how many to take in a pass.
        continues: a pass that is shorter than the data goes on where the last one ended;
            the data begin again when they are exhausted.
    """

    def __init__(self, source: Source, steps: int | None, continues: bool = False) -> None:
        self.source = source
        self.steps = _steps(source, steps)
        self._continues = (
            continues and steps is not None and not _restarts_each_epoch(source, steps)
        )
        self._open: Iterator[Any] | None = None

    def take(self, epoch: int, size: int, start: int = 0) -> Iterator[list[Any]]:
        """Lists of up to `size` batches, without the first `start` of the pass."""
        self.source.on_epoch_begin(epoch)
        batches = self._resumed(epoch) if self._continues else self.source.batches(epoch)
        if self._goes_back:
            for _ in range(start):
                next(batches, None)
        return _groups(batches, size, None if self.steps is None else max(self.steps - start, 0))

    def leave_out(self, epochs: range) -> None:
        """Go on as if these passes had been made."""
        if self._continues and self._goes_back:
            for epoch in epochs:
                for _ in self.take(epoch, 1):
                    pass

    @property
    def _goes_back(self) -> bool:
        # A generator gives what it gives.
        return self.source.num_batches is not None

    def _resumed(self, epoch: int) -> Iterator[Any]:
        opened, self._open = self._open, None
        first = None if opened is None else next(opened, None)
        if opened is None or first is None:
            opened = self.source.batches(epoch)
        else:
            opened = itertools.chain([first], opened)
        self._open = opened
        return opened


def _restarts_each_epoch(source: Source, steps: int) -> bool:
    return source.num_batches is not None and source.num_batches <= steps


def fit(
    model: Trainer,
    x: Any,
    y: Any,
    *,
    batch_size: int | None,
    epochs: int,
    verbose: int | str,
    callbacks: Any,
    validation_split: float,
    validation_data: Any,
    shuffle: bool,
    class_weight: dict[int, float] | None,
    sample_weight: Any,
    initial_epoch: int,
    steps_per_epoch: int | None,
    validation_steps: int | None,
    validation_batch_size: int | None,
    validation_freq: int | list[int],
) -> Any:
    """See `Model.fit`."""
    verbose = _verbosity(verbose)
    limit = config.max_epochs()
    epochs = min(epochs, limit) if limit is not None else epochs
    if validation_split and validation_data is None:
        (x, y, sample_weight), validation_data = train_validation_split(
            (x, y, sample_weight), validation_split
        )
    source = make_source(
        x,
        y,
        sample_weight,
        batch_size=batch_size,
        shuffle=shuffle,
        class_weight=class_weight,
        steps=steps_per_epoch,
    )
    passes = _Passes(source, steps_per_epoch, continues=True)
    model._prepare("train", source.peek())
    validation = None
    if validation_data is not None:
        validation = _validation_source(
            validation_data, validation_batch_size, batch_size, validation_steps
        )

    watchers = _callbacks(
        model, callbacks, add_history=True, verbose=verbose, epochs=epochs, steps=passes.steps
    )
    model.stop_training = False
    model._resume_at = None
    model._order_seed = source.seed
    logs: dict[str, Any] = {}
    watchers.on_train_begin()
    first, start = _resume(model, passes, initial_epoch)
    for epoch in range(first, epochs):
        model.reset_metrics()
        watchers.on_epoch_begin(epoch)
        # Anew in every epoch: a callback may have frozen layers or compiled again.
        step = model.make_train_function()
        results = _run_epoch(model, step, passes, epoch, watchers, "train", start)
        if results is None and start:
            # All batches of this epoch were done before, its end was not.
            results = model.get_metrics_result()
        start = 0
        if results is None:
            break
        logs = sorted_logs(results)
        if validation is not None and _validates(epoch, validation_freq):
            found = _evaluate(model, validation, watchers)
            logs = {**logs, **{f"val_{k}": v for k, v in found.items()}}
        watchers.on_epoch_end(epoch, logs)
        source.on_epoch_end()
        if model.stop_training:
            break
    _finish(model)
    watchers.on_train_end(logs)
    return watchers.history


def _resume(model: Trainer, passes: _Passes, initial_epoch: int) -> tuple[int, int]:
    """The epoch and the batch to begin with; a callback may have restored a state."""
    if model._resume_at is None:
        return initial_epoch, 0
    epoch, batch, seed = model._resume_at
    if seed is not None:
        passes.source.seed = model._order_seed = seed
    passes.leave_out(range(initial_epoch, epoch))
    return epoch, batch


def _finish(model: Trainer) -> None:
    finalize = getattr(model.optimizer, "finalize_variable_values", None)
    if finalize is not None and model.optimizer.built:
        finalize(model.trainable_weights)  # type: ignore[attr-defined]


def _validates(epoch: int, frequency: int | list[int]) -> bool:
    if isinstance(frequency, int):
        return (epoch + 1) % frequency == 0
    return epoch + 1 in frequency


def _validation_source(
    data: Any, batch_size: int | None, training_batch_size: int | None, steps: int | None
) -> _Passes:
    if isinstance(data, (tuple, list)) and not hasattr(data, "shape"):
        if not 1 <= len(data) <= 3:
            raise ValueError(
                "`validation_data` must be (x, y) or (x, y, sample_weight). Received: "
                f"{len(data)} elements"
            )
        x, y, weight = (*data, None, None)[:3]
        batch_size = batch_size or training_batch_size
        source = make_source(x, y, weight, batch_size=batch_size, steps=steps)
    else:
        source = make_source(data, batch_size=batch_size, steps=steps)
    return _Passes(source, steps)


def _callbacks(
    model: Trainer,
    callbacks: Any,
    *,
    verbose: int,
    steps: int | None,
    epochs: int = 1,
    add_history: bool = False,
) -> CallbackList:
    if isinstance(callbacks, CallbackList):
        return callbacks
    return CallbackList(
        callbacks,
        add_history=add_history,
        add_progbar=verbose != 0,
        verbose=verbose,
        epochs=epochs,
        steps=steps,
        model=model,
    )


def _run_epoch(
    model: Trainer,
    step: Any,
    passes: _Passes,
    epoch: int,
    watchers: CallbackList,
    kind: str,
    start: int = 0,
) -> Any:
    """One pass; returns the last logs, or None when there was no batch at all."""
    watched = getattr(watchers, f"watches_{kind}_batches")
    begin = getattr(watchers, f"on_{kind}_batch_begin")
    end = getattr(watchers, f"on_{kind}_batch_end")
    logs = None
    index = start
    for batches in passes.take(epoch, model.steps_per_execution, start):
        if watched:
            begin(index)
        logs = step(batches)
        index += len(batches)
        if watched:
            end(index - 1, LazyLogs(logs))
            if model.stop_training:
                break
    if passes.steps is not None and index < passes.steps and not model.stop_training:
        passes.source.ran_dry(index, passes.steps)
    return logs


def _evaluate(model: Trainer, passes: _Passes, watchers: CallbackList) -> dict[str, Any]:
    """Loss and metrics over one pass, sorted."""
    model._prepare("test", passes.source.peek())
    step = model.make_test_function()
    model.reset_metrics()
    watchers.on_test_begin()
    results = _run_epoch(model, step, passes, 0, watchers, "test")
    logs = {} if results is None else sorted_logs(results)
    watchers.on_test_end(logs)
    passes.source.on_epoch_end()
    return logs


def evaluate(
    model: Trainer,
    x: Any,
    y: Any,
    *,
    batch_size: int | None,
    verbose: int | str,
    sample_weight: Any,
    steps: int | None,
    callbacks: Any,
) -> dict[str, Any]:
    """See `Model.evaluate`; the results by name."""
    source = make_source(x, y, sample_weight, batch_size=batch_size, steps=steps)
    passes = _Passes(source, steps)
    watchers = _callbacks(model, callbacks, verbose=_verbosity(verbose), steps=passes.steps)
    return _evaluate(model, passes, watchers)


def predict(
    model: Trainer,
    x: Any,
    *,
    batch_size: int | None,
    verbose: int | str,
    steps: int | None,
    callbacks: Any,
) -> Any:
    """See `Model.predict`."""
    source = make_source(x, batch_size=batch_size, steps=steps)
    passes = _Passes(source, steps)
    model._prepare("predict", source.peek())
    step = model.make_predict_function()
    watchers = _callbacks(model, callbacks, verbose=_verbosity(verbose), steps=passes.steps)
    outputs: list[Any] = []
    watchers.on_predict_begin()
    watched = watchers.watches_predict_batches
    for index, batches in enumerate(passes.take(0, 1)):
        if watched:
            watchers.on_predict_batch_begin(index)
        outputs.append(step(batches))
        if watched:
            watchers.on_predict_batch_end(index, {"outputs": outputs[-1]})
    watchers.on_predict_end()
    if not outputs:
        raise ValueError("There is nothing to predict: the data hold 0 samples.")
    return _joined(outputs)


def _joined(outputs: list[Any]) -> Any:
    """Batches of outputs as NumPy arrays, one after the other."""
    # Fetched here, after all batches were dispatched.
    arrays = [tree.map_structure(_to_numpy, batch) for batch in outputs]
    if len(arrays) == 1:
        return arrays[0]
    return tree.map_structure(lambda *xs: np.concatenate(xs, axis=0), *arrays)


def _to_numpy(x: Any) -> Any:
    return engine.to_numpy(x) if engine.is_tensor(x) else x


def on_batch(
    model: Trainer,
    kind: str,
    x: Any,
    y: Any,
    sample_weight: Any = None,
    class_weight: dict[int, float] | None = None,
) -> dict[str, Any]:
    """One step on one batch; the logs as Python numbers."""
    source = make_source(x, y, sample_weight, batch_size=_whole(x), class_weight=class_weight)
    batch = source.peek()
    model._prepare(kind, batch)
    model.reset_metrics()
    return sorted_logs(model._make_function(kind)([batch]))


def predict_on_batch(model: Trainer, x: Any) -> Any:
    """The outputs for one batch."""
    batch = make_source(x, batch_size=_whole(x)).peek()
    model._prepare("predict", batch)
    return tree.map_structure(_to_numpy, model._make_function("predict")([batch]))


def _whole(x: Any) -> int:
    """A batch size that takes everything."""
    first = next((leaf for leaf in tree.flatten(x) if hasattr(leaf, "shape")), None)
    return max(int(first.shape[0]) if first is not None and len(first.shape) else len(x), 1)
