"""Text: which library does a sentence of documentation come from, NumPy or SciPy's statistics?"""

import numpy as np
import scipy.stats

import keraslite as keras
from keraslite import layers

keras.utils.set_random_seed(6)


def first_paragraphs(module):
    texts = set()
    for name in sorted(dir(module)):
        doc = getattr(getattr(module, name), "__doc__", None)
        if callable(getattr(module, name)) and doc and not name.startswith("_"):
            texts.add(" ".join(doc.split("Parameters")[0].split())[:300])
    return sorted(text for text in texts if len(text) > 30)


arrays, statistics = first_paragraphs(np), first_paragraphs(scipy.stats)
texts = np.array(arrays + statistics)
labels = np.array([0] * len(arrays) + [1] * len(statistics))
order = np.random.permutation(len(texts))
texts, labels = texts[order], labels[order]
held = len(texts) // 4
print(len(arrays), "of arrays,", len(statistics), "of statistics, such as", texts[0])

vectorize = layers.TextVectorization(max_tokens=1000, output_mode="int", output_sequence_length=40)
vectorize.adapt(texts[held:])
vocabulary = vectorize.get_vocabulary()
assert vocabulary[:2] == ["", "[UNK]"] and "the" in vocabulary[:5] and len(vocabulary) == 1000
x = np.asarray(vectorize(texts))
assert x.shape == (len(texts), 40)

model = keras.Sequential(
    [
        keras.Input(shape=(None,), dtype="int64"),
        layers.Embedding(len(vocabulary), 16, mask_zero=True),
        layers.GlobalAveragePooling1D(),
        layers.Dense(16, activation="relu"),
        layers.Dropout(0.3),
        layers.Dense(1, activation="sigmoid"),
    ]
)
model.compile(keras.optimizers.Adam(5e-3), "binary_crossentropy", metrics=["accuracy"])
model.fit(x[held:], labels[held:], epochs=12, batch_size=32, verbose=2)
loss, accuracy = model.evaluate(x[:held], labels[:held], verbose=0)
print("accuracy", accuracy, "; always the same answer:", max(labels.mean(), 1 - labels.mean()))
assert accuracy > 0.8

sentences = np.array(["The median of a random variable.", "Reshape an array to a new shape."])
found = model.predict(np.asarray(vectorize(sentences)), verbose=0)[:, 0]
print(found)
assert found[0] > found[1]
