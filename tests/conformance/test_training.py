"""What the conformance kit asks of an engine, asked of keraslite's own."""

from keraslite.testing.test_training import *  # noqa: F403
