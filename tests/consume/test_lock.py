from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from packaging.markers import default_environment
from packaging.tags import sys_tags

from tests.consume.served import HOST
from workbench.builders.interpreter import interpreter_here
from workbench.consume.install import install
from workbench.consume.lock import (
    asked_of,
    changes,
    check_lock,
    kept_of,
    parse_lock,
    read_lock,
    selected,
    write_lock,
)
from workbench.consume.solving import resolve_lock
from workbench.environment import Environment, package_index
from workbench.errors import InstallFailed, LockFault, UsageError, WorkbenchError
from workbench.process import run

if TYPE_CHECKING:
    from pathlib import Path

    from tests.consume.served import Files

LOCAL = "1.0+cu130torch2.11"

PUBLIC = package_index()


@pytest.fixture
def lock(files: Files, tmp_path: Path) -> Path:
    """Return a lock of a chosen wheel and of the two that it needs."""
    files.add("needed", "2.0", requires=["deeper"])
    files.add("deeper", "3.0")
    path = tmp_path / "pylock.toml"
    pin = files.pinned("demo", LOCAL, requires=["needed>=1"])
    write_lock(resolve_lock([pin], HOST, asked=["demo"]), path)
    return path


def test_a_lock_has_all_that_is_needed_by_hash_and_nothing_was_downloaded_for_it(
    lock: Path, files: Files
) -> None:
    read = read_lock(lock)
    check_lock(read, lock)
    assert [(each.name, str(each.version)) for each in read.packages] == [
        ("deeper", "3.0"),
        ("demo", LOCAL),
        ("needed", "2.0"),
    ]
    assert asked_of(read) == ("demo",)
    assert not [path for path in files.asked if "/demo-" in path]
    assert selected(read, lock, default_environment(), sys_tags()) == ("deeper", "demo", "needed")


def test_a_public_package_of_the_same_name_never_comes_instead(files: Files) -> None:
    files.add("demo", "9.0")
    lock = resolve_lock([files.pinned("demo", LOCAL)], HOST, asked=["demo"])
    assert [(each.name, str(each.version)) for each in lock.packages] == [("demo", LOCAL)]


def free_threaded(folder: Path) -> str:
    """Make what says of itself that it is a free-threaded Python, of one that is here."""
    here = filter(None, map(interpreter_here, ("3.13", "3.14", "3.15")))
    if (real := next(here, None)) is None:
        pytest.skip("no Python is here of which there is a free-threaded build")
    made = folder / "python"
    made.write_text(
        f"#!{sys.executable}\nimport os, sys\nwords = [{str(real)!r}, *sys.argv[1:]]\n"
        "at = words.index('-c') + 1\n"
        "words[at] = 'import sysconfig; sysconfig.get_config_vars()[\"Py_GIL_DISABLED\"] = 1\\n' + words[at]\n"
        "os.execv(words[0], words)\n"
    )
    made.chmod(0o755)
    return run([real, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]).output.strip()


def test_a_lock_for_a_free_threaded_python_has_its_wheels(files: Files, tmp_path: Path) -> None:
    python = free_threaded(tmp_path)
    cp = f"cp{python.replace('.', '')}"
    for abi in (cp, f"{cp}t"):
        files.add("needed", "2.0", tag=f"{cp}-{abi}-manylinux_2_28_x86_64")
    pin = files.pinned("demo", LOCAL, requires=["needed"], tag=f"{cp}-{cp}t-linux_x86_64")
    host = replace(HOST, python=f"{python}t", interpreter=str(tmp_path / "python"))
    lock = resolve_lock([pin], host, asked=["demo"])
    assert [wheel.filename for package in lock.packages for wheel in package.wheels or ()] == [
        pin.offer.filename,
        f"needed-2.0-{cp}-{cp}t-manylinux_2_28_x86_64.whl",
    ]
    with pytest.raises(UsageError, match=r"'uv python install 3.99t' puts it here"):
        resolve_lock([pin], replace(HOST, python="3.99t"), asked=["demo"])


def test_the_torch_that_is_installed_stays(files: Files) -> None:
    for version in ("2.11.0", "2.12.0"):
        files.add("torch", version)
    pin = files.pinned("demo", LOCAL, requires=["torch"])
    held = resolve_lock([pin], replace(HOST, torch="2.11.0"), asked=["demo"])
    free = resolve_lock([pin], HOST, asked=["demo"])
    assert [str(lock.packages[-1].version) for lock in (held, free)] == ["2.11.0", "2.12.0"]


def test_another_build_of_the_torch_that_is_installed_never_takes_its_place(
    files: Files, tmp_path: Path
) -> None:
    files.add("torch", "2.11.0")
    pin = files.pinned("demo", LOCAL, requires=["torch"])
    host = replace(HOST, torch="2.11.0", torch_local="cu130")
    without = resolve_lock([pin], host, asked=["demo"])
    assert ([each.name for each in without.packages], kept_of(without)) == (["demo"], "torch==2.11.0+cu130")
    write_lock(without, tmp_path / "pylock.toml")
    with pytest.raises(UsageError, match="--sync would remove torch"):
        install(tmp_path / "pylock.toml", tmp_path, sync=True)
    torch = files.pinned("torch", "2.11.0+cu130", requires=["needed"])
    files.add("needed", "2.0")
    lock = resolve_lock([pin], host, asked=["demo"], at_hand=[torch])
    assert [(each.name, str(each.version)) for each in lock.packages] == [
        ("demo", LOCAL),
        ("needed", "2.0"),
        ("torch", "2.11.0+cu130"),
    ]
    assert [wheel.url for wheel in lock.packages[-1].wheels or ()] == [torch.offer.url]
    assert kept_of(lock) == ""
    free = resolve_lock([files.pinned("demo", LOCAL)], host, asked=["demo"], at_hand=[torch])
    assert [each.name for each in free.packages] == ["demo"]


def test_a_torch_that_is_given_by_its_minor_release_may_be_any_of_it(files: Files) -> None:
    for version in ("2.11.1", "2.12.0"):
        files.add("torch", version)
    pin = files.pinned("demo", LOCAL, requires=["torch"])
    lock = resolve_lock([pin], replace(HOST, torch="2.11"), asked=["demo"])
    assert str(lock.packages[-1].version) == "2.11.1"


def test_what_does_not_go_together_is_one_message_of_what_uv_found(files: Files) -> None:
    pin = files.pinned("demo", LOCAL, requires=["nowhere-to-be-found"])
    with pytest.raises(
        LockFault, match=r"no set of wheels for this machine(?s:.*)nowhere-to-be-found"
    ) as caught:
        resolve_lock([pin], HOST, asked=["demo"])
    assert "/tmp" not in str(caught.value)  # noqa: S108 - where it worked is nobody's business


def test_a_cache_that_cannot_be_written_is_not_told_as_what_does_not_go_together(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_CACHE_DIR", "/proc/cache")
    with pytest.raises(WorkbenchError, match=r"^uv cannot write its cache, /proc/cache: "):
        resolve_lock([files.pinned("demo", LOCAL)], HOST, asked=["demo"])


@pytest.mark.parametrize(("glibc", "has"), [("2.5", "glibc 2.5"), ("", "another C library")])
def test_a_machine_that_uv_does_not_lock_for_is_named(files: Files, glibc: str, has: str) -> None:
    with pytest.raises(UsageError, match=f"glibc 2.17 and newer alone, and the machine has {has}"):
        resolve_lock([files.pinned("demo", LOCAL)], replace(HOST, glibc=glibc), asked=["demo"])


def test_a_wheel_whose_hash_is_not_known_is_not_locked(files: Files) -> None:
    pin = files.pinned("demo", LOCAL)
    with pytest.raises(UsageError, match=r"demo-1\.0.*no sha256"):
        resolve_lock([replace(pin, offer=replace(pin.offer, sha256=None))], HOST, asked=["demo"])


@pytest.mark.parametrize("installer", ["uv", "pip"])
def test_uv_and_pip_install_it_and_remove_nothing(
    lock: Path, files: Files, tmp_path: Path, installer: str
) -> None:
    environment = Environment.create(tmp_path / "venv", python=sys.executable)
    mine = files.add("mine", "1.0")
    environment.install([mine.url], options=["--default-index", files.index])
    if installer == "pip":
        environment.install(["pip>=26.3"], options=["--default-index", PUBLIC])
    install(lock, environment.python, installer=installer)  # type: ignore[arg-type]
    listed = run(["uv", "pip", "freeze", f"--python={environment.python}"], stdout_only=True).output
    assert {f"demo=={LOCAL}", "needed==2.0", "deeper==3.0"} <= set(listed.split())
    assert "mine" in listed
    if installer == "uv":
        install(lock, environment.python, sync=True)
        assert "mine" not in run(["uv", "pip", "freeze", f"--python={environment.python}"]).output


def test_a_file_that_is_not_the_one_that_was_locked_leaves_nothing_installed(
    lock: Path, files: Files, tmp_path: Path
) -> None:
    environment = Environment.create(tmp_path / "venv", python=sys.executable)
    wheel = next((files.folder / "files").glob("demo-*"))
    wheel.write_bytes(wheel.read_bytes()[:-1] + b"\1")
    with pytest.raises(InstallFailed, match="nothing was installed"):
        install(lock, environment.python)
    assert not run(["uv", "pip", "freeze", f"--python={environment.python}"], stdout_only=True).output


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[[packages]\n", "not TOML"),
        ("lock-version = '2.0'\ncreated-by = 'x'\npackages = []\n", "2.0 is not supported"),
        ("created-by = 'x'\npackages = []\n", "lock-version"),
        ("a = " + "[" * 5000, "not TOML"),
    ],
)
def test_what_is_not_a_lock_is_named(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "pylock.toml"
    path.write_text(text)
    with pytest.raises(LockFault, match=reason):
        read_lock(path)


@pytest.mark.parametrize(
    ("hashes", "url", "reason"),
    [
        ("{md5 = 'ab'}", "https://host.invalid/a-1-py3-none-any.whl", "no sha256"),
        ("{sha256 = '" + 32 * "ab" + "'}", "https://u:p@host.invalid/a-1-py3-none-any.whl", "login"),
        ("{sha256 = '" + 32 * "ab" + "'}", "https://host.invalid/a-1-py3-none-any.whl?token=x", "login"),
    ],
)
def test_what_installers_take_and_should_not_is_refused(
    tmp_path: Path, hashes: str, url: str, reason: str
) -> None:
    text = (
        "lock-version = '1.0'\ncreated-by = 'x'\n[[packages]]\nname = 'a'\nversion = '1'\n"
        f"wheels = [{{name = 'a-1-py3-none-any.whl', url = '{url}', hashes = {hashes}}}]\n"
    )
    path = tmp_path / "pylock.toml"
    with pytest.raises(LockFault, match=reason):
        check_lock(parse_lock(text.encode(), path), path)


def test_a_name_that_no_installer_reads_is_refused(lock: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"pylock\.toml or pylock\.NAME\.toml"):
        write_lock(read_lock(lock), tmp_path / "requirements.toml")


def test_what_changed_is_told_by_package(files: Files) -> None:
    one, other = files.pinned("demo", LOCAL), files.pinned("other", "1.0")
    before = resolve_lock([one, other], HOST, asked=["demo"])
    rebuilt = replace(one, offer=replace(one.offer, sha256="0" * 64))
    after = resolve_lock([rebuilt, files.pinned("fresh", "2.0")], HOST, asked=["demo"])
    assert [str(each) for each in changes(before, after)] == [
        f"demo {LOCAL}: the same version, other bytes",
        "fresh 2.0: new",
        "other 1.0: no longer there",
    ]
    assert changes(before, before) == ()
