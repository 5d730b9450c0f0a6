"""One certificate, its own authority, that all programs of a fleet show each other, made for that fleet alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from workbench.files import write_whole

if TYPE_CHECKING:
    from pathlib import Path

    from distributed.security import Security


def make_certificate(folder: Path) -> None:
    """Write a new certificate and its key into a folder, readable for this user alone."""
    from distributed.security import Security

    made: Any = Security  # Dask says nothing of types
    fresh = made.temporary()
    write_whole(folder / "cert.pem", fresh.tls_ca_file, private=True)
    write_whole(folder / "key.pem", fresh.tls_client_key, private=True)


def security_in(folder: Path) -> Security:
    """Return what Dask needs to use the certificate in a folder, whichever part it plays."""
    from distributed.security import Security

    made: Any = Security
    cert, key = str(folder / "cert.pem"), str(folder / "key.pem")
    parts = {f"tls_{part}_cert": cert for part in ("client", "scheduler", "worker")}
    parts |= {f"tls_{part}_key": key for part in ("client", "scheduler", "worker")}
    return made(tls_ca_file=cert, require_encryption=True, **parts)  # type: ignore[no-any-return]
