"""Low-rank updates: a frozen weight and two thin matrices that are trained in its place.

Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", https://arxiv.org/abs/2106.09685
"""

from __future__ import annotations

from typing import Any

import numpy as np

from keraslite import ops
from keraslite.core.variable import Variable
from keraslite.layers.options import WeightedLayer


class LowRankLayer(WeightedLayer):
    """A layer with one main weight, which may get a low-rank update.

    The weight is the variable `_kernel` of a layer whose `_main` is `"kernel"`; the property
    `kernel` is what the layer computes with.
    """

    #: The name of the main weight.
    _main = "kernel"
    #: Whether the main weight is anything else than a plain variable.
    _altered = False
    lora_enabled = False
    lora_rank: int | None = None
    lora_alpha: float | None = None

    _not_in_config = frozenset({"lora_rank", "lora_alpha"})

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        # Files and summaries look at attributes; this one is computed.
        cls._not_tracked = cls._not_tracked | {cls._main}

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        if self.lora_rank:
            config.update(lora_rank=self.lora_rank, lora_alpha=self.lora_alpha)
        return config

    get_config._derived = True  # type: ignore[attr-defined]

    def enable_lora(
        self,
        rank: int,
        lora_alpha: float | None = None,
        a_initializer: Any = "he_uniform",
        b_initializer: Any = "zeros",
    ) -> None:
        """Freeze the main weight and train `lora_alpha / rank * a @ b`, which is added to it.

        Args:
            rank: the inner size of `a @ b`.
            lora_alpha: how strong the update is; by default as `rank`.
            a_initializer, b_initializer: initial values; `a @ b` is zero by default.

        Raises:
            ValueError: for a layer that is not built, has an update already, or whose weight
                has a constraint.

        Example:
            >>> layer.enable_lora(rank=4)
            >>> [w.name for w in layer.trainable_weights]
            ['bias', 'lora_kernel_a', 'lora_kernel_b']
        """
        if not self.built:
            raise ValueError(
                f"Layer {self.name!r} must be built before `enable_lora`: call it on data, or "
                "call `build`."
            )
        if self.lora_enabled:
            raise ValueError(f"Layer {self.name!r} has a low-rank update already.")
        with self._adding_state():
            self._add_low_rank(rank, lora_alpha, a_initializer, b_initializer)

    def _add_low_rank(
        self,
        rank: int,
        alpha: float | None = None,
        a_initializer: Any = "he_uniform",
        b_initializer: Any = "zeros",
    ) -> None:
        where = f"Layer {self.name!r} ({type(self).__name__})"
        if isinstance(rank, bool) or not hasattr(rank, "__index__") or rank < 1:
            raise ValueError(f"{where}: the rank must be a positive integer. Received: {rank!r}")
        if getattr(self, f"{self._main}_constraint", None) is not None:
            raise ValueError(
                f"{where} cannot have a low-rank update and a `{self._main}_constraint`: the "
                "constraint would not see the update. Leave one of them out."
            )
        self._check_low_rank_with(self.quantization_mode)
        shape = self._main_shape
        regularizer = getattr(self, f"{self._main}_regularizer", None)
        for letter, sizes, initializer in (
            ("a", (*shape[:-1], rank), a_initializer),
            ("b", (rank, shape[-1]), b_initializer),
        ):
            name = f"lora_{self._main}_{letter}"
            variable = self.add_weight(
                name=name, shape=sizes, initializer=initializer, regularizer=regularizer
            )
            setattr(self, name, variable)
        self._main_variable.trainable = False
        self.lora_rank, self.lora_alpha = rank, rank if alpha is None else alpha
        self.lora_enabled = self._altered = True

    def _finish_build(self) -> None:
        """Create what comes after all other weights."""
        if self.lora_rank:
            self._add_low_rank(self.lora_rank, self.lora_alpha)

    def _check_low_rank_with(self, mode: str | None) -> None:
        """Raise for a kind of quantization that a merged update would undo."""
        if mode in ("float8", "gptq", "awq"):
            raise NotImplementedError(
                f"Layer {self.name!r} ({type(self).__name__}): no low-rank update together with "
                f"{mode}."
            )

    @property
    def _main_variable(self) -> Variable:
        """The variable that holds the main weight."""
        return getattr(self, f"_{self._main}")

    def _low_rank_variables(self) -> list[Variable]:
        names = (f"lora_{self._main}_{letter}" for letter in "ab")
        return [getattr(self, name) for name in names] if self.lora_enabled else []

    def _low_rank(self, a: Any = None) -> Any:
        """`lora_alpha / rank * a @ b`: the update, or some rows of it."""
        first, second = self._low_rank_variables()
        update = ops.matmul(first if a is None else a, second)
        return ops.multiply(update, self.lora_alpha / self.lora_rank)

    def _base_weight(self) -> Any:
        """The main weight without the update."""
        return self._main_variable

    def _weight(self) -> Any:
        """What the main property gives: the variable, or the tensor that stands for it."""
        variable = vars(self).get(f"_{self._main}")
        if variable is None:
            raise AttributeError(
                f"Layer {self.name!r} has no `{self._main}` before it is built: call it on data, "
                "or call `build`."
            )
        base = self._base_weight()
        return ops.add(base, self._low_rank()) if self.lora_enabled else base

    # Files ---------------------------------------------------------------------------

    def _variables_in_file(self) -> list[Variable]:
        update = {id(v) for v in self._low_rank_variables()}
        return [v for v in super()._variables_in_file() if id(v) not in update]

    def _merged(self) -> dict[int, np.ndarray]:
        """What files hold in the place of variables, by their identity: the update is in it."""
        if not self.lora_enabled:
            return {}
        merged = ops.add(self._main_variable.value, self._low_rank())
        return {id(self._main_variable): ops.convert_to_numpy(merged)}

    def _values_in_file(self) -> list[Any]:
        merged = self._merged()
        return [merged.get(id(v), v) for v in self._variables_in_file()]

    def _loaded(self) -> None:
        """The file's weight has its update in it."""
        for variable in self._low_rank_variables():
            variable.assign(np.zeros(variable.shape, variable.dtype))


def main_weight(name: str) -> property:
    """The public property of a layer's main weight."""

    def read(self: Any) -> Any:
        return self._weight()

    def write(self: Any, value: Any) -> None:
        # A subclass may make the weight in a `build` of its own.
        setattr(self, f"_{name}", value)
        self._main_shape = tuple(value.shape)

    return property(read, write, doc=f"The `{name}`, as the layer computes with it.")
