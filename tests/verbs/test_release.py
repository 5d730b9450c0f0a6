from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import textwrap
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from packaging.version import Version

from tests.forked import Ran, invoke
from tests.plans import planned
from tests.publish.sites import at
from tests.verbs.conftest import Demo, git
from workbench.errors import BuildFailed, ContainerError, ToolchainError, ToolMissing, WorkbenchError
from workbench.maintain.literals import with_series, with_version, with_versions
from workbench.make.produce import Product, failure_of, produce
from workbench.paths import CHECKOUT
from workbench.plan.target import Target, this_arch, this_python
from workbench.process import environment
from workbench.publish.projects import declare
from workbench.recipe import Recipe, Sdist
from workbench.registry.file import load
from workbench.registry.model import Package
from workbench.store.folder import FolderStore
from workbench.wheel.library_facts import LibraryFacts

if TYPE_CHECKING:
    from workbench.plan.plan import Plan


def kept(failed: Ran, label: str) -> Path:
    """Return what a failed build says that it has kept."""
    return Path(next(line.split(": ", 1)[1] for line in failed.stderr.splitlines() if line.startswith(label)))


def test_the_main_job(demo: Demo) -> None:
    """One command takes a fork and a patch to a wheel that pip and uv install, and a second finds it done."""
    first = invoke("release", "demo")
    assert first.status == 0, first.stderr
    (wheel,) = demo.wheels()
    assert "manylinux" in wheel.name
    for expected in (wheel.name, "sha256", "pip install"):
        assert expected in first.stdout
    assert "builder" not in first.stderr, "that is matrix's to say, and a dry run's"
    for step in ("apply 1 patch", "build demo", "repair", "verify", "pip installs it", "uv installs it"):
        assert f"✓ {step}" in first.stderr or step in first.stderr

    (name, published) = next(load(demo.paths.registry).wheels())
    assert (name, published.filename) == ("demo", wheel.name)
    assert published.build is not None
    assert [patch.description for patch in published.build.patches] == ["Give the right answer"]
    assert (demo.paths.root / published.url).read_bytes() == wheel.read_bytes()
    assert wheel.name in (demo.paths.index / "simple" / "demo" / "index.html").read_text()
    assert published.libraries == LibraryFacts(processors=(this_arch(),))

    (patch,) = published.build.patches
    assert patch.url is not None
    assert (demo.paths.root / patch.url).read_bytes() == demo.patch.read_bytes()
    assert published.build.log is not None
    log = (demo.paths.root / published.build.log).read_text()
    assert ("demo.c" in log, "/build/env" in log, str(demo.paths.root) in log) == (True, True, False)
    page = (demo.paths.index / "demo" / "index.html").read_text()
    for linked in (patch.url, published.build.log):
        assert f'href="../../{linked}"' in page

    before = demo.paths.registry.read_bytes()
    second = invoke("release", "demo")
    assert second.status == 0
    assert "published already" in second.stdout
    assert "build" not in second.stderr
    assert "prove" not in second.stderr
    assert demo.paths.registry.read_bytes() == before


def test_a_release_that_was_killed_before_its_pages_were_drawn_goes_on_there(released: Demo) -> None:
    shutil.rmtree(released.paths.index)
    shutil.rmtree(released.paths.state / "proved")
    again = invoke("release", "demo")
    assert again.status == 0, again.stderr
    assert "pip installs it" in again.stderr
    assert "build" not in again.stderr
    (wheel,) = released.wheels()
    assert wheel.name in (released.paths.index / "simple" / "demo" / "index.html").read_text()


@pytest.mark.parametrize("without", [None, "*", "example.com"])
def test_a_proxy_does_not_stand_between_an_installer_and_the_folder_that_is_served_here(
    released: Demo, without: str | None
) -> None:
    shutil.rmtree(released.paths.state / "proved")
    nobody = {"http_proxy": "http://127.0.0.1:9", **({"no_proxy": without} if without else {})}
    done = invoke("release", "demo", env=nobody)
    assert done.status == 0, done.stderr


def test_other_inputs_need_another_version(demo: Demo) -> None:
    """Published bytes never change: what would make other bytes is refused before it is built."""
    assert invoke("release", "demo").status == 0
    demo.patch.write_text(demo.patch.read_text().replace("right", "very right"))
    refused = invoke("release", "demo")
    assert refused.status == 13
    assert "--version-suffix .post1" in refused.stderr
    assert "build" not in refused.stderr.split("error:")[0]

    again = invoke("release", "demo", "--version-suffix", ".post1")
    assert again.status == 0, again.stderr
    assert [w.filename.split("-")[1] for _, w in load(demo.paths.registry).wheels()] == ["1.0", "1.0.post1"]


def test_other_bytes_under_a_published_name_are_refused(released: Demo) -> None:
    (wheel,) = released.wheels()
    assert invoke("upload", wheel).status == 0, "the same bytes again are a success"
    with zipfile.ZipFile(wheel, "a") as archive:
        archive.comment = b"other bytes"
    refused = invoke("upload", wheel)
    assert refused.status == 13
    assert "--version-suffix" in refused.stderr


def state_of(demo: Demo) -> tuple[str, str]:
    """Return what matrix says of the one cell."""
    (cell,) = json.loads(invoke("matrix", demo.recipe.stem, "--all", "--json").stdout)["include"]
    return cell["state"], cell["what"]


def test_a_smoke_test_that_is_wrong_costs_no_other_build(demo: Demo) -> None:
    """The wheel stays, and once the test is mended the same command verifies and publishes it."""
    right = demo.recipe.read_text()
    demo.recipe.write_text(right.replace("== 42", "== 43"))
    for builds in (1, 0):
        failed = invoke("release", "demo")
        assert failed.status == 11
        assert failed.stderr.count("✓ build demo") == builds
        assert "AssertionError" in failed.stderr
        (wheel,) = demo.wheels()
        assert kept(failed, "The wheel is kept, not verified") == wheel
        assert f"in {demo.recipe} and run the same command again" in failed.stderr
    assert not demo.paths.registry.exists()
    assert state_of(demo) == ("built", f"{wheel.name} is not verified: smoke")

    made = wheel.read_bytes()
    demo.recipe.write_text(right)
    mended = invoke("release", "demo")
    assert mended.status == 0, mended.stderr
    assert "build demo" not in mended.stderr
    assert wheel.read_bytes() == made


def test_a_damaged_wheel_is_built_again(demo: Demo) -> None:
    assert invoke("build", "demo").status == 0
    (wheel,) = demo.wheels()
    with zipfile.ZipFile(wheel) as archive:
        library = next(each for each in archive.infolist() if each.filename.endswith(".so"))
    data = bytearray(wheel.read_bytes())
    data[library.header_offset + 300] ^= 1
    wheel.write_bytes(data)
    released = invoke("release", "demo")
    assert released.status == 0, released.stderr
    assert "is damaged: it is removed and built again" in released.stderr
    assert released.stderr.count("✓ build demo") == 1


def test_what_a_page_tells_of_a_wheel_that_did_not_verify_names_no_place_of_this_machine(demo: Demo) -> None:
    declare(
        at(demo.paths, FolderStore(demo.paths.root)),
        "demo",
        Package(source_repo="https://example.com/demo"),
    )
    right = demo.recipe.read_text()
    demo.recipe.write_text(right.replace("    smoke_test", '    modules=("demos",),\n    smoke_test'))
    failed = invoke("release", "demo")
    assert failed.status == 11
    assert failed.stderr.count("✓ build demo") == 1
    assert "module: demos" in failed.stderr
    assert demo.wheels()
    (told,) = load(demo.paths.registry).packages["demo"].unavailable
    assert told.log is not None
    log = (demo.paths.root / told.log).read_text()
    assert "module: demos" in log
    assert str(demo.paths.root) not in log


def test_the_tree_of_a_wheel_that_verified_is_cleared_away(released: Demo) -> None:
    (place,) = (path for path in (released.paths.state / "builds").iterdir() if path.is_dir())
    assert [path.name for path in place.iterdir()] == ["build.log"]


def test_a_target_that_fails_is_told_of_with_its_log_until_there_is_a_wheel(
    demo: Demo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEMO_PASSPHRASE", "hunter2hunter2")
    monkeypatch.setenv("SIGN_KEY", "-----BEGIN-----\nhunter2line\n-----END-----")
    declare(
        at(demo.paths, FolderStore(demo.paths.root)),
        "demo",
        Package(source_repo="https://example.com/demo"),
    )
    works = demo.patch.read_text()
    demo.patch.write_text(
        works.replace(
            "(42)", '(42 hunter2hunter2 hunter2line "HTTPS://me:swordfish@swordfish2@example.com/")'
        )
    )
    failed = invoke("release", "demo", "--python", f"3.8,{this_python()}")
    assert failed.status == 9
    old, told = sorted(load(demo.paths.registry).packages["demo"].unavailable, key=lambda each: each.reason)[
        ::-1
    ]
    assert (old.python, old.reason, old.log) == ("3.8", "the recipe supports Python >=3.9", None)
    assert (told.python, told.arch, told.compute) == (this_python(), this_arch(), "cpu")
    assert told.log is not None
    log = (demo.paths.root / told.log).read_text()
    assert "demo.c" in log
    assert str(demo.paths.root) not in log
    assert "hunter2" not in log
    assert "swordfish" not in log
    assert told.log in (demo.paths.index / "demo" / "index.html").read_text()

    demo.patch.write_text(works)
    again = invoke("release", "demo")
    assert again.status == 0, again.stderr
    assert [each.python for each in load(demo.paths.registry).packages["demo"].unavailable] == ["3.8"]


@pytest.mark.parametrize("kind", [BuildFailed, ToolMissing, ContainerError, ToolchainError])
def test_a_target_that_fails_stops_no_other(kind: type[WorkbenchError]) -> None:
    targets = [Target(python=f"3.{minor}", arch="x86_64") for minor in (10, 11, 12)]
    recipe = Recipe(name="demo", version="1.0", description="d", source=Sdist(sha256="0" * 64))
    wanted = [planned(recipe, target) for target in targets]

    def obtain(each: Plan, _: object) -> Product:
        if each.target.python == "3.11":
            raise kind("no")
        return Product(plans=(each,), wheel=Path("demo.whl"))

    products, failures = produce(wanted, obtain)
    assert [plan.target.python for each in products for plan in each.plans] == ["3.10", "3.12"]
    assert [plan.target.python for each in failures for plan in each.plans] == ["3.11"]
    error = failure_of(failures, len(wanted))
    assert isinstance(error, kind)
    assert str(error).startswith("1 of 3 targets failed: cp311 x86_64 cpu")


def test_what_this_machine_lacks_stops_no_other_target_and_is_not_told_of_the_package(demo: Demo) -> None:
    """Of two Pythons one cannot be had, of two compute platforms one has no toolkit: the rest is published."""
    demo.recipe.write_text(
        demo.recipe.read_text().replace("    smoke_test", '    compute=("cpu", "cu*"),\n    smoke_test')
    )
    (demo.paths.root / "workbench.yaml").write_text("local_version: '{compute}'\n")
    released = invoke("release", "demo", "--python", f"{this_python()},3.99", "--compute", "cpu,cu139")
    assert released.status == 7, released.stderr
    assert "Python 3.99 is not on this machine" in released.stderr
    assert "cu139: no such CUDA toolkit" in released.stdout
    package = load(demo.paths.registry).packages["demo"]
    assert [wheel.python_version for wheel in package.wheels] == [this_python()]
    assert package.unavailable == ()


def test_a_failure_alone_publishes_nothing(demo: Demo) -> None:
    demo.patch.write_text(demo.patch.read_text().replace("PyLong_FromLong(42)", "oops"))
    failed = invoke("release", "demo", "--python", f"3.8,{this_python()}")
    assert failed.status == 9
    assert not demo.paths.registry.exists()


@pytest.mark.usefixtures("demo")
def test_a_version_beside_its_local_ones_is_proved_as_itself() -> None:
    """``demo==1.0`` would install 1.0+local."""
    for suffix in ("+local", ""):
        released = invoke("release", "demo", *(("--version-suffix", suffix) if suffix else ()))
        assert released.status == 0, released.stderr


def test_what_was_taken_back_is_not_built_for_nothing(released: Demo) -> None:
    (wheel,) = released.wheels()
    assert invoke("yank", wheel.name).status == 0
    refused = invoke("release", "demo")
    assert (refused.status, "is published and yanked" in refused.stderr) == (13, True)
    assert invoke("remove", wheel.name).status == 0
    for path in released.paths.wheels.iterdir():
        path.unlink()
    refused = invoke("release", "demo")
    assert (refused.status, "was published and removed on" in refused.stderr) == (13, True)


def test_a_proof_that_failed_is_made_up_for_by_the_same_command(demo: Demo) -> None:
    """A smoke test that fails where pip installed the wheel: verification, by uv, passes, the proof by pip fails."""
    sound = demo.recipe.read_text()
    code = "import importlib.metadata as of; assert of.distribution('demo').read_text('INSTALLER').strip() != 'pip'"
    demo.recipe.write_text(sound.replace('"import demo; assert demo.answer() == 42"', repr(code)))
    failed = invoke("release", "demo")
    assert failed.status == 16, failed.stderr
    (_, wheel) = next(load(demo.paths.registry).wheels())
    shown = invoke("release", "demo", "--dry-run")
    assert f"would prove {wheel.filename} on Python {this_python()}: it was not proved here" in shown.stdout
    demo.recipe.write_text(sound)
    again = invoke("release", "demo")
    assert again.status == 0, again.stderr
    assert "pip installs it" in again.stderr
    assert "uv installs it" in again.stderr
    assert "build demo" not in again.stderr
    third = invoke("release", "demo")
    assert (third.status, "prove" in third.stderr) == (0, False)


@pytest.mark.usefixtures("demo")
def test_what_was_published_otherwise_is_proved_once() -> None:
    built = invoke("build", "demo", "--json")
    (wheel,) = json.loads(built.stdout)["wheels"]
    assert invoke("upload", wheel["path"]).status == 0
    for proved in (True, False):
        released = invoke("release", "demo")
        assert released.status == 0, released.stderr
        assert ("uv installs it" in released.stderr) is proved


@pytest.mark.usefixtures("demo")
def test_skip_build_says_how_to_build_what_it_lacks() -> None:
    asked = ["--python", f"3.8,{this_python()}", "--arch", this_arch()]
    asked += ["--builder", "host", "--version-suffix", ".post1"]
    refused = invoke("release", "demo", "--skip-build", *asked)
    assert refused.status == 2
    elsewhere = invoke("release", "demo", "--skip-build", "--dist-dir", "dist", *asked)
    assert elsewhere.stderr.rstrip().endswith("leave --skip-build out"), "build has no --dist-dir"
    said = refused.stderr.split("run '")[1].split("'")[0]
    assert said == (
        f"invoke build demo --python {this_python()} --arch {this_arch()} --builder host --version-suffix .post1"
    )
    assert invoke(*said.split()[1:]).status == 0
    released = invoke("release", "demo", "--skip-build", *asked)
    assert released.status == 0, released.stderr


@pytest.mark.usefixtures("demo")
def test_what_was_built_earlier_is_not_built_again() -> None:
    assert invoke("build", "demo").status == 0
    released = invoke("release", "demo", "--skip-build")
    assert released.status == 0, released.stderr
    assert "was built earlier" in released.stderr
    assert "✓ build" not in released.stderr


def test_skip_build_takes_nothing_that_another_plan_made(demo: Demo) -> None:
    assert invoke("build", "demo").status == 0
    demo.recipe.write_text(
        demo.recipe.read_text().replace("    smoke_test", '    environment={"A": "1"},\n    smoke_test')
    )
    for flags in ((), ("--dry-run",)):
        refused = invoke("release", "demo", "--skip-build", *flags)
        assert refused.status == 2
        assert "was made by this plan" in refused.stderr


def test_a_dry_run_does_nothing(demo: Demo) -> None:
    shown = invoke("release", "demo", "--dry-run", "--json")
    assert shown.status == 0
    (plan,) = json.loads(shown.stdout)["to_do"]
    assert (plan["package"], plan["patches"]) == ("demo", ["answer.patch"])
    assert not demo.paths.state.exists()
    assert not demo.paths.registry.exists()


def test_a_dry_run_tells_what_a_wheel_would_be_made_from(demo: Demo, tmp_path: Path) -> None:
    shown = invoke("build", "demo", "--dry-run")
    assert shown.status == 0
    commit = git(demo.repository, "rev-parse", "HEAD").strip()
    assert f"Git: url {demo.repository}, commit {commit}, branch main" in " ".join(shown.stdout.split())
    shutil.copytree(demo.repository, tmp_path / "else")
    shown = invoke("build", "demo", "--dry-run", "--source-dir", tmp_path / "else", "--json")
    (plan,) = json.loads(shown.stdout)["plans"]
    assert plan["source"] == {"kind": "LocalFolder", "path": str(tmp_path / "else")}


def test_a_failed_build_keeps_its_tree_and_shows_the_end_of_its_log(demo: Demo) -> None:
    demo.patch.write_text(
        demo.patch.read_text().replace("+static PyObject *answer(", "+static PyObject *answer(oops ")
    )
    failed = invoke("build", "demo")
    assert failed.status == 9
    assert "demo.c" in failed.stderr
    tree, log = kept(failed, "The tree is kept"), kept(failed, "The whole log")
    assert "oops" in (tree / "demo.c").read_text()
    assert "oops" in log.read_text()
    assert not demo.wheels()


def test_a_failed_repair_keeps_its_tree_and_its_log(demo: Demo) -> None:
    libc = os.confstr("CS_GNU_LIBC_VERSION") or ""
    if Version(libc.removeprefix("glibc ")) < Version("2.34"):
        pytest.skip("before glibc 2.34 pthread_create is an old symbol")
    with (demo.repository / "demo.c").open("a") as code:
        code.write(
            "#include <pthread.h>\n"
            "int start(void *(*f)(void *)) { pthread_t t; return pthread_create(&t, 0, f, 0); }\n"
        )
    here = ("--source-dir", demo.repository, "--builder", "host")
    failed = invoke("build", "demo", *here, "--glibc", "2.28")
    assert failed.status == 10, failed.stderr
    assert "GLIBC_2.34" in failed.stderr
    assert (kept(failed, "The tree is kept") / "demo.c").is_file()
    assert "demo.c" in kept(failed, "The whole log").read_text()


def test_a_hunk_that_does_not_match_stops_the_build(demo: Demo) -> None:
    demo.patch.write_text(demo.patch.read_text().replace("(41)", "(40)"))
    failed = invoke("build", "demo")
    assert failed.status == 5
    for named in ("answer.patch", "demo.c", "hunk #1"):
        assert named in failed.stderr


def test_a_version_other_than_the_recipes_stops_the_build(demo: Demo) -> None:
    demo.recipe.write_text(demo.recipe.read_text().replace('version="1.0"', 'version="2.0"'))
    failed = invoke("build", "demo")
    assert failed.status == 9
    assert "the recipe says demo 2.0" in failed.stderr


def test_a_local_folder_is_built_as_it_lies(demo: Demo) -> None:
    (demo.repository / "demo.c").write_text((demo.repository / "demo.c").read_text() + "/* mine */\n")
    built = invoke("build", "demo", "--source-dir", demo.repository, "--json")
    assert built.status == 0, built.stderr
    (plan,) = json.loads(built.stdout)["plans"]
    assert plan["build_key"] is None
    assert git(demo.repository, "status", "--porcelain") == "M demo.c", "the folder itself stays as it was"


def test_a_pin_that_is_not_there_stops_the_build(demo: Demo) -> None:
    commit = git(demo.repository, "rev-parse", "HEAD")
    demo.recipe.write_text(demo.recipe.read_text().replace(commit, "0" * 40))
    failed = invoke("build", "demo")
    assert failed.status == 6
    assert "0" * 40 in failed.stderr


NOSY = """
    import os, pathlib, socket, demo
    try:
        socket.create_connection(('127.0.0.1', {port}), timeout=5)
    except OSError:
        pass
    else:
        raise SystemExit('a network')
    assert 'AWS_SECRET_ACCESS_KEY' not in os.environ
    assert not pathlib.Path({site!r}).exists()
"""


@pytest.mark.needs("bwrap")
def test_nox_verifies_what_is_published_and_its_code_sees_no_network_no_file_and_no_secret(
    released: Demo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    with socket.create_server(("127.0.0.1", 0)) as server:
        code = textwrap.dedent(NOSY.format(port=server.getsockname()[1], site=str(released.paths.root)))
        right = released.recipe.read_text()
        released.recipe.write_text(right.replace('"import demo; assert demo.answer() == 42"', repr(code)))
        assert released.recipe.read_text() != right
        done = nox_verify(released)
    assert done.returncode == 0, done.stderr
    assert "verify(demo-" in done.stderr


def test_nox_imports_what_is_published_without_a_recipe(
    released: Demo, monkeypatch: pytest.MonkeyPatch
) -> None:
    released.recipe.unlink()
    done = nox_verify(released)
    assert done.returncode == 0, done.stderr
    assert "uv installs it: its modules import" in done.stderr
    monkeypatch.setenv("HIP_VISIBLE_DEVICES", "one that smoke tests get, and this module ends at")
    assert nox_verify(released).returncode != 0


def nox_verify(demo: Demo) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "nox", "--noxfile", CHECKOUT / "noxfile.py", "--session", "verify"],
        capture_output=True,
        text=True,
        check=False,
        env=environment({"WORKBENCH_SITE": str(demo.paths.root)}),
    )


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (["release", "demmo"], 4, "did you mean 'demo'?"),
        (["build", "demo", "--python", "3.99"], 7, "Python 3.99 is not on this machine"),
        (["build", "demo", "--python", "3.8"], 2, "the recipe supports Python >=3.9"),
        (["build", "demo", "--python", "three"], 2, "'three' is neither a version"),
        (["build", "demo", "--python", ""], 2, "--python is empty: leave it out for its default"),
        (["build", "demo", "--source-dir", "/nowhere"], 2, "no such folder"),
        (["upload", "/nowhere/demo-1.0-py3-none-any.whl"], 2, "no such file"),
        (["upload"], 2, "name the wheels"),
        (["yank", "demo-1.0-py3-none-any.whl"], 2, "is not published"),
        (["show"], 2, "show needs NAME"),
    ],
)
def test_bad_words_get_one_message(demo: Demo, words: list[str], status: int, message: str) -> None:
    done = invoke(*words)
    assert done.status == status
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not demo.paths.registry.exists()


def test_a_wheel_that_takes_anothers_place_says_so(demo: Demo) -> None:
    """A wheel in ``wheels/`` is of the latest build: the same inputs again say nothing, others do."""
    assert invoke("build", "demo").status == 0
    again = invoke("build", "demo")
    assert (again.status, "it is replaced" in again.stderr) == (0, False)
    demo.recipe.write_text(
        demo.recipe.read_text().replace("    smoke_test", '    environment={"A": "1"},\n    smoke_test')
    )
    other = invoke("build", "demo")
    (wheel,) = demo.wheels()
    assert other.status == 0
    assert f"{wheel} was there, built from other inputs: it is replaced" in other.stderr


def test_show_tells_the_patches_of_each_published_wheel(released: Demo) -> None:
    (wheel,) = json.loads(invoke("show", "demo", "--json").stdout)["wheels"]
    assert [patch["name"] for patch in wheel["patches"]] == ["answer.patch"]
    assert "  with answer.patch\n" in invoke("show", "demo").stdout
    released.patch.write_text(released.patch.read_text().replace("Author: The tests", "Author: Others"))
    assert "  with answer.patch (another than now)\n" in invoke("show", "demo").stdout


def test_show_compares_a_wheels_patches_with_those_of_its_own_version(released: Demo) -> None:
    commit, text = git(released.repository, "rev-parse", "HEAD"), released.recipe.read_text()
    text = with_versions(text, path=released.recipe)
    text = with_version(text, "2.0", f'Git(url="u", commit="{commit}", tag="v2.0")', path=released.recipe)
    released.recipe.write_text(with_series(text, "2.0", "demo-2.0", path=released.recipe))
    assert "  with answer.patch\n" in invoke("show", "demo").stdout
