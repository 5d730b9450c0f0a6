"""What `ci.write` writes: no finding of those who judge workflows, and nothing of anybody's is written over."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.forked import invoke
from tests.verbs.conftest import git
from workbench.ci.workflows import MARK, workflow_files
from workbench.errors import SettingsError
from workbench.settings import read_settings

if TYPE_CHECKING:
    from workbench.paths import Paths

SETTINGS = {
    "a fork, as it is": "{}",
    "a Spark of one's own, and a schedule": """
        runners: {x86_64: ubuntu-24.04, aarch64: "self-hosted,linux,ARM64,dgx-spark"}
        schedule: "17 3 * * *"
        builder: container
    """,
    "one runner for both": """
        runners: {x86_64: ubuntu-24.04}
    """,
    "PyPI, and nothing besides": """
        to: testpypi,pypi,https://wheels.example.com:8443/,index
        pages: false
        attest: false
        outdated: ""
        environment: ""
    """,
    "a site without the workbench": """
        install: wheel-workbench @ git+https://github.com/someone/workbench@0123456789abcdef0123456789abcdef01234567
        python: "3.13"
    """,
    "a bucket": "{}",
}
"""What stands below ``ci:``."""


def site(paths: Paths, ci: str, *, bucket: bool = False, checkout: bool = True) -> None:
    """Write the settings of a site, which is a checkout of the workbench or holds recipes alone."""
    more = "store: {s3: {bucket: wheels}}\n" if bucket else ""
    runtime = "container: {runtime_images: {cpu: {x86_64: 'python:3.12-slim'}}}\n" if bucket else ""
    (paths.root / "workbench.yaml").write_text(
        f"{more}{runtime}ci: {ci}\n" if ci == "{}" else f"{more}ci:\n{ci}\n"
    )
    if checkout:
        (paths.root / "inv").touch()


def tool(name: str, *words: str | Path) -> subprocess.CompletedProcess[str]:
    program = [str(Path(sys.prefix) / "bin" / name), *map(str, words)]
    return subprocess.run(program, capture_output=True, text=True, check=False)


def test_neither_actionlint_nor_zizmor_finds_anything(paths: Paths, tmp_path: Path) -> None:
    """Pedantically and offline; GitHub's own parser judges in ``test_run.py``."""
    written: list[Path] = []
    for number, (title, ci) in enumerate(SETTINGS.items()):
        site(paths, ci, bucket=title == "a bucket", checkout="install" not in ci)
        for each in workflow_files(paths, read_settings(paths)):
            if each.text is None:
                continue
            path = tmp_path / f"site-{number}" / each.path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(each.text)
            written += [path] if path.suffix == ".yml" else []
        (paths.root / "inv").unlink(missing_ok=True)
    labels = tmp_path / "actionlint.yaml"
    labels.write_text("self-hosted-runner: {labels: [dgx-spark]}\n")
    linted = tool("actionlint", "-config-file", labels, *written)
    assert (linted.returncode, linted.stdout) == (0, ""), linted.stdout
    judged = tool(
        "zizmor", "--offline", "--no-config", "--persona", "pedantic", "--format", "plain", *written
    )
    assert judged.returncode == 0, judged.stdout
    assert len(written) == 3 * len(SETTINGS) - 1  # without `outdated` there is no workflow for it
    assert "failed to parse" not in judged.stderr


def test_every_action_is_pinned_with_its_release_beside(paths: Paths) -> None:
    site(paths, "{}")
    uses = [
        line.strip()
        for each in workflow_files(paths, read_settings(paths))
        for line in (each.text or "").splitlines()
        if "uses:" in line
    ]
    assert len(uses) > 10
    for line in uses:
        action, _, release = line.rpartition(" # ")
        assert release.startswith("v")
        assert len(action.rpartition("@")[2]) == 40


def test_the_settings_decide_what_a_workflow_does(paths: Paths) -> None:
    def wheels(ci: str, **more: bool) -> dict[str, dict[str, Any]]:
        site(paths, ci, **more)
        (found,) = (
            each for each in workflow_files(paths, read_settings(paths)) if each.path.endswith("wheels.yml")
        )
        jobs: dict[str, dict[str, Any]] = yaml.safe_load(found.text or "")["jobs"]
        return jobs

    (publishes,) = (step for step in wheels("{}")["publish"]["steps"] if "pattern" in step.get("with", {}))
    assert publishes["with"]["pattern"] == "verified-*"  # what only was built is not published
    usual, spark = wheels("{}"), wheels(SETTINGS["a Spark of one's own, and a schedule"])
    assert list(usual) == ["matrix", "build", "verify", "publish", "pages"]
    assert '["self-hosted","linux","ARM64","dgx-spark"]' in str(spark["build"]["runs-on"])
    assert wheels(SETTINGS["one runner for both"])["build"]["runs-on"] == ["ubuntu-24.04"]
    bare = wheels(SETTINGS["PyPI, and nothing besides"])
    assert "pages" not in bare
    assert bare["publish"]["permissions"] == {"contents": "write", "id-token": "write"}
    tokens = ("PYPI_API_TOKEN", "TESTPYPI_API_TOKEN", "WORKBENCH_TOKEN_WHEELS_EXAMPLE_COM_8443")
    assert secrets(bare) == tokens
    assert "pypi_attestations" not in str((usual, bare)), (
        "GitHub keeps those of its releases, and bare has none"
    )
    for ci, more, python in (
        ("\n  to: pypi,index", {}, ".venv/bin/python"),
        ("{}", {"bucket": True}, ".venv/bin/python"),
        ("\n  to: pypi,index\n  install: wheel-workbench", {"checkout": False}, "python"),
    ):
        steps = wheels(ci, **more)["publish"]["steps"]
        signed, published = (
            next(number for number, step in enumerate(steps) if words in step.get("run", ""))
            for words in (f"{python} -m pypi_attestations sign wheels/*.whl", "upload wheels/*.whl")
        )
        assert signed < published
    pages = wheels("\n  to: github,index\npublic_url: https://ada.github.io/wheels")
    assert "pypi_attestations" in str(pages["publish"]), "the index links to one by its address"
    assert secrets(usual) == ()
    assert secrets(wheels("\n  to: github,index", bucket=True)) == (
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
    )
    jobs = wheels("{}", bucket=True)
    assert [name for name, job in jobs.items() if "secrets." in str(job)] == ["publish"]
    assert "pages" not in jobs  # the bucket has them


def secrets(jobs: dict[str, dict[str, Any]]) -> tuple[str, ...]:
    """Return the names of what `publish` gets of the environment's secrets."""
    return tuple(re.findall(r"\bsecrets\.(\w+)", str(jobs["publish"])))


@pytest.mark.parametrize(
    ("to", "said"),
    [
        ("pypi", "write pypi,index"),
        ("https://[::1/,index", "not a URL"),
        ('"github:{foo},index"', "unknown field {foo}"),
        ("https://ada:secret@wheels.example.com/,index", "no login or secret in a URL"),
        ("index", "behind an outlet"),
    ],
)
def test_places_that_register_nothing_or_are_none_are_refused(to: str, said: str, paths: Paths) -> None:
    site(paths, f"\n  to: {to}")
    with pytest.raises(SettingsError, match=re.escape(said)):
        workflow_files(paths, read_settings(paths))


def test_wheels_are_not_left_on_a_runner(paths: Paths) -> None:
    site(paths, "\n  to: site")
    with pytest.raises(SettingsError, match="a runner's folder is gone when its job ends"):
        workflow_files(paths, read_settings(paths))


def test_a_workflow_is_written_checked_and_kept_up_to_date(paths: Paths) -> None:
    site(paths, "{}")
    shown = invoke("ci.write", "--dry-run")
    assert shown.status == 0, shown.stderr
    assert "+++ b/.github/workflows/wheels.yml" in shown.stdout
    assert not (paths.root / ".github").exists()
    assert invoke("ci.check").status == SettingsError.exit_code
    assert "wrote .github/workflows/wheels.yml" in invoke("ci.write").stdout
    assert invoke("ci.check").status == 0
    site(paths, "\n  keep: 7")
    checked = invoke("ci.check", "--json")
    assert checked.status == SettingsError.exit_code
    answer = json.loads(checked.stdout)
    assert not answer["current"]
    states = {each["path"]: each["state"] for each in answer["files"]}
    assert states[".github/workflows/wheels.yml"] == "differs"
    assert states[".github/workflows/outdated.yml"] == "same"
    assert "+          retention-days: 7" in answer["files"][0]["diff"]


def test_a_workflow_that_is_no_longer_wanted_goes(paths: Paths) -> None:
    outdated = paths.root / ".github" / "workflows" / "outdated.yml"
    site(paths, "{}")
    invoke("ci.write")
    site(paths, "\n  outdated: ''")
    assert invoke("ci.check").status == SettingsError.exit_code
    assert "+++ /dev/null" in invoke("ci.write", "--dry-run").stdout
    assert outdated.exists()
    assert "removed .github/workflows/outdated.yml" in invoke("ci.write").stdout
    assert not outdated.exists()
    assert invoke("ci.check").status == 0
    outdated.write_text("name: mine\n")
    assert invoke("ci.check").status == 0


def test_what_somebody_else_wrote_is_not_written_over(paths: Paths) -> None:
    site(paths, "{}")
    theirs = paths.root / ".github" / "workflows" / "check.yml"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("name: mine\n")
    refused = invoke("ci.write")
    assert refused.status == 2
    assert ".github/workflows/check.yml: not written by ci.write" in refused.stderr
    assert [each.name for each in theirs.parent.iterdir()] == ["check.yml"]
    assert theirs.read_text() == "name: mine\n"
    assert invoke("ci.write", "--replace").status == 0
    assert MARK in theirs.read_text()


@pytest.mark.parametrize(
    ("ci", "said"),
    [
        ("{python: 3}", "ci.python: expected a string, got 3"),
        ("{python: '3.x'}", "ci.python: '3.x': write a version in quotes"),
        ("{python: '3.9'}", "ci.python: '3.9': write a version in quotes, 3.11 or later"),
        ("{builder: hosts}", "ci.builder: 'hosts': write what --builder takes"),
        ("{schedule: daily}", "ci.schedule: 'daily': write minute, hour"),
        ("{schedule: '61 3 * * *'}", "ci.schedule: '61 3 * * *': write minute, hour"),
        ("{outdated: '1 3 * * 7'}", "ci.outdated: '1 3 * * 7': write minute, hour"),
        ("{runners: {arm64: x}}", "ci.runners.arm64: write an architecture"),
        ("""{runners: {x86_64: "a b'"}}""", 'ci.runners.x86_64: "a b\'": write labels'),
        ("{to: 'github $(x)'}", "ci.to: 'github $(x)': write what --to takes"),
        ("{keep: 0}", "ci.keep: write a number of days"),
    ],
)
def test_a_setting_that_no_workflow_could_say_is_refused(ci: str, said: str, paths: Paths) -> None:
    site(paths, "{}")
    (paths.root / "workbench.yaml").write_text(f"ci: {ci}\n")
    with pytest.raises(SettingsError, match=re.escape(said)):
        read_settings(paths)


@pytest.mark.parametrize("cron", ["0 0 1 1 *", "*/15 0-6/2,22 1,31 JAN-MAR,12 MON-FRI", "5 09 * * 0"])
def test_times_are_written_as_cron_does(cron: str, paths: Paths) -> None:
    site(paths, f"\n  schedule: '{cron}'")
    assert read_settings(paths).ci.schedule == cron


def test_every_cell_has_a_runner_that_can_build_it(paths: Paths) -> None:
    """A cross compiler is here for aarch64 alone, so what is for x86-64 never comes to a Spark."""

    def wheels(arch: str) -> str:
        site(paths, "\n  runners: {aarch64: spark}")
        with (paths.root / "workbench.yaml").open("a") as settings:
            settings.write(f"matrix: {{arch: '{arch}'}}\n")
        return next(each.text or "" for each in workflow_files(paths, read_settings(paths)))

    assert " --arch aarch64\n" in wheels("")
    assert 'runs-on: ["spark"]' in wheels("linux/arm64")
    both = wheels("all")
    assert "--arch aarch64" not in both
    assert """matrix.arch == 'aarch64' && '["spark"]' || '["ubuntu-24.04"]'""" in both
    with pytest.raises(SettingsError, match=r"workbench\.yaml: matrix\.arch: arm: there are x86_64"):
        wheels("arm")


def test_a_site_that_is_a_folder_of_a_repository_is_told_that_nobody_reads_its_workflows(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    site(paths, "{}")
    git(paths.root, "init", "--quiet")
    assert invoke("ci.write", "--dry-run").status == 0
    below = paths.root / "below"
    below.mkdir()
    (below / "inv").touch()
    monkeypatch.setenv("WORKBENCH_SITE", str(below))
    for command in ("ci.write", "ci.check"):
        refused = invoke(command)
        assert (refused.status, f"of the repository {paths.root}, and" in refused.stderr) == (2, True)
    assert not (below / ".github").exists()


def test_a_site_without_the_workbench_must_say_where_it_comes_from(paths: Paths) -> None:
    site(paths, "{}", checkout=False)
    refused = invoke("ci.write")
    assert refused.status == SettingsError.exit_code
    assert "ci.install" in refused.stderr
    assert "git+https://github.com/OWNER/REPOSITORY@COMMIT" in refused.stderr, "as it can be pasted"


@pytest.mark.parametrize("title", SETTINGS)
def test_the_file_for_gitlab_is_whole(title: str, paths: Paths) -> None:
    """GitLab alone can judge it. What can be seen here: its jobs name each other, and their scripts parse."""
    site(paths, SETTINGS[title], bucket=title == "a bucket", checkout="install" not in SETTINGS[title])
    (found,) = workflow_files(paths, read_settings(paths), host="gitlab")
    assert found.path == ".gitlab-ci.yml"
    pipeline = yaml.safe_load(found.text or "")
    jobs = {name: job for name, job in pipeline.items() if isinstance(job, dict) and "script" in job}
    assert {"build:x86_64", "verify:x86_64", "publish"} <= jobs.keys()
    for name, job in jobs.items():
        assert job["stage"] in pipeline["stages"], name
        assert set(job.get("needs", ())) <= jobs.keys(), name
        script = "\n".join([*job["script"], *job.get("after_script", ())])
        parsed = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True, check=False)
        assert (parsed.returncode, parsed.stderr) == (0, ""), name


INV = """\
#!/bin/sh
case "$1" in
matrix) echo '{"include": %s}' ;;
build) shift; printf '[%%s]' "$@" >>built; echo >>built; [ "$3" != one ] ;;
esac
"""


UPLOAD = """\
#!/bin/sh
git -c user.name=T -c user.email=t@example.com commit --quiet --allow-empty --message published
exit $FAILS
"""


VERIFY = """\
#!/bin/sh
echo "$2" >>asked
[ "$2" != wheels/bad-1.0-py3-none-any.whl ] || exit 11
"""


def test_gitlabs_job_hands_on_what_was_verified_whatever_is_rejected(paths: Paths, tmp_path: Path) -> None:
    site(paths, "{}")
    (found,) = workflow_files(paths, read_settings(paths), host="gitlab")
    job = yaml.safe_load(found.text or "")["verify:x86_64"]
    assert (job["artifacts"]["when"], job["artifacts"]["paths"]) == ("always", ["verified/*.whl*"])
    (tmp_path / "inv").write_text(VERIFY)
    (tmp_path / "inv").chmod(0o755)

    def ran() -> int:
        script = ["bash", "-eo", "pipefail", "-c", "\n".join(job["script"])]
        return subprocess.run(script, cwd=tmp_path, capture_output=True, check=False).returncode

    assert ran() == 0, "nothing was built"
    (tmp_path / "wheels").mkdir()
    for name in ("a", "bad", "c"):
        (tmp_path / "wheels" / f"{name}-1.0-py3-none-any.whl").touch()
        (tmp_path / "wheels" / f"{name}-1.0-py3-none-any.whl.build.json").touch()
    assert ran() == 11
    handed = {each.name.partition("-")[0] for each in (tmp_path / "verified").iterdir()}
    assert handed == {"a", "c"}
    assert len(list((tmp_path / "verified").iterdir())) == 4


def test_gitlabs_job_pushes_what_was_published_whatever_fails(paths: Paths, tmp_path: Path) -> None:
    site(paths, "{}")
    (found,) = workflow_files(paths, read_settings(paths), host="gitlab")
    job = yaml.safe_load(found.text or "")["publish"]
    assert job["dependencies"] == ["verify:x86_64"]
    assert job["rules"][-1]["when"] == "always"
    assert job["artifacts"] == {
        "when": "always",
        "paths": ["packages.json", "files", "trust"],
        "expire_in": "14 days",
    }
    upstream, work = tmp_path / "upstream.git", tmp_path / "work"
    git(tmp_path, "init", "--quiet", "--bare", "--initial-branch=main", str(upstream))
    git(tmp_path, "clone", "--quiet", str(upstream), str(work))
    git(work, "commit", "--quiet", "--allow-empty", "--message", "one")
    git(work, "push", "--quiet", "origin", "HEAD:main")
    (work / "verified").mkdir()
    (work / "verified" / "demo-1.0-py3-none-any.whl").touch()
    (work / "inv").write_text(UPLOAD)
    (work / "inv").chmod(0o755)

    def published(url: Path, fails: str) -> int:
        variables = {
            "CI_COMMIT_BRANCH": "main",
            "CI_PROJECT_URL": str(url),
            "CI_SERVER_HOST": "h",
            "FAILS": fails,
        }
        return subprocess.run(
            ["bash", "-eo", "pipefail", "-c", "\n".join(job["script"])],
            cwd=work,
            env={**os.environ, **variables},
            capture_output=True,
            check=False,
        ).returncode

    assert published(upstream.with_suffix(""), "0") == 0
    assert published(upstream.with_suffix(""), "23") == 23
    assert git(upstream, "log", "--format=%s", "main").split() == ["published", "published", "one"]
    assert published(tmp_path / "nowhere", "0") == 1


def test_gitlabs_job_draws_pages_from_what_was_published(paths: Paths, tmp_path: Path) -> None:
    site(paths, "{}")
    (found,) = workflow_files(paths, read_settings(paths), host="gitlab")
    job = yaml.safe_load(found.text or "")["pages"]
    upstream, work = tmp_path / "upstream", tmp_path / "work"
    upstream.mkdir()
    git(upstream, "init", "--quiet", "--initial-branch=main")
    (upstream / "packages.json").write_text("before")
    (upstream / "inv").write_text("#!/bin/sh\nmkdir -p index; cp packages.json index/\n")
    (upstream / "inv").chmod(0o755)
    git(upstream, "add", ".")
    git(upstream, "commit", "--quiet", "--message", "one")
    git(tmp_path, "clone", "--quiet", str(upstream), str(work))
    for place in (upstream, work):  # the second as the artifact of the job before, which this one needs
        (place / "files" / "demo").mkdir(parents=True)
        (place / "files" / "demo" / "a.patch").write_text("a")
        (place / "packages.json").write_text("now")
    git(upstream, "add", ".")
    git(upstream, "commit", "--quiet", "--message", "publish")
    ran = subprocess.run(
        ["bash", "-eo", "pipefail", "-c", "\n".join(job["script"])],
        cwd=work,
        env={**os.environ, "CI_COMMIT_BRANCH": "main"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    drawn = sorted(each.relative_to(work / "public").as_posix() for each in (work / "public").rglob("*.*"))
    assert drawn == ["files/demo/a.patch", "index/packages.json", "packages.json"]
    assert (work / "public" / "index" / "packages.json").read_text() == "now"


def test_gitlab_builds_the_architectures_of_the_settings(paths: Paths) -> None:
    site(paths, "  runners: {x86_64: big}")
    with (paths.root / "workbench.yaml").open("a") as file:
        file.write("matrix: {arch: all}\n")
    (found,) = workflow_files(paths, read_settings(paths), host="gitlab")
    pipeline = yaml.safe_load(found.text or "")
    assert {name: job["tags"] for name, job in pipeline.items() if name.startswith("build:")} == {
        "build:aarch64": ["big"],
        "build:x86_64": ["big"],
    }
    assert "g++-aarch64-linux-gnu" in pipeline["default"]["before_script"][1]


def test_gitlabs_job_builds_each_cell_whatever_fails(paths: Paths) -> None:
    site(paths, "{}")
    with (paths.root / "workbench.yaml").open("a") as file:
        file.write("matrix: {arch: arm64}\n")
    (found,) = workflow_files(paths, read_settings(paths), host="gitlab")
    job = yaml.safe_load(found.text or "")["build:aarch64"]
    axes = dict.fromkeys(("version", "python", "arch", "compute", "torch", "gpu", "variant", "glibc"), "")
    one = {"package": "one", **axes, "version": "1.0", "python": "3.10,3.11", "variant": "a b"}
    two = {"package": "two", **axes, "arch": "aarch64"}
    (paths.root / "inv").write_text(INV % json.dumps([one, two]))
    (paths.root / "inv").chmod(0o755)
    script = "\n".join(job["script"])
    ran = subprocess.run(
        ["bash", "-eo", "pipefail", "-c", script], cwd=paths.root, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 123, ran.stderr  # xargs: one of them failed
    assert (paths.root / "built").read_text().splitlines() == [
        "[--builder][auto][one][--version=1.0][--python=3.10,3.11][--variant=a b]",
        "[--builder][auto][two][--arch=aarch64]",
    ]
