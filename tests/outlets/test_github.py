from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.forked import invoke
from tests.outlets.conftest import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

    from tests.outlets.github_server import WritableGitHub


def test_a_release_is_published_once_it_is_whole(hub: WritableGitHub, wheels: list[Path]) -> None:
    done = invoke("upload", *wheels, "--to", "github:v1", "--json")
    assert done.status == 0, done.stderr
    (outlet,) = json.loads(done.stdout)["outlets"]
    assert outlet["sent"] == [each.name for each in wheels]
    assert hub.names(REPOSITORY, "v1") == [each.name for each in wheels]
