"""Layers made of other layers: colour jitter, RandAugment and AugMix."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from keraslite import ops, random
from keraslite.core import tree
from keraslite.core.op import Tensor
from keraslite.layers.augmentation.base import ImageLayer, Sizes
from keraslite.layers.augmentation.colours import (
    _BYTES,
    RandomBrightness,
    RandomColorDegeneration,
    RandomContrast,
    RandomHue,
    RandomPosterization,
    RandomSaturation,
    Solarization,
)
from keraslite.layers.augmentation.contrast import AutoContrast, Equalization
from keraslite.layers.augmentation.filters import RandomSharpness
from keraslite.layers.augmentation.geometry import RandomRotation, RandomShear, RandomTranslation
from keraslite.layers.constructors import takes
from keraslite.layers.options import check_positive, keep

__all__ = ["AugMix", "RandAugment", "RandomColorJitter"]

_COLOURS = ("random_brightness", "random_color_degeneration", "random_contrast", "random_sharpness")


class _Policy(ImageLayer):
    """A layer that applies some of its parts, in an order.

    What it draws has the transformations of its parts, by their names, and which to apply.
    """

    _parts: Sequence[str] = ()

    def _compose(self, parts: dict[str, ImageLayer]) -> None:
        """Each part is an attribute of its name."""
        for name, part in parts.items():
            setattr(self, name, part)
        self._parts = tuple(parts)

    def _layers_of_parts(self) -> list[ImageLayer]:
        return [getattr(self, name) for name in self._parts]

    def _draw_parts(self, data: Any, seed: Any) -> dict[str, Any]:
        return {
            name: getattr(self, name).get_random_transformation(data, seed=seed)
            for name in self._parts
        }

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        if not training:
            return None
        seed = self.generator if seed is None else seed
        return self._draw_all(data, self._sizes(data), seed)

    def _draw_all(self, data: Any, sizes: Sizes, seed: Any) -> Any:
        return {"transforms": self._draw_parts(data, seed)}

    def _steps(self, kind: str, transforms: dict[str, Any]) -> list[Callable[[Any], Any]]:
        """What each part does to one kind of thing."""
        return [
            functools.partial(getattr(getattr(self, name), kind), transformation=transforms[name])
            for name in self._parts
        ]

    def _apply(self, kind: str, x: Any, transformation: Any) -> Any:
        """All that was drawn, done to one kind of thing."""
        raise NotImplementedError

    def _images(self, images: Tensor, transformation: Any) -> Tensor:
        return self._apply("_images", images, transformation)

    def _masks(self, masks: Tensor, transformation: Any) -> Tensor:
        return self._apply("_masks", ops.convert_to_tensor(masks), transformation)

    def _boxes(self, bounding_boxes: dict[str, Tensor], transformation: Any) -> dict[str, Tensor]:
        boxes = tree.map_structure(ops.convert_to_tensor, bounding_boxes)
        boxes["boxes"] = ops.cast(boxes["boxes"], "float32")
        return self._apply("_boxes", boxes, transformation)


class RandomColorJitter(_Policy):
    """Changes brightness, contrast, saturation and hue at random, in this order.

    Args:
        value_range: the lowest and the highest value of pixels.
        brightness_factor: as in `RandomBrightness`; None for no change, as all of these.
        contrast_factor: as in `RandomContrast`.
        saturation_factor: as in `RandomSaturation`.
        hue_factor: as in `RandomHue`.
        seed: for repeatable numbers.
        data_format: `"channels_last"`, `"channels_first"`, or None for
            `keras.config.image_data_format()`.
    """

    def __init__(
        self,
        value_range: Any = _BYTES,
        brightness_factor: Any = None,
        contrast_factor: Any = None,
        saturation_factor: Any = None,
        hue_factor: Any = None,
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        keep(self, locals())
        super().__init__(data_format=data_format, **kwargs)
        self._seed_with(seed)
        common = {
            "value_range": value_range,
            "seed": seed,
            "data_format": self.data_format,
            "dtype": self.dtype_policy,
        }
        classes = {
            "random_brightness": (RandomBrightness, brightness_factor),
            "random_contrast": (RandomContrast, contrast_factor),
            "random_saturation": (RandomSaturation, saturation_factor),
            "random_hue": (RandomHue, hue_factor),
        }
        self._compose({n: cls(f, **common) for n, (cls, f) in classes.items() if f is not None})

    def _apply(self, kind: str, x: Any, transformation: Any) -> Any:
        for step in self._steps(kind, transformation["transforms"]):
            x = step(x)
        return x


class _Augmenter(_Policy):
    """A policy that picks parts at random."""

    def __init__(
        self,
        value_range: Any = _BYTES,
        factor: Any = 0.5,
        interpolation: str = "bilinear",
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(data_format=data_format, **kwargs)
        self.value_range = value_range
        self.factor = self._range("factor", factor, 0.0, 1.0, start=0.0)
        self.interpolation = interpolation
        self._seed_with(seed)
        strength = self.factor
        bits = tuple(max(1.0, 8.0 * n) for n in strength)
        common = {"data_format": self.data_format, "dtype": self.dtype_policy}
        moving = {
            "interpolation": interpolation,
            "seed": seed,
            "bounding_box_format": self.bounding_box_format,
            **common,
        }
        coloured = {"value_range": value_range, **common}
        drawn = {**coloured, "seed": seed}
        parts = {
            "random_shear": RandomShear(strength, strength, **moving),
            "random_translation": RandomTranslation(strength, strength, **moving),
            "random_rotation": RandomRotation(strength, **moving),
            "random_brightness": RandomBrightness(strength, **drawn),
            "random_color_degeneration": RandomColorDegeneration(strength, **drawn),
            "random_contrast": RandomContrast(strength, **drawn),
            "random_sharpness": RandomSharpness(strength, **drawn),
            "random_posterization": RandomPosterization(bits, **drawn),
            "solarization": Solarization(strength, strength, **drawn),
            "auto_contrast": AutoContrast(**coloured),
            "equalization": Equalization(**coloured),
        }
        self._compose(parts)

    def _pick(self, shape: tuple[int, ...], seed: Any) -> Tensor:
        return random.randint(shape, 0, len(self._parts), "int32", seed)


class RandAugment(_Augmenter):
    """Applies a few changes that are picked at random, the same for all of a batch.

    Cubuk et al., "RandAugment: Practical automated data augmentation with a reduced search
    space", https://arxiv.org/abs/1909.13719

    Args:
        value_range: the lowest and the highest value of pixels.
        num_ops: how many changes, one after the other.
        factor: how strong they are: a range, or a number for the range from 0; from 0 to 1.
        interpolation: `"nearest"` or `"bilinear"`, where pixels move.
        seed: for repeatable choices.
        data_format: `"channels_last"`, `"channels_first"`, or None for
            `keras.config.image_data_format()`.

    Raises:
        ValueError: for numbers out of range.
    """

    @takes(_Augmenter, behind={"value_range": "num_ops"})
    def __init__(self, num_ops: int = 2, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        check_positive(self, num_ops=num_ops)
        self.num_ops = num_ops

    def _draw_all(self, data: Any, sizes: Sizes, seed: Any) -> dict[str, Any]:
        # Each change is drawn anew, so that one that is picked twice differs.
        transforms = [self._draw_parts(data, seed) for _ in range(self.num_ops)]
        return {"transforms": transforms, "layer_idxes": self._pick((self.num_ops,), seed)}

    def _apply(self, kind: str, x: Any, transformation: Any) -> Any:
        for i, transforms in enumerate(transformation["transforms"]):
            index = transformation["layer_idxes"][i]
            x = ops.switch(index, self._steps(kind, transforms), x)
        return x


class AugMix(_Augmenter):
    """Mixes images with what several chains of changes make of them.

    Hendrycks et al., "AugMix: A Simple Data Processing Method to Improve Robustness and
    Uncertainty", https://arxiv.org/abs/1912.02781

    Labels, bounding boxes and segmentation masks stay as they are, since the image does so
    for a part.

    Args:
        value_range: the lowest and the highest value of pixels.
        num_chains: how many chains.
        chain_depth: how many changes a chain has at most; how many is drawn.
        factor: how strong they are: a range, or a number for the range from 0; from 0 to 1.
        alpha: parameter of the distributions that weights of the chains are drawn from.
        all_ops: whether changes of brightness, colour, contrast and sharpness are among them.
        interpolation: `"nearest"` or `"bilinear"`, where pixels move.
        seed: for repeatable choices.
        data_format: `"channels_last"`, `"channels_first"`, or None for
            `keras.config.image_data_format()`.

    Raises:
        ValueError: for numbers out of range.
    """

    @takes(
        _Augmenter,
        behind={"value_range": "num_chains chain_depth", "factor": "alpha all_ops"},
        factor=0.3,
    )
    def __init__(
        self,
        num_chains: int = 3,
        chain_depth: int = 3,
        alpha: float = 1.0,
        all_ops: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        keep(self, locals())
        if not all_ops:
            self._parts = tuple(name for name in self._parts if name not in _COLOURS)

    def _draw_all(self, data: Any, sizes: Sizes, seed: Any) -> dict[str, Any]:
        shape = (self.num_chains, self.chain_depth)
        picked = self._pick(shape, seed)
        depths = random.randint((self.num_chains, 1), 1, self.chain_depth + 1, "int32", seed)
        # The place after the last part stands for no change.
        step = ops.arange(self.chain_depth, dtype="int32")
        weights = random.gamma((self.num_chains,), self.alpha, dtype="float32", seed=seed)
        return {
            "chain_mixing_weights": weights / ops.sum(weights),
            "weight_sample": random.beta((), self.alpha, self.alpha, dtype="float32", seed=seed),
            "chain_transforms": [
                [self._draw_parts(data, seed) for _ in range(self.chain_depth)]
                for _ in range(self.num_chains)
            ],
            "layer_idxes": ops.where(step < depths, picked, len(self._parts)),
        }

    def _apply(self, kind: str, x: Any, transformation: Any) -> Any:
        if kind != "_images":
            return x
        mixed = ops.zeros_like(x)
        weights = ops.cast(transformation["chain_mixing_weights"], ops.dtype(x))
        for i, chain in enumerate(transformation["chain_transforms"]):
            found = x
            for j, transforms in enumerate(chain):
                steps = [*self._steps(kind, transforms), lambda x: x]
                found = ops.switch(transformation["layer_idxes"][i, j], steps, found)
            mixed = mixed + found * weights[i]
        share = ops.cast(transformation["weight_sample"], ops.dtype(x))
        return x * share + mixed * (1.0 - share)
