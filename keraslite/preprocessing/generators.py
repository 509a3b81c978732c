"""`ImageDataGenerator`: batches of images that are changed at random."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from keraslite.config import floatx, standardize_data_format
from keraslite.core.configurable import shared_arguments
from keraslite.preprocessing.file_iterators import DataFrameIterator, DirectoryIterator
from keraslite.preprocessing.iterators import NumpyArrayIterator
from keraslite.preprocessing.transforms import (
    apply_affine_transform,
    apply_brightness_shift,
    apply_channel_shift,
    pair,
)

_EPSILON = 1e-6


class ImageDataGenerator:
    """Batches of images that are changed at random.

    For programs of earlier releases. `keras.utils.image_dataset_from_directory` and the
    augmentation layers of `keras.layers` do the same on the device, in whole batches.

    Args:
        featurewise_center: subtract the mean of all images, which `fit` finds.
        samplewise_center: subtract the mean of each image.
        featurewise_std_normalization: divide by the deviation of all images.
        samplewise_std_normalization: divide by the deviation of each image.
        zca_whitening: make the pixels of all images uncorrelated.
        zca_epsilon: added to variances for it.
        rotation_range: degrees.
        width_shift_range, height_shift_range: a share of the size if below 1, otherwise pixels;
            an integer for whole pixels; a sequence of values to choose from.
        brightness_range: the lowest and the highest factor.
        shear_range: degrees.
        zoom_range: the lowest and the highest factor, or how far they lie from 1.
        channel_shift_range: the largest number that is added.
        fill_mode: what lies outside of an image: `"nearest"`, `"constant"`, `"reflect"` or
            `"wrap"`.
        cval: the value outside for `"constant"`.
        horizontal_flip, vertical_flip: whether half of the images are mirrored.
        rescale: factor of all values, after the random changes.
        preprocessing_function: of an image, called after the random changes.
        data_format: `"channels_last"`, `"channels_first"`, or None for
            `keras.config.image_data_format()`.
        validation_split: share of the images that `subset="validation"` has.
        interpolation_order: of the splines that interpolate.
        dtype: of the images.

    Example:
        >>> generator = ImageDataGenerator(rescale=1 / 255, rotation_range=20)
        >>> model.fit(generator.flow(x_train, y_train, batch_size=32), epochs=3)
        >>> model.fit(generator.flow_from_directory("photos", target_size=(64, 64)))
    """

    def __init__(
        self,
        featurewise_center: bool = False,
        samplewise_center: bool = False,
        featurewise_std_normalization: bool = False,
        samplewise_std_normalization: bool = False,
        zca_whitening: bool = False,
        zca_epsilon: float = 1e-6,
        rotation_range: float = 0,
        width_shift_range: Any = 0.0,
        height_shift_range: Any = 0.0,
        brightness_range: Sequence[float] | None = None,
        shear_range: float = 0.0,
        zoom_range: Any = 0.0,
        channel_shift_range: float = 0.0,
        fill_mode: str = "nearest",
        cval: float = 0.0,
        horizontal_flip: bool = False,
        vertical_flip: bool = False,
        rescale: float | None = None,
        preprocessing_function: Callable[[np.ndarray], np.ndarray] | None = None,
        data_format: str | None = None,
        validation_split: float = 0.0,
        interpolation_order: int = 1,
        dtype: Any = None,
    ) -> None:
        if validation_split and not 0 < validation_split < 1:
            raise ValueError(
                "`validation_split` must lie between 0 and 1. "
                f"Received: validation_split={validation_split}"
            )
        for whole, part in (
            ("zca_whitening", "featurewise_center"),
            ("featurewise_std_normalization", "featurewise_center"),
            ("samplewise_std_normalization", "samplewise_center"),
        ):
            given = locals()
            if given[whole] and not given[part]:
                warnings.warn(f"`{whole}` needs `{part}`, which is set as well.", stacklevel=2)
        self.featurewise_center = (
            featurewise_center or zca_whitening or featurewise_std_normalization
        )
        self.samplewise_center = samplewise_center or samplewise_std_normalization
        self.featurewise_std_normalization = featurewise_std_normalization and not zca_whitening
        self.samplewise_std_normalization = samplewise_std_normalization
        self.zca_whitening = zca_whitening
        self.zca_epsilon = zca_epsilon
        self.rotation_range = rotation_range
        self.width_shift_range = width_shift_range
        self.height_shift_range = height_shift_range
        self.brightness_range = brightness_range and pair("brightness_range", brightness_range)
        self.shear_range = shear_range
        near = isinstance(zoom_range, (int, float))
        self.zoom_range = (
            [1 - zoom_range, 1 + zoom_range] if near else pair("zoom_range", zoom_range)
        )
        self.channel_shift_range = channel_shift_range
        self.fill_mode = fill_mode
        self.cval = cval
        self.horizontal_flip = horizontal_flip
        self.vertical_flip = vertical_flip
        self.rescale = rescale
        self.preprocessing_function = preprocessing_function
        self.data_format = standardize_data_format(data_format)
        self.interpolation_order = interpolation_order
        self.dtype = dtype or floatx()
        self._validation_split = validation_split
        # Of a batch.
        last = self.data_format == "channels_last"
        self.row_axis, self.col_axis, self.channel_axis = (1, 2, 3) if last else (2, 3, 1)
        self.mean: np.ndarray | None = None
        self.std: np.ndarray | None = None
        self.zca_whitening_matrix: np.ndarray | None = None

    # Batches ---------------------------------------------------------------------------

    def flow(
        self,
        x: Any,
        y: Any = None,
        batch_size: int = 32,
        shuffle: bool = True,
        sample_weight: Any = None,
        seed: int | None = None,
        save_to_dir: str | None = None,
        save_prefix: str = "",
        save_format: str = "png",
        ignore_class_split: bool = False,
        subset: str | None = None,
    ) -> NumpyArrayIterator:
        """Batches of changed images from arrays; see `NumpyArrayIterator`."""
        return self._flow(NumpyArrayIterator, locals())

    def flow_from_directory(
        self,
        directory: Any,
        target_size: tuple[int, int] = (256, 256),
        color_mode: str = "rgb",
        classes: Sequence[str] | None = None,
        class_mode: str | None = "categorical",
        batch_size: int = 32,
        shuffle: bool = True,
        seed: int | None = None,
        save_to_dir: str | None = None,
        save_prefix: str = "",
        save_format: str = "png",
        follow_links: bool = False,
        subset: str | None = None,
        interpolation: str = "nearest",
        keep_aspect_ratio: bool = False,
    ) -> DirectoryIterator:
        """Batches of changed images from a folder that has a folder for each class.

        Args:
            directory: where the folders are.
            target_size: `(height, width)` that all images get.
            color_mode: `"grayscale"`, `"rgb"` or `"rgba"`.
            classes: the folders, in the order of the labels; sorted by default.
            class_mode: `"categorical"` for one-hot rows, `"binary"` or `"sparse"` for labels
                as floats, `"input"` for the images themselves, None for no targets.
            batch_size: images in a batch.
            shuffle: whether every pass has an order of its own.
            seed: of the orders and changes.
            save_to_dir: folder where the changed images are written.
            save_prefix, save_format: of these files.
            follow_links: whether links to folders are followed, and out of `directory`.
            subset: `"training"` or `"validation"`: the last or first images of each class,
                where `validation_split` cuts.
            interpolation, keep_aspect_ratio: as in `keras.utils.load_img`.
        """
        return self._flow(DirectoryIterator, locals())

    def flow_from_dataframe(
        self,
        dataframe: Any,
        directory: Any = None,
        x_col: str = "filename",
        y_col: Any = "class",
        weight_col: str | None = None,
        target_size: tuple[int, int] = (256, 256),
        color_mode: str = "rgb",
        classes: Sequence[str] | None = None,
        class_mode: str | None = "categorical",
        batch_size: int = 32,
        shuffle: bool = True,
        seed: int | None = None,
        save_to_dir: str | None = None,
        save_prefix: str = "",
        save_format: str = "png",
        subset: str | None = None,
        interpolation: str = "nearest",
        validate_filenames: bool = True,
        **kwargs: Any,
    ) -> DataFrameIterator:
        """Batches of changed images that a data frame of pandas names and labels.

        Args:
            dataframe: with a row for each image.
            directory: where the files are, unless the names are whole paths.
            x_col: the column with the names of the files.
            y_col: the column with the labels, or several.
            weight_col: the column with the sample weights.
            class_mode: as in `flow_from_directory`; also `"raw"` for the values of the columns,
                and `"multi_output"` for a list of them. Labels of `"categorical"` may be lists
                of classes.
            validate_filenames: whether rows without a file are left out.
            kwargs: none; for programs that give what Keras once knew.

        The other arguments are those of `flow_from_directory`.
        """
        for name in kwargs:
            warnings.warn(f"`{name}` is no longer an argument and has no effect.", stacklevel=2)
        return self._flow(DataFrameIterator, {**locals(), "kwargs": {}})

    def _flow(self, kind: Any, given: dict[str, Any]) -> Any:
        own = {"image_data_generator": self, "data_format": self.data_format, "dtype": self.dtype}
        return kind(**own, **shared_arguments(kind.__init__, given))

    # Images ----------------------------------------------------------------------------

    def fit(self, x: Any, augment: bool = False, rounds: int = 1, seed: int | None = None) -> None:
        """Find what the featurewise options need.

        Args:
            x: images, of 4 axes.
            augment: whether to look at changed images.
            rounds: how many changed images are made of each one.
            seed: of the changes.
        """
        x = np.array(x, self.dtype)
        if x.ndim != 4:
            raise ValueError(
                f"`ImageDataGenerator.fit` needs images, of 4 axes. Received: shape {x.shape}"
            )
        random = _random(seed)
        if augment:
            changed = [self.random_transform(image, random) for _ in range(rounds) for image in x]
            x = np.stack(changed).astype(self.dtype)
        axes = (0, self.row_axis, self.col_axis)
        if self.featurewise_center:
            mean = np.mean(x, axes, keepdims=True)
            self.mean, x = mean[0], x - mean
        if self.featurewise_std_normalization:
            std = np.std(x, axes, keepdims=True)
            self.std, x = std[0], x / (std + _EPSILON)
        if self.zca_whitening:
            flat = x.reshape(len(x), -1)
            _, values, vectors = np.linalg.svd(flat, full_matrices=False)
            scales = 1 / np.sqrt(values**2 / len(x) + self.zca_epsilon)
            self.zca_whitening_matrix = (vectors.T * scales) @ vectors

    def standardize(self, x: np.ndarray) -> np.ndarray:
        """An image after the changes that are not random."""
        if self.preprocessing_function:
            x = self.preprocessing_function(x)
        if self.rescale:
            x = x * self.rescale
        if self.samplewise_center:
            x = x - np.mean(x, keepdims=True)
        if self.samplewise_std_normalization:
            x = x / (np.std(x, keepdims=True) + _EPSILON)
        if self.featurewise_center and self._knows("mean"):
            x = x - self.mean
        if self.featurewise_std_normalization and self._knows("std"):
            x = x / (self.std + _EPSILON)  # type: ignore[operator]
        if self.zca_whitening and self._knows("zca_whitening_matrix"):
            x = (x.reshape(-1) @ self.zca_whitening_matrix).reshape(x.shape)
        return x

    def _knows(self, name: str) -> bool:
        known = getattr(self, name) is not None
        if not known:
            warnings.warn(
                f"The generator has no `{name}` of the images and leaves it out. Call "
                "`generator.fit(images)` first.",
                stacklevel=3,
            )
        return known

    def get_random_transform(self, img_shape: Sequence[int], seed: Any = None) -> dict[str, Any]:
        """Changes for an image, as `apply_transform` takes them.

        Args:
            img_shape: of the image.
            seed: NumPy's global state by default.
        """
        random = _random(seed)

        def angle(limit: float) -> float:
            return random.uniform(-limit, limit) if limit else 0

        def shift(limit: Any, size: int) -> float:
            if not np.any(limit):
                return 0
            if isinstance(limit, float):
                return random.uniform(-limit, limit) * (size if limit < 1 else 1)
            return random.choice(limit) * random.choice([-1, 1])

        theta = angle(self.rotation_range)
        tx = shift(self.height_shift_range, img_shape[self.row_axis - 1])
        ty = shift(self.width_shift_range, img_shape[self.col_axis - 1])
        shear = angle(self.shear_range)
        zooms = tuple(self.zoom_range) != (1, 1)
        zx, zy = random.uniform(*self.zoom_range, 2) if zooms else (1, 1)
        flips = [random.uniform() < 0.5 for _ in range(2)]
        channel_shift = angle(self.channel_shift_range) if self.channel_shift_range else None
        brightness = random.uniform(*self.brightness_range) if self.brightness_range else None
        return {
            "theta": theta,
            "tx": tx,
            "ty": ty,
            "shear": shear,
            "zx": zx,
            "zy": zy,
            "flip_horizontal": flips[0] * self.horizontal_flip,
            "flip_vertical": flips[1] * self.vertical_flip,
            "channel_shift_intensity": channel_shift,
            "brightness": brightness,
        }

    def apply_transform(self, x: np.ndarray, transform_parameters: Mapping[str, Any]) -> np.ndarray:
        """An image after changes that `get_random_transform` gave, or some of them."""
        given = transform_parameters
        row, column, channel = self.row_axis - 1, self.col_axis - 1, self.channel_axis - 1
        x = apply_affine_transform(
            x,
            *(given.get(name, 0) for name in ("theta", "tx", "ty", "shear")),
            *(given.get(name, 1) for name in ("zx", "zy")),
            row_axis=row,
            col_axis=column,
            channel_axis=channel,
            fill_mode=self.fill_mode,
            cval=self.cval,
            order=self.interpolation_order,
        )
        if (shift := given.get("channel_shift_intensity")) is not None:
            x = apply_channel_shift(x, shift, channel)
        mirrored = [
            axis
            for name, axis in (("flip_horizontal", column), ("flip_vertical", row))
            if given.get(name)
        ]
        x = np.flip(x, mirrored)
        if (brightness := given.get("brightness")) is not None:
            x = apply_brightness_shift(x, brightness, scale=False)
        return x

    def random_transform(self, x: np.ndarray, seed: Any = None) -> np.ndarray:
        """An image after random changes."""
        return self.apply_transform(x, self.get_random_transform(x.shape, seed))


def _random(seed: Any) -> Any:
    """Where random numbers come from: a seed, NumPy's global state, or a state itself."""
    if seed is None:
        return np.random
    return np.random.RandomState(seed) if isinstance(seed, (int, np.integer)) else seed
