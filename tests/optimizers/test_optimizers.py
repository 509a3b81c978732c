"""Every optimizer against Keras over 20 steps, and what all optimizers have in common."""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import keras as oracle
import numpy as np
import pytest

import keraslite
from keraslite import ops, optimizers
from keraslite.backend import engine
from keraslite.core.scopes import StatelessScope

SHAPES = {"kernel": (3, 2), "bias": (2,), "scale": ()}
STEPS = 20
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


class Case(NamedTuple):
    cls: str
    arguments: dict[str, Any] = {}


CASES = [
    Case("SGD"),
    Case("SGD", {"momentum": 0.9}),
    Case("SGD", {"gradient_accumulation_steps": 0}),
    Case("SGD", {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    Case("Adam"),
    Case("Adam", {"beta_1": 0.8, "beta_2": 0.99, "epsilon": 1e-3, "weight_decay": 0.05}),
    Case("Adam", {"amsgrad": True}),
    Case("AdamW"),
    Case("AdamW", {"weight_decay": 0.1, "amsgrad": True}),
    Case("Adamax"),
    Case("Nadam"),
    Case("Lamb"),
    Case("Lion"),
    Case("RMSprop"),
    Case("RMSprop", {"momentum": 0.9, "centered": True, "rho": 0.8}),
    Case("Adagrad", {"initial_accumulator_value": 0.2}),
    Case("Adadelta", {"learning_rate": 1.0}),
    Case("Ftrl", {"learning_rate": 0.1, "l1_regularization_strength": 0.01}),
    Case(
        "Ftrl",
        {
            "learning_rate": 0.1,
            "l2_regularization_strength": 0.01,
            "l2_shrinkage_regularization_strength": 0.02,
            "beta": 0.1,
            "learning_rate_power": -0.4,
        },
    ),
    Case("SGD", {"clipnorm": 0.5}),
    Case("SGD", {"clipvalue": 0.2}),
    Case("Adam", {"global_clipnorm": 0.3}),
    Case("SGD", {"use_ema": True, "ema_momentum": 0.8, "momentum": 0.5}),
    Case("Adam", {"use_ema": True, "ema_momentum": 0.7, "ema_overwrite_frequency": 4}),
    Case("SGD", {"loss_scale_factor": 4.0}),
    Case("Adafactor"),
    Case("Adafactor", {"relative_step": False, "beta_2_decay": -0.6, "clip_threshold": 0.5}),
    Case("Adafactor", {"epsilon_1": 1e-3, "epsilon_2": 1.0, "weight_decay": 0.1}),
    Case("Muon"),
    Case("Muon", {"nesterov": False, "rms_rate": None, "weight_decay": 0.1, "clipnorm": 1.0}),
    Case("Muon", {"exclude_layers": ["^ker.el$"], "adam_lr_ratio": 0.3, "adam_weight_decay": 0.1}),
    Case("Muon", {"ns_steps": 3, "muon_a": 3.0, "momentum": 0.8, "adam_weight_decay": None}),
    Case("ScheduleFreeAdamW"),
    Case("ScheduleFreeAdamW", {"warmup_steps": 6, "weight_decay": 0.1, "beta_1": 0.7}),
]
IDS = [f"{c.cls}-{'-'.join(c.arguments)}" for c in CASES]
RNG = np.random.default_rng(3)
START = {name: RNG.normal(size=shape).astype("float32") for name, shape in SHAPES.items()}
GRADIENTS = [
    {n: RNG.normal(size=shape).astype("float32") for n, shape in SHAPES.items()}
    for _ in range(STEPS)
]


def variables(package: Any) -> list[Any]:
    return [package.Variable(value, name=name) for name, value in START.items()]


def close(ours: Any, theirs: Any) -> None:
    for mine, other in zip(ours, theirs, strict=True):
        expected = oracle.ops.convert_to_numpy(getattr(other, "value", other))
        found = ops.convert_to_numpy(getattr(mine, "value", mine))
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def run(package: Any, optimizer: Any, steps: int = STEPS) -> list[Any]:
    trained = variables(package)
    for gradients in GRADIENTS[:steps]:
        optimizer.apply([package.ops.convert_to_tensor(g) for g in gradients.values()], trained)
    return trained


def layout(optimizer: Any) -> list[tuple[str, tuple, str]]:
    """What files depend on. Keras's int64 on one engine does not matter; its name for one
    variable of Nadam, "variable" with some number, is an accident.
    """
    return [
        (
            "u_product" if "variable" in v.path or "u_product" in v.path else v.path,
            tuple(v.shape),
            v.dtype.replace("int64", "int32"),
        )
        for v in optimizer.variables
    ]


def make(package: Any, case: Case) -> Any:
    arguments = {"learning_rate": 0.05, **case.arguments}
    return getattr(package.optimizers, case.cls)(**arguments, name="mine")


def skip_where_keras_differs(case: Case) -> None:
    """Keras's schedule-free AdamW loses the last `z` where variables change in place.

    There `test_schedule_free_against_the_paper` alone says what is right.
    """
    if case.cls == "ScheduleFreeAdamW" and not schedule_free_agrees(oracle):
        pytest.skip("Keras does not follow the paper on this engine")


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_twenty_steps(case: Case) -> None:
    skip_where_keras_differs(case)
    ours, theirs = make(keraslite, case), make(oracle, case)
    mine, others = run(keraslite, ours), run(oracle, theirs)
    close(mine, others)
    close(ours.variables, theirs.variables)
    assert layout(ours) == layout(theirs)
    ours.finalize_variable_values(mine)
    theirs.finalize_variable_values(others)
    close(mine, others)


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_config_interchanges_with_keras(case: Case) -> None:
    ours = make(keraslite, case)
    config = ours.get_config()
    again = optimizers.deserialize(optimizers.serialize(ours))
    assert type(again) is type(ours) and again.get_config() == config
    assert getattr(oracle.optimizers, case.cls).from_config(config).get_config() == config


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_state_interchanges_with_keras(case: Case) -> None:
    """Ten steps there, saved, loaded here, and ten more in both."""
    skip_where_keras_differs(case)
    ours, theirs = make(keraslite, case), make(oracle, case)
    others, store = run(oracle, theirs, 10), {}
    theirs.save_own_variables(store)
    mine = [keraslite.Variable(oracle.ops.convert_to_numpy(v), name=v.name) for v in others]
    ours.build(mine)
    ours.load_own_variables(store)
    for gradients in GRADIENTS[10:]:
        ours.apply([ops.convert_to_tensor(g) for g in gradients.values()])
        theirs.apply([oracle.ops.convert_to_tensor(g) for g in gradients.values()])
    close(mine, others)
    saved: dict[str, np.ndarray] = {}
    ours.save_own_variables(saved)
    assert list(saved) == [str(i) for i in range(len(ours.variables))]


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_stateless_equals_stateful(case: Case) -> None:
    stateful = make(keraslite, case)
    expected = run(keraslite, stateful, 5)
    optimizer, trained = make(keraslite, case), variables(keraslite)
    optimizer.build(trained)
    values, state = [v.value for v in trained], [v.value for v in optimizer.variables]
    for gradients in GRADIENTS[:5]:
        tensors = [ops.convert_to_tensor(g) for g in gradients.values()]
        values, state = optimizer.stateless_apply(state, tensors, values)
    # A fused kernel may round otherwise.
    for value, variable in zip([*values, *state], [*expected, *stateful.variables], strict=True):
        np.testing.assert_allclose(ops.convert_to_numpy(value), variable.numpy(), rtol=5e-5)
    np.testing.assert_array_equal(trained[0].numpy(), START["kernel"])


@pytest.mark.requires("compiled")
@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_compiled_equals_eager(case: Case) -> None:
    expected = run(keraslite, make(keraslite, case), 4)
    optimizer, trained = make(keraslite, case), variables(keraslite)
    optimizer.build(trained)

    def step(batch: Any) -> Any:
        optimizer.apply(batch)
        return ops.sum(trained[0].value)

    compiled = engine.compile_step(step, [*trained, *optimizer.variables])
    for gradients in GRADIENTS[:4]:
        compiled(list(gradients.values()))
    for mine, other in zip(trained, expected, strict=True):
        np.testing.assert_allclose(mine.numpy(), other.numpy(), rtol=1e-5, atol=1e-6)
    assert int(optimizer.iterations.numpy()) == 4


ACCUMULATING = [
    Case("SGD", {"momentum": 0.9, "weight_decay": 0.1}),
    Case("Adam", {"clipnorm": 0.3}),
    Case("AdamW", {"use_ema": True, "ema_momentum": 0.5}),
    Case("SGD", {"learning_rate": optimizers.schedules.ExponentialDecay(0.1, 2, 0.5)}),
]


@pytest.mark.parametrize(
    "case", ACCUMULATING, ids=[f"{c.cls}-{list(c.arguments)}" for c in ACCUMULATING]
)
@pytest.mark.parametrize("stateless", [False, True])
def test_accumulation_equals_a_large_batch(case: Case, stateless: bool) -> None:
    """Three small batches do what one with their mean gradient does, averages included."""
    every = 3
    large = make(keraslite, case)
    small = make(
        keraslite, Case(case.cls, {**case.arguments, "gradient_accumulation_steps": every})
    )
    expected, trained = variables(keraslite), variables(keraslite)
    small.build(trained)
    for i in range(0, 12, every):
        group = GRADIENTS[i : i + every]
        large.apply([np.mean([g[n] for g in group], axis=0) for n in SHAPES], expected)
        for gradients in group:
            tensors = [ops.convert_to_tensor(g) for g in gradients.values()]
            if stateless:
                values, state = small.stateless_apply(
                    [v.value for v in small.variables], tensors, [v.value for v in trained]
                )
                for v, value in zip([*trained, *small.variables], [*values, *state], strict=True):
                    v.assign(value)
            else:
                small.apply(tensors)
    for mine, other in zip(trained, expected, strict=True):
        np.testing.assert_allclose(mine.numpy(), other.numpy(), rtol=1e-5, atol=1e-6)
    assert int(small.iterations) == int(large.iterations) == 4
    for optimizer, own in ((small, trained), (large, expected)):
        optimizer.finalize_variable_values(own)
    for mine, other in zip(trained, expected, strict=True):
        np.testing.assert_allclose(mine.numpy(), other.numpy(), rtol=1e-5, atol=1e-6)


def schedule_free_agrees(package: Any) -> bool:
    """Whether the optimizer of a package does what https://arxiv.org/abs/2405.15682 says."""
    rate, beta_1, beta_2, decay, warmup, epsilon = 0.05, 0.7, 0.99, 0.1, 6, 1e-8
    optimizer = package.optimizers.ScheduleFreeAdamW(
        rate, beta_1, beta_2, epsilon, warmup, weight_decay=decay
    )
    y = z = x = START["kernel"]
    squares = np.zeros_like(y)
    variable = package.Variable(y, name="kernel")
    for step, gradients in enumerate(GRADIENTS, 1):
        g, now = gradients["kernel"], rate * min(1.0, step / warmup)
        optimizer.apply([package.ops.convert_to_tensor(g)], [variable])
        # Decay moves `y`, and so the mean that belongs to it.
        y = y * (1 - rate * decay)
        x = (y - (1 - beta_1) * z) / beta_1
        squares = beta_2 * squares + (1 - beta_2) * g**2
        z = z - now * g / (np.sqrt(squares / (1 - beta_2**step)) + epsilon)
        x = (1 - 1 / step) * x + z / step
        y = (1 - beta_1) * z + beta_1 * x
    return np.allclose(package.ops.convert_to_numpy(variable.value), y, rtol=1e-4, atol=1e-4)


def test_schedule_free_against_the_paper() -> None:
    assert schedule_free_agrees(keraslite)


def test_accumulation_against_keras() -> None:
    case = Case("Adam", {"gradient_accumulation_steps": 4, "weight_decay": 0.01})
    ours, theirs = make(keraslite, case), make(oracle, case)
    close(run(keraslite, ours), run(oracle, theirs))
    close(ours.variables, theirs.variables)


# Loss scaling ----------------------------------------------------------------------


def test_loss_scale_optimizer(caps: Any) -> None:
    arguments = {"initial_scale": 8.0, "dynamic_growth_steps": 2}
    pairs = []
    for package in (keraslite, oracle):
        inner = package.optimizers.SGD(1.0, momentum=0.5, name="inner")
        optimizer = package.optimizers.LossScaleOptimizer(inner, **arguments, name="outer")
        pairs.append((optimizer, [package.Variable(np.ones(2, "float32"), name="v")]))
    (ours, mine), (theirs, others) = pairs
    rows = [[8, 4], [np.inf, 1], [8, 8], [4, 4], [8, 8], [np.nan, 0], [1, 2]]
    for row in np.array(rows, "float32"):
        ours.apply([ops.convert_to_tensor(row)], mine)
        # Where tensors are values, Keras's one works inside `fit` only.
        if not caps.functional:
            theirs.apply([oracle.ops.convert_to_tensor(row)], others)
            close([*mine, *ours.variables], [*others, *theirs.variables])
            assert layout(ours) == layout(theirs)
    np.testing.assert_allclose(mine[0].numpy(), [-8.1875, -7.46875])
    assert ours.iterations is ours.inner_optimizer.iterations
    assert float(ours.scale_loss(2.0)) == 8.0
    ours.learning_rate = 0.25
    assert float(ours.inner_optimizer.learning_rate) == 0.25
    again = optimizers.deserialize(optimizers.serialize(ours))
    assert again.get_config() == ours.get_config()
    assert again.inner_optimizer.momentum == 0.5


def test_loss_scale_optimizer_stateless() -> None:
    optimizer = optimizers.LossScaleOptimizer(optimizers.SGD(1.0), initial_scale=4.0)
    v = keraslite.Variable(np.ones(2, "float32"))
    optimizer.build([v])
    state, values = [x.value for x in optimizer.variables], [v.value]
    for gradient, expected in (([4.0, 8.0], [0.0, -1.0]), ([np.nan, 0.0], [0.0, -1.0])):
        values, state = optimizer.stateless_apply(state, [ops.convert_to_tensor(gradient)], values)
        np.testing.assert_array_equal(ops.convert_to_numpy(values[0]), expected)
    assert float(state[3]) == 2.0
    np.testing.assert_array_equal(v.numpy(), [1.0, 1.0])


@pytest.mark.parametrize(
    "arguments", [{"clipnorm": 1.0}, {"use_ema": True}, {"loss_scale_factor": 2.0}], ids=str
)
def test_loss_scale_optimizer_refuses(arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="Give it to the inner optimizer"):
        optimizers.LossScaleOptimizer(optimizers.SGD(), **arguments)


# Learning rates --------------------------------------------------------------------


def test_learning_rate() -> None:
    optimizer = optimizers.SGD(0.1)
    optimizer.learning_rate = 0.5
    assert float(optimizer.learning_rate) == 0.5 and optimizer.get_config()["learning_rate"] == 0.5
    schedule = optimizers.schedules.ExponentialDecay(1.0, 1, 0.5)
    optimizer.learning_rate = schedule
    assert [v.name for v in optimizer.variables] == ["iteration"]
    run(keraslite, optimizer, 2)
    assert float(optimizer.learning_rate) == 0.25
    with pytest.raises(TypeError, match="follows a schedule"):
        optimizer.learning_rate = 0.1
    assert type(optimizers.deserialize(optimizers.serialize(optimizer))._learning_rate) is type(
        schedule
    )


def test_learning_rate_of_a_function() -> None:
    rates = iter([1.0, 0.5])
    optimizer = optimizers.SGD(lambda: next(rates))
    v = keraslite.Variable(np.zeros(1, "float32"))
    for _ in range(2):
        optimizer.apply([np.ones(1, "float32")], [v])
    assert v.numpy() == [-1.5]


@pytest.mark.parametrize("rate", [1, np.float32(0.25), np.array(0.25)], ids=repr)
def test_learning_rate_is_any_number(rate: Any) -> None:
    assert float(optimizers.Adam(rate).learning_rate) == float(rate)


# Gradients and variables -------------------------------------------------------------


def test_missing_gradients() -> None:
    v, w = keraslite.Variable(np.ones(2), name="v"), keraslite.Variable(np.ones(2), name="w")
    optimizer = optimizers.SGD(0.5)
    with pytest.raises(ValueError, match="No gradient for any variable.*Variables: v, w"):
        optimizer.apply([None, None], [v, w])
    with pytest.warns(UserWarning, match="No gradient for 1 variables.*Variables: v"):
        optimizer.apply([None, np.ones(2, "float32")], [v, w])
    np.testing.assert_array_equal([v.numpy(), w.numpy()], [[1, 1], [0.5, 0.5]])
    optimizer.apply([], [])
    assert int(optimizer.iterations) == 1


def test_variables_are_known() -> None:
    v, w = keraslite.Variable(np.ones(2), name="v"), keraslite.Variable(np.ones(2), name="w")
    optimizer, gradient = optimizers.SGD(1.0), np.ones(2, "float32")
    with pytest.raises(ValueError, match="does not know its variables"):
        optimizer.apply([gradient])
    optimizer.build([v])
    with pytest.raises(ValueError, match="built for other variables.*gradient for 'w'"):
        optimizer.apply([gradient], [w])
    with pytest.raises(ValueError, match="one gradient for each of 1 variables. Received: 2"):
        optimizer.apply([gradient, gradient])
    assert optimizer.apply_gradients([(gradient, v)]) is optimizer.iterations
    np.testing.assert_array_equal(v.numpy(), [0.0, 0.0])


def test_variable_overwritten_with_its_gradient() -> None:
    v, w = keraslite.Variable(np.ones(2), name="v"), keraslite.Variable(np.ones(2), name="w")
    v.overwrite_with_gradient = True
    optimizer = optimizers.Adam(0.1, weight_decay=0.1, clipnorm=0.1)
    optimizer.apply([np.full(2, 7.0, "float32"), np.ones(2, "float32")], [v, w])
    np.testing.assert_array_equal(v.numpy(), [7.0, 7.0])
    np.testing.assert_allclose(w.numpy(), [0.89, 0.89], rtol=1e-4)
    assert [x.name for x in optimizer.variables[2:]] == ["w_momentum", "w_velocity"]


def test_constraint() -> None:
    v = keraslite.Variable(np.ones(2, "float32"))
    v.constraint = keraslite.constraints.NonNeg()
    optimizers.SGD(1.0).apply([np.array([5.0, 0.25], "float32")], [v])
    np.testing.assert_array_equal(v.numpy(), [0.0, 0.75])


@pytest.mark.parametrize("by", ["names", "list"])
@pytest.mark.parametrize("cls", ["SGD", "Adam"])
def test_excluded_from_weight_decay(cls: str, by: str) -> None:
    kernel, bias = (keraslite.Variable(np.ones(2), name=n) for n in ("kernel", "bias"))
    optimizer = getattr(optimizers, cls)(1.0, weight_decay=0.1)
    if by == "names":
        optimizer.exclude_from_weight_decay(var_names=["^bi"])
    else:
        optimizer.exclude_from_weight_decay(var_list=[bias])
    optimizer.apply([np.zeros(2, "float32")] * 2, [kernel, bias])
    np.testing.assert_allclose([kernel.numpy(), bias.numpy()], [[0.9, 0.9], [1.0, 1.0]], rtol=1e-6)


def test_names_of_slots() -> None:
    with keraslite.name_scope("seq"), keraslite.name_scope("dense"):
        v = keraslite.Variable(np.ones(2), name="kernel")
    optimizer = optimizers.RMSprop(name="rms")
    optimizer.build([v])
    assert optimizer.variables[-1].path == "rms/seq_dense_kernel_velocity"


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("cls", ["SGD", "Adam", "RMSprop", "Nadam", "Lamb"])
def test_half_precision(cls: str, dtype: str) -> None:
    v = keraslite.Variable(np.ones(2, "float32"), dtype=dtype)
    optimizer = getattr(optimizers, cls)(0.125)
    for _ in range(2):
        optimizer.apply([np.ones(2, "float32")], [v])
    assert v.dtype == dtype and v.numpy().astype("float32").max() < 1.0
    assert {x.dtype for x in optimizer.variables[2:] if x.shape} <= {dtype}


class Momentum(optimizers.Optimizer):
    """An optimizer as users write them."""

    def __init__(self, learning_rate: Any = 0.1, keep: float = 0.5, **kwargs: Any) -> None:
        super().__init__(learning_rate=learning_rate, **kwargs)
        self.keep = keep

    def build(self, variables: Any) -> None:
        if self.built:
            return
        super().build(variables)
        self.momenta = self.add_optimizer_variables(variables, "momentum")
        self.seen = keraslite.Variable(0.0, name="seen", trainable=False)

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        momentum = self.momenta[self._get_variable_index(variable)]
        self.assign(momentum, self.keep * momentum.value + gradient)
        self.assign_sub(variable, learning_rate * momentum.value)
        self.assign_add(self.seen, 1)


def test_optimizer_of_ones_own() -> None:
    optimizer = Momentum(0.1, keep=0.9, clipvalue=10.0)
    expected = run(oracle, oracle.optimizers.SGD(0.1, momentum=0.9))
    close(run(keraslite, optimizer), expected)
    assert optimizer.variables[-1] is optimizer.seen and float(optimizer.seen) == STEPS * len(
        SHAPES
    )
    config = optimizer.get_config()
    assert config["keep"] == 0.9 and config["clipvalue"] == 10.0
    assert Momentum.from_config(config).get_config() == config


def test_built_in_with_another_update_step() -> None:
    class Still(optimizers.Adam):
        def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
            self.assign_add(variable, 0.0)

    found = run(keraslite, Still(0.1), 2)
    np.testing.assert_array_equal(found[0].numpy(), START["kernel"])


# Arguments ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"lr": 0.1}, "no argument `lr`. It is called `learning_rate`"),
        ({"beta1": 0.1}, "'beta1'. Did you mean 'beta_1'"),
        ({"clipnorm": 1.0, "clipvalue": 1.0}, "Only one of clipnorm"),
        ({"clipnorm": 0.0}, "`clipnorm` must be positive"),
        ({"use_ema": True, "ema_momentum": 2.0}, r"must lie in \[0, 1\]"),
        ({"ema_overwrite_frequency": 0}, "an integer >= 1"),
        ({"gradient_accumulation_steps": 1}, "an integer >= 2"),
        ({"learning_rate": None}, "must be a number"),
        ({"learning_rate": "fast"}, "must be a number.*Received: 'fast'"),
        ({"name": "a/b"}, "without '/'"),
    ],
)
def test_bad_arguments(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        optimizers.Adam(**arguments)


def test_bad_arguments_of_one() -> None:
    with pytest.raises(ValueError, match="`weight_decay` must be a number"):
        optimizers.AdamW(weight_decay=None)
    with pytest.raises(ValueError, match=r"`momentum` must lie in \[0, 1\]"):
        optimizers.SGD(momentum=2.0)


def test_set_weights_and_load() -> None:
    optimizer, v = optimizers.SGD(0.1, momentum=0.9), keraslite.Variable(np.ones(2))
    with pytest.raises(ValueError, match="not been built"):
        optimizer.set_weights([1])
    optimizer.build([v])
    optimizer.set_weights([3, 0.5, np.full(2, 4.0)])
    assert int(optimizer.iterations) == 3 and float(optimizer.learning_rate) == 0.5
    with pytest.raises(ValueError, match="3 variables.*Received: 2 values"):
        optimizer.set_weights([3, 0.5])
    with pytest.warns(UserWarning, match="it has 3 variables and the saved one 1"):
        optimizer.load_own_variables({"0": np.array(7)})
    assert int(optimizer.iterations) == 3


def test_get() -> None:
    for name, cls in (("adam", "Adam"), ("AdamW", "AdamW"), ("rmsprop", "RMSprop"), ("SGD", "SGD")):
        assert type(optimizers.get(name)) is getattr(optimizers, cls)
    assert optimizers.get(None) is None
    assert optimizers.get({"class_name": "Adam", "config": {"beta_1": 0.5}}).beta_1 == 0.5
    with pytest.raises(ValueError, match="Did you mean 'adam'"):
        optimizers.get("adm")


def test_fused_kernels_stay_out_of_stateless_scopes() -> None:
    optimizer, v = optimizers.Adam(0.1), keraslite.Variable(np.ones(2, "float32"))
    optimizer.build([v])
    with StatelessScope():
        optimizer.apply([np.ones(2, "float32")])
    np.testing.assert_array_equal(v.numpy(), [1.0, 1.0])
    assert not any(x.numpy().any() for x in optimizer.variables[2:])


def test_no_warnings() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run(keraslite, optimizers.Adam(), 1)
