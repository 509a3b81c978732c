"""Adafactor: adaptive steps with a memory that grows with the sides of a matrix."""

from __future__ import annotations

from typing import Any, Unpack

from keraslite import ops
from keraslite.core.op import Tensor
from keraslite.core.variable import Variable
from keraslite.optimizers.adam import mix
from keraslite.optimizers.optimizer import Options
from keraslite.optimizers.rule import RuleOptimizer


def _rms(x: Tensor) -> Tensor:
    return ops.sqrt(ops.mean(ops.square(x)))


class Adafactor(RuleOptimizer):
    """Steps divided by the root of average squares, of which only sums are kept.

    For a matrix the average of squared gradients is rebuilt from the means `r` of its rows and
    `c` of its columns: `v = r c / mean(r)`. Steps are clipped by their own size and go in
    proportion to the size of the variable. Shazeer and Stern, https://arxiv.org/abs/1804.04235

    Args:
        learning_rate: a number, a schedule or a function.
        beta_2_decay: the part of the averages that stays at update `t` is
            `1 - t**beta_2_decay`.
        epsilon_1: keeps squares above 0.
        epsilon_2: the least size that a variable is taken to have.
        clip_threshold: the greatest root mean square of a step.
        relative_step: whether the learning rate is at most `1 / sqrt(t)`.
        **options: see `Optimizer`.

    Example:
        >>> model.compile(keras.optimizers.Adafactor(1e-2), "mse")
    """

    elementwise = False

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_2_decay: float = -0.8,
        epsilon_1: float = 1e-30,
        epsilon_2: float = 1e-3,
        clip_threshold: float = 1.0,
        relative_step: bool = True,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(learning_rate, **options)
        self.beta_2_decay = beta_2_decay
        self.epsilon_1 = epsilon_1
        self.epsilon_2 = epsilon_2
        self.clip_threshold = clip_threshold
        self.relative_step = relative_step

    def _make_slots(self, variables: list[Variable]) -> list[tuple[Any, ...]]:
        return [() if v.overwrite_with_gradient else self._slots_of(v) for v in variables]

    def _slots_of(self, variable: Variable) -> tuple[Variable, ...]:
        shape = variable.shape
        if len(shape) < 2:
            # Files have a place for rows and columns here too.
            unused = [self.add_variable((), dtype="int32", name=variable.name) for _ in range(2)]
        else:
            unused = [
                self.add_variable(sides, dtype=variable.dtype, name=variable.name)
                for sides in (shape[:-1], (*shape[:-2], shape[-1]))
            ]
        return *unused, self.add_variable_from_reference(variable, "velocity")

    def prepare(self, learning_rate: Tensor) -> Any:
        step = self._step()
        rate = ops.minimum(learning_rate, ops.rsqrt(step)) if self.relative_step else learning_rate
        return rate, 1.0 - ops.power(step, self.beta_2_decay)

    def rule(self, gradient: Tensor, value: Tensor, prepared: Any, *slots: Tensor) -> Any:
        rows, columns, average = slots
        rate, stays = prepared
        squares = ops.square(gradient) + self.epsilon_1
        if len(gradient.shape) < 2:
            average = mix(average, squares, stays)
        else:
            rows = mix(rows, ops.mean(squares, axis=-1), stays)
            columns = mix(columns, ops.mean(squares, axis=-2), stays)
            shares = rows / ops.mean(rows, axis=-1, keepdims=True)
            average = ops.expand_dims(shares, -1) * ops.expand_dims(columns, -2)
        step = gradient * ops.rsqrt(average)
        step = step / ops.maximum(_rms(step) / self.clip_threshold, 1.0)
        size = ops.maximum(_rms(value), self.epsilon_2)
        return value - rate * size * step, rows, columns, average
