"""`Discretization`: numbers as the numbers of the ranges that they fall into."""

from __future__ import annotations

from typing import Any

import numpy as np

from keraslite import ops
from keraslite.backend.foreign import host_array
from keraslite.core import dtypes
from keraslite.layers.preprocessing.base import Adaptable, EncodingLayer

__all__ = ["Discretization"]


class Discretization(Adaptable, EncodingLayer):
    """Numbers as the numbers of the bins that they fall into.

    Args:
        bin_boundaries: in rising order; n of them make n + 1 bins.
        num_bins: number of bins whose boundaries `adapt` finds, so that the bins hold equally
            many values.
        epsilon: how coarse the quantiles of `adapt` may be; a smaller one costs more memory.
        output_mode: `"int"`, or `"one_hot"`, `"multi_hot"`, `"count"` as `CategoryEncoding`.
        sparse: whether to return sparse tensors, where the engine has them.

    Example:
        >>> layer = keras.layers.Discretization(bin_boundaries=[0.0, 1.0, 2.0])
        >>> layer(np.array([[-1.5, 1.0, 3.4, 0.5]]))
        array([[0, 2, 3, 1]], dtype=int32)
    """

    def __init__(
        self,
        bin_boundaries: Any = None,
        num_bins: int | None = None,
        epsilon: float = 0.01,
        output_mode: str = "int",
        sparse: bool = False,
        dtype: Any = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, dtype=dtype, **kwargs)
        if (bin_boundaries is None) == (num_bins is None):
            # The config of an adapted layer has both.
            raise ValueError(
                "Discretization: give either `num_bins` or `bin_boundaries`. Received: "
                f"num_bins={num_bins}, bin_boundaries={bin_boundaries}"
            )
        if num_bins is not None and num_bins < 0:
            raise ValueError(
                f"Discretization: `num_bins` must not be negative. Received: num_bins={num_bins}"
            )
        self._set_mode(output_mode, sparse, ("int", "one_hot", "multi_hot", "count"))
        # Half precision cannot tell near boundaries apart.
        self.autocast = False
        self.num_bins = num_bins
        self.epsilon = epsilon
        self._given = bin_boundaries is not None
        self._boundaries: list[float] | None = None
        if bin_boundaries is not None:
            self._set_boundaries(host_array(bin_boundaries).tolist())
        #: What `adapt` knows so far: sorted values, and how many values each stands for.
        self.summary = np.zeros((2, 0), "float32")

    @property
    def bin_boundaries(self) -> list[float] | None:
        """The boundaries, given or learnt; None before `adapt`."""
        return self._boundaries

    def _set_boundaries(self, boundaries: list[float]) -> None:
        if sorted(boundaries) != boundaries:
            raise ValueError(
                "Discretization: `bin_boundaries` must be in rising order. "
                f"Received: bin_boundaries={boundaries}"
            )
        self._boundaries = boundaries

    @property
    def input_dtype(self) -> str:
        """The dtype that a model gives it: 32 bits at least."""
        return dtypes.promote(self.compute_dtype, "float32")

    @property
    def output_dtype(self) -> str:
        """The dtype of the outputs."""
        if self.output_mode != "int":
            return self.compute_dtype
        return "int32"

    @property
    def _output_dtype(self) -> str:
        return self.output_dtype

    @property
    def _depth(self) -> int | None:
        return self.num_bins if self._boundaries is None else len(self._boundaries) + 1

    # Learning ------------------------------------------------------------------------

    def adapt(self, data: Any, steps: int | None = None) -> None:
        """Find boundaries so that the bins hold equally many values.

        Args:
            data: an array, tensor or list, or an iterable of batches.
            steps: how many batches to take; all by default.
        """
        if self._given:
            raise ValueError(
                f"Layer {self.name!r} (Discretization) was given its `bin_boundaries`, so there is "
                "nothing to adapt. Give `num_bins` in their place."
            )
        super().adapt(data, steps)

    def reset_state(self) -> None:
        if not self._given:
            self.summary = np.zeros((2, 0), "float32")

    def update_state(self, data: Any) -> None:
        values = np.sort(host_array(data).ravel().astype("float32"))
        if not len(values):
            return
        step = max(values.size * self.epsilon, 1.0)
        values = values[int(step) - 1 :: int(step)]
        both = np.concatenate([self.summary, [values, np.full(values.size, step)]], axis=1)
        both = both[:, np.argsort(both[0], kind="stable")]
        self.summary = _compressed(both, self.epsilon).astype("float32")

    def finalize_state(self) -> None:
        if self._given or not self.summary.size:
            return
        assert self.num_bins is not None
        found = _compressed(self.summary, 1.0 / self.num_bins)[0, : self.num_bins - 1]
        self._boundaries = found.astype("float32").tolist()

    # Use -----------------------------------------------------------------------------

    def call(self, inputs: Any) -> Any:
        """The bins of numbers of any shape."""
        if self._boundaries is None:
            raise ValueError(
                f"Layer {self.name!r} (Discretization) has no bins yet. Call `layer.adapt(data)`, "
                "or give it `bin_boundaries`."
            )
        return self._encoded(ops.digitize(inputs, np.array(self._boundaries, "float32")))

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, and the boundaries that were learnt."""
        names = ("bin_boundaries", "num_bins", "epsilon", "output_mode", "sparse", "name", "dtype")
        return {name: getattr(self, name) for name in names}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Discretization:
        """A layer, adapted if the one that wrote the config was."""
        config = dict(config)
        learnt = None
        if config.get("num_bins") is not None:
            learnt = config.pop("bin_boundaries", None)
        layer = super().from_config(config)
        if learnt is not None:
            layer._set_boundaries(list(learnt))
        return layer


def _compressed(summary: np.ndarray, epsilon: float) -> np.ndarray:
    """A summary of at most `1 / epsilon` values, interpolated in the distribution."""
    if summary.shape[1] * epsilon < 1:
        return summary
    values, amounts = summary.astype("float64")
    below = np.cumsum(amounts)
    wanted = epsilon + np.arange(0.0, 1.0, epsilon)
    kept = np.interp(wanted, below / below[-1], values)
    return np.stack([kept, np.diff(np.interp(wanted, below / below[-1], below), prepend=0.0)])
