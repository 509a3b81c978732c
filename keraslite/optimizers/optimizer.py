"""`Optimizer`: from gradients to new values, with everything around the update itself."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Sequence
from typing import Any, TypedDict

from keraslite import ops
from keraslite.backend import engine
from keraslite.core.configurable import parameters_of
from keraslite.core.errors import unexpected_arguments
from keraslite.core.naming import auto_name, to_snake_case
from keraslite.core.op import Tensor
from keraslite.core.scopes import StatelessScope
from keraslite.core.variable import Variable
from keraslite.optimizers.branches import either
from keraslite.optimizers.clipping import clip_by_global_norm, clip_by_norm
from keraslite.optimizers.groups import check_groups
from keraslite.optimizers.old_names import OLD_ARGUMENTS, renamed
from keraslite.optimizers.pairs import overwrite, unzipped, with_gradient
from keraslite.optimizers.state import MISSING_RATE, OptimizerState


class Options(TypedDict, total=False):
    """The arguments that every optimizer takes by keyword: see `Optimizer`."""

    weight_decay: float | None
    clipnorm: float | None
    clipvalue: float | None
    global_clipnorm: float | None
    use_ema: bool
    ema_momentum: float
    ema_overwrite_frequency: int | None
    loss_scale_factor: float | None
    gradient_accumulation_steps: int | None
    name: str | None
    groups: dict[str, dict[str, Any]] | None


class Optimizer(OptimizerState):
    """Base class of optimizers.

    A subclass makes its variables in `build` with `add_optimizer_variables`, and assigns to
    a variable and to those in `update_step`.

    Args:
        learning_rate: a number, a `LearningRateSchedule`, or a function without arguments.
        weight_decay: the fraction, times the learning rate, by which variables shrink at each
            update (decoupled, https://arxiv.org/abs/1711.05101).
        clipnorm: the greatest norm of the gradient of one variable.
        clipvalue: the greatest absolute value of an element of a gradient.
        global_clipnorm: the greatest norm of all gradients together.
        use_ema: whether to keep moving averages of the variables, which
            `finalize_variable_values` puts in their place at the end of training.
        ema_momentum: the part of an average that stays at an update.
        ema_overwrite_frequency: put the averages in place after every so many updates.
        loss_scale_factor: `scale_loss` multiplies by it and `apply` divides by it, so that
            small gradients survive in float16.
        gradient_accumulation_steps: update once in so many calls of `apply`, with the mean
            gradient, as a batch that many times as large would. Only updates count as
            `iterations`, for schedules and averages too.
        name: of the optimizer; made from the class by default.
        groups: regular expression -> options for the variables whose path it matches, as a
            whole or from one of its names on: `learning_rate` (a number, a schedule or a
            function) or `learning_rate_multiplier` (times the optimizer's own), and
            `weight_decay`. Every pattern must match, and none may contradict another.

    Raises:
        ValueError: for arguments that are unknown, or do not go together.

    Example:
        >>> fine_tuning = keras.optimizers.AdamW(
        ...     1e-3,
        ...     groups={
        ...         "encoder/.*": {"learning_rate_multiplier": 0.1},
        ...         "bias|gamma|beta": {"weight_decay": 0.0},
        ...     },
        ... )
        >>> class Sign(keras.optimizers.Optimizer):
        ...     def update_step(self, gradient, variable, learning_rate):
        ...         self.assign_sub(variable, learning_rate * keras.ops.sign(gradient))
    """

    _patterns = ("groups",)

    def __init__(
        self,
        learning_rate: Any,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
        *,
        groups: dict[str, dict[str, Any]] | None = None,
        **kwargs: Any,
    ) -> None:
        self._reject(kwargs)
        self.name = auto_name(to_snake_case(type(self).__name__)) if name is None else name
        if not isinstance(self.name, str) or "/" in self.name:
            raise ValueError(f"`name` must be a string without '/'. Received: name={name!r}")
        self.weight_decay = weight_decay
        self.clipnorm = clipnorm
        self.clipvalue = clipvalue
        self.global_clipnorm = global_clipnorm
        self.use_ema = use_ema
        self.ema_momentum = ema_momentum
        self.ema_overwrite_frequency = ema_overwrite_frequency
        self.loss_scale_factor = loss_scale_factor
        self.gradient_accumulation_steps = gradient_accumulation_steps
        self.groups = check_groups(groups)
        self._check_options()

        self.built = False
        self._variables: list[Variable] = []
        self._trainable_variables: list[Variable] = []
        self._trainable_variables_indices: dict[int, int] = {}
        self._model_variables_moving_average: list[Variable | None] = []
        self._accumulated_gradients: list[Variable] = []
        self._excluded: tuple[list[Variable], list[str]] = ([], [])
        self._decays: dict[int, bool] = {}
        self._iterations = self.add_variable(
            (), dtype="int32", aggregation="only_first_replica", name="iteration"
        )
        self._learning_rate: Any = MISSING_RATE
        self.learning_rate = learning_rate

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        # `help` and editors show the arguments behind `**options` too.
        own = inspect.signature(cls.__init__).parameters
        cls.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
            [
                p if name in own else p.replace(kind=p.KEYWORD_ONLY)
                for name, p in parameters_of(cls).items()
            ]
        )

    def _reject(self, kwargs: dict[str, Any]) -> None:
        name = type(self).__name__
        for old, hint in OLD_ARGUMENTS.items():
            if old in kwargs:
                raise ValueError(f"{name} has no argument `{old}`. {hint}")
        if kwargs:
            valid = parameters_of(type(self))
            raise ValueError(str(unexpected_arguments(name, kwargs, valid)))

    def _check_options(self) -> None:
        clips = {name: getattr(self, name) for name in ("clipnorm", "clipvalue", "global_clipnorm")}
        if sum(value is not None for value in clips.values()) > 1:
            given = ", ".join(f"{name}={value}" for name, value in clips.items())
            raise ValueError(
                f"Only one of clipnorm, clipvalue and global_clipnorm may be set. Received: {given}"
            )
        for name, value in clips.items():
            if value is not None and value <= 0:
                raise ValueError(f"`{name}` must be positive. Received: {name}={value}")
        if self.use_ema and not 0 <= self.ema_momentum <= 1:
            raise ValueError(
                f"`ema_momentum` must lie in [0, 1]. Received: ema_momentum={self.ema_momentum}"
            )
        for name, least, off in (
            ("ema_overwrite_frequency", 1, (None,)),
            ("gradient_accumulation_steps", 2, (None, 0)),
        ):
            value = getattr(self, name)
            if value not in off and (not isinstance(value, int) or value < least):
                raise ValueError(
                    f"`{name}` must be an integer >= {least}, or None. Received: {name}={value!r}"
                )

    # Applying gradients ----------------------------------------------------------

    def apply_gradients(self, grads_and_vars: Iterable[tuple[Any, Variable]]) -> Variable:
        """Update variables from pairs `(gradient, variable)`: see `apply`.

        Returns:
            The counter of calls.
        """
        self.apply(*unzipped(grads_and_vars))
        return self._iterations

    def apply(
        self, grads: Iterable[Any], trainable_variables: Iterable[Variable] | None = None
    ) -> None:
        """Update variables from their gradients.

        Args:
            grads: one gradient for each variable; None leaves a variable as it is.
            trainable_variables: the variables; those of `build` by default.

        Raises:
            ValueError: if all gradients are None, their number is wrong, or the optimizer
                was built for other variables.
        """
        gradients, variables = self._pairs(grads, trainable_variables)
        if not gradients:
            return
        with engine.no_grad():
            gradients = [
                ops.convert_to_tensor(g, v.dtype) for g, v in zip(gradients, variables, strict=True)
            ]
            if self.loss_scale_factor:
                gradients = [g / self.loss_scale_factor for g in gradients]
            if self.gradient_accumulation_steps:
                self._accumulate(gradients, variables)
            else:
                self._update_variables(gradients, variables)
            self._iterations.assign(self._iterations.value + 1)

    def _pairs(
        self, grads: Iterable[Any], trainable_variables: Iterable[Variable] | None
    ) -> tuple[list[Any], list[Variable]]:
        """The arguments of `apply` as lists, without the variables that have no gradient."""
        gradients = list(grads)
        if not gradients:
            return [], []
        return with_gradient(gradients, self._variables_for(gradients, trainable_variables))

    def _variables_for(
        self, gradients: list[Any], given: Iterable[Variable] | None
    ) -> list[Variable]:
        if given is not None:
            variables = list(given)
            self.build(variables)
            for variable in variables:
                if id(variable) not in self._trainable_variables_indices:
                    raise ValueError(
                        f"Optimizer {self.name!r} was built for other variables. Received: a "
                        f"gradient for {variable.path!r}. Make a new optimizer, or build this one "
                        "with all variables first."
                    )
        elif not self.built:
            raise ValueError(
                f"Optimizer {self.name!r} does not know its variables yet. Call "
                "`optimizer.build(variables)`, or `apply(grads, variables)`."
            )
        else:
            variables = self._trainable_variables
        if len(gradients) != len(variables):
            raise ValueError(
                f"Optimizer {self.name!r}: expected one gradient for each of {len(variables)} "
                f"variables. Received: {len(gradients)} gradients"
            )
        return variables

    def _accumulate(self, gradients: list[Tensor], variables: list[Variable]) -> None:
        """Add to the accumulators; in the last of so many calls update with the mean."""
        steps = self.gradient_accumulation_steps
        accumulators = [self._accumulated_gradients[self._get_variable_index(v)] for v in variables]
        totals = [
            ops.maximum(a.value, g) if v.overwrite_with_gradient else a.value + g
            for a, g, v in zip(accumulators, gradients, variables, strict=True)
        ]

        def keep() -> None:
            for accumulator, total in zip(accumulators, totals, strict=True):
                accumulator.assign(total)

        def update() -> None:
            means = [
                total if v.overwrite_with_gradient else total / steps
                for total, v in zip(totals, variables, strict=True)
            ]
            self._update_variables(means, variables)
            for accumulator, total in zip(accumulators, totals, strict=True):
                accumulator.assign(ops.zeros_like(total))

        is_last = ops.equal((self._iterations.value + 1) % steps, 0)
        either(is_last, update, keep, [*self.variables, *variables])

    def _update_variables(self, gradients: list[Tensor], variables: list[Variable]) -> None:
        """One real update: all that a large batch would do once."""
        if any(v.overwrite_with_gradient for v in variables):
            gradients, variables = overwrite(gradients, variables)
        gradients = self._clip(gradients)
        for rate, places in self._rates_of(variables):
            if len(places) == len(variables):
                self._update_at(rate, gradients, variables)
            else:
                chosen = ([sequence[i] for i in places] for sequence in (gradients, variables))
                self._update_at(rate, *chosen)
        self._finish_update()
        for variable in variables:
            if variable.constraint is not None:
                variable.assign(variable.constraint(variable.value))
        if self.use_ema:
            self._update_averages()

    def _clip(self, gradients: list[Tensor]) -> list[Tensor]:
        if self.clipnorm is not None:
            return [clip_by_norm(g, self.clipnorm) for g in gradients]
        if self.global_clipnorm is not None:
            return clip_by_global_norm(gradients, self.global_clipnorm)
        if self.clipvalue is not None:
            return [ops.clip(g, -self.clipvalue, self.clipvalue) for g in gradients]
        return gradients

    def _update_at(
        self, learning_rate: Tensor, gradients: list[Tensor], variables: list[Variable]
    ) -> None:
        """Decay and update the variables that have one learning rate."""
        if not self._fused_update(gradients, variables, learning_rate):
            self._decay_weights(variables, learning_rate)
            self._update_each(gradients, variables, learning_rate)

    def _finish_update(self) -> None:
        """Called once when all variables are updated."""

    def _fused_update(
        self, gradients: list[Tensor], variables: list[Variable], learning_rate: Tensor
    ) -> bool:
        """Decay and update all variables in one call of the engine, where it can."""
        return False

    def _update_each(
        self, gradients: list[Tensor], variables: list[Variable], learning_rate: Tensor
    ) -> None:
        for gradient, variable in zip(gradients, variables, strict=True):
            self.update_step(gradient, variable, learning_rate)

    def update_step(self, gradient: Tensor, variable: Variable, learning_rate: Tensor) -> None:
        """Update one variable from its gradient."""
        raise NotImplementedError(f"{type(self).__name__} must define `update_step`.")

    def assign(self, variable: Variable, value: Any) -> None:
        """Set a variable."""
        variable.assign(ops.cast(value, variable.dtype))

    def assign_add(self, variable: Variable, value: Any) -> None:
        """Add to a variable."""
        variable.assign(variable.value + ops.cast(value, variable.dtype))

    def assign_sub(self, variable: Variable, value: Any) -> None:
        """Subtract from a variable."""
        variable.assign(variable.value - ops.cast(value, variable.dtype))

    # Weight decay ----------------------------------------------------------------

    def exclude_from_weight_decay(
        self,
        var_list: Iterable[Variable] | None = None,
        var_names: Iterable[str] | None = None,
    ) -> None:
        """Leave variables out of weight decay.

        Args:
            var_list: the variables.
            var_names: regular expressions; those match whose name contains one.

        Example:
            >>> optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
        """
        self._excluded = (list(var_list or ()), list(var_names or ()))
        self._decays.clear()

    def _uses_decay(self, variable: Variable) -> bool:
        found = self._decays.get(id(variable))
        if found is None:
            variables, names = self._excluded
            found = not any(variable is v for v in variables)
            found = found and not any(re.search(n, variable.name) for n in names)
            self._decays[id(variable)] = found
        return found

    def _usual_decay_of(self, variable: Variable) -> float | None:
        """The weight decay of a variable whose group says nothing else."""
        return self.weight_decay

    def _decay_of(self, variable: Variable) -> float | None:
        """The weight decay of one variable; None for those that do not decay."""
        if not self._uses_decay(variable):
            return None
        decay = self._group_of(variable).weight_decay
        return (self._usual_decay_of(variable) if decay is None else decay) or None

    def _decay_weights(self, variables: list[Variable], learning_rate: Tensor) -> None:
        for variable in variables:
            decay = self._decay_of(variable)
            if decay is not None:
                share = ops.cast(learning_rate * decay, variable.dtype)
                variable.assign(variable.value * (1.0 - share))

    # Moving averages -------------------------------------------------------------

    def _averaged(self) -> list[tuple[Variable, Variable]]:
        pairs = zip(self._trainable_variables, self._model_variables_moving_average, strict=True)
        return [(v, average) for v, average in pairs if average is not None]

    def _update_averages(self) -> None:
        done = self._updates_done()
        # The first average is the value itself, so that it owes nothing to its start.
        keep = self.ema_momentum * ops.cast(ops.greater(done, 0), "float32")
        every = self.ema_overwrite_frequency
        for variable, average in self._averaged():
            share = ops.cast(keep, variable.dtype)
            mean = share * average.value + (1.0 - share) * variable.value
            average.assign(mean)
            if every:
                now = ops.equal((done + 1) % every, 0)
                variable.assign(ops.where(now, mean, variable.value))

    def finalize_variable_values(self, var_list: Iterable[Variable]) -> None:
        """Put the moving averages in the place of the variables, where `use_ema` is set.

        Args:
            var_list: the variables of the model; those of `build` among them count.
        """
        if self.use_ema:
            wanted = {id(v) for v in var_list}
            for variable, average in self._averaged():
                if id(variable) in wanted:
                    variable.assign(average.value)

    lr, decay = renamed("lr"), renamed("decay")

    # Loss scaling, stateless use, state ------------------------------------------

    def scale_loss(self, loss: Tensor) -> Tensor:
        """The loss to differentiate: times `loss_scale_factor`, where one is set."""
        return loss if self.loss_scale_factor is None else loss * self.loss_scale_factor

    def stateless_apply(
        self,
        optimizer_variables: Sequence[Any],
        grads: Sequence[Any],
        trainable_variables: Sequence[Any],
    ) -> tuple[list[Tensor], list[Tensor]]:
        """`apply` as a pure function; the optimizer must be built.

        Args:
            optimizer_variables: values for `variables`.
            grads: gradients.
            trainable_variables: values for the variables of `build`.

        Returns:
            New values of the trainable variables, and of the optimizer's.

        Raises:
            ValueError: if the optimizer is not built, or a number of values is wrong.
        """
        if not self.built:
            raise ValueError(
                f"Optimizer {self.name!r}: call `optimizer.build(trainable_variables)` before "
                "`stateless_apply`."
            )
        own, trained = self.variables, self._trainable_variables
        for what, values, wanted in (
            ("optimizer_variables", optimizer_variables, own),
            ("trainable_variables", trainable_variables, trained),
        ):
            if len(values) != len(wanted):
                raise ValueError(
                    f"Optimizer {self.name!r}: `{what}` must hold {len(wanted)} values. "
                    f"Received: {len(values)}"
                )
        values = [*trainable_variables, *optimizer_variables]
        with StatelessScope(zip([*trained, *own], values, strict=True)):
            self.apply(grads)
            return [v.value for v in trained], [v.value for v in own]
