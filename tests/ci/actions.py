"""A workflow run on this machine: GitHub's own parser and evaluator decide what runs, bash runs it, job by job.

Steps in bash are run as a runner does: ``bash -eo pipefail`` on a file, with ``GITHUB_OUTPUT``, ``GITHUB_ENV``,
``GITHUB_PATH`` and ``GITHUB_STEP_SUMMARY``. For each action there is a stand-in that does here what the action does
there (`ACTIONS`). Nobody here can vouch for an attestation, or for who asks for one: those are marked unverified.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import yaml

from workbench.ci.workflows import pins
from workbench.paths import CHECKOUT
from workbench.process import environment

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

Result = str
"""What a job or a step came to, in GitHub's words: success, failure, skipped."""

_PARSER = CHECKOUT / ".workbench" / "tools" / "github-actions-0.3.61"


class Evaluator:
    """GitHub's parser and evaluator, in a process of Node; see ``github.mjs``."""

    def __init__(self) -> None:
        assert _PARSER.is_dir(), "GitHub's parser is not on this machine: tests/ci/setup fetches it"
        node = shutil.which("node", path=f"{sys.prefix}/bin")
        program = [str(node), str(CHECKOUT / "tests" / "ci" / "github.mjs"), str(_PARSER)]
        self._process = subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def ask(self, **question: Any) -> dict[str, Any]:
        """Return the answer to one question."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{json.dumps(question)}\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        assert "fault" not in answer, answer["fault"]
        return answer


@dataclass
class Hosted:
    """What GitHub keeps for a repository: its branches, what is deployed, what was attested.

    `origin` is a bare repository, `place` a folder for all else. `variables` are what a runner has beside its own.
    """

    origin: Path
    place: Path
    variables: Mapping[str, str | None] = field(default_factory=dict)
    attested: list[str] = field(default_factory=list)
    """Files that were attested. Unverified: nobody signs here, and no identity is asked for."""

    @property
    def pages(self) -> Path:
        """The folder that is deployed to Pages."""
        return self.place / "pages"


@dataclass
class Cell:
    """One job for one cell of its matrix: its contexts, its workspace, and what its steps came to."""

    run: Run
    job: str
    contexts: dict[str, Any]
    workspace: Path
    variables: dict[str, str]
    job_env: dict[str, str] = field(default_factory=dict)
    path: list[str] = field(default_factory=list)
    failed: bool = False

    def evaluate(self, value: Any) -> Any:
        """Return a value of the workflow with its expressions replaced by what they come to."""
        if isinstance(value, dict):
            return {key: self.evaluate(each) for key, each in value.items()}
        if isinstance(value, list):
            return [self.evaluate(each) for each in value]
        if not isinstance(value, str) or "${{" not in value:
            return value
        return self.run.evaluator.ask(text=value, **self._asking())["value"]

    def holds(self, condition: str) -> bool:
        return bool(self.run.evaluator.ask(expression=condition, **self._asking())["holds"])

    def _asking(self) -> dict[str, Any]:
        status = {"success": not self.failed, "failure": self.failed, "cancelled": False}
        contexts = {**self.contexts, "env": self.variables}
        return {"contexts": contexts, "status": status, "workspace": str(self.workspace)}


@dataclass
class Run:
    """One run of a workflow: `walk` takes it to its end.

    `event` and `inputs` are what started it. `results` has each job's result, `log` what every step printed.
    """

    hosted: Hosted
    workflow: str
    evaluator: Evaluator
    event_name: str = "workflow_dispatch"
    event: dict[str, Any] = field(default_factory=dict)
    inputs: dict[str, str] = field(default_factory=dict)
    results: dict[str, Result] = field(default_factory=dict)
    outputs: dict[str, dict[str, Any]] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)
    summary: str = ""
    only: Callable[[dict[str, Any]], bool] = lambda _matrix: True
    """Says which cells of a matrix are walked."""
    broken: Callable[[str, dict[str, Any]], bool] = lambda _job, _matrix: False
    """Says of a job and its cell whether it fails before its first step, as where its runner is lost."""
    meanwhile: Callable[[str], None] = lambda _title: None
    """Called before each step with its title: what others do while a job runs."""

    def __post_init__(self) -> None:
        self.sha = self._git("rev-parse", "HEAD").strip()
        self.attempt = 0
        self._cells: dict[tuple[str, int], Result] = {}
        self._artifacts = self.hosted.place / "artifacts" / str(next(_NUMBERS))

    def walk(self) -> Run:
        """Run all jobs in an order that their needs allow.

        Called again it does what "Re-run failed jobs" does: those that failed, of a matrix the cells, and all that need
        them, on the same commit and beside the artifacts that are there.
        """
        self.attempt += 1
        text = self._git("show", f"{self.sha}:.github/workflows/{self.workflow}")
        read = self.evaluator.ask(workflow=text)
        assert read["errors"] == []
        document = yaml.safe_load(text)
        assert document["defaults"] == {"run": {"shell": "bash"}}
        left = {job["id"]: job for job in read["jobs"]}
        anew: set[str] = set()
        while left:
            job = next(each for each in left.values() if not set(each["needs"]) & left.keys())
            name, because_of_others = job["id"], bool(anew.intersection(job["needs"]))
            if because_of_others or self.results.get(name) not in ("success", "skipped"):
                anew.add(name)
                if because_of_others:
                    self._cells = {key: result for key, result in self._cells.items() if key[0] != name}
                self._job(job, document)
            del left[name]
        return self

    def _git(self, *words: str) -> str:
        command = ["git", "-C", str(self.hosted.origin), *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def artifact(self, name: str) -> Path:
        """Return the folder of an artifact of this run."""
        return self._artifacts / name

    def said(self) -> str:
        """Return all that was printed, and how it ended."""
        return "\n".join([*self.log, str(self.results)])

    def _job(self, parsed: dict[str, Any], document: dict[str, Any]) -> None:
        name, job = parsed["id"], document["jobs"][parsed["id"]]
        needs = {
            each: {"result": self.results[each], "outputs": self.outputs[each]} for each in parsed["needs"]
        }
        contexts = self._contexts(needs)
        before = Cell(self, name, contexts, self.hosted.place, {})
        before.failed = any(each["result"] != "success" for each in needs.values())
        self.outputs[name] = {}
        if not before.holds(parsed["condition"]):
            self.results[name] = "skipped"
            return
        strategy = job.get("strategy", {})
        matrix = before.evaluate(strategy.get("matrix")) or {"include": [{}]}
        cells = matrix["include"]
        for number, values in enumerate(cells):
            if "strategy" in job and not self.only(values):
                continue
            own = {"job-index": number, "job-total": len(cells), "fail-fast": strategy.get("fail-fast", True)}
            if self._cells.get((name, number)) != "success":
                own_contexts = {**contexts, "matrix": values, "strategy": own}
                self._cells[name, number] = self._cell(name, job, parsed, own_contexts)
        ended = {result for (each, _), result in self._cells.items() if each == name}
        self.results[name] = "failure" if "failure" in ended else "success"

    def _cell(
        self, name: str, job: dict[str, Any], parsed: dict[str, Any], contexts: dict[str, Any]
    ) -> Result:
        number = contexts["strategy"]["job-index"]
        workspace = self.hosted.place / "work" / f"{next(_NUMBERS)}-{name}-{number}"
        workspace.mkdir(parents=True)
        cell = Cell(self, name, {**contexts, "steps": {}}, workspace, {}, job_env=job.get("env", {}))
        cell.contexts["github"] = {**contexts["github"], "workspace": str(workspace)}
        assert cell.evaluate(job["runs-on"])
        title = cell.evaluate(job["name"])
        self.log.append(f"==== {title}")
        if self.broken(name, contexts["matrix"]):
            return "failure"
        for step, facts in zip(job["steps"], parsed["steps"], strict=True):
            self._step(cell, step, facts)
        self.outputs[name] |= cell.evaluate(job.get("outputs", {}))
        return "failure" if cell.failed else "success"

    def _step(self, cell: Cell, step: dict[str, Any], facts: dict[str, Any]) -> None:
        outcome, outputs = "skipped", {}
        if cell.holds(facts["condition"]):
            title = cell.evaluate(step.get("name") or step.get("uses") or step["run"])
            self.log.append(f"---- {title}")
            self.meanwhile(title)
            try:
                outputs = _use(cell, step) if "uses" in step else _bash(cell, step)
                outcome = "success"
            except (subprocess.CalledProcessError, FileNotFoundError) as error:
                outcome, cell.failed = "failure", True
                self.log.append(f"failed: {error}")
        cell.contexts["steps"][facts["id"]] = {"outcome": outcome, "conclusion": outcome, "outputs": outputs}

    def _contexts(self, needs: dict[str, Any]) -> dict[str, Any]:
        github = {
            "event": self.event,
            "event_name": self.event_name,
            "ref": "refs/heads/main",
            "ref_name": "main",
            "repository": "someone/wheels",
            "run_attempt": str(self.attempt),
            "sha": self.sha,
            "token": self.hosted.variables.get("TOKEN", "a-token"),
        }
        runner = {"environment": "github-hosted", "arch": "X64", "os": "Linux"}
        secrets = {name: value for name, value in self.hosted.variables.items() if name.endswith("_TOKEN")}
        return {
            "github": github,
            "inputs": self.inputs,
            "matrix": {},
            "needs": needs,
            "runner": runner,
            "secrets": secrets,
            "steps": {},
            "strategy": {},
            "vars": {},
        }


_NUMBERS = itertools.count()


BASH = ("bash", "--noprofile", "--norc", "-eo", "pipefail")
"""How a runner starts bash where a workflow says ``shell: bash``, as all of ours do."""


def _bash(cell: Cell, step: dict[str, Any]) -> dict[str, str]:
    """Run a step's script as a runner does, and return its outputs."""
    assert "${{" not in step["run"], "an expression in a script: whoever names it writes the script"
    folder = cell.workspace.parent / f"{cell.workspace.name}.files"
    folder.mkdir(exist_ok=True)
    files = {
        name: folder / name for name in ("GITHUB_OUTPUT", "GITHUB_ENV", "GITHUB_PATH", "GITHUB_STEP_SUMMARY")
    }
    for path in files.values():
        path.write_text("")
    script = folder / "script.sh"
    script.write_text(step["run"])
    github = cell.contexts["github"]
    own = {
        "CI": "true",
        "GITHUB_ACTIONS": "true",
        "GITHUB_EVENT_NAME": github["event_name"],
        "GITHUB_REF": github["ref"],
        "GITHUB_REF_NAME": github["ref_name"],
        "GITHUB_REPOSITORY": github["repository"],
        "GITHUB_SHA": github["sha"],
        "GITHUB_WORKSPACE": str(cell.workspace),
        **{name: str(path) for name, path in files.items()},
    }
    asked = {**cell.job_env, **step.get("env", {})}
    given = {name: str(_plain(value)) for name, value in cell.evaluate(asked).items()}
    variables = environment({**cell.run.hosted.variables, **own, **cell.variables, **given})
    variables["PATH"] = os.pathsep.join([*cell.path, variables["PATH"]])
    done = subprocess.run(
        [*BASH, str(script)],
        cwd=cell.workspace,
        env=variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    cell.run.log.append(done.stdout)
    cell.run.summary += files["GITHUB_STEP_SUMMARY"].read_text()
    cell.variables |= _pairs(files["GITHUB_ENV"].read_text())
    cell.path = [*files["GITHUB_PATH"].read_text().split(), *cell.path]
    done.check_returncode()
    return _pairs(files["GITHUB_OUTPUT"].read_text())


def _plain(value: Any) -> Any:
    """Return a value as GitHub puts it into a variable."""
    return "" if value is None else str(value).lower() if isinstance(value, bool) else value


def _pairs(text: str) -> dict[str, str]:
    """Return what a file of ``name=value`` lines and ``name<<END`` blocks says."""
    found = {}
    for each in re.finditer(r"^(\w+)(?:=(.*)|<<(\S+)\n((?:.*\n)*?)\3)$", text, re.MULTILINE):
        found[each[1]] = each[2] if each[3] is None else each[4].removesuffix("\n")
    return found


def _use(cell: Cell, step: dict[str, Any]) -> dict[str, str]:
    """Do what an action does, which is pinned by a commit of our table; return its outputs."""
    action, _, commit = step["uses"].partition("@")
    assert commit == pins()[action].commit
    return ACTIONS[action](
        cell, {key: str(_plain(each)) for key, each in cell.evaluate(step.get("with", {})).items()}
    )


def _checkout(cell: Cell, given: dict[str, str]) -> dict[str, str]:
    assert given["persist-credentials"] == "false"
    ref = given.get("ref") or cell.contexts["github"]["sha"]
    for words in (
        ["init", "--quiet", "--initial-branch=main"],
        ["remote", "add", "origin", str(cell.run.hosted.origin)],
        ["fetch", "--quiet", *([] if given.get("fetch-depth") == "0" else ["--depth=1"]), "origin", ref],
        ["checkout", "--quiet", *(["-B", ref] if "ref" in given else ["--detach"]), "FETCH_HEAD"],
    ):
        subprocess.run(["git", *words], cwd=cell.workspace, check=True)
    # what ./inv makes in a minute from the lock: the same for every job, so it is not made anew here
    (cell.workspace / ".venv").symlink_to(sys.prefix)
    return {}


def _setup_python(_cell: Cell, given: dict[str, str]) -> dict[str, str]:
    assert re.fullmatch(r"3\.\d+", given["python-version"])
    return {}


def _upload_artifact(cell: Cell, given: dict[str, str]) -> dict[str, str]:
    """Keep files, from the least folder that holds them all, as the action does."""
    hidden = given.get("include-hidden-files") == "true"
    found = [path for path in cell.workspace.glob(given["path"]) if path.is_file()]
    found = [
        each
        for each in found
        if hidden or not any(part.startswith(".") for part in each.relative_to(cell.workspace).parts)
    ]
    if not found:
        if given.get("if-no-files-found") == "error":
            raise FileNotFoundError(given["path"])
        return {}
    place = cell.run.artifact(given["name"])
    if place.exists():
        assert given.get("overwrite") == "true", f"an artifact of this name is there: {given['name']}"
        shutil.rmtree(place)
    place.mkdir(parents=True)
    base = os.path.commonpath([each.parent for each in found])
    for each in found:
        there = place / each.relative_to(base)
        there.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(each, there)
    return {}


def _download_artifact(cell: Cell, given: dict[str, str]) -> dict[str, str]:
    assert given["merge-multiple"] == "true"
    into = cell.workspace / given["path"]
    into.mkdir(exist_ok=True)
    for each in sorted(cell.run.artifact("").glob(given["pattern"])):
        shutil.copytree(each, into, dirs_exist_ok=True)
    return {}


def _attest(cell: Cell, given: dict[str, str]) -> dict[str, str]:
    cell.run.hosted.attested += sorted(each.name for each in cell.workspace.glob(given["subject-path"]))
    return {}


def _upload_pages(cell: Cell, given: dict[str, str]) -> dict[str, str]:
    # of two of one name, those of two attempts, the deployment would know neither
    shutil.copytree(cell.workspace / given["path"], cell.run.artifact(given["name"]))
    return {}


def _deploy_pages(cell: Cell, given: dict[str, str]) -> dict[str, str]:
    hosted = cell.run.hosted
    shutil.rmtree(hosted.pages, ignore_errors=True)
    shutil.copytree(cell.run.artifact(given["artifact_name"]), hosted.pages)
    return {"page_url": "https://someone.github.io/wheels/"}


ACTIONS: dict[str, Callable[[Cell, dict[str, str]], dict[str, str]]] = {
    "actions/checkout": _checkout,
    "actions/setup-python": _setup_python,
    "actions/upload-artifact": _upload_artifact,
    "actions/download-artifact": _download_artifact,
    "actions/attest": _attest,
    "actions/upload-pages-artifact": _upload_pages,
    "actions/deploy-pages": _deploy_pages,
}
"""What stands in for each action here."""
