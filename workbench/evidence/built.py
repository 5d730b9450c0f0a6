"""How a wheel was made, as `notes` keep it."""

from __future__ import annotations

from dataclasses import dataclass

from workbench.evidence.facts import BuildFacts  # noqa: TC001 - the parser reads it from the annotation
from workbench.evidence.provenance import Provenance  # noqa: TC001 - likewise
from workbench.memory.peaks import Peak  # noqa: TC001 - likewise


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """How one wheel was made.

    `build_key` is None for a build from a local folder. `gpu` are the architectures that were asked for. `provenance`
    and `memory`, what the build took, are None for a wheel that was built before they were kept.
    """

    record_sha256: str
    build_key: str | None
    gpu: tuple[str, ...] = ()
    facts: BuildFacts
    provenance: Provenance | None = None
    memory: Peak | None = None
