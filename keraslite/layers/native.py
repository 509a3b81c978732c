"""Layers made of a program of the engine's own framework: torch modules, SavedModels."""

from __future__ import annotations

import base64
from typing import Any

from keraslite import ops
from keraslite.backend import engine
from keraslite.backend.contract import Program
from keraslite.core import inference
from keraslite.core.scopes import StatelessScope
from keraslite.core.serialization import refuse_if_safe
from keraslite.core.variable import Variable
from keraslite.layers.layer import Layer

__all__ = ["TFSMLayer", "TorchModuleWrapper"]


class NativeLayer(Layer):
    """A layer whose `call` runs on the engine's own tensors only."""

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        return inference.trace(self.call, args, kwargs)


class ProgramLayer(NativeLayer):
    """A layer around a `Program`, whose states are its weights."""

    def _adopt(self, program: Program, trainable: bool) -> None:
        """Take over a program; its storages become variables here."""
        self._program = program
        self._state: list[Variable] = []
        for name, storage, wanted in program.states:
            value = engine.read(storage)
            variable = Variable(
                value, dtype=engine.dtype(value), trainable=wanted, autocast=False, name=name
            )
            variable._storage = storage
            self._state.append(variable)
        self.built = True
        if not trainable:
            self.trainable = False

    def _run_program(self, args: tuple, kwargs: dict[str, Any], training: bool | None) -> Any:
        values = [v.value for v in self._state]
        if StatelessScope.current.get() is not None:
            # Assignments go to the scope: the program must not write to what is there.
            values = [
                x if v.trainable else ops.copy(x) for v, x in zip(self._state, values, strict=True)
            ]
        outputs, new = self._program.run(values, args, kwargs, training)
        for variable, value in zip(self._state, new, strict=True):
            if not variable.trainable and value is not variable._storage:
                variable.assign(value)
        return outputs

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: Any = None, safe_mode: bool | None = None
    ) -> Any:
        """A layer made from what `get_config` gave.

        Args:
            config: names code of others: a pickled module, or a SavedModel.
            custom_objects: not used.
            safe_mode: False to trust the config.

        Raises:
            UnsafeModelError: unless the user said that the config is to be trusted.
        """
        if safe_mode is not False:
            refuse_if_safe(f"A {cls.__name__} brings a program of its own")
        return super().from_config(config)


class TorchModuleWrapper(ProgramLayer):
    """A `torch.nn.Module` as a layer, on the torch engine.

    Its parameters are trainable weights and its buffers non-trainable ones, shared with the
    module: training the layer trains the module.

    Args:
        module: the module.
        name: of the layer.
        output_shape: of the outputs, for modules that cannot be traced.

    Call arguments: those of the module; `training` sets its mode and is not passed on.

    Raises:
        NotImplementedError: on other engines.

    Example:
        >>> layer = keras.layers.TorchModuleWrapper(torch.nn.Linear(4, 3))
        >>> layer(np.ones((2, 4))).shape
        torch.Size([2, 3])
    """

    def __init__(
        self, module: Any, name: str | None = None, output_shape: Any = None, **kwargs: Any
    ) -> None:
        super().__init__(name=name, **kwargs)
        if isinstance(module, str):
            module = base64.b64decode(module)
        program = engine.adopt_module(module)
        self.module = program.module  # type: ignore[attr-defined]
        self.output_shape = output_shape
        self._adopt(program, self.trainable)

    def _tracked(self) -> Any:
        # The engine finds the parameters in the module.
        return iter(())

    def parameters(self, recurse: bool = True) -> Any:
        """The parameters of the module."""
        return self.module.parameters(recurse)

    def call(self, *args: Any, training: bool | None = None, **kwargs: Any) -> Any:
        return self._run_program(args, kwargs, training)

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        if self.output_shape is not None:
            return self._spec_of(tuple(self.output_shape))
        return super().compute_output_spec(*args, **kwargs)

    def compute_output_shape(self, input_shape: Any) -> Any:
        if self.output_shape is not None:
            return tuple(self.output_shape)
        return super().compute_output_shape(input_shape)

    def get_config(self) -> dict[str, Any]:
        """The layer's options, with the pickled module."""
        packed = base64.b64encode(engine.pack_module(self.module)).decode("ascii")
        return {**super().get_config(), "module": packed, "output_shape": self.output_shape}

    def save_own_variables(self, store: Any) -> None:
        """Put the module's state into `store`, under torch's names."""
        for variable in self._state:
            store[variable.name] = variable

    def load_own_variables(self, store: Any) -> None:
        """Assign the module's state from `store`."""
        missing = [v.name for v in self._state if v.name not in store]
        if missing or len(store) != len(self._state):
            raise ValueError(
                f"Layer {self.path!r}: the file holds {sorted(store)}. Expected the state of the "
                f"module: {[v.name for v in self._state]}"
            )
        for variable in self._state:
            variable.assign(store[variable.name][()])


class TFSMLayer(ProgramLayer):
    """A TensorFlow SavedModel as a layer, on the tensorflow engine.

    `model.export(path)` writes one with the endpoint `"serve"`. The layer shares the variables
    of what it loads, and trains them as far as the endpoint lets gradients through.

    Args:
        filepath: the directory of the SavedModel.
        call_endpoint: name of the function or signature to call.
        call_training_endpoint: the one to call in training; `call_endpoint` by default.
        trainable: whether the variables should be trained.
        name: of the layer.
        dtype: a dtype or `DTypePolicy`.

    Raises:
        NotImplementedError: on other engines.
        FileNotFoundError: if there is no SavedModel.
        ValueError: for an endpoint that it lacks.

    Example:
        >>> layer = keras.layers.TFSMLayer("exported_model", call_endpoint="serve")
    """

    def __init__(
        self,
        filepath: Any,
        call_endpoint: str = "serve",
        call_training_endpoint: str | None = None,
        trainable: bool = True,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(trainable=trainable, name=name, dtype=dtype)
        self.filepath = str(filepath)
        self.call_endpoint = call_endpoint
        self.call_training_endpoint = call_training_endpoint
        program = engine.load_program(self.filepath, call_endpoint, call_training_endpoint)
        self._adopt(program, trainable)

    def call(self, inputs: Any, training: bool | None = False, **kwargs: Any) -> Any:
        return self._run_program((inputs,), kwargs, training)
