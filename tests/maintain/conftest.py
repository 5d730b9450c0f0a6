"""What tests of a recipe's life share: the small package of the verbs' tests, and an index that stays as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from packaging.utils import parse_sdist_filename
from packaging.version import Version

from tests.verbs.conftest import demo
from workbench.environment import package_index
from workbench.simple.client import project_files
from workbench.simple.fetch import Fetcher

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["demo"]

NEWEST = {"hnswlib": "0.8.0", "torch": "2.13.0", "cuda-toolkit": "13.1.0"}


@pytest.fixture(scope="session")
def index_then(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an index in which these versions stay the newest. hnswlib's files lie where the package index has them."""
    root = tmp_path_factory.mktemp("index")
    links = {
        name: [f"<a href={name.replace('-', '_')}-{newest}-py3-none-any.whl>x</a>"]
        for name, newest in NEWEST.items()
    }
    sdists = [
        each
        for each in project_files(Fetcher(), package_index(), "hnswlib") or ()
        if each.filename.endswith(".tar.gz")
        and parse_sdist_filename(each.filename)[1] <= Version(NEWEST["hnswlib"])
    ]
    links["hnswlib"] = [f"<a href={each.url}#sha256={each.hashes['sha256']}>x</a>" for each in sdists]
    for name, anchors in links.items():
        (root / name).mkdir()
        (root / name / "index.html").write_text(
            f"<!DOCTYPE html><html><body>{''.join(anchors)}</body></html>"
        )
    return root
