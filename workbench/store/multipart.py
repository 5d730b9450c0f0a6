"""Large files to S3 in parts, going on where a killed upload stopped.

Parts have a CRC-32 each, which the store checks as they arrive. The parts of an earlier upload are used only
when their checksums are those of this file; a file's whole sha256 travels as its metadata.
"""

from __future__ import annotations

import base64
import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from workbench.store.client import code_of
from workbench.store.slices import Slice, crc32_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

THRESHOLD = 64 << 20
PART = 16 << 20
MOST_PARTS = 10_000
PARALLEL = 8
"""Parts of one file under way at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One part of a file: its number (from 1), where it starts and its length, in bytes."""

    number: int
    start: int
    length: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A part that lies in the store. `crc32` is None where the store keeps none."""

    number: int
    etag: str
    crc32: str | None

    def as_request(self) -> dict[str, Any]:
        """Return the part as CompleteMultipartUpload wants it named."""
        checksum = {"ChecksumCRC32": self.crc32} if self.crc32 else {}
        return {"PartNumber": self.number, "ETag": self.etag, **checksum}


def parts_of(size: int) -> tuple[Part, ...]:
    """Cut a file of `size` bytes into parts, the same ones every time."""
    length = max(PART, -(-size // MOST_PARTS))
    return tuple(
        Part(number=number, start=start, length=min(length, size - start))
        for number, start in enumerate(range(0, size, length), start=1)
    )


def upload_parts(
    client: Any,  # noqa: ANN401 - boto3's
    *,
    bucket: str,
    key: str,
    path: Path,
    size: int,
    create: Mapping[str, Any],
    complete: Mapping[str, Any],
    moved: Callable[[int], None],
) -> None:
    """Upload a file in parts. `create` and `complete` are more arguments of the calls of these names.

    Raises botocore's ClientError as the calls do. The parts stay in the store for the next attempt, but where
    another file has the key.
    """
    from botocore.exceptions import ClientError

    there = {"Bucket": bucket, "Key": key}
    parts = parts_of(size)
    upload, sent = _find_upload(client, there, path, parts)
    if upload is None:
        upload = client.create_multipart_upload(**there, **create, ChecksumAlgorithm="CRC32")["UploadId"]
    there["UploadId"] = upload
    have = {part.number: part for part in sent}
    moved(sum(part.length for part in parts if part.number in have))
    pool = ThreadPoolExecutor(PARALLEL)
    try:
        missing = [part for part in parts if part.number not in have]
        for part in pool.map(lambda part: _send(client, there, path, part, moved), missing):
            have[part.number] = part
    finally:
        pool.shutdown(cancel_futures=True)
    whole = {"Parts": [have[part.number].as_request() for part in parts]}
    try:
        client.complete_multipart_upload(**there, **complete, MultipartUpload=whole)
    except ClientError as error:
        if code_of(error)[1] == 412:  # noqa: PLR2004 - Precondition Failed: the key is taken
            client.abort_multipart_upload(**there)
        raise


def uploads(client: Any, *, bucket: str, prefix: str) -> Iterator[Mapping[str, Any]]:  # noqa: ANN401 - boto3's
    """Yield the unfinished uploads at keys that start with `prefix`: Key, UploadId, Initiated."""
    for page in client.get_paginator("list_multipart_uploads").paginate(Bucket=bucket, Prefix=prefix):
        yield from page.get("Uploads", ())


def _find_upload(
    client: Any,  # noqa: ANN401 - boto3's
    there: Mapping[str, str],
    path: Path,
    parts: Sequence[Part],
) -> tuple[str | None, tuple[Sent, ...]]:
    """Return an unfinished upload of this very file, and its parts; None where there is none."""
    found = uploads(client, bucket=there["Bucket"], prefix=there["Key"])
    same = [upload for upload in found if upload["Key"] == there["Key"]]
    for upload in sorted(same, key=lambda upload: upload["Initiated"], reverse=True):
        listed = [
            listed
            for page in client.get_paginator("list_parts").paginate(**there, UploadId=upload["UploadId"])
            for listed in page.get("Parts", ())
        ]
        # one without parts may be another publisher's who has just begun, with a file of other bytes
        if listed and all(_is_ours(path, parts, each) for each in listed):
            sent = tuple(
                Sent(number=each["PartNumber"], etag=each["ETag"], crc32=each.get("ChecksumCRC32"))
                for each in listed
            )
            return upload["UploadId"], sent
    return None, ()


def _is_ours(path: Path, parts: Sequence[Part], listed: Mapping[str, Any]) -> bool:
    """Say whether a part that lies in the store is the one that this file would send."""
    number = listed["PartNumber"]
    if number > len(parts) or parts[number - 1].length != listed["Size"]:
        return False
    part = parts[number - 1]
    if checksum := listed.get("ChecksumCRC32"):
        return bool(checksum == _encoded(crc32_of(path, part.start, part.length)))
    with Slice(path, part.start, part.length, lambda _count: None) as body:
        digest = hashlib.md5(body.read(), usedforsecurity=False).hexdigest()
    return bool(listed["ETag"].strip('"') == digest)


def _send(
    client: Any,  # noqa: ANN401 - boto3's
    there: Mapping[str, str],
    path: Path,
    part: Part,
    moved: Callable[[int], None],
) -> Sent:
    checksum = _encoded(crc32_of(path, part.start, part.length))
    with Slice(path, part.start, part.length, moved) as body:
        answer = client.upload_part(
            **there, PartNumber=part.number, Body=body, ContentLength=part.length, ChecksumCRC32=checksum
        )
    return Sent(number=part.number, etag=answer["ETag"], crc32=answer.get("ChecksumCRC32"))


def _encoded(crc: int) -> str:
    return base64.b64encode(crc.to_bytes(4, "big")).decode()
