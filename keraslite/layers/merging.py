"""Layers that combine several inputs into one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from keraslite import ops
from keraslite.core.errors import describe
from keraslite.core.shapes import broadcast
from keraslite.layers.layer import Layer
from keraslite.layers.options import check_axes, check_equal, make_class

__all__ = [
    "Add",
    "Average",
    "Concatenate",
    "Dot",
    "Maximum",
    "Minimum",
    "Multiply",
    "Subtract",
    "add",
    "average",
    "concatenate",
    "dot",
    "maximum",
    "minimum",
    "multiply",
    "subtract",
]


class Merge(Layer):
    """Base of the elementwise ones: folds `_combine` over the inputs."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def _check(self, inputs: Any, count: int | None = None) -> list[Any]:
        """The inputs as a list, `count` of them if that is given."""
        listed = isinstance(inputs, (list, tuple)) and len(inputs) > 0
        if not listed or len(inputs) != (count or len(inputs)):
            raise ValueError(
                f"Layer {self.name!r} ({type(self).__name__}) takes a list of "
                f"{'' if count is None else f'{count} '}inputs. Received: {describe(inputs)}"
            )
        return list(inputs)

    def _aligned(self, inputs: list[Any]) -> list[Any]:
        """Inputs of lower rank get axes of size 1 behind the batch axis."""
        highest = max(len(x.shape) for x in inputs)
        found = []
        for x in inputs:
            lacking = range(1, 1 + highest - len(x.shape))
            found.append(ops.expand_dims(x, tuple(lacking)) if lacking else x)
        try:
            broadcast(*(tuple(x.shape) for x in found))
        except ValueError as error:
            raise ValueError(f"Layer {self.name!r} ({type(self).__name__}): {error}") from None
        return found

    def _combine(self, x: Any, y: Any) -> Any:
        raise NotImplementedError

    def call(self, inputs: Any) -> Any:
        inputs = self._aligned(self._check(inputs))
        result = inputs[0]
        for x in inputs[1:]:
            result = self._combine(result, x)
        return result

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        if previous_mask is None:
            return None
        found = [m for m in previous_mask if m is not None]
        if len(found) < len(previous_mask):
            return None
        mask = found[0]
        for other in found[1:]:
            mask = ops.logical_and(mask, other)
        return mask


def _elementwise(name: str, op: str, what: str) -> type[Merge]:
    def _combine(self: Merge, x: Any, y: Any) -> Any:
        return getattr(ops, op)(x, y)

    doc = f"{what} of the inputs, element by element; shapes broadcast."
    return make_class(__name__, name, Merge, doc, _combine=_combine)


Add = _elementwise("Add", "add", "Sum")
Multiply = _elementwise("Multiply", "multiply", "Product")
Maximum = _elementwise("Maximum", "maximum", "Maximum")
Minimum = _elementwise("Minimum", "minimum", "Minimum")


class Subtract(Merge):
    """The first input minus the second."""

    def call(self, inputs: Any) -> Any:
        x, y = self._aligned(self._check(inputs, 2))
        return ops.subtract(x, y)


class Average(Merge):
    """Mean of the inputs, element by element."""

    def _combine(self, x: Any, y: Any) -> Any:
        return ops.add(x, y)

    def call(self, inputs: Any) -> Any:
        return super().call(inputs) / len(inputs)


class Concatenate(Merge):
    """The inputs one after the other along an axis.

    Args:
        axis: along which the inputs may differ in size.

    Example:
        >>> keras.layers.Concatenate()([np.ones((2, 3)), np.ones((2, 1))]).shape
        (2, 4)
    """

    def __init__(self, axis: int = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = axis

    def call(self, inputs: Any) -> Any:
        return ops.concatenate(self._check(inputs), axis=self.axis)

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        if previous_mask is None or all(m is None for m in previous_mask):
            return None
        rank = len(inputs[0].shape)
        masks = []
        for x, mask in zip(inputs, previous_mask, strict=True):
            if mask is None:
                mask = ops.ones_like(x, dtype="bool")
            elif len(mask.shape) < rank:
                mask = ops.expand_dims(mask, tuple(range(len(mask.shape), rank)))
                mask = ops.broadcast_to(mask, ops.shape(x))
            masks.append(mask)
        joined = ops.concatenate(masks, axis=self.axis)
        return ops.all(joined, axis=-1)


class Dot(Merge):
    """Products of two inputs, summed over one axis of each; sample by sample.

    Args:
        axes: an axis, or one for each input.
        normalize: scale to unit length first, which gives cosines.
    """

    def __init__(self, axes: Any, normalize: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axes = axes if isinstance(axes, int) else tuple(axes)
        if self.axes != axes and (len(self.axes) != 2 or len(check_axes(self, self.axes)) != 2):
            raise ValueError(f"Dot: `axes` must be an axis or two. Received: {axes!r}")
        self.normalize = normalize

    def call(self, inputs: Any) -> Any:
        x, y = self._check(inputs, 2)
        axes = (self.axes, self.axes) if isinstance(self.axes, int) else self.axes
        ranks = (len(x.shape), len(y.shape))
        for axis, rank in zip(axes, ranks, strict=True):
            if not -rank <= axis < rank or axis % rank == 0:
                raise ValueError(
                    f"Layer {self.name!r} (Dot): `axes` must be axes of the inputs other than the "
                    f"first. Received: axes={self.axes}, shapes {tuple(x.shape)} and "
                    f"{tuple(y.shape)}"
                )
        a, b = (axis % rank for axis, rank in zip(axes, ranks, strict=True))
        names = ("the first input", "the second")
        for what, i, j in (("batch sizes", 0, 0), ("the sizes of the summed axes", a, b)):
            sizes = dict(zip(names, (x.shape[i], y.shape[j]), strict=True))
            check_equal(self, what, sizes)
        if self.normalize:
            x, y = ops.normalize(x, axis=a), ops.normalize(y, axis=b)
        left = "abcdefgh"[1 : ranks[0]]
        right = "pqrstuvw"[1 : ranks[1]]
        right = right.replace(right[b - 1], left[a - 1])
        kept = left.replace(left[a - 1], "") + right.replace(left[a - 1], "")
        result = ops.einsum(f"z{left},z{right}->z{kept}", x, y)
        return ops.expand_dims(result, 1) if not kept else result

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        return None


def _function(cls: type[Merge]) -> Callable[..., Any]:
    def merge(inputs: Any, **kwargs: Any) -> Any:
        return cls(**kwargs)(inputs)

    merge.__name__ = merge.__qualname__ = cls.__name__.lower()
    merge.__doc__ = f"`{cls.__name__}(**kwargs)(inputs)`: {(cls.__doc__ or '').splitlines()[0]}"
    return merge


add = _function(Add)
subtract = _function(Subtract)
multiply = _function(Multiply)
average = _function(Average)
maximum = _function(Maximum)
minimum = _function(Minimum)


def concatenate(inputs: Any, axis: int = -1, **kwargs: Any) -> Any:
    """`Concatenate(axis)(inputs)`."""
    return Concatenate(axis=axis, **kwargs)(inputs)


def dot(inputs: Any, axes: Any = -1, **kwargs: Any) -> Any:
    """`Dot(axes)(inputs)`."""
    return Dot(axes=axes, **kwargs)(inputs)
