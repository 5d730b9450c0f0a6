from __future__ import annotations

from pathlib import Path

import pytest

from workbench.container.configuration import hand_on
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


def test_a_proxys_password_is_passed_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_CERT", "")
    handed = hand_on({"https_proxy": "http://me:secret@proxy"})
    assert handed.passed == ("https_proxy",)
    assert "secret" not in str(handed)


@pytest.mark.parametrize("where", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "pip"])
def test_certificates_reach_every_program(
    tmp_path: Path, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = tmp_path / "ca.pem"
    bundle.touch()
    monkeypatch.setenv("PIP_CERT", str(bundle))
    handed = hand_on({} if where == "pip" else {where: str(bundle)})
    ((target, source),) = handed.mounts.items()
    assert source == bundle
    for variable in ("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE"):
        assert handed.environment[variable] == str(target)
