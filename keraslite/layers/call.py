"""What a layer needs to know about calls: its signature, and the call it is part of."""

from __future__ import annotations

import contextvars
import functools
import inspect
from typing import Any


class CallContext:
    """What holds for the layers that are called inside a layer's call.

    Attributes:
        training: the value that inner layers take when they get none themselves.
    """

    __slots__ = ("training",)

    def __init__(self, training: bool | None) -> None:
        self.training = training


current_call: contextvars.ContextVar[CallContext | None] = contextvars.ContextVar(
    "call", default=None
)


class CallSignature:
    """The parameters of one `call` method.

    Attributes:
        parameters: names in order, without `self`.
        first: the name of the first one, None where it is `*args` or given by name only.
        has_training, training_default: whether `training` is among them, and its default.
        masks: argument name -> name of the parameter that takes its mask.
        required: names of those without a default that only the caller can give.
        open: it takes `**kwargs`.
    """

    def __init__(self, function: Any) -> None:
        self.signature = inspect.signature(function)
        found = list(self.signature.parameters.values())[1:]
        named = [p for p in found if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
        self.parameters = [p.name for p in named]
        leading = found[:1] and found[0].kind in (
            inspect.Parameter.POSITIONAL_ONLY,
            inspect.Parameter.POSITIONAL_OR_KEYWORD,
        )
        self.first = self.parameters[0] if leading else None
        self.required = [
            p.name
            for p in named
            if p.default is p.empty and p.name != "training" and not p.name.endswith("mask")
        ]
        self.open = any(p.kind is p.VAR_KEYWORD for p in found)
        self.has_training = "training" in self.parameters
        default = self.signature.parameters["training"].default if self.has_training else None
        self.training_default = None if default is inspect.Parameter.empty else default
        self.masks: dict[str, str] = {}
        for name in self.parameters:
            if f"{name}_mask" in self.parameters:
                self.masks[name] = f"{name}_mask"
        if "mask" in self.parameters and self.first is not None:
            self.masks.setdefault(self.first, "mask")
        # One tensor in, nothing else to fill in: the shape of most layers.
        self.plain = len(self.parameters) == 1 or (len(self.parameters) == 2 and self.has_training)

    def bind(self, args: tuple, kwargs: dict[str, Any]) -> dict[str, Any]:
        """Arguments by name, those given only."""
        if len(args) == 1 and self.first is not None:
            return {self.first: args[0], **kwargs}
        bound = self.signature.bind_partial(None, *args, **kwargs).arguments
        bound.pop(next(iter(self.signature.parameters)), None)
        for parameter in self.signature.parameters.values():
            if parameter.kind is parameter.VAR_KEYWORD:
                bound.update(bound.pop(parameter.name, {}))
        return dict(bound)


@functools.lru_cache(maxsize=2048)
def call_signature(function: Any) -> CallSignature:
    """The `CallSignature` of a `call` method, worked out once a class."""
    return CallSignature(function)
