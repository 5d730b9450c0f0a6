"""The architectures that wheels are built for, and what else people call them."""

from __future__ import annotations

OCI_ARCH = {"x86_64": "amd64", "aarch64": "arm64"}
"""What container engines and images call the architecture that ``uname -m`` names."""

ARCHITECTURES = tuple(OCI_ARCH)

PLATFORMS = {
    **{word: arch for arch, name in OCI_ARCH.items() for word in (f"linux/{name}", name)},
    "x86-64": "x86_64",
}
"""What else people type for an architecture."""
