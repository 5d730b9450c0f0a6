from __future__ import annotations

import tomllib
from pathlib import Path, PurePosixPath

import pytest

from tests.wheels import files_of, pack
from workbench.container.configuration import fetch_wheelhouse, hand_on
from workbench.environment import parse_pip_options

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
    assert handed.mounts == {
        PurePosixPath("/workbench-packages/0"): Path("/srv/an index"),
        PurePosixPath("/workbench-packages/1"): Path("/wheels"),
    }
    assert tomllib.loads(handed.files["uv.toml"])["extra-index-url"] == [
        "file:///workbench-packages/0/simple"
    ]
    assert "find-links = /workbench-packages/1" in handed.files["pip.conf"]


UV = {
    "UV_DEFAULT_INDEX": "https://mirror.example/simple",
    "UV_INDEX_URL": "https://passed.over/simple",
    "UV_INDEX": "ours=https://me:secret@ours.example/simple?a=b /srv/an_index/simple",
    "UV_EXTRA_INDEX_URL": "https://more.example/simple",
}


def test_uvs_variables_stand_above_what_pip_knows_as_they_do_on_the_host() -> None:
    handed = hand_on({"index-url": "https://pips.example/simple"}, UV)
    assert tomllib.loads(handed.files["uv.toml"]) == {
        "index-url": "https://mirror.example/simple",
        "extra-index-url": [
            "https://me:secret@ours.example/simple?a=b",
            "file:///workbench-packages/0/simple",
            "https://more.example/simple",
        ],
    }
    assert handed.mounts == {PurePosixPath("/workbench-packages/0"): Path("/srv/an_index")}
    assert "index-url = https://mirror.example/simple\n" in handed.files["pip.conf"]
    older = hand_on(
        {}, {"UV_INDEX_URL": "https://older.example/simple", "UV_INDEX_STRATEGY": "unsafe-first-match"}
    )
    assert tomllib.loads(older.files["uv.toml"]) == {
        "index-url": "https://older.example/simple",
        "index-strategy": "unsafe-first-match",
    }


def test_uvs_own_indexes_come_before_pips_extra_ones() -> None:
    handed = hand_on(parse_pip_options(LISTED), {"UV_EXTRA_INDEX_URL": "https://more.example/simple"})
    assert tomllib.loads(handed.files["uv.toml"])["extra-index-url"] == [
        "https://more.example/simple",
        "https://a.example/simple",
        "https://b.example/simple",
    ]


def test_a_folder_of_wheels_comes_from_uvs_index_and_may_have_a_space_in_its_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = tmp_path / "my index" / "simple" / "demo"
    project.mkdir(parents=True)
    wheel = pack(project / "demo-1.0-py3-none-any.whl", files_of(payload={"demo/__init__.py": b""}))
    (project / "index.html").write_text(f'<a href="{wheel.name}">{wheel.name}</a>')
    monkeypatch.setenv("UV_DEFAULT_INDEX", project.parent.as_uri())
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    house = tmp_path / "my site" / "wheelhouse"
    handed = fetch_wheelhouse(["demo"], python="3.11", arch="aarch64", into=house)
    assert [path.name for path in house.iterdir()] == [wheel.name]
    assert handed.mounts == {PurePosixPath("/workbench-packages"): house}
    assert handed.files["pip.conf"] == "[global]\nno-index = true\nfind-links = /workbench-packages\n"
    assert tomllib.loads(handed.files["uv.toml"]) == {"find-links": ["/workbench-packages"], "no-index": True}


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
    ((target, source),) = handed.mounts.items()
    assert source == bundle
    for variable in ("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE"):
        assert handed.environment[variable] == str(target)


def test_nothing_configured_hands_on_nothing() -> None:
    handed = hand_on({}, {})
    assert (handed.files["pip.conf"], handed.files["uv.toml"], handed.mounts) == ("[global]\n", "", {})
