"""The lines that install a release, to be copied.

Every line pins an exact version and takes it from this index alone. None uses ``--extra-index-url``: with
it pip asks both indexes and takes the highest version of any, so a public package of the same name and a
higher version would win over what is published here.

The tools edit a project's file themselves: a text to paste would have to know what is in it. uv has no option for
``explicit``, so its index is a table to paste, once; ``uv add`` leaves it as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from shlex import quote
from typing import TYPE_CHECKING, NamedTuple

from workbench.store.layout import INDEX, SIMPLE

if TYPE_CHECKING:
    from workbench.index.channel import Channel

HERE = "https://HERE"
"""Stands for the store's root where the settings have no ``public_url``; the page's script writes it out."""

_SOURCE = "workbench"


class Install(NamedTuple):
    """The lines for one release, by the tool that they are for; the page says what each is.

    `pin` is the requirement that only this release meets. `poetry` is None where Poetry has no way to write that.
    """

    pin: str
    uv: str
    uv_index: str
    uv_add: str
    pip: str
    requirements: str
    poetry: str | None


def pinned(name: str, version: str) -> str:
    """Return the requirement that only this very version meets (PEP 440), as `str` writes it.

    ``==1.0`` would be met by 1.0+cu130 too, which installers prefer once it is published; ``===1.0`` is not.
    """
    return f"{name}{'==' if '+' in version else '==='}{version}"


def direct(name: str, url: str, sha256: str) -> str:
    """Return the line that installs one file, at an absolute URL, by its hash."""
    return f"pip install {quote(f'{name} @ {url}#sha256={sha256}')}"


def simple_index(root: str, channel: Channel | None) -> str:
    """Return the URL of a channel's index below the store's root, or of the one that has everything."""
    return f"{root}/{INDEX}{channel.folder}/simple/" if channel else f"{root}/{SIMPLE}"


def lines(
    name: str, version: str, root: str, channel: Channel | None, hashes: Sequence[str], *, alone: bool
) -> Install:
    """Return the lines for one release, whose files have these hashes, in its channel's index below `root`.

    `alone` says that no other published version meets ``==`` this one, which is all that Poetry can ask for.
    """
    index = simple_index(root, channel)
    source = _source(channel)
    pin = pinned(name, version)
    word = quote(pin)
    hash_lines = " \\\n".join(f"    --hash=sha256:{digest}" for digest in hashes)
    add = quote(f"{name}=={version}")
    poetry = f"poetry source add --priority explicit {source} {index}\npoetry add --source {source} {add}"
    return Install(
        pin=pin,
        uv=f"uv pip install --index {index} {word}",
        uv_index=f'[[tool.uv.index]]\nname = "{source}"\nurl = "{index}"\nexplicit = true',
        uv_add=f"uv add --index {source}={index} {word}",
        pip=f"pip install --index-url {index} --no-deps {word}\npip check",
        requirements=f"--index-url {index}\n{pin} \\\n{hash_lines}",
        poetry=poetry if alone else None,
    )


def _source(channel: Channel | None) -> str:
    """Return what an index is called in a project's files: each channel by a name of its own."""
    return f"{_SOURCE}-{channel.folder}".replace("/", "-").replace(".", "-") if channel else _SOURCE
