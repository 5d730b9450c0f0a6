"""docs/trust.md, typed from its beginning to its end."""

from __future__ import annotations

import shlex
import shutil
from typing import TYPE_CHECKING

from tests.forked import invoke
from tests.test_docs import commands
from workbench.evidence.signer import VARIABLE, make_key
from workbench.paths import CHECKOUT

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tests.evidence.conftest import Signed

WORDS = "seven words"
WHEEL = "https://wheels.example.com/files/hnswlib/hnswlib-0.8.0-cp312-cp312-manylinux_2_34_x86_64.whl"
SETTING = "signing:\n  key: ~/keys/wheels.key\n"


def test_its_commands_do_what_it_says(
    signed: Signed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = CHECKOUT / "docs" / "trust.md"
    assert SETTING in page.read_text()
    for name in ("workbench.yaml", "packages.json"):
        (signed.paths.root / name).unlink()
    for name in ("trust", "index", "files", "records"):
        shutil.rmtree(signed.paths.root / name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv(VARIABLE, WORDS)
    monkeypatch.chdir(signed.paths.root)
    _, new = (make_key(signed.paths.root / f"{name}.key", passphrase=WORDS) for name in ("old", "new"))
    stands_for = {
        "demo-1.0-py3-none-any.whl": signed.wheel.name,
        "wheels/demo-1.0-py3-none-any.whl": f"wheels/{signed.wheel.name}",
        "wheels/*.whl": f"wheels/{signed.wheel.name}",
        "https://wheels.example.com/index/simple/": str(signed.index),
        "hnswlib": "demo",
        WHEEL: (signed.paths.root / "files" / "demo" / signed.wheel.name).as_uri(),
        "wheels.key.pub": str(tmp_path / "keys" / "wheels.key.pub"),
        "~/keys/wheels.key": str(tmp_path / "keys" / "wheels.key"),
        "34ebac6b": new.id[:8],
    }
    ran = []
    for line in commands(page):
        program, *words = (stands_for.get(word, word) for word in shlex.split(line))
        if program != "invoke":
            continue  # gw's line needs an index that is served: tests/program/test_proving.py
        if "--signed-by" in words and words[0] == "upload":
            assert not signed.paths.registry.exists()
        if words == ["evidence.show", signed.wheel.name, "--json"]:
            continue  # nothing is published yet; it comes at the end
        done = invoke(*words)
        assert done.status == 0, (line, done.stderr)
        ran.append(words[0])
        if words[0] == "evidence.new-key":
            (signed.paths.root / "workbench.yaml").write_text(SETTING)
    assert invoke("evidence.show", signed.wheel.name, "--json").status == 0
    asked = {"verify", "upload", "check-index", "evidence.keys", "evidence.sign-index", "evidence.reproduce"}
    assert asked < set(ran)
