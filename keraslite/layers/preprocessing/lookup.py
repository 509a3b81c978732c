"""`Lookup`, base of `StringLookup` and `IntegerLookup`: tokens and places in a vocabulary."""

from __future__ import annotations

import collections
import itertools
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from keraslite.backend.foreign import host_array
from keraslite.core.budget import MemoryBudget
from keraslite.core.errors import UnsafeModelError, short
from keraslite.core.serialization import is_safe_mode
from keraslite.layers.preprocessing.base import Adaptable, HostLayer, integer_dtype
from keraslite.layers.preprocessing.hashing import _checked_salt

_FILE = "vocabulary.txt"
_MODES = ("int", "one_hot", "multi_hot", "count", "tf_idf")


class Lookup(Adaptable, HostLayer):
    """Tokens as places in a vocabulary, or, inverted, places as tokens.

    The vocabulary begins with the mask token (in the mode `"int"`, if there is one) and
    the tokens for what is not in it.
    """

    def __init__(
        self,
        max_tokens: int | None = None,
        num_oov_indices: int = 1,
        mask_token: Any = None,
        oov_token: Any = None,
        vocabulary: Any = None,
        idf_weights: Any = None,
        invert: bool = False,
        output_mode: str = "int",
        pad_to_max_tokens: bool = False,
        sparse: bool = False,
        name: str | None = None,
        salt: Any = None,
        **kwargs: Any,
    ) -> None:
        # Configs have it, for readers.
        kwargs.pop("vocabulary_size", None)
        super().__init__(name=name, **kwargs)
        for holds, rule, received in (
            (max_tokens is None or max_tokens > 1, "`max_tokens` must be above 1", max_tokens),
            (num_oov_indices >= 0, "`num_oov_indices` must not be negative", num_oov_indices),
            (
                not pad_to_max_tokens or max_tokens is not None,
                "`pad_to_max_tokens=True` needs `max_tokens`",
                max_tokens,
            ),
            (
                not invert or output_mode == "int",
                "`invert=True` needs output_mode='int'",
                output_mode,
            ),
            (
                idf_weights is None or output_mode == "tf_idf",
                "`idf_weights` are for output_mode='tf_idf'",
                output_mode,
            ),
        ):
            if not holds:
                raise ValueError(f"{type(self).__name__}: {rule}. Received: {received!r}")
        MemoryBudget.reserve(num_oov_indices, f"{self.name}/oov_tokens")
        if output_mode == "binary":
            output_mode = "multi_hot"
        self._set_mode(output_mode, sparse, _MODES)
        self.max_tokens = max_tokens
        self.num_oov_indices = num_oov_indices
        self.mask_token = mask_token
        self.oov_token = oov_token
        self.invert = invert
        self.pad_to_max_tokens = pad_to_max_tokens
        self.salt = _checked_salt(self, salt)
        self._tokens: list[Any] | None = None
        self._idf: np.ndarray | None = None
        #: What the config tells: a vocabulary that was given, not learnt.
        self.vocabulary: list[Any] | None = None
        self.idf_weights: Any = None
        self._is_fixed = False
        self.reset_state()
        if vocabulary is not None:
            self._set_given(vocabulary, idf_weights)

    # The vocabulary --------------------------------------------------------------------

    def _token_of(self, token: Any) -> Any:
        """A token in the form that the vocabulary keeps."""
        raise NotImplementedError

    def _index(self, tokens: list[Any]) -> None:
        """Prepare finding `tokens`."""
        raise NotImplementedError

    def _set_given(self, vocabulary: Any, idf_weights: Any) -> None:
        if isinstance(vocabulary, (str, Path)):
            if self.output_mode == "tf_idf":
                raise ValueError(
                    f"{type(self).__name__}: output_mode='tf_idf' needs weights for every token, "
                    "which a vocabulary file does not hold. Give a list."
                )
            # The vocabulary travels with a saved model; the path does not.
            self.set_vocabulary(str(vocabulary), idf_weights)
            return
        if idf_weights is None and self.output_mode == "tf_idf":
            raise ValueError(
                f"{type(self).__name__}: with output_mode='tf_idf' a `vocabulary` needs "
                "`idf_weights`, one for each token."
            )
        given = [self._token_of(t) for t in host_array(vocabulary).ravel().tolist()]
        self.set_vocabulary(given, idf_weights)
        self.vocabulary = given
        if idf_weights is not None:
            self.idf_weights = host_array(idf_weights).astype("float64").tolist()

    @property
    def _special(self) -> list[Any]:
        masked = self.mask_token is not None and self.output_mode == "int"
        return [self.mask_token] * masked + [self.oov_token] * self.num_oov_indices

    def get_vocabulary(self, include_special_tokens: bool = True) -> list[Any]:
        """The tokens, by their places.

        Args:
            include_special_tokens: whether the mask token and those for tokens that are not
                in the vocabulary are among them.
        """
        return [*(self._special if include_special_tokens else []), *(self._tokens or [])]

    def vocabulary_size(self) -> int:
        """The number of tokens, special ones included."""
        return len(self._special) + len(self._tokens or [])

    def set_vocabulary(self, vocabulary: Any, idf_weights: Any = None) -> None:
        """Set the vocabulary in place of `adapt`.

        Args:
            vocabulary: an array or list of tokens, most frequent first, or the path of a
                text file with a token in each line. Special tokens may stand in front.
            idf_weights: the inverse document frequency of each, for `"tf_idf"`.
        """
        if self.output_mode != "tf_idf" and idf_weights is not None:
            raise ValueError(
                f"Layer {self.name!r}: `idf_weights` are for output_mode='tf_idf'. "
                f"Received: output_mode={self.output_mode!r}"
            )
        if isinstance(vocabulary, (str, Path)):
            vocabulary = _read_lines(Path(vocabulary))
        tokens = [self._token_of(t) for t in host_array(vocabulary).ravel().tolist()]
        weights = None if idf_weights is None else host_array(idf_weights).ravel().astype("float32")
        if weights is not None and len(weights) != len(tokens):
            raise ValueError(
                f"Layer {self.name!r}: `idf_weights` must be as long as the vocabulary. "
                f"Received: {len(weights)} weights, {len(tokens)} tokens"
            )
        if not tokens:
            raise ValueError(f"Layer {self.name!r}: the vocabulary must not be empty.")
        special = [t if t is None else self._token_of(t) for t in self._special]
        has_special = bool(special) and tokens[: len(special)] == special
        if has_special:
            tokens = tokens[len(special) :]
        self._check_tokens(tokens)
        self._set_tokens(tokens)
        if weights is not None:
            if not has_special:
                unknown = np.full(len(special), weights.mean(), "float32")
                weights = np.concatenate([unknown, weights])
            self._idf = weights
        self._is_fixed = True

    def _check_tokens(self, tokens: list[Any]) -> None:
        counts = collections.Counter(tokens)
        if len(counts) < len(tokens):
            repeated = [t for t, n in counts.items() if n > 1]
            raise ValueError(
                short(f"Layer {self.name!r}: the vocabulary repeats tokens: {repeated[:10]}")
            )
        if self.mask_token is not None and self.mask_token in counts:
            raise ValueError(
                short(
                    f"Layer {self.name!r}: the mask token may stand in front of a vocabulary only, "
                    f"as part of {self._special}. Received: {self.mask_token!r} at place "
                    f"{tokens.index(self.mask_token)}"
                )
            )
        size = len(self._special) + len(tokens)
        if self.max_tokens is not None and size > self.max_tokens:
            raise ValueError(
                f"Layer {self.name!r}: the vocabulary is larger than `max_tokens`. "
                f"Received: {size} tokens with the special ones, max_tokens={self.max_tokens}"
            )

    def _set_tokens(self, tokens: list[Any]) -> None:
        self._tokens = tokens
        self._index(tokens)

    # Learning ------------------------------------------------------------------------

    def adapt(self, data: Any, steps: int | None = None) -> None:
        """Learn the vocabulary: the most frequent tokens.

        Args:
            data: an array, tensor or list of tokens, or an iterable of batches of them. The
                rows of an array are documents, for `"tf_idf"`.
            steps: how many batches to take; all by default.
        """
        super().adapt(data, steps)

    def reset_state(self) -> None:
        self._counts: collections.Counter[Any] = collections.Counter()
        self._documents: collections.Counter[Any] = collections.Counter()
        self._number_of_documents = 0

    def update_state(self, data: Any) -> None:
        if self._is_fixed:
            raise ValueError(
                f"Layer {self.name!r} ({type(self).__name__}) has a vocabulary that was given to "
                "it, by `vocabulary` or `set_vocabulary`, and cannot be adapted."
            )
        if hasattr(data, "to_list") and not hasattr(data, "to_numpy"):
            data = data.to_list()  # of ragged rows
        x = host_array(data)
        if x.size and isinstance(x.flat[0], (list, tuple, np.ndarray)):
            rows = [list(_flat([row])) for row in x.ravel()]  # of unequal lengths
            self._count(itertools.chain.from_iterable(rows), lambda: rows)
            return
        table = x.reshape(-1, 1) if x.ndim < 2 else x.reshape(-1, x.shape[-1])
        self._count(x.ravel().tolist(), table.tolist)

    def _count(self, tokens: Iterable[Any], documents: Any) -> None:
        """Take in tokens, and `documents()`: the same as rows."""
        self._counts.update(tokens)
        if self.output_mode == "tf_idf":
            rows = documents()
            self._number_of_documents += len(rows)
            for row in rows:
                self._documents.update(set(row))

    def finalize_state(self) -> None:
        if self._is_fixed or not self._counts:
            return
        counts: collections.Counter[Any] = collections.Counter()
        for token, number in self._counts.items():
            counts[self._token_of(token)] += number
        for special in (self.mask_token, self.oov_token):
            counts.pop(special, None)
        # Equally frequent tokens in falling order, as Keras has them.
        tokens = sorted(counts, key=lambda t: (counts[t], t), reverse=True)
        if self.max_tokens is not None:
            tokens = tokens[: max(self.max_tokens - len(self._special), 0)]
        self._set_tokens(tokens)
        if self.output_mode == "tf_idf":
            documents: collections.Counter[Any] = collections.Counter()
            for token, number in self._documents.items():
                documents[self._token_of(token)] += number
            seen = np.array([documents[t] for t in tokens], "float64")
            idf = np.log1p(self._number_of_documents / (1 + seen))
            unknown = np.full(len(self._special), idf.mean() if len(idf) else 0.0)
            self._idf = np.concatenate([unknown, idf]).astype("float32")
        # A second series of `update_state` goes on; `adapt` begins anew.

    # Use -----------------------------------------------------------------------------

    @property
    def _depth(self) -> int | None:
        if self.pad_to_max_tokens:
            return self.max_tokens
        return None if self._tokens is None else self.vocabulary_size()

    @property
    def _output_dtype(self) -> str:
        if self.output_mode == "tf_idf":
            name = self.compute_dtype
            return name if "float" in name else "float32"
        return integer_dtype()

    def _on_arrays(self, inputs: np.ndarray) -> np.ndarray:
        if self.invert:
            return self._tokens_at(inputs)
        return self._vectors(self._places(inputs))

    def _vectors(self, places: Any) -> Any:
        """Places in the output mode."""
        scale = None
        if self.output_mode == "tf_idf":
            if self._idf is None:
                raise self._not_adapted()
            scale = self._scale(self._idf)
        return self._encoded(places, scale=scale)

    def _scale(self, idf: np.ndarray) -> np.ndarray:
        """A weight for each column of the output."""
        return np.pad(idf, (0, (self._depth or len(idf)) - len(idf)))

    def _not_adapted(self) -> ValueError:
        return ValueError(
            f"Layer {self.name!r} ({type(self).__name__}) has no vocabulary yet. Call "
            "`layer.adapt(data)`, or give it a `vocabulary`."
        )

    @property
    def _mask_place(self) -> int:
        return 0 if self.output_mode == "int" else -1

    @property
    def _first_unknown(self) -> int:
        return len(self._special) - self.num_oov_indices

    def _buckets(self, tokens: np.ndarray) -> np.ndarray:
        """Which of the places for unknown tokens they get."""
        raise NotImplementedError

    def _unknown(self, tokens: np.ndarray) -> np.ndarray:
        """The places of tokens that are not in the vocabulary."""
        if not self.num_oov_indices:
            raise ValueError(
                short(
                    f"Layer {self.name!r} ({type(self).__name__}) has num_oov_indices=0, so all "
                    f"tokens must be in its vocabulary. Received: {tokens[:5].tolist()}. Set "
                    "`num_oov_indices=1`."
                )
            )
        if self.num_oov_indices == 1:
            return np.full(tokens.shape, self._first_unknown)
        return self._first_unknown + self._buckets(tokens)

    def _places(self, tokens: np.ndarray) -> np.ndarray:
        """The place of every token."""
        raise NotImplementedError

    def _tokens_at(self, places: np.ndarray) -> np.ndarray:
        """The token at every place; the one for unknown tokens elsewhere."""
        if self._tokens is None:
            raise self._not_adapted()
        table = np.array([*self.get_vocabulary(), self.oov_token], dtype=self._table_dtype)
        places = places.astype("int64")
        valid = (places >= 0) & (places < len(table) - 1)
        return np.asarray(table[np.where(valid, places, len(table) - 1)], self._table_dtype)

    _table_dtype: Any = object

    # Config and files ----------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments; a learnt vocabulary is an asset of a saved model."""
        found = super().get_config()
        found["oov_method"] = getattr(self, "oov_method", "floormod")
        found["vocabulary_size"] = None if self._tokens is None else self.vocabulary_size()
        if self.vocabulary is None and not self._fits_lines():
            # Keras strips the lines of a vocabulary file.
            found["vocabulary"] = self.get_vocabulary(False)
            if self._idf is not None:
                found["idf_weights"] = self._idf[len(self._special) :].astype("float64").tolist()
        return found

    get_config._derived = True  # type: ignore[attr-defined]

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """A layer; in safe mode its config may not name a vocabulary file.

        Raises:
            UnsafeModelError: for a path in safe mode.
        """
        refuse_vocabulary_path(cls, config)
        return super().from_config(config)

    def _fits_lines(self) -> bool:
        """Whether every token can stand in a line of a file."""
        tokens = list(map(str, self._tokens or ()))
        plain = all(t.strip() == t and len(t.splitlines()) < 2 for t in tokens)
        return plain and tokens[-1:] != [""]

    def save_assets(self, dir_path: str) -> None:
        """Write the vocabulary into a folder, unless the config has it."""
        if self.vocabulary is None and self._tokens and self._fits_lines():
            text = "\n".join(map(str, self.get_vocabulary()))
            (Path(dir_path) / _FILE).write_bytes(text.encode())

    def load_assets(self, dir_path: str) -> None:
        """Read the vocabulary that `save_assets` wrote."""
        path = Path(dir_path) / _FILE
        if self.vocabulary is None and path.exists():
            self._is_fixed = False
            self.set_vocabulary(path.read_bytes().decode().split("\n"))
            self._is_fixed = False

    def save_own_variables(self, store: dict[str, Any]) -> None:
        """Put the inverse document frequencies into `store`."""
        if self._idf is not None:
            # Keras reads a weight for each column, but one for each token of a learnt vocabulary.
            given = self.vocabulary is not None
            store["idf_weights"] = self._scale(self._idf) if given else self._idf

    def load_own_variables(self, store: Any) -> None:
        """Take the inverse document frequencies from `store`."""
        if self.output_mode == "tf_idf" and "idf_weights" in store:
            weights = np.asarray(store["idf_weights"], "float32")
            size = len(weights) if self._tokens is None else self.vocabulary_size()
            if self._tokens is not None and weights.shape not in {(self._depth,), (size,)}:
                raise ValueError(
                    f"Layer {self.name!r} has {size} tokens; the file holds "
                    f"weights of shape {weights.shape} for it."
                )
            self._idf = weights[:size]


def refuse_vocabulary_path(cls: type, config: dict[str, Any]) -> None:
    """Raise if a config names a vocabulary file in safe mode.

    Raises:
        UnsafeModelError: nothing is opened on a file's behalf.
    """
    vocabulary = config.get("vocabulary")
    if isinstance(vocabulary, dict) and isinstance(vocabulary.get("config"), dict):
        vocabulary = vocabulary["config"].get("value")
    if isinstance(vocabulary, (str, bytes, Path)) and is_safe_mode():
        raise UnsafeModelError(
            short(
                f"{cls.__name__}: the config names the vocabulary file "
                f"{str(vocabulary)[:120]!r}, and reading files on behalf of a config is "
                "not safe. If you trust its source, pass `safe_mode=False`; otherwise make the "
                "layer yourself with `vocabulary=path`."
            )
        )


def _read_lines(path: Path) -> list[str]:
    if not path.is_file():
        raise ValueError(f"There is no vocabulary file {str(path)!r}.")
    lines = path.read_text("utf-8").split("\n")
    return lines[:-1] if lines[-1] == "" else lines


def _flat(tokens: Iterable[Any]) -> Iterable[Any]:
    for token in tokens:
        if isinstance(token, (list, tuple, np.ndarray)):
            yield from _flat(token)
        else:
            yield token
