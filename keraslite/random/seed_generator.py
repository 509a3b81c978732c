"""`SeedGenerator`: random state in a variable, and the seeds drawn from it."""

from __future__ import annotations

import random
from typing import Any

import numpy as np

from keraslite.backend import engine
from keraslite.core.configurable import Configurable
from keraslite.core.errors import describe
from keraslite.core.keras_tensor import KerasTensor
from keraslite.core.naming import auto_name
from keraslite.core.op import Tensor
from keraslite.core.scopes import name_scope
from keraslite.core.variable import Variable
from keraslite.ops.arithmetic import add
from keraslite.ops.core import copy

#: Of seeds. Engines without arithmetic on uint32 choose another dtype.
SEED_DTYPE: str = getattr(engine.kernels, "seed_dtype", "uint32")


def make_default_seed() -> int:
    """A seed from Python's own generator, which `keras.utils.set_random_seed` seeds."""
    return random.randint(1, 10**9)


class SeedGenerator(Configurable, engine.StateBase):  # type: ignore[name-defined, misc]
    """A sequence of random seeds, with its state in a variable.

    Layers and compiled steps that draw random numbers hold one, so that each call draws
    other numbers and a run can be repeated.

    Args:
        seed: an int; None for one from Python's `random`.
        name: of the generator.

    Raises:
        ValueError: for a seed that is no int.

    Attributes:
        state: a variable with the seed and a counter.

    Example:
        >>> generator = keras.random.SeedGenerator(seed=42)
        >>> a = keras.random.normal((2,), seed=generator)
        >>> b = keras.random.normal((2,), seed=generator)  # not the same as `a`
    """

    def __init__(self, seed: int | None = None, name: str | None = None, **kwargs: Any) -> None:
        custom_backend = kwargs.pop("backend", None)
        if kwargs:
            raise TypeError(f"SeedGenerator got unexpected arguments: {', '.join(kwargs)}")
        if custom_backend is not None and custom_backend != engine.name:
            raise ValueError(
                f"SeedGenerator: only the chosen engine draws seeds. Received: "
                f"backend={custom_backend!r}, chosen is {engine.name!r}"
            )
        if seed is None:
            seed = make_default_seed()
        if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)):
            raise ValueError(f"SeedGenerator: `seed` must be an int. Received: {describe(seed)}")
        self.name = name or auto_name("seed_generator")
        self.seed = int(seed)
        self._step = np.array([0, 1], SEED_DTYPE)
        with name_scope(self.name, caller=self):
            self.state = Variable(
                _start(self.seed),
                dtype=SEED_DTYPE,
                trainable=False,
                autocast=False,
                aggregation="none",
                name="seed_generator_state",
            )

    def next(self, ordered: bool = True) -> Tensor:
        """The current state, to be used as a seed once; the counter goes on.

        Args:
            ordered: accepted for compatibility; seeds always come in order.

        Returns:
            An integer tensor of shape `(2,)`.
        """
        current = copy(self.state.value)
        self.state._store(add(current, self._step))
        return current

    def get_config(self) -> dict[str, Any]:
        """The seed it began with, and the name."""
        return {"seed": self.seed, "name": self.name}


def _start(seed: int) -> np.ndarray:
    return np.array([seed % 2**32, 0], SEED_DTYPE)


_global: SeedGenerator | None = None


def global_seed_generator() -> SeedGenerator:
    """The generator behind samplers that are given no seed."""
    global _global
    if _global is None:
        with engine.concrete():
            _global = SeedGenerator(name="global_seed_generator")
    return _global


def reset_global_seed_generator() -> None:
    """Let the next draw without a seed begin anew, from Python's `random`."""
    global _global
    _global = None


def draw_seed(seed: Any) -> Tensor:
    """A seed tensor for one use.

    Args:
        seed: an int (the same seed each time), a `SeedGenerator`, a seed tensor, or None
            for the global generator.

    Returns:
        An integer tensor of shape `(2,)`.

    Raises:
        ValueError: for anything else.
    """
    if isinstance(seed, SeedGenerator):
        return seed.next()
    if seed is None:
        return global_seed_generator().next()
    if isinstance(seed, (int, np.integer)) and not isinstance(seed, bool):
        return engine.convert(_start(int(seed)), SEED_DTYPE)
    if isinstance(seed, Variable):
        seed = seed.value
    if (engine.is_tensor(seed) or isinstance(seed, np.ndarray)) and tuple(seed.shape) == (2,):
        return engine.convert(seed, SEED_DTYPE)
    if isinstance(seed, KerasTensor):
        return seed
    raise ValueError(
        "`seed` must be an int, a SeedGenerator, an integer tensor of shape (2,) or None. "
        f"Received: {describe(seed)}"
    )
