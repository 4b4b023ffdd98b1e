"""The command ``numact``: what it prints, draws and refuses."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import struct
import subprocess
import sys
from functools import partial
from pathlib import Path
from time import sleep

import numpy as np
import pytest

import numact as na
from numact import _curves
from numact.cli import _expressions, _timing, bench, main, plot

NINE = ["sigmoid", "tanh", "relu", "leaky_relu", "prelu", "elu", "selu", "maxout", "swish"]
SHORT = ["demo", "--no-benchmark", "--no-picture", "--epochs", "2"]


def command(*arguments, code="import sys; from numact.cli import main; sys.exit(main())", **options):
    """Run ``numact`` in a process of its own, where a warning is an error."""
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    call = [sys.executable, "-W", "error", "-c", code, *arguments]
    return subprocess.Popen(
        call, env=environment, text=True, **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
    )


def test_module_and_version():
    result = subprocess.run([sys.executable, "-m", "numact", "--version"], capture_output=True, text=True, check=True)
    assert result.stdout == f"numact {na.__version__}\n"


def test_whole_demo(tmp_path):
    """The defaults: accuracy, table and picture."""
    process = command("demo", cwd=tmp_path)
    out, err = process.communicate(timeout=120)
    assert (process.returncode, err) == (0, "")
    assert "1438 training and 359 test images" in out
    assert len(re.findall(r"^epoch +\d+/20  loss \d", out, re.MULTILINE)) == 20
    accuracy = float(re.search(r"^test accuracy ([\d.]+)% after 20 epochs in [\d.]+ s$", out, re.MULTILINE)[1])
    assert accuracy >= 97

    assert re.search(r"numact on \d+ threads?, NumPy on 1", out)
    rows = [line.split() for line in out.splitlines() if line.endswith("x")]
    assert [row[0] for row in rows] == NINE
    for _, *cells in rows:
        numpy_forward, ours_forward, faster, numpy_backward, ours_backward, _ = (float(c.rstrip("x")) for c in cells)
        assert min(numpy_forward, ours_forward, numpy_backward, ours_backward) > 0
        assert faster == pytest.approx(numpy_forward / ours_forward, rel=0.1, abs=0.06)  # one decimal is shown

    assert out.endswith("picture: numact-demo.png\n")
    assert (tmp_path / "numact-demo.png").read_bytes().startswith(b"\x89PNG")
    assert os.listdir(tmp_path) == ["numact-demo.png"]


@pytest.mark.parametrize("activation", NINE)
def test_every_activation_trains(activation, capsys):
    assert main([*SHORT[:-1], "8", "--quiet", "--activation", activation, "--layers", "48"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert out.count("\n") == 3  # data, network, result
    assert float(re.search(r"test accuracy ([\d.]+)%", out)[1]) > 93


def test_seed_fixes_the_result(capsys):
    def run(*options):
        assert main([*SHORT, *options]) == 0
        return re.sub(r"in [\d.]+ s", "", capsys.readouterr().out)

    assert run("--seed", "3") == run("--seed", "3")
    assert run("--seed", "3") != run("--seed", "4")


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_picture(tmp_path, suffix):
    picture = tmp_path / f"picture.{suffix}"
    picture.write_text("an older one")
    process = command("demo", "--epochs", "1", "--layers", "8", "--no-benchmark", "-o", str(picture))
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    assert out.endswith(f"picture: {picture}\n")
    assert picture.stat().st_size > 10_000


def test_progress_bar_on_a_terminal_only():
    """Everywhere else in these tests stderr is a pipe and stays empty."""
    fcntl, pty, termios = (pytest.importorskip(name) for name in ("fcntl", "pty", "termios"))
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
    for options, bar in ([], True), (["--quiet"], False):
        process = command(*SHORT, *options, stderr=theirs)
        process.communicate(timeout=60)
        assert process.returncode == 0
        os.write(theirs, b"end\n")
        shown = b""
        while not shown.endswith(b"end\r\n"):
            shown += os.read(ours, 10_000)
        assert (b"/2 [" in shown) is bar
    os.close(theirs)
    os.close(ours)


def test_divergence_is_one_line(capsys):
    assert main([*SHORT, "--quiet", "--lr", "1e20"]) == 1
    assert re.fullmatch(
        r"numact demo: the training diverged in epoch 1; try a smaller --lr than 1e\+20\n", capsys.readouterr().err
    )


def test_interrupt():
    process = command("demo", "--epochs", "1000000", "--no-picture")
    while "epoch" not in process.stdout.readline():
        pass
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, "interrupted\n")


@pytest.mark.parametrize(
    ("absent", "options", "message"),
    [
        (["sklearn"], [], "scikit-learn"),
        (["tqdm", "matplotlib"], [], "tqdm and matplotlib"),
        (["sklearn", "matplotlib"], ["--no-picture"], "scikit-learn"),
    ],
)
def test_missing_extra(absent, options, message, capsys, monkeypatch):
    for module in absent:
        monkeypatch.setitem(sys.modules, module, None)
    assert main(["demo", *options]) == 2
    assert capsys.readouterr().err == (
        f"numact demo: needs {message}; install with: python -m pip install 'numact[demo]'\n"
    )


def test_matplotlib_is_not_needed_without_picture(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert main([*SHORT, "--quiet"]) == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--lr", "-0.1"], "argument --lr: must be a number above 0, got '-0.1'"),
        (["--lr", "fast"], "argument --lr: must be a number above 0, got 'fast'"),
        (["--lr", "inf"], "argument --lr: must be a number above 0, got 'inf'"),
        (["--momentum", "1"], "argument --momentum: must be a number from 0 up to, but not including, 1, got '1'"),
        (["--epochs", "0"], "argument --epochs: must be an integer of at least 1, got '0'"),
        (["--epochs", "1.5"], "argument --epochs: must be an integer of at least 1, got '1.5'"),
        (["--batch-size", "-3"], "argument --batch-size: must be an integer of at least 1, got '-3'"),
        (["--seed", "-1"], "argument --seed: must be an integer of at least 0, got '-1'"),
        (["--layers", "64,,32"], "argument --layers: must be the units of each hidden layer, separated by commas, "
                                 "such as 64,32; got '64,,32'"),
        (["--layers", "a"], "got 'a'"),
        (["--layers", "64,0"], "got '64,0'"),
        (["--activation", "gelu2"], "argument --activation: invalid choice: 'gelu2'"),
        (["-o", "picture.xyz"], "argument -o/--output: must end in .png, .pdf or .svg, got 'picture.xyz'"),
        (["--colour"], "unrecognized arguments: --colour"),
    ],
)  # fmt: skip
def test_wrong_options(options, message, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["demo", *options])
    assert stop.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err.splitlines()[-1]


def test_no_command(capsys):
    with pytest.raises(SystemExit) as stop:
        main([])
    assert stop.value.code == 2
    assert "required: command" in capsys.readouterr().err


def test_unwritable_picture_is_found_before_the_work(tmp_path, capsys):
    (tmp_path / "file").touch()
    (tmp_path / "directory.png").mkdir()
    for path, reason in {
        "missing/a.png": "No such file or directory",
        "file/a.png": "Not a directory",
        "directory.png": "Is a directory",
    }.items():
        for before in (["demo"], ["plot", "relu"], ["bench", "relu"]):
            assert main([*before, "-o", str(tmp_path / path)]) == 2
            out, err = capsys.readouterr()
            assert out == ""
            assert err == f"numact {before[0]}: cannot write {tmp_path / path}: {reason}\n"
    assert sorted(os.listdir(tmp_path)) == ["directory.png", "file"]


def test_example_runs():
    example = Path(__file__).parent.parent / "examples" / "train_digits.py"
    result = subprocess.run([sys.executable, "-W", "error", str(example)], capture_output=True, text=True, timeout=60)
    assert (result.returncode, result.stderr) == (0, "")
    assert float(re.findall(r"test accuracy ([\d.]+)%", result.stdout)[-1]) > 97


def test_list(capsys):
    assert main(["list"]) == 0
    head, rule, *rows = capsys.readouterr().out.split("\n\n")[0].splitlines()
    starts = [0, *(match.end() for match in re.finditer(" +(?=-)", rule))]
    columns = [slice(a, b) for a, b in zip(starts, [*starts[1:], None], strict=True)]
    assert [head[column].strip() for column in columns][:3] == ["activation", "range", "zero-centred"]
    for record, row in zip(na.activations.values(), rows, strict=True):
        name, output_range, centred, saturates, monotonic, single, precise = (row[column].strip() for column in columns)
        assert re.split(r"[(,=)] ?", name)[0] == record.name
        assert all(parameter.name in name for parameter in record.parameters)
        assert [float(end) for end in output_range.split(" ... ")] == pytest.approx(record.output_range, rel=1e-4)
        assert (centred, saturates, monotonic) == (
            "yes" if record.zero_centered else "no", record.saturates, "yes" if record.monotonic else "no"
        )  # fmt: skip
        for cell, tier in (single, "standard"), (precise, "precise"):
            forward, backward = (float(bound) for bound in cell.split(" / "))
            assert forward == record.max_ulp["float32", tier, "forward"]
            assert backward == record.max_ulp["float32", tier, "backward"]


def test_list_as_json(capsys):
    assert main(["list", "--json"]) == 0

    def no_constant(text):
        raise AssertionError(f"{text} is not JSON")

    records = json.loads(capsys.readouterr().out, parse_constant=no_constant)
    assert [each["name"] for each in records] == list(na.activations)
    for each, record in zip(records, na.activations.values(), strict=True):
        assert each["formula"] == record.formula
        assert [end for end in each["output_range"] if end is not None] == [
            end for end in record.output_range if np.isfinite(end)
        ]
        bounds = {(row["dtype"], row["tier"], row["direction"]): row["bound"] for row in each["max_ulp"]}
        assert bounds == record.max_ulp


@pytest.mark.parametrize("name", list(na.activations))
def test_info(name, capsys):
    assert main(["info", name]) == 0
    out = capsys.readouterr().out
    record = na.activations[name]
    text = " ".join(out.split())
    for each in (record.formula, record.derivative, record.source, *(p.name for p in record.parameters)):
        assert " ".join(each.split()) in text
    assert all(len(line) <= 120 for line in out.splitlines())
    assert all(f"{dtype} {tier}" in text for dtype, tier, _ in record.max_ulp)


@pytest.mark.parametrize("command", ["info", "plot"])
@pytest.mark.parametrize(
    ("name", "message"),
    [("sigmiod", "unknown activation 'sigmiod', did you mean sigmoid"), ("!", "'numact list' shows them all")],
)
def test_unknown_activation(command, name, message, capsys):
    with pytest.raises(SystemExit) as stop:
        main([command, name])
    assert stop.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err.splitlines()[-1]


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_plot(tmp_path, suffix, capsys):
    file = tmp_path / f"picture.{suffix}"
    assert main(["plot", "relu", "tanh", "relu", "-o", str(file)]) == 0
    assert capsys.readouterr().out == f"picture: {file}\n"
    assert file.stat().st_size > 5_000


def test_gallery():
    """All activations: a panel each, rendered without a warning, nothing drawn across a jump."""
    from matplotlib.figure import Figure

    figure = Figure(layout="constrained")
    plot.fill(figure, list(na.activations))
    figure.draw_without_rendering()
    assert len(figure.axes) == len(na.activations)
    for axes, record in zip(figure.axes, na.activations.values(), strict=True):
        assert axes.get_title().startswith(f"{record.name}\n$")
        for line in axes.lines[-2:]:
            x, y = line.get_data()
            assert np.isfinite(y).sum() > 700
            steep = np.abs(np.diff(y)) > 100 * np.diff(x) + 1e-6
            assert not steep.any(), f"{record.name}: a line of slope above 100 at {x[:-1][steep]}"


def test_kinks_are_found():
    found = {name: _curves.kinks(na.activations[name], na) for name in ("relu", "leaky_relu", "prelu", "selu", "elu")}
    assert found == {"relu": [0], "leaky_relu": [0], "prelu": [0], "selu": [0], "elu": []}
    assert _curves.kinks(na.activations["tanh"], na) == []
    x = np.linspace(-5, 5, 1001)
    assert _curves.jumps(lambda x: np.where(x > 1.25, x, 0.0) + (x >= -3), x) == [-3, 1.25]


def test_pictures_need_no_backend(tmp_path, monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "module://not_installed")
    process = command("plot", "relu", "-o", "relu.svg", cwd=tmp_path)
    assert process.communicate(timeout=60) == ("picture: relu.svg\n", "")
    assert process.returncode == 0


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device of Linux")
def test_output_that_cannot_be_written():
    with open("/dev/full", "w") as full:
        process = command("list", stdout=full)
        assert process.communicate(timeout=60)[1] == "numact list: No space left on device\n"
    assert process.returncode == 1


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device of Linux")
def test_a_file_that_cannot_be_written_leaves_the_output():
    call = [sys.executable, "-m", "numact", "bench", "relu", "--size", "64", "--seconds", "0.001", "--csv", "/dev/full"]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONUNBUFFERED"}
    run = subprocess.run(call, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert run.returncode == 1
    assert run.stderr == "numact bench: No space left on device\n"
    assert "relu" in run.stdout


@pytest.mark.parametrize("backend", ["agg", "tkagg", "module://not_installed"])
def test_plot_without_display(backend, tmp_path):
    environment = {key: value for key, value in os.environ.items() if key not in ("DISPLAY", "WAYLAND_DISPLAY")}
    call = [sys.executable, "-m", "numact", "plot", "relu"]
    environment["MPLBACKEND"] = backend
    result = subprocess.run(call, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == ("numact plot: there is no display to open a window on; write a picture with -o FILE\n")


def test_plot_shows_a_window(monkeypatch):
    plt = pytest.importorskip("matplotlib.pyplot")
    shown = []
    plt.switch_backend("agg")
    plt.close(plt.figure())
    monkeypatch.setattr("matplotlib.backends.backend_agg.FigureCanvasAgg.required_interactive_framework", "any")
    monkeypatch.setattr(plt, "show", lambda: shown.append(len(plt.gcf().axes)))
    assert main(["plot", "relu", "tanh"]) == 0
    plt.close("all")
    assert shown == [2]


def test_plot_without_matplotlib(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert main(["plot", "relu"]) == 2
    assert capsys.readouterr().err == (
        "numact plot: needs matplotlib; install with: python -m pip install 'numact[plot]'\n"
    )


def test_list_needs_numpy_alone():
    code = "import sys; from numact.cli import main; main(['list']); assert 'matplotlib' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_every_activation_has_an_expression():
    assert set(_expressions.EXPRESSIONS) == set(na.activations)
    for name, record in na.activations.items():
        for direction in _expressions.DIRECTIONS:
            function, plain = (getattr(each, direction) for each in (record, _expressions.EXPRESSIONS[name]))
            assert (function is None) == (plain is None), f"{name}, {direction}"


@pytest.mark.parametrize("dtype", bench.DTYPES)
@pytest.mark.parametrize("name", list(na.activations))
def test_expression_agrees(name, dtype):
    dtype = bench.dtype_of(dtype)
    for direction in _expressions.directions(name):
        for elements in (1, 65, 2048):
            operands = _expressions.operands(name, direction, dtype, elements, np.random.default_rng(1))
            pair = _expressions.pair(name, direction, operands)
            ours, theirs = pair.native(), pair.plain()
            assert _expressions.agree(ours, theirs, dtype), f"{direction} of {elements}: {ours}, NumPy gives {theirs}"
            for each, into in zip(_expressions.as_tuple(ours), pair.outputs, strict=True):
                assert each is into or np.ndim(each) == 0


def test_a_wrong_answer_is_noticed():
    y = np.linspace(0, 1, 9, dtype=np.float32)
    assert _expressions.agree((y, y), (y, y + 1e-6), np.float32)
    assert not _expressions.agree((y, y), (y, y + 1e-3), np.float32)
    assert not _expressions.agree(y, y[:8], np.float32)


def test_bench(tmp_path, capsys):
    table, drawn = tmp_path / "bench.csv", tmp_path / "bench.png"
    call = ["bench", "relu", "swiglu", "softmax", "--size", "64,1Ki", "--threads", "1", "--seconds", "0.001"]
    assert main([*call, "--csv", str(table), "-o", str(drawn)]) == 0
    out = capsys.readouterr().out
    assert "1 thread)" in out
    assert out.endswith(f"table: {table}\npicture: {drawn}\n")
    printed = [line.split() for line in out.splitlines() if line.endswith("x") and "mean" not in line]
    functions = ["relu", "relu_backward", "relu_backward_from_output", "swiglu", "swiglu_backward", "softmax"]
    functions += ["softmax_backward", "softmax_backward_from_output"]
    assert [(row[0], row[1]) for row in printed] == [(each, n) for each in functions for n in ("64", "1,024")]
    rows = list(csv.DictReader(table.read_text().splitlines()))
    for row, (_, _, *times, ratio) in zip(rows, printed, strict=True):
        minimum, median, numpy_minimum, numpy_median = (float(time) for time in times)
        assert 0 < minimum <= median
        assert 0 < numpy_minimum <= numpy_median
        assert float(row["ratio"]) == pytest.approx(float(ratio.rstrip("x")), abs=0.051)
        assert float(row["numpy_minimum_ns"]) / float(row["numact_minimum_ns"]) == pytest.approx(float(row["ratio"]))
    mean = np.exp(np.mean([np.log(float(row["ratio"])) for row in rows]))
    assert f"geometric mean of 16 ratios: {mean:.2f}x\n" in out
    assert drawn.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--size", "1k"], "must be a number of elements such as 1000, 8Ki or 1Mi, got '1k'"),
        (["--size", "64,0"], "must be a number of elements such as 1000, 8Ki or 1Mi, got '0'"),
        (["--seconds", "nan"], "must be a number of seconds above 0, got 'nan'"),
        (["--threads", "0"], "must be an integer of at least 1, got '0'"),
        (["--dtype", "int8"], "choose from"),
        (["relo"], "unknown activation 'relo', did you mean relu"),
    ],
)
def test_bench_refuses(arguments, message, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["bench", *arguments])
    assert stop.value.code == 2
    assert message in capsys.readouterr().err.splitlines()[-1]


def test_bench_without_bfloat16(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "ml_dtypes", None)
    assert main(["bench", "relu", "--dtype", "bfloat16"]) == 2
    assert capsys.readouterr().err == (
        "numact bench: needs ml_dtypes; install with: python -m pip install 'numact[bf16]'\n"
    )


def test_bench_tells_a_disagreement(capsys, monkeypatch):
    wrong = _expressions.Expression(np.abs, np.multiply, np.multiply)
    monkeypatch.setitem(_expressions.EXPRESSIONS, "relu", wrong)
    assert main(["bench", "relu"]) == 1
    assert capsys.readouterr().err == "numact bench: numact and NumPy disagree on relu, forward; please report this\n"


def test_interleaved():
    calls = []
    times = _timing.interleaved({"slow": lambda: (calls.append("slow"), sleep(0.002)), "fast": int}, 0.01, least=3)
    assert list(times) == ["slow", "fast"]
    assert 0.002 <= times["slow"].minimum <= times["slow"].median < 0.1
    assert 0 < times["fast"].minimum <= times["fast"].median < 1e-4
    assert len(calls) >= 7


def test_interleaved_takes_turns_in_several_orders():
    calls = []

    def once(name):
        calls.append(name)
        sleep(0.001)

    _timing.interleaved({name: partial(once, name) for name in "abc"}, 0.001, least=12)
    turns = calls[6:]  # after the first call of each and its timing; two of each in every turn
    orders = {tuple(turns[i : i + 6 : 2]) for i in range(0, len(turns), 6)}
    assert len(orders) > 1
    assert all(sorted(each) == ["a", "b", "c"] for each in orders)
