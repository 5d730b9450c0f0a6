"""Invoke tasks as this project's verbs: many words at the end of a line, and errors as one message.

    @verb
    def upload(c, *wheels, dry_run=False): ...

Invoke's own positionals take one word each; here a ``*parameter`` takes all that are left on the line.
"""

from __future__ import annotations

import inspect
import os
import sys
from typing import TYPE_CHECKING, Any

from invoke.exceptions import Exit
from invoke.parser.argument import Argument
from invoke.parser.context import to_flag, translate_underscores
from invoke.tasks import Task

from workbench.errors import UsageError, WorkbenchError
from workbench.site import VARIABLES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

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

INTERRUPTED = 130
INTERNAL = 70
"""Exit statuses of Ctrl-C (128 + SIGINT) and of a bug of ours (sysexits' EX_SOFTWARE)."""


class Words(Argument):
    """A positional that Invoke's parser finds missing, and so keeps feeding, until it has `expected` words.

    Where none is expected it never is missing, so that ``invoke show --help`` is not taken to show ``--help``.
    """

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


class Verb(Task["Callable[..., Any]"]):
    """A task whose ``*parameter``, if it has one, takes every remaining word, and whose errors are messages.

    One that `uses_store` takes the store's flags as well.
    """

    def __init__(self, body: Callable[..., Any], *, uses_store: bool = False, **options: Any) -> None:  # noqa: ANN401
        super().__init__(body, **options)
        self._uses_store = uses_store

    def get_arguments(self, ignore_unknown_help: bool | None = None) -> list[Argument]:
        """Return Invoke's arguments, with Words in the place of the positionals."""
        arguments = super().get_arguments(ignore_unknown_help)
        if self._uses_store:
            arguments += [_store_flag(key, explained) for key, explained in STORE_FLAGS.items()]
        self._explained = {argument.attr_name or argument.name: argument.help for argument in arguments}
        left = count_words(sys.argv[1:], translate_underscores(self.name), arguments)
        for i, argument in enumerate(arguments):
            if argument.positional or argument.name == self._variadic:
                expected = left if argument.name == self._variadic else min(left, 1)
                left -= expected
                arguments[i] = Words(
                    expected=expected, names=argument.names, attr_name=argument.attr_name, help=argument.help
                )
        return arguments

    @property
    def _variadic(self) -> str | None:
        return next((p.name for p in self._parameters if p.kind is p.VAR_POSITIONAL), None)

    @property
    def _parameters(self) -> tuple[inspect.Parameter, ...]:
        """The parameters of the verb, without Invoke's context."""
        return tuple(inspect.signature(self.body).parameters.values())[1:]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - Task's own
        """Run the verb; turn what goes wrong into Invoke's Exit, with the error's own status."""
        if self._uses_store:
            chosen = {key: kwargs.pop(key.replace("_", "-"), "") for key in STORE_FLAGS}
            os.environ.update({VARIABLES[key]: str(value) for key, value in chosen.items() if value})
        try:
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
            return super().__call__(*args, *words, **kwargs)
        except (Exit, SystemExit):
            raise
        except BaseException as error:
            if os.environ.get("WORKBENCH_DEBUG"):
                raise
            raise _exit(error) from None


def _store_flag(key: str, explained: str) -> Argument:
    name = key.replace("_", "-")
    if key == "single_writer":
        return Argument(name=name, kind=bool, default=False, help=explained)
    return Argument(name=name, kind=str, default="", help=explained)


def _exit(error: BaseException) -> Exit:
    match error:
        case WorkbenchError():
            return Exit(f"error: {error}", code=error.exit_code)
        case KeyboardInterrupt():
            return Exit("\nInterrupted. Run the same command again to go on from here.", code=INTERRUPTED)
        case BrokenPipeError():
            # whoever read our answer has seen enough (head); nothing more may be written, at exit neither
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return Exit(code=WorkbenchError.exit_code)
        case OSError(filename=str(name), strerror=str(why)):
            return Exit(f"error: {name}: {why}", code=WorkbenchError.exit_code)
        case OSError(strerror=str(why)):
            return Exit(f"error: {why}", code=WorkbenchError.exit_code)
        case _:
            return Exit(
                f"internal error: {type(error).__name__}: {error}\n"
                "This is a bug of the workbench. WORKBENCH_DEBUG=1 shows where it happened.",
                code=INTERNAL,
            )


def count_words(argv: Sequence[str], task: str, arguments: Sequence[Argument]) -> int:
    """Count the words after `task` that are neither flags nor flags' values."""
    if task not in argv:
        return 0
    valued = {to_flag(name) for a in arguments if a.takes_value for name in a.names}
    words, previous = 0, task
    for word in argv[argv.index(task) + 1 :]:
        if word == "--":
            break
        words += not word.startswith("-") and previous not in valued
        previous = word
    return words


def verb(
    help: dict[str, str] | None = None,  # noqa: A002 - Invoke's word
    *,
    uses_store: bool = False,
) -> Callable[[Callable[..., Any]], Verb]:
    """Make a function a verb. `help` describes its parameters, as Invoke's own does."""

    def decorate(body: Callable[..., Any]) -> Verb:
        name = body.__name__.rstrip("_")
        return Verb(body, uses_store=uses_store, name=name, help=help or {}, auto_shortflags=False)

    return decorate
