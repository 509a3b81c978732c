"""Fused recurrent layers with Keras's weights and gate order."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import torch

from keraslite.backend.torch import tensors

_Out = tuple[torch.Tensor, ...]


@contextlib.contextmanager
def _without_onednn() -> Iterator[None]:
    before = torch._C._get_mkldnn_enabled()
    torch._C._set_mkldnn_enabled(False)
    try:
        yield
    finally:
        torch._C._set_mkldnn_enabled(before)


def _run(
    native: Callable[..., _Out],
    x: torch.Tensor,
    state: Any,
    weights: list[torch.Tensor],
    reverse: bool,
) -> _Out:
    """A single-layer, one-way run of torch's recurrent kernel, batch first."""
    if reverse:
        x = torch.flip(x, (1,))
    train = torch.is_grad_enabled()
    # The compiler fails on oneDNN's LSTM; without it, it sees single steps.
    lowered = tensors.is_tracing() and not tensors.is_recording()
    with _without_onednn() if lowered else contextlib.nullcontext():
        outputs, *last = native(x, state, weights, True, 1, 0.0, train, False, True)
    return outputs, *(s.squeeze(0) for s in last)


def lstm(
    x: torch.Tensor,
    h: torch.Tensor,
    c: torch.Tensor,
    kernel: torch.Tensor,
    recurrent_kernel: torch.Tensor,
    bias: torch.Tensor | None,
    reverse: bool = False,
) -> _Out:
    """Outputs `(B, T, U)`, last `h` and last `c`; gates i, f, c, o like torch's own.

    With `reverse` the last step comes first, in the outputs as well.
    """
    zeros = torch.zeros(kernel.shape[1], dtype=x.dtype, device=x.device)
    weights = [
        kernel.t().contiguous(),
        recurrent_kernel.t().contiguous(),
        zeros if bias is None else bias,
        zeros,
    ]
    return _run(torch.lstm, x, (h.unsqueeze(0), c.unsqueeze(0)), weights, reverse)


def _reset_first(gates: torch.Tensor) -> torch.Tensor:
    """Keras's z, r, h along the last axis as torch's r, z, n along the first."""
    z, r, n = torch.chunk(gates, 3, dim=-1)
    return torch.cat((r, z, n), dim=-1).movedim(-1, 0).contiguous()


def gru(
    x: torch.Tensor,
    h: torch.Tensor,
    kernel: torch.Tensor,
    recurrent_kernel: torch.Tensor,
    bias: torch.Tensor | None,
    reverse: bool = False,
) -> _Out:
    """Outputs `(B, T, U)` and last `h` of a GRU with `reset_after`; `bias` is `(2, 3U)`."""
    if bias is None:
        bias = torch.zeros((2, kernel.shape[1]), dtype=x.dtype, device=x.device)
    weights = [_reset_first(w) for w in (kernel, recurrent_kernel, bias[0], bias[1])]
    return _run(torch.gru, x, h.unsqueeze(0), weights, reverse)
