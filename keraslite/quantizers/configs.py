"""How a layer or model is to be quantized."""

from __future__ import annotations

from typing import Any

from keraslite.core.configurable import Configurable
from keraslite.core.errors import describe
from keraslite.dtype_policies import MODES
from keraslite.quantizers.absmax import AbsMaxQuantizer


class QuantizationConfig(Configurable):
    """Base class of what `quantize(config=...)` takes.

    Args:
        weight_quantizer: in the place of the mode's own.
        activation_quantizer: for the inputs of layers; None leaves them as they are.
    """

    def __init__(self, weight_quantizer: Any = None, activation_quantizer: Any = None) -> None:
        self.weight_quantizer = weight_quantizer
        self.activation_quantizer = activation_quantizer

    @property
    def mode(self) -> str:
        """The name of the mode, `"int8"`."""
        raise NotImplementedError(
            "`QuantizationConfig` itself has no mode. Use one of its subclasses, such as "
            "`keras.quantizers.Int8QuantizationConfig`."
        )

    @staticmethod
    def weight_quantizer_or_default(config: QuantizationConfig | None, default: Any) -> Any:
        """The quantizer of weights in `config`, `default` when there is none."""
        return default if config is None else config.weight_quantizer or default

    @staticmethod
    def activation_quantizer_or_default(config: QuantizationConfig | None, default: Any) -> Any:
        """The quantizer of inputs in `config`; `default` without a config."""
        return default if config is None else config.activation_quantizer


class Int8QuantizationConfig(QuantizationConfig):
    """Weights in 8 bits, with a scale for each output.

    Args:
        weight_quantizer: by default from -127 to 127.
        activation_quantizer: for the inputs, by default the same; None leaves them.

    Example:
        >>> config = keras.quantizers.Int8QuantizationConfig(activation_quantizer=None)
        >>> model.quantize(config=config)
    """

    mode = "int8"  # type: ignore[assignment]

    def __init__(self, weight_quantizer: Any = None, activation_quantizer: Any = "default") -> None:
        if activation_quantizer == "default":
            activation_quantizer = AbsMaxQuantizer()
        super().__init__(weight_quantizer, activation_quantizer)


class Int4QuantizationConfig(QuantizationConfig):
    """Weights in 4 bits, two in a byte.

    Args:
        weight_quantizer: by default from -7 to 7; only without blocks.
        activation_quantizer: for the inputs; by default they stay as they are.
        block_size: how many weights of an output share a scale and a zero. None or -1 gives
            each output one scale and no zero.
    """

    mode = "int4"  # type: ignore[assignment]

    def __init__(
        self,
        weight_quantizer: Any = None,
        activation_quantizer: Any = "default",
        block_size: int | None = 128,
    ) -> None:
        if activation_quantizer == "default":
            activation_quantizer = None
        if block_size is not None and block_size != -1 and block_size < 1:
            raise ValueError(
                f"`block_size` must be None, -1 or a positive integer. Received: {block_size}"
            )
        super().__init__(weight_quantizer, activation_quantizer)
        self.block_size = block_size


class Float8QuantizationConfig(QuantizationConfig):
    """Products in float8 with scales that training adapts; weights stay as they are."""

    mode = "float8"  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__()


_CONFIGS = {
    c.mode: c for c in (Int8QuantizationConfig, Int4QuantizationConfig, Float8QuantizationConfig)
}


def config_for(mode: Any, config: Any) -> QuantizationConfig:
    """The one config that the arguments of `quantize` say.

    Raises:
        ValueError: for an unknown mode, or for one that is not that of the config.
    """
    if mode is None and config is None:
        raise ValueError("`quantize` needs a `mode`, such as 'int8', or a `config`.")
    if config is not None and not isinstance(config, QuantizationConfig):
        raise ValueError(
            "`config` must be a `keras.quantizers.QuantizationConfig`. "
            f"Received: {describe(config)}"
        )
    if mode is not None and mode not in MODES:
        raise ValueError(
            f"`mode` must be one of {', '.join(MODES)}. Received: mode={describe(mode)}"
        )
    if config is None:
        return _CONFIGS[mode]()
    if mode not in (None, config.mode):
        raise ValueError(
            f"`mode` and `config` must agree. Received: mode={mode!r}, config.mode={config.mode!r}"
        )
    return config
