"""Layers around programs of the engine's own framework, compared with Keras."""

from __future__ import annotations

import importlib

import numpy as np
import pytest

import keraslite
from keraslite import layers, ops
from keraslite.backend import engine
from keraslite.backend.contract import Engine
from keraslite.core.errors import UnsafeModelError
from tests.layers.test_table import keras

X = np.random.default_rng(3).normal(size=(6, 4)).astype("float32")
TARGETS = X @ np.array([[1.0], [-2.0], [0.5], [3.0]], "float32")


def numpy(x) -> np.ndarray:
    return ops.convert_to_numpy(x)


def needs(hook: str) -> pytest.MarkDecorator:
    """Skip unless the engine runs programs of this kind."""
    there = getattr(type(engine), hook) is not getattr(Engine, hook)
    return pytest.mark.skipif(not there, reason=f"the engine has no `{hook}`")


jax_only, torch_only = needs("flatten_pytree"), needs("adopt_module")
tensorflow_only = needs("load_program")


def trained(layer) -> float:
    """The loss of a model with `layer` in it after some training."""
    keraslite.utils.set_random_seed(0)
    model = keraslite.Sequential([keraslite.Input((4,)), layer, layers.Dense(1)])
    model.compile(keraslite.optimizers.Adam(0.05), "mse")
    losses = model.fit(X, TARGETS, epochs=60, batch_size=6, verbose=0).history["loss"]
    assert losses[-1] < 0.5 * losses[0]
    return losses[-1]


@pytest.mark.parametrize(
    ("hook", "make"),
    [
        ("flatten_pytree", lambda: layers.JaxLayer(lambda params, inputs: inputs, params={})),
        ("flatten_pytree", lambda: layers.FlaxLayer(Scale())),
        ("adopt_module", lambda: layers.TorchModuleWrapper(object())),
        ("load_program", lambda: layers.TFSMLayer("somewhere")),
    ],
)
def test_other_engines_say_that_they_cannot(hook: str, make) -> None:
    if getattr(type(engine), hook) is getattr(Engine, hook):
        with pytest.raises(NotImplementedError, match="does not support .* as layers"):
            make()


# JAX ----------------------------------------------------------------------------------------


def jax_functions():
    jax = importlib.import_module("jax")

    def init(rng, inputs):
        params = {
            "w": 0.5 * jax.random.normal(rng, (inputs.shape[-1], 3)),
            "b": [jax.numpy.zeros(3)],
        }
        return params, {"calls": jax.numpy.zeros((), "int32")}

    def call(params, state, rng, inputs, training):
        if training:
            assert rng is not None
            inputs = inputs + 0.0 * jax.random.normal(rng, inputs.shape)
        outputs = jax.numpy.tanh(inputs @ params["w"] + params["b"][0])
        return outputs, {"calls": state["calls"] + 1}

    return call, init


@jax_only
def test_jax_layer_is_that_of_keras() -> None:
    call, init = jax_functions()
    ours, theirs = (k.layers.JaxLayer(call, init, seed=3) for k in (keraslite, keras))
    ours(X), theirs(X)
    assert [w.shape for w in ours.weights] == [w.shape for w in theirs.weights]
    assert [w.trainable for w in ours.weights] == [w.trainable for w in theirs.weights]
    ours.set_weights([np.asarray(w) for w in theirs.weights])
    np.testing.assert_allclose(numpy(ours(X)), np.asarray(theirs(X)), rtol=1e-5)
    assert int(ours.weights[-1]) == int(theirs.weights[-1])
    spec = ours(keraslite.Input((4,)))
    assert spec.shape == (None, 3) and spec.dtype == "float32"


@jax_only
def test_jax_layer_trains_and_counts_in_compiled_steps() -> None:
    call, init = jax_functions()
    layer = layers.JaxLayer(call, init, seed=1)
    trained(layer)
    assert int(layer.weights[-1]) == 60
    again = layers.JaxLayer(call, init, seed=1)
    again.build((None, 4))
    assert [v.name for v in again.weights] == ["b.0", "w", "calls"]


@jax_only
def test_jax_layer_from_params_of_several_inputs_and_of_integers() -> None:
    jax = importlib.import_module("jax")
    layer = layers.JaxLayer(
        lambda params, inputs: inputs["x"] @ params + inputs["y"], params=np.ones((4, 3), "float32")
    )
    given = {"x": X, "y": np.ones((6, 3), "float32")}
    np.testing.assert_allclose(numpy(layer(given)), X @ np.ones((4, 3)) + 1, rtol=1e-5)
    table = layers.JaxLayer(
        lambda params, inputs: params[inputs],
        lambda inputs: jax.numpy.ones((5, inputs.shape[-1]), inputs.dtype),
    )
    assert table(np.array([[1, 2]])).shape == (1, 2, 2)


@jax_only
def test_jax_layer_policies() -> None:
    call, init = jax_functions()
    mixed = layers.JaxLayer(call, init, dtype="mixed_bfloat16")
    assert engine.dtype(mixed(X)) == "bfloat16"
    assert [w.dtype for w in mixed.weights] == ["float32", "float32", "int32"]


@jax_only
def test_jax_layer_in_a_file(tmp_path) -> None:
    call, init = jax_functions()
    with keraslite.saving.custom_object_scope({"call": call, "init": init}):
        model = keraslite.Sequential([keraslite.Input((4,)), layers.JaxLayer(call, init)])
        model.save(tmp_path / "model.keras")
        again = keraslite.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(numpy(again(X)), numpy(model(X)))


@jax_only
@pytest.mark.parametrize(
    ("functions", "message"),
    [
        ({"call_fn": lambda params, inputs: 0}, "one of `init_fn`"),
        ({"call_fn": lambda params, x, inputs: 0, "params": {}}, "takes an argument `x`"),
        ({"call_fn": lambda params: 0, "params": {}}, "must take an argument `inputs`"),
        (
            {"call_fn": lambda inputs: 0, "init_fn": lambda rng: 0},
            "`init_fn` must take an argument `inputs`",
        ),
    ],
)
def test_jax_functions_that_do_not_fit(functions, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        layers.JaxLayer(**functions)
    if "one of" not in message:
        with pytest.raises(ValueError):
            keras.layers.JaxLayer(**functions)


@jax_only
def test_a_state_of_another_structure_is_refused() -> None:
    layer = layers.JaxLayer(
        lambda state, inputs: (inputs, {"b": state["a"]}), state={"a": np.zeros(2, "float32")}
    )
    with pytest.raises(ValueError, match="structure of the old"):
        layer(X)


class Scale:
    """With the interface of a `flax.linen.Module` as far as a layer needs it."""

    def __call__(self, x, training=False):
        raise AssertionError("Flax calls it, with the variables bound.")

    def init(self, rngs, x, method=None, training=None):
        assert set(rngs) == {"params", "dropout"} and training is True
        return {
            "params": {"kernel": ops.ones((x.shape[-1], 3)) / 4},
            "batch_stats": {"mean": ops.zeros(3)},
        }

    def apply(self, variables, x, rngs=None, mutable=False, method=None, training=None):
        assert (rngs is not None) == training
        outputs = x @ variables["params"]["kernel"] - variables["batch_stats"]["mean"]
        if method == "twice":
            outputs = 2 * outputs
        if mutable is False:
            return outputs
        assert mutable == ["batch_stats"]
        mean = variables["batch_stats"]["mean"]
        return outputs, {"batch_stats": {"mean": mean + 1.0 if training else mean}}

    def twice(self, x, training):
        raise AssertionError


@jax_only
def test_flax_layer() -> None:
    layer = layers.FlaxLayer(Scale(), seed=2)
    expected = np.repeat(X.sum(-1, keepdims=True) / 4, 3, axis=-1)
    np.testing.assert_allclose(numpy(layer(X)), expected, rtol=1e-5, atol=1e-6)
    assert [(w.name, w.trainable) for w in layer.weights] == [
        ("kernel", True),
        ("batch_stats.mean", False),
    ]
    layer(X, training=True)
    np.testing.assert_allclose(numpy(layer(X)), expected - 1, rtol=1e-5, atol=1e-6)
    twice = layers.FlaxLayer(
        Scale(),
        "twice",
        {"params": {"kernel": np.ones((4, 3)) / 4}, "batch_stats": {"mean": np.zeros(3)}},
    )
    np.testing.assert_allclose(numpy(twice(X)), 2 * expected, rtol=1e-5, atol=1e-6)
    assert layer(keraslite.Input((4,))).shape == (None, 3)
    trained(layers.FlaxLayer(Scale()))


@jax_only
def test_flax_layer_with_flax() -> None:
    linen = pytest.importorskip("flax.linen")

    class Net(linen.Module):
        @linen.compact
        def __call__(self, x, training):
            x = linen.BatchNorm(use_running_average=not training)(linen.Dense(5)(x))
            x = linen.Dropout(0.5, deterministic=not training)(linen.relu(x))
            return linen.Dense(3)(x)

        def twice(self, x):
            return 2 * self(x, False)

    ours, theirs = (k.layers.FlaxLayer(Net(), seed=1) for k in (keraslite, keras))
    ours(X), theirs(X)
    assert [(w.shape, w.trainable) for w in ours.weights] == [
        (w.shape, w.trainable) for w in theirs.weights
    ]
    ours.set_weights([np.asarray(w) for w in theirs.weights])
    np.testing.assert_allclose(numpy(ours(X)), np.asarray(theirs(X)), rtol=1e-5, atol=1e-6)
    dropped = [numpy(ours(X, training=True)) for _ in range(2)]
    theirs(X, training=True), theirs(X, training=True)
    assert not np.allclose(*dropped)
    # Batch statistics follow, whatever dropout leaves out after them.
    for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(a, np.asarray(b), rtol=1e-4, atol=1e-6)
    variables = Net().init({"params": importlib.import_module("jax").random.key(0)}, X, False)
    plain, doubled = (
        layers.FlaxLayer(Net(), method, variables=variables) for method in (None, "twice")
    )
    np.testing.assert_allclose(numpy(doubled(X)), 2 * numpy(plain(X)), rtol=1e-5)
    trained(layers.FlaxLayer(Net()))


@jax_only
def test_flax_layer_wants_a_module() -> None:
    with pytest.raises(TypeError, match="methods `init` and `apply`"):
        layers.FlaxLayer(object())
    with pytest.raises(ValueError, match="no method `thrice`"):
        layers.FlaxLayer(Scale(), "thrice")


# torch --------------------------------------------------------------------------------------


def torch_module():
    torch = importlib.import_module("torch")
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.BatchNorm1d(3), torch.nn.Tanh())


@torch_only
def test_torch_module_is_that_of_keras() -> None:
    module = torch_module()
    ours, theirs = (k.layers.TorchModuleWrapper(torch_module()) for k in (keraslite, keras))
    for training in (True, False):
        np.testing.assert_allclose(
            numpy(ours(X, training=training)),
            keras.ops.convert_to_numpy(theirs(X, training=training)),
            rtol=1e-5,
            atol=1e-6,
        )
    assert [w.shape for w in ours.trainable_weights] == [w.shape for w in theirs.trainable_weights]
    assert [w.name for w in ours.non_trainable_weights] == [n for n, _ in module.named_buffers()]
    stores: list[dict] = [{}, {}]
    ours.save_own_variables(stores[0])
    theirs.save_own_variables(stores[1])
    assert set(stores[0]) == set(stores[1])
    for name, value in stores[0].items():
        expected = keras.ops.convert_to_numpy(stores[1][name])
        np.testing.assert_allclose(np.asarray(value), expected, rtol=1e-5, atol=1e-6)


@torch_only
@pytest.mark.parametrize("jit", ["auto", True, False])
def test_torch_module_trains_in_its_own_parameters(jit) -> None:
    layer = layers.TorchModuleWrapper(torch_module())
    before = [numpy(p) for p in layer.module.parameters()]
    model = keraslite.Sequential([keraslite.Input((4,)), layer, layers.Dense(1)])
    model.compile(keraslite.optimizers.Adam(0.05), "mse", jit_compile=jit)
    losses = model.fit(X, TARGETS, epochs=20, batch_size=3, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    for old, parameter, variable in zip(
        before, layer.parameters(), layer.trainable_weights, strict=True
    ):
        assert variable.value is parameter
        assert not np.allclose(old, numpy(parameter))
    assert int(layer.module[1].num_batches_tracked) == 40
    assert {id(p) for p in layer.parameters()} <= {id(p) for p in model.parameters()}
    layer.trainable = False
    assert not any(p.requires_grad for p in layer.parameters())


@torch_only
def test_torch_module_without_effects() -> None:
    layer = layers.TorchModuleWrapper(torch_module())
    assert layer(keraslite.Input((4,)), training=True).shape == (None, 3)
    variables = layer.trainable_variables, layer.non_trainable_variables
    given = [[v.value for v in vs] for vs in variables]
    _, new = layer.stateless_call(*given, X, training=True)
    assert int(layer.module[1].num_batches_tracked) == 0 and int(new[-1]) == 1
    assert layers.TorchModuleWrapper(torch_module(), output_shape=(None, 3)).compute_output_shape(
        (7, 4)
    ) == (None, 3)


@torch_only
def test_torch_module_in_a_file(tmp_path) -> None:
    model = keraslite.Sequential(
        [keraslite.Input((4,)), layers.TorchModuleWrapper(torch_module()), layers.Dense(2)]
    )
    model.layers[0].module[1].running_mean.fill_(0.5)
    path = tmp_path / "model.keras"
    model.save(path)
    with pytest.raises(UnsafeModelError, match="brings a program"):
        keraslite.saving.load_model(path)
    again = keraslite.saving.load_model(path, safe_mode=False)
    np.testing.assert_allclose(numpy(again(X)), numpy(model(X)), rtol=1e-6)
    theirs = keras.saving.load_model(path, safe_mode=False)
    expected = keras.ops.convert_to_numpy(theirs(X, training=False))
    np.testing.assert_allclose(numpy(model(X)), expected, rtol=1e-5, atol=1e-6)


@torch_only
def test_torch_modules_that_cannot_be_layers() -> None:
    torch = importlib.import_module("torch")
    with pytest.raises(TypeError, match=r"must be a `torch.nn.Module`"):
        layers.TorchModuleWrapper(3)
    with pytest.raises(ValueError, match="lazy module"):
        layers.TorchModuleWrapper(torch.nn.LazyLinear(3))


# SavedModels --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> str:
    """A model that Keras exported."""
    path = str(tmp_path_factory.mktemp("saved") / "model")
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(3, "tanh"), keras.layers.BatchNormalization()]
    )
    model.export(path, verbose=False)
    return path


@tensorflow_only
@pytest.mark.parametrize(
    "options",
    [{}, {"call_endpoint": "serving_default"}, {"call_training_endpoint": "serve"}],
    ids=str,
)
def test_saved_model_is_that_of_keras(saved: str, options) -> None:
    ours, theirs = (k.layers.TFSMLayer(saved, **options) for k in (keraslite, keras))
    found, expected = (keras.tree.flatten(layer(X)) for layer in (ours, theirs))
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)
    assert [w.shape for w in ours.weights] == [tuple(w.shape) for w in theirs.weights]
    assert len(ours.trainable_weights) == len(theirs.trainable_weights)
    spec = keras.tree.flatten(ours(keraslite.Input((4,))))
    assert spec[0].shape == (None, 3)


@tensorflow_only
def test_saved_model_trains_unless_frozen(saved: str) -> None:
    layer = layers.TFSMLayer(saved)
    before = layer.get_weights()
    trained(layer)
    assert not np.allclose(before[0], layer.get_weights()[0])
    frozen = layers.TFSMLayer(saved, trainable=False)
    assert not frozen.trainable_variables and not frozen.trainable
    assert len(frozen.non_trainable_variables) == 6


@tensorflow_only
def test_saved_model_in_a_file(saved: str, tmp_path) -> None:
    model = keraslite.Sequential([keraslite.Input((4,)), layers.TFSMLayer(saved)])
    path = tmp_path / "model.keras"
    model.save(path)
    with pytest.raises(UnsafeModelError, match="brings a program"):
        keraslite.saving.load_model(path)
    again = keraslite.saving.load_model(path, safe_mode=False)
    np.testing.assert_allclose(numpy(again(X)), numpy(model(X)), rtol=1e-6)


@tensorflow_only
def test_saved_models_that_are_not_there(saved: str, tmp_path) -> None:
    with pytest.raises(FileNotFoundError, match="no TensorFlow SavedModel"):
        layers.TFSMLayer(tmp_path)
    with pytest.raises(ValueError, match="Did you mean 'serve'"):
        layers.TFSMLayer(saved, "server")
