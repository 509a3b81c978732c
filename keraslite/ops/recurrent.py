"""Whole recurrent sequences as one operation, so that an engine can use its fused kernel.

Not among Keras's public ops: the layers call them.
"""

from __future__ import annotations

from typing import Any

from keraslite import ops
from keraslite.core.op import Tensor, TensorLike, composite
from keraslite.core.promotion import FLOAT


def _time_major(x: Any) -> Any:
    return ops.transpose(x, (1, 0, *range(2, len(x.shape))))


@composite(None, FLOAT)
def lstm(
    x: TensorLike,
    h: TensorLike,
    c: TensorLike,
    kernel: TensorLike,
    recurrent_kernel: TensorLike,
    bias: TensorLike | None = None,
    reverse: bool = False,
) -> tuple[Tensor, Tensor, Tensor]:
    """An LSTM over whole sequences, with tanh and sigmoid.

    Hochreiter and Schmidhuber, "Long Short-Term Memory", Neural Computation 9 (1997).

    Args:
        x: inputs `(batch, time, features)`.
        h, c: initial states `(batch, units)`.
        kernel: `(features, 4 * units)`, gates in the order input, forget, cell, output.
        recurrent_kernel: `(units, 4 * units)`.
        bias: `(4 * units,)` or None.
        reverse: from the last step to the first; outputs come in that order.

    Returns:
        Outputs `(batch, time, units)` and the last `h` and `c`.
    """
    # One product for all steps; only the recurrent one stays in the loop.
    projected = ops.matmul(x, kernel)
    if bias is not None:
        projected = projected + bias

    def step(carry: Any, z: Any) -> Any:
        h, c = carry
        z = z + ops.matmul(h, recurrent_kernel)
        i, f, g, o = ops.split(z, 4, axis=-1)
        c = ops.sigmoid(f) * c + ops.sigmoid(i) * ops.tanh(g)
        h = ops.sigmoid(o) * ops.tanh(c)
        return (h, c), h

    projected = _time_major(projected)
    if reverse:
        projected = ops.flip(projected, axis=0)
    (h, c), outputs = ops.scan(step, (h, c), projected)
    return _time_major(outputs), h, c
