"""Folders of data that lead elsewhere, or hold what only looks like data."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keraslite as keras
from keraslite.core.errors import LoadError
from keraslite.preprocessing.image import ImageDataGenerator

Make = Callable[[Path, Path], object]


def _texts(folder: Path, **options: Any) -> Any:
    return keras.utils.text_dataset_from_directory(folder, shuffle=False, verbose=False, **options)


def _images(folder: Path) -> Any:
    return keras.utils.image_dataset_from_directory(
        folder, image_size=(4, 4), shuffle=False, verbose=False
    )


def _sounds(folder: Path) -> Any:
    return keras.utils.audio_dataset_from_directory(
        folder, sampling_rate=16_000, output_sequence_length=4, shuffle=False, verbose=False
    )


def _flow(folder: Path) -> Any:
    flow = ImageDataGenerator().flow_from_directory(str(folder), target_size=(4, 4))
    return [flow[i] for i in range(len(flow))]


def read(folder: Path, load: Callable[[Path], Any]) -> None:
    """Read all that there is."""
    try:
        for _ in load(folder):
            pass
    except ValueError as error:
        raise LoadError(str(error)) from error


def _sound(rate: int, channels: int = 1) -> bytes:
    form = struct.pack("<4sI2H2I2H", b"fmt ", 16, 1, channels, rate, 2 * rate, 2, 16)
    data = struct.pack("<4sI", b"data", 20_000) + bytes(20_000)
    return struct.pack("<4sI4s", b"RIFF", 4 + len(form + data), b"WAVE") + form + data


def _link(name: str, to: str) -> Make:
    def make(folder: Path, canary: Path) -> None:
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(to.format(canary=canary))

    return make


def _file(name: str, data: bytes) -> Make:
    def make(folder: Path, canary: Path) -> None:
        (folder / name).write_bytes(data)

    return make


def _chain(folder: Path, canary: Path) -> None:
    _link("b/1.txt", "../a/.hidden")(folder, canary)
    _link("a/.hidden", "{canary}/words.txt")(folder, canary)


_PROGRAM = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n(x) run\n"

#: What it does -> what makes it of a folder with `a/0.txt`, and what reads it.
HOSTILE: dict[str, tuple[Make, Callable[[Path], Any]]] = {
    "A17 a class that is a link": (_link("b", "{canary}"), _texts),
    "A17 a class that is a link by dots": (_link("b", "../canary"), _texts),
    "A17 a file that is a link": (_link("a/1.txt", "{canary}/words.txt"), _texts),
    "A17 a link to a link": (_chain, _texts),
    "A17 a link to nothing": (_link("a/1.txt", "/proc/nothing.txt"), _texts),
    "A17 a link to a device": (_link("a/1.txt", "/dev/zero"), _texts),
    "A17 a link, without classes": (
        _link("1.txt", "{canary}/words.txt"),
        lambda folder: _texts(folder, labels=None, label_mode=None),
    ),
    "A17 a link in a folder, with given labels": (
        _link("a/1.txt", "{canary}/words.txt"),
        lambda folder: _texts(folder, labels=[0, 1]),
    ),
    "A17 an image that is a link": (_link("a/1.png", "{canary}/secret"), _images),
    "A17 a class of images that is a link": (_link("b", "{canary}"), _flow),
    "A17 an image of a flow that is a link": (_link("a/1.png", "{canary}/secret"), _flow),
    "A17 a sound that is a link": (_link("a/1.wav", "{canary}/secret"), _sounds),
    "A17 a pipe": (lambda folder, canary: os.mkfifo(folder / "a" / "1.txt"), _texts),
    "A1 a program for PostScript as an image": (_file("a/1.png", _PROGRAM), _images),
    "A1 a program for PostScript in a flow": (_file("a/1.png", _PROGRAM), _flow),
    "A18 a sound of one sample per second": (_file("a/1.wav", _sound(1)), _sounds),
    "A18 a sound of no samples per second": (_file("a/1.wav", _sound(0)), _sounds),
    "A25 a sound of no channels": (_file("a/1.wav", _sound(8000, 0)), _sounds),
}
#: What is not refused, but not followed either.
HARMLESS: dict[str, tuple[Make, Callable[[Path], Any]]] = {
    "A17 a folder in a class that is a link": (_link("a/sub", "{canary}"), _texts),
    "A17 a folder that is a link, without classes": (
        _link("sub", "{canary}"),
        lambda folder: _texts(folder, labels=None, label_mode=None),
    ),
}
