"""A signed index of wheels that lie elsewhere: whoever has its address and the key proves them like any others."""

from __future__ import annotations

import json
import re
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.evidence.test_attestations import fresh, sigstore  # noqa: F401 - fixtures for these tests too
from tests.forked import invoke
from tests.installing import gw_project, with_each
from tests.outlets.conftest import hub  # noqa: F401 - likewise
from tests.outlets.indexes import PASSWORD, USER, pypiserver
from workbench.care.public import examine_public
from workbench.errors import ProofFailed
from workbench.evidence.root import ROOT
from workbench.index.serve import served
from workbench.outlets.credentials import variables_for
from workbench.pipeline.published_copy import published_copy
from workbench.process import run
from workbench.program.gpuwheels import run as gw
from workbench.registry.file import load
from workbench.settings import read_settings
from workbench.store.opening import open_site

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.evidence.conftest import Signed
    from tests.evidence.sigstore import Sigstore
    from tests.outlets.github_server import WritableGitHub
    from workbench.registry.model import PublishedWheel


@pytest.fixture(params=["a release", "a package index"])
def outlet(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Return a place for wheels, as ``--to`` calls it, that this process may send to, and where anyone may read."""
    if request.param == "a release":
        request.getfixturevalue("hub")
        yield "github:v1"
    else:
        with pypiserver(tmp_path / "pypi", asks="update") as url:
            monkeypatch.setenv(variables_for(url, url)[0], f"{USER}:{PASSWORD}")
            yield url


def uploaded(site: Signed, outlet: str, *words: str) -> str:
    """Send a site's wheel to an outlet, and let its index link there; return what was said on stdout."""
    done = invoke("upload", site.wheel, "--to", f"{outlet},index", *words)
    assert done.status == 0, done.stderr
    return done.stdout


@pytest.fixture
def linked(fresh: Signed, outlet: str) -> Signed:  # noqa: F811 - the fixture above
    """Return a site that signs, whose one wheel, with a patch in it, lies at an outlet."""
    uploaded(fresh, outlet)
    assert row(fresh).url.startswith("http://127.0.0.1:")
    return fresh


def row(site: Signed) -> PublishedWheel:
    ((_, wheel),) = load(site.paths.registry).wheels()
    return wheel


def texts(site: Signed) -> list[str]:
    """Return the keys of what the registry links to in the store, of the one wheel."""
    build = row(site).build
    assert build is not None
    return sorted(filter(None, [build.statement, build.sbom, *(each.url for each in build.patches)]))


def files(root: Path) -> list[str]:
    """Return the keys of what lies below ``files/``."""
    found = (each for each in (root / "files").rglob("*") if each.is_file())
    return sorted(each.relative_to(root).as_posix() for each in found)


def test_it_is_proved_down_to_the_source(linked: Signed) -> None:
    done = linked.proved()
    assert done.status == 0, done.stderr
    for expected in (
        "the statement is signed by the key",
        "the published bill of materials is the wheel's own",
        "its patches are those of the statement: answer.patch",
        f"evidence.reproduce {linked.paths.root.as_uri()}/files/demo/{linked.wheel.name} --signed-by",
    ):
        assert expected in done.stdout


def test_the_store_has_what_proves_it_and_not_the_wheel(linked: Signed, outlet: str) -> None:
    root, build = linked.paths.root, row(linked).build
    assert files(root) == texts(linked)
    assert len(texts(linked)) == 3
    assert (build and build.log, (root / "records").exists()) == (None, False), "a log proves nothing"
    page = (root / "index" / "demo" / "index.html").read_text()
    assert all(each in page for each in texts(linked))
    uploaded(linked, outlet)
    assert load(linked.paths.registry).generation == 1
    (root / texts(linked)[0]).unlink()
    uploaded(linked, outlet)
    assert files(root) == texts(linked), "what is lost is put back"


def test_doctor_tells_of_what_nobody_serves(linked: Signed) -> None:
    """As where pages are pushed without what proves the wheels."""
    with served(linked.paths.root) as index:
        base = index.removesuffix("/index/simple/")

        def found() -> str:
            seen = examine_public(base, load(linked.paths.registry), deep=False, installers=False)
            (said,) = (each.what for each in seen if each.check == "published URLs")
            return said

        gone = next(each for each in texts(linked) if ".statement." in each)
        assert gone not in found()
        (linked.paths.root / gone).unlink()
        assert f"{base}/{gone}: 404" in found()


def test_a_dry_run_tells_what_the_store_gets(fresh: Signed, outlet: str) -> None:  # noqa: F811
    told = re.findall(r"^create (\S+)", uploaded(fresh, outlet, "--dry-run"), re.MULTILINE)
    assert not (fresh.paths.root / "files").exists()
    uploaded(fresh, outlet)
    # nobody signs in it, so the digest of the statement is another
    kinds = [sorted(re.sub(r"[0-9a-f]{12}", "", each) for each in keys) for keys in (told, texts(fresh))]
    assert kinds[0] == kinds[1]


def test_pip_uv_and_gw_take_it_from_the_index(
    linked: Signed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with served(linked.paths.root) as index:
        for folder in with_each(index, "demo", tmp_path):
            assert (folder / "demo-1.0.dist-info").is_dir()
        project = tmp_path / "project"
        lock = gw_project(project, index, "demo", monkeypatch)
        assert gw([*lock, f"--signed-by={linked.public}"]) == 0
        assert row(linked).url in (project / "pylock.toml").read_text()
        run(["uv", "venv", "--quiet", project / ".venv"])
        monkeypatch.setenv("VIRTUAL_ENV", str(project / ".venv"))
        again = ["install", f"--registry={project / 'sources.toml'}", f"--signed-by={linked.public}"]
        assert gw(again) == 0
        assert [*(project / ".venv").rglob("demo-1.0.dist-info")]
        with pytest.raises(ProofFailed, match="no index of one lists it"):
            gw([*again[:1], *again[2:]])
        statement = next(each for each in texts(linked) if ".statement." in each)
        (linked.paths.root / statement).unlink()
        with pytest.raises(ProofFailed, match="it is missing, and the signed registry links to it"):
            gw(again)


def test_its_attestation_is_served_from_the_store(
    fresh: Signed,  # noqa: F811
    outlet: str,
    sigstore: Sigstore,  # noqa: F811
) -> None:
    beside = sigstore.attest(fresh.wheel)
    made = json.loads(beside.read_text())
    uploaded(fresh, outlet)
    key = f"files/demo/{fresh.wheel.name}.provenance"
    assert row(fresh).provenance == f"https://wheels.example.com/{key}"
    (bundle,) = json.loads((fresh.paths.root / key).read_text())["attestation_bundles"]
    assert bundle["attestations"] == [made]
    assert f'data-provenance="{row(fresh).provenance}"' in (fresh.index / "demo/index.html").read_text()
    assert "Sigstore knows who published it: GitHub: someone/wheels, wheels.yml" in fresh.proved().stdout
    shown = invoke("evidence.show", fresh.wheel.name)
    assert "by GitHub: someone/wheels, wheels.yml" in shown.stdout, shown.stderr
    # and where the wheel itself is at hand, it is sent on with it
    beside.unlink()
    published_copy(row(fresh), fresh.paths, open_site(fresh.paths, read_settings(fresh.paths)).store)
    assert json.loads(beside.read_text()) == made


def test_a_proof_that_the_store_lost_is_told_when_its_wheel_is_sent_on(
    fresh: Signed,  # noqa: F811
    sigstore: Sigstore,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
) -> None:
    sigstore.attest(fresh.wheel)
    done = invoke("upload", fresh.wheel)
    assert done.status == 0, done.stderr
    build = row(fresh).build
    assert build is not None
    lost = (str(build.statement), f"files/demo/{fresh.wheel.name}.provenance")
    for key in lost:
        (fresh.paths.root / key).unlink()
    for beside in (fresh.wheel, *fresh.wheel.parent.glob(f"{fresh.wheel.name}.*")):
        beside.unlink(missing_ok=True)
    store = open_site(fresh.paths, read_settings(fresh.paths)).store
    published_copy(row(fresh), fresh.paths, store)
    said = capsys.readouterr().err
    for key, what in zip(lost, ("statement", "attestation"), strict=True):
        assert f"/{key} is gone, so {fresh.wheel.name} goes without its {what}" in said


def test_the_registry_names_the_patches_of_the_statement(linked: Signed) -> None:
    """Whoever has the key of the root, and not of the statement, cannot tell of other patches."""
    known = json.loads(linked.paths.registry.read_text())
    (patch,) = known["packages"]["demo"]["wheels"][0]["build"]["patches"]
    for listed in (
        [],
        [patch | {"sha256": "0" * 64}],
        [patch, patch | {"name": "b.patch", "sha256": "0" * 64}],
    ):
        known["packages"]["demo"]["wheels"][0]["build"]["patches"] = listed
        linked.paths.registry.write_text(json.dumps(known))
        (linked.paths.root / ROOT).unlink()
        assert invoke("evidence.sign-index").status == 0
        done = linked.proved()
        said = "the published patches are not those of its statement"
        assert (done.status, said in done.stderr) == (22, True), done.stderr


def test_it_is_fetched_to_be_built_again_with_its_patches(linked: Signed) -> None:
    name = linked.wheel.name
    linked.wheel.unlink()
    with served(linked.paths.root) as index:
        url = index.replace("index/simple/", f"files/demo/{name}")
        done = invoke("evidence.reproduce", url, "--signed-by", linked.public, "--dry-run")
        assert (done.status, "answer.patch" in done.stdout) == (0, True), done.stderr
    for each in linked.paths.patches.rglob("*.patch"):
        each.unlink()
    done = invoke("evidence.reproduce", name, "--dry-run")
    assert (done.status, "answer.patch" in done.stdout) == (0, True), done.stderr
    (linked.paths.root / next(each for each in texts(linked) if each.endswith(".patch"))).unlink()
    done = invoke("evidence.reproduce", name, "--dry-run")
    assert (done.status, "neither in patches/ nor published" in done.stderr) == (22, True), done.stderr


def test_a_removed_one_leaves_its_patch_alone_and_can_come_back(linked: Signed, outlet: str) -> None:
    done = invoke("remove", linked.wheel.name, "--after", "0")
    assert done.status == 0, done.stderr
    assert [each.rpartition(".")[2] for each in files(linked.paths.root)] == ["patch"]
    uploaded(linked, outlet)
    assert files(linked.paths.root) == texts(linked)


def test_the_index_links_to_no_statement_of_an_earlier_command(
    fresh: Signed,  # noqa: F811
    hub: WritableGitHub,  # noqa: F811
) -> None:
    """What lies at the release since before the site signed stays there, and nobody is led to it."""
    settings = fresh.paths.root / "workbench.yaml"
    signing = settings.read_text()
    settings.write_text("{}\n")
    assert invoke("upload", fresh.wheel, "--to", "github:v1").status == 0
    settings.write_text(signing)
    asked = len(hub.asked)
    uploaded(fresh, "github:v1")
    assert not [each for each in hub.asked[asked:] if each.path.endswith(".statement.json")]
    assert fresh.proved().status == 0


@pytest.mark.usefixtures("hub")
def test_a_statement_that_an_older_registry_links_to_at_the_release_is_signed_anew_here(
    fresh: Signed,  # noqa: F811
) -> None:
    uploaded(fresh, "github:v1")
    known = json.loads(fresh.paths.registry.read_text())
    (wheel,) = known["packages"]["demo"]["wheels"]
    wheel["build"]["statement"] = f"{wheel['url']}.statement.json"
    fresh.paths.registry.write_text(json.dumps(known))
    shutil.rmtree(fresh.paths.root / "files")
    shown = invoke("evidence.show", fresh.wheel.name)
    assert (shown.status, fresh.wheel.name in shown.stdout) == (0, True), shown.stderr
    name = fresh.wheel.name
    fresh.wheel.rename(fresh.keys / name)  # the published one is meant
    done = invoke("evidence.sign", name)
    assert done.status == 0, done.stderr
    link = texts(fresh)[-1]
    assert files(fresh.paths.root) == [link]


def test_what_is_committed_is_all_that_proves_it(
    fresh: Signed,  # noqa: F811
    outlet: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Pages that are served from a branch have nothing but what lies in it."""
    for name in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{name}_NAME", "A Tester")
        monkeypatch.setenv(f"GIT_{name}_EMAIL", "tester@example.com")
    root = fresh.paths.root
    settings = root / "workbench.yaml"
    settings.write_text(f"{settings.read_text()}index: {{committed: true}}\n")
    (root / ".gitignore").write_text("/wheels/\n/files/\n/index/*\n/history/\n/.workbench/\n")
    run(["git", "init", "--quiet", root])
    run(["git", "-C", root, "add", "."])
    run(["git", "-C", root, "commit", "--quiet", "--message", "A site"])
    uploaded(fresh, outlet, "--commit")
    branch = tmp_path / "branch"

    def proved() -> None:
        shutil.rmtree(branch, ignore_errors=True)
        run(["git", "clone", "--quiet", root, branch])
        assert files(branch) == texts(fresh)
        words = ("--signed-by", fresh.public, "--wheel", "demo")
        done = invoke("check-index", branch / "index" / "simple", *words)
        assert done.status == 0, done.stderr

    proved()
    before = texts(fresh)
    fresh.new_key()
    settings.write_text(settings.read_text().replace("site.key", "new.key"))
    name = fresh.wheel.name
    fresh.wheel.rename(fresh.keys / name)
    done = invoke("evidence.sign", name, "--commit")
    assert done.status == 0, done.stderr
    assert before != texts(fresh)
    for each in set(before) - set(texts(fresh)):
        run(["git", "-C", root, "rm", "--quiet", each])
    run(["git", "-C", root, "commit", "--quiet", "--message", "Without the old one"])
    proved()
    (root / ROOT).unlink()
    assert invoke("evidence.sign-index", "--commit").status == 0
    proved()
    assert invoke("remove", name, "--after", "0", "--commit").status == 0
    assert run(["git", "-C", root, "status", "--porcelain"]).output.split() == ["M", "workbench.yaml"]
    assert not run(["git", "-C", root, "ls-files", "--", "*.statement.*"]).output
