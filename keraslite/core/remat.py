"""Rematerialisation: less memory in the backward pass for more computation.

Chen et al., "Training Deep Nets with Sublinear Memory Cost", https://arxiv.org/abs/1604.06174
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from keraslite.backend import engine
from keraslite.core import tree
from keraslite.core.errors import check_choice
from keraslite.core.scopes import Scope, _Current

_MODES = ("full", "activations", "larger_than", "list_of_layers", None)


class RematScope(Scope):
    """Layers created inside recompute activations in the backward pass.

    Args:
        mode: `"full"` for every layer, `"activations"` for activation layers,
            `"larger_than"` for outputs above `output_size_threshold`, `"list_of_layers"`
            for those named in `layer_names`, None for none.
        output_size_threshold: number of output elements.
        layer_names: names of layers.

    Example:
        >>> with keras.RematScope(mode="full"):
        ...     layer = keras.layers.Dense(64)
    """

    current: _Current[RematScope] = _Current("remat")

    def __init__(
        self,
        mode: str | None = "full",
        output_size_threshold: int = 1024,
        layer_names: list[str] | None = None,
    ) -> None:
        check_choice(self, _MODES, mode=mode)
        self.mode = mode
        self.output_size_threshold = output_size_threshold
        self.layer_names = list(layer_names or [])

    def wants(self, layer: Any, output_spec: Callable[[], Any]) -> bool:
        """Whether `layer` is to be rematerialised here."""
        if self.mode == "full":
            return True
        if self.mode == "list_of_layers":
            return layer.name in self.layer_names
        if self.mode == "larger_than":
            sizes = (math.prod(n or 1 for n in x.shape) for x in tree.flatten(output_spec()))
            return sum(sizes) > self.output_size_threshold
        return self.mode == "activations" and getattr(layer, "_is_activation", False)


def remat(f: Callable[..., Any]) -> Callable[..., Any]:
    """`f`, recomputed in the backward pass in place of keeping what it computed.

    Example:
        >>> block = keras.remat(lambda x: keras.ops.tanh(keras.ops.matmul(x, w)))
    """
    return engine.rematerialize(f)


def rematerialize_by_scope(layer: Any, call: Callable[..., Any], args: Any, kwargs: Any) -> Any:
    """Run `call`, rematerialised when the current `RematScope` wants that."""
    scope = RematScope.current.get()
    if scope is None or not scope.wants(layer, lambda: layer.compute_output_spec(*args, **kwargs)):
        return call(*args, **kwargs)
    return engine.rematerialize(call)(*args, **kwargs)
