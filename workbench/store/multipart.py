"""Large files to S3 in parts, going on where a killed upload stopped.

Parts have a CRC-32 each, which the store checks as they arrive. A file's whole sha256 travels as its metadata, and S3
takes that when an upload is begun, before a part has come. So an upload is gone on with only for the file that it was
begun for, and no object ever states the hash of another: a note in the store, whose key has both the file's key and
its sha256, names the upload. What it has of parts that are not this file's is sent again.
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
    from collections.abc import Callable, Mapping, Sequence
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
    note: str,
    path: Path,
    size: int,
    create: Mapping[str, Any],
    complete: Mapping[str, Any],
    moved: Callable[[int], None],
) -> Mapping[str, Any]:
    """Upload a file in parts; return the last answer. `create` and `complete` are more arguments of those calls.

    `note` is the key at which the upload is noted while it is under way; no other file's may be the same.

    Raises botocore's ClientError as the calls do. The parts stay in the store for the next attempt, but where
    another file has the key.
    """
    from botocore.exceptions import ClientError

    there = {"Bucket": bucket, "Key": key}
    noted = {"Bucket": bucket, "Key": note}
    parts = parts_of(size)
    upload = _noted_upload(client, noted)
    sent = None if upload is None else _sent(client, {**there, "UploadId": upload}, path, parts)
    if upload is None or sent is None:
        upload = str(client.create_multipart_upload(**there, **create, ChecksumAlgorithm="CRC32")["UploadId"])
        client.put_object(**noted, Body=upload.encode())
        sent = ()
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
        answer: Mapping[str, Any] = client.complete_multipart_upload(
            **there, **complete, MultipartUpload=whole
        )
    except ClientError as error:
        if code_of(error)[1] == 412:  # noqa: PLR2004 - Precondition Failed: the key is taken
            client.abort_multipart_upload(**there)
            client.delete_object(**noted)
        raise
    client.delete_object(**noted)
    return answer


def _noted_upload(client: Any, noted: Mapping[str, str]) -> str | None:  # noqa: ANN401 - boto3's
    from botocore.exceptions import ClientError

    try:
        upload: str = client.get_object(**noted)["Body"].read().decode()
    except ClientError as error:
        if code_of(error)[0] == "NoSuchKey":
            return None
        raise
    return upload


def _sent(
    client: Any,  # noqa: ANN401 - boto3's
    upload: Mapping[str, str],
    path: Path,
    parts: Sequence[Part],
) -> tuple[Sent, ...] | None:
    """Return the parts of this file that an upload has; None where it has ended."""
    from botocore.exceptions import ClientError

    pages = client.get_paginator("list_parts").paginate(**upload)
    try:
        listed = [each for page in pages for each in page.get("Parts", ())]
    except ClientError as error:
        if code_of(error)[0] == "NoSuchUpload":
            return None
        raise
    return tuple(
        Sent(number=each["PartNumber"], etag=each["ETag"], crc32=each.get("ChecksumCRC32"))
        for each in listed
        if _is_ours(path, parts, each)
    )


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
