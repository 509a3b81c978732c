"""Every learning rate schedule against Keras."""

from __future__ import annotations

from typing import Any

import keras as oracle
import numpy as np
import pytest

from keraslite import ops
from keraslite.optimizers import schedules

CASES = [
    ("ExponentialDecay", (0.1, 4, 0.5), {}),
    ("ExponentialDecay", (0.1, 4, 0.5), {"staircase": True}),
    ("InverseTimeDecay", (0.1, 4, 0.5), {}),
    ("InverseTimeDecay", (0.1, 4, 0.5), {"staircase": True}),
    ("PiecewiseConstantDecay", ([3, 7], [1.0, 0.5, 0.1]), {}),
    ("PolynomialDecay", (0.1, 5), {"power": 2.0}),
    ("PolynomialDecay", (0.1, 5), {"cycle": True, "end_learning_rate": 0.01}),
    ("CosineDecay", (0.1, 6), {"alpha": 0.1}),
    ("CosineDecay", (0.1, 6), {"warmup_target": 1.0, "warmup_steps": 3}),
    ("CosineDecay", (0.1, 6), {"warmup_target": 1.0}),
    ("CosineDecayRestarts", (0.1, 4), {}),
    ("CosineDecayRestarts", (0.1, 4), {"t_mul": 1.0, "m_mul": 0.5, "alpha": 0.2}),
    ("CosineDecayRestarts", (0.1, 3), {"t_mul": 1.5, "m_mul": 0.8}),
]


@pytest.mark.parametrize(("name", "arguments", "options"), CASES)
def test_against_keras(name: str, arguments: tuple, options: dict[str, Any]) -> None:
    ours = getattr(schedules, name)(*arguments, **options)
    theirs = getattr(oracle.optimizers.schedules, name)(*arguments, **options)
    for step in (*range(14), 40):
        found = ours(ops.convert_to_tensor(step))
        expected = oracle.ops.convert_to_numpy(theirs(step))
        assert ops.dtype(found) == "float32" and tuple(found.shape) == ()
        np.testing.assert_allclose(ops.convert_to_numpy(found), expected, rtol=1e-5, atol=1e-7)
    assert ours.get_config() == theirs.get_config()
    again = schedules.deserialize(schedules.serialize(ours))
    assert type(again) is type(ours) and again.get_config() == ours.get_config()


def test_bad_arguments() -> None:
    with pytest.raises(ValueError, match="`decay_steps` must be > 0"):
        schedules.CosineDecay(0.1, 0)
    with pytest.raises(ValueError, match="2 boundaries and 2 values"):
        schedules.PiecewiseConstantDecay([1, 2], [1.0, 2.0])


def test_schedule_of_ones_own() -> None:
    class Halving(schedules.LearningRateSchedule):
        def __init__(self, start: float) -> None:
            self.start = start

        def __call__(self, step: Any) -> Any:
            return self.start / (ops.cast(step, "float32") + 1)

    assert Halving(0.5).get_config() == {"start": 0.5}
    assert float(Halving(0.5)(4)) == pytest.approx(0.1)
