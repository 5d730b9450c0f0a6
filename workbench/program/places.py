"""Where a line looks for wheels, and the commands about that: which sources are asked, and what is kept of them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from workbench import console
from workbench.consume.cache import Cache
from workbench.consume.resolving import Places
from workbench.errors import UsageError
from workbench.text import counted, duration, file_size

if TYPE_CHECKING:
    from argparse import Namespace

_TIME = re.compile(r"(\d{1,6})([smhdw])", re.ASCII)
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def places_of(asked: Namespace) -> Places:
    """Return where a line looks for wheels. Raises SettingsError for a registry of sources that is wrong."""
    from workbench.consume.logins import Logins
    from workbench.consume.registries import named_registries, read_registries

    cache, named, fetch = Cache.here(), named_registries(asked.registry), None
    # not every command that needs them asks the sources
    offline, refresh = (getattr(asked, name, False) for name in ("offline", "refresh"))
    if any(each.startswith(("http://", "https://")) for each in named):
        from workbench.consume.asking import fetch_registry

        fetch = fetch_registry(cache, offline=offline, refresh=refresh)
    sources = read_registries(named, fetch=fetch)
    return Places(sources=sources, logins=Logins(sources), cache=cache, offline=offline, refresh=refresh)


def sources(asked: Namespace) -> int:
    """Print the sources that are asked, in their order."""
    found = places_of(asked).sources
    if asked.json:
        console.answer_json(
            [
                {
                    "name": each.name,
                    "kind": each.kind,
                    "url": each.url,
                    "packages": each.packages,
                    "about": each.about,
                    "registry": each.registry,
                    "hints": each.hints,
                }
                for each in found
            ]
        )
    else:
        rows = [
            (each.name, each.kind, ", ".join(each.packages) or "any", each.url, each.registry)
            for each in found
        ]
        console.answer_table(("source", "kind", "packages", "where", "named by"), rows)
    return 0


def cache(asked: Namespace) -> int:
    """Say what is kept of the sources, or remove it."""
    kept = Cache.here()
    if asked.what == "clean":
        count, freed = kept.clean(_seconds(asked.older_than) if asked.older_than else 0.0)
        if asked.json:
            console.answer_json({"files": count, "bytes": freed})
        else:
            console.answer(f"Removed {counted(count, 'file')}, {file_size(freed)}.")
        return 0
    if asked.older_than:
        raise UsageError("--older-than goes with 'gw cache clean'")
    info = kept.info()
    if asked.json:
        console.answer_json(info)
    else:
        console.answer_summary(
            info.folder,
            [
                ("pages", str(info.pages)),
                ("registries", str(info.registries)),
                ("facts", str(info.facts)),
                ("size", file_size(info.size)),
                *([("oldest", duration(info.oldest))] if info.oldest else []),
            ],
        )
    return 0


def _seconds(text: str) -> float:
    match = _TIME.fullmatch(text)
    if match is None:
        raise UsageError(f"--older-than {text}: write a number and s, m, h, d or w: 30m, 1h, 2d")
    return float(match[1]) * _SECONDS[match[2]]
