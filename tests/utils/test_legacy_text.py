"""`Tokenizer`, `skipgrams`, `TimeseriesGenerator` and what goes with them, against Keras."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from keraslite import tree
from keraslite.preprocessing import sequence, text

pytest.importorskip("tensorflow")
their_text = pytest.importorskip("keras._tf_keras.keras.preprocessing.text")
their_sequence = pytest.importorskip("keras._tf_keras.keras.preprocessing.sequence")

TEXTS = ["The cat sat on the Mat.", "The dog; the DOG sat!", "a\tb a"]
OPTIONS: list[dict[str, Any]] = [
    {},
    {"num_words": 4},
    {"num_words": 4, "oov_token": "<o>"},
    {"char_level": True},
    {"lower": False, "filters": ";"},
    {"analyzer": lambda t: t.split("t"), "document_count": 3},
]


def plain(x: Any) -> Any:
    if hasattr(x, "items"):
        return {key: plain(value) for key, value in x.items()}
    return x.tolist() if isinstance(x, np.ndarray) else x


@pytest.mark.parametrize("options", OPTIONS, ids=lambda o: ",".join(o))
def test_tokenizer(options: dict[str, Any]) -> None:
    def run(module: Any) -> list[Any]:
        tokenizer = module.Tokenizer(**options)
        tokenizer.fit_on_texts([*TEXTS, ["the", "Zoo"]])
        found = [plain(vars(tokenizer))]
        again = module.tokenizer_from_json(tokenizer.to_json(indent=1))
        for one in (tokenizer, again):
            indices = one.texts_to_sequences(["the cat ran", "dog dog", ["the", "zoo"]])
            found += [indices, one.sequences_to_texts([*indices, [99, 1]])]
            for mode in ("binary", "count", "freq", "tfidf"):
                found.append(one.texts_to_matrix(["the cat sat sat", "dog"], mode=mode).tolist())
        return found

    ours, expected = run(text), run(their_text)
    assert {k: v for k, v in ours[0].items() if k != "_x"} == expected[0]
    assert ours[1:] == expected[1:]


def test_tokenizer_of_integers_and_its_errors() -> None:
    for module in (text, their_text):
        tokenizer = module.Tokenizer(num_words=5)
        with pytest.raises(ValueError, match="tfidf"):
            tokenizer.sequences_to_matrix([[1]], mode="tfidf")
        tokenizer.fit_on_sequences([[1, 2, 2], [3]])
        assert plain(tokenizer.index_docs) == {1: 1, 2: 1, 3: 1}
        with pytest.raises(ValueError, match="mode"):
            tokenizer.sequences_to_matrix([[1]], mode="x")
        with pytest.raises(ValueError, match="num_words"):
            module.Tokenizer().sequences_to_matrix([[1]])
        with pytest.raises(TypeError, match="bad"):
            module.Tokenizer(bad=1)


TEXT_CALLS: dict[str, Callable[[Any], Any]] = {
    "words": lambda m: m.text_to_word_sequence("Hello, World! it's a_b c-d"),
    "words_split": lambda m: m.text_to_word_sequence("Hello World", lower=False, split="o"),
    "words_filters": lambda m: m.text_to_word_sequence("a||b c", split="||", filters="c"),
    "md5": lambda m: m.hashing_trick("the cat sat the", 10, hash_function="md5"),
    "function": lambda m: m.hashing_trick("the cat", 10, analyzer=list, hash_function=ord),
    "one_hot": lambda m: m.one_hot("a b A", 50),
}
DATA = np.arange(40).reshape(20, 2)
SEQUENCE_CALLS: dict[str, Callable[[Any], Any]] = {
    "table": lambda m: m.make_sampling_table(6),
    "table_factor": lambda m: m.make_sampling_table(1000, 1e-3),
    "pairs": lambda m: m.skipgrams([1, 2, 3, 0, 4], 5, window_size=1, seed=1),
    "pairs_categorical": lambda m: m.skipgrams([1, 2, 3], 9, categorical=True),
    "pairs_in_order": lambda m: m.skipgrams([1, 2, 3], 5, 2, shuffle=False, negative_samples=0.5),
    "pairs_sampled": lambda m: m.skipgrams(
        [1, 2, 3, 2, 1], 5, sampling_table=np.full(5, 0.5), negative_samples=2.0
    ),
}
WINDOWS: list[dict[str, Any]] = [
    {"length": 3, "batch_size": 4},
    {"length": 4, "sampling_rate": 2, "stride": 3, "batch_size": 2},
    {"length": 3, "start_index": 2, "end_index": 9, "reverse": True},
    {"length": 3, "shuffle": True, "batch_size": 3},
]


def agree(run: Callable[[Any], Any], ours: Any, expected: Any) -> None:
    found = []
    for module in (ours, expected):
        random.seed(3)
        np.random.seed(3)
        found.append(tree.flatten(run(module)))
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b) if isinstance(b, np.ndarray) else None
        assert np.all(a == b) or np.allclose(a, b)


@pytest.mark.parametrize("name", TEXT_CALLS)
def test_text_functions(name: str) -> None:
    agree(TEXT_CALLS[name], text, their_text)


@pytest.mark.parametrize("name", SEQUENCE_CALLS)
def test_sequence_functions(name: str) -> None:
    agree(SEQUENCE_CALLS[name], sequence, their_sequence)


@pytest.mark.parametrize("options", WINDOWS, ids=str)
def test_windows(options: dict[str, Any]) -> None:
    def run(module: Any) -> Any:
        generator = module.TimeseriesGenerator(DATA, DATA[:, 0] * 10, **options)
        return [generator[i] for i in range(len(generator))], len(generator)

    agree(run, sequence, their_sequence)
    assert sequence.TimeseriesGenerator(DATA, DATA, 3, workers=2).workers == 2
    for module in (sequence, their_sequence):
        with pytest.raises(ValueError, match="index"):
            module.TimeseriesGenerator(DATA, DATA, 30)
        with pytest.raises(ValueError, match="length"):
            module.TimeseriesGenerator(DATA, DATA[:3], 3)
