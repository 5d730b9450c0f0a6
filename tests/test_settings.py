from __future__ import annotations

import re
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any, get_type_hints

import pytest
import yaml

from workbench.errors import SettingsError
from workbench.paths import CHECKOUT, Paths
from workbench.settings import FLAGS, VARIABLES, Settings, read_settings
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
        ("matrix: {version: '1.0'}", "matrix.version: '1.0' is not all"),
        ("matrix: {python: 3.10}", "matrix.python: expected a string, got 3.1: write it in quotes"),
        ("index: {people: 1}", "index.people: expected true or false, got 1"),
        ("container: {network: true}", "container.network: unknown key: a container has no network"),
        (
            "store: {s3: {bucket: 'Bad_Name!!'}}",
            "store.s3.bucket: 'Bad_Name!!' cannot be the name of a bucket",
        ),
        ("index: {urls: absolute}", "index.urls: absolute needs public_url, the URL of the store's root"),
        ("public_url: ftp://host", "public_url: 'ftp://host' is not an http or https URL"),
        ("public_url: http://[", "public_url: 'http://[' is not an http or https URL"),
        ("public_url: http://host:port", "public_url: 'http://host:port' is not an http or https URL"),
        ("public_url: 2024-99-99", "public_url: '2024-99-99' is not an http or https URL"),
        ("glibc: 2024-13-01", "glibc: '2024-13-01' is not a glibc version: write"),
        ("glibc: '2'", "glibc: '2' is not a glibc version: write"),
        ("fleet: {slurm: {walltime: soon}}", "fleet.slurm.walltime: 'soon': write as Slurm does, in quotes"),
        ("fleet: {slurm: {memory: lots}}", "fleet.slurm.memory: 'lots': write 100 GB"),
        ("fleet: {slurm: {jobs: 0}}", "fleet.slurm.jobs: write a number above 0"),
        ("cuda: {cu13: /usr/local/cuda}", "cuda.cu13: write a compute platform: cpu, cu130, rocm6.4"),
        ("container: {images: {cu13: {}}}", "container.images.cu13: write a compute platform"),
        (
            "container: {runtime_images: {cpu: {arm64: x}}}",
            "container.runtime_images.cpu.arm64: write an arch",
        ),
        ("glibc: '2.28'\nindex: {}\nglibc: '2.34'", "the key 'glibc' stands twice"),
        ("index: {title: a, title: b}", "the key 'title' stands twice"),
        ("[]", "the document: expected a mapping, got []"),
        ("false", "the document: expected a mapping, got False"),
        ("[" * 20_000, "nested too deep"),
        ("public_url: https://host/two words", "cannot be pasted into a command line"),
        ("public_url: https://höst.example", "cannot be pasted into a command line"),
        ("public_url: https://host/?a=b", "no query and no fragment"),
        ("public_url: https://host/$HOME", "cannot be pasted into a command line"),
        ("glibc: !!int two", "not YAML"),
        ("- a", "expected a mapping"),
        ("a: [", "not YAML"),
    ],
)
def test_a_mistake_is_named_with_file_and_key(paths: Paths, text: str, message: str) -> None:
    (paths.root / "workbench.yaml").write_text(text)
    with pytest.raises(SettingsError) as caught:
        _ = read_settings(paths)
    assert str(caught.value).startswith(str(paths.root / "workbench.yaml"))
    assert message in str(caught.value)


def test_merge_keys_that_multiply_are_refused(paths: Paths) -> None:
    lines = [f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 8)}]}}" for n in range(1, 12)]
    (paths.root / "workbench.yaml").write_text("\n".join(["a0: &a0 {x: 1}", *lines]))
    with pytest.raises(SettingsError, match="merge keys"):
        read_settings(paths)


def test_a_date_is_text(paths: Paths) -> None:
    (paths.root / "workbench.yaml").write_text("index: {title: 2024-01-15}")
    assert read_settings(paths).index.title == "2024-01-15"


@pytest.mark.parametrize("url", ["htps://user:PASSWORD@host", "https://user:PASSWORD@host", "PASSWORD@"])
def test_a_password_in_a_url_is_refused_and_not_shown(paths: Paths, url: str) -> None:
    (paths.root / "workbench.yaml").write_text(f"store: {{s3: {{bucket: x, endpoint: '{url}'}}}}")
    with pytest.raises(SettingsError, match=r"store.s3.endpoint: no login or secret") as caught:
        _ = read_settings(paths)
    assert "PASSWORD" not in str(caught.value)


def test_a_site_that_is_not_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WORKBENCH_SITE", str(tmp_path / "nowhere"))
    with pytest.raises(SettingsError, match="no such folder"):
        Paths.here()


def test_a_variable_stands_above_the_file(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    (paths.root / "workbench.yaml").write_text("store: {s3: {bucket: mine, prefix: a}}")
    monkeypatch.setenv("WORKBENCH_S3_BUCKET", "other")
    s3 = read_settings(paths).store.s3
    assert s3 is not None
    assert (s3.bucket, s3.prefix) == ("other", "a")


def test_a_folder_takes_the_place_of_the_files_bucket(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    (paths.root / "workbench.yaml").write_text("store: {s3: {bucket: mine}}")
    monkeypatch.setenv("WORKBENCH_STORE_FOLDER", ".")
    store = read_settings(paths).store
    assert (store.folder, store.s3) == (".", None)
    monkeypatch.setenv("WORKBENCH_S3_BUCKET", "other")
    with pytest.raises(SettingsError, match=r"^WORKBENCH_STORE_FOLDER=\.: WORKBENCH_S3_BUCKET too"):
        read_settings(paths)


def test_a_variable_that_is_no_url_is_refused(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKBENCH_PUBLIC_URL", "http://[")
    with pytest.raises(SettingsError, match=r"^WORKBENCH_PUBLIC_URL=http://\[: 'http://\[' is not an http"):
        read_settings(paths)


@pytest.mark.parametrize(
    ("key", "value", "blamed"),
    [
        ("public_url", "nowhere", "--public-url nowhere: 'nowhere' is not"),
        ("bucket", "no bucket", "--bucket no bucket: 'no bucket' cannot"),
        ("prefix", "nightly", "--prefix: no bucket is named"),
        ("endpoint", "https://me:PASSWORD@host", "--endpoint: no login or secret"),
    ],
)
def test_a_flag_is_blamed_for_what_it_says(paths: Paths, key: str, value: str, blamed: str) -> None:
    flags = {"bucket": "mine", key: value} if key == "endpoint" else {key: value}
    before = FLAGS.set(flags)
    try:
        with pytest.raises(SettingsError) as caught:
            read_settings(paths)
    finally:
        FLAGS.reset(before)
    assert str(caught.value).startswith(blamed)
    assert "PASSWORD" not in str(caught.value)


def test_a_flag_stands_above_a_variable(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKBENCH_PUBLIC_URL", "https://variable.example")
    before = FLAGS.set({"public_url": "https://flag.example/"})
    assert read_settings(paths).public_url == "https://flag.example"
    FLAGS.reset(before)


@pytest.mark.parametrize(("word", "alone"), [("1", True), ("True", True), ("0", False), ("", True)])
def test_a_word_for_a_single_writer(
    paths: Paths, monkeypatch: pytest.MonkeyPatch, word: str, alone: bool
) -> None:
    (paths.root / "workbench.yaml").write_text("store: {s3: {bucket: mine, single_writer: true}}")
    monkeypatch.setenv("WORKBENCH_S3_SINGLE_WRITER", word)
    s3 = read_settings(paths).store.s3
    assert s3 is not None
    assert s3.single_writer is alone


def test_another_word_for_a_single_writer_is_refused(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    (paths.root / "workbench.yaml").write_text("store: {s3: {bucket: mine}}")
    monkeypatch.setenv("WORKBENCH_S3_SINGLE_WRITER", "on")
    with pytest.raises(SettingsError, match="WORKBENCH_S3_SINGLE_WRITER=on: write 1 "):
        _ = read_settings(paths)


def test_the_cache_is_a_whole_path_wherever_it_is_named_from(
    paths: Paths, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("WORKBENCH_CACHE", "~/cache")
    assert paths.cache == tmp_path / "cache"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WORKBENCH_CACHE", "kept")
    assert paths.cache == tmp_path / "kept"
