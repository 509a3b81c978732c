"""Running a training, test or prediction step: op by op, or as one compiled graph."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch._subclasses.fake_tensor import (
    DataDependentOutputException,
    DynamicOutputShapeException,
    FakeTensorMode,
)

from keraslite.backend.torch import tensors
from keraslite.core import tree

Step = Callable[[Any], Any]

#: How often a second kind of batch must come until it is compiled as well. Compiling
#: takes many seconds, which the smaller last batch of an epoch does not repay.
_PATIENCE = 8
#: Stands for an output that the graph computes, among those that are always the same.
_COMPUTED = object()


def _feed(x: Any) -> Any:
    if type(x) is np.ndarray:
        return tensors.feed(x)
    if isinstance(x, torch.Tensor) and tensors.elsewhere(x, tensors.device()):
        return x.to(tensors.device(), non_blocking=True)
    return x


def compile_step(step: Step, variables: Sequence[Any], jit: bool | str = "auto") -> Step:
    """See `Engine.compile_step`. The habit is eager: compiling gains little on a CPU."""
    run = _Compiled(step, variables) if jit is True else step

    def fed(batch: Any) -> Any:
        return run(tree.map_structure(_feed, batch))

    return fed


class _Compiled:
    """A step as one graph of torch operators: gradients and assignments included.

    The Python of the step runs once, on tensors without values that record what is done
    to them; so any Python will do that does not look at values. Other kinds of batches
    than the first one run op by op, with the same results, until they prove frequent.
    """

    def __init__(self, step: Step, variables: Sequence[Any]) -> None:
        self.step = step
        self.variables = list(variables)
        self.runs: dict[Any, Step] = {}
        self.seen: Counter[Any] = Counter()

    def __call__(self, batch: Any) -> Any:
        leaves, spec = tree.split(batch)
        key = (spec, *((x.shape, x.dtype) if isinstance(x, torch.Tensor) else x for x in leaves))
        run = self.runs.get(key)
        if run is None:
            self.seen[key] += 1
            if self.runs and self.seen[key] < _PATIENCE:
                return self.step(batch)
            run = self.runs[key] = self._compile(leaves, spec)
        return run(leaves)

    def _compile(self, leaves: list[Any], spec: Any) -> Callable[[list[Any]], Any]:
        from torch._inductor import compile as lower

        where = [i for i, x in enumerate(leaves) if isinstance(x, torch.Tensor)]
        storages = [v._storage for v in self.variables]
        given = [*(s.detach() for s in storages), *(leaves[i] for i in where)]
        graph, unpack = self._trace(given, leaves, where, spec)
        with torch.no_grad():
            compiled = lower(graph, given)

        def run(leaves: list[Any]) -> Any:
            with torch.no_grad():
                state = [v._storage for v in self.variables]
                return unpack(compiled(*state, *(leaves[i] for i in where)))

        return run

    def _trace(
        self, given: list[torch.Tensor], leaves: list[Any], where: list[int], spec: Any
    ) -> tuple[torch.fx.GraphModule, Callable[[Sequence[Any]], Any]]:
        """The graph, and what makes a tree of outputs from its list of tensors."""
        from torch.fx.experimental.proxy_tensor import make_fx

        count = len(self.variables)
        frame: list[Any] = []

        def pure(*values: torch.Tensor) -> list[torch.Tensor]:
            for variable, value in zip(self.variables, values[:count], strict=True):
                variable._storage = value
            filled = list(leaves)
            for i, value in zip(where, values[count:], strict=True):
                filled[i] = value
            results, shape = tree.split(self.step(tree.unflatten(spec, filled)))
            frame[:] = [shape, [_COMPUTED if tensors.is_fake(x) else x for x in results]]
            return [x.detach() for x in results if tensors.is_fake(x)]

        kept = [v._storage for v in self.variables]
        try:
            mode = FakeTensorMode(allow_non_fake_inputs=True)
            with tensors.compiling(), mode:
                fake = [mode.from_tensor(x, static_shapes=True) for x in given]
                graph = make_fx(pure, _allow_non_fake_inputs=True)(*fake)
        except (DataDependentOutputException, DynamicOutputShapeException) as error:
            raise TypeError(
                "A compiled step on the torch engine cannot look at values that are computed in "
                f"the step, as `{error.func}` does. Compile the model with `jit_compile=False`."
            ) from error
        finally:
            for variable, storage in zip(self.variables, kept, strict=True):
                variable._storage = storage
        shape, fixed = frame

        def unpack(results: Sequence[torch.Tensor]) -> Any:
            found = iter(results)
            return tree.unflatten(shape, [next(found) if x is _COMPUTED else x for x in fixed])

        return graph, unpack
