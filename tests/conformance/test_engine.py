"""What the conformance kit asks of an engine, asked of keraslite's own."""

from keraslite.testing.test_engine import *  # noqa: F403
