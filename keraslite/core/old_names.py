"""What Keras 1 and 2 called things: for hints to programs, and for old files."""

from __future__ import annotations

import sys
from typing import Any, NoReturn

_PACKAGE = __name__.partition(".")[0]
#: Old class -> new class.
CLASSES = {
    "Model": "Functional",
    "BatchNormalizationV1": "BatchNormalization",
    "BatchNormalizationV2": "BatchNormalization",
    "SyncBatchNormalization": "BatchNormalization",
    "LSTMV1": "LSTM",
    "LSTMV2": "LSTM",
    "GRUV1": "GRU",
    "GRUV2": "GRU",
    "CuDNNLSTM": "LSTM",
    "CuDNNGRU": "GRU",
    "Convolution1D": "Conv1D",
    "Convolution2D": "Conv2D",
    "Convolution3D": "Conv3D",
    "AtrousConvolution1D": "Conv1D",
    "AtrousConvolution2D": "Conv2D",
    "SeparableConvolution2D": "SeparableConv2D",
    "Deconvolution2D": "Conv2DTranspose",
    "TimeDistributedDense": "Dense",
    "ThresholdedReLU": "ReLU",
    # Not old: what the `.h5` files of Keras 3 call it.
    "GroupedQueryAttention": "GroupQueryAttention",
}
_WORKERS = "`keras.utils.PyDataset` takes `workers`, `use_multiprocessing`, `max_queue_size`."
#: Old argument -> new one, for whatever takes the new and not the old; or what to do instead.
ARGUMENTS = {
    "p": "rate",
    "sigma": "stddev",
    "output_dim": "units",
    "nb_filter": "filters",
    "filter_length": "kernel_size",
    "pool_length": "pool_size",
    "length": "size",
    "stride": "strides",
    "subsample": "strides",
    "subsample_length": "strides",
    "border_mode": "padding",
    "atrous_rate": "dilation_rate",
    "bias": "use_bias",
    "inner_activation": "recurrent_activation",
    "dropout_W": "dropout",
    "dropout_U": "recurrent_dropout",
    "alpha": "negative_slope",
    "theta": "threshold",
    "init": "kernel_initializer",
    "inner_init": "recurrent_initializer",
    "W_regularizer": "kernel_regularizer",
    "U_regularizer": "recurrent_regularizer",
    "b_regularizer": "bias_regularizer",
    "W_constraint": "kernel_constraint",
    "U_constraint": "recurrent_constraint",
    "b_constraint": "bias_constraint",
    "beta_init": "beta_initializer",
    "gamma_init": "gamma_initializer",
    "m": "max_value",
    "lr": "learning_rate",
    "initial_lr": "learning_rate",
    "optimizer": "inner_optimizer",
    "nb_epoch": "epochs",
    "dim_ordering": "data_format",
    "period": "save_freq",
    "samples_per_epoch": "steps_per_epoch",
    "nb_val_samples": "validation_steps",
    "objective": "loss",
    "batch_input_shape": "batch_shape",
    "l": "l2",
    "nb_row": "Give `kernel_size=(nb_row, nb_col)`.",
    "nb_col": "Give `kernel_size=(nb_row, nb_col)`.",
    "input_length": "Give `keras.Input((input_length, input_dim))`.",
    "consume_less": "The fastest form is chosen by itself.",
    "mode": "There is one form only.",
    "fused": "There is one form only.",
    "class_mode": "The loss and the metrics say it.",
    "show_accuracy": "Give `metrics=['accuracy']` to `compile`.",
    "sample_weight_mode": "Weights may have the shape of the targets.",
    "save_format": "The ending of the path says it.",
    "write_grads": "Log gradients in a `train_step` of your own.",
    "nb_worker": _WORKERS,
    "workers": _WORKERS,
    "use_multiprocessing": _WORKERS,
    "max_queue_size": _WORKERS,
    "max_q_size": _WORKERS,
}
#: Old module -> the one whose names took its place.
_MODULES = {
    old: new
    for new, olds in {
        "callbacks": "callbacks.callbacks callbacks.experimental callbacks.tensorboard_v1",
        "initializers": "initializations",
        "layers": "engine layers.advanced_activations layers.convolutional layers.core "
        "layers.convolutional_recurrent layers.embeddings layers.experimental layers.local "
        "layers.noise legacy.layers",
        "losses": "objectives",
        "ops": "backend.common backend.tensorflow_backend",
        "optimizers": "optimizers.adam_v2 optimizers.experimental optimizers.gradient_descent_v2",
        "utils": "utils.conv_utils utils.data_utils utils.generic_utils utils.io_utils "
        "utils.layer_utils utils.np_utils utils.training_utils utils.vis_utils",
        "wrappers": "wrappers.scikit_learn",
    }.items()
    for old in olds.split()
}
#: Old function, class or attribute -> what it is now, or what to do instead.
_NAMES = {
    **{old: f"keras.layers.{new}" for old, new in CLASSES.items() if old != "Model"},
    "KerasClassifier": "keras.wrappers.SKLearnClassifier",
    "KerasRegressor": "keras.wrappers.SKLearnRegressor",
    "Merge": "Use `keras.layers.Add`, `Concatenate`, `Dot`...",
    "RandomHeight": "keras.layers.RandomZoom",
    "RandomWidth": "keras.layers.RandomZoom",
    "Reduction": "Give the name: `reduction='sum_over_batch_size'`, 'sum' or None.",
    "batch_dot": "keras.ops.einsum",
    "batch_get_value": "keras.ops.convert_to_numpy",
    "batch_set_value": "Call `variable.assign(value)`.",
    "cast_to_floatx": "keras.ops.cast",
    "cosine_proximity": "keras.losses.cosine_similarity",
    "ctc_batch_cost": "keras.losses.CTC",
    "eval": "keras.ops.convert_to_numpy",
    "evaluate_generator": "`evaluate` takes generators.",
    "fit_generator": "`fit` takes generators.",
    "function": "Make a `keras.Model(inputs, outputs)` and call it.",
    "gather": "keras.ops.take",
    "get_input_at": "input",
    "get_output_at": "output",
    "get_session": "There are no sessions: operations run when they are called.",
    "get_value": "keras.ops.convert_to_numpy",
    "gradients": "keras.ops.value_and_grad",
    "image_dim_ordering": "keras.config.image_data_format",
    "in_train_phase": "Look at the argument `training` of `call`.",
    "input_shape": "input.shape",
    "int_shape": "Read `x.shape`.",
    "l2_normalize": "keras.ops.normalize",
    "learning_phase": "Look at the argument `training` of `call`.",
    "merge": "Use `keras.layers.add`, `concatenate`, `dot`...",
    "model_from_yaml": "keras.models.model_from_json",
    "multi_gpu_model": "A model trains on one device.",
    "output_shape": "output.shape",
    "permute_dimensions": "keras.ops.transpose",
    "placeholder": "keras.Input",
    "predict_classes": "Call `predict(x).argmax(-1)`.",
    "predict_generator": "`predict` takes generators.",
    "predict_proba": "predict",
    "random_normal": "keras.random.normal",
    "random_uniform": "keras.random.uniform",
    "repeat_elements": "keras.ops.repeat",
    "reset_states": "reset_state",
    "set_image_dim_ordering": "keras.config.set_image_data_format",
    "set_learning_phase": "Give `training` when you call a model.",
    "set_session": "There are no sessions: operations run when they are called.",
    "set_value": "Call `variable.assign(value)`.",
    "switch": "keras.ops.where",
    "to_yaml": "to_json",
    "update": "Call `variable.assign(value)`.",
    "variable": "keras.Variable",
}


def advice(now: str | None, form: str) -> str:
    """What a table above says, as a sentence: a name put into `form`, words as they are."""
    if now is None:
        return ""
    return f" {now}" if " " in now else form.format(now)


def _hint(name: str, module: str = "") -> str:
    """What took the place of a name, of a module or of an object; empty where nothing did."""
    if found := _MODULES.get(f"{module}.{name}".lstrip(".")):
        return f" It is part of `keras.{found}` now."
    now = _NAMES.get(name)
    if now is None and module == "backend":
        now = "Functions of tensors are in `keras.ops` now, random ones in `keras.random`."
    for other in vars(sys.modules.get(f"{_PACKAGE}.{module}", object)).get("__all__", ()):
        # `logcosh`, `maxnorm`, `adam`.
        if now is None and other.replace("_", "").lower() == name.replace("_", "").lower():
            now = f"keras.{module}.{other}"
    return advice(now, " It is `{}` now.")


def missing(module: str, name: str) -> AttributeError:
    """The error for a name that a public module does not have."""
    hint = "" if name.startswith("_") else _hint(name, module.partition(".")[2])
    return AttributeError(f"module {module!r} has no attribute {name!r}{hint and '.' + hint}")


def add_hints(module: str) -> None:
    """Let a public module say what took the place of the names that it had."""

    def __getattr__(name: str) -> NoReturn:  # noqa: N807
        raise missing(module, name)

    vars(sys.modules[module])["__getattr__"] = __getattr__


class Gone:
    """A method or attribute that objects had: reading it says what to use."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, owner: Any, cls: type) -> Any:
        if owner is None:
            return self
        raise AttributeError(
            f"{cls.__name__!r} object has no attribute {self._name!r}.{_hint(self._name)}"
        )


class OldImports:
    """Says what took the place of a module or name that is imported in vain.

    Python asks it last, when there is no such module.
    """

    @staticmethod
    def find_spec(fullname: str, path: Any = None, target: Any = None) -> None:
        """Raise for what there was once; None otherwise."""
        package, _, rest = fullname.partition(".")
        parent, _, name = rest.rpartition(".")
        if package != _PACKAGE or hasattr(sys.modules.get(f"{package}.{parent}"), name):
            return
        if hint := _hint(name, parent):
            raise ModuleNotFoundError(f"No module or name {fullname!r}.{hint}")
