"""A wheel built again: the same bytes, others and why, and what stands in the way."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.evidence.conftest import flip
from tests.forked import invoke
from tests.verbs.conftest import git
from tests.wheels import files_of, pack
from workbench.errors import ProofFailed
from workbench.evidence import notes
from workbench.evidence.causes import cause_of
from workbench.evidence.differences import differences
from workbench.evidence.reproduction import PREDICATE, check_verdict, write_verdict

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.evidence.conftest import Signed
    from tests.verbs.conftest import Demo

NOT_REPRODUCED = 24
PROOF_FAILED = 22
TOOL_MISSING = 7

isolated = pytest.mark.needs("bwrap")


@isolated
def test_somebody_with_the_url_and_the_key_builds_it_again_and_the_publisher_shows_that(
    signed: Signed,
) -> None:
    """Nothing of today's goes in: the recipe and its patch have changed since."""
    (signed.paths.recipes / "demo.py").write_text("recipe = None\n")
    (signed.paths.patches / "demo" / "answer.patch").write_text("changed\n")
    url = signed.published().as_uri()
    done = invoke("evidence.reproduce", url, "--signed-by", signed.public, "--publish", "--json")
    assert done.status == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["identical"], told["rebuilt"], told["differences"]) == (True, told["sha256"], [])
    assert told["isolation"] == "isolated"
    assert not (signed.paths.state / "again" / "demo-1.0-cp311-x86_64-cpu").exists()
    verdict = signed.published(".verdict.*.json")
    assert f"files/demo/{verdict.name}" == told["published"]
    assert PREDICATE in json.dumps(_payload(verdict))
    page = (signed.paths.root / "index" / "demo" / "index.html").read_text()
    for shown in ("Built again", "the same bytes", f'href="../../files/demo/{verdict.name}"', "<dd>isolated"):
        assert shown in page
    proved = signed.proved()
    assert (proved.status, "the same bytes, says the key" in proved.stdout) == (0, True), proved.stderr


def _payload(envelope: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(base64.b64decode(json.loads(envelope.read_text())["payload"]))
    return told


SETUP = """\
import time

from setuptools import Extension, setup

when = [("WHEN", '"%s"' % time.strftime("%H:%M:%S"))]
setup(name="demo", version="1.0", ext_modules=[Extension("demo", ["demo.c"], define_macros=when)])
"""


@isolated
def test_what_comes_out_otherwise_is_named_with_its_section_and_its_cause(demo: Demo, tmp_path: Path) -> None:
    (demo.repository / "setup.py").write_text(SETUP)
    source = demo.repository / "demo.c"
    source.write_text(source.read_text() + "const char *when(void) { return WHEN; }\n")
    git(demo.repository, "commit", "--quiet", "--all", "--message", "a time")
    commit = git(demo.repository, "rev-parse", "HEAD")
    recipe, before = demo.recipe.read_text(), git(demo.repository, "rev-parse", "HEAD~1")
    demo.recipe.write_text(recipe.replace(before, commit))
    built = invoke("build", "demo")
    assert built.status == 0, built.stderr
    (wheel,) = demo.wheels()
    programs = tmp_path / "programs"
    programs.mkdir()
    tool = programs / "diffoscope"
    tool.write_text('#!/bin/sh\necho it was here > "${3#--text=}"; exit 1\n')
    tool.chmod(0o755)
    done = invoke("evidence.reproduce", wheel, env={"PATH": f"{programs}:{os.environ['PATH']}"})
    assert done.status == NOT_REPRODUCED, done.stderr
    (row,) = [line for line in done.stdout.splitlines() if ".rodata" in line]
    assert row.startswith("demo.cpython-")
    assert "a time: " in row
    assert "it was here" in done.stdout
    kept = demo.paths.state / "again" / "demo-1.0-cp311-x86_64-cpu" / "wheels" / wheel.name
    assert str(kept) in done.stderr
    assert kept.is_file()
    assert _unsigned(wheel)["predicate"]["result"] == "FAILED"


def _unsigned(wheel: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(wheel.with_name(f"{wheel.name}.verdict.json").read_text())
    return told


def test_what_it_was_built_with_and_is_not_here_is_named_and_nothing_else_is_taken(signed: Signed) -> None:
    _altered(signed, lambda made: _role(made, "compiler").update(version="(Debian 4.9) 4.9"))
    _altered(signed, lambda made: _role(made, "python").update(version="3.11.99"))
    done = invoke("evidence.reproduce", signed.wheel)
    assert done.status == TOOL_MISSING
    assert "cc: (Debian 4.9) 4.9 then, " in done.stderr
    assert "CPython: 3.11.99 then, 3.11." in done.stderr
    assert not (signed.paths.state / "again").exists()
    told = json.loads(invoke("evidence.reproduce", signed.wheel, "--any-tools", "--dry-run", "--json").stdout)
    assert "(Debian 4.9)" in told["other_tools"]


def test_a_statement_does_not_choose_how_the_engine_is_called_here(signed: Signed) -> None:
    options = ["--privileged", "--volume=/:/host"]
    _altered(signed, lambda made: made.update(builder="container"))
    more = {"create_args": options, "before_all": ["touch /x"], "network": ["yes"]}
    _altered(signed, lambda made: made["inputs"].update(more))
    done = invoke("evidence.reproduce", signed.wheel)
    assert done.status == TOOL_MISSING, done.stderr
    assert "create_args: --privileged --volume=/:/host then, none here" in done.stderr
    told = json.loads(invoke("evidence.reproduce", signed.wheel, "--any-tools", "--dry-run", "--json").stdout)
    assert (told["create_args"], told["before_all"], told["environment"]) == ("none", "touch /x", "none")
    assert told["network"] == "the recipe says network=True"


def _role(made: dict[str, Any], role: str) -> dict[str, Any]:
    found: dict[str, Any] = next(each for each in made["used"] if each["role"] == role)
    return found


def _altered(signed: Signed, change: Callable[[dict[str, Any]], object]) -> None:
    """Change what is noted of the build of a wheel."""
    path = signed.wheel.with_name(f"{signed.wheel.name}.build.json")
    noted = json.loads(path.read_text())
    change(noted["provenance"])
    path.write_text(json.dumps(noted))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda made: made.pop("key"), "it does not say its build key"),
        (lambda made: made["inputs"].pop("upstream_version"), "it does not say upstream's version"),
        (
            lambda made: _role(made, "requirement").update(digest={}),
            "files its build requirements were (setu",
        ),
        (lambda made: _role(made, "source").update(digest={}), "which source it was (a folder has no pin)"),
        (lambda made: made["environment"].update(CFLAGS="-O0"), "that one: the statement calls it "),
        (lambda made: _role(made, "patch").update(digest={"sha256": "1" * 64}), "the patch answer.patch"),
        (lambda made: made["parameters"].update(python="3.11,3.12"), "not one target"),
        (lambda made: made.update(changed="its description"), "so no build gives its bytes"),
        (lambda made: made.update(builder="magic"), "an unknown builder, 'magic'"),
        (lambda made: _role(made, "requirement").update(name="x\n-i http://evil"), "not a build requirement"),
        (lambda made: _role(made, "source").update(uri="https://x"), "neither an sdist nor a Git"),
        (lambda made: made["inputs"].update(source_url=["--upload-pack=x"]), "neither an sdist nor a Git"),
        (lambda made: _role(made, "source").update(uri="git+https://x"), "names two sources: 'git+http"),
    ],
)
def test_a_statement_that_does_not_say_enough(
    signed: Signed, change: Callable[[dict[str, Any]], object], said: str
) -> None:
    _altered(signed, change)
    done = invoke("evidence.reproduce", signed.wheel, "--dry-run")
    assert (done.status, said in done.stderr) == (PROOF_FAILED, True), done.stderr


def test_a_verdict_without_a_result_is_refused(signed: Signed) -> None:
    found, _ = signed.verdict()
    verdict = json.loads(write_verdict(found))
    del verdict["predicate"]["result"]
    with pytest.raises(ProofFailed, match="its result is not what its hashes say"):
        check_verdict(
            json.dumps(verdict).encode(),
            filename=found.filename,
            sha256=found.sha256,
            statement=None,
            keys=None,
            where="it",
        )


def test_only_what_is_published_gets_a_published_verdict(signed: Signed) -> None:
    # its notes say something else than the statement that is published
    known = notes.recall(signed.wheel)
    assert known is not None
    assert known.provenance is not None
    altered = replace(known, provenance=replace(known.provenance, command="invoke build other"))
    notes.put(signed.wheel, altered)
    done = invoke("evidence.reproduce", signed.wheel, "--publish")
    assert (done.status, "published with another statement than this one" in done.stderr) == (2, True)
    assert invoke("remove", signed.wheel.name).status == 0
    done = invoke("evidence.reproduce", signed.wheel, "--publish")
    assert (done.status, "not published here" in done.stderr) == (2, True), done.stderr


@isolated
def test_a_verdict_that_lies_beside_a_file_is_published_with_it(signed: Signed) -> None:
    signed.paths.registry.unlink()
    for name in ("trust", "index", "files", "records"):
        shutil.rmtree(signed.paths.root / name)
    beside = signed.wheel.with_name(f"{signed.wheel.name}.verdict.json")
    beside.write_bytes(signed.verdict(sha256="1" * 64)[1])
    refused = invoke("upload", signed.wheel)
    assert (refused.status, "it is another wheel's" in refused.stderr) == (PROOF_FAILED, True)
    beside.write_bytes(write_verdict(signed.verdict()[0]))
    refused = invoke("upload", signed.wheel)
    assert (refused.status, "it is not signed" in refused.stderr) == (PROOF_FAILED, True)
    beside.write_bytes(signed.verdict(statement="1" * 64)[1])
    refused = invoke("upload", signed.wheel)
    assert (refused.status, "from another statement" in refused.stderr) == (PROOF_FAILED, True)
    beside.write_bytes(signed.verdict()[1])
    done = invoke("upload", signed.wheel)
    assert done.status == 0, done.stderr
    (wheel,) = json.loads(signed.paths.registry.read_text())["packages"]["demo"]["wheels"]
    build = wheel["build"]
    assert (build["reproduced"], build["reproduced_on"], build["isolation"]) == (
        True,
        "2026-11-30",
        "isolated",
    )
    assert (signed.paths.root / build["verdict"]).read_bytes() == beside.read_bytes()
    assert signed.proved().status == 0


def test_a_published_wheel_that_was_changed_is_not_taken_for_the_one_that_was_built(signed: Signed) -> None:
    flip(signed.published(), 5000)
    done = invoke("evidence.reproduce", signed.wheel.name, "--dry-run")
    assert (done.status, "it was changed" in done.stderr) == (PROOF_FAILED, True), done.stderr


def test_a_url_needs_a_key(signed: Signed) -> None:
    done = invoke("evidence.reproduce", signed.published().as_uri())
    assert (done.status, "--signed-by" in done.stderr) == (2, True), done.stderr


@pytest.mark.parametrize("where", ["releases/download/v1/{}", "files/{}", "files/demo/{}.metadata"])
def test_a_url_that_is_not_of_a_store_says_how_to_find_the_one_that_is(signed: Signed, where: str) -> None:
    url = f"https://example.com/{where.format(signed.wheel.name)}"
    done = invoke("evidence.reproduce", url, "--signed-by", signed.public)
    assert (done.status, "check-index INDEX --signed-by" in done.stderr) == (2, True), done.stderr


@isolated
def test_what_was_made_with_old_objects_is_not_signed(signed: Signed) -> None:
    _altered(signed, lambda made: made.update(took="the objects of an earlier build that failed"))
    refused = invoke("evidence.sign", signed.wheel)
    assert (refused.status, "the objects of an earlier build" in refused.stderr) == (PROOF_FAILED, True)
    built = invoke("build", "demo")
    assert (built.status, "is built again: it was made with the objects" in built.stderr) == (0, True)
    assert invoke("evidence.sign", signed.wheel).status == 0


def test_what_is_signed_is_what_was_shown(signed: Signed) -> None:
    """The statement beside a wheel, whatever the notes of its build say by now."""
    shown = invoke("evidence.show", signed.wheel, "--json").stdout
    beside = notes.statement_path(signed.wheel)
    beside.write_text(shown)
    _altered(signed, lambda made: made["environment"].update(CFLAGS="-O0"))
    assert invoke("evidence.sign", signed.wheel).status == 0
    assert invoke("verify", signed.wheel, "--signed-by", signed.public).status == 0
    assert invoke("evidence.show", signed.wheel, "--json").stdout == shown
    # and a published one that was made with old objects is not signed either
    told = json.loads(shown)
    told["predicate"]["buildDefinition"]["internalParameters"]["took"] = "the objects of an earlier build"
    signed.published(".statement.*.json").write_text(json.dumps(told))
    refused = invoke("evidence.sign", signed.wheel.name)
    assert (refused.status, "the objects of an earlier build" in refused.stderr) == (PROOF_FAILED, True)


C = """\
#include <stdio.h>
const char *where(void) { return __FILE__; }
int sum(int n) { int all = 0; for (int i = 0; i < n; i++) all += printf("%d", i); return all; }
"""


def _wheel(folder: Path, *options: str) -> Path:
    """Return a wheel with a library that is compiled in a folder with options."""
    folder.mkdir()
    (folder / "x.c").write_text(C)
    library = folder / "x.so"
    compile_ = ["gcc", "-shared", "-fPIC", *options, str(folder / "x.c"), "-o", str(library)]
    subprocess.run(compile_, check=True)
    return pack(folder / "demo-1.0-py3-none-any.whl", files_of(payload={"demo/x.so": library.read_bytes()}))


@pytest.mark.needs("gcc")
def test_causes_in_a_library(tmp_path: Path) -> None:
    plain = _wheel(tmp_path / "plain", "-O2", "-g")
    here = {each.section: each.cause for each in differences(plain, _wheel(tmp_path / "other", "-O2", "-g"))}
    assert here[".rodata"].startswith(f"a path: {tmp_path}"[:60])
    assert ".note.gnu.build-id" not in here
    same = (f"-ffile-prefix-map={tmp_path}/{name}=/build" for name in ("one", "two"))
    one = _wheel(tmp_path / "one", "-O2", "-g", next(same))
    two = {each.section: each for each in differences(one, _wheel(tmp_path / "two", "-O0", "-g", next(same)))}
    assert two[".debug_str"].cause == "other options of the compiler: -O2 | -O0"
    assert two[".text"].cause.startswith("other machine code")
    assert two[".text"].place == "demo/x.so .text"
    assert not {".symtab", ".eh_frame", ".shstrtab"} & two.keys(), "they follow from the code"
    bare = [(each.section, each.cause) for each in differences(one, _wheel(tmp_path / "bare", "-O2"))]
    assert (".debug_*", "debug information is only in the published wheel: other options (-g)") in bare


def test_names_that_nvcc_made_of_its_process_are_told() -> None:
    first, again = (f"_ZN21_GLOBAL__N__9e80aa56_4_k_cu_a75bd70d_{number}3runE" for number in (197, 189))
    told = cause_of(".dynstr", first.encode(), again.encode())
    assert told == "the number of nvcc's process, in a name: 4_k_cu_a75bd70d_1973 | 4_k_cu_a75bd70d_1893"


def test_causes_elsewhere(tmp_path: Path) -> None:
    def wheel(name: str, payload: dict[str, bytes]) -> Path:
        return pack(tmp_path / f"{name}.whl", files_of(payload=payload))

    usual = {"demo/a.py": b"x = 1\n", "demo/b.py": b"made = 'Nov 30 2026'\ny = 2\n"}
    first = wheel("first", usual)
    assert differences(first, first) == ()

    def found(payload: dict[str, bytes]) -> list[tuple[str, str]]:
        return [(each.member, each.cause) for each in differences(first, wheel("again", payload))]

    time = usual | {"demo/b.py": b"made = 'Dec  1 2026'\ny = 2\n"}
    assert found(time) == [("demo/b.py", "a time: Nov 30 2026 | Dec  1 2026")]
    assert found(usual | {"demo/a.py": b"x = 2\n"}) == [("demo/a.py", "line 1: 'x = 1' | 'x = 2'")]
    order = usual | {"demo/b.py": b"y = 2\nmade = 'Nov 30 2026'\n"}
    assert found(order) == [("demo/b.py", "the order of what is in it")]
    assert found({"demo/a.py": b"x = 1\n"}) == [("demo/b.py", "it is only in the published wheel")]
    assert found(dict(reversed(usual.items()))) == [("", "the order of its members")]
