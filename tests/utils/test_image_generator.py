"""`ImageDataGenerator` and the functions and iterators around it, against Keras."""

from __future__ import annotations

import pathlib
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import keraslite
from keraslite import tree
from keraslite.preprocessing import image
from keraslite.preprocessing.image import ImageDataGenerator

pytest.importorskip("tensorflow")
pytest.importorskip("scipy")
pandas = pytest.importorskip("pandas")
theirs = pytest.importorskip("keras._tf_keras.keras.preprocessing.image")
BOTH = (image, theirs)

RNG = np.random.default_rng(0)
IMAGE = RNG.uniform(0, 255, (9, 6, 3)).astype("float32")
X = RNG.uniform(0, 255, (10, 6, 5, 3)).astype("float32")
Y = np.arange(10) % 2
LAST = {"row_axis": 0, "col_axis": 1, "channel_axis": 2}
ALL: dict[str, Any] = {
    "rotation_range": 20,
    "width_shift_range": 0.2,
    "height_shift_range": 3,
    "shear_range": 5,
    "zoom_range": 0.3,
    "channel_shift_range": 10,
    "horizontal_flip": True,
    "vertical_flip": True,
    "brightness_range": (0.5, 1.5),
}


def agree(run: Callable[[Any], Any], rtol: float = 1e-5) -> Any:
    """`run` gives the same with our module and with Keras's."""
    found, expected = [], []
    for results, module in ((found, image), (expected, theirs)):
        np.random.seed(3)
        results.append(run(module))
    for a, b in zip(tree.flatten(found), tree.flatten(expected), strict=True):
        if isinstance(b, np.ndarray):
            assert (a.shape, a.dtype) == (b.shape, b.dtype)
            np.testing.assert_allclose(a, b, rtol=rtol, atol=1e-3)
        else:
            assert a == b or np.isclose(a, b)
    return found[0]


CHANGES: dict[str, Callable[[Any], Any]] = {
    "affine": lambda m: m.apply_affine_transform(IMAGE, 30, 1, -2, 10, 0.7, 1.3, **LAST),
    "affine_first": lambda m: m.apply_affine_transform(
        IMAGE.transpose(2, 0, 1), 30, 1, -2, fill_mode="constant", cval=7.0, order=0
    ),
    "affine_reflect": lambda m: m.apply_affine_transform(
        IMAGE, zx=2, fill_mode="reflect", order=3, **LAST
    ),
    "brightness": lambda m: m.apply_brightness_shift(IMAGE, 0.6),
    "brightness_bytes": lambda m: m.apply_brightness_shift(IMAGE, 0.6, scale=False),
    "brightness_outside": lambda m: m.apply_brightness_shift(2 * IMAGE - 99, 0.6, scale=False),
    "channel_shift": lambda m: m.apply_channel_shift(IMAGE, 30, channel_axis=2),
    "random_rotation": lambda m: m.random_rotation(IMAGE, 30, **LAST),
    "random_shift": lambda m: m.random_shift(IMAGE, 0.2, 0.4, **LAST),
    "random_shear": lambda m: m.random_shear(IMAGE, 20, **LAST),
    "random_zoom": lambda m: m.random_zoom(IMAGE, (0.5, 1.5), **LAST),
    "random_channel_shift": lambda m: m.random_channel_shift(IMAGE, 30, channel_axis=2),
    "random_brightness": lambda m: m.random_brightness(IMAGE, (0.5, 1.5)),
}


@pytest.mark.parametrize("name", CHANGES)
def test_functions(name: str) -> None:
    agree(CHANGES[name])


@pytest.mark.parametrize(
    "options",
    [
        {},
        ALL,
        *({k: v} for k, v in ALL.items()),
        {"height_shift_range": [1, 2, 5]},
        {"zoom_range": (2, 3)},
    ],
    ids=lambda o: ",".join(o),
)
def test_random_transforms_have_the_numbers_of_keras(options: dict[str, Any]) -> None:
    def run(module: Any) -> Any:
        generator = module.ImageDataGenerator(**options)
        changed = generator.random_transform(IMAGE), generator.random_transform(IMAGE, seed=6)
        given = generator.get_random_transform((40, 20, 3), seed=5)
        return dict(sorted(given.items())), changed

    agree(run)


@pytest.mark.parametrize(
    "options",
    [
        {"rescale": 1 / 255, "preprocessing_function": np.sqrt},
        {"samplewise_center": True, "samplewise_std_normalization": True},
        {"featurewise_center": True, "featurewise_std_normalization": True},
        {"featurewise_center": True, "zca_whitening": True, "zca_epsilon": 1e-3},
    ],
    ids=str,
)
def test_standardizing(options: dict[str, Any]) -> None:
    def run(module: Any) -> Any:
        generator = module.ImageDataGenerator(rotation_range=30, **options)
        generator.fit(X, augment=True, rounds=2, seed=3)
        found = generator.standardize(X[0].copy()).astype("float32")
        return found, generator.mean, generator.std

    agree(run, rtol=1e-4)


FLOWS: dict[str, dict[str, Any]] = {
    "plain": {"shuffle": False},
    "shuffled": {},
    "training": {"subset": "training"},
    "validation": {"subset": "validation", "sample_weight": np.linspace(0, 1, 10)},
}


@pytest.mark.parametrize("name", FLOWS)
@pytest.mark.parametrize("x", [X, (X, [np.arange(10)])], ids=["x", "x_and_more"])
def test_flow(name: str, x: Any) -> None:
    """By `next` over several passes, and by index; orders and changes as in Keras."""

    def run(module: Any) -> Any:
        generator = module.ImageDataGenerator(validation_split=0.3, **ALL)
        batches = generator.flow(x, Y, batch_size=4, seed=7, **FLOWS[name])
        by_next = [next(batches) for _ in range(7)]
        again = generator.flow(x, Y, batch_size=4, seed=7, **FLOWS[name])
        by_index = [again[i] for i in range(len(again))]
        again.on_epoch_end()
        return by_next, by_index, again[0], len(again), again.n

    agree(run)


def test_flow_without_labels_first_channels_and_files(tmp_path: pathlib.Path) -> None:
    def run(module: Any) -> Any:
        # Keras takes brightness for that of images with channels last.
        options = {**ALL, "brightness_range": None}
        generator = module.ImageDataGenerator(
            data_format="channels_first", dtype="float64", **options
        )
        flow = generator.flow(X.transpose(0, 3, 1, 2), batch_size=5, seed=1)
        return next(flow), type(flow).__name__

    agree(run)
    flow = ImageDataGenerator().flow(X, save_to_dir=tmp_path, save_prefix="p", save_format="jpeg")
    next(flow)
    assert len(list(tmp_path.glob("p_*.jpeg"))) == 10
    # Worker processes get it so.
    assert len(pickle.loads(pickle.dumps(flow))) == len(flow)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    root = tmp_path_factory.mktemp("photos")
    for name, number in (("dogs", 6), ("cats", 4), ("empty", 0)):
        (root / name / "A").mkdir(parents=True)
        for i in range(number):
            place = "A" if i == 1 else "."
            image.save_img(root / name / place / f"{i}.png", RNG.uniform(0, 255, (8 + i, 9, 3)))
    (root / "dogs" / "notes.txt").write_text("no image")
    return root


FOLDERS: list[dict[str, Any]] = [
    {},
    {"subset": "training", "class_mode": "sparse"},
    {"subset": "validation", "class_mode": "input"},
    {"class_mode": "binary", "classes": ["dogs", "cats"], "color_mode": "grayscale"},
    {"class_mode": None, "color_mode": "rgba", "interpolation": "bilinear"},
    {"keep_aspect_ratio": True, "shuffle": True, "seed": 4},
]
ATTRIBUTES = ("class_indices", "class_mode", "n", "samples", "image_shape", "target_size")


def looked_at(flow: Any) -> Any:
    own = {name: getattr(flow, name) for name in ATTRIBUTES if hasattr(flow, name)}
    paths = [str(pathlib.Path(p)) for p in flow.filepaths]
    return own, list(flow.filenames), paths, next(flow), next(flow), len(flow)


@pytest.mark.parametrize("options", FOLDERS, ids=str)
def test_flow_from_directory(root: pathlib.Path, options: dict[str, Any], capsys: Any) -> None:
    def run(module: Any) -> Any:
        generator = module.ImageDataGenerator(validation_split=0.4, horizontal_flip=True)
        given = {"target_size": (6, 7), "batch_size": 4, "shuffle": False, "seed": 1, **options}
        flow = generator.flow_from_directory(str(root), **given)
        return looked_at(flow), flow.classes, flow.num_classes, capsys.readouterr().out

    agree(run)


TABLES: list[dict[str, Any]] = [
    {},
    {"class_mode": "sparse", "classes": ["dogs", "cats"], "subset": "training"},
    {"class_mode": "binary", "subset": "validation", "validate_filenames": False},
    {"classes": ["cats"]},
    {"y_col": "several"},
    {"y_col": "several", "classes": ["cats"]},
    {"class_mode": "raw", "y_col": "a", "weight_col": "w"},
    {"class_mode": "raw", "y_col": ["a", "b"]},
    {"class_mode": "multi_output", "y_col": ["a", "b"], "shuffle": True},
    {"class_mode": "input"},
    {"class_mode": None},
]


@pytest.fixture(scope="module")
def table(root: pathlib.Path) -> Any:
    names = [str(p.relative_to(root)) for p in sorted(root.rglob("*.png"))]
    classes = [name.split("/")[0] for name in names]
    numbers = np.arange(len(names))
    return pandas.DataFrame(
        {
            "filename": names,
            "class": classes,
            "several": [["cats", "dogs"] if i % 3 else c for i, c in enumerate(classes)],
            "a": numbers * 0.5,
            "b": numbers[::-1].copy(),
            "w": numbers / 9,
        }
    )


@pytest.mark.parametrize("options", TABLES, ids=str)
def test_flow_from_dataframe(
    root: pathlib.Path, table: Any, options: dict[str, Any], capsys: Any
) -> None:
    def run(module: Any) -> Any:
        generator = module.ImageDataGenerator(validation_split=0.4)
        given = {"target_size": (6, 7), "batch_size": 4, "shuffle": False, "seed": 1, **options}
        flow = generator.flow_from_dataframe(table, str(root), **given)
        return looked_at(flow), capsys.readouterr().out

    agree(run)


def test_missing_files_of_a_table_are_left_out(root: pathlib.Path, table: Any) -> None:
    more = pandas.concat([table, table[:1].assign(filename="nowhere.png")])
    with pytest.warns(UserWarning, match="1 of 11"):
        flow = ImageDataGenerator().flow_from_dataframe(more, str(root))
    assert flow.n == 10
    with pytest.warns(UserWarning, match="drop_duplicates"):
        ImageDataGenerator().flow_from_dataframe(table, str(root), drop_duplicates=True)


def test_warnings() -> None:
    with pytest.warns(UserWarning, match="featurewise_center"):
        generator = ImageDataGenerator(featurewise_std_normalization=True)
    with pytest.warns(UserWarning, match="fit"):
        generator.standardize(IMAGE)
    with pytest.warns(UserWarning, match="channels"):
        generator.flow(np.zeros((3, 4, 4, 7)))


@pytest.mark.parametrize(
    ("run", "match"),
    [
        (lambda m: m.ImageDataGenerator(zoom_range=[1]), "zoom_range"),
        (lambda m: m.ImageDataGenerator(brightness_range=3), "brightness_range"),
        (lambda m: m.ImageDataGenerator(validation_split=2.0), "validation_split"),
        (lambda m: m.ImageDataGenerator(data_format="x"), "data_format"),
        (lambda m: m.ImageDataGenerator().fit(X[0]), "shape|rank"),
        (lambda m: m.ImageDataGenerator().flow(X, Y[:3]), "length"),
        (lambda m: m.ImageDataGenerator().flow(X, sample_weight=Y[:3]), "length"),
        (lambda m: m.ImageDataGenerator().flow(X[0]), "rank|axes"),
        (lambda m: m.ImageDataGenerator().flow(X, subset="x"), "subset"),
        (
            lambda m: m.ImageDataGenerator(validation_split=0.5).flow(
                X, np.arange(10) // 5, subset="training"
            ),
            "classes",
        ),
        (lambda m: m.ImageDataGenerator().flow(X, batch_size=4)[3], "3"),
        (lambda m: m.ImageDataGenerator().flow_from_directory(".", class_mode="x"), "class_mode"),
        (lambda m: m.ImageDataGenerator().flow_from_directory(".", color_mode="x"), "color.mode"),
    ],
)
def test_errors(run: Callable[[Any], Any], match: str) -> None:
    for module in BOTH:
        with pytest.raises(ValueError, match=match):
            run(module)


@pytest.mark.parametrize(
    "options",
    [{"y_col": "a"}, {"x_col": "a"}, {"class_mode": "multi_output"}, {"weight_col": "class"}],
    ids=str,
)
def test_wrong_columns(root: pathlib.Path, table: Any, options: dict[str, Any]) -> None:
    for module in BOTH:
        with pytest.raises(TypeError, match="_col"):
            module.ImageDataGenerator().flow_from_dataframe(table, str(root), **options)


@pytest.mark.requires("trainable")
def test_a_model_learns_from_changed_images() -> None:
    layers = keraslite.layers
    model = keraslite.Sequential(
        [layers.Input((6, 5, 3)), layers.Flatten(), layers.Dense(2, activation="softmax")]
    )
    model.compile(loss="sparse_categorical_crossentropy")
    flow = ImageDataGenerator(rescale=1 / 255, **ALL).flow(X, Y, batch_size=4, seed=1)
    held = ImageDataGenerator(rescale=1 / 255).flow(X, Y, batch_size=4)
    for flow.workers in (1, 3):
        history = model.fit(flow, epochs=2, verbose=0, validation_data=held)
        assert np.isfinite(history.history["val_loss"]).all()
    assert model.predict(held, steps=2, verbose=0).shape == (8, 2)
