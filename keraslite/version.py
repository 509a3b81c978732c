"""The version of keraslite."""

from __future__ import annotations

# The first three numbers name the release of Keras whose public interface this is: programs
# written for Keras 3 test that the version starts with "3." or compare it with a minimum.
# The fourth counts keraslite's own releases on that interface. It is no `.dev` or `+local`
# version: those fail `>=` requirements and cannot be published.
__version__ = "3.15.1.0"


def version() -> str:
    """The version as a string.

    Example:
        >>> keras.version().startswith("3.")
        True
    """
    return __version__
