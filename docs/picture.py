"""Draw ``docs/release.svg``: what a terminal shows when ``./inv release hnswlib`` has run in a fresh clone.

uv run --with pyte --with rich docs/picture.py
"""

from __future__ import annotations

import io
import os
import pty
import re
import tempfile
from pathlib import Path
from subprocess import run

import pyte
from rich.console import Console
from rich.style import Style
from rich.text import Text

CHECKOUT = Path(__file__).resolve().parent.parent
COMMAND = "./inv release hnswlib"
COLUMNS, LINES = 104, 40


def main() -> None:
    """Run the command in a clone of its own, on a terminal of our own, and keep its last screen."""
    screen = pyte.Screen(COLUMNS, LINES)
    stream = pyte.ByteStream(screen)

    def read(terminal: int) -> bytes:
        shown = os.read(terminal, 65536)
        stream.feed(shown)
        return shown

    with tempfile.TemporaryDirectory() as folder:
        run(["git", "clone", "--quiet", CHECKOUT, folder], check=True)
        os.environ |= {"COLUMNS": str(COLUMNS), "LINES": str(LINES), "TERM": "xterm-256color"}
        os.chdir(folder)
        pty.spawn(["sh", "-c", COMMAND], read)
        shown = "\n".join(line.replace(folder, "~/workbench") for line in screen.display).rstrip()
    shown = "\n".join(
        line for line in shown.splitlines() if not line.startswith("WARNING: ")
    )  # the user's own pip
    picture = Console(record=True, width=COLUMNS, file=io.StringIO())
    picture.print(Text(f"$ {COMMAND}", style="bold"))
    for line in shown.splitlines():
        mark = {"✓": Style(color="green"), "✗": Style(color="red")}.get(line[:1])
        text = Text(line.rstrip())
        if mark:
            text.stylize(mark, 0, 1)
            text.highlight_regex(r"[\d.]+ s$", "dim")
        picture.print(text)
    drawing = picture.export_svg(title="a fresh clone")
    # the reader's own fixed-width font will do; a page must not fetch one from elsewhere
    drawing = re.sub(r"@font-face \{.*?\}\s*", "", drawing, flags=re.DOTALL)
    (CHECKOUT / "docs" / "release.svg").write_text(drawing, encoding="utf-8")


if __name__ == "__main__":
    main()
