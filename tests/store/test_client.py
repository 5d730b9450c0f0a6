"""What the store's client makes of a server that it cannot trust."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.test_http import bare, certificate, over_tls
from workbench.errors import SettingsError, StoreError
from workbench.settings import S3Settings
from workbench.store import client
from workbench.store.s3 import S3Store

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ("bare", "certificate")


@pytest.fixture(autouse=True)
def _one_try(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "TRIES", 1)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")


def test_an_endpoint_with_a_certificate_that_nobody_knows_is_told_as_such(
    bare: pytest.MonkeyPatch, certificate: Path
) -> None:
    with over_tls(certificate) as url:
        store = S3Store(S3Settings(bucket="bucket", endpoint=url))
        with pytest.raises(StoreError, match=r"certificate is not trusted.*SSL_CERT_FILE"):
            store.read("packages.json")
        bare.setenv("AWS_CA_BUNDLE", f"{certificate}.crt")
        assert S3Store(S3Settings(bucket="bucket", endpoint=url)).read("packages.json") is None


def test_a_bundle_that_is_missing_is_a_fault_of_the_settings(bare: pytest.MonkeyPatch) -> None:
    bare.setenv("AWS_CA_BUNDLE", "/nowhere/ca.pem")
    with pytest.raises(SettingsError, match=r"AWS_CA_BUNDLE=/nowhere/ca\.pem: there is no such file"):
        S3Store(S3Settings(bucket="bucket", endpoint="https://127.0.0.1:9")).read("packages.json")


def test_a_store_that_is_down_is_told_in_words() -> None:
    with pytest.raises(StoreError, match="Connection refused"):
        S3Store(S3Settings(bucket="bucket", endpoint="http://127.0.0.1:9")).read("packages.json")
