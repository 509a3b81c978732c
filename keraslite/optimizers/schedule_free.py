"""Schedule-free AdamW: averaging in the place of a schedule of learning rates."""

from __future__ import annotations

from typing import Any, Unpack

from keraslite import ops
from keraslite.core.op import Tensor
from keraslite.core.variable import Variable
from keraslite.optimizers.adam import mix
from keraslite.optimizers.optimizer import Options
from keraslite.optimizers.rule import RuleOptimizer


class ScheduleFreeAdamW(RuleOptimizer):
    """AdamW whose steps go to a sequence `z`, with the mean `x` of that sequence.

    Gradients are taken at `y = (1 - beta_1) z + beta_1 x`, which is what variables hold; no
    schedule and no number of steps has to be chosen. Defazio et al.,
    https://arxiv.org/abs/2405.15682

    Args:
        learning_rate: a number, a schedule or a function.
        beta_1: weight of the mean in `y`, above 0.
        beta_2: the part of the average of squares that stays.
        epsilon: keeps divisions finite.
        warmup_steps: over how many updates the learning rate rises from 0.
        **options: see `Optimizer`.

    Raises:
        ValueError: if `beta_1` does not lie in (0, 1].

    Example:
        >>> model.compile(keras.optimizers.ScheduleFreeAdamW(warmup_steps=100), "mse")
    """

    def __init__(
        self,
        learning_rate: Any = 0.0025,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        warmup_steps: int = 0,
        **options: Unpack[Options],
    ) -> None:
        if not 0 < beta_1 <= 1:
            raise ValueError(
                f"ScheduleFreeAdamW: `beta_1` must lie in (0, 1]. Received: beta_1={beta_1}"
            )
        super().__init__(learning_rate, **options)
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.warmup_steps = warmup_steps

    def _make_slots(self, variables: list[Variable]) -> list[tuple[Any, ...]]:
        slots = []
        for variable in variables:
            start = _value_of(variable)
            names = ["momentum", "velocity"]
            columns = self.add_optimizer_variables([variable], names, [start, "zeros"])
            slots.append(tuple(column[0] for column in columns))
        return slots

    def prepare(self, learning_rate: Tensor) -> Any:
        step = self._step()
        if self.warmup_steps > 0:
            learning_rate = learning_rate * ops.minimum(step / self.warmup_steps, 1.0)
        return learning_rate, 1.0 - ops.power(self.beta_2, step), 1.0 / step

    def rule(self, gradient: Tensor, value: Tensor, prepared: Any, *slots: Tensor) -> Any:
        rate, correction, share = prepared
        z, squares = slots
        mean = (value - (1.0 - self.beta_1) * z) / self.beta_1
        squares = mix(squares, ops.square(gradient), self.beta_2)
        z = z - rate * gradient / (ops.sqrt(squares / correction) + self.epsilon)
        mean = mean + share * (z - mean)
        return (1.0 - self.beta_1) * z + self.beta_1 * mean, z, squares


def _value_of(variable: Variable) -> Any:
    return lambda shape, dtype: variable.value
