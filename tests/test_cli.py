"""The command ``numact``: what it prints, draws and refuses."""

from __future__ import annotations

import os
import re
import signal
import struct
import subprocess
import sys
from pathlib import Path

import pytest

import numact as na
from numact.cli import main

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
        assert faster == pytest.approx(numpy_forward / ours_forward, rel=0.1)

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
        f"numact demo needs {message}; install with: python -m pip install 'numact[demo]'\n"
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


def test_unwritable_picture_is_found_before_training(tmp_path, capsys):
    (tmp_path / "file").touch()
    (tmp_path / "directory.png").mkdir()
    for path, reason in {
        "missing/a.png": "No such file or directory",
        "file/a.png": "Not a directory",
        "directory.png": "Is a directory",
    }.items():
        with pytest.raises(SystemExit) as stop:
            main(["demo", "-o", str(tmp_path / path)])
        assert stop.value.code == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert err.splitlines()[-1].endswith(f"argument -o/--output: cannot write {tmp_path / path}: {reason}")
    assert sorted(os.listdir(tmp_path)) == ["directory.png", "file"]


def test_example_runs():
    example = Path(__file__).parent.parent / "examples" / "train_digits.py"
    result = subprocess.run([sys.executable, "-W", "error", str(example)], capture_output=True, text=True, timeout=60)
    assert (result.returncode, result.stderr) == (0, "")
    assert float(re.findall(r"test accuracy ([\d.]+)%", result.stdout)[-1]) > 97
