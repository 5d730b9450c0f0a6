"""Draw the table of docs/failures.md from the catalogue: ``python docs/failures.py``."""

from __future__ import annotations

import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from workbench.troubles import catalogue

PAGE = Path(__file__).with_suffix(".md")
MARK = "<!-- drawn by docs/failures.py -->\n"


def drawn(page: str) -> str:
    """Return the page with the table of what the catalogue has now."""
    rows = [
        f"| {_cell(each.name)} | {_cell(each.meaning)} | {_cell(each.remedy)} |\n" for each in catalogue()
    ]
    return (
        page.partition(MARK)[0]
        + MARK
        + "\n| name | what it means | what to do |\n|---|---|---|\n"
        + "".join(rows)
    )


def _cell(text: str) -> str:
    filled = re.sub(r"(?<!\{)\{(\w+)\}(?!\})", lambda named: f"<{named[1]}>", text)
    plain = filled.replace("{{", "{").replace("}}", "}").replace("|", "\\|")
    return plain.replace("<", "&lt;").replace("*", "\\*").replace("_", "\\_")


if __name__ == "__main__":
    PAGE.write_text(drawn(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
