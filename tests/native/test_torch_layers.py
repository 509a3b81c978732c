"""Which kernels of torch the layers run: fused recurrence, convolution without copies."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from keraslite import layers, ops
from keraslite.backend import engine

if engine.name != "torch":
    pytest.skip("for the torch engine", allow_module_level=True)
torch = pytest.importorskip("torch")

from torch.overrides import TorchFunctionMode  # noqa: E402

RNG = np.random.default_rng(0)
X = RNG.normal(size=(3, 6, 4)).astype("float32")
MASK = np.array([[1, 1, 0, 1, 0, 0], [0, 0, 1, 1, 1, 1], [0] * 6], bool)


class Calls(TorchFunctionMode):
    """The calls of torch's functions inside, with their first argument and result."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, Any, Any]] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        self.found.append((getattr(func, "__name__", ""), args[0] if args else None, result))
        return result

    def count(self, *names: str) -> int:
        return sum(name in names for name, _, _ in self.found)


def calls_of(layer: Any, *args: Any, **kwargs: Any) -> Calls:
    layer(*args, **kwargs)
    with Calls() as calls:
        layer(*args, **kwargs)
    return calls


# Recurrence --------------------------------------------------------------------------------

FUSED = {
    "LSTM": ({}, {}),
    "GRU": ({}, {}),
    "LSTM, all outputs backwards": ({"return_sequences": True, "go_backwards": True}, {}),
    "LSTM, stateful": ({"stateful": True, "return_state": True}, {}),
    "LSTM, no bias, float64": ({"use_bias": False, "dtype": "float64"}, {}),
    "GRU, no bias": ({"use_bias": False}, {}),
    "LSTM, dropout": ({"dropout": 0.5}, {"training": True}),
    "LSTM, mask": ({"return_state": True}, {"mask": MASK}),
    "GRU, mask": ({"return_sequences": True}, {"mask": MASK}),
    "LSTM, recurrent dropout outside of training": ({"recurrent_dropout": 0.5}, {}),
}


@pytest.mark.parametrize("case", FUSED)
def test_the_fused_kernel_runs(case: str) -> None:
    name = case.partition(",")[0]
    options, call = FUSED[case]
    layer = getattr(layers, name)(5, **options)
    assert layer.is_fused
    assert calls_of(layer, X, **call).count(name.lower()) == 1


LOOPS = {
    "LSTM, activation": ({"activation": "relu"}, {}),
    "LSTM, activation of gates": ({"recurrent_activation": "hard_sigmoid"}, {}),
    "LSTM, own tanh": ({"activation": lambda x: ops.tanh(x)}, {}),
    "LSTM, unroll": ({"unroll": True}, {}),
    "LSTM, recurrent dropout": ({"recurrent_dropout": 0.5}, {"training": True}),
    "GRU, reset before": ({"reset_after": False}, {}),
}


@pytest.mark.parametrize("case", LOOPS)
def test_other_mathematics_loops_over_the_cell(case: str) -> None:
    options, call = LOOPS[case]
    layer = getattr(layers, case.partition(",")[0])(5, **options)
    assert layer.is_fused == bool(call)
    calls = calls_of(layer, X, **call)
    assert calls.count("lstm", "gru") == 0


def test_both_directions_are_fused() -> None:
    for name in ("LSTM", "GRU"):
        layer = layers.Bidirectional(getattr(layers, name)(5, return_sequences=True))
        assert calls_of(layer, X, mask=MASK).count(name.lower()) == 2


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("name", ["LSTM", "GRU"])
def test_fused_equals_the_loop(name: str, backwards: bool, masked: bool) -> None:
    """Values and gradients, by inputs, initial states and weights."""
    options = {"return_sequences": True, "return_state": True, "go_backwards": backwards}
    call = {"mask": MASK} if masked else {}
    found: list[list[Any]] = []
    for unroll in (False, True):
        layer = getattr(layers, name)(5, unroll=unroll, **options)
        layer(X)
        rng = np.random.default_rng(1)
        layer.set_weights([rng.normal(size=w.shape) for w in layer.weights])
        inputs = [torch.tensor(X, requires_grad=True)]
        states = range(2 if name == "LSTM" else 1)
        inputs += [torch.tensor(rng.normal(size=(3, 5)), requires_grad=True) for _ in states]
        outputs = layer(inputs[0], initial_state=[x.float() for x in inputs[1:]], **call)
        total = sum((x * torch.tensor(rng.normal(size=x.shape))).sum() for x in outputs)
        total.backward()
        weights = [v.value for v in layer.trainable_variables]
        found.append([*outputs, *(x.grad for x in [*inputs, *weights])])
    for fused, looped in zip(*found, strict=True):
        torch.testing.assert_close(fused, looped, rtol=1e-5, atol=1e-5)


# Convolution -------------------------------------------------------------------------------


def test_convolutions_pass_channels_last_memory_on_without_copies() -> None:
    stack = [
        layers.Conv2D(8, 3, padding="same", activation="relu"),
        layers.BatchNormalization(),
        layers.MaxPooling2D(),
        layers.DepthwiseConv2D(3),
        layers.Conv2D(16, 3, strides=2),
    ]
    images = torch.randn(2, 16, 16, 4)

    def run(x: Any) -> Any:
        for layer in stack:
            x = layer(x)
        return x

    calls = calls_of(run, images)
    convolutions = [(x, y) for name, x, y in calls.found if name == "conv2d"]
    assert len(convolutions) == 3
    assert convolutions[0][0].data_ptr() == images.data_ptr()
    for x, y in convolutions:
        for tensor in (x, y):
            assert tensor.is_contiguous(memory_format=torch.channels_last)
    assert run(images).is_contiguous()
    # Only kernels, which are small, are arranged anew.
    kernels = {tuple(y.shape) for name, _, y in calls.found if name == "contiguous"}
    assert kernels == {(8, 4, 3, 3), (8, 1, 3, 3), (16, 8, 3, 3)}
    assert calls.count("clone", "copy_") == 0


@pytest.mark.parametrize("rank", [1, 3])
def test_other_ranks_make_no_copies_either(rank: int) -> None:
    x = torch.randn(2, *(6,) * rank, 4)
    calls = calls_of(getattr(layers, f"Conv{rank}D")(8, 3), x)
    ((given, _),) = [(x, y) for name, x, y in calls.found if name in ("conv2d", "conv3d")]
    assert given.data_ptr() == x.data_ptr()
    assert calls.count("contiguous") == 1
