"""Transposed convolutions of rank 1, 2 and 3.

Zeiler et al., "Deconvolutional networks", https://doi.org/10.1109/CVPR.2010.5539957
"""

from __future__ import annotations

from typing import Any

from keraslite import ops
from keraslite.layers.convolution import ConvolutionBase, as_tuple, check_strides, of_rank
from keraslite.layers.options import check_positive, doc_of, own_arguments

__all__ = [
    "Conv1DTranspose",
    "Conv2DTranspose",
    "Conv3DTranspose",
    "Convolution1DTranspose",
    "Convolution2DTranspose",
    "Convolution3DTranspose",
]


class BaseConvTranspose(ConvolutionBase):
    """Transposed {rank}D convolution: grows where `Conv{rank}D` with the same options shrinks.

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

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        output_padding: Any = None,
        data_format: str | None = None,
        dilation_rate: Any = 1,
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
        self._construct(own_arguments(locals()))
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


def _transposed(rank: int, behind: dict[str, str] | None = None) -> Any:
    doc = doc_of(BaseConvTranspose, rank=rank, sizes="4, " * rank, doubled="8, " * rank)
    return of_rank(BaseConvTranspose, rank, doc, f"Conv{rank}DTranspose", behind)


Conv1DTranspose, Conv2DTranspose = _transposed(1), _transposed(2)
# Here, in Keras, `data_format` comes before `output_padding`.
Conv3DTranspose = _transposed(3, behind={"data_format": "output_padding"})


# Other names of the same layers.
Convolution1DTranspose, Convolution2DTranspose, Convolution3DTranspose = (
    Conv1DTranspose,
    Conv2DTranspose,
    Conv3DTranspose,
)
