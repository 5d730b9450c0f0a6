"""As a consumer uses it: sources on loopback, a project with a torch, and a wheel that is found, locked, installed."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from tests.consume.served import serving
from tests.libraries import ELF, PTX, container, entry, library
from tests.program.conftest import CP, HERE
from tests.wheels import files_of, packed
from workbench.console import listening
from workbench.consume.listings import SourceTrouble
from workbench.consume.lock import read_lock, write_lock
from workbench.environment import package_index
from workbench.errors import InstallFailed, LockFault, NothingFits, SourceError, UsageError
from workbench.paths import CHECKOUT
from workbench.process import run as run_program
from workbench.program import locking
from workbench.program.choosing import show_troubles
from workbench.program.gpuwheels import run

if TYPE_CHECKING:
    from pathlib import Path

    from packaging.pylock import Pylock

    from tests.program.conftest import Project
    from tests.verbs.conftest import Demo

PUBLIC = package_index()
FACTS = ["--torch=2.11.0+cu130", "--driver=580.95.05", "--gpu=12.1"]


def answer(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out)


def test_the_wheel_for_this_torch_and_cuda_is_found_locked_and_installed(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    project.files.add("needed", "2.0")
    for torch in ("2.10", "2.11", "2.12"):
        project.offer(torch, f"1.5+cu130torch{torch}", requires=("needed",))
    project.offer("old", "1.4+cu130torch2.11")
    project.offer("cu12", "1.6+cu126torch2.11")

    assert run(["demo-gpu", "--json", *FACTS]) == 0
    (found,) = answer(capsys)["packages"]
    assert (found["outcome"], found["chosen"]["version"]) == ("fits", "1.5+cu130torch2.11")
    assert run(["add", "demo-gpu", *FACTS]) == 0
    freeze = run_program(["uv", "pip", "freeze", f"--python={project.environment.python}"]).output
    assert freeze.split() == ["demo-gpu==1.5+cu130torch2.11", "needed==2.0"]
    capsys.readouterr()

    project.offer("new", "1.7+cu130torch2.11")
    assert run(["update", "--json", "--refresh", *FACTS]) == 0
    said = capsys.readouterr()
    assert "nothing was installed: gw install does that" in said.err
    assert json.loads(said.out)["changes"] == [
        "demo-gpu 1.5+cu130torch2.11 → 1.7+cu130torch2.11",
        "needed 2.0: no longer there",
    ]
    assert run(["install"]) == 0
    freeze = run_program(["uv", "pip", "freeze", f"--python={project.environment.python}"]).output
    assert "needed==2.0" in freeze  # nothing is removed
    assert "demo-gpu==1.7+cu130torch2.11" in freeze


def test_the_torch_that_is_there_stays_though_the_index_has_another_build_of_it(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    project.offer("one", "1.5+cu130torch2.11", requires=("torch",))
    there = project.files.add("torch", "2.11.0+cu130", tag=HERE)
    run_program(["uv", "pip", "install", "--quiet", f"--python={project.environment.python}", there.url])
    (project.files.folder / "simple" / "torch" / "index.html").unlink()
    project.files.add("torch", "2.11.0")
    facts = ["--cuda=cu130", "--driver=580.95.05", "--gpu=12.1"]
    assert run(["add", "demo-gpu", *facts]) == 0
    assert "torch==2.11.0+cu130 is not in the lock: no source has this build" in capsys.readouterr().err
    freeze = run_program(["uv", "pip", "freeze", f"--python={project.environment.python}"]).output
    assert "torch-2.11.0%2Bcu130" in freeze
    name = f"torch-2.11.0+cu130-{HERE}.whl"
    content = (project.files.folder / "files" / name).read_bytes()
    project.github.repositories["ada/wheels"].release("torch", [name], contents={name: content})
    assert run(["add", "demo-gpu", "--refresh", *facts]) == 0
    freeze = run_program(["uv", "pip", "freeze", f"--python={project.environment.python}"]).output
    assert "demo-gpu==1.5+cu130torch2.11" in freeze
    assert "torch-2.11.0%2Bcu130" in freeze


def test_metadata_that_asks_for_another_torch_than_the_name_says_is_believed(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    project.offer("lies", "1.9+cu130torch2.11", requires=("torch==2.12.*",))
    project.offer("true", "1.5+cu130torch2.11", requires=("torch==2.11.*",))
    assert run(["demo-gpu", "--json", *FACTS]) == 0
    assert answer(capsys)["packages"][0]["chosen"]["version"] == "1.5+cu130torch2.11"


def test_where_nothing_fits_the_nearest_is_named_and_nothing_is_written(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    project.offer("one", "1.5+cu130torch2.10")
    assert run(["demo-gpu", *FACTS]) == NothingFits.exit_code
    said = capsys.readouterr().out
    assert "nearest: torch 2.10 instead of 2.11" in said
    assert "gw request demo-gpu" in said
    with pytest.raises(NothingFits, match="nothing was written"):
        run(["add", "demo-gpu", *FACTS])
    assert not (project.folder / "pylock.toml").exists()


@pytest.mark.parametrize(
    ("package", "said"),
    [
        ("demo-gpu==1.4", "demo-gpu: no source has ==1.4; there is 1.5"),
        ("nothing-here", "nothing-here: no source has it\n"),
        ("instal", "instal: no source has it (did you mean 'install'?)"),
        ("flashattn", "flashattn: no source has it (did you mean 'flash-attn'?)"),
    ],
)
def test_what_is_not_there_at_all_is_told_apart(
    project: Project, capsys: pytest.CaptureFixture[str], package: str, said: str
) -> None:
    project.offer("one", "1.5+cu130torch2.11")
    registry = project.folder / "wheels.toml"
    registry.write_text('[[sources]]\nname = "w"\nkind = "folder"\nurl = "."\npackages = ["flash-attn"]\n')
    assert run([package, f"--registry={registry}", *FACTS]) == NothingFits.exit_code
    assert said in capsys.readouterr().out


def test_programs_get_json_too_where_nothing_can_be_locked(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    project.offer("one", "1.5+cu130torch2.10")
    for command in ("add", "lock"):
        with pytest.raises(NothingFits):
            run([command, "demo-gpu", "--json", *FACTS])
        (found,) = answer(capsys)["packages"]
        assert found["nearest"][0]["change"] == "torch 2.10 instead of 2.11.0"


def test_a_wheel_that_cannot_be_looked_into_is_not_told_as_nothing_fits(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    name = f"demo_gpu-1.5-{HERE}.whl"
    project.github.repositories["ada/wheels"].release("one", [name])  # it is listed, and not there
    assert run(["demo-gpu", *FACTS]) == SourceError.exit_code
    assert "404" in capsys.readouterr().err
    with pytest.raises(SourceError, match="not every source could be asked"):
        run(["lock", "demo-gpu", *FACTS])
    project.offer("two", "1.5+cu126torch2.11")
    assert run(["demo-gpu==1.5+cu126torch2.11", "--refresh", *FACTS]) == NothingFits.exit_code


def test_what_a_source_lists_and_is_passed_over_is_not_told_as_a_source_that_failed(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    project.offer("one", "1.5+cu130torch2.10")
    project.github.repositories["ada/wheels"].release("broken", ["demo_gpu-1.6.whl"], state="starter")
    for command in ("resolve", "why", "available"):
        status = run([command, "demo-gpu", "--json", *FACTS])
        assert status == (0 if command == "available" else NothingFits.exit_code)
        said = answer(capsys)
        found = said["demo-gpu"] if command == "available" else said["packages"][0]
        assert [each["kind"] for each in found["troubles"]] == ["left out"]
    with pytest.raises(NothingFits):
        run(["lock", "demo-gpu", "--offline", *FACTS])


def test_a_source_whose_folder_is_not_known_lacks_a_fact_and_did_not_fail(
    project: Project, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    registry = tmp_path / "by-torch.toml"
    registry.write_text(
        f'[[sources]]\nname = "by-torch"\nkind = "links"\nurl = "{project.files.url}/{{torch}}.html"\n'
    )
    line = ["demo-gpu", f"--registry={registry}", "--driver=580.95.05", "--gpu=12.1"]
    assert run(line) == NothingFits.exit_code
    said = capsys.readouterr()
    assert "no source that answered has it" in said.out
    assert "name one with --torch" in said.err


def test_the_version_that_is_printed_can_be_asked_for(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    project.offer("one", "1.5+cu130torch2.11")
    project.offer("two", "1.5+cu13torch2.11")
    assert run(["demo-gpu==1.5+cu13torch2.11", *FACTS]) == 0
    assert "✓ demo-gpu 1.5+cu13torch2.11" in capsys.readouterr().out


def test_nothing_is_installed_into_a_python_that_only_happens_to_be_on_path(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.offer("one", "1.5+cu130torch2.11")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{project.environment.python.parent}:{os.environ['PATH']}")
    with pytest.raises(UsageError, match="no environment to install into: 'uv venv' makes"):
        run(["add", "demo-gpu", *FACTS])
    assert not (tmp_path / "pylock.toml").exists()
    assert run(["lock", "demo-gpu", *FACTS]) == 0
    with pytest.raises(UsageError, match="no environment"):
        run(["install"])
    assert run(["install", f"--python={project.environment.python}"]) == 0


def test_another_machines_wheels_are_not_put_into_a_path_of_this_one(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    project.offer("one", "1.5+cu130torch2.11")
    assert run(["detect", "--json", *FACTS]) == 0
    (project.folder / "spark.json").write_text(capsys.readouterr().out)
    for line in ("add demo-gpu", "install", "test demo-gpu"):
        with pytest.raises(UsageError, match="leave out --machine"):
            run([*line.split(), "--machine=spark.json"])
    assert run(["lock", "demo-gpu", "--machine=spark.json"]) == 0


def arm_library() -> bytes:
    return b"\x7fELF\x02\x01\x01" + bytes(11) + (183).to_bytes(2, "little") + bytes(100)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            packed(files_of(name="evil", version="1.6+cu130torch2.11", tag=HERE)),
            "its METADATA is of evil 1.6",
        ),
        (packed(files_of(name="demo-gpu", version="9.9", tag=HERE)), "its METADATA is of demo-gpu 9.9"),
        (b"<html>please log in</html>", "not a whole wheel"),
        (
            packed(
                {
                    **files_of(name="demo-gpu", version="1.6+cu130torch2.11", tag=HERE),
                    "demo_gpu/kernels.so": arm_library(),
                }
            ),
            "its libraries are for aarch64, whatever its name says",
        ),
        (
            packed(files_of(name="demo-gpu", version="1.6+cu130torch2.11", tag="cp38-cp38-linux_x86_64")),
            "its WHEEL is for cp38-cp38, whatever its name says",
        ),
    ],
    ids=["another project", "another version", "a page", "another processor", "another Python"],
)
def test_a_wheel_that_is_not_what_its_name_says_is_neither_locked_nor_installed(
    project: Project, capsys: pytest.CaptureFixture[str], content: bytes, said: str
) -> None:
    project.offer_file("evil", f"demo_gpu-1.6+cu130torch2.11-{HERE}.whl", content)
    for _ in range(2):  # also with what is kept by then
        with pytest.raises((NothingFits, SourceError)) as refused:
            run(["add", "demo-gpu", *FACTS])
        captured = capsys.readouterr()
        assert said in captured.err + str(refused.value)
        assert not (project.folder / "pylock.toml").exists()
    project.offer("honest", "1.5+cu130torch2.11")
    assert run(["demo-gpu", "--refresh", "--json", *FACTS]) == 0
    assert answer(capsys)["packages"][0]["chosen"]["version"] == "1.5+cu130torch2.11"


def test_what_was_written_for_a_lock_that_could_not_be_installed_is_as_it_was_before(
    project: Project, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    project.offer("one", "1.5+cu130torch2.11")
    assert run(["add", "demo-gpu", *FACTS]) == 0
    before = (project.folder / "pylock.toml").read_bytes()
    name = project.offer("two", "1.6+cu130torch2.11")
    files = project.github.repositories["ada/wheels"].files
    path = next(each for each in files if each.endswith(name))
    good = files[path]
    assert run(["demo-gpu", "--refresh", *FACTS]) == 0
    files[path] = good[:-2]  # it is replaced after it was listed
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    there, new = project.folder / "requirements.txt", project.folder / "new.txt"
    there.write_bytes(b"# mine\r\n")
    for output in (there, new):
        with pytest.raises(InstallFailed):
            run(["add", "demo-gpu", f"--output={output.name}", *FACTS])
        assert f"{output.name} is again as it was before" in capsys.readouterr().err
    assert (project.folder / "pylock.toml").read_bytes() == before
    assert (there.read_bytes(), new.exists()) == (b"# mine\r\n", False)


def test_two_that_add_at_once_keep_what_each_has_added(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.offer("one", "1.5+cu130torch2.11")
    other = packed(files_of(name="other-gpu", version="2.0+cu130torch2.11", tag=HERE))
    project.offer_file("other", f"other_gpu-2.0+cu130torch2.11-{HERE}.whl", other)
    gw = [sys.executable, "-m", "workbench.program.gpuwheels", "add", "other-gpu", *FACTS]
    second: list[subprocess.Popen[str]] = []
    said = []

    def writing(made: Pylock, path: Path) -> None:
        second.append(subprocess.Popen(gw, stderr=subprocess.PIPE, text=True))
        assert second[0].stderr
        while line := second[0].stderr.readline():
            said.append(line)
            if "wait for another gw, which is at work on pylock.toml" in line:
                break
        write_lock(made, path)

    monkeypatch.setattr(locking, "write_lock", writing)
    monkeypatch.setenv("PYTHONPATH", str(CHECKOUT))
    assert run(["add", "demo-gpu", *FACTS]) == 0
    _, rest = second[0].communicate()
    assert second[0].returncode == 0, (said, rest)
    assert {each.name for each in read_lock(project.folder / "pylock.toml").packages} == {
        "demo-gpu",
        "other-gpu",
    }


def test_an_extra_that_is_asked_for_is_locked_and_written_too(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    project.files.add("needed", "2.0")
    project.offer("one", "1.5+cu130torch2.11", requires=("needed; extra == 'fast'",))
    for line in ("demo-gpu[fast]", "demo-gpu[fast] -o requirements.txt", "demo-gpu[fast] -o pyproject.toml"):
        assert run(["lock", *line.split(), "--json", *FACTS]) == 0
        assert answer(capsys)["packages"] == {"demo-gpu": "1.5+cu130torch2.11", "needed": "2.0"}
    assert run(["update", "--json", *FACTS]) == 0
    assert answer(capsys)["packages"]["needed"] == "2.0"
    for name in ("requirements.txt", "pyproject.toml"):
        assert "demo-gpu[fast]" in (project.folder / name).read_text()
    assert run(["lock", "demo-gpu", "--json", *FACTS]) == 0
    assert "needed" not in answer(capsys)["packages"]


def test_one_package_of_two_that_is_missing_is_not_success(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    project.offer("one", "1.5+cu130torch2.11")
    assert run(["demo-gpu", "other-gpu", "--json", *FACTS]) == NothingFits.exit_code
    assert [each["outcome"] for each in answer(capsys)["packages"]] == ["fits", "no"]


def test_a_source_that_cannot_be_asked_is_not_told_as_nothing_fits(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    project.github.remaining = 0
    assert run(["demo-gpu", *FACTS]) == SourceError.exit_code
    assert "ada:" in capsys.readouterr().err


def test_without_a_fact_it_is_undecided_and_the_flag_is_named(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    project.offer("one", "1.5+cu130torch2.11")
    assert run(["demo-gpu", "--driver=580.95.05", "--gpu=12.1"]) == NothingFits.exit_code
    said = capsys.readouterr().out
    assert "may fit" in said
    assert "--torch" in said


def test_why_names_every_candidate_with_its_reason(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    fits = project.offer("a", "1.5+cu130torch2.11")
    arm = project.offer("b", "1.5+cu130torch2.11", wheel=f"{CP}-{CP}-manylinux_2_34_aarch64")
    cu12 = project.offer("c", "1.5+cu126torch2.11")
    assert run(["explain", "demo-gpu", "--json", *FACTS]) == 0
    (found,) = answer(capsys)["packages"]
    verdicts = {each["filename"]: each["outcome"] for each in found["candidates"]}
    assert verdicts == {fits: "fits", arm: "no", cu12: "no"}
    kinds = {
        each["filename"]: [one["kind"] for one in each["reasons"] if one["outcome"] == "no"]
        for each in found["candidates"]
    }
    assert (kinds[arm], kinds[cu12]) == (["platform"], ["cuda"])
    assert run(["why", "demo-gpu", *FACTS]) == 0
    said = capsys.readouterr().out
    assert said.index(cu12) < said.index(arm), "another CUDA is installed sooner than another machine"


def test_available_is_a_table_whatever_this_machine_is_and_names_the_nearest_where_none_fits(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    project.offer("a", "1.5+cu130torch2.11", wheel="cp310-cp310-manylinux_2_34_aarch64")
    facts = ["--arch=aarch64", "--python=3.10", "--glibc=2.39", "--driver=580", "--torch=2.12+cu130"]
    assert run(["available", "demo-gpu", *facts]) == 0
    assert "none of them fits here\n  nearest: torch 2.11 instead of 2.12" in capsys.readouterr().out
    assert run(["available", "demo-gpu", "--json", *facts[:4], "--torch=2.11+cu130"]) == 0
    assert answer(capsys)["demo-gpu"]["nearest"] == []
    assert run(["available", "demo-gpu", "--json", *facts]) == 0
    (cell,) = answer(capsys)["demo-gpu"]["cells"]
    assert (cell["compute"], cell["torch"], cell["python"], cell["arch"]) == (
        "cu130",
        "2.11",
        "3.10",
        "aarch64",
    )
    assert run(["available", "nothing-here"]) == NothingFits.exit_code


def test_the_second_answer_asks_nobody_and_offline_neither(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    project.offer("a", "1.5+cu130torch2.11")
    assert run(["demo-gpu", *FACTS]) == 0
    asked = len(project.github.asked)
    assert run(["demo-gpu", *FACTS]) == 0
    capsys.readouterr()
    assert run(["demo-gpu", "--offline", *FACTS]) == 0
    assert "nobody was asked: the oldest answer that was used is" in capsys.readouterr().out
    assert len(project.github.asked) == asked
    assert run(["cache", "clean"]) == 0
    assert re.search(r"^Removed (1 file|\d+ files), ", capsys.readouterr().out)
    assert run(["cache"]) == 0
    assert "oldest" not in capsys.readouterr().out
    assert run(["demo-gpu", "--offline", *FACTS]) == SourceError.exit_code


def test_what_is_wrong_in_several_folders_of_a_source_is_told_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with listening():
        show_troubles([SourceTrouble(source="lab", url=url, what="no answer", kind="failed") for url in "ab"])
    assert capsys.readouterr().err == "lab: no answer\n"


def test_a_cache_that_cannot_be_written_keeps_nobody_from_an_answer(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    project.offer("a", "1.5+cu130torch2.11")
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("GPUWHEELS_CACHE", str(tmp_path / "file" / "cache"))
    assert run(["demo-gpu", *FACTS]) == 0
    assert "going on without the cache" in capsys.readouterr().err


def test_an_index_that_was_named_once_is_asked_for_the_lock_ever_after(
    project: Project, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    project.files.add("needed", "9.0")  # somebody's, of the same name
    (tmp_path / "ours").mkdir()
    project.offer("one", "1.5+cu130torch2.11", requires=("needed",))
    with serving(tmp_path / "ours") as ours:
        ours.add("needed", "2.0")
        for line in ("lock demo-gpu", "update", "add demo-gpu"):
            index = [f"--index={ours.index}"] if line.startswith("lock") else []
            assert run([*line.split(), "--json", *index, *FACTS]) == 0
            assert answer(capsys)["packages"]["needed"] == "2.0", line


def test_an_index_that_is_a_folder_is_found_from_anywhere_and_missed(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    project.files.add("needed", "9.0")  # somebody's, of the same name
    project.offer("one", "1.5+cu130torch2.11", requires=("needed",))
    with pytest.raises(UsageError, match=r"--index file:.*/simple: there is no such folder"):
        run(["lock", "demo-gpu", "--index=simple", *FACTS])
    with pytest.raises(UsageError, match=r"--index : there is no such folder"):
        run(["lock", "demo-gpu", "--index=", *FACTS])
    needed = project.folder / "simple" / "needed"
    needed.mkdir(parents=True)
    wheel = needed / "needed-2.0-py3-none-any.whl"
    wheel.write_bytes(packed(files_of(name="needed", version="2.0")))
    (needed / "index.html").write_text(f'<!DOCTYPE html><a href="{wheel.name}">{wheel.name}</a>')
    for line in ("lock demo-gpu --index=simple", "update"):
        assert run([*line.split(), "--json", *FACTS]) == 0
        assert answer(capsys)["packages"]["needed"] == "2.0", line
    shutil.rmtree(project.folder / "simple")
    with pytest.raises(UsageError, match=r"there is no such folder"):
        run(["update", *FACTS])


def test_a_source_that_is_not_named_any_more_is_not_replaced_by_another(
    project: Project, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    project.offer("one", "1.9+cu130torch2.11")  # somebody's, of the same name
    (tmp_path / "ours").mkdir()
    with serving(tmp_path / "ours") as ours:
        ours.add("demo-gpu", "1.5+cu130torch2.11", tag=HERE)
        registry = tmp_path / "ours.toml"
        registry.write_text(
            f'shipped = false\n[[sources]]\nname = "ours"\nkind = "index"\nurl = "{ours.index}"\n'
        )
        assert run(["lock", "demo-gpu==1.5+cu130torch2.11", f"--registry={registry}", *FACTS]) == 0
        capsys.readouterr()
        for line in ("update", "add Demo_GPU"):
            with pytest.raises(
                UsageError, match="demo-gpu was locked from ours, a source that no registry names now"
            ):
                run([*line.split(), *FACTS])
        assert run(["add", "Demo_GPU", "--json", f"--registry={registry}", *FACTS]) == 0
    assert answer(capsys)["packages"] == {"demo-gpu": "1.9+cu130torch2.11"}
    assert read_lock(project.folder / "pylock.toml").tool == {
        "gpuwheels": {"asked": ["Demo_GPU"], "torch": "2.11.0", "compute": "cu130"}
    }


def test_a_source_that_does_not_answer_is_not_replaced_by_another(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.offer("one", "1.9+cu130torch2.11")  # somebody's, of the same name
    (tmp_path / "ours").mkdir()
    registry = tmp_path / "ours.toml"
    with serving(tmp_path / "ours") as ours:
        ours.add("demo-gpu", "1.5+cu130torch2.11", tag=HERE)
        registry.write_text(
            f'shipped = false\n[[sources]]\nname = "ours"\nkind = "index"\nurl = "{ours.index}"\n'
        )
        assert run(["lock", "demo-gpu==1.5+cu130torch2.11", f"--registry={registry}", *FACTS]) == 0
    lock = project.folder / "pylock.toml"
    written = lock.read_bytes()
    monkeypatch.setenv("GPUWHEELS_CACHE", str(tmp_path / "empty"))
    for line in ("update", "add demo-gpu"):
        with pytest.raises(SourceError, match="demo-gpu was locked from ours, which did not answer"):
            run([*line.split(), f"--registry={registry}", *FACTS])
    assert lock.read_bytes() == written
    assert run(["lock", "demo-gpu", f"--registry={registry}", *FACTS]) == 0


def test_an_index_with_a_login_is_refused(project: Project) -> None:
    project.offer("a", "1.5+cu130torch2.11")
    with pytest.raises(UsageError, match=r"--index: leave the login out") as refused:
        run(["lock", "demo-gpu", "--index=https://eve:s3cret@wheels.example/simple/", *FACTS])
    assert "s3cret" not in str(refused.value)


def test_a_hash_that_is_none_is_refused_before_anything_is_installed(project: Project) -> None:
    project.offer("a", "1.5+cu130torch2.11")
    assert run(["lock", "demo-gpu", *FACTS]) == 0
    lock = project.folder / "pylock.toml"
    lock.write_text(re.sub(r'sha256 = "\w{60}', 'sha256 = "', lock.read_text()))
    with pytest.raises(LockFault, match="has no sha256"):
        run(["install"])


def test_a_lock_of_another_program_is_not_written_over(project: Project) -> None:
    project.offer("a", "1.5+cu130torch2.11")
    lock = project.folder / "pylock.toml"
    lock.write_text("lock-version = '1.0'\ncreated-by = 'uv'\npackages = []\n")
    with pytest.raises(LockFault, match="gpuwheels did not make it"):
        run(["add", "demo-gpu", *FACTS])
    assert "created-by = 'uv'" in lock.read_text()


def test_a_dry_run_writes_and_installs_nothing(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    project.offer("a", "1.5+cu130torch2.11")
    before = sorted(project.folder.rglob("*"))
    assert run(["add", "demo-gpu", "--dry-run", *FACTS]) == 0
    assert sorted(project.folder.rglob("*")) == before
    assert "would be written, with 1 package" in capsys.readouterr().err


def test_the_projects_file_points_uv_at_the_wheel(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    name = project.offer("a", "1.5+cu130torch2.11")
    (project.folder / "pyproject.toml").write_text(
        f'[project]\nname = "mine"\nversion = "1"\nrequires-python = ">=3.{sys.version_info[1]}"\ndependencies = []\n'
    )
    assert run(["demo-gpu", "--output=pyproject.toml", *FACTS]) == 0
    assert f"uv lock will download {name}" in capsys.readouterr().err
    run_program(["uv", "sync", "--quiet", f"--python={sys.executable}"], cwd=project.folder)
    freeze = run_program(["uv", "pip", "freeze", f"--python={project.environment.python}"]).output
    assert "demo-gpu" in freeze


def test_what_is_neither_a_project_nor_requirements_is_not_written(project: Project) -> None:
    project.offer("a", "1.5+cu130torch2.11")
    with pytest.raises(UsageError, match=r"-o environment.yaml: name a pyproject.toml, or a file of req"):
        run(["demo-gpu", "--output=environment.yaml", *FACTS])
    assert not (project.folder / "environment.yaml").exists()
    latin = project.folder / "requirements.txt"
    latin.write_bytes("# Grüße\n".encode("latin-1"))
    with pytest.raises(UsageError, match=r"-o requirements.txt: it is not UTF-8"):
        run(["demo-gpu", "--output=requirements.txt", *FACTS])


@pytest.mark.usefixtures("project")
def test_the_sources_are_told_with_who_names_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["sources", "--json"]) == 0
    (found,) = answer(capsys)
    assert (found["name"], found["kind"]) == ("ada", "github")
    assert found["registry"].endswith("sources.toml")


def test_what_no_source_has_is_built_here_once(
    project: Project, demo: Demo, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("UV_DEFAULT_INDEX")  # the build's requirements come from the package index
    with pytest.raises(NothingFits, match="no recipe for it: workbench add-package other-gpu"):
        run(["add", "other-gpu", "--build-missing", *FACTS])
    with pytest.raises(
        NothingFits, match=r"demo>=2: no source has a wheel that fits, and the recipe has 1.0: "
    ):
        run(["add", "demo>=2", "--build-missing", *FACTS])
    capsys.readouterr()
    for builds in (1, 0):
        assert run(["add", "demo", "--build-missing", *FACTS]) == 0
        assert capsys.readouterr().err.count("✓ build demo") == builds
    (wheel,) = demo.wheels()
    freeze = run_program(["uv", "pip", "freeze", f"--python={project.environment.python}"]).output
    assert freeze.startswith("demo")
    assert wheel.as_uri() in (project.folder / "pylock.toml").read_text()


def test_a_private_release_is_fetched_by_the_api_with_its_token_and_nobody_else_hears_it(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    project.github.repository("ada/wheels", private=True)
    project.github.tokens.add("ghp_secret")
    project.offer("one", "1.5+cu130torch2.11")
    for number in range(100):  # a page more
        project.github.repositories["ada/wheels"].release(f"old{number}", [])
    assert run(["demo-gpu", *FACTS]) != 0
    monkeypatch.setenv("GITHUB_TOKEN", "ghp_secret")
    assert run(["add", "demo-gpu", "--refresh", *FACTS]) == 0
    whose = [each for each in project.github.asked if each.path == "/repos/ada/wheels" and each.status == 200]
    asked = [each for each in project.github.asked if "/releases?" in each.path and each.status == 200]
    assert len(asked) == 2 * len(whose) > 0, "once for two pages"
    freeze = run_program(["uv", "pip", "freeze", f"--python={project.environment.python}"]).output
    assert freeze.startswith("demo-gpu")
    signed = [each for each in project.github.asked if each.path.startswith("/signed/")]
    assert [each.status for each in signed] == [200, 200]  # for METADATA, and to be installed
    assert not [each for each in signed if "authorization" in each.headers]
    with pytest.raises(UsageError, match="in a private repository, where only gw gets it"):
        run(["demo-gpu", "--output=requirements.txt", *FACTS])
    assert run(["doctor", "--deep", *FACTS]) == 0
    said = capsys.readouterr()
    kept = [path for path in tmp_path.rglob("*") if path.is_file() and ".venv" not in path.parts]
    assert not [path for path in kept if b"ghp_secret" in path.read_bytes()]
    assert "ghp_secret" not in said.out + said.err
    assert "fetch demo_gpu-1.5+cu130torch2.11" in said.err, "not by the asset's number"
    monkeypatch.delenv("GITHUB_TOKEN")
    assert run(["doctor", *FACTS]) == 1
    assert "needs a token in GITHUB_TOKEN" in capsys.readouterr().out
    with pytest.raises(SourceError, match="needs a token in GITHUB_TOKEN; nothing was installed"):
        run(["install"])


@pytest.mark.parametrize(
    "line",
    [
        "resolve demo-gpu",
        "resolve nothing-here",
        "why demo-gpu",
        "detect",
        "",
        "doctor",
        "available demo-gpu",
        "lock demo-gpu",
        "test demo-gpu",
        "sources",
        "env demo-gpu",
        "request demo-gpu",
        "cache",
    ],
)
def test_what_programs_read_is_as_the_schema_says_and_nothing_else_is_on_stdout(
    project: Project, capsys: pytest.CaptureFixture[str], line: str
) -> None:
    project.offer("one", "1.5+cu130torch2.11")
    project.offer("two", "1.5+cu130torch2.10", wheel=f"{CP}-{CP}-manylinux_2_34_aarch64")
    words = line.split()
    run([*words, "--json", *(FACTS if words[:1] not in (["sources"], ["cache"]) else [])])
    schema = json.loads((CHECKOUT / "docs" / "gw.schema.json").read_text())
    form = {"$defs": schema["$defs"], "$ref": f"#/$defs/{words[0] if words else 'overview'}"}
    jsonschema.validate(answer(capsys), form)


def test_deep_reads_the_gpu_code_and_holds_ptx_against_the_driver(
    project: Project, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = {".nv_fatbin": container(entry(PTX, 120, isa=(9, 2)))}
    made = library(tmp_path / "lib.so", code).read_bytes()
    name = f"demo_gpu-1.5+cu130torch2.11-{HERE}.whl"
    payload = {"demo_gpu/__init__.py": b"", "demo_gpu/_c.so": made}
    content = packed(files_of(name="demo-gpu", version="1.5+cu130torch2.11", tag=HERE, payload=payload))
    project.github.repositories["ada/wheels"].release("one", [name], contents={name: content})
    assert run(["demo-gpu", *FACTS]) == 0
    assert run(["demo-gpu", "--deep", *FACTS]) == NothingFits.exit_code
    assert "PTX" in capsys.readouterr().out
    asked = len(project.github.asked)
    assert run(["why", "demo-gpu", "--json", *FACTS]) == NothingFits.exit_code
    assert len(project.github.asked) == asked  # what was learnt once is free the second time
    (found,) = answer(capsys)["packages"]
    (reason,) = [each for each in found["candidates"][0]["reasons"] if each["outcome"] == "no"]
    assert (reason["kind"], "CUDA 13.2" in reason["text"]) == ("gpu", True)


def test_uv_compiles_for_this_gpu_with_what_env_prints(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    project.environment.install(["setuptools"], options=["--default-index", PUBLIC])
    (folder,) = project.environment.path.glob("lib/python*/site-packages")
    (folder / "torch.py").touch()
    (project.folder / "pyproject.toml").write_text(
        f'[project]\nname = "mine"\nversion = "1"\nrequires-python = ">=3.{sys.version_info[1]}"\n'
        "dependencies = []\n"
    )
    seen = tmp_path / "seen"
    written = {
        "PKG-INFO": "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n",
        "setup.py": "import os, torch\nfrom setuptools import setup\n"
        f"open({str(seen)!r}, 'w').write(os.environ['TORCH_CUDA_ARCH_LIST'])\nsetup(name='demo', version='1.0')\n",
    }
    project.files.add("demo", "1.0")
    with tarfile.open(project.files.folder / "files" / "demo-1.0.tar.gz", "w:gz") as sdist:
        for name, text in written.items():
            (tmp_path / name).write_text(text)
            sdist.add(tmp_path / name, f"demo-1.0/{name}")
    with (project.files.folder / "simple" / "demo" / "index.html").open("a") as page:
        page.write(f'<a href="{project.files.url}/files/demo-1.0.tar.gz">demo-1.0.tar.gz</a>')
    assert run(["env", "Demo==1.0", "--json", *FACTS]) == 0
    for name, value in {**answer(capsys), "UV_CACHE_DIR": str(tmp_path / "uv")}.items():
        monkeypatch.setenv(name, value)
    run_program(["uv", "add", "--quiet", "demo"], cwd=project.folder)
    assert seen.read_text() == "12.1"


def test_doctor_reads_the_gpu_code_of_what_is_installed(
    project: Project, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = library(tmp_path / "lib.so", {".nv_fatbin": container(entry(ELF, 80))}).read_bytes()
    name = f"demo_gpu-1.5+cu130torch2.11-{HERE}.whl"
    payload = {"demo_gpu/__init__.py": b"", "demo_gpu/_c.so": made}
    content = packed(files_of(name="demo-gpu", version="1.5+cu130torch2.11", tag=HERE, payload=payload))
    project.offer_file("one", name, content)
    assert run(["add", "demo-gpu", *FACTS]) == 0
    capsys.readouterr()
    assert run(["doctor", "Demo_GPU>=1", *FACTS]) == 1
    assert "nothing in it runs on a GPU (12.1): it has sm_80" in capsys.readouterr().out
    assert run(["doctor", "demo-gpu", *FACTS[:2], "--gpu=8.6"]) == 0
