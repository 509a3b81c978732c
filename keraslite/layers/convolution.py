"""Convolutions of rank 1, 2 and 3, written once for all ranks.

Dumoulin and Visin, "A guide to convolution arithmetic for deep learning",
https://arxiv.org/abs/1603.07285
"""

from __future__ import annotations

from typing import Any

from keraslite import ops
from keraslite.config import standardize_data_format
from keraslite.core.errors import check_choice
from keraslite.layers.constructors import constructor_of
from keraslite.layers.input_spec import InputSpec
from keraslite.layers.lora import LowRankLayer, main_weight
from keraslite.layers.options import (
    WeightedLayer,
    check_positive,
    doc_of,
    known_size,
    make_class,
    own_arguments,
)

__all__ = ["Conv1D", "Conv2D", "Conv3D", "Convolution1D", "Convolution2D", "Convolution3D"]


def as_tuple(layer: Any, name: str, value: Any, rank: int, zero: bool = False) -> tuple[int, ...]:
    """An int or a sequence of `rank` ints as a tuple, each at least 1 (or 0)."""
    several = isinstance(value, (list, tuple))
    found = tuple(value) if several else (value,) * rank
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
    check_choice(layer, allowed, **{name: found})
    return found


def of_rank(base: type, rank: int, doc: str, name: str, behind: Any = None, **members: Any) -> Any:
    """A convolution `name` of a rank; steps and dilation rates are a bare 1 for a single axis."""
    ones = 1 if rank == 1 else (1,) * rank
    init = constructor_of(base, behind=behind, strides=ones, dilation_rate=ones)
    return make_class(base.__module__, name, base, doc, init, rank=rank, **members)


def set_window(layer: Any, paddings: tuple[str, ...] = ("valid", "same")) -> None:
    """Check how the window of `layer`, which has a `rank`, moves: the attributes of that name."""
    for name in ("kernel_size", "strides", "dilation_rate"):
        setattr(layer, name, as_tuple(layer, name, getattr(layer, name), layer.rank))
    layer.padding = one_of(layer, "padding", layer.padding, paddings)
    layer.data_format = standardize_data_format(layer.data_format)


def check_strides(layer: Any) -> None:
    """Raise a ValueError if the window of `layer` moves in steps and is dilated as well."""
    if max(layer.strides) > 1 and max(layer.dilation_rate) > 1:
        raise ValueError(
            f"{type(layer).__name__}: `strides` above 1 and `dilation_rate` above 1 exclude each "
            f"other. Received: strides={layer.strides}, dilation_rate={layer.dilation_rate}"
        )


def channel_axis(layer: Any) -> int:
    """Where the `data_format` of `layer` has the channels."""
    return -1 if layer.data_format == "channels_last" else 1


def add_bias(layer: Any, x: Any) -> Any:
    """`x` and the bias of `layer`, if there is one, along the channels."""
    bias = layer.bias
    if bias is None:
        return x
    if layer.data_format == "channels_first":
        bias = ops.reshape(bias, (-1,) + (1,) * layer.rank)
    return ops.add(x, bias)


class ConvolutionBase(WeightedLayer):
    """What all convolutions share: windows, data format, and the options of the weights."""

    _paddings: tuple[str, ...] = ("valid", "same")
    _writes_activity_regularizer = True
    rank: int

    def _construct(self, arguments: dict[str, Any]) -> None:
        super()._construct(arguments)
        set_window(self, self._paddings)
        self.input_spec = InputSpec(ndim=self.rank + 2)

    def _channels(self, input_shape: Any) -> int:
        axis = channel_axis(self)
        channels = known_size(self, input_shape, axis)
        self.input_spec = InputSpec(ndim=self.rank + 2, axes={axis: channels})
        return channels

    def _finish(self, x: Any) -> Any:
        """Bias and activation."""
        x = add_bias(self, x)
        return x if self.activation is None else self.activation(x)


class BaseConv(LowRankLayer, ConvolutionBase):
    """{what} convolution.

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

    # It also takes `lora_rank` and `lora_alpha`, as `Dense` does.
    kernel = main_weight("kernel")

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
        arguments = own_arguments(locals())
        for name in ("lora_rank", "lora_alpha"):
            arguments[name] = kwargs.pop(name, None)
        self._construct(arguments)
        check_strides(self)
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
        self._finish_build()

    def convolution_op(self, inputs: Any, kernel: Any) -> Any:
        """The convolution of `inputs` with `kernel`, without bias and activation.

        Subclasses override it to change how the kernel is used.
        """
        padding = self.padding
        if padding == "causal":
            left = self.dilation_rate[0] * (self.kernel_size[0] - 1)
            inputs = ops.pad(inputs, ((0, 0), (left, 0), (0, 0)))
            padding = "valid"
        return ops.conv(inputs, kernel, self.strides, padding, self.data_format, self.dilation_rate)

    def call(self, inputs: Any) -> Any:
        kernel = self.kernel if self._altered else self._kernel
        return self._finish(self.convolution_op(inputs, kernel))


def _convolution(rank: int, what: str, example: str) -> Any:
    causal, paddings = "", ConvolutionBase._paddings
    if rank == 1:
        causal, paddings = ', or `"causal"` (no step sees a later one)', (*paddings, "causal")
    doc = doc_of(BaseConv, what=what, rank=rank, causal=causal, example=example)
    return of_rank(BaseConv, rank, doc, f"Conv{rank}D", _paddings=paddings)


Conv1D = _convolution(
    1, "1D (temporal)", "keras.layers.Conv1D(8, 3)(np.ones((2, 10, 4))).shape  # (2, 8, 8)"
)
Conv2D = _convolution(
    2, "2D (spatial)", "keras.layers.Conv2D(8, 3)(np.ones((2, 28, 28, 1))).shape  # (2, 26, 26, 8)"
)
Conv3D = _convolution(
    3,
    "3D (volumetric)",
    "keras.layers.Conv3D(4, 3)(np.ones((1, 8, 8, 8, 2))).shape  # (1, 6, 6, 6, 4)",
)


# Other names of the same layers.
Convolution1D, Convolution2D, Convolution3D = Conv1D, Conv2D, Conv3D
