"""The kernels of the JAX engine, gathered into one namespace.

An eager call of `jax.numpy` dispatches several computations or spends longer in Python
than in the computation; a compiled kernel is one call. So almost all are compiled,
and inlined where an outer computation is traced.
"""

from __future__ import annotations

from types import SimpleNamespace

from keraslite.backend.jax.kernels import arrays, control, nn, random

kernels = SimpleNamespace(**arrays.KERNELS, **nn.KERNELS, **control.KERNELS, **random.KERNELS)
