"""What keraslite's own engines share, for engines of other packages to use as well.

- `MaskTable`: masks of tensors that take no attributes.
- `PythonLoops`: the kernels of control flow in plain Python.
- `current`, `isolated`, `StatelessScope`: making stateful functions pure.
- `nested_array`, `nested_dtype`: what a nested list of numbers becomes.
- `numpy_dtype`, `standardize_dtype`, `ALLOWED`: names of dtypes.
- `transposed_padding`, `window_padding`: the geometry of convolution and pooling.
- `tree`: nested structures.
"""

from __future__ import annotations

from keraslite.backend._host import MaskTable, nested_array, nested_dtype
from keraslite.backend._loops import PythonLoops
from keraslite.backend._pure import current, isolated
from keraslite.backend._windows import transposed_padding, window_padding
from keraslite.core import tree
from keraslite.core.dtypes import ALLOWED, numpy_dtype, standardize_dtype
from keraslite.core.scopes import StatelessScope

__all__ = [
    "ALLOWED",
    "MaskTable",
    "PythonLoops",
    "StatelessScope",
    "current",
    "isolated",
    "nested_array",
    "nested_dtype",
    "numpy_dtype",
    "standardize_dtype",
    "transposed_padding",
    "tree",
    "window_padding",
]
