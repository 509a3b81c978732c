"""Steps that are watched for NaN and infinity, and where these came from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from keraslite.backend import engine
from keraslite.core import tree
from keraslite.core.variable import Variable
from keraslite.training.data import unpack_x_y_sample_weight

Step = Callable[[Any], Any]


def watched(model: Any, step: Step, variables: list[Variable]) -> Step:
    """`step`, which raises at the first batch that brings NaN or infinity.

    The step runs as it always does. After a bad one the state of before comes back, and its
    parts are computed one by one.

    Raises:
        FloatingPointError: names the update and the layer.
    """

    def run(batch: Any) -> Any:
        before = [v.numpy() for v in variables]

        def restore() -> None:
            for variable, value in zip(variables, before, strict=True):
                variable.assign(value)

        logs = step(batch)
        trained = (v.value for v in model.trainable_variables)
        if _finite(logs) and all(map(_finite, trained)):
            return logs
        after = {v.path: v.numpy() for v in model.trainable_variables}
        where = next(_bad_places(model, batch, after, restore), "the metrics")
        restore()
        optimizer = model.optimizer
        number = 1 if optimizer is None else int(optimizer.iterations) + 1
        raise FloatingPointError(
            f"NaN or infinity at update {number}, first in {where}. The model has the state from "
            "before that update. Look at the data, lower the learning rate, or clip gradients "
            "(`clipnorm` of the optimizer). (`keras.config.set_debug_nans(True)` is on.)"
        )

    return run


def _finite(values: Any) -> bool:
    return all(_is_finite(leaf) for leaf in tree.flatten(values) if leaf is not None)


def _is_finite(x: Any) -> bool:
    if hasattr(x, "shape"):
        x = engine.to_numpy(x) if engine.is_tensor(x) else np.asarray(x)
        if x.dtype.kind not in "biufcV":
            return True
        x = x.astype("float32") if x.dtype.kind == "V" else x
    return not isinstance(x, str) and bool(np.isfinite(x).all())


def _bad_places(
    model: Any, batch: Any, after: dict[str, np.ndarray], restore: Callable[[], None]
) -> Iterator[str]:
    """What is not finite, in the order in which a step computes it."""
    restore()
    x, y, sample_weight = (
        tree.map_structure(
            lambda a: a if a is None or engine.is_tensor(a) else engine.convert(a), part
        )
        for part in unpack_x_y_sample_weight(batch)
    )
    for name, part in (("inputs", x), ("targets", y), ("sample weights", sample_weight)):
        if not _finite(part):
            yield f"the {name} of the batch"
    for variable in model.variables:
        if not _finite(variable.value):
            yield f"the weight {variable.path!r}"
    found: list[str] = []
    with engine.no_grad(), _Calls(model, found):
        y_pred = model._forward(x, training=True)
    yield from found
    if model._compile_loss is not None:
        with engine.no_grad():
            loss = model.compute_loss(x, y, y_pred, sample_weight, training=True)
        if not _finite(loss):
            yield "the loss"
    model._clear_losses()
    variables = model.trainable_variables
    restore()  # Random numbers as before.

    def objective() -> tuple[Any, None]:
        return model.compute_loss(x, y, model._forward(x, True), sample_weight, training=True), None

    if variables:
        _, gradients = engine.value_and_grad(objective, variables)
        model._clear_losses()
        # They are computed from the last layer to the first.
        for variable, gradient in reversed(list(zip(variables, gradients, strict=True))):
            if not _finite(gradient):
                yield f"the gradient of {variable.path!r}"
    for path, value in after.items():
        if not _finite(value):
            yield f"the updated weight {path!r}"


class _Calls:
    """Inside, the layers of a model note whose inputs and outputs are not finite."""

    def __init__(self, model: Any, found: list[str]) -> None:
        self._layers = list(model._flatten_layers())
        self._found = found

    def __enter__(self) -> None:
        for layer in self._layers:
            # An attribute of the object hides the method of its class.
            layer.__dict__["call"] = self._noting(layer, layer.call)

    def __exit__(self, *error: object) -> None:
        for layer in self._layers:
            del layer.__dict__["call"]

    def _noting(self, layer: Any, call: Callable[..., Any]) -> Callable[..., Any]:
        def noting(*args: Any, **kwargs: Any) -> Any:
            place = f"of layer {layer.path!r} ({type(layer).__name__})"
            if not _finite((args, kwargs)):
                self._found.append(f"the inputs {place}")
            outputs = call(*args, **kwargs)
            if not _finite(outputs):
                self._found.append(f"the output {place}")
            return outputs

        return noting
