"""The bill of materials that a wheel carries (PEP 770): CycloneDX, and the same bytes for the same build.

It says what the wheel was made of: the upstream source and the patches on top, libraries of others within the wheel,
and, as what is not in it, the build requirements. auditwheel writes one of its own for what it grafts.
"""

from __future__ import annotations

import posixpath
import re
import uuid
import warnings
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from workbench.wheel.wheel import open_wheel

if TYPE_CHECKING:
    from pathlib import Path

    from cyclonedx.model.component import Component, ComponentScope, Pedigree
    from packageurl import PackageURL

    from workbench.evidence.provenance import Provenance, Used
    from workbench.wheel.elf import Elf

FOLDER = "sboms"
"""Below a wheel's ``.dist-info`` (PEP 770)."""
NAME = "wheel-workbench.cdx.json"

_LIBRARY = re.compile(r"(lib.+?)(?:-[0-9a-f]{8})?\.so(?:\.([0-9.]+))?")
"""A shared library's file: its name, the hash that auditwheel puts behind it, and its version."""


def sbom_of(wheel: Path) -> bytes | None:
    """Return the bill of materials in a wheel; None where it has none of ours. Raises OSError, BadBinary."""
    with open_wheel(wheel) as opened:
        name = f"{FOLDER}/{NAME}"
        return opened.text(name) if f"{opened.info}/{name}" in opened.members else None


def bill_of_materials(
    made: Provenance, libraries: Sequence[Elf], grafted: Sequence[str], *, key: str | None
) -> bytes:
    """Return a wheel's bill of materials as JSON of CycloneDX 1.6.

    `libraries` are the wheel's, `grafted` the files that repair copied in. Its serial number comes from the build
    `key`, or without one from the source; its time is the source's own.
    """
    from cyclonedx.model import Property
    from cyclonedx.model.bom import Bom, BomMetaData
    from cyclonedx.model.component import Component, ComponentScope, ComponentType
    from cyclonedx.output.json import JsonV1Dot6

    package, version = made.parameters["package"], made.parameters["version"]
    wheel = Component(
        type=ComponentType.LIBRARY,
        name=package,
        version=version,
        bom_ref="wheel",
        purl=_purl(package, version),
        pedigree=_pedigree(made),
    )
    inside = [
        *(_part(each, scope=ComponentScope.REQUIRED) for each in made.of_role("source")[1:]),
        *(
            Component(
                type=ComponentType.LIBRARY,
                name=name,
                version=number or None,
                bom_ref=path,
                scope=ComponentScope.REQUIRED,
                properties=[
                    Property(name="wheel-workbench:path", value=path),
                    Property(
                        name="wheel-workbench:from", value="repair" if is_grafted else "the build itself"
                    ),
                ],
            )
            for path, name, number, is_grafted in _libraries(libraries, grafted)
        ),
    ]
    used = [_part(each, scope=ComponentScope.EXCLUDED) for each in made.of_role("requirement")]
    bom = Bom(
        serial_number=uuid.uuid5(uuid.NAMESPACE_URL, f"urn:wheel-workbench:{key or _origin(made)}"),
        metadata=BomMetaData(timestamp=datetime.fromtimestamp(made.epoch, UTC), component=wheel),
        components=[*inside, *used],
    )
    bom.register_dependency(wheel, inside)
    with warnings.catch_warnings():
        # it takes a wheel with nothing of others inside for one of which that was forgotten
        warnings.filterwarnings("ignore", "The Component this BOM is describing", UserWarning)
        return JsonV1Dot6(bom).output_as_string(indent=2).encode() + b"\n"


def _origin(made: Provenance) -> str:
    """Return what stands for a build without a key: nothing of its source is pinned."""
    return " ".join(f"{key}={value}" for key, value in made.parameters.items())


def _libraries(libraries: Sequence[Elf], grafted: Sequence[str]) -> Iterator[tuple[str, str, str, bool]]:
    """Yield the shared libraries among a wheel's, not its modules: path, name, version, whether it was grafted."""
    for path in sorted(each.path for each in libraries):
        if found := _LIBRARY.fullmatch(posixpath.basename(path)):
            yield path, found[1], found[2] or "", posixpath.basename(path) in grafted


def _pedigree(made: Provenance) -> Pedigree:
    """Return where a wheel comes from: its upstream, and the patches, each by its hash."""
    from cyclonedx.model import XsUri
    from cyclonedx.model.component import Diff, Patch, PatchClassification, Pedigree

    patches = [
        Patch(
            type=PatchClassification.UNOFFICIAL,
            diff=Diff(url=XsUri(f"{each.name}#sha256={each.digest['sha256']}")),
        )
        for each in made.of_role("patch")
    ]
    return Pedigree(ancestors=[_part(each) for each in made.of_role("source")[:1]], patches=patches)


def _part(used: Used, scope: ComponentScope | None = None) -> Component:
    from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, XsUri
    from cyclonedx.model.component import Component, ComponentType

    sha256, commit = used.digest.get("sha256"), used.digest.get("gitCommit")
    links = (
        [ExternalReference(type=ExternalReferenceType.VCS, url=XsUri(used.uri))]
        if commit and used.uri
        else []
    )
    return Component(
        type=ComponentType.LIBRARY,
        name=used.name,
        version=commit or used.version or None,
        bom_ref=f"{used.role}:{used.name}",
        scope=scope,
        purl=_purl(used.name, used.version) if used.uri.startswith("pkg:pypi/") else None,
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=sha256)] if sha256 else [],
        external_references=links,
    )


def _purl(name: str, version: str) -> PackageURL:
    from packageurl import PackageURL

    return PackageURL(type="pypi", name=name, version=version)
