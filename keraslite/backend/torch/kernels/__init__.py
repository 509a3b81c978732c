"""The torch engine's kernels, gathered from this package's modules."""

from __future__ import annotations

from keraslite.backend._gathering import gathered
from keraslite.backend.torch.kernels import (
    control,
    conv,
    elementwise,
    fourier,
    index,
    linalg,
    nn,
    random,
    reductions,
    rnn,
    shape,
    unsigned,
    updates,
)

kernels = gathered(
    elementwise, reductions, shape, linalg, fourier, index, nn, conv, rnn, control, random, updates
)
#: torch has no arithmetic on uint32.
kernels.seed_dtype = "int64"
unsigned.widen(kernels)
