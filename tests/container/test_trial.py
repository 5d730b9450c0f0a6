"""Images that a wheel cannot be tried in: that is theirs, and not the wheel's fault."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.wheels import files_of, pack
from workbench.arch import OCI_ARCH
from workbench.container.engine import Engine
from workbench.container.trial import try_wheel
from workbench.errors import ContainerError, VerificationFailed
from workbench.plan.target import this_arch, this_python

PODMAN = Engine(name="podman", version="4.3.1", storage=Path("/nowhere"))
ANSWERS = """\
#!/bin/sh
case $1 in
    image) echo '[{{"Id": "a", "Architecture": "{arch}", "Size": 1, "Config": null}}]' ;;
    run) echo 'level=warning msg="something that does not matter"' >&2; {run} ;;
esac
"""


def trial(tmp_path: Path, run: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Try a wheel in a podman that says and does what `run` does, instead of its ``run``."""
    folder = tmp_path / "bin"
    folder.mkdir()
    podman = folder / "podman"
    podman.write_text(ANSWERS.format(arch=OCI_ARCH[this_arch()], run=run))
    podman.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    wheel = pack(tmp_path / "demo-1.0-py3-none-any.whl", files_of(payload={"demo/__init__.py": b""}))
    try_wheel(wheel, engine=PODMAN, image="mine", python=this_python(), arch=this_arch(), code="import demo")


@pytest.mark.parametrize(
    ("run", "why"),
    [
        ("echo this image has no Python; exit 127", "this image has no Python"),
        ("echo Error: crun: no such file >&2; exit 125", "crun: no such file"),
        ("echo", "has no glibc: name an image with glibc 2.17 or newer"),
        ("echo 2.12", "has glibc 2.12: name an image with glibc 2.17 or newer"),
    ],
    ids=["no Python", "engine", "musl", "old glibc"],
)
def test_an_image_that_serves_for_no_trial_is_not_the_packages_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: str, why: str
) -> None:
    with pytest.raises(ContainerError, match=r"demo-1\.0-.*cannot be tried in mine") as caught:
        trial(tmp_path, run, monkeypatch)
    assert why in str(caught.value)
    assert "container.runtime_images" in str(caught.value)


def test_code_that_fails_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    probed = tmp_path / "probed"
    run = f"[ -e {probed} ] && {{ echo AssertionError >&2; exit 1; }}; touch {probed}; echo 2.36"
    with pytest.raises(VerificationFailed, match=r"does not work in mine: (.|\n)*AssertionError"):
        trial(tmp_path, run, monkeypatch)
