from __future__ import annotations

import re
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any, get_type_hints

import pytest
import yaml

from workbench.errors import SettingsError
from workbench.site import CHECKOUT, VARIABLES, Settings, Site
from workbench.strict import parse

if TYPE_CHECKING:
    from pathlib import Path

GUIDE = (CHECKOUT / "docs" / "settings.md").read_text()


def example() -> str:
    (block,) = re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL)
    return str(block)


def keys(kind: Any) -> set[str]:
    found = set()
    for field in fields(kind):
        found.add(field.name)
        hint = get_type_hints(kind)[field.name]
        for inner in (hint, *getattr(hint, "__args__", ())):
            if is_dataclass(inner):
                found |= keys(inner)
    return found


def test_the_guides_example_is_a_settings_file() -> None:
    settings = parse(Settings, yaml.safe_load(example()))
    assert settings.container.image("cu130", "aarch64") == "example.com/devel:aarch64"
    assert settings.glibc == "2.39"


def test_the_guide_knows_every_key_and_every_variable() -> None:
    assert [key for key in keys(Settings) if f"{key}:" not in example()] == []
    assert [name for name in VARIABLES.values() if name not in GUIDE] == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("stor: {}", "stor: unknown key (did you mean 'store'?)"),
        ("store: {s3: {bukket: x}}", "store.s3.bukket: unknown key (did you mean 'bucket'?)"),
        (
            "index: {urls: relativ}",
            "index.urls: 'relativ' is none of relative, absolute (did you mean 'relative'?)",
        ),
        ("container: {network: 1}", "container.network: expected true or false, got 1"),
        (
            "store: {s3: {bucket: 'Bad_Name!!'}}",
            "store.s3.bucket: 'Bad_Name!!' cannot be the name of a bucket",
        ),
        ("index: {urls: absolute}", "index.urls: absolute needs public_url, the URL of the store's root"),
        ("public_url: ftp://host", "public_url: 'ftp://host' is not an http or https URL"),
        ("glibc: '2'", "glibc: '2' is not a glibc: write"),
        ("- a", "expected a mapping"),
        ("a: [", "not YAML"),
    ],
)
def test_a_mistake_is_named_with_file_and_key(site: Site, text: str, message: str) -> None:
    (site.root / "workbench.yaml").write_text(text)
    with pytest.raises(SettingsError) as caught:
        _ = site.settings
    assert str(caught.value).startswith(str(site.root / "workbench.yaml"))
    assert message in str(caught.value)


@pytest.mark.parametrize("url", ["htps://user:PASSWORD@host", "https://user:PASSWORD@host", "PASSWORD@"])
def test_a_password_in_a_url_is_refused_and_not_shown(site: Site, url: str) -> None:
    (site.root / "workbench.yaml").write_text(f"store: {{s3: {{bucket: x, endpoint: '{url}'}}}}")
    with pytest.raises(SettingsError, match=r"store.s3.endpoint: no user or password") as caught:
        _ = site.settings
    assert "PASSWORD" not in str(caught.value)


def test_a_site_that_is_not_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WORKBENCH_SITE", str(tmp_path / "nowhere"))
    with pytest.raises(SettingsError, match="no such folder"):
        Site.here()


def test_a_variable_stands_above_the_file(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    (site.root / "workbench.yaml").write_text("store: {s3: {bucket: mine, prefix: a}}")
    monkeypatch.setenv("WORKBENCH_S3_BUCKET", "other")
    assert site.settings.store.s3 is not None
    assert (site.settings.store.s3.bucket, site.settings.store.s3.prefix) == ("other", "a")
