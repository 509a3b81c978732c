"""Layers that spread values by what values there are: contrast and equalization."""

from __future__ import annotations

from typing import Any

from keraslite import ops
from keraslite.core.op import Tensor
from keraslite.layers.augmentation.base import rescaled
from keraslite.layers.augmentation.colours import _BYTES, ColourLayer

__all__ = ["AutoContrast", "ContrastLimitedAdaptiveHistogramEqualization", "Equalization"]


class AutoContrast(ColourLayer):
    """Spreads the values of each channel over the whole range.

    Args:
        value_range: the lowest and the highest value of pixels.
    """

    _in_training_only = False

    def _images(self, images: Tensor, transformation: Any) -> Tensor:
        axes = self._axes[:2]
        low, high = ops.min(images, axes, keepdims=True), ops.max(images, axes, keepdims=True)
        spread = high > low
        share = (images - low) / ops.where(spread, high - low, 1.0)
        found = rescaled(share, (0.0, 1.0), self.value_range)
        return self._clipped(ops.where(spread, found, images))


def _channels_to_rows(images: Tensor, channels: int) -> tuple[Tensor, tuple[Any, ...]]:
    """One row of values for each channel of each image, and the shape before."""
    moved = ops.moveaxis(images, channels, 1)
    shape = ops.shape(moved)
    return ops.reshape(moved, (shape[0] * shape[1], shape[2] * shape[3])), shape


def counts(rows: Tensor, bins: int) -> Tensor:
    """How often each of the integers from 0 up to `bins` is in each row."""
    many = ops.shape(rows)[0]
    first = ops.expand_dims(ops.arange(many, dtype="int32") * bins, 1)
    places = ops.reshape(ops.add(rows, first), (-1,))
    ones = ops.ones_like(places, dtype="float32")
    return ops.reshape(ops.segment_sum(ones, places, many * bins), (many, bins))


class Equalization(ColourLayer):
    """Makes all values of each channel about as frequent.

    Args:
        value_range: the lowest and the highest value of pixels; they are bytes in between.
        bins: how many values are told apart.
        data_format: `"channels_last"`, `"channels_first"`, or None for
            `keras.config.image_data_format()`.

    Raises:
        ValueError: for a range that is none.
    """

    _in_training_only = False

    def __init__(
        self,
        value_range: Any = _BYTES,
        bins: int = 256,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(value_range, data_format=data_format, **kwargs)
        self.bins = bins

    def _images(self, images: Tensor, transformation: Any) -> Tensor:
        rows, shape = _channels_to_rows(images, self._axes[2])
        values = rescaled(ops.cast(rows, "float32"), self.value_range, _BYTES)
        # What is nearly a whole number became so by rescaling.
        place = ops.clip(values, *_BYTES) * ((self.bins - 1) / 255.0)
        index = ops.cast(ops.floor(place + 1e-3), "int32")
        below = ops.cumsum(counts(index, self.bins), 1)
        total = below[:, -1:]
        # What the lowest value that occurs counts for stays at 0.
        first = ops.min(ops.where(below > 0, below, total), 1, keepdims=True)
        some = total > first
        table = ops.round((below - first) * 255.0 / ops.where(some, total - first, 1.0))
        found = ops.where(some, ops.take_along_axis(table, index, 1), values)
        found = ops.reshape(rescaled(found, _BYTES, self.value_range), shape)
        return ops.cast(ops.moveaxis(found, 1, self._axes[2]), ops.dtype(images))


class ContrastLimitedAdaptiveHistogramEqualization(ColourLayer):
    """Equalizes each channel by what values there are nearby, with a limit to the contrast.

    The image is divided into tiles. For each of them values are spread by how frequent they
    are, where no value counts for more than the limit; the rest is dealt out to all values.
    Between the middles of tiles results are interpolated. Zuiderveld, "Contrast Limited
    Adaptive Histogram Equalization" (1994).

    Args:
        value_range: the lowest and the highest value of pixels; they are bytes in between.
        clip_limit: how much a value counts at most, as a multiple of the mean of all 256.
        tile_grid_size: how many tiles stand in a column, and in a row.
        data_format: `"channels_last"`, `"channels_first"`, or None for
            `keras.config.image_data_format()`.

    Raises:
        ValueError: for a range that is none.
    """

    _in_training_only = False
    _keeps_integers = True

    def __init__(
        self,
        value_range: Any = _BYTES,
        clip_limit: float = 4.0,
        tile_grid_size: Any = (8, 8),
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(value_range, data_format=data_format, **kwargs)
        self.clip_limit = clip_limit
        self.tile_grid_size = tuple(tile_grid_size)

    def _images(self, images: Tensor, transformation: Any) -> Tensor:
        moved = ops.moveaxis(images, self._axes[2], 1)
        many, channels, height, width = ops.shape(moved)
        planes = ops.cast(ops.reshape(moved, (many * channels, height, width)), "float32")
        values = rescaled(planes, self.value_range, _BYTES)
        values = ops.cast(ops.floor(ops.clip(values, *_BYTES) + 1e-3), "int32")
        table, sizes = self._tables(values, height, width)
        found = rescaled(self._looked_up(table, values, sizes), _BYTES, self.value_range)
        found = ops.reshape(found, (many, channels, height, width))
        return ops.cast(ops.moveaxis(found, 1, self._axes[2]), ops.dtype(images))

    def _tables(self, values: Tensor, height: Any, width: Any) -> tuple[Tensor, tuple[Any, Any]]:
        """What each of 256 values becomes in each tile, flat, and the size of tiles."""
        rows, columns = self.tile_grid_size
        # Up to whole tiles, with what is mirrored at the edges.
        tall, wide = -(-height // rows), -(-width // columns)
        values = ops.take(values, _mirrored(tall * rows, height), 1)
        values = ops.take(values, _mirrored(wide * columns, width), 2)
        tiles = ops.reshape(values, (-1, rows, tall, columns, wide))
        tiles = ops.reshape(ops.transpose(tiles, (0, 1, 3, 2, 4)), (-1, tall * wide))
        frequency = counts(tiles, 256)
        pixels = ops.cast(tall * wide, "float32")
        limit = self.clip_limit * pixels / 256.0
        kept = ops.minimum(frequency, limit)
        kept = kept + ops.sum(frequency - kept, 1, keepdims=True) / 256.0
        below = ops.cumsum(kept, 1)
        first = below[:, :1]
        table = (below - first) * 255.0 / ops.maximum(pixels - first, 1e-6)
        return ops.reshape(ops.clip(table, *_BYTES), (-1,)), (tall, wide)

    def _looked_up(self, table: Tensor, values: Tensor, sizes: tuple[Any, Any]) -> Tensor:
        rows, columns = self.tile_grid_size
        planes, height, width = ops.shape(values)
        first = ops.reshape(ops.arange(planes, dtype="int32"), (-1, 1, 1)) * (rows * columns)
        found: Any = 0.0
        for row, row_weight in _neighbours(height, sizes[0], rows):
            for column, column_weight in _neighbours(width, sizes[1], columns):
                tile = first + ops.expand_dims(row, 1) * columns + column
                weight = ops.expand_dims(row_weight, 1) * column_weight
                found = found + ops.take(table, tile * 256 + values) * weight
        return found


def _mirrored(size: Any, old: Any) -> Tensor:
    """The indices of an axis that is longer, mirrored at its end."""
    index = ops.arange(size, dtype="int32")
    return ops.clip(ops.minimum(index, 2 * old - 1 - index), 0, old - 1)


def _neighbours(size: Any, tile: Any, many: int) -> list[tuple[Tensor, Tensor]]:
    """The two tiles around each place of an axis, and how much they count."""
    place = ops.arange(size, dtype="float32") / ops.cast(tile, "float32") - 0.5
    place = ops.clip(place, 0.0, many - 1.0)
    low = ops.floor(place)
    high = ops.minimum(low + 1.0, many - 1.0)
    share = place - low
    return [(ops.cast(low, "int32"), 1.0 - share), (ops.cast(high, "int32"), share)]
