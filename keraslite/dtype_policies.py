"""Dtype policies: in which dtype a layer computes and in which it keeps its variables.

Mixed precision after Micikevicius et al., https://arxiv.org/abs/1710.03740
"""

from __future__ import annotations

import re
from collections.abc import Iterator, MutableMapping
from typing import Any

from keraslite import config
from keraslite.backend import engine
from keraslite.core import dtypes
from keraslite.core.errors import check_choice, describe
from keraslite.core.keras_tensor import KerasTensor

#: How layers can be quantized.
MODES = ("int8", "int4", "float8", "gptq", "awq")
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
        return type(other) is type(self) and other.get_config() == self.get_config()

    def __hash__(self) -> int:
        return hash((type(self), self.name))

    def __repr__(self) -> str:
        return f'<{type(self).__name__} "{self.name}">'


FloatDTypePolicy = DTypePolicy


class QuantizedDTypePolicy(DTypePolicy):
    """A policy of a quantized layer.

    Args:
        mode: how it is quantized: `"int8"`, `"int4"` or `"float8"`.
        source_name: the policy that it had before; None for the global one.

    Raises:
        ValueError: for another mode, and for float16 with whole numbers, which overflows.

    Example:
        >>> keras.dtype_policies.get("int8_from_mixed_bfloat16").quantization_mode
        'int8'
    """

    _modes = ("int8", "int4", "float8")

    def __init__(self, mode: str, source_name: str | None = None) -> None:
        self._check_mode(mode)
        super().__init__(source_name)
        if mode.startswith("int") and self._compute_dtype == "float16":
            raise ValueError(
                f"The mode {mode!r} does not work with float16, which overflows. Use bfloat16 or "
                f"float32. Received: source_name={self._name!r}"
            )
        self._mode, self._source_name = mode, self._name
        self._name = f"{mode}_from_{self._name}"

    def _check_mode(self, mode: Any) -> None:
        check_choice(self, self._modes, mode=mode)

    @property
    def quantization_mode(self) -> str:
        """How the layer is quantized."""
        return self._mode.partition("/")[0]

    def get_config(self) -> dict[str, Any]:
        return {"mode": self._mode, "source_name": self._source_name}


class QuantizedFloat8DTypePolicy(QuantizedDTypePolicy):
    """A policy of a layer that multiplies in float8.

    Args:
        mode: `"float8"`.
        source_name: the policy that it had before; None for the global one.
        amax_history_length: how many steps the scales look back.
    """

    def __init__(
        self, mode: str, source_name: str | None = None, amax_history_length: int = 1024
    ) -> None:
        super().__init__(mode, source_name)
        if not isinstance(amax_history_length, int):
            raise TypeError(
                "`amax_history_length` must be an integer. "
                f"Received: {describe(amax_history_length)}"
            )
        self._amax_history_length = amax_history_length

    @property
    def amax_history_length(self) -> int:
        """How many steps the scales look back."""
        return self._amax_history_length

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "amax_history_length": self.amax_history_length}


class Int4DTypePolicy(QuantizedDTypePolicy):
    """A policy of a layer with weights in 4 bits, whose mode says the size of blocks.

    Args:
        mode: `"int4/128"`, or `"int4/-1"` without blocks.
        source_name: the policy that it had before; None for the global one.
    """

    def _check_mode(self, mode: Any) -> None:
        self.mode = "int4"
        (self.block_size,) = _numbers_in(mode, "int4/128")


class GPTQDTypePolicy(QuantizedDTypePolicy):
    """A policy of a layer whose weights GPTQ has fitted; see `keras.quantizers.GPTQConfig`.

    Args:
        mode: `"gptq/4/128"`: the bits of a weight (2, 3, 4 or 8) and the size of groups, -1 for
            one group.
        source_name: the policy that it had before; None for the global one.

    Example:
        >>> keras.dtype_policies.get("gptq/4/128_from_float32").group_size
        128
    """

    _form, _bits = "gptq/4/128", (2, 3, 4, 8)

    def _check_mode(self, mode: Any) -> None:
        self.weight_bits, self.group_size = _numbers_in(mode, self._form, self._bits)
        self.mode = self._form.partition("/")[0]


class AWQDTypePolicy(GPTQDTypePolicy):
    """A policy of a layer whose weights AWQ has fitted; see `keras.quantizers.AWQConfig`.

    Args:
        mode: `"awq/4/128"`: 4 bits, and the size of groups, -1 for one group.
        source_name: the policy that it had before; None for the global one.
    """

    _form, _bits = "awq/4/128", (4,)


def _numbers_in(mode: Any, form: str, bits: tuple[int, ...] = ()) -> list[int]:
    """The numbers in a mode that looks like `form`; the last one is a size, or -1."""
    name, *parts = str(mode).split("/")
    found = [int(n) if n.removeprefix("-").isdecimal() else 0 for n in parts]
    expected, *others = form.split("/")
    if (
        name != expected
        or len(found) != len(others)
        or not (found[-1] > 0 or found[-1] == -1)
        or (bits and found[0] not in bits)
    ):
        allowed = f", with {' or '.join(map(str, bits))} bits" if bits else ""
        raise ValueError(
            f"`mode` must look like {form!r}{allowed}; -1 stands for no blocks. "
            f"Received: mode={mode!r}"
        )
    return found


class DTypePolicyMap(DTypePolicy, MutableMapping):
    """A policy for each layer, by its path.

    Args:
        default_policy: of layers that are not listed; None for the global one.
        policy_map: path or regular expression for paths -> policy.

    Example:
        >>> policies = keras.dtype_policies.DTypePolicyMap()
        >>> policies["model/head"] = keras.DTypePolicy("mixed_bfloat16")
        >>> model = make_model(dtype=policies)
    """

    def __init__(
        self, default_policy: Any = None, policy_map: dict[str, DTypePolicy] | None = None
    ) -> None:
        if policy_map is not None and not isinstance(policy_map, dict):
            raise TypeError(f"`policy_map` must be a dict. Received: {describe(policy_map)}")
        self._given = None if default_policy is None else get(default_policy)
        self._policy_map = {path: get(policy) for path, policy in (policy_map or {}).items()}

    @property
    def default_policy(self) -> DTypePolicy:
        """The policy of layers that are not listed."""
        return self._given or dtype_policy()

    @property
    def name(self) -> str:
        return f"map_{self.default_policy.name}"

    @property
    def compute_dtype(self) -> str:
        return self.default_policy.compute_dtype

    @property
    def variable_dtype(self) -> str:
        return self.default_policy.variable_dtype

    @property
    def quantization_mode(self) -> str | None:
        return self.default_policy.quantization_mode

    def __getitem__(self, key: str) -> DTypePolicy:
        """The policy of a path.

        Raises:
            ValueError: when several expressions fit it.
        """
        if key in self._policy_map:
            return self._policy_map[key]
        fitting = [p for p in self._policy_map if re.fullmatch(p, key)]
        if len(fitting) > 1:
            raise ValueError(
                f"The path {key!r} fits several keys of the `DTypePolicyMap`: {fitting}. Make them "
                "exclude each other, or add the path itself."
            )
        return self._policy_map[fitting[0]] if fitting else self.default_policy

    def __setitem__(self, key: str, policy: Any) -> None:
        if key in self._policy_map:
            raise ValueError(
                f"The `DTypePolicyMap` has {key!r} already: {self._policy_map[key]}. Delete it "
                "first."
            )
        self._policy_map[key] = get(policy)

    def __delitem__(self, key: str) -> None:
        del self._policy_map[key]

    def __contains__(self, key: object) -> bool:
        return key in self._policy_map

    def __len__(self) -> int:
        return len(self._policy_map)

    def __iter__(self) -> Iterator[str]:
        return iter(self._policy_map)

    def get_config(self) -> dict[str, Any]:
        given = None if self._given is None else serialize(self._given)
        policies = {path: serialize(policy) for path, policy in self._policy_map.items()}
        return {"default_policy": given, "policy_map": policies}

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None
    ) -> DTypePolicyMap:
        from keraslite.core.serialization import check_patterns_of

        def read(value: Any) -> Any:
            return deserialize(value, custom_objects) if isinstance(value, dict) else value

        check_patterns_of(config, "policy_map")
        policies = {path: read(value) for path, value in config["policy_map"].items()}
        return cls(read(config["default_policy"]), policies)

    __eq__ = DTypePolicy.__eq__
    __hash__ = DTypePolicy.__hash__


def quantized_policy(mode: str, source_name: str) -> QuantizedDTypePolicy:
    """The policy of a layer that is quantized: `mode` is `"int8"`, `"int4/128"`, `"float8"`..."""
    name, slash, _ = mode.partition("/")
    with_numbers = {"int4": slash and Int4DTypePolicy, "float8": QuantizedFloat8DTypePolicy}
    with_numbers |= {"gptq": GPTQDTypePolicy, "awq": AWQDTypePolicy}
    return (with_numbers.get(name) or QuantizedDTypePolicy)(mode, source_name)


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
    if isinstance(identifier, str) and "_from_" in identifier:
        mode, _, source = identifier.partition("_from_")
        return quantized_policy(mode, source)
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


__all__ = [
    "AWQDTypePolicy",
    "DTypePolicy",
    "DTypePolicyMap",
    "FloatDTypePolicy",
    "GPTQDTypePolicy",
    "Int4DTypePolicy",
    "QuantizedDTypePolicy",
    "QuantizedFloat8DTypePolicy",
    "deserialize",
    "get",
    "serialize",
]
