"""Which kernel loops of a compiled ISA level are vectorised, and which symbols could leak between levels.

Run ``python tools/inspect_level.py OBJECT LEVEL`` on an object file of ``cpp/levels/level.cpp``. The vector loops are
the functions marked noinline: each is read as machine code and must hold packed arithmetic of the level's full width
and no call but of another of them. Needs binutils; OBJDUMP and NM name those of another processor.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from pathlib import Path

# Packed arithmetic, comparison, shifting or blending on the widest registers of the level.
_X86 = (
    r"\bv?(?:add|sub|mul|div|min|max|cmp\w*|andn?|or|xor|fn?m\w*|blend\w*)p[sd]\b.*%{0}"
    r"|\bv?p(?:cmp\w*|slld|sub[dq]|unpcklwd)\b.*%{0}"
)
PACKED = {
    "x86-64": re.compile(_X86.format("xmm")),
    "x86-64-v3": re.compile(_X86.format("ymm")),
    "x86-64-v4": re.compile(_X86.format("zmm")),
    "arm64": re.compile(
        r"\bf(?:add|sub|mul|div|min|max|cm\w+|mla|mls)\b\s+v\d+\.(?:4s|2d)|\b(?:cmeq|shll2?|sub)\b\s+v\d+\.(?:4s|2d)"
    ),
}
LOOP = re.compile(r"::(?:\w*loop<|take_larger|keep_where|plain\(|with_velocity|take_edits|finish_stats\()")


def output_of(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def functions(path: Path) -> dict[str, list[str]]:
    """Machine code of every function, by demangled name."""
    text = output_of(os.environ.get("OBJDUMP", "objdump"), "-d", "-C", "--no-show-raw-insn", str(path))
    found: dict[str, list[str]] = {}
    current: list[str] = []
    for line in text.splitlines():
        header = re.match(r"[0-9a-f]+ <(.*)>:$", line)
        if header:
            current = found.setdefault(header.group(1), [])
        elif "\t" in line:
            current.append(line.split("\t", 1)[1].strip())
    return found


def scalar_loops(path: Path, level: str) -> tuple[list[str], int]:
    """The kernel loops without packed arithmetic of full width or with a call, and how many loops there are."""

    def is_call(line: str) -> bool:
        called = re.match(r"(?:call\w*|bl)\b[^<]*(?:<(.*)>$)?", line)
        return called is not None and called[1] not in loops

    loops = {name: code for name, code in functions(path).items() if LOOP.search(name)}
    bad = [
        name
        for name, code in loops.items()
        if not any(PACKED[level].search(line) for line in code) or any(is_call(line) for line in code)
    ]
    return bad, len(loops)


def shared_symbols(path: Path) -> list[str]:
    """Symbols the linker could take from another level (weak or unique), or that the object needs from outside."""
    text = output_of(os.environ.get("NM", "nm"), "-C", str(path))
    allowed = {"memcpy", "memset", "memmove", "__stack_chk_fail", "_GLOBAL_OFFSET_TABLE_"}
    found = []
    for line in text.splitlines():
        kind, name = line[17], line[19:]
        if kind in "WwVvu" or (kind == "U" and name not in allowed):
            found.append(f"{kind} {name}")
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("object", type=Path, help="such as build/*/CMakeFiles/level_*.dir/cpp/levels/level.cpp.o")
    parser.add_argument("level", choices=PACKED)
    arguments = parser.parse_args()
    scalar, total = scalar_loops(arguments.object, arguments.level)
    print(f"{total} loops, {len(scalar)} not vectorised", *scalar, sep="\n  ")
    shared = shared_symbols(arguments.object)
    print("symbols that could leak:", shared or "none")
    sys.exit(1 if scalar or shared else 0)
