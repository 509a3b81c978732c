"""Generating sequences of tokens with a cache. Keras itself has no such class."""

from __future__ import annotations

from typing import Any

from keraslite import ops, random
from keraslite.backend import engine
from keraslite.core.errors import describe
from keraslite.random.seed_generator import SeedGenerator


class TokenGenerator:
    """Continues sequences of tokens with a model, in one compiled loop.

    The model has two methods, as `MultiHeadAttention` has them, which it mostly hands on to
    its attention layers:

    - `make_cache(batch_size, length)` returns a tree of tensors;
    - `call_with_cache(tokens, cache, index)` returns the logits `(batch, steps, vocabulary)`
      of tokens `(batch, steps)` that stand at `index` and after, and the new cache.

    Args:
        model: a built model with these methods.
        temperature: 0 always takes the likeliest token; else tokens are drawn with logits
            divided by it.
        end_token: a sequence ends with it and is filled up with it.
        seed: of the draws.

    Raises:
        TypeError: for a model without these methods.
        ValueError: for a negative temperature.

    Example:
        >>> generate = keras.models.TokenGenerator(model, temperature=0.8, seed=1)
        >>> generate(prompt, length=100).shape  # prompt: (2, 10)
        (2, 100)
    """

    def __init__(
        self,
        model: Any,
        temperature: float = 0.0,
        end_token: int | None = None,
        seed: int | None = None,
    ) -> None:
        if not (hasattr(model, "make_cache") and hasattr(model, "call_with_cache")):
            raise TypeError(
                "TokenGenerator: the model needs the methods `make_cache` and `call_with_cache`. "
                f"Received: {describe(model)}"
            )
        if temperature < 0:
            raise ValueError(
                f"TokenGenerator: `temperature` must not be negative. Received: {temperature}"
            )
        self.model = model
        self.temperature = temperature
        self.end_token = end_token
        self._seed = SeedGenerator(seed) if temperature else None
        self._compiled: dict[int, Any] = {}

    def __call__(self, prompt: Any, length: int) -> Any:
        """The prompt and what follows it.

        Args:
            prompt: int tokens `(batch, steps)`.
            length: of the result. A new one is compiled anew, as is a new shape of prompts.

        Returns:
            int32 tokens `(batch, length)`.
        """
        prompt = ops.cast(prompt, "int32")
        if len(prompt.shape) != 2 or not 0 < prompt.shape[1] <= length:
            raise ValueError(
                "TokenGenerator: `prompt` must have shape (batch, steps), with 1 to `length` "
                f"steps. Received: {describe(prompt)}, length={length}"
            )
        if length not in self._compiled:
            seeds = [] if self._seed is None else [self._seed.state]
            self._compiled[length] = engine.compile_step(
                lambda prompt: self._generate(prompt, length), [*self.model.variables, *seeds]
            )
        with engine.no_grad():
            return self._compiled[length](prompt)

    def _generate(self, prompt: Any, length: int) -> Any:
        batch, given = prompt.shape
        cache = self.model.make_cache(batch, length)
        logits, cache = self.model.call_with_cache(prompt, cache, 0)
        tokens = ops.slice_update(ops.zeros((batch, length), "int32"), (0, 0), prompt)
        if given == length:
            return tokens
        ended = ops.zeros((batch,), "bool")
        if self.end_token is not None:
            tokens = ops.where(ops.arange(length) < given, tokens, self.end_token)
        token, ended = self._next(logits, ended)
        tokens = ops.slice_update(tokens, (0, given), token)

        def goes_on(index: Any, token: Any, tokens: Any, ended: Any, cache: Any) -> Any:
            return ops.logical_and(index < length - 1, ops.logical_not(ops.all(ended)))

        def step(index: Any, token: Any, tokens: Any, ended: Any, cache: Any) -> Any:
            logits, cache = self.model.call_with_cache(token, cache, index)
            token, ended = self._next(logits, ended)
            index = index + 1
            return index, token, ops.slice_update(tokens, (0, index), token), ended, cache

        start = ops.convert_to_tensor(given, "int32"), token, tokens, ended, cache
        return ops.while_loop(goes_on, step, start)[2]

    def _next(self, logits: Any, ended: Any) -> tuple[Any, Any]:
        """The tokens `(batch, 1)` after the last step, and which sequences have ended."""
        logits = logits[:, -1]
        if self._seed is None:
            token = ops.cast(ops.argmax(logits, axis=-1), "int32")
        else:
            drawn = random.categorical(
                ops.cast(logits, "float32") / self.temperature, 1, "int32", seed=self._seed
            )
            token = drawn[:, 0]
        if self.end_token is not None:
            token = ops.where(ended, self.end_token, token)
            ended = ops.logical_or(ended, ops.equal(token, self.end_token))
        return ops.expand_dims(token, 1), ended
