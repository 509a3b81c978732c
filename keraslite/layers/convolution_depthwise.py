"""Convolutions of each channel on its own, alone or followed by a mixing of channels.

Chollet, "Xception", https://arxiv.org/abs/1610.02357
"""

from __future__ import annotations

from typing import Any

from keraslite import ops
from keraslite.layers.convolution import ConvolutionBase, of_rank
from keraslite.layers.options import check_positive, doc_of, own_arguments

__all__ = [
    "DepthwiseConv1D",
    "DepthwiseConv2D",
    "SeparableConv1D",
    "SeparableConv2D",
    "SeparableConvolution1D",
    "SeparableConvolution2D",
]


class BaseDepthwiseConv(ConvolutionBase):
    """{rank}D convolution of each channel with windows of its own.

    Args:
        kernel_size: size of the window, an integer or a tuple of {rank}.
        strides: steps of the window.
        padding: `"valid"` (none) or `"same"` (as many positions as the input has steps).
        depth_multiplier: number of outputs for each channel.
        data_format: `"channels_last"` or `"channels_first"`.
        dilation_rate: distance between the elements of the window.
        activation: name or function.
        use_bias: whether there is a bias.
        depthwise_initializer, bias_initializer: initial values.
        depthwise_regularizer, bias_regularizer: penalties on the weights.
        activity_regularizer: penalty on the output.
        depthwise_constraint, bias_constraint: applied after each update.

    Shapes: `(batch, *sizes, channels)` to `(batch, *new_sizes, channels * depth_multiplier)`;
    the results of one channel lie side by side.
    """

    def __init__(
        self,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        depth_multiplier: int = 1,
        data_format: str | None = None,
        dilation_rate: Any = 1,
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
        self._construct(own_arguments(locals()))
        check_positive(self, depth_multiplier=depth_multiplier)

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
    """{rank}D convolution of each channel, then of all channels in windows of size one.

    Args:
        filters: number of output channels.
        kernel_size: size of the window, an integer or a tuple of {rank}.
        strides: steps of the window.
        padding: `"valid"` (none) or `"same"` (as many positions as the input has steps).
        depth_multiplier: number of outputs for each channel.
        data_format: `"channels_last"` or `"channels_first"`.
        dilation_rate: distance between the elements of the window.
        activation: name or function.
        use_bias: whether there is a bias.
        depthwise_initializer, pointwise_initializer, bias_initializer: initial values.
        depthwise_regularizer, pointwise_regularizer, bias_regularizer: penalties.
        activity_regularizer: penalty on the output.
        depthwise_constraint, pointwise_constraint, bias_constraint: applied after updates.

    Shapes: `(batch, *sizes, channels)` to `(batch, *new_sizes, filters)`.
    """

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = 1,
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
        self._construct(own_arguments(locals()))
        check_positive(self, filters=filters, depth_multiplier=depth_multiplier)
        self.filters = int(filters)

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


def _depthwise(rank: int) -> Any:
    doc = doc_of(BaseDepthwiseConv, rank=rank)
    return of_rank(BaseDepthwiseConv, rank, doc, f"DepthwiseConv{rank}D")


def _separable(rank: int) -> Any:
    doc = doc_of(BaseSeparableConv, rank=rank)
    return of_rank(BaseSeparableConv, rank, doc, f"SeparableConv{rank}D")


DepthwiseConv1D, DepthwiseConv2D = _depthwise(1), _depthwise(2)
SeparableConv1D, SeparableConv2D = _separable(1), _separable(2)


# Other names of the same layers.
SeparableConvolution1D, SeparableConvolution2D = SeparableConv1D, SeparableConv2D
