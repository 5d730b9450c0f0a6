"""What a person sees while a verb works.

Progress goes to stderr and answers to stdout, so ``--json`` can be piped while the steps stay on the screen. On
a terminal a step is a live line; elsewhere (CI, a pipe) it is plain lines with no control characters. Text that is
printed may be another's (a description out of a registry, what a server says): it commands no terminal.
"""

from __future__ import annotations

import dataclasses
import io
import json
import re
import shutil
import sys
import threading
import time
from contextlib import contextmanager
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.url import mask

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import rich.console

for _stream in (sys.stdout, sys.stderr):
    if isinstance(_stream, io.TextIOWrapper):
        # a locale may lack our characters, and a file name need not be UTF-8
        _stream.reconfigure(errors="backslashreplace")

PLAIN_WIDTH = 200
"""Columns of a table where nobody watches: no terminal says how wide it is, and a cut cell helps no one."""


GAP = "  "
LEAST_WIDTH = 8
"""What stands between the columns of a table, and how narrow one may become."""


def _rich(*, stderr: bool) -> rich.console.Console:
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    return Console(file=stream, highlight=False, width=None if stream.isatty() else PLAIN_WIDTH)


LAYOUT = "\n\t"
"""The control characters that a text of several lines may have."""


def shown(text: str, *, keep: str = "") -> str:
    """Return a text in which escapes stand for what a terminal does not show, or obeys, and ``***`` for secrets.

    Characters to `keep` stay.
    """
    text = mask(text)
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() or each in keep else each.encode("unicode_escape").decode()
        for each in text
    )


def duration(seconds: float) -> str:
    """Write seconds as people do: ``0.4 s``, ``12.3 s``, ``4 min 05 s``."""
    if seconds < 60:  # noqa: PLR2004 - a minute
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02} s"


def file_size(count: int) -> str:
    """Write bytes in decimal units, as package indexes do: ``217.4 kB``."""
    size = float(count)
    for unit in ("B", "kB", "MB"):
        if size < 1000:  # noqa: PLR2004 - decimal units
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.2f} GB"


def counted(count: int, noun: str) -> str:
    """Write how many there are of something: ``1 wheel``, ``2 wheels``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


class Step:
    """One step under way. Its closing line adds `outcome`, when set, and has a ✗ where it `failed`.

    A step that ends with an exception failed in any case.
    """

    def __init__(self, show: Callable[[str], None] | None = None) -> None:
        self._show = show
        self.outcome = ""
        self.failed = False

    def detail(self, text: str) -> None:
        """Show what the step is at, on a terminal; elsewhere this is not worth a line."""
        if self._show:
            self._show(text)

    def fail(self, outcome: str) -> None:
        """Say that what the step did went wrong, though the work goes on."""
        self.outcome = outcome
        self.failed = True


class Bar(Step):
    """A step over a known amount of work; call it with the count that has been done since the last call."""

    def __init__(self, advance: Callable[[int], None] | None = None) -> None:
        super().__init__()
        self._advance = advance

    def __call__(self, count: int) -> None:
        """Advance by a count."""
        if self._advance:
            self._advance(count)


@contextmanager
def step(title: str) -> Iterator[Step]:
    """Show a step from its beginning to its end, with the time it took.

    >>> with step("fetch hnswlib-0.8.0.tar.gz") as at:
    ...     at.outcome = "36.2 kB"
    """
    start = time.monotonic()
    title = shown(title, keep=LAYOUT)
    if sys.stderr.isatty():
        at, close = _live(title, start)
    else:
        print(f"… {title}", file=sys.stderr, flush=True)
        at, close = Step(), lambda: None
    with _closed(at, title, start, close):
        yield at


@contextmanager
def _closed(at: Step, title: str, start: float, close: Callable[[], None]) -> Iterator[None]:
    """Take the live line away when the block ends, however it ends, and print the closing line."""
    try:
        yield
    except BaseException:
        close()
        _closing_line("✗", title, start)
        raise
    close()
    _closing_line("✗" if at.failed else "✓", f"{title}: {at.outcome}" if at.outcome else title, start)


def _closing_line(mark: str, text: str, start: float) -> None:
    took = duration(time.monotonic() - start)
    text = shown(text, keep=LAYOUT)
    if sys.stderr.isatty():
        from rich.markup import escape

        colour = "green" if mark == "✓" else "red"
        _rich(stderr=True).print(f"[{colour}]{mark}[/] {escape(text)} [dim]{took}[/]")
    else:
        print(f"{mark} {text} ({took})", file=sys.stderr, flush=True)


def _live(title: str, start: float) -> tuple[Step, Callable[[], None]]:
    """Draw a spinner with the elapsed time and the last detail until the returned function is called."""
    from rich.text import Text

    console = _rich(stderr=True)

    def line(took: str = "", detail: str = "") -> Text:
        text = Text.assemble(title, (f" {took}  {shown(' '.join(detail.split()))}", "dim"))
        text.truncate(console.width - len("⠋ "), overflow="ellipsis")
        return text

    status = console.status(line())
    last = ""
    ended = threading.Event()

    def draw() -> None:
        while not ended.wait(0.25):
            status.update(line(duration(time.monotonic() - start), last))

    def show(text: str) -> None:
        nonlocal last
        last = text

    def close() -> None:
        ended.set()
        ticker.join()
        status.stop()

    ticker = threading.Thread(target=draw, daemon=True)
    status.start()
    ticker.start()
    return Step(show), close


@contextmanager
def progress(title: str, total: int, *, unit: str = "bytes") -> Iterator[Bar]:
    """Show a bar over `total` units and yield what advances it; its closing line tells how many there were.

    `unit` is ``"bytes"`` (shown with rate and decimal sizes) or a plural noun (``"wheels"``).
    """
    start = time.monotonic()
    title = shown(title, keep=LAYOUT)
    sized = f"{title} ({file_size(total) if unit == 'bytes' else counted(total, unit.removesuffix('s'))})"
    if not sys.stderr.isatty():
        print(f"… {sized}", file=sys.stderr, flush=True)
        at = Bar()
        with _closed(at, sized, start, lambda: None):
            yield at
        return
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TransferSpeedColumn,
    )

    amount = (DownloadColumn(), TransferSpeedColumn()) if unit == "bytes" else (MofNCompleteColumn(),)
    columns = (TextColumn("  {task.description}", markup=False), BarColumn(), *amount, TimeElapsedColumn())
    bar = Progress(*columns, console=_rich(stderr=True), transient=True)
    task = bar.add_task(title, total=total)
    at = Bar(lambda count: bar.advance(task, count))
    bar.start()
    with _closed(at, sized, start, bar.stop):
        yield at


def note(text: str) -> None:
    """Say something that a person should know, beside the steps."""
    print(shown(text, keep=LAYOUT), file=sys.stderr, flush=True)


def answer(text: str) -> None:
    """Print what the verb was asked for."""
    print(shown(text, keep=LAYOUT), flush=True)


def answer_json(value: Any) -> None:  # noqa: ANN401 - whatever JSON can say
    """Print an answer for programs. A dataclass becomes a mapping, a path its text."""
    text = mask(json.dumps(value, indent=2, ensure_ascii=False, default=_plain))
    # JSON itself escapes the other control characters
    print(re.sub(r"[\x7f-\x9f]", lambda found: f"\\u{ord(found[0]):04x}", text), flush=True)


def _plain(value: Any) -> object:  # noqa: ANN401 - what JSON cannot say
    if dataclasses.is_dataclass(value):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{value!r} has no form in JSON")


def answer_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows under column headings; cells are text, never markup. Where a terminal is narrow, cells are folded."""
    from rich.cells import cell_len, chop_cells

    def wide(line: str) -> int:
        return len(line) if line.isascii() else cell_len(line)

    cells = [
        [[shown(line, keep="\t") for line in cell.split("\n")] for cell in row] for row in (columns, *rows)
    ]
    widths = [max(wide(line) for cell in column for line in cell) for column in zip(*cells, strict=True)]
    room = shutil.get_terminal_size().columns if sys.stdout.isatty() else PLAIN_WIDTH
    while (excess := sum(widths) + len(GAP) * (len(widths) - 1) - room) > 0 and max(widths) > LEAST_WIDTH:
        widest = max(range(len(widths)), key=widths.__getitem__)
        others = max((width for width in widths if width < widths[widest]), default=LEAST_WIDTH)
        widths[widest] = max(widths[widest] - excess, others - 1, LEAST_WIDTH)
    lines = []
    for row in cells:
        folded = [
            [part for line in cell for part in (chop_cells(line, width) if wide(line) > width else [line])]
            for cell, width in zip(row, widths, strict=True)
        ]
        for parts in zip_longest(*folded, fillvalue=""):
            padded = (part + " " * (width - wide(part)) for part, width in zip(parts, widths, strict=True))
            lines.append(GAP.join(padded).rstrip())
    print("\n".join(lines), flush=True)


def answer_summary(title: str, facts: Sequence[tuple[str, str]]) -> None:
    """Print the closing summary: a title and its facts, a line each."""
    width = max((len(name) for name, _ in facts), default=0)
    answer(f"\n{title}")
    for name, value in facts:
        answer(f"  {name:<{width}}  {value}")
