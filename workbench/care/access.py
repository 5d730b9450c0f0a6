"""The bucket's side of ``doctor``: credentials, region, clock, conditions, and the bucket's settings."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from workbench.care.diagnosis import Diagnosis, bad, finding, untried
from workbench.paths import PROGRAM
from workbench.store.bucket import setup
from workbench.store.client import Refused, plainly

if TYPE_CHECKING:
    from workbench.store.s3 import S3Store

_SKEW_SECONDS = 300


def examine_bucket(store: S3Store) -> Iterator[Diagnosis]:
    """Yield what is found of a bucket, as its publishers see it. Ends with the first check that ends all others."""
    try:
        with plainly(store.place):
            # HeadBucket says where a bucket is, and of what is wrong only the status
            store.client.list_objects_v2(Bucket=store.settings.bucket, MaxKeys=1)
            head = store.client.head_bucket(Bucket=store.settings.bucket)
        region = head.get("BucketRegion")
        good = f"{store.place}, {region or 'region not told'}"
        yield Diagnosis(check="credentials and bucket", verdict="good", what=good)
        if region and store.settings.endpoint is None:
            ours = store.client.meta.region_name
            yield finding(
                "region",
                [f"the bucket is in {region}, and requests are signed for {ours}"] if region != ours else [],
                good=region,
                remedy=f"set store.s3.region to {region} (or AWS_DEFAULT_REGION): each run is redirected otherwise",
            )
        yield _clock(head["ResponseMetadata"]["HTTPHeaders"].get("date"))
        yield _conditions(store)
        yield from _settings(store)
    except Refused as error:
        yield bad("credentials and bucket", error.what, error.remedy)


def _clock(date: str | None) -> Diagnosis:
    if date is None:
        return untried("clock", "the store does not tell the time")
    skew = abs((datetime.now(UTC) - parsedate_to_datetime(date)).total_seconds())
    return finding(
        "clock",
        [f"{skew:.0f} s off the store's"] if skew > _SKEW_SECONDS else [],
        good=f"within {skew:.0f} s of the store's",
        remedy="set this machine's clock: signatures fail at 15 minutes",
    )


def _conditions(store: S3Store) -> Diagnosis:
    if store.settings.single_writer:
        return untried(
            "conditional writes", "not relied on: single_writer is your word that nobody else publishes"
        )
    ignores = store.probe().ignores
    return finding(
        "conditional writes",
        [f"the store ignores {ignores}"] if ignores else [],
        good="honoured",
        remedy="publish with --single-writer, and see that nobody else publishes here",
    )


def _settings(store: S3Store) -> Iterator[Diagnosis]:
    for setting in setup(store):
        if setting.state == "refused":
            yield untried(setting.name, setting.why)
        else:
            yield finding(
                setting.name,
                ["not as it should be"] if setting.state == "missing" else [],
                good="as it should be",
                remedy=f"{PROGRAM} store.setup shows what is missing, and --apply sets it",
            )
