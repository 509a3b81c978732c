"""The kernels of the NumPy engine, gathered into one namespace."""

from __future__ import annotations

from types import SimpleNamespace

from keraslite.backend.numpy.kernels import arrays, control, index, nn, random, special

kernels = SimpleNamespace(
    **arrays.KERNELS,
    **index.KERNELS,
    **special.KERNELS,
    **nn.KERNELS,
    **control.KERNELS,
    **random.KERNELS,
)
