"""TensorFlow SavedModels as the programs of layers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import tensorflow as tf

from keraslite.backend.contract import Program, ProgramState
from keraslite.core.errors import nearest


class SavedModel(Program):
    """One endpoint of a SavedModel, or two: one for calls in training.

    Args:
        path: its directory.
        endpoint: the name of a function or of a signature.
        training_endpoint: the same for calls in training.
    """

    def __init__(self, path: str, endpoint: str, training_endpoint: str | None = None) -> None:
        if not tf.saved_model.contains_saved_model(path):
            raise FileNotFoundError(f"There is no TensorFlow SavedModel in {str(path)!r}.")
        self._loaded = tf.saved_model.load(path)
        self._call = self._endpoint(endpoint, path)
        self._training = training_endpoint and self._endpoint(training_endpoint, path)
        found = {id(v): v for v in self._variables()}
        self.states = [
            ProgramState(v.name.removesuffix(":0").replace("/", "_"), v, bool(v.trainable))
            for v in found.values()
        ]

    def _endpoint(self, name: str, path: str) -> Any:
        found = getattr(self._loaded, name, None)
        if callable(found):
            return found
        signatures = getattr(self._loaded, "signatures", {})
        if name in signatures:
            return signatures[name]
        functions = [
            key
            for key, value in vars(self._loaded).items()
            if isinstance(value, tf.types.experimental.PolymorphicFunction)
            and not key.startswith("_")
        ]
        known = sorted({*functions, *signatures})
        raise ValueError(
            f"The SavedModel in {str(path)!r} has no endpoint {name!r}.{nearest(name, known)} "
            f"Expected one of: {', '.join(known)}."
        )

    def _variables(self) -> Iterator[tf.Variable]:
        for kind in ("trainable_variables", "variables"):
            yield from getattr(self._loaded, kind, ())
        for endpoint in filter(None, (self._call, self._training)):
            for function in getattr(endpoint, "concrete_functions", [endpoint]):
                yield from getattr(function, "variables", ())

    def run(
        self, values: list[Any], args: tuple, kwargs: dict[str, Any], training: bool | None
    ) -> tuple[Any, list[Any]]:
        # It reads and writes its variables itself.
        function = self._training if training and self._training else self._call
        return function(*args, **kwargs), values
