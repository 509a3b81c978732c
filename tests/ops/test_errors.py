"""Arguments that do not fit: one wording, eager or symbolic, on every engine."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from keraslite import ops, random
from keraslite.backend import engine
from keraslite.core.keras_tensor import KerasTensor


class T(tuple):
    """The shape of a tensor argument."""


# op, arguments with shapes for tensors, what the error says
CASES = [
    ("add", [T((2, 3)), T((4, 3))], "sizes 2 and 4 do not broadcast"),
    ("where", [T((2,)), T((3,)), T((3,))], "do not broadcast"),
    ("where", [T((2,)), T((2,)), None], "Give both `x1` and `x2`"),
    ("sum", [T((2, 3)), 2], "`axis` must lie in [-2, 1] for rank 2; it is 2"),
    ("max", [T((0, 3)), 0], "an axis is empty"),
    ("argmax", [T((0, 3)), 0], "an axis is empty"),
    ("cumsum", [T((3,)), 1], "`axis` must lie in [-1, 0]"),
    ("norm", [T((2, 3)), "nothing"], "'fro' and 'nuc'"),
    ("norm", [T((2, 3, 4)), 2], "Name one or two axes"),
    ("average", [T((2, 3)), 0, T((3,))], "must be equal"),
    ("reshape", [T((2, 3)), (4, 2)], "6 elements do not fill a tensor of shape (4, 2)"),
    ("reshape", [T((2, 3)), (-1, 4)], "6 elements cannot be split into sizes (-1, 4)"),
    ("transpose", [T((2, 3)), (0, 0)], "names an axis twice"),
    ("transpose", [T((2, 3)), (0,)], "must name each of the 2 axes once"),
    ("squeeze", [T((2, 3)), 0], "axis 0 has size 2"),
    ("expand_dims", [T((2, 3)), 4], "`axis` must lie in [-3, 2]"),
    ("broadcast_to", [T((2, 3)), (3, 3)], "does not broadcast to (3, 3)"),
    ("tril", [T((3,))], "must have at least 2 axes"),
    ("diag", [T((2, 2, 2))], "must have 1 or 2 axes"),
    ("concatenate", [[T((2, 3)), T((2, 4))], 0], "sizes of axis 1 must be equal: 3 is not 4"),
    ("concatenate", [[T((2, 3)), T((2,))], 0], "same number of axes"),
    ("stack", [[T((2,)), T((3,))]], "2 is not 3"),
    ("split", [T((5,)), 2], "5 cannot be split into 2 equal parts"),
    ("unstack", [T((3,)), 2], "2 is not 3"),
    ("pad", [T((2, 3)), [[1, 1], [1, 1], [1, 1]]], "one pair for each of the 2 axes"),
    ("pad", [T((2, 3)), 1, "outer"], "`mode` must be one of"),
    ("get_item", [T((2, 3)), (0, 0, 0)], "Too many indices: 3 for a tensor of 2 axes"),
    ("get_item", [T((2, 3)), 2], "Index 2 lies outside an axis of size 2"),
    ("scatter_update", [T((3,)), T((1, 1)), T((1,)), "mean"], "`reduction` must be one of"),
    ("searchsorted", [T((3,)), T((2,)), "middle"], "`side` must be one of 'left', 'right'"),
    ("searchsorted", [T((3, 2)), T((2,))], "must have one axis"),
    ("matmul", [T((2, 3)), T((2, 3))], "3 is not 2"),
    ("dot", [T((2, 3)), T((2, 3))], "3 is not 2"),
    ("tensordot", [T((2, 3)), T((2, 3)), 1], "3 is not 2"),
    ("einsum", ["ij,jk->ik", T((2, 3)), T((2, 3))], "do not broadcast"),
    ("einsum", ["ij->ik", T((2, 3))], "['k'] of the result stand in no operand"),
    ("inv", [T((2, 3))], "last two sizes must be equal"),
    ("cross", [T((2, 4)), T((2, 4))], "2 or 3 components"),
    ("dropout", [T((2, 3)), 1.5], "`rate` must lie in [0, 1]"),
    ("categorical", [T((2, 3, 4)), 1], "`logits` must have 2 axes"),
    ("quantile", [T((2, 3)), 0.5, 0, "weibull"], "`method` must be one of"),
    ("nanmax", [T((0, 3)), 0], "an axis is empty"),
    ("nanargmin", [T((2, 3)), 5], "`axis` must lie in [-2, 1]"),
    ("fft", [[T((2, 3)), T((2, 4))]], "imaginary part must be equal: 3 is not 4"),
    ("fft", [[T((2, 3))]], "`x` must be a pair"),
    ("ifft2", [[T((3,)), T((3,))]], "must have at least 2 axes"),
    ("rfft", [T((4,)), 0], "`fft_length` must be a positive int"),
    ("extract_sequences", [T((4,)), 2, 0], "`sequence_stride` must be a positive int"),
    ("stft", [T((9,)), 6, 2, 4], "must not be less than `sequence_length`"),
    ("stft", [T((9,)), 4, 2, 4, "kaiser"], "`window` must be one of 'hann', 'hamming'"),
    ("stft", [T((2,)), 4, 2, 4], "needs more than 2 samples; there are 2"),
    ("istft", [[T((3, 4)), T((3, 4))], 4, 2, 4], "must be equal: 4 is not 3"),
    ("correlate", [T((3,)), T((2,)), "half"], "`mode` must be one of 'valid', 'same', 'full'"),
    ("correlate", [T((3, 1)), T((2,))], "must be vectors"),
    ("corrcoef", [T((2, 2, 2))], "must have 1 or 2 axes"),
    ("trapezoid", [T((2, 3)), T((2,))], "must be equal: 2 is not 3"),
    ("vander", [T((2, 3))], "must have 1 axis"),
    ("histogram", [T((2, 3))], "must have 1 axis"),
    ("histogram", [T((3,)), 0], "`bins` must be a positive int"),
    ("histogram", [T((3,)), 2, (5, 0)], "`range` must rise"),
    ("argpartition", [T((3,)), 3], "`kth` must lie in [-3, 2]; it is 3"),
    ("cdist", [T((2, 3)), T((2, 4))], "3 is not 4"),
    ("pinv", [T((3,))], "must have at least 2 axes"),
    ("lstsq", [T((3, 2)), T((2,))], "3 is not 2"),
    ("slogdet", [T((2, 3))], "last two sizes must be equal"),
    ("segment_prod", [T((3,)), T((2,)), 2], "must be equal: 3 is not 2"),
    ("rearrange", [T((2, 3)), "a b"], "must have one arrow"),
    ("rearrange", [T((2, 3)), "a b -> a c"], "must name 'b' once on each side"),
    ("rearrange", [T((2, 3)), "(a b -> a b"], "parentheses of `pattern` must be closed"),
    ("rearrange", [T((2, 3)), "a b? -> a b"], "cannot be read from '?' on"),
    ("rearrange", [T((2, 3)), "a b c -> c b a"], "`pattern` is of 3 axes; the tensor has 2"),
    ("rearrange", [T((2, 3)), "(a c) b -> a b c"], "Give the sizes of all but one of a, c"),
    ("view_as_complex", [T((2, 3))], "a last axis of size 2"),
    ("eig", [T((2, 3))], "last two sizes must be equal"),
]  # fmt: skip


def _message(name: str, args: list[Any], make: Any) -> str:
    filled = [
        make(a) if isinstance(a, T)
        else [make(x) for x in a] if isinstance(a, list) and a and isinstance(a[0], T)
        else a
        for a in args
    ]  # fmt: skip
    op = getattr(ops, name, None) or getattr(random, name)
    with pytest.raises(ValueError) as caught:
        op(*filled)
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "args", "words"), [pytest.param(*c, id=f"{c[0]}-{i}") for i, c in enumerate(CASES)]
)
def test_bad_arguments(name: str, args: list[Any], words: str) -> None:
    eager = _message(name, args, lambda s: engine.convert(np.ones(s, "float32")))
    symbolic = _message(name, args, KerasTensor)
    for text in (eager, symbolic):
        assert words in text
        assert f".{name}" in text
        assert len(text) <= 600
    # The part in our words is the same; what was received is described as it is.
    assert eager.split("Received")[0] == symbolic.split("Received")[0]


def test_not_a_tensor() -> None:
    with pytest.raises(ValueError, match="`x2` must be a tensor"):
        ops.add([1.0], None)
    with pytest.raises(ValueError, match="convert_to_tensor"):
        ops.convert_to_tensor(object())
    with pytest.raises(ValueError, match="no value"):
        ops.convert_to_numpy(KerasTensor((2,)))


def test_errors_of_plain_functions() -> None:
    for call, words in (
        (lambda: ops.arange(0, 1, 0), "`step` must not be 0"),
        (lambda: ops.linspace(0, 1, -1), "`num` must not be negative"),
        (lambda: ops.zeros((None, 2)), "Every size must be known"),
        (lambda: ops.meshgrid([1], indexing="yx"), "`indexing`"),
        (lambda: ops.select([], []), "same positive length"),
        (lambda: ops.scan(lambda c, x: (c, x), 0), "number of steps"),
        (lambda: random.normal((2,), dtype="int32"), "must be a float"),
        (lambda: random.randint((2,), 0, 9, dtype="float32"), "must be an integer"),
        (lambda: random.normal((2,), seed="one"), "`seed` must be an int"),
        (lambda: random.SeedGenerator(seed=1.5), "`seed` must be an int"),
    ):
        with pytest.raises(ValueError, match=words):
            call()
    with pytest.raises(TypeError, match="`true_fn` must be callable"):
        ops.cond(True, 1, 2)
