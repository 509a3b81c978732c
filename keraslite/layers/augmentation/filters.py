"""Layers that look at neighbours, and one that erases: sharpness, blur, holes."""

from __future__ import annotations

from typing import Any

from keraslite import ops, random
from keraslite.core.op import Tensor
from keraslite.layers.augmentation.base import Sizes, chosen, per_image, rectangles
from keraslite.layers.augmentation.colours import FactorLayer, blend
from keraslite.layers.constructors import takes

__all__ = ["RandomErasing", "RandomGaussianBlur", "RandomSharpness"]


class RandomSharpness(FactorLayer):
    """Makes images smoother or sharper: nearer to what smoothing gives, or farther from it.

    Args:
        factor: how sharp: a range, or a number for the range from 0; from 0 to 1. 0 is
            smoothed, 0.5 changes nothing, 1 is as far to the other side.
        value_range: the lowest and the highest value of pixels.
        data_format: `"channels_last"`, `"channels_first"`, or None for
            `keras.config.image_data_format()`.
        seed: for repeatable numbers.

    Raises:
        ValueError: for numbers out of range.
    """

    _limits = (-1.0, 1.0, 0.0)

    def _images(self, images: Tensor, transformation: Any) -> Tensor:
        smooth = self._smooth(images)
        return self._clipped(blend(smooth, images, transformation["factor"] * 2.0))

    def _smooth(self, images: Tensor) -> Tensor:
        """The mean of 3 by 3 pixels where the middle counts 5 times, with zeros outside."""
        margins = [(0, 0)] * len(images.shape)
        for axis in self._axes[:2]:
            margins[axis] = (1, 1)
        mean = ops.average_pool(ops.pad(images, margins), 3, 1, "valid", self.data_format)
        return (mean * 9.0 + images * 4.0) / 13.0


class RandomGaussianBlur(FactorLayer):
    """Blurs some images. See `keras.ops.image.gaussian_blur`.

    Args:
        factor: how probable it is: a range to draw that from, or a number for the range
            from 0; from 0 to 1.
        kernel_size: how many columns and rows are averaged, one odd number or two.
        sigma: standard deviation of the curve: a range, or a number from 0 to 1 for the
            range from 0.
        value_range: the lowest and the highest value of pixels.
        data_format: `"channels_last"`, `"channels_first"`, or None for
            `keras.config.image_data_format()`.
        seed: for repeatable numbers.

    Raises:
        ValueError: for numbers out of range, or even sizes.
    """

    _limits = (0.0, 1.0, 0.0)

    @takes(FactorLayer, behind={"factor": "kernel_size sigma"}, factor=1.0)
    def __init__(self, kernel_size: Any = 3, sigma: Any = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        size = tuple(kernel_size) if isinstance(kernel_size, (tuple, list)) else (kernel_size,) * 2
        if len(size) != 2 or not all(isinstance(n, int) and n > 0 and n % 2 for n in size):
            raise ValueError(
                "RandomGaussianBlur: `kernel_size` must be an odd number, or two. "
                f"Received: {kernel_size!r}"
            )
        self.kernel_size = size
        most = float("inf") if isinstance(sigma, (tuple, list)) else 1.0
        self.sigma = self._range("sigma", sigma, 0.0, most, start=0.0)

    def _draw(self, sizes: Sizes, seed: Any) -> dict[str, Tensor]:
        return {
            "should_apply_blur": chosen(sizes, self.factor, seed),
            "blur_factor": random.uniform((2,), *self.sigma, dtype="float32", seed=seed),
        }

    def _images(self, images: Tensor, transformation: Any) -> Tensor:
        # A curve of no width is one pixel, not a division by 0.
        sigma = ops.cast(ops.maximum(transformation["blur_factor"], 1e-3), ops.dtype(images))
        blurred = ops.image.gaussian_blur(images, self.kernel_size, sigma, self.data_format)
        apply = per_image(transformation["should_apply_blur"], images)
        return ops.where(apply, self._clipped(blurred), images)


class RandomErasing(FactorLayer):
    """Erases a rectangle of some images.

    Zhong et al., "Random Erasing Data Augmentation", https://arxiv.org/abs/1708.04896

    Args:
        factor: how probable it is: a range to draw that from, or a number for the range
            from 0; from 0 to 1.
        scale: the square of the height and of the width of the rectangle, as shares of those
            of the image: a range, or a number for the range from 0; from 0 to 1.
        fill_value: what is put there, a number or one number for each channel; None for noise.
        value_range: the lowest and the highest value of pixels.
        seed: for repeatable numbers.
        data_format: `"channels_last"`, `"channels_first"`, or None for
            `keras.config.image_data_format()`.

    Raises:
        ValueError: for numbers out of range.
    """

    _limits = (0.0, 1.0, 0.0)

    @takes(FactorLayer, behind={"factor": "scale fill_value", "seed": "data_format"}, factor=1.0)
    def __init__(self, scale: Any = (0.02, 0.33), fill_value: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.scale = self._range("scale", scale, 0.0, 1.0, start=0.0)
        self.fill_value = fill_value

    def _draw(self, sizes: Sizes, seed: Any) -> dict[str, Tensor]:
        share = random.uniform((sizes.batch, 2), *self.scale, dtype="float32", seed=seed)
        return {
            "apply_erasing": chosen(sizes, self.factor, seed),
            "batch_masks": rectangles(ops.sqrt(share), sizes, self.data_format, seed),
            "fill_value": self._filling(sizes, seed),
        }

    def _filling(self, sizes: Sizes, seed: Any) -> Tensor:
        """What is put into the holes; it broadcasts with the images."""
        if self.fill_value is None:
            first, last = self.value_range
            batch, height, width, channels = sizes
            last_axis = self.data_format == "channels_last"
            rest = (height, width, channels) if last_axis else (channels, height, width)
            noise = random.normal((batch, *rest), dtype="float32", seed=seed)
            return self._clipped(noise * (last - first) + first)
        value = ops.convert_to_tensor(self.fill_value, "float32")
        return ops.reshape(value, (-1, 1, 1) if self.data_format == "channels_first" else (-1,))

    def _images(self, images: Tensor, transformation: Any) -> Tensor:
        hole = ops.logical_and(
            transformation["batch_masks"], per_image(transformation["apply_erasing"], images)
        )
        return ops.where(hole, ops.cast(transformation["fill_value"], ops.dtype(images)), images)
