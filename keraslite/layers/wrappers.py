"""Layers around other layers: Wrapper, TimeDistributed, Bidirectional."""

from __future__ import annotations

from typing import Any

from keraslite import ops
from keraslite.core import tree
from keraslite.core.errors import check_choice, describe
from keraslite.core.keras_tensor import KerasTensor
from keraslite.core.registry import CustomObjects
from keraslite.core.scopes import SymbolicScope
from keraslite.layers.building import build_once
from keraslite.layers.layer import Layer

__all__ = ["Bidirectional", "TimeDistributed", "Wrapper"]


class _Around(CustomObjects, Layer):
    """What wrappers share: the check of their arguments."""

    def _check_layer(self, name: str, value: Any) -> None:
        if not isinstance(value, Layer):
            raise ValueError(
                f"{type(self).__name__}: `{name}` must be a Layer. Received: {describe(value)}"
            )


def _run(layer: Layer, inputs: Any, **options: Any) -> Any:
    """Call `layer` with those options that are given and that it takes."""
    known = layer._call.parameters
    return layer(inputs, **{k: v for k, v in options.items() if v is not None and k in known})


class Wrapper(_Around):
    """Base of layers around another layer.

    Args:
        layer: the inner layer.
    """

    def __init__(self, layer: Layer, **kwargs: Any) -> None:
        self._check_layer("layer", layer)
        super().__init__(**kwargs)
        self.layer = layer

    def build(self, input_shape: Any = None) -> None:
        build_once(self.layer, input_shape)


class TimeDistributed(Wrapper):
    """Applies one layer to every step of a sequence.

    All steps go through the layer at once, as one large batch. Only in training a layer that
    keeps running statistics, such as `BatchNormalization`, sees the steps one after another.

    Args:
        layer: takes inputs without the time axis.

    Call arguments:
        inputs: `(batch, time, ...)`.
        mask: `(batch, time)`, passed on to a layer that takes one.

    Returns:
        `(batch, time, ...)`: the outputs of the steps.

    Example:
        >>> frames = np.ones((2, 5, 8, 8, 3), "float32")
        >>> keras.layers.TimeDistributed(keras.layers.Conv2D(4, 3))(frames).shape
        (2, 5, 6, 6, 4)
    """

    def __init__(self, layer: Layer, **kwargs: Any) -> None:
        super().__init__(layer, **kwargs)
        self.supports_masking = True

    def build(self, input_shape: Any) -> None:
        super().build(self._step_shape(input_shape))

    def _step_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        if len(input_shape) < 3:
            raise ValueError(
                f"Layer {self.name!r} (TimeDistributed) needs inputs of at least three axes, "
                f"`(batch, time, ...)`. Received: shape={tuple(input_shape)}"
            )
        return (input_shape[0], *input_shape[2:])

    def compute_output_spec(
        self, inputs: Any, training: bool | None = None, mask: Any = None
    ) -> Any:
        shape = inputs.shape
        with SymbolicScope():
            outputs = self.layer(KerasTensor(self._step_shape(shape), inputs.dtype))
        return tree.map_structure(
            lambda x: KerasTensor((*shape[:2], *x.shape[1:]), x.dtype, record_history=False),
            outputs,
        )

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        if training and any(not v._kind_trainable for v in self.layer.weights):
            return self._step_by_step(inputs, mask)
        sizes = ops.shape(inputs)
        outputs = _run(
            self.layer,
            _fold(inputs),
            mask=None if mask is None else _fold(mask),
            training=training,
        )
        return tree.map_structure(
            lambda x: ops.reshape(x, (*sizes[:2], *ops.shape(x)[1:])), outputs
        )

    def _step_by_step(self, inputs: Any, mask: Any) -> Any:
        time = inputs.shape[1]
        if time is None:
            raise ValueError(
                f"Layer {self.name!r} (TimeDistributed) trains {self.layer.name!r}, which keeps "
                "running statistics, so it must know the number of steps. Received: "
                f"shape={tuple(inputs.shape)}. Give it to `Input`."
            )
        steps = [
            _run(self.layer, inputs[:, t], mask=None if mask is None else mask[:, t], training=True)
            for t in range(time)
        ]
        return tree.map_structure(lambda *x: ops.stack(x, axis=1), *steps)


def _fold(x: Any) -> Any:
    """`(batch, time, ...)` as `(batch * time, ...)`."""
    return ops.reshape(x, (-1, *ops.shape(x)[2:]))


_MERGES = {
    "sum": ops.add,
    "mul": ops.multiply,
    "ave": lambda x, y: (x + y) / 2,
    "concat": lambda x, y: ops.concatenate([x, y], axis=-1),
}


class Bidirectional(_Around):
    """Runs a recurrent layer over the sequence in both directions.

    Schuster and Paliwal, "Bidirectional Recurrent Neural Networks", 1997.

    Args:
        layer: a recurrent layer, or any layer with `go_backwards`, `return_sequences`,
            `return_state`, `stateful` and a config. It is copied for each direction.
        merge_mode: how the outputs combine: `"concat"`, `"sum"`, `"mul"`, `"ave"`, or None
            for both of them.
        weights: initial weights, those of the forward layer first.
        backward_layer: for the other direction; by default a copy of `layer`.

    Call arguments:
        sequences: `(batch, time, features)`.
        initial_state: states of the forward layer, then those of the backward layer.
        mask: `(batch, time)`, False for steps to skip.

    Returns:
        The merged outputs, or a tuple of both without `merge_mode`; with `return_state` also
        the last states, those of the forward layer first.

    Example:
        >>> layer = keras.layers.Bidirectional(keras.layers.LSTM(4, return_sequences=True))
        >>> layer(np.ones((2, 5, 3), "float32")).shape
        (2, 5, 8)
    """

    _not_in_config = frozenset({"weights"})

    def __init__(
        self,
        layer: Layer,
        merge_mode: str | None = "concat",
        weights: list[Any] | None = None,
        backward_layer: Layer | None = None,
        **kwargs: Any,
    ) -> None:
        self._check_layer("layer", layer)
        check_choice(self, (*_MERGES, None), merge_mode=merge_mode)
        if not hasattr(layer, "go_backwards"):
            raise ValueError(
                "Bidirectional: `layer` must be recurrent, with `go_backwards` among its "
                f"arguments. Received: {describe(layer)}"
            )
        super().__init__(**kwargs)
        self.forward_layer = _copy(layer, "forward")
        if backward_layer is None:
            self.backward_layer = _copy(layer, "backward", go_backwards=not layer.go_backwards)
        else:
            self._check_layer("backward_layer", backward_layer)
            self.backward_layer = backward_layer
            self._check_pair()
        if layer.return_sequences:
            # The outputs of a step are merged; a carried one would come from another step.
            self.forward_layer.zero_output_for_mask = True
            self.backward_layer.zero_output_for_mask = True
        self.merge_mode = merge_mode
        self.stateful = layer.stateful
        self.return_sequences = layer.return_sequences
        self.return_state = layer.return_state
        self.supports_masking = True
        self.input_spec = layer.input_spec
        self._initial_weights = weights

    def _check_pair(self) -> None:
        forward, backward = self.forward_layer, self.backward_layer
        if backward.go_backwards == forward.go_backwards:
            raise ValueError(
                "Bidirectional: `layer` and `backward_layer` must go in different directions. "
                f"Received: go_backwards={forward.go_backwards} for both"
            )
        for name in ("stateful", "return_sequences", "return_state"):
            ours, theirs = getattr(forward, name), getattr(backward, name)
            if ours != theirs:
                raise ValueError(
                    f"Bidirectional: `layer` and `backward_layer` must have the same `{name}`. "
                    f"Received: {ours} and {theirs}"
                )

    def _config_value(self, name: str, recorded: dict[str, Any], default: Any) -> Any:
        return super()._config_value(
            "forward_layer" if name == "layer" else name, recorded, default
        )

    def build(self, sequences_shape: Any, initial_state_shape: Any = None) -> None:
        for layer in (self.forward_layer, self.backward_layer):
            build_once(layer, sequences_shape)
        if self._initial_weights:
            self.set_weights(self._initial_weights)
            self._initial_weights = None

    def call(
        self,
        sequences: Any,
        initial_state: Any = None,
        mask: Any = None,
        training: bool | None = None,
    ) -> Any:
        half = 0 if initial_state is None else len(initial_state) // 2
        directions = (
            (self.forward_layer, initial_state and initial_state[:half]),
            (self.backward_layer, initial_state and initial_state[half:]),
        )
        results = [
            _run(layer, sequences, initial_state=state, mask=mask, training=training)
            for layer, state in directions
        ]
        states: list[Any] = []
        if self.return_state:
            states = [s for result in results for s in result[1:]]
            results = [result[0] for result in results]
        forward, backward = results
        if self.return_sequences:
            backward = ops.flip(backward, axis=1)
        if self.merge_mode is None:
            return (forward, backward, *states)
        merged = _MERGES[self.merge_mode](forward, backward)
        return (merged, *states) if self.return_state else merged

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        mask = previous_mask if self.return_sequences else None
        return (mask, mask) if self.merge_mode is None else mask

    @property
    def states(self) -> tuple[Any, ...] | None:
        """The states of a stateful layer, those of the forward layer first."""
        if not self.forward_layer.states:
            return None
        return (*self.forward_layer.states, *self.backward_layer.states)

    def reset_states(self) -> None:
        """Set the states of a stateful layer to zero."""
        self.forward_layer.reset_states()
        self.backward_layer.reset_states()

    reset_state = reset_states


def _copy(layer: Layer, prefix: str, **changes: Any) -> Layer:
    """A new layer with the config of `layer`, named after it."""
    config = {**layer.get_config(), **changes}
    name = layer.name
    config["name"] = name if name.startswith(f"{prefix}_") else f"{prefix}_{name}"
    return type(layer).from_config(config)
