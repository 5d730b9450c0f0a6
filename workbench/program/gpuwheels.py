"""``gpuwheels``, ``gw`` for short: which wheel fits this machine, why, and put it there.

A line is ``gw [COMMAND] [PACKAGE...] [flags]``. A first word that is not a command is a package.
"""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, NoReturn

from workbench import __version__, console
from workbench.errors import UsageError
from workbench.garbage import spare_the_collector

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


@dataclass(frozen=True, slots=True)
class GwCommand:
    """A command: the module of this package that has its function, what it does, and how many packages it takes.

    `packages` is as argparse writes a number of words, "" where it takes none.
    """

    module: str
    about: str
    packages: str = ""


COMMANDS = {
    "resolve": GwCommand("choosing", "print the wheel that fits, for each package (the default)", "+"),
    "add": GwCommand("locking", "resolve, lock and install, in one word", "+"),
    "lock": GwCommand("locking", "write pylock.toml (PEP 751): the wheels and all that they require", "+"),
    "install": GwCommand("locking", "install what pylock.toml names, and remove nothing"),
    "update": GwCommand("locking", "resolve again what pylock.toml was made for, and say what changed"),
    "why": GwCommand("choosing", "every candidate, and why it fits or does not", "+"),
    "available": GwCommand("choosing", "what there is: CUDA × torch × Python × architecture", "+"),
    "detect": GwCommand("looking", "what this machine and this project are"),
    "doctor": GwCommand("looking", "what is wrong here, and what to do about it", "*"),
    "test": GwCommand("looking", "import installed packages, and multiply on the GPU", "+"),
    "sources": GwCommand("places", "the sources of wheels that are asked"),
    "env": GwCommand("looking", "variables to export, so that a package is compiled for this GPU only", "1"),
    "request": GwCommand("looking", "an issue for a wheel's maintainer, ready to be posted", "1"),
    "cache": GwCommand("places", "show what is kept of sources (info), or remove it (clean)"),
}
_ALIASES = {"explain": "why"}

FACTS = {
    "python": "the project's interpreter, or a version: 3.12, 3.13t",
    "torch": "torch's version: 2.11, 2.11.0+cu130, or none",
    "cuda": "CUDA's release: 13.0, cu130, or cpu",
    "driver": "the NVIDIA driver's version: 580.95.05, or none",
    "gpu": "compute capabilities: 12.1, a list sm_121,sm_90, or none",
    "glibc": "glibc's version: 2.39",
    "arch": "the processor: aarch64 or x86_64",
}
"""The facts that a line may give in place of those that are found."""

_RESOLVING = ("resolve", "add", "lock", "update", "why")
_ASKING = (*_RESOLVING, "available", "sources")
_WRITING = ("resolve", "add", "lock")
_INSTALLING = ("add", "install")
_LOCKING = ("add", "lock", "update")


_TRUE: dict[str, Any] = {"action": "store_true"}
_LIST: dict[str, Any] = {"action": "append", "default": []}

FLAGS: tuple[tuple[tuple[str, ...], tuple[str, ...], dict[str, Any]], ...] = (
    (
        (*_ASKING, "install", "doctor"),
        ("--registry",),
        {**_LIST, "metavar": "FILE", "help": "one more registry of sources: a TOML file, or its URL"},
    ),
    (_ASKING, ("--refresh",), {**_TRUE, "help": "ask every source again"}),
    (
        (*_ASKING, "install"),
        ("--offline",),
        {**_TRUE, "help": "use no network: only the answers kept from before, and uv's cache"},
    ),
    (
        _RESOLVING,
        ("--deep",),
        {**_TRUE, "help": "read the wheels' GPU code too, which downloads most of each"},
    ),
    (("doctor",), ("--deep",), {**_TRUE, "help": "read every file of the lock, and compare its sha256"}),
    (_RESOLVING, ("--pre",), {**_TRUE, "help": "take pre-releases as well"}),
    (
        (*_LOCKING, "install", "doctor"),
        ("--lock",),
        {"default": "pylock.toml", "metavar": "FILE", "help": "the lock file (default: pylock.toml)"},
    ),
    (
        _LOCKING,
        ("--index",),
        {**_LIST, "metavar": "URL", "help": "one more index, for what the wheels require"},
    ),
    (("why",), ("--all",), {**_TRUE, "help": "list every wheel, not only the most telling"}),
    (
        (*_LOCKING, "install"),
        ("--signed-by",),
        {
            "default": os.environ.get("GPUWHEELS_SIGNED_BY", ""),
            "metavar": "FILE",
            "help": "public keys, of which one must have signed the wheels and their index",
        },
    ),
    (_LOCKING, ("--dry-run",), {**_TRUE, "help": "say what would be written and installed"}),
    (
        _WRITING,
        ("-o", "--output"),
        {
            "default": "",
            "metavar": "FILE",
            "help": "write the chosen wheels into this pyproject.toml or requirements.txt",
        },
    ),
    (
        _INSTALLING,
        ("--with",),
        {
            "dest": "installer",
            "choices": ("uv", "pip"),
            "default": "uv",
            "help": "the installer (default: uv)",
        },
    ),
    (_INSTALLING, ("--sync",), {**_TRUE, "help": "remove what is not in the lock"}),
    (("add",), ("--build-missing",), {**_TRUE, "help": "compile what no source has, for this GPU only"}),
    (
        ("cache",),
        ("--older-than",),
        {"default": "", "metavar": "TIME", "help": "with clean: remove only what is older: 30m, 1h, 2d"},
    ),
)
"""The flags of each command: the commands that have it, its spellings, and the rest as argparse takes it."""


class _Parser(ArgumentParser):
    """Ends with this program's own message and status."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}: '{self.prog} --help' lists what there is")


def main() -> None:
    """Run a command line, and exit with its status."""
    spare_the_collector()
    with console.listening():
        try:
            status = run(sys.argv[1:])
        except SystemExit:
            raise
        except BaseException as error:  # noqa: BLE001 - whatever it is, it ends in one message
            if os.environ.get("WORKBENCH_DEBUG", "0") not in ("", "0"):
                import traceback

                traceback.print_exc()
            from workbench.endings import ending_of

            end = ending_of(error)
            if end.message:
                sys.stderr.write(f"{end.message}\n")
            status = end.status
    raise SystemExit(status)


def run(words: Sequence[str]) -> int:
    """Run a command line and return its exit status. Raises WorkbenchError, and SystemExit where it asks for help."""
    command, asked = parse(words)
    name = COMMANDS[command].module if command else "looking"
    act: Callable[[Namespace], int] = getattr(
        import_module(f"workbench.program.{name}"), command or "overview"
    )
    if name in ("choosing", "places"):  # they start nothing that would have to end with them
        return act(asked)
    from workbench.process import ended_by_signals

    with ended_by_signals():
        return act(asked)


def parse(words: Sequence[str]) -> tuple[str, Namespace]:
    """Return the command that a line asks for, "" for none, and its flags. Raises UsageError and SystemExit."""
    first = next(iter(words), "")
    command = _ALIASES.get(first, first)
    if command in COMMANDS:
        return command, _parser(command).parse_intermixed_args(words[1:])
    # of flags that take a value, one behind '=' is needed then
    if all(word.startswith("-") for word in words):
        return "", _parser("").parse_args(words)
    return "resolve", _parser("resolve").parse_intermixed_args(words)


def _parser(command: str) -> ArgumentParser:
    """Return the parser of one command, or of a line without one."""
    if command:
        about = COMMANDS[command].about
        parser = _Parser(prog=f"gw {command}", description=f"{about[0].upper()}{about[1:]}.")
    else:
        listed = "\n".join(f"  {name:<10} {each.about}" for name, each in COMMANDS.items())
        parser = _Parser(
            prog="gw",
            usage="gw [COMMAND] [PACKAGE ...] [flags]",
            description="Which wheel with GPU code fits this machine, why, and put it there.",
            formatter_class=RawDescriptionHelpFormatter,
            epilog=f"commands:\n{listed}\n\n'gw COMMAND --help' explains one. 'gw' alone looks at this machine.",
        )
        parser.add_argument("-V", "--version", action="version", version=f"gpuwheels {__version__}")
    _add_flags(command, parser)
    return parser


def _add_flags(command: str, parser: ArgumentParser) -> None:
    if packages := COMMANDS[command].packages if command else "":
        count = int(packages) if packages.isdigit() else packages
        parser.add_argument(
            "packages", nargs=count, metavar="PACKAGE", help="a name, or name==version (PEP 508)"
        )
    parser.add_argument("--json", action="store_true", help="answer in JSON on stdout")
    if command == "cache":
        parser.add_argument(
            "what", choices=("info", "clean"), nargs="?", default="info", help="default: info"
        )
    for commands, names, settings in FLAGS:
        if command in commands:
            parser.add_argument(*names, **settings)
    if command not in ("sources", "cache"):
        facts = parser.add_argument_group("facts, in place of those that are found here")
        for fact, about in FACTS.items():
            facts.add_argument(f"--{fact}", default="", help=about)
        facts.add_argument(
            "--machine",
            default="",
            metavar="FILE",
            help="plan for another machine: what 'gw detect --json' wrote there",
        )


if __name__ == "__main__":
    main()
