"""Images with boxes and masks, galleries, and pictures of models, against Keras."""

from __future__ import annotations

import pathlib
import re
from typing import Any

import numpy as np
import pytest

import keraslite
from keraslite import visualization
from keraslite.core import tree

keras = pytest.importorskip("keras")
pytest.importorskip("PIL")
RNG = np.random.default_rng(5)
IMAGES = RNG.integers(0, 255, (3, 40, 60, 3)).astype("uint8")
MASKS = RNG.integers(-1, 4, (3, 40, 60))
BLACK = np.zeros((1, 30, 40, 3), "uint8")
BOX = {"boxes": np.array([[[2, 3, 12, 14], [0, 0, 5, 5]]]), "labels": np.array([[0, -1]])}
PALETTE = {k: (50 * k, 255 - 60 * k, 30) for k in range(4)}


def test_a_box_is_drawn_where_it_is() -> None:
    drawn = visualization.draw_bounding_boxes(BLACK, BOX, "xyxy", color=(9, 8, 7), line_thickness=1)
    expected = np.zeros(BLACK.shape[1:], "uint8")
    expected[3:15, 2:13] = (9, 8, 7)
    expected[4:14, 3:12] = 0
    assert drawn.dtype == "uint8"
    np.testing.assert_array_equal(drawn[0], expected)  # The box labelled -1 is not there.
    assert not BLACK.any()
    other = {**BOX, "boxes": BOX["boxes"] / [40, 30, 40, 30]}
    first = visualization.draw_bounding_boxes(
        BLACK.transpose(0, 3, 1, 2).astype("float32"),
        tree.map_structure(keraslite.ops.convert_to_tensor, other),
        "rel_xyxy",
        color=(9, 8, 7),
        line_thickness=1,
        data_format="channels_first",
    )
    np.testing.assert_array_equal(first[0].transpose(1, 2, 0), expected)


def test_classes_are_named() -> None:
    canvas = np.zeros((1, 80, 200, 3), "uint8")
    boxes = {"boxes": np.array([[[20, 40, 150, 70]]]), "labels": np.array([[1]])}

    def ink(**options: Any) -> np.ndarray:
        return visualization.draw_bounding_boxes(canvas, boxes, "xyxy", **options).any(-1)[0]

    plain, other = ink(), ink(class_mapping={0: "dog"})
    np.testing.assert_array_equal(plain, other)
    named = ink(class_mapping={1: "cat"})
    assert named[:39].any() and not named[:, :19].any() and not plain[:39].any()
    assert ink(class_mapping={1: "cat"}, font_scale=0.5)[:39].sum() < named[:39].sum()
    assert ink(class_mapping={1: "cat"}, text_thickness=2)[:39].sum() > named[:39].sum()
    boxes["confidences"] = np.array([[0.875]])
    assert ink(class_mapping={1: "cat"})[:39].sum() > named[:39].sum()
    boxes["boxes"] = boxes["boxes"] - [0, 40, 0, 0]
    assert ink(class_mapping={1: "cat"})[2:29, 22:149].any()  # In the box, for lack of room.


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"alpha": 0.5},
        {"alpha": 0.3, "color_mapping": PALETTE},
        {"blend": False},
        {"ignore_index": 2},
        {"data_format": "channels_first"},
    ],
    ids=str,
)
def test_segmentation_masks(options: dict[str, Any]) -> None:
    first = options.get("data_format") == "channels_first"
    images, masks = IMAGES, np.abs(MASKS) if "ignore_index" in options else MASKS
    theirs = {k: v for k, v in options.items() if k != "data_format"}
    expected = keras.visualization.draw_segmentation_masks(
        images, masks[..., None], num_classes=4, **theirs
    )
    if first:
        images = images.transpose(0, 3, 1, 2)
    for number in (4, None):
        found = visualization.draw_segmentation_masks(images, masks, num_classes=number, **options)
        found = found.transpose(0, 2, 3, 1) if first else found
        assert found.dtype == "uint8"
        np.testing.assert_allclose(found.astype(int), np.asarray(expected).astype(int), atol=1)


BAD: list[tuple[Any, type[Exception], str]] = [
    (lambda v: v.draw_bounding_boxes(BLACK[0], BOX, "xyxy"), ValueError, "4 axes"),
    (lambda v: v.draw_bounding_boxes(BLACK, BOX["boxes"], "xyxy"), TypeError, "must be a dict"),
    (lambda v: v.draw_bounding_boxes(BLACK, {"boxes": 1}, "xyxy"), ValueError, "'labels'"),
    (lambda v: v.draw_bounding_boxes(IMAGES, BOX, "xyxy"), ValueError, "3 images"),
    (lambda v: v.draw_segmentation_masks(IMAGES, MASKS * 1.0), TypeError, "must be integers"),
    (lambda v: v.draw_segmentation_masks(IMAGES, MASKS[:2]), ValueError, "must have the shape"),
    (lambda v: v.draw_segmentation_masks(IMAGES, MASKS, 3), ValueError, r"no colour .* \[3\]"),
    (lambda v: v.plot_image_gallery(IMAGES, y_true=[1, 2, 3]), ValueError, "`label_map`"),
    (lambda v: v.plot_image_gallery(IMAGES, path="x.png", show=True), ValueError, "both"),
]


@pytest.mark.parametrize("case", BAD, ids=lambda case: case[2])
def test_mistakes(case: tuple[Any, type[Exception], str]) -> None:
    call, error, words = case
    with pytest.raises(error, match=words):
        call(visualization)


def test_galleries(tmp_path: pathlib.Path) -> None:
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    def shown(name: str, *args: Any, **options: Any) -> Any:
        getattr(visualization, name)(*args, show=False, **options)
        figure = plt.gcf()
        plt.close(figure)
        return figure

    names = {1: "one", 2: "two", 3: "three"}
    y = [3, 1, 2]
    figure = shown("plot_image_gallery", IMAGES / 255, y, y, names, value_range=(0, 1), scale=3)
    assert tuple(figure.get_size_inches()) == (6, 6)
    pictures = [axis.images[0].get_array() for axis in figure.axes if axis.images]
    np.testing.assert_allclose(np.stack(pictures).astype(int), IMAGES.astype(int), atol=1)
    assert figure.axes[0].get_title() == "Label: three  Pred: three"
    figure = shown("plot_image_gallery", IMAGES[..., :1], rows=1, cols=2)
    assert [len(axis.images) for axis in figure.axes] == [1, 1]

    boxes = tree.map_structure(lambda x: np.repeat(x, 3, 0), BOX)
    moved = {**boxes, "boxes": boxes["boxes"] + 20}
    figure = shown("plot_bounding_box_gallery", IMAGES, "xyxy", boxes, moved, legend=True, cols=3)
    words = [text.get_text() for text in figure.legends[0].get_texts()]
    assert words == ["Ground Truth", "Prediction"] and len(figure.axes) == 3
    found = figure.axes[0].images[0].get_array()
    assert found[3, 5].tolist() == [0, 188, 212] and found[23, 25].tolist() == [255, 235, 59]

    figure = shown(
        "plot_segmentation_mask_gallery", IMAGES, 4, y_true=MASKS, y_pred=MASKS[..., None]
    )
    cells = [axis.images[0].get_array() for axis in figure.axes]
    assert len(cells) == 9
    np.testing.assert_array_equal(cells[3], IMAGES[1])
    expected = visualization.draw_segmentation_masks(IMAGES, MASKS, 4)
    np.testing.assert_array_equal(cells[4], expected[1])
    np.testing.assert_array_equal(cells[5], expected[1])

    visualization.plot_image_gallery(IMAGES, path=tmp_path / "images.png")
    assert (tmp_path / "images.png").stat().st_size > 1000 and not plt.get_fignums()


# Pictures of models -------------------------------------------------------------------


def models(package: Any) -> dict[str, Any]:
    layers, inputs = package.layers, package.Input
    a, b = inputs((4,), name="a"), inputs((4,), name="b")
    hidden = layers.Dense(3, "relu", name="hidden")(layers.Concatenate(name="join")([a, b]))
    chain = package.Sequential(
        [inputs((3,)), layers.Dense(2, name="c1"), layers.Dense(2, name="c2", trainable=False)],
        name="chain",
    )
    heads = {"p": layers.ReLU(name="out")(chain(hidden)), "q": hidden}
    u, v = inputs((2,), name="u"), inputs((2,), name="v")
    pair = package.Model([u, v], [layers.Add(name="sum")([u, v]), layers.Dense(3, name="wide")(v)])
    g = inputs((2,), name="g")
    first = pair([g, layers.Dense(2, name="before")(g)])
    again = pair([first[0], g])
    shared = package.Model(g, [layers.Dense(1, name="after")(first[1]), again[0]])
    return {"heads": package.Model([a, b], heads), "chain": chain, "shared": shared}


def parts(dot: Any) -> tuple[set, set]:
    """What a graph shows: (frame, text of a node), and its edges between texts."""
    texts: dict[str, str] = {}
    nodes: set[tuple[str, str]] = set()
    edges: list[Any] = []

    def visit(graph: Any, frame: str) -> None:
        for node in graph.get_nodes():
            if node.get_label():
                text = re.sub("(<[^>]*>)+", "|", node.get_label()).strip("<>|")
                texts[node.get_name()] = text
                nodes.add((frame, text))
        edges.extend(graph.get_edges())
        for inner in graph.get_subgraphs():
            visit(inner, inner.get_label())

    visit(dot, "")
    ends = ((e.get_source(), e.get_destination()) for e in edges)
    return nodes, {(texts[str(a)], texts[str(b)]) for a, b in ends}


ALL = ("show_shapes", "show_dtype", "show_layer_activations", "show_trainable", "expand_nested")


@pytest.mark.parametrize("options", [{}, dict.fromkeys(ALL, True)], ids=["plain", "all"])
@pytest.mark.parametrize("name", ["heads", "chain", "shared"])
def test_the_graph_of_a_model(name: str, options: dict[str, bool]) -> None:
    pytest.importorskip("pydot")
    found, expected = (
        parts(package.utils.model_to_dot(models(package)[name], **options))
        for package in (keraslite, keras)
    )
    unquoted = ({(frame.strip('"'), text) for frame, text in found[0]}, found[1])
    named = re.compile(r"functional(_\d+)?")
    for ours, theirs in zip(unquoted, expected, strict=True):
        assert {tuple(named.sub("f", x) for x in row) for row in ours} == {
            tuple(named.sub("f", x) for x in row) for row in theirs
        }


class Opaque(keraslite.Model):
    def call(self, x: Any) -> Any:
        return x * 2


def test_the_picture_of_a_model(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pydot = pytest.importorskip("pydot")
    model = models(keraslite)["heads"]
    assert isinstance(keraslite.utils.model_to_dot(model, subgraph=True), pydot.Cluster)
    opaque = Opaque(name="<b>&")
    with pytest.raises(ValueError, match="has not been built"):
        keraslite.utils.plot_model(opaque)
    opaque(np.ones((1, 2)))
    text = keraslite.utils.model_to_dot(opaque, show_shapes=True).to_string()
    assert "&lt;b&gt;&amp;" in text and "Output shape: <b>?</b>" in text
    with pytest.raises(ValueError, match="Did you mean 'show_shapes'"):
        keraslite.utils.plot_model(model, show_shape=True)
    keraslite.utils.plot_model(model, tmp_path / "model.dot", rankdir="LR")
    assert "rankdir=LR" in (tmp_path / "model.dot").read_text()

    written = []
    monkeypatch.setattr(pydot.Dot, "write", lambda self, path, format: written.append(format))
    monkeypatch.setattr("shutil.which", lambda name: "/usr/bin/dot")
    keraslite.utils.plot_model(model, tmp_path / "model.svg")
    keraslite.utils.plot_model(model, tmp_path / "model")
    assert written == ["svg", "png"]
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(ImportError, match="Graphviz.*to_file='model.dot'"):
        keraslite.utils.plot_model(model)
