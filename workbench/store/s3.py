"""A store in an S3 bucket: AWS, Cloudflare R2, Ceph and others that honour conditional writes.

Every write carries a condition (If-None-Match or If-Match), so no two publishers undo each other's work, and
a lost answer is told from a lost race by looking at what lies there. No ACLs are set: the bucket's policy
decides who reads (``bucket``).
"""

from __future__ import annotations

import base64
import hashlib
import io
import threading
import uuid
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from workbench.errors import StoreError
from workbench.events import note
from workbench.store import multipart
from workbench.store.client import NO_API, STREAMS, Client, Refused, code_of, make_client, plainly, unless
from workbench.store.folder import taken
from workbench.store.layout import REGISTRY, Headers, headers
from workbench.store.probe import PROBES, Traits, remembered, try_out
from workbench.store.protocol import CHUNK, Content, Leftover, Listed, Progress, Stored, fault_of, nobody
from workbench.store.slices import Ranges, slice_of

if TYPE_CHECKING:
    from workbench.settings import S3Settings

_ABSENT = ("NoSuchKey", "404", "NotFound")
_UNCHANGED = 304
_LOST = (409, 412, *_ABSENT, "NoSuchUpload")
"""A condition of a write does not hold. If-Match on what is not there is a 404; so is an upload in parts that another
publisher has completed."""
ATTEMPTS = 5
_RANGE = 64 << 10
"""Bytes of an object that are read at once by who looks for something in it."""
_UPLOADS = ".uploads/"
"""Where uploads in parts are noted while they are under way (``multipart``)."""


class S3Store:
    """The store below a prefix of a bucket. See ``protocol.Store``.

    A single writer's store (``S3Settings``) is asked what lies there before each write, instead of being trusted
    with conditions. `memory` is a folder where what the store was found to be like is kept for the next runs.
    """

    folder: Path | None = None
    streams = STREAMS  # as many as hide the latency of a request

    def __init__(self, settings: S3Settings, *, memory: Path | None = None) -> None:
        self.settings = settings
        self._memory = memory
        self._prefix = f"{settings.prefix.strip('/')}/" if settings.prefix.strip("/") else ""
        self.place = f"s3://{settings.bucket}/{self._prefix}".rstrip("/")
        self._registry: Stored | None = None
        self._client: Any = None
        self._lock = threading.Lock()

    @property
    def client(self) -> Client:
        """The boto3 client, made when it is first needed, by one thread."""
        with self._lock:
            if self._client is None:
                self._client = make_client(self.settings)
        return self._client

    @cached_property
    def folder_keys(self) -> bool:
        """As the store was found to be; it is said once what it means that there can be none."""
        if not self._traits.folder_keys:
            note(
                f"{self.place} cannot hold a key that ends with a slash, so its pages are at …/index.html alone: pip "
                "and uv find them only through a web server that serves these for their folders"
            )
        return self._traits.folder_keys

    def prepare(self) -> None:
        """See that the store honours conditions; some answer 200 and ignore them."""
        if broken := self._traits.ignores:
            raise StoreError(
                f"{self.place}: this store does not honour conditional writes ({broken}), so of two "
                "publishers at once one would undo what the other did, and published files could be "
                "overwritten. If nobody else ever publishes here, say --single-writer: then a second "
                "publisher, by mistake or from CI, costs the wheels of one of them their place in the index"
            )

    @cached_property
    def _traits(self) -> Traits:
        """What the store is like: as it was found within the last day, or as trying it out shows."""
        where = f"{self.settings.endpoint or ''} {self.place} {self.settings.single_writer}"
        return remembered(self._memory, where, lambda: self.probe(conditions=not self.settings.single_writer))

    def probe(self, *, conditions: bool = True) -> Traits:
        """Try the store out, whatever is remembered of it. It leaves nothing behind."""
        with plainly(f"{self.place}/{PROBES}"):
            return try_out(
                self.client, bucket=self.settings.bucket, prefix=self._prefix, conditions=conditions
            )

    def read(self, key: str) -> Stored | None:
        """Get an object; its version is its ETag. The registry, read again and again, comes only if it has changed."""
        from botocore.exceptions import ClientError

        known = self._registry if key == REGISTRY else None
        condition = {"IfNoneMatch": known.version} if known else {}
        with plainly(f"{self.place}/{key}"):
            try:
                answer = self.client.get_object(**self._at(key), **condition)
            except ClientError as error:
                code, status = code_of(error)
                if status == _UNCHANGED:
                    return known
                # a bucket that is missing answers 404 as well, and is not an empty store
                if code in _ABSENT:
                    return None
                raise
            stored = Stored(content=answer["Body"].read(), version=_version(answer))
        if key == REGISTRY:
            self._registry = stored
        return stored

    def create(
        self, key: str, content: Content, *, sha256: str, moved: Progress = nobody, look: bool = True
    ) -> bool:
        """Put an object if there is none, with its sha256 for the store to check.

        The hash covers a file up to 64 MiB whole. A larger one goes up in parts with a checksum each, which
        are not sent again when an upload that was cut short is repeated.
        """
        look = self.settings.single_writer or (look and isinstance(content, Path))
        with plainly(f"{self.place}/{key}"):
            for _ in range(ATTEMPTS):
                if look and self._is_there(key, sha256):
                    return False
                if self._put_new(key, content, sha256, moved):
                    return True
                look = True
        raise StoreError(
            f"{self.place}/{key}: others create and delete this file again and again; run it again"
        )

    def replace(
        self, key: str, content: bytes, *, expected: str | None, content_type: str | None = None
    ) -> str | None:
        """Put an object if it is still the one expected."""
        condition = {"IfNoneMatch": "*"} if expected is None else {"IfMatch": expected}
        if self.settings.single_writer:
            with plainly(f"{self.place}/{key}"):
                head = self._head(key)
            if (_version(head) if head else None) != expected:
                return None
            condition = {}
        digest = hashlib.sha256(content).hexdigest()
        described = self._described(key, digest)
        described["Metadata"]["write"] = write = uuid.uuid4().hex
        if content_type:
            described["ContentType"] = content_type
        whole = {**self._at(key), **described, **condition, "ChecksumSHA256": _encoded(digest)}
        with plainly(f"{self.place}/{key}"):
            answer = unless(_LOST, lambda: self.client.put_object(**whole, Body=content))
            if answer is None:
                # a write whose answer was lost is repeated by boto3, and then refused because it was done
                answer = self._head(key)
                if answer is None or _metadata(answer).get("write") != write:
                    return None
            version = _version(answer)
        if key == REGISTRY:
            self._registry = Stored(content=content, version=version)
        return version

    def delete(self, key: str) -> None:
        """Delete an object."""
        with plainly(f"{self.place}/{key}"):
            self.client.delete_object(**self._at(key))

    def entries(self, prefix: str, *, after: str = "") -> Iterator[Listed]:
        """List objects, a request for each thousand."""
        start = {"StartAfter": self._prefix + after} if after else {}
        with plainly(f"{self.place}/{prefix}"):
            pages = self.client.get_paginator("list_objects_v2").paginate(
                Bucket=self.settings.bucket, Prefix=self._prefix + prefix, **start
            )
            for page in pages:
                for each in page.get("Contents", ()):
                    yield Listed(
                        key=each["Key"].removeprefix(self._prefix),
                        size=each["Size"],
                        modified=each["LastModified"],
                        version=_etag(each),
                    )

    def leftovers(self) -> Iterator[Leftover]:
        """Yield unfinished uploads in parts and the notes of them, and what killed probes left."""
        with plainly(self.place):
            pages = self.client.get_paginator("list_multipart_uploads").paginate(
                Bucket=self.settings.bucket, Prefix=self._prefix
            )
            found = unless(
                ("NoSuchUpload",),  # as rclone says it of a bucket without any
                lambda: [upload for page in pages for upload in page.get("Uploads", ())],
            )
        for upload in found or ():
            yield Leftover(
                what="unfinished upload",
                key=upload["Key"].removeprefix(self._prefix),
                modified=upload["Initiated"],
                token=upload["UploadId"],
            )
        for what, prefix in (("note of an upload", _UPLOADS), ("probe", PROBES)):
            for entry in self.entries(prefix):
                yield Leftover(what=what, key=entry.key, modified=entry.modified)

    def discard(self, leftover: Leftover) -> None:
        """Abort an upload, or delete a note or a probe."""
        if not leftover.token:
            self.delete(leftover.key)
            return
        with plainly(f"{self.place}/{leftover.key}"):
            upload = {**self._at(leftover.key), "UploadId": leftover.token}
            unless(_LOST, lambda: self.client.abort_multipart_upload(**upload))

    def open(self, key: str) -> IO[bytes]:
        """Open the object: a request for each range that is read."""
        with plainly(f"{self.place}/{key}"):
            size = self.client.head_object(**self._at(key))["ContentLength"]

        def fetch(start: int, buffer: memoryview) -> int:
            with plainly(f"{self.place}/{key}"):
                asked = f"bytes={start}-{start + len(buffer) - 1}"
                body = self.client.get_object(**self._at(key), Range=asked)["Body"].read()
            buffer[: len(body)] = body
            return len(body)

        return io.BufferedReader(Ranges(fetch, size), _RANGE)

    def served(self, key: str) -> Headers | None:
        """Return the object's headers."""
        with plainly(f"{self.place}/{key}"):
            head = self._head(key)
        return Headers(head.get("ContentType", ""), head.get("CacheControl", "")) if head else None

    def check(self, key: str, *, sha256: str, size: int) -> str | None:
        """Look at the object's head, then get it all and hash it."""
        with plainly(f"{self.place}/{key}"):
            head = self._head(key)
            actual = head["ContentLength"] if head else None
            return fault_of(actual, lambda: self._hash(key), size=size, sha256=sha256)

    def _put_new(self, key: str, content: Content, sha256: str, moved: Progress) -> bool:
        """Put an object that must be new; False when the key is taken."""
        condition = {} if self.settings.single_writer else {"IfNoneMatch": "*"}
        described = self._described(key, sha256)
        size = len(content) if isinstance(content, bytes) else content.stat().st_size

        def put() -> Mapping[str, Any]:
            if isinstance(content, Path) and size >= multipart.THRESHOLD:
                there, noted = self._at(key), self._at(f"{_UPLOADS}{key}/{sha256}")
                more = {"create": described, "complete": condition}
                return multipart.upload_parts(self.client, there, noted, content, **more, moved=moved)
            whole = {**self._at(key), **described, **condition, "ChecksumSHA256": _encoded(sha256)}
            source = io.BytesIO(content) if isinstance(content, bytes) else slice_of(content, 0, size, moved)
            with source as body:
                answer: Mapping[str, Any] = self.client.put_object(**whole, Body=body, ContentLength=size)
            if isinstance(content, bytes):
                moved(size)
            return answer

        return unless(_LOST, put) is not None

    def _is_there(self, key: str, sha256: str) -> bool:
        """Say whether an object is there. Raises FilenameTaken when it has other bytes."""
        head = self._head(key)
        if head is None:
            return False
        checksum: str = head.get("ChecksumSHA256", "")
        whole = head.get("ChecksumType", "FULL_OBJECT") == "FULL_OBJECT"
        if checksum and whole and "-" not in checksum:  # one of parts has their number after a dash
            found = base64.b64decode(checksum).hex()
        else:  # what its creator said; before an object is said to be another, it is read
            found = sha256 if _metadata(head).get("sha256") == sha256 else self._hash(key)
        if found != sha256:
            raise taken(key.rpartition("/")[2], f"{self.place}/{key}")
        return True

    def _head(self, key: str) -> Mapping[str, Any] | None:
        return unless(_ABSENT, lambda: self.client.head_object(**self._at(key), ChecksumMode="ENABLED"))

    def _hash(self, key: str) -> str:
        body = self.client.get_object(**self._at(key))["Body"]
        digest = hashlib.sha256()
        for chunk in body.iter_chunks(CHUNK):
            digest.update(chunk)
        return digest.hexdigest()

    def _at(self, key: str) -> dict[str, str]:
        return {"Bucket": self.settings.bucket, "Key": self._prefix + key}

    @staticmethod
    def _described(key: str, sha256: str) -> dict[str, Any]:
        content_type, cache_control = headers(key)
        return {"ContentType": content_type, "CacheControl": cache_control, "Metadata": {"sha256": sha256}}


def _etag(answer: Mapping[str, Any]) -> str | None:
    """Return an answer's ETag as HTTP writes it; some stores list it without the quotes."""
    etag = str(answer.get("ETag", "")).strip('"')
    return f'"{etag}"' if etag else None


def _version(answer: Mapping[str, Any]) -> str:
    etag = _etag(answer)
    if etag is None:
        raise Refused("the store's answer has no ETag, which each of S3's has", NO_API)
    return etag


def _metadata(answer: Mapping[str, Any]) -> dict[str, str]:
    """Return an object's own metadata; some stores give the names back in another case."""
    return {name.lower(): value for name, value in answer.get("Metadata", {}).items()}


def _encoded(sha256: str) -> str:
    return base64.b64encode(bytes.fromhex(sha256)).decode()
