"""Gives the tests of this folder what `keraslite.testing.plugin` has for them."""

from keraslite.testing.plugin import *  # noqa: F403
from keraslite.testing.plugin import _seeded  # noqa: F401
