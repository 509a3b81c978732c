"""Layers that change sizes: of images by resizing and cropping, of lists of boxes by padding."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from keraslite import ops
from keraslite.core.errors import check_choice
from keraslite.core.keras_tensor import KerasTensor
from keraslite.core.op import Tensor
from keraslite.layers.augmentation.base import ImageLayer, MovingLayer, Sizes, random
from keraslite.layers.constructors import takes
from keraslite.layers.options import keep
from keraslite.ops.image.resizing import INTERPOLATIONS
from keraslite.random.seed_generator import make_default_seed

__all__ = ["CenterCrop", "MaxNumBoundingBoxes", "RandomCrop", "Resizing"]


def _known(*sizes: Any) -> bool:
    return all(isinstance(size, int) for size in sizes)


def _least(a: Any, b: Any) -> Any:
    return min(a, b) if _known(a, b) else ops.minimum(a, b)


def _most(a: Any, b: Any) -> Any:
    return max(a, b) if _known(a, b) else ops.maximum(a, b)


def _stretched(corners: Tensor, top: Any, left: Any, factors: tuple[Any, Any]) -> Tensor:
    """Boxes `xyxy` in a window that begins at `(top, left)` and is scaled."""
    first = [ops.cast(v, "float32") for v in (left, top, left, top)]
    scale = [ops.cast(v, "float32") for v in (factors[1], factors[0]) * 2]
    return (corners - ops.stack(first)) * ops.stack(scale)


class _Sized(MovingLayer):
    """A layer whose images get the size `(height, width)`."""

    _in_training_only = False

    def __init__(
        self, height: int, width: int, data_format: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(data_format=data_format, **kwargs)
        for name, value in (("height", height), ("width", width)):
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise ValueError(
                    f"{type(self).__name__}: `{name}` must be an integer of at least 1. "
                    f"Received: {value!r}"
                )
        self.height, self.width = height, width

    def _output_size(self, height: Any, width: Any) -> tuple[int, int]:
        return self.height, self.width

    def _resized(self, x: Tensor, interpolation: str, **options: Any) -> Tensor:
        size = (self.height, self.width)
        return ops.image.resize(x, size, interpolation, data_format=self.data_format, **options)

    def _resized_boxes(
        self, corners: Tensor, height: Any, width: Any, crop: bool, pad: bool
    ) -> Tensor:
        fitting = (width * self.height // self.width, height * self.width // self.height)
        windows = []
        for old, fit in zip((height, width), fitting, strict=True):
            if crop:
                new = _least(old, fit)
                windows.append(((old - new) // 2, new))
            elif pad:
                margin = (_most(old, fit) - old) // 2
                windows.append((-margin, old + 2 * margin))
            else:
                windows.append((0, old))
        (top, rows), (left, columns) = windows
        factors = (
            self.height / ops.cast(rows, "float32"),
            self.width / ops.cast(columns, "float32"),
        )
        return _stretched(corners, top, left, factors)


class Resizing(_Sized):
    """Images of another size. See `keras.ops.image.resize`.

    Args:
        height: of the results.
        width: of the results.
        interpolation: `"nearest"`, `"bilinear"`, `"bicubic"`, `"lanczos3"` or `"lanczos5"`.
        crop_to_aspect_ratio: whether to cut the images to the proportions of the new size
            first, in place of distorting them.
        pad_to_aspect_ratio: whether to pad them on both sides instead.
        fill_mode: `"constant"`.
        fill_value: what to pad with.
        antialias: whether to average over all pixels when shrinking.
        data_format: `"channels_last"`, `"channels_first"`, or None for
            `keras.config.image_data_format()`.

    Raises:
        ValueError: for sizes that are no positive integers.

    Example:
        >>> keras.layers.Resizing(16, 24)(np.ones((2, 32, 32, 3))).shape
        (2, 16, 24, 3)
    """

    _keeps_integers = True

    @takes(
        _Sized,
        behind={
            "width": "interpolation crop_to_aspect_ratio pad_to_aspect_ratio fill_mode fill_value "
            "antialias"
        },
    )
    def __init__(
        self,
        interpolation: str = "bilinear",
        crop_to_aspect_ratio: bool = False,
        pad_to_aspect_ratio: bool = False,
        fill_mode: str = "constant",
        fill_value: float = 0.0,
        antialias: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        keep(self, locals())
        check_choice(self, INTERPOLATIONS, interpolation=interpolation)
        check_choice(self, ("constant",), fill_mode=fill_mode)

    def _move(self, x: Tensor, transformation: Any, interpolation: str) -> Tensor:
        return self._resized(
            x,
            interpolation,
            antialias=self.antialias,
            crop_to_aspect_ratio=self.crop_to_aspect_ratio,
            pad_to_aspect_ratio=self.pad_to_aspect_ratio,
            fill_mode=self.fill_mode,
            fill_value=self.fill_value,
        )

    def _move_boxes(self, corners: Tensor, transformation: Any) -> Tensor:
        height, width = self._size_before(transformation)
        return self._resized_boxes(
            corners, height, width, self.crop_to_aspect_ratio, self.pad_to_aspect_ratio
        )


class _Crop(_Sized):
    """A window of the images; the largest with its proportions, resized, where it does not fit."""

    interpolation = "bilinear"

    def _start(self, transformation: Any, height: Any, width: Any) -> tuple[Any, Any] | None:
        """The first row and column of the window, if there is one."""
        raise NotImplementedError

    def _either(
        self,
        transformation: Any,
        cropped: Callable[[Any, Any], Tensor],
        resized: Callable[[Any, Any], Tensor],
    ) -> Tensor:
        height, width = self._size_before(transformation)
        start = self._start(transformation, height, width)
        if start is None:
            return resized(height, width)
        if _known(height, width):
            fits = height >= self.height and width >= self.width
            return cropped(*start) if fits else resized(height, width)
        fits = ops.logical_and(
            ops.greater_equal(height, self.height), ops.greater_equal(width, self.width)
        )
        return ops.cond(fits, lambda: cropped(*start), lambda: resized(height, width))

    def _move(self, x: Tensor, transformation: Any, interpolation: str) -> Tensor:
        def cropped(top: Any, left: Any) -> Tensor:
            rows, columns, _ = self._axes
            found = ops.take(x, ops.add(ops.arange(self.height, dtype="int32"), top), rows)
            return ops.take(found, ops.add(ops.arange(self.width, dtype="int32"), left), columns)

        return self._either(
            transformation,
            cropped,
            lambda height, width: self._resized(x, interpolation, crop_to_aspect_ratio=True),
        )

    def _move_boxes(self, corners: Tensor, transformation: Any) -> Tensor:
        return self._either(
            transformation,
            lambda top, left: _stretched(corners, top, left, (1.0, 1.0)),
            lambda height, width: self._resized_boxes(corners, height, width, True, False),
        )


class CenterCrop(_Crop):
    """The middle of images.

    Images that are too small are resized, without distortion, and cut.

    Args:
        height: of the results.
        width: of the results.
        data_format: `"channels_last"`, `"channels_first"`, or None for
            `keras.config.image_data_format()`.

    Raises:
        ValueError: for sizes that are no positive integers.
    """

    def _start(self, transformation: Any, height: Any, width: Any) -> tuple[Any, Any]:
        return (height - self.height) // 2, (width - self.width) // 2


class RandomCrop(_Crop):
    """A window of the images at a random place, the same for all of a batch.

    Outside of training, and for images that are too small, the largest window with its
    proportions, resized.

    Args:
        height: of the results.
        width: of the results.
        seed: for repeatable places.
        data_format: `"channels_last"`, `"channels_first"`, or None for
            `keras.config.image_data_format()`.
        name: of the layer.

    Raises:
        ValueError: for sizes that are no positive integers.
    """

    @takes(_Sized, behind={"width": "seed", "data_format": "name"})
    def __init__(
        self,
        seed: int | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        self._seed_with(make_default_seed() if seed is None else seed)

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        found = super().get_random_transformation(data, training, seed)
        return found if training else {"input_shape": found["input_shape"]}

    def _draw(self, sizes: Sizes, seed: Any) -> dict[str, Tensor]:
        found = {}
        for name, old, new in (
            ("top", sizes.height, self.height),
            ("left", sizes.width, self.width),
        ):
            found[name] = random.randint((), 0, _most(old - new, 0) + 1, "int32", seed)
        return found

    def _start(self, transformation: Any, height: Any, width: Any) -> tuple[Any, Any] | None:
        if "top" not in transformation:
            return None
        return transformation["top"], transformation["left"]


class MaxNumBoundingBoxes(ImageLayer):
    """Lists of bounding boxes of one length: cut off, or filled up.

    Args:
        max_number: how many boxes each image has afterwards.
        fill_value: the numbers, and the labels, of boxes that are added.
    """

    _in_training_only = False
    _keeps_integers = True

    def __init__(self, max_number: int, fill_value: int = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.max_number = max_number
        self.fill_value = fill_value

    def _boxes(self, bounding_boxes: dict[str, Tensor], transformation: Any) -> dict[str, Tensor]:
        return {key: self._filled(ops.convert_to_tensor(x)) for key, x in bounding_boxes.items()}

    def _filled(self, x: Tensor) -> Tensor:
        sizes = list(ops.shape(x))
        sizes[1] = self.max_number
        more = ops.full(tuple(sizes), self.fill_value, dtype=ops.dtype(x))
        return ops.concatenate([x, more], 1)[:, : self.max_number]

    def _spec_beside(self, key: str, value: Any) -> Any:
        if key != "bounding_boxes":
            return super()._spec_beside(key, value)
        # Boxes have one axis more than their labels.
        axis = len(value["boxes"].shape) - 2
        return {
            k: KerasTensor((*x.shape[:axis], self.max_number, *x.shape[axis + 1 :]), x.dtype)
            for k, x in value.items()
        }
