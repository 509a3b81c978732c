"""usage: python -m benchmarks {fit,call,import,files} --engine {jax,torch,tensorflow,numpy}

Measures keraslite, Keras and code written by hand for the engine, in turns in one process.
Prints a table of medians and ratios; `--json FILE` also writes them.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("suite", choices=("fit", "call", "import", "files"))
    parser.add_argument("--engine", default=os.environ.get("KERAS_BACKEND", "jax"))
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    parser.add_argument("--json", type=Path, help="file for the figures")
    arguments = parser.parse_args()
    # Before anything is imported that chooses an engine.
    os.environ["KERAS_BACKEND"] = arguments.engine
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

    from benchmarks import report, saving, suites

    if arguments.suite == "fit" and arguments.engine == "numpy":
        parser.error("the numpy engine does not train: measure `call` or `import`")
    suite = {
        "fit": suites.fit,
        "call": suites.call,
        "import": suites.imports,
        "files": saving.files,
    }[arguments.suite]
    report.show(suite(arguments.engine, arguments.quick), arguments.engine, arguments.json)


if __name__ == "__main__":
    main()
