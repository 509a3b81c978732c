"""The conformance kit: does an engine do what `keraslite.backend.contract` asks for?

It tests the engine that `KERAS_BACKEND` names, against NumPy: the verbs of the contract, every
op (values, dtypes, what is inferred, graphs, gradients), random numbers, layers, training and
saving. It needs `pip install "keraslite[testing]"`.

    KERAS_BACKEND=mine python -m keraslite.testing
    KERAS_BACKEND=mine pytest --pyargs keraslite.testing
    KERAS_BACKEND=mine python -m keraslite.testing --expected-failures known.toml -k conv
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

__all__ = ["run"]


def run(
    expected_failures: Mapping[str, str] | str | Path | None = None, args: Sequence[str] = ()
) -> int:
    """Run the kit on the chosen engine.

    Args:
        expected_failures: the tests that the engine is known to fail: their names, in which
            `*` stands for anything, and why; or a TOML file of these. One that passes all
            the same counts as a failure, so that the list stays true.
        args: further arguments of pytest.

    Returns:
        pytest's exit status: 0 when all went as expected.

    Example:
        >>> keraslite.testing.run({"test_gradients*[svd*]": "no derivative of the SVD"})
        0
    """
    import pytest

    from keraslite.testing import plugin

    plugins: list[object] = []
    if isinstance(expected_failures, Mapping):
        plugins.append(plugin.ExpectedFailures(expected_failures))
    elif expected_failures is not None:
        plugins.append(plugin.ExpectedFailures.read(expected_failures))
    folder = str(Path(__file__).parent)
    return int(pytest.main(["-q", "-p", "no:cacheprovider", folder, *args], plugins))
