"""Whole recurrent sequences as one operation, for engines that have a fused kernel of it.

Not among Keras's public ops: the layers call them where `HAS_KERNEL` says so, and else loop over
their cells.
"""

from __future__ import annotations

from keraslite.backend import engine
from keraslite.core.op import Tensor, TensorLike, primitive
from keraslite.core.promotion import FLOAT


@primitive(None, FLOAT)
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


@primitive(None, FLOAT)
def gru(
    x: TensorLike,
    h: TensorLike,
    kernel: TensorLike,
    recurrent_kernel: TensorLike,
    bias: TensorLike | None = None,
    reverse: bool = False,
) -> tuple[Tensor, Tensor]:
    """A GRU over whole sequences, with tanh and sigmoid; reset after the recurrent product.

    Cho et al., https://arxiv.org/abs/1406.1078

    Args:
        x: inputs `(batch, time, features)`.
        h: initial state `(batch, units)`.
        kernel: `(features, 3 * units)`, gates in the order update, reset, new values.
        recurrent_kernel: `(units, 3 * units)`.
        bias: `(2, 3 * units)`, of the inputs and of the state, or None.
        reverse: from the last step to the first; outputs come in that order.

    Returns:
        Outputs `(batch, time, units)` and the last `h`.
    """


HAS_KERNEL = {op: hasattr(engine.kernels, op.__name__) for op in (lstm, gru)}
