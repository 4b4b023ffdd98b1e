"""Types of scalar arguments: Python's and NumPy's. Integers are ``typing.SupportsIndex``."""

from __future__ import annotations

from typing import Any

import numpy as np

Real = float | np.floating[Any] | np.integer[Any]
