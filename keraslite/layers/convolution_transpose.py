"""Transposed convolutions of rank 1, 2 and 3.

Zeiler et al., "Deconvolutional networks", https://doi.org/10.1109/CVPR.2010.5539957
"""

from __future__ import annotations

from typing import Any

from keraslite import ops
from keraslite.layers.convolution import ConvolutionBase, as_tuple, check_strides, one_per_axis
from keraslite.layers.options import check_positive, make_class, own_arguments


class BaseConvTranspose(ConvolutionBase):
    """A transposed convolution of any rank; see `Conv2DTranspose`."""

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        output_padding: Any = None,
        data_format: str | None = None,
        dilation_rate: Any = 1,
        **options: Any,
    ) -> None:
        super().__init__(kernel_size, strides, padding, data_format, dilation_rate, **options)
        check_strides(self)
        check_positive(self, filters=filters)
        self.filters = int(filters)
        if output_padding is not None:
            output_padding = as_tuple(self, "output_padding", output_padding, self.rank, zero=True)
            if any(n >= step for n, step in zip(output_padding, self.strides, strict=True)):
                raise ValueError(
                    f"{type(self).__name__}: `output_padding` must be less than `strides`. "
                    f"Received: output_padding={output_padding}, strides={self.strides}"
                )
        self.output_padding = output_padding

    def build(self, input_shape: Any) -> None:
        channels = self._channels(input_shape)
        self.kernel = self._add("kernel", (*self.kernel_size, self.filters, channels))
        self.bias = self._add("bias", (self.filters,)) if self.use_bias else None

    def call(self, inputs: Any) -> Any:
        x = ops.conv_transpose(
            inputs,
            self.kernel,
            self.strides,
            self.padding,
            self.output_padding,
            self.data_format,
            self.dilation_rate,
        )
        return self._finish(x)


_DOC = """Transposed {rank}D convolution: grows where `Conv{rank}D` with the same options shrinks.

    Args:
        filters: number of output channels.
        kernel_size: size of the window, an integer or a tuple of {rank}.
        strides: by how much the axes grow.
        padding: `"valid"` or `"same"`, of the convolution that this one reverses.
        output_padding: what to add to the smallest possible sizes, less than the stride;
            None for `size * stride` under `"same"`.
        data_format: `"channels_last"` or `"channels_first"`.
        dilation_rate: distance between the elements of the window.
        activation: name or function.
        use_bias: whether there is a bias.
        kernel_initializer, bias_initializer: initial values.
        kernel_regularizer, bias_regularizer: penalties on the weights.
        activity_regularizer: penalty on the output.
        kernel_constraint, bias_constraint: applied after each update.

    Shapes: `(batch, *sizes, channels)` to `(batch, *new_sizes, filters)` for channels last.

    Example:
        >>> layer = keras.layers.Conv{rank}DTranspose(8, 3, strides=2, padding="same")
        >>> layer(np.ones((1, {sizes}2), "float32")).shape
        (1, {doubled}8)
    """


def _doc(rank: int) -> str:
    return _DOC.format(rank=rank, sizes="4, " * rank, doubled="8, " * rank)


def _transposed(name: str, rank: int) -> type[BaseConvTranspose]:
    ones = one_per_axis(rank)

    def __init__(  # noqa: N807
        self: Any,
        filters: int,
        kernel_size: Any,
        strides: Any = ones,
        padding: str = "valid",
        output_padding: Any = None,
        data_format: str | None = None,
        dilation_rate: Any = ones,
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
        BaseConvTranspose.__init__(self, **own_arguments(locals()))

    return make_class(__name__, name, BaseConvTranspose, _doc(rank), __init__, rank=rank)


Conv1DTranspose = _transposed("Conv1DTranspose", 1)
Conv2DTranspose = _transposed("Conv2DTranspose", 2)


class Conv3DTranspose(BaseConvTranspose):
    rank = 3
    __doc__ = _doc(3)

    # Here, in Keras, `data_format` comes before `output_padding`.
    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = (1, 1, 1),
        padding: str = "valid",
        data_format: str | None = None,
        output_padding: Any = None,
        dilation_rate: Any = (1, 1, 1),
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
        super().__init__(**own_arguments(locals()))
