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


def trial(
    tmp_path: Path,
    run: str,
    monkeypatch: pytest.MonkeyPatch,
    *,
    python: str = this_python(),
    tag: str = "py3-none-any",
) -> None:
    """Try a wheel in a podman that says and does what `run` does, instead of its ``run``."""
    folder = tmp_path / "bin"
    folder.mkdir(exist_ok=True)
    podman = folder / "podman"
    podman.write_text(ANSWERS.format(arch=OCI_ARCH[this_arch()], run=run))
    podman.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    wheel = pack(tmp_path / f"demo-1.0-{tag}.whl", files_of(tag=tag, payload={"demo/__init__.py": b""}))
    try_wheel(wheel, engine=PODMAN, image="mine", python=python, arch=this_arch(), code="import demo")


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


def test_a_free_threaded_python_is_found_and_gets_its_own_wheels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without one on this machine; the image's says of itself which it is."""
    inside = tmp_path / "bin" / "python3.13t"
    inside.parent.mkdir()
    inside.write_text(
        '#!/bin/sh\n[ "$1" = -c ] && echo 3.13t || { ls "$TRIAL/site" >>"$SEEN"; echo 2.36; }\n'
    )
    inside.chmod(0o755)
    monkeypatch.setenv("SEEN", str(tmp_path / "seen"))
    run = (
        "for each; do case $each in --volume=*) each=${each#*=}; export TRIAL=${each%%:*} ;; esac; done; "
        'sh "$TRIAL/find.sh"'
    )
    tag = f"cp313-cp313t-manylinux_2_17_{this_arch()}"
    trial(tmp_path, run, monkeypatch, python="3.13t", tag=tag)
    assert (tmp_path / "seen").read_text().splitlines() == ["demo", "demo-1.0.dist-info"]
    with pytest.raises(ContainerError, match=r"this image has no Python 3\.14t"):
        trial(tmp_path, run, monkeypatch, python="3.14t", tag=tag)
