"""Data sets of the texts, images and sounds in a directory, whose folders are classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from keraslite.config import floatx, standardize_data_format
from keraslite.core.configurable import shared_arguments
from keraslite.core.errors import check_choice
from keraslite.ops.image.sampling import weights
from keraslite.utils.audio import fitted, read_wav
from keraslite.utils.datasets import in_format
from keraslite.utils.files import dataset_of_files
from keraslite.utils.images import img_to_array, load_img

_EXTENSIONS = (".bmp", ".gif", ".jpeg", ".jpg", ".png")
_KERNELS = {
    "nearest": "nearest",
    "bilinear": "linear",
    "bicubic": "cubic",
    "lanczos3": "lanczos3",
    "lanczos5": "lanczos5",
}


def text_dataset_from_directory(
    directory: Any,
    labels: Any = "inferred",
    label_mode: str | None = "int",
    class_names: Sequence[str] | None = None,
    batch_size: int | None = 32,
    max_length: int | None = None,
    shuffle: bool = True,
    seed: int | None = None,
    validation_split: float | None = None,
    subset: str | None = None,
    follow_links: bool = False,
    format: str = "tf",
    verbose: bool = True,
) -> Any:
    """Texts in the `.txt` files of a folder, with the folders in it as labels.

    Args:
        directory: with a folder for each class.
        labels: `"inferred"` from the folders, None for texts alone, or a list of labels in
            the order of the sorted paths.
        label_mode: `"int"`, `"categorical"` (one-hot), `"binary"` (one float), or None.
        class_names: the folders, in the order of the labels.
        batch_size: texts in a batch; None gives single texts.
        max_length: texts are cut to so many bytes.
        shuffle: whether every pass has an order of its own; otherwise paths are sorted.
        seed: of the orders and of the split.
        validation_split: share of the files for validation.
        subset: `"training"`, `"validation"` or `"both"`.
        follow_links: whether to go where links to folders point, and out of `directory`.
        format: `"tf"` for a `PyDataset`, or `"grain"`.
        verbose: whether to print how many files there are.

    Returns:
        A `PyDataset` of `(texts, labels)` or texts, with the attribute `class_names`; two of
        them for `subset="both"`. Texts are arrays of `bytes`.

    Example:
        >>> train = keras.utils.text_dataset_from_directory("aclImdb/train", batch_size=64)
        >>> vectorize.adapt(train.map(lambda text, label: text))
    """

    def read(files: Sequence[str]) -> np.ndarray:
        texts = np.empty(len(files), dtype=object)
        for place, path in enumerate(files):
            with open(path, "rb") as file:
                texts[place] = file.read(-1 if max_length is None else max_length)
        return texts

    given = shared_arguments(dataset_of_files, locals())
    return in_format(dataset_of_files((".txt",), read, **given), format)


def image_dataset_from_directory(
    directory: Any,
    labels: Any = "inferred",
    label_mode: str | None = "int",
    class_names: Sequence[str] | None = None,
    color_mode: str = "rgb",
    batch_size: int | None = 32,
    image_size: tuple[int, int] = (256, 256),
    shuffle: bool = True,
    seed: int | None = None,
    validation_split: float | None = None,
    subset: str | None = None,
    interpolation: str = "bilinear",
    follow_links: bool = False,
    crop_to_aspect_ratio: bool = False,
    pad_to_aspect_ratio: bool = False,
    data_format: str | None = None,
    format: str = "tf",
    verbose: bool = True,
) -> Any:
    """A data set of the images in a directory, with a folder for each class.

    Args:
        directory: where the folders are.
        labels: `"inferred"` from the folders, None for no labels, or one label for each file,
            in the order of the sorted paths.
        label_mode: `"int"`, `"categorical"` for one-hot vectors, `"binary"` for 0.0 and 1.0,
            or None for no labels.
        class_names: the folders, in the order of their labels; sorted by default.
        color_mode: `"grayscale"`, `"rgb"` or `"rgba"`.
        batch_size: how many images make a batch; None for no batches.
        image_size: `(height, width)` that all images are resized to.
        shuffle: whether to mix the images, in each pass anew.
        seed: for repeatable order and split.
        validation_split: the share of images that is for validation.
        subset: `"training"`, `"validation"`, or `"both"`.
        interpolation: `"nearest"`, `"bilinear"`, `"bicubic"`, `"lanczos3"` or `"lanczos5"`.
        follow_links: whether to go where links to folders point, and out of `directory`.
        crop_to_aspect_ratio: whether to cut images to the proportions of `image_size` first,
            in place of distorting them.
        pad_to_aspect_ratio: whether to pad them instead.
        data_format: `"channels_last"`, `"channels_first"`, or None for
            `keras.config.image_data_format()`.
        format: `"tf"` for a `PyDataset`, or `"grain"`.
        verbose: whether to say how many files there are.

    Returns:
        A `PyDataset` of images or of `(images, labels)`, with the attributes `class_names` and
        `file_paths`; two of them for `subset="both"`. Values are from 0 to 255: bytes for
        `interpolation="nearest"`, floats otherwise.

    Raises:
        ImportError: without Pillow.
        ValueError: for options that do not fit, or if there are no files.

    Example:
        >>> train, test = keras.utils.image_dataset_from_directory(
        ...     "photos", image_size=(64, 64), validation_split=0.2, subset="both", seed=1
        ... )
        >>> model.fit(train, validation_data=test)
    """
    check_choice("", _KERNELS, interpolation=interpolation)
    check_choice("", ("grayscale", "rgb", "rgba"), color_mode=color_mode)
    if crop_to_aspect_ratio and pad_to_aspect_ratio:
        raise ValueError(
            "Only one of `crop_to_aspect_ratio` and `pad_to_aspect_ratio` may be set. "
            "Received: both"
        )
    first = standardize_data_format(data_format) == "channels_first"
    size = tuple(image_size) if isinstance(image_size, (tuple, list)) else (image_size,)
    if len(size) != 2 or min(size) < 1:
        raise ValueError(
            "`image_size` must be a pair (height, width) of at least 1. "
            f"Received: image_size={image_size!r}"
        )

    def load(path: str) -> np.ndarray:
        x = img_to_array(load_img(path, color_mode), "channels_last")
        if crop_to_aspect_ratio:
            x = _cut(x, size)
        inner, before = _inside(x.shape, size) if pad_to_aspect_ratio else (size, (0, 0))
        for axis, new in enumerate(inner):
            x = _resized(x, axis, new, _KERNELS[interpolation])
        margins = [
            (start, new - start - old) for start, new, old in zip(before, size, inner, strict=True)
        ]
        x = np.pad(x, [*margins, (0, 0)]) if pad_to_aspect_ratio else x
        return np.moveaxis(x, -1, 0) if first else x

    def read(files: Sequence[str]) -> np.ndarray:
        images = np.stack([load(path) for path in files])
        return images.astype("uint8" if interpolation == "nearest" else floatx())

    given = shared_arguments(dataset_of_files, locals())
    return in_format(dataset_of_files(_EXTENSIONS, read, **given), format)


def audio_dataset_from_directory(
    directory: Any,
    labels: Any = "inferred",
    label_mode: str | None = "int",
    class_names: Sequence[str] | None = None,
    batch_size: int | None = 32,
    sampling_rate: int | None = None,
    output_sequence_length: int | None = None,
    ragged: bool = False,
    shuffle: bool = True,
    seed: int | None = None,
    validation_split: float | None = None,
    subset: str | None = None,
    follow_links: bool = False,
    verbose: bool = True,
) -> Any:
    """A data set of the `.wav` files in a directory, with a folder for each class.

    Args:
        directory: where the folders are.
        labels: `"inferred"` from the folders, None for no labels, or one label for each file,
            in the order of the sorted paths.
        label_mode: `"int"`, `"categorical"`, `"binary"`, or None for no labels.
        class_names: the folders, in the order of their labels; sorted by default.
        batch_size: how many sounds make a batch; None for no batches.
        sampling_rate: samples per second that all sounds are brought to; None keeps theirs.
        output_sequence_length: how many samples all sounds are cut or padded to; by default
            those of a batch are padded to the longest of them.
        ragged: must be False: engines have no ragged tensors.
        shuffle: whether to mix the sounds, in each pass anew.
        seed: for repeatable order and split.
        validation_split: the share of sounds that is for validation.
        subset: `"training"`, `"validation"`, or `"both"`.
        follow_links: whether to go where links to folders point, and out of `directory`.
        verbose: whether to say how many files there are.

    Returns:
        A `PyDataset` of sounds or of `(sounds, labels)`, with the attributes `class_names` and
        `file_paths`; two of them for `subset="both"`. Sounds have the shape
        `(batch, samples, channels)` and values from -1 to 1.

    Raises:
        ValueError: for options that do not fit, or files that are no sounds.

    Example:
        >>> train = keras.utils.audio_dataset_from_directory("words", batch_size=64)
    """
    if ragged:
        raise ValueError(
            "`ragged` must be False: engines have no ragged tensors. Use `batch_size=None`, or "
            "give `output_sequence_length`. Received: ragged=True"
        )
    for name, value in (
        ("sampling_rate", sampling_rate),
        ("output_sequence_length", output_sequence_length),
    ):
        if value is not None and value < 1:
            raise ValueError(f"`{name}` must be positive. Received: {name}={value}")

    def read(files: Sequence[str]) -> np.ndarray:
        sounds = [read_wav(path, sampling_rate) for path in files]
        length = output_sequence_length or max(len(x) for x in sounds)
        channels = max(x.shape[1] for x in sounds)
        return np.stack([fitted(x, (length, channels)) for x in sounds])

    return dataset_of_files((".wav",), read, **shared_arguments(dataset_of_files, locals()))


def _cut(x: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """The largest window in the middle that has the proportions of `size`."""
    height, width = x.shape[:2]
    for axis, fit in enumerate((width * size[0] // size[1], height * size[1] // size[0])):
        start = max(x.shape[axis] - fit, 0) // 2
        x = np.take(x, np.arange(start, start + min(x.shape[axis], fit)), axis)
    return x


def _inside(old: tuple[int, ...], size: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The largest size inside of another one that has the proportions of an image, and where."""
    scale = min(size[0] / old[0], size[1] / old[1])
    exact = [n * scale for n in old[:2]]
    inner = tuple(max(int(n), 1) for n in exact)
    return inner, tuple(int((new - n) / 2) for new, n in zip(size, exact, strict=True))


def _resized(x: np.ndarray, axis: int, new: int, kernel: str) -> np.ndarray:
    old = x.shape[axis]
    if old == new:
        return x
    if kernel == "nearest":
        return np.take(x, ((2 * np.arange(new) + 1) * old) // (2 * new), axis)
    matrix = weights(np, old, new, new / old, 0.0, kernel, False)
    return np.moveaxis(np.tensordot(np.asarray(matrix, x.dtype), x, (1, axis)), 0, axis)
