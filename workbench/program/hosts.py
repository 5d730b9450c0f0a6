"""The host that a line is about: this machine and its project, or one that is described."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.consume.given import from_json, given
from workbench.consume.interpreter import ON_PATH
from workbench.errors import UsageError
from workbench.program.gpuwheels import FACTS

if TYPE_CHECKING:
    from argparse import Namespace

    from workbench.consume.host import Host

_RELEASE = re.compile(r"3\.\d+(\.\d+)?t?", re.ASCII)


def host_of(asked: Namespace, *, anew: bool = False) -> Host:
    """Return the host of a line; with `anew` nothing of it is what was found the last time. Raises UsageError."""
    facts = {name: getattr(asked, name) for name in FACTS}
    if asked.machine:
        path = Path(asked.machine)
        try:
            text = path.read_bytes()
        except OSError as error:
            raise UsageError(
                f"--machine {path}: {error.strerror}: 'gw detect --json' there writes it"
            ) from error
        return given(replace(from_json(text, path), interpreter=None), **facts)  # its path means nothing here
    from workbench.consume.cache import Cache
    from workbench.consume.detect import detect

    interpreter = "" if _RELEASE.fullmatch(asked.python) else asked.python
    facts["python"] = "" if interpreter else asked.python
    kept = None if anew else Cache.here().folder
    return given(detect(Path.cwd(), interpreter, cache=kept), **facts)


def interpreter_of(host: Host) -> Path:
    """Return the interpreter of the project. Raises UsageError where the line is about another machine or Python."""
    if host.interpreter is None:
        raise UsageError(
            "this needs the project's own interpreter: leave out --machine and --arch, and let --python be its path"
        )
    return Path(host.interpreter)


def environment_of(host: Host) -> Path:
    """Return the interpreter that packages are installed for. Raises UsageError where nobody has named or made one.

    A python3 that happens to be on PATH is looked at, but nothing is put into it.
    """
    found = interpreter_of(host)
    if host.origins.get("interpreter", "").startswith(ON_PATH):
        raise UsageError(
            f"there is no environment to install into: 'uv venv' makes .venv here, or --python {found} says that "
            "this Python is meant"
        )
    return found
