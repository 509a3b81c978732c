"""The kernels of the MLX engine, gathered into one namespace."""

from __future__ import annotations

from types import SimpleNamespace

from keraslite_mlx.kernels import (
    control,
    elementwise,
    index,
    linalg,
    nn,
    random,
    reductions,
    shape,
)  # fmt: skip

kernels = SimpleNamespace(
    **elementwise.KERNELS,
    **reductions.KERNELS,
    **shape.KERNELS,
    **index.KERNELS,
    **linalg.KERNELS,
    **nn.KERNELS,
    **control.KERNELS,
    **random.KERNELS,
)
