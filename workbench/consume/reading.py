"""A file read to its end, with the login for its server: its sha256, and a copy where one is wanted."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

from workbench.errors import SourceError

if TYPE_CHECKING:
    from workbench.consume.logins import Logins


def read_through(
    url: str,
    filename: str,
    logins: Logins,
    *,
    doing: str = "read {}",
    size: int | None = None,
    into: IO[bytes] | None = None,
) -> tuple[str, int]:
    """Return the sha256 of the file at a URL, and how many bytes came; `into` gets them too.

    `doing` is what is told meanwhile, with the filename in it, and `size` what is expected where the server does not
    say. Raises SourceError.
    """
    from workbench.simple.fetch import Fetcher, why

    try:
        return Fetcher().read_through(
            url, doing.format(filename), into=into, size=size, headers=logins.headers(url)
        )
    except OSError as error:
        raise SourceError(f"{filename}: {why(error)}{logins.remedy(url, error)}") from error
