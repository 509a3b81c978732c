"""Data sets of the files below a folder, whose folders are classes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from keraslite.core.errors import check_choice, short
from keraslite.utils.datasets import Batches


def dataset_of_files(
    extensions: tuple[str, ...],
    read_files: Callable[[Sequence[str]], np.ndarray],
    *,
    directory: Any,
    labels: Any,
    label_mode: str | None,
    class_names: Sequence[str] | None,
    batch_size: int | None,
    shuffle: bool,
    seed: int | None,
    validation_split: float | None,
    subset: str | None,
    follow_links: bool,
    verbose: bool,
) -> Any:
    """Batches of what `read_files` makes of the files below a folder, and their labels.

    The options are those of the `*_dataset_from_directory` functions.
    """
    if label_mode is None:
        labels = None
    _check_options(labels, label_mode, class_names, validation_split, subset, shuffle, seed)
    paths, found, names = index_directory(
        directory, labels, extensions, class_names, follow_links, verbose
    )
    if labels is None:
        label_mode = None
    if label_mode == "binary" and len(names) != 2:
        raise ValueError(
            "`label_mode='binary'` needs exactly two classes. "
            f"Received: {len(names)} classes, {names[:10]}"
        )
    if shuffle:
        seed = int(np.random.randint(2**31 - 1)) if seed is None else seed
        order = np.random.RandomState(seed).permutation(len(paths))
        paths, found = [paths[i] for i in order], found[order]
    encoded = encode_labels(found, label_mode, len(names))

    def part(which: str | None) -> Batches:
        chosen = _part_of(len(paths), validation_split, which, verbose)
        files = paths[chosen]
        of_files = None if encoded is None else encoded[chosen]

        def batch(samples: np.ndarray) -> Any:
            inputs = read_files([files[i] for i in samples])
            return inputs if of_files is None else (inputs, of_files[samples])

        dataset = Batches(batch, len(files), batch_size, shuffle, seed)
        dataset.class_names = None if label_mode is None else names
        dataset.file_paths = files
        return dataset

    if subset == "both":
        return [part("training"), part("validation")]
    return part(subset)


def _check_options(
    labels: Any,
    label_mode: str | None,
    class_names: Sequence[str] | None,
    validation_split: float | None,
    subset: str | None,
    shuffle: bool,
    seed: int | None,
) -> None:
    if labels is None and class_names is not None:
        raise ValueError(
            "`class_names` must be left out for `labels=None`: there are no classes. "
            f"Received: class_names={class_names!r:.80}"
        )
    if labels not in ("inferred", None) and not isinstance(labels, (list, tuple, np.ndarray)):
        raise ValueError(f"`labels` must be 'inferred', None or a list. Received: {labels!r:.80}")
    check_choice("", ("int", "categorical", "binary", None), label_mode=label_mode)
    if validation_split is not None and not 0 < validation_split < 1:
        raise ValueError(
            "`validation_split` must lie between 0 and 1. "
            f"Received: validation_split={validation_split}"
        )
    if (validation_split is None) != (subset is None):
        raise ValueError(
            "`validation_split` and `subset` must be given together. "
            f"Received: validation_split={validation_split}, subset={subset!r}"
        )
    check_choice("", ("training", "validation", "both", None), subset=subset)
    if validation_split and shuffle and seed is None and subset != "both":
        raise ValueError(
            "`validation_split` of shuffled files needs a `seed`, so that the two calls for "
            "training and validation split them alike."
        )


def index_directory(
    directory: Any,
    labels: Any,
    extensions: tuple[str, ...],
    class_names: Sequence[str] | None = None,
    follow_links: bool = False,
    verbose: bool = True,
) -> tuple[list[str], np.ndarray, list[str]]:
    """Files of some kinds below a folder: sorted paths, labels, names of the classes.

    Args:
        directory: with a folder for each class, unless `labels` is None.
        labels: `"inferred"`, None, or a list.
        extensions: in lower case, with the dot.
        class_names: the folders, in the order of the labels.
        follow_links: whether links to folders are followed, and out of the directory.
        verbose: whether to print how many files there are.
    """
    root = Path(directory)
    if not root.is_dir():
        raise FileNotFoundError(f"There is no folder {str(root)!r}.")
    if isinstance(labels, str):
        names = sorted(p.name for p in root.iterdir() if p.is_dir() and p.name[0] != ".")
        if class_names is not None:
            if unknown := [n for n in class_names if n not in names]:
                raise ValueError(
                    f"`class_names` names folders that are not in {str(root)!r}: {unknown[:5]}."
                )
            names = list(class_names)
        of_class = [files_below(root / name, extensions, follow_links, root) for name in names]
        paths = [path for files in of_class for path in files]
        found = np.repeat(np.arange(len(names), dtype="int32"), [len(files) for files in of_class])
    else:
        paths = files_below(root, extensions, follow_links, root)
        found, names = np.zeros(len(paths), "int32"), []
    if labels is not None and not isinstance(labels, str):
        found = np.asarray(labels)
        if len(found) != len(paths):
            raise ValueError(
                f"`labels` must have one label for each of the {len(paths)} files in "
                f"{str(root)!r}. Received: {len(found)} labels"
            )
        names = list(class_names or map(str, sorted(set(found.tolist()))))
    if verbose:
        of_classes = f" belonging to {len(names)} classes" if names else ""
        print(f"Found {len(paths)} files{of_classes}.")
    if not paths:
        raise ValueError(
            f"There are no files {', '.join(extensions)} in {str(root)!r} or the folders in it."
        )
    return paths, found, names


def files_below(
    folder: Path, extensions: tuple[str, ...], follow_links: bool, root: str | os.PathLike[str]
) -> list[str]:
    """Paths of the files with these extensions, by folder and name.

    Args:
        folder: to search, with those in it.
        extensions: in lower case, with the dot.
        follow_links: whether links to folders are followed, and links may lead out of `root`.
        root: that the user gave.

    Raises:
        ValueError: for a link out of `root`, unless links are followed, and for pipes and devices.
    """
    if not follow_links:
        _check_inside(folder, root)
    found = []
    for at, entry in _entries(folder, follow_links):
        if not entry.name.lower().endswith(extensions):
            continue
        if entry.is_symlink():
            if not follow_links:
                _check_inside(entry.path, root)
        elif not entry.is_file():
            raise ValueError(f"{short(entry.path, 400)!r} is a pipe or a device, and no file.")
        found.append((at, entry.name))
    return [os.path.join(at, name) for at, name in sorted(found)]


def _entries(folder: Path, follow_links: bool) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Whatever is no folder below one, with the folder that it is in."""
    for at, _, _ in os.walk(folder, followlinks=follow_links):
        with os.scandir(at) as entries:
            yield from ((at, entry) for entry in entries if not entry.is_dir())


def _check_inside(path: str | os.PathLike[str], root: str | os.PathLike[str]) -> None:
    real = os.path.realpath(path)
    if not Path(real).is_relative_to(os.path.realpath(root)):
        raise ValueError(
            f"{short(os.fspath(path), 160)!r} is a link that leads out of "
            f"{short(os.fspath(root), 120)!r}, to {short(real, 120)!r}. If you trust who made "
            "this folder, pass `follow_links=True`."
        )


def encode_labels(labels: np.ndarray, label_mode: str | None, classes: int) -> np.ndarray | None:
    """Labels in the form that `label_mode` names; None for none."""
    if label_mode is None:
        return None
    if label_mode == "categorical":
        return np.eye(classes, dtype="float32")[labels]
    if label_mode == "binary":
        return labels.astype("float32")[:, None]
    return labels.astype("int32")


def _part_of(size: int, split: float | None, which: str | None, verbose: bool) -> slice:
    if split is None:
        return slice(0, size)
    held = int(split * size)
    chosen = slice(0, size - held) if which == "training" else slice(size - held, size)
    if chosen.start == chosen.stop:
        raise ValueError(
            f"`validation_split={split}` of {size} files leaves none for {which}. "
            f"Received: validation_split={split}, subset={which!r}"
        )
    if verbose:
        print(f"Using {chosen.stop - chosen.start} files for {which}.")
    return chosen
