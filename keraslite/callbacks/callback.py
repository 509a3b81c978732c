"""`Callback`: hooks around epochs and batches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from keraslite.core.configurable import check_arguments

Logs = dict[str, Any]
PHASES = ("train", "test", "predict")


class Callback:
    """Base class of what watches or steers training, evaluation and prediction.

    Subclasses override the hooks that they need. `self.model` is the model and `self.params`
    a dict with `verbose`, `epochs` and `steps`. `logs` of batch hooks hold running means; they
    are fetched from the device when they are first read, which waits for the step.

    Example:
        >>> class Print(keras.callbacks.Callback):
        ...     def on_epoch_end(self, epoch, logs=None):
        ...         print(epoch, logs["loss"])
        >>> model.fit(x, y, callbacks=[Print()])
    """

    #: Attributes that `get_state` gives.
    _state_attributes: tuple[str, ...] = ()
    #: Whether its hooks are called after those of all others.
    _is_last = False

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        check_arguments(cls, kwargs)
        return super().__new__(cls)

    def __init__(self) -> None:
        self.params: dict[str, Any] | None = None
        self._model: Any = None

    def set_params(self, params: dict[str, Any]) -> None:
        """Called before the hooks, with `verbose`, `epochs` and `steps`."""
        self.params = params

    def set_model(self, model: Any) -> None:
        """Called before the hooks, with the model."""
        self._model = model

    @property
    def model(self) -> Any:
        """The model that is trained, evaluated or used."""
        return self._model

    def get_state(self) -> dict[str, Any]:
        """What the callback learned in training, for `BackupAndRestore` to keep.

        A callback that changes in training defines this and `set_state`, so that a run that
        was interrupted goes on exactly.

        Returns:
            A dict, nested at will, of numbers, strings, None, lists and NumPy arrays.

        Example:
            >>> class Count(keras.callbacks.Callback):
            ...     seen = 0
            ...
            ...     def on_train_batch_end(self, batch, logs=None):
            ...         self.seen += 1
            ...
            ...     def get_state(self):
            ...         return {"seen": self.seen}
            ...
            ...     def set_state(self, state):
            ...         self.seen = state["seen"]
        """
        return {name.lstrip("_"): getattr(self, name) for name in self._state_attributes}

    def set_state(self, state: dict[str, Any]) -> None:
        """Put back what `get_state` gave; called after `on_train_begin`."""
        for name in self._state_attributes:
            setattr(self, name, state[name.lstrip("_")])

    def _idle_hooks(self) -> tuple[Callable[..., Any], ...]:
        """Functions of this class that need not be called as it is set up now.

        Batch hooks that no callback needs are not called at all.
        """
        return ()

    def _needs(self, hook: str) -> bool:
        """Whether a hook does anything."""
        method = getattr(self, hook)
        function = getattr(method, "__func__", method)
        if function in (getattr(Callback, hook), *self._idle_hooks()):
            # The hooks of training batches have older names as well.
            alias = hook.replace("on_train_batch_", "on_batch_")
            return alias != hook and function is getattr(Callback, hook) and self._needs(alias)
        return True

    def on_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Older name of `on_train_batch_begin`."""

    def on_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Older name of `on_train_batch_end`."""

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Called at the start of an epoch of training.

        Args:
            epoch: index, from 0.
            logs: empty.
        """

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Called at the end of an epoch of training.

        Args:
            epoch: index, from 0.
            logs: means over the epoch by name; those of validation begin with `val_`. What
                is added here is seen by the callbacks after this one.
        """

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Called before a training step."""
        self.on_batch_begin(batch, logs=logs)

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Called after a training step.

        Args:
            batch: index in the epoch, from 0.
            logs: running means by name.
        """
        self.on_batch_end(batch, logs=logs)

    def on_test_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Called before a step of evaluation or validation."""

    def on_test_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Called after a step of evaluation or validation."""

    def on_predict_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Called before a step of prediction."""

    def on_predict_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Called after a step of prediction; `logs["outputs"]` are the outputs."""

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Called at the start of `fit`."""

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Called at the end of `fit`, with the logs of the last epoch."""

    def on_test_begin(self, logs: Logs | None = None) -> None:
        """Called at the start of evaluation or validation."""

    def on_test_end(self, logs: Logs | None = None) -> None:
        """Called at the end of evaluation or validation, with its results."""

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        """Called at the start of `predict`."""

    def on_predict_end(self, logs: Logs | None = None) -> None:
        """Called at the end of `predict`."""


class LambdaCallback(Callback):
    """A callback made of functions.

    Args:
        on_epoch_begin, on_epoch_end: `f(epoch, logs)`.
        on_train_begin, on_train_end: `f(logs)`.
        on_train_batch_begin, on_train_batch_end: `f(batch, logs)`.
        **kwargs: any other hook by name.

    Example:
        >>> keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: print(logs))
    """

    def __init__(
        self,
        on_epoch_begin: Callable[..., Any] | None = None,
        on_epoch_end: Callable[..., Any] | None = None,
        on_train_begin: Callable[..., Any] | None = None,
        on_train_end: Callable[..., Any] | None = None,
        on_train_batch_begin: Callable[..., Any] | None = None,
        on_train_batch_end: Callable[..., Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__()
        self.__dict__.update(kwargs)
        given = {
            "on_epoch_begin": on_epoch_begin,
            "on_epoch_end": on_epoch_end,
            "on_train_begin": on_train_begin,
            "on_train_end": on_train_end,
            "on_train_batch_begin": on_train_batch_begin,
            "on_train_batch_end": on_train_batch_end,
        }
        self.__dict__.update({name: f for name, f in given.items() if f is not None})
