"""Train a small language model on Python's own documentation and let it write, with a cache.

    KERAS_BACKEND=jax python examples/generate_text.py          a few minutes on a laptop
    KERAS_BACKEND=jax python examples/generate_text.py --quick  some seconds, worse text

The model reads characters. Written token by token, a text needs the keys and values of all
characters before; a cache keeps them. The same text written without one shows what it saves.
"""

from __future__ import annotations

import argparse
import time
from pydoc_data.topics import topics
from typing import Any

import numpy as np

import keraslite as keras
from keraslite import layers, ops

CONTEXT = 96
#: How far a character sees. Shorter than the pieces to learn from, so that all distances are
#: known to the model however long a text it writes.
WINDOW = 48
PROMPT = "The following "


class Block(layers.Layer):
    """Causal attention and a gated MLP, each on the normalised sum of what came before."""

    def __init__(self, width: int, heads: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.norms = [layers.RMSNormalization(), layers.RMSNormalization()]
        self.attention = layers.GroupQueryAttention(
            width // heads,
            heads,
            max(heads // 2, 1),
            use_bias=False,
            sliding_window=WINDOW,
            rotary_embedding=layers.RotaryEmbedding(),
        )
        self.gate = layers.Dense(2 * width, "silu", use_bias=False)
        self.up = layers.Dense(2 * width, use_bias=False)
        self.down = layers.Dense(width, use_bias=False)

    def mix(self, x: Any) -> Any:
        """The second half: each position by itself."""
        normed = self.norms[1](x)
        return x + self.down(self.gate(normed) * self.up(normed))

    def call(self, x: Any) -> Any:
        normed = self.norms[0](x)
        return self.mix(x + self.attention(normed, normed, use_causal_mask=True))

    def call_with_cache(self, x: Any, cache: Any, index: Any) -> tuple[Any, Any]:
        """As `call` for some positions, with keys and values of those before from the cache."""
        seen, cache = self.attention.call_with_cache(self.norms[0](x), cache, index)
        return self.mix(x + seen), cache


class LanguageModel(keras.Model):
    """Logits of the next character at each position: `(batch, steps, characters)`."""

    def __init__(self, characters: int, width: int, heads: int, depth: int) -> None:
        super().__init__()
        self.embed = layers.Embedding(characters, width)
        self.blocks = [Block(width, heads) for _ in range(depth)]
        self.norm = layers.RMSNormalization()
        self.head = layers.Dense(characters)

    def call(self, tokens: Any) -> Any:
        x = self.embed(tokens)
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))

    def make_cache(self, batch_size: int, length: int) -> list[Any]:
        """Room for the keys and values of `length` positions in each block."""
        return [block.attention.make_cache(batch_size, length) for block in self.blocks]

    def call_with_cache(self, tokens: Any, cache: list[Any], index: Any) -> tuple[Any, list[Any]]:
        """Logits of the tokens at `index` and after, and the new cache."""
        x, new = self.embed(tokens), []
        for block, old in zip(self.blocks, cache, strict=True):
            x, kept = block.call_with_cache(x, old, index)
            new.append(kept)
        return self.head(self.norm(x)), new


class WithoutCache:
    """The same model to generate with, which computes all positions for each character."""

    def __init__(self, model: LanguageModel) -> None:
        self.model = model
        self.variables = model.variables

    def make_cache(self, batch_size: int, length: int) -> Any:
        """Only the characters themselves."""
        return ops.zeros((batch_size, length), "int32")

    def call_with_cache(self, tokens: Any, cache: Any, index: Any) -> tuple[Any, Any]:
        """As `LanguageModel.call_with_cache`; `cache` holds all tokens."""
        cache = ops.slice_update(cache, (0, index), tokens)
        logits = self.model(cache)
        size = (*tokens.shape, logits.shape[-1])
        return ops.slice(logits, (0, index, 0), size), cache


def read_text() -> str:
    """The language reference that comes with Python for `help("for")` and the like."""
    return "\n\n".join(topics[name] for name in sorted(topics))


def windows(tokens: np.ndarray, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Random pieces of the text, and the same one character later."""
    starts = np.random.default_rng(seed).integers(0, len(tokens) - CONTEXT - 1, count)
    pieces = tokens[starts[:, None] + np.arange(CONTEXT + 1)]
    return pieces[:, :-1], pieces[:, 1:]


def timed(generate: keras.models.TokenGenerator, prompt: np.ndarray, length: int) -> Any:
    """The tokens, and how many a second after a first run that compiles."""
    ops.convert_to_numpy(generate(prompt, length))
    start = time.perf_counter()
    tokens = ops.convert_to_numpy(generate(prompt, length))
    return tokens, (length - prompt.shape[1]) * len(prompt) / (time.perf_counter() - start)


def main(quick: bool) -> None:
    """Train, write, and compare the speed with and without a cache."""
    if not keras.backend.engine.capabilities.trainable:
        raise SystemExit(
            f"The {keras.config.backend()} engine does not train. Set KERAS_BACKEND to jax, torch "
            "or tensorflow."
        )
    text = read_text()
    characters = sorted(set(text))
    place = {character: i for i, character in enumerate(characters)}
    tokens = np.array([place[character] for character in text], "int32")
    cut = len(tokens) * 9 // 10
    print(
        f"keraslite {keras.__version__} on {keras.config.backend()}: {len(text):,} characters of "
        f"Python's documentation, {len(characters)} different ones.\n"
    )

    keras.utils.set_random_seed(1)
    width, depth = (32, 1) if quick else (128, 2)
    model = LanguageModel(len(characters), width, heads=4, depth=depth)
    model.compile(
        keras.optimizers.AdamW(3e-3, weight_decay=0.01, clipnorm=1.0),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    rounds, steps = (1, 40) if quick else (4, 150)
    held_out = windows(tokens[cut:], 64, seed=0)
    history = []
    for i in range(rounds):
        x, y = windows(tokens[:cut], 32 * steps, seed=i + 1)
        fitted = model.fit(
            x, y, batch_size=32, initial_epoch=i, epochs=i + 1, validation_data=held_out
        )
        history += fitted.history["val_loss"]
    guessing = np.log(len(characters))
    print(f"\nLoss on unseen text: {history[-1]:.2f}; by guessing it would be {guessing:.2f}.\n")
    assert history[-1] < guessing

    length = 64 if quick else 400
    prompt = np.array([[place[character] for character in PROMPT]], "int32")
    lively = keras.models.TokenGenerator(model, temperature=0.7, seed=1)
    written = ops.convert_to_numpy(lively(prompt, length))[0]
    print("".join(characters[i] for i in written), "\n")

    greedy, fast = timed(keras.models.TokenGenerator(model), prompt, length)
    again, slow = timed(keras.models.TokenGenerator(WithoutCache(model)), prompt, length)
    np.testing.assert_array_equal(greedy, again)
    print(f"With the cache:    {fast:8,.0f} tokens/s")
    print(f"Without the cache: {slow:8,.0f} tokens/s, and the same greedy text.")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a smaller model, trained less")
    main(parser.parse_args().quick)
