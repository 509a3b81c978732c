"""The options that most layers with weights share, said once."""

from __future__ import annotations

from typing import Any

import numpy as np

from keraslite import activations, constraints, initializers, regularizers
from keraslite.core.variable import Variable
from keraslite.layers.bounds import check_array, check_range
from keraslite.layers.layer import Layer

_RESOLVERS = {
    "initializer": initializers.get,
    "regularizer": regularizers.get,
    "constraint": constraints.get,
    "activation": activations.get,
}


class WeightlessLayer(Layer):
    """A layer without variables, which is built from the start."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.built = True


class WeightedLayer(Layer):
    """A layer whose weights have an initializer, a regularizer and a constraint each."""

    def _convert(self, arguments: dict[str, Any]) -> dict[str, Any]:
        for value in arguments.values():
            if isinstance(value, (np.ndarray, np.generic)) and value.dtype.kind in "USO":
                raise ValueError(
                    f"Layer {self.name!r} ({type(self).__name__}) takes numbers. Received: text or "
                    "objects. A `StringLookup` layer turns text into numbers."
                )
        return super()._convert(arguments)

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


def keep(layer: Layer, local: dict[str, Any]) -> None:
    """Set the arguments of a constructor, from its `locals()`, as attributes of their names."""
    for name, value in own_arguments(local).items():
        if name != "kwargs":
            setattr(layer, name, value)


def doc_of(base: type, **blanks: Any) -> str:
    """The docstring of `base` with its blanks filled in."""
    return (base.__doc__ or "").format(**blanks)


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


def check_rate(layer: Layer, one: bool = True, **shares: Any) -> None:
    """Raise a ValueError unless every given share lies between 0 and 1; `one` is whether it may."""
    for name, rate in shares.items():
        number = isinstance(rate, (int, float)) and not isinstance(rate, bool)
        if not number or not 0 <= rate <= 1 or (rate == 1 and not one):
            raise ValueError(
                f"{type(layer).__name__}: `{name}` must be a number from 0 to 1"
                f"{'' if one else ', less than 1'}. Received: {rate!r}"
            )


def check_indices(layer: Layer, indices: Any, size: int, option: str) -> None:
    """Raise a ValueError for numbers outside of `[0, size)`; `option` is where `size` is from.

    For NumPy arrays, and for tensors as `check_range` does.
    """

    def explain(value: Any, place: tuple[int, ...] | None) -> ValueError:
        where = "" if place is None else f"inputs[{', '.join(map(str, place))}] = "
        return ValueError(
            f"Layer {layer.path!r} ({type(layer).__name__}) expects integers from 0 to {size - 1}, "
            f"since {option}={size}. Received: {where}{value}. Make `{option}` greater than the "
            "largest one."
        )

    if isinstance(indices, np.ndarray):
        check_array(indices, size, explain)
    else:
        check_range(layer, indices, size, explain)


def check_axes(layer: Layer, axis: Any) -> Any:
    """`axis`, which must be an integer or several; several become a list.

    Their order is that of the sizes of weights, also in files of Keras, which sorts them.
    """
    found = list(axis) if isinstance(axis, (list, tuple)) else axis
    for value in found if isinstance(found, list) else [found]:
        if isinstance(value, bool) or not hasattr(value, "__index__"):
            raise ValueError(
                f"{type(layer).__name__}: `axis` must be an integer or a list of integers. "
                f"Received: {axis!r}"
            )
    return sorted(found) if isinstance(found, list) else found


def check_equal(layer: Layer, what: str, sizes: dict[str, int | None]) -> None:
    """Raise a ValueError where the known ones among `sizes` differ."""
    if len({size for size in sizes.values() if size is not None}) > 1:
        given = ", ".join(f"{name} has {size}" for name, size in sizes.items())
        raise ValueError(
            f"Layer {layer.name!r} ({type(layer).__name__}): {what} must be the same. "
            f"Received: {given}"
        )


def known_size(layer: Layer, shape: Any, axis: int) -> int:
    """The size of `axis`, which must be known when variables are made."""
    if not -len(shape) <= axis < len(shape):
        raise ValueError(
            f"Layer {layer.name!r} ({type(layer).__name__}) needs an input with axis {axis}. "
            f"Received: shape={tuple(shape)}"
        )
    size = shape[axis]
    if size is None:
        raise ValueError(
            f"Layer {layer.name!r} ({type(layer).__name__}) needs to know the size of axis {axis} "
            f"of its input. Received: shape={tuple(shape)}. Give it to `Input`."
        )
    return size
