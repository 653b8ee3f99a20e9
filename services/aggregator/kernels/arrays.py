"""The types of the arrays that the fold, the plan and the kernels hand to each other."""

import numpy as np
from numpy.typing import NDArray

Wafers = NDArray[np.int64]
Flags = NDArray[np.bool_]
Index = NDArray[np.int64]  # of numbers: days, rows, keys, series, groups
Daily = NDArray[np.int32] | NDArray[np.int64]  # wafers on single days, in the narrower type where they fit
