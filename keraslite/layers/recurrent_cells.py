"""Cells: one step of a recurrent layer.

A cell of ours splits its step in two, so that a layer can compute the products with the
inputs of all steps at once: `project` before the loop, `step` inside it.
"""

from __future__ import annotations

from typing import Any

from keraslite import activations, ops, random
from keraslite.layers.constructors import takes
from keraslite.layers.options import (
    WeightedLayer,
    check_positive,
    check_rate,
    known_size,
    own_arguments,
)
from keraslite.random.seed_generator import SeedGenerator


class _Cell(WeightedLayer):
    """What the cells share: options, weights, dropout, states."""

    _gates: int
    _states = 1
    #: Axes of the inputs of one step, and the one of features.
    _step_rank = 2
    _gate_axis = -1

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        self._construct(own_arguments(locals()))
        check_positive(self, units=units)
        check_rate(self, dropout=dropout, recurrent_dropout=recurrent_dropout)
        self.seed_generator = SeedGenerator(seed)
        self.state_size: Any = [units] * self._states if self._states > 1 else units
        self.output_size = units
        self.reset_dropout_mask()
        self.reset_recurrent_dropout_mask()

    def build(self, input_shape: Any) -> None:
        if len(input_shape) != self._step_rank:
            raise ValueError(
                f"Layer {self.name!r} ({type(self).__name__}): a step of the inputs must have "
                f"{self._step_rank} axes, (batch, features). Received: shape={tuple(input_shape)}"
            )
        features = known_size(self, input_shape, -1)
        width = self._gates * self.units
        self.kernel = self._add("kernel", (features, width))
        self.recurrent_kernel = self._add("recurrent_kernel", (self.units, width), "recurrent")
        self.bias = self._add_bias(width) if self.use_bias else None

    def _add_bias(self, width: int) -> Any:
        return self._add("bias", (width,))

    def get_initial_state(self, batch_size: Any = None) -> list[Any]:
        """Zeros for `batch_size` samples."""
        return [
            ops.zeros((batch_size, *self._state_shape()), dtype=self.compute_dtype)
            for _ in range(self._states)
        ]

    def _state_shape(self) -> tuple[int, ...]:
        return (self.units,)

    # For cells made on top of these: a cell of ours, and its layer, draw their own.

    def get_dropout_mask(self, step_input: Any) -> Any:
        """What to multiply the inputs of all steps with, the same until `reset_dropout_mask`.

        Returns:
            Tensor of the shape of `step_input`, or a list of one for each gate; None without
            dropout.
        """
        if self._dropout_mask is None:
            self._dropout_mask = self._masks(step_input, self.dropout)
        return self._dropout_mask

    def get_recurrent_dropout_mask(self, step_input: Any) -> Any:
        """What to multiply the states with, the same until `reset_recurrent_dropout_mask`.

        Returns:
            Tensor of the shape of `step_input`, or a list of one for each gate; None without
            dropout.
        """
        if self._recurrent_dropout_mask is None:
            self._recurrent_dropout_mask = self._masks(step_input, self.recurrent_dropout)
        return self._recurrent_dropout_mask

    def reset_dropout_mask(self) -> None:
        """Forget the mask of the inputs; the next one is drawn anew."""
        self._dropout_mask = None

    def reset_recurrent_dropout_mask(self) -> None:
        """Forget the mask of the states; the next one is drawn anew."""
        self._recurrent_dropout_mask = None

    @property
    def is_standard(self) -> bool:
        """Whether its mathematics is that of the engines' fused kernels."""
        given = (self.activation, self.recurrent_activation)
        return given == (activations.tanh, activations.sigmoid)

    def _masks(self, like: Any, rate: float) -> Any:
        if not rate:
            return None
        ones = ops.ones_like(like)
        masks = [random.dropout(ones, rate, seed=self.seed_generator) for _ in range(self._gates)]
        return masks if self._gates > 1 else masks[0]

    def drop_inputs(self, x: Any, training: bool) -> Any:
        """Inputs with some features dropped, the same ones at every step."""
        if not training or not self.dropout:
            return x
        sizes = ops.shape(x)
        noise = sizes if len(x.shape) == self._step_rank else (sizes[0], 1, *sizes[2:])
        return random.dropout(x, self.dropout, noise, self.seed_generator)

    def constants(self, batch_size: Any, training: bool) -> Any:
        """What a step needs that is the same for all steps: the mask of the states."""
        if not training or not self.recurrent_dropout:
            return None
        ones = ops.ones((batch_size, *self._state_shape()), dtype=self.compute_dtype)
        return random.dropout(ones, self.recurrent_dropout, seed=self.seed_generator)

    def project(self, inputs: Any, training: bool = False) -> Any:
        """The part of the step that depends on inputs only, for one step or all."""
        x = ops.matmul(self.drop_inputs(inputs, training), self.kernel)
        return x if self.bias is None else ops.add(x, self._input_bias())

    def _input_bias(self) -> Any:
        return self.bias

    def step(self, projected: Any, states: Any, constants: Any = None) -> tuple[Any, list[Any]]:
        """`(output, new states)` from projected inputs."""
        raise NotImplementedError

    def call(self, inputs: Any, states: Any, training: bool = False) -> tuple[Any, Any]:
        given = states if isinstance(states, (list, tuple)) else [states]
        constants = self.constants(ops.shape(inputs)[0], training)
        output, new = self.step(self.project(inputs, training), list(given), constants)
        return output, new if isinstance(states, (list, tuple)) else new[0]


class SimpleRNNCell(_Cell):
    """One step of `SimpleRNN`: `activation(x @ kernel + h @ recurrent_kernel + bias)`."""

    _gates = 1

    def step(self, projected: Any, states: Any, constants: Any = None) -> tuple[Any, list[Any]]:
        h = states[0] if constants is None else states[0] * constants
        output = self.activation(projected + ops.matmul(h, self.recurrent_kernel))
        return output, [output]


class LSTMCell(_Cell):
    """One step of `LSTM`; gates in the order input, forget, cell, output."""

    _gates = 4
    _states = 2

    @takes(
        _Cell,
        behind={"activation": "recurrent_activation", "bias_initializer": "unit_forget_bias"},
    )
    def __init__(
        self, recurrent_activation: Any = "sigmoid", unit_forget_bias: bool = True, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self._set_options(
            recurrent_activation=recurrent_activation, unit_forget_bias=unit_forget_bias
        )

    def _add_bias(self, width: int) -> Any:
        if not self.unit_forget_bias:
            return super()._add_bias(width)
        units, initial = self.units, self.bias_initializer

        def values(shape: Any, dtype: Any = None) -> Any:
            # Ones keep the memory open at the start: Jozefowicz et al., ICML 2015.
            parts = [initial((units,), dtype=dtype), ops.ones((units,), dtype=dtype)]
            return ops.concatenate([*parts, initial((2 * units,), dtype=dtype)])

        return self._add("bias", (width,), initializer=values)

    def _recur(self, h: Any) -> Any:
        return ops.matmul(h, self.recurrent_kernel)

    def step(self, projected: Any, states: Any, constants: Any = None) -> tuple[Any, list[Any]]:
        h, c = states
        h = h if constants is None else h * constants
        i, f, g, o = ops.split(projected + self._recur(h), 4, axis=self._gate_axis)
        gate = self.recurrent_activation
        c = gate(f) * c + gate(i) * self.activation(g)
        output = gate(o) * self.activation(c)
        return output, [output, c]


class GRUCell(_Cell):
    """One step of `GRU`; gates in the order update, reset, new values."""

    _gates = 3

    @takes(
        _Cell,
        behind={"activation": "recurrent_activation", "recurrent_dropout": "reset_after"},
    )
    def __init__(
        self, recurrent_activation: Any = "sigmoid", reset_after: bool = True, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self._set_options(recurrent_activation=recurrent_activation, reset_after=reset_after)

    @property
    def is_standard(self) -> bool:
        return self.reset_after and super().is_standard

    def _add_bias(self, width: int) -> Any:
        return self._add("bias", (2, width) if self.reset_after else (width,))

    def _input_bias(self) -> Any:
        return self.bias[0] if self.reset_after else self.bias

    def step(self, projected: Any, states: Any, constants: Any = None) -> tuple[Any, list[Any]]:
        h = states[0]
        dropped = h if constants is None else h * constants
        units, gate = self.units, self.recurrent_activation
        xz, xr, xh = ops.split(projected, 3, axis=-1)
        if self.reset_after:
            inner = ops.matmul(dropped, self.recurrent_kernel)
            if self.bias is not None:
                inner = inner + self.bias[1]
            hz, hr, hh = ops.split(inner, 3, axis=-1)
            z, r = gate(xz + hz), gate(xr + hr)
            new = self.activation(xh + r * hh)
        else:
            kernel = ops.convert_to_tensor(self.recurrent_kernel)
            hz, hr = ops.split(ops.matmul(dropped, kernel[:, : 2 * units]), 2, axis=-1)
            z, r = gate(xz + hz), gate(xr + hr)
            new = self.activation(xh + ops.matmul(r * dropped, kernel[:, 2 * units :]))
        output = z * h + ops.subtract(1.0, z) * new
        return output, [output]
