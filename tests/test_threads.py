"""Threads: every backend gives the same results, and numact lives well with its neighbours in a process."""

import asyncio
import contextvars
import os
import platform
import subprocess
import sys
import textwrap
import threading

import numpy as np
import pytest

import numact as na

BACKENDS = ["openmp", "pool", "serial"] if na.show_config("dicts")["openmp"] else ["pool", "serial"]
SETTINGS = ("NUMACT_", "OMP_", "GOMP_", "KMP_")

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="Linux only")
needs_openmp = pytest.mark.skipif("openmp" not in BACKENDS, reason="built without OpenMP")

# Pretending lets a machine with one or two cores run the code of four.
PRELUDE = """
import os, sys, threading
import numpy as np
import numact as na
from numact import _native
_native._pretend_cpus(4)
x = np.random.default_rng(1).normal(scale=4, size=(1 << 21) + 7).astype(np.float32)
"""


def process(code, *, prelude=PRELUDE, check=True, **environment):
    """Run code in a fresh interpreter whose thread settings are those given and no others."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(SETTINGS)}
    result = subprocess.run(
        [sys.executable, "-c", prelude + textwrap.dedent(code)],
        env={**clean, "OMP_NUM_THREADS": "4", **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )
    if check:
        assert result.returncode == 0, result.stderr
    return result


@pytest.fixture(autouse=True)
def default_threads():
    before = na.get_num_threads()
    yield
    na.set_num_threads(None)
    assert na.get_num_threads() == before


# The team itself


@pytest.mark.parametrize("backend", BACKENDS)
def test_every_chunk_runs_exactly_once(backend):
    process(
        """
        for chunks in (0, 1, 2, 3, 64, 1001):
            for threads in (1, 2, 3, 8):
                runs, who, _ = _native._run_chunks(chunks, threads)
                assert runs == [1] * chunks
                assert len(who) <= min(threads, chunks)
        """,
        NUMACT_THREADING=backend,
    )


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_team_takes_part(backend):
    process(
        f"""
        _, who, _ = _native._run_chunks(100, 3, 2000)
        assert len(who) == (1 if {backend!r} == "serial" else 3)
        """,
        NUMACT_THREADING=backend,
    )


@pytest.mark.parametrize("backend", BACKENDS)
def test_results_do_not_depend_on_the_number_of_threads(backend):
    process(
        f"""
        for f in (na.elu, na.relu):
            expected = None
            for n in (1, 2, 3, 4):
                na.set_num_threads(n)
                assert na.get_num_threads() == (1 if {backend!r} == "serial" else n)
                for part in (x, x[1:], x[::-1], x[::3]):
                    assert f(part).tobytes() == np.concatenate([f(p) for p in np.array_split(part, 501)]).tobytes()
                expected = f(x).tobytes() if expected is None else expected
                assert f(x).tobytes() == expected
        """,
        NUMACT_THREADING=backend,
    )


@pytest.mark.parametrize("backend", BACKENDS)
def test_python_threads_at_once(backend):
    process(
        """
        expected = na.elu(x)
        wrong = []
        def call():
            y = np.empty_like(x)
            for _ in range(15):
                y.fill(np.nan)
                na.elu(x, out=y)
                if y.tobytes() != expected.tobytes():
                    wrong.append(1)
        callers = [threading.Thread(target=call) for _ in range(6)]
        for t in callers: t.start()
        for t in callers: t.join()
        assert not wrong
        """,
        NUMACT_THREADING=backend,
    )


@needs_linux
@pytest.mark.parametrize("backend", BACKENDS)
def test_threads_are_started_when_there_is_work_and_only_then(backend):
    process(
        f"""
        def count():
            return len(os.listdir("/proc/self/task"))
        before = count()
        na.elu(x[:1000])
        with na.num_threads(1):
            na.elu(x)
        assert count() == before
        na.elu(np.concatenate([x] * 4))
        assert count() == before + (0 if {backend!r} == "serial" else 3)
        """,
        NUMACT_THREADING=backend,
    )


# Each gives up the GIL and asks for it again by itself.
GIVING_UP_THE_GIL = {
    "elementwise": "na.elu(x)",
    "with threads of its own": "with na.num_threads(2): na.elu(x)",
    "rows": "na.softmax(x.reshape(-1, 1))",
    "maxout": "na.maxout(x.reshape(-1, 1))",
    "parameter gradients": "na.prelu_backward(x, x, np.float32(0.25))",
    "statistics": "na.activation_stats(x)",
    "SGD": "na.sgd_step(x.copy(), x, lr=0.1)",
    "list of parameters": "optimizer.step([x])",
    "loss": "nn.binary_cross_entropy_with_logits(x, np.zeros_like(x))",
}


@pytest.mark.parametrize(
    ("backend", "call"),
    [*((backend, "elementwise") for backend in BACKENDS), *(("serial", call) for call in GIVING_UP_THE_GIL)],
)
def test_exit_while_a_daemon_thread_computes(backend, call):
    process(
        f"""
        from numact import nn
        optimizer = na.SGD([x.copy()], lr=0.1)
        def forever():
            while True:
                {GIVING_UP_THE_GIL[call]}
        threading.Thread(target=forever, daemon=True).start()
        for _ in range(3):
            na.elu(x)
        """,
        NUMACT_THREADING=backend,
    )


# Fork


@needs_fork
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("backend", BACKENDS)
def test_fork_after_a_parallel_call(backend):
    process(
        f"""
        import warnings
        warnings.simplefilter("ignore", DeprecationWarning)
        expected = na.elu(x).tobytes()
        def grow(generations):
            child = os.fork()
            if child == 0:
                good = na.elu(x).tobytes() == expected
                good &= len(_native._run_chunks(50, 3, 1000)[1]) == (1 if {backend!r} == "serial" else 3)
                config = na.show_config("dicts")
                good &= config["threading"] == ("serial" if {backend!r} == "serial" else "pool")
                good &= ("forked" in config["threading_reason"]) == ({backend!r} == "openmp")
                if generations > 1:
                    good &= grow(generations - 1)
                os._exit(0 if good else 1)
            return os.waitpid(child, 0)[1] == 0
        assert grow(2)
        assert na.elu(x).tobytes() == expected
        assert na.show_config("dicts")["threading"] == {backend!r}
        """,
        NUMACT_THREADING=backend,
    )


@needs_fork
@pytest.mark.parametrize("backend", BACKENDS)
def test_fork_while_another_thread_computes(backend):
    process(
        """
        import warnings
        warnings.simplefilter("ignore", DeprecationWarning)
        expected = na.elu(x).tobytes()
        stop = False
        def busy():
            while not stop:
                na.elu(x)
        t = threading.Thread(target=busy)
        t.start()
        for _ in range(10):
            child = os.fork()
            if child == 0:
                os._exit(0 if na.elu(x).tobytes() == expected else 1)
            assert os.waitpid(child, 0)[1] == 0
        stop = True
        t.join()
        """,
        NUMACT_THREADING=backend,
    )


# The floating-point environment

FLUSH = """
import ctypes, ctypes.util, struct
libm = ctypes.CDLL(ctypes.util.find_library("m"))
offset, mask = {offset}, {mask}
def control():
    environment = ctypes.create_string_buffer(64)
    libm.fegetenv(environment)
    return environment
def flushing():
    return bool(struct.unpack_from("I", control(), offset)[0] & mask)
def flush(on):
    environment = control()
    word, = struct.unpack_from("I", environment, offset)
    struct.pack_into("I", environment, offset, word | mask if on else word & ~mask)
    libm.fesetenv(environment)
""".format(**({"offset": 28, "mask": 0x8040} if platform.machine() == "x86_64" else {"offset": 0, "mask": 1 << 24}))


@needs_linux
@pytest.mark.parametrize("backend", BACKENDS)
def test_flush_to_zero_of_others(backend):
    process(
        """
        tiny = np.full(1 << 21, -1e-40, np.float32)
        expected = na.elu(tiny).tobytes()
        flush(True)
        assert flushing()
        _, _, subnormals_kept = _native._run_chunks(100, 4, 500)
        assert subnormals_kept
        assert na.elu(tiny).tobytes() == na.elu(tiny[::2]).tobytes() * 2 == expected
        assert flushing()
        flush(False)
        assert na.elu(tiny).tobytes() == expected
        """,
        prelude=PRELUDE + FLUSH,
        NUMACT_THREADING=backend,
    )


@needs_linux
@pytest.mark.parametrize("backend", BACKENDS)
def test_team_created_under_flush_to_zero(backend):
    process(
        """
        flush(True)
        _native._run_chunks(100, 4, 500)
        flush(False)
        _, _, subnormals_kept = _native._run_chunks(100, 4, 500)
        assert subnormals_kept
        """,
        prelude=PRELUDE + FLUSH,
        NUMACT_THREADING=backend,
    )


@pytest.mark.parametrize("backend", BACKENDS)
def test_no_floating_point_warnings(backend):
    process(
        """
        x[::1000] = np.nan
        x[1::1000] = -np.inf
        x[2::1000] = 3e38
        with np.errstate(all="raise"):
            na.elu(x)
        """,
        NUMACT_THREADING=backend,
    )


# The number of threads


def test_process_default():
    available = na.get_num_threads()
    na.set_num_threads(1)
    assert na.get_num_threads() == 1
    na.set_num_threads(np.int64(10**12))
    assert na.get_num_threads() == available


def test_a_block_that_was_not_entered():
    with pytest.raises(RuntimeError, match=r"num_threads\(1\) is left where no num_threads was entered"):
        na.num_threads(1).__exit__(None, None, None)
    with na.num_threads(1):
        assert na.get_num_threads() == 1


@pytest.mark.parametrize("set_threads", [na.set_num_threads, na.num_threads])
@pytest.mark.parametrize("wrong", [0, -1, np.int64(0)])
def test_too_few_threads(set_threads, wrong):
    with pytest.raises(ValueError, match=f"at least 1, not {wrong}"):
        set_threads(wrong)


@pytest.mark.parametrize("set_threads", [na.set_num_threads, na.num_threads])
@pytest.mark.parametrize("wrong", [1.0, "2", True, np.True_, [1]])
def test_threads_of_wrong_type(set_threads, wrong):
    with pytest.raises(TypeError, match="must be an integer, not "):
        set_threads(wrong)


def test_num_threads_none_is_for_the_process_only():
    with pytest.raises(TypeError):
        na.num_threads(None)


@pytest.fixture
def four_cpus():
    """Believe in four CPUs; returns how many threads can then be asked for."""
    na._runtime._native._pretend_cpus(4)
    yield na.get_num_threads()
    na._runtime._native._pretend_cpus(0)


def test_block(four_cpus):
    most = four_cpus
    with na.num_threads(1):
        assert na.get_num_threads() == 1
        with na.num_threads(2):
            assert na.get_num_threads() == min(2, most)
        assert na.get_num_threads() == 1
        na.set_num_threads(2)
        assert na.get_num_threads() == 1
    assert na.get_num_threads() == min(2, most)


def test_block_ends_with_an_exception():
    before = na.get_num_threads()
    with pytest.raises(KeyError), na.num_threads(1):
        raise KeyError
    assert na.get_num_threads() == before


def test_block_is_reusable_and_a_decorator():
    before = na.get_num_threads()
    one = na.num_threads(1)
    with one, one:
        assert na.get_num_threads() == 1
    assert na.get_num_threads() == before
    assert one(na.get_num_threads)() == 1
    assert na.get_num_threads() == before
    assert repr(one) == "num_threads(1)"


def test_block_does_not_reach_other_threads():
    before, seen = na.get_num_threads(), []
    with na.num_threads(1):
        # An empty context: some builds of Python hand a copy of the caller's to a new thread.
        other = threading.Thread(target=lambda: contextvars.Context().run(lambda: seen.append(na.get_num_threads())))
        other.start()
        other.join()
    assert seen == [before]


def test_block_in_asyncio_tasks():
    async def limited(inside, outside):
        with na.num_threads(1):
            inside.set()
            await outside.wait()
            assert na.get_num_threads() == 1
            assert await asyncio.to_thread(na.get_num_threads) == 1

    async def free(inside, outside):
        await inside.wait()
        seen = na.get_num_threads()
        outside.set()
        return seen

    async def both():
        inside, outside = asyncio.Event(), asyncio.Event()
        _, seen = await asyncio.gather(limited(inside, outside), free(inside, outside))
        return seen

    before = na.get_num_threads()
    assert asyncio.run(both()) == before


@pytest.mark.parametrize("backend", ["openmp", "pool"])
def test_limits_of_the_environment(backend):
    if backend not in BACKENDS:
        pytest.skip("built without OpenMP")
    report = "print(na.get_num_threads())"
    assert process(report, NUMACT_THREADING=backend).stdout == "4\n"
    assert process(report, NUMACT_THREADING=backend, OMP_NUM_THREADS="1").stdout == "1\n"
    assert process(report, NUMACT_THREADING=backend, OMP_NUM_THREADS="2,1").stdout == "2\n"
    assert process(report, NUMACT_THREADING=backend, NUMACT_NUM_THREADS="3").stdout == "3\n"
    assert process(report, NUMACT_THREADING=backend, NUMACT_NUM_THREADS="3", OMP_NUM_THREADS="2").stdout == "2\n"


@needs_linux
def test_cpu_affinity():
    process(
        """
        _native._pretend_cpus(0)
        cpus = os.sched_getaffinity(0)
        assert na.get_num_threads() == min(len(cpus), 4)
        os.sched_setaffinity(0, {min(cpus)})
        assert na.get_num_threads() == 1
        os.sched_setaffinity(0, cpus)
        assert na.get_num_threads() == min(len(cpus), 4)
        """,
        NUMACT_THREADING="pool",
    )


@pytest.mark.parametrize("wrong", ["0", "-2", "two", "1.5"])
def test_wrong_number_in_the_environment(wrong):
    result = process("", check=False, NUMACT_NUM_THREADS=wrong)
    assert f"ImportError: NUMACT_NUM_THREADS={wrong!r} must be a whole number, at least 1" in result.stderr


@needs_openmp
def test_threadpoolctl():
    threadpoolctl = pytest.importorskip("threadpoolctl")
    with threadpoolctl.threadpool_limits(1, user_api="openmp"):
        assert na.get_num_threads() == 1
    files = [os.path.realpath(pool["filepath"]) for pool in threadpoolctl.threadpool_info()]
    assert na.show_config("dicts")["openmp_runtime"] in files


# The choice of a backend


def test_forced_backend():
    for backend in BACKENDS:
        code = f"c = na.show_config('dicts'); assert c['threading'] == {backend!r}; print(c['threading_reason'])"
        assert "NUMACT_THREADING" in process(code, NUMACT_THREADING=backend).stdout


def test_unknown_backend():
    result = process("", check=False, NUMACT_THREADING="fast")
    assert "ImportError: NUMACT_THREADING='fast' is not one of" in result.stderr
    assert all(repr(backend) in result.stderr for backend in BACKENDS)


def test_openmp_where_it_is_not_built_in():
    if "openmp" in BACKENDS:
        pytest.skip("built with OpenMP")
    assert "built without OpenMP" in process("", check=False, NUMACT_THREADING="openmp").stderr


@needs_openmp
def test_own_openmp_runtime_is_used():
    assert process("print(na.show_config('dicts')['threading'])").stdout == "openmp\n"


@needs_linux
@needs_openmp
def test_openmp_runtime_of_somebody_else_is_not():
    runtime = na.show_config("dicts")["openmp_runtime"]
    before = f"import ctypes\nctypes.CDLL({runtime!r}, ctypes.RTLD_GLOBAL)\n"
    code = "c = na.show_config('dicts'); print(c['threading'], c['threading_reason'])"
    assert process(code, prelude=before + PRELUDE).stdout.startswith("pool another library loaded its OpenMP runtime")


@pytest.mark.parametrize("setting", [{}, {"OMP_WAIT_POLICY": "active"}, {"GOMP_SPINCOUNT": "7"}])
def test_import_leaves_the_environment_alone(setting):
    prelude = "import os\nbefore = dict(os.environ)\n"
    process("import numact\nassert dict(os.environ) == before", prelude=prelude, **setting)


# Reports


def test_show_config(capsys):
    config = na.show_config("dicts")
    assert config["threading"] in BACKENDS
    assert config["isa"] == na.isa() in na.available_isas() == config["available_isas"]
    assert config["num_threads"] == na.get_num_threads()
    assert config["numpy"] == np.__version__
    assert na.show_config() is None
    text = capsys.readouterr().out
    for value in (config["isa"], config["compiler"], config["threading"], config["threading_reason"]):
        assert value in text
    with pytest.raises(ValueError, match="'stdout' or 'dicts', not 'yaml'"):
        na.show_config("yaml")


def test_threads_with_small_stacks():
    """128 KiB, what a thread has by default where it has the least."""
    code = """
import threading
import numpy as np
import numact as na
from numact import precise

def run():
    x = np.random.default_rng(0).normal(size=(300, 200))
    for a in (x, x.T, x[::2, ::3], x.astype(np.float32), x.T.astype(np.float32), x.astype(np.float16)):
        c = np.ascontiguousarray(a)
        for function in (na.gelu, na.softmax, precise.softmax, na.crelu, na.activation_stats):
            function(a)
        for axis in (0, 1):
            na.softmax(a, axis=axis), na.softmax_backward(a, c, axis=axis), na.activation_stats(a, axis)
            na.log_softmax_backward_from_output(a, c, axis=axis)
        na.silu_backward(a, c), na.geglu_backward(a, a, c), na.swish_backward(a, c, np.ones(a.shape[1]))
        na.prelu_backward(a, a, 0.25), na.maxout(a[:20], axis=0), na.leaky_relu(a, np.full(a.shape[1], 0.1))
    done.append(True)

done = []
threading.stack_size(1 << 17)
with na.num_threads(1):
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
assert done
"""
    subprocess.run([sys.executable, "-c", code], check=True)
