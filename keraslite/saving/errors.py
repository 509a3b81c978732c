"""Errors about files: damaged ones, and ones that ask for too much."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from keraslite.core.errors import LoadError, UnsafeModelError, short


class DamagedFileError(LoadError):
    """A file that is truncated, changed or not what its name says."""


def damaged(path: str, why: object) -> DamagedFileError:
    return DamagedFileError(
        short(f"The file {path!r} is truncated or damaged: {why}. Load another copy of it.")
    )


def refused(path: str, what: str) -> UnsafeModelError:
    """The error for a file that asks for more than a model needs."""
    advice = "No model needs that: get the file from a source that you trust."
    return UnsafeModelError(f"Refused to load {short(path, 160)!r}: {short(what, 320)}. {advice}")


@contextlib.contextmanager
def loading(path: str, member: str | None = None) -> Iterator[None]:
    """Whatever a file makes the code inside raise becomes a `LoadError` that names it.

    Args:
        path: of the file.
        member: of the file.

    Raises:
        OSError: as it is, when the machine is to blame; so is `ImportError`.
    """
    try:
        yield
    except LoadError as error:
        if path not in str(error):
            error.enter(f"{short(path, 120)!r}{f', {member!r}' if member else ''}")
        raise
    except (OSError, ImportError):
        raise
    except RecursionError:
        raise refused(path, "it is nested too deeply") from None
    except (ValueError, TypeError) as error:
        with loading(path, member):
            raise LoadError(short(str(error))) from error
    except Exception as error:  # noqa: BLE001 - a file may hold anything
        what = f"{type(error).__name__}: {short(str(error), 300)}"
        raise damaged(path, f"{member!r}: {what}" if member else what) from error
