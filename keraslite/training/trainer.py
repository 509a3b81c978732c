"""`Trainer`: `compile`, `fit`, `evaluate` and `predict` of a model, and the step they run."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from keraslite import ops
from keraslite import optimizers as optimizers_module
from keraslite.backend import engine
from keraslite.core import inference, tree
from keraslite.core.keras_tensor import KerasTensor
from keraslite.core.scopes import StatelessScope, SymbolicScope
from keraslite.core.variable import Variable
from keraslite.layers.tracking import owned, unique
from keraslite.metrics import Mean
from keraslite.optimizers import LossScaleOptimizer, Optimizer
from keraslite.random.seed_generator import global_seed_generator
from keraslite.training import loop
from keraslite.training.compiled_loss import CompiledLoss
from keraslite.training.compiled_metrics import CompiledMetrics
from keraslite.training.data import unpack_x_y_sample_weight
from keraslite.training.logs import flatten_results


class Trainer:
    """Mixin of `Model`: everything between a model and its data."""

    optimizer: Any

    def __init__(self) -> None:
        self._compiled = False
        self.optimizer = None
        self._loss_tracker: Mean | None = None
        self._compile_loss: CompiledLoss | None = None
        self._compile_metrics: CompiledMetrics | None = None
        self._compile_arguments: dict[str, Any] = {}
        self._functions: dict[str, Callable[..., Any]] = {}
        self._run_eagerly = False
        self._jit_compile: bool | str = "auto"
        self.steps_per_execution = 1
        self.stop_training = False
        self.loss = None

    # Compiling -----------------------------------------------------------------------

    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        loss_weights: Any = None,
        metrics: Any = None,
        weighted_metrics: Any = None,
        run_eagerly: bool = False,
        steps_per_execution: int = 1,
        jit_compile: bool | str = "auto",
        auto_scale_loss: bool = True,
    ) -> None:
        """Say how the model is trained.

        Args:
            optimizer: name or `Optimizer`.
            loss: name, function or `Loss`; a list or dict of them for several outputs.
            loss_weights: number for each output.
            metrics: names or `Metric`s; a list or dict of lists for several outputs.
            weighted_metrics: metrics that use sample weights and class weights.
            run_eagerly: run the step line by line, for debugging.
            steps_per_execution: batches in one call of the engine.
            jit_compile: True, False or "auto" (the engine's best habit).
            auto_scale_loss: wrap the optimizer in a `LossScaleOptimizer` under
                `mixed_float16`.

        Example:
            >>> model.compile("adam", "mse", metrics=["mae"])
        """
        if steps_per_execution != "auto" and int(steps_per_execution) < 1:
            raise ValueError(
                f"`steps_per_execution` must be at least 1. Received: {steps_per_execution}"
            )
        if run_eagerly and jit_compile is True:
            raise ValueError("`run_eagerly=True` and `jit_compile=True` exclude each other.")
        self._compile_arguments = {
            "optimizer": optimizer,
            "loss": loss,
            "loss_weights": loss_weights,
            "metrics": metrics,
            "weighted_metrics": weighted_metrics,
            "run_eagerly": run_eagerly,
            "steps_per_execution": steps_per_execution,
            "jit_compile": jit_compile,
        }
        optimizer = optimizers_module.get(optimizer)
        policy = self.dtype_policy.name  # type: ignore[attr-defined]
        if auto_scale_loss and policy == "mixed_float16" and optimizer is not None:
            if not isinstance(optimizer, LossScaleOptimizer):
                optimizer = LossScaleOptimizer(optimizer, name="loss_scale_optimizer")
        self.optimizer = optimizer
        self.loss = loss
        names, aliases = self._output_names()
        self._compile_loss = (
            None if loss is None else CompiledLoss(loss, loss_weights, names, aliases)
        )
        self._compile_metrics = (
            CompiledMetrics(metrics, weighted_metrics, names, aliases)
            if metrics is not None or weighted_metrics is not None
            else None
        )
        self._loss_tracker = Mean(name="loss")
        self._run_eagerly = bool(run_eagerly)
        self._jit_compile = jit_compile
        self.steps_per_execution = 1 if steps_per_execution == "auto" else int(steps_per_execution)
        self.stop_training = False
        self._functions = {}
        self._compiled = True

    def _output_names(self) -> tuple[list[str] | None, list[str] | None]:
        """Names for outputs in a list, and the names that a dict of losses may use."""
        names = getattr(self, "output_names", None) if hasattr(self, "_graph") else None
        return names, names

    @property
    def compiled(self) -> bool:
        return self._compiled

    @property
    def run_eagerly(self) -> bool:
        """Whether steps run line by line."""
        return self._run_eagerly

    @run_eagerly.setter
    def run_eagerly(self, value: bool) -> None:
        self._run_eagerly = bool(value)
        self._functions = {}

    @property
    def jit_compile(self) -> bool | str:
        """True, False or "auto", as given to `compile`."""
        return self._jit_compile

    @jit_compile.setter
    def jit_compile(self, value: bool | str) -> None:
        self._jit_compile = value
        self._functions = {}

    def _assert_compiled(self, method: str) -> None:
        if not self._compiled:
            raise ValueError(
                f"Call `model.compile(...)` before `model.{method}(...)`, for example "
                "`model.compile(optimizer='adam', loss='mse')`."
            )

    def get_compile_config(self) -> dict[str, Any] | None:
        """The arguments of `compile` as JSON-ready values, None when not compiled."""
        from keraslite.core.serialization import serialize_value

        if not self._compiled:
            return None
        arguments = dict(self._compile_arguments, optimizer=self.optimizer)
        return {key: serialize_value(value) for key, value in arguments.items()}

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compile with the arguments of `get_compile_config`."""
        from keraslite.core.serialization import deserialize_value

        self.compile(**{key: deserialize_value(value) for key, value in config.items()})
        if self.optimizer is not None and self.built:  # type: ignore[attr-defined]
            self.optimizer.build(self.trainable_variables)  # type: ignore[attr-defined]

    # Metrics ---------------------------------------------------------------------------

    @property
    def metrics(self) -> list[Any]:
        """The loss tracker, the metrics of `compile`, and those of the layers."""
        found: list[Any] = []
        if self._loss_tracker is not None:
            found.append(self._loss_tracker)
        if self._compile_loss is not None:
            found += self._compile_loss.metrics
        if self._compile_metrics is not None:
            found += self._compile_metrics.metrics
        return unique([*found, *super().metrics])  # type: ignore[misc]

    @property
    def metrics_names(self) -> list[str]:
        return [metric.name for metric in self.metrics]

    @property
    def metrics_variables(self) -> list[Variable]:
        return unique([v for metric in self.metrics for v in metric.variables])

    def reset_metrics(self) -> None:
        """Start all metrics again."""
        for metric in self.metrics:
            metric.reset_state()

    def get_metrics_result(self) -> dict[str, Any]:
        """The current values of all metrics by name."""
        found: dict[str, Any] = {}
        compiled: set[int] = set()
        if self._compile_metrics is not None:
            compiled = {id(m) for m in self._compile_metrics.metrics}
        for metric in self.metrics:
            if id(metric) not in compiled:
                found.update(flatten_results({metric.name: metric.result()}))
        if self._compile_metrics is not None:
            found.update(self._compile_metrics.result())
        return found

    # The step --------------------------------------------------------------------------

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """The scalar to minimise: the compiled loss and the layers' penalties.

        Override it for losses that need more than targets and outputs.
        """
        terms = []
        if self._compile_loss is not None:
            terms.append(self._compile_loss(y, y_pred, sample_weight))
        terms += [
            ops.sum(ops.cast(term, "float32"))
            for term in self._collect_losses(self._step_layers())  # type: ignore[attr-defined]
        ]
        if not terms:
            raise ValueError(
                "There is no loss to minimise: give `loss` to `compile`, add one with "
                "`add_loss` in a layer, or override `compute_loss`."
            )
        total = terms[0]
        for term in terms[1:]:
            total = ops.add(total, term)
        return total

    def _step_layers(self) -> list[Any]:
        # Looked up once a step function: walking attributes in every step costs.
        return self._functions.get("layers") or list(self._flatten_layers())  # type: ignore[attr-defined, return-value]

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Update the compiled metrics and return the values of all by name."""
        if self._compile_metrics is not None:
            self._compile_metrics.update_state(y, y_pred, sample_weight)
        return self.get_metrics_result()

    def _forward(self, x: Any, training: bool) -> Any:
        if self._call.has_training:  # type: ignore[attr-defined]
            return self(x, training=training)  # type: ignore[operator]
        return self(x, training=training)  # type: ignore[operator]

    def _track_loss(self, x: Any, loss: Any) -> None:
        if self._loss_tracker is not None:
            first = next((leaf for leaf in tree.flatten(x) if leaf is not None), None)
            size = None if first is None or not len(first.shape) else ops.shape(first)[0]
            self._loss_tracker.update_state(loss, sample_weight=size)

    def train_step(self, data: Any) -> dict[str, Any]:
        """One update from one batch; returns the logs.

        Override it for another way of training. The portable form uses
        `ops.value_and_grad` and runs on every engine that trains; the forms of Keras
        (`GradientTape`, `loss.backward()`, `train_step(self, state, data)`) run on theirs.

        Example:
            >>> def train_step(self, data):
            ...     x, y, w = keras.utils.unpack_x_y_sample_weight(data)
            ...     def loss_fn():
            ...         return self.compute_loss(x, y, self(x, training=True), w)
            ...     loss, gradients = keras.ops.value_and_grad(
            ...         loss_fn, variables=self.trainable_variables
            ...     )()
            ...     self.optimizer.apply(gradients, self.trainable_variables)
            ...     return {"loss": loss}
        """
        x, y, sample_weight = unpack_x_y_sample_weight(data)
        variables = self._functions.get("trainable") or self.trainable_variables  # type: ignore[attr-defined]
        optimizer = self.optimizer

        def objective() -> tuple[Any, tuple[Any, Any]]:
            y_pred = self._forward(x, training=True)
            loss = self.compute_loss(x, y, y_pred, sample_weight, training=True)
            scaled = loss if optimizer is None else optimizer.scale_loss(loss)
            return scaled, (y_pred, loss)

        if variables:
            (_, (y_pred, loss)), gradients = engine.value_and_grad(objective, variables)
            self._track_loss(x, engine.stop_gradient(loss))
            optimizer.apply(gradients, variables)
        else:
            warnings.warn("The model has no trainable weights: nothing is trained.", stacklevel=2)
            _, (y_pred, loss) = objective()
            self._track_loss(x, loss)
        y_pred = tree.map_structure(engine.stop_gradient, y_pred)
        with engine.no_grad():
            return self.compute_metrics(x, y, y_pred, sample_weight)

    def test_step(self, data: Any) -> dict[str, Any]:
        """Loss and metrics of one batch."""
        x, y, sample_weight = unpack_x_y_sample_weight(data)
        y_pred = self._forward(x, training=False)
        if self._compile_loss is not None or self._collect_losses(self._step_layers()):  # type: ignore[attr-defined]
            loss = self.compute_loss(x, y, y_pred, sample_weight, training=False)
            self._track_loss(x, loss)
        return self.compute_metrics(x, y, y_pred, sample_weight)

    def predict_step(self, data: Any) -> Any:
        """The outputs for one batch."""
        x, _, _ = unpack_x_y_sample_weight(data)
        return self._forward(x, training=False)

    # Step functions --------------------------------------------------------------------

    def _state_groups(self, kind: str) -> list[list[Variable]]:
        """The variables in the order of Keras's `state` argument."""
        groups = [self.trainable_variables, self.non_trainable_variables]  # type: ignore[attr-defined]
        if kind == "train":
            groups.append(list(self.optimizer.variables) if self.optimizer is not None else [])
        if kind != "predict":
            groups.append(self.metrics_variables)
        return groups

    def _step_variables(self, kind: str) -> list[Variable]:
        """Every variable that a step may read or write."""
        found = [v for group in self._state_groups(kind) for v in group]
        if kind == "train":
            # A subclass may have optimizers of its own (a GAN has two).
            for _, optimizer in owned(self, (Optimizer,)):
                found += optimizer.variables
        found.append(global_seed_generator().state)
        return unique(found)

    def _stateful_step(self, kind: str) -> Callable[[Any], Any]:
        """The step as a function of one batch, whichever form it is written in."""
        step = getattr(self, f"{kind}_step")
        if len(inspect.signature(step).parameters) < 2:
            return step

        def from_state(data: Any) -> Any:
            groups = self._state_groups(kind)
            state = tuple([v.value for v in group] for group in groups)
            result, new_state = step(state, data)
            if kind == "predict":
                groups, new_state = [groups[1]], [new_state]
            for group, values in zip(groups, new_state, strict=True):
                for variable, value in zip(group, values, strict=True):
                    variable._store(value)
            return result

        return from_state

    def make_train_function(self, force: bool = False) -> Callable[..., Any]:
        """The compiled `train_step`."""
        return self._make_function("train", force)

    def make_test_function(self, force: bool = False) -> Callable[..., Any]:
        """The compiled `test_step`."""
        return self._make_function("test", force)

    def make_predict_function(self, force: bool = False) -> Callable[..., Any]:
        """The compiled `predict_step`."""
        return self._make_function("predict", force)

    def _make_function(self, kind: str, force: bool = False) -> Callable[..., Any]:
        """`function(batches)`: logs or outputs after a list of batches."""
        key = (kind, tuple(v.trainable for v in self.variables))  # type: ignore[attr-defined]
        if self._functions.get(f"{kind}_key") == key and not force:
            return self._functions[kind]
        self._functions["layers"] = list(self._flatten_layers())  # type: ignore[attr-defined, assignment]
        self._functions["trainable"] = self.trainable_variables  # type: ignore[attr-defined]
        step = self._stateful_step(kind)
        variables = self._step_variables(kind)
        if self.run_eagerly or not engine.capabilities.compiled:
            single, several = _eager(step), None
        else:
            single = engine.compile_step(step, variables, self.jit_compile)
            several = (
                engine.compile_steps(step, variables, self.jit_compile)
                if self.steps_per_execution > 1 and kind != "predict"
                else None
            )

        def function(batches: Sequence[Any]) -> Any:
            if several is not None and len(batches) == self.steps_per_execution:
                return several(list(batches))
            outputs = None
            for batch in batches:
                outputs = single(batch)
            return outputs

        self._functions[kind] = function
        self._functions[f"{kind}_key"] = key  # type: ignore[assignment]
        return function

    def _prepare(self, kind: str, batch: Any) -> None:
        """Build whatever the first batch is needed for: model, loss, metrics, optimizer."""
        x, y, _ = unpack_x_y_sample_weight(batch)
        custom = type(self).call is _model_call()
        outputs = None
        needs = kind != "predict" and not self._is_prepared()
        if not custom and (needs or not self._all_built()):
            specs = tree.map_structure(_spec, x)
            with SymbolicScope(), StatelessScope():
                outputs = self(specs)  # type: ignore[operator]
        if kind != "predict" and outputs is not None:
            targets = tree.map_structure(_spec, y)
            if self._compile_loss is not None and y is not None:
                self._compile_loss.build(targets, outputs)
            if self._compile_metrics is not None and y is not None:
                self._compile_metrics.build(targets, outputs)
        if kind == "train":
            if self.optimizer is not None and not self.optimizer.built and not custom:
                self.optimizer.build(self.trainable_variables)  # type: ignore[attr-defined]
            if self._has_unbuilt_optimizer():
                # A step of the user's own: run it once symbolically, so that all state exists.
                step = self._stateful_step(kind)
                inference.trace(step, (tree.map_structure(_spec, batch),), {})

    def _has_unbuilt_optimizer(self) -> bool:
        return any(not optimizer.built for _, optimizer in owned(self, (Optimizer,)))

    def _is_prepared(self) -> bool:
        return all(
            part is None or part.built for part in (self._compile_loss, self._compile_metrics)
        )

    def _all_built(self) -> bool:
        return all(layer.built for layer in self._flatten_layers())  # type: ignore[attr-defined]

    # Running -----------------------------------------------------------------------------

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: int | str = "auto",
        callbacks: Any = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool = True,
        class_weight: dict[int, float] | None = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: int | list[int] = 1,
    ) -> Any:
        """Train for a number of passes over the data.

        Args:
            x: inputs: array, list or dict of arrays, generator, `PyDataset`, `tf.data`
                dataset, torch `DataLoader`; those after the arrays give `(x, y)` batches.
            y: targets, for arrays.
            batch_size: samples in a step, for arrays; 32 by default.
            epochs: index of the last epoch.
            verbose: 0 silent, 1 a progress bar, 2 one line an epoch.
            callbacks: list of `keras.callbacks.Callback`.
            validation_split: share of the (last) samples kept for validation.
            validation_data: `(x, y)` or `(x, y, sample_weight)`, or a source of batches.
            shuffle: new order in every epoch, for arrays.
            class_weight: class -> weight in the loss.
            sample_weight: weight of each sample.
            initial_epoch: index of the first epoch.
            steps_per_epoch: batches in an epoch; needed for endless data.
            validation_steps: batches of validation.
            validation_batch_size: samples in a validation step.
            validation_freq: every how many epochs, or a list of epochs.

        Returns:
            A `History`: `history.history["loss"]` and so on, one value an epoch.

        Raises:
            ValueError: for data that do not fit together; the message says which.
        """
        self._assert_compiled("fit")
        if not engine.capabilities.trainable:
            raise engine.unsupported("training (`fit`)")
        return loop.fit(
            self,
            x,
            y,
            batch_size=batch_size,
            epochs=epochs,
            verbose=verbose,
            callbacks=callbacks,
            validation_split=validation_split,
            validation_data=validation_data,
            shuffle=shuffle,
            class_weight=class_weight,
            sample_weight=sample_weight,
            initial_epoch=initial_epoch,
            steps_per_epoch=steps_per_epoch,
            validation_steps=validation_steps,
            validation_batch_size=validation_batch_size,
            validation_freq=validation_freq,
        )

    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: int | str = "auto",
        sample_weight: Any = None,
        steps: int | None = None,
        callbacks: Any = None,
        return_dict: bool = False,
        **kwargs: Any,
    ) -> Any:
        """Loss and metrics over a data set.

        Returns:
            A list that begins with the loss (or the loss alone without metrics), or a dict
            by name when `return_dict` is set.
        """
        self._assert_compiled("evaluate")
        _refuse_unknown("evaluate", kwargs)
        logs = loop.evaluate(
            self,
            x,
            y,
            batch_size=batch_size,
            verbose=verbose,
            sample_weight=sample_weight,
            steps=steps,
            callbacks=callbacks,
        )
        return logs if return_dict else self._as_list(logs)

    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: int | str = "auto",
        steps: int | None = None,
        callbacks: Any = None,
    ) -> Any:
        """The outputs for a data set, as NumPy arrays.

        Example:
            >>> model.predict(np.ones((3, 4))).shape
            (3, 2)
        """
        return loop.predict(
            self, x, batch_size=batch_size, verbose=verbose, steps=steps, callbacks=callbacks
        )

    def _as_list(self, logs: dict[str, Any]) -> Any:
        names = [name for name in self._result_names() if name in logs]
        values = [logs[name] for name in [*names, *(k for k in logs if k not in names)]]
        return values[0] if len(values) == 1 else values

    def _result_names(self) -> list[str]:
        """Names of results in the order of `metrics`, the loss first."""
        compiled = self._compile_metrics
        shown = {id(m): n for _, n, m, _ in compiled._entries} if compiled is not None else {}
        return [shown.get(id(m), m.name) for m in self.metrics]

    def train_on_batch(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        class_weight: dict[int, float] | None = None,
        return_dict: bool = False,
    ) -> Any:
        """One update from one batch; the results run on until `reset_metrics`."""
        self._assert_compiled("train_on_batch")
        if not engine.capabilities.trainable:
            raise engine.unsupported("training (`train_on_batch`)")
        logs = loop.on_batch(self, "train", x, y, sample_weight, class_weight)
        return logs if return_dict else self._as_list(logs)

    def test_on_batch(
        self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False
    ) -> Any:
        """Loss and metrics of one batch; they run on until `reset_metrics`."""
        self._assert_compiled("test_on_batch")
        logs = loop.on_batch(self, "test", x, y, sample_weight)
        return logs if return_dict else self._as_list(logs)

    def predict_on_batch(self, x: Any) -> Any:
        """The outputs for one batch, as NumPy arrays."""
        return loop.predict_on_batch(self, x)

    # State -------------------------------------------------------------------------------

    def stateless_compute_loss(
        self,
        trainable_variables: Any,
        non_trainable_variables: Any,
        metrics_variables: Any,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> tuple[Any, tuple[list, list, list]]:
        """`compute_loss` with given values of the variables; also returns the new values."""
        groups = (self.trainable_variables, self.non_trainable_variables, self.metrics_variables)  # type: ignore[attr-defined]
        given = (trainable_variables, non_trainable_variables, metrics_variables)
        mapping = [pair for own, new in zip(groups, given, strict=True) for pair in zip(own, new, strict=True)]
        with StatelessScope(mapping):
            loss = self.compute_loss(x, y, y_pred, sample_weight, training)
            values = tuple([v.value for v in group] for group in groups)
        return loss, values

    def compute_loss_and_updates(
        self,
        trainable_variables: Any,
        non_trainable_variables: Any,
        metrics_variables: Any,
        x: Any,
        y: Any,
        sample_weight: Any,
        training: bool = False,
        optimizer_variables: Any = None,
    ) -> tuple[Any, tuple[Any, Any, list, list]]:
        """The loss as a pure function, for `jax.value_and_grad` in steps of one's own.

        Returns:
            `(loss, (unscaled loss, y_pred, non_trainable_variables, metrics_variables))`.
        """
        y_pred, non_trainable = self.stateless_call(  # type: ignore[attr-defined]
            trainable_variables, non_trainable_variables, x, training=training
        )
        loss, (_, non_trainable, metrics) = self.stateless_compute_loss(
            trainable_variables, non_trainable, metrics_variables, x, y, y_pred, sample_weight, training
        )
        scaled = loss
        if training and self.optimizer is not None:
            pairs = zip(self.optimizer.variables, optimizer_variables or (), strict=False)
            with StatelessScope(list(pairs)):
                scaled = self.optimizer.scale_loss(loss)
        return scaled, (loss, y_pred, non_trainable, metrics)

    def get_state_tree(self, value_format: str = "backend_tensor") -> dict[str, Any]:
        """All state as nested dicts by path.

        Args:
            value_format: `"backend_tensor"` or `"numpy_array"`.
        """
        formats: dict[str, Callable[[Variable], Any]] = {
            "backend_tensor": lambda v: v.value,
            "numpy_array": lambda v: v.numpy(),
        }
        if value_format not in formats:
            raise ValueError(
                f"`value_format` must be one of {list(formats)}. Received: {value_format!r}"
            )
        return {
            name: _nest({v.path: formats[value_format](v) for v in group})
            for name, group in self._named_state().items()
        }

    def set_state_tree(self, state_tree: dict[str, Any]) -> None:
        """Assign state that `get_state_tree` gave."""
        named = self._named_state()
        for name, values in state_tree.items():
            if name not in named:
                raise ValueError(f"Unknown state {name!r}. Expected some of: {list(named)}")
            by_path = {v.path: v for v in named[name]}
            for path, value in _flatten_paths(values):
                if path not in by_path:
                    raise ValueError(f"The model has no variable {path!r} among its {name}.")
                by_path[path].assign(value)

    def _named_state(self) -> dict[str, list[Variable]]:
        return {
            "trainable_variables": self.trainable_variables,  # type: ignore[attr-defined]
            "non_trainable_variables": self.non_trainable_variables,  # type: ignore[attr-defined]
            "optimizer_variables": list(self.optimizer.variables) if self.optimizer else [],
            "metrics_variables": self.metrics_variables,
        }

    def jax_state_sync(self) -> None:
        """Nothing to do: variables always hold the state of the last step."""


def _model_call() -> Any:
    from keraslite.models.model import Model

    return Model.call


def _eager(step: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def run(batch: Any) -> Any:
        return step(tree.map_structure(_tensor, batch))

    return run


def _tensor(x: Any) -> Any:
    return x if x is None or engine.is_tensor(x) else engine.convert(x)


def _spec(x: Any) -> Any:
    """The `KerasTensor` for a batch of arrays like `x`, of any size."""
    if x is None or isinstance(x, KerasTensor):
        return x
    x = x if hasattr(x, "shape") else ops.convert_to_tensor(x)
    dtype = engine.dtype(x) if engine.is_tensor(x) else x.dtype
    return KerasTensor((None, *tuple(x.shape)[1:]) if len(x.shape) else (), dtype)


def _refuse_unknown(method: str, kwargs: dict[str, Any]) -> None:
    if kwargs:
        raise TypeError(f"`{method}` got unexpected keyword arguments: {', '.join(kwargs)}")


def _nest(flat: dict[str, Any]) -> dict[str, Any]:
    nested: dict[str, Any] = {}
    for path, value in flat.items():
        *parents, name = path.split("/")
        place = nested
        for parent in parents:
            place = place.setdefault(parent, {})
        place[name] = value
    return nested


def _flatten_paths(nested: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    found = []
    for key, value in nested.items():
        path = f"{prefix}/{key}" if prefix else key
        found += _flatten_paths(value, path) if isinstance(value, dict) else [(path, value)]
    return found


