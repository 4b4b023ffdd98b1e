"""Runs the experiments of the lecture: prints what they found, and writes figures, results.json and the page."""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import os
import signal
import sys
import textwrap
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from pathlib import Path
from typing import Any

from tqdm import tqdm

from .common import Setting, run

NAMES = [
    "sigmoid_gradients", "zero_centred", "cost_of_exp", "tanh_saturates", "relu_convergence", "dead_relus",
    "leaky_and_prelu", "elu", "selu_depth", "maxout", "swish_depth", "ranking", "preprocessing", "initialisation",
    "batch_norm", "transfer",
]  # fmt: skip
LONGEST = ("ranking", "selu_depth", "swish_depth", "batch_norm")  # begun first
RESULTS = "results.json"


def finish(name: str, result: dict[str, Any], out: Path) -> None:
    """Print what an experiment found, and add it to the results in `out`."""
    lines = [f"\n{result['title']} ({result['seconds']:.0f} s)"]
    for each in result["findings"]:
        lines.append(
            textwrap.fill(f"{verdict(each)}: {each['claim']}", 100, initial_indent="  ", subsequent_indent="    ")
        )
        lines.append(textwrap.fill(each["measured"], 100, initial_indent="    ", subsequent_indent="    "))
    tqdm.write("\n".join(lines))
    file = out / RESULTS
    results = json.loads(file.read_text()) if file.exists() else {}
    results[name] = result
    file.write_text(json.dumps({key: results[key] for key in NAMES if key in results}, indent=1) + "\n")


def run_all(names: Sequence[str], setting: Setting, out: Path, jobs: int) -> None:
    """The experiments side by side; what measures times runs alone."""
    quiet = replace(setting, progress=False)
    with tqdm(total=len(names), unit="experiment", disable=not setting.progress) as bar:

        def done(name: str, result: dict[str, Any]) -> None:
            finish(name, result, out)
            bar.update()

        alone = [name for name in names if jobs == 1 or name == "cost_of_exp"]
        for name in alone:
            done(name, run(name, setting if jobs == 1 else quiet, out))
        rest = sorted((name for name in names if name not in alone), key=lambda name: name not in LONGEST)
        if rest:
            # Ctrl-C reaches all processes of a terminal; this one then ends the others.
            context = multiprocessing.get_context("spawn")
            with ProcessPoolExecutor(jobs, context, signal.signal, (signal.SIGINT, signal.SIG_IGN)) as pool:
                try:
                    running = {pool.submit(run, name, quiet, out): name for name in rest}
                    for each in as_completed(running):
                        done(running[each], each.result())
                except BaseException:
                    for worker in multiprocessing.active_children():
                        worker.terminate()
                    raise


def verdict(finding: dict[str, Any]) -> str:
    return "holds" if finding["held"] else "does not hold"


def table(results: dict[str, Any], name: str, figures: str) -> str:
    """The part of the page that one experiment fills: figure and findings."""
    rows = "\n".join(
        f"| {each['claim']} | {each['measured']} | {verdict(each)} |" for each in results[name]["findings"]
    )
    return f"![{results[name]['title']}]({figures}/{name}.png)\n\n| claim | measured | here it |\n|---|---|---|\n{rows}"


def fill_page(page: Path, results: dict[str, Any]) -> None:
    """Put figures and findings between the markers of the page; nothing else of it changes."""
    text = page.read_text()
    parts = {name: table(results, name, page.stem) for name in results}
    held = [each["held"] for result in results.values() for each in result["findings"]]
    seeds = {result["seeds"] for result in results.values()}
    parts["summary"] = (
        f"{sum(held)} of {len(held)} claims hold here. {' or '.join(map(str, sorted(seeds)))} seeds; "
        f"{sum(result['seconds'] for result in results.values()):.0f} seconds of computing."
    )
    for name, part in parts.items():
        begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
        before, marker, rest = text.partition(begin)
        _, end_marker, after = rest.partition(end)
        if not marker or not end_marker:
            raise ValueError(f"{page} has no markers for {name}: expected {begin!r} and {end!r}")
        text = f"{before}{begin}{part}\n{end}{after}"
    page.write_text(text)


def at_least_one(text: str) -> int:
    if (value := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {value}")
    return value


def above_zero(text: str) -> float:
    if not 0 < (value := float(text)) < math.inf:
        raise argparse.ArgumentTypeError(f"must be a number above 0, got {text}")
    return value


def experiment(text: str) -> str:
    if text not in NAMES:
        raise argparse.ArgumentTypeError(f"unknown experiment {text!r}, expected {', '.join(NAMES)}")
    return text


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m examples.lecture7", description=__doc__, epilog=f"experiments: {', '.join(NAMES)}"
    )
    parser.add_argument("names", nargs="*", type=experiment, metavar="NAME", help="experiments, by default all")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where figures and results.json go")
    parser.add_argument("--seeds", type=at_least_one, default=5, help="repetitions, by default 5")
    parser.add_argument("--effort", type=above_zero, default=1.0, help="less than 1 for a quick look")
    parser.add_argument(
        "--jobs", type=at_least_one, default=os.cpu_count(), help="experiments at once, by default one per CPU"
    )
    parser.add_argument("--page", type=Path, metavar="FILE", help="also put the results of DIR into this page")
    parser.add_argument("--only-page", action="store_true", help="run nothing")
    options = parser.parse_args(arguments)
    if options.page is not None and not options.page.is_file():
        parser.error(f"--page: there is no {options.page}")
    setting = Setting(options.seeds, options.effort)
    options.out.mkdir(parents=True, exist_ok=True)
    names = [] if options.only_page else options.names or NAMES
    try:
        run_all(names, setting, options.out, options.jobs)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except BrokenProcessPool:
        print("a process of an experiment was ended from outside; fewer --jobs take less memory", file=sys.stderr)
        return 1
    if options.page is not None:
        results = json.loads((options.out / RESULTS).read_text())
        fill_page(options.page, results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
