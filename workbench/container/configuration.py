"""What a container sees of the user's own configuration: certificates and proxies, where it has a network."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePath, PurePosixPath

from workbench.certificates import CERTIFICATE_VARIABLES
from workbench.environment import read_pip_options

CERTIFICATES = PurePosixPath("/workbench-certificates.pem")
"""Where a container sees this site's certificates: those that the first variable names, which all name there."""

PROXIES = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")


@dataclass(frozen=True, slots=True, kw_only=True)
class Handed:
    """What of this machine's own configuration goes into a container.

    `mounts` are this machine's files and folders, by where the container sees them, read-only. `environment` shows in
    logs; `passed` are names of variables whose values, as they are here, do not.
    """

    mounts: Mapping[PurePath, Path] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    passed: tuple[str, ...] = ()


def hand_on(variables: Mapping[str, str] = os.environ) -> Handed:
    """Return what a container with a network needs to reach what is reached here; `variables` are this process's."""
    named = (variables[name] for name in CERTIFICATE_VARIABLES if variables.get(name))
    bundle = next(named, None) or read_pip_options().get("cert")
    proxies = tuple(name for name in PROXIES if variables.get(name))
    if not bundle or not Path(bundle).is_file():
        return Handed(passed=proxies)
    return Handed(
        mounts={CERTIFICATES: Path(bundle)},
        environment=dict.fromkeys(CERTIFICATE_VARIABLES, str(CERTIFICATES)),
        passed=proxies,
    )
