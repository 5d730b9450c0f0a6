"""Fuzz one target for some minutes, or read one input again. See README.md beside this file."""

from __future__ import annotations

import argparse
import datetime as dt
import importlib
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from fuzz.targets import Target

HERE = Path(__file__).resolve().parent
KEPT = HERE.parent / ".workbench" / "fuzz"
TARGETS = sorted(path.stem for path in (HERE / "targets").glob("[!_]*.py"))
LIMITS = ("-timeout=10", "-rss_limit_mb=2048", "-max_len=65536", "-print_final_stats=1")


def load(name: str) -> Target:
    """Import a target."""
    sys.path.insert(0, str(HERE.parent))
    return cast("Target", importlib.import_module(f"fuzz.targets.{name}"))


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("--minutes", type=float, default=1)
    parser.add_argument("--again", type=Path, metavar="FILE", help="read this input instead of making some")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.again:
        load(asked.target).one(asked.again.read_bytes())
    elif asked.child:
        fuzz(asked.target, asked.minutes)
    else:
        sys.exit(report(asked.target, asked.minutes))


def fuzz(name: str, minutes: float) -> None:
    """Fuzz until the time is over or something is found. Does not return."""
    import atheris

    with atheris.instrument_imports(include=["workbench", "packaging"], enable_loader_override=False):
        target = load(name)
    corpus = KEPT / name
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(target.seeds()):
        (corpus / f"seed-{number}").write_bytes(seed)
    options = [f"-max_total_time={minutes * 60:.0f}", f"-artifact_prefix={KEPT}/{name}-", *LIMITS]
    atheris.Setup([sys.argv[0], *options, str(corpus)], target.one)
    atheris.Fuzz()


def report(name: str, minutes: float) -> int:
    """Fuzz in a process of its own, for that ends as the fuzzer likes, and print a row of docs/security.md."""
    words = [sys.executable, __file__, name, "--child", "--minutes", str(minutes)]
    runs = found = ""
    # a target must not print, and the fuzzer prints to this stream alone
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True, errors="replace") as child:
        for line in child.stderr or ():
            sys.stderr.write(line)
            if match := re.search(r"number_of_executed_units:\s*(\d+)", line):
                runs = match[1]
            if match := re.search(r"Test unit written to (\S+)", line):
                found = match[1]
    day = dt.datetime.now(tz=dt.UTC).date()
    print(f"| {name} | {int(runs or 0):,} | {minutes:.0f} | {day} | {Path(found).name or 'nothing'} |")
    if found:
        print(f"again: python fuzz/run.py {name} --again {found}", file=sys.stderr)
    return child.returncode


if __name__ == "__main__":
    main()
