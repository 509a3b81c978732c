"""Running a training, test or prediction step: as it is, or through `torch.compile`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from keraslite.backend.torch import tensors
from keraslite.core import tree


def _feed(x: Any) -> Any:
    if type(x) is np.ndarray:
        return tensors.feed(x)
    if isinstance(x, torch.Tensor) and tensors.elsewhere(x, tensors.device()):
        return x.to(tensors.device(), non_blocking=True)
    return x


def compile_step(
    step: Callable[[Any], Any], variables: Sequence[Any], jit: bool | str = "auto"
) -> Callable[[Any], Any]:
    """See `Engine.compile_step`.

    Eager is the habit: on a CPU compiling gains little for many seconds of waiting.
    Compiled, the whole step is one graph, gradients and assignments included.
    """
    run = _compiled(step) if jit is True else step

    def fed(batch: Any) -> Any:
        return run(tree.map_structure(_feed, batch))

    return fed


def _compiled(step: Callable[[Any], Any]) -> Callable[[Any], Any]:
    import torch._dynamo

    # Without it the graph breaks at `autograd.grad`, and torch refuses the step.
    torch._dynamo.config.trace_autograd_ops = True
    return torch.compile(step)
