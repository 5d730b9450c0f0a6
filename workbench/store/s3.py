"""A store in an S3 bucket: AWS, Cloudflare R2, Ceph and others that honour conditional writes.

Every write carries a condition (If-None-Match or If-Match), so no two publishers undo each other's work, and
a lost answer is told from a lost race by looking at what lies there. No ACLs are set: the bucket's policy
decides who reads (``bucket``).
"""

from __future__ import annotations

import base64
import hashlib
import io
import uuid
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.errors import StoreError
from workbench.store.client import STREAMS, code_of, make_client, plainly
from workbench.store.folder import taken
from workbench.store.layout import headers
from workbench.store.multipart import THRESHOLD, upload_parts, uploads
from workbench.store.protocol import Content, Entry, Leftover, Stored, nobody
from workbench.store.slices import CHUNK, Slice

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from workbench.site import S3Settings

ABSENT = ("NoSuchKey", "404", "NotFound")
LOST = 412
CONFLICT = 409
ATTEMPTS = 5
PROBES = ".probe/"
"""Where the conditions are tried out; what a killed probe leaves there, ``store-clean`` removes."""


class S3Store:
    """The store below a prefix of a bucket. See ``protocol.Store``.

    A single writer's store (``S3Settings``) is asked what lies there before each write, instead of being trusted
    with conditions.
    """

    def __init__(self, settings: S3Settings) -> None:
        self.settings = settings
        self._prefix = f"{settings.prefix.strip('/')}/" if settings.prefix.strip("/") else ""
        self._is_probed = False

    @cached_property
    def client(self) -> Any:  # noqa: ANN401 - boto3 makes its clients at run time
        """The boto3 client, made when it is first needed."""
        return make_client(self.settings)

    @property
    def place(self) -> str:
        """The bucket and the prefix."""
        return f"s3://{self.settings.bucket}/{self._prefix}".rstrip("/")

    @property
    def folder(self) -> Path | None:
        """None: it is not a folder."""
        return None

    @property
    def streams(self) -> int:
        """As many as hide the latency of a request."""
        return STREAMS

    def prepare(self) -> None:
        """Try out whether the store honours conditions; some answer 200 and ignore them."""
        if self.settings.single_writer or self._is_probed:
            return
        broken = self.probe()
        if broken:
            raise StoreError(
                f"{self.place}: this store does not honour conditional writes ({broken}), so of two "
                "publishers at once one would undo what the other did, and published files could be "
                "overwritten. If nobody else ever publishes here, say --single-writer: then a second "
                "publisher, by mistake or from CI, costs the wheels of one of them their place in the index"
            )
        self._is_probed = True

    def read(self, key: str) -> Stored | None:
        """Get an object; its version is its ETag."""
        from botocore.exceptions import ClientError

        with plainly(f"{self.place}/{key}"):
            try:
                answer = self.client.get_object(**self._at(key))
            except ClientError as error:
                # a bucket that is missing answers 404 as well, and is no empty store
                if code_of(error)[0] in ABSENT:
                    return None
                raise
            return Stored(content=answer["Body"].read(), version=answer["ETag"])

    def create(
        self, key: str, content: Content, *, sha256: str, moved: Callable[[int], None] = nobody
    ) -> bool:
        """Put an object if there is none, with its sha256 for the store to check.

        The hash covers a file up to 64 MiB whole. A larger one goes up in parts with a checksum each, which
        are not sent again when an upload that was cut short is repeated.
        """
        with plainly(f"{self.place}/{key}"):
            for _ in range(ATTEMPTS):
                if self.settings.single_writer and self._is_there(key, sha256):
                    return False
                if self._put_new(key, content, sha256, moved):
                    return True
                if self._is_there(key, sha256):
                    return False
        raise StoreError(
            f"{self.place}/{key}: others create and delete this file again and again; run it again"
        )

    def replace(
        self, key: str, content: bytes, *, expected: str | None, content_type: str | None = None
    ) -> bool:
        """Put an object if it is still the one expected."""
        condition = {"IfNoneMatch": "*"} if expected is None else {"IfMatch": expected}
        if self.settings.single_writer:
            stored = self.read(key)
            if (stored.version if stored else None) != expected:
                return False
            condition = {}
        digest = hashlib.sha256(content).hexdigest()
        described = self._described(key, digest)
        described["Metadata"]["write"] = write = uuid.uuid4().hex
        if content_type:
            described["ContentType"] = content_type
        whole = {**self._at(key), **described, **condition, "ChecksumSHA256": _encoded(digest)}
        with plainly(f"{self.place}/{key}"):
            if self._try(lambda: self.client.put_object(**whole, Body=content)):
                return True
            # a write whose answer was lost is repeated by boto3, and then refused because it was done
            head = self._head(key)
            return head is not None and head.get("Metadata", {}).get("write") == write

    def delete(self, key: str) -> None:
        """Delete an object."""
        with plainly(f"{self.place}/{key}"):
            self.client.delete_object(**self._at(key))

    def entries(self, prefix: str) -> Iterator[Entry]:
        """List objects, a request for each thousand."""
        with plainly(f"{self.place}/{prefix}"):
            pages = self.client.get_paginator("list_objects_v2").paginate(
                Bucket=self.settings.bucket, Prefix=self._prefix + prefix
            )
            for page in pages:
                for each in page.get("Contents", ()):
                    yield Entry(
                        key=each["Key"].removeprefix(self._prefix),
                        size=each["Size"],
                        modified=each["LastModified"],
                        version=each["ETag"],
                    )

    def leftovers(self) -> Iterator[Leftover]:
        """Yield unfinished uploads in parts, and what killed probes left."""
        with plainly(self.place):
            for upload in uploads(self.client, bucket=self.settings.bucket, prefix=self._prefix):
                yield Leftover(
                    what="unfinished upload",
                    key=upload["Key"].removeprefix(self._prefix),
                    modified=upload["Initiated"],
                    token=upload["UploadId"],
                )
        for entry in self.entries(PROBES):
            yield Leftover(what="probe", key=entry.key, modified=entry.modified)

    def discard(self, leftover: Leftover) -> None:
        """Abort an upload, or delete a probe."""
        if not leftover.token:
            self.delete(leftover.key)
            return
        with plainly(f"{self.place}/{leftover.key}"):
            self._try(
                lambda: self.client.abort_multipart_upload(**self._at(leftover.key), UploadId=leftover.token)
            )

    def check(self, key: str, *, sha256: str, size: int, deep: bool = False) -> str | None:
        """Look at the object's head, and with `deep` get it all and hash it."""
        with plainly(f"{self.place}/{key}"):
            head = self._head(key)
            if head is None:
                return "is not there"
            if head["ContentLength"] != size:
                return f"is {head['ContentLength']} bytes long, not {size}"
            found = self._hash(key) if deep else _stated_sha256(head)
            if found is not None and found != sha256:
                return f"has the sha256 {found}, not {sha256}"
        return None

    def probe(self) -> str | None:
        """Return which condition the store ignores, or None. It leaves nothing behind."""
        key = f"{PROBES}{uuid.uuid4().hex}"
        at = self._at(key)
        with plainly(f"{self.place}/{key}"):
            self.client.put_object(**at, Body=b"first")
            try:
                tries = {
                    "If-None-Match on a put": lambda: self.client.put_object(
                        **at, Body=b"x", IfNoneMatch="*"
                    ),
                    "If-Match on a put": lambda: self.client.put_object(
                        **at, Body=b"x", IfMatch=f'"{"0" * 32}"'
                    ),
                    "If-None-Match at the end of an upload in parts": lambda: self._put_in_parts(key),
                }
                return next((what for what, put in tries.items() if not self._is_refused(put)), None)
            finally:
                self.client.delete_object(**at)

    def _is_refused(self, put: Callable[[], object]) -> bool:
        from botocore.exceptions import ClientError

        try:
            put()
        except ClientError as error:
            status = code_of(error)[1]
            if status in (LOST, CONFLICT):
                return True
            if status in (400, 501):  # it knows of no such header, or of no such call
                return False
            raise
        return False

    def _put_in_parts(self, key: str) -> None:
        """Upload one part over a key that is taken, and see that the condition is kept there too."""
        at = self._at(key)
        upload = {**at, "UploadId": self.client.create_multipart_upload(**at)["UploadId"]}
        try:
            etag = self.client.upload_part(**upload, PartNumber=1, Body=b"x")["ETag"]
            parts = {"Parts": [{"PartNumber": 1, "ETag": etag}]}
            self.client.complete_multipart_upload(**upload, MultipartUpload=parts, IfNoneMatch="*")
        except BaseException:
            self.client.abort_multipart_upload(**upload)
            raise

    def _put_new(self, key: str, content: Content, sha256: str, moved: Callable[[int], None]) -> bool:
        """Put an object that must be new; False when the key is taken."""
        condition = {} if self.settings.single_writer else {"IfNoneMatch": "*"}
        described = self._described(key, sha256)
        size = len(content) if isinstance(content, bytes) else content.stat().st_size

        def put() -> None:
            if isinstance(content, Path) and size >= THRESHOLD:
                upload_parts(
                    self.client,
                    bucket=self.settings.bucket,
                    key=self._prefix + key,
                    path=content,
                    size=size,
                    create=described,
                    complete=condition,
                    moved=moved,
                )
                return
            whole = {**self._at(key), **described, **condition, "ChecksumSHA256": _encoded(sha256)}
            if isinstance(content, bytes):
                self.client.put_object(**whole, Body=io.BytesIO(content))
                moved(size)
            else:
                with Slice(content, 0, size, moved) as body:
                    self.client.put_object(**whole, Body=body, ContentLength=size)

        return self._try(put)

    @staticmethod
    def _try(put: Callable[[], object]) -> bool:
        """Do a conditional write; False when its condition does not hold, or what it changes is gone."""
        from botocore.exceptions import ClientError

        try:
            put()
        except ClientError as error:
            code, status = code_of(error)
            # If-Match on what is not there is a 404; so is an upload in parts that another publisher has
            # completed
            if status in (LOST, CONFLICT) or code in (*ABSENT, "NoSuchUpload"):
                return False
            raise
        return True

    def _is_there(self, key: str, sha256: str) -> bool:
        """Say whether an object is there. Raises FilenameTaken when it has other bytes."""
        head = self._head(key)
        if head is None:
            return False
        found = _stated_sha256(head)
        if found is None:
            found = self._hash(key)
        if found != sha256:
            raise taken(key.rpartition("/")[2], f"{self.place}/{key}")
        return True

    def _head(self, key: str) -> Mapping[str, Any] | None:
        from botocore.exceptions import ClientError

        try:
            head: Mapping[str, Any] = self.client.head_object(**self._at(key), ChecksumMode="ENABLED")
        except ClientError as error:
            if code_of(error)[0] in ABSENT:
                return None
            raise
        return head

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


def _stated_sha256(head: Mapping[str, Any]) -> str | None:
    """Return the sha256 that an object's head states: the store's own, or the one that it was created with."""
    if head.get("ChecksumSHA256") and head.get("ChecksumType", "FULL_OBJECT") == "FULL_OBJECT":
        checksum: str = head["ChecksumSHA256"]
        if "-" not in checksum:  # a composite one, of parts, has their number after a dash
            return base64.b64decode(checksum).hex()
    stated = head.get("Metadata", {}).get("sha256")
    return str(stated) if stated else None


def _encoded(sha256: str) -> str:
    return base64.b64encode(bytes.fromhex(sha256)).decode()
