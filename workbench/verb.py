"""Invoke tasks as this project's verbs: many words at the end of a line, and errors as one message.

    @verb
    def upload(c, *wheels, dry_run=False): ...

A line is ``invoke [Invoke's own flags] VERB [words and the verb's flags]``, one verb to a line. Invoke's own
positionals take one word each, its parser hands an unknown flag to whichever positional still wants a word, and its
help knows flags only. So a verb reads its part of the line before Invoke does.
"""

from __future__ import annotations

import errno
import inspect
import os
import shutil
import signal
import sys
import traceback
from collections import Counter
from functools import cache
from typing import TYPE_CHECKING, Any

from invoke.exceptions import Exit
from invoke.parser import Parser
from invoke.parser.argument import Argument
from invoke.parser.context import ParserContext, to_flag
from invoke.program import Program
from invoke.tasks import Task

from workbench import console
from workbench.errors import UsageError, WorkbenchError, nearest
from workbench.process import Ended, ended_by_signals
from workbench.settings import FLAGS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

STORE_FLAGS = {
    "bucket": "the S3 bucket to publish in",
    "prefix": "the prefix in it below which everything lies",
    "endpoint": "the URL of an S3 store that is not AWS",
    "region": "the bucket's region",
    "profile": "the profile of the AWS configuration that has the credentials",
    "public_url": "where the world finds the store's root",
    "single_writer": "nobody else publishes there: use a store that ignores conditional writes",
}
"""Flags of every verb that has to do with the store; they stand above ``workbench.yaml`` for this run."""

INTERNAL = 70
"""Exit status of a bug of ours (sysexits' EX_SOFTWARE)."""

HELP = ("--help", "-h")

_MAKE_ROOM = ": make room, and run the same command again"


class Words(Argument):
    """A positional that Invoke's parser finds missing, and so keeps feeding, until it has `expected` words."""

    def __init__(self, *, expected: int, **kwargs: Any) -> None:  # noqa: ANN401 - Argument's own
        super().__init__(kind=list, positional=True, **kwargs)
        self._words: list[str] = []
        self._expected = expected

    @property
    def value(self) -> list[str] | None:
        """The words, or None for as long as more are expected."""
        return self._words if len(self._words) >= self._expected else None

    @value.setter
    def value(self, word: str) -> None:
        self.set_value(word)

    def set_value(self, value: str, cast: bool = True) -> None:  # noqa: ARG002 - Argument's signature
        """Take one more word."""
        self.raw_value = value
        self._words.append(value)


class Count(Argument):
    """A flag whose value is a whole number, 0 or more: days, jobs, a port."""

    def set_value(self, value: str, cast: bool = True) -> None:  # noqa: ARG002 - Argument's signature
        """Take the number. Raises Exit, in which Invoke ends without a traceback."""
        if not value.isascii() or not value.isdigit():
            raise _exit(UsageError(f"{to_flag(self.names[0])} {value}: give a whole number, 0 or more"))
        self.raw_value = value
        self._value = int(value)


class Verb(Task["Callable[..., Any]"]):
    """A task whose ``*parameter``, if it has one, takes every remaining word, and whose errors are messages.

    One that `uses_store` takes the store's flags as well.
    """

    def __init__(self, body: Callable[..., Any], *, uses_store: bool = False, **options: Any) -> None:  # noqa: ANN401
        super().__init__(body, **options)
        self._uses_store = uses_store

    def get_arguments(self, ignore_unknown_help: bool | None = None) -> list[Argument]:
        """Return Invoke's arguments, with Words in the place of the positionals.

        Where the line calls this verb it is read here. Raises Exit for one that asks for help, once that is shown,
        and for one that is wrong.
        """
        given = super().get_arguments(ignore_unknown_help)
        words = [each for each in given if each.positional or each.name == self._variadic]
        flags = [_as_count(each) if each.kind is int else each for each in given if each not in words]
        if self._uses_store:
            flags += [_store_flag(key, explained) for key, explained in STORE_FLAGS.items()]
        self._explained = {each.name: each.help or "" for each in words}
        line = _line_of(self.name)
        if line is None:
            return [*words, *flags]
        if any(word in HELP for word in line):
            self._show_help(words, flags)
            raise Exit(code=0)
        try:
            left = read_line(self.name, line, flags, most=None if self._variadic else len(words))
        except UsageError as error:
            raise _exit(error) from None
        return [*(self._fed(each, left, number) for number, each in enumerate(words)), *flags]

    def _fed(self, positional: Argument, count: int, number: int) -> Words:
        """Return a positional, the `number`-th, that takes its part of `count` words."""
        expected = max(count - number, 0)
        return Words(
            expected=expected if positional.name == self._variadic else min(expected, 1),
            names=positional.names,
            attr_name=positional.attr_name,
            help=positional.help,
        )

    @property
    def _variadic(self) -> str | None:
        return next((p.name for p in self._parameters if p.kind is p.VAR_POSITIONAL), None)

    @property
    def _parameters(self) -> tuple[inspect.Parameter, ...]:
        """The parameters of the verb, without Invoke's context."""
        return tuple(inspect.signature(self.body).parameters.values())[1:]

    def _shown(self, word: Argument) -> str:
        """Return a positional as usage lines write it: ``NAME``, or ``WHEEL...`` for one that takes many words."""
        shown = str(word.name).upper()
        return f"{shown.removesuffix('S')}..." if word.name == self._variadic else shown

    def _show_help(self, words: Sequence[Argument], flags: Sequence[Argument]) -> None:
        columns = Program().print_columns
        console.answer(" ".join([f"Usage: invoke {self.name}", *map(self._shown, words), "[--options]"]))
        console.answer(f"\n  {inspect.getdoc(self.body)}\n")
        if words:
            columns([(self._shown(word), word.help) for word in words])
        if flags:
            console.answer("Options:")
            columns(ParserContext(args=flags).help_tuples())

    def __call__(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - Task's own
        """Run the verb; turn what goes wrong into Invoke's Exit, with the error's own status."""
        if self._uses_store:
            chosen = {key: kwargs.pop(key.replace("_", "-"), "") for key in STORE_FLAGS}
            FLAGS.set({key: str(value) for key, value in chosen.items() if value})
        try:
            if args[0].config.run.dry:
                self._run_dry(kwargs)
            words: list[str] = []
            for parameter in self._parameters:
                given = kwargs.get(parameter.name)
                if parameter.kind is parameter.VAR_POSITIONAL:
                    words += kwargs.pop(parameter.name, ())
                elif isinstance(given, list):
                    if not given:
                        what = self._explained[parameter.name]
                        raise UsageError(f"{self.name} needs {parameter.name.upper()}: {what}")
                    words += kwargs.pop(parameter.name)
            with ended_by_signals():
                return super().__call__(*args, *words, **kwargs)
        except (Exit, SystemExit):
            raise
        except BaseException as error:
            if os.environ.get("WORKBENCH_DEBUG", "0") not in ("", "0"):
                traceback.print_exc()
            raise _exit(error) from error

    def _run_dry(self, kwargs: dict[str, Any]) -> None:
        """Take Invoke's own ``--dry`` for the verb's. Raises UsageError where the verb has nothing of the kind."""
        names = {parameter.name for parameter in self._parameters}
        if "dry_run" in names:
            kwargs["dry_run"] = True
        elif "apply" in names:
            kwargs["apply"] = False
        else:
            raise UsageError(f"--dry: {self.name} has no dry run; nothing was done")


def _as_count(flag: Argument) -> Count:
    return Count(names=flag.names, kind=int, default=flag.default, help=flag.help, attr_name=flag.attr_name)


def _store_flag(key: str, explained: str) -> Argument:
    name = key.replace("_", "-")
    if key == "single_writer":
        return Argument(name=name, kind=bool, default=False, help=explained)
    return Argument(name=name, kind=str, default="", help=explained)


def _exit(error: BaseException) -> Exit:
    match error:
        case WorkbenchError():
            return _told(f"error: {error}", error.exit_code)
        case KeyboardInterrupt():
            number = error.number if isinstance(error, Ended) else signal.SIGINT
            return Exit("\nInterrupted. Run the same command again to go on from here.", code=128 + number)
        case BrokenPipeError():
            # whoever read our answer has seen enough (head); nothing more may be written, at exit neither
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return Exit(code=WorkbenchError.exit_code)
        case shutil.Error(args=([(source, _, why), *_],)):
            # copying a folder goes on to its end, and then tells of all that could not be copied
            remedy = _MAKE_ROOM if os.strerror(errno.ENOSPC) in str(why) else ""
            return _told(f"error: {source} cannot be copied: {why}{remedy}", WorkbenchError.exit_code)
        case OSError(errno=number, filename=name, strerror=str(why)):
            where = f"{name}: " if isinstance(name, str) else ""
            remedy = _MAKE_ROOM if number == errno.ENOSPC else ""
            return _told(f"error: {where}{why}{remedy}", WorkbenchError.exit_code)
        case _:
            return _told(
                f"internal error: {type(error).__name__}: {error}\n"
                "This is a bug of the workbench. WORKBENCH_DEBUG=1 shows where it happened.",
                INTERNAL,
            )


def _told(message: str, status: int) -> Exit:
    """Return the end that tells an error, in which others' text may stand."""
    return Exit(console.shown(message, keep=console.LAYOUT), code=status)


def _line_of(name: str) -> tuple[str, ...] | None:
    """Return what stands behind a verb's name on this process's line; None where it is not the verb that is called."""
    line = _called(tuple(sys.argv[1:]))
    return line[1:] if line[:1] == (name,) else None


@cache
def _called(argv: tuple[str, ...]) -> tuple[str, ...]:
    """Return the verb that a line calls and what stands behind it: nothing, where it calls none.

    ``invoke --help upload`` calls it for its help.
    """
    core = Parser(initial=Program().initial_context, ignore_unknown=True).parse_argv(list(argv))
    wants_help = core[0].args["help"].value
    return (wants_help, HELP[0]) if isinstance(wants_help, str) else tuple(core.unparsed)


def read_line(verb: str, line: Sequence[str], flags: Sequence[Argument], *, most: int | None) -> int:
    """Return how many words stand among the flags on a verb's line.

    `flags` are those that it has, `most` how many words it takes, None for any number. Raises UsageError for a flag
    that it does not have, that is given twice or without its value, and for a word too many.
    """
    values = {to_flag(flag.names[0]): flag.takes_value for flag in flags}
    seen: Counter[str] = Counter()
    words: list[str] = []
    expecting = ""
    for word in line:
        flag, has_value, _ = word.partition("=")
        if expecting and flag not in values:
            expecting = ""
        elif expecting:
            break
        elif not word.startswith("-") or word == "-":
            words.append(word)
        elif flag not in values:
            raise UsageError(
                f"{verb} has no {flag}{_hint(flag, values)}: 'invoke {verb} --help' lists what it has"
            )
        elif has_value and not values[flag]:
            raise UsageError(f"{word}: {flag} takes no value")
        else:
            seen[flag] += 1
            expecting = flag if values[flag] and not has_value else ""
    if expecting:
        raise UsageError(f"{expecting} needs a value: 'invoke {verb} --help' says which")
    if twice := [flag for flag, count in seen.items() if count > 1]:
        raise UsageError(f"{twice[0]} is given twice; where it takes a list, write it with commas")
    if most is not None and len(words) > most:
        takes = f"takes {console.counted(most, 'word')}" if most else "takes no word"
        raise UsageError(f"{verb} {takes}, and {words[most]!r} is one too many; one verb to a line")
    return len(words)


def _hint(flag: str, known: Iterable[str]) -> str:
    """Say what somebody may have meant who typed a flag that the verb does not have."""
    if close := nearest(flag, known):
        return close
    if flag in Program().initial_context.flags:
        return f" (Invoke's own flags stand before the verb: 'invoke {flag} VERB')"
    return ""


def verb(
    help: dict[str, str] | None = None,  # noqa: A002 - Invoke's word
    *,
    uses_store: bool = False,
) -> Callable[[Callable[..., Any]], Verb]:
    """Make a function a verb. `help` describes its parameters, as Invoke's own does."""

    def decorate(body: Callable[..., Any]) -> Verb:
        name = body.__name__.rstrip("_").replace("_", "-")
        return Verb(body, uses_store=uses_store, name=name, help=help or {}, auto_shortflags=False)

    return decorate
