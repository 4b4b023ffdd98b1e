"""Peak memory of softmax and of gradients with a learned parameter: what a call needs beyond its arrays.

Run ``python benchmarks/memory.py [ELEMENTS]``, 100 million by default (1.2 GB of float32).
"""

from __future__ import annotations

import resource
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

import numact as na


def peak() -> float:
    """Peak resident memory of the process in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform == "linux" else 1 << 20)


def main() -> None:
    rows = int(sys.argv[1]) // 1000 if len(sys.argv) > 1 else 100_000
    x, dy, out = (np.full((rows, 1000), -1, np.float32) for _ in range(3))
    slopes = np.full(1000, 0.25, np.float32)
    calls: dict[str, Callable[[], Any]] = {
        "softmax": lambda: na.softmax(x, out=out),
        "softmax, axis 0": lambda: na.softmax(x, axis=0, out=out),
        "softmax of one row": lambda: na.softmax(x.ravel(), out=out.ravel()),
        "softmax_backward": lambda: na.softmax_backward(dy, x, out=out),
        "prelu_backward, one slope": lambda: na.prelu_backward(dy, x, 0.25, out=(out, None)),
        "prelu_backward, a slope per channel": lambda: na.prelu_backward(dy, x, slopes, out=(out, None)),
        "swish_backward": lambda: na.swish_backward(dy, x, 1.0, out=(out, None)),
    }
    print(f"{x.size:,} elements of float32, {x.nbytes / 1e6:.0f} MB an array")
    for name, call in calls.items():
        before = peak()
        call()
        print(f"{name:38} {peak() - before:6.1f} MB more than its arrays")


if __name__ == "__main__":
    main()
