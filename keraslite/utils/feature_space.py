"""`FeatureSpace`: the columns of a table, prepared and joined into one vector."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from keraslite import ops
from keraslite.backend.foreign import engine_of, host_array
from keraslite.core.errors import check_choice, describe, nearest
from keraslite.core.keras_tensor import KerasTensor
from keraslite.core.naming import auto_name
from keraslite.core.registry import CustomObjectScope
from keraslite.core.serialization import deserialize_keras_object
from keraslite.layers import (
    CategoryEncoding,
    Concatenate,
    Discretization,
    HashedCrossing,
    Hashing,
    Input,
    IntegerLookup,
    Normalization,
    Rescaling,
    StringLookup,
)
from keraslite.layers.data_layer import DataLayer
from keraslite.layers.preprocessing.base import Adaptable, batches_of
from keraslite.utils.features import PARTS, Cross, Feature, TFDIdentity


def _preprocessor_name(name: str | None, kind: str) -> str:
    return f"{name or auto_name(kind)}_preprocessor"


class FeatureSpace(DataLayer):
    """The columns of a table, prepared and joined into one vector.

    Args:
        features: column -> what becomes of it: `FeatureSpace.float_normalized()` and so on,
            or its name, `"float_normalized"`.
        output_mode: `"concat"`: one vector; `"dict"`: a dict with an entry for each column.
        crosses: tuples of columns whose combinations become columns too, or
            `FeatureSpace.cross(...)`.
        crossing_dim, hashing_dim, num_discretization_bins: number of bins where features are
            given by name.
        name: of the layer.

    Call arguments:
        data: dict with an array or tensor for each column, of shape `(batch,)`, `(batch, 1)`
            or `()`.

    Example:
        >>> space = keras.utils.FeatureSpace(
        ...     features={"age": "float_normalized", "city": "string_categorical"}
        ... )
        >>> space.adapt({"age": [31.0, 45.0, 20.0], "city": ["Rome", "Paris", "Rome"]})
        >>> space({"age": [45.0], "city": ["Rome"]}).shape
        (1, 4)
    """

    # What joins the columns is made when they have been adapted.
    _locks = False

    def __init__(
        self,
        features: Mapping[str, Any],
        output_mode: str = "concat",
        crosses: Any = None,
        crossing_dim: int = 32,
        hashing_dim: int = 32,
        num_discretization_bins: int = 32,
        name: str | None = None,
    ) -> None:
        super().__init__(name=name)
        if not features:
            raise ValueError("FeatureSpace: `features` must not be empty.")
        check_choice("FeatureSpace: ", ("concat", "dict"), output_mode=output_mode)
        self.crossing_dim = crossing_dim
        self.hashing_dim = hashing_dim
        self.num_discretization_bins = num_discretization_bins
        self.features = {k: self._feature(k, v) for k, v in features.items()}
        self.crosses = [self._cross(c) for c in crosses or ()]
        self.crosses_by_name = {c.name: c for c in self.crosses}
        self.output_mode = output_mode
        self.inputs = {
            k: Input((1,), dtype=feature.dtype, name=k) for k, feature in self.features.items()
        }
        self.preprocessors = {k: feature.preprocessor for k, feature in self.features.items()}
        self.crossers = {c.name: HashedCrossing(c.crossing_dim, name=c.name) for c in self.crosses}
        #: Made when the sizes of vocabularies are known.
        self.one_hot_encoders: dict[str, Any] = {}
        self.concat: Any = None
        self.encoded_features: Any = None
        self._is_adapted = not any(self._adaptable())

    def _feature(self, name: str, value: Any) -> Feature:
        if isinstance(value, Feature):
            return value
        if isinstance(value, dict):
            with CustomObjectScope(PARTS):
                return deserialize_keras_object(value)
        makers = {
            "float": {},
            "float_rescaled": {},
            "float_normalized": {},
            "float_discretized": {"num_bins": self.num_discretization_bins},
            "integer_categorical": {},
            "string_categorical": {},
            "integer_hashed": {"num_bins": self.hashing_dim},
            "string_hashed": {"num_bins": self.hashing_dim},
        }
        if value not in makers:
            raise ValueError(
                f"FeatureSpace: unknown kind of feature {value!r:.60} for {name!r}."
                f"{nearest(str(value), makers)} Expected one of: {', '.join(makers)}, or what a "
                "method of that name returns."
            )
        return getattr(self, value)(name=name, **makers[value])

    def _cross(self, value: Any) -> Cross:
        if isinstance(value, dict):
            with CustomObjectScope(PARTS):
                value = deserialize_keras_object(value)
        found = value if isinstance(value, Cross) else Cross(value, self.crossing_dim)
        unknown = [n for n in found.feature_names if n not in self.features]
        if unknown:
            raise ValueError(
                f"FeatureSpace: `crosses` names columns that are not in `features`: {unknown}."
            )
        return found

    # Kinds of features -----------------------------------------------------------------

    @classmethod
    def cross(cls, feature_names: Any, crossing_dim: int, output_mode: str = "one_hot") -> Cross:
        """The combinations of several columns, hashed into `crossing_dim` bins."""
        return Cross(feature_names, crossing_dim, output_mode)

    @classmethod
    def feature(cls, dtype: str, preprocessor: Any, output_mode: str) -> Feature:
        """A column of `dtype` that a layer of your own prepares.

        Args:
            dtype: of the column.
            preprocessor: the layer.
            output_mode: `"float"`, `"int"` or `"one_hot"`: what becomes of its results.
        """
        return Feature(dtype, preprocessor, output_mode)

    @classmethod
    def float(cls, name: str | None = None) -> Feature:
        """A number, as it is."""
        layer = TFDIdentity(name=_preprocessor_name(name, "float"))
        return Feature("float32", layer, "float")

    @classmethod
    def float_rescaled(
        cls, scale: Any = 1.0, offset: Any = 0.0, name: str | None = None
    ) -> Feature:
        """`number * scale + offset`."""
        layer = Rescaling(scale, offset, name=_preprocessor_name(name, "float_rescaled"))
        return Feature("float32", layer, "float")

    @classmethod
    def float_normalized(cls, name: str | None = None) -> Feature:
        """A number, normalized by the mean and variance of the column."""
        layer = Normalization(axis=-1, name=_preprocessor_name(name, "float_normalized"))
        return Feature("float32", layer, "float")

    @classmethod
    def float_discretized(
        cls,
        num_bins: int,
        bin_boundaries: Any = None,
        output_mode: str = "one_hot",
        name: str | None = None,
    ) -> Feature:
        """The bin that a number falls into; boundaries are learnt unless they are given."""
        layer = Discretization(
            num_bins=num_bins if bin_boundaries is None else None,
            bin_boundaries=bin_boundaries,
            name=_preprocessor_name(name, "float_discretized"),
        )
        return Feature("float32", layer, output_mode)

    @classmethod
    def integer_categorical(
        cls,
        max_tokens: int | None = None,
        num_oov_indices: int = 1,
        output_mode: str = "one_hot",
        name: str | None = None,
    ) -> Feature:
        """An integer that is the name of something."""
        label = _preprocessor_name(name, "integer_categorical")
        layer = IntegerLookup(max_tokens, num_oov_indices, name=label)
        return Feature("int32", layer, output_mode)

    @classmethod
    def string_categorical(
        cls,
        max_tokens: int | None = None,
        num_oov_indices: int = 1,
        output_mode: str = "one_hot",
        name: str | None = None,
    ) -> Feature:
        """A string that is the name of something."""
        label = _preprocessor_name(name, "string_categorical")
        layer = StringLookup(max_tokens, num_oov_indices, name=label)
        return Feature("string", layer, output_mode)

    @classmethod
    def string_hashed(
        cls, num_bins: int, output_mode: str = "one_hot", name: str | None = None
    ) -> Feature:
        """The hash of a string."""
        layer = Hashing(num_bins=num_bins, name=_preprocessor_name(name, "string_hashed"))
        return Feature("string", layer, output_mode)

    @classmethod
    def integer_hashed(
        cls, num_bins: int, output_mode: str = "one_hot", name: str | None = None
    ) -> Feature:
        """The hash of an integer."""
        layer = Hashing(num_bins=num_bins, name=_preprocessor_name(name, "integer_hashed"))
        return Feature("int32", layer, output_mode)

    # Learning ------------------------------------------------------------------------

    def _adaptable(self) -> Any:
        """Names and layers that learn from data."""
        for name, layer in self.preprocessors.items():
            if isinstance(layer, Adaptable) and not (
                getattr(layer, "_given", False)
                or getattr(layer, "_is_fixed", False)
                or getattr(layer, "input_mean", None) is not None
            ):
                yield name, layer

    def adapt(self, dataset: Any) -> None:
        """Learn what the columns need: vocabularies, means, boundaries.

        Args:
            dataset: an iterable of dicts of columns (a `tf.data.Dataset`, a `PyDataset`...),
                in batches or not; or one dict of whole columns.
        """
        learning = dict(self._adaptable())
        for layer in learning.values():
            layer.reset_state()
        for batch in [dataset] if isinstance(dataset, Mapping) else batches_of(dataset):
            if not isinstance(batch, Mapping):
                raise ValueError(
                    "`FeatureSpace.adapt` takes data sets of dicts, without targets: "
                    "`dataset.map(lambda x, y: x)`. "
                    f"Received: a data set of {type(batch).__name__}"
                )
            for name, layer in learning.items():
                layer.update_state(_column(host_array(batch[name])))
        for layer in learning.values():
            layer.finalize_state()
        self._is_adapted = True
        self.one_hot_encoders, self.concat, self.encoded_features = {}, None, None
        self.get_encoded_features()

    # Use -----------------------------------------------------------------------------

    def get_inputs(self) -> dict[str, KerasTensor]:
        """Symbolic inputs, by column: a model over them takes the raw table."""
        self._check_adapted()
        return self.inputs

    def get_encoded_features(self) -> Any:
        """The symbolic result for `get_inputs()`: a model over it takes prepared data."""
        self._check_adapted()
        if self.encoded_features is None:
            found = self._joined(self._prepared(self.inputs))
            self.encoded_features = found
        return self.encoded_features

    def _check_adapted(self) -> None:
        if not self._is_adapted:
            raise ValueError(
                f"FeatureSpace {self.name!r} must see data before it is used. Call "
                "`feature_space.adapt(dataset)`."
            )

    def __call__(self, data: Any) -> Any:
        """The joined vector, or the dict of prepared columns.

        Args:
            data: column -> values of shape `(batch,)`, `(batch, 1)` or `()`.
        """
        self._check_adapted()
        if not isinstance(data, Mapping):
            raise ValueError(
                f"FeatureSpace {self.name!r} takes a dict of columns. Received: {describe(data)}"
            )
        missing = [k for k in self.features if k not in data]
        extra = [k for k in data if k not in self.features]
        if missing or extra:
            raise ValueError(
                f"FeatureSpace {self.name!r} takes the columns {list(self.features)}. "
                f"Received: missing {missing}, unknown {extra}"
            )
        # Lists and strings as arrays: a dict of columns, not a nested structure.
        return super().__call__({k: _value(v) for k, v in data.items()})

    def _convert(self, arguments: dict[str, Any]) -> dict[str, Any]:
        # The layers of the columns convert, each to what it takes.
        return arguments

    def call(self, data: Any) -> Any:
        """The joined vector, or the dict of prepared columns."""
        single = all(len(x.shape) == 0 for x in data.values())
        found = self._joined(self._prepared({k: _column(x) for k, x in data.items()}))
        if not single:
            return found
        return {k: x[0] for k, x in found.items()} if isinstance(found, dict) else found[0]

    def _prepared(self, data: Mapping[str, Any]) -> dict[str, Any]:
        # Sorted, as Keras joins them. What is crossed is prepared before: places, not strings.
        found = {k: self.preprocessors[k](data[k]) for k in sorted(self.features)}
        for name, cross in sorted(self.crosses_by_name.items()):
            found[name] = self.crossers[name]([found[k] for k in cross.feature_names])
        return found

    def _joined(self, prepared: dict[str, Any]) -> Any:
        if self.output_mode == "dict":
            return {k: self._encoded(k, x) for k, x in prepared.items()}
        for name in prepared:
            if self._mode(name) == "int":
                raise ValueError(
                    f"FeatureSpace {self.name!r}: the column {name!r} has output_mode='int', which "
                    "cannot be joined with others. Use `FeatureSpace(output_mode='dict')`."
                )
        parts = [ops.cast(self._encoded(k, x), self.compute_dtype) for k, x in prepared.items()]
        if self.concat is None:
            self.concat = Concatenate(axis=-1, name="concat")
        return self.concat(parts) if len(parts) > 1 else parts[0]

    def _mode(self, name: str) -> str:
        return (self.features.get(name) or self.crosses_by_name[name]).output_mode

    def _encoded(self, name: str, x: Any) -> Any:
        if self._mode(name) != "one_hot":
            return x
        encoder = self.one_hot_encoders.get(name)
        if encoder is None:
            encoder = CategoryEncoding(self._cardinality(name), "one_hot", name=f"{name}_encoding")
            self.one_hot_encoders[name] = encoder
        return encoder(x)

    def _cardinality(self, name: str) -> int:
        if name in self.crosses_by_name:
            return self.crosses_by_name[name].crossing_dim
        layer = self.preprocessors[name]
        if isinstance(layer, (IntegerLookup, StringLookup)):
            return layer.vocabulary_size()
        if isinstance(layer, Discretization):
            return layer.num_bins or len(layer.bin_boundaries or ()) + 1
        if isinstance(layer, (Hashing, HashedCrossing)):
            return layer.num_bins
        if isinstance(layer, CategoryEncoding):
            return layer.num_tokens
        raise ValueError(
            f"FeatureSpace {self.name!r}: the column {name!r} cannot be one-hot, since how many "
            f"values {type(layer).__name__} gives is not known. Use output_mode='float'."
        )

    # Config and files ----------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        """The columns and their layers."""
        return {
            "features": {k: feature.described() for k, feature in self.features.items()},
            "output_mode": self.output_mode,
            "crosses": [cross.described() for cross in self.crosses],
            "crossing_dim": self.crossing_dim,
            "hashing_dim": self.hashing_dim,
            "num_discretization_bins": self.num_discretization_bins,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> FeatureSpace:
        """The feature space that a config describes."""
        return cls(**config)

    def get_build_config(self) -> dict[str, Any]:
        """The shapes that the layers of the columns were built with."""
        return {k: layer.get_build_config() or {} for k, layer in self.preprocessors.items()}

    def build_from_config(self, config: dict[str, Any] | None) -> None:
        """Build the layers of the columns as those that were saved."""
        for name, state in (config or {}).items():
            if name in self.preprocessors:
                self.preprocessors[name].build_from_config(state)
        self._is_adapted = True

    def save(self, filepath: Any) -> None:
        """Write the feature space to a `.keras` file; `load_model` reads it."""
        from keraslite.saving import save_model

        self.built = True
        save_model(self, filepath)

    def save_own_variables(self, store: dict[str, Any]) -> None:
        """Nothing: the layers of the columns keep what was learnt."""

    def load_own_variables(self, store: Any) -> None:
        """Nothing to read."""


def _value(x: Any) -> Any:
    known = isinstance(x, KerasTensor) or engine_of(x) is not None
    return x if known else host_array(x)


def _column(x: Any) -> Any:
    """Values of shape `(n,)` or `()` as a column `(n, 1)`."""
    if len(x.shape) == 0:
        return x.reshape((1, 1)) if hasattr(x, "reshape") else ops.reshape(x, (1, 1))
    return x[:, None] if len(x.shape) == 1 else x


__all__ = ["Cross", "Feature", "FeatureSpace"]
