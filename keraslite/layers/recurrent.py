"""Recurrent layers: a loop over time around a cell."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from keraslite import ops
from keraslite.core import tree
from keraslite.core.configurable import parameters_of
from keraslite.core.keras_tensor import KerasTensor
from keraslite.core.naming import to_snake_case
from keraslite.layers.constructors import constructor_of
from keraslite.layers.input_spec import InputSpec
from keraslite.layers.layer import Layer
from keraslite.layers.options import check_equal, doc_of, keep
from keraslite.layers.recurrent_cells import GRUCell, LSTMCell, SimpleRNNCell
from keraslite.layers.recurrent_fused import FusedSequence, shut_gates
from keraslite.layers.recurrent_stacked import (
    StackedRNNCells,
    as_list,
    build_cell,
    call_cell,
    check_cell,
    output_size,
    zero_state,
)
from keraslite.ops.recurrent import gru, lstm

__all__ = ["GRU", "GRUCell", "LSTM", "LSTMCell", "RNN", "SimpleRNN", "SimpleRNNCell"]


class RNN(Layer):
    """Runs a cell over the steps of a sequence.

    Args:
        cell: a layer with `call(inputs, states) -> (output, new_states)`, `state_size` and,
            where it differs, `output_size`; or a list of such cells.
        return_sequences: all outputs in place of the last one.
        return_state: also return the last states.
        go_backwards: from the last step to the first.
        stateful: begin each batch with the last states of the one before.
        unroll: write the steps out in place of a loop.
        zero_output_for_mask: zeros for masked steps in place of the output before.

    Call arguments:
        sequences: `(batch, time, ...)`.
        initial_state: states to begin with.
        mask: `(batch, time)`, False for steps to skip.

    Shapes: `(batch, units)`, or `(batch, time, units)` with `return_sequences`.
    """

    def __init__(
        self,
        cell: Any,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        zero_output_for_mask: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if isinstance(cell, (list, tuple)):
            cell = StackedRNNCells(cell)
        check_cell(type(self).__name__, cell)
        keep(self, locals())
        self.input_spec = None
        self.supports_masking = True
        self.states: Any = None

    # Shapes --------------------------------------------------------------------------

    @property
    def _output_sizes(self) -> tuple[Any, ...]:
        size = output_size(self.cell)
        return tuple(size) if isinstance(size, (list, tuple)) else (size,)

    def build(self, sequences_shape: Any, initial_state_shape: Any = None) -> None:
        shape = (sequences_shape[0], *sequences_shape[2:])
        build_cell(self.cell, shape)
        if self.stateful:
            if sequences_shape[0] is None:
                raise ValueError(
                    f"Layer {self.name!r}: a stateful layer needs the batch size. Give it with "
                    f"`Input(batch_shape=...)`. Received: shape={tuple(sequences_shape)}"
                )
            number = itertools.count()
            self.states = tree.map_structure(
                lambda state: self.add_weight(
                    shape=state.shape,
                    initializer="zeros",
                    trainable=False,
                    name=f"state_{next(number)}",
                    dtype=self.compute_dtype,
                ),
                self.get_initial_state(sequences_shape[0]),
            )

    def _passing_state(self) -> list[Any]:
        return tree.flatten(self.states or ())

    def get_initial_state(self, batch_size: Any) -> Any:
        """Zeros, or what the cell says, for `batch_size` samples."""
        return zero_state(self.cell, batch_size, self.compute_dtype)

    def reset_state(self) -> None:
        """Set the states of a stateful layer to zero."""
        for state in tree.flatten(self.states or ()):
            state.assign(ops.zeros(state.shape, dtype=state.dtype))

    reset_states = reset_state

    def compute_output_spec(
        self, sequences: Any, initial_state: Any = None, mask: Any = None, training: Any = None
    ) -> Any:
        batch, time = sequences.shape[:2]
        dtype = self.compute_dtype

        def spec(*shape: Any) -> KerasTensor:
            return KerasTensor(shape, dtype, record_history=False)

        sizes = self._output_sizes
        output = spec(batch, time, *sizes) if self.return_sequences else spec(batch, *sizes)
        if not self.return_state:
            return output
        return (output, *self._state_specs(lambda *sizes: spec(batch, *sizes)))

    def _state_specs(self, spec: Callable[..., KerasTensor]) -> list[Any]:
        """The last states, by a function from sizes without the batch."""
        return as_list(tree.map_structure(spec, self.cell.state_size))

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        mask = tree.flatten(previous_mask)[0]
        mask = mask if self.return_sequences else None
        return [mask] + [None] * len(as_list(self.cell.state_size)) if self.return_state else mask

    # The loop --------------------------------------------------------------------------

    def call(
        self,
        sequences: Any,
        initial_state: Any = None,
        mask: Any = None,
        training: bool = False,
    ) -> Any:
        if isinstance(mask, (list, tuple)):
            mask = mask[0]
        if initial_state is None:
            if self.stateful:
                initial_state = tree.map_structure(lambda s: s.value, self.states)
            else:
                initial_state = self.get_initial_state(ops.shape(sequences)[0])
        states = as_list(initial_state)
        self._check_states(sequences.shape, states)
        if mask is not None:
            for axis, what in enumerate(("batch sizes", "numbers of steps")):
                sizes = {"the input": sequences.shape[axis], "the mask": mask.shape[axis]}
                check_equal(self, what, sizes)
        last, outputs, states = self.inner_loop(sequences, states, mask, training)
        states = list(states)
        if self.stateful:
            for variable, value in zip(
                tree.flatten(self.states), tree.flatten(states), strict=True
            ):
                variable.assign(value)
        result = outputs if self.return_sequences else last
        return (result, *states) if self.return_state else result

    def _check_states(self, shape: Any, states: list[Any]) -> None:
        """Raise a ValueError where the states do not fit sequences of `shape`."""

    def inner_loop(
        self, sequences: Any, initial_state: Any, mask: Any, training: bool = False
    ) -> tuple[Any, Any, Any]:
        """`(last output, outputs, last states)`; subclasses may use a fused kernel."""
        cell = self.cell
        project = getattr(cell, "project", None)
        if project is not None:
            sequences = project(sequences, training)
            constants = cell.constants(ops.shape(sequences)[0], training)

            def advance(x: Any, states: Any) -> Any:
                return cell.step(x, states, constants)
        else:

            def advance(x: Any, states: Any) -> Any:
                return call_cell(cell, x, states, training)

        steps = ops.transpose(sequences, (1, 0, *range(2, len(sequences.shape))))
        masks = None if mask is None else ops.transpose(mask, (1, 0))
        if self.go_backwards:
            steps = ops.flip(steps, axis=0)
            masks = None if masks is None else ops.flip(masks, axis=0)

        def body(carry: Any, xs: Any) -> Any:
            previous, states = carry
            x, kept = xs if masks is not None else (xs, None)
            output, new_states = advance(x, list(states))
            new_states = tree.pack_sequence_as(states, tree.flatten(new_states))
            if kept is not None:
                output, shown = self._masked(kept, output, previous)
                new_states = tree.map_structure(
                    lambda new, old: _choose(kept, new, old), new_states, states
                )
            else:
                shown = output
            return (output, new_states), shown

        sizes = (ops.shape(sequences)[0], *self._output_sizes)
        carry = (ops.zeros(sizes, dtype=self.compute_dtype), list(initial_state))
        inputs = steps if masks is None else (steps, masks)
        if self.unroll:
            (last, states), outputs = _unrolled(body, carry, inputs)
        else:
            (last, states), outputs = ops.scan(body, carry, inputs)
        if masks is not None and self.zero_output_for_mask:
            last = outputs[-1]
        return last, ops.transpose(outputs, (1, 0, *range(2, len(outputs.shape)))), states

    def _masked(self, kept: Any, output: Any, previous: Any) -> tuple[Any, Any]:
        """What goes on to the next step, and what is shown for this one."""
        carried = _choose(kept, output, previous)
        shown = (
            _choose(kept, output, ops.zeros_like(output)) if self.zero_output_for_mask else carried
        )
        return carried, shown


def _choose(kept: Any, new: Any, old: Any) -> Any:
    kept = ops.reshape(kept, (-1, *(1,) * (len(new.shape) - 1)))
    return ops.where(kept, new, old)


def _unrolled(body: Any, carry: Any, inputs: Any) -> Any:
    length = tree.flatten(inputs)[0].shape[0]
    if length is None:
        raise ValueError("`unroll` needs a known number of steps: give it to `Input`.")
    shown = []
    for t in range(length):
        carry, output = body(carry, tree.map_structure(lambda x, t=t: x[t], inputs))
        shown.append(output)
    return carry, ops.stack(shown)


_LOOP = "return_sequences return_state go_backwards stateful unroll"


class CellLayer(RNN):
    """{what}

    Args:
        units: size of the output.
        activation: of the new values.{recurrent}
        use_bias: whether there is a bias.
        kernel_initializer, recurrent_initializer, bias_initializer: initial values.{extra}
        kernel_regularizer, recurrent_regularizer, bias_regularizer: penalties.
        activity_regularizer: penalty on the output.
        kernel_constraint, recurrent_constraint, bias_constraint: applied after updates.
        dropout, recurrent_dropout: shares of inputs and of states that are dropped in
            training, the same ones at every step.
        seed: of dropout.
        return_sequences: all outputs in place of the last one.
        return_state: also return the last states.
        go_backwards: from the last step to the first.
        stateful: begin each batch with the last states of the one before.
        unroll: write the steps out in place of a loop.

    Shapes: `(batch, time, features)` to `(batch, units)` or `(batch, time, units)`.
    """

    _cell: type
    #: The names of those arguments that are the cell's.
    _of_cell: set[str]
    _not_in_config = frozenset({"use_cudnn", "cell"})
    _writes_activity_regularizer = True

    def __init__(
        self,
        activity_regularizer: Any = None,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        **kwargs: Any,
    ) -> None:
        # Keras 2 wrote these; they choose between equal implementations.
        for old in ("implementation", "time_major"):
            kwargs.pop(old, None)
        cell = self._cell(
            **{name: kwargs.pop(name) for name in self._of_cell & kwargs.keys()},
            dtype=kwargs.get("dtype"),
            trainable=kwargs.get("trainable", True),
            name=to_snake_case(self._cell.__name__),
        )
        loop = (return_sequences, return_state, go_backwards, stateful, unroll)
        RNN.__init__(self, cell, *loop, activity_regularizer=activity_regularizer, **kwargs)
        self.input_spec = InputSpec(ndim=3)

    def build(self, sequences_shape: Any, initial_state_shape: Any = None) -> None:
        super().build(sequences_shape)
        axis = self.cell._gate_axis
        axis = axis if axis < 0 else axis + 1
        self.input_spec = InputSpec(ndim=len(sequences_shape), axes={axis: sequences_shape[axis]})

    def _check_states(self, shape: Any, states: list[Any]) -> None:
        expected = [spec.shape for spec in self._state_specs(lambda *n: KerasTensor((None, *n)))]
        given = [tuple(state.shape) for state in states]
        if [s[1:] for s in given] != [s[1:] for s in expected]:
            raise ValueError(
                f"Layer {self.name!r} ({type(self).__name__}): expected `initial_state` of shapes "
                f"{expected}. Received: {given}"
            )
        for state in given:
            check_equal(self, "batch sizes", {"the input": shape[0], "the state": state[0]})

    def _config_value(self, name: str, recorded: dict[str, Any], default: Any) -> Any:
        if name in vars(self.cell):
            return getattr(self.cell, name)
        return super()._config_value(name, recorded, default)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._of_cell = parameters_of(cls._cell).keys() - parameters_of(Layer).keys()
        for name in cls._of_cell:
            setattr(cls, name, property(lambda self, name=name: getattr(self.cell, name)))


class SimpleRNN(CellLayer):
    _cell = SimpleRNNCell
    __doc__ = doc_of(
        CellLayer,
        what="Fully connected recurrent layer: the output goes back in.",
        recurrent="",
        extra="",
    )

    __init__ = constructor_of(
        CellLayer,
        SimpleRNNCell,
        behind={"bias_regularizer": "activity_regularizer", "recurrent_dropout": _LOOP},
    )


_RULE = """

    An engine that has a fused kernel (`is_fused`) computes the whole sequence with it, masks
    included. A loop over the cell takes its place with activations other than tanh and
    sigmoid,{} with `unroll`, and in training with `recurrent_dropout`."""


class LSTM(FusedSequence, CellLayer):
    _cell = LSTMCell
    _fused = staticmethod(lstm)
    __doc__ = doc_of(
        CellLayer,
        what="Long short-term memory, Hochreiter and Schmidhuber 1997." + _RULE.format(""),
        recurrent="\n        recurrent_activation: of the gates.",
        extra="\n        unit_forget_bias: begin with ones in the bias of the forget gate.",
    )

    __init__ = constructor_of(
        FusedSequence,
        CellLayer,
        LSTMCell,
        behind={"bias_regularizer": "activity_regularizer", "seed": f"{_LOOP} use_cudnn"},
    )

    _holding = staticmethod(shut_gates)


class GRU(FusedSequence, CellLayer):
    _cell = GRUCell
    _fused = staticmethod(gru)
    __doc__ = doc_of(
        CellLayer,
        what="Gated recurrent unit, Cho et al., https://arxiv.org/abs/1406.1078"
        + _RULE.format(" without `reset_after`,"),
        recurrent="\n        recurrent_activation: of the gates.",
        extra="\n        reset_after: apply the reset gate after the recurrent product.",
    )

    __init__ = constructor_of(
        FusedSequence,
        CellLayer,
        GRUCell,
        behind={
            "bias_regularizer": "activity_regularizer",
            "seed": f"{_LOOP} reset_after use_cudnn",
        },
    )
