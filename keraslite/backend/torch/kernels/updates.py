"""Optimizer updates over lists of variable storages, in place, in few kernel calls."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch

from keraslite.backend.torch import tensors

_Storages = Sequence[torch.Tensor]


def _matching(gradients: _Storages) -> list[torch.Tensor]:
    """Dense gradients in the plain layout, on which the fused kernels insist."""
    return [g if g.is_contiguous() else g.contiguous() for g in gradients]


@torch.no_grad()
def fused_sgd(
    params: _Storages,
    grads: _Storages,
    momenta: _Storages | None,
    lr: Any,
    momentum: float = 0.0,
    nesterov: bool = False,
) -> None:
    steps = torch._foreach_mul(list(grads), lr)
    if momenta is None:
        torch._foreach_sub_(params, steps)
        return
    torch._foreach_mul_(momenta, momentum)
    torch._foreach_sub_(momenta, steps)
    if nesterov:
        torch._foreach_add_(params, momenta, alpha=momentum)
        torch._foreach_sub_(params, steps)
    else:
        torch._foreach_add_(params, momenta)


def _corrected(lr: Any, step: Any, beta_1: float, beta_2: float) -> Any:
    """`lr * sqrt(1 - beta_2**step) / (1 - beta_1**step)`, accurate for small steps too."""
    if not isinstance(step, torch.Tensor) or min(beta_1, beta_2) <= 0.0:
        return lr * (1 - beta_2**step) ** 0.5 / (1 - beta_1**step)
    logarithms = torch.tensor((math.log(beta_1), math.log(beta_2)), device=step.device)
    first, second = (-torch.expm1(step * logarithms)).unbind()
    return lr * second.sqrt() / first


def _adam_in_parts(
    params: _Storages,
    grads: _Storages,
    m: _Storages,
    v: _Storages,
    rate: Any,
    beta_1: float,
    beta_2: float,
    epsilon: float,
) -> None:
    torch._foreach_lerp_(m, grads, 1 - beta_1)
    torch._foreach_mul_(v, beta_2)
    torch._foreach_addcmul_(v, grads, grads, 1 - beta_2)
    scales = torch._foreach_sqrt(v)
    torch._foreach_add_(scales, epsilon)
    steps = torch._foreach_div(m, scales)
    torch._foreach_mul_(steps, rate)
    torch._foreach_sub_(params, steps)


@torch.no_grad()
def fused_adam(
    params: _Storages,
    grads: _Storages,
    m: _Storages,
    v: _Storages,
    step: Any,
    lr: Any,
    beta_1: float,
    beta_2: float,
    epsilon: float,
    weight_decay: float | None = None,
) -> None:
    """Adam with its bias correction in the learning rate, as in the paper's section 2.

    torch's kernel corrects by the step count; told a step of infinity it corrects
    nothing, and `epsilon` then means what it means here.
    """
    if weight_decay:
        torch._foreach_mul_(params, 1 - lr * weight_decay)
    rate = _corrected(lr, step, beta_1, beta_2)
    if tensors.is_tracing() and not tensors.is_recording():
        # The compiler has no view into the fused kernel, and fuses these by itself.
        _adam_in_parts(params, grads, m, v, rate, beta_1, beta_2, epsilon)
        return
    groups: dict[tuple[torch.dtype, torch.device], list[int]] = {}
    for i, p in enumerate(params):
        groups.setdefault((p.dtype, p.device), []).append(i)
    grads = _matching(grads)
    for (_, device), places in groups.items():
        forever = torch.full((), torch.inf, device=device)
        torch._fused_adam_(
            [params[i] for i in places],
            [grads[i] for i in places],
            [m[i] for i in places],
            [v[i] for i in places],
            [],
            [forever] * len(places),
            lr=rate,
            beta1=beta_1,
            beta2=beta_2,
            weight_decay=0.0,
            eps=epsilon,
            amsgrad=False,
            maximize=False,
        )
