"""Operations on tensors: one definition each, computed by the chosen engine."""

from keraslite.ops import linalg as linalg
from keraslite.ops import nn as nn
from keraslite.ops import numpy as numpy
from keraslite.ops.arithmetic import *  # noqa: F403
from keraslite.ops.control import *  # noqa: F403
from keraslite.ops.core import *  # noqa: F403
from keraslite.ops.creation import *  # noqa: F403
from keraslite.ops.elementwise import *  # noqa: F403
from keraslite.ops.gradients import *  # noqa: F403
from keraslite.ops.indexing import *  # noqa: F403
from keraslite.ops.joining import *  # noqa: F403
from keraslite.ops.linalg import *  # noqa: F403
from keraslite.ops.logic import *  # noqa: F403
from keraslite.ops.nn import *  # noqa: F403
from keraslite.ops.reductions import *  # noqa: F403
from keraslite.ops.shaping import *  # noqa: F403
from keraslite.ops.sorting import *  # noqa: F403
from keraslite.ops.transcendental import *  # noqa: F403
