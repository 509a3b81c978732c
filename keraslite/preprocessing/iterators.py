"""Batches of images that an `ImageDataGenerator` changes, and such batches from arrays."""

from __future__ import annotations

import os
import threading
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from keraslite.config import floatx, standardize_data_format
from keraslite.core.configurable import shared_arguments
from keraslite.core.errors import check_choice
from keraslite.training.py_dataset import PyDataset
from keraslite.utils.images import array_to_img

if TYPE_CHECKING:
    from keraslite.preprocessing.generators import ImageDataGenerator

FORMATS = ("png", "jpg", "jpeg", "bmp", "ppm", "tif", "tiff")


def part_of(size: int, generator: ImageDataGenerator, subset: str | None) -> slice:
    """Which of `size` samples a subset has: the first ones are for validation."""
    if subset is None:
        return slice(0, size)
    check_choice("", ("training", "validation", None), subset=subset)
    split = int(size * generator._validation_split)
    return slice(0, split) if subset == "validation" else slice(split, size)


class Iterator(PyDataset):
    """Batches by index, and without an end by `next`.

    Subclasses define `_batch(places, random)`.

    Args:
        n: number of samples.
        batch_size: samples in a batch.
        shuffle: whether every pass has an order of its own.
        seed: of the orders and changes; NumPy's global state by default.
    """

    white_list_formats = FORMATS

    def __init__(
        self, n: int, batch_size: int, shuffle: bool, seed: int | None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.n = n
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.seed = seed
        self.total_batches_seen = 0
        self.index_array: np.ndarray | None = None
        self._random: np.random.RandomState | None = None
        self._lock = threading.Lock()
        self.reset()

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_lock"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _lock=threading.Lock())

    def reset(self) -> None:
        """Let `next` begin a pass."""
        self.batch_index = 0

    def on_epoch_end(self) -> None:
        """A new order, if the samples are shuffled."""
        random = self._random or np.random
        self.index_array = random.permutation(self.n) if self.shuffle else np.arange(self.n)

    def __len__(self) -> int:
        return -(-self.n // self.batch_size)

    def __getitem__(self, index: int) -> Any:
        if not 0 <= index < len(self):
            raise ValueError(f"There are {len(self)} batches. Received: index {index}")
        return self._next_batch(index, new_order=False)

    def __iter__(self) -> Iterator:
        return self

    def __next__(self) -> Any:
        index, self.batch_index = self.batch_index, (self.batch_index + 1) % max(len(self), 1)
        return self._next_batch(index, new_order=index == 0)

    def _next_batch(self, index: int, new_order: bool) -> Any:
        with self._lock:
            if self.seed is not None:
                self._random = np.random.RandomState(self.seed + self.total_batches_seen)
            self.total_batches_seen += 1
            if self.index_array is None or new_order:
                self.on_epoch_end()
            assert self.index_array is not None
            places = self.index_array[index * self.batch_size : (index + 1) * self.batch_size]
            random = self._random or np.random
        return self._batch(places, random)

    def _batch(self, places: np.ndarray, random: Any) -> Any:
        raise NotImplementedError(f"`{type(self).__name__}` must define `_batch`.")


class ImageIterator(Iterator):
    """Batches of images; subclasses define `_image`, and `_more` for what goes with images.

    Args:
        n: number of images.
        image_data_generator: changes the images.
        batch_size, shuffle, seed: as in `Iterator`.
        data_format: `"channels_last"`, `"channels_first"`, or None for the default.
        save_to_dir: folder where the changed images are written.
        save_prefix, save_format: of these files.
        dtype: of the images; `floatx()` by default.
    """

    def __init__(
        self,
        n: int,
        image_data_generator: ImageDataGenerator,
        *,
        batch_size: int,
        shuffle: bool,
        seed: int | None,
        data_format: str | None,
        save_to_dir: str | None,
        save_prefix: str,
        save_format: str,
        dtype: Any,
    ) -> None:
        super().__init__(n, batch_size, shuffle, seed)
        self.image_data_generator = image_data_generator
        self.data_format = standardize_data_format(data_format)
        self.dtype = dtype or floatx()
        self.save_to_dir = save_to_dir
        self.save_prefix = save_prefix
        self.save_format = save_format

    def _image(self, place: int) -> np.ndarray:
        raise NotImplementedError

    def _more(self, images: np.ndarray, places: np.ndarray) -> Any:
        raise NotImplementedError

    def _batch(self, places: np.ndarray, random: Any) -> Any:
        images = np.stack([self._changed(self._image(place), random) for place in places])
        if self.save_to_dir:
            for place, image in zip(places, images, strict=True):
                name = f"{self.save_prefix}_{place}_{np.random.randint(10**7)}.{self.save_format}"
                array_to_img(image, self.data_format).save(os.path.join(self.save_to_dir, name))
        return self._more(images, places)

    def _changed(self, image: np.ndarray, random: Any) -> np.ndarray:
        generator = self.image_data_generator
        changes = generator.get_random_transform(image.shape, random)
        return generator.standardize(generator.apply_transform(image, changes)).astype(self.dtype)


class NumpyArrayIterator(ImageIterator):
    """Batches of changed images from arrays; what `ImageDataGenerator.flow` returns.

    Args:
        x: images of shape `(samples, height, width, channels)`, or `(images, [others])`.
        y: labels.
        sample_weight: weight of each image.
        subset: `"training"` or `"validation"`: the last or first part, where the
            `validation_split` of the generator cuts.
        ignore_class_split: whether both parts may have different classes.

    The other arguments are those of `ImageIterator`.
    """

    def __init__(
        self,
        x: Any,
        y: Any,
        image_data_generator: ImageDataGenerator,
        batch_size: int = 32,
        shuffle: bool = False,
        sample_weight: Any = None,
        seed: int | None = None,
        data_format: str | None = None,
        save_to_dir: str | None = None,
        save_prefix: str = "",
        save_format: str = "png",
        subset: str | None = None,
        ignore_class_split: bool = False,
        dtype: Any = None,
    ) -> None:
        x, others = x if isinstance(x, (tuple, list)) else (x, [])
        others = [np.asarray(other) for other in (others if isinstance(others, list) else [others])]
        x = np.asarray(x)
        y = None if y is None else np.asarray(y)
        weights = None if sample_weight is None else np.asarray(sample_weight)
        for name, part in (("y", y), ("sample_weight", weights), *(("x[1]", o) for o in others)):
            if part is not None and len(part) != len(x):
                raise ValueError(
                    f"`x` and `{name}` must have the same length. Received: {len(x)} images and "
                    f"{name} of shape {part.shape}"
                )
        part = part_of(len(x), image_data_generator, subset)
        if subset is not None and y is not None and not ignore_class_split:
            kept, left_out = np.unique(y[part]), np.unique(np.delete(y, part, axis=0))
            if not np.array_equal(kept, left_out):
                raise ValueError(
                    "The parts for training and validation must have the same classes: shuffle "
                    f"the samples before. Received: {len(kept)} and {len(left_out)} classes"
                )
        x, y, weights = (None if a is None else a[part] for a in (x, y, weights))
        others = [other[part] for other in others]
        super().__init__(len(x), **shared_arguments(ImageIterator.__init__, locals()))
        self.x, self.x_misc, self.y, self.sample_weight = x.astype(self.dtype), others, y, weights
        if x.ndim != 4:
            raise ValueError(f"`x` must have 4 axes. Received: x of shape {x.shape}")
        channels = x.shape[3 if self.data_format == "channels_last" else 1]
        if channels not in (1, 3, 4):
            warnings.warn(
                f"Images of {self.data_format} have 1, 3 or 4 channels. Received: x of shape "
                f"{x.shape}, with {channels}.",
                stacklevel=3,
            )

    def _image(self, place: int) -> np.ndarray:
        return self.x[place]

    def _more(self, images: np.ndarray, places: np.ndarray) -> Any:
        found: Any = [images, *(other[places] for other in self.x_misc)]
        found = found if self.x_misc else images
        if self.y is None:
            return found
        weights = () if self.sample_weight is None else (self.sample_weight[places],)
        return found, self.y[places], *weights
