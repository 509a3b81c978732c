"""Texts as lists of integers, as programs of earlier releases make them.

`keras.layers.TextVectorization` does this in a model.
"""

from __future__ import annotations

import collections
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from keraslite.core.errors import check_choice

FILTERS = '!"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n'
_COUNTS = ("word_counts", "word_docs", "index_docs", "index_word", "word_index")
_MODES = ("binary", "count", "freq", "tfidf")


def text_to_word_sequence(
    input_text: str, filters: str = FILTERS, lower: bool = True, split: str = " "
) -> list[str]:
    """The words of a text.

    Args:
        input_text: the text.
        filters: characters that separate words.
        lower: whether to change to lower case.
        split: what separates words.

    Example:
        >>> text_to_word_sequence("Hello, World!")
        ['hello', 'world']
    """
    text = input_text.lower() if lower else input_text
    text = text.translate({ord(character): split for character in filters})
    return [word for word in text.split(split) if word]


def one_hot(
    input_text: str,
    n: int,
    filters: str = FILTERS,
    lower: bool = True,
    split: str = " ",
    analyzer: Callable[[str], list[str]] | None = None,
) -> list[int]:
    """`hashing_trick` with Python's `hash`, which differs from process to process."""
    return hashing_trick(input_text, n, hash, filters, lower, split, analyzer)


def hashing_trick(
    text: str,
    n: int,
    hash_function: Callable[[str], int] | str | None = None,
    filters: str = FILTERS,
    lower: bool = True,
    split: str = " ",
    analyzer: Callable[[str], list[str]] | None = None,
) -> list[int]:
    """The words of a text as integers from 1 to n - 1; different words may share one.

    Args:
        text: the text.
        n: number of integers, with 0, which stands for no word.
        hash_function: of a word; `"md5"`, or None for Python's `hash`.
        filters, lower, split: as in `text_to_word_sequence`.
        analyzer: from a text to its words.
    """
    if hash_function is None:
        hash_function = hash
    elif hash_function == "md5":
        hash_function = _md5
    words = analyzer(text) if analyzer else text_to_word_sequence(text, filters, lower, split)
    return [hash_function(word) % (n - 1) + 1 for word in words]  # type: ignore[operator]


def _md5(word: str) -> int:
    return int(hashlib.md5(word.encode(), usedforsecurity=False).hexdigest(), 16)


class Tokenizer:
    """Texts as lists of integers, the more frequent words first.

    Args:
        num_words: how many integers are used, with 0, which stands for no word; all by default.
        filters, lower, split: as in `text_to_word_sequence`.
        char_level: whether the words are characters.
        oov_token: the word 1, which stands for unknown ones; they are left out by default.
        analyzer: from a text to its words.

    Example:
        >>> tokenizer = Tokenizer(num_words=1000, oov_token="<unknown>")
        >>> tokenizer.fit_on_texts(["the cat sat", "the dog"])
        >>> tokenizer.texts_to_sequences(["the dog ran"])
        [[2, 5, 1]]
    """

    def __init__(
        self,
        num_words: int | None = None,
        filters: str = FILTERS,
        lower: bool = True,
        split: str = " ",
        char_level: bool = False,
        oov_token: str | None = None,
        analyzer: Callable[[str], list[str]] | None = None,
        **kwargs: Any,
    ) -> None:
        self.document_count = kwargs.pop("document_count", 0)
        if kwargs:
            raise TypeError(f"Tokenizer got unexpected arguments: {', '.join(kwargs)}")
        self.num_words = num_words
        self.filters = filters
        self.lower = lower
        self.split = split
        self.char_level = char_level
        self.oov_token = oov_token
        self.analyzer = analyzer
        self.word_counts: dict[str, int] = collections.OrderedDict()
        self.word_docs: dict[str, int] = collections.defaultdict(int)
        self.index_docs: dict[int, int] = collections.defaultdict(int)
        self.word_index: dict[str, int] = {}
        self.index_word: dict[int, str] = {}

    def _words(self, text: Any) -> list[str]:
        if self.char_level or isinstance(text, list):
            if not self.lower:
                return list(text)
            lower = text.lower() if isinstance(text, str) else [word.lower() for word in text]
            return list(lower)
        if self.analyzer is not None:
            return self.analyzer(text)
        return text_to_word_sequence(text, self.filters, self.lower, self.split)

    def fit_on_texts(self, texts: Iterable[Any]) -> None:
        """Count the words of texts, and give them integers by their frequency.

        Args:
            texts: strings, or lists of words.
        """
        for text in texts:
            self.document_count += 1
            words = self._words(text)
            for word in words:
                self.word_counts[word] = self.word_counts.get(word, 0) + 1
            for word in set(words):
                self.word_docs[word] += 1
        ordered = sorted(self.word_counts, key=lambda word: -self.word_counts[word])
        unknown = [] if self.oov_token is None else [self.oov_token]
        self.word_index = {word: i for i, word in enumerate([*unknown, *ordered], 1)}
        self.index_word = {i: word for word, i in self.word_index.items()}
        for word, count in self.word_docs.items():
            self.index_docs[self.word_index[word]] = count

    def fit_on_sequences(self, sequences: Iterable[Sequence[int]]) -> None:
        """Count in how many lists integers are, for `sequences_to_matrix`."""
        for sequence in sequences:
            self.document_count += 1
            for index in set(sequence):
                self.index_docs[index] += 1

    def texts_to_sequences(self, texts: Iterable[Any]) -> list[list[int]]:
        """Texts as lists of integers."""
        return list(self.texts_to_sequences_generator(texts))

    def texts_to_sequences_generator(self, texts: Iterable[Any]) -> Iterator[list[int]]:
        """`texts_to_sequences`, one after the other."""
        unknown = self._known(self.word_index.get(self.oov_token))  # type: ignore[arg-type]
        for text in texts:
            found = (self._known(self.word_index.get(word)) for word in self._words(text))
            indices = (unknown if index is None else index for index in found)
            yield [index for index in indices if index is not None]

    def _known(self, index: int | None) -> int | None:
        used = index is not None and (not self.num_words or index < self.num_words)
        return index if used else None

    def sequences_to_texts(self, sequences: Iterable[Sequence[int]]) -> list[str]:
        """Lists of integers as texts."""
        return list(self.sequences_to_texts_generator(sequences))

    def sequences_to_texts_generator(self, sequences: Iterable[Sequence[int]]) -> Iterator[str]:
        """`sequences_to_texts`, one after the other."""
        for sequence in sequences:
            known = (index if self._known(index) else None for index in sequence)
            words = (self.index_word.get(i, self.oov_token) for i in known)  # type: ignore[arg-type]
            yield " ".join(word for word in words if word is not None)

    def texts_to_matrix(self, texts: Iterable[Any], mode: str = "binary") -> np.ndarray:
        """Texts as rows with a number for each word; see `sequences_to_matrix`."""
        return self.sequences_to_matrix(self.texts_to_sequences(texts), mode)

    def sequences_to_matrix(
        self, sequences: Sequence[Sequence[int]], mode: str = "binary"
    ) -> np.ndarray:
        """Lists of integers as rows with a number for each integer.

        Args:
            sequences: lists of integers.
            mode: `"binary"` for 1 where an integer occurs, `"count"`, `"freq"` for the share, or
                `"tfidf"`: (1 + log(count)) log(1 + documents / (1 + documents with it)).
        """
        check_choice("", _MODES, mode=mode)
        if not self.num_words and not self.word_index:
            raise ValueError("Give `num_words`, or call `fit_on_texts` first.")
        if mode == "tfidf" and not self.document_count:
            raise ValueError("`mode='tfidf'` counts documents: call `fit_on_texts` first.")
        width = self.num_words or len(self.word_index) + 1
        found = np.zeros((len(sequences), width))
        for row, sequence in zip(found, sequences, strict=True):
            for index, count in collections.Counter(i for i in sequence if i < width).items():
                if mode == "count":
                    row[index] = count
                elif mode == "freq":
                    row[index] = count / len(sequence)
                elif mode == "binary":
                    row[index] = 1
                else:
                    rarity = self.document_count / (1 + self.index_docs.get(index, 0))
                    row[index] = (1 + np.log(count)) * np.log(1 + rarity)
        return found

    def get_config(self) -> dict[str, Any]:
        """The arguments, and what `fit_on_texts` found, as JSON."""
        names = ("num_words", "filters", "lower", "split", "char_level", "oov_token")
        plain = {name: getattr(self, name) for name in (*names, "document_count")}
        return {**plain, **{name: json.dumps(getattr(self, name)) for name in _COUNTS}}

    def to_json(self, **kwargs: Any) -> str:
        """The tokenizer as JSON, for `tokenizer_from_json`; options of `json.dumps`."""
        config = {"class_name": type(self).__name__, "config": self.get_config()}
        return json.dumps(config, **kwargs)


def tokenizer_from_json(json_string: str) -> Tokenizer:
    """The tokenizer that `Tokenizer.to_json` wrote."""
    config = json.loads(json_string)["config"]
    counts = {name: json.loads(config.pop(name)) for name in _COUNTS}
    for name in ("index_docs", "index_word"):
        counts[name] = {int(index): value for index, value in counts[name].items()}
    found = Tokenizer(**config)
    vars(found).update(counts)
    return found


__all__ = [
    "Tokenizer",
    "hashing_trick",
    "one_hot",
    "text_to_word_sequence",
    "tokenizer_from_json",
]
