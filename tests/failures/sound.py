"""Keep the logs of builds that went well, for the catalogue to be silent about: those that lie beside wheels.

    .venv/bin/python -m tests.failures.sound wheels/*.build.log

writes ``sound.zip``, without the paths of this machine; what it has of other wheels stays in it.
"""

from __future__ import annotations

import re
import sys
import zipfile
from pathlib import Path

SOUND = Path(__file__).parent / "sound.zip"

WIDEST = 600
"""Characters of a line that are kept: a compiler's command line has thousands."""


def plain(text: str) -> str:
    """Return a log without the paths of this machine."""
    text = re.sub(r"\S*/\.workbench/builds/[^/\s]+", "/build", text)
    text = re.sub(r"\S*/wheel-workbench/toolchains/[^/\s]+", "/cuda", text)
    text = re.sub(r"/(root|home|work|tmp)/[^\s:'\"]*", "/elsewhere", text)
    return "".join(f"{line[:WIDEST]}\n" for line in text.splitlines() if not line.startswith("$ "))


def main() -> None:
    kept = {}
    if SOUND.exists():
        with zipfile.ZipFile(SOUND) as archive:
            kept = {name: archive.read(name).decode() for name in archive.namelist()}
    for path in map(Path, sys.argv[1:]):
        kept[path.name.removesuffix(".whl.build.log")] = plain(path.read_text(errors="replace"))
    with zipfile.ZipFile(SOUND, "w", zipfile.ZIP_LZMA) as archive:
        for name, text in sorted(kept.items()):
            archive.writestr(name, text)
    print(len(kept), "logs,", SOUND.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
