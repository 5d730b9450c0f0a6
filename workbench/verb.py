"""Invoke tasks as this project's commands: grouped, with many words, strict flags, and errors as one message.

    @Verb
    def upload(*wheels: Annotated[str, "wheel files"], change: Change, json: Json = False) -> None: ...

A line is ``invoke [Invoke's own flags] COMMAND [words and the command's flags]``, one command to a line. A parameter
without a default is a word, ``*wheels`` takes many, others are flags; one whose type is a dataclass stands for a group
of flags. Invoke finds the command; what stands behind it the command reads itself, and it runs before Invoke parses
that: Invoke would hand an unknown flag to whichever word is still missing, and take a name in a group for a command.
"""

from __future__ import annotations

import inspect
import os
import shlex
import sys
import textwrap
import traceback
import typing
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, is_dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeGuard

from invoke import main
from invoke.collection import Collection
from invoke.exceptions import Exit
from invoke.parser.argument import Argument
from invoke.parser.context import ParserContext
from invoke.tasks import Task

from workbench import console
from workbench.endings import ending_of
from workbench.errors import UsageError, nearest
from workbench.events import note
from workbench.flags import Flag, Meaning, flags_of
from workbench.paths import PROGRAM
from workbench.process import ended_by_signals
from workbench.text import counted
from workbench.url import has_secret

_HELP = ("--help", "-h")
_EVENTS = Flag("events", str, "", Meaning("a file for the progress as lines of JSON, for programs"))
"""What every command takes beside its own flags."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """A word of a command's line: its parameter, what it is for, and whether it takes all words that are left."""

    name: str
    explained: str
    many: bool

    @property
    def shown(self) -> str:
        """The word as usage lines write it: ``NAME``, ``WHEEL...`` for many, ``[NAME...]`` where it may be left out."""
        name = self.name.upper()
        if self.many and name.endswith("S"):
            name = f"{name.removesuffix('S')}..."
        return f"[{name}]" if self.many and "(default" in self.explained else name


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What this process was asked: a command and the words behind it, if any, and what of Invoke's own matters here.

    `literal` are the words behind ``--``, no flags among them. `lists` is what ``--list`` names: a group, or True.
    """

    command: str = ""
    words: tuple[str, ...] = ()
    literal: tuple[str, ...] = ()
    completes: bool = False
    lists: str | bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Commands of one subject. `under` is the name that stands before theirs, if any, and calls `default` alone."""

    title: str
    commands: tuple[Verb, ...]
    under: str = ""
    default: Verb | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Commands:
    """All commands in their groups, and the names that commands had earlier."""

    groups: tuple[Group, ...]
    renamed: Mapping[str, str]

    def meet(self, line: Line) -> None:
        """Answer a line that asks for the list of commands. Raises Exit once it has; UsageError for no such command."""
        if line.lists:
            self._show(line.lists)
            raise Exit(code=0)
        known = {name for group in self.groups for each in group.commands for name in each.names}
        if not line.command or line.command in known or line.completes:
            return
        if new := self.renamed.get(line.command):
            raise UsageError(f"{line.command} is called {new} now: {PROGRAM} {new}")
        near = nearest(line.command, known)
        raise UsageError(f"no command {line.command!r}{near}: '{PROGRAM} --list' lists them")

    def _show(self, which: str | bool) -> None:
        shown = [group for group in self.groups if which is True or group.under == which]
        if not shown:
            known = ", ".join(group.under for group in self.groups if group.under)
            raise UsageError(f"--list {which}: the groups are {known}")
        width = max(len(each.names[-1]) for group in shown for each in group.commands)
        console.answer(f"'{PROGRAM} COMMAND --help' explains a command.")
        for group in shown:
            console.answer(f"\n{group.title}")
            for each in group.commands:
                console.answer(f"  {each.names[-1]:<{width}}  {each.summary}")


def gathered(*groups: Group, renamed: Mapping[str, str]) -> Collection:
    """Return commands as the collection of tasks that Invoke looks for; `renamed` has the new name for each old one."""
    commands = Commands(groups=groups, renamed=renamed)
    root = Collection()
    for group in groups:
        into = Collection(group.under) if group.under else root
        for each in group.commands:
            if group.under:
                each.names = (f"{group.under}.{each.name}", *([group.under] if each is group.default else ()))
            each.commands = commands
            into.add_task(each, default=each is group.default)
        if into is not root:
            root.add_collection(into)
    return root


class Verb(Task[Any]):
    """A command: a function whose parameters are its words and its flags, and which may return an exit status."""

    def __init__(self, body: Callable[..., int | None]) -> None:
        name = body.__name__.strip("_").replace("_", "-")
        super().__init__(body, name=name, positional=(), auto_shortflags=False)
        self.names: tuple[str, ...] = (name,)
        self.commands: Commands | None = None

    def __deepcopy__(self, memo: object) -> Verb:
        return self  # Invoke copies what it loads

    @property
    def summary(self) -> str:
        """The first line of its documentation."""
        return (inspect.getdoc(self.body) or "").partition("\n")[0]

    @cached_property
    def parameters(self) -> tuple[tuple[inspect.Parameter, Any, Meaning], ...]:
        """Its parameters, each with its type (or group of flags) and what it means."""
        hints = typing.get_type_hints(self.body, include_extras=True)
        parameters = inspect.signature(self.body).parameters.values()
        return tuple((each, *_meaning(hints[each.name])) for each in parameters)

    @cached_property
    def words(self) -> tuple[Word, ...]:
        """The words that it takes, in their order."""
        return tuple(
            Word(name=each.name, explained=meaning.explained, many=each.kind is each.VAR_POSITIONAL)
            for each, kind, meaning in self.parameters
            if each.default is each.empty and not _is_group(kind)
        )

    @cached_property
    def flags(self) -> dict[str, Flag]:
        """The flags that it takes, as they are typed."""
        flags: list[Flag] = []
        for each, kind, meaning in self.parameters:
            if _is_group(kind):
                flags += flags_of(kind)
            elif each.default is not each.empty:
                flags.append(Flag(each.name, kind, each.default, meaning))
        return {typed: each for each in (*flags, _EVENTS) for typed in each.typings}

    def get_arguments(self, ignore_unknown_help: bool | None = None) -> list[Argument]:  # noqa: ARG002 - Task's own
        """Return what Invoke's parser must know, its flags, to a shell that completes a line.

        Raises Exit for a line that asks for this command or for its help, once that has run or is shown.
        """
        with _ended():
            line = asked()
            if self.commands:
                self.commands.meet(line)
            if line.command not in self.names:
                return []
            if line.completes:
                return self._as_arguments()
            if any(word in _HELP for word in line.words):
                self._show_help()
                raise Exit(code=0)
            raise Exit(code=self._run(line))

    def _as_arguments(self) -> list[Argument]:
        return [
            Argument(
                names=tuple(typed.removeprefix("--") for typed in each.typings),
                kind=each.kind,
                default=each.default,
                help=each.explained,
            )
            for typed, each in self.flags.items()
            if typed == each.typed
        ]

    def _show_help(self) -> None:
        columns = main.program.print_columns
        shown = [each.shown for each in self.words]
        console.answer(" ".join([f"Usage: {PROGRAM} {self.names[-1]}", *shown, "[--options]"]))
        console.answer(f"\n{textwrap.indent(inspect.getdoc(self.body) or '', '  ')}\n")
        if shown:
            columns([(word.shown, word.explained) for word in self.words])
        if self.flags:
            console.answer("Options:")
            columns(ParserContext(args=self._as_arguments()).help_tuples())
        sys.stdout.flush()  # a reader that has seen enough is met here, not at exit

    def _run(self, line: Line) -> int:
        """Run the command and return its exit status."""
        words, values = self._read(line)
        events = Path(named) if (named := values.pop(_EVENTS.name, "")) else None
        with ended_by_signals(), console.listening(events):
            return self.body(*words, **values) or 0

    def _read(self, line: Line) -> tuple[list[str], dict[str, Any]]:
        """Return a line's words, and its flags by parameter. Raises UsageError."""
        words, given = read_line(line.command, line.words, self.flags)
        words += line.literal
        if _asked_dry():
            given |= self._dry(line.command)
        required = [each for each in self.words if not each.many]
        if missing := required[len(words) :]:
            raise UsageError(f"{line.command} needs {missing[0].shown}: {missing[0].explained}")
        if len(required) == len(self.words) and (more := words[len(required) :]):
            takes = f"takes {counted(len(required), 'word')}" if required else "takes no word"
            surplus = f"{more[0]!r} is one too many; one command to a line"
            raise UsageError(f"{line.command} {takes}, and {surplus}")
        values: dict[str, Any] = {_EVENTS.name: given[_EVENTS.name]} if _EVENTS.name in given else {}
        for each, kind, _ in self.parameters:
            if _is_group(kind):
                names = [flag.name for flag in flags_of(kind)]
                values[each.name] = kind(**{name: given[name] for name in names if name in given})
            elif each.name in given:
                values[each.name] = given[each.name]
        return words, values

    def _dry(self, command: str) -> dict[str, bool]:
        """Return the flag that makes a dry run. Raises UsageError where the command has none."""
        if "--dry-run" in self.flags:
            return {"dry_run": True}
        if "--apply" in self.flags:
            return {"apply": False}
        raise UsageError(f"--dry: {command} has no dry run; nothing was done")


def _meaning(hint: Any) -> tuple[Any, Meaning]:  # noqa: ANN401 - any type
    """Return the type that ``Annotated`` holds, and what it means: its text, or a whole `Meaning`."""
    if not hasattr(hint, "__metadata__"):
        return hint, Meaning("")
    told = hint.__metadata__[0]
    return hint.__origin__, told if isinstance(told, Meaning) else Meaning(told)


def _is_group(kind: object) -> TypeGuard[type]:
    return isinstance(kind, type) and is_dataclass(kind)


def read_line(
    command: str, line: Sequence[str], flags: Mapping[str, Flag]
) -> tuple[list[str], dict[str, Any]]:
    """Return the words on a command's line, and the values of its flags by the names of their fields.

    Raises UsageError for a flag that it does not have, that is given twice or without its value, or with a bad one.
    """
    seen: Counter[str] = Counter()
    words: list[str] = []
    values: dict[str, Any] = {}
    expecting: Flag | None = None
    for word in line:
        typed, has_value, value = word.partition("=")
        if expecting and typed in flags:
            break
        if expecting:
            values[expecting.name] = _value(expecting, word)
            expecting = None
        elif not word.startswith("-") or word == "-":
            words.append(word)
        elif typed not in flags:
            hint = _hint(typed, flags)
            raise UsageError(
                f"{command} has no {typed}{hint}: '{PROGRAM} {command} --help' lists what it has"
            )
        else:
            flag = flags[typed]
            seen[flag.typed] += 1
            if flag.kind is bool and has_value:
                raise UsageError(f"{word}: {typed} takes no value")
            if flag.kind is bool or has_value:
                values[flag.name] = _value(flag, value)
            else:
                expecting = flag
    if expecting:
        raise UsageError(f"{expecting.typed} needs a value: '{PROGRAM} {command} --help' says which")
    if twice := [flag for flag, count in seen.items() if count > 1]:
        raise UsageError(f"{twice[0]} is given twice; where it takes a list, write it with commas")
    return words, values


def _value(flag: Flag, text: str) -> bool | int | str:
    if flag.kind is bool:
        return True
    if has_secret(text):
        raise UsageError(
            f"{flag.typed} {text}: a login or a secret in a URL would be stored, published or seen in process lists: "
            "leave it out; git asks a credential helper, pip and uv read ~/.netrc"
        )
    if flag.kind is not int:
        if not text:
            raise UsageError(f"{flag.typed} is empty: leave it out for its default")
        return flag.meaning.value(text)
    if not text.isascii() or not text.isdigit():
        raise UsageError(f"{flag.typed} {text}: give a whole number, 0 or more")
    return int(text)


def _hint(flag: str, known: Iterable[str]) -> str:
    """Say what somebody may have meant who typed a flag that the command does not have."""
    if close := nearest(flag, known):
        return close
    if flag in main.program.initial_context.flags:
        return f" (Invoke's own flags stand before the command: '{PROGRAM} {flag} COMMAND')"
    return ""


def asked() -> Line:
    """Return what a line asks. ``invoke --help upload`` calls upload for its help; without a command it is the list."""
    argv = main.program.argv[1:]
    own, (command, *words) = main.program.args, (main.program.core.unparsed or [""])
    literal = tuple(argv[argv.index("--") + 1 :]) if "--" in argv else ()
    if own["complete"].value:
        typed = shlex.split(" ".join(literal))[1:]
        return Line(command=next(iter(typed), ""), completes=True)
    if isinstance(own["help"].value, str):
        return Line(command=own["help"].value, words=_HELP[:1])
    ours = own["list-format"].value == "flat" and not own["list-depth"].value
    lists = own["list"].value or not command
    return Line(command=command, words=tuple(words), literal=literal, lists=lists if ours else None)


def _asked_dry() -> bool:
    """Return whether ``--dry``, ``INVOKE_RUN_DRY`` or ``run.dry`` in a file of Invoke's asks for a dry run."""
    main.program.update_config()
    main.program.config.load_shell_env()
    return bool(main.program.config.run.dry)


@contextmanager
def _ended() -> Iterator[None]:
    """Turn what stops the program into Invoke's Exit, with its message and its status."""
    try:
        yield
    except (Exit, SystemExit):
        raise
    except BaseException as error:
        if os.environ.get("WORKBENCH_DEBUG", "0") not in ("", "0"):
            with console.listening():
                note(traceback.format_exc())
        end = ending_of(error)
        raise Exit(end.message, code=end.status) from error
