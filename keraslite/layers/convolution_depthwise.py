"""Convolutions of each channel on its own, alone or followed by a mixing of channels.

Chollet, "Xception", https://arxiv.org/abs/1610.02357
"""

from __future__ import annotations

from typing import Any

from keraslite import ops
from keraslite.layers.convolution import ConvolutionBase, one_per_axis
from keraslite.layers.options import check_positive, make_class, own_arguments


class BaseDepthwiseConv(ConvolutionBase):
    """A depthwise convolution of any rank; see `DepthwiseConv2D`."""

    def __init__(
        self,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        depth_multiplier: int = 1,
        data_format: str | None = None,
        dilation_rate: Any = 1,
        **options: Any,
    ) -> None:
        super().__init__(kernel_size, strides, padding, data_format, dilation_rate, **options)
        check_positive(self, depth_multiplier=depth_multiplier)
        self.depth_multiplier = depth_multiplier

    def build(self, input_shape: Any) -> None:
        channels = self._channels(input_shape)
        shape = (*self.kernel_size, channels, self.depth_multiplier)
        self.kernel = self._add("kernel", shape, "depthwise")
        filters = channels * self.depth_multiplier
        self.bias = self._add("bias", (filters,)) if self.use_bias else None

    def call(self, inputs: Any) -> Any:
        x = ops.depthwise_conv(
            inputs,
            self.kernel,
            self.strides,
            self.padding,
            self.data_format,
            self.dilation_rate,
        )
        return self._finish(x)


class BaseSeparableConv(ConvolutionBase):
    """A separable convolution of any rank; see `SeparableConv2D`."""

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = 1,
        depth_multiplier: int = 1,
        **options: Any,
    ) -> None:
        super().__init__(kernel_size, strides, padding, data_format, dilation_rate, **options)
        check_positive(self, filters=filters, depth_multiplier=depth_multiplier)
        self.filters = int(filters)
        self.depth_multiplier = depth_multiplier

    def build(self, input_shape: Any) -> None:
        channels = self._channels(input_shape)
        shape = (*self.kernel_size, channels, self.depth_multiplier)
        self.depthwise_kernel = self._add("depthwise_kernel", shape, "depthwise")
        shape = (*(1,) * self.rank, channels * self.depth_multiplier, self.filters)
        self.pointwise_kernel = self._add("pointwise_kernel", shape, "pointwise")
        self.bias = self._add("bias", (self.filters,)) if self.use_bias else None

    def call(self, inputs: Any) -> Any:
        x = ops.separable_conv(
            inputs,
            self.depthwise_kernel,
            self.pointwise_kernel,
            self.strides,
            self.padding,
            self.data_format,
            self.dilation_rate,
        )
        return self._finish(x)


_WINDOW = """kernel_size: size of the window, an integer or a tuple of {rank}.
        strides: steps of the window.
        padding: `"valid"` (none) or `"same"` (as many positions as the input has steps).
        depth_multiplier: number of outputs for each channel.
        data_format: `"channels_last"` or `"channels_first"`.
        dilation_rate: distance between the elements of the window.
        activation: name or function.
        use_bias: whether there is a bias."""
_DEPTHWISE_DOC = (
    """{rank}D convolution of each channel with windows of its own.

    Args:
        """
    + _WINDOW
    + """
        depthwise_initializer, bias_initializer: initial values.
        depthwise_regularizer, bias_regularizer: penalties on the weights.
        activity_regularizer: penalty on the output.
        depthwise_constraint, bias_constraint: applied after each update.

    Shapes: `(batch, *sizes, channels)` to `(batch, *new_sizes, channels * depth_multiplier)`;
    the results of one channel lie side by side.
    """
)
_SEPARABLE_DOC = (
    """{rank}D convolution of each channel, then of all channels in windows of size one.

    Args:
        filters: number of output channels.
        """
    + _WINDOW
    + """
        depthwise_initializer, pointwise_initializer, bias_initializer: initial values.
        depthwise_regularizer, pointwise_regularizer, bias_regularizer: penalties.
        activity_regularizer: penalty on the output.
        depthwise_constraint, pointwise_constraint, bias_constraint: applied after updates.

    Shapes: `(batch, *sizes, channels)` to `(batch, *new_sizes, filters)`.
    """
)


def _depthwise(name: str, rank: int) -> type[BaseDepthwiseConv]:
    ones = one_per_axis(rank)

    def __init__(  # noqa: N807
        self: Any,
        kernel_size: Any,
        strides: Any = ones,
        padding: str = "valid",
        depth_multiplier: int = 1,
        data_format: str | None = None,
        dilation_rate: Any = ones,
        activation: Any = None,
        use_bias: bool = True,
        depthwise_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        depthwise_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        depthwise_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        BaseDepthwiseConv.__init__(self, **own_arguments(locals()))

    doc = _DEPTHWISE_DOC.format(rank=rank)
    return make_class(__name__, name, BaseDepthwiseConv, doc, __init__, rank=rank)


def _separable(name: str, rank: int) -> type[BaseSeparableConv]:
    ones = one_per_axis(rank)

    def __init__(  # noqa: N807
        self: Any,
        filters: int,
        kernel_size: Any,
        strides: Any = ones,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = ones,
        depth_multiplier: int = 1,
        activation: Any = None,
        use_bias: bool = True,
        depthwise_initializer: Any = "glorot_uniform",
        pointwise_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        depthwise_regularizer: Any = None,
        pointwise_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        depthwise_constraint: Any = None,
        pointwise_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        BaseSeparableConv.__init__(self, **own_arguments(locals()))

    doc = _SEPARABLE_DOC.format(rank=rank)
    return make_class(__name__, name, BaseSeparableConv, doc, __init__, rank=rank)


DepthwiseConv1D = _depthwise("DepthwiseConv1D", 1)
DepthwiseConv2D = _depthwise("DepthwiseConv2D", 2)
SeparableConv1D = _separable("SeparableConv1D", 1)
SeparableConv2D = _separable("SeparableConv2D", 2)
