"""Which login goes to which host, and that none goes elsewhere."""

from __future__ import annotations

from base64 import b64decode

import pytest

from workbench.consume.logins import Logins, variable_for
from workbench.consume.sources import WheelSource

API = "https://api.github.com/repos/ada/wheels/releases"
SHIPPED = WheelSource(name="shipped", kind="index", url="https://wheels.public.org/simple/")
LAB = WheelSource(
    name="lab", kind="index", url="https://wheels.lab-1.example/simple/", own=True, takes_token=True
)
ENTERPRISE = WheelSource(
    name="ghe", kind="github", url="https://ghe.example/api/v3/x", own=True, takes_token=True
)
FOREIGN = WheelSource(name="f", kind="github", url="https://foreign.example/api/x")


def sent(url: str, *sources: WheelSource, environ: dict[str, str]) -> str:
    header = Logins(sources, environ).headers(url).get("Authorization", "")
    kind, _, secret = header.partition(" ")
    return b64decode(secret).decode() if kind == "Basic" else secret


def test_a_hosts_variable_is_for_that_host_alone() -> None:
    assert variable_for("wheels.lab-1.example") == "GPUWHEELS_TOKEN_WHEELS_LAB_1_EXAMPLE"
    environ = {"GPUWHEELS_TOKEN_WHEELS_LAB_1_EXAMPLE": "t0ken"}
    assert sent(LAB.url, LAB, environ=environ) == "t0ken"
    assert sent("https://wheels.lab-1.example:8443/files/x.whl", environ=environ) == "t0ken"
    assert not sent(SHIPPED.url, LAB, SHIPPED, environ=environ)
    assert not sent("https://wheels.lab-1.example.evil.org/", LAB, environ=environ)
    assert not sent("https://wheels.lab-1.example@evil.org/", LAB, environ=environ)


def test_a_host_that_only_has_the_same_variable_does_not_get_the_token_of_a_source() -> None:
    environ = {"GPUWHEELS_TOKEN_WHEELS_LAB_1_EXAMPLE": "t0ken"}
    assert not sent("https://wheels-lab.1.example/x.whl", LAB, environ=environ)


def test_a_user_and_a_password_are_sent_as_such() -> None:
    assert sent("https://a.example/", environ={"GPUWHEELS_TOKEN_A_EXAMPLE": "ada:s3:cret"}) == "ada:s3:cret"
    assert Logins((), {"GPUWHEELS_TOKEN_A_EXAMPLE": "ada:x"}).headers("https://a.example/") == {
        "Authorization": "Basic YWRhOng="
    }


def test_githubs_token_is_for_its_api_and_that_of_an_own_source() -> None:
    environ = {"GITHUB_TOKEN": "gh"}
    assert sent(API, environ=environ) == "gh"
    assert sent(ENTERPRISE.url, ENTERPRISE, environ=environ) == "gh"
    for url in (
        "https://github.com/ada/wheels/releases/download/v1/x.whl",
        "https://api.github.com.evil.org/",
        "https://api.github.com:444/",
        "http://api.github.com/",
        FOREIGN.url,
        LAB.url,
    ):
        assert not sent(url, ENTERPRISE, FOREIGN, LAB, environ=environ)


def test_the_plain_token_is_for_own_sources_alone() -> None:
    environ = {"GPUWHEELS_TOKEN": "plain"}
    assert sent(LAB.url, LAB, SHIPPED, environ=environ) == "plain"
    assert not sent(SHIPPED.url, LAB, SHIPPED, environ=environ)
    assert not sent("https://files.lab-1.example/x.whl", LAB, environ=environ)
    assert not sent("https://wheels.lab-1.example:8443/", LAB, environ=environ)
    assert not sent(API, LAB, environ=environ)


def test_the_more_particular_one_wins() -> None:
    login = WheelSource(
        name="l", kind="index", url=LAB.url, own=True, takes_token=True, login="ada:of the url"
    )
    environ = {"GPUWHEELS_TOKEN": "plain", "GPUWHEELS_TOKEN_WHEELS_LAB_1_EXAMPLE": "its own"}
    assert sent(LAB.url, LAB, environ=environ) == "its own"
    assert sent(LAB.url, login, environ=environ) == "ada:of the url"
    assert sent(API, environ={"GITHUB_TOKEN": "gh", "GPUWHEELS_TOKEN_API_GITHUB_COM": "its own"}) == "its own"


@pytest.mark.parametrize(
    ("url", "goes"),
    [
        ("http://a.example/", False),
        ("https://a.example/", True),
        ("ftp://a.example/", False),
    ],
)
def test_no_token_goes_where_others_can_read_it(url: str, *, goes: bool) -> None:
    assert bool(sent(url, environ={"GPUWHEELS_TOKEN_A_EXAMPLE": "t0ken"})) is goes
    assert sent("http://127.0.0.1:8080/", environ={"GPUWHEELS_TOKEN_127_0_0_1": "t0ken"}) == "t0ken"


def test_what_would_break_a_header_is_not_sent() -> None:
    assert not sent("https://a.example/", environ={"GPUWHEELS_TOKEN_A_EXAMPLE": "a\r\nX: b"})
    assert sent("https://a.example/", environ={"GPUWHEELS_TOKEN_A_EXAMPLE": " t0ken\n"}) == "t0ken"
    assert not sent("http://[nonsense/", environ={"GPUWHEELS_TOKEN": "t0ken"})
