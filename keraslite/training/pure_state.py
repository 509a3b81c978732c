"""The state of a model as values: for functional programs and for checkpoints."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from keraslite.core.errors import check_choice
from keraslite.core.scopes import StatelessScope
from keraslite.core.variable import Variable
from keraslite.training.steps import Steps


class PureState(Steps):
    """Mixin of `Trainer`: state in and out as plain values."""

    def stateless_compute_loss(
        self,
        trainable_variables: Any,
        non_trainable_variables: Any,
        metrics_variables: Any,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> tuple[Any, tuple[list, list, list]]:
        """`compute_loss` with given values of the variables; also returns the new values."""
        given = (trainable_variables, non_trainable_variables, metrics_variables)
        with self._scope_of(*given):
            loss = self.compute_loss(x, y, y_pred, sample_weight, training)
            trained, others, counted = ([v.value for v in group] for group in self._groups())
        return loss, (trained, others, counted)

    def _groups(self) -> tuple[list[Variable], list[Variable], list[Variable]]:
        return self.trainable_variables, self.non_trainable_variables, self.metrics_variables  # type: ignore[attr-defined]

    def _scope_of(self, *given: Any) -> StatelessScope:
        """A scope in which the variables have the values given for each group."""
        pairs = zip(self._groups(), given, strict=True)
        return StatelessScope(p for own, new in pairs for p in zip(own, new, strict=True))

    def compute_loss_and_updates(
        self,
        trainable_variables: Any,
        non_trainable_variables: Any,
        metrics_variables: Any,
        x: Any,
        y: Any,
        sample_weight: Any,
        training: bool = False,
        optimizer_variables: Any = None,
    ) -> tuple[Any, tuple[Any, Any, list, list]]:
        """The loss as a pure function, for `jax.value_and_grad` in steps of one's own.

        Returns:
            `(loss, (unscaled loss, y_pred, non_trainable_variables, metrics_variables))`.
        """
        given = (trainable_variables, non_trainable_variables, metrics_variables)
        with self._scope_of(*given):
            y_pred = self._forward(x, training)
            loss = self.compute_loss(x, y, y_pred, sample_weight, training)
            _, non_trainable, metrics = ([v.value for v in group] for group in self._groups())
        self._clear_losses()  # type: ignore[attr-defined]
        scaled = loss
        if training and self.optimizer is not None:
            pairs = zip(self.optimizer.variables, optimizer_variables or (), strict=False)
            with StatelessScope(list(pairs)):
                scaled = self.optimizer.scale_loss(loss)
        return scaled, (loss, y_pred, non_trainable, metrics)

    def get_state_tree(self, value_format: str = "backend_tensor") -> dict[str, Any]:
        """All state as nested dicts by path.

        Args:
            value_format: `"backend_tensor"` or `"numpy_array"`.
        """
        formats: dict[str, Callable[[Variable], Any]] = {
            "backend_tensor": lambda v: v.value,
            "numpy_array": lambda v: v.numpy(),
        }
        check_choice("", formats, value_format=value_format)
        return {
            name: _nest({v.path: formats[value_format](v) for v in group})
            for name, group in self._named_state().items()
        }

    def set_state_tree(self, state_tree: dict[str, Any]) -> None:
        """Assign state that `get_state_tree` gave."""
        named = self._named_state()
        for name, values in state_tree.items():
            if name not in named:
                raise ValueError(f"Unknown state {name!r}. Expected some of: {list(named)}")
            by_path = {v.path: v for v in named[name]}
            for path, value in _flatten_paths(values):
                if path not in by_path:
                    raise ValueError(f"The model has no variable {path!r} among its {name}.")
                by_path[path].assign(value)

    def _named_state(self) -> dict[str, list[Variable]]:
        return {
            "trainable_variables": self.trainable_variables,  # type: ignore[attr-defined]
            "non_trainable_variables": self.non_trainable_variables,  # type: ignore[attr-defined]
            "optimizer_variables": list(self.optimizer.variables) if self.optimizer else [],
            "metrics_variables": self.metrics_variables,
        }

    def jax_state_sync(self) -> None:
        """Nothing to do: variables always hold the state of the last step."""


def _nest(flat: dict[str, Any]) -> dict[str, Any]:
    nested: dict[str, Any] = {}
    for path, value in flat.items():
        *parents, name = path.split("/")
        place = nested
        for parent in parents:
            place = place.setdefault(parent, {})
        place[name] = value
    return nested


def _flatten_paths(nested: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    found = []
    for key, value in nested.items():
        path = f"{prefix}/{key}" if prefix else key
        found += _flatten_paths(value, path) if isinstance(value, dict) else [(path, value)]
    return found
