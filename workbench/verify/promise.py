"""What a wheel's platform tags promise: that every library in it runs where the policy's libraries are (PEP 600)."""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from workbench.repair.policies import family_of, index_of
from workbench.toolchain import runtime

if TYPE_CHECKING:
    from workbench.repair.policies import Policy
    from workbench.verify.report import Fault
    from workbench.wheel.elf import Elf


def check_promise(libraries: Sequence[Elf], platforms: Collection[str], *, requires: bool) -> Iterator[Fault]:
    """Find libraries that need more than the wheel's platform tags promise.

    A library that the policy does not name is a finding only where nothing else can bring it: the wheel itself, CUDA's
    wheels, PyTorch's, the driver, or, where it `requires` anything, what that brings.
    """
    own = {posixpath.basename(each.path) for each in libraries} | {each.soname for each in libraries}
    for policy in _policies(platforms):
        for library in libraries:
            if not library.for_host:
                continue
            needs = [
                f"{version} of {name}"
                for name, versions in library.versions.items()
                if name not in own
                for version in versions
                if not policy.allows(version)
            ]
            missing = [] if requires else [each for each in library.needed if _is_missing(each, own, policy)]
            if needs or missing:
                yield library.path, f"{policy.name} does not promise {', '.join((*needs, *missing))}"


def _policies(platforms: Iterable[str]) -> Iterator[Policy]:
    """Yield the most portable policy of those that the tags of an architecture name: it promises most."""
    best: dict[str, tuple[Policy, ...]] = {}
    for platform in platforms:
        family = family_of(platform)
        rest = family[index_of(platform, family) :]  # from the tag's own policy on
        if rest and len(rest) > len(best.get(family[0].name, ())):
            best[family[0].name] = rest
    for policy, *_ in best.values():
        yield policy


def _is_missing(name: str, own: Collection[str | None], policy: Policy) -> bool:
    known = name in own or name in policy.libraries or name.startswith("ld-linux")
    driver = any(fnmatchcase(name, pattern) for pattern in runtime.DRIVER)
    return not known and not driver and runtime.source_of(name) is None
