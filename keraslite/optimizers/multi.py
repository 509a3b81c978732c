"""Several optimizers for one model: `MultiOptimizer`, and `OptimizerMap` which chooses."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, MutableMapping
from typing import Any

from keraslite import ops
from keraslite.core.configurable import Configurable
from keraslite.core.errors import describe
from keraslite.core.registry import CustomObjects
from keraslite.core.variable import Variable
from keraslite.optimizers.optimizer import Optimizer


class OptimizerMap(CustomObjects, Configurable, MutableMapping):
    """Which optimizer a variable gets: patterns of paths to optimizers, and a default.

    Args:
        default_optimizer: for variables that no pattern matches.
        optimizer_map: regular expression -> optimizer. It must match the whole path.

    Raises:
        TypeError: if the default is no optimizer.
        ValueError: for keys that are no strings, are there already, or values that are no
            optimizers.

    Example:
        >>> chosen = keras.optimizers.OptimizerMap(keras.optimizers.SGD())
        >>> chosen["encoder/.*"] = keras.optimizers.Adam()
        >>> chosen["encoder/dense/kernel"]
        <Adam name=adam>
    """

    _patterns = ("optimizer_map",)

    def __init__(
        self, default_optimizer: Optimizer, optimizer_map: dict[str, Optimizer] | None = None
    ) -> None:
        if not isinstance(default_optimizer, Optimizer):
            raise TypeError(
                "OptimizerMap: `default_optimizer` must be an Optimizer. Received: "
                f"{describe(default_optimizer)}"
            )
        self._default_optimizer = default_optimizer
        self._by_pattern: dict[str, Optimizer] = {}
        for pattern, optimizer in (optimizer_map or {}).items():
            self[pattern] = optimizer

    @property
    def default_optimizer(self) -> Optimizer:
        """For variables that no pattern matches."""
        return self._default_optimizer

    def __getitem__(self, key: str) -> Optimizer:
        """The optimizer for a path.

        Raises:
            ValueError: if several patterns match it.
        """
        if key in self._by_pattern:
            return self._by_pattern[key]
        found = [p for p in self._by_pattern if re.fullmatch(p, key)]
        if len(found) > 1:
            raise ValueError(
                f"OptimizerMap: one pattern may match {key!r}. Received: {', '.join(found)}"
            )
        return self._by_pattern[found[0]] if found else self._default_optimizer

    def __setitem__(self, key: str, optimizer: Optimizer) -> None:
        if not isinstance(key, str):
            raise ValueError(f"OptimizerMap: a key must be a string. Received: {describe(key)}")
        if key in self._by_pattern:
            raise ValueError(f"OptimizerMap: {key!r} is there already. Remove it first.")
        if not isinstance(optimizer, Optimizer):
            raise ValueError(
                f"OptimizerMap: the value for {key!r} must be an Optimizer. Received: "
                f"{describe(optimizer)}"
            )
        self._by_pattern[key] = optimizer

    def __delitem__(self, key: str) -> None:
        del self._by_pattern[key]

    def __contains__(self, key: object) -> bool:
        return key in self._by_pattern

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_pattern)

    def __len__(self) -> int:
        return len(self._by_pattern)

    def _config_value(self, name: str, recorded: dict[str, Any], default: Any) -> Any:
        return {"optimizer_map": self._by_pattern, "default_optimizer": self._default_optimizer}[
            name
        ]

    def __repr__(self) -> str:
        shown = ", ".join(f"{k!r}: {v.name}" for k, v in self.items())
        return f"<OptimizerMap default={self._default_optimizer.name}, {{{shown}}}>"


class MultiOptimizer(Optimizer):
    """Gives the variables of a model to several optimizers.

    Each of them clips, decays, accumulates and averages for itself; learning rates are theirs
    too, so this one has none.

    Args:
        optimizer_map: an `OptimizerMap`, or a function of a variable that returns its optimizer.
        loss_scale_factor: see `Optimizer`.
        name: of the optimizer.

    Raises:
        ValueError: for another `optimizer_map`.

    Example:
        >>> chosen = keras.optimizers.OptimizerMap(
        ...     keras.optimizers.SGD(), {"encoder/.*": keras.optimizers.Adam()}
        ... )
        >>> model.compile(keras.optimizers.MultiOptimizer(chosen), "mse")
    """

    def __init__(
        self,
        optimizer_map: OptimizerMap | Callable[[Variable], Optimizer],
        loss_scale_factor: float | None = None,
        name: str | None = None,
    ) -> None:
        if not (isinstance(optimizer_map, OptimizerMap) or callable(optimizer_map)):
            raise ValueError(
                "MultiOptimizer: `optimizer_map` must be an OptimizerMap, or a function of a "
                f"variable. Received: {describe(optimizer_map)}"
            )
        self.optimizer_map = optimizer_map
        self._optimizers: list[Optimizer] = []
        #: for each trained variable the place of its optimizer
        self._chosen: list[int] = []
        super().__init__(learning_rate=0.0, loss_scale_factor=loss_scale_factor, name=name)
        if isinstance(optimizer_map, OptimizerMap):
            for optimizer in (*optimizer_map.values(), optimizer_map.default_optimizer):
                self._place(optimizer)

    def _place(self, optimizer: Optimizer) -> int:
        for i, known in enumerate(self._optimizers):
            if known is optimizer:
                return i
        self._optimizers.append(optimizer)
        return len(self._optimizers) - 1

    @property
    def optimizers(self) -> list[Optimizer]:
        """All optimizers; with a function, those of the variables that it was built for."""
        return self._optimizers

    @property
    def variables(self) -> list[Variable]:
        """Its own variables, then those of all optimizers."""
        return [*super().variables, *(v for o in self._optimizers for v in o.variables)]

    @property
    def learning_rate(self) -> Any:
        raise AttributeError(_no_rate("has"))

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        if self._rate_is_settable:
            raise AttributeError(_no_rate("takes"))
        Optimizer.learning_rate.fset(self, value)  # type: ignore[attr-defined]

    @property
    def loss_scale_factor(self) -> float | None:  # type: ignore[override]
        """By what losses are multiplied, and gradients divided."""
        return self._loss_scale_factor

    @loss_scale_factor.setter
    def loss_scale_factor(self, value: float | None) -> None:
        self._loss_scale_factor = value

    def _optimizer_for(self, variable: Variable) -> Optimizer:
        if isinstance(self.optimizer_map, OptimizerMap):
            return self.optimizer_map[variable.path]
        optimizer = self.optimizer_map(variable)
        if not isinstance(optimizer, Optimizer):
            raise ValueError(
                f"MultiOptimizer {self.name!r}: `optimizer_map` must return an Optimizer for "
                f"{variable.path!r}. Received: {describe(optimizer)}"
            )
        return optimizer

    def build(self, variables: Iterable[Variable]) -> None:
        """Choose an optimizer for each variable, and build all of them."""
        if self.built:
            return
        variables = list(variables)
        self._chosen = [self._place(self._optimizer_for(v)) for v in variables]
        super().build(variables)
        for i, optimizer in enumerate(self._optimizers):
            optimizer.build([v for v, c in zip(variables, self._chosen, strict=True) if c == i])

    def apply(
        self, grads: Iterable[Any], trainable_variables: Iterable[Variable] | None = None
    ) -> None:
        """Let each optimizer update its variables: see `Optimizer.apply`.

        Args:
            grads: one gradient for each variable, or None.
            trainable_variables: the variables; those of `build` by default.
        """
        gradients, variables = self._pairs(grads, trainable_variables)
        if not gradients:
            return
        if self.loss_scale_factor:
            gradients = [ops.divide(g, self.loss_scale_factor) for g in gradients]
        chosen = [self._chosen[self._get_variable_index(v)] for v in variables]
        for i, optimizer in enumerate(self._optimizers):
            places = [place for place, c in enumerate(chosen) if c == i]
            optimizer.apply([gradients[p] for p in places], [variables[p] for p in places])
        self._iterations.assign(self._iterations.value + 1)

    def exclude_from_weight_decay(
        self,
        var_list: Iterable[Variable] | None = None,
        var_names: Iterable[str] | None = None,
    ) -> None:
        """Leave variables out of the weight decay of every optimizer: see `Optimizer`."""
        variables, names = list(var_list or ()), list(var_names or ())
        for optimizer in self._optimizers:
            optimizer.exclude_from_weight_decay(variables, names)

    def finalize_variable_values(self, var_list: Iterable[Variable]) -> None:
        """Put moving averages in place, for every optimizer that keeps some."""
        variables = list(var_list)
        for optimizer in self._optimizers:
            optimizer.finalize_variable_values(variables)


def _no_rate(verb: str) -> str:
    return (
        f"A MultiOptimizer {verb} no learning rate: its optimizers have their own. Go through "
        "`optimizer.optimizers`."
    )
