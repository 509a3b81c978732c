"""`CallbackList`: several callbacks as one."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from keraslite.callbacks.callback import PHASES, Callback
from keraslite.callbacks.loggers import History, ProgbarLogger
from keraslite.core import tree
from keraslite.core.errors import describe

_EDGES = ("begin", "end")
_HOOKS = (
    *(f"on_{phase}_{edge}" for phase in PHASES for edge in _EDGES),
    *(f"on_{phase}_batch_{edge}" for phase in PHASES for edge in _EDGES),
    *(f"on_epoch_{edge}" for edge in _EDGES),
)


class CallbackList(Callback):
    """Calls the hooks of several callbacks, skipping those that they do not override.

    Args:
        callbacks: a callback, or a (nested) list of them.
        add_history: add a `History` unless there is one.
        add_progbar: add a `ProgbarLogger` unless there is one.
        model: given to all of them.
        **params: given to all of them: `verbose`, `epochs`, `steps`.

    Attributes:
        callbacks: the list.
        history: the `History` among them, None without one.
        passes: the passes over the data of `fit`, whose position a callback may save.
        resume_at: epoch, batch and position in the data to begin with; a callback sets it.
        watches_train_batches, watches_test_batches, watches_predict_batches: whether any of
            them has something to do around single batches; a loop need not call those hooks
            otherwise.
    """

    watches_train_batches: bool
    watches_test_batches: bool
    watches_predict_batches: bool

    def __init__(
        self,
        callbacks: Any = None,
        add_history: bool = False,
        add_progbar: bool = False,
        model: Any = None,
        **params: Any,
    ) -> None:
        super().__init__()
        self.passes: Any = None
        self.resume_at: tuple[int, int, dict[str, Any]] | None = None
        self.callbacks: list[Callback] = [] if callbacks is None else tree.flatten(callbacks)
        for callback in self.callbacks:
            _check(callback)
        if add_history and self._find(History) is None:
            self.callbacks.append(History())
        if add_progbar and self._find(ProgbarLogger) is None:
            self.callbacks.append(ProgbarLogger())
        if model is not None:
            self.set_model(model)
        self.set_params(params)

    def _find(self, kind: type) -> Any:
        return next((c for c in self.callbacks if isinstance(c, kind)), None)

    @property
    def history(self) -> History | None:
        return self._find(History)

    def append(self, callback: Callback) -> None:
        """Add a callback at the end."""
        _check(callback)
        self.callbacks.append(callback)
        self._bind()

    def set_params(self, params: dict[str, Any]) -> None:
        """Give `params` to all of them."""
        self.params = params
        for callback in self.callbacks:
            callback.set_params(params)
        self._bind()

    def set_model(self, model: Any) -> None:
        """Give the model to all of them."""
        super().set_model(model)
        for callback in self.callbacks:
            callback.set_model(model)

    def get_state(self) -> dict[str, Any]:
        """The states of those that have one, by the names of their classes."""
        states = {name: callback.get_state() for name, callback in self._named()}
        return {name: state for name, state in states.items() if state}

    def set_state(self, state: dict[str, Any]) -> None:
        """Put back the states that `get_state` gave; a warning names those without a callback."""
        left = dict(state)
        for name, callback in self._named():
            if name in left:
                callback.set_state(left.pop(name))
        if left:
            warnings.warn(
                f"There is a saved state of callbacks that are not there: {', '.join(left)}. "
                "Training goes on without.",
                stacklevel=3,
            )

    def _named(self) -> Iterator[tuple[str, Any]]:
        seen: Counter[str] = Counter()
        for callback in self.callbacks:
            name = type(callback).__name__
            seen[name] += 1
            # Callbacks of other libraries may have none.
            if hasattr(callback, "get_state") and hasattr(callback, "set_state"):
                yield name if seen[name] == 1 else f"{name}_{seen[name]}", callback

    def _bind(self) -> None:
        """Look up who needs which hook: it is asked at every batch."""
        ordered = sorted(self.callbacks, key=lambda c: getattr(c, "_is_last", False))
        needs = [(c, c._needs if isinstance(c, Callback) else _needs_all) for c in ordered]
        for callback in ordered:
            if getattr(callback, "_is_last", False):
                callback.all_callbacks = self
        for hook in _HOOKS:
            called = tuple(getattr(c, hook) for c, needs_hook in needs if needs_hook(hook))
            setattr(self, hook, _once_each(called, has_index="batch" in hook or "epoch" in hook))
            setattr(self, f"_{hook}", called)
        self.on_batch_begin = self.on_train_batch_begin
        self.on_batch_end = self.on_train_batch_end
        for phase in PHASES:
            watched = any(getattr(self, f"_on_{phase}_batch_{edge}") for edge in _EDGES)
            setattr(self, f"watches_{phase}_batches", watched)


def _needs_all(hook: str) -> bool:
    return True


def _once_each(methods: tuple[Callable[..., Any], ...], has_index: bool) -> Callable[..., Any]:
    def with_index(index: int, logs: dict[str, Any] | None = None) -> None:
        logs = {} if logs is None else logs
        for method in methods:
            method(index, logs)

    def without(logs: dict[str, Any] | None = None) -> None:
        logs = {} if logs is None else logs
        for method in methods:
            method(logs)

    return with_index if has_index else without


def _check(callback: Any) -> None:
    # Callbacks of other libraries need not inherit from `Callback`.
    if isinstance(callback, type) or not all(hasattr(callback, h) for h in (*_HOOKS, "set_model")):
        raise TypeError(
            "`callbacks` must be a list of `keras.callbacks.Callback` objects. Received: "
            + (
                f"the class {callback.__name__}: call it"
                if isinstance(callback, type)
                else describe(callback)
            )
        )
