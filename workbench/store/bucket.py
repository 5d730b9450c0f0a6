"""What a bucket needs besides its objects: who may read it, from where, and what becomes of unfinished uploads.

No ACLs: buckets made since April 2023 refuse them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from workbench.store.client import code_of, plainly, unless

if TYPE_CHECKING:
    from workbench.store.s3 import S3Store

_STALE_DAYS = 7
OURS = "wheel-workbench"
"""Our statements' and rules' names begin so, and end with a hash of the prefix: a bucket may hold several sites."""

Document = dict[str, Any]

CORS: Document = {
    "CORSRules": [
        {
            "AllowedMethods": ["GET", "HEAD"],
            "AllowedOrigins": ["*"],
            "AllowedHeaders": ["*"],
            "ExposeHeaders": ["ETag", "Content-Length", "Content-Range", "Accept-Ranges"],
            "MaxAgeSeconds": 86400,
        }
    ]
}
"""Pages of other sites may read the index."""

_PUBLIC_ACCESS: Document = {
    "BlockPublicAcls": True,
    "IgnorePublicAcls": True,
    "BlockPublicPolicy": False,
    "RestrictPublicBuckets": False,
}
"""Keeps ACLs out and lets a bucket policy be public."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One part of a bucket's configuration: what it should be, and how it is.

    `state` is ``there`` (as it should be), ``missing``, ``applied`` (just now) or ``refused``, with `why`.
    """

    name: str
    document: Document
    state: Literal["there", "missing", "applied", "refused"]
    why: str = ""


def policy(bucket: str, prefix: str) -> Document:
    """Return the policy that lets everyone read below a prefix.

    ListBucket is what makes a missing project a 404: without it S3 answers 403, and uv stops there.
    """
    below = f"{prefix.strip('/')}/*" if prefix.strip("/") else "*"
    arn = f"arn:aws:s3:::{bucket}"
    everyone: Document = {"Effect": "Allow", "Principal": "*"}
    reading: Document = {
        "Sid": _sid("Read", prefix),
        "Action": ["s3:GetObject"],
        "Resource": [f"{arn}/{below}"],
    }
    listing: Document = {"Sid": _sid("List", prefix), "Action": ["s3:ListBucket"], "Resource": [arn]}
    if below != "*":
        # a read of what is not there names no prefix, and must be allowed as well; nothing tells it from a
        # listing without a prefix, which therefore is
        listing["Condition"] = {"StringLikeIfExists": {"s3:prefix": [below]}}
    return {"Version": "2012-10-17", "Statement": [{**everyone, **reading}, {**everyone, **listing}]}


def lifecycle(prefix: str) -> Document:
    """Return the rule that aborts uploads which nobody has finished for a week."""
    rule = {
        "ID": f"{OURS}-stale-uploads-{_short(prefix)}",
        "Status": "Enabled",
        "Filter": {"Prefix": f"{prefix.strip('/')}/" if prefix.strip("/") else ""},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": _STALE_DAYS},
    }
    return {"Rules": [rule]}


class _Part(NamedTuple):
    """A part of a bucket's configuration: the calls that get and put it, and the argument that has it.

    `rules` is the key of its list of rules, of which some are `ours`.
    """

    name: str
    call: str
    argument: str
    ours: Document
    rules: str = ""


def create(store: S3Store) -> bool:
    """Make a store's bucket; False where it is there already, and one's own. Raises StoreError.

    It takes no ACLs and belongs to whoever makes it, as AWS has them by now.
    """
    region = store.client.meta.region_name
    # AWS's first region is meant where none is named, and must not be; stores that are not AWS have their own names
    elsewhere = region != "us-east-1" and store.settings.endpoint is None
    where = {"CreateBucketConfiguration": {"LocationConstraint": region}} if elsewhere else {}
    with plainly(store.place):
        if unless(
            {404, "NoSuchBucket"},
            lambda: store.client.list_objects_v2(Bucket=store.settings.bucket, MaxKeys=1),
        ):
            return False
        store.client.create_bucket(Bucket=store.settings.bucket, **where)
    return True


def setup(store: S3Store, *, apply: bool = False) -> tuple[Setting, ...]:
    """Return the settings of a store's bucket, and make them so with `apply`. What others set stays.

    A setting that the store refuses, or does not know, is told as such and is not an error. Raises StoreError for
    a bucket that cannot be reached.
    """
    bucket, prefix = store.settings.bucket, store.settings.prefix
    with plainly(store.place):
        store.client.list_objects_v2(Bucket=bucket, MaxKeys=1)  # HeadBucket's errors have no code
    aborting = lifecycle(prefix)
    parts = (
        _Part("public access block", "public_access_block", "PublicAccessBlockConfiguration", _PUBLIC_ACCESS),
        _Part("bucket policy", "bucket_policy", "Policy", policy(bucket, prefix), "Statement"),
        _Part("CORS", "bucket_cors", "CORSConfiguration", CORS, "CORSRules"),
        _Part("lifecycle", "bucket_lifecycle_configuration", "LifecycleConfiguration", aborting, "Rules"),
    )
    return tuple(_settled(store, part, apply=apply) for part in parts)


def _settled(store: S3Store, part: _Part, *, apply: bool) -> Setting:
    from botocore.exceptions import ClientError

    def ask(verb: str, **more: Any) -> Any:  # noqa: ANN401 - boto3's
        return getattr(store.client, f"{verb}_{part.call}")(Bucket=store.settings.bucket, **more)

    state: Literal["there", "missing", "applied", "refused"] = "there"
    why = ""
    try:
        try:
            there = _document(part, ask("get"))
        except ClientError as error:
            # NoSuchBucketPolicy, NoSuchCORSConfiguration ...: the bucket has none yet
            if not code_of(error)[0].startswith("NoSuch"):
                raise
            there = {}
        wanted = _merged(part, there)
        if any(_normal(there.get(key)) != _normal(value) for key, value in wanted.items()):
            state = "missing"
            if apply:
                ask("put", **{part.argument: json.dumps(wanted) if part.argument == "Policy" else wanted})
                state = "applied"
    except ClientError as error:
        state, why = "refused", _why(*code_of(error))
    except ValueError:
        state, why = "refused", _why("another answer", 0)
    return Setting(name=part.name, document=part.ours, state=state, why=why)


def _document(part: _Part, answer: Mapping[str, Any]) -> Document:
    """Return a part as an answer has it: some bring the document, others its rules. Raises ValueError."""
    document = answer.get(part.argument, {part.rules: answer.get(part.rules, [])})
    return dict(json.loads(document) if isinstance(document, str) else document)


def _merged(part: _Part, there: Document) -> Document:
    """Return what is there with our rules in place of those of the same name, or of the same content."""
    if not part.rules:
        return part.ours
    mine = part.ours[part.rules]
    names = {rule.get("Sid", rule.get("ID")) for rule in mine} - {None}
    contents = [_normal(rule) for rule in mine]
    found = there.get(part.rules, ())
    others = [
        rule
        for rule in ([found] if isinstance(found, dict) else found)
        if rule.get("Sid", rule.get("ID")) not in names and _normal(rule) not in contents
    ]
    return {**part.ours, **there, part.rules: [*others, *mine]}


def _why(code: str, status: int) -> str:
    if status == 403:  # noqa: PLR2004 - Forbidden
        return (
            f"{code}: these credentials may not do this, or the account blocks public policies: let the "
            "account's owner do it, or put a CDN before the bucket"
        )
    return f"{code or status}: this store has no such setting: use its own console for the same effect"


def _normal(value: Any) -> Any:  # noqa: ANN401 - JSON's
    """Return a part of a configuration in the one form in which such are compared.

    Stores give the members of a list back in any order, AWS a list of one as that one, and Ceph a filter by the empty
    prefix as a prefix.
    """
    if isinstance(value, dict):
        flat = {**value, **value.get("Filter", {})}
        return {key: _normal(each) for key, each in flat.items() if key != "Filter" and each != ""}
    if not isinstance(value, list):
        return value
    members = sorted(map(_normal, value), key=lambda each: json.dumps(each, sort_keys=True))
    return members[0] if len(members) == 1 else members


def _sid(what: str, prefix: str) -> str:
    """Return a statement's name; AWS takes letters and digits only."""
    return f"{OURS.title().replace('-', '')}{what}{_short(prefix)}"


def _short(prefix: str) -> str:
    return hashlib.sha256(prefix.strip("/").encode()).hexdigest()[:8]
