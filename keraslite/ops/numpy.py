"""The ops that NumPy has under the same names: `keras.ops.numpy`."""

from keraslite.ops.arithmetic import *  # noqa: F403
from keraslite.ops.core import *  # noqa: F403
from keraslite.ops.creation import *  # noqa: F403
from keraslite.ops.elementwise import *  # noqa: F403
from keraslite.ops.indexing import *  # noqa: F403
from keraslite.ops.joining import *  # noqa: F403
from keraslite.ops.linalg import *  # noqa: F403
from keraslite.ops.logic import *  # noqa: F403
from keraslite.ops.reductions import *  # noqa: F403
from keraslite.ops.shaping import *  # noqa: F403
from keraslite.ops.sorting import *  # noqa: F403
from keraslite.ops.transcendental import *  # noqa: F403
