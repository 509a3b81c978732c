"""The options that most layers with weights share, said once."""

from __future__ import annotations

from typing import Any

from keraslite import activations, constraints, initializers, regularizers
from keraslite.core.variable import Variable
from keraslite.layers.layer import Layer

_RESOLVERS = {
    "initializer": initializers.get,
    "regularizer": regularizers.get,
    "constraint": constraints.get,
    "activation": activations.get,
}


class WeightedLayer(Layer):
    """A layer whose weights have an initializer, a regularizer and a constraint each."""

    def _construct(self, arguments: dict[str, Any]) -> None:
        """Begin as a layer with what `own_arguments` found; all of it becomes attributes."""
        kwargs = arguments.pop("kwargs")
        if "activity_regularizer" in arguments:
            kwargs["activity_regularizer"] = arguments.pop("activity_regularizer")
        Layer.__init__(self, **kwargs)
        self._set_options(**arguments)

    def _set_options(self, **options: Any) -> None:
        """Keep options as attributes; names of functions become functions by the last word."""
        for name, value in options.items():
            resolve = _RESOLVERS.get(name.rpartition("_")[2])
            setattr(self, name, resolve(value) if resolve else value)

    def _add(self, name: str, shape: Any, option: str | None = None, **kwargs: Any) -> Variable:
        """A weight called `name` with the options `{option}_initializer` and so on."""
        option = option or name
        for what in ("initializer", "regularizer", "constraint"):
            kwargs.setdefault(what, getattr(self, f"{option}_{what}", None))
        return self.add_weight(name=name, shape=shape, **kwargs)


def own_arguments(local: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a constructor from its `locals()`, `kwargs` among them."""
    return {k: v for k, v in local.items() if k not in ("self", "__class__")}


def make_class(
    module: str, name: str, base: type, doc: str, init: Any = None, **members: Any
) -> Any:
    """A subclass of `base` that differs by a constructor and some members, such as a rank."""
    namespace = {"__doc__": doc, "__module__": module, "__qualname__": name, **members}
    if init is not None:
        init.__qualname__ = f"{name}.__init__"
        namespace["__init__"] = init
    return type(name, (base,), namespace)


def check_positive(layer: Layer, **sizes: Any) -> None:
    """Raise a ValueError unless every given size is a positive integer."""
    for name, value in sizes.items():
        if isinstance(value, bool) or not hasattr(value, "__index__") or value < 1:
            raise ValueError(
                f"{type(layer).__name__}: `{name}` must be a positive integer. Received: {value!r}"
            )


def known_size(layer: Layer, shape: Any, axis: int) -> int:
    """The size of `axis`, which must be known when variables are made."""
    size = shape[axis]
    if size is None:
        raise ValueError(
            f"Layer {layer.name!r} ({type(layer).__name__}) needs to know the size of axis {axis} "
            f"of its input. Received: shape={tuple(shape)}. Give it to `Input`."
        )
    return size
