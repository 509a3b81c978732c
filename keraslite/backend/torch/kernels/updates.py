"""Optimizer updates over lists of variable storages, in place, in few kernel calls."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Self

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


# Any rule for single tensors ---------------------------------------------------------


def _reversed_sub(x: Any, other: Any) -> Any:
    return torch._foreach_add(torch._foreach_neg(x), other)


def _reversed_div(x: Any, other: Any) -> Any:
    return torch._foreach_mul(torch._foreach_reciprocal(x), other)


def _sub(x: Any, other: Any) -> Any:
    if isinstance(other, torch.Tensor):  # There is none that takes one tensor from all.
        return torch._foreach_add(x, -other)
    return torch._foreach_sub(x, other)


#: Names of functions of tensors, without underscores, to those of lists of them.
_OF_LISTS: dict[str, Callable[..., Any]] = {
    "abs": torch._foreach_abs,
    "add": torch._foreach_add,
    "div": torch._foreach_div,
    "mul": torch._foreach_mul,
    "multiply": torch._foreach_mul,
    "neg": torch._foreach_neg,
    "radd": torch._foreach_add,
    "rdiv": _reversed_div,
    "rmul": torch._foreach_mul,
    "rsqrt": torch._foreach_rsqrt,
    "rsub": _reversed_sub,
    "rtruediv": _reversed_div,
    "sqrt": torch._foreach_sqrt,
    "square": lambda x: torch._foreach_mul(x, x),
    "sub": _sub,
    "subtract": _sub,
    "true_divide": torch._foreach_div,
    "truediv": torch._foreach_div,
}
_SWAPPED = {"sub": "rsub", "subtract": "rsub", "div": "rdiv", "true_divide": "rdiv", "rsub": "sub"}


class _Together(torch.Tensor):
    """Several tensors as one operand: a function of it is one call for all, where there is one."""

    tensors: list[torch.Tensor]

    def __new__(cls, tensors: Sequence[torch.Tensor]) -> Self:
        first = tensors[0]
        self = cls._make_wrapper_subclass(cls, (), dtype=first.dtype, device=first.device)
        self.tensors = list(tensors)
        return self

    @classmethod
    def __torch_function__(
        cls, func: Any, types: Any, args: tuple = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        name = func.__name__.strip("_")
        if name == "get":  # an attribute
            with torch._C.DisableTorchFunctionSubclass():
                return func(*args)
        if not isinstance(args[0], cls):
            name = _SWAPPED.get(name, name)
            if name in _OF_LISTS:
                args = (*args[1::-1], *args[2:])
        of_lists = None if kwargs else _OF_LISTS.get(name)
        if of_lists is not None:
            return cls(of_lists(*(x.tensors if isinstance(x, cls) else x for x in args)))
        number = next(len(x.tensors) for x in args if isinstance(x, cls))
        found = [
            func(*(x.tensors[i] if isinstance(x, cls) else x for x in args), **(kwargs or {}))
            for i in range(number)
        ]
        return cls(found) if isinstance(found[0], torch.Tensor) else found[0]

    @classmethod
    def __torch_dispatch__(
        cls, func: Any, types: Any, args: tuple = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        raise NotImplementedError(f"{func} of several tensors together")


@torch.no_grad()
def fused_rule(
    rule: Callable[..., Any], gradients: _Storages, *columns: Sequence[torch.Tensor]
) -> None:
    """Give the storages of `columns` the values `rule(gradient, *values)`, all at once.

    Args:
        rule: an elementwise function, of the values of one row, that returns the new ones.
        gradients: one for each row.
        columns: storages, one of each column for each row.
    """
    found = rule(*(_Together(column) for column in (gradients, *columns)))
    for column, new in zip(columns, found if len(columns) > 1 else (found,), strict=True):
        torch._foreach_copy_(column, new.tensors)
