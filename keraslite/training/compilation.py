"""What `compile` says of a model: optimizer, loss, metrics, and how steps run."""

from __future__ import annotations

from typing import Any

from keraslite import optimizers as optimizers_module
from keraslite.core.errors import names_nearest
from keraslite.core.function import Function
from keraslite.core.variable import Variable
from keraslite.layers.tracking import unique
from keraslite.metrics import Mean
from keraslite.optimizers import LossScaleOptimizer
from keraslite.training.compiled_loss import CompiledLoss
from keraslite.training.compiled_metrics import CompiledMetrics
from keraslite.training.logs import flatten_results


class Compilation:
    """Mixin of `Trainer`: the arguments of `compile` and what is made of them."""

    optimizer: Any
    #: What `compile` makes of its arguments.
    _unlocked = frozenset({"_compile_loss", "_compile_metrics", "_loss_tracker", "loss"})

    def __init__(self) -> None:
        self._compiled = False
        self.optimizer = None
        self._loss_tracker: Mean | None = None
        self._compile_loss: CompiledLoss | None = None
        self._compile_metrics: CompiledMetrics | None = None
        self._compile_arguments: dict[str, Any] = {}
        self._functions: dict[str, Any] = {}
        self._run_eagerly = False
        self._jit_compile: bool | str = "auto"
        self.steps_per_execution = 1
        self._fuses_steps = False
        self.stop_training = False
        self.loss = None

    def __getstate__(self) -> dict[str, Any]:
        """What a copy gets: all but the compiled steps, which are bound to this model."""
        state: dict[str, Any] = super().__getstate__()  # type: ignore[assignment]
        return {**state, "_functions": {}}

    # Compiling -----------------------------------------------------------------------

    @names_nearest
    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        loss_weights: Any = None,
        metrics: Any = None,
        weighted_metrics: Any = None,
        run_eagerly: bool = False,
        steps_per_execution: int | str = 1,
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
            steps_per_execution: batches in one call of the engine. `"auto"` fuses as many as
                pay, where no callback watches single batches; the results are the same.
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
        scales = optimizer is None or isinstance(optimizer, LossScaleOptimizer)
        if auto_scale_loss and policy == "mixed_float16" and not scales:
            optimizer = LossScaleOptimizer(optimizer, name="loss_scale_optimizer")
        self.optimizer = optimizer
        self.loss = loss
        # Python code may return other outputs each time; a graph's have names.
        names = self.output_names if isinstance(self, Function) else None  # type: ignore[attr-defined]
        self._compile_loss = None if loss is None else CompiledLoss(loss, loss_weights, names)
        self._compile_metrics = (
            CompiledMetrics(metrics, weighted_metrics, names)
            if metrics is not None or weighted_metrics is not None
            else None
        )
        self._loss_tracker = Mean(name="loss")
        self._run_eagerly = bool(run_eagerly)
        self._jit_compile = jit_compile
        self._fuses_steps = steps_per_execution == "auto"
        self.steps_per_execution = 1 if steps_per_execution == "auto" else int(steps_per_execution)
        self.stop_training = False
        self._functions = {}
        self._compiled = True

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

    def get_compile_config(self) -> dict[str, Any]:
        """The arguments of `compile` as JSON-ready values; empty when not compiled."""
        from keraslite.core.serialization import serialize_value

        if not self._compiled:
            return {}
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
        found = self._compiled_metrics()
        # What `compile` made for a model inside this one says nothing about this one.
        below = self._flatten_layers(include_self=False)  # type: ignore[attr-defined]
        inside = [x for x in below if isinstance(x, Compilation)]
        others = {id(m) for x in inside for m in (x._loss_tracker, x._compile_metrics)}
        found += [m for m in super().metrics if id(m) not in others]  # type: ignore[misc]
        return unique(found)

    def _compiled_metrics(self) -> list[Any]:
        """What `compile` made of them, the loss first."""
        found: list[Any] = [] if self._loss_tracker is None else [self._loss_tracker]
        if self._compile_loss is not None:
            found += self._compile_loss.metrics
        if self._compile_metrics is not None:
            found.append(self._compile_metrics)
        return found

    @property
    def metrics_names(self) -> list[str]:
        """Names of the results, in the order in which `evaluate` lists them."""
        found, last = [], []
        for metric in self.metrics:
            if not isinstance(metric, CompiledMetrics):
                found.append(metric.name)
            elif metric.of_one_output:
                found += metric.names
            else:
                # Keras lists what belongs to one of several outputs by name.
                last += sorted(metric.names)
        return [*found, *last]

    @property
    def metrics_variables(self) -> list[Variable]:
        return unique([v for metric in self.metrics for v in metric.variables])

    def reset_metrics(self) -> None:
        """Start all metrics again."""
        for metric in self.metrics:
            metric.reset_state()

    def get_metrics_result(self) -> dict[str, Any]:
        """The current values of all metrics by name."""
        return dict(flatten_results({metric.name: metric.result() for metric in self.metrics}))
