"""What this site publishes is there for the builds of its other packages, from its own index and no other."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest

from tests.wheels import files_of, pack
from workbench.builders.own_index import joined_index, own_index
from workbench.environment import Environment
from workbench.errors import SettingsError
from workbench.settings import read_settings

if TYPE_CHECKING:
    from pathlib import Path

    from workbench.paths import Paths


def listed(root: Path, name: str, version: str) -> None:
    """Put a wheel into a folder, and into an index there."""
    files, page = root / "files" / name, root / "index/simple" / name
    files.mkdir(parents=True)
    page.mkdir(parents=True)
    wheel = pack(files / f"{name}-{version}-py3-none-any.whl", files_of(name=name, version=version))
    (page / "index.html").write_text(f'<a href="../../../files/{name}/{wheel.name}">{wheel.name}</a>')


def publish(paths: Paths, name: str) -> None:
    paths.registry.write_text(
        json.dumps({"schema": 2, "generation": 1, "packages": {name: {"source_repo": "u"}}})
    )


def test_a_published_name_comes_from_the_sites_index_and_the_others_from_the_package_index(
    paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A newer release of the same name, which anybody may have put on the package index, does not count."""
    listed(paths.root, "ours", "1.0")
    publish(paths, "ours")
    for name, version in (("ours", "2.0"), ("theirs", "3.0")):
        listed(tmp_path / "world", name, version)
    monkeypatch.setenv("UV_DEFAULT_INDEX", (tmp_path / "world/index/simple").as_uri())
    monkeypatch.setenv("UV_INDEX_STRATEGY", "unsafe-best-match")
    requires = ["Ours", "theirs>=1"]
    index = own_index(requires, paths, read_settings(paths))
    environment = Environment.create(tmp_path / "env", python=sys.executable)
    environment.install(requires, options=joined_index(index))
    code = "from importlib.metadata import version; print(version('ours'), version('theirs'))"
    assert environment.run_code(code, cwd=tmp_path).output.split() == ["1.0", "3.0"]


def test_the_sites_index_is_asked_only_where_it_publishes_what_is_required(paths: Paths) -> None:
    settings = read_settings(paths)
    assert own_index(["ours"], paths, settings) is None
    publish(paths, "ours")
    assert own_index(["theirs"], paths, settings) is None
    assert joined_index(None) == []
    (paths.root / "workbench.yaml").write_text("public_url: https://example.com/w\nstore: {folder: out}\n")
    assert own_index(["ours>=1"], paths, read_settings(paths)) == "https://example.com/w/index/simple/"
    (paths.root / "workbench.yaml").write_text("store: {s3: {bucket: wheels}}\n")
    with pytest.raises(SettingsError, match="public_url: missing: the build requires ours"):
        own_index(["ours"], paths, read_settings(paths))
