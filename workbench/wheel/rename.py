"""Give a wheel another name, version or platform tag: in its filename and wherever its ``.dist-info`` repeats it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from workbench.wheel.assemble import assemble
from workbench.wheel.wheel import open_wheel

if TYPE_CHECKING:
    from packaging.version import Version

_NAME = re.compile(rb"^Name:.*$", re.MULTILINE | re.IGNORECASE)
_VERSION = re.compile(rb"^Version:.*$", re.MULTILINE | re.IGNORECASE)


def restamp(wheel: Path, version: Version, *, name: str = "", requires: Sequence[str] = ()) -> Path:
    """Write `wheel` again as `version` in its place and return the new path. Its payload is copied as it lies there.

    Filename, METADATA, the ``.dist-info`` and ``.data`` folders and RECORD all say the version, in PEP 427's spelling,
    and so they do of a `name` (normalised, PEP 503) that is not the wheel's own.
    `requires` are requirements (PEP 508) to add to METADATA. Raises OSError, BadBinary and BadRecord.
    """
    with open_wheel(wheel) as opened:
        info, metadata = opened.info, opened.text("METADATA")
    old = info.removesuffix(".dist-info")
    own, _, *tags = wheel.name.split("-")
    other = bool(name) and canonicalize_name(own) != name
    spelled = name.replace("-", "_")  # as a filename and a folder spell it; PEP 440's local part has no "-"
    stem = f"{spelled if other else old.rpartition('-')[0] or old}-{version}"

    def renamed(path: str) -> str:
        top, slash, rest = path.partition("/")
        kind = top.removeprefix(old)
        return f"{stem}{kind}/{rest}" if slash and kind in (".dist-info", ".data") else path

    lines = [f"Version: {version}", *(f"Requires-Dist: {requirement}" for requirement in requires)]
    text = _VERSION.sub("\n".join(lines).encode(), metadata, count=1)
    if other:
        text = _NAME.sub(f"Name: {name}".encode(), text, count=1)
    changed = {f"{info}/METADATA": text}
    new = wheel.with_name("-".join([spelled if other else own, str(version), *tags]))
    part = wheel.with_name(f".{new.name}.part")
    assemble(part, base=wheel, made=wheel, changed=changed, renamed=renamed)
    wheel.unlink()
    return part.rename(new)


def retagged(filename: str, platforms: Sequence[str]) -> str:
    """Return a wheel's filename with these platform tags in place of its own."""
    return f"{filename.rpartition('-')[0]}-{'.'.join(sorted(platforms))}.whl"


def retag(wheel: Path, platforms: Sequence[str]) -> dict[str, bytes]:
    """Return a wheel's WHEEL file with these platform tags, by its path; nothing where it has them already.

    Raises OSError and BadBinary.
    """
    with open_wheel(wheel) as opened:
        name, old = f"{opened.info}/WHEEL", opened.text("WHEEL").decode(errors="replace")
    lines = old.rstrip().splitlines()
    tags = [line.partition(":")[2].strip().split("-") for line in lines if line.startswith("Tag:")]
    kept = [line for line in lines if line and not line.startswith("Tag:")]
    if any(platform == "any" for *_, platform in tags):
        # what has binaries belongs to a platform, whatever its builder thought
        kept = ["Root-Is-Purelib: false" if line.startswith("Root-Is-Purelib:") else line for line in kept]
    pairs = dict.fromkeys("-".join(pair) for *pair, _ in tags)
    new = "\n".join([*kept, *(f"Tag: {pair}-{each}" for pair in pairs for each in sorted(platforms)), ""])
    return {} if new == old else {name: new.encode()}
