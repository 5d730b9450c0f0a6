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
    from collections.abc import Callable, Mapping

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

    def as_dict(self) -> Document:
        """Return the plain form, for JSON."""
        return {"name": self.name, "document": self.document, "state": self.state, "why": self.why}


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

    A setting that the store refuses, or does not know, is told as such and is no error. Raises StoreError for
    a bucket that cannot be reached.
    """
    client, bucket = store.client, store.settings.bucket
    with plainly(store.place):
        client.list_objects_v2(Bucket=bucket, MaxKeys=1)  # HeadBucket's errors have no code
    steps = (
        _public_access(client, bucket),
        _policy(client, bucket, store.settings.prefix),
        _cors(client, bucket),
        _lifecycle(client, bucket, store.settings.prefix),
    )
    return tuple(_settled(step, apply=apply) for step in steps)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    """A setting with the calls that get and put it. `merged` joins what is there with ours; equal: nothing to do.

    `get` raises ValueError for an answer that is of another kind. `normal` brings a document into the form in which
    documents are compared.
    """

    name: str
    ours: Document
    get: Callable[[], Document]
    merged: Callable[[Document], Document]
    put: Callable[[Document], object]
    normal: Callable[[Document], object] = lambda document: document


def _settled(step: _Step, *, apply: bool) -> Setting:
    from botocore.exceptions import ClientError

    try:
        try:
            there = step.get()
        except ClientError as error:
            # NoSuchBucketPolicy, NoSuchCORSConfiguration ...: the bucket has none yet
            if not code_of(error)[0].startswith("NoSuch"):
                raise
            there = {}
        wanted = step.merged(there)
        if step.normal(there) == step.normal(wanted):
            return Setting(name=step.name, document=step.ours, state="there")
        if not apply:
            return Setting(name=step.name, document=step.ours, state="missing")
        step.put(wanted)
    except ClientError as error:
        code, status = code_of(error)
        return Setting(name=step.name, document=step.ours, state="refused", why=_why(code, status))
    except ValueError:
        return Setting(name=step.name, document=step.ours, state="refused", why=_why("another answer", 0))
    return Setting(name=step.name, document=step.ours, state="applied")


def _why(code: str, status: int) -> str:
    if status == 403:  # noqa: PLR2004 - Forbidden
        return (
            f"{code}: these credentials may not do this, or the account blocks public policies: let the "
            "account's owner do it, or put a CDN before the bucket"
        )
    return f"{code or status}: this store has no such setting: use its own console for the same effect"


def _policy(client: Any, bucket: str, prefix: str) -> _Step:  # noqa: ANN401 - boto3's
    ours = policy(bucket, prefix)

    def merged(there: Document) -> Document:
        mine = [each["Sid"] for each in ours["Statement"]]
        others = [each for each in _listed(there.get("Statement", ())) if each.get("Sid") not in mine]
        return {"Version": ours["Version"], **there, "Statement": [*others, *ours["Statement"]]}

    return _Step(
        name="bucket policy",
        ours=ours,
        get=lambda: json.loads(client.get_bucket_policy(Bucket=bucket)["Policy"]),
        merged=merged,
        put=lambda document: client.put_bucket_policy(Bucket=bucket, Policy=json.dumps(document)),
        normal=_normal_policy,
    )


def _normal_policy(document: Document) -> object:
    """Return a policy with what may be written in two ways written in one, and its statements in an order.

    A list of one may be given as that one, and AWS gives it back so.
    """
    statements = [_unwrapped(each) for each in _listed(document.get("Statement", ()))]
    return sorted(json.dumps(each, sort_keys=True) for each in statements)


def _unwrapped(value: Any) -> Any:  # noqa: ANN401 - JSON's
    if isinstance(value, dict):
        return {key: _unwrapped(each) for key, each in value.items()}
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def _listed(value: Any) -> list[Any]:  # noqa: ANN401 - JSON's
    return [value] if isinstance(value, dict) else list(value)


def _cors(client: Any, bucket: str) -> _Step:  # noqa: ANN401 - boto3's
    ours = cors()
    (rule,) = ours["CORSRules"]

    def merged(there: Document) -> Document:
        rules = [_sorted(each) for each in there.get("CORSRules", ())]
        return {"CORSRules": rules if _sorted(rule) in rules else [*rules, _sorted(rule)]}

    return _Step(
        name="CORS",
        ours=ours,
        get=lambda: {
            "CORSRules": [
                _sorted(each) for each in client.get_bucket_cors(Bucket=bucket).get("CORSRules", ())
            ]
        },
        merged=merged,
        put=lambda document: client.put_bucket_cors(Bucket=bucket, CORSConfiguration=document),
    )


def _lifecycle(client: Any, bucket: str, prefix: str) -> _Step:  # noqa: ANN401 - boto3's
    ours = lifecycle(prefix)
    (rule,) = ours["Rules"]

    def get() -> Document:
        return {"Rules": client.get_bucket_lifecycle_configuration(Bucket=bucket).get("Rules", [])}

    def merged(there: Document) -> Document:
        return {"Rules": [*(each for each in there.get("Rules", ()) if each.get("ID") != rule["ID"]), rule]}

    return _Step(
        name="lifecycle",
        ours=ours,
        get=get,
        merged=merged,
        put=lambda document: client.put_bucket_lifecycle_configuration(
            Bucket=bucket, LifecycleConfiguration=document
        ),
    )


def _public_access(client: Any, bucket: str) -> _Step:  # noqa: ANN401 - boto3's
    ours = public_access()
    return _Step(
        name="public access block",
        ours=ours,
        get=lambda: dict(client.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]),
        merged=lambda _there: ours,
        put=lambda document: client.put_public_access_block(
            Bucket=bucket, PublicAccessBlockConfiguration=document
        ),
    )


def _sid(what: str, prefix: str) -> str:
    """Return a statement's name; AWS takes letters and digits only."""
    return f"{OURS.title().replace('-', '')}{what}{_short(prefix)}"


def _short(prefix: str) -> str:
    return hashlib.sha256(prefix.strip("/").encode()).hexdigest()[:8]


def _sorted(rule: Mapping[str, Any]) -> Document:
    """Return a rule with its lists in order: stores give them back in any."""
    return {key: sorted(value) if isinstance(value, list) else value for key, value in rule.items()}
