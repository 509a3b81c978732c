"""Connectionist temporal classification: sequences of labels without an alignment.

Graves et al., "Connectionist Temporal Classification: Labelling Unsegmented Sequence Data with
Recurrent Neural Networks" (2006).
"""

from __future__ import annotations

from typing import Any

from keraslite.core import dtypes
from keraslite.core.errors import check_choice
from keraslite.core.op import Tensor, TensorLike, composite
from keraslite.core.promotion import DtypeRule
from keraslite.core.shapes import Shape, common
from keraslite.ops import numpy as np
from keraslite.ops.control import scan
from keraslite.ops.nn.softmax import log_softmax
from keraslite.ops.sorting import top_k

# The logarithm of an impossible probability; finite, so that gradients are.
_NEVER = -1e5


def _wide(*names: str) -> str:
    return dtypes.promote_float(dtypes.promote(*names), "float32")


def _apart(*integers: str) -> DtypeRule:
    return DtypeRule(_wide, passing=("float32", "float64"), apart=dict.fromkeys(integers, "int32"))


def _check_blank(mask_index: int, classes: int | None) -> None:
    if classes is not None and not -classes <= mask_index < classes:
        raise ValueError(f"`mask_index` must lie in [-{classes}, {classes}); it is {mask_index}.")


def _check_vector(name: str, lengths: Shape, batch: int | None) -> int | None:
    if len(lengths) != 1:
        raise ValueError(f"`{name}` must have 1 axis, the batch; its shape is {tuple(lengths)}.")
    return common(lengths[0], batch, "The batch sizes")


def _ctc_loss_shape(
    target: Shape, output: Shape, target_length: Shape, output_length: Shape, mask_index: int = 0
) -> Shape:
    if len(target) != 2:
        raise ValueError(f"`target` must have the shape (batch, labels); it has {tuple(target)}.")
    if len(output) != 3:
        raise ValueError(
            f"`output` must have the shape (batch, time, classes); it has {tuple(output)}."
        )
    _check_blank(mask_index, output[2])
    batch = common(target[0], output[0], "The batch sizes")
    batch = _check_vector("target_length", target_length, batch)
    return (_check_vector("output_length", output_length, batch),)


def _extended(target: Tensor, blank: int) -> Tensor:
    """Labels with a blank before, between and after them: `2 n + 1` states."""
    batch, count = np.shape(target)
    pairs = np.stack([np.full_like(target, blank), target], axis=2)
    last = np.full((batch, 1), blank, dtype="int32")
    return np.concatenate([np.reshape(pairs, (batch, 2 * count)), last], axis=1)


def _moved(x: Tensor, by: int, value: Any) -> Tensor:
    """Elements handed on to those `by` places further along the last axis."""
    return np.concatenate([np.full_like(x[:, :by], value), x[:, :-by]], axis=1)


@composite(_ctc_loss_shape, _apart("target", "target_length", "output_length"), checked=True)
def ctc_loss(
    target: TensorLike,
    output: TensorLike,
    target_length: TensorLike,
    output_length: TensorLike,
    mask_index: int = 0,
) -> Tensor:
    """Minus the log-probability of labels, summed over all their alignments with the output.

    Args:
        target: labels of shape `(batch, max labels)`, padded at the end with anything.
        output: logits of shape `(batch, max time, classes)`.
        target_length: how many labels there are, of shape `(batch,)`.
        output_length: how many steps there are, of shape `(batch,)`.
        mask_index: the class that stands for "no label" (blank).

    Returns:
        Tensor of shape `(batch,)`, about 1e5 where labels do not fit into the steps. Narrow
        floats are computed in float32.

    Raises:
        ValueError: for shapes that do not fit, or a blank that is no class.

    Example:
        >>> keras.ops.ctc_loss([[1]], np.zeros((1, 2, 2)), [1], [2])
        array([0.2877])
    """
    classes = output.shape[2]
    blank = mask_index % classes
    states = _extended(target, blank)
    # A label may follow another one without a blank between them, unless they are equal.
    skips = np.logical_and(states != blank, states != _moved(states, 2, blank))
    emitted = np.take_along_axis(log_softmax(output), np.expand_dims(states, 1), 2)
    start = np.where(np.arange(np.shape(states)[1]) == 0, np.zeros_like(emitted[:, 0]), _NEVER)

    def step(before: Tensor, now: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        scores, time = now
        paths = np.logaddexp(before, _moved(before, 1, _NEVER))
        paths = np.logaddexp(paths, np.where(skips, _moved(before, 2, _NEVER), _NEVER))
        after = np.maximum(paths + scores, _NEVER)
        after = np.where(np.expand_dims(time < output_length, 1), after, before)
        return after, time

    steps = np.shape(output)[1]
    last, _ = scan(step, start, (np.swapaxes(emitted, 0, 1), np.arange(steps)))
    final = np.expand_dims(2 * target_length, 1)
    label = np.take_along_axis(last, np.maximum(final - 1, 0), 1)
    label = np.where(final > 0, label, _NEVER)
    return -np.squeeze(np.logaddexp(np.take_along_axis(last, final, 1), label), 1)


# Decoding ----------------------------------------------------------------------------


@composite(None, _apart("sequence_lengths"), native=False)
def ctc_decode(
    inputs: TensorLike,
    sequence_lengths: TensorLike,
    strategy: str = "greedy",
    beam_width: int = 100,
    top_paths: int = 1,
    merge_repeated: bool = True,
    mask_index: int = 0,
) -> tuple[Tensor, Tensor]:
    """The most probable labels of sequences.

    Args:
        inputs: logits of shape `(batch, max time, classes)`.
        sequence_lengths: how many steps there are, of shape `(batch,)`.
        strategy: `"greedy"` takes the best class of each step; `"beam_search"` keeps the
            best beginnings, each with the probabilities of all its alignments.
        beam_width: how many beginnings the search keeps.
        top_paths: how many results the search gives.
        merge_repeated: whether the greedy strategy takes equal classes in a row as one; the
            search always does.
        mask_index: the class that stands for "no label" (blank).

    Returns:
        The labels, of shape `(top_paths, batch, max time)`, int32, filled up with -1; and
        scores of shape `(batch, top_paths)`: log-probabilities of the search, or minus the
        sum of the greatest inputs of the greedy strategy, which gives one path.

    Raises:
        ValueError: for shapes or options that do not fit.

    Example:
        >>> logits = 9.0 * np.eye(3)[None, [1, 1, 0, 2]]
        >>> keras.ops.ctc_decode(logits, [4])[0]
        array([[[ 1,  2, -1, -1]]], dtype=int32)
    """
    _check_decoding(inputs.shape, sequence_lengths.shape, strategy, beam_width, top_paths)
    _check_blank(mask_index, inputs.shape[2])
    blank = mask_index % inputs.shape[2]
    if strategy == "greedy":
        return _greedy(inputs, sequence_lengths, merge_repeated, blank)
    return _search(log_softmax(inputs), sequence_lengths, beam_width, top_paths, blank)


def _check_decoding(
    inputs: Shape, lengths: Shape, strategy: str, beam_width: int, top_paths: int
) -> None:
    check_choice("ops.ctc_decode: ", ("greedy", "beam_search"), strategy=strategy)
    if len(inputs) != 3 or len(lengths) != 1:
        raise ValueError(
            "ops.ctc_decode: `inputs` must have the shape (batch, time, classes), and "
            "`sequence_lengths` the shape (batch,). Received: shapes "
            f"{tuple(inputs)} and {tuple(lengths)}"
        )
    if not 1 <= top_paths <= beam_width:
        raise ValueError(
            "ops.ctc_decode: `top_paths` must be at least 1 and at most `beam_width`. Received: "
            f"top_paths={top_paths}, beam_width={beam_width}"
        )


def _greedy(
    inputs: Tensor, lengths: Tensor, merge_repeated: bool, blank: int
) -> tuple[Tensor, Tensor]:
    best = np.cast(np.argmax(inputs, axis=2), "int32")
    times = np.arange(np.shape(inputs)[1])
    valid = times < np.expand_dims(lengths, 1)
    kept = np.logical_and(valid, best != blank)
    if merge_repeated:
        kept = np.logical_and(kept, best != _moved(best, 1, -1))
    # What is kept moves to the front, in its order.
    order = np.argsort(np.where(kept, times, np.shape(inputs)[1]), axis=1)
    count = np.sum(np.cast(kept, "int32"), 1, keepdims=True)
    labels = np.where(times < count, np.take_along_axis(best, order, 1), -1)
    score = -np.sum(np.where(valid, np.max(inputs, 2), 0.0), 1, keepdims=True)
    return np.expand_dims(labels, 0), score


def _search(
    scores: Tensor, lengths: Tensor, width: int, top: int, blank: int
) -> tuple[Tensor, Tensor]:
    """Prefix beam search over log-probabilities `(batch, time, classes)`.

    The state is, for each of `width` beginnings: its labels and how many there are, and the
    log-probabilities of its alignments that end with a blank and with its last label.
    """
    batch, steps, classes = np.shape(scores)
    slots = np.arange(width)
    dtype = np.dtype(scores)
    never = np.full((batch, width), float("-inf"), dtype=dtype)
    first = np.where(slots == 0, np.zeros_like(never), never)
    labels = np.full((batch, width, steps), -1, dtype="int32")
    state = (labels, np.zeros((batch, width), dtype="int32"), first, never)

    def step(before: Any, now: tuple[Tensor, Tensor]) -> tuple[Any, Tensor]:
        score, time = now
        after = _extend_beams(before, score, blank)
        going = time < lengths
        kept = tuple(
            np.where(np.reshape(going, (batch, *([1] * (len(new.shape) - 1)))), new, old)
            for new, old in zip(after, before, strict=True)
        )
        return kept, time

    (labels, _, blanks, others), _ = scan(
        step, state, (np.swapaxes(scores, 0, 1), np.arange(steps))
    )
    best, order = top_k(np.logaddexp(blanks, others), top)
    chosen = np.take_along_axis(labels, np.expand_dims(order, 2), 1)
    return np.swapaxes(chosen, 0, 1), best


def _extend_beams(state: Any, score: Tensor, blank: int) -> Any:
    """One step of the search; `score` is of shape `(batch, classes)`."""
    labels, sizes, blanks, others = state
    batch, width, steps = np.shape(labels)
    classes = score.shape[1]
    total = np.logaddexp(blanks, others)
    alive = total > float("-inf")
    last = np.take_along_axis(labels, np.expand_dims(np.maximum(sizes - 1, 0), 2), 2)
    # Every beginning with every class after it; the last label again needs a blank between.
    classes_here = np.arange(classes)
    again = classes_here == last
    longer = np.where(again, np.expand_dims(blanks, 2), np.expand_dims(total, 2))
    longer = longer + np.expand_dims(score, 1)
    longer = np.where(classes_here == blank, float("-inf"), longer)
    # Every beginning as it is.
    same_blank = total + score[:, blank : blank + 1]
    repeated = np.take_along_axis(score, np.maximum(last[:, :, 0], 0), 1)
    same_other = others + repeated
    # A longer beginning that is already there adds to it.
    places = np.arange(steps)
    parents = np.where(places == np.expand_dims(sizes - 1, 2), -1, labels)
    child_of = np.all(np.expand_dims(labels, 2) == np.expand_dims(parents, 1), 3)
    child_of = np.logical_and(child_of, np.expand_dims(np.logical_and(alive, sizes > 0), 1))
    into = np.take_along_axis(longer, np.maximum(np.swapaxes(last, 1, 2), 0), 2)
    into = np.where(child_of, into, float("-inf"))
    same_other = np.logaddexp(same_other, np.max(into, 1))
    taken = np.any(np.logical_and(np.expand_dims(child_of, 3), np.expand_dims(again, 1)), axis=2)
    longer = np.where(taken, float("-inf"), longer)
    # The best of all.
    ranks = np.concatenate(
        [np.logaddexp(same_blank, same_other), np.reshape(longer, (batch, width * classes))], 1
    )
    best, order = top_k(ranks, width)
    grown = order >= width
    source = np.where(grown, np.floor_divide(order - width, classes), order)
    label = np.where(grown, np.mod(order - width, classes), -1)
    sizes = np.take_along_axis(sizes, source, 1)
    labels = np.take_along_axis(labels, np.expand_dims(source, 2), 1)
    here = np.logical_and(np.expand_dims(grown, 2), places == np.expand_dims(sizes, 2))
    return (
        np.where(here, np.expand_dims(label, 2), labels),
        sizes + np.cast(grown, "int32"),
        np.where(grown, float("-inf"), np.take_along_axis(same_blank, source, 1)),
        np.where(grown, best, np.take_along_axis(same_other, source, 1)),
    )
