"""Descriptions of objects that ask for more than a model needs, by class of attack.

Each is put into every place where a file or a text may describe an object: see `PLACES`.
"""

from __future__ import annotations

import base64
import functools
import marshal
from collections.abc import Callable
from pathlib import Path
from typing import Any

Form = Any


def _object(module: Any, name: Any, config: Any = None, registered: Any = None) -> Form:
    return {
        "module": module,
        "class_name": name,
        "config": {} if config is None else config,
        "registered_name": registered,
    }


def _function(name: Any, module: Any = "builtins") -> Form:
    return _object(module, "function", name, "function")


def _layer(name: str, **config: Any) -> Form:
    return _object("keras.layers", name, {"name": "bad", **config})


def _code(canary: Path) -> str:
    """A function that leaves a trace, as text that Python can run again."""
    source = f"(lambda x: open({str(canary / 'ran')!r}, 'w').close())"
    code = compile(source, "stranger", "eval").co_consts[0]
    return base64.b64encode(marshal.dumps(code)).decode()


def _pickle(canary: Path) -> str:
    """A pickle that leaves a trace."""
    call = f"cposix\nmkdir\n(S{str(canary / 'ran')!r}\ntR."
    return base64.b64encode(call.encode()).decode()


@functools.cache
def forms(canary: Path) -> dict[str, Form]:
    """`advisory: what it does` -> description."""
    code, packed = _code(canary), _pickle(canary)
    lambda_form = {"class_name": "__lambda__", "config": {"code": code, "defaults": None}}
    words, url = str(canary / "words.txt"), "https://canary.invalid/words.txt"
    dense = {"units": 2, "name": "bad"}
    found: dict[str, Form] = {}

    def add(advisory: str, **cases: Form) -> None:
        found.update({f"{advisory} {name}": form for name, form in cases.items()})

    # Python code in the file.
    add(
        "CVE-2024-3660",
        layer=_layer("Lambda", function=lambda_form),
        old=_layer("Lambda", function=[code, None, None], function_type="lambda"),
        plain=lambda_form,
        value={"class_name": "__lambda__", "config": {"value": [code, None, None]}},
        shape=_layer("Lambda", function=_function("relu"), output_shape=lambda_form),
        mask=_layer("Lambda", function=_function("relu"), mask=lambda_form),
        arguments=_layer("Lambda", function=_function("relu"), arguments={"x": lambda_form}),
        activation=_layer("Dense", units=2, activation=lambda_form),
        initializer=_layer("Dense", units=2, kernel_initializer=lambda_form),
        wrapped=_layer("TimeDistributed", layer=_layer("Lambda", function=lambda_form)),
        pipeline=_layer("Pipeline", layers=[_layer("Lambda", function=lambda_form)]),
        cell=_layer("RNN", cell=_layer("Lambda", function=lambda_form)),
        tuple=_layer(
            "Lambda", function={"class_name": "__tuple__", "config": {"value": [lambda_form]}}
        ),
        standardize=_layer("TextVectorization", standardize=lambda_form),
        dtype=_layer("Dense", units=2, dtype=lambda_form),
        schedule=_object("keras.optimizers", "SGD", {"learning_rate": lambda_form}),
    )
    add(
        "CVE-2025-9905",
        named=_layer("Lambda", function="run", function_type="function", module="canary_module"),
        dotted=_layer("Lambda", function="canary_module.run", function_type="function"),
        raw=_layer("Lambda", function=_function("run", "canary_module")),
    )
    # Names of code that is somewhere on the machine.
    add(
        "CVE-2025-1550",
        system=_object("os", "system", {"command": "true"}),
        system_function=_function("system", "os"),
        popen=_object("subprocess", "Popen", {"args": "true"}),
        eval=_function("eval"),
        exec=_object("builtins", "exec", {"source": "1"}),
        open=_object("builtins", "open", {"file": str(canary / "ran")}),
        import_=_object("builtins", "__import__", {"name": "canary_module"}),
        builtins=_object("keras.layers", "__builtins__"),
        type=_object("builtins", "type"),
        class_=_object("canary_module", "Canary"),
        function=_function("run", "canary_module"),
        registered=_object("canary_module", "Canary", {}, "canary_module>Canary"),
        no_module=_object(None, "Canary", {}, "canary_module>Canary"),
        dotted=_object(None, "canary_module.Canary"),
        dotted_function=_function("canary_module.run"),
        numpy=_object("numpy", "load", {"file": str(canary / "array.npy")}),
        pickle=_object("pickle", "loads", {"data": packed}),
        importlib=_object("importlib", "import_module", {"name": "canary_module"}),
        path=_object("pathlib", "Path", {"args": str(canary)}),
        inner=_object("keras.layers.canary_module", "Canary"),
        private=_object("keras.src.layers", "canary_module.Canary"),
        plain=_object("keras.src.saving.serialization_lib", "_retrieve_class_or_fn"),
        metric=_object("keras.metrics", "MeanMetricWrapper", {"fn": _function("system", "os")}),
        activation=_layer("Activation", activation=_function("system", "os")),
        jax=_layer("JaxLayer", call_fn=_function("run", "canary_module")),
    )
    # Names that only look like one that is allowed, and names of what surrounds it.
    strange = ("Dense\u200b", "\uff24ense", "D\u0435nse", "Dense\0", "Dense\n", " Dense", "dense")
    strange += ("\x1b]0;x\x07Dense", "Dense\u202e", "Dense.__init__", "__class__", "__dict__")
    add(
        "A3",
        **{f"class {ascii(name)}": _object("keras.layers", name, dense) for name in strange},
        **{
            f"function {name}": _function(name, "keras.ops")
            for name in (
                "__builtins__",
                "ops.__builtins__",
                "keraslite.ops.__builtins__",
                "relu.__globals__",
                "_functions",
                "getattr",
            )
        },
        **{
            f"activation {name}": _layer("Dense", units=2, activation=name)
            for name in (
                "eval",
                "exec",
                "open",
                "os.system",
                "keras.utils.get_file",
                "__builtins__",
            )
        },
        **{
            f"{argument} {name}": _layer("Dense", units=2, **{argument: name})
            for argument in ("kernel_initializer", "kernel_regularizer", "bias_constraint", "dtype")
            for name in ("eval", "deserialize", "__import__")
        },
        method=_object("keras.src.layers.core.dense", "Dense.from_config", dense),
        function_as_class=_object("keras.losses", "mean_squared_error", {"y_true": 1}),
    )
    # Expressions that take for ever on a name of the same file.
    slow, name = "(a+)+$", "a" * 40 + "!"
    optimizer = _object("keras.optimizers", "SGD", {"learning_rate": 0.1})
    chosen = {"default_optimizer": optimizer, "optimizer_map": {slow: optimizer}}
    policies = {"default_policy": "float32", "policy_map": {slow: "float16"}}
    add(
        "A16",
        pattern_of_policies=_object(
            "keras.layers",
            "Dense",
            {
                "units": 2,
                "name": name,
                "dtype": _object("keras.dtype_policies", "DTypePolicyMap", policies),
            },
        ),
        pattern_of_optimizers=_object(
            "keras.optimizers",
            "MultiOptimizer",
            {"optimizer_map": _object("keras.optimizers", "OptimizerMap", chosen)},
        ),
        **{
            f"pattern {ascii(slow)}": _object(
                "keras.optimizers", "Muon", {"exclude_layers": [slow]}
            )
            for slow in (slow, "(a|a)*b", "a*a*a*b", "(?=a)", "(a)\\1", "a?" * 30, "a" * 10_000)
        },
        many_patterns=_object(
            "keras.optimizers", "Muon", {"exclude_layers": [f"a{i}" for i in range(20_000)]}
        ),
        many_optimizers=_object(
            "keras.optimizers",
            "MultiOptimizer",
            {
                "optimizer_map": _object(
                    "keras.optimizers",
                    "OptimizerMap",
                    {
                        "default_optimizer": optimizer,
                        "optimizer_map": {f"a{i}": optimizer for i in range(1_000)},
                    },
                )
            },
        ),
        groups=_object(
            "keras.optimizers",
            "SGD",
            {"learning_rate": 0.1, "groups": {slow: {"weight_decay": 0.1}}},
        ),
        long_name=_object("keras.layers", "Dense", {"units": 2, "name": "a" * 5000}),
    )
    # Functions of the framework itself that do more than compute.
    for module, names in {
        "keras.utils": "get_file set_random_seed plot_model image_dataset_from_directory",
        "keras.src.utils.file_utils": "get_file extract_open_archive",
        "keras.config": "enable_unsafe_deserialization set_floatx disable_traceback_filtering",
        "keras.src.backend.config": "set_floatx set_image_data_format",
        "keras.datasets.mnist": "load_data",
        "keras.applications": "ResNet50 MobileNetV3Small",
        "keras.saving": "load_model save_model register_keras_serializable KerasFileEditor",
        "keras.models": "load_model clone_model model_from_json",
        "keras.layers": "deserialize",
        "keras.losses": "get deserialize",
        "keras.distribution": "initialize set_distribution",
        "keras.callbacks": "CSVLogger BackupAndRestore RemoteMonitor LambdaCallback TensorBoard",
        "keras.export": "ExportArchive",
        "keras.tree": "map_structure",
        "keras.preprocessing.image": "load_img",
        "keras.src.saving.saving_lib": "load_model load_weights_only",
        "keras.ops": "custom_gradient vectorized_map convert_to_numpy",
        "keras.src.ops.core": "Map WhileLoop Scan Cond Vectorize",
        "keraslite.utils": "get_file",
        "keraslite.config": "enable_unsafe_deserialization",
        "keraslite.core.lambdas": "load_lambda",
        "keraslite.backend": "engine",
    }.items():
        for name in names.split():
            add("CVE-2025-8747", **{f"{module}.{name}": _object(module, name, {"name": words})})
            if name[0].islower():
                add("CVE-2025-9906", **{f"{module}.{name}": _function(name, module)})
    # Programs in formats of other frameworks.
    add(
        "CVE-2025-49655",
        module=_layer("TorchModuleWrapper", module=packed),
        nested=_layer("TimeDistributed", layer=_layer("TorchModuleWrapper", module=packed)),
        bytes=_layer(
            "TorchModuleWrapper",
            module={"class_name": "__bytes__", "config": {"value": packed}},
        ),
        private=_object("keras.src.utils.torch_utils", "TorchModuleWrapper", {"module": packed}),
    )
    add(
        "CVE-2026-1462",
        saved_model=_layer("TFSMLayer", filepath=str(canary)),
        private=_object("keras.src.export.tfsm_layer", "TFSMLayer", {"filepath": str(canary)}),
        wrapped=_layer("Bidirectional", layer=_layer("TFSMLayer", filepath=str(canary))),
        jax=_layer("JaxLayer", call_fn=_function("relu"), params={}),
        flax=_layer("FlaxLayer", module=_object("flax.linen", "Dense", {"features": 2})),
    )
    # Paths and addresses where values belong.
    as_array = {"class_name": "__numpy__", "config": {"value": words, "dtype": "string"}}
    as_bytes = {"class_name": "__bytes__", "config": {"value": words}}
    add(
        "CVE-2025-12058",
        strings=_layer("StringLookup", vocabulary=words),
        integers=_layer("IntegerLookup", vocabulary=words),
        text=_layer("TextVectorization", vocabulary=words),
        url=_layer("StringLookup", vocabulary=url),
        file_url=_layer("StringLookup", vocabulary=f"file://{words}"),
        text_url=_layer("TextVectorization", vocabulary=url),
        array=_layer("StringLookup", vocabulary=as_array),
        bytes=_layer("StringLookup", vocabulary=as_bytes),
        text_bytes=_layer("TextVectorization", vocabulary=as_bytes),
        no_module=_object(None, "StringLookup", {"vocabulary": words}),
        text_no_module=_object(None, "TextVectorization", {"vocabulary": words}),
        wrapped=_layer("TimeDistributed", layer=_layer("IntegerLookup", vocabulary=words)),
        pipeline=_layer("Pipeline", layers=[_layer("StringLookup", vocabulary=words)]),
        frequencies=_layer("StringLookup", vocabulary=["a"], idf_weights=words),
        boundaries=_layer("Discretization", bin_boundaries=words),
        features=_object(
            "keras.utils",
            "FeatureSpace",
            {
                "features": {
                    "a": _object(
                        "keras.src.layers.preprocessing.feature_space",
                        "Feature",
                        {
                            "dtype": "string",
                            "preprocessor": _layer("StringLookup", vocabulary=words),
                            "output_mode": "int",
                        },
                        "Feature",
                    )
                }
            },
        ),
    )
    # Depth, length and types that no writer of files makes.
    deep: Any = _layer("Dense", units=2)
    for _ in range(240):
        deep = _layer("TimeDistributed", layer=deep)
    long = "A" * 10**6
    add(
        "A16",
        deep=deep,
        class_=_object("keras.layers", long),
        module=_object(long, "Dense", dense),
        registered=_object(None, long, {}, long),
        function=_function(long),
        argument=_layer("Dense", units=2, **{long: 1}),
        arguments=_layer("Dense", units=2, **{f"a{i}": 1 for i in range(40_000)}),
        units=_layer("Dense", units=long),
        activation=_layer("Dense", units=2, activation=long),
        name=_object("keras.layers", "Dense", {"units": -1, "name": long}),
        bytes={"class_name": "__bytes__", "config": {"value": 3}},
        slice={"class_name": "__slice__", "config": {}},
        tuple={"class_name": "__tuple__", "config": {"value": 3}},
        tensor={"class_name": "__tensor__", "config": {"value": [[1], [2, 3]], "dtype": "int32"}},
        dtype={"class_name": "__numpy__", "config": {"value": [1], "dtype": "object"}},
        symbol={"class_name": "__keras_tensor__", "config": {"shape": 3}},
        number=_object("keras.layers", 3),
        list=_object("keras.layers", ["Dense"], dense),
        module_number=_object(3, "Dense", dense),
        registered_number=_object("keras.layers", "Dense", dense, ["x"]),
        config_list=_object("keras.layers", "Dense", [1]),
        config_text=_object("keras.layers", "Dense", "units"),
        function_number=_function(3),
        no_units=_layer("Dense"),
        policy=_layer("Dense", units=2, dtype=_object("keras", "DTypePolicy", {"name": 3})),
        strings={
            "class_name": "__numpy__",
            "config": {"value": ["b"] * 5000 + ["a" * 200_000], "dtype": "string"},
        },
        strings_as_numbers={
            "class_name": "__numpy__",
            "config": {"value": ["1"] * 5000 + ["1" * 200_000], "dtype": "float32"},
        },
    )
    return found


# Where a description stands -----------------------------------------------------------------


def sequential(layers: list[Form], **more: Any) -> Form:
    """A `Sequential` on three inputs."""
    start = _object(
        "keras.layers", "InputLayer", {"batch_shape": [None, 3], "dtype": "float32", "name": "in"}
    )
    form = _object("keras", "Sequential", {"name": "net", "layers": [start, *layers]})
    return {**form, **more}


def _functional(form: Form) -> Form:
    """A graph whose only call has the form among its arguments."""
    tensor = {
        "class_name": "__keras_tensor__",
        "config": {"shape": [None, 3], "dtype": "float32", "keras_history": ["in", 0, 0]},
    }
    start = _object(
        "keras.layers", "InputLayer", {"batch_shape": [None, 3], "dtype": "float32", "name": "in"}
    )
    call = {
        **_object("keras.layers", "Dense", {"units": 2, "name": "d"}),
        "name": "d",
        "inbound_nodes": [{"args": [tensor], "kwargs": {"training": form}}],
    }
    config = {
        "name": "net",
        "layers": [{**start, "name": "in", "inbound_nodes": []}, call],
        "input_layers": [["in", 0, 0]],
        "output_layers": [["d", 0, 0]],
    }
    return _object("keras.src.models.functional", "Functional", config, "Functional")


def calls_in_calls(depth: int) -> Form:
    """Models that call one another twice, the outermost one on another shape."""
    inner = _object("keras.layers", "ReLU", {"name": "r"})
    for level in range(depth):
        shape = [None if level < depth - 1 else 2, 3]
        tensors = [
            {
                "class_name": "__keras_tensor__",
                "config": {"shape": shape, "dtype": "float32", "keras_history": [name, 0, 0]},
            }
            for name in ("in", "r")
        ]
        start = _object("keras.layers", "InputLayer", {"batch_shape": shape, "name": "in"})
        calls = [{"args": [tensor], "kwargs": {}} for tensor in tensors]
        config = {
            "name": "r",
            "layers": [
                {**start, "name": "in", "inbound_nodes": []},
                {**inner, "name": "r", "inbound_nodes": calls},
            ],
            "input_layers": [["in", 0, 0]],
            "output_layers": [["r", 1, 0]],
        }
        inner = _object("keras.src.models.functional", "Functional", config, "Functional")
    return inner


_DENSE = _object("keras.layers", "Dense", {"units": 2, "name": "d"})

#: Makes a whole description around a form.
PLACES: dict[str, Callable[[Form], Form]] = {
    "root": lambda form: form,
    "layer": lambda form: sequential([form]),
    "argument": lambda form: sequential(
        [_object("keras.layers", "Dense", {"units": 2, "name": "d", "activation": form})]
    ),
    "loss": lambda form: sequential([_DENSE], compile_config={"loss": form, "optimizer": "sgd"}),
    "call": _functional,
}
