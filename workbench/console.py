"""What a person sees while a verb works, and what a program can read of it.

Progress goes to stderr and answers to stdout, so ``--json`` can be piped while the steps stay on the screen. What is
printed may be somebody else's text (a description in a registry, a server's answer): it cannot inject escape codes.
"""

from __future__ import annotations

import dataclasses
import io
import json
import re
import shutil
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from functools import cached_property
from itertools import zip_longest
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from workbench.events import LISTENER, Noted, StepBegan, StepEnded, StepMoved
from workbench.text import LAYOUT, counted, duration, file_size, shown
from workbench.url import mask

if TYPE_CHECKING:
    import rich.console
    import rich.live
    import rich.text

    from workbench.events import Event

for _stream in (sys.stdout, sys.stderr):
    if isinstance(_stream, io.TextIOWrapper):
        # a locale may lack our characters, and a file name need not be UTF-8
        _stream.reconfigure(errors="backslashreplace")

PLAIN_WIDTH = 200
"""Columns of a table where nobody watches: no terminal says how wide it is, and a cut cell helps no one."""


_MOST_TOLD = 100
"""Characters of what a long step said last."""

GAP = "  "
_LEAST_WIDTH = 8
"""What stands between the columns of a table, and how narrow one may become."""

_MOST_WRAPPED = 4096
"""Characters of a cell that is folded between words; the work on a word grows with its square."""


class PlainLines:
    """Shows events as plain lines without control characters: in CI, in a pipe.

    A step that runs longer than `every` seconds says that it is alive, and what it last said, each time they are over.
    """

    def __init__(self, every: float = 60) -> None:
        self._every = every
        self._open: dict[int, Shown] = {}

    def __call__(self, event: Event) -> None:
        """Show an event."""
        match event:
            case StepBegan():
                at = self._open[event.step] = Shown(event)
                _say(f"… {at.title}")
                threading.Thread(target=self._alive, args=(at,), daemon=True).start()
            case StepMoved():
                _move(self._open, event)
            case StepEnded():
                at = self._open.pop(event.step)
                at.ended.set()
                _say(f"{at.closing(event)} ({duration(event.seconds)})")
            case Noted():
                _say(event.text)

    def _alive(self, at: Shown) -> None:
        while not at.ended.wait(self._every):
            # a compiler's command fills screens
            last = f": {at.last[:_MOST_TOLD]}{'…' * (len(at.last) > _MOST_TOLD)}" if at.last else ""
            _say(f"· {at.title}: still at it after {at.took}{last}")


class Terminal:
    """Shows events on a terminal: a live line for each step under way, and above them what has ended."""

    def __init__(self) -> None:
        self._file = sys.stderr
        self._lock = threading.RLock()
        self._open: dict[int, Shown] = {}
        self._live: rich.live.Live | None = None

    @cached_property
    def _console(self) -> rich.console.Console:
        """Where it is shown: made for the first event, because a command that tells of none starts sooner."""
        from rich.console import Console

        return Console(file=self._file, highlight=False)

    def __call__(self, event: Event) -> None:
        """Show an event."""
        from rich.live import Live
        from rich.text import Text

        with self._lock:
            match event:
                case StepBegan():
                    self._open[event.step] = Shown(event)
                    if self._live is None:
                        self._live = Live(
                            get_renderable=self._lines,
                            console=self._console,
                            transient=True,
                            redirect_stdout=False,
                            redirect_stderr=False,
                        )
                        self._live.start()
                case StepMoved():
                    _move(self._open, event)
                case StepEnded():
                    at = self._open.pop(event.step)
                    if self._live is not None and not self._open:
                        self._live.stop()
                        self._live = None
                    mark, _, rest = at.closing(event).partition(" ")
                    color, took = "red" if event.failed else "green", f" {duration(event.seconds)}"
                    self._console.print(Text.assemble((mark, color), f" {rest}", (took, "dim")))
                case Noted():
                    self._console.print(Text(shown(event.text, keep=LAYOUT)))

    def _lines(self) -> rich.text.Text:
        from rich.text import Text

        with self._lock:
            lines = [Text(each.line()) for each in self._open.values()]
        for line in lines:
            line.truncate(self._console.width, overflow="ellipsis")
        return Text("\n").join(lines)


class JsonLines:
    """Writes each event as a line of JSON; what a step is at, at most once in `every` seconds."""

    def __init__(self, file: IO[str], every: float = 1) -> None:
        self._file = file
        self._every = every
        self._lock = threading.Lock()
        self._moved: dict[int, float] = {}

    def __call__(self, event: Event) -> None:
        """Write an event."""
        with self._lock:
            if isinstance(event, StepMoved):
                now = time.monotonic()
                if now < self._moved.get(event.step, -self._every) + self._every:
                    return
                self._moved[event.step] = now
            line = {"event": _WORDS[type(event)], "time": round(time.time(), 3), **dataclasses.asdict(event)}
            self._file.write(mask(json.dumps(line)) + "\n")
            self._file.flush()


_WORDS = {StepBegan: "began", StepMoved: "moved", StepEnded: "ended", Noted: "noted"}


class Shown:
    """A step as it is shown while it runs."""

    def __init__(self, began: StepBegan) -> None:
        self.start = time.monotonic()
        self.ended = threading.Event()
        self.last = ""
        self._began = began
        self._done = 0
        self._memory = 0
        amount = began.total
        self.title = shown(began.title, keep=LAYOUT)
        if amount is not None:
            noun = began.unit.removesuffix("s")
            self.title += f" ({file_size(amount) if began.unit == 'bytes' else counted(amount, noun)})"

    @property
    def took(self) -> str:
        """How long it has taken, how long it took before, and what memory it takes now, as far as that is known."""
        before = self._began.expected
        took = duration(time.monotonic() - self.start)
        told = took if before is None else f"{took} of about {duration(before)}"
        return f"{told}, {file_size(self._memory)} of memory" if self._memory else told

    def move(self, event: StepMoved) -> None:
        """Keep what the step is at."""
        self._done, self._memory = event.done, event.memory
        self.last = shown(" ".join(event.detail.split())) or self.last

    def closing(self, ended: StepEnded) -> str:
        """Return the closing line, without the time."""
        outcome = f": {shown(ended.outcome, keep=LAYOUT)}" if ended.outcome else ""
        return f"{'✗' if ended.failed else '✓'} {self.title}{outcome}"

    def line(self) -> str:
        """Return the live line."""
        took = time.monotonic() - self.start
        frame = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"[int(took * 4) % 10]
        parts = [f"{frame} {' '.join(self.title.split())}", self.took]
        if total := self._began.total:
            filled = min(_BAR, _BAR * self._done // total)
            parts.append("━" * filled + "─" * (_BAR - filled))
            if self._began.unit == "bytes":
                parts.append(f"{file_size(self._done)}  {file_size(round(self._done / max(took, 0.1)))}/s")
            else:
                parts.append(f"{self._done} of {total}")
        return "  ".join([*parts, self.last])


def _move(steps: Mapping[int, Shown], event: StepMoved) -> None:
    if at := steps.get(event.step):  # another thread's word may come when the step has just ended
        at.move(event)


_BAR = 20
"""Columns of a bar."""


def _say(text: str) -> None:
    print(shown(text, keep=LAYOUT), file=sys.stderr, flush=True)


@contextmanager
def listening(events: Path | None = None) -> Iterator[None]:
    """Show what the block tells of, and write it as JSON lines into a file of `events`, if one is named."""
    screen = Terminal() if sys.stderr.isatty() else PlainLines()
    with ExitStack() as stack:
        listener: Callable[[Event], None] = screen
        if events is not None:
            written = JsonLines(stack.enter_context(events.open("w", encoding="utf-8")))

            def listener(event: Event) -> None:
                screen(event)
                written(event)

        before = LISTENER.set(listener)
        try:
            yield
        finally:
            LISTENER.reset(before)


def answer(text: str) -> None:
    """Print what the verb was asked for."""
    print(shown(text, keep=LAYOUT), flush=True)


def ask_secret(what: str, *, twice: bool = False) -> str:
    """Ask the person at the terminal for a secret, which is not shown; "" where nobody is there, or two differ."""
    if not sys.stdin.isatty():
        return ""
    from getpass import getpass

    told = getpass(f"{what}: ")
    return told if not twice or told == getpass("once more: ") else ""


def answer_json(value: Any) -> None:  # noqa: ANN401 - whatever JSON can say
    """Print an answer for programs. A dataclass becomes a mapping, a path its text."""
    text = mask(json.dumps(value, indent=2, ensure_ascii=False, default=_plain))
    # JSON itself escapes the other control characters
    print(re.sub(r"[\x7f-\x9f]", lambda found: f"\\u{ord(found[0]):04x}", text), flush=True)


def _plain(value: Any) -> object:  # noqa: ANN401 - what JSON cannot say
    if dataclasses.is_dataclass(value):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, Path | datetime):
        return str(value)
    raise TypeError(f"{value!r} has no form in JSON")


def answer_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows under column headings; cells are text, never markup. Where a terminal is narrow, cells are folded."""

    def wide(line: str) -> int:
        if line.isascii():
            return len(line)
        from rich.cells import cell_len

        return cell_len(line)

    def folded(line: str, width: int) -> list[str]:
        if wide(line) <= width:
            return [line]
        if line.isascii() and len(line) <= _MOST_WRAPPED:
            return textwrap.wrap(line, width, break_on_hyphens=False)
        from rich.cells import chop_cells

        return chop_cells(line, width)

    table = (columns, *rows)
    cells = [[[shown(line, keep="\t") for line in cell.split("\n")] for cell in row] for row in table]
    widths = [max(wide(line) for cell in column for line in cell) for column in zip(*cells, strict=True)]
    room = shutil.get_terminal_size().columns if sys.stdout.isatty() else PLAIN_WIDTH
    while (excess := sum(widths) + len(GAP) * (len(widths) - 1) - room) > 0 and max(widths) > _LEAST_WIDTH:
        widest = max(range(len(widths)), key=widths.__getitem__)
        others = max((width for width in widths if width < widths[widest]), default=_LEAST_WIDTH)
        widths[widest] = max(widths[widest] - excess, others - 1, _LEAST_WIDTH)
    lines = []
    for row in cells:
        columns_of_lines = [
            [part for line in cell for part in folded(line, width)]
            for cell, width in zip(row, widths, strict=True)
        ]
        for parts in zip_longest(*columns_of_lines, fillvalue=""):
            padded = (part + " " * (width - wide(part)) for part, width in zip(parts, widths, strict=True))
            lines.append(GAP.join(padded).rstrip())
    print("\n".join(lines), flush=True)


def answer_summary(title: str, facts: Sequence[tuple[str, str]]) -> None:
    """Print the closing summary: a title and its facts, a line each."""
    width = max((len(name) for name, _ in facts), default=0)
    answer(f"\n{title}")
    for name, value in facts:
        answer(f"  {name:<{width}}  {value}")
