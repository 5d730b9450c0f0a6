from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.forked import invoke
from tests.outlets.conftest import REPOSITORY, TOKEN, wheel
from tests.outlets.github_server import Fault, Way, WritableGitHub
from tests.outlets.parcels import parcel, sending, sent
from workbench.errors import FilenameTaken, OutletError, UsageError
from workbench.http import Web
from workbench.outlets import github
from workbench.outlets.places import open_outlets
from workbench.outlets.release_notes import Attached, with_install_lines

if TYPE_CHECKING:
    from pathlib import Path

    from workbench.paths import Paths


def whole(hub: WritableGitHub, tag: str, wheels: list[Path]) -> None:
    """See that a release is published, has these wheels, their METADATA and statements, and nothing else."""
    (release,) = (each for each in hub.repositories[REPOSITORY].releases if each["tag_name"] == tag)
    assert not release["draft"]
    names = [f"{each.name}{end}" for each in wheels for end in ("", ".metadata", ".statement.json")]
    assert hub.names(REPOSITORY, tag) == sorted(names)
    files = hub.repositories[REPOSITORY].files
    for each in wheels:
        assert files[f"/{REPOSITORY}/releases/download/{tag}/{each.name}"] == each.read_bytes()
        (row,) = (line for line in release["body"].splitlines() if line.startswith(f"| [{each.name}]"))
        assert f"/releases/download/{tag}/{each.name}.statement.json)" in row


def test_upload_publishes_a_release_that_is_whole_and_a_second_finds_it_done(
    hub: WritableGitHub, wheels: list[Path]
) -> None:
    dry = invoke("upload", *wheels, "--to", "github:v1", "--dry-run")
    assert dry.status == 0, dry.stderr
    assert all(f"  would send {each.name}" in dry.stdout for each in wheels)
    assert not hub.repositories[REPOSITORY].releases

    done = invoke("upload", *wheels, "--to", "github:v1", "--json")
    assert done.status == 0, done.stderr
    (outlet,) = json.loads(done.stdout)["outlets"]
    assert outlet["sent"] == [each.name for each in wheels]
    for each in wheels:
        with Web().ask(outlet["urls"][each.name]) as answer:
            assert answer.body() == each.read_bytes()

    hub.asked.clear()
    again = invoke("upload", *wheels, "--to", "github:v1", "--json")
    assert json.loads(again.stdout)["outlets"][0]["sent"] == []
    assert json.loads(again.stdout)["outlets"][0]["urls"] == outlet["urls"]
    assert TOKEN not in done.stdout + done.stderr + again.stdout + again.stderr


WAYS: dict[tuple[str, str], tuple[Way, ...]] = {
    ("POST", "/releases"): ("502 before", "502 after", "limit"),
    ("POST", "name=demo-1.0-py3-none-any.whl"): ("502 before", "502 after", "half", "cut", "limit"),
    ("POST", "whl.metadata"): ("502 after", "half"),
    ("POST", "statement.json"): ("502 before", "502 after", "half", "cut"),
    ("PATCH", "/releases/"): ("502 before", "502 after", "limit"),
    ("GET", "/assets"): ("502 before", "limit"),
}
"""In which ways each request goes wrong."""


@pytest.mark.parametrize(
    "fault", [Fault(*request, way) for request, ways in WAYS.items() for way in ways], ids=str
)
def test_a_fault_of_githubs_is_gone_past(
    hub: WritableGitHub, wheels: list[Path], paths: Paths, fault: Fault
) -> None:
    hub.faults.append(replace(fault))
    sent([parcel(each) for each in wheels[:2]], "github:v1", paths.root)
    assert not hub.faults, "the fault did not happen"
    whole(hub, "v1", wheels[:2])


def test_killed_at_any_request_the_same_command_comes_to_the_same_end(
    hub: WritableGitHub, wheels: list[Path], paths: Paths
) -> None:
    parcels = [parcel(each) for each in wheels[:2]]
    kills = 0
    while True:
        hub.repositories[REPOSITORY].releases.clear()
        hub.repositories[REPOSITORY].files.clear()
        process = sending(parcels, "github:v1", paths.root, os.environ)
        left = kills

        def kill(_method: str, _path: str) -> None:
            nonlocal left
            left -= 1
            if left == -1:
                process.kill()  # noqa: B023 - of this round

        hub.meanwhile = kill
        process.start()
        process.join()
        hub.meanwhile = lambda _method, _path: None
        if process.exitcode == 0:
            break
        sent(parcels, "github:v1", paths.root)
        whole(hub, "v1", wheels[:2])
        kills += 1
    assert kills >= 8, "a draft, six files, and its publishing"
    whole(hub, "v1", wheels[:2])


def test_nothing_is_replaced(hub: WritableGitHub, wheels: list[Path], paths: Paths, tmp_path: Path) -> None:
    sent([parcel(wheels[0])], "github:v1", paths.root)
    other = parcel(wheel(tmp_path / "other", content=b"answer = 43\n"))
    with pytest.raises(FilenameTaken, match="--version-suffix"):
        sent([other], "github:v1", paths.root)
    whole(hub, "v1", wheels[:1])


def test_two_wheels_of_one_name_are_not_sent_one_over_the_other(
    hub: WritableGitHub, wheels: list[Path], tmp_path: Path
) -> None:
    other = wheel(tmp_path / "other", content=b"answer = 43\n")
    assert other.name == wheels[0].name
    refused = invoke("upload", wheels[0], other, "--to", "github:v1")
    assert (refused.status, "have one filename and different bytes" in refused.stderr) == (2, True)
    assert not hub.repositories[REPOSITORY].releases
    same = tmp_path / wheels[0].name
    same.write_bytes(wheels[0].read_bytes())
    done = invoke("upload", wheels[0], same, "--to", "github:v1")
    assert (done.status, "github:v1: 1 wheel sent\n" in done.stdout) == (0, True), done.stderr


def test_what_an_immutable_release_lacks_goes_into_the_next_tag(
    hub: WritableGitHub, wheels: list[Path], paths: Paths
) -> None:
    hub.immutable = True
    for count in (1, 2, 3):
        done = sent([parcel(each) for each in wheels[:count]], "github:v1", paths.root)
        assert done.sent == (wheels[count - 1].name,)
    for each, tag in zip(wheels, ("v1", "v1-2", "v1-3"), strict=True):
        whole(hub, tag, [each])
        assert f"/download/{tag}/" in done.urls[each.name]


def test_what_a_release_has_is_asked_as_often_for_many_wheels_as_for_one(
    hub: WritableGitHub, wheels: list[Path], paths: Paths
) -> None:
    """GitHub lets Actions ask a thousand times an hour."""

    def listings(count: int, to: str) -> int:
        hub.asked.clear()
        sent([parcel(each) for each in wheels[:count]], to, paths.root)
        return sum("/assets?" in each.path for each in hub.asked if "name=" not in each.path)

    assert listings(3, "github:v3") == listings(1, "github:v1") > 0


def test_every_page_is_read(hub: WritableGitHub, wheels: list[Path], paths: Paths) -> None:
    hub.most_a_page = 1
    for number in range(3):
        sent([parcel(wheels[2])], f"github:other-{number}", paths.root)
    sent([parcel(each) for each in wheels], "github:v1", paths.root)
    assert sent([parcel(each) for each in wheels], "github:v1", paths.root).sent == ()
    whole(hub, "v1", wheels)


def test_files_without_a_digest_are_read_through(
    hub: WritableGitHub, wheels: list[Path], paths: Paths
) -> None:
    hub.digests = False
    sent([parcel(wheels[0])], "github:v1", paths.root)
    assert sent([parcel(wheels[0])], "github:v1", paths.root).sent == ()
    storage = [each for each in hub.asked if each.path.startswith("/signed/")]
    assert storage, "another host has the bytes"
    assert not any("authorization" in each.headers for each in storage)


def test_tags_are_by_template(hub: WritableGitHub, wheels: list[Path], paths: Paths) -> None:
    parcels = [parcel(wheels[0], variant="avx512"), parcel(wheels[1], variant="avx2")]
    sent(parcels, "github:v{version}-{variant}", paths.root)
    whole(hub, "v1.0-avx512", wheels[:1])
    whole(hub, "v1.1-avx2", wheels[1:2])
    with pytest.raises(UsageError, match=r"give a tag without \{variant\}"):
        sent([parcel(wheels[2])], "github:{variant}", paths.root)
    with pytest.raises(UsageError, match=r"did you mean 'version'"):
        sent([parcel(wheels[2])], "github:v{versoin}", paths.root)
    with pytest.raises(UsageError, match="cannot be a tag"):
        sent([parcel(wheels[2])], "github:a b", paths.root)


def test_what_a_person_wrote_in_the_notes_stays(
    hub: WritableGitHub, wheels: list[Path], paths: Paths
) -> None:
    sent([parcel(wheels[0])], "github:v1", paths.root)
    (release,) = hub.repositories[REPOSITORY].releases
    release["body"] = f"Hello.\n\n{release['body']}\nMind the gap.\n"
    sent([parcel(each) for each in wheels], "github:v1", paths.root)
    assert release["body"].startswith("Hello.\n\n<!--")
    assert release["body"].endswith("Mind the gap.\n")
    lines = re.findall(r"^uv pip install '(demo @ \S+#sha256=[0-9a-f]{64})'$", release["body"], re.MULTILINE)
    assert len(lines) == len(wheels)


def test_a_draft_that_a_killed_run_left_comes_to_one_build(
    hub: WritableGitHub, wheels: list[Path], paths: Paths, tmp_path: Path
) -> None:
    hub.faults += [Fault("PATCH", "/releases/", "502 before") for _ in range(3)]
    with pytest.raises(OutletError, match="could not be published"):
        sent([parcel(wheels[0])], "github:v1", paths.root)
    other = wheel(tmp_path / "other", content=b"answer = 43\n")
    sent([parcel(other, statement=b"{}")], "github:v1", paths.root)
    whole(hub, "v1", [other])
    statement = f"/{REPOSITORY}/releases/download/v1/{other.name}.statement.json"
    assert hub.repositories[REPOSITORY].files[statement] == b"{}"
    (outlet,) = open_outlets(
        ["github:v1"], paths.root
    ).values()  # one that was asked before somebody published
    with pytest.raises(FilenameTaken, match="--version-suffix"):
        outlet.send([parcel(wheels[0])], lambda _: None)


def test_three_faults_in_a_row_are_gone_past(hub: WritableGitHub, wheels: list[Path], paths: Paths) -> None:
    hub.faults += [Fault("POST", f"name={wheels[0].name}", "502 before") for _ in range(3)]
    sent([parcel(wheels[0])], "github:v1", paths.root)
    whole(hub, "v1", wheels[:1])


def test_a_release_has_room_for_what_is_in_it(
    hub: WritableGitHub, wheels: list[Path], paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(github, "MOST_ASSETS", 6)
    hub.faults += [Fault("PATCH", "/releases/", "502 before") for _ in range(3)]
    with pytest.raises(OutletError, match="could not be published"):
        sent([parcel(each) for each in wheels[:2]], "github:v1", paths.root)
    sent([parcel(each) for each in wheels[:2]], "github:v1", paths.root)
    whole(hub, "v1", wheels[:2])
    with pytest.raises(
        UsageError, match="v2 would have 9 files, wheels and what lies beside them, and GitHub takes 6"
    ):
        sent([parcel(each) for each in wheels], "github:v2", paths.root)


def test_notes_that_github_would_refuse_are_short() -> None:
    many = [
        Attached(filename=f"demo-{n}-py3-none-any.whl", url="https://example.com/", size=1, sha256="0" * 64)
        for n in range(500)
    ]
    assert with_install_lines("Hello.", many[:400]).count("uv pip install") == 400
    body = with_install_lines(with_install_lines("Hello.", many), many)
    assert "uv pip install" not in body
    assert (body.count("500 wheels"), len(body) < 1000) == (1, True)


def test_a_token_that_may_not_write_is_told(
    hub: WritableGitHub, wheels: list[Path], paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.readers = {TOKEN}
    with pytest.raises(OutletError, match="the variable GITHUB_TOKEN needs the permission to write contents"):
        sent([parcel(wheels[0])], "github", paths.root)
    hub.readers = set()
    sent([parcel(wheels[0])], "github:v1", paths.root)  # though it is told that it may not push
    whole(hub, "v1", wheels[:1])
    hub.tokens = {"another"}
    with pytest.raises(OutletError, match="does not know the token from the variable GITHUB_TOKEN"):
        sent([parcel(wheels[0])], "github", paths.root)
    monkeypatch.delenv("GITHUB_TOKEN")
    monkeypatch.setenv("PATH", "")  # nor is there a program gh
    with pytest.raises(OutletError, match="no token for GitHub: set GITHUB_TOKEN"):
        sent([parcel(wheels[0])], "github", paths.root)
