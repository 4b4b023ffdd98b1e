"""Threads, instruction sets and build configuration.

This module imports the native module, so that its OpenMP runtime is loaded under the conditions it needs; the rest of
the package imports the native module after it.
"""

from __future__ import annotations

import contextlib
import importlib
import operator
import os
import sys
from collections.abc import Iterator
from contextvars import ContextVar, copy_context
from types import ModuleType, TracebackType
from typing import TYPE_CHECKING, Any, Literal, SupportsIndex, overload

import numpy as np

__all__ = [
    "available_isas",
    "get_num_threads",
    "isa",
    "num_threads",
    "set_num_threads",
    "show_config",
]

# How OpenMP's idle threads wait. By default they spin for milliseconds, and whatever runs next on those cores (a matrix
# product of NumPy, which has threads of its own) stalls. OpenMP reads these once, when it is loaded. 100 turns, some
# microseconds, still catch calls that follow one another at once; 300 and more cost a call after a product that time.
_WAITING = {"GOMP_SPINCOUNT": "100", "KMP_BLOCKTIME": "0"}
_RUNTIME_FILES = ("libgomp", "libiomp", "libomp")


def _openmp_runtimes() -> list[str]:
    """Files of the OpenMP runtimes in this process (on Linux; elsewhere nothing is known)."""
    try:
        with open("/proc/self/maps", encoding="utf-8", errors="surrogateescape") as maps:
            paths = {line.rstrip("\n").split(maxsplit=5)[-1] for line in maps if "omp" in line}
    except OSError:
        return []
    return sorted(path for path in paths if os.path.basename(path).startswith(_RUNTIME_FILES))


@contextlib.contextmanager
def _waiting_without_spinning() -> Iterator[None]:
    """Set the environment in which an OpenMP runtime is loaded, unless the user has decided."""
    if any(name in os.environ for name in ("OMP_WAIT_POLICY", *_WAITING)):
        yield
        return
    os.environ.update(_WAITING)
    try:
        yield
    finally:
        for name in _WAITING:
            os.environ.pop(name, None)


def _checked(n: object) -> int:
    """Return n as a number of threads."""
    if isinstance(n, (bool, np.bool_)):
        raise TypeError("the number of threads must be an integer, not bool")
    try:
        threads = operator.index(n)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(f"the number of threads must be an integer, not {type(n).__name__}") from None
    if threads < 1:
        raise ValueError(f"the number of threads must be at least 1, not {threads}")
    return min(threads, 2**31 - 1)


def _load() -> ModuleType:
    """Import the native module and choose its thread backend."""
    loaded_before = _openmp_runtimes()
    with _waiting_without_spinning():
        native = importlib.import_module("numact._native")
        try:
            native._configure_threads(os.environ.get("NUMACT_THREADING", ""), loaded_before)
        except ValueError as error:
            raise ImportError(str(error)) from None
    if text := os.environ.get("NUMACT_NUM_THREADS", ""):
        try:
            native._set_default_threads(_checked(int(text)))
        except ValueError:
            raise ImportError(f"NUMACT_NUM_THREADS={text!r} must be a whole number, at least 1") from None
    native._set_context_variable(_asked_for)
    native._set_error_handling(*_ignoring_errors())
    return native


def _ignoring_errors() -> tuple[ContextVar[Any], object]:
    """NumPy's context variable of ``np.errstate``, and its value where all errors are ignored."""
    before, ignoring = copy_context(), copy_context()
    ignoring.run(np.seterr, all="ignore")
    (variable,) = (each for each in ignoring if ignoring[each] is not before.get(each))
    return variable, ignoring[variable]


# The numbers asked for by the num_threads() blocks around, innermost last.
_asked_for: ContextVar[tuple[int, ...]] = ContextVar("numact.num_threads", default=())
if TYPE_CHECKING:
    from . import _native as _native
else:
    _native = _load()


def set_num_threads(n: SupportsIndex | None) -> None:
    """Set how many threads a call may use, for the whole process.

    The number of CPUs this process may run on and the limit of the OpenMP runtime (``OMP_NUM_THREADS``,
    ``threadpoolctl``) still apply. The environment variable ``NUMACT_NUM_THREADS`` sets the number at import.

    Parameters
    ----------
    n : int or None
        At least 1. None means as many as available.

    Raises
    ------
    TypeError
        If `n` is not an integer.
    ValueError
        If `n` is less than 1.

    See Also
    --------
    num_threads : The same for a block of code.

    Examples
    --------
    >>> import numact as na
    >>> na.set_num_threads(1)
    >>> na.get_num_threads()
    1
    >>> na.set_num_threads(None)
    """
    _native._set_default_threads(0 if n is None else _checked(n))


def get_num_threads() -> int:
    """Return how many threads a call made here and now may use.

    Calls with little work use fewer.

    Returns
    -------
    int
        At least 1.

    Examples
    --------
    >>> import numact as na
    >>> na.get_num_threads() >= 1
    True
    """
    threads: int = _native._available_threads()
    return threads


class num_threads(contextlib.ContextDecorator):
    """Set how many threads the calls within a block may use.

    It holds for the thread or asyncio task that runs the block, and for what that starts and finishes within it; others
    are not affected. The innermost block counts. The limits of `set_num_threads` apply. The object may be used several
    times, within itself too, and as a decorator.

    Parameters
    ----------
    n : int
        At least 1.

    Raises
    ------
    TypeError
        If `n` is not an integer.
    ValueError
        If `n` is less than 1.

    See Also
    --------
    set_num_threads : The same for the whole process.

    Examples
    --------
    >>> import numact as na
    >>> with na.num_threads(1):
    ...     na.get_num_threads()
    1
    """

    def __init__(self, n: SupportsIndex) -> None:
        self._n = _checked(n)

    def __repr__(self) -> str:
        return f"num_threads({self._n})"

    def __enter__(self) -> None:
        _asked_for.set((*_asked_for.get(), self._n))
        _native._override_entered()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        asked_for = _asked_for.get()
        if not asked_for:
            raise RuntimeError(f"{self!r} is left where no num_threads was entered")
        _asked_for.set(asked_for[:-1])
        _native._override_left()


def available_isas() -> tuple[str, ...]:
    """Return the instruction-set levels this CPU can run, the plainest first.

    Returns
    -------
    tuple of str
        Each is a valid value of the environment variable ``NUMACT_ISA``.

    Examples
    --------
    >>> import numact as na
    >>> na.isa() in na.available_isas()
    True
    """
    return tuple(_native.available_isas())


def isa() -> str:
    """Return the instruction-set level in use.

    It is the best one this CPU can run, unless the environment variable ``NUMACT_ISA`` named another at import.

    Returns
    -------
    str

    Examples
    --------
    >>> import numact as na
    >>> na.isa() in na.available_isas()
    True
    """
    return str(_native.isa())


def _version() -> str:
    if _native._version:
        return str(_native._version)
    import importlib.metadata  # slow to import

    try:
        return importlib.metadata.version("numact")
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


@overload
def show_config(mode: Literal["stdout"] = "stdout") -> None: ...
@overload
def show_config(mode: Literal["dicts"]) -> dict[str, Any]: ...
def show_config(mode: Literal["stdout", "dicts"] = "stdout") -> dict[str, Any] | None:
    """Show how numact was built and what it uses in this process.

    Parameters
    ----------
    mode : {"stdout", "dicts"}
        "stdout" prints a readable block, "dicts" returns a dictionary.

    Returns
    -------
    dict or None
        With mode "dicts" these keys: "numact", "numpy", "python" (versions), "isa", "available_isas", "compiler",
        "openmp" (whether it was built in), "openmp_runtime" (its file, or None), "threading" ("openmp", "pool" or
        "serial"), "threading_reason", "num_threads".

    Raises
    ------
    ValueError
        If `mode` is neither.

    Examples
    --------
    >>> import numact as na
    >>> na.show_config("dicts")["threading"] in ("openmp", "pool", "serial")
    True
    """
    if mode not in ("stdout", "dicts"):
        raise ValueError(f"mode must be 'stdout' or 'dicts', not {mode!r}")
    config: dict[str, Any] = {
        "numact": _version(),
        "numpy": np.__version__,
        "python": sys.version.split()[0],
        "isa": isa(),
        "available_isas": available_isas(),
        "compiler": _native._compiler,
        "openmp": _native._openmp_built,
        "openmp_runtime": _native._openmp_runtime() or None,
        "threading": _native._thread_backend(),
        "threading_reason": _native._thread_backend_reason(),
        "num_threads": get_num_threads(),
    }
    if mode == "dicts":
        return config
    rows = {
        "numact": config["numact"],
        "NumPy": config["numpy"],
        "Python": config["python"],
        "instruction set": f"{config['isa']} (of {', '.join(config['available_isas'])})",
        "compiler": config["compiler"],
        "OpenMP": config["openmp_runtime"] or "not built in",
        "threads": config["num_threads"],
        "run by": f"{config['threading']}: {config['threading_reason']}",
    }
    width = max(map(len, rows))
    sys.stdout.writelines(f"{name:<{width}}  {value}\n" for name, value in rows.items())
    return None
