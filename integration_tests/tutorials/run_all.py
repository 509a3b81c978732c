"""Run all programs of this folder in one process; print how each went as a line of JSON.

usage: run_all.py [--package keras] [PROGRAM ...]

With `--package keras` the programs run with Keras in place of keraslite.
"""

import argparse
import contextlib
import io
import json
import os
import sys
import tempfile
import time
import traceback
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
PROGRAMS = sorted(
    p.stem for p in FOLDER.glob("*.py") if p.stem not in ("run_all", "test_tutorials")
)


def run(name, package):
    """How a program went: seconds, what it printed last, and its error."""
    source = (FOLDER / f"{name}.py").read_text("utf-8")
    code = compile(source.replace("keraslite", package), f"{name}.py", "exec")
    printed, error, started = io.StringIO(), None, time.perf_counter()
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        try:
            with contextlib.redirect_stdout(printed):
                exec(code, {"__name__": "__main__"})
        except Exception:  # noqa: BLE001 - of any kind: it is reported, and the next one runs
            error = traceback.format_exc()
    seconds = time.perf_counter() - started
    return {
        "name": name,
        "seconds": round(seconds, 1),
        "error": error,
        "printed": printed.getvalue()[-1000:],
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--package", default="keraslite")
    parser.add_argument("programs", nargs="*", default=PROGRAMS)
    args = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    results = [run(name, args.package) for name in args.programs]
    sys.stdout.writelines(json.dumps(result) + "\n" for result in results)
