"""Stateless samplers: a seed is a pair of integers in a tensor.

Numbers come from operators registered with torch, so that a compiled step draws the very
numbers that an eager one draws.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from typing import Any

import torch

from keraslite.backend.torch import tensors
from keraslite.backend.torch.tensors import DTYPES

_GOLDEN = 0x9E3779B97F4A7C15
_local = threading.local()


def _generator(seed: torch.Tensor, device: torch.device) -> torch.Generator:
    """This thread's generator for `device`, seeded.

    The CPU's generator looks at 32 bits only: with the multiplier odd, consecutive
    seeds of one stream never meet.
    """
    made = _local.__dict__
    generator = made.get(device)
    if generator is None:
        generator = made[device] = torch.Generator(device)
    stream, step = seed.tolist()
    return generator.manual_seed((step + stream * _GOLDEN) & 0xFFFFFFFFFFFFFFFF)


_library = torch.library.Library("keraslite", "DEF")


def _operator(
    name: str, parameters: str, draw: Callable[..., torch.Tensor], fake: Callable[..., torch.Tensor]
) -> Callable[..., torch.Tensor]:
    """`draw`, as an operator of torch when a trace must record it."""
    _library.define(f"{name}({parameters}) -> Tensor")
    _library.impl(name, draw, "CompositeExplicitAutograd")
    torch.library.register_fake(f"keraslite::{name}", fake, lib=_library)
    operator = getattr(torch.ops.keraslite, name).default

    def call(*args: Any) -> torch.Tensor:
        # The dispatcher costs half as much again as the draw of a small tensor.
        return (operator if tensors.is_tracing() else draw)(*args)

    return call


def _filled(
    name: str, fill: Callable[[torch.Tensor, torch.Generator], torch.Tensor]
) -> Callable[..., torch.Tensor]:
    """`(seed, shape, dtype) -> Tensor` for a sampler without parameters."""

    def empty(
        seed: torch.Tensor, shape: Sequence[int], dtype: torch.dtype, device: torch.device
    ) -> torch.Tensor:
        return torch.empty(shape, dtype=dtype, device=device)

    def draw(
        seed: torch.Tensor, shape: Sequence[int], dtype: torch.dtype, device: torch.device
    ) -> torch.Tensor:
        return fill(empty(seed, shape, dtype, device), _generator(seed, device))

    signature = "Tensor seed, SymInt[] shape, ScalarType dtype, Device device"
    call = _operator(name, signature, draw, empty)
    return lambda seed, shape, dtype: call(seed, shape, dtype, tensors.device())


_uniform = _filled("uniform", lambda x, generator: x.uniform_(generator=generator))
_normal = _filled("normal", lambda x, generator: x.normal_(generator=generator))
# 62 random bits.
_bits = _filled("bits", lambda x, generator: x.random_(0, 2**62, generator=generator))


def _parametric(name: str, native: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
    """The kernel `(shape, *parameters, dtype, seed)` of a sampler with parameters."""

    def draw(seed: torch.Tensor, parameters: list[torch.Tensor]) -> torch.Tensor:
        return native(*parameters, generator=_generator(seed, parameters[0].device))

    def fake(seed: torch.Tensor, parameters: list[torch.Tensor]) -> torch.Tensor:
        return torch.empty_like(parameters[0], memory_format=torch.contiguous_format)

    call = _operator(name, "Tensor seed, Tensor[] parameters", draw, fake)

    def kernel(shape: Sequence[int], *rest: Any) -> torch.Tensor:
        *given, dtype, seed = rest
        wide = torch.float64 if dtype == "float64" else torch.float32
        device = tensors.device()
        parameters = [
            torch.as_tensor(p, device=device).to(wide).broadcast_to(tuple(shape)) for p in given
        ]
        return call(seed, parameters).to(DTYPES[dtype])

    return kernel


def random_uniform(
    shape: Sequence[int], minval: Any, maxval: Any, dtype: str, seed: torch.Tensor
) -> torch.Tensor:
    x = _uniform(seed, shape, DTYPES[dtype])
    if type(minval) is float and type(maxval) is float and (minval, maxval) == (0.0, 1.0):
        return x
    return x * (maxval - minval) + minval


def random_normal(
    shape: Sequence[int], mean: Any, stddev: Any, dtype: str, seed: torch.Tensor
) -> torch.Tensor:
    return _normal(seed, shape, DTYPES[dtype]) * stddev + mean


def random_truncated_normal(
    shape: Sequence[int], mean: Any, stddev: Any, dtype: str, seed: torch.Tensor
) -> torch.Tensor:
    native = DTYPES[dtype]
    wide = torch.float64 if native is torch.float64 else torch.float32
    # By inversion: uniform between the two bounds' probabilities.
    edge = math.erf(2 / math.sqrt(2))
    x = torch.erfinv((_uniform(seed, shape, wide) * 2 - 1) * edge) * math.sqrt(2)
    return (x.clamp(-2.0, 2.0) * stddev + mean).to(native)


def random_randint(
    shape: Sequence[int], minval: Any, maxval: Any, dtype: str, seed: torch.Tensor
) -> torch.Tensor:
    return (torch.remainder(_bits(seed, shape, torch.int64), maxval - minval) + minval).to(
        DTYPES[dtype]
    )


def random_categorical(
    logits: torch.Tensor, num_samples: int, dtype: str, seed: torch.Tensor
) -> torch.Tensor:
    # Gumbel-max: https://arxiv.org/abs/1411.0030
    wide = torch.float64 if logits.dtype is torch.float64 else torch.float32
    noise = _uniform(seed, (logits.shape[0], num_samples, logits.shape[1]), wide)
    gumbel = -torch.log(-torch.log(noise.clamp_min(torch.finfo(wide).tiny)))
    return torch.argmax(logits.to(wide).unsqueeze(1) + gumbel, dim=-1).to(DTYPES[dtype])


def random_shuffle(x: torch.Tensor, axis: int, seed: torch.Tensor) -> torch.Tensor:
    keys = _bits(seed, (x.shape[axis],), torch.int64)
    return torch.index_select(x, axis, torch.argsort(keys).to(x.device))


def _beta(alpha: torch.Tensor, beta: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    one, other = (torch._standard_gamma(p, generator=generator) for p in (alpha, beta))
    return one / (one + other)


random_gamma = _parametric("gamma", torch._standard_gamma)
random_gamma_slope = torch._standard_gamma_grad
random_poisson = _parametric("poisson", torch.poisson)
random_binomial = _parametric("binomial", torch.binomial)
random_beta = _parametric("beta", _beta)
