"""Models as `torch.nn.Module`s, under torch's own tools."""

from __future__ import annotations

import copy
import io
import pickle
from typing import Any

import numpy as np
import pytest

import keraslite as keras
from keraslite import layers, ops
from keraslite.backend import engine

if engine.name != "torch":
    pytest.skip("for the torch engine", allow_module_level=True)
torch = pytest.importorskip("torch")

X = np.random.default_rng(0).normal(size=(8, 4)).astype("float32")
Y = X.sum(axis=1, keepdims=True)


def make() -> Any:
    return keras.Sequential(
        [
            keras.Input((4,)),
            layers.Dense(5, activation="tanh", name="hidden"),
            layers.BatchNormalization(name="norm"),
            layers.Dropout(0.5, seed=1, name="drop"),
            layers.Dense(1, name="out"),
        ],
        name="net",
    )


class Residual(keras.Model):
    """A subclass with layers in a list and an unbuilt layer."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = [layers.Dense(4, activation="relu")]
        self.blocks.append(layers.Dense(4))
        self.head = layers.Dense(1)

    def call(self, x: Any) -> Any:
        for block in self.blocks:
            x = x + block(x)
        return self.head(x)


def predictions(model: Any) -> np.ndarray:
    return ops.convert_to_numpy(model(X))


def test_parameters_and_buffers_are_the_storages() -> None:
    model = make()
    found = dict(model.named_parameters())
    assert len(found) == len(model.trainable_variables) == 6
    by_identity = {id(p) for p in found.values()}
    assert by_identity == {id(v._storage) for v in model.trainable_variables}
    assert {tuple(b.shape) for b in model.buffers()} == {(5,)}
    assert any(name.endswith("kernel") for name in found)
    # What is added later is found later.
    other = Residual()
    assert list(other.parameters()) == []
    other(X)
    assert len(list(other.parameters())) == 6
    assert len(list(other.children())) == 3
    model.layers[0].trainable = False
    assert not any(p.requires_grad for p in model.layers[0].parameters())


def test_state_dicts_carry_weights() -> None:
    model, other = make(), make()
    other.set_weights([w + 1.0 for w in other.get_weights()])
    file = io.BytesIO()
    torch.save(model.state_dict(), file)
    file.seek(0)
    result = other.load_state_dict(torch.load(file, weights_only=True))
    assert not result.missing_keys and not result.unexpected_keys
    np.testing.assert_array_equal(predictions(other), predictions(model))
    # The variables see it, not only the module.
    for a, b in zip(model.weights, other.weights, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())
    other.load_state_dict(make().state_dict(), assign=True)
    assert isinstance(other.layers[0].kernel, keras.Variable)
    with pytest.raises(RuntimeError, match="Missing key"):
        other.load_state_dict({})


def test_an_optimizer_of_torch_trains_a_layer_inside_a_module() -> None:
    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = layers.Dense(8, activation="relu")
            self.second = torch.nn.Linear(8, 1)
            self.first.build((None, 4))

        def forward(self, x: Any) -> Any:
            return self.second(self.first(x))

    net = Net()
    assert len(list(net.parameters())) == 4
    assert {"first.kernel", "second.weight"} <= set(net.state_dict())
    optimizer = torch.optim.Adam(net.parameters(), lr=0.05)
    x, y = torch.from_numpy(X), torch.from_numpy(Y)
    losses = []
    for _ in range(30):
        optimizer.zero_grad()
        loss = torch.nn.functional.mse_loss(net(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.3 * losses[0]
    np.testing.assert_array_equal(
        net.first.kernel.numpy(), net.state_dict()["first.kernel"].numpy()
    )


def test_a_module_of_torch_inside_a_model_is_part_of_it() -> None:
    class Mixed(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.linear = torch.nn.Linear(4, 6)
            self.head = layers.Dense(1)

        def call(self, x: Any) -> Any:
            return self.head(torch.relu(self.linear(x)))

    model = Mixed()
    model(X)
    assert len(list(model.parameters())) == 4
    assert "linear.weight" in model.state_dict()
    model(torch.from_numpy(X)).sum().backward()
    assert all(p.grad is not None for p in model.parameters())


def test_moving_and_casting() -> None:
    model = make()
    expected = predictions(model)
    held = list(model.parameters())
    model.to(torch.float64)
    assert {v.dtype for v in model.weights} == {"float64"}
    # Optimizers of torch hold the parameters: they must stay the same objects.
    assert all(a is b for a, b in zip(held, model.parameters(), strict=True))
    model.float()
    np.testing.assert_allclose(predictions(model), expected, rtol=1e-6)
    model.to("cpu").half()
    assert {p.dtype for p in model.parameters()} == {torch.float16}


def test_modes_hooks_and_walks() -> None:
    model = make()
    assert model.training
    model.eval()
    assert not any(m.training for m in model.modules())
    assert model.train() is model
    seen = []
    handle = model.layers[0].register_forward_hook(lambda m, args, out: seen.append(out.shape))
    model(X)
    handle.remove()
    model(X)
    assert [tuple(s) for s in seen] == [(8, 5)]
    assert {type(m).__name__ for m in model.modules()} >= {"Dense", "Sequential"}
    model.requires_grad_(False)
    assert not any(p.requires_grad for p in model.parameters())


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
@pytest.mark.parametrize("made", [make, Residual])
def test_copies_are_independent(made: Any, copied: Any) -> None:
    model = made()
    model.compile("adam", "mse")
    model.fit(X, Y, epochs=1, verbose=0)
    expected = predictions(model)
    other = copied(model)
    np.testing.assert_array_equal(predictions(other), expected)
    other.fit(X, Y, epochs=1, verbose=0)
    assert np.any(predictions(other) != expected)
    np.testing.assert_array_equal(predictions(model), expected)


def test_functional_call() -> None:
    model = make()
    found = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    zeros = {name: torch.zeros_like(x) for name, x in found.items()}
    expected = predictions(model)
    x = torch.from_numpy(X)
    assert not torch.func.functional_call(model, zeros, (x,)).any()
    np.testing.assert_array_equal(predictions(model), expected)

    def loss(parameters: dict[str, Any]) -> Any:
        return torch.func.functional_call(model, parameters, (x,)).square().mean()

    gradients = torch.func.grad(loss)({k: v.detach() for k, v in model.named_parameters()})
    model(x).square().mean().backward()
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(gradients[name], parameter.grad)


def test_compiled_model() -> None:
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3, activation="tanh")])
    run = torch.compile(model, backend="eager")
    x = torch.from_numpy(X)
    torch.testing.assert_close(run(x), model(x))
    model.set_weights([w * 0.5 for w in model.get_weights()])
    torch.testing.assert_close(run(x), model(x))


def test_variables_are_taken_by_functions_of_torch() -> None:
    v = keras.Variable([1.0, 2.0])
    torch.testing.assert_close(torch.add(v, 1.0), torch.tensor([2.0, 3.0]))
    torch.testing.assert_close(
        torch.nn.functional.linear(torch.eye(2), v), torch.tensor([1.0, 2.0])
    )
    v.value.square().sum().backward()
    torch.testing.assert_close(v.value.grad, torch.tensor([2.0, 4.0]))
