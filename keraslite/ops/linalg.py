"""Linear algebra: `keras.ops.linalg`."""

from keraslite.ops.decompositions import *  # noqa: F403
from keraslite.ops.gradients import jvp as jvp
from keraslite.ops.norms import *  # noqa: F403
from keraslite.ops.products import *  # noqa: F403
