"""Large files to S3 in parts, going on where a killed upload stopped.

Parts have a CRC-32 each, which the store checks as they arrive. A file's whole sha256 travels as its metadata, and S3
takes that when an upload is begun, before a part has come. So an upload is gone on with only for the file that it was
begun for, and no object ever states the hash of another: a note in the store, whose key has both the file's key and
its sha256, names the upload. What it has of parts that are not this file's is sent again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from workbench.store.client import Client, code_of, unless
from workbench.store.slices import crc32_of, slice_of

if TYPE_CHECKING:
    from workbench.store.protocol import Progress

THRESHOLD = 64 << 20
PART = 16 << 20
_MOST_PARTS = 10_000
PARALLEL = 8
"""Parts of one file under way at once."""


class Part(NamedTuple):
    """One part of a file: its number (from 1), where it starts and its length, in bytes."""

    number: int
    start: int
    length: int


def parts_of(size: int) -> tuple[Part, ...]:
    """Cut a file of `size` bytes into parts, the same ones every time."""
    length = max(PART, -(-size // _MOST_PARTS))
    starts = enumerate(range(0, size, length), start=1)
    return tuple(Part(number, start, min(length, size - start)) for number, start in starts)


def upload_parts(
    client: Client,
    there: Mapping[str, str],
    noted: Mapping[str, str],
    path: Path,
    *,
    create: Mapping[str, Any],
    complete: Mapping[str, Any],
    moved: Progress,
) -> Mapping[str, Any]:
    """Upload a file in parts; return the last answer. `create` and `complete` are more arguments of those calls.

    `there` is the bucket and the key where it goes, `noted` those of the note of it while it is under way; no other
    file's may be the same. The parts stay in the store for the next attempt, but where another file has the key. Raises
    ClientError as the calls do.
    """
    from botocore.exceptions import ClientError

    parts = parts_of(path.stat().st_size)
    begun = unless(("NoSuchKey",), lambda: client.get_object(**noted)["Body"].read().decode())
    upload = {**there, "UploadId": begun or ""}
    have = _sent(client, upload, path, parts) if begun else None
    if have is None:
        made = client.create_multipart_upload(**there, **create, ChecksumAlgorithm="CRC32")
        upload["UploadId"] = str(made["UploadId"])
        client.put_object(**noted, Body=upload["UploadId"].encode())
        have = {}
    moved(sum(part.length for part in parts if part.number in have))

    def send(part: Part) -> dict[str, Any]:
        checksum = crc32_of(path, part.start, part.length)
        with slice_of(path, part.start, part.length, moved) as body:
            answer = client.upload_part(
                **upload, PartNumber=part.number, Body=body, ContentLength=part.length, ChecksumCRC32=checksum
            )
        return _named(part.number, answer)

    pool = ThreadPoolExecutor(PARALLEL)
    try:
        missing = [part for part in parts if part.number not in have]
        have.update((sent["PartNumber"], sent) for sent in pool.map(send, missing))
        whole = {"Parts": [have[part.number] for part in parts]}
        answer: Mapping[str, Any] = client.complete_multipart_upload(
            **upload, **complete, MultipartUpload=whole
        )
    except ClientError as error:
        if code_of(error)[1] == HTTPStatus.PRECONDITION_FAILED:  # another file has the key
            client.abort_multipart_upload(**upload)
            client.delete_object(**noted)
        raise
    finally:
        pool.shutdown(cancel_futures=True)
    client.delete_object(**noted)
    return answer


def _sent(
    client: Client, upload: Mapping[str, str], path: Path, parts: Sequence[Part]
) -> dict[int, dict[str, Any]] | None:
    """Return the parts of this file that an upload has, by number; None where it has ended."""
    pages = client.get_paginator("list_parts").paginate(**upload)
    ended = ("NoSuchUpload", "NoSuchKey")  # as a lifecycle rule ends them; the latter is Ceph's word for it
    listed = unless(ended, lambda: [each for page in pages for each in page.get("Parts", ())])
    if listed is None:
        return None
    ours = (each for each in listed if _is_ours(path, parts, each))
    return {each["PartNumber"]: _named(each["PartNumber"], each) for each in ours}


def _named(number: int, answer: Mapping[str, Any]) -> dict[str, Any]:
    """Return a part that lies in the store as CompleteMultipartUpload wants it named; not all stores keep a CRC."""
    return {
        "PartNumber": number,
        **{key: answer[key] for key in ("ETag", "ChecksumCRC32") if answer.get(key)},
    }


def _is_ours(path: Path, parts: Sequence[Part], listed: Mapping[str, Any]) -> bool:
    """Say whether a part that lies in the store is the one that this file would send."""
    number = listed["PartNumber"]
    if number > len(parts) or parts[number - 1].length != listed["Size"]:
        return False
    _, start, length = parts[number - 1]
    if checksum := listed.get("ChecksumCRC32"):
        return bool(checksum == crc32_of(path, start, length))
    with slice_of(path, start, length) as body:
        digest = hashlib.md5(body.read(), usedforsecurity=False).hexdigest()
    return bool(listed["ETag"].strip('"') == digest)
