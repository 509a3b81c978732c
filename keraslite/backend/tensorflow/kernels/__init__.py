"""All kernels by op name, gathered from the modules of this package."""

from __future__ import annotations

from keraslite.backend._gathering import gathered
from keraslite.backend.tensorflow.kernels import (
    control,
    convolution,
    creation,
    elementwise,
    fourier,
    fused,
    index,
    linalg,
    nn,
    order,
    random,
    reduction,
    shape,
)

kernels = gathered(
    elementwise,
    reduction,
    shape,
    creation,
    linalg,
    order,
    index,
    nn,
    convolution,
    control,
    random,
    fused,
    fourier,
)
