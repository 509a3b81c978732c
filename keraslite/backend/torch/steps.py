"""Running a training, test or prediction step: op by op, repeated, or compiled."""

from __future__ import annotations

import time
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from keraslite.backend.torch import tensors
from keraslite.backend.torch.recording import NotRecordable, record, simplify, survey
from keraslite.core import tree

Step = Callable[[Any], Any]

#: How often a second kind of batch must come until it is compiled as well. Compiling
#: takes many seconds, which the smaller last batch of an epoch does not repay.
_PATIENCE = 8
#: For how many seconds the batches of a kind run op by op until their step is recorded,
#: which takes about as long.
_WORTH = 0.25
#: How many kinds of batches are recorded: each keeps its list of operators.
_MOST_KINDS = 8


def _feed(x: Any) -> Any:
    if type(x) is np.ndarray:
        return tensors.feed(x)
    if isinstance(x, torch.Tensor) and tensors.elsewhere(x, tensors.device()):
        return x.to(tensors.device(), non_blocking=True)
    return x


def compile_step(step: Step, variables: Sequence[Any], jit: bool | str = "auto") -> Step:
    """See `Engine.compile_step`. The habit is to repeat what was recorded."""
    if jit is False:
        return lambda batch: step(tree.map_structure(_feed, batch))
    return (_Compiled if jit is True else _Repeated)(step, variables)


class _ByKind:
    """A step with a faster form for each kind of batches (structure, shapes, dtypes)."""

    def __init__(self, step: Step, variables: Sequence[Any]) -> None:
        self.step = step
        self.variables = list(variables)
        self.runs: dict[Any, Callable[[list[Any]], Any]] = {}

    def __call__(self, batch: Any) -> Any:
        leaves, spec = tree.split(batch)
        leaves = [_feed(x) for x in leaves]
        key = (
            spec,
            *((x.shape, x.dtype, x.device) if isinstance(x, torch.Tensor) else x for x in leaves),
        )
        run = self.runs.get(key)
        return self.other(key, leaves, spec) if run is None else run(leaves)

    def other(self, key: Any, leaves: list[Any], spec: Any) -> Any:
        """Run a batch of a kind that has no form of its own yet, or get it one."""
        raise NotImplementedError


class _Repeated(_ByKind):
    """A step whose torch operators are called one by one, without the Python around them.

    They are recorded from the step itself, so they give the same results. A step in which
    a function of the user's own takes part, or that decides by a value, runs as it is.
    """

    def __init__(self, step: Step, variables: Sequence[Any]) -> None:
        super().__init__(step, variables)
        self.recordable = True
        self.seconds: defaultdict[Any, float] = defaultdict(float)

    def other(self, key: Any, leaves: list[Any], spec: Any) -> Any:
        batch = tree.unflatten(spec, leaves)
        if not self.recordable:
            return self.step(batch)
        if self.seconds[key] < _WORTH:
            start = time.perf_counter()
            outputs = self.step(batch)
            self.seconds[key] += time.perf_counter() - start
            return outputs
        outputs, hindrance = survey(self.step, batch)
        if hindrance is None:
            hindrance = self._record(key, leaves, spec)
        self.recordable = hindrance is None and len(self.runs) < _MOST_KINDS
        return outputs

    def _record(self, key: Any, leaves: list[Any], spec: Any) -> str | None:
        try:
            found = record(self.step, self.variables, leaves, spec, tensors.recording())
        except NotRecordable as error:
            return str(error)
        except Exception as error:  # noqa: BLE001 - whatever it is, the step itself works
            warnings.warn(
                "The torch engine could not record this step, so it goes on op by op, which is "
                f"slower: {type(error).__name__}: {str(error)[:200]}",
                stacklevel=2,
            )
            return str(error)
        self.runs[key] = found.bind(simplify(found.graph).forward, self.variables)
        return None


class _Compiled(_ByKind):
    """A step as one graph that torch's compiler has lowered.

    The Python of the step runs once, on tensors without values; so any Python will do that
    does not look at values. Other kinds of batches than the first one run op by op, with
    the same results, until they prove frequent.
    """

    def __init__(self, step: Step, variables: Sequence[Any]) -> None:
        super().__init__(step, variables)
        self.seen: Counter[Any] = Counter()

    def other(self, key: Any, leaves: list[Any], spec: Any) -> Any:
        from torch._inductor import compile as lower

        self.seen[key] += 1
        if self.runs and self.seen[key] < _PATIENCE:
            return self.step(tree.unflatten(spec, leaves))
        found = record(self.step, self.variables, leaves, spec, tensors.compiling())
        with torch.no_grad():
            compiled = lower(found.graph, found.examples)
        run = self.runs[key] = found.bind(compiled, self.variables)
        return run(leaves)
