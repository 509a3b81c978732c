"""Quantizers, and the configs that say how a layer or model is quantized."""

from __future__ import annotations

from typing import Any

from keraslite.core.registry import Catalog
from keraslite.quantizers.absmax import (
    AbsMaxQuantizer,
    Quantizer,
    abs_max_quantize,
    abs_max_quantize_grouped_with_zero_point,
    pack_int4,
    unpack_int4,
)
from keraslite.quantizers.configs import (
    AWQConfig,
    Float8QuantizationConfig,
    GPTQConfig,
    Int4QuantizationConfig,
    Int8QuantizationConfig,
    QuantizationConfig,
)
from keraslite.quantizers.rounding import (
    compute_float8_amax_history,
    compute_float8_scale,
    fake_quant_with_min_max_vars,
    quantize_and_dequantize,
)

CATALOG = Catalog(
    kind="quantizer",
    module="keras.quantizers",
    objects=[AbsMaxQuantizer, Quantizer],
    base=Quantizer,
)


def get(identifier: Any, **kwargs: Any) -> Any:
    """The quantizer that `identifier` stands for.

    Args:
        identifier: None, a name, a config, a class or a quantizer.
        kwargs: arguments of the constructor, for a name or a class.

    Raises:
        ValueError: for an unknown name.

    Example:
        >>> keras.quantizers.get("abs_max_quantizer", axis=0)
    """
    if kwargs:
        found = CATALOG.find(identifier) if isinstance(identifier, str) else identifier
        if isinstance(found, type):
            identifier = found(**kwargs)
    return CATALOG.get(identifier)


def serialize(initializer: Any) -> Any:
    """What configs hold for a quantizer."""
    return CATALOG.serialize(initializer)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """The quantizer for what `serialize` gave.

    Args:
        config: a name or a config.
        custom_objects: name -> class that the config may name.
    """
    return CATALOG.deserialize(config, custom_objects)


__all__ = [
    "AWQConfig",
    "AbsMaxQuantizer",
    "Float8QuantizationConfig",
    "GPTQConfig",
    "Int4QuantizationConfig",
    "Int8QuantizationConfig",
    "QuantizationConfig",
    "Quantizer",
    "abs_max_quantize",
    "abs_max_quantize_grouped_with_zero_point",
    "compute_float8_amax_history",
    "compute_float8_scale",
    "deserialize",
    "fake_quant_with_min_max_vars",
    "get",
    "pack_int4",
    "quantize_and_dequantize",
    "serialize",
    "unpack_int4",
]
