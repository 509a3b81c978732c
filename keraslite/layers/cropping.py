"""Layers that cut margins off, or add margins of zeros, along 1, 2 or 3 axes."""

from __future__ import annotations

from typing import Any

from keraslite import ops
from keraslite.config import standardize_data_format
from keraslite.layers.constructors import constructor_of
from keraslite.layers.convolution import as_tuple
from keraslite.layers.input_spec import InputSpec
from keraslite.layers.layer import Layer

__all__ = [
    "Cropping1D",
    "Cropping2D",
    "Cropping3D",
    "ZeroPadding1D",
    "ZeroPadding2D",
    "ZeroPadding3D",
]

Pair = tuple[int, int]


class _Margins(Layer):
    """What the layers share: the margins of each axis, before and after."""

    rank: int

    def _set_margins(self, name: str, value: Any, data_format: str | None) -> None:
        self.data_format = standardize_data_format(data_format)
        self.input_spec = InputSpec(ndim=self.rank + 2)
        sides = (value,) * self.rank if self.rank == 1 or isinstance(value, int) else tuple(value)
        if len(sides) != self.rank:
            raise ValueError(
                f"{type(self).__name__}: `{name}` must be an integer or have {self.rank} elements, "
                f"one for each axis. Received: {value!r}"
            )
        pairs = tuple(as_tuple(self, name, side, 2, zero=True) for side in sides)
        setattr(self, name, pairs[0] if self.rank == 1 else pairs)

    def _all_axes(self, margins: Any) -> tuple[Pair, ...]:
        """The margins of all axes, those of the batch and the channels being nothing."""
        margins = (margins,) if self.rank == 1 else margins
        if self.data_format == "channels_last":
            return ((0, 0), *margins, (0, 0))
        return ((0, 0), (0, 0), *margins)


class _Cropping(_Margins):
    def __init__(self, cropping: Any, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._set_margins("cropping", cropping, data_format)

    def call(self, inputs: Any) -> Any:
        kept = []
        for axis, (before, after) in enumerate(self._all_axes(self.cropping)):
            size = inputs.shape[axis]
            if size is not None and before + after and before + after >= size:
                raise ValueError(
                    f"Layer {self.name!r} ({type(self).__name__}) would crop all of axis {axis}. "
                    f"Received: shape={tuple(inputs.shape)}, cropping={self.cropping}"
                )
            kept.append(slice(before, -after if after else None))
        return inputs[tuple(kept)]


class Cropping1D(_Cropping):
    """Cuts steps off both ends of sequences.

    Args:
        cropping: an integer for both ends, or `(first, last)`.

    Shapes: `(batch, steps, features)` to `(batch, fewer_steps, features)`.
    """

    rank = 1
    _not_in_config = frozenset({"data_format"})

    __init__ = constructor_of(_Cropping, without="data_format", cropping=(1, 1))


class Cropping2D(_Cropping):
    """Cuts rows and columns off images.

    Args:
        cropping: an integer, `(rows, columns)`, or `((top, bottom), (left, right))`.
        data_format: `"channels_last"` or `"channels_first"`.

    Example:
        >>> keras.layers.Cropping2D(((1, 2), (0, 3)))(np.ones((1, 8, 8, 3))).shape
        (1, 5, 5, 3)
    """

    rank = 2

    __init__ = constructor_of(_Cropping, cropping=((0, 0), (0, 0)))


class Cropping3D(_Cropping):
    """Cuts margins off volumes.

    Args:
        cropping: an integer, three integers, or three pairs `(before, after)`.
        data_format: `"channels_last"` or `"channels_first"`.
    """

    rank = 3

    __init__ = constructor_of(_Cropping, cropping=((1, 1), (1, 1), (1, 1)))


class _ZeroPadding(_Margins):
    def __init__(self, padding: Any, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._set_margins("padding", padding, data_format)

    def call(self, inputs: Any) -> Any:
        return ops.pad(inputs, self._all_axes(self.padding))


class ZeroPadding1D(_ZeroPadding):
    """Steps of zeros before and after sequences.

    Args:
        padding: an integer for both ends, or `(before, after)`.
        data_format: `"channels_last"` or `"channels_first"`.
    """

    rank = 1

    __init__ = constructor_of(_ZeroPadding, padding=1)


class ZeroPadding2D(_ZeroPadding):
    """Zeros around images.

    Args:
        padding: an integer, `(rows, columns)`, or `((top, bottom), (left, right))`.
        data_format: `"channels_last"` or `"channels_first"`.
    """

    rank = 2

    __init__ = constructor_of(_ZeroPadding, padding=(1, 1))


class ZeroPadding3D(_ZeroPadding):
    """Zeros around volumes.

    Args:
        padding: an integer, three integers, or three pairs `(before, after)`.
        data_format: `"channels_last"` or `"channels_first"`.
    """

    rank = 3

    __init__ = constructor_of(_ZeroPadding, padding=((1, 1), (1, 1), (1, 1)))
