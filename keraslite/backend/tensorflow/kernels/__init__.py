"""All kernels by op name, gathered from the modules of this package."""

from __future__ import annotations

from types import ModuleType, SimpleNamespace

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


def _gather(*modules: ModuleType) -> SimpleNamespace:
    """The public functions of `modules`; helpers begin with an underscore."""
    return SimpleNamespace(
        **{
            name: value
            for module in modules
            for name, value in vars(module).items()
            if name[0] != "_" and callable(value) and not isinstance(value, type)
        }
    )


kernels = _gather(
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
