"""Groups of variables, by patterns of their paths, with learning rates and decay of their own."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from keraslite.core.errors import describe, short, unexpected_arguments
from keraslite.core.variable import Variable

_OPTIONS = ("learning_rate", "learning_rate_multiplier", "weight_decay")


class Group(NamedTuple):
    """What the variables of a group do otherwise; None where they follow the optimizer.

    Attributes:
        learning_rate: a number, a schedule or a function.
        learning_rate_multiplier: times the optimizer's rate, or its schedule's.
        weight_decay: a number; 0 for none.
    """

    learning_rate: Any = None
    learning_rate_multiplier: float | None = None
    weight_decay: float | None = None

    @property
    def rate(self) -> tuple[Any, float | None]:
        """What decides the learning rate."""
        return self.learning_rate, self.learning_rate_multiplier


PLAIN = Group()


def check_groups(groups: Any) -> dict[str, dict[str, Any]] | None:
    """`groups` as given to an optimizer, if they are well formed.

    Raises:
        TypeError: for an unknown option.
        ValueError: for what is no dict of dicts, no regular expression or no number.
    """
    if groups is None:
        return None
    if not isinstance(groups, Mapping):
        raise ValueError(
            "`groups` must be a dict from a pattern of paths to a dict of options, such as "
            f'{{"encoder/.*": {{"learning_rate": 1e-5}}}}. Received: groups={describe(groups)}'
        )
    for pattern, options in groups.items():
        where = f"groups[{pattern!r}]"
        if not isinstance(options, Mapping) or not options:
            raise ValueError(
                f"`{where}` must be a dict with some of {', '.join(_OPTIONS)}. "
                f"Received: {describe(options)}"
            )
        if not set(options) <= set(_OPTIONS):
            raise unexpected_arguments(f"`{where}`", set(options) - set(_OPTIONS), _OPTIONS)
        if {"learning_rate", "learning_rate_multiplier"} <= set(options):
            raise ValueError(
                f"`{where}` may have a `learning_rate` or a `learning_rate_multiplier`. "
                "Received: both"
            )
        for name, value in options.items():
            if name == "learning_rate" and callable(value):
                continue
            if isinstance(value, bool) or not isinstance(value, (int, float)) or value < 0:
                raise ValueError(
                    f"`{where}[{name!r}]` must be a number that is not negative. "
                    f"Received: {describe(value)}"
                )
        try:
            re.compile(pattern)
        except (re.error, TypeError) as error:
            raise ValueError(
                f"A key of `groups` must be a regular expression ({error}). Received: {pattern!r}"
            ) from error
    return {pattern: dict(options) for pattern, options in groups.items()}


def groups_of(
    groups: Mapping[str, Mapping[str, Any]], variables: Iterable[Variable], where: str
) -> list[Group]:
    """The group of each variable, from all patterns that match its path.

    A pattern matches a whole path, or all of it behind one of its slashes: whether the model
    around an encoder has a name in the paths makes no difference.

    Raises:
        ValueError: for a pattern without variables, or two that give one option.
    """
    variables = list(variables)
    for pattern in groups:
        if not any(_matches(pattern, v.path) for v in variables):
            paths = [v.path for v in variables]
            near = difflib.get_close_matches(pattern, paths, n=5, cutoff=0.0)
            raise ValueError(
                short(
                    f"{where}: no variable belongs to the group {pattern!r}. A pattern is a "
                    "regular expression for a path, or its end from a name on. The nearest paths: "
                    f"{', '.join(near)}"
                )
            )
    return [_group_of(groups, v.path, where) for v in variables]


def _group_of(groups: Mapping[str, Mapping[str, Any]], path: str, where: str) -> Group:
    found: dict[str, Any] = {}
    given_by: dict[str, str] = {}
    for pattern, options in groups.items():
        if not _matches(pattern, path):
            continue
        for name, value in options.items():
            # A multiplier beside a rate would be ambiguous too.
            kind = "weight_decay" if name == "weight_decay" else "learning_rate"
            if kind in given_by:
                raise ValueError(
                    f"{where}: `{name}` of {path!r} comes from two groups. Received: "
                    f"{given_by[kind]!r} and {pattern!r}. Make the patterns exclude each other."
                )
            given_by[kind] = pattern
            found[name] = value
    return Group(**found) if found else PLAIN


def _matches(pattern: str, path: str) -> bool:
    starts = [0, *(match.end() for match in re.finditer("/", path))]
    return any(re.fullmatch(pattern, path[start:]) for start in starts)
