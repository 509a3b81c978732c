"""Loss scaling that finds its own factor, for training in float16."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from keraslite import initializers, ops
from keraslite.core.configurable import parameters_of
from keraslite.core.errors import describe
from keraslite.core.op import Tensor
from keraslite.core.scopes import name_scope
from keraslite.core.variable import Variable
from keraslite.optimizers.branches import either
from keraslite.optimizers.optimizer import Optimizer


class LossScaleOptimizer(Optimizer):
    """Scales the loss so that small gradients survive in float16, and gives them to another one.

    A step whose gradients are not finite is left out and the factor is halved; after
    `dynamic_growth_steps` good steps it is doubled. Micikevicius et al.,
    https://arxiv.org/abs/1710.03740

    Args:
        inner_optimizer: does the updates.
        initial_scale: the first factor.
        dynamic_growth_steps: after how many good steps the factor doubles.
        name: of the optimizer.

    Raises:
        ValueError: for options that belong to the inner optimizer.

    Example:
        >>> optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam())
    """

    # Options of the inner optimizer alone.
    _not_in_config = frozenset(parameters_of(Optimizer)) - {"name"}

    def __init__(
        self,
        inner_optimizer: Optimizer,
        initial_scale: float = 2.0**15,
        dynamic_growth_steps: int = 2000,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        if not isinstance(inner_optimizer, Optimizer):
            raise ValueError(
                "LossScaleOptimizer: `inner_optimizer` must be an Optimizer. "
                f"Received: {describe(inner_optimizer)}"
            )
        if initial_scale <= 0 or dynamic_growth_steps < 1:
            raise ValueError(
                "LossScaleOptimizer: `initial_scale` and `dynamic_growth_steps` must be positive. "
                f"Received: {initial_scale} and {dynamic_growth_steps}"
            )
        neutral = {name: p.default for name, p in parameters_of(Optimizer).items()}
        neutral["learning_rate"] = 0.0
        given = [key for key in kwargs if key not in neutral or kwargs[key] != neutral[key]]
        if given:
            raise ValueError(
                f"LossScaleOptimizer has no {', '.join(given)}. Give it to the inner optimizer."
            )
        self.inner_optimizer = inner_optimizer
        self.initial_scale = initial_scale
        self.dynamic_growth_steps = dynamic_growth_steps
        super().__init__(learning_rate=0.0, name=name)
        self.step_counter = self.add_variable((), dtype="int32", name="step_counter")
        self.dynamic_scale = self.add_variable(
            (), initializers.Constant(float(initial_scale)), name="dynamic_scale"
        )

    # What belongs to the inner optimizer -----------------------------------------

    @property
    def variables(self) -> list[Variable]:
        """Its own variables, then those of the inner optimizer."""
        return [*super().variables, *self.inner_optimizer.variables]

    @property
    def iterations(self) -> Any:
        """How many updates the inner optimizer did."""
        return self.inner_optimizer.iterations

    @property
    def learning_rate(self) -> Any:
        """That of the inner optimizer."""
        return self.inner_optimizer.learning_rate

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        if self._rate_is_settable:
            self.inner_optimizer.learning_rate = value
        else:
            Optimizer.learning_rate.fset(self, value)  # type: ignore[attr-defined]

    def build(self, var_list: Iterable[Variable]) -> None:
        """Build the inner optimizer."""
        if self.built:
            return
        variables = list(var_list)
        super().build(variables)
        self.inner_optimizer.build(variables)

    def exclude_from_weight_decay(
        self,
        var_list: Iterable[Variable] | None = None,
        var_names: Iterable[str] | None = None,
    ) -> None:
        self.inner_optimizer.exclude_from_weight_decay(var_list, var_names)

    def finalize_variable_values(self, var_list: Iterable[Variable]) -> None:
        self.inner_optimizer.finalize_variable_values(var_list)

    # Scaling ---------------------------------------------------------------------

    def scale_loss(self, loss: Tensor) -> Tensor:
        """The loss to differentiate: times the factor."""
        scale = self.dynamic_scale.value
        return loss * scale if isinstance(loss, float) else loss * ops.cast(scale, ops.dtype(loss))

    def check_finite(self, grads: Sequence[Any]) -> Tensor:
        """Whether all elements of all gradients are finite; a bool scalar."""
        tensors = [ops.all(ops.isfinite(g)) for g in grads if g is not None]
        return ops.all(ops.stack(tensors))

    def apply(
        self, grads: Iterable[Any], trainable_variables: Iterable[Variable] | None = None
    ) -> None:
        """Divide gradients by the factor and update, unless one is not finite.

        Args:
            grads: one gradient of the scaled loss for each variable, or None.
            trainable_variables: the variables; those of `build` by default.
        """
        with name_scope(self.name, caller=self):  # In Keras, too, only what is built here has it.
            gradients, variables = self._pairs(grads, trainable_variables)
        if not gradients:
            return
        scale, good_steps = self.dynamic_scale.value, self.step_counter.value

        def update() -> None:
            self.inner_optimizer.apply(
                [
                    g if v.overwrite_with_gradient else g / ops.cast(scale, ops.dtype(g))
                    for g, v in zip(gradients, variables, strict=True)
                ],
                variables,
            )
            grown = ops.equal(good_steps + 1, self.dynamic_growth_steps)
            self.step_counter.assign(ops.where(grown, 0, good_steps + 1))
            self.dynamic_scale.assign(ops.where(grown, scale * 2.0, scale))

        def leave_out() -> None:
            self.step_counter.assign(ops.zeros_like(good_steps))
            self.dynamic_scale.assign(scale / 2.0)

        touched = [*self.variables, *variables]
        either(self.check_finite(gradients), update, leave_out, touched)
