"""Which dtypes Keras gives on another of its engines: they do not always agree.

usage: KERAS_BACKEND=... python -m integration_tests.parity.elsewhere FILE CASES MODE
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from integration_tests.parity.cases import cases
from integration_tests.parity.reference import keras_dtypes


def main() -> None:
    file, asked, mode = Path(sys.argv[1]), set(json.loads(sys.argv[2])), sys.argv[3]
    names = {case.partition(" ")[0].partition("-")[0] for case in asked}
    found = {}
    for case in cases(sorted(names), mode == "quick"):
        if case.id in asked:
            sets = keras_dtypes(case, case.arguments())
            found[case.id] = sorted(set().union(*sets or []))
    file.write_text(json.dumps(found))


if __name__ == "__main__":
    main()
