"""Recurrent layers whose products are convolutions.

Shi et al., "Convolutional LSTM Network", https://arxiv.org/abs/1506.04214
"""

from __future__ import annotations

from typing import Any

from keraslite import ops
from keraslite.core.keras_tensor import KerasTensor
from keraslite.core.shapes import window
from keraslite.layers.constructors import takes
from keraslite.layers.convolution import add_bias, channel_axis, check_strides, set_window
from keraslite.layers.input_spec import InputSpec
from keraslite.layers.options import check_positive, doc_of, keep, known_size, make_class
from keraslite.layers.recurrent import CellLayer
from keraslite.layers.recurrent_cells import LSTMCell

__all__ = ["ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D"]


class ConvLSTMCell(LSTMCell):
    """One step of `ConvLSTM2D` and its like: an `LSTMCell` with two convolutions.

    The inputs are convolved with the given options; the states, which are images of the
    size that this gives, so that they keep it.
    """

    @takes(LSTMCell, without="units")
    def __init__(
        self,
        rank: int,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = 1,
        **kwargs: Any,
    ) -> None:
        check_positive(self, filters=filters)
        super().__init__(filters, **kwargs)
        keep(self, locals())
        set_window(self)
        check_strides(self)
        self._step_rank = rank + 2
        self._gate_axis = channel_axis(self)
        # Known once built.
        self.state_size = self.output_size = None

    def build(self, input_shape: Any) -> None:
        channels = known_size(self, input_shape, self._gate_axis)
        first = 1 if self.data_format == "channels_last" else 2
        space = [
            window(known_size(self, input_shape, first + i), size, step, self.padding, rate)
            for i, (size, step, rate) in enumerate(
                zip(self.kernel_size, self.strides, self.dilation_rate, strict=True)
            )
        ]
        self.output_size = (*space, self.filters) if first == 1 else (self.filters, *space)
        self.state_size = [self.output_size] * 2
        width = self._gates * self.filters
        self.kernel = self._add("kernel", (*self.kernel_size, channels, width))
        shape = (*self.kernel_size, self.filters, width)
        self.recurrent_kernel = self._add("recurrent_kernel", shape, "recurrent")
        self.bias = self._add_bias(width) if self.use_bias else None

    def _state_shape(self) -> tuple[int, ...]:
        return self.output_size

    def project(self, inputs: Any, training: bool = False) -> Any:
        x = self.drop_inputs(inputs, training)
        sizes = ops.shape(x)
        many = len(x.shape) > self._step_rank
        if many:
            # All steps as one batch.
            x = ops.reshape(x, (-1, *sizes[2:]))
        x = ops.conv(
            x, self.kernel, self.strides, self.padding, self.data_format, self.dilation_rate
        )
        x = add_bias(self, x)
        return ops.reshape(x, (-1, sizes[1], *ops.shape(x)[1:])) if many else x

    def _recur(self, h: Any) -> Any:
        return ops.conv(h, self.recurrent_kernel, 1, "same", self.data_format)


class BaseConvLSTM(CellLayer):
    """LSTM over sequences of {what}, with convolutions in place of products.

    Args:
        filters: number of output channels.
        kernel_size: size of the window, an integer or a tuple of {rank}.
        strides: steps of the window over the inputs; over the states it is 1.
        padding: `"valid"` or `"same"`, of the inputs; that of the states is `"same"`.
        data_format: `"channels_last"` or `"channels_first"`.
        dilation_rate: distance between the elements of the window over the inputs.
        activation: of the new values.
        recurrent_activation: of the gates.
        use_bias: whether there is a bias.
        kernel_initializer, recurrent_initializer, bias_initializer: initial values.
        unit_forget_bias: begin with ones in the bias of the forget gate.
        kernel_regularizer, recurrent_regularizer, bias_regularizer: penalties.
        activity_regularizer: penalty on the output.
        kernel_constraint, recurrent_constraint, bias_constraint: applied after updates.
        dropout, recurrent_dropout: shares of inputs and of states that are dropped in
            training, the same ones at every step.
        seed: of dropout.
        return_sequences: all outputs in place of the last one.
        return_state: also return the last states.
        go_backwards: from the last step to the first.
        stateful: begin each batch with the last states of the one before.

    Shapes: `(batch, time, *sizes, channels)` to `(batch, *new_sizes, filters)`, or with `time`
    under `return_sequences`. The sizes must be known.
    """

    _cell = ConvLSTMCell
    _rank: int

    @takes(
        CellLayer,
        ConvLSTMCell,
        behind={
            "bias_regularizer": "activity_regularizer",
            "seed": "return_sequences return_state go_backwards stateful",
        },
        without="unroll",
        fixed="rank",
    )
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(rank=self._rank, **kwargs)
        self.input_spec = InputSpec(ndim=self._rank + 3)

    def _state_specs(self, spec: Any) -> list[KerasTensor]:
        return [spec(*self.cell.output_size) for _ in range(2)]


def _conv_lstm(rank: int, what: str) -> Any:
    doc = doc_of(BaseConvLSTM, rank=rank, what=what)
    return make_class(__name__, f"ConvLSTM{rank}D", BaseConvLSTM, doc, _rank=rank)


ConvLSTM1D = _conv_lstm(1, "rows")
ConvLSTM2D = _conv_lstm(2, "images")
ConvLSTM3D = _conv_lstm(3, "volumes")
