"""`summary()`: the same text as Keras prints."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from tests.models.table import ROWS, Row, fresh, pair, residual, subclassed

OPTIONS: list[dict[str, Any]] = [
    {},
    {"show_trainable": True},
    {"expand_nested": True},
    {"expand_nested": True, "show_trainable": True, "line_length": 110},
]


def text(model: Any, **options: Any) -> str:
    lines: list[str] = []
    model.summary(print_fn=lines.append, **options)
    return "\n".join(lines).rstrip()


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch) -> None:
    # Keras cuts tables that are wider than the terminal.
    monkeypatch.setenv("COLUMNS", "130")


# Keras renames the entry of the model from the middle.
@pytest.mark.parametrize("row", [r for r in ROWS if r.ops and r.id != "from_the_middle"], ids=str)
def test_rows(row: Row) -> None:
    ours, theirs = pair(row)
    for options in OPTIONS:
        assert text(ours, **options) == text(theirs, **options)


@pytest.mark.parametrize("columns", [60, 80, 95, 200])
def test_width_of_the_terminal(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    for row in ROWS:
        if row.id in ("stack", "residual"):
            ours, theirs = pair(row)
            for options in ({}, {"show_trainable": True}):
                assert text(ours, **options) == text(theirs, **options)


@pytest.mark.parametrize("line_length", [40, 55, 76, 90, 120])
def test_line_length_and_positions(line_length: int) -> None:
    for build, positions in (
        (residual, [None, [0.3, 0.5, 0.7, 1.0]]),
        (subclassed, [None, [0.2, 0.6, 1.0], [0.5, 0.9, 1.0]]),
    ):
        ours, theirs = fresh(build)
        for where in positions:
            options = {"line_length": line_length, "positions": where}
            assert text(ours, **options) == text(theirs, **options)


def test_positions_in_characters() -> None:
    model, _ = fresh(subclassed)
    found = text(model, line_length=80, positions=[40, 60, 80])
    assert found == text(model, line_length=80, positions=[0.5, 0.75, 1.0])
    with pytest.raises(ValueError, match="the ends of 3 columns"):
        text(model, positions=[0.5])


def ranged(k: Any) -> Any:
    x = k.Input((3,), name="x")
    inner = k.Sequential([k.Input((3,)), k.layers.Dense(3, name="i1")], name="inner")
    y = k.layers.Dense(3, name="b1")(inner(k.layers.Dense(3, name="a")(x)))
    return k.Model(x, k.layers.Dense(3, name="b2")(y) + 1.0, name="ranged")


@pytest.mark.parametrize("names", [("a", "b1"), ("a", "b.*"), ("inner", "b1"), ("b2", "x")])
def test_layer_range(names: tuple[str, str]) -> None:
    ours, theirs = fresh(ranged)
    for nested in (False, True):
        options = {"layer_range": names, "expand_nested": nested}
        assert text(ours, **options) == text(theirs, **options)


def test_wrong_layer_range() -> None:
    model, _ = fresh(ranged)
    with pytest.raises(ValueError, match="no layer matches 'nowhere'. Layers: x, a, inner"):
        text(model, layer_range=("a", "nowhere"))
    with pytest.raises(ValueError, match="must hold two names"):
        text(model, layer_range=["a"])


def unbuilt(k: Any) -> Any:
    return k.Sequential([k.layers.Dense(3), k.layers.Dropout(0.1), k.layers.LSTM(2)])


def empty(k: Any) -> Any:
    return k.Sequential(name="empty")


def own_layers(k: Any) -> Any:
    class Plain(k.layers.Layer):
        def call(self, x):
            return x, {"again": x}

    class Scale(k.layers.Layer):
        def build(self, input_shape):
            self.scale = self.add_weight(shape=(input_shape[-1],), name="scale")

        def call(self, x):
            return x * self.scale

        def compute_output_shape(self, input_shape):
            return input_shape

    class Own(k.Model):
        def __init__(self):
            super().__init__(name="own")
            self.plain = Plain(name="plain")
            self.scale = Scale(name="scale")
            self.stack = k.Sequential([k.layers.Dense(3)], name="stack")
            self.unused = k.layers.Dense(7)

        def call(self, x):
            return self.stack(self.scale(self.plain(x)[0]))

    return Own()


def own_layers_called(k: Any) -> Any:
    model = own_layers(k)
    model(k.ops.ones((2, 3)))
    return model


def layers_without_build(k: Any) -> Any:
    class Without(k.Model):
        def __init__(self):
            super().__init__(name="without")
            self.flatten = k.layers.Flatten(name="flatten")
            self.join = k.layers.Concatenate(name="join")
            self.permute = k.layers.Permute((2, 1), name="permute")
            self.reshape = k.layers.Reshape((12,), name="reshape")
            self.twice = k.layers.Lambda(lambda x: 2 * x, name="twice")
            self.attend = k.layers.MultiHeadAttention(2, 2, name="attend")
            self.unused = k.layers.Add(name="unused")

        def call(self, x):
            x = self.attend(self.join([x, self.twice(x)]), x)
            return self.flatten(self.permute(x)), self.reshape(x)

    model = Without()
    model(k.ops.ones((2, 2, 3)))
    return model


def outputs_of_several_kinds(k: Any) -> Any:
    class Several(k.layers.Layer):
        def call(self, x):
            return {"b": x, "a": (x[:, 0],)}

    a, b = k.Input((3,), name="a"), k.Input((5, 3), name="b_with_a_very_long_name")
    tied = k.layers.Dense(3, name="tied")
    return k.Model([a, b], [Several(name="several")(tied(a)), tied(b)], name="kinds")


def sizes(k: Any) -> Any:
    options = {"units": 700, "kernel_initializer": "zeros"}
    half = k.layers.Dense(**options, dtype="float16", name="half")
    mixed = k.layers.Dense(**options, dtype="mixed_float16", name="mixed")
    model = k.Sequential([k.Input((300,)), half, mixed, k.layers.Dense(1)], name="sizes")
    model.layers[0].trainable = False
    return model


@pytest.mark.parametrize(
    "build",
    [
        unbuilt,
        empty,
        own_layers,
        own_layers_called,
        layers_without_build,
        outputs_of_several_kinds,
        sizes,
    ],
)
def test_other_models(build: Any) -> None:
    ours, theirs = fresh(build)
    for options in OPTIONS:
        assert text(ours, **options) == text(theirs, **options)


@pytest.mark.requires("trainable")
def test_parameters_of_the_optimizer() -> None:
    found = []
    for model in fresh(residual):
        model.compile("adam", "mse")
        before = text(model)
        model.fit(np.ones((2, 4), "float32"), np.ones((2, 2), "float32"), verbose=0)
        # The number of steps has 4 or 8 bytes.
        found.append((before, re.sub(r" \([\d.]+ \w+\)", "", text(model))))
    assert found[0] == found[1]
    assert "Optimizer params" not in found[0][0] and "Optimizer params" in found[0][1]


def test_printed_by_default(capsys: pytest.CaptureFixture[str]) -> None:
    model, _ = fresh(residual)
    assert model.summary() is None
    assert capsys.readouterr().out.rstrip() == text(model)
