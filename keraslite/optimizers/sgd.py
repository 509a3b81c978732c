"""Stochastic gradient descent, and the signs of it."""

from __future__ import annotations

from typing import Any, Unpack

from keraslite import ops
from keraslite.core.op import Tensor
from keraslite.core.variable import Variable
from keraslite.optimizers.optimizer import Options
from keraslite.optimizers.rule import RuleOptimizer


class SGD(RuleOptimizer):
    """Stochastic gradient descent, with momentum where asked for.

    `v = momentum * v - learning_rate * g`, then `w += v`; Nesterov's variant
    `w += momentum * v - learning_rate * g`. Sutskever et al.,
    https://proceedings.mlr.press/v28/sutskever13.html

    Args:
        learning_rate: a number, a schedule or a function.
        momentum: the part of the last step that is kept, from 0 to 1.
        nesterov: whether to look ahead.
        **options: see `Optimizer`.

    Raises:
        ValueError: if `momentum` does not lie in [0, 1].

    Example:
        >>> model.compile(keras.optimizers.SGD(0.1, momentum=0.9), "mse")
    """

    def __init__(
        self,
        learning_rate: Any = 0.01,
        momentum: float = 0.0,
        nesterov: bool = False,
        **options: Unpack[Options],
    ) -> None:
        if not isinstance(momentum, (int, float)) or not 0 <= momentum <= 1:
            raise ValueError(f"SGD: `momentum` must lie in [0, 1]. Received: momentum={momentum}")
        super().__init__(learning_rate, **options)
        self.momentum = momentum
        self.nesterov = nesterov

    def slot_groups(self) -> list[tuple[str, ...]]:
        return [("momentum",)] if self.momentum else []

    def rule(self, gradient: Tensor, value: Tensor, prepared: Tensor, *slots: Tensor) -> Any:
        step = prepared * gradient
        if not slots:
            return value - step
        velocity = self.momentum * slots[0] - step
        moved = value + (self.momentum * velocity - step if self.nesterov else velocity)
        return moved, velocity

    def _fused_update(
        self, gradients: list[Tensor], variables: list[Variable], learning_rate: Tensor
    ) -> bool:
        kernel = self._fused_kernel("fused_sgd", variables)
        if kernel is None:
            return False
        self._decay_weights(variables, learning_rate)
        momenta = self._storages_of_slots(variables)[0] if self.momentum else None
        storages = [v._storage for v in variables]
        kernel(storages, gradients, momenta, learning_rate, self.momentum, self.nesterov)
        return True


class Lion(RuleOptimizer):
    """Steps of equal size in every direction: the sign of a moving average of gradients.

    `w -= learning_rate * sign(beta_1 * m + (1 - beta_1) * g)`, then
    `m = beta_2 * m + (1 - beta_2) * g`. Needs a learning rate some 3 to 10 times smaller than
    Adam. Chen et al., https://arxiv.org/abs/2302.06675

    Args:
        learning_rate: a number, a schedule or a function.
        beta_1: weight of the average in a step.
        beta_2: the part of the average that stays.
        **options: see `Optimizer`.

    Raises:
        ValueError: if `beta_1` does not lie in (0, 1].
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.99,
        **options: Unpack[Options],
    ) -> None:
        if not 0 < beta_1 <= 1:
            raise ValueError(f"Lion: `beta_1` must lie in (0, 1]. Received: beta_1={beta_1}")
        super().__init__(learning_rate, **options)
        self.beta_1 = beta_1
        self.beta_2 = beta_2

    def slot_groups(self) -> list[tuple[str, ...]]:
        return [("momentum",)]

    def rule(self, gradient: Tensor, value: Tensor, prepared: Tensor, *slots: Tensor) -> Any:
        (average,) = slots
        direction = ops.sign(self.beta_1 * average + (1.0 - self.beta_1) * gradient)
        return value - prepared * direction, self.beta_2 * average + (1.0 - self.beta_2) * gradient
