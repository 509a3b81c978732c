"""Errors about files: damaged ones, and ones that ask for too much."""

from __future__ import annotations

from keraslite.core.errors import UnsafeModelError, short


class DamagedFileError(ValueError):
    """A file that is truncated, changed or not what its name says."""


def damaged(path: str, why: object) -> DamagedFileError:
    return DamagedFileError(
        short(f"The file {path!r} is truncated or damaged: {why}. Load another copy of it.")
    )


def refused(path: str, what: str) -> UnsafeModelError:
    """The error for a file that asks for more than a model needs."""
    advice = "No model needs that: get the file from a source that you trust."
    return UnsafeModelError(f"Refused to load {short(path, 160)!r}: {short(what, 320)}. {advice}")


def name_file(error: Exception, path: str) -> None:
    """Begin the message of an error about a config with the file that it is in."""
    message = str(error)
    if path not in message and len(error.args) == 1:
        name = short(path, 120)
        error.args = (f"Cannot load {name!r}: {short(message, 580 - len(name))}",)
