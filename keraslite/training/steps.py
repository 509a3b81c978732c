"""One step of training, evaluation or prediction, and the engine's compiled form of it."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from keraslite import config, ops
from keraslite.backend import engine
from keraslite.core import inference, tree
from keraslite.core.keras_tensor import KerasTensor
from keraslite.core.scopes import StatelessScope, SymbolicScope
from keraslite.core.variable import Variable
from keraslite.layers.bounds import Bounds
from keraslite.layers.tracking import Walk, owned, unique
from keraslite.losses.weighting import mask_of
from keraslite.optimizers import Optimizer
from keraslite.random.seed_generator import global_seed_generator
from keraslite.training.checks import checked_before, value_checks, warn_of_outputs
from keraslite.training.compilation import Compilation
from keraslite.training.data import pack_x_y_sample_weight, unpack_x_y_sample_weight
from keraslite.training.fit_options import Pace
from keraslite.training.interrupts import whole
from keraslite.training.nan_checks import watched


class Steps(Compilation):
    """Mixin of `Trainer`: the bodies of the steps, shared by all engines."""

    #: Whether a step runs now of which nobody reads the logs.
    _is_quiet = False

    # What a model computes -------------------------------------------------------------

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """What the model computes. Subclasses define it."""
        raise NotImplementedError(
            f"Model {type(self).__name__!r} must define `call(self, inputs)`, or be made as "
            "`keras.Model(inputs, outputs)`."
        )

    def _defines_call(self) -> bool:
        return type(self).call is not Steps.call

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
        return self._functions.get("layers") or list(self._flatten_layers())  # type: ignore[attr-defined]

    def _loss_of(self, x: Any, y: Any, y_pred: Any, sample_weight: Any, training: bool) -> Any:
        """`compute_loss`, which an override may have written without `training`."""
        takes = self._functions.get("loss_takes_training")
        if takes is None:
            found = inspect.signature(self.compute_loss).parameters
            takes = "training" in found or any(p.kind is p.VAR_KEYWORD for p in found.values())
            self._functions["loss_takes_training"] = takes
        extra = {"training": training} if takes else {}
        return self.compute_loss(x, y, y_pred, sample_weight, **extra)

    def _has_loss(self) -> bool:
        """Whether there is something to evaluate besides metrics."""
        if getattr(self.compute_loss, "__func__", None) is not Steps.compute_loss:
            return True
        own = self._collect_losses(self._step_layers())  # type: ignore[attr-defined]
        return self._compile_loss is not None or bool(own)

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Update the compiled metrics and return the values of all by name."""
        if self._compile_metrics is not None:
            self._compile_metrics.update_state(y, y_pred, sample_weight)
        return {} if self._is_quiet else self.get_metrics_result()

    def _forward(self, x: Any, training: bool) -> Any:
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

        def objective() -> tuple[Any, tuple[Any, ...]]:
            y_pred = self._forward(x, training=True)
            loss = self._loss_of(x, y, y_pred, sample_weight, training=True)
            scaled = loss if optimizer is None else optimizer.scale_loss(loss)
            masks = [mask_of(leaf) for leaf in tree.flatten(y_pred)]
            return scaled, (y_pred, masks, loss)

        if variables:
            (_, (y_pred, masks, loss)), gradients = engine.value_and_grad(objective, variables)
            self._track_loss(x, engine.stop_gradient(loss))
            optimizer.apply(gradients, variables)
        else:
            warnings.warn("The model has no trainable weights: nothing is trained.", stacklevel=2)
            _, (y_pred, masks, loss) = objective()
            self._track_loss(x, loss)
        y_pred = _without_gradient(y_pred, masks)
        with engine.no_grad():
            return self.compute_metrics(x, y, y_pred, sample_weight)

    def test_step(self, data: Any) -> dict[str, Any]:
        """Loss and metrics of one batch."""
        x, y, sample_weight = unpack_x_y_sample_weight(data)
        y_pred = self._forward(x, training=False)
        if self._has_loss():
            loss = self._loss_of(x, y, y_pred, sample_weight, training=False)
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
        if kind != "predict":
            # A subclass may leave out of its `metrics` what `compile` made.
            found += [v for metric in self._compiled_metrics() for v in metric.variables]
        if kind == "train":
            # A subclass may have optimizers of its own (a GAN has two).
            for _, optimizer in owned(self, (Optimizer,)):
                found += optimizer.variables
        found.append(global_seed_generator().state)
        return unique(found)

    def _stateful_step(self, kind: str) -> Callable[[Any], Any]:
        """The step as a function of one batch, whichever form it is written in."""
        name = f"{kind}_step"
        step = getattr(self, name)
        if getattr(type(self), name) is getattr(Steps, name):
            return step
        if len(inspect.signature(step).parameters) < 2:
            # Steps of users take inputs that come alone as they are, not as a tuple of one.
            return lambda data: step(pack_x_y_sample_weight(*data))

        def from_state(data: Any) -> Any:
            data = pack_x_y_sample_weight(*data)
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
        walk = self._walk()
        key = _key(walk)
        if self._functions.get(f"{kind}_key") == key and not force:
            return self._functions[kind]
        self._functions["layers"] = walk.layers
        self._functions["trainable"] = self.trainable_variables  # type: ignore[attr-defined]
        step, variables = self._stateful_step(kind), self._step_variables(kind)
        compiles = not self.run_eagerly and engine.capabilities.compiled
        if compiles and engine.capabilities.fuses_steps:
            # Where a step is one program, small reductions are free.
            bounds = self._functions[f"{kind}_bounds"] = Bounds(checked_before(self))
            step, variables = bounds.watched(step), [*variables, bounds.first]
        fuses = compiles and self._fuses_steps and engine.capabilities.fuses_steps
        pace = Pace() if fuses and not config.debug_nans() else None
        function = self._runner(kind, step, variables, pace)
        function.pace = pace  # type: ignore[attr-defined]
        function.quiet = None  # type: ignore[attr-defined]
        if compiles and self._results_can_wait(kind):
            # Once an epoch: not worth more than the engine's habit.
            self._functions["results"] = engine.compile_step(
                lambda batch: self.get_metrics_result(), variables, self.jit_compile and "auto"
            )
            function.quiet = self._runner(kind, self._without_results(step), variables, pace)  # type: ignore[attr-defined]
        self._functions[kind] = function
        self._functions[f"{kind}_key"] = key
        return function

    def _runner(
        self, kind: str, step: Callable[[Any], Any], variables: list[Variable], pace: Pace | None
    ) -> Callable[..., Any]:
        """`function(batches)` of a step, which the engine compiles."""
        several = None
        if self.run_eagerly or not engine.capabilities.compiled:
            single = _eager(step)
        else:
            single = engine.compile_step(step, variables, self.jit_compile)
            if (self.steps_per_execution > 1 or pace) and kind != "predict":
                several = engine.compile_steps(step, variables, self.jit_compile)
        if kind == "train" and config.debug_nans():
            single, several = watched(self, single, variables), None
        layers = self._functions["layers"]

        def most() -> int:
            return self.steps_per_execution if pace is None else pace.size

        def function(batches: Sequence[Any]) -> Any:
            outputs = None
            if several is not None and len(batches) > 1 and _alike(batches, most()):
                outputs = several(list(batches))
            else:
                for batch in batches:
                    outputs = single(batch)
            # Losses of a step are nothing outside of it: tensors of a trace, or of a graph.
            self._clear_losses(layers)  # type: ignore[attr-defined]
            return outputs

        return whole(function)

    # Results when somebody reads them ----------------------------------------------------

    def _results_can_wait(self, kind: str) -> bool:
        """Whether the logs of a step are what the metrics have come to, and nothing else."""
        ours = (f"{kind}_step", "compute_metrics", "get_metrics_result")
        return (
            kind != "predict"
            and not config.debug_nans()
            and all(getattr(getattr(self, n), "__func__", None) is getattr(Steps, n) for n in ours)
        )

    def _without_results(self, step: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """`step` that returns one small tensor: to draw a curve takes longer than to count."""

        def quiet(batch: Any) -> Any:
            self._is_quiet = True
            try:
                step(batch)
            finally:
                self._is_quiet = False
            # Whoever waits for it waits for the step.
            return self._loss_tracker.count.value  # type: ignore[union-attr]

        return quiet

    def _results(self) -> dict[str, Any]:
        """The values of all metrics now, by name."""
        return self._functions["results"](())

    def _check_bounds(self, kind: str) -> None:
        """Raise for indices and labels out of range in the steps so far."""
        if (bounds := self._functions.get(f"{kind}_bounds")) is not None:
            bounds.check()

    def _prediction(self, batch: Any) -> Any:
        """The outputs for one batch. Where nothing has changed since the last, it is quick."""
        walk, function = self._walk(), None
        if all([layer.built for layer in walk.layers]):
            function = self._functions.get("predict")
        if function is None or self._functions["predict_key"] != _key(walk):
            self._prepare("predict", batch)
            function = self._make_function("predict")
        value_checks(self)(batch)
        outputs = function([batch])
        self._check_bounds("predict")
        return outputs

    def _prepare(self, kind: str, batch: Any) -> None:
        """Build whatever the first batch is needed for: model, loss, metrics, optimizer."""
        x, y, _ = unpack_x_y_sample_weight(batch)
        custom = not self._defines_call()
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
                warn_of_outputs(self)
            if self._compile_metrics is not None and y is not None:
                self._compile_metrics.build(targets, outputs)
        if kind == "train":
            if self.optimizer is not None and not self.optimizer.built and not custom:
                self.optimizer.build(self.trainable_variables)  # type: ignore[attr-defined]
            late = engine.capabilities.late_variables and self._jit_compile is not True
            if self._has_unbuilt_optimizer() and not late:
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
        return all(layer.built for layer in self._walk().layers)

    def _walk(self) -> Walk:
        """The layers and variables; looked for again when something may have changed."""
        found = self._functions.get("walk")
        if found is None or not found.holds():
            found = self._functions["walk"] = Walk(self)
        return found


def _key(walk: Walk) -> tuple[Any, ...]:
    """Step functions hold as long as this stays the same."""
    return (
        walk.identity,
        [(v.trainable, v.dtype) for v in walk.variables],
        config.debug_nans(),
        [layer for layer in walk.layers if layer._has_hooks],
    )


def _without_gradient(y_pred: Any, masks: Sequence[Any]) -> Any:
    """Outputs for metrics: new tensors, to which the masks are given again."""
    found = tree.map_structure(engine.stop_gradient, y_pred)
    for leaf, mask in zip(tree.flatten(found), masks, strict=True):
        if mask is not None:
            engine.set_mask(leaf, mask)
    return found


def _alike(batches: Sequence[Any], count: int) -> bool:
    """Whether there are `count` batches of the same shapes."""

    def shapes(batch: Any) -> list[Any]:
        return [None if x is None else tuple(x.shape) for x in tree.flatten(batch)]

    first = shapes(batches[0])
    return len(batches) == count and all(shapes(batch) == first for batch in batches[1:])


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
    shape = (None, *tuple(x.shape)[1:]) if len(x.shape) else ()
    return KerasTensor(shape, dtype, ragged=engine.is_ragged(x))
