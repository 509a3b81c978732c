"""What all tests share: no settings of the user, and what the conformance kit gives its own."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile

import pytest

# Before anything reads it. The real keras, which tests compare with, writes a file there.
os.environ["KERAS_HOME"] = tempfile.mkdtemp(prefix="keraslite-tests-")
atexit.register(shutil.rmtree, os.environ["KERAS_HOME"], ignore_errors=True)
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

# Some tests live in the kit; what they assert is shown as well.
pytest.register_assert_rewrite("keraslite.testing")

from keraslite.testing.plugin import *  # noqa: E402, F403
from keraslite.testing.plugin import _seeded  # noqa: E402, F401
