"""Functions of TensorFlow in the graphs of tf.keras, as ops."""

from __future__ import annotations

from typing import Any

from keraslite.core.errors import short

#: Function of TensorFlow in a graph -> op class, and the names of its arguments in order.
_TF_OPS = {
    "__operators__.add": ("Add", "x y"),
    "math.add": ("Add", "x y"),
    "math.subtract": ("Subtract", "x y"),
    "math.multiply": ("Multiply", "x y"),
    "math.truediv": ("TrueDivide", "x y"),
    "math.pow": ("Power", "x y"),
    "math.maximum": ("Maximum", "x y"),
    "math.minimum": ("Minimum", "x y"),
    "linalg.matmul": ("Matmul", "a b"),
    "nn.relu": ("Relu", "features"),
    "nn.relu6": ("Relu6", "features"),
    "nn.softmax": ("Softmax", "logits axis"),
    "nn.sigmoid": ("Sigmoid", "x"),
    "math.sigmoid": ("Sigmoid", "x"),
    "math.tanh": ("Tanh", "x"),
    "math.exp": ("Exp", "x"),
    "math.log": ("Log", "x"),
    "math.sqrt": ("Sqrt", "x"),
    "math.square": ("Square", "x"),
    "math.abs": ("Absolute", "x"),
    "math.negative": ("Negative", "x"),
    "math.reduce_mean": ("Mean", "input_tensor axis keepdims"),
    "math.reduce_sum": ("Sum", "input_tensor axis keepdims"),
    "math.reduce_max": ("Max", "input_tensor axis keepdims"),
    "math.reduce_min": ("Min", "input_tensor axis keepdims"),
    "expand_dims": ("ExpandDims", "input axis"),
    "squeeze": ("Squeeze", "input axis"),
    "reshape": ("Reshape", "tensor shape"),
    "transpose": ("Transpose", "a perm"),
    "concat": ("Concatenate", "values axis"),
    "stack": ("Stack", "values axis"),
    "__operators__.getitem": ("GetItem", "tensor slice_spec"),
    "clip_by_value": ("Clip", "t clip_value_min clip_value_max"),
}
_OP_ARGUMENTS = {"perm": "axes", "shape": "newshape", "clip_value_min": "x_min"}
_OP_ARGUMENTS |= {"clip_value_max": "x_max"}

_BINARY = {name for name, names in _TF_OPS.values() if names in ("x y", "a b")}


def tf_op(config: dict[str, Any]) -> dict[str, Any]:
    """The op for a `TFOpLambda` or `SlicingOpLambda`; `op_call` needs the name it keeps."""
    function = str(config.get("function")).removeprefix("compat.v1.")
    if function not in _TF_OPS:
        raise ValueError(
            f"The graph calls the TensorFlow function {short(function, 80)!r}, which has no "
            "equal here. Put it into a layer and make the model again, then load the weights."
        )
    class_name = _TF_OPS[function][0]
    found = {"name": config.get("name"), "_tf_function": function}
    return {"module": "keras.src.ops.numpy", "class_name": class_name, "config": found}


def op_call(layer: dict[str, Any], args: list[Any], kwargs: dict[str, Any]) -> dict[str, Any]:
    """Tensors as arguments of the call; numbers that are not tensors as the op's config."""
    function = layer["config"].pop("_tf_function", None)
    names = _TF_OPS[function][1].split() if function else []
    called = args + [kwargs.pop(n) for n in names[1:2] if layer["class_name"] in _BINARY]
    if "slice_spec" in kwargs:
        value = [_key(k) for k in kwargs.pop("slice_spec")]
        called.append({"class_name": "__tuple__", "config": {"value": value}})
    for name in names[1:]:
        if name in kwargs:
            layer["config"][_OP_ARGUMENTS.get(name, name)] = kwargs.pop(name)
    left = [name for name, value in kwargs.items() if name != "name" and value is not False]
    if function and left:
        raise ValueError(
            f"The graph calls the TensorFlow function {function!r} with {short(str(left), 120)}, "
            "which has no equal here. Make the model by hand and load its weights alone."
        )
    return {"args": called, "kwargs": {} if function else kwargs}


def _key(part: Any) -> Any:
    """One index of `x[...]`."""
    if isinstance(part, dict) and "start" in part:
        return {"class_name": "__slice__", "config": part}
    if isinstance(part, dict):
        return {"class_name": "__ellipsis__", "config": {}}
    return part
