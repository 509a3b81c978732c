"""`audio_dataset_from_directory` against Keras."""

from __future__ import annotations

import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from keraslite import utils

keras = pytest.importorskip("keras")
pytest.importorskip("tensorflow")

RNG = np.random.default_rng(3)
RATE = 8000


def write(path: Path, samples: np.ndarray, dtype: str = "<i2") -> None:
    """Samples of shape `(length, channels)` as a WAV file."""
    with wave.open(str(path), "wb") as file:
        file.setparams((samples.shape[1], np.dtype(dtype).itemsize, RATE, 0, "NONE", ""))
        file.writeframes(samples.astype(dtype).tobytes())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("sounds")
    for name in ("no", "yes"):
        (root / name).mkdir()
        for i in range(4):
            write(root / name / f"{i}.wav", RNG.integers(-(2**15), 2**15, (20 + 5 * i, 2)))
    return root


OPTIONS: list[dict[str, Any]] = [
    {"batch_size": 3},
    {"batch_size": None},
    {"batch_size": None, "output_sequence_length": 22},
    {"batch_size": 1, "output_sequence_length": 50, "label_mode": "categorical"},
    {"batch_size": None, "labels": None, "label_mode": None},
    {"batch_size": 1, "validation_split": 0.25, "subset": "validation", "label_mode": "binary"},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_sounds_in_a_folder(folder: Path, options: dict[str, Any]) -> None:
    common = {"shuffle": False, "verbose": False, **options}
    ours = utils.audio_dataset_from_directory(folder, **common)
    theirs = list(keras.utils.audio_dataset_from_directory(folder, **common))
    assert len(ours) == len(theirs)
    for found, expected in zip(ours, theirs, strict=True):
        found, expected = (x if isinstance(x, tuple) else (x,) for x in (found, expected))
        for a, b in zip(found, expected, strict=True):
            assert a.dtype == np.asarray(b).dtype
            np.testing.assert_array_equal(a, np.asarray(b))


@pytest.mark.parametrize("dtype", ["u1", "<i2", "<i4"])
def test_how_samples_are_stored(tmp_path: Path, dtype: str) -> None:
    wanted = np.array([[-1.0, 0.5], [0.0, -0.25], [0.75, 0.0]])
    bits = 8 * np.dtype(dtype).itemsize
    write(tmp_path / "x.wav", wanted * 2 ** (bits - 1) + (128 if dtype == "u1" else 0), dtype)
    (found,) = utils.audio_dataset_from_directory(
        tmp_path, labels=None, label_mode=None, batch_size=None, verbose=False
    )
    assert found.dtype == "float32"
    np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("rate", [4000, 6000, 8000, 16000])
def test_another_sampling_rate(tmp_path: Path, rate: int) -> None:
    """A tone stays the tone, and one that the new rate does not have goes."""

    def tones(rate: int, *frequencies: int) -> np.ndarray:
        time = np.arange(rate // 10)[:, None] / rate
        return sum(np.sin(2 * np.pi * f * time) for f in frequencies) / 4

    write(tmp_path / "x.wav", tones(RATE, 500, 3500) * 2**15)
    (batch,) = utils.audio_dataset_from_directory(
        tmp_path, labels=None, label_mode=None, sampling_rate=rate, verbose=False
    )
    heard = (500, 3500) if rate > 7000 else (500,)
    np.testing.assert_allclose(batch[0], tones(rate, *heard), atol=1e-3)


def test_errors(folder: Path, tmp_path: Path) -> None:
    for options, match in (
        ({"ragged": True}, "ragged"),
        ({"output_sequence_length": 0}, "output_sequence_length"),
        ({"sampling_rate": -1}, "sampling_rate"),
    ):
        with pytest.raises(ValueError, match=match):
            utils.audio_dataset_from_directory(folder, verbose=False, **options)
    (tmp_path / "x.wav").write_bytes(b"no sound")
    dataset = utils.audio_dataset_from_directory(tmp_path, labels=None, verbose=False)
    with pytest.raises(ValueError, match="WAV"):
        _ = dataset[0]
