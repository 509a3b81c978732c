"""Convolutions of rank 1, 2 and 3, written once for all ranks.

Dumoulin and Visin, "A guide to convolution arithmetic for deep learning",
https://arxiv.org/abs/1603.07285
"""

from __future__ import annotations

from typing import Any

from keraslite import ops
from keraslite.config import standardize_data_format
from keraslite.layers.input_spec import InputSpec
from keraslite.layers.options import (
    WeightedLayer,
    arguments_of,
    check_positive,
    known_size,
)


def as_tuple(layer: Any, name: str, value: Any, rank: int, zero: bool = False) -> tuple[int, ...]:
    """An int or a sequence of `rank` ints as a tuple, each at least 1 (or 0)."""
    found = (value,) * rank if isinstance(value, int) else tuple(value)
    lowest = 0 if zero else 1
    if len(found) != rank or any(not hasattr(n, "__index__") or n < lowest for n in found):
        raise ValueError(
            f"{type(layer).__name__}: `{name}` must be an integer of at least {lowest} or a tuple "
            f"of {rank} of them. Received: {value!r}"
        )
    return found


def one_of(layer: Any, name: str, value: Any, allowed: tuple[str, ...]) -> str:
    """`value` in lower case, checked against the allowed words."""
    found = value.lower() if isinstance(value, str) else value
    if found not in allowed:
        raise ValueError(
            f"{type(layer).__name__}: `{name}` must be one of {', '.join(allowed)}. "
            f"Received: {value!r}"
        )
    return found


class ConvolutionBase(WeightedLayer):
    """What all convolutions share: windows, data format, and the options of the weights."""

    _not_in_config = frozenset({"paddings"})
    _writes_activity_regularizer = True
    rank: int

    def __init__(
        self,
        kernel_size: Any,
        strides: Any,
        padding: str,
        data_format: str | None,
        dilation_rate: Any,
        paddings: tuple[str, ...] = ("valid", "same"),
        **options: Any,
    ) -> None:
        own = {k: options.pop(k) for k in list(options) if _is_option(k)}
        super().__init__(**options)
        rank = self.rank
        self.kernel_size = as_tuple(self, "kernel_size", kernel_size, rank)
        self.strides = as_tuple(self, "strides", strides, rank)
        self.dilation_rate = as_tuple(self, "dilation_rate", dilation_rate, rank)
        if max(self.strides) > 1 and max(self.dilation_rate) > 1:
            raise ValueError(
                f"{type(self).__name__}: `strides` above 1 and `dilation_rate` above 1 exclude "
                f"each other. Received: strides={strides}, dilation_rate={dilation_rate}"
            )
        self.padding = one_of(self, "padding", padding, paddings)
        self.data_format = standardize_data_format(data_format)
        self._set_options(**own)
        self.input_spec = InputSpec(min_ndim=rank + 2)

    @property
    def _channel_axis(self) -> int:
        return -1 if self.data_format == "channels_last" else 1

    def _channels(self, input_shape: Any) -> int:
        axis = self._channel_axis
        channels = known_size(self, input_shape, axis)
        self.input_spec = InputSpec(ndim=self.rank + 2, axes={axis: channels})
        return channels

    def _finish(self, x: Any) -> Any:
        """Bias and activation."""
        if self.bias is not None:
            bias = self.bias
            if self.data_format == "channels_first":
                bias = ops.reshape(bias, (-1,) + (1,) * self.rank)
            x = ops.add(x, bias)
        return x if self.activation is None else self.activation(x)


def _is_option(name: str) -> bool:
    """Whether an argument says something of the weights, the bias or the activation."""
    return name != "activity_regularizer" and (
        name in ("activation", "use_bias")
        or name.endswith(("_initializer", "_regularizer", "_constraint"))
    )


class BaseConv(ConvolutionBase):
    """A convolution of any rank; see `Conv2D`."""

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = 1,
        groups: int = 1,
        **options: Any,
    ) -> None:
        paddings = ("valid", "same", "causal") if self.rank == 1 else ("valid", "same")
        super().__init__(
            kernel_size, strides, padding, data_format, dilation_rate, paddings, **options
        )
        check_positive(self, filters=filters, groups=groups)
        if filters % groups:
            raise ValueError(
                f"{type(self).__name__}: `filters` must be a multiple of `groups`. "
                f"Received: filters={filters}, groups={groups}"
            )
        if self.padding == "causal" and self.data_format != "channels_last":
            raise ValueError(
                f"{type(self).__name__}: padding='causal' needs data_format='channels_last'."
            )
        self.filters = int(filters)
        self.groups = groups

    def build(self, input_shape: Any) -> None:
        channels = self._channels(input_shape)
        if channels % self.groups:
            raise ValueError(
                f"Layer {self.name!r}: the {channels} channels of the input must be a multiple of "
                f"groups={self.groups}. Received: shape={tuple(input_shape)}"
            )
        shape = (*self.kernel_size, channels // self.groups, self.filters)
        self.kernel = self._add("kernel", shape)
        self.bias = self._add("bias", (self.filters,)) if self.use_bias else None

    def call(self, inputs: Any) -> Any:
        padding = self.padding
        if padding == "causal":
            left = self.dilation_rate[0] * (self.kernel_size[0] - 1)
            inputs = ops.pad(inputs, ((0, 0), (left, 0), (0, 0)))
            padding = "valid"
        x = ops.conv(
            inputs, self.kernel, self.strides, padding, self.data_format, self.dilation_rate
        )
        return self._finish(x)


_CONV_DOC = """{what} convolution.

    Args:
        filters: number of output channels.
        kernel_size: size of the window, an integer or a tuple of {rank}.
        strides: steps of the window.
        padding: `"valid"` (none) or `"same"` (as many positions as the input has steps){causal}.
        data_format: `"channels_last"` or `"channels_first"`.
        dilation_rate: distance between the elements of the window.
        groups: channels are convolved in so many separate groups.
        activation: name or function.
        use_bias: whether there is a bias.
        kernel_initializer, bias_initializer: initial values.
        kernel_regularizer, bias_regularizer: penalties on the weights.
        activity_regularizer: penalty on the output.
        kernel_constraint, bias_constraint: applied after each update.

    Shapes: `(batch, *sizes, channels)` to `(batch, *new_sizes, filters)` for channels last.

    Example:
        >>> {example}
    """


class Conv1D(BaseConv):
    rank = 1
    __doc__ = _CONV_DOC.format(
        what="1D (temporal)",
        rank=1,
        causal=', or `"causal"` (no step sees a later one)',
        example="keras.layers.Conv1D(8, 3)(np.ones((2, 10, 4))).shape  # (2, 8, 8)",
    )

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = 1,
        groups: int = 1,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**arguments_of(locals()))


class Conv2D(BaseConv):
    rank = 2
    __doc__ = _CONV_DOC.format(
        what="2D (spatial)",
        rank=2,
        causal="",
        example="keras.layers.Conv2D(8, 3)(np.ones((2, 28, 28, 1))).shape  # (2, 26, 26, 8)",
    )

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = (1, 1),
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = (1, 1),
        groups: int = 1,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**arguments_of(locals()))


class Conv3D(BaseConv):
    rank = 3
    __doc__ = _CONV_DOC.format(
        what="3D (volumetric)",
        rank=3,
        causal="",
        example="keras.layers.Conv3D(4, 3)(np.ones((1, 8, 8, 8, 2))).shape  # (1, 6, 6, 6, 4)",
    )

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = (1, 1, 1),
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = (1, 1, 1),
        groups: int = 1,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**arguments_of(locals()))
