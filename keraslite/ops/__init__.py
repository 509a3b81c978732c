"""Operations on tensors: one definition each, computed by the chosen engine."""

from keraslite.ops import image as image
from keraslite.ops import linalg as linalg
from keraslite.ops import nn as nn
from keraslite.ops import numpy as numpy
from keraslite.ops.arithmetic import *  # noqa: F403
from keraslite.ops.bits import *  # noqa: F403
from keraslite.ops.complex_numbers import *  # noqa: F403
from keraslite.ops.control import *  # noqa: F403
from keraslite.ops.core import *  # noqa: F403
from keraslite.ops.creation import *  # noqa: F403
from keraslite.ops.elementwise import *  # noqa: F403
from keraslite.ops.fourier import *  # noqa: F403
from keraslite.ops.gradients import *  # noqa: F403
from keraslite.ops.indexing import *  # noqa: F403
from keraslite.ops.integers import *  # noqa: F403
from keraslite.ops.joining import *  # noqa: F403
from keraslite.ops.linalg import *  # noqa: F403
from keraslite.ops.logic import *  # noqa: F403
from keraslite.ops.nan import *  # noqa: F403
from keraslite.ops.nn import *  # noqa: F403
from keraslite.ops.quantiles import *  # noqa: F403
from keraslite.ops.rearranging import *  # noqa: F403
from keraslite.ops.reductions import *  # noqa: F403
from keraslite.ops.series import *  # noqa: F403
from keraslite.ops.sets import *  # noqa: F403
from keraslite.ops.shaping import *  # noqa: F403
from keraslite.ops.sorting import *  # noqa: F403
from keraslite.ops.transcendental import *  # noqa: F403
from keraslite.ops.vectorization import *  # noqa: F403
from keraslite.ops.windows import *  # noqa: F403
