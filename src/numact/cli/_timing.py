"""Times calls against each other: in one process and in turns, so that a disturbance meets all of them."""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import repeat
from time import perf_counter

Call = Callable[[], object]

# A sample lasts at least this long, so that reading the clock (some 50 ns) does not show.
_SAMPLE = 100e-6
# To a call that takes as long, what others left in caches and of threads asleep makes no difference.
_LONG = 10e-3


@dataclass(frozen=True)
class Timing:
    """Seconds of one call: of the fastest sample, and of the middle one."""

    minimum: float
    median: float


def _sample(call: Call, calls: int) -> float:
    """Mean seconds of calls in a row."""
    started = perf_counter()
    for _ in repeat(None, calls):
        call()
    return (perf_counter() - started) / calls


def interleaved(contenders: Mapping[str, Call], seconds: float = 0.2, least: int = 5) -> dict[str, Timing]:
    """Time the contenders for ``seconds`` each on average, with as many samples of each, ``least`` or more.

    They take turns in another order each time, or one would always find the cache as the same other leaves it. Before
    each sample comes a call that is not timed: it finds data and threads as a loop of such calls would.
    """
    durations = {}
    for name, call in contenders.items():
        call()  # compiles, allocates, starts threads
        durations[name] = _sample(call, 1)
        if durations[name] < _SAMPLE:
            durations[name] = min(_sample(call, 10) for _ in range(3))
    calls = {name: math.ceil(_SAMPLE / duration) for name, duration in durations.items()}
    samples: dict[str, list[float]] = {name: [] for name in contenders}
    end = perf_counter() + seconds * len(contenders)
    rounds = 0
    turns, order = list(contenders), random.Random(0)
    while rounds < least or perf_counter() < end:
        order.shuffle(turns)
        for name in turns:
            call = contenders[name]
            if durations[name] < _LONG:
                call()
            samples[name].append(_sample(call, calls[name]))
        rounds += 1
    return {name: Timing(min(times), statistics.median(times)) for name, times in samples.items()}
