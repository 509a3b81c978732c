"""`StringLookup` and `IntegerLookup`: tokens as places in a vocabulary, and back."""

from __future__ import annotations

import codecs
import itertools
from typing import Any

import numpy as np

from keraslite import ops
from keraslite.backend import engine
from keraslite.core.errors import check_choice
from keraslite.layers.constructors import takes
from keraslite.layers.preprocessing import hashes
from keraslite.layers.preprocessing.base import integer_dtype
from keraslite.layers.preprocessing.lookup import Lookup

__all__ = ["IntegerLookup", "StringLookup"]

#: The place of the mask token in the table, where -1 means unknown.
_MASK = -2


class StringLookup(Lookup):
    """Strings as places in a vocabulary, or, inverted, places as strings.

    Args:
        max_tokens: the largest size of the vocabulary, special tokens included.
        num_oov_indices: how many places there are for strings that are not in the vocabulary;
            with several, hashes distribute them (FarmHash, or SipHash with a salt). With 0
            such strings are an error.
        mask_token: this string gets place 0, or no vector.
        oov_token: what stands in the vocabulary for unknown strings.
        vocabulary: in place of `adapt`: an array or list of strings, or the path of a text
            file with one in each line.
        idf_weights: the inverse document frequencies of `vocabulary`, for `"tf_idf"`.
        invert: whether places become strings. Engines without strings return NumPy arrays.
        output_mode: `"int"`, or `"one_hot"`, `"multi_hot"`, `"count"` as `CategoryEncoding`,
            or `"tf_idf"`: counts times inverse document frequencies.
        pad_to_max_tokens: whether vectors have the length `max_tokens` in any case.
        sparse: whether to return sparse tensors, where the engine has them.
        encoding: of bytes in the data of `adapt`.
        salt: an integer or two of them, the key of SipHash.

    Example:
        >>> layer = keras.layers.StringLookup(vocabulary=["a", "b", "c", "d"])
        >>> layer([["a", "c", "d"], ["d", "z", "b"]])
        array([[1, 3, 4],
               [4, 0, 2]])
    """

    @takes(Lookup, behind={"sparse": "encoding"}, oov_token="[UNK]")
    def __init__(self, encoding: str = "utf-8", **kwargs: Any) -> None:
        kwargs.pop("oov_method", None)
        codecs.lookup(encoding)
        self.encoding = encoding
        super().__init__(**kwargs)

    def _token_of(self, token: Any) -> str:
        return token.decode(self.encoding) if isinstance(token, bytes) else str(token)

    def _index(self, tokens: list[str]) -> None:
        # By both forms that strings may come in.
        first = len(self._special)
        places: dict[Any, int] = {}
        for place, token in enumerate(tokens, start=first):
            places[token] = places[token.encode()] = place
        if self.mask_token is not None:
            places[self.mask_token] = places[self.mask_token.encode()] = _MASK
        self._table = places

    def _places(self, tokens: np.ndarray) -> np.ndarray:
        if tokens.dtype.kind != "O":
            raise ValueError(
                f"Layer {self.name!r} (StringLookup) looks up strings. "
                f"Received: inputs of dtype {tokens.dtype}. Use `IntegerLookup` for integers."
            )
        return self._places_of(tokens.ravel().tolist()).reshape(tokens.shape)

    def _places_of(self, tokens: list[Any]) -> np.ndarray:
        """The places of a list of strings."""
        if self._tokens is None:
            raise self._not_adapted()
        found = np.fromiter(
            map(self._table.get, tokens, itertools.repeat(-1)), "int64", len(tokens)
        )
        unknown = np.flatnonzero(found == -1)
        if len(unknown):
            strings = np.array([tokens[i] for i in unknown], dtype=object)
            found[unknown] = self._unknown(strings)
        if self.mask_token is not None:
            found[found == _MASK] = self._mask_place
        return found

    def _buckets(self, tokens: np.ndarray) -> np.ndarray:
        return hashes.buckets(tokens, self.num_oov_indices, self.salt)

    @property
    def _output_dtype(self) -> str:
        return "string" if self.invert else super()._output_dtype


class IntegerLookup(Lookup):
    """Integers as places in a vocabulary, or, inverted, places as integers.

    Args:
        max_tokens: the largest size of the vocabulary, special tokens included.
        num_oov_indices: how many places there are for integers that are not in the vocabulary.
            With 0 such integers are an error.
        mask_token: this integer gets place 0, or no vector.
        oov_token: what stands in the vocabulary for unknown integers.
        vocabulary: in place of `adapt`: an array or list of integers, or the path of a text
            file with one in each line.
        vocabulary_dtype: `"int64"`.
        idf_weights: the inverse document frequencies of `vocabulary`, for `"tf_idf"`.
        invert: whether places become integers.
        output_mode: `"int"`, or `"one_hot"`, `"multi_hot"`, `"count"` as `CategoryEncoding`,
            or `"tf_idf"`: counts times inverse document frequencies.
        sparse: whether to return sparse tensors, where the engine has them.
        pad_to_max_tokens: whether vectors have the length `max_tokens` in any case.
        oov_method: how several places for unknown integers are distributed: `"floormod"`, the
            remainder, or `"farmhash"`, a hash of the digits.
        salt: an integer or two of them, for SipHash in place of FarmHash.

    Example:
        >>> layer = keras.layers.IntegerLookup(vocabulary=[12, 36, 1138, 42])
        >>> layer(np.array([[12, 1138, 42], [42, 1000, 36]]))
        array([[1, 3, 4],
               [4, 0, 2]])
    """

    @takes(
        Lookup,
        behind={
            "vocabulary": "vocabulary_dtype",
            "output_mode": "sparse",
            "pad_to_max_tokens": "oov_method salt name",
        },
        oov_token=-1,
    )
    def __init__(
        self, vocabulary_dtype: str = "int64", oov_method: str = "floormod", **kwargs: Any
    ) -> None:
        check_choice(self, ("int64",), vocabulary_dtype=vocabulary_dtype)
        check_choice(self, ("floormod", "farmhash"), oov_method=oov_method)
        if kwargs["salt"] is not None and oov_method != "farmhash":
            raise ValueError(
                "IntegerLookup: `salt` needs oov_method='farmhash'. "
                f"Received: oov_method={oov_method!r}"
            )
        self.vocabulary_dtype = vocabulary_dtype
        self.oov_method = oov_method
        super().__init__(**kwargs)

    _table_dtype = "int64"

    def _token_of(self, token: Any) -> int:
        return int(token)

    def _index(self, tokens: list[int]) -> None:
        pairs = dict(zip(tokens, itertools.count(len(self._special)), strict=False))
        if self.mask_token is not None:
            pairs[self.mask_token] = self._mask_place
        keys = np.array(list(pairs), "int64")
        order = np.argsort(keys)
        self._keys = keys[order]
        self._key_places = np.array(list(pairs.values()), "int64")[order]

    def call(self, inputs: Any) -> Any:
        """The places of integers of any shape, or the integers at places."""
        hashed = self.num_oov_indices != 1 and self.oov_method == "farmhash"
        if self.invert or hashed or not engine.is_tensor(inputs) or not self.num_oov_indices:
            return super().call(inputs)
        return self._vectors(self._places_on(ops, ops.cast(inputs, integer_dtype())))

    def _places(self, tokens: np.ndarray) -> np.ndarray:
        if tokens.dtype.kind == "O":
            raise ValueError(
                f"Layer {self.name!r} (IntegerLookup) looks up integers. Received: strings. Use "
                "`StringLookup` for strings."
            )
        return self._places_on(np, tokens.astype("int64"))

    def _places_on(self, xp: Any, tokens: Any) -> Any:
        """The places, with the functions of NumPy or of `ops`."""
        if self._tokens is None:
            raise self._not_adapted()
        keys, places = self._keys, self._key_places
        if xp is ops and not engine.capabilities.float64:
            fits = np.abs(keys) < 2**31
            keys, places = keys[fits].astype("int32"), places[fits].astype("int32")
        at = xp.minimum(xp.searchsorted(keys, tokens), len(keys) - 1)
        known = xp.equal(xp.take(keys, at), tokens)
        if xp is np and not known.all() and self.num_oov_indices != 1:
            unknown = np.zeros(tokens.shape, "int64")
            unknown[~known] = self._unknown(tokens[~known])
        elif self.num_oov_indices > 1:
            unknown = self._first_unknown + xp.mod(tokens, self.num_oov_indices)
        else:
            unknown = xp.full_like(tokens, self._first_unknown)
        return xp.where(known, xp.take(places, at), unknown)

    def _buckets(self, tokens: np.ndarray) -> np.ndarray:
        if self.oov_method == "farmhash":
            return hashes.buckets(tokens, self.num_oov_indices, self.salt)
        return np.mod(tokens, self.num_oov_indices)
