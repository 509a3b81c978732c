"""Attention with rotary positions and a cache, and generation with both."""

from __future__ import annotations

import numpy as np
import pytest

import keraslite
from keraslite import layers, ops
from keraslite.backend import engine

RNG = np.random.default_rng(5)
X = RNG.normal(size=(2, 7, 12)).astype("float32")


def numpy(x) -> np.ndarray:
    return ops.convert_to_numpy(x)


# Rotary positions -------------------------------------------------------------------------------


def rotated(x: np.ndarray, start: int = 0, base: float = 10000.0) -> np.ndarray:
    """By complex numbers: each pair of features is one, turned by its angle."""
    half = x.shape[-1] // 2
    angles = np.arange(start, start + x.shape[1])[:, None] * base ** (-np.arange(half) / half)
    turned = (x[..., :half] + 1j * x[..., half:]) * np.exp(1j * angles)[None, :, None]
    return np.concatenate([turned.real, turned.imag], -1)


@pytest.mark.parametrize(("start", "base"), [(0, 10000.0), (40, 500.0)])
def test_rotary_embedding_turns_pairs(start: int, base: float) -> None:
    x = RNG.normal(size=(2, 5, 3, 8)).astype("float32")
    layer = layers.RotaryEmbedding(base)
    found = numpy(layer(x, start_index=start))
    np.testing.assert_allclose(found, rotated(x, start, base), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(
        numpy(layers.RotaryEmbedding(base, sequence_axis=-2)(x.swapaxes(1, 2), start_index=start)),
        found.swapaxes(1, 2),
        rtol=1e-6,
    )


def test_rotary_embedding_scales_positions_and_keeps_dtypes() -> None:
    x = np.repeat(RNG.normal(size=(1, 1, 2, 4)).astype("float32"), 6, axis=1)
    fine = numpy(layers.RotaryEmbedding(scaling_factor=2.0)(x))
    np.testing.assert_allclose(fine[:, ::2], rotated(x)[:, :3], rtol=1e-4, atol=1e-5)
    half = layers.RotaryEmbedding(dtype="bfloat16")
    assert engine.dtype(half(x)) == "bfloat16"
    assert half(keraslite.Input((None, 2, 4))).shape == (None, None, 2, 4)
    again = layers.RotaryEmbedding.from_config(half.get_config())
    assert again.get_config() == half.get_config()


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: layers.RotaryEmbedding()(X[..., :5]), ValueError, "must be even"),
        (lambda: layers.RotaryEmbedding(-1), ValueError, "must be positive"),
        (
            lambda: layers.MultiHeadAttention(2, 4, rotary_embedding=True),
            TypeError,
            "must be a `RotaryEmbedding`",
        ),
        (
            lambda: layers.MultiHeadAttention(2, 4, rotary_embedding=layers.RotaryEmbedding())(
                X[None], X[None]
            ),
            ValueError,
            "inputs must have shape",
        ),
        (lambda: keraslite.models.TokenGenerator(layers.Dense(2)), TypeError, "`make_cache`"),
        (
            lambda: keraslite.models.TokenGenerator(Speller(), temperature=-1.0),
            ValueError,
            "must not be negative",
        ),
        (
            lambda: keraslite.models.TokenGenerator(Speller())(np.ones((1, 5)), 4),
            ValueError,
            "1 to `length` steps",
        ),
    ],
)
def test_what_does_not_fit(make, error, message: str) -> None:
    with pytest.raises(error, match=message):
        make()


# The cache ----------------------------------------------------------------------------------------

KINDS = {
    "plain": lambda: layers.MultiHeadAttention(3, 4),
    "value_dim": lambda: layers.MultiHeadAttention(3, 4, value_dim=5, use_gate=True),
    "window": lambda: layers.MultiHeadAttention(2, 4, sliding_window=3),
    "rotary": lambda: layers.MultiHeadAttention(2, 4, rotary_embedding=layers.RotaryEmbedding()),
    "grouped": lambda: layers.GroupQueryAttention(
        4, 4, 2, rotary_embedding=layers.RotaryEmbedding(100)
    ),
}


@pytest.mark.parametrize("parts", [(7,), (1,) * 7, (4, 1, 2)], ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_parts_with_a_cache_are_the_whole(kind: str, parts: tuple[int, ...]) -> None:
    layer = KINDS[kind]()
    whole = numpy(layer(X, X, use_causal_mask=True))
    cache = layer.make_cache(2, 9)
    found, index = [], 0
    for i, steps in enumerate(parts):
        at = index if i % 2 else ops.convert_to_tensor(index, "int32")
        outputs, cache = layer.call_with_cache(X[:, index : index + steps], cache, at)
        found.append(numpy(outputs))
        index += steps
    np.testing.assert_allclose(np.concatenate(found, 1), whole, rtol=1e-4, atol=1e-5)
    assert [tuple(x.shape[:2]) for x in cache] == [(2, 9)] * 2


def test_masked_steps_in_the_cache_do_not_count() -> None:
    layer = layers.MultiHeadAttention(2, 4)
    mask = np.array([[False, True, True, True, True, True, True], [True] * 7])
    whole = numpy(layer(X, X, use_causal_mask=True, attention_mask=mask[:, None]))
    found, _ = layer.call_with_cache(X, layer.make_cache(2, 7), 0, mask=mask)
    np.testing.assert_allclose(numpy(found)[:, 1:], whole[:, 1:], rtol=1e-4, atol=1e-5)


def test_attention_with_rotary_positions_sees_distances_only() -> None:
    layer = KINDS["grouped"]()
    layer(X, X)
    mask = np.zeros((1, 7), bool)
    mask[:, 3:6] = True
    later, _ = layer.call_with_cache(X[:, :3], layer.make_cache(2, 7), 3, mask=mask)
    first, _ = layer.call_with_cache(X[:, :3], layer.make_cache(2, 7), 0)
    np.testing.assert_allclose(numpy(later), numpy(first), rtol=1e-3, atol=1e-4)


def test_cache_in_half_precision_and_layer_in_a_config() -> None:
    layer = layers.MultiHeadAttention(
        2, 4, rotary_embedding=layers.RotaryEmbedding(50), dtype="mixed_bfloat16"
    )
    layer(X, X)
    outputs, cache = layer.call_with_cache(X, layer.make_cache(2, 8), 0)
    assert {engine.dtype(x) for x in (outputs, *cache)} == {"bfloat16"}
    again = layers.MultiHeadAttention.from_config(layer.get_config())
    assert again.rotary_embedding.max_wavelength == 50
    assert "rotary_embedding" not in KINDS["plain"]().get_config()


# Generation ---------------------------------------------------------------------------------------


class Speller(keraslite.Model):
    """A small language model of 11 tokens."""

    def __init__(self) -> None:
        super().__init__()
        keraslite.utils.set_random_seed(2)
        self.embed = layers.Embedding(11, 16)
        self.attention = layers.GroupQueryAttention(
            8, 2, 1, rotary_embedding=layers.RotaryEmbedding()
        )
        self.head = layers.Dense(11, kernel_initializer=keraslite.initializers.RandomNormal(0, 2))

    def call(self, tokens):
        x = self.embed(tokens)
        return self.head(x + self.attention(x, x, use_causal_mask=True))

    def make_cache(self, batch_size, length):
        return self.attention.make_cache(batch_size, length)

    def call_with_cache(self, tokens, cache, index):
        x = self.embed(tokens)
        mixed, cache = self.attention.call_with_cache(x, cache, index)
        return self.head(x + mixed), cache


PROMPT = np.array([[1, 2, 3], [7, 8, 9]])


@pytest.fixture(scope="module")
def speller() -> Speller:
    model = Speller()
    model(PROMPT)
    return model


def greedy(model: Speller, length: int) -> np.ndarray:
    """Token by token with the whole sequence each time."""
    tokens = PROMPT
    while tokens.shape[1] < length:
        logits = numpy(model(tokens))[:, -1]
        tokens = np.concatenate([tokens, logits.argmax(-1)[:, None]], 1)
    return tokens


def test_greedy_tokens_are_those_of_the_whole_sequence(speller: Speller) -> None:
    generate = keraslite.models.TokenGenerator(speller)
    for length in (9, 4, 3, 9):
        found = generate(PROMPT, length)
        assert engine.dtype(found) == "int32"
        np.testing.assert_array_equal(numpy(found), greedy(speller, length))


def test_new_weights_count(speller: Speller) -> None:
    generate = keraslite.models.TokenGenerator(speller)
    before = numpy(generate(PROMPT, 8))
    weights = speller.get_weights()
    try:
        speller.set_weights([np.flip(w) for w in weights])
        after = numpy(generate(PROMPT, 8))
        np.testing.assert_array_equal(after, greedy(speller, 8))
        assert not np.array_equal(after, before)
    finally:
        speller.set_weights(weights)


def test_sequences_stop_at_the_end_token(speller: Speller) -> None:
    free = greedy(speller, 10)
    end = int(free[0, 5])
    found = numpy(keraslite.models.TokenGenerator(speller, end_token=end)(PROMPT, 10))
    for row, expected in zip(found, free, strict=True):
        hits = np.flatnonzero(expected[3:] == end)
        stop = 3 + hits[0] if len(hits) else 10
        np.testing.assert_array_equal(row[:stop], expected[:stop])
        assert np.all(row[stop:] == end)


def test_drawn_tokens(speller: Speller) -> None:
    prompt = np.repeat(PROMPT[:1], 2000, axis=0)
    generate = keraslite.models.TokenGenerator(speller, temperature=2.0, seed=4)
    found = numpy(generate(prompt, 5))
    logits = numpy(speller(PROMPT))[0, -1].astype("float64") / 2.0
    expected = np.exp(logits - logits.max())
    expected /= expected.sum()
    share = np.bincount(found[:, 3], minlength=11) / 2000
    np.testing.assert_allclose(share, expected, atol=0.05)
    assert not np.array_equal(found, numpy(generate(prompt, 5)))
    again = keraslite.models.TokenGenerator(speller, temperature=2.0, seed=4)
    np.testing.assert_array_equal(numpy(again(prompt, 5)), found)
    cold = keraslite.models.TokenGenerator(speller, temperature=1e-3, seed=4)
    np.testing.assert_array_equal(numpy(cold(PROMPT, 9)), greedy(speller, 9))
