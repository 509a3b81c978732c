"""`TextVectorization`: text as places of words in a vocabulary, or as counts of them."""

from __future__ import annotations

import codecs
import itertools
import operator
import string
from collections.abc import Callable
from typing import Any

import numpy as np

from keraslite.backend import TensorSpec, engine
from keraslite.backend.foreign import host_array
from keraslite.core.errors import check_choice
from keraslite.layers.preprocessing.base import Adaptable, HostLayer, Shape
from keraslite.layers.preprocessing.lookup import refuse_vocabulary_path
from keraslite.layers.preprocessing.lookups import StringLookup

__all__ = ["TextVectorization"]

_LOWER = bytes.maketrans(string.ascii_uppercase.encode(), string.ascii_lowercase.encode())
_PUNCTUATION = string.punctuation.encode()
#: What becomes of a document, in UTF-8; only ASCII letters have a lower case here.
_STANDARDIZE: dict[str, Callable[[bytes], bytes]] = {
    "lower_and_strip_punctuation": lambda text: text.translate(_LOWER, _PUNCTUATION),
    "lower": lambda text: text.translate(_LOWER),
    "strip_punctuation": lambda text: text.translate(None, _PUNCTUATION),
}
_SPLIT: dict[str, Callable[[bytes], list[Any]]] = {
    "whitespace": bytes.split,
    "character": lambda text: list(text.decode("utf-8", "replace")),
}


class TextVectorization(Adaptable, HostLayer):
    """Text as places of words in a vocabulary, or as counts of them.

    Text is standardized, split into words, joined into n-grams, and looked up.

    Args:
        max_tokens: the largest size of the vocabulary, special tokens included.
        standardize: `"lower_and_strip_punctuation"`, `"lower"`, `"strip_punctuation"` (of ASCII),
            None, or a function from an array of strings to another.
        split: `"whitespace"` (of ASCII), `"character"`, None for rows
            whose elements are words, or a function from an array of strings to lists of strings.
        ngrams: longest n-grams to join, or a tuple of their lengths.
        output_mode: `"int"`: places, padded with 0; `"multi_hot"`, `"count"`, `"tf_idf"`: a
            vector for every text, as `StringLookup` makes them; `"one_hot"`: one for every word.
        output_sequence_length: number of places for every text, cut or padded.
        pad_to_max_tokens: whether vectors have the length `max_tokens` in any case.
        vocabulary: in place of `adapt`: an array or list of words, or the path of a text file
            with one in each line.
        idf_weights: the inverse document frequencies of `vocabulary`, for `"tf_idf"`.
        sparse, ragged: whether to return sparse or ragged tensors, where the engine has them.
        encoding: of bytes.

    Call arguments:
        inputs: strings of shape `()`, `(batch,)` or `(batch, 1)`.

    Returns:
        Integers of shape `(batch, longest text)`, or vectors of shape `(batch, tokens)`.

    Example:
        >>> layer = keras.layers.TextVectorization(output_sequence_length=4)
        >>> layer.adapt(["The cat sat.", "The cat!"])
        >>> layer.get_vocabulary()
        ['', '[UNK]', 'the', 'cat', 'sat']
        >>> layer(["the dog sat"])
        array([[2, 1, 4, 0]])
    """

    def __init__(
        self,
        max_tokens: int | None = None,
        standardize: Any = "lower_and_strip_punctuation",
        split: Any = "whitespace",
        ngrams: int | tuple[int, ...] | None = None,
        output_mode: str = "int",
        output_sequence_length: int | None = None,
        pad_to_max_tokens: bool = False,
        vocabulary: Any = None,
        idf_weights: Any = None,
        sparse: bool = False,
        ragged: bool = False,
        encoding: str = "utf-8",
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        kwargs.pop("vocabulary_size", None)
        super().__init__(name=name, **kwargs)
        for known, given in (
            (_STANDARDIZE, {"standardize": standardize}),
            (_SPLIT, {"split": split}),
        ):
            if not callable(next(iter(given.values()))):
                check_choice(self, (*known, None), **given)
        if isinstance(ngrams, list):
            ngrams = tuple(ngrams)
        sizes = ngrams if isinstance(ngrams, tuple) else (ngrams,)
        if not all(n is None or isinstance(n, int) for n in sizes):
            raise ValueError(
                "TextVectorization: `ngrams` must be None, an integer or a tuple of integers. "
                f"Received: ngrams={ngrams!r}"
            )
        if output_mode != "int" and output_sequence_length is not None:
            raise ValueError(
                "TextVectorization: `output_sequence_length` is for output_mode='int'. "
                f"Received: output_mode={output_mode!r}"
            )
        if ragged and output_mode != "int":
            raise ValueError(
                "TextVectorization: `ragged=True` is for output_mode='int'. "
                f"Received: output_mode={output_mode!r}"
            )
        if ragged and not engine.capabilities.ragged:
            raise ValueError(
                "TextVectorization: `ragged=True` needs an engine with ragged tensors, which "
                f"{engine.name!r} has not. Leave it False: rows are padded with 0."
            )
        self.max_tokens = max_tokens
        self.standardize = standardize
        self.split = split
        self.ngrams = ngrams
        self.output_sequence_length = output_sequence_length
        self.pad_to_max_tokens = pad_to_max_tokens
        self.ragged = ragged
        codecs.lookup(encoding)
        self.encoding = encoding
        self._lookup_layer = StringLookup(
            max_tokens=max_tokens,
            vocabulary=vocabulary,
            idf_weights=idf_weights,
            mask_token="",
            output_mode=output_mode,
            pad_to_max_tokens=pad_to_max_tokens,
            sparse=sparse,
            encoding=encoding,
        )
        self.output_mode, self.sparse = self._lookup_layer.output_mode, self._lookup_layer.sparse

    def build(self, input_shape: Any = None) -> None:
        """There is nothing to build."""

    # The vocabulary --------------------------------------------------------------------

    @property
    def vocabulary(self) -> list[str] | None:
        """The vocabulary that was given, None when there was none."""
        return self._lookup_layer.vocabulary

    @property
    def idf_weights(self) -> Any:
        """The inverse document frequencies that were given."""
        return self._lookup_layer.idf_weights

    def get_vocabulary(self, include_special_tokens: bool = True) -> list[str]:
        """The words, by their places.

        Args:
            include_special_tokens: whether padding and the unknown word are among them.
        """
        return self._lookup_layer.get_vocabulary(include_special_tokens)

    def set_vocabulary(self, vocabulary: Any, idf_weights: Any = None) -> None:
        """Set the vocabulary in place of `adapt`.

        Args:
            vocabulary: an array or list of words, most frequent first, or the path of a text
                file with a word in each line.
            idf_weights: the inverse document frequency of each, for `"tf_idf"`.
        """
        self._lookup_layer.set_vocabulary(vocabulary, idf_weights)

    def vocabulary_size(self) -> int:
        """The number of words, special ones included."""
        return self._lookup_layer.vocabulary_size()

    # Learning ------------------------------------------------------------------------

    def adapt(self, data: Any, batch_size: int | None = None, steps: int | None = None) -> None:
        """Learn the vocabulary: the most frequent words.

        Args:
            data: an array or list of texts, or an iterable of batches of them.
            batch_size: has no effect; there for programs that give it.
            steps: how many batches to take; all by default.
        """
        super().adapt([data] if isinstance(data, (str, bytes)) else data, steps)

    def reset_state(self) -> None:
        self._lookup_layer.reset_state()

    def update_state(self, data: Any) -> None:
        lookup = self._lookup_layer
        if lookup._is_fixed:
            lookup.update_state(data)
        if hasattr(data, "to_list") and not hasattr(data, "to_numpy"):
            data = list(itertools.chain.from_iterable(data.to_list()))
        texts = host_array(data)
        # Without a split, rows are texts and their elements words.
        one_word = self.split is None and texts.ndim < 2
        rows = self._words(texts.reshape(-1, 1) if one_word else texts)
        lookup._count(itertools.chain.from_iterable(rows), lambda: rows)

    def finalize_state(self) -> None:
        self._lookup_layer.finalize_state()

    # Use -----------------------------------------------------------------------------

    def _words(self, inputs: np.ndarray) -> list[list[Any]]:
        """The words of every text, n-grams included."""
        texts = inputs.ravel()
        if callable(self.standardize):
            texts = host_array(self.standardize(texts)).ravel()
        documents = [x if isinstance(x, bytes) else str(x).encode() for x in texts.tolist()]
        if isinstance(self.standardize, str):
            documents = list(map(_STANDARDIZE[self.standardize], documents))
        rows: list[list[Any]]
        if callable(self.split):
            texts = np.array([x.decode(self.encoding) for x in documents], dtype=object)
            found = self.split(texts)
            rows = found.to_list() if hasattr(found, "to_list") else [list(row) for row in found]
        elif self.split is None:
            width = inputs.shape[-1] if inputs.ndim else 1
            rows = [documents[i : i + width] for i in range(0, len(documents), width or 1)]
        else:
            rows = list(map(_SPLIT[self.split], documents))
        return [self._grams(row) for row in rows] if self.ngrams else rows

    def _grams(self, words: list[Any]) -> list[str]:
        texts = [w.decode("utf-8", "replace") if isinstance(w, bytes) else w for w in words]
        assert self.ngrams is not None
        sizes = self.ngrams if isinstance(self.ngrams, tuple) else range(1, self.ngrams + 1)
        return [" ".join(texts[i : i + n]) for n in sizes for i in range(len(texts) - n + 1)]

    _depth = property(operator.attrgetter("_lookup_layer._depth"))
    _output_dtype = property(operator.attrgetter("_lookup_layer._output_dtype"))

    def _texts(self, shape: Shape) -> Shape:
        """The shape of the texts: without an axis of size 1, or without that of the words."""
        if self.split is None:
            return shape[:-1]
        if len(shape) < 2:
            return shape
        if shape[-1] not in (1, None):
            raise ValueError(
                f"Layer {self.name!r} (TextVectorization) takes texts of shape (), (batch,) or "
                f"(batch, 1). Received: shape {shape}"
            )
        return shape[:-1]

    def compute_output_shape(self, input_shape: Any) -> Shape:
        """Shape of the outputs; texts differ in length unless `output_sequence_length` is set."""
        shape = tuple(input_shape)
        texts = self._texts(shape)
        length = self.output_sequence_length
        if self.split is None and not self.ngrams and length is None:
            length = shape[-1] if shape else None
            if not shape and self.output_mode == "int":
                return ()
        if self.output_mode == "int":
            return (*texts, length)
        return (*texts, *((length,) if self.output_mode == "one_hot" else ()), self._depth)

    def call(self, inputs: Any) -> Any:
        """The places or vectors of texts."""
        if self.ragged and len(inputs.shape):
            return self._ragged(inputs)
        return super().call(inputs)

    def _on_arrays(self, inputs: np.ndarray) -> np.ndarray:
        rows = self._words(inputs)
        flat = self._lookup_layer._places_of(list(itertools.chain.from_iterable(rows)))
        ends = np.cumsum([len(row) for row in rows])[:-1]
        split = np.split(flat, ends) if rows else []
        padding = 0 if self.output_mode == "int" else -1
        places = _padded(split, self.output_sequence_length, padding)
        shape = (*self._texts(inputs.shape), places.shape[-1])
        if not inputs.shape and self.split is None and self.output_sequence_length is None:
            shape = ()
        return self._lookup_layer._vectors(places.reshape(shape))

    def _ragged(self, inputs: Any) -> Any:
        def run(texts: np.ndarray) -> list[np.ndarray]:
            rows = [row[: self.output_sequence_length] for row in self._words(texts)]
            flat = list(itertools.chain.from_iterable(rows))
            lengths = np.array([len(row) for row in rows], "int64")
            return [self._lookup_layer._places_of(flat), lengths]

        texts = engine.from_host(inputs) if isinstance(inputs, np.ndarray) else inputs
        specs = [TensorSpec((None,), self._output_dtype), TensorSpec((None,), "int64")]
        return engine.to_ragged(*engine.on_host(run, [texts], specs))

    # Config and files ----------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments; a learnt vocabulary is an asset of a saved model."""
        found = super().get_config()
        of_lookup = self._lookup_layer.get_config()
        for name in ("vocabulary", "idf_weights", "vocabulary_size"):
            found[name] = of_lookup[name]
        found["vocabulary_size"] = self.vocabulary_size()
        return found

    get_config._derived = True  # type: ignore[attr-defined]

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> TextVectorization:
        """A layer; in safe mode its config may not name a vocabulary file.

        Raises:
            UnsafeModelError: for a path in safe mode.
        """
        refuse_vocabulary_path(cls, config)
        return super().from_config(config)

    def save_assets(self, dir_path: str) -> None:
        """Write the vocabulary into a folder, unless the config has it."""
        self._lookup_layer.save_assets(dir_path)

    def load_assets(self, dir_path: str) -> None:
        """Read the vocabulary that `save_assets` wrote."""
        self._lookup_layer.load_assets(dir_path)

    def save_own_variables(self, store: dict[str, Any]) -> None:
        """Put the inverse document frequencies into `store`."""
        self._lookup_layer.save_own_variables(store)

    def load_own_variables(self, store: Any) -> None:
        """Take the inverse document frequencies from `store`."""
        self._lookup_layer.load_own_variables(store)


def _padded(rows: list[np.ndarray], length: int | None, value: int) -> np.ndarray:
    """Rows as one array, cut or padded at their ends."""
    width = max((len(row) for row in rows), default=0) if length is None else length
    found = np.full((len(rows), width), value, "int64")
    for row, place in zip(rows, found, strict=True):
        kept = row[:width]
        place[: len(kept)] = kept
    return found
