"""Python lambdas as text, in Keras's form. Loading one runs whatever code it holds."""

from __future__ import annotations

import codecs
import importlib
import marshal
import types
import warnings
from collections.abc import Callable
from typing import Any


def dump_lambda(function: Callable[..., Any]) -> dict[str, Any]:
    """The code, defaults and closure of a lambda.

    Raises:
        TypeError: for a closure over values that are no plain numbers or strings.
    """
    warnings.warn(
        "A lambda is saved as Python code, which loads only with `safe_mode=False` and the same "
        "version of Python. Use a named function, registered with `register_keras_serializable`.",
        stacklevel=2,
    )
    code = codecs.encode(marshal.dumps(function.__code__), "base64").decode("ascii")
    closure = tuple(c.cell_contents for c in function.__closure__ or ()) or None
    return {"code": code, "defaults": function.__defaults__, "closure": closure}


def load_lambda(config: dict[str, Any]) -> Callable[..., Any]:
    """The function for what `dump_lambda` gave; call it only outside of safe mode."""
    code, defaults, closure = (
        config["value"]
        if "value" in config
        else (config["code"], config.get("defaults"), config.get("closure"))
    )
    loaded = marshal.loads(codecs.decode(code.encode("ascii"), "base64"))
    cells = tuple(types.CellType(x) for x in closure or ())
    names = {"ops": importlib.import_module("keraslite.ops"), "__builtins__": __builtins__}
    return types.FunctionType(
        loaded, names, "<lambda>", None if defaults is None else tuple(defaults), cells or None
    )
