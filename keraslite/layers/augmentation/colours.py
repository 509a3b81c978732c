"""Layers that change colours, each pixel by itself."""

from __future__ import annotations

from typing import Any

from keraslite import ops, random
from keraslite.core.op import Tensor
from keraslite.layers.augmentation.base import (
    ImageLayer,
    Sizes,
    checked_range,
    chosen,
    per_image,
    rescaled,
    signs,
    uniform,
)
from keraslite.layers.constructors import constructor_of, takes

__all__ = [
    "RandomBrightness",
    "RandomColorDegeneration",
    "RandomContrast",
    "RandomGrayscale",
    "RandomHue",
    "RandomInvert",
    "RandomPosterization",
    "RandomSaturation",
    "Solarization",
]

_BYTES = (0, 255)
_UNIT = (0.0, 1.0)


class ColourLayer(ImageLayer):
    """A layer that knows the range of the values of pixels."""

    def __init__(self, value_range: Any = _BYTES, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.value_range = checked_range(type(self).__name__, value_range)

    def _clipped(self, images: Tensor) -> Tensor:
        return ops.clip(images, *self.value_range)


class FactorLayer(ColourLayer):
    """A layer that draws one number for each image from a range, `factor`."""

    #: The least and the most that `factor` may be, and where a number's own range starts.
    _limits: tuple[float, ...] = (-1.0, 1.0)

    def __init__(
        self,
        factor: Any,
        value_range: Any = _BYTES,
        data_format: str | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(value_range, data_format=data_format, **kwargs)
        self.factor = self._range("factor", factor, *self._limits)
        self._seed_with(seed)

    def _draw(self, sizes: Sizes, seed: Any) -> dict[str, Tensor]:
        return {"factor": uniform(sizes, self.factor, seed)}


def blend(first: Tensor, second: Tensor, share: Tensor) -> Tensor:
    """From the first images to the second ones, and beyond."""
    return first + (second - first) * per_image(share, first)


class RandomBrightness(FactorLayer):
    """Makes images brighter or darker, by a number that is added.

    Args:
        factor: what to add, as a share of the range of values: a range, or a number for the
            range to both sides of 0; from -1 to 1.
        value_range: the lowest and the highest value of pixels.
        seed: for repeatable numbers.

    Raises:
        ValueError: for numbers out of range.

    Returns:
        Images of the dtype of the inputs, if that is an integer one.
    """

    _keeps_integers = True

    __init__ = constructor_of(FactorLayer, without="data_format")

    def _draw(self, sizes: Sizes, seed: Any) -> dict[str, Tensor]:
        span = self.value_range[1] - self.value_range[0]
        return {"rgb_delta": uniform(sizes, self.factor, seed) * span}

    def _images(self, images: Tensor, transformation: Any) -> Tensor:
        return self._clipped(images + per_image(transformation["rgb_delta"], images))


class RandomContrast(FactorLayer):
    """Brings values nearer to, or farther from, their mean in each channel.

    Args:
        factor: how much: `(lower, upper)` for factors from `1 - lower` to `1 + upper`, or a
            number for `(0, upper)`; from 0 to 1.
        value_range: the lowest and the highest value of pixels.
        seed: for repeatable numbers.

    Raises:
        ValueError: for numbers out of range.
    """

    _limits = (-1.0, 1.0, 0.0)

    @takes(FactorLayer, without="data_format")
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if self.factor[1] < 0:
            self._range("factor", self.factor[1], 0.0, 1.0)

    def _draw(self, sizes: Sizes, seed: Any) -> dict[str, Tensor]:
        lower, upper = self.factor
        return {"contrast_factor": uniform(sizes, (1.0 - lower, 1.0 + upper), seed)}

    def _images(self, images: Tensor, transformation: Any) -> Tensor:
        mean = ops.mean(images, self._axes[:2], keepdims=True)
        factor = per_image(transformation["contrast_factor"], images)
        return self._clipped((images - mean) * factor + mean)


class _HueOrSaturation(FactorLayer):
    """A layer that changes hues, saturations and values."""

    def _change(self, hue: Tensor, saturation: Tensor, factor: Tensor) -> tuple[Tensor, Tensor]:
        raise NotImplementedError

    def _images(self, images: Tensor, transformation: Any) -> Tensor:
        axis = self._axes[2]
        hsv = ops.image.rgb_to_hsv(rescaled(images, self.value_range, _UNIT), self.data_format)
        hue, saturation, value = ops.split(hsv, 3, axis)
        hue, saturation = self._change(hue, saturation, per_image(transformation["factor"], images))
        changed = ops.concatenate([hue, saturation, value], axis)
        rgb = ops.clip(ops.image.hsv_to_rgb(changed, self.data_format), *_UNIT)
        return rescaled(rgb, _UNIT, self.value_range)


class RandomHue(_HueOrSaturation):
    """Turns hues.

    Args:
        factor: how far, where 1 is half of the circle: a range, or a number for the range
            from 0; from 0 to 1. It is to either side.
        value_range: the lowest and the highest value of pixels.
        data_format: `"channels_last"`, `"channels_first"`, or None for
            `keras.config.image_data_format()`.
        seed: for repeatable numbers.

    Raises:
        ValueError: for numbers out of range.
    """

    _limits = (-1.0, 1.0, 0.0)

    def _draw(self, sizes: Sizes, seed: Any) -> dict[str, Tensor]:
        return {"factor": uniform(sizes, self.factor, seed) * signs(sizes, seed) * 0.5}

    def _change(self, hue: Tensor, saturation: Tensor, factor: Tensor) -> tuple[Tensor, Tensor]:
        return ops.mod(hue + factor, 1.0), saturation


class RandomSaturation(_HueOrSaturation):
    """Makes colours paler or stronger.

    Args:
        factor: a range, or a number for the range to both sides of 0; from -1 to 1. Of a
            number `f` that is drawn, saturations are multiplied by `f / (1 - f)`: 0 makes
            gray, 0.5 changes nothing, 1 saturates.
        value_range: the lowest and the highest value of pixels.
        data_format: `"channels_last"`, `"channels_first"`, or None for
            `keras.config.image_data_format()`.
        seed: for repeatable numbers.

    Raises:
        ValueError: for numbers out of range.
    """

    def _draw(self, sizes: Sizes, seed: Any) -> dict[str, Tensor]:
        drawn = uniform(sizes, self.factor, seed)
        return {"factor": drawn / ops.maximum(1.0 - drawn, 1e-7)}

    def _change(self, hue: Tensor, saturation: Tensor, factor: Tensor) -> tuple[Tensor, Tensor]:
        return hue, ops.clip(saturation * factor, *_UNIT)


class RandomColorDegeneration(FactorLayer):
    """Brings images nearer to gray ones.

    Args:
        factor: how near: a range, or a number for the range to both sides of 0; 0 changes
            nothing, 1 makes them gray.
        value_range: the lowest and the highest value of pixels.
        data_format: `"channels_last"`, `"channels_first"`, or None for
            `keras.config.image_data_format()`.
        seed: for repeatable numbers.

    Raises:
        ValueError: for numbers out of range.
    """

    def _images(self, images: Tensor, transformation: Any) -> Tensor:
        gray = ops.image.rgb_to_grayscale(images, self.data_format)
        return self._clipped(blend(images, gray, transformation["factor"]))


class RandomGrayscale(ImageLayer):
    """Makes some images gray, with as many channels as before.

    Args:
        factor: how probable it is, from 0 to 1.
        data_format: `"channels_last"`, `"channels_first"`, or None for
            `keras.config.image_data_format()`.
        seed: for repeatable choices.

    Raises:
        ValueError: for a number out of range.
    """

    _keeps_integers = True

    def __init__(
        self,
        factor: float = 0.5,
        data_format: str | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(data_format=data_format, **kwargs)
        self.factor = self._range("factor", factor, 0.0, 1.0, start=0.0)[1]
        self._seed_with(seed)

    def _draw(self, sizes: Sizes, seed: Any) -> Tensor:
        return chosen(sizes, (self.factor, self.factor), seed)

    def _images(self, images: Tensor, transformation: Any) -> Tensor:
        gray = ops.image.rgb_to_grayscale(images, self.data_format)
        return ops.where(per_image(transformation, images), gray, images)


class RandomInvert(FactorLayer):
    """Makes negatives of some images.

    Args:
        factor: how probable it is: a range to draw that from, or a number for the range
            from 0; from 0 to 1.
        value_range: the lowest and the highest value of pixels.
        seed: for repeatable choices.
        data_format: `"channels_last"`, `"channels_first"`, or None for
            `keras.config.image_data_format()`.

    Raises:
        ValueError: for numbers out of range.
    """

    _limits = (0.0, 1.0, 0.0)
    __init__ = constructor_of(FactorLayer, behind={"seed": "data_format"}, factor=1.0)

    def _draw(self, sizes: Sizes, seed: Any) -> dict[str, Tensor]:
        return {"apply_inversion": chosen(sizes, self.factor, seed)}

    def _images(self, images: Tensor, transformation: Any) -> Tensor:
        negative = sum(self.value_range) - images
        return ops.where(per_image(transformation["apply_inversion"], images), negative, images)


class RandomPosterization(FactorLayer):
    """Keeps the highest bits of values only.

    Args:
        factor: how many bits: a range, with the end left out, or an integer for the range
            from 1; from 1 to 8.
        value_range: the lowest and the highest value of pixels; they are bytes in between.
        data_format: `"channels_last"`, `"channels_first"`, or None for
            `keras.config.image_data_format()`.
        seed: for repeatable numbers.

    Raises:
        ValueError: for numbers out of range.
    """

    _limits = (0, 8, 1)

    def _draw(self, sizes: Sizes, seed: Any) -> dict[str, Tensor]:
        lower, upper = (int(n) for n in self.factor)
        bits = random.randint((sizes.batch,), lower, max(upper, lower + 1), "int32", seed)
        return {"shift_factor": 8 - bits}

    def _images(self, images: Tensor, transformation: Any) -> Tensor:
        values = rescaled(images, self.value_range, _BYTES)
        shift = ops.cast(transformation["shift_factor"], "float32")
        step = per_image(ops.power(2.0, shift), values)
        kept = ops.floor(ops.floor(ops.clip(values, *_BYTES)) / step) * step
        return rescaled(kept, _BYTES, self.value_range)


class Solarization(ColourLayer):
    """Adds to values, and makes negatives of those that are high enough.

    Args:
        addition_factor: what to add, as a share of 255: a range, or a number for the range
            from 0; from 0 to 1.
        threshold_factor: from where on values are turned over, as a share of 255, likewise.
        value_range: the lowest and the highest value of pixels; they are bytes in between.
        seed: for repeatable numbers.

    Raises:
        ValueError: for numbers out of range.
    """

    def __init__(
        self,
        addition_factor: Any = 0.0,
        threshold_factor: Any = 0.0,
        value_range: Any = _BYTES,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(value_range, **kwargs)
        self._seed_with(seed)
        self.addition_factor = self._range("addition_factor", addition_factor, 0.0, 1.0, 0.0)
        self.threshold_factor = self._range("threshold_factor", threshold_factor, 0.0, 1.0, 0.0)

    def _draw(self, sizes: Sizes, seed: Any) -> dict[str, Tensor]:
        return {
            "additions": uniform(sizes, self.addition_factor, seed) * 255.0,
            "thresholds": uniform(sizes, self.threshold_factor, seed) * 255.0,
        }

    def _images(self, images: Tensor, transformation: Any) -> Tensor:
        values = rescaled(images, self.value_range, _BYTES)
        values = ops.clip(values + per_image(transformation["additions"], values), *_BYTES)
        low = values < per_image(transformation["thresholds"], values)
        return rescaled(ops.where(low, values, 255.0 - values), _BYTES, self.value_range)
