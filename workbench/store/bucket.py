"""What a bucket needs besides its objects: who may read it, from where, and what becomes of unfinished uploads.

No ACLs: buckets made since April 2023 refuse them.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from workbench.store.client import code_of, plainly

if TYPE_CHECKING:
    from collections.abc import Callable

    from workbench.store.s3 import S3Store

STALE_DAYS = 7
OURS = "wheel-workbench"
"""What the names of our policy statements and rules begin with; those of others are left alone.

They end with a hash of the prefix, for a bucket may hold several sites.
"""

Document = dict[str, Any]


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
    listing: Document = {
        "Sid": _sid("List", prefix),
        "Effect": "Allow",
        "Principal": "*",
        "Action": ["s3:ListBucket"],
        "Resource": [f"arn:aws:s3:::{bucket}"],
    }
    if below != "*":
        # a read of what is not there names no prefix, and must be allowed as well; nothing tells it from a
        # listing without a prefix, which therefore is
        listing["Condition"] = {"StringLikeIfExists": {"s3:prefix": [below]}}
    reading = {
        "Sid": _sid("Read", prefix),
        "Effect": "Allow",
        "Principal": "*",
        "Action": ["s3:GetObject"],
        "Resource": [f"arn:aws:s3:::{bucket}/{below}"],
    }
    return {"Version": "2012-10-17", "Statement": [reading, listing]}


def cors() -> Document:
    """Return the rule that lets pages of other sites read the index."""
    rule = {
        "AllowedMethods": ["GET", "HEAD"],
        "AllowedOrigins": ["*"],
        "AllowedHeaders": ["*"],
        "ExposeHeaders": ["ETag", "Content-Length", "Content-Range", "Accept-Ranges"],
        "MaxAgeSeconds": 86400,
    }
    return {"CORSRules": [rule]}


def lifecycle(prefix: str) -> Document:
    """Return the rule that aborts uploads which nobody has finished for a week."""
    rule = {
        "ID": f"{OURS}-stale-uploads-{_short(prefix)}",
        "Status": "Enabled",
        "Filter": {"Prefix": f"{prefix.strip('/')}/" if prefix.strip("/") else ""},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": STALE_DAYS},
    }
    return {"Rules": [rule]}


def public_access() -> Document:
    """Return the block that keeps ACLs out and lets a bucket policy be public."""
    return {
        "BlockPublicAcls": True,
        "IgnorePublicAcls": True,
        "BlockPublicPolicy": False,
        "RestrictPublicBuckets": False,
    }


def setup(store: S3Store, *, apply: bool = False) -> tuple[Setting, ...]:
    """Return the settings of a store's bucket, and make them so with `apply`. What others set stays.

    A setting that the store refuses, or does not know, is told as such and is not an error. Raises StoreError for
    a bucket that cannot be reached.
    """
    client, bucket, prefix = store.client, store.settings.bucket, store.settings.prefix
    with plainly(store.place):
        client.list_objects_v2(Bucket=bucket, MaxKeys=1)  # HeadBucket's errors have no code
    steps = (
        _Step(
            name="public access block",
            ours=public_access(),
            get=lambda: client.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"],
            put=lambda wanted: client.put_public_access_block(
                Bucket=bucket, PublicAccessBlockConfiguration=wanted
            ),
        ),
        _Step(
            name="bucket policy",
            ours=policy(bucket, prefix),
            rules="Statement",
            get=lambda: json.loads(client.get_bucket_policy(Bucket=bucket)["Policy"]),
            put=lambda wanted: client.put_bucket_policy(Bucket=bucket, Policy=json.dumps(wanted)),
        ),
        _Step(
            name="CORS",
            ours=cors(),
            rules="CORSRules",
            get=lambda: {"CORSRules": client.get_bucket_cors(Bucket=bucket).get("CORSRules", [])},
            put=lambda wanted: client.put_bucket_cors(Bucket=bucket, CORSConfiguration=wanted),
        ),
        _Step(
            name="lifecycle",
            ours=lifecycle(prefix),
            rules="Rules",
            get=lambda: {"Rules": client.get_bucket_lifecycle_configuration(Bucket=bucket).get("Rules", [])},
            put=lambda wanted: client.put_bucket_lifecycle_configuration(
                Bucket=bucket, LifecycleConfiguration=wanted
            ),
        ),
    )
    return tuple(_settled(step, apply=apply) for step in steps)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    """A setting with the calls that get and put it; `rules` is the key of its list of rules, of which some are ours.

    `get` raises ValueError for an answer that is of another kind.
    """

    name: str
    ours: Document
    get: Callable[[], Document]
    put: Callable[[Document], object]
    rules: str = ""

    def merged(self, there: Document) -> Document:
        """Return what is there with our rules in place of those of the same name, or of the same content."""
        if not self.rules:
            return self.ours
        mine = self.ours[self.rules]
        names = {name for rule in mine if (name := _name(rule))}
        contents = [_normal(rule) for rule in mine]
        others = [
            rule
            for rule in _listed(there.get(self.rules, ()))
            if _name(rule) not in names and _normal(rule) not in contents
        ]
        return {**self.ours, **there, self.rules: [*others, *mine]}


def _settled(step: _Step, *, apply: bool) -> Setting:
    from botocore.exceptions import ClientError

    state: Literal["there", "missing", "applied"] = "there"
    try:
        try:
            there = step.get()
        except ClientError as error:
            # NoSuchBucketPolicy, NoSuchCORSConfiguration ...: the bucket has none yet
            if not code_of(error)[0].startswith("NoSuch"):
                raise
            there = {}
        wanted = step.merged(there)
        if any(_normal(there.get(key)) != _normal(value) for key, value in wanted.items()):
            state = "missing"
            if apply:
                step.put(wanted)
                state = "applied"
    except ClientError as error:
        code, status = code_of(error)
        return Setting(name=step.name, document=step.ours, state="refused", why=_why(code, status))
    except ValueError:
        return Setting(name=step.name, document=step.ours, state="refused", why=_why("another answer", 0))
    return Setting(name=step.name, document=step.ours, state=state)


def _why(code: str, status: int) -> str:
    if status == 403:  # noqa: PLR2004 - Forbidden
        return (
            f"{code}: these credentials may not do this, or the account blocks public policies: let the "
            "account's owner do it, or put a CDN before the bucket"
        )
    return f"{code or status}: this store has no such setting: use its own console for the same effect"


def _name(rule: Document) -> str | None:
    name: str | None = rule.get("Sid", rule.get("ID"))
    return name


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


def _listed(value: Any) -> list[Any]:  # noqa: ANN401 - JSON's
    return [value] if isinstance(value, dict) else list(value)


def _sid(what: str, prefix: str) -> str:
    """Return a statement's name; AWS takes letters and digits only."""
    return f"{OURS.title().replace('-', '')}{what}{_short(prefix)}"


def _short(prefix: str) -> str:
    return hashlib.sha256(prefix.strip("/").encode()).hexdigest()[:8]
