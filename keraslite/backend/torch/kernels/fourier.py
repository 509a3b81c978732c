"""Complex numbers, Fourier transforms and bits."""

from __future__ import annotations

import torch

from keraslite.backend.torch.tensors import DTYPES

_Tensor = torch.Tensor

real = torch.real
make_complex = torch.complex


def imag(x: _Tensor) -> _Tensor:
    return torch.imag(x) if x.is_complex() else torch.zeros_like(x)


def fft(
    real: _Tensor, imag: _Tensor, rank: int = 1, inverse: bool = False
) -> tuple[_Tensor, _Tensor]:
    transform = torch.fft.ifftn if inverse else torch.fft.fftn
    found = transform(torch.complex(real, imag), dim=tuple(range(-rank, 0)))
    return found.real, found.imag


def rfft(x: _Tensor, n: int) -> tuple[_Tensor, _Tensor]:
    found = torch.fft.rfft(x, n)
    return found.real, found.imag


def irfft(real: _Tensor, imag: _Tensor, n: int) -> _Tensor:
    return torch.fft.irfft(torch.complex(real, imag), n)


def view(x: _Tensor, dtype: str) -> _Tensor:
    return x.contiguous().view(DTYPES[dtype])
