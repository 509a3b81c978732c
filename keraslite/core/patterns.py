"""Regular expressions that configs bring, without those that can take for ever."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from keraslite.core.errors import UnsafeModelError, short

_LONGEST, _REPEATS, _CHOICES = 500, 2, 10
# Each is tried on every path; as many as `re` keeps compiled.
_MOST = 500
# A repeated group, what looks around or back.
_COSTLY = re.compile(r"\)[*+{]|\(\?(?!:)|\\[1-9]")


def check_patterns(patterns: Iterable[Any] | None, argument: str) -> None:
    """Raise for an expression that may take exponential time on a name of the same config.

    Args:
        patterns: regular expressions; what is no text is for the constructor to refuse.
        argument: where they stand, in messages.

    Raises:
        UnsafeModelError: if one is longer, or repeats and branches more, than paths need, or if
            there are more than models need.
    """
    patterns = list(patterns or ())
    if len(patterns) > _MOST:
        raise UnsafeModelError(
            f"`{argument}` has {len(patterns):,} regular expressions; the limit is {_MOST}. "
            "If you trust its source, pass `safe_mode=False`."
        )
    for pattern in patterns:
        if not isinstance(pattern, str):
            continue
        bare = re.sub(r"\\.|\(\?:", "", pattern[: _LONGEST + 1], flags=re.DOTALL)
        repeats, choices = (sum(map(bare.count, marks)) for marks in ("*+{", "?|"))
        costly = repeats > _REPEATS or choices > _CHOICES or _COSTLY.search(pattern)
        if costly or len(pattern) > _LONGEST:
            raise UnsafeModelError(
                f"`{argument}` has the regular expression {short(pattern, 120)!r}, which may take "
                "for ever. If you trust its source, pass `safe_mode=False`."
            )
