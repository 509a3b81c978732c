"""`Metric`: a number about a stretch of batches, kept in variables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from keraslite import ops
from keraslite.backend import engine
from keraslite.core import dtypes, tree
from keraslite.core.configurable import Configurable
from keraslite.core.naming import auto_name, to_snake_case
from keraslite.core.old_names import Gone
from keraslite.core.op import Tensor
from keraslite.core.scopes import StatelessScope, name_scope
from keraslite.core.variable import Variable
from keraslite.losses.loss import compute_dtype


class Metric(Configurable, engine.StateBase):  # type: ignore[name-defined, misc]
    """Base class of metrics.

    A subclass makes its variables with `add_weight` in its constructor, and defines
    `update_state`, which takes a batch in, and `result`, which gives the number so far.

    Args:
        dtype: of the variables, `floatx()` by default, also when layers compute in fewer bits.
        name: in logs; made from the class by default.

    Example:
        >>> class Share(keras.metrics.Metric):
        ...     def __init__(self, name="share", **kwargs):
        ...         super().__init__(name=name, **kwargs)
        ...         self.hits = self.add_weight(name="hits")
        ...         self.count = self.add_weight(name="count")
        ...
        ...     def update_state(self, y_true, y_pred, sample_weight=None):
        ...         same = keras.ops.cast(keras.ops.equal(y_true, y_pred), self.dtype)
        ...         self.hits.assign_add(keras.ops.sum(same))
        ...         self.count.assign_add(keras.ops.size(same))
        ...
        ...     def result(self):
        ...         return self.hits / self.count
    """

    reset_states = Gone("reset_states")
    #: Whether `"up"` or `"down"` is better; None where the metric alone does not tell.
    _direction: str | None = None

    def __init__(self, dtype: Any = None, name: str | None = None) -> None:
        self.name = name or auto_name(to_snake_case(type(self).__name__))
        self._dtype = compute_dtype(dtype)
        self._variables: list[Variable] = []

    @property
    def dtype(self) -> str:
        """Of the variables and of the result."""
        return self._dtype

    @property
    def _sums_in(self) -> str:
        """Of the variables, unless they say otherwise."""
        return self._dtype

    # State -----------------------------------------------------------------------

    @property
    def variables(self) -> list[Variable]:
        """Its own variables, then those of metrics among its attributes."""
        own, inner = [], []
        for value in _attributes(self):
            if isinstance(value, Variable):
                own.append(value)
            else:
                inner.extend(value.variables)
        return list({id(v): v for v in (*self._variables, *own, *inner)}.values())

    def add_variable(
        self,
        shape: Sequence[int],
        initializer: Any,
        dtype: Any = None,
        aggregation: str = "sum",
        name: str | None = None,
    ) -> Variable:
        """Make a variable that belongs to this metric.

        Args:
            shape: of the variable.
            initializer: a name, a function, or None for zeros. `reset_state` sets zeros.
            dtype: the metric's by default.
            aggregation: how replicas of it combine.
            name: last part of its path.

        Raises:
            RuntimeError: if the constructor has not called `super().__init__()`.
        """
        if "_variables" not in vars(self):
            raise RuntimeError(
                f"{type(self).__name__}: call `super().__init__()` first in `__init__`."
            )
        with name_scope(self.name.replace("/", ">"), caller=self):
            variable = Variable(
                initializer or ops.zeros,
                shape=tuple(shape),
                dtype=dtype or self._sums_in,
                trainable=False,
                autocast=False,
                aggregation=aggregation,
                name=name,
            )
        self._variables.append(variable)
        return variable

    def add_weight(
        self,
        shape: Sequence[int] = (),
        initializer: Any = None,
        dtype: Any = None,
        name: str | None = None,
    ) -> Variable:
        """Make a variable that belongs to this metric: see `add_variable`."""
        return self.add_variable(shape, initializer, dtype, name=name)

    def reset_state(self) -> None:
        """Forget all batches: set every variable to zeros."""
        for variable in self.variables:
            variable.assign(ops.zeros(variable.shape, variable.dtype))

    # Computing -------------------------------------------------------------------

    def _prepare(self, y_true: Any, y_pred: Any) -> None:
        """Make the variables whose shapes follow the data, before a step is compiled.

        Args:
            y_true, y_pred: tensors, or `KerasTensor`s like them.
        """

    def update_state(self, *args: Any, **kwargs: Any) -> None:
        """Take a batch in."""
        raise NotImplementedError(f"{type(self).__name__} must define `update_state`.")

    def result(self) -> Any:
        """The number so far: a scalar tensor, or a dict of them."""
        raise NotImplementedError(f"{type(self).__name__} must define `result`.")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Take a batch in and return the result so far."""
        self.update_state(*args, **kwargs)
        return self.result()

    def _scope(self, metric_variables: Sequence[Any]) -> StatelessScope:
        variables = self.variables
        if len(metric_variables) != len(variables):
            raise ValueError(
                f"{type(self).__name__} {self.name!r}: `metric_variables` must hold one value for "
                f"each of its {len(variables)} variables. Received: {len(metric_variables)} values"
            )
        return StatelessScope(zip(variables, metric_variables, strict=True))

    def stateless_update_state(
        self, metric_variables: Sequence[Any], *args: Any, **kwargs: Any
    ) -> list[Tensor]:
        """`update_state` as a pure function.

        Args:
            metric_variables: values for `variables`.
            *args, **kwargs: of `update_state`.

        Returns:
            New values for `variables`.

        Raises:
            ValueError: if the number of values is wrong.

        Example:
            >>> metric = keras.metrics.Mean()
            >>> state = metric.stateless_update_state(metric.stateless_reset_state(), [1.0, 3.0])
            >>> float(metric.stateless_result(state))
            2.0
        """
        with self._scope(metric_variables):
            self.update_state(*args, **kwargs)
            return [v.value for v in self.variables]

    def stateless_result(self, metric_variables: Sequence[Any]) -> Any:
        """`result` for given values of `variables`."""
        with self._scope(metric_variables):
            return tree.map_structure(
                lambda x: x.value if isinstance(x, Variable) else x, self.result()
            )

    def stateless_reset_state(self) -> list[Tensor]:
        """The values of `variables` before the first batch."""
        with StatelessScope():
            self.reset_state()
            return [v.value for v in self.variables]

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}>"


class ExactMetric(Metric):
    """Base of metrics that sum in float32 at least: in bfloat16 no count passes 256."""

    @property
    def _sums_in(self) -> str:
        return dtypes.promote(self.dtype, "float32")


def _attributes(metric: Metric) -> Iterator[Variable | Metric]:
    """The variables and metrics among the attributes, those in lists and dicts too."""
    for name, value in vars(metric).items():
        if isinstance(value, (Variable, Metric)):
            yield value
        elif isinstance(value, (list, tuple, dict)) and name not in ("_variables", "_arguments"):
            for leaf in tree.flatten(value):
                if isinstance(leaf, (Variable, Metric)):
                    yield leaf
