"""Learning rates that change with the number of updates."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from keraslite import ops
from keraslite.core.configurable import Configurable
from keraslite.core.op import Tensor, TensorLike
from keraslite.core.registry import Catalog

__all__ = [
    "CosineDecay",
    "CosineDecayRestarts",
    "ExponentialDecay",
    "InverseTimeDecay",
    "LearningRateSchedule",
    "PiecewiseConstantDecay",
    "PolynomialDecay",
    "deserialize",
    "serialize",
]


class LearningRateSchedule(Configurable):
    """Base class of schedules: define `__call__(step)`, made of ops.

    Example:
        >>> class Halving(keras.optimizers.schedules.LearningRateSchedule):
        ...     def __init__(self, start):
        ...         self.start = start
        ...
        ...     def __call__(self, step):
        ...         return self.start / (keras.ops.cast(step, "float32") + 1)
        >>> optimizer = keras.optimizers.SGD(Halving(0.1))
    """

    def __call__(self, step: TensorLike) -> Tensor:
        """The learning rate of the update number `step`, counted from 0."""
        raise NotImplementedError(f"{type(self).__name__} must define `__call__(self, step)`.")

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments; `from_config` takes them."""
        if type(self).__init__ is object.__init__:
            raise NotImplementedError(
                f"{type(self).__name__} must define `get_config`, or a constructor with the "
                "arguments to save."
            )
        return super().get_config()

    get_config._derived = True  # type: ignore[attr-defined]


def _float(step: TensorLike) -> Tensor:
    return ops.cast(step, "float32")


def _positive(schedule: Any, argument: str, value: float) -> None:
    if value <= 0:
        raise ValueError(
            f"{type(schedule).__name__}: `{argument}` must be > 0. Received: {argument}={value}"
        )


class ExponentialDecay(LearningRateSchedule):
    """`initial_learning_rate * decay_rate ** (step / decay_steps)`.

    Args:
        initial_learning_rate: at the start.
        decay_steps: after how many updates `decay_rate` has acted once.
        decay_rate: the factor.
        staircase: whether to change only after every `decay_steps` updates.
        name: of the schedule.

    Raises:
        ValueError: if `decay_steps` is not positive.

    Example:
        >>> schedule = keras.optimizers.schedules.ExponentialDecay(0.1, 1000, 0.5)
        >>> float(schedule(2000))
        0.025
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: int,
        decay_rate: float,
        staircase: bool = False,
        name: str = "ExponentialDecay",
    ) -> None:
        _positive(self, "decay_steps", decay_steps)
        self.initial_learning_rate = initial_learning_rate
        self.decay_steps = decay_steps
        self.decay_rate = decay_rate
        self.staircase = staircase
        self.name = name

    def __call__(self, step: TensorLike) -> Tensor:
        exponent = _float(step) / self.decay_steps
        if self.staircase:
            exponent = ops.floor(exponent)
        return self.initial_learning_rate * ops.power(float(self.decay_rate), exponent)


class InverseTimeDecay(LearningRateSchedule):
    """`initial_learning_rate / (1 + decay_rate * step / decay_steps)`.

    Args:
        initial_learning_rate: at the start.
        decay_steps: the unit of time, in updates.
        decay_rate: how fast it falls.
        staircase: whether to change only after every `decay_steps` updates.
        name: of the schedule.

    Raises:
        ValueError: if `decay_steps` is not positive.
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: int,
        decay_rate: float,
        staircase: bool = False,
        name: str = "InverseTimeDecay",
    ) -> None:
        _positive(self, "decay_steps", decay_steps)
        self.initial_learning_rate = initial_learning_rate
        self.decay_steps = decay_steps
        self.decay_rate = decay_rate
        self.staircase = staircase
        self.name = name

    def __call__(self, step: TensorLike) -> Tensor:
        time = _float(step) / self.decay_steps
        if self.staircase:
            time = ops.floor(time)
        return self.initial_learning_rate / (1.0 + self.decay_rate * time)


class PiecewiseConstantDecay(LearningRateSchedule):
    """One value up to each boundary, and one after the last.

    Args:
        boundaries: numbers of updates, in rising order; a value holds up to its boundary.
        values: learning rates, one more than boundaries.
        name: of the schedule.

    Raises:
        ValueError: if the lengths do not fit.

    Example:
        >>> schedule = keras.optimizers.schedules.PiecewiseConstantDecay([100], [0.1, 0.01])
        >>> float(schedule(100)), float(schedule(101))
        (0.1, 0.01)
    """

    def __init__(
        self,
        boundaries: Sequence[float],
        values: Sequence[float],
        name: str = "PiecewiseConstant",
    ) -> None:
        if len(boundaries) != len(values) - 1:
            raise ValueError(
                "PiecewiseConstantDecay needs one more value than boundaries. Received: "
                f"{len(boundaries)} boundaries and {len(values)} values"
            )
        self.boundaries = boundaries
        self.values = values
        self.name = name

    def __call__(self, step: TensorLike) -> Tensor:
        passed = ops.greater(_float(step), ops.convert_to_tensor(self.boundaries, "float32"))
        index = ops.sum(ops.cast(passed, "int32"))
        return ops.take(ops.convert_to_tensor(self.values, "float32"), index)


class PolynomialDecay(LearningRateSchedule):
    """From one learning rate to another: `(start - end) * (1 - step / decay_steps)**power + end`.

    Args:
        initial_learning_rate: at the start.
        decay_steps: how many updates it takes.
        end_learning_rate: at the end, and after it.
        power: 1 for a straight line.
        cycle: whether to stretch `decay_steps` to its next multiple once it is passed.
        name: of the schedule.

    Raises:
        ValueError: if `decay_steps` is not positive.
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: int,
        end_learning_rate: float = 0.0001,
        power: float = 1.0,
        cycle: bool = False,
        name: str = "PolynomialDecay",
    ) -> None:
        _positive(self, "decay_steps", decay_steps)
        self.initial_learning_rate = initial_learning_rate
        self.decay_steps = decay_steps
        self.end_learning_rate = end_learning_rate
        self.power = power
        self.cycle = cycle
        self.name = name

    def __call__(self, step: TensorLike) -> Tensor:
        step = _float(step)
        if self.cycle:
            cycles = ops.maximum(ops.ceil(step / self.decay_steps), 1.0)
            part = step / (cycles * self.decay_steps)
        else:
            part = ops.minimum(step, float(self.decay_steps)) / self.decay_steps
        span = self.initial_learning_rate - self.end_learning_rate
        return span * ops.power(1.0 - part, float(self.power)) + self.end_learning_rate


class CosineDecay(LearningRateSchedule):
    """Half a cosine wave down, after a straight rise where asked for.

    `start * ((1 - alpha) * (1 + cos(pi * step / decay_steps)) / 2 + alpha)`. Loshchilov and
    Hutter, https://arxiv.org/abs/1608.03983

    Args:
        initial_learning_rate: at the start.
        decay_steps: how many updates the fall takes.
        alpha: the part of the greatest rate that is left at the end.
        name: of the schedule.
        warmup_target: the rate to rise to first; None for no rise.
        warmup_steps: how many updates the rise takes.

    Raises:
        ValueError: if `decay_steps` is not positive.
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: int,
        alpha: float = 0.0,
        name: str = "CosineDecay",
        warmup_target: float | None = None,
        warmup_steps: int = 0,
    ) -> None:
        _positive(self, "decay_steps", decay_steps)
        self.initial_learning_rate = initial_learning_rate
        self.decay_steps = decay_steps
        self.alpha = alpha
        self.name = name
        self.warmup_target = warmup_target
        self.warmup_steps = warmup_steps

    def __call__(self, step: TensorLike) -> Tensor:
        step = _float(step)
        if self.warmup_target is None:
            return self._fall(step, self.initial_learning_rate)
        if self.warmup_steps == 0:
            return self._fall(step, self.warmup_target)
        span = self.warmup_target - self.initial_learning_rate
        rise = self.initial_learning_rate + span * step / self.warmup_steps
        fall = self._fall(step - self.warmup_steps, self.warmup_target)
        return ops.where(step < self.warmup_steps, rise, fall)

    def _fall(self, step: Tensor, start: float) -> Tensor:
        part = ops.minimum(step, float(self.decay_steps)) / self.decay_steps
        wave = 0.5 * (1.0 + ops.cos(math.pi * part))
        return start * ((1.0 - self.alpha) * wave + self.alpha)


class CosineDecayRestarts(LearningRateSchedule):
    """Half cosine waves down, one after the other: SGDR, https://arxiv.org/abs/1608.03983

    Args:
        initial_learning_rate: at the start.
        first_decay_steps: how many updates the first wave takes.
        t_mul: how much longer each wave is than the one before.
        m_mul: how much higher each wave starts than the one before.
        alpha: the part of the rate that is left at the end of a wave.
        name: of the schedule.

    Raises:
        ValueError: if `first_decay_steps` is not positive.
    """

    def __init__(
        self,
        initial_learning_rate: float,
        first_decay_steps: int,
        t_mul: float = 2.0,
        m_mul: float = 1.0,
        alpha: float = 0.0,
        name: str = "SGDRDecay",
    ) -> None:
        _positive(self, "first_decay_steps", first_decay_steps)
        self.initial_learning_rate = initial_learning_rate
        self.first_decay_steps = first_decay_steps
        self.t_mul = t_mul
        self.m_mul = m_mul
        self.alpha = alpha
        self.name = name

    def __call__(self, step: TensorLike) -> Tensor:
        waves = _float(step) / self.first_decay_steps
        if self.t_mul == 1.0:
            number = ops.floor(waves)
            part = waves - number
        else:
            # Wave n starts after (1 - t_mul**n) / (1 - t_mul) lengths of the first one.
            log = ops.log(1.0 - waves * (1.0 - self.t_mul)) / math.log(self.t_mul)
            number = ops.floor(log)
            length = ops.power(float(self.t_mul), number)
            part = (waves - (1.0 - length) / (1.0 - self.t_mul)) / length
        height = ops.power(float(self.m_mul), number)
        wave = 0.5 * height * (1.0 + ops.cos(math.pi * part))
        return self.initial_learning_rate * ((1.0 - self.alpha) * wave + self.alpha)


CATALOG = Catalog(
    "learning rate schedule",
    "keras.optimizers.schedules",
    [globals()[name] for name in __all__[:-2]],
    base=LearningRateSchedule,
)


def serialize(learning_rate_schedule: LearningRateSchedule) -> dict[str, Any]:
    """What a config holds for a schedule; `deserialize` takes it."""
    return CATALOG.serialize(learning_rate_schedule)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> LearningRateSchedule:
    """The schedule for what `serialize` gave.

    Args:
        config: a config or a name.
        custom_objects: name -> your own class.
    """
    return CATALOG.deserialize(config, custom_objects)
