"""The one loop: epochs and batches around a model's step, with callbacks."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from keraslite import config, ops
from keraslite.backend import engine
from keraslite.callbacks import CallbackList
from keraslite.core import tree
from keraslite.training.checks import Check, value_checks, warn_of_loss, warn_of_values
from keraslite.training.data import Source, make_source, train_validation_split
from keraslite.training.data.convert import to_array
from keraslite.training.fit_options import (
    TimeLimit,
    ValidateEvery,
    positive,
    watches_single_batches,
)
from keraslite.training.interrupts import between_steps
from keraslite.training.logs import LazyLogs, sorted_logs
from keraslite.training.passes import Passes

if TYPE_CHECKING:
    from keraslite.training.trainer import Trainer


def _verbosity(verbose: int | str) -> int:
    if verbose == "auto":
        return 1
    if verbose not in (0, 1, 2, True, False):
        raise ValueError(f"`verbose` must be 'auto', 0, 1 or 2. Received: {verbose!r}")
    return int(verbose)


@between_steps()
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
    max_time: Any,
    validation_every: int | None,
    fast_dev_run: bool | int,
) -> Any:
    """See `Model.fit`."""
    verbose = _verbosity(verbose)
    if isinstance(epochs, bool) or not hasattr(epochs, "__index__"):
        raise ValueError(f"`epochs` must be an integer. Received: epochs={epochs!r}")
    if not isinstance(validation_freq, (list, tuple, set)):
        positive("validation_freq", validation_freq)
    most = None
    if fast_dev_run:
        most = positive("fast_dev_run", int(fast_dev_run))
        epochs, callbacks = min(epochs, initial_epoch + 1), None
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
    passes = Passes(source, steps_per_epoch, continues=True, data=x, most=most)
    model._prepare("train", source.peek())
    passes.check = _look_at(model, source)
    validation: Any = None
    if validation_data is not None:
        validation = _validation_source(
            validation_data, validation_batch_size, batch_size, validation_steps, most
        )
        validation.check = _look_at(model, validation.source)
    elif validation_every is not None:
        raise ValueError(
            "`validation_every` needs `validation_data` or `validation_split`. Received: "
            f"validation_every={validation_every} alone"
        )
    between = None
    added: list[Any] = [] if max_time is None else [TimeLimit(max_time)]
    if validation_every is not None:
        between = ValidateEvery(validation_every, lambda: _evaluate(model, validation, watchers))
        added.append(between)
    watchers = _callbacks(
        model, callbacks, add_history=True, verbose=verbose, epochs=epochs, steps=passes.steps
    )
    for callback in added:
        callback.set_model(model)
        watchers.append(callback)
    with passes, validation or contextlib.nullcontext():
        _train(
            model,
            passes,
            validation,
            watchers,
            between,
            range(initial_epoch, epochs),
            validation_freq,
        )
    if between is not None and watchers.history is not None:
        watchers.history.validations = between.results
    return watchers.history


def _train(
    model: Trainer,
    passes: Passes,
    validation: Passes | None,
    watchers: CallbackList,
    between: ValidateEvery | None,
    epochs: range,
    validation_freq: int | list[int],
) -> None:
    """The epochs of `fit`."""
    model.stop_training = False
    logs: dict[str, Any] = {}
    warned = False
    watchers.passes, watchers.resume_at = passes, None
    watchers.on_train_begin()
    first, start = _resume(watchers, passes, epochs.start)
    for epoch in range(first, epochs.stop):
        if model.stop_training and not start:
            break
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
        if between is not None:
            logs = {**logs, **between.take()}
        elif validation is not None and _validates(epoch, validation_freq):
            found = _evaluate(model, validation, watchers)
            logs = {**logs, **{f"val_{k}": v for k, v in found.items()}}
        watchers.on_epoch_end(epoch, dict(logs))
        if not warned and not model.stop_training:
            warned = warn_of_loss(logs.get("loss"), epoch)
    _finish(model)
    watchers.on_train_end(logs)


def _look_at(model: Trainer, source: Source) -> Check | None:
    """Check the data that are in memory; returns the check for those that come batch by batch."""
    check, data = value_checks(model), source.in_memory()
    warn_of_values(model, source.peek() if data is None else data)
    if data is None:
        return check
    check(data, True)
    return None


def _resume(watchers: CallbackList, passes: Passes, initial_epoch: int) -> tuple[int, int]:
    """The epoch and the batch to begin with; a callback may have restored a state."""
    if watchers.resume_at is None:
        return initial_epoch, 0
    epoch, batch, state = watchers.resume_at
    passes.go_to(initial_epoch, epoch, batch, state)
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
    data: Any,
    batch_size: int | None,
    training_batch_size: int | None,
    steps: int | None,
    most: int | None,
) -> Passes:
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
    return Passes(source, steps, most=most)


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
    passes: Passes,
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
    stops = kind == "train"
    if stops and model.stop_training:
        return None  # It was stopped at this batch before an interruption.
    # A user's function has neither of these.
    pace, quiet = getattr(step, "pace", None), getattr(step, "quiet", None)
    if watches_single_batches(watchers, kind):
        pace = quiet = None
    if pace is not None:
        pace.begin()
    for batches in passes.take(epoch, pace or model.steps_per_execution, start):
        if passes.check is not None:
            for batch in batches:
                passes.check(batch)
        if watched:
            begin(index)
        logs = step(batches) if quiet is None else quiet(batches)
        if pace is not None and not pace.is_settled:
            pace.note(logs)
        index += len(batches)
        if watched:
            end(index - 1, LazyLogs(logs if quiet is None else model._results))
            if stops and model.stop_training:
                break
    if index < (passes.steps or 1) and not model.stop_training:
        passes.source.ran_dry(index, passes.steps)
    model._check_bounds(kind)
    return logs if quiet is None or logs is None else model._results()


def _evaluate(model: Trainer, passes: Passes, watchers: CallbackList) -> dict[str, Any]:
    """Loss and metrics over one pass, sorted."""
    model._prepare("test", passes.source.peek())
    step = model.make_test_function()
    model.reset_metrics()
    watchers.on_test_begin()
    results = _run_epoch(model, step, passes, 0, watchers, "test")
    logs = {} if results is None else sorted_logs(results)
    watchers.on_test_end(logs)
    return logs


@between_steps()
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
    passes = Passes(source, steps)
    model._prepare("test", source.peek())
    passes.check = _look_at(model, source)
    watchers = _callbacks(model, callbacks, verbose=_verbosity(verbose), steps=passes.steps)
    with passes:
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
    verbose = _verbosity(verbose)
    unwatched = not verbose and callbacks is None and steps is None
    if unwatched and _is_one_batch(x, batch_size):
        return _fetched(model._prediction((to_array(x, "x"),)))
    source = make_source(x, batch_size=batch_size, steps=steps)
    if unwatched and source.num_batches == 1 and source.in_memory() is not None:
        return _fetched(model._prediction(source.peek()))
    return _predict_all(model, source, verbose, steps, callbacks)


def _is_one_batch(x: Any, batch_size: int | None) -> bool:
    """Whether `x` is an array for which no source has to be made: that takes as long as a step."""
    size = 32 if batch_size is None else batch_size
    return type(x) is np.ndarray and type(size) is int and x.ndim > 0 and 0 < len(x) <= size


@between_steps()
def _predict_all(
    model: Trainer, source: Source, verbose: int, steps: int | None, callbacks: Any
) -> Any:
    passes = Passes(source, steps)
    model._prepare("predict", source.peek())
    check, data = value_checks(model), source.in_memory()
    if data is not None:
        check(data)
    step = model.make_predict_function()
    watchers = _callbacks(model, callbacks, verbose=verbose, steps=passes.steps)
    outputs: list[Any] = []
    watchers.on_predict_begin()
    watched = watchers.watches_predict_batches
    with passes:
        for index, batches in enumerate(passes.take(0, 1)):
            if data is None:
                check(batches[0])
            if watched:
                watchers.on_predict_batch_begin(index)
            outputs.append(step(batches))
            if watched:
                watchers.on_predict_batch_end(index, {"outputs": outputs[-1]})
    watchers.on_predict_end()
    model._check_bounds("predict")
    if not outputs:
        raise ValueError("There is nothing to predict: the data hold 0 samples.")
    return _joined(outputs)


def _joined(outputs: list[Any]) -> Any:
    """Batches of outputs as NumPy arrays, one after the other."""
    # Fetched here, after all batches were dispatched.
    arrays = [_fetched(batch) for batch in outputs]
    if len(arrays) == 1:
        return arrays[0]
    return tree.map_structure(lambda *xs: _concatenated(xs), *arrays)


def _concatenated(xs: Sequence[Any]) -> Any:
    # Ragged tensors have no like in NumPy: they stay what they are.
    return ops.concatenate(xs) if engine.is_ragged(xs[0]) else np.concatenate(xs, axis=0)


def _fetched(outputs: Any) -> Any:
    return tree.map_structure(_to_numpy, outputs) if tree.is_nested(outputs) else _to_numpy(outputs)


def _to_numpy(x: Any) -> Any:
    return engine.to_numpy(x) if engine.is_tensor(x) and not engine.is_ragged(x) else x


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
    value_checks(model)(batch)
    model.reset_metrics()
    logs = sorted_logs(model._make_function(kind)([batch]))
    model._check_bounds(kind)
    return logs


def predict_on_batch(model: Trainer, x: Any) -> Any:
    """The outputs for one batch."""
    return _fetched(model._prediction(make_source(x, batch_size=_whole(x)).peek()))


def _whole(x: Any) -> int:
    """A batch size that takes everything."""
    first = next((leaf for leaf in tree.flatten(x) if hasattr(leaf, "shape")), None)
    return max(int(first.shape[0]) if first is not None and len(first.shape) else len(x), 1)
