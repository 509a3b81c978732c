"""Optimizers with a learning rate of its own for each weight."""

from __future__ import annotations

from typing import Any, Unpack

from keraslite import initializers, ops
from keraslite.core.op import Tensor
from keraslite.optimizers.optimizer import Options
from keraslite.optimizers.rule import RuleOptimizer


class RMSprop(RuleOptimizer):
    """Steps divided by the root of a moving average of squared gradients.

    Hinton, lecture 6 of https://www.cs.toronto.edu/~tijmen/csc321/slides/lecture_slides_lec6.pdf

    Args:
        learning_rate: a number, a schedule or a function.
        rho: the part of the average that stays.
        momentum: the part of the last step that is kept.
        epsilon: keeps divisions finite.
        centered: whether to divide by the spread of gradients in the place of their size.
        **options: see `Optimizer`.
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        rho: float = 0.9,
        momentum: float = 0.0,
        epsilon: float = 1e-7,
        centered: bool = False,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(learning_rate, **options)
        self.rho = rho
        self.momentum = momentum
        self.epsilon = epsilon
        self.centered = centered

    def slot_groups(self) -> list[tuple[str, ...]]:
        groups = [("velocity",)]
        if self.momentum > 0:
            groups.append(("momentum",))
        if self.centered:
            groups.append(("average_gradient",))
        return groups

    def rule(self, gradient: Tensor, value: Tensor, prepared: Tensor, *slots: Tensor) -> Any:
        squares = spread = self.rho * slots[0] + (1.0 - self.rho) * ops.square(gradient)
        new = [squares]
        if self.centered:
            mean = self.rho * slots[-1] + (1.0 - self.rho) * gradient
            spread = squares - ops.square(mean)
        step = prepared * gradient * ops.rsqrt(spread + self.epsilon)
        if self.momentum > 0:
            step = self.momentum * slots[1] + step
            new.append(step)
        if self.centered:
            new.append(mean)
        return value - step, *new


class Adagrad(RuleOptimizer):
    """Steps divided by the root of the sum of all squared gradients.

    Duchi et al., https://jmlr.org/papers/v12/duchi11a.html

    Args:
        learning_rate: a number, a schedule or a function.
        initial_accumulator_value: what the sums start with.
        epsilon: keeps divisions finite.
        **options: see `Optimizer`.
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        initial_accumulator_value: float = 0.1,
        epsilon: float = 1e-7,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(learning_rate, **options)
        self.initial_accumulator_value = initial_accumulator_value
        self.epsilon = epsilon

    def slot_groups(self) -> list[tuple[str, ...]]:
        return [("accumulator",)]

    def slot_initializer(self) -> Any:
        return initializers.Constant(self.initial_accumulator_value)

    def rule(self, gradient: Tensor, value: Tensor, prepared: Tensor, *slots: Tensor) -> Any:
        total = slots[0] + ops.square(gradient)
        return value - prepared * gradient * ops.rsqrt(total + self.epsilon), total


class Adadelta(RuleOptimizer):
    """Steps in proportion to the size of recent steps over that of recent gradients.

    Zeiler, https://arxiv.org/abs/1212.5701

    Args:
        learning_rate: a number, a schedule or a function; 1.0 is the paper's.
        rho: the part of the averages that stays.
        epsilon: keeps divisions finite, and the first steps above 0.
        **options: see `Optimizer`.
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        rho: float = 0.95,
        epsilon: float = 1e-7,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(learning_rate, **options)
        self.rho = rho
        self.epsilon = epsilon

    def slot_groups(self) -> list[tuple[str, ...]]:
        return [("accumulated_grad", "accumulated_delta_var")]

    def rule(self, gradient: Tensor, value: Tensor, prepared: Tensor, *slots: Tensor) -> Any:
        squares = self.rho * slots[0] + (1.0 - self.rho) * ops.square(gradient)
        ratio = (slots[1] + self.epsilon) / (squares + self.epsilon)
        step = ops.sqrt(ratio) * gradient
        return (
            value - prepared * step,
            squares,
            self.rho * slots[1] + (1.0 - self.rho) * ops.square(step),
        )


class Ftrl(RuleOptimizer):
    """Follow the regularized leader: keeps most weights of a wide linear model at 0.

    McMahan et al., https://dl.acm.org/doi/10.1145/2487575.2488200

    Args:
        learning_rate: a number, a schedule or a function.
        learning_rate_power: how steps shrink with the sum of squares, at most 0.
        initial_accumulator_value: what the sums of squares start with.
        l1_regularization_strength: pull to exactly 0.
        l2_regularization_strength: pull towards 0.
        l2_shrinkage_regularization_strength: pull towards 0 that acts on gradients only.
        beta: added to the root of the sums.
        **options: see `Optimizer`.

    Raises:
        ValueError: if a strength is negative or `learning_rate_power` positive.
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        learning_rate_power: float = -0.5,
        initial_accumulator_value: float = 0.1,
        l1_regularization_strength: float = 0.0,
        l2_regularization_strength: float = 0.0,
        l2_shrinkage_regularization_strength: float = 0.0,
        beta: float = 0.0,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(learning_rate, **options)
        self.learning_rate_power = learning_rate_power
        self.initial_accumulator_value = initial_accumulator_value
        self.l1_regularization_strength = l1_regularization_strength
        self.l2_regularization_strength = l2_regularization_strength
        self.l2_shrinkage_regularization_strength = l2_shrinkage_regularization_strength
        self.beta = beta
        if learning_rate_power > 0:
            raise ValueError(
                f"Ftrl: `learning_rate_power` must be at most 0. Received: {learning_rate_power}"
            )
        for name in (
            "initial_accumulator_value",
            "l1_regularization_strength",
            "l2_regularization_strength",
            "l2_shrinkage_regularization_strength",
        ):
            if getattr(self, name) < 0:
                raise ValueError(f"Ftrl: `{name}` must be at least 0. Received: {vars(self)[name]}")

    def slot_groups(self) -> list[tuple[str, ...]]:
        return [("accumulator", "linear")]

    def slot_initializer(self) -> Any:
        return [initializers.Constant(self.initial_accumulator_value), "zeros"]

    def rule(self, gradient: Tensor, value: Tensor, prepared: Tensor, *slots: Tensor) -> Any:
        total, linear = slots
        power = -self.learning_rate_power
        new_total = total + ops.square(gradient)
        shrunk = gradient + 2.0 * self.l2_shrinkage_regularization_strength * value
        before, after = ops.power(total, power), ops.power(new_total, power)
        linear = linear + shrunk - (after - before) / prepared * value
        l2 = self.l2_regularization_strength + self.beta / (2.0 * prepared)
        curvature = after / prepared + 2.0 * l2
        l1 = self.l1_regularization_strength
        return (ops.clip(linear, -l1, l1) - linear) / curvature, new_total, linear
