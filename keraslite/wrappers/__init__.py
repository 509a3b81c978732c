"""Models as estimators of scikit-learn, which is imported when one of the names is used."""

from __future__ import annotations

from typing import Any

from keraslite.core.old_names import missing

__all__ = ["SKLearnClassifier", "SKLearnRegressor", "SKLearnTransformer"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise missing(__name__, name)
    try:
        import sklearn.base  # noqa: F401
    except ImportError as error:
        raise ImportError(
            f"`keraslite.wrappers.{name}` needs scikit-learn, which is not installed. Run "
            '`pip install "keraslite[sklearn]"`.'
        ) from error
    from keraslite.wrappers import estimators

    return getattr(estimators, name)
