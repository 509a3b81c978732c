"""Whole sequences by the engine's fused kernel, also where steps are masked."""

from __future__ import annotations

from typing import Any

from keraslite import ops
from keraslite.ops.recurrent import HAS_KERNEL

#: The sigmoid of it is 1 and of its negative 0, in float16 as well.
_SHUT = 1e4


class FusedSequence:
    """Mixin of recurrent layers for which the engine may have a kernel, `_fused`."""

    _fused: Any
    cell: Any
    unroll: bool
    go_backwards: bool
    zero_output_for_mask: bool

    def __init__(self, use_cudnn: Any = "auto", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.use_cudnn = use_cudnn

    @property
    def is_fused(self) -> bool:
        """Whether the engine's kernel serves, if nothing in a call forbids it."""
        return self.cell.is_standard and not self.unroll and HAS_KERNEL[self._fused]

    def inner_loop(
        self, sequences: Any, initial_state: Any, mask: Any, training: bool = False
    ) -> tuple[Any, Any, Any]:
        """`(last output, outputs, last states)`."""
        cell = self.cell
        if not self.is_fused or (training and cell.recurrent_dropout):
            return super().inner_loop(  # type: ignore[misc]
                sequences, initial_state, mask, training
            )
        sequences = cell.drop_inputs(sequences, training)
        weights = [cell.kernel, cell.recurrent_kernel, cell.bias]
        if mask is None:
            outputs, *states = self._fused(sequences, *initial_state, *weights, self.go_backwards)
            return states[0], outputs, states
        if self.go_backwards:
            sequences, mask = ops.flip(sequences, axis=1), ops.flip(mask, axis=1)
        return self._skipping(sequences, initial_state, ops.cast(mask, "bool"), weights)

    def _skipping(self, x: Any, initial: Any, mask: Any, weights: list[Any]) -> Any:
        """`inner_loop` of the kept steps only, which are brought to the front for that."""
        time = ops.shape(x)[1]
        place = ops.arange(time)
        order = ops.argsort(ops.where(mask, place, place + time), axis=1)
        done = ops.cumsum(ops.cast(mask, "int32"), axis=1)
        number = done[:, -1:]
        x = ops.where((place < number)[..., None], _at(x, order), 0)
        ended = ops.cast(place >= number, x.dtype)[..., None]
        x, weights = self._holding(x, ended, weights)
        found, *states = self._fused(x, *initial, *weights)
        # What there is after 0, 1, ... kept steps.
        states[0] = _at(ops.concatenate([initial[0][:, None], found], axis=1), number)[:, 0]
        outputs = ops.where((done > 0)[..., None], _at(found, ops.maximum(done - 1, 0)), 0)
        if self.zero_output_for_mask:
            outputs = ops.where(mask[..., None], outputs, 0)
        return outputs[:, -1], outputs, states

    @staticmethod
    def _holding(x: Any, ended: Any, weights: list[Any]) -> tuple[Any, list[Any]]:
        """Inputs and weights with which states other than the output stay at ended steps."""
        return x, weights


def shut_gates(x: Any, ended: Any, weights: list[Any]) -> tuple[Any, list[Any]]:
    """An LSTM's inputs and weights, with one more input that keeps `c` at ended steps.

    It opens the forget gate and closes the input gate, exactly.
    """
    kernel, *rest = weights
    gates = ops.array([-_SHUT, _SHUT, 0, 0], dtype=x.dtype)
    row = ops.reshape(ops.repeat(gates, kernel.shape[1] // 4), (1, -1))
    return ops.concatenate([x, ended], axis=-1), [ops.concatenate([kernel, row]), *rest]


def _at(x: Any, index: Any) -> Any:
    """`x[sample, index[sample]]`."""
    return ops.take_along_axis(x, index[..., None], axis=1)
