"""The kernels of the NumPy engine, gathered into one namespace."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from keraslite.backend._loops import PythonLoops
from keraslite.backend.numpy.kernels import arrays, index, nn, random, special

kernels = SimpleNamespace(
    **arrays.KERNELS,
    **index.KERNELS,
    **special.KERNELS,
    **nn.KERNELS,
    **PythonLoops(np).table(),
    **random.KERNELS,
)
