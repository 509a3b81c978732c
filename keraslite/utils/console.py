"""Text for the user: to standard output, or to the logger when interactive logging is off."""

from __future__ import annotations

import logging
import os
import sys

from keraslite import config

logger = logging.getLogger("keraslite")


def say(text: str) -> None:
    """Print a line, or log it after `keras.config.disable_interactive_logging()`."""
    if config.is_interactive_logging_enabled():
        print(text, flush=True)
    else:
        logger.info(text.strip("\n"))


def is_live() -> bool:
    """Whether a line on standard output can be written over: a terminal or a notebook."""
    if not config.is_interactive_logging_enabled() or os.environ.get("TERM") == "dumb":
        return False
    isatty = getattr(sys.stdout, "isatty", None)
    return bool(isatty and isatty()) or type(sys.stdout).__module__.startswith("ipykernel")
