"""Pooling of rank 1, 2 and 3: local, global, and to a given size."""

from __future__ import annotations

from typing import Any

from keraslite import ops
from keraslite.config import standardize_data_format
from keraslite.layers.convolution import as_tuple, one_of
from keraslite.layers.input_spec import InputSpec
from keraslite.layers.layer import Layer
from keraslite.layers.options import make_class


class BasePooling(Layer):
    """A reduction over windows; subclasses name the op and the rank."""

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
        self.built = True

    def call(self, inputs: Any) -> Any:
        pool = getattr(ops, self._pool)
        return pool(inputs, self.pool_size, self.strides, self.padding, self.data_format)


class BaseGlobalPooling(Layer):
    """A reduction over all positions; subclasses name the reduction and the rank."""

    rank: int
    _reduce: str

    def __init__(
        self, data_format: str | None = None, keepdims: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.data_format = standardize_data_format(data_format)
        self.keepdims = keepdims
        self.input_spec = InputSpec(ndim=self.rank + 2)
        self.built = True

    def _axes(self) -> tuple[int, ...]:
        first = 1 if self.data_format == "channels_last" else 2
        return tuple(range(first, first + self.rank))

    def call(self, inputs: Any) -> Any:
        return getattr(ops, self._reduce)(inputs, axis=self._axes(), keepdims=self.keepdims)


class BaseAdaptivePooling(Layer):
    """A reduction to a given number of positions; subclasses name the op and the rank."""

    rank: int
    _pool: str

    def __init__(self, output_size: Any, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.output_size = as_tuple(self, "output_size", output_size, self.rank)
        self.data_format = standardize_data_format(data_format)
        self.input_spec = InputSpec(ndim=self.rank + 2)

    def call(self, inputs: Any) -> Any:
        return getattr(ops, self._pool)(inputs, self.output_size, self.data_format)


_DOC = """{what} over windows of {rank} ax{e}s.

    Args:
        pool_size: size of the window.
        strides: steps of the window; `pool_size` by default.
        padding: `"valid"` or `"same"`.
        data_format: `"channels_last"` or `"channels_first"`.
        name: of the layer.
    """
_GLOBAL_DOC = """{what} over all positions of {rank} ax{e}s.

    Args:
        data_format: `"channels_last"` or `"channels_first"`.
        keepdims: whether the reduced axes stay with size 1.
    """
_ADAPTIVE_DOC = """{what} over windows that part {rank} ax{e}s into `output_size` positions.

    Position `i` of `n` covers the inputs from `floor(i * size / n)` to `ceil((i + 1) * size / n)`.

    Args:
        output_size: number of positions, an integer or one for each axis.
        data_format: `"channels_last"` or `"channels_first"`.
    """


def _local(name: str, rank: int, pool: str, what: str) -> type[BasePooling]:
    size = 2 if rank == 1 else (2,) * rank

    def __init__(  # noqa: N807
        self: Any,
        pool_size: Any = size,
        strides: Any = None,
        padding: str = "valid",
        data_format: str | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        BasePooling.__init__(self, pool_size, strides, padding, data_format, name, **kwargs)

    doc = _DOC.format(what=what, rank=rank, e="i" if rank == 1 else "e")
    return make_class(__name__, name, BasePooling, doc, __init__, rank=rank, _pool=pool)


def _global(name: str, rank: int, reduce: str, what: str) -> type[BaseGlobalPooling]:
    doc = _GLOBAL_DOC.format(what=what, rank=rank, e="i" if rank == 1 else "e")
    return make_class(__name__, name, BaseGlobalPooling, doc, rank=rank, _reduce=reduce)


def _adaptive(name: str, rank: int, pool: str, what: str) -> type[BaseAdaptivePooling]:
    doc = _ADAPTIVE_DOC.format(what=what, rank=rank, e="i" if rank == 1 else "e")
    return make_class(__name__, name, BaseAdaptivePooling, doc, rank=rank, _pool=pool)


MaxPooling1D = _local("MaxPooling1D", 1, "max_pool", "Maximum")
MaxPooling2D = _local("MaxPooling2D", 2, "max_pool", "Maximum")
MaxPooling3D = _local("MaxPooling3D", 3, "max_pool", "Maximum")
AveragePooling1D = _local("AveragePooling1D", 1, "average_pool", "Mean")
AveragePooling2D = _local("AveragePooling2D", 2, "average_pool", "Mean")
AveragePooling3D = _local("AveragePooling3D", 3, "average_pool", "Mean")
_MEANS, _MAXIMA = "adaptive_average_pool", "adaptive_max_pool"
AdaptiveAveragePooling1D = _adaptive("AdaptiveAveragePooling1D", 1, _MEANS, "Mean")
AdaptiveAveragePooling2D = _adaptive("AdaptiveAveragePooling2D", 2, _MEANS, "Mean")
AdaptiveAveragePooling3D = _adaptive("AdaptiveAveragePooling3D", 3, _MEANS, "Mean")
AdaptiveMaxPooling1D = _adaptive("AdaptiveMaxPooling1D", 1, _MAXIMA, "Maximum")
AdaptiveMaxPooling2D = _adaptive("AdaptiveMaxPooling2D", 2, _MAXIMA, "Maximum")
AdaptiveMaxPooling3D = _adaptive("AdaptiveMaxPooling3D", 3, _MAXIMA, "Maximum")
GlobalMaxPooling1D = _global("GlobalMaxPooling1D", 1, "max", "Maximum")
GlobalMaxPooling2D = _global("GlobalMaxPooling2D", 2, "max", "Maximum")
GlobalMaxPooling3D = _global("GlobalMaxPooling3D", 3, "max", "Maximum")
GlobalAveragePooling2D = _global("GlobalAveragePooling2D", 2, "mean", "Mean")
GlobalAveragePooling3D = _global("GlobalAveragePooling3D", 3, "mean", "Mean")


class GlobalAveragePooling1D(BaseGlobalPooling):
    """Mean over all steps; steps that a mask leaves out do not count.

    Args:
        data_format: `"channels_last"` or `"channels_first"`.
        keepdims: whether the reduced axis stays with size 1.
    """

    rank = 1
    _reduce = "mean"

    def __init__(
        self, data_format: str | None = None, keepdims: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(data_format=data_format, keepdims=keepdims, **kwargs)
        self.supports_masking = True

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
