"""Adam and its kin: steps scaled by moving averages of gradients and of their squares."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Unpack

from keraslite import ops
from keraslite.core.op import Tensor
from keraslite.core.variable import Variable
from keraslite.optimizers.optimizer import Options
from keraslite.optimizers.rule import RuleOptimizer


def mix(average: Tensor, new: Tensor, share: float) -> Tensor:
    """A moving average, of which `share` stays."""
    return average + (new - average) * (1.0 - share)


class _TwoMoments(RuleOptimizer):
    """The constructor and the slots that Adam's kin have in common."""

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(learning_rate, **options)
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon

    def slot_groups(self) -> list[tuple[str, ...]]:
        return [("momentum", "velocity")]

    def _corrections(self) -> tuple[Tensor, Tensor]:
        """By what to divide the two averages, which start at 0."""
        step = self._step()
        return 1.0 - ops.power(self.beta_1, step), 1.0 - ops.power(self.beta_2, step)


class Adam(_TwoMoments):
    """Steps scaled by the mean and the spread of recent gradients.

    `m` and `v` are moving averages of `g` and `g**2`;
    `w -= learning_rate * sqrt(1 - beta_2**t) / (1 - beta_1**t) * m / (sqrt(v) + epsilon)`.
    Kingma and Ba, https://arxiv.org/abs/1412.6980; AMSGrad: https://arxiv.org/abs/1904.09237

    Args:
        learning_rate: a number, a schedule or a function.
        beta_1: the part of the average of gradients that stays.
        beta_2: the part of the average of squares that stays.
        epsilon: keeps divisions finite.
        amsgrad: whether to scale by the greatest average of squares so far.
        **options: see `Optimizer`.

    Example:
        >>> model.compile(keras.optimizers.Adam(1e-3), "mse")
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(learning_rate, beta_1, beta_2, epsilon, **options)
        self.amsgrad = amsgrad

    def slot_groups(self) -> list[tuple[str, ...]]:
        return (
            [*super().slot_groups(), ("velocity_hat",)] if self.amsgrad else super().slot_groups()
        )

    def prepare(self, learning_rate: Tensor) -> Tensor:
        first, second = self._corrections()
        return learning_rate * ops.sqrt(second) / first

    def rule(self, gradient: Tensor, value: Tensor, prepared: Tensor, *slots: Tensor) -> Any:
        m = mix(slots[0], gradient, self.beta_1)
        v = mix(slots[1], ops.square(gradient), self.beta_2)
        greatest = (ops.maximum(slots[2], v),) if self.amsgrad else ()
        spread = ops.sqrt(greatest[0] if greatest else v) + self.epsilon
        return value - prepared * m / spread, m, v, *greatest

    def _fused_update(
        self, gradients: list[Tensor], variables: list[Variable], learning_rate: Tensor
    ) -> bool:
        kernel = None if self.amsgrad else self._fused_kernel("fused_adam", variables)
        if kernel is None:
            return False
        decay, *others = {self._decay_of(v) for v in variables}
        if others:
            self._decay_weights(variables, learning_rate)
            decay = None
        kernel(
            [v._storage for v in variables],
            gradients,
            *self._storages_of_slots(variables),
            self._updates_done() + 1,
            learning_rate,
            self.beta_1,
            self.beta_2,
            self.epsilon,
            decay,
        )
        return True


class AdamW(Adam):
    """Adam with decoupled weight decay: see `Adam`.

    Loshchilov and Hutter, https://arxiv.org/abs/1711.05101

    Args:
        learning_rate: a number, a schedule or a function.
        weight_decay: the fraction, times the learning rate, by which variables shrink.
        beta_1, beta_2, epsilon, amsgrad: see `Adam`.
        **options: see `Optimizer`.

    Raises:
        ValueError: if `weight_decay` is None.
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        weight_decay: float = 0.004,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        **options: Unpack[Options],
    ) -> None:
        if weight_decay is None:
            raise ValueError("AdamW: `weight_decay` must be a number. Received: None. Use Adam.")
        super().__init__(
            learning_rate, beta_1, beta_2, epsilon, amsgrad, weight_decay=weight_decay, **options
        )


class Adamax(_TwoMoments):
    """Adam with the greatest recent gradient in the place of the average of squares.

    `u = max(beta_2 * u, |g|)`; `w -= learning_rate / (1 - beta_1**t) * m / (u + epsilon)`.
    Kingma and Ba, section 7, https://arxiv.org/abs/1412.6980

    Args:
        learning_rate: a number, a schedule or a function.
        beta_1: the part of the average of gradients that stays.
        beta_2: the part of the greatest gradient that stays.
        epsilon: keeps divisions finite.
        **options: see `Optimizer`.
    """

    def slot_groups(self) -> list[tuple[str, ...]]:
        return [("momentum", "norm")]

    def prepare(self, learning_rate: Tensor) -> Tensor:
        return learning_rate / self._corrections()[0]

    def rule(self, gradient: Tensor, value: Tensor, prepared: Tensor, *slots: Tensor) -> Any:
        m = mix(slots[0], gradient, self.beta_1)
        u = ops.maximum(self.beta_2 * slots[1], ops.absolute(gradient))
        return value - prepared * m / (u + self.epsilon), m, u


class Nadam(_TwoMoments):
    """Adam with Nesterov's look-ahead, and a momentum that grows to `beta_1`.

    Dozat, https://openreview.net/forum?id=OM0jvwB8jIp57ZJjtNEZ

    Args:
        learning_rate: a number, a schedule or a function.
        beta_1: the part of the average of gradients that stays in the end.
        beta_2: the part of the average of squares that stays.
        epsilon: keeps divisions finite.
        **options: see `Optimizer`.
    """

    def build(self, variables: Iterable[Variable]) -> None:
        if not self.built:
            super().build(variables)
            # The product of all momenta so far.
            self._u_product = self.add_variable((), "ones", name="u_product")

    def prepare(self, learning_rate: Tensor) -> Any:
        step = self._step()
        now, then = self._momentum_at(step), self._momentum_at(step + 1.0)
        # Stored when all variables are updated: groups of them have rates of their own.
        product = self._product = self._u_product.value * now
        ahead = learning_rate * then / (1.0 - product * then)
        direct = learning_rate * (1.0 - now) / (1.0 - product)
        return ahead, direct, self._corrections()[1]

    def _finish_update(self) -> None:
        self._u_product.assign(self._product)
        del self._product  # It may belong to a trace.

    def _momentum_at(self, step: Tensor) -> Tensor:
        return self.beta_1 * (1.0 - 0.5 * ops.power(0.96, step))

    def rule(self, gradient: Tensor, value: Tensor, prepared: Any, *slots: Tensor) -> Any:
        ahead, direct, correction = prepared
        m = mix(slots[0], gradient, self.beta_1)
        v = mix(slots[1], ops.square(gradient), self.beta_2)
        spread = ops.sqrt(v / correction) + self.epsilon
        return value - (ahead * m + direct * gradient) / spread, m, v


class Lamb(_TwoMoments):
    """Adam with steps in proportion to the size of each variable, for large batches.

    You et al., https://arxiv.org/abs/1904.00962

    Args:
        learning_rate: a number, a schedule or a function.
        beta_1: the part of the average of gradients that stays.
        beta_2: the part of the average of squares that stays.
        epsilon: keeps divisions finite.
        **options: see `Optimizer`.
    """

    elementwise = False

    def prepare(self, learning_rate: Tensor) -> Any:
        return learning_rate, *self._corrections()

    def rule(self, gradient: Tensor, value: Tensor, prepared: Any, *slots: Tensor) -> Any:
        rate, first, second = prepared
        m = mix(slots[0], gradient, self.beta_1)
        v = mix(slots[1], ops.square(gradient), self.beta_2)
        step = (m / first) / (ops.sqrt(v / second) + self.epsilon)
        size, length = (ops.sqrt(ops.sum(ops.square(x))) for x in (value, step))
        both = ops.logical_and(size > 0, length > 0)
        trust = ops.where(both, size / ops.where(both, length, 1.0), 1.0)
        return value - rate * ops.cast(trust, ops.dtype(value)) * step, m, v
