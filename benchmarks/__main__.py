"""usage: python -m benchmarks SUITE --engine {jax,torch,tensorflow,numpy}

Suites: fit, call, layers, import, metrics, predict, memory, files.

Measures keraslite, Keras and code written by hand for the engine, in turns in one process.
Prints a table of medians and ratios; `--json FILE` also writes them.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

TRAINING = ("metrics", "predict", "memory")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("suite", choices=("fit", "call", "layers", "import", "files", *TRAINING))
    parser.add_argument("--engine", default=os.environ.get("KERAS_BACKEND", "jax"))
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    parser.add_argument("--json", type=Path, help="file for the figures")
    arguments = parser.parse_args()
    # Before anything is imported that chooses an engine.
    os.environ["KERAS_BACKEND"] = arguments.engine
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

    from benchmarks import layers, report, saving, suites, training

    if arguments.suite in ("fit", "metrics", "memory") and arguments.engine == "numpy":
        parser.error("the numpy engine does not train: measure `call` or `import`")
    suite = {
        "fit": suites.fit,
        "call": suites.call,
        "layers": layers.layers,
        "import": suites.imports,
        "files": saving.files,
        **{name: getattr(training, name) for name in TRAINING},
    }[arguments.suite]
    report.show(suite(arguments.engine, arguments.quick), arguments.engine, arguments.json)


if __name__ == "__main__":
    main()
