"""Muon: steps in which all directions of a matrix have the same size."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from keraslite import ops
from keraslite.core.errors import describe
from keraslite.core.op import Tensor
from keraslite.core.variable import Variable
from keraslite.optimizers.adam import mix
from keraslite.optimizers.optimizer import Options
from keraslite.optimizers.rule import RuleOptimizer


class Muon(RuleOptimizer):
    """Momentum made orthogonal for matrices; Adam for all else.

    The step of a matrix is its momentum with all singular values brought near to 1 by a few
    Newton-Schulz iterations. Vectors, scalars, kernels of convolutions, embeddings and what
    `exclude_layers` names follow Adam. Jordan et al.,
    https://kellerjordan.github.io/posts/muon; the size of steps:
    https://arxiv.org/abs/2502.16982

    Args:
        learning_rate: a number, a schedule or a function.
        adam_beta_1: Adam's part of the average of gradients that stays.
        adam_beta_2: Adam's part of the average of squares that stays.
        adam_weight_decay: weight decay of the variables that follow Adam.
        epsilon: keeps divisions finite.
        weight_decay: weight decay of the matrices.
        exclude_layers: regular expressions; variables whose path contains one follow Adam.
        exclude_embeddings: whether variables with "embedding" in their path follow Adam.
        muon_a, muon_b, muon_c: coefficients of an iteration
            `x <- a x + (b (x x') + c (x x')**2) x`.
        adam_lr_ratio: Adam's learning rate over that of matrices.
        momentum: the part of the last step that is kept.
        ns_steps: how many iterations.
        nesterov: whether to look ahead.
        rms_rate: the root mean square of a step over the learning rate, for a full matrix;
            None leaves the size as it comes.
        **options: see `Optimizer`.

    Example:
        >>> model.compile(keras.optimizers.Muon(0.01, exclude_layers=["head"]), "mse")
    """

    elementwise = False
    _patterns = ("groups", "exclude_layers")

    def __init__(
        self,
        learning_rate: Any = 0.001,
        adam_beta_1: float = 0.9,
        adam_beta_2: float = 0.999,
        adam_weight_decay: float | None = 0.004,
        epsilon: float = 1e-7,
        weight_decay: float | None = 0.004,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
        exclude_layers: Sequence[str] | None = None,
        exclude_embeddings: bool = True,
        muon_a: float = 3.4445,
        muon_b: float = -4.775,
        muon_c: float = 2.0315,
        adam_lr_ratio: float = 1,
        momentum: float = 0.95,
        ns_steps: int = 5,
        nesterov: bool = True,
        rms_rate: float | None = 0.2,
        **kwargs: Any,
    ) -> None:
        options: Options = {
            "weight_decay": weight_decay,
            "clipnorm": clipnorm,
            "clipvalue": clipvalue,
            "global_clipnorm": global_clipnorm,
            "use_ema": use_ema,
            "ema_momentum": ema_momentum,
            "ema_overwrite_frequency": ema_overwrite_frequency,
            "loss_scale_factor": loss_scale_factor,
            "gradient_accumulation_steps": gradient_accumulation_steps,
            "name": name,
        }
        super().__init__(learning_rate, **options, **kwargs)
        self.adam_beta_1 = adam_beta_1
        self.adam_beta_2 = adam_beta_2
        self.adam_weight_decay = adam_weight_decay
        self.epsilon = epsilon
        self.exclude_layers = list(exclude_layers or ())
        self.exclude_embeddings = exclude_embeddings
        self.muon_a = muon_a
        self.muon_b = muon_b
        self.muon_c = muon_c
        self.adam_lr_ratio = adam_lr_ratio
        self.momentum = momentum
        self.ns_steps = ns_steps
        self.nesterov = nesterov
        self.rms_rate = rms_rate

    def _follows_adam(self, variable: Variable) -> bool:
        path = variable.path
        return (
            len(variable.shape) != 2
            or (self.exclude_embeddings and "embedding" in path.lower())
            or any(re.search(pattern, path) for pattern in self.exclude_layers)
        )

    def _make_slots(self, variables: list[Variable]) -> list[tuple[Any, ...]]:
        slots = []
        for variable in variables:
            names = ["momentum", "velocity"] if self._follows_adam(variable) else ["momentum"]
            columns = self.add_optimizer_variables([variable], names)
            slots.append(tuple(column[0] for column in columns))
        return slots

    def _usual_decay_of(self, variable: Variable) -> float | None:
        return self.adam_weight_decay if self._follows_adam(variable) else self.weight_decay

    def prepare(self, learning_rate: Tensor) -> Any:
        step = self._step()
        first, second = (1.0 - ops.power(b, step) for b in (self.adam_beta_1, self.adam_beta_2))
        return learning_rate, learning_rate * self.adam_lr_ratio * ops.sqrt(second) / first

    def rule(self, gradient: Tensor, value: Tensor, prepared: Any, *slots: Tensor) -> Any:
        rate, adam_rate = prepared
        if len(slots) == 2:
            m = mix(slots[0], gradient, self.adam_beta_1)
            v = mix(slots[1], ops.square(gradient), self.adam_beta_2)
            return value - adam_rate * m / (ops.sqrt(v) + self.epsilon), m, v
        m = self.momentum * slots[0] + gradient
        ahead = gradient + self.momentum * m if self.nesterov else m
        step = self.zeropower_via_newtonschulz5(ahead, self.ns_steps)
        return value - rate * self.lr_adjust(step), m

    def lr_adjust(self, x: Tensor) -> Tensor:
        """A step whose root mean square is `rms_rate`, from one with singular values of 1."""
        if self.rms_rate is None:
            return x
        return x * (self.rms_rate * max(x.shape) ** 0.5)

    def transpose_last_axis(self, X: Tensor) -> Tensor:  # noqa: N803 - Keras's name
        """The transposed matrix, or a stack of them."""
        return ops.swapaxes(X, -1, -2)

    def zeropower_via_newtonschulz5(self, x: Tensor, steps: int) -> Tensor:
        """The matrix `u v'` near to `x = u s v'`, by iterations of degree 5.

        Args:
            x: a matrix, or a stack of them.
            steps: how many iterations.

        Raises:
            ValueError: for what is no matrix.
        """
        if len(x.shape) < 2:
            raise ValueError(
                f"Muon {self.name!r}: expected a matrix, or a stack of them. Received: "
                f"{describe(x)}"
            )
        # The products are of the size of the shorter side.
        tall = x.shape[-2] > x.shape[-1]
        x = self.transpose_last_axis(x) if tall else x
        size = ops.sqrt(ops.sum(ops.square(x), axis=(-2, -1), keepdims=True))
        x = x / (size + self.epsilon)
        for _ in range(steps):
            gram = ops.matmul(x, self.transpose_last_axis(x))
            mixed = self.muon_b * gram + self.muon_c * ops.matmul(gram, gram)
            x = self.muon_a * x + ops.matmul(mixed, x)
        return self.transpose_last_axis(x) if tall else x
