"""Every experiment of the lecture runs, in a tiny setting; the page has a place for each."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from examples.lecture7 import __main__ as command
from examples.lecture7.common import Finding, Setting

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "lecture7.md"
TINY = Setting(seeds=1, effort=0.05, progress=False)


@pytest.mark.parametrize("name", command.NAMES)
def test_experiment(name, tmp_path):
    result = command.run(name, TINY, tmp_path)
    assert (tmp_path / f"{name}.png").stat().st_size > 5_000
    assert result["title"]
    for finding in result["findings"]:
        assert isinstance(Finding(**finding).held, bool)
        assert finding["claim"].endswith(".")
        assert finding["measured"].endswith(".")


def test_same_seed_same_numbers(tmp_path):
    first, second = (command.run("maxout", TINY, tmp_path)["findings"] for _ in range(2))
    assert first == second


def test_results_and_page(tmp_path, capsys):
    command.main(["tanh_saturates", "--seeds", "1", "--effort", "0.05", "--jobs", "1", "--out", str(tmp_path)])
    assert "holds: tanh is zero-centred." in capsys.readouterr().out
    results = json.loads((tmp_path / "results.json").read_text())
    page = tmp_path / "page.md"
    markers = "<!-- {0} -->\nstale\n<!-- end of {0} -->\n"
    page.write_text("before " + markers.format("summary") + markers.format("tanh_saturates"))
    command.fill_page(page, results)
    text = page.read_text()
    assert "stale" not in text
    assert "![tanh is zero-centred and still saturates](page/tanh_saturates.png)" in text
    assert "2 of 2 claims hold here." in text
    with pytest.raises(ValueError, match="no markers for maxout"):
        command.fill_page(page, {"maxout": results["tanh_saturates"]})


def test_several_processes(tmp_path):
    """As the command line starts them."""
    options = ["--jobs", "2", "--seeds", "1", "--effort", "0.05", "--out", str(tmp_path)]
    run = subprocess.run(
        [sys.executable, "-m", "examples.lecture7", "tanh_saturates", "maxout", *options],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert "Warning" not in run.stderr
    assert list(json.loads((tmp_path / "results.json").read_text())) == ["tanh_saturates", "maxout"]


def test_the_page_is_what_the_command_wrote():
    """Its tables and figures are those of the results kept beside it."""
    folder = PAGE.with_suffix("")
    results = json.loads((folder / "results.json").read_text())
    assert list(results) == command.NAMES
    text = PAGE.read_text()
    for name in command.NAMES:
        assert command.table(results, name, folder.name) in text
        assert (folder / f"{name}.png").exists()
    assert sum(each.stat().st_size for each in folder.iterdir()) < 1_000_000


def test_smaller_settings():
    assert Setting(effort=1).some([1, 2, 3]) == [1, 2, 3]
    assert Setting(effort=0.1).some([1, 2, 3]) == [1, 3]
    assert Setting(effort=0.1).some([1]) == [1]
    assert Setting(effort=0.01).epochs(20) == 1
