"""`python -m keraslite COMMAND`."""

from __future__ import annotations

import os
import sys


def main(arguments: list[str] | None = None) -> int:
    """Run a command; `inspect FILE...` is the only one."""
    command, *rest = (sys.argv[1:] if arguments is None else arguments) or [""]
    if command != "inspect":
        print("usage: python -m keraslite inspect [--config] FILE...")
        return 2
    from keraslite.saving.inspect import main as inspect

    return inspect(rest)


if __name__ == "__main__":
    # Looking at a file computes nothing, so it loads no other engine.
    os.environ["KERAS_BACKEND"] = "numpy"
    sys.exit(main())
