"""`MultiOptimizer` and `OptimizerMap` against Keras, and the names of Keras 2."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras as oracle
import numpy as np
import pytest

import keraslite
from keraslite import ops, optimizers
from keraslite.backend import engine

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
SHAPES = {"kernel": (3, 2), "bias": (2,), "scale": (), "mid_kernel_1": (2, 2)}
RNG = np.random.default_rng(7)
START = {name: RNG.normal(size=shape).astype("float32") for name, shape in SHAPES.items()}
GRADIENTS = [
    {n: RNG.normal(size=shape).astype("float32") for n, shape in SHAPES.items()} for _ in range(6)
]


def by_pattern(package: Any, **arguments: Any) -> Any:
    o = package.optimizers
    inside = {
        "kernel": o.Adam(0.05, weight_decay=0.1, name="adam"),
        "bias|scale": o.SGD(0.1, momentum=0.9, use_ema=True, ema_momentum=0.5, name="sgd"),
    }
    default = o.RMSprop(0.01, clipnorm=0.5, name="rms")
    return o.MultiOptimizer(o.OptimizerMap(default, inside), name="multi", **arguments)


def by_function(package: Any, **arguments: Any) -> Any:
    o = package.optimizers
    for_kernels, for_others = o.Adam(0.05, name="adam"), o.Lion(0.01, name="lion")

    def choose(variable: Any) -> Any:
        return for_kernels if "kernel" in variable.path else for_others

    return o.MultiOptimizer(choose, name="multi", **arguments)


ROWS = [(by_pattern, {}), (by_pattern, {"loss_scale_factor": 4.0}), (by_function, {})]
IDS = ["pattern", "scaled", "function"]


def train(package: Any, optimizer: Any) -> list[Any]:
    variables = [package.Variable(value, name=name) for name, value in START.items()]
    for gradients in GRADIENTS:
        optimizer.apply([package.ops.convert_to_tensor(g) for g in gradients.values()], variables)
    return variables


def check(ours: Any, theirs: Any) -> None:
    for mine, other in zip(ours, theirs, strict=True):
        expected = oracle.ops.convert_to_numpy(getattr(other, "value", other))
        np.testing.assert_allclose(mine.numpy(), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("make", "arguments"), ROWS, ids=IDS)
def test_against_keras(make: Callable[..., Any], arguments: dict[str, Any]) -> None:
    ours, theirs = make(keraslite, **arguments), make(oracle, **arguments)
    mine, others = train(keraslite, ours), train(oracle, theirs)
    check(mine, others)
    assert [v.path for v in ours.variables] == [v.path for v in theirs.variables]
    check(ours.variables, theirs.variables)
    assert [o.name for o in ours.optimizers] == [o.name for o in theirs.optimizers]
    for optimizer, trained in ((ours, mine), (theirs, others)):
        optimizer.finalize_variable_values(trained)
    check(mine, others)
    store: dict[str, Any] = {}
    theirs.save_own_variables(store)
    again = make(keraslite, **arguments)
    again.build(mine)
    again.load_own_variables(store)
    check(again.variables, theirs.variables)


def test_stateless_and_compiled(caps: Any) -> None:
    expected = train(keraslite, by_pattern(keraslite))
    optimizer = by_pattern(keraslite)
    trained = [keraslite.Variable(value, name=name) for name, value in START.items()]
    optimizer.build(trained)
    values, state = [v.value for v in trained], [v.value for v in optimizer.variables]
    for gradients in GRADIENTS:
        tensors = [ops.convert_to_tensor(g) for g in gradients.values()]
        values, state = optimizer.stateless_apply(state, tensors, values)
    for value, variable in zip(values, expected, strict=True):
        np.testing.assert_allclose(ops.convert_to_numpy(value), variable.numpy(), rtol=5e-5)
    if not caps.compiled:
        return
    step = engine.compile_step(
        lambda batch: optimizer.apply(batch), [*trained, *optimizer.variables]
    )
    for gradients in GRADIENTS:
        step(list(gradients.values()))
    for variable, other in zip(trained, expected, strict=True):
        np.testing.assert_allclose(variable.numpy(), other.numpy(), rtol=5e-5, atol=1e-6)


def bare(config: Any) -> Any:
    """A config without where classes come from: some are an engine's own in Keras."""
    if not isinstance(config, dict):
        return config
    return {k: bare(v) for k, v in config.items() if k not in ("module", "registered_name")}


def test_config_interchanges_with_keras() -> None:
    ours, theirs = by_pattern(keraslite), by_pattern(oracle)
    config = optimizers.serialize(ours)
    assert bare(config) == bare(oracle.optimizers.serialize(theirs))
    again = optimizers.deserialize(config)
    assert optimizers.serialize(again) == config
    assert isinstance(again.optimizer_map["bias"], optimizers.SGD)
    assert again.optimizer_map["mid_kernel_1"].name == "rms"
    back = oracle.optimizers.deserialize(config).get_config()
    assert bare(back) == bare(theirs.get_config())


@pytest.mark.parametrize(("writer", "reader"), [(keraslite, oracle), (oracle, keraslite)])
def test_files_interchange_with_keras(writer: Any, reader: Any, tmp_path: Any) -> None:
    model = writer.Sequential([writer.Input((3,)), writer.layers.Dense(2, name="dense")])
    model.compile(by_pattern(writer), "mse")
    model.optimizer.build(model.trainable_variables)
    for i, variable in enumerate(model.optimizer.variables):
        variable.assign(writer.ops.full(variable.shape, i, variable.dtype))
    model.save(tmp_path / "model.keras")
    again = reader.saving.load_model(tmp_path / "model.keras").optimizer
    assert [o.name for o in again.optimizers] == ["adam", "sgd", "rms"]
    for i, variable in enumerate(again.variables):
        np.testing.assert_array_equal(reader.ops.convert_to_numpy(variable.value), i)


def test_gradients_that_are_missing() -> None:
    optimizer = by_pattern(keraslite)
    variables = [keraslite.Variable(value, name=name) for name, value in START.items()]
    gradients = [np.ones((3, 2), "float32"), None, None, np.ones((2, 2), "float32")]
    with pytest.warns(UserWarning, match="No gradient for 2 variables"):
        optimizer.apply(gradients, variables)
    moved = [not np.array_equal(v.numpy(), START[v.name]) for v in variables]
    assert moved == [True, False, False, True]


def test_weight_decay_is_left_out_by_all() -> None:
    optimizer = by_pattern(keraslite)
    optimizer.exclude_from_weight_decay(var_names=["kernel"])
    variable = keraslite.Variable(START["kernel"], name="kernel")
    optimizer.apply([np.zeros((3, 2), "float32")], [variable])
    np.testing.assert_array_equal(variable.numpy(), START["kernel"])


def test_map() -> None:
    adam, sgd = optimizers.Adam(), optimizers.SGD()
    chosen = optimizers.OptimizerMap(sgd, {"a/.*": adam})
    assert (chosen["a/b"], chosen["a"], chosen["b/a/c"]) == (adam, sgd, sgd)
    assert list(chosen) == ["a/.*"] and len(chosen) == 1 and "a/b" not in chosen
    assert chosen.get("nothing") is chosen.default_optimizer is sgd
    chosen[".*/b"] = sgd
    with pytest.raises(ValueError, match="one pattern may match 'a/b'. Received: a/.*, .*/b"):
        chosen["a/b"]
    del chosen[".*/b"]
    assert chosen["a/b"] is adam


REFUSED = [
    (lambda: optimizers.OptimizerMap("sgd"), TypeError, "`default_optimizer` must be"),
    (lambda: optimizers.OptimizerMap(optimizers.SGD(), {"a": "sgd"}), ValueError, "value for 'a'"),
    (
        lambda: optimizers.OptimizerMap(optimizers.SGD(), {1: optimizers.SGD()}),
        ValueError,
        "key must be a string",
    ),
    (lambda: optimizers.MultiOptimizer(optimizers.SGD()), ValueError, "must be an OptimizerMap"),
    (
        lambda: optimizers.MultiOptimizer(lambda v: "sgd").build([keraslite.Variable(0.0)]),
        ValueError,
        "must return an Optimizer",
    ),
    (lambda: by_pattern(keraslite).learning_rate, AttributeError, "has no learning rate"),
    (
        lambda: setattr(by_pattern(keraslite), "learning_rate", 1.0),
        AttributeError,
        "takes no learning rate",
    ),
    (lambda: optimizers.legacy.Adam(0.1), ImportError, "since Keras 3"),
    (lambda: optimizers.ScheduleFreeAdamW(beta_1=0.0), ValueError, "`beta_1` must lie"),
    (
        lambda: optimizers.Muon().zeropower_via_newtonschulz5(np.ones(3), 1),
        ValueError,
        "expected a matrix",
    ),
]


@pytest.mark.parametrize(("make", "error", "message"), REFUSED, ids=[m for _, _, m in REFUSED])
def test_refused(make: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make()


def test_muon_treats_all_directions_alike() -> None:
    for shape in ((4, 3), (3, 5), (2, 3, 4)):
        matrix = ops.convert_to_tensor(RNG.normal(size=shape).astype("float32"))
        found = optimizers.Muon().zeropower_via_newtonschulz5(matrix, 5)
        sizes = np.linalg.svd(ops.convert_to_numpy(found), compute_uv=False)
        assert sizes.min() > 0.5 and sizes.max() < 1.3


def test_muon_leaves_embeddings_to_adam() -> None:
    with keraslite.name_scope("word_Embedding"):
        variable = keraslite.Variable(START["kernel"], name="table")
    for exclude, slots in ((True, 2), (False, 1)):
        optimizer = optimizers.Muon(exclude_embeddings=exclude)
        optimizer.build([variable])
        assert len(optimizer.variables) == 2 + slots
