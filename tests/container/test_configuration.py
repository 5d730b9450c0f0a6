from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from workbench.container.cibw import Mount
from workbench.container.configuration import hand_on, parse_pip_options

LISTED = """\
:env:.index-url='https://index.example/simple'
global.extra-index-url='https://a.example/simple\\nhttps://b.example/simple'
global.index-url='https://other.example/simple'
global.timeout='15'
install.timeout='60'
"""


def test_a_variable_stands_above_a_file_and_install_above_global() -> None:
    assert parse_pip_options(LISTED) == {
        "index-url": "https://index.example/simple",
        "extra-index-url": "https://a.example/simple\nhttps://b.example/simple",
        "timeout": "60",
    }


def test_pip_and_uv_are_told_the_same() -> None:
    handed = hand_on(parse_pip_options(LISTED), {})
    assert handed.files["pip.conf"].splitlines() == [
        "[global]",
        "timeout = 60",
        "index-url = https://index.example/simple",
        "extra-index-url = https://a.example/simple https://b.example/simple",
    ]
    assert tomllib.loads(handed.files["uv.toml"]) == {
        "index-url": "https://index.example/simple",
        "extra-index-url": ["https://a.example/simple", "https://b.example/simple"],
        "index-strategy": "unsafe-best-match",
    }
    assert handed.environment == {
        "PIP_CONFIG_FILE": "/workbench/pip.conf",
        "UV_CONFIG_FILE": "/workbench/uv.toml",
    }


def test_local_indexes_and_folders_are_mounted() -> None:
    handed = hand_on({"find-links": "/wheels", "extra-index-url": "file:///srv/an%20index/simple"}, {})
    assert handed.mounts == (
        Mount(source=Path("/srv/an index"), target=Path("/workbench-packages/0")),
        Mount(source=Path("/wheels"), target=Path("/workbench-packages/1")),
    )
    assert tomllib.loads(handed.files["uv.toml"])["extra-index-url"] == [
        "file:///workbench-packages/0/simple"
    ]
    assert "find-links = /workbench-packages/1" in handed.files["pip.conf"]


def test_a_password_is_in_files_only() -> None:
    handed = hand_on(
        {"index-url": "https://me:secret@index.example/simple"}, {"https_proxy": "http://me:secret@proxy"}
    )
    assert "secret" in handed.files["pip.conf"]
    assert "secret" not in str((handed.environment, handed.mounts, handed.passed))
    assert handed.passed == ("https_proxy",)


@pytest.mark.parametrize("where", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "pip"])
def test_certificates_reach_every_program(tmp_path: Path, where: str) -> None:
    bundle = tmp_path / "ca.pem"
    bundle.touch()
    handed = hand_on({"cert": str(bundle)}, {}) if where == "pip" else hand_on({}, {where: str(bundle)})
    assert [mount.source for mount in handed.mounts] == [bundle]
    for variable in ("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE"):
        assert handed.environment[variable] == str(handed.mounts[0].target)


def test_nothing_configured_hands_on_nothing() -> None:
    handed = hand_on({}, {})
    assert (handed.files["pip.conf"], handed.files["uv.toml"], handed.mounts) == ("[global]\n", "", ())
