"""What a verb says at its end of a wheel: what it is, and the line that installs exactly it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.utils import parse_wheel_filename

from workbench import console

if TYPE_CHECKING:
    from packaging.version import Version

    from workbench.registry.model import PublishedWheel
    from workbench.site import Site

TRY_OUT = "http://127.0.0.1:8000"
"""Where ``invoke serve`` serves, unless told otherwise."""


def pinned(name: str, version: Version) -> str:
    """Return the requirement that only this very version meets (PEP 440).

    ``==1.0`` would be met by 1.0+cu130 too, which installers prefer where it is published; ``===1.0`` is not.
    """
    return f"{name}{'==' if version.local else '==='}{version}"


def tags_of(filename: str) -> str:
    """Return a wheel's tags as one line."""
    *_, tags = parse_wheel_filename(filename)
    return ", ".join(sorted(map(str, tags)))


def published_facts(wheel: PublishedWheel, site: Site) -> list[tuple[str, str]]:
    """Return the lines of a published wheel's summary."""
    return [
        ("size", console.file_size(wheel.size)),
        ("tags", tags_of(wheel.filename)),
        ("sha256", wheel.sha256),
        *_install_lines(wheel.filename, site.settings.public_url),
    ]


def _install_lines(filename: str, public_url: str | None) -> list[tuple[str, str]]:
    name, version, _, _ = parse_wheel_filename(filename)
    pin = pinned(name, version)
    if public_url is None:
        return [
            ("serve", "invoke serve"),
            ("install", f"pip install --index-url {TRY_OUT}/index/simple/ {pin}"),
        ]
    # there, unlike from 'invoke serve', pip finds nothing that the wheel requires and that is not published as well
    index = f"{public_url}/index/simple/"
    return [
        ("uv", f"uv pip install --index {index} {pin}"),
        ("pip", f"pip install --index-url {index} --no-deps {pin}"),
    ]
