"""What a build may reach, and what it tried to, as far as its log tells.

Most have no network, and nothing listens to what it asks for: what is known is what its programs say of their failure.
That is enough for names: an address would tell only that somebody asked for one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workbench.builders.isolation import why_not
from workbench.container.command import names_network
from workbench.first_error import WIDE
from workbench.troubles import catalogue

if TYPE_CHECKING:
    from workbench.plan.plan import Plan

_ENTRY = "network-refused"
"""The entry of the catalogue whose signs are looked for."""

_IN_VAIN = ("Ip:OutNoRoutes", "Udp:NoPorts")

_TRACEBACK = "Traceback (most recent call last):"
_FRAME = re.compile(r'^\s*File "(?P<file>[^/<"][^"]*)", line (?P<line>\d+)')
"""A frame in a file of the source: its path is a relative one, where that of the build's folder is left out."""

_NAMED = re.compile(r"""(?P<url>\w+://[^\s'"<>()]+)|['"](?P<host>[\w-]+(\.[\w-]+)+)['"]""")
"""A URL or a host in a line of Python."""


def online(plan: Plan) -> str:
    """Return why a plan's build has a network; "" where it has none."""
    if plan.recipe.network:
        return "the recipe says network=True"
    if plan.builder == "container":
        return "container.create_args name one" if names_network(plan.create_args) else ""
    return why_not() and "the build is not isolated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """A URL or a host that a program asked for, and where in the source that is; each "" where nothing says it."""

    what: str
    where: str

    def __str__(self) -> str:
        what = self.what or "the network"
        return f"{what} ({self.where})" if self.where else what


def refused(counters: str) -> int:
    """Return how often a build sent something to the network in vain, as ``/proc/net/snmp`` counts it.

    To an address that no interface leads to, or to a name server that is not there: programs of a build that talk to
    each other do neither.
    """
    lines = [line.split() for line in counters.splitlines()]
    pairs = zip(lines[::2], lines[1::2], strict=False)
    found = [(head[0] + name, value) for head, row in pairs for name, value in zip(head, row, strict=False)]
    return sum(int(value) for name, value in found if name in _IN_VAIN and value.isdigit())


def attempts(said: Iterable[str]) -> tuple[Attempt, ...]:
    """Return what the lines of a log say was tried in vain, each once."""
    found = dict.fromkeys(_attempts(said))
    return tuple(each for each in found if each.what or each.where) or tuple(found)


def _attempts(said: Iterable[str]) -> Iterator[Attempt]:
    (entry,) = (trouble for trouble in catalogue() if trouble.name == _ENTRY)
    where, code, in_frame = "", "", False
    for line in said:
        if _TRACEBACK in line:
            where, code = "", ""
        elif in_frame:
            code, in_frame = line, False
        elif frame := _FRAME.match(line):
            where, in_frame = f"{frame['file']}:{frame['line']}", True
        elif sign := next(filter(None, (each.search(line[:WIDE]) for each in entry.patterns)), None):
            named = {key: value for key, value in sign.groupdict().items() if value}
            python = not named
            if python and (in_code := _NAMED.search(code)):
                named = {key: value for key, value in in_code.groupdict().items() if value}
            yield Attempt(what=next(iter(named.values()), ""), where=where if python else "")
