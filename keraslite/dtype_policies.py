"""Dtype policies: in which dtype a layer computes and in which it keeps its variables.

Mixed precision after Micikevicius et al., https://arxiv.org/abs/1710.03740
"""

from __future__ import annotations

from typing import Any

from keraslite import config
from keraslite.backend import engine
from keraslite.core import dtypes
from keraslite.core.errors import describe
from keraslite.core.keras_tensor import KerasTensor

_MIXED = {"mixed_float16": "float16", "mixed_bfloat16": "bfloat16"}


class DTypePolicy:
    """The dtypes of a layer.

    Args:
        name: a dtype such as `"float32"`, or `"mixed_float16"` / `"mixed_bfloat16"`:
            computation in 16 bits, variables in float32. None for the global policy.

    Raises:
        ValueError: for another name.

    Example:
        >>> policy = keras.DTypePolicy("mixed_bfloat16")
        >>> policy.compute_dtype, policy.variable_dtype
        ('bfloat16', 'float32')
    """

    def __init__(self, name: str | None = None) -> None:
        if name is None:
            name = dtype_policy().name
        if not isinstance(name, str):
            raise TypeError(
                f"`name` must be a string such as 'float32'. Received: {describe(name)}"
            )
        self._name = name
        if name in _MIXED:
            self._compute_dtype, self._variable_dtype = _MIXED[name], "float32"
        else:
            try:
                self._compute_dtype = self._variable_dtype = dtypes.standardize_dtype(name)
            except ValueError as error:
                raise ValueError(
                    f"Unknown dtype policy {name!r}. Expected a dtype such as 'float32', or "
                    f"one of {', '.join(_MIXED)}."
                ) from error

    @property
    def name(self) -> str:
        return self._name

    @property
    def compute_dtype(self) -> str:
        """The dtype that layers compute in and cast their inputs to."""
        return self._compute_dtype

    @property
    def variable_dtype(self) -> str:
        """The dtype of the layer's variables."""
        return self._variable_dtype

    @property
    def quantization_mode(self) -> str | None:
        """None: this policy does not quantize."""
        return None

    def convert_input(self, x: Any, autocast: bool, dtype: str) -> Any:
        """`x` as a tensor, floats cast to `dtype` when `autocast` is set."""
        if isinstance(x, KerasTensor):
            if autocast and x.dtype != dtype and dtypes.is_float(x.dtype):
                from keraslite import ops

                return ops.cast(x, dtype)
            return x
        found = x if engine.is_tensor(x) else None
        if found is None:
            given = getattr(x, "dtype", None)
            if given is not None and str(given)[:1] in "<>|" and dtypes.is_float(given):
                return engine.convert(x, dtype if autocast else None)
            found = engine.convert(x)
        name = engine.dtype(found)
        if autocast and name != dtype and name in dtypes.FLOATS:
            return engine.cast(found, dtype)
        return found

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> DTypePolicy:
        return cls(**config)

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.name == self.name

    def __hash__(self) -> int:
        return hash((type(self), self.name))

    def __repr__(self) -> str:
        return f'<{type(self).__name__} "{self.name}">'


FloatDTypePolicy = DTypePolicy

_global: DTypePolicy | None = None


def dtype_policy() -> DTypePolicy:
    """The policy of layers that are made without one."""
    return _global or DTypePolicy(config.floatx())


def set_dtype_policy(policy: str | DTypePolicy) -> None:
    """Set the policy of layers that are made without one.

    Example:
        >>> keras.config.set_dtype_policy("mixed_bfloat16")
    """
    global _global
    _global = get(policy)


def get(identifier: Any) -> DTypePolicy:
    """A policy from a name, dtype, config or policy; None gives the global one."""
    if identifier is None:
        return dtype_policy()
    if isinstance(identifier, DTypePolicy):
        return identifier
    if isinstance(identifier, dict):
        return deserialize(identifier)
    if isinstance(identifier, str) and identifier in _MIXED:
        return DTypePolicy(identifier)
    try:
        return DTypePolicy(dtypes.standardize_dtype(identifier))
    except ValueError as error:
        raise ValueError(
            f"Cannot make a dtype policy of {describe(identifier)}. Expected a dtype such as "
            f"'float32', one of {', '.join(_MIXED)}, or a `DTypePolicy`."
        ) from error


def serialize(dtype_policy: DTypePolicy) -> dict[str, Any]:
    """The config of a policy."""
    from keraslite.core.serialization import serialize_keras_object

    return serialize_keras_object(dtype_policy)


def deserialize(
    config: dict[str, Any], custom_objects: dict[str, Any] | None = None
) -> DTypePolicy:
    """A policy from its config."""
    from keraslite.core.serialization import deserialize_keras_object

    return deserialize_keras_object(config, custom_objects=custom_objects)


__all__ = ["DTypePolicy", "FloatDTypePolicy", "deserialize", "get", "serialize"]
