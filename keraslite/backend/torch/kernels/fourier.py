"""Complex numbers, Fourier transforms and bits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from keraslite.backend.torch.tensors import DTYPES

_Tensor = torch.Tensor

real = torch.real
make_complex = torch.complex


def imag(x: _Tensor) -> _Tensor:
    return torch.imag(x) if x.is_complex() else torch.zeros_like(x)


def _transformed(transform: Callable[..., _Tensor], x: _Tensor, *args: Any) -> _Tensor:
    if x.numel():
        return transform(x, *args)
    # MKL takes no empty batch: one of zeros tells the shape.
    found = transform(x.new_zeros([n or 1 for n in x.shape]), *args)
    return found[tuple(slice(None if n else 0) for n in x.shape)]


def fft(
    real: _Tensor, imag: _Tensor, rank: int = 1, inverse: bool = False
) -> tuple[_Tensor, _Tensor]:
    transform = torch.fft.ifftn if inverse else torch.fft.fftn
    found = _transformed(transform, torch.complex(real, imag), None, tuple(range(-rank, 0)))
    return found.real, found.imag


def rfft(x: _Tensor, n: int) -> tuple[_Tensor, _Tensor]:
    found = _transformed(torch.fft.rfft, x, n)
    return found.real, found.imag


def irfft(real: _Tensor, imag: _Tensor, n: int) -> _Tensor:
    return _transformed(torch.fft.irfft, torch.complex(real, imag), n)


def view(x: _Tensor, dtype: str) -> _Tensor:
    return x.contiguous().view(DTYPES[dtype])
