"""Packages that only some functions need."""

from __future__ import annotations

import importlib
from typing import Any


def required(module: str, needs: str, package: str) -> Any:
    """Import a module of another package.

    Args:
        module: its full name.
        needs: who needs which package: `"`plot_model` needs pydot"`.
        package: what to install.

    Raises:
        ImportError: if it is not installed; names the pip command.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(
            f"{needs}, which is not installed. Run `pip install {package}`."
        ) from error
