"""Batches of images from files, in folders or named in a table."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from keraslite.core.configurable import shared_arguments
from keraslite.core.errors import check_choice
from keraslite.preprocessing.iterators import FORMATS, ImageIterator, part_of
from keraslite.utils.files import files_below
from keraslite.utils.images import img_to_array, load_img

if TYPE_CHECKING:
    from keraslite.preprocessing.generators import ImageDataGenerator

_CHANNELS = {"grayscale": 1, "rgb": 3, "rgba": 4}
_EXTENSIONS = tuple(f".{name}" for name in FORMATS)


class FileIterator(ImageIterator):
    """Batches of changed images from files, which subclasses find before this constructor.

    Attributes:
        filepaths: of the images.
        labels: of the images, as `class_mode` says.
        sample_weight: of the images, or None.
        class_indices: name of a class -> label.
    """

    allowed_class_modes: tuple[str | None, ...] = ("categorical", "binary", "sparse", "input", None)

    def __init__(
        self,
        filepaths: Sequence[str],
        labels: Any,
        sample_weight: np.ndarray | None,
        *,
        target_size: tuple[int, int],
        color_mode: str,
        class_mode: str | None,
        interpolation: str,
        keep_aspect_ratio: bool,
        **settings: Any,
    ) -> None:
        self.filepaths, self.labels, self.sample_weight = list(filepaths), labels, sample_weight
        self.samples = len(self.filepaths)
        self.target_size = tuple(target_size)
        self.color_mode = color_mode
        self.class_mode = class_mode
        self.interpolation = interpolation
        self.keep_aspect_ratio = keep_aspect_ratio
        super().__init__(self.samples, **settings)
        shape = (*self.target_size, _CHANNELS[color_mode])
        last = self.data_format == "channels_last"
        self.image_shape = shape if last else shape[-1:] + shape[:-1]

    @classmethod
    def _check(cls, class_mode: str | None, color_mode: str) -> None:
        check_choice("", cls.allowed_class_modes, class_mode=class_mode)
        check_choice("", _CHANNELS, color_mode=color_mode)

    def _image(self, place: int) -> np.ndarray:
        image = load_img(
            self.filepaths[place],
            self.color_mode,
            self.target_size,
            self.interpolation,
            self.keep_aspect_ratio,
        )
        return img_to_array(image, self.data_format, self.dtype)

    def _more(self, images: np.ndarray, places: np.ndarray) -> Any:
        if self.class_mode is None:
            return images
        weights = () if self.sample_weight is None else (self.sample_weight[places],)
        return images, self._targets(images, places), *weights

    def _targets(self, images: np.ndarray, places: np.ndarray) -> Any:
        mode, labels = self.class_mode, self.labels
        if mode == "input":
            return images.copy()
        if mode == "multi_output":
            return [column[places] for column in labels]
        if mode == "raw":
            return labels[places]
        if mode == "categorical":
            rows = np.zeros((len(places), len(self.class_indices)), self.dtype)
            for row, place in zip(rows, places, strict=True):
                row[labels[place]] = 1.0
            return rows
        return np.array([labels[place] for place in places], self.dtype)


class DirectoryIterator(FileIterator):
    """Batches of changed images from a folder that has a folder for each class.

    `ImageDataGenerator.flow_from_directory` returns it, and says what the arguments are.
    """

    def __init__(
        self,
        directory: Any,
        image_data_generator: ImageDataGenerator,
        target_size: tuple[int, int] = (256, 256),
        color_mode: str = "rgb",
        classes: Sequence[str] | None = None,
        class_mode: str | None = "categorical",
        batch_size: int = 32,
        shuffle: bool = True,
        seed: int | None = None,
        data_format: str | None = None,
        save_to_dir: str | None = None,
        save_prefix: str = "",
        save_format: str = "png",
        follow_links: bool = False,
        subset: str | None = None,
        interpolation: str = "nearest",
        keep_aspect_ratio: bool = False,
        dtype: Any = None,
    ) -> None:
        self._check(class_mode, color_mode)
        folders = classes or sorted(f.name for f in os.scandir(directory) if f.is_dir())
        filepaths: list[str] = []
        found: list[int] = []
        for label, folder in enumerate(folders):
            files = files_below(Path(directory, folder), _EXTENSIONS, follow_links, directory)
            files = files[part_of(len(files), image_data_generator, subset)]
            filepaths += files
            found += [label] * len(files)
        self.directory = directory
        self.class_indices = {name: label for label, name in enumerate(folders)}
        self.num_classes = len(folders)
        self.classes = labels = np.array(found, "int32")
        self.filenames = [os.path.relpath(path, directory) for path in filepaths]
        print(f"Found {len(filepaths)} images belonging to {len(folders)} classes.")
        sample_weight = None
        super().__init__(**_shared(locals()))


class DataFrameIterator(FileIterator):
    """Batches of changed images that a data frame of pandas names and labels.

    `ImageDataGenerator.flow_from_dataframe` returns it, and says what the arguments are.
    """

    allowed_class_modes = (*FileIterator.allowed_class_modes, "multi_output", "raw")

    def __init__(
        self,
        dataframe: Any,
        directory: Any,
        image_data_generator: ImageDataGenerator,
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
        data_format: str | None = "channels_last",
        save_to_dir: str | None = None,
        save_prefix: str = "",
        save_format: str = "png",
        subset: str | None = None,
        interpolation: str = "nearest",
        keep_aspect_ratio: bool = False,
        dtype: Any = "float32",
        validate_filenames: bool = True,
    ) -> None:
        self._check(class_mode, color_mode)
        self.directory = directory = directory or ""
        by_class = class_mode in ("categorical", "binary", "sparse")
        _check_columns(dataframe, x_col, y_col, weight_col, class_mode if by_class else None)
        if class_mode == "multi_output" and not isinstance(y_col, (list, tuple)):
            raise TypeError(
                "`y_col` must be a list of columns for `class_mode='multi_output'`. "
                f"Received: y_col={y_col!r}"
            )
        table = dataframe
        if by_class:
            table, self.class_indices = _of_classes(table, y_col, classes, class_mode)
        if validate_filenames:
            table = _of_images(table, directory, x_col)
        table = table[part_of(len(table), image_data_generator, subset)]
        self.filenames = table[x_col].tolist()
        filepaths = [os.path.join(directory, name) for name in self.filenames]
        sample_weight = None if weight_col is None else table[weight_col].to_numpy()
        labels: Any = []
        if by_class:
            labels = self.classes = [_numbers(x, self.class_indices) for x in table[y_col]]
        elif class_mode == "multi_output":
            labels = [np.asarray(table[name].tolist()) for name in y_col]
        elif class_mode == "raw":
            labels = table[y_col].to_numpy()
        kind = "validated" if validate_filenames else "non-validated"
        of_classes = f" belonging to {len(self.class_indices)} classes" if by_class else ""
        print(f"Found {len(table)} {kind} image filenames{of_classes}.")
        super().__init__(**_shared(locals()))


def _shared(local: dict[str, Any]) -> dict[str, Any]:
    """The arguments that all kinds of files have in common."""
    return {
        **shared_arguments(ImageIterator.__init__, local),
        **shared_arguments(FileIterator.__init__, local),
    }


def _check_columns(
    table: Any, x_col: str, y_col: Any, weight_col: str | None, class_mode: str | None
) -> None:
    if not all(isinstance(name, str) for name in table[x_col]):
        raise TypeError(f"The column {x_col!r} (`x_col`) must hold names of files, as strings.")
    if weight_col is not None and table[weight_col].dtype.kind not in "iuf":
        raise TypeError(f"The column {weight_col!r} (`weight_col`) must hold numbers.")
    allowed = (str, list, tuple) if class_mode == "categorical" else (str,)
    if class_mode and not all(isinstance(label, allowed) for label in table[y_col]):
        raise TypeError(
            f"The column {y_col!r} (`y_col`) must hold strings for `class_mode={class_mode!r}`. "
            f"Use `.astype(str)`, or `class_mode='raw'` for numbers."
        )


def _of_classes(
    table: Any, y_col: str, classes: Sequence[str] | None, class_mode: str | None
) -> tuple[Any, dict[str, int]]:
    """The rows that are of some of the classes, and the labels of the classes."""
    if isinstance(classes, str):
        raise ValueError(f"`classes` must be a list of names. Received: classes={classes!r}")
    given = [{label} if isinstance(label, str) else set(label) for label in table[y_col]]
    names = list(classes) if classes else sorted(set().union(*given))
    if class_mode == "binary" and len(names) != 2:
        raise ValueError(
            f"`class_mode='binary'` needs exactly two classes. Received: {len(names)} classes"
        )
    indices = {name: label for label, name in enumerate(names)}
    return table[[not labels.isdisjoint(indices) for labels in given]], indices


def _numbers(label: Any, indices: dict[str, int]) -> Any:
    if isinstance(label, str):
        return indices[label]
    return [indices[name] for name in label if name in indices]


def _of_images(table: Any, directory: str, x_col: str) -> Any:
    paths = [os.path.join(directory, name) for name in table[x_col]]
    kept = [path.lower().endswith(_EXTENSIONS) and os.path.isfile(path) for path in paths]
    if not all(kept):
        warnings.warn(
            f"{kept.count(False)} of {len(kept)} names in the column {x_col!r} are not those of "
            "image files; they are left out.",
            stacklevel=4,
        )
    return table[kept]


__all__ = ["DataFrameIterator", "DirectoryIterator"]
