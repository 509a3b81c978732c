"""Names of Keras 2 that Keras 3 keeps."""

from __future__ import annotations

from keraslite.legacy import saving

__all__ = ["saving"]
