"""Image layers against Keras: what one transformation does, what is drawn, and all that moves."""

from __future__ import annotations

import copy
import dataclasses
from typing import Any

import numpy as np
import pytest

import keraslite
from keraslite import ops
from keraslite.backend import engine
from keraslite.core import tree

keras = pytest.importorskip("keras")

# What Keras computes otherwise on one of its engines than on all others.
_ORACLE_DIFFERS = {
    "torch": (
        "RandomRotation",
        "RandomGaussianBlur",
        "ContrastLimitedAdaptiveHistogramEqualization",
    ),
    "tensorflow": ("RandomGaussianBlur", "RandomTranslation"),
}.get(keras.backend.backend(), ())
BATCH, HEIGHT, WIDTH = 4, 8, 11
BOXES = {
    "boxes": np.array([[[1, 1, 4, 5], [0, 2, 8, 7]]] * BATCH, "float32"),
    "labels": np.array([[1, 2]] * BATCH, "int32"),
}
EVERYTHING = {
    "images": np.random.default_rng(3).uniform(0, 255, (BATCH, HEIGHT, WIDTH, 3)),
    "labels": np.eye(BATCH),
    "bounding_boxes": BOXES,
    "segmentation_masks": np.random.default_rng(4).integers(0, 5, (BATCH, HEIGHT, WIDTH, 1)),
}
EVERYTHING["images"] = EVERYTHING["images"].astype("float32")
EVERYTHING["labels"] = EVERYTHING["labels"].astype("float32")
EVERYTHING["segmentation_masks"] = EVERYTHING["segmentation_masks"].astype("float32")


@dataclasses.dataclass
class Row:
    """One layer in one configuration.

    Attributes:
        name: of the class.
        args: of the constructor.
        compared: whether images, and whether boxes, are compared with those of Keras.
        size: of the results.
    """

    name: str
    args: dict[str, Any] = dataclasses.field(default_factory=dict)
    compared: tuple[str, ...] = ("images",)
    size: tuple[int, int] = (HEIGHT, WIDTH)

    @property
    def id(self) -> str:
        return "-".join([self.name, *(f"{k}={v}" for k, v in self.args.items())]).replace(" ", "")

    def make(self, module: Any, **more: Any) -> Any:
        return getattr(module.layers, self.name)(**self.args, **more)

    @property
    def seeded(self) -> bool:
        return hasattr(self.make(keraslite), "generator")


MASKS = ("images", "segmentation_masks")
MOVED = ("images", "segmentation_masks", "bounding_boxes")
ROWS = [
    Row("Resizing", {"height": 5, "width": 9}, MOVED, (5, 9)),
    Row("Resizing", {"height": 5, "width": 9, "crop_to_aspect_ratio": True}, size=(5, 9)),
    Row("Resizing", {"height": 5, "width": 9, "pad_to_aspect_ratio": True}, size=(5, 9)),
    Row("CenterCrop", {"height": 5, "width": 6}, MOVED, (5, 6)),
    Row("CenterCrop", {"height": 5, "width": 13}, size=(5, 13)),
    Row("RandomCrop", {"height": 5, "width": 6}, MASKS, (5, 6)),
    Row("RandomFlip", {}, MOVED),
    Row("RandomFlip", {"mode": "horizontal"}, MOVED),
    Row("RandomFlip", {"mode": "vertical"}, MOVED),
    Row("RandomTranslation", {"height_factor": 0.3, "width_factor": (0.1, 0.4)}, MOVED),
    Row("RandomTranslation", {"height_factor": 0.3, "width_factor": 0.2, "fill_mode": "wrap"}),
    Row("RandomRotation", {"factor": 0.3}, MOVED),
    Row(
        "RandomRotation",
        {"factor": (0.1, 0.2), "fill_mode": "constant", "fill_value": 7.0},
        MOVED,
    ),
    Row("RandomZoom", {"height_factor": 0.4}, MOVED),
    Row("RandomZoom", {"height_factor": (0.1, 0.2), "width_factor": (-0.4, -0.1)}, MOVED),
    Row("RandomShear", {"x_factor": 0.4}, MASKS),
    Row("RandomShear", {"x_factor": (0.1, 0.2), "y_factor": 0.3}),
    Row("RandomPerspective", {"factor": (1.0, 1.0), "scale": 0.4}, MASKS),
    Row("RandomElasticTransform", {"factor": (1.0, 1.0)}, ()),
    Row("RandomBrightness", {"factor": 0.3}),
    Row("RandomBrightness", {"factor": (0.1, 0.2), "value_range": (-10, 300)}),
    Row("RandomContrast", {"factor": (0.2, 0.6)}),
    Row("RandomHue", {"factor": 0.7}),
    Row("RandomSaturation", {"factor": (0.1, 0.5)}),
    Row("RandomColorDegeneration", {"factor": (0.2, 0.8)}),
    Row("RandomGrayscale", {"factor": 0.5}),
    Row("RandomInvert", {"factor": (0.5, 0.5)}),
    Row("RandomPosterization", {"factor": 5}),
    Row("Solarization", {"addition_factor": 0.3, "threshold_factor": 0.8}),
    Row("RandomSharpness", {"factor": 0.8}),
    Row("RandomGaussianBlur", {"factor": (1.0, 1.0), "kernel_size": (3, 5), "sigma": (0.5, 2.0)}),
    Row("RandomErasing", {"factor": (1.0, 1.0), "fill_value": 3.0}),
    Row("AutoContrast"),
    Row("Equalization"),
    Row("Equalization", {"bins": 32, "value_range": (0, 256)}),
    Row("ContrastLimitedAdaptiveHistogramEqualization", {"tile_grid_size": (2, 3)}),
    Row("ContrastLimitedAdaptiveHistogramEqualization", {}),
    Row("MixUp", {"alpha": 0.4}),
    Row("CutMix", {}, ("images", "labels")),
    Row("MaxNumBoundingBoxes", {"max_number": 3}, MOVED),
    Row("RandomColorJitter", {"brightness_factor": 0.2, "hue_factor": 0.3}, ()),
    Row("RandAugment", {"num_ops": 3}, ()),
    Row("AugMix", {}, ()),
]
NO_BOXES = ("RandomElasticTransform", "CutMix")


def as_numpy(value: Any) -> Any:
    def one(x: Any) -> Any:
        if engine.is_tensor(x):
            return engine.to_numpy(x)
        return x if isinstance(x, (int, float, str)) else keras.ops.convert_to_numpy(x)

    return tree.map_structure(one, value)


def data_for(row: Row, keys: Any = tuple(EVERYTHING)) -> dict[str, Any]:
    keys = [k for k in keys if k != "bounding_boxes" or row.name not in NO_BOXES]
    return copy.deepcopy({k: EVERYTHING[k] for k in {"images": None, **dict.fromkeys(keys)}})


@pytest.mark.parametrize("row", [r for r in ROWS if r.compared], ids=lambda row: row.id)
def test_one_transformation_equals_that_of_keras(row: Row) -> None:
    if row.name in _ORACLE_DIFFERS:
        pytest.skip("Keras differs from itself")
    seed = {"seed": 3} if row.seeded else {}
    ours = row.make(keraslite, bounding_box_format="xyxy", **seed)
    theirs = row.make(keras, bounding_box_format="xyxy", **seed)
    data = data_for(row, row.compared)
    if row.name == "Equalization":
        # Keras takes a batch for one image.
        data = tree.map_structure(lambda x: x[:1], data)
    tensors = tree.map_structure(keras.ops.convert_to_tensor, data)
    drawn = theirs.get_random_transformation(
        tensors if row.name != "RandomGrayscale" else tensors["images"], training=True
    )
    transformation = as_numpy(drawn) if drawn is not None else None
    if isinstance(transformation, dict):
        transformation = {**transformation, "input_shape": data["images"].shape}
    elif isinstance(transformation, tuple):
        transformation = {"input_shape": data["images"].shape}
        if row.name == "RandomCrop":
            transformation |= dict(zip(("top", "left"), as_numpy(drawn), strict=True))
    transformation = tree.map_structure(
        lambda x: ops.convert_to_tensor(x) if isinstance(x, np.ndarray) else x, transformation
    )
    for key in row.compared:
        step = f"transform_{key}"
        expected = as_numpy(getattr(theirs, step)(tensors[key], drawn, training=True))
        got = as_numpy(getattr(ours, step)(data[key], transformation, training=True))
        if key == "bounding_boxes":
            np.testing.assert_array_equal(got["labels"], expected["labels"])
            np.testing.assert_allclose(got["boxes"], expected["boxes"], atol=1e-3)
            continue
        assert got.shape == expected.shape
        assert got.dtype == expected.dtype
        # A value on the edge between two, or a pixel half way, may fall to either side.
        near = np.isclose(got, expected, rtol=1e-4, atol=0.02)
        assert near.mean() > 0.99, (key, np.abs(got - expected).max())


#: What images differ by between calls, or stay, and what else belongs to them.
KINDS = list({row.name: row for row in reversed(ROWS)}.values())


def test_every_image_layer_of_keras_is_in_the_table() -> None:
    from keraslite.layers import augmentation

    assert {row.name for row in ROWS} == set(augmentation.__all__)


@pytest.mark.parametrize("row", KINDS, ids=lambda row: row.name)
def test_all_that_belongs_to_images_goes_through(row: Row) -> None:
    layer = row.make(keraslite, bounding_box_format="xyxy")
    data = {**data_for(row), "other": np.arange(3, dtype="int32")}
    symbols = tree.map_structure(
        lambda x: keraslite.KerasTensor((None, *x.shape[1:]), str(x.dtype)), data
    )
    for training in (True, False):
        got = as_numpy(layer(data, training=training))
        spec = layer(symbols, training=training)
        assert got["images"].shape == (BATCH, *row.size, 3)
        assert got["segmentation_masks"].shape == (BATCH, *row.size, 1)
        np.testing.assert_array_equal(got["other"], data["other"])
        assert np.all(np.isfinite(got["images"]))
        for symbol, real in zip(tree.flatten(spec), tree.flatten(got), strict=True):
            assert symbol.dtype == str(real.dtype)
            if len(symbol.shape) > 1:
                assert all(a in (b, None) for a, b in zip(symbol.shape, real.shape, strict=True))
        if "bounding_boxes" in got:
            boxes = got["bounding_boxes"]["boxes"]
            assert boxes.min() >= -1 and boxes[..., 2].max() <= row.size[1]
    if layer._in_training_only:
        np.testing.assert_array_equal(got["images"], data["images"])
        np.testing.assert_array_equal(got["labels"], data["labels"])
    # One image is a batch of one.
    one = as_numpy(layer(tree.map_structure(lambda x: x[0], data_for(row))))
    assert one["images"].shape == (*row.size, 3)
    assert one["segmentation_masks"].shape == (*row.size, 1)
    assert one["labels"].shape == (BATCH,)


def some(*names: str) -> Any:
    """One row of each name; a few stand for all that compute alike."""
    rows = [row for row in KINDS if row.name in names]
    assert len(rows) == len(names)
    return pytest.mark.parametrize("row", rows, ids=lambda row: row.name)


@some(
    "Resizing",
    "RandomFlip",
    "RandomBrightness",
    "RandomContrast",
    "RandomPosterization",
    "MixUp",
    "RandAugment",
)
def test_bytes_and_seeds(row: Row) -> None:
    seed = {"seed": 5} if row.seeded else {}
    images = EVERYTHING["images"].astype("uint8")
    got = [engine.to_numpy(row.make(keraslite, **seed)(images, training=True)) for _ in range(2)]
    np.testing.assert_array_equal(*got)
    assert got[0].dtype == ("uint8" if row.make(keraslite)._keeps_integers else "float32")
    bytes_out = engine.to_numpy(row.make(keraslite, dtype="uint8", **seed)(images, training=True))
    assert bytes_out.dtype == "uint8"
    # The same numbers, rounded.
    inside = np.clip(got[0].astype("float32"), 0, 255)
    assert np.isclose(bytes_out, inside, atol=1).mean() > 0.98


@some(
    "RandomCrop",
    "RandomFlip",
    "RandomRotation",
    "RandomHue",
    "RandomSharpness",
    "RandomErasing",
    "Equalization",
    "ContrastLimitedAdaptiveHistogramEqualization",
    "CutMix",
)
def test_channels_first_is_channels_last_transposed(row: Row) -> None:
    seed = {"seed": 5} if row.seeded else {}
    images = EVERYTHING["images"]
    last = row.make(keraslite, **seed)
    first = row.make(keraslite, data_format="channels_first", **seed)
    expected = engine.to_numpy(last(images, training=True))
    got = engine.to_numpy(first(np.ascontiguousarray(np.moveaxis(images, -1, 1)), training=True))
    np.testing.assert_allclose(np.moveaxis(got, 1, -1), expected, rtol=1e-4, atol=0.02)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_config_both_ways(row: Row) -> None:
    ours, theirs = row.make(keraslite), row.make(keras)
    config = ours.get_config()
    again = type(ours).from_config(copy.deepcopy(config))
    assert again.get_config() == config
    reread = type(theirs).from_config(copy.deepcopy(config)).get_config()
    expected = theirs.get_config()
    assert set(reread) == set(expected)
    adopted = type(ours).from_config(expected).get_config()
    for key in set(config) - {"name", "seed"}:
        assert adopted[key] == config[key], key


DRAWN = [
    Row("RandomBrightness", {"factor": (-0.1, 0.3)}),
    Row("RandomContrast", {"factor": (0.1, 0.3)}),
    Row("RandomHue", {"factor": (0.1, 0.3)}),
    Row("RandomSaturation", {"factor": 0.3}),
    Row("RandomColorDegeneration", {"factor": (0.3, 0.6)}),
    Row("RandomSharpness", {"factor": (0.1, 0.3)}),
    Row("RandomPosterization", {"factor": (2, 5)}),
    Row("RandomPosterization", {"factor": 3}),
    Row("Solarization", {"addition_factor": 0.2, "threshold_factor": 0.5}),
    Row("RandomTranslation", {"height_factor": (-0.2, 0.3), "width_factor": 0.1}),
    Row("RandomRotation", {"factor": (-0.1, 0.3)}),
    Row("RandomZoom", {"height_factor": (0.1, 0.2), "width_factor": (-0.3, 0.4)}),
    Row("RandomShear", {"x_factor": 0.2, "y_factor": (0.1, 0.3)}),
    Row("RandomFlip", {}),
    Row("RandomInvert", {"factor": 0.4}),
    Row("RandomPerspective", {"factor": (0.2, 0.4), "scale": 0.5}),
    Row("RandomElasticTransform", {"factor": 0.4}),
    Row("RandomGaussianBlur", {"factor": (0.2, 0.9)}),
    Row("RandomErasing", {"factor": 0.7, "scale": (0.1, 0.3)}),
    Row("MixUp", {"alpha": 0.3}),
]


@pytest.mark.parametrize("row", DRAWN, ids=lambda row: row.id)
def test_numbers_are_drawn_as_keras_draws_them(row: Row) -> None:
    """The same range, mean and spread of each number that images differ by."""
    images = np.zeros((1000, 12, 20, 1), "float32")
    ours = as_numpy(row.make(keraslite, seed=7).get_random_transformation(images))
    theirs = row.make(keras, seed=7).get_random_transformation(keras.ops.convert_to_tensor(images))
    names = [k for k in theirs if k in ours and k not in ("input_shape", "seed", "start_points")]
    assert names
    for name in names:
        got, expected = ours[name], keras.ops.convert_to_numpy(theirs[name])
        if name in ("batch_masks", "fill_value"):
            got, expected = (x.reshape(1000, -1).mean(1) for x in (got, expected))
        if got.shape[:1] != (1000,):
            assert got.shape == expected.shape
            continue
        got, expected = (x.reshape(1000, -1).astype("float64") for x in (got, expected))
        span = np.ptp(expected, 0) + 1e-3
        for measure, near in ((np.mean, 0.08), (np.std, 0.08), (np.min, 0.12), (np.max, 0.12)):
            if got.shape[1] == expected.shape[1]:
                assert np.all(np.abs(measure(got, 0) - measure(expected, 0)) < near * span), name


MOVERS = [
    row
    for row in ROWS
    if "bounding_boxes" in row.compared
    or row.name
    in (
        "RandomShear",
        "RandomPerspective",
        "RandomCrop",
        "CenterCrop",
        "Resizing",
        "RandomTranslation",
    )
]


@pytest.mark.parametrize("row", MOVERS, ids=lambda row: row.id)
def test_boxes_stay_around_what_they_were_around(row: Row) -> None:
    """A bright rectangle, and the box around it, go through the same."""
    if row.name == "MaxNumBoundingBoxes":
        pytest.skip("moves nothing")
    size, args = 40, dict(row.args)
    if "height" in args:
        args |= {"height": 20, "width": 30}
    for name in ("fill_mode",):
        if (
            name in args
            or "Random" in row.name
            and row.name not in ("RandomCrop", "RandomFlip", "RandomPerspective")
        ):
            args |= {"fill_mode": "constant", "fill_value": 0.0}
    layer = getattr(keraslite.layers, row.name)(**args, bounding_box_format="rel_center_xywh")
    images = np.zeros((6, size, size + 10, 1), "float32")
    images[:, 14:24, 18:30] = 1.0
    box = np.array([24 / 50, 19 / 40, 12 / 50, 10 / 40], "float32")
    data = {
        "images": images,
        "bounding_boxes": {"boxes": np.tile(box, (6, 1, 1)), "labels": np.ones((6, 1), "int32")},
    }
    got = as_numpy(layer(data, training=True))
    height, width = got["images"].shape[1:3]
    corners = as_numpy(
        keraslite.utils.bounding_boxes.convert_format(
            got["bounding_boxes"]["boxes"], "rel_center_xywh", "xyxy", height, width
        )
    )
    checked = 0
    for image, (left, top, right, bottom) in zip(got["images"][..., 0], corners[:, 0], strict=True):
        rows, columns = np.nonzero(image > 0.5)
        if len(rows) < 20:
            continue
        found = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        np.testing.assert_allclose([left, top, right, bottom], found, atol=1.6)
        checked += 1
    assert checked


def test_layers_in_a_model() -> None:
    """Compiled, with other numbers each time, and none outside of training."""
    layers = keraslite.layers
    model = keraslite.Sequential(
        [
            layers.Input((16, 16, 3)),
            layers.Resizing(12, 12),
            layers.RandomFlip(seed=1),
            layers.RandomRotation(0.1, seed=2),
            layers.RandAugment(seed=3),
            layers.AugMix(num_chains=1, chain_depth=2, seed=4),
            layers.CenterCrop(8, 8),
        ]
    )
    images = np.random.default_rng(3).uniform(0, 255, (4, 16, 16, 3)).astype("float32")
    expected = layers.CenterCrop(8, 8)(layers.Resizing(12, 12)(images))
    np.testing.assert_allclose(
        model.predict(images, verbose=0), engine.to_numpy(expected), rtol=1e-5
    )
    first, second = (engine.to_numpy(model(images, training=True)) for _ in range(2))
    assert first.shape == (4, 8, 8, 3)
    assert np.abs(first - second).max() > 1


@pytest.mark.requires("trainable")
def test_training_through_augmentation() -> None:
    layers = keraslite.layers
    model = keraslite.Sequential(
        [
            layers.Input((8, 8, 3)),
            layers.RandomCrop(6, 6),
            layers.RandomFlip(),
            layers.RandomZoom(0.2),
            layers.RandomErasing(),
            layers.RandAugment(),
            layers.Flatten(),
            layers.Dense(1),
        ]
    )
    model.compile("sgd", "mse")
    images = np.random.default_rng(3).uniform(0, 1, (8, 8, 8, 3)).astype("float32")
    before = engine.to_numpy(model.layers[1].generator.state.value).copy()
    history = model.fit(images * 1e-3, np.ones((8, 1)), batch_size=4, verbose=0)
    assert np.isfinite(history.history["loss"]).all()
    assert np.any(engine.to_numpy(model.layers[1].generator.state.value) != before)


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda layers: layers.RandomBrightness(2.0), "factor"),
        (lambda layers: layers.RandomTranslation(0.1, (0.1, 0.2, 0.3)), "width_factor"),
        (lambda layers: layers.RandomFlip("sideways"), "mode"),
        (lambda layers: layers.RandomRotation(0.1, fill_mode="x"), "fill_mode"),
        (lambda layers: layers.Resizing(0, 3), "height"),
        (lambda layers: layers.RandomGaussianBlur(kernel_size=4), "kernel_size"),
        (lambda layers: layers.RandomHue(0.1, value_range=(1, 0)), "value_range"),
        (lambda layers: layers.RandomFlip()(data_for(ROWS[6])), "bounding_box_format"),
        (lambda layers: layers.RandomFlip()({"labels": np.ones(3)}), "images"),
        (lambda layers: layers.RandomFlip()(np.ones((3, 3))), "3 axes"),
    ],
)
def test_errors_say_what_is_wrong(make: Any, match: str) -> None:
    with pytest.raises(ValueError, match=match) as caught:
        make(keraslite.layers)
    assert "Received" in str(caught.value) and len(str(caught.value)) <= 600
