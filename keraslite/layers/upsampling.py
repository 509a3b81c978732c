"""Layers that repeat or interpolate along 1, 2 or 3 axes."""

from __future__ import annotations

from typing import Any

from keraslite import ops
from keraslite.config import standardize_data_format
from keraslite.core.keras_tensor import KerasTensor
from keraslite.layers.constructors import constructor_of
from keraslite.layers.convolution import as_tuple, one_of
from keraslite.layers.input_spec import InputSpec
from keraslite.layers.layer import Layer
from keraslite.layers.options import check_positive

__all__ = ["UpSampling1D", "UpSampling2D", "UpSampling3D"]

_INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5")


class _UpSampling(Layer):
    """What the layers share: an integer factor for each axis."""

    rank: int

    def __init__(self, size: Any, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.size: Any = as_tuple(self, "size", size, self.rank)
        self.data_format = standardize_data_format(data_format)
        self.input_spec = InputSpec(ndim=self.rank + 2)

    def _factors(self) -> dict[int, int]:
        """Axis -> factor."""
        first = 1 if self.data_format == "channels_last" else 2
        factors = (self.size,) if self.rank == 1 else self.size
        return dict(enumerate(factors, start=first))

    def call(self, inputs: Any) -> Any:
        for axis, factor in self._factors().items():
            if factor > 1:
                inputs = ops.repeat(inputs, factor, axis=axis)
        return inputs

    def compute_output_spec(self, inputs: Any) -> KerasTensor:
        factors = self._factors()
        sizes = (n and n * factors.get(axis, 1) for axis, n in enumerate(inputs.shape))
        return KerasTensor(tuple(sizes), inputs.dtype, record_history=False)


class UpSampling1D(_UpSampling):
    """Each step `size` times.

    Args:
        size: an integer.

    Shapes: `(batch, steps, features)` to `(batch, steps * size, features)`.
    """

    rank = 1
    _not_in_config = frozenset({"data_format"})

    def __init__(self, size: int = 2, **kwargs: Any) -> None:
        super().__init__(size, **kwargs)
        check_positive(self, size=size)
        self.size = int(size)


class UpSampling2D(_UpSampling):
    """Images with `size` times as many rows and columns.

    Args:
        size: an integer or `(rows, columns)`.
        data_format: `"channels_last"` or `"channels_first"`.
        interpolation: `"nearest"` repeats; others as in `keras.ops.image.resize`:
            `"bilinear"`, `"bicubic"`, `"lanczos3"`, `"lanczos5"`.

    Example:
        >>> keras.layers.UpSampling2D((1, 2))(np.ones((1, 4, 4, 3))).shape
        (1, 4, 8, 3)
    """

    rank = 2

    def __init__(
        self,
        size: Any = (2, 2),
        data_format: str | None = None,
        interpolation: str = "nearest",
        **kwargs: Any,
    ) -> None:
        super().__init__(size, data_format, **kwargs)
        self.interpolation = one_of(self, "interpolation", interpolation, _INTERPOLATIONS)

    def call(self, inputs: Any) -> Any:
        if self.interpolation == "nearest":
            return super().call(inputs)
        sizes = ops.shape(inputs)
        return ops.image.resize(
            inputs,
            tuple(sizes[axis] * factor for axis, factor in self._factors().items()),
            interpolation=self.interpolation,
            data_format=self.data_format,
        )


class UpSampling3D(_UpSampling):
    """Volumes with each element repeated along all three axes.

    Args:
        size: an integer or three of them.
        data_format: `"channels_last"` or `"channels_first"`.
    """

    rank = 3

    __init__ = constructor_of(_UpSampling, size=(2, 2, 2))
