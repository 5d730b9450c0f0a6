"""Trying a store out: whether it honours conditions, and which keys it can hold.

Some stores answer 200 to a condition and ignore it. Others keep objects as files, where ``a/`` cannot lie beside
``a/b``. What was found is remembered for a day.
"""

from __future__ import annotations

import hashlib
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from workbench.files import write_whole
from workbench.store.client import Client, code_of

PROBES = ".probe/"
"""Where a store is tried out; what a killed probe leaves there, ``store.clean`` removes."""

REFUSED = (409, 412)
UNKNOWN = (400, 501)
_REMEMBERED_SECONDS = 24 * 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """What a store is like: the condition that it ignores, or None, and whether it holds folders' keys."""

    ignores: str | None
    folder_keys: bool


def try_out(client: Client, *, bucket: str, prefix: str, conditions: bool) -> Traits:
    """Return what a store is like, `conditions` tried or not: at once, for a publish waits. Raises ClientError."""
    at = {"Bucket": bucket, "Key": f"{prefix}{PROBES}{uuid.uuid4().hex}"}
    with ThreadPoolExecutor(1) as pool:
        folder_keys = pool.submit(_try_folder_keys, client, {**at, "Key": f"{at['Key']}-folder/"})
        ignores = _try_conditions(client, at) if conditions else None
        return Traits(ignores=ignores, folder_keys=folder_keys.result())


def _try_conditions(client: Client, at: dict[str, str]) -> str | None:
    """Return which condition a store ignores, or None."""
    tries = {
        "If-None-Match on a put": lambda: client.put_object(**at, Body=b"x", IfNoneMatch="*"),
        "If-Match on a put": lambda: client.put_object(**at, Body=b"x", IfMatch=f'"{"0" * 32}"'),
        "If-None-Match at the end of an upload in parts": lambda: _put_in_parts(client, at),
    }
    client.put_object(**at, Body=b"first")
    try:
        with ThreadPoolExecutor(len(tries)) as pool:
            refused = dict(zip(tries, pool.map(_is_refused, tries.values()), strict=True))
        return next((what for what, is_refused in refused.items() if not is_refused), None)
    finally:
        client.delete_object(**at)


def _try_folder_keys(client: Client, at: dict[str, str]) -> bool:
    """Say whether a key that ends with a slash can be stored, and one below it."""
    from botocore.exceptions import ClientError

    bucket, folder = at["Bucket"], at["Key"]
    below = f"{folder}index.html"
    client.put_object(**at, Body=b"folder")
    try:
        listed = client.list_objects_v2(Bucket=bucket, Prefix=folder.removesuffix("/")).get("Contents", ())
        if [each["Key"] for each in listed] != [folder]:
            return False
        client.put_object(Bucket=bucket, Key=below, Body=b"below")
    except ClientError as error:
        if code_of(error)[1] in UNKNOWN:
            return False
        raise
    finally:
        # a store of files keeps it without the slash
        for key in (below, folder, folder.removesuffix("/")):
            with suppress(ClientError):
                client.delete_object(Bucket=bucket, Key=key)
    return True


def remembered(memory: Path | None, place: str, find_out: Callable[[], Traits]) -> Traits:
    """Return what a store is like: as the folder `memory` has it from the last day, or as is found out now.

    Kept is whether it holds folders' keys, ``yes`` or ``no``; one that ignores conditions is tried again each time.
    """
    if memory is None:
        return find_out()
    file = memory / hashlib.sha256(place.encode()).hexdigest()
    with suppress(OSError, ValueError):
        if 0 <= time.time() - file.stat().st_mtime < _REMEMBERED_SECONDS:
            return Traits(ignores=None, folder_keys=bool(("no", "yes").index(file.read_text())))
    traits = find_out()
    if traits.ignores is None:
        write_whole(file, "yes" if traits.folder_keys else "no")
    return traits


def _is_refused(put: Callable[[], object]) -> bool:
    from botocore.exceptions import ClientError

    try:
        put()
    except ClientError as error:
        status = code_of(error)[1]
        if status not in (*REFUSED, *UNKNOWN):  # the latter know of no such header, or of no such call
            raise
        return status in REFUSED
    return False


def _put_in_parts(client: Client, at: dict[str, str]) -> None:
    """Upload one part over a key that is taken, and see that the condition is kept there too."""
    upload = {**at, "UploadId": client.create_multipart_upload(**at)["UploadId"]}
    try:
        etag = client.upload_part(**upload, PartNumber=1, Body=b"x")["ETag"]
        parts = {"Parts": [{"PartNumber": 1, "ETag": etag}]}
        client.complete_multipart_upload(**upload, MultipartUpload=parts, IfNoneMatch="*")
    except BaseException:
        client.abort_multipart_upload(**upload)
        raise
