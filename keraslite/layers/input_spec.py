"""`InputSpec`: what a layer demands of its inputs."""

from __future__ import annotations

from typing import Any

from keraslite.core import dtypes, tree
from keraslite.core.errors import short

__all__ = ["InputSpec"]


class InputSpec:
    """Rank, shape and dtype that an input of a layer must have.

    Args:
        dtype: expected dtype.
        shape: expected shape, None for free sizes.
        ndim, max_ndim, min_ndim: expected number of axes.
        axes: axis -> expected size.
        allow_last_axis_squeeze: a last axis of size 1 may be missing or extra.
        name: key of the input when inputs are a dict.
        optional: the input may be None.

    Example:
        >>> keras.layers.InputSpec(min_ndim=2, axes={-1: 64})
        InputSpec(min_ndim=2, axes={-1: 64})
    """

    def __init__(
        self,
        dtype: Any = None,
        shape: Any = None,
        ndim: int | None = None,
        max_ndim: int | None = None,
        min_ndim: int | None = None,
        axes: dict[int, int | None] | None = None,
        allow_last_axis_squeeze: bool = False,
        name: str | None = None,
        optional: bool = False,
    ) -> None:
        self.dtype = None if dtype is None else dtypes.standardize_dtype(dtype)
        self.shape = None if shape is None else tuple(shape)
        self.ndim = ndim if self.shape is None else len(self.shape)
        self.max_ndim = max_ndim
        self.min_ndim = min_ndim
        self.axes = {int(k): v for k, v in (axes or {}).items()}
        self.allow_last_axis_squeeze = allow_last_axis_squeeze
        self.name = name
        self.optional = optional

    def get_config(self) -> dict[str, Any]:
        names = ("dtype", "shape", "ndim", "max_ndim", "min_ndim", "axes", "optional")
        return {name: getattr(self, name) for name in names}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> InputSpec:
        return cls(**config)

    def __repr__(self) -> str:
        shown = [f"{k}={v}" for k, v in self.get_config().items() if v]
        return f"InputSpec({', '.join(shown)})"

    def problem(self, shape: tuple[int | None, ...]) -> str | None:
        """What is wrong with an input of `shape`, or None."""
        rank = len(shape)
        if self.ndim is not None and rank != self.ndim and not self._squeezes(rank):
            return f"expected ndim={self.ndim}, found ndim={rank}"
        if self.max_ndim is not None and rank > self.max_ndim:
            return f"expected at most max_ndim={self.max_ndim}, found ndim={rank}"
        if self.min_ndim is not None and rank < self.min_ndim:
            return f"expected at least min_ndim={self.min_ndim}, found ndim={rank}"
        for axis, size in self.axes.items():
            if size is not None and -rank <= axis < rank and shape[axis] not in (size, None):
                return f"expected axis {axis} to have size {size}, found size {shape[axis]}"
        if self.shape is not None and not self._squeezes(rank):
            for axis, size in enumerate(self.shape):
                if size is not None and shape[axis] not in (size, None):
                    return f"expected shape={self.shape}, found shape={shape}"
        return None

    def _squeezes(self, rank: int) -> bool:
        return (
            self.allow_last_axis_squeeze
            and self.shape is not None
            and abs(rank - len(self.shape)) == 1
        )


def check_inputs(input_spec: Any, inputs: Any, layer: Any) -> None:
    """Raise a ValueError unless `inputs` fit the spec (or tree of specs) of `layer`."""
    specs = tree.flatten(input_spec)
    if isinstance(inputs, dict) and all(s.name is not None for s in specs):
        missing = [s.name for s in specs if s.name not in inputs and not s.optional]
        if missing:
            raise ValueError(
                f"Layer {layer.name!r} misses the input(s) {missing}. Expected keys: "
                f"{[s.name for s in specs]}. Received: {sorted(map(str, inputs))}"
            )
        values = [inputs.get(s.name) for s in specs]
    else:
        values = tree.flatten(inputs)
    if len(values) != len(specs):
        raise ValueError(
            f"Layer {layer.name!r} expects {len(specs)} input(s). Received: {len(values)}"
        )
    for spec, value in zip(specs, values, strict=True):
        if spec is None or (value is None and spec.optional):
            continue
        if not hasattr(value, "shape"):
            raise ValueError(
                f"Layer {layer.name!r} expects tensors. Received: {type(value).__name__}. "
                "Convert it with `numpy.asarray` first."
            )
        shape = tuple(value.shape)
        problem = spec.problem(shape)
        if problem is None and spec.dtype is not None:
            given = dtypes.standardize_dtype(value.dtype)
            problem = None if given == spec.dtype else f"expected dtype={spec.dtype}, found {given}"
        if problem is not None:
            hint = ""
            if spec.min_ndim == len(shape) + 1 or spec.ndim == len(shape) + 1:
                hint = " If the batch axis is missing, add it: `x[None]`."
            raise ValueError(
                short(
                    f"Input of layer {layer.name!r} ({type(layer).__name__}) does not fit: "
                    f"{problem}. Received: shape={shape}.{hint}"
                )
            )
