"""Ops in saved graphs: Keras names a class for each (`"Add"`), with some arguments as its
config and the others as arguments of the call."""

from __future__ import annotations

import functools
import importlib
import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

from keraslite.core import tree
from keraslite.core.errors import UnsafeModelError, nearest, short
from keraslite.core.graph import Node, node_of
from keraslite.core.keras_tensor import KerasTensor
from keraslite.core.op import Op, OpCall

_MODULE = "keras.src.ops."

# Modules of the classes; every other class is in `numpy`, or where the op itself lives.
_MODULES = {
    "core": """
        cast convert_to_tensor saturate_cast scatter scatter_update slice slice_update
        stop_gradient unstack
    """,
    "math": """
        cdist erf erfc erfinv extract_sequences fft fft2 ifft2 in_top_k irfft istft logdet
        logsumexp rfft rsqrt segment_max segment_min segment_prod segment_sum stft top_k
        view_as_complex view_as_real
    """,
    "linalg": """
        cholesky cholesky_inverse det eig eigh inv lstsq lu_factor matrix_rank norm pinv qr
        solve solve_triangular svd
    """,
    "einops": "rearrange",
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names.split()}

# Classes whose name is not the op's in CamelCase.
_CLASSES = {
    "abs": "Absolute",
    "allclose": "AllClose",
    "batch_normalization": "BatchNorm",
    "cdist": "CDist",
    "conj": "Conjugate",
    "ctc_decode": "CTCDecode",
    "ctc_loss": "CTCLoss",
    "extract_patches_3d": "ExtractPatches",
    "fft": "FFT",
    "fft2": "FFT2",
    "hard_swish": "HardSilu",
    "hsv_to_rgb": "HSVToRGB",
    "ifft2": "IFFT2",
    "irfft": "IRFFT",
    "isin": "IsIn",
    "istft": "ISTFT",
    "layer_normalization": "LayerNorm",
    "psnr": "PSNR",
    "rfft": "RFFT",
    "rgb_to_grayscale": "RGBToGrayscale",
    "rgb_to_hsv": "RGBToHSV",
    "rms_normalization": "RMSNorm",
    "searchsorted": "SearchSorted",
    "ssim": "SSIM",
    "stft": "STFT",
    "svd": "SVD",
    "swish": "Silu",
}
# Two ops of one class: files mean this one.
_PREFERRED = {
    "Absolute": "absolute",
    "Conjugate": "conjugate",
    "ExtractPatches": "extract_patches",
    "HardSilu": "hard_silu",
    "Silu": "silu",
}
# Arguments of the call where they are not just the tensors; all others are the config.
_CALLED_WITH = {
    "bincount": ("x",),
    "clip": ("x",),
    "dot_product_attention": ("query", "key", "value", "bias", "mask", "scale"),
    "get_item": ("x", "key"),
    "isclose": ("x1", "x2", "rtol", "atol"),
    "nan_to_num": ("x",),
    "nanpercentile": ("x", "q"),
    "nanquantile": ("x", "q"),
    "pad": ("x", "constant_values"),
    "percentile": ("x", "q"),
    "quantile": ("x", "q"),
    "rearrange": ("tensor", "pattern"),
    "scale_and_translate": ("images", "output_shape", "scale", "translation"),
    "slice": ("inputs", "start_indices"),
    "slice_update": ("inputs", "start_indices", "updates"),
    "trapezoid": ("y",),
}
_NO_NODES = ("_", "convert_to_numpy", "is_tensor")
# Ops that call what they are given, which no file may bring.
_OF_FUNCTIONS = {f"keraslite.ops.{name}" for name in ("control", "gradients", "vectorization")}
# An argument of the op whose items are keywords of the call.
_KEYWORDS = {"rearrange": "axes_lengths"}


def _class_of(name: str) -> str:
    """The class that stands for the op called `name` in files and tables."""
    camel = "".join(word[:1].upper() + word[1:] for word in name.split("_"))
    return _CLASSES.get(name, camel)


def class_name(op: Op) -> str:
    """The name of the class that stands for the op in files and tables."""
    return _class_of(op.name)


def _before_variadic(function: Callable[..., Any]) -> list[str] | None:
    """The parameters in front of `*operands`; None for a function without one."""
    names: list[str] = []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind is parameter.VAR_POSITIONAL:
            return names
        names.append(parameter.name)
    return None


def _called_with(op: Op) -> tuple[str, ...]:
    tensors = tuple(op.parameters[i].name for i, _ in op.tensors)
    return _CALLED_WITH.get(op.name, tensors)


# Writing -------------------------------------------------------------------------------


def _bound(call: OpCall, node: Node | None = None) -> dict[str, Any]:
    """All arguments of a recorded op by name; tensors only where a node is given."""
    tensors = iter(node.args if node is not None else ())
    where = {i for i, _ in call.op.tensors}
    return {
        p.name: next(tensors, None) if i in where else call.static[p.name]
        for i, p in enumerate(call.op.parameters)
    }


def op_entry(call: OpCall) -> dict[str, Any]:
    """What a file holds for a recorded op, without its calls."""
    from keraslite.core.serialization import serialize_value

    name = call.op.name
    area = call.op.function.__module__.split(".")[2:3]
    own = area[0] if area and area[0] in ("nn", "image") else "numpy"
    nodes = call._inbound_nodes
    arguments = _bound(call, nodes[0] if nodes else None)
    called = _called_with(call.op)
    left_out = (*called, _KEYWORDS.get(name))
    config = {k: serialize_value(v) for k, v in arguments.items() if k not in left_out}
    kind = class_name(call.op)
    if kind not in _functions():
        raise ValueError(
            f"The op {name!r} of the graph has no place in files. Put the code around it into "
            "the `call` of a registered Layer."
        )
    return {
        "module": _MODULE + _MODULE_OF.get(name, own),
        "class_name": kind,
        "config": {"name": call.name, **config},
        "registered_name": kind,
    }


def op_arguments(node: Node) -> tuple[tuple, dict[str, Any]]:
    """The arguments that a file holds for one call of an operation; tensors as they are."""
    call = node.operation
    if not isinstance(call, OpCall):
        return node.args, node.kwargs
    arguments = _bound(call, node)
    values = tuple(arguments[name] for name in _called_with(call.op))
    variadic = _before_variadic(_functions()[class_name(call.op)]) is not None
    keywords = dict(arguments.get(_KEYWORDS.get(call.op.name, ""), {}))
    return (tuple(values[0]) if variadic else values), keywords


# Reading -------------------------------------------------------------------------------


class RestoredOp:
    """An op named by a file: called on symbolic tensors it records itself in the graph.

    Args:
        function: the public op.
        config: the arguments that belong to all calls; `name` among them.
    """

    def __init__(self, function: Callable[..., Any], config: dict[str, Any]) -> None:
        self.function = function
        self.config = {k: _tuples(v) for k, v in config.items() if k != "name"}
        self.name = config.get("name") or function.__name__
        self._inbound_nodes: list[Any] = []

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        args, kwargs = _tuples(args), {k: _tuples(v) for k, v in kwargs.items()}
        if not any(isinstance(x, KerasTensor) for x in tree.flatten((args, kwargs))):
            raise UnsafeModelError(f"The op {self.name!r} of the graph is called on no tensor.")
        try:
            args, kwargs = self._arguments(args, kwargs)
            outputs = self.function(*args, **kwargs)
        except TypeError as error:
            raise self._unfit(error) from error
        leaves = [x for x in tree.flatten(outputs) if isinstance(x, KerasTensor)]
        node = node_of(leaves[0])
        if (
            node is not None
            and len(node.outputs) == len(leaves)
            and isinstance(node.operation, OpCall)
        ):
            node.operation.name = self.name
        self._inbound_nodes.append(node)
        return outputs

    def _arguments(self, args: tuple, kwargs: dict[str, Any]) -> tuple[tuple, dict[str, Any]]:
        """Those of the call and those of the config, as the function takes them."""
        first = _before_variadic(self.function)
        if first is not None:
            rest = {k: v for k, v in self.config.items() if k not in first}
            return (*(self.config[k] for k in first if k in self.config), *args), rest
        names = [n for n in inspect.signature(self.function).parameters if n not in self.config]
        called = _CALLED_WITH.get(self.function.__name__, ())
        names = [*called, *(n for n in names if n not in called)]
        return (), {**self.config, **dict(zip(names, args, strict=False)), **kwargs}

    def _unfit(self, error: TypeError) -> TypeError:
        valid = list(inspect.signature(self.function).parameters)
        unknown = [k for k in self.config if k not in valid]
        hint = f" {unknown[0]!r} is no argument.{nearest(unknown[0], valid)}" if unknown else ""
        return TypeError(
            short(f"The op {self.name!r} of the graph ({self.function.__name__}): {error}.{hint}")
        )


def _tuples(value: Any) -> Any:
    """Lists of numbers, as JSON has them, as the tuples they were."""
    if isinstance(value, (list, tuple)):
        items = [_tuples(v) for v in value]
        tensors = any(isinstance(v, KerasTensor) for v in tree.flatten(items))
        return items if tensors and isinstance(value, list) else tuple(items)
    return value


@functools.cache
def _functions() -> dict[str, Callable[..., Any]]:
    """Class name -> public op; the only functions that the graph of a file may call."""
    # By name: the core is below the ops.
    ops = importlib.import_module("keraslite.ops")
    found: dict[str, Callable[..., Any]] = {}
    areas = (ops, ops.image)
    for area in areas:
        for name, function in vars(area).items():
            module = getattr(function, "__module__", "")
            ours = module.startswith("keraslite.ops.") and module not in _OF_FUNCTIONS
            if ours and inspect.isfunction(function) and not name.startswith(_NO_NODES):
                found[_class_of(name)] = function
    for class_name, name in _PREFERRED.items():
        for area in areas:
            if hasattr(area, name):
                found[class_name] = getattr(area, name)
    return found


def op_function(name: str) -> Callable[..., Any] | None:
    """The public op called `name`."""
    return _functions().get(_class_of(name))


class OpMaker(NamedTuple):
    """From the config of a file's op to the op."""

    function: Callable[..., Any]

    def __call__(self, config: dict[str, Any]) -> RestoredOp:
        from keraslite.core.serialization import deserialize_value

        return RestoredOp(self.function, {k: deserialize_value(v) for k, v in config.items()})


def op_maker(class_name: str, module: str) -> OpMaker | None:
    """What makes the op of a class; None when the class is none of an op."""
    if not module.startswith((_MODULE, "keras.ops.", "keras.operations.")):
        return None
    function = _functions().get(class_name)
    return None if function is None else OpMaker(function)
