"""The small package, released once into a site that signs; each test gets a copy of it."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.forked import invoke
from tests.verbs.conftest import made
from workbench.evidence.keys import read_keyring
from workbench.evidence.reproduction import Reproduction, write_verdict
from workbench.evidence.signer import read_signer
from workbench.evidence.statements import check_statement, statement_of_file
from workbench.paths import Paths

if TYPE_CHECKING:
    from pathlib import Path

    from tests.forked import Ran
    from tests.verbs.conftest import Demo


@dataclass(frozen=True)
class Signed:
    """A site that signs, the folder of its keys, and commands in it."""

    paths: Paths
    keys: Path

    @property
    def public(self) -> Path:
        return self.keys / "site.key.pub"

    @property
    def index(self) -> Path:
        return self.paths.root / "index" / "simple"

    @property
    def wheel(self) -> Path:
        (wheel,) = self.paths.wheels.glob("*.whl")
        return wheel

    def published(self, ending: str = ".whl") -> Path:
        """Return the one published file whose name ends so, or has such a part before its own hash."""
        (found,) = (self.paths.root / "files" / "demo").glob(f"*{ending}")
        return found

    def new_key(self, name: str = "new") -> Path:
        """Make a private key, put its public half on the site's list, and return where it is."""
        path = self.keys / f"{name}.key"
        assert invoke("evidence.new-key", "--to", path, "--no-passphrase").status == 0
        assert invoke("evidence.keys", "--add", f"{path}.pub").status == 0
        return path

    def revoke(self) -> str:
        """Revoke the key that the site began with, and return its id."""
        site = read_keyring(self.public).keys[0].id
        assert invoke("evidence.keys", "--revoke", site, "--reason", "stolen").status == 0
        return site

    def verdict(
        self, *, sha256: str = "", statement: str = "", key: str = "site"
    ) -> tuple[Reproduction, bytes]:
        """Return a good verdict on the wheel, or on one of another sha256 or another statement, signed by a key."""
        content, own = statement_of_file(self.wheel)
        stated = check_statement(content, filename=self.wheel.name, sha256=own, keys=None, where="it")
        sha256 = sha256 or own
        found = Reproduction(
            filename=self.wheel.name,
            sha256=sha256,
            rebuilt=sha256,
            statement=statement or stated.digest,
            finished="2026-11-30T00:00:00Z",
            workbench="0.1.0",
            isolation="isolated",
        )
        return found, write_verdict(found, [read_signer(self.keys / f"{key}.key")])

    def proved(self, *words: str | Path) -> Ran:
        """Check the index and its wheel as somebody who has only its address and the public key."""
        return invoke("check-index", self.index, "--signed-by", self.public, "--wheel", "demo", *words)


@pytest.fixture(scope="session")
def signed_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("signed")
    (root / "site" / "recipes").mkdir(parents=True)
    (root / "site" / "patches").mkdir()
    made(Paths(root / "site"), root / "upstream")
    places = {"WORKBENCH_SITE": str(root / "site"), "WORKBENCH_CACHE": str(root / "cache")}
    key = root / "keys" / "site.key"
    assert invoke("evidence.new-key", "--to", key, "--no-passphrase", env=places).status == 0
    (root / "site" / "workbench.yaml").write_text("signing: {key: ../keys/site.key}\n")
    done = invoke("release", "demo", env=places)
    assert done.status == 0, done.stderr
    return root


@pytest.fixture
def signed(signed_once: Path, paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Signed:
    shutil.copytree(signed_once / "site", paths.root, dirs_exist_ok=True)
    shutil.copytree(signed_once / "keys", tmp_path / "keys")
    monkeypatch.setenv("WORKBENCH_CACHE", str(signed_once / "cache"))
    return Signed(paths, tmp_path / "keys")


def flip(path: Path, at: int) -> None:
    """Change one bit of a file."""
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


@pytest.fixture
def demo(paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Demo:
    """Return the small package, ready to be built."""
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path / "cache"))
    return made(paths, tmp_path / "upstream")
