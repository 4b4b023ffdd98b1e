"""The functions of numact with float32 evaluated in double arithmetic without fused operations.

At most 0.75 ulp forward and backward, and the same bits on every CPU and ISA level; parameters are cast to float64.
float16, bfloat16 and float64 are those of ``numact`` itself.
"""

from __future__ import annotations

from . import _build
from ._runtime import isa

_, _functions = _build.make(isa(), True, "numact.precise")
globals().update(_functions)

__all__ = [*_functions]


def __dir__() -> list[str]:
    return __all__
