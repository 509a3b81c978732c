"""Groups of variables with learning rates and decay of their own, and the names of Keras 2."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import keraslite
from keraslite import ops, optimizers
from keraslite.backend import engine

RNG = np.random.default_rng(2)
SHAPES = {"body/kernel": (3, 2), "body/bias": (2,), "head/kernel": (2, 2), "head/bias": (2,)}
START = {path: RNG.normal(size=shape).astype("float32") for path, shape in SHAPES.items()}
GRADIENTS = [
    {path: RNG.normal(size=shape).astype("float32") for path, shape in SHAPES.items()}
    for _ in range(4)
]
HALVED = optimizers.schedules.ExponentialDecay(0.2, 1, 0.5)

#: class, its arguments, groups, and what each variable's own optimizer has in their place
ROWS: list[tuple[str, dict[str, Any], dict[str, Any], dict[str, dict[str, Any]]]] = [
    (
        cls,
        {"learning_rate": 0.1, "weight_decay": 0.2, **arguments},
        {
            "body/.*": {"learning_rate": 0.01},
            "head/kernel": {"learning_rate_multiplier": 0.5},
            "bias": {"weight_decay": 0},
        },
        {
            "body/kernel": {"learning_rate": 0.01},
            "body/bias": {"learning_rate": 0.01, "weight_decay": 0.0, **other},
            "head/kernel": {"learning_rate": 0.05},
            "head/bias": {"weight_decay": 0.0, **other},
        },
    )
    for cls, arguments, other in [
        ("SGD", {"momentum": 0.9}, {}),
        ("AdamW", {}, {}),
        ("Nadam", {}, {}),
        ("RMSprop", {"use_ema": True, "ema_momentum": 0.5}, {}),
        ("Muon", {"adam_weight_decay": 0.3}, {"adam_weight_decay": 0.0}),
        ("Adam", {"gradient_accumulation_steps": 2, "clipvalue": 0.5}, {}),
    ]
] + [
    (
        "Adam",
        {"learning_rate": HALVED},
        {"body/.*": {"learning_rate_multiplier": 3}, "head/bias": {"learning_rate": HALVED}},
        {
            "body/kernel": {"learning_rate": optimizers.schedules.ExponentialDecay(0.6, 1, 0.5)},
            "body/bias": {"learning_rate": optimizers.schedules.ExponentialDecay(0.6, 1, 0.5)},
            "head/kernel": {},
            "head/bias": {},
        },
    )
]
IDS = [f"{cls}-{'-'.join(arguments)}" for cls, arguments, _, _ in ROWS]


def variables() -> dict[str, Any]:
    found = {}
    for path, value in START.items():
        where, name = path.split("/")
        with keraslite.name_scope(where):
            found[path] = keraslite.Variable(value, name=name)
    return found


def apply_all(optimizer: Any, trained: dict[str, Any]) -> None:
    for gradients in GRADIENTS:
        optimizer.apply([ops.convert_to_tensor(gradients[p]) for p in trained], trained.values())
    optimizer.finalize_variable_values(trained.values())


@pytest.mark.parametrize(("cls", "arguments", "groups", "others"), ROWS, ids=IDS)
def test_a_group_is_like_an_optimizer_of_its_own(
    cls: str, arguments: dict[str, Any], groups: dict[str, Any], others: dict[str, Any], caps: Any
) -> None:
    expected = variables()
    for path, other in others.items():
        alone = getattr(optimizers, cls)(**{**arguments, **other})
        apply_all(alone, {path: expected[path]})
    optimizer = getattr(optimizers, cls)(**arguments, groups=groups)
    again = optimizers.deserialize(optimizers.serialize(optimizer))
    assert again.get_config() == optimizer.get_config()
    for one in (optimizer, again):
        trained = variables()
        apply_all(one, trained)
        for path, variable in trained.items():
            np.testing.assert_allclose(
                variable.numpy(), expected[path].numpy(), rtol=1e-5, atol=1e-6, err_msg=path
            )
    if not caps.compiled or cls not in ("AdamW", "Nadam"):
        return
    trained, optimizer = variables(), getattr(optimizers, cls)(**arguments, groups=groups)
    optimizer.build(trained.values())
    step = engine.compile_step(optimizer.apply, [*trained.values(), *optimizer.variables])
    for gradients in GRADIENTS:
        step(list(gradients.values()))
    for path, variable in trained.items():
        np.testing.assert_allclose(
            variable.numpy(), expected[path].numpy(), rtol=1e-4, atol=1e-5, err_msg=path
        )


def test_groups_of_a_model_are_saved(tmp_path: Any) -> None:
    model = keraslite.Sequential(
        [keraslite.Input((2,)), *(keraslite.layers.Dense(2, name=n) for n in ("body", "head"))]
    )
    groups = {"body/kernel": {"learning_rate": HALVED, "weight_decay": 0.1}}
    optimizer = optimizers.LossScaleOptimizer(optimizers.SGD(0.1, groups=groups))
    model.compile(optimizer, "mse")
    model.optimizer.build(model.trainable_variables)
    model.save(tmp_path / "model.keras")
    again = keraslite.saving.load_model(tmp_path / "model.keras").optimizer.inner_optimizer
    assert again.groups["body/kernel"]["learning_rate"].get_config() == HALVED.get_config()
    assert again._decay_of(again._trainable_variables[0]) == 0.1


def grouped(groups: Any) -> None:
    optimizers.SGD(0.1, groups=groups).build(variables().values())


REFUSED = [
    (lambda: grouped({"heat/.*": {"learning_rate": 1}}), ValueError, "nearest paths: head/"),
    (
        lambda: grouped({".*": {"weight_decay": 1}, "body/bias": {"weight_decay": 2}}),
        ValueError,
        "`weight_decay` of 'body/bias' comes from two groups",
    ),
    (
        lambda: grouped({".*": {"learning_rate": 1}, "body/bias": {"learning_rate_multiplier": 2}}),
        ValueError,
        "comes from two groups",
    ),
    (lambda: grouped({".*": {"learning_rat": 1}}), TypeError, "Did you mean 'learning_rate'"),
    (lambda: grouped({".*": {"weight_decay": -1}}), ValueError, "not negative. Received: -1"),
    (lambda: grouped({".*": 0.1}), ValueError, "must be a dict with some of"),
    (lambda: grouped({"(": {"weight_decay": 0}}), ValueError, "must be a regular expression"),
    (lambda: grouped([".*"]), ValueError, "must be a dict from a pattern"),
    (
        lambda: grouped({".*": {"learning_rate": 1, "learning_rate_multiplier": 1}}),
        ValueError,
        "Received: both",
    ),
    (lambda: optimizers.SGD(lr=0.1), ValueError, "It is called `learning_rate` now"),
    (lambda: optimizers.Adam(0.1, decay=1e-4), ValueError, "InverseTimeDecay"),
    (lambda: optimizers.SGD().lr, AttributeError, "It is called `learning_rate` now"),
    (lambda: setattr(optimizers.SGD(), "lr", 1), AttributeError, "called `learning_rate` now"),
    (lambda: setattr(optimizers.SGD(), "decay", 1), AttributeError, "is `weight_decay`"),
]


@pytest.mark.parametrize(
    ("make", "error", "message"), REFUSED, ids=[str(i) for i in range(len(REFUSED))]
)
def test_refused(make: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message) as caught:
        make()
    assert len(str(caught.value)) <= 600


def test_a_class_of_ones_own_may_use_old_names() -> None:
    class Own(optimizers.SGD):
        def __init__(self) -> None:
            super().__init__(0.1)
            self.lr = self.decay = 3.0

    assert Own().lr == Own().decay == 3.0
