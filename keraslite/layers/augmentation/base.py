"""`ImageLayer`: a transformation is drawn once a batch, and all that belongs to the images
goes through it: the images, their labels, bounding boxes and segmentation masks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from keraslite import ops, random
from keraslite.config import standardize_data_format
from keraslite.core import dtypes, tree
from keraslite.core.keras_tensor import KerasTensor
from keraslite.core.op import Tensor
from keraslite.layers.augmentation import boxes
from keraslite.layers.data_layer import DataLayer
from keraslite.ops.image.layout import rounded
from keraslite.random.seed_generator import SeedGenerator

Range = tuple[float, float]


class Sizes(NamedTuple):
    """Of a batch of images; scalar tensors where a graph does not know them."""

    batch: Any
    height: Any
    width: Any
    channels: Any


# Arguments ---------------------------------------------------------------------------


def number_or_range(
    where: str, name: str, value: Any, least: float, most: float, start: float | None = None
) -> Range:
    """A range, from a pair of numbers or from one number.

    One number is the upper end, and `start` the lower one; None for the same number below 0.
    """
    pair = tuple(value) if isinstance(value, (tuple, list)) else (value,)
    numbers = all(isinstance(x, (int, float)) and not isinstance(x, bool) for x in pair)
    if not numbers or len(pair) not in (1, 2) or not all(least <= x <= most for x in pair):
        raise ValueError(
            f"{where}: `{name}` must be a number, or two numbers, from {least} to {most}. "
            f"Received: {value!r}"
        )
    if len(pair) == 2:
        return min(pair), max(pair)
    return (-abs(value), abs(value)) if start is None else (start, value)


def checked_range(where: str, value: Any) -> Range:
    """The lowest and the highest value of pixels."""
    if not isinstance(value, (tuple, list)) or len(value) != 2 or not value[0] < value[1]:
        raise ValueError(
            f"{where}: `value_range` must be two numbers, the lower first. Received: {value!r}"
        )
    return value[0], value[1]


def rescaled(x: Tensor, old: Range, new: Range) -> Tensor:
    """Values of one range in another."""
    if tuple(old) == tuple(new):
        return x
    factor = (new[1] - new[0]) / (old[1] - old[0])
    return (x - old[0]) * factor + new[0]


def per_image(value: Any, x: Tensor) -> Tensor:
    """One number for each image, to be computed with `x`."""
    value = ops.reshape(value, (-1, *(1,) * (len(x.shape) - 1)))
    return value if ops.dtype(value) == "bool" else ops.cast(value, ops.dtype(x))


# The layer ---------------------------------------------------------------------------


class ImageLayer(DataLayer):
    """A layer that changes images, and what belongs to them.

    A subclass says what it draws (`_draw`) and what it does to batches with that (`_images`,
    and where it differs `_labels`, `_boxes`, `_masks`). It is called with images, one or a
    batch, or a dict with `"images"` and any of `"labels"`, `"bounding_boxes"` and
    `"segmentation_masks"`; other keys pass as they are.

    Args:
        data_format: `"channels_last"`, `"channels_first"`, or None for
            `keras.config.image_data_format()`.
        bounding_box_format: of the bounding boxes, if there are any; see
            `keras.utils.bounding_boxes.convert_format`.
    """

    #: Whether nothing happens outside of training.
    _in_training_only = True
    #: Whether integers stay of their dtype, when the layer computes in floats.
    _keeps_integers = False

    def __init__(
        self,
        data_format: str | None = None,
        bounding_box_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.data_format = standardize_data_format(data_format)
        self.bounding_box_format = bounding_box_format

    def _seed_with(self, seed: int | None) -> None:
        self.seed = seed
        self.generator = SeedGenerator(seed)

    def _range(
        self, name: str, value: Any, least: float, most: float, start: float | None = None
    ) -> Range:
        return number_or_range(type(self).__name__, name, value, least, most, start)

    # What subclasses define, for batches.

    def _draw(self, sizes: Sizes, seed: Any) -> Any:
        """What is random about a batch, as a tree of tensors."""
        return None

    def _images(self, images: Tensor, transformation: Any) -> Tensor:
        return images

    def _labels(self, labels: Tensor, transformation: Any) -> Tensor:
        return labels

    def _masks(self, masks: Tensor, transformation: Any) -> Tensor:
        return masks

    def _boxes(self, bounding_boxes: dict[str, Tensor], transformation: Any) -> dict[str, Tensor]:
        return bounding_boxes

    def _output_size(self, height: Any, width: Any) -> tuple[Any, Any]:
        return height, width

    # Layout.

    @property
    def _axes(self) -> tuple[int, int, int]:
        """Of height, width and channels, from the end."""
        return (-3, -2, -1) if self.data_format == "channels_last" else (-2, -1, -3)

    def _sizes(self, data: Any) -> Sizes:
        shape = ops.shape(_images_of(data))
        height, width, channels = (shape[axis] for axis in self._axes)
        return Sizes(shape[0] if len(shape) > 3 else 1, height, width, channels)

    # The public steps.

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        """Draw what is random about one batch.

        Args:
            data: what the layer is called with.
            training: whether in training; layers that act in training only draw nothing else.
            seed: as in `keras.random`, by default the generator of the layer.

        Returns:
            What the `transform_*` methods take; None where nothing is random.
        """
        if not training and self._in_training_only:
            return None
        seed = getattr(self, "generator", None) if seed is None else seed
        return self._draw(self._sizes(data), seed)

    def _acts(self, training: bool | None) -> bool:
        return bool(training) or not self._in_training_only

    def _dtypes(self, dtype: str) -> tuple[str, str]:
        """The dtypes to compute in, and to return, for images of `dtype`."""
        found = dtype if self._keeps_integers and not dtypes.is_float(dtype) else self.compute_dtype
        return (found if dtypes.is_float(found) else "float32"), found

    def transform_images(
        self, images: Any, transformation: Any = None, training: bool = True
    ) -> Tensor:
        """Images through a transformation: a batch, or one."""
        images = ops.convert_to_tensor(images)
        if len(images.shape) == 3:
            return self.transform_single_image(images, transformation, training)
        computed, returned = self._dtypes(ops.dtype(images))
        if not self._acts(training):
            return ops.cast(images, returned)
        return rounded(self._images(ops.cast(images, computed), transformation), returned)

    def transform_labels(
        self, labels: Any, transformation: Any = None, training: bool = True
    ) -> Tensor:
        """Labels of a batch through a transformation."""
        return self._labels(labels, transformation) if self._acts(training) else labels

    def transform_bounding_boxes(
        self, bounding_boxes: Any, transformation: Any = None, training: bool = True
    ) -> Any:
        """Bounding boxes of a batch, `{"boxes": ..., "labels": ...}`, through a transformation."""
        return (
            self._boxes(bounding_boxes, transformation) if self._acts(training) else bounding_boxes
        )

    def transform_segmentation_masks(
        self, segmentation_masks: Any, transformation: Any = None, training: bool = True
    ) -> Tensor:
        """Segmentation masks of a batch through a transformation."""
        if not self._acts(training):
            return segmentation_masks
        return self._masks(segmentation_masks, transformation)

    def transform_single_image(
        self, image: Any, transformation: Any, training: bool = True
    ) -> Tensor:
        """One image through a transformation."""
        return _single(self.transform_images, image, transformation, training)

    def transform_single_label(
        self, label: Any, transformation: Any, training: bool = True
    ) -> Tensor:
        """The label of one image through a transformation."""
        return _single(self.transform_labels, label, transformation, training)

    def transform_single_bounding_box(
        self, bounding_box: Any, transformation: Any, training: bool = True
    ) -> Any:
        """The bounding boxes of one image through a transformation."""
        return _single(self.transform_bounding_boxes, bounding_box, transformation, training)

    def transform_single_segmentation_mask(
        self, segmentation_mask: Any, transformation: Any, training: bool = True
    ) -> Tensor:
        """The segmentation mask of one image through a transformation."""
        return _single(
            self.transform_segmentation_masks, segmentation_mask, transformation, training
        )

    # Calling.

    def call(self, data: Any, training: bool = True) -> Any:
        images = self._checked_images(data)
        transformation = self.get_random_transformation(data, training=training)
        if not isinstance(data, dict):
            return self.transform_images(data, transformation, training)
        found = dict(data)
        for key, one in _KINDS.items():
            if key in data:
                step = f"transform_{key if len(images.shape) == 4 else f'single_{one}'}"
                found[key] = getattr(self, step)(data[key], transformation, training)
        return found

    def _checked_images(self, data: Any) -> Any:
        if isinstance(data, dict) and "images" not in data:
            raise ValueError(
                f"Layer {self.name!r} ({type(self).__name__}): a dict must have the key 'images'. "
                f"Received: keys {list(data)}"
            )
        images = _images_of(data)
        if len(getattr(images, "shape", ())) not in (3, 4):
            raise ValueError(
                f"Layer {self.name!r} ({type(self).__name__}): images must have 3 axes, or 4 for a "
                f"batch. Received: shape {tuple(getattr(images, 'shape', ()))}"
            )
        return images

    # Specs.

    def _new_shape(self, shape: tuple) -> tuple:
        found, (rows, columns, _) = list(shape), self._axes
        found[rows], found[columns] = self._output_size(shape[rows], shape[columns])
        return tuple(found)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape of the results, or a dict of shapes."""
        if not isinstance(input_shape, dict):
            return self._new_shape(tuple(input_shape))
        moved = {k: self._new_shape(tuple(input_shape[k])) for k in _PIXELS if k in input_shape}
        return {**input_shape, **moved}

    def compute_output_spec(self, data: Any, training: bool = True) -> Any:
        """`KerasTensor`s with the shapes and dtypes of the results."""
        images = self._checked_images(data)
        returned = self._dtypes(images.dtype)[1]
        spec = KerasTensor(self._new_shape(images.shape), returned, record_history=False)
        if not isinstance(data, dict):
            return spec
        return {
            key: spec if key == "images" else self._spec_beside(key, value)
            for key, value in data.items()
        }

    def _spec_beside(self, key: str, value: Any) -> Any:
        """Of what belongs to the images."""
        if key == "segmentation_masks":
            return KerasTensor(self._new_shape(value.shape), value.dtype, record_history=False)
        return tree.map_structure(
            lambda x: KerasTensor(x.shape, x.dtype, record_history=False), value
        )

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        if config.get("bounding_box_format") is None:
            config.pop("bounding_box_format", None)
        return config

    get_config._derived = True  # type: ignore[attr-defined]


class MovingLayer(ImageLayer):
    """A layer that moves pixels, and with them masks and bounding boxes.

    A subclass says where pixels come from (`_move`) and where boxes go (`_move_boxes`).
    """

    interpolation: str = "nearest"

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        found = super().get_random_transformation(data, training, seed)
        if not self._acts(training):
            return None
        return {**(found or {}), "input_shape": tuple(ops.shape(_images_of(data)))}

    def _size_before(self, transformation: Any) -> tuple[Any, Any]:
        rows, columns, _ = self._axes
        shape = transformation["input_shape"]
        return shape[rows], shape[columns]

    def _move(self, x: Tensor, transformation: Any, interpolation: str) -> Tensor:
        raise NotImplementedError

    def _move_boxes(self, corners: Tensor, transformation: Any) -> Tensor:
        """Where boxes `xyxy` of shape `(batch, n, 4)` are afterwards."""
        raise NotImplementedError

    def _images(self, images: Tensor, transformation: Any) -> Tensor:
        return self._move(images, transformation, self.interpolation)

    def _masks(self, masks: Tensor, transformation: Any) -> Tensor:
        return self._move(ops.convert_to_tensor(masks), transformation, "nearest")

    def _boxes(self, bounding_boxes: dict[str, Tensor], transformation: Any) -> dict[str, Tensor]:
        name = self.bounding_box_format
        if name is None:
            raise ValueError(
                f"Layer {self.name!r} ({type(self).__name__}) moves bounding boxes, so it must "
                "know their format. Pass `bounding_box_format`, such as 'xyxy', to the layer. "
                "Received: bounding_box_format=None"
            )
        height, width = self._size_before(transformation)
        found = boxes.convert_format(bounding_boxes, name, "xyxy", height, width)
        found["boxes"] = self._move_boxes(found["boxes"], transformation)
        height, width = self._output_size(height, width)
        found = boxes.clip_to_image_size(found, height, width)
        return boxes.convert_format(found, "xyxy", name, height, width)


#: What goes through a transformation, and what one of each is called.
_KINDS = {
    "images": "image",
    "labels": "label",
    "bounding_boxes": "bounding_box",
    "segmentation_masks": "segmentation_mask",
}
_PIXELS = ("images", "segmentation_masks")


def _images_of(data: Any) -> Any:
    return data["images"] if isinstance(data, dict) else data


def _single(step: Callable[..., Any], value: Any, transformation: Any, training: bool) -> Any:
    """A step for batches, with a batch of one."""
    batch = tree.map_structure(lambda x: ops.expand_dims(x, 0), value)
    found = step(batch, transformation, training)
    return tree.map_structure(lambda x: ops.squeeze(x, 0), found)


# Drawing -----------------------------------------------------------------------------


def uniform(sizes: Sizes, limits: Range, seed: Any) -> Tensor:
    """One number for each image."""
    return random.uniform((sizes.batch,), *limits, dtype="float32", seed=seed)


def chosen(sizes: Sizes, probability: Range, seed: Any) -> Tensor:
    """Whether each image is chosen; how probable that is, is drawn from a range itself."""
    return random.uniform((sizes.batch,), dtype="float32", seed=seed) < uniform(
        sizes, probability, seed
    )


def signs(sizes: Sizes, seed: Any) -> Tensor:
    """1 or -1 for each image."""
    coin = random.uniform((sizes.batch,), dtype="float32", seed=seed) < 0.5
    return ops.where(coin, 1.0, -1.0)


def rectangles(share: Tensor, sizes: Sizes, data_format: str, seed: Any) -> Tensor:
    """Where rectangles are, one in each image, as booleans that broadcast over channels.

    Args:
        share: of the height and of the width, of shape `(batch, 2)`.
        sizes: of the images.
        data_format: of the images.
        seed: to draw their places with.

    Returns:
        Tensor of shape `(batch, height, width, 1)`, or with the channels first.
    """
    places = random.uniform((sizes.batch, 2), dtype="float32", seed=seed)
    inside = []
    for axis, size in enumerate((sizes.height, sizes.width)):
        total = ops.cast(size, "float32")
        length = ops.round(share[:, axis] * total)
        start = ops.floor(places[:, axis] * (total - length + 1.0))
        index = ops.expand_dims(ops.arange(size, dtype="float32"), 0)
        start, stop = ops.expand_dims(start, 1), ops.expand_dims(start + length, 1)
        inside.append(ops.logical_and(index >= start, index < stop))
    found = ops.logical_and(ops.expand_dims(inside[0], 2), ops.expand_dims(inside[1], 1))
    return ops.expand_dims(found, -1 if data_format == "channels_last" else 1)
