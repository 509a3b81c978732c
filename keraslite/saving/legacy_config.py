"""Configs of Keras 1, Keras 2 and tf.keras, translated into those of Keras 3.

A pure translation of dicts: nothing is made or looked up on a config's behalf here. Objects
that are not built in are left as they are, for the `from_config` of whoever wrote them.
"""

from __future__ import annotations

import functools
import inspect
from typing import Any

from keraslite import ops
from keraslite.core import registry
from keraslite.core.configurable import parameters_of
from keraslite.core.errors import short
from keraslite.core.old_names import ARGUMENTS, CLASSES
from keraslite.core.registry import register_keras_serializable
from keraslite.core.serialization import find_class, refuse_if_safe
from keraslite.saving.legacy_merge import graph_of_branches, merge_layer
from keraslite.saving.legacy_ops import op_call, tf_op

# Renamings -------------------------------------------------------------------------------

#: Arguments of single classes, where the rule above does not say enough.
_ARGUMENTS_OF = {
    "Embedding": {"init": "embeddings_initializer", "W_regularizer": "embeddings_regularizer"}
    | {"W_constraint": "embeddings_constraint"},
    "PReLU": {"init": "alpha_initializer"},
    "SeparableConv2D": {"init": "depthwise_initializer"},
}
#: Arguments that are gone, whatever they were. The last line: of depthwise and separable
#: convolutions, whose kernels have other names.
_GONE = """
    input_length input_dtype input_dim batch_input_shape implementation consume_less
    forget_bias_init fused experimental_run_tf_function jit_compile is_legacy_optimizer
    use_locking schedule_decay dynamic trainable dtype query_shape key_shape value_shape
    softmax_robust_masking fn name
    kernel_initializer kernel_regularizer kernel_constraint
"""
#: Others that are gone, and the values with which they meant nothing.
_GONE_WHERE = {
    "groups": (1,),
    "time_major": (False,),
    "num_kernels": (1,),
    "zero_output_for_mask": (False,),
    "reset_after": (False,),
    "mode": (0,),
    "dropout": (0, None),
    "virtual_batch_size": (None,),
    "adjustment": (None,),
    "decay": (0, None),
    "nesterov": (False,),
}
_WORDS = {
    "padding": {"tf": "valid"},
    "data_format": {"th": "channels_first", "tf": "channels_last", "default": None},
    "initializer": {"uniform": "random_uniform", "normal": "random_normal", "zero": "zeros"}
    | {"one": "ones"},
    "reduction": {"auto": "sum_over_batch_size"},
}
_KINDS = {
    "initializer": "keras.initializers",
    "regularizer": "keras.regularizers",
    "constraint": "keras.constraints",
    "metric": "keras.metrics",
    "loss": "keras.losses",
    "optimizer": "keras.optimizers",
}
_RECURRENT = {"LSTM", "GRU", "SimpleRNN", "RNN", "Bidirectional", "ConvLSTM1D", "ConvLSTM2D"}
_MODELS = {"Sequential", "Functional"}


@register_keras_serializable("keraslite", "hard_sigmoid_of_keras_2")
def old_hard_sigmoid(x: Any) -> Any:
    """`clip(0.2 x + 0.5, 0, 1)`, what `hard_sigmoid` was before Keras 3, which has no such."""
    return ops.clip(0.2 * x + 0.5, 0.0, 1.0)


# The walk --------------------------------------------------------------------------------


def modern(value: Any, kind: str | None = None, version: str = "2") -> Any:
    """A config of any release in the form of Keras 3.

    Args:
        value: an object's config, or a tree of them.
        kind: what it stands for: the last word of the argument that holds it.
        version: of the Keras that wrote it.

    Raises:
        ValueError: for what has no equal in Keras 3.
    """
    if isinstance(value, str):
        if kind == "activation" and value == "hard_sigmoid" and not _is_new(version):
            return registry.get_registered_name(old_hard_sigmoid)
        return _WORDS.get(kind or "", {}).get(value, value)
    if isinstance(value, list):
        return [modern(v, kind, version) for v in value]
    if not isinstance(value, dict):
        return value
    if kind in ("regularizer", "constraint") and "name" in value and "class_name" not in value:
        value = _of_keras_1(value)
    if isinstance(value.get("class_name"), str) and "config" in value:
        return _object(value, kind, version)
    return {k: modern(v, _kind(k) or kind, version) for k, v in value.items()}


def _is_new(version: str) -> bool:
    return version.split(".")[0] not in ("1", "2")


def _kind(key: Any) -> str | None:
    word = key.rpartition("_")[2] if isinstance(key, str) else None
    return word if word in _KINDS or word == "activation" else None


def _of_keras_1(value: dict[str, Any]) -> dict[str, Any]:
    """A regularizer or constraint whose name stands among its arguments."""
    rest = {k: v for k, v in value.items() if k != "name"}
    name = value["name"]
    name = "L1L2" if str(name).endswith("Regularizer") else name
    return {"class_name": name, "config": rest}


def _object(form: dict[str, Any], kind: str | None, version: str) -> dict[str, Any]:
    old = form["class_name"].removeprefix("Custom>")
    name = CLASSES.get(old, old)
    if name == "function" or not isinstance(form["config"], (dict, list)):
        return {**form, "config": modern(form["config"], kind, version)}
    if name in ("Policy", "PolicyV1"):
        return form["config"].get("name", "float32")
    config = form["config"]
    if name == "Sequential" and isinstance(config, list):
        graph = graph_of_branches(config)
        if graph is not None:
            return _object(graph, kind, version)
        config = {"layers": config}
    if old in ("TFOpLambda", "SlicingOpLambda", "TensorFlowOpLayer"):
        return {**form, **tf_op(old, config)}
    known = {"class_name": name, "config": config, "module": form.get("module")}
    if known["module"] is None or _is_moved(known["module"]):
        known["module"] = _KINDS.get(kind or "")
    op = _op_module(name, config) if _is_new(version) else None
    cls = None if op else _built_in(known)
    if cls is None:
        # An op in the graph of a file of Keras 3, or a class of someone's own.
        return {**form, "module": op or form.get("module")}
    if name in _MODELS or "layers" in config:
        config = _model(name, config, version)
    else:
        config = _layer(cls, old, dict(config), version)
    rest = {k: v for k, v in form.items() if k not in known and k != "registered_name"}
    return {**rest, **known, "config": config, "registered_name": None}


def _is_moved(module: str) -> bool:
    """Whether a module's name says nothing, so that the kind of the object is a better guide."""
    return not module.startswith(("keras.", "tf_keras.", "tensorflow.keras."))


def _built_in(form: dict[str, Any]) -> type | None:
    if registry.passed_object(form["class_name"]) is not None:
        return None
    try:
        found = find_class(form)
    except ValueError:
        return None
    ours = inspect.isclass(found) and registry.keras_module_of(found) is not None
    return found if ours else None


def _op_module(name: str, config: dict[str, Any]) -> str | None:
    """`Add(x, 1)` in a file of Keras 3: layers of the same name always say their dtype."""
    from keraslite.core.op_entries import op_maker

    module = "keras.src.ops.numpy"
    if "name" not in config or "dtype" in config or "trainable" in config:
        return None
    return module if op_maker(name, module) is not None else None


# Layers ----------------------------------------------------------------------------------


def _layer(cls: type, old: str, config: dict[str, Any], version: str) -> dict[str, Any]:
    """The arguments of one object under their new names."""
    valid = parameters_of(cls)
    name = cls.__name__
    if "dim_ordering" in config:
        config["data_format"] = config.pop("dim_ordering")
    _join_sizes(config)
    if name in ("GRU", "GRUCell") and not _is_new(version):
        config.setdefault("reset_after", old == "CuDNNGRU")
    if old.startswith("CuDNN"):
        config.setdefault("recurrent_activation", "sigmoid")
    if name == "Lambda":
        _lambda(config)
    if hasattr(cls, "apply_gradients"):
        _decaying_rate(config)
    if config.get("time_major"):
        raise ValueError(
            f"Layer {short(str(config.get('name')), 60)!r} has `time_major=True`, which has no "
            "equal in Keras 3. Make the model by hand and load its weights alone."
        )
    renamed = _ARGUMENTS_OF.get(name, {})
    found: dict[str, Any] = {}
    for key, value in config.items():
        new = renamed.get(key) or (ARGUMENTS.get(key) if key not in valid else None)
        key = new if new in valid else key
        if key not in valid and _means_nothing(key, value, config, cls):
            continue
        found[key] = modern(value, _kind(key) or _word(key), version)
    if isinstance(found.get("axis"), list) and len(found["axis"]) == 1:
        found["axis"] = found["axis"][0]
    if found.get("epsilon", 0) is None:
        del found["epsilon"]
    for key in ("clipnorm", "clipvalue"):
        if found.get(key) == 0:
            del found[key]
    if isinstance(found.get("fn"), str):
        found["fn"] = {"class_name": "function", "config": found["fn"]}
    return found


def _word(key: str) -> str | None:
    return key if key in _WORDS else None


def _means_nothing(key: str, value: Any, config: dict[str, Any], cls: type) -> bool:
    if key in ("batch_input_shape", "input_dim") and hasattr(cls, "call"):
        # The old way to say the shape of the input; the layer still takes the first.
        return key == "input_dim" or value is None
    return key in _GONE.split() or any(value == x for x in _GONE_WHERE.get(key, ()))


def _join_sizes(config: dict[str, Any]) -> None:
    """`nb_row, nb_col` of Keras 1."""
    for keys in (("nb_row", "nb_col"), ("kernel_dim1", "kernel_dim2", "kernel_dim3")):
        if keys[0] in config:
            config["kernel_size"] = [config.pop(k) for k in keys]


def _lambda(config: dict[str, Any]) -> None:
    """The marshalled function of Keras 2, in the form that safe mode decides about."""
    function = config.get("function")
    kind = config.pop("function_type", None)
    for key in ("module", "output_shape_type", "output_shape_module"):
        config.pop(key, None)
    if isinstance(function, (list, tuple)):
        refuse_if_safe(f"Layer {short(str(config.get('name')), 60)!r} holds a Python lambda")
        config["function"] = {"class_name": "__lambda__", "config": {"value": function}}
    elif isinstance(function, str) and kind == "function":
        config["function"] = {"class_name": "function", "config": function}
    if isinstance(config.get("output_shape"), (list, tuple)) and any(
        isinstance(x, str) for x in config["output_shape"]
    ):
        config["output_shape"] = None


def _decaying_rate(config: dict[str, Any]) -> None:
    """`decay` of the optimizers before tf.keras 2.11: `lr / (1 + decay * iterations)`."""
    decay = config.pop("decay", None)
    rate = config.get("learning_rate", config.get("lr"))
    if decay and isinstance(rate, (int, float)):
        config.pop("lr", None)
        arguments = {"initial_learning_rate": rate, "decay_steps": 1, "decay_rate": decay}
        config["learning_rate"] = {
            "module": "keras.optimizers.schedules",
            "class_name": "InverseTimeDecay",
            "config": arguments,
        }


# Graphs ----------------------------------------------------------------------------------


def _model(name: str, config: dict[str, Any], version: str) -> dict[str, Any]:
    found = dict(config)
    if not isinstance(found.get("layers"), list):
        raise ValueError(f"The config of model {short(str(config.get('name')), 60)!r} is broken.")
    layers = [modern(layer, None, version) for layer in map(merge_layer, found["layers"])]
    found["layers"] = layers
    if name == "Sequential" or "input_layers" not in found:
        return found
    first = _first_calls(found)
    resolve = functools.partial(_address, first)
    for layer in layers:
        calls = layer.get("inbound_nodes") or []
        if calls and all(isinstance(c, dict) and "args" in c for c in calls):
            continue  # of Keras 3
        layer["inbound_nodes"] = [_call(layer, call, resolve) for call in calls]
    for key in ("input_layers", "output_layers"):
        places = _map_addresses(lambda a: [a[0], resolve(a), a[2]], found[key])
        found[key] = places[0] if isinstance(places, list) and len(places) == 1 else places
    return found


def _is_address(value: Any) -> bool:
    return (
        isinstance(value, (list, tuple))
        and len(value) >= 3
        and isinstance(value[0], str)
        and isinstance(value[1], int)
    )


def _map_addresses(function: Any, value: Any) -> Any:
    if _is_address(value):
        return function(value)
    if isinstance(value, (list, tuple)):
        return [_map_addresses(function, v) for v in value]
    if isinstance(value, dict):
        return {k: _map_addresses(function, v) for k, v in value.items()}
    return value


def _first_calls(config: dict[str, Any]) -> dict[str, int]:
    """Layer -> the number of its first call: tf.keras counts calls outside of the model too."""
    names = {x.get("name") or (x.get("config") or {}).get("name") for x in config["layers"]}
    first: dict[str, int] = {}

    def see(address: Any) -> None:
        name, number = address[0], address[1]
        if name in names:
            first[name] = min(number, first.get(name, number))
        if len(address) > 3:
            _map_addresses(see, address[3])

    places = [config["input_layers"], config["output_layers"]]
    _map_addresses(see, places + [x.get("inbound_nodes") or [] for x in config["layers"]])
    return first


def _address(first: dict[str, int], address: Any) -> int:
    """The number of a call, counted from the first one in this model."""
    return address[1] - first.get(address[0], 0)


def _call(layer: dict[str, Any], call: Any, resolve: Any) -> dict[str, Any]:
    """One call in the form of Keras 3, from `[["a", 0, 0, {}], ["b", 0, 0, {}]]`."""
    kwargs: dict[str, Any] = {}

    def tensor(address: Any) -> Any:
        for key, value in (address[3] if len(address) > 3 else {}).items():
            kwargs.setdefault(key, value)
        if address[0] == "_CONSTANT_VALUE":
            return address[2]
        place = [address[0], resolve(address), address[2]]
        return {"class_name": "__keras_tensor__", "config": {"keras_history": place}}

    first = _map_addresses(tensor, call)
    if isinstance(first, list) and len(first) == 1:
        first = first[0]
    kwargs = {k: _map_addresses(tensor, v) for k, v in kwargs.items() if v is not None}
    args = [first]
    if layer["class_name"] in _RECURRENT and isinstance(first, list):
        args, kwargs["initial_state"] = [first[0]], first[1:]
    if str(layer.get("module")).startswith("keras.src.ops."):
        return op_call(layer, args, kwargs)
    return {"args": args, "kwargs": kwargs}
