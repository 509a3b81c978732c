"""JSON of strangers, with limits to what is made of it."""

from __future__ import annotations

import json
from typing import Any

from keraslite.core.errors import BadConfigError, UnsafeModelError, short

_VALUES, _DEPTH = 2 * 10**6, 250


def parse_json(text: bytes | str, what: str = "The text") -> Any:
    """What a JSON text of a stranger holds.

    Args:
        what: names the text in messages.

    Raises:
        UnsafeModelError: if it is nested deeper, or has more values, than any model.
        BadConfigError: if it is no JSON.
    """
    marks = (b"[", b"{", b",", b":") if isinstance(text, bytes) else ("[", "{", ",", ":")
    number = sum(text.count(mark) for mark in marks)  # type: ignore[arg-type, misc]
    if number > _VALUES:
        raise UnsafeModelError(f"{what} holds about {number:,} values; the limit is {_VALUES:,}.")
    try:
        value = json.loads(text)
        too_deep = _deeper_than(value, _DEPTH)
    except RecursionError:
        too_deep = True
    except ValueError as error:
        raise BadConfigError(f"{what} is no JSON: {short(str(error), 200)}") from error
    if too_deep:
        raise UnsafeModelError(f"{what} is nested more than {_DEPTH} levels deep.")
    return value


def _deeper_than(value: Any, limit: int) -> bool:
    level = [value]
    for _ in range(limit):
        level = [
            child
            for item in level
            if isinstance(item, (dict, list))
            for child in (item.values() if isinstance(item, dict) else item)
        ]
        if not level:
            return False
    return True
