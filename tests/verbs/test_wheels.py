"""The verbs that take wheels, as a user runs them: verify, repair, upload, yank, remove; and what list then shows."""

from __future__ import annotations

import json
import sys
import zipfile
from typing import TYPE_CHECKING

import pytest

from tests.forked import invoke
from tests.libraries import extension
from tests.wheels import MODULE, files_of, pack
from tests.wheels import wheel as native_wheel
from workbench.index.serve import served
from workbench.process import run
from workbench.registry.file import load

if TYPE_CHECKING:
    from pathlib import Path

    from workbench.paths import Paths

RECIPE = """\
from __future__ import annotations

from workbench.recipe import Git, Recipe

recipe = Recipe(
    name="demo",
    version="1.0",
    description="A demonstration",
    source=Git(url="https://example.com/demo", commit="{commit}", branch="main"),
    smoke_test="import demo; assert demo.answer == 42",
)
"""
WHEEL = "demo-1.0-py3-none-any.whl"


@pytest.fixture
def wheels(paths: Paths, tmp_path: Path) -> Path:
    """Return a folder for wheels beside a site that has a recipe for them."""
    (paths.recipes / "demo.py").write_text(RECIPE.format(commit="0" * 40))
    folder = tmp_path / "dist"
    folder.mkdir()
    return folder


def wheel(
    folder: Path, version: str = "1.0", *, tag: str = "py3-none-any", module: str = "answer = 42"
) -> Path:
    folder.mkdir(exist_ok=True)
    files = files_of(version=version, tag=tag, payload={"demo/__init__.py": module.encode()})
    return pack(folder / f"demo-{version}-{tag}.whl", files)


# ---------------------------------------------------------------- verify


def test_a_check_that_found_something_has_a_cross_and_is_counted(wheels: Path) -> None:
    bad = wheel(wheels, module="answer = 41")
    done = invoke("verify", bad)
    assert done.status == 11
    assert f"✓ verify {WHEEL}" in done.stderr
    assert f"✗ smoke test {WHEEL}: 1 finding (" in done.stderr
    assert f"1 of 1 wheel did not pass, with 1 finding: {WHEEL}" in done.stderr
    bad.write_bytes(bad.read_bytes() + b"behind its end")
    done = invoke("verify", bad, wheel(wheels, "2.0"))
    assert "✗ verify 2 wheels (" in done.stderr
    assert "✓ smoke test demo-2.0-py3-none-any.whl (" in done.stderr


def test_a_wheel_for_a_python_that_cannot_be_had_is_a_finding_and_the_others_are_verified(
    wheels: Path,
) -> None:
    done = invoke("verify", wheel(wheels, tag="cp399-none-any"), wheel(wheels, "2.0"), "--json")
    lacking, sound = json.loads(done.stdout)
    assert done.status == 11
    assert sound["passed"]
    assert "smoke" in sound["checks"]
    (found,) = (each for each in lacking["findings"] if each["check"] == "smoke")
    assert "Python 3.99 is not on this machine, and uv cannot fetch it: No download found" in found["what"]
    assert "✗ fetch Python 3.99: uv cannot" in done.stderr


def test_a_damaged_note_of_what_was_built_is_a_finding_and_the_others_are_verified(wheels: Path) -> None:
    noted, other = wheel(wheels), wheel(wheels, "2.0")
    noted.with_name(f"{noted.name}.build.json").write_text("{")
    done = invoke("verify", noted, other, "--json")
    damaged, sound = json.loads(done.stdout)
    assert (done.status, sound["passed"]) == (11, True)
    (found,) = damaged["findings"]
    assert found["check"] == "gpu"
    assert "which GPU code it must have cannot be told: " in found["what"]
    assert f"{WHEEL}.build.json" in found["what"]
    assert "build the wheel again, or remove this file" in found["what"]


def test_a_wheel_of_a_recipe_for_cuda_alone_must_have_gpu_code(paths: Paths, wheels: Path) -> None:
    recipe = paths.recipes / "demo.py"
    text = recipe.read_text()
    recipe.write_text(text.replace('version="1.0",', 'version="1.0", compute=("cu12*", "cu13*"),'))
    done = invoke("verify", wheel(wheels))
    assert done.status == 11
    assert f"gpu: {WHEEL}: there is no GPU code at all, and its recipe is for CUDA alone" in done.stdout
    recipe.write_text(text.replace('version="1.0",', 'version="1.0", compute=("cpu", "cu13*"),'))
    assert invoke("verify", wheels / WHEEL).status == 0


def test_a_site_that_cannot_be_written_still_gets_an_answer(paths: Paths, wheels: Path) -> None:
    paths.state.write_text("a file where the folder for reports belongs")
    done = invoke("verify", wheel(wheels))
    assert done.status == 0, done.stderr
    assert WHEEL in done.stdout
    assert "reports are not kept for later" in done.stderr


@pytest.mark.parametrize("verb", ["verify", "repair", "upload"])
@pytest.mark.parametrize(
    ("path", "why"),
    [(".", "is a folder: name the files in it"), ("none-1.0-py3-none-any.whl", "no such file")],
)
def test_a_path_that_is_no_file(wheels: Path, verb: str, path: str, why: str) -> None:
    done = invoke(verb, path, cwd=wheels)
    assert (done.status, done.stdout) == (2, "")
    assert f"{path}{' ' if path == '.' else ': '}{why}" in done.stderr


# ---------------------------------------------------------------- repair


def test_a_dry_repair_says_where_it_would_write_and_writes_nothing(paths: Paths, wheels: Path) -> None:
    done = invoke("repair", wheel(wheels), "--dry-run")
    assert done.status == 0, done.stderr
    assert f"\nwould write {paths.wheels / WHEEL}\n" in done.stdout
    assert not paths.wheels.exists()
    assert invoke("repair", wheels / WHEEL).stdout.startswith(f"\n{paths.wheels / WHEEL}\n")


@pytest.mark.needs("gcc", "patchelf")
@pytest.mark.parametrize(
    ("damage", "why"),
    [
        ("emptied", "not a whole wheel: "),
        ("flipped", f"not a whole wheel: {MODULE}: "),
        ("cut", "auditwheel cannot repair it: "),
    ],
)
def test_what_cannot_be_read_is_told_in_a_line(paths: Paths, wheels: Path, damage: str, why: str) -> None:
    built = extension(wheels)
    bad = native_wheel(wheels, {MODULE: built[: len(built) // 2] if damage == "cut" else built})
    if damage == "flipped":
        with zipfile.ZipFile(bad) as archive:
            data = bytearray(bad.read_bytes())
            data[archive.getinfo(MODULE).header_offset + 300] ^= 0xFF
            bad.write_bytes(data)
    elif damage == "emptied":
        bad.write_bytes(b"")
    done = invoke("repair", bad)
    assert done.status == 10, done.stderr
    (error,) = (line for line in done.stderr.splitlines() if not line.startswith(("…", "✗")))
    assert error.startswith(f"error: {bad}: {why}")
    assert "Traceback" not in done.stderr
    assert not list(paths.wheels.glob("*"))


# ---------------------------------------------------------------- upload


def test_what_does_not_verify_is_shown_before_it_is_refused(paths: Paths, wheels: Path) -> None:
    done = invoke("upload", wheel(wheels, module="answer = 41"))
    assert done.status == 11
    assert "smoke: smoke_test (Python 3." in done.stderr
    assert "AssertionError" in done.stderr
    assert not paths.registry.exists()


def test_a_wheel_that_is_named_twice_is_published_once(paths: Paths, wheels: Path) -> None:
    path = wheel(wheels)
    copy = wheels / "copy" / WHEEL
    copy.parent.mkdir()
    copy.write_bytes(path.read_bytes())
    done = invoke("upload", path, path, copy)
    assert done.status == 0, done.stderr
    assert "published 1 wheel in" in done.stdout
    assert [each.filename for _, each in load(paths.registry).wheels()] == [WHEEL]


def test_two_files_of_one_name_are_refused_before_anything_is_written(paths: Paths, wheels: Path) -> None:
    one, other = wheel(wheels / "a"), wheel(wheels / "b", module="answer = 42  # mine")
    done = invoke("upload", one, wheel(wheels, "2.0"), other)
    assert done.status == 2
    assert f"{one} and {other} have one filename and different bytes" in done.stderr
    assert not list((paths.root / "files").rglob("*.whl"))
    assert not paths.registry.exists()
    assert invoke("upload", other).status == 0, "either can still be published"


def test_the_line_that_is_shown_installs_that_very_wheel(paths: Paths, wheels: Path, tmp_path: Path) -> None:
    done = invoke("upload", wheel(wheels), wheel(wheels, "1.0+cpu"))
    assert done.status == 0, done.stderr
    lines = [line.split("install", 1)[1].strip() for line in done.stdout.splitlines() if "  install" in line]
    pins = [line.rpartition(" ")[2] for line in lines]
    assert pins == ["demo===1.0", "demo==1.0+cpu"]
    assert lines[0] == f"pip install --index-url http://127.0.0.1:8000/index/simple/ {pins[0]}"
    with served(paths.root) as url:
        for name, installer in {"pip": [sys.executable, "-m", "pip"], "uv": ["uv", "pip"]}.items():
            for pin, version in zip(pins, ("1.0", "1.0+cpu"), strict=True):
                target = tmp_path / f"{name}-{version}"
                run([*installer, "install", "--index-url", url, "--target", target, pin])
                assert [path.name for path in target.glob("*.dist-info")] == [f"demo-{version}.dist-info"]


def test_where_a_site_has_a_public_url_the_lines_are_for_it(wheels: Path) -> None:
    done = invoke("upload", wheel(wheels), "--public-url", "https://example.com/wheels/")
    assert "uv pip install --index https://example.com/wheels/index/simple/ demo===1.0\n" in done.stdout
    assert (
        "pip install --index-url https://example.com/wheels/index/simple/ --no-deps demo===1.0" in done.stdout
    )
    again = invoke("upload", wheels / WHEEL)
    assert "published already: " in again.stdout


@pytest.mark.parametrize("before", [True, False])
def test_invokes_own_dry_run_publishes_nothing(paths: Paths, wheels: Path, before: bool) -> None:
    path = wheel(wheels)
    done = invoke(*(["--dry", "upload"] if before else ["upload", "--dry-run"]), path)
    assert done.status == 0, done.stderr
    assert "register demo-1.0" in done.stdout
    assert not paths.registry.exists()


# ---------------------------------------------------------------- what is published


def test_what_is_published_without_a_recipe_is_listed_and_shown(paths: Paths, wheels: Path) -> None:
    assert invoke("upload", wheel(wheels), wheel(wheels, "2.0")).status == 0
    (paths.recipes / "demo.py").unlink()
    listed = invoke("list")
    assert listed.status == 0, listed.stderr
    assert "no recipe" in listed.stdout
    assert "1.0 3 any" in listed.stdout
    (row,) = json.loads(invoke("list", "--json").stdout)
    assert (row["name"], row["version"], row["description"]) == ("demo", None, "A demonstration")
    assert row["published"] == ["1.0 3 any", "2.0 3 any"]
    shown = invoke("show", "Demo")
    assert shown.status == 0, shown.stderr
    assert shown.stdout.startswith("\ndemo (no recipe): A demonstration\n")
    assert f"wheel     {WHEEL}\n" in shown.stdout
    unknown = invoke("yank", "demo-3.0-py3-none-any.whl")
    assert unknown.status == 2
    assert "'invoke show NAME' lists what is" in unknown.stderr


def test_a_yank_says_its_reason_if_it_has_one(paths: Paths, wheels: Path) -> None:
    assert invoke("upload", wheel(wheels)).status == 0
    yanked = invoke("yank", WHEEL, f"wheels/{WHEEL}")
    assert (yanked.status, yanked.stdout) == (0, f"yank {WHEEL}\n")
    assert f"{WHEEL} (yanked)\n" in invoke("show", "demo").stdout
    assert invoke("yank", WHEEL, "--reason", "broken").status == 0
    assert invoke("yank", WHEEL).stdout == "nothing to do\n"
    assert f"{WHEEL} (yanked: broken)\n" in invoke("show", "demo").stdout

    removed = invoke("remove", WHEEL, WHEEL)
    assert removed.status == 0, removed.stderr
    assert removed.stdout.count(f"take {WHEEL} off the index") == 1
    assert not list(load(paths.registry).wheels())


@pytest.mark.usefixtures("wheels")
def test_a_stray_file_among_the_wheels_is_in_nobodys_way(paths: Paths) -> None:
    paths.wheels.mkdir()
    (paths.wheels / "foo.whl").write_text("")
    for verb in (["release", "demo", "--dry-run"], ["matrix", "demo"]):
        done = invoke(*verb)
        assert done.status == 0, done.stderr
