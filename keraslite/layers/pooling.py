"""Pooling of rank 1, 2 and 3: local, global, and to a given size."""

from __future__ import annotations

from typing import Any

from keraslite import ops
from keraslite.config import standardize_data_format
from keraslite.layers.constructors import constructor_of
from keraslite.layers.convolution import as_tuple, one_of
from keraslite.layers.input_spec import InputSpec
from keraslite.layers.layer import Layer
from keraslite.layers.options import WeightlessLayer, doc_of, make_class

__all__ = [
    "AdaptiveAveragePooling1D",
    "AdaptiveAveragePooling2D",
    "AdaptiveAveragePooling3D",
    "AdaptiveMaxPooling1D",
    "AdaptiveMaxPooling2D",
    "AdaptiveMaxPooling3D",
    "AveragePooling1D",
    "AveragePooling2D",
    "AveragePooling3D",
    "AvgPool1D",
    "AvgPool2D",
    "AvgPool3D",
    "GlobalAveragePooling1D",
    "GlobalAveragePooling2D",
    "GlobalAveragePooling3D",
    "GlobalAvgPool1D",
    "GlobalAvgPool2D",
    "GlobalAvgPool3D",
    "GlobalMaxPool1D",
    "GlobalMaxPool2D",
    "GlobalMaxPool3D",
    "GlobalMaxPooling1D",
    "GlobalMaxPooling2D",
    "GlobalMaxPooling3D",
    "MaxPool1D",
    "MaxPool2D",
    "MaxPool3D",
    "MaxPooling1D",
    "MaxPooling2D",
    "MaxPooling3D",
]


class BasePooling(WeightlessLayer):
    """{what} over windows of {rank} ax{e}s.

    Args:
        pool_size: size of the window.
        strides: steps of the window; `pool_size` by default.
        padding: `"valid"` or `"same"`.
        data_format: `"channels_last"` or `"channels_first"`.
        name: of the layer.
    """

    rank: int
    _pool: str

    def __init__(
        self,
        pool_size: Any,
        strides: Any = None,
        padding: str = "valid",
        data_format: str | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        self.pool_size = as_tuple(self, "pool_size", pool_size, self.rank)
        strides = pool_size if strides is None else strides
        self.strides = as_tuple(self, "strides", strides, self.rank)
        self.padding = one_of(self, "padding", padding, ("valid", "same"))
        self.data_format = standardize_data_format(data_format)
        self.input_spec = InputSpec(ndim=self.rank + 2)

    def call(self, inputs: Any) -> Any:
        pool = getattr(ops, self._pool)
        return pool(inputs, self.pool_size, self.strides, self.padding, self.data_format)


class BaseGlobalPooling(WeightlessLayer):
    """{what} over all positions of {rank} ax{e}s.

    Args:
        data_format: `"channels_last"` or `"channels_first"`.
        keepdims: whether the reduced axes stay with size 1.
    """

    rank: int
    _reduce: str

    def __init__(
        self, data_format: str | None = None, keepdims: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.data_format = standardize_data_format(data_format)
        self.keepdims = keepdims
        self.input_spec = InputSpec(ndim=self.rank + 2)

    def _axes(self) -> tuple[int, ...]:
        first = 1 if self.data_format == "channels_last" else 2
        return tuple(range(first, first + self.rank))

    def call(self, inputs: Any) -> Any:
        return getattr(ops, self._reduce)(inputs, axis=self._axes(), keepdims=self.keepdims)


class BaseAdaptivePooling(Layer):
    """{what} over windows that part {rank} ax{e}s into `output_size` positions.

    Position `i` of `n` covers the inputs from `floor(i * size / n)` to `ceil((i + 1) * size / n)`.

    Args:
        output_size: number of positions, an integer or one for each axis.
        data_format: `"channels_last"` or `"channels_first"`.
    """

    rank: int
    _pool: str

    def __init__(self, output_size: Any, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.output_size = as_tuple(self, "output_size", output_size, self.rank)
        self.data_format = standardize_data_format(data_format)
        self.input_spec = InputSpec(ndim=self.rank + 2)

    def call(self, inputs: Any) -> Any:
        return getattr(ops, self._pool)(inputs, self.output_size, self.data_format)


def _of_ranks(
    base: type, name: str, what: str, ranks: tuple[int, ...] = (1, 2, 3), **members: Any
) -> list[Any]:
    """One class for each rank, with `name` before it."""
    found = []
    for rank in ranks:
        init = None
        if base is BasePooling:
            init = constructor_of(base, pool_size=2 if rank == 1 else (2,) * rank)
        text = doc_of(base, what=what, rank=rank, e="i" if rank == 1 else "e")
        found.append(make_class(__name__, f"{name}{rank}D", base, text, init, rank=rank, **members))
    return found


MaxPooling1D, MaxPooling2D, MaxPooling3D = _of_ranks(
    BasePooling, "MaxPooling", "Maximum", _pool="max_pool"
)
AveragePooling1D, AveragePooling2D, AveragePooling3D = _of_ranks(
    BasePooling, "AveragePooling", "Mean", _pool="average_pool"
)
AdaptiveAveragePooling1D, AdaptiveAveragePooling2D, AdaptiveAveragePooling3D = _of_ranks(
    BaseAdaptivePooling,
    "AdaptiveAveragePooling",
    "Mean",
    _pool="adaptive_average_pool",
)
AdaptiveMaxPooling1D, AdaptiveMaxPooling2D, AdaptiveMaxPooling3D = _of_ranks(
    BaseAdaptivePooling, "AdaptiveMaxPooling", "Maximum", _pool="adaptive_max_pool"
)
GlobalMaxPooling1D, GlobalMaxPooling2D, GlobalMaxPooling3D = _of_ranks(
    BaseGlobalPooling, "GlobalMaxPooling", "Maximum", _reduce="max"
)
GlobalAveragePooling2D, GlobalAveragePooling3D = _of_ranks(
    BaseGlobalPooling, "GlobalAveragePooling", "Mean", (2, 3), _reduce="mean"
)


class GlobalAveragePooling1D(BaseGlobalPooling):
    """Mean over all steps; steps that a mask leaves out do not count.

    Args:
        data_format: `"channels_last"` or `"channels_first"`.
        keepdims: whether the reduced axis stays with size 1.
    """

    rank = 1
    _reduce = "mean"
    supports_masking = True

    def call(self, inputs: Any, mask: Any = None) -> Any:
        if mask is None:
            return super().call(inputs)
        axis = self._axes()[0]
        mask = ops.cast(mask, self.compute_dtype)
        mask = ops.expand_dims(mask, 2 if axis == 1 else 1)
        total = ops.sum(inputs * mask, axis=axis, keepdims=self.keepdims)
        return total / ops.sum(mask, axis=axis, keepdims=self.keepdims)

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        return None


# Other names of the same layers.
AvgPool1D, AvgPool2D, AvgPool3D = AveragePooling1D, AveragePooling2D, AveragePooling3D
MaxPool1D, MaxPool2D, MaxPool3D = MaxPooling1D, MaxPooling2D, MaxPooling3D
GlobalAvgPool1D, GlobalAvgPool2D, GlobalAvgPool3D = (
    GlobalAveragePooling1D,
    GlobalAveragePooling2D,
    GlobalAveragePooling3D,
)
GlobalMaxPool1D, GlobalMaxPool2D, GlobalMaxPool3D = (
    GlobalMaxPooling1D,
    GlobalMaxPooling2D,
    GlobalMaxPooling3D,
)
