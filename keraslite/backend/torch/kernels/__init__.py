"""The torch engine's kernels, gathered from this package's modules.

A trailing underscore in a kernel's name there (`sum_`) only avoids hiding a builtin.
"""

from __future__ import annotations

from types import ModuleType, SimpleNamespace

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


def _gather(*modules: ModuleType) -> SimpleNamespace:
    found = {}
    for module in modules:
        for name, value in vars(module).items():
            if callable(value) and not isinstance(value, type) and not name.startswith("_"):
                found[name.rstrip("_")] = value
    return SimpleNamespace(**found)


kernels = _gather(
    elementwise, reductions, shape, linalg, fourier, index, nn, conv, rnn, control, random, updates
)
#: torch has no arithmetic on uint32.
kernels.seed_dtype = "int64"
unsigned.widen(kernels)
