"""A file read to its end, with the login for its server: its sha256, and a copy where one is wanted."""

from __future__ import annotations

import hashlib
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
    from workbench.events import step
    from workbench.simple.fetch import Fetcher, why

    digest, count = hashlib.sha256(), 0
    try:
        with (
            Fetcher().opened(url, headers=logins.headers(url)) as (chunks, length),
            step(doing.format(filename), total=length or size or 0) as advance,
        ):
            for chunk in chunks:
                digest.update(chunk)
                count += len(chunk)
                if into:
                    into.write(chunk)
                advance(len(chunk))
    except OSError as error:
        raise SourceError(f"{filename}: {why(error)}{logins.remedy(url, error)}") from error
    return digest.hexdigest(), count
