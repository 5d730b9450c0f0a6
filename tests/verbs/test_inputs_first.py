"""What a person named wrong is told before what is missing: a login, the key that signs, a repository."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.forked import invoke
from tests.wheels import good

if TYPE_CHECKING:
    from tests.verbs.conftest import Demo

_FILE = "demo-1.0-py3-none-any.whl"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["upload", f"/nowhere/{_FILE}", "--to", "pypi"], "no such file"),
        (["upload", "--to", "pypi"], "name the wheels"),
        (["upload", "HERE", "--to", "pypi", "--signed-by", "/nowhere.pub"], "no such file of public keys"),
        (["verify", "HERE", "--signed-by", "/nowhere.pub"], "no such file of public keys"),
        (["release", "demmo", "--to", "github"], "did you mean 'demo'?"),
        (["yank"], "name the wheels"),
        (["unyank"], "name the wheels"),
        (["remove"], "name the wheels"),
        (["update-readme", f"/nowhere/{_FILE}", "--file", "README.md"], "no such file"),
        (["store.import", "/nowhere.json"], "no such file"),
        (["evidence.reproduce", "HERE", "--signed-by", "/nowhere.pub"], "no such file of public keys"),
        (["evidence.keys", "--add", "/nowhere.pub"], "no such file of public keys"),
    ],
)
def test_the_words_are_judged_before_keys_and_logins(demo: Demo, words: list[str], message: str) -> None:
    """Nothing here has the key that signs, a login, or a GitHub repository."""
    (demo.paths.root / "workbench.yaml").write_text("signing: {key: nowhere.key}\n")
    demo.paths.wheels.mkdir()
    here = good(demo.paths.wheels)
    done = invoke(*(here if word == "HERE" else word for word in words))
    assert message in done.stderr
