"""Functions of TensorFlow in the graphs of tf.keras, as ops: those of a table, and no others."""

from __future__ import annotations

import json
from typing import Any

from keraslite.core.errors import describe, short
from keraslite.core.naming import to_snake_case


def _named(module: str, functions: str) -> dict[str, str]:
    """Functions of a module of TensorFlow whose names are those of the classes of ops."""
    return {
        f"{module}.{name}": "".join(map(str.capitalize, name.split("_")))
        for name in functions.split()
    }


_ELEMENTWISE = {
    **_named("math", "tanh exp expm1 log log1p sqrt rsqrt square negative reciprocal sign"),
    **_named("math", "round floor ceil sin cos tan erf sigmoid softplus logical_not"),
    **_named("nn", "sigmoid elu selu silu softplus softsign"),
    "math.abs": "Absolute",
    "identity": "Copy",
    "zeros_like": "ZerosLike",
    "ones_like": "OnesLike",
}
_BINARY = {
    **_named("math", "add subtract multiply divide_no_nan maximum minimum greater"),
    **_named("math", "greater_equal less less_equal equal not_equal logical_and logical_or"),
    "__operators__.add": "Add",
    "math.truediv": "TrueDivide",
    "math.divide": "TrueDivide",
    "math.floordiv": "FloorDivide",
    "floor_div": "FloorDivide",
    "math.floormod": "Mod",
    "math.pow": "Power",
}
_REDUCTIONS = _named("math", "mean sum max min prod std any all logsumexp")
_REDUCTIONS["math.variance"] = "Var"
#: Function of TensorFlow -> class of the op, and what each argument of the function, in its
#: order, is for the op; `=` and a value: what it is where the graph does not say.
_FUNCTIONS: dict[str, tuple[str, str]] = {
    **{name: (op, "x:x") for name, op in _ELEMENTWISE.items()},
    **{name: (op, "x:x1 y:x2") for name, op in _BINARY.items()},
    **{
        name.replace(".", ".reduce_"): (op, "input_tensor:x axis:axis keepdims:keepdims")
        for name, op in _REDUCTIONS.items()
    },
    "stop_gradient": ("StopGradient", "input:variable"),
    "nn.relu": ("Relu", "features:x"),
    "nn.relu6": ("Relu6", "features:x"),
    "nn.gelu": ("Gelu", "features:x approximate:approximate=false"),
    "nn.leaky_relu": ("LeakyRelu", "features:x alpha:negative_slope"),
    "nn.softmax": ("Softmax", "logits:x axis:axis"),
    "nn.log_softmax": ("LogSoftmax", "logits:x axis:axis"),
    "nn.bias_add": ("Add", "value:x1 bias:x2"),
    "nn.max_pool2d": ("MaxPool", "input:inputs ksize:pool_size strides:strides padding:padding"),
    "nn.avg_pool2d": (
        "AveragePool",
        "input:inputs ksize:pool_size strides:strides padding:padding",
    ),
    "nn.depth_to_space": ("DepthToSpace", "input:x block_size:block_size"),
    "nn.space_to_depth": ("SpaceToDepth", "input:x block_size:block_size"),
    "math.l2_normalize": ("Normalize", "x:x axis:axis=null :epsilon=1e-6"),
    "math.argmax": ("Argmax", "input:x axis:axis=0"),
    "math.argmin": ("Argmin", "input:x axis:axis=0"),
    "math.cumsum": ("Cumsum", "x:x axis:axis=0"),
    "math.top_k": ("TopK", "input:x k:k=1 sorted:sorted"),
    "linalg.matmul": ("Matmul", "a:x1 b:x2"),
    "cast": ("Cast", "x:x dtype:dtype"),
    "expand_dims": ("ExpandDims", "input:x axis:axis"),
    "squeeze": ("Squeeze", "input:x axis:axis"),
    "reshape": ("Reshape", "tensor:x shape:newshape"),
    "transpose": ("Transpose", "a:x perm:axes"),
    "broadcast_to": ("BroadcastTo", "input:x shape:shape"),
    "tile": ("Tile", "input:x multiples:repeats"),
    "repeat": ("Repeat", "input:x repeats:repeats axis:axis"),
    "pad": ("Pad", "tensor:x paddings:pad_width mode:mode constant_values:constant_values"),
    "reverse": ("Flip", "tensor:x axis:axis"),
    "gather": ("Take", "params:x indices:indices axis:axis=0"),
    "where": ("Where", "condition:condition x:x1 y:x2"),
    "one_hot": ("OneHot", 'indices:x depth:num_classes axis:axis dtype:dtype="float32"'),
    "concat": ("Concatenate", "values:xs axis:axis"),
    "stack": ("Stack", "values:x axis:axis"),
    "split": ("Split", "value:x num_or_size_splits:indices_or_sections axis:axis"),
    "unstack": ("Unstack", "value:x num:num axis:axis"),
    "image.resize": ("Resize", "images:images size:size method:interpolation"),
    "__operators__.getitem": ("GetItem", "tensor:x slice_spec:key"),
    "clip_by_value": ("Clip", "t:x clip_value_min:x_min clip_value_max:x_max"),
}
#: Where one function has two names.
_ALIASES = {"norm": "linalg.norm", "linalg.l2_normalize": "math.l2_normalize"}
_ALIASES |= {"nn.swish": "nn.silu", "nn.l2_normalize": "math.l2_normalize"}
_ALIASES |= {"nn.tanh": "math.tanh", "nn.top_k": "math.top_k", "gather_v2": "gather"}
#: In words of TensorFlow, in capitals there.
_WORDS = ("padding", "mode")
#: What an argument says that the op has not, where it changes nothing.
_NEUTRAL = (None, False, 0)


def _in_snake_case(prefix: str, operations: str) -> dict[str, str]:
    """Operations whose functions have the same name."""
    return {name: prefix + to_snake_case(name) for name in operations.split()}


#: Operation of a `TensorFlowOpLayer`, of TensorFlow 2.0 to 2.3 -> function.
_OPERATIONS = {
    "Add": "math.add",
    "AddV2": "math.add",
    "BiasAdd": "nn.bias_add",
    "Sub": "math.subtract",
    "Mul": "math.multiply",
    "RealDiv": "math.truediv",
    "Neg": "math.negative",
    "FloorMod": "math.floormod",
    "FloorDiv": "math.floordiv",
    "MatMul": "linalg.matmul",
    "BatchMatMul": "linalg.matmul",
    "BatchMatMulV2": "linalg.matmul",
    "ConcatV2": "concat",
    "Pack": "stack",
    "GatherV2": "gather",
    "SelectV2": "where",
    "PadV2": "pad",
    "Prod": "math.reduce_prod",
    "ReverseV2": "reverse",
    "StridedSlice": "__operators__.getitem",
    **_in_snake_case("", "Cast ExpandDims BroadcastTo Reshape Transpose Squeeze Tile Pad"),
    **_in_snake_case("math.", "Pow Maximum Minimum Greater GreaterEqual Less LessEqual LogicalAnd"),
    **_in_snake_case("math.", "LogicalNot Sigmoid Tanh Exp Log Sqrt Rsqrt Square Abs Softplus"),
    **_in_snake_case("math.reduce_", "Mean Sum Max Min Any All"),
    **_in_snake_case("nn.", "Relu Relu6 Softmax Elu Selu"),
}
#: Attribute of such an operation -> argument of the function.
_ATTRIBUTES = {
    "keep_dims": "keepdims",
    "squeeze_dims": "axis",
    "axis": "axis",
    "DstT": "dtype",
    "transpose_a": "transpose_a",
    "transpose_b": "transpose_b",
    "adj_x": "transpose_a",
    "adj_y": "transpose_b",
}
_TYPES = {"DT_FLOAT": "float32", "DT_HALF": "float16", "DT_DOUBLE": "float64", "DT_BOOL": "bool"}
_TYPES |= {"DT_INT32": "int32", "DT_INT64": "int64"}


def tf_op(class_name: str, config: dict[str, Any]) -> dict[str, Any]:
    """The op for a `TFOpLambda`, `SlicingOpLambda` or `TensorFlowOpLayer`.

    `op_call` needs what it keeps in the config.

    Raises:
        ValueError: names a function that has no equal here.
    """
    kept: dict[str, Any] = {}
    if class_name == "TensorFlowOpLayer":
        node = _node(config)
        name = str(node.get("op"))
        function = _OPERATIONS.get(name, name)
        kept = {"_tf_node": node, "_tf_constants": config.get("constants") or {}}
    else:
        function = str(config.get("function")).removeprefix("compat.v1.")
        function = _ALIASES.get(function, function)
    if function not in _FUNCTIONS:
        raise ValueError(
            f"The graph calls the TensorFlow function {short(function, 80)!r}, which has no "
            "equal here. Put it into a layer and make the model again, then load the weights."
        )
    found = {"name": config.get("name"), "_tf_function": function, **kept}
    return {"module": "keras.src.ops.numpy", "class_name": _FUNCTIONS[function][0], "config": found}


def op_call(layer: dict[str, Any], args: list[Any], kwargs: dict[str, Any]) -> dict[str, Any]:
    """One call of the op, from that of the function.

    Raises:
        ValueError: names an argument that has no equal here.
    """
    config = dict(layer["config"])
    function = config.pop("_tf_function", None)
    if function is None:
        return {"args": args, "kwargs": kwargs}
    if "_tf_node" in config:
        args, kwargs = _of_node(function, config, args)
    layer["config"] = {"name": config["name"]}
    class_name, signature = _FUNCTIONS[function]
    pairs = [part.partition(":")[::2] for part in signature.split()]
    given = {**dict(zip([name for name, _ in pairs], args, strict=False)), **kwargs}
    given.pop("name", None)
    if class_name == "Matmul" and (given.get("transpose_a") or given.get("transpose_b")):
        one = "ji" if given.get("transpose_a") else "ij"
        other = "kj" if given.get("transpose_b") else "jk"
        layer["class_name"] = "Einsum"
        layer["config"]["subscripts"] = f"...{one},...{other}->...ik"
        return {"args": [given["a"], given["b"]], "kwargs": {}}
    found: dict[str, Any] = {}
    for name, target in pairs:
        target, _, default = target.partition("=")
        value = given.pop(name, None)
        if value is None and default:
            value = json.loads(default)
        if value is not None or default == "null":
            found[target] = value.lower() if name in _WORDS else value
    left = [name for name, value in given.items() if value not in _NEUTRAL]
    if left:
        raise ValueError(
            f"The graph calls the TensorFlow function {function!r} with {short(str(left), 120)}, "
            "which has no equal here. Make the model by hand and load its weights alone."
        )
    if class_name == "GetItem":
        key = found["key"] if isinstance(found["key"], list) else [found["key"]]
        found["key"] = {"class_name": "__tuple__", "config": {"value": [_key(k) for k in key]}}
    if class_name == "Split" and isinstance(found["indices_or_sections"], list):
        sizes = found["indices_or_sections"]
        found["indices_or_sections"] = [sum(sizes[: i + 1]) for i in range(len(sizes) - 1)]
    return {"args": [], "kwargs": found}


def _key(part: Any) -> Any:
    """One index of `x[...]`."""
    if isinstance(part, dict) and "start" in part:
        return {"class_name": "__slice__", "config": part}
    if isinstance(part, dict) or part == "Ellipsis":
        return {"class_name": "__ellipsis__", "config": {}}
    return part


# Operations ------------------------------------------------------------------------------


def _node(config: dict[str, Any]) -> dict[str, Any]:
    text = config.get("node_def")
    try:
        node = json.loads(text) if isinstance(text, str) else text
    except ValueError:
        node = None
    if not isinstance(node, dict):
        raise ValueError(
            f"Layer {short(str(config.get('name')), 60)!r} does not say what it computes. "
            f"Received: node_def={describe(text)}"
        )
    return node


def _of_node(
    function: str, config: dict[str, Any], tensors: list[Any]
) -> tuple[list[Any], dict[str, Any]]:
    """Arguments of the function: tensors and constants in their places, and attributes."""
    node, constants = config["_tf_node"], config["_tf_constants"]
    many = tensors[0] if len(tensors) == 1 and isinstance(tensors[0], list) else tensors
    waiting = list(many)
    attributes = {k: _attribute(v) for k, v in (node.get("attr") or {}).items()}
    inputs = [
        constants[str(i)] if str(i) in constants else waiting.pop(0)
        for i in range(len(many) + len(constants))
    ]
    kwargs = {_ATTRIBUTES[k]: v for k, v in attributes.items() if k in _ATTRIBUTES and v != []}
    if function == "concat":
        return [inputs[:-1], inputs[-1]], {}
    if function == "stack":
        return [inputs], kwargs
    if function == "where":
        return inputs, {}
    if function == "__operators__.getitem":
        return [inputs[0], _slices(inputs[1:], attributes)], {}
    if function == "pad" and len(inputs) == 3:
        kwargs["constant_values"] = inputs.pop()
    return inputs, kwargs


def _attribute(value: Any) -> Any:
    """What an attribute holds: `{"b": true}`, `{"i": "1"}`, `{"type": "DT_FLOAT"}`."""
    if not isinstance(value, dict):
        return value
    if "list" in value:
        return [int(i) for i in value["list"].get("i", [])]
    if "i" in value:
        return int(value["i"])
    if "type" in value:
        return _TYPES.get(value["type"], value["type"])
    return value.get("b", False)


def _slices(parts: list[Any], attributes: dict[str, Any]) -> list[Any]:
    """The indices that bit masks describe."""
    found: list[Any] = []
    masks = {k: attributes.get(f"{k}_mask", 0) for k in ("begin", "end", "ellipsis")}
    masks |= {k: attributes.get(f"{k}_mask", 0) for k in ("new_axis", "shrink_axis")}
    for i, (start, stop, step) in enumerate(zip(*parts, strict=True)):
        bit = 1 << i
        if masks["ellipsis"] & bit:
            found.append("Ellipsis")
        elif masks["new_axis"] & bit:
            found.append(None)
        elif masks["shrink_axis"] & bit:
            found.append(start)
        else:
            found.append(
                {
                    "start": None if masks["begin"] & bit else start,
                    "stop": None if masks["end"] & bit else stop,
                    "step": step,
                }
            )
    return found
