"""The one door to boto3: its client, and its errors in our words.

Secrets come from the standard AWS chain (environment, profile, SSO, instance role) and nowhere else. Of what
a server says of an error only its code is shown: the rest may echo what was signed.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from workbench.certificates import trusted
from workbench.errors import SettingsError, StoreError
from workbench.http import reason
from workbench.paths import PROGRAM

if TYPE_CHECKING:
    from workbench.settings import S3Settings

T = TypeVar("T")
Client = Any
"""What boto3 makes at run time, so that no type tells of it."""

STREAMS = 8
"""Requests under way at once."""

TRIES = 5
_CONNECT_SECONDS = 10
READ_SECONDS = 60
"""How often a request is tried that fails for a reason of the store's, and for how long it may say nothing."""

AGAIN = "Nothing half-published is visible; run the same command again"
NO_API = "is the endpoint that of the API, and not of a web page?"

_REMEDIES = {
    "NoSuchBucket": f"there is no such bucket: '{PROGRAM} store.setup --create --apply' makes it",
    "BucketAlreadyExists": "somebody else has a bucket of this name: choose another",
    "InvalidAccessKeyId": "the store does not know this access key: is it the right profile?",
    "SignatureDoesNotMatch": "the secret key is not that of the access key: is it the right profile?",
    "ExpiredToken": "the credentials have expired: log in again",
    "RequestTimeTooSkewed": "this machine's clock is wrong by more than 15 minutes: set it",
    "AuthorizationHeaderMalformed": "the bucket is in another region: set store.s3.region",
    "PermanentRedirect": "the bucket is in another region: set store.s3.region",
    "AccessControlListNotSupported": "the bucket takes no ACLs, and the workbench sets none: does a proxy?",
    "BadDigest": "the file changed after it was verified: verify it again",
    "XAmzContentChecksumMismatch": "the file changed after it was verified: verify it again",
    "InvalidDigest": "the file changed after it was verified: verify it again",
    "SlowDown": f"the store asks for fewer requests. {AGAIN} a little later",
    "ServiceUnavailable": f"the store is not available. {AGAIN} a little later",
}

_STATUS_REMEDIES = {
    403: (
        "the credentials may not do this. They need s3:GetObject, s3:PutObject, s3:DeleteObject, "
        "s3:AbortMultipartUpload and s3:ListMultipartUploadParts below the prefix, s3:ListBucketMultipartUploads, and "
        "s3:ListBucket, without which a store answers 403 for what is merely not there"
    ),
    **dict.fromkeys((429, 503), f"the store asks for fewer requests. {AGAIN} a little later"),
    **dict.fromkeys((500, 502, 504), f"the store fails. {AGAIN}"),
    507: "the store is full: make room there. " + AGAIN,
}


class Refused(StoreError):
    """The store refused, or could not be asked: `what` happened, and its `remedy`.

    `passing`: it may go well another time.
    """

    def __init__(self, what: str, remedy: str, *, passing: bool = False) -> None:
        super().__init__(f"{what}: {remedy}")
        self.what = what
        self.remedy = remedy
        self.passing = passing


def make_client(settings: S3Settings) -> Client:
    """Return a boto3 client. Raises SettingsError for a profile, or a file of certificates, that does not exist."""
    import boto3
    import botocore.session
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError

    config = Config(
        retries={"mode": "standard", "max_attempts": TRIES},
        connect_timeout=_CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        max_pool_connections=2 * STREAMS,
        # each request brings the checksum that was computed by verification; boto3 need not add its own,
        # which some stores do not understand
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        # the checksum is a signed header, so the body need not be hashed once more to sign it
        s3={"payload_signing_enabled": False, "addressing_style": "path" if settings.endpoint else "auto"},
    )
    core = botocore.session.Session()
    core.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=_time)
    try:
        session = boto3.Session(
            botocore_session=core, profile_name=settings.profile, region_name=settings.region
        )
        region = session.region_name or "us-east-1"
        return session.client(
            "s3", endpoint_url=settings.endpoint, region_name=region, config=config, verify=trusted()
        )
    except (BotoCoreError, ValueError) as error:
        raise SettingsError(f"store.s3: {error}") from error


def _time(value: Any) -> datetime:  # noqa: ANN401 - whatever an answer has
    """Read a time as listings write it at once: botocore's own way is half the work of a listing."""
    from botocore.utils import parse_timestamp

    try:
        return datetime.fromisoformat(value)
    except (TypeError, ValueError):
        when: datetime = parse_timestamp(value)
        return when


@contextmanager
def plainly(what: str) -> Iterator[None]:
    """Turn boto3's errors into Refused; `what` names the thing that was asked for."""
    from botocore import exceptions as boto

    try:
        yield
    except boto.ClientError as error:
        code, status = code_of(error)
        headers = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
        if str(headers.get("content-type", "")).startswith("text/html"):
            remedy = f"{NO_API} If it is, what stands before it fails. {AGAIN}"
            raise Refused(f"{what}: the answer is a web page, and not S3's", remedy) from error
        said = f"{status} {code}".removesuffix(f" {status}")
        remedy = _REMEDIES.get(code) or _STATUS_REMEDIES.get(status) or AGAIN
        passing = status in (429, 500, 502, 503, 504)
        raise Refused(f"{what}: the store answers {said}", remedy, passing=passing) from error
    except (boto.NoCredentialsError, boto.PartialCredentialsError) as error:
        raise Refused(
            f"{what}: no credentials",
            "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or log in with your provider's tool",
        ) from error
    except boto.SSLError as error:
        raise Refused(f"{what}: the store cannot be reached", reason(error)) from error
    except (boto.ConnectionError, boto.HTTPClientError) as error:
        raise Refused(
            f"{what}: the store cannot be reached, or stopped answering ({reason(error)})",
            f"is the endpoint right? {AGAIN}",
            passing=True,
        ) from error
    except boto.BotoCoreError as error:
        raise Refused(f"{what}: {error}", AGAIN) from error


def unless(codes: Container[str | int], ask: Callable[[], T]) -> T | None:
    """Return what a request answers; None where that is one of these error codes or statuses."""
    from botocore.exceptions import ClientError

    try:
        return ask()
    except ClientError as error:
        if any(each in codes for each in code_of(error)):
            return None
        raise


def code_of(error: Any) -> tuple[str, int]:  # noqa: ANN401 - botocore's ClientError
    """Return an error's code and HTTP status. One without a body, as HEAD's, has its status for a code."""
    code = str(error.response.get("Error", {}).get("Code", ""))
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    return code, status
