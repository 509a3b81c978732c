"""Images as files and arrays, and data sets of them, against Keras."""

from __future__ import annotations

import io
import pathlib
from typing import Any

import numpy as np
import pytest

import keraslite
from keraslite import utils

keras = pytest.importorskip("keras")
pytest.importorskip("PIL")

RNG = np.random.default_rng(3)
IMAGE = RNG.uniform(-1, 3, (4, 5, 3))


@pytest.mark.parametrize(
    ("x", "options"),
    [
        (IMAGE, {}),
        (np.clip(IMAGE * 50, 0, 255), {"scale": False}),
        (IMAGE[..., :1], {}),
        (np.full((4, 5, 4), 7.0), {}),
        (np.full((4, 5, 1), 1000.0), {"scale": False}),
        (IMAGE.transpose(2, 0, 1), {"data_format": "channels_first"}),
    ],
)
def test_arrays_and_images(x: np.ndarray, options: dict[str, Any]) -> None:
    ours, theirs = utils.array_to_img(x, **options), keras.utils.array_to_img(x, **options)
    assert (ours.mode, ours.size) == (theirs.mode, theirs.size)
    np.testing.assert_array_equal(np.asarray(ours), np.asarray(theirs))
    for more in ({}, {"dtype": "uint8"}, {"data_format": "channels_first"}):
        a, b = utils.img_to_array(ours, **more), keras.utils.img_to_array(theirs, **more)
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)


def test_files(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "a.png"
    image = RNG.uniform(0, 255, (40, 50, 3))
    utils.save_img(path, image)
    for options in (
        {},
        {"color_mode": "grayscale"},
        {"color_mode": "rgba"},
        {"target_size": (10, 30)},
        {"target_size": (10, 30), "interpolation": "bilinear"},
        {"target_size": (10, 30), "keep_aspect_ratio": True},
        {"target_size": (30, 10), "keep_aspect_ratio": True, "interpolation": "lanczos"},
    ):
        ours, theirs = utils.load_img(path, **options), keras.utils.load_img(path, **options)
        assert ours.mode == theirs.mode
        np.testing.assert_array_equal(np.asarray(ours), np.asarray(theirs))
    utils.load_img(io.BytesIO(path.read_bytes()))
    with pytest.warns(UserWarning, match="alpha"):
        utils.save_img(tmp_path / "b.jpg", np.ones((4, 5, 4)))
    with pytest.raises(ValueError, match="color_mode"):
        utils.load_img(path, color_mode="x")
    with pytest.raises(TypeError, match="path"):
        utils.load_img(3)


def test_smart_resize() -> None:
    from keraslite.preprocessing.image import smart_resize

    x = RNG.uniform(0, 255, (2, 9, 14, 3)).astype("float32")
    expected = keras.preprocessing.image.smart_resize(x, (5, 4))
    np.testing.assert_allclose(smart_resize(x, (5, 4)), expected, atol=0.02)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    root = tmp_path_factory.mktemp("photos")
    for name, many in (("cats", 5), ("dogs", 4)):
        (root / name / "sub").mkdir(parents=True)
        for i in range(many):
            place = root / name / ("sub" if i == 2 else ".") / f"{i}.png"
            utils.save_img(place, RNG.uniform(0, 255, (8 + i, 9, 3)))
    (root / "cats" / "notes.txt").write_text("no image")
    # These belong to no class; the others are ordered by folder and then by name.
    (root / ".hidden").mkdir()
    for place in (".hidden/h.png", "outside.png"):
        utils.save_img(root / place, RNG.uniform(0, 255, (8, 9, 3)))
    (root / "dogs" / "A").mkdir()
    (root / "dogs" / "3.png").rename(root / "dogs" / "A" / "3.png")
    (root / "dogs" / "link").symlink_to(root / "cats" / "sub")
    return root


def batches(data: Any) -> list[Any]:
    if isinstance(data, utils.PyDataset):
        return [data[i] for i in range(len(data))]
    return [
        tuple(np.asarray(x) for x in b) if isinstance(b, tuple) else np.asarray(b) for b in data
    ]


OPTIONS = [
    {},
    {"label_mode": "categorical", "batch_size": 4},
    {"label_mode": "binary", "interpolation": "lanczos3"},
    {"label_mode": None},
    {"batch_size": None, "crop_to_aspect_ratio": True},
    {"validation_split": 0.25, "subset": "training"},
    {"class_names": ["dogs", "cats"], "color_mode": "grayscale", "data_format": "channels_first"},
    {"follow_links": True, "interpolation": "nearest"},
    {"labels": None, "label_mode": None},
    {"validation_split": 0.25, "subset": "both", "shuffle": True, "seed": 3},
    {"labels": [*[0, 1, 2] * 3, 1, 0], "pad_to_aspect_ratio": True, "image_size": (16, 17)},
]


@pytest.mark.parametrize("options", OPTIONS, ids=lambda o: ",".join(o))
def test_directories_equal_keras(folders: pathlib.Path, options: dict) -> None:
    common = {"image_size": (6, 7), "shuffle": False, "verbose": False, **options}
    ours = utils.image_dataset_from_directory(folders, **common)
    theirs = keras.utils.image_dataset_from_directory(str(folders), **common)
    if options.get("subset") == "both":
        for a, b in zip(ours, theirs, strict=True):
            assert a.file_paths == b.file_paths and a.class_names == b.class_names
        return
    assert isinstance(ours, utils.PyDataset)
    if "labels" not in options:
        assert ours.class_names == theirs.class_names
    assert [pathlib.Path(p) for p in ours.file_paths] == [
        pathlib.Path(p) for p in theirs.file_paths
    ]
    expected = batches(theirs)
    got = batches(ours)
    assert len(got) == len(expected)
    for a, b in zip(got, expected, strict=True):
        a, b = (x if isinstance(x, tuple) else (x,) for x in (a, b))
        assert len(a) == len(b)
        for x, y in zip(a, b, strict=True):
            assert x.shape == y.shape and x.dtype == y.dtype
            # Gray is rounded by Pillow here, and by TensorFlow there.
            atol = 1.01 if "color_mode" in options else 0.02
            np.testing.assert_allclose(x, y, atol=atol)


def test_a_model_learns_from_a_directory(folders: pathlib.Path) -> None:
    train, test = utils.image_dataset_from_directory(
        folders, image_size=(6, 7), validation_split=0.3, subset="both", seed=3, verbose=False
    )
    assert not set(train.file_paths) & set(test.file_paths)
    assert len(train.file_paths) + len(test.file_paths) == 9
    layers = keraslite.layers
    model = keraslite.Sequential(
        [layers.Input((6, 7, 3)), layers.Flatten(), layers.Dense(2, activation="softmax")]
    )
    model.compile(loss="sparse_categorical_crossentropy")
    assert np.isfinite(model.evaluate(test, verbose=0))


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"label_mode": "x"}, "label_mode"),
        ({"subset": "training"}, "together"),
        ({"validation_split": 0.2, "subset": "training"}, "seed"),
        ({"validation_split": 2.0, "subset": "training", "seed": 1}, "between"),
        ({"class_names": ["a"]}, "class_names"),
        ({"class_names": ["a"], "labels": None}, "class_names"),
        ({"validation_split": 0.01, "subset": "validation", "seed": 1}, "none for validation"),
        ({"image_size": (3,)}, "image_size"),
        ({"format": "x"}, "format"),
        ({"labels": [1]}, "labels"),
        ({"interpolation": "x"}, "interpolation"),
    ],
)
def test_errors(folders: pathlib.Path, options: dict, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        utils.image_dataset_from_directory(folders, **{"verbose": False, **options})


def test_format_of_grain(folders: pathlib.Path) -> None:
    pytest.importorskip("grain")
    given = {"image_size": (6, 7), "shuffle": False, "verbose": False, "batch_size": 4}
    found = utils.image_dataset_from_directory(folders, format="grain", **given)
    expected = utils.image_dataset_from_directory(folders, **given)
    assert found.class_names == ["cats", "dogs"] and len(found) == 3
    np.testing.assert_array_equal(found[1][0], expected[1][0])
    windows = utils.timeseries_dataset_from_array(np.arange(9), None, 3, format="grain")
    assert len(windows) == 1
