"""`python -m keraslite.testing [arguments of pytest]`."""

from __future__ import annotations

import sys

from keraslite.testing import run

sys.exit(run(args=sys.argv[1:]))
