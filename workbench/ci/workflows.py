"""A site's workflows as text: templates, filled in from its settings and from the table of pinned actions."""

from __future__ import annotations

import json
import re
import shlex
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import jinja2

from workbench.arch import ARCHITECTURES
from workbench.errors import SettingsError, UsageError
from workbench.outlets.credentials import variables_for
from workbench.outlets.places import INDEX, SITE, is_index_url, places
from workbench.plan.target import parse_arch
from workbench.strict import parse

if TYPE_CHECKING:
    from workbench.paths import Paths
    from workbench.settings import Settings

Host = Literal["github", "gitlab"]

MARK = "Written by 'ci.write' from workbench.yaml: change its settings (ci:), and run it again"
"""What the first line of each file says; one without it is somebody else's."""

_HERE = Path(__file__).parent

_TEMPLATES: dict[Host, dict[str, str]] = {
    "github": {
        ".github/workflows/wheels.yml": "wheels.yml",
        ".github/workflows/check.yml": "check.yml",
        ".github/workflows/outdated.yml": "outdated.yml",
        ".github/pull_request_template.md": "pull_request_template.md",
    },
    "gitlab": {".gitlab-ci.yml": "gitlab.yml"},
}
"""The files of each host, and the template that each comes from."""

_BLANK = re.compile(r"\n\n+(?= {4})|\n(?=\n\n)")

_USUAL_RUNNERS: dict[Host, dict[str, str]] = {
    "github": {"aarch64": "ubuntu-24.04-arm", "x86_64": "ubuntu-24.04"},
    "gitlab": {"aarch64": "saas-linux-small-arm64", "x86_64": "saas-linux-small-amd64"},
}

_USUAL_OUTLETS: dict[Host, str] = {
    "github": "github,index",
    "gitlab": "$CI_API_V4_URL/projects/$CI_PROJECT_ID/packages/pypi,index",
}
"""Where wheels go if nothing else is said: what the host itself has, and the site's index, which links to that."""

_BUCKET_SECRETS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")


@dataclass(frozen=True, slots=True, kw_only=True)
class PinnedAction:
    """An action by the commit that is run; `version` is the release that it is."""

    version: str
    commit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowFile:
    """A file that a CI service reads: its path below the site's root, and all that is in it; None: it is not to be."""

    path: str
    text: str | None


def workflow_files(paths: Paths, settings: Settings, *, host: Host | None = None) -> tuple[WorkflowFile, ...]:
    """Return the files that a site's settings come to, for the host that they name or the one that is given.

    Pure but for one look at the site: a checkout of the workbench has ``./inv``, any other must name what installs the
    workbench. Raises SettingsError where it does not.
    """
    ci = settings.ci
    checkout = (paths.root / "inv").is_file()
    if not checkout and not ci.install:
        raise SettingsError(
            f"{paths.root / 'workbench.yaml'}: ci.install: {paths.root} is not a checkout of the workbench: name what "
            "pip installs to have it, as 'wheel-workbench @ git+https://github.com/OWNER/REPOSITORY@COMMIT'"
        )
    host = host or ci.host
    runners = ci.runners or _USUAL_RUNNERS[host]
    bucket = settings.store.s3 is not None
    to = ci.to or ("site" if bucket else _USUAL_OUTLETS[host])
    words = _places(to, paths) if ci.to else tuple(to.split(","))  # of the usual one GitLab knows the URL
    if SITE in words and not bucket:
        raise SettingsError(
            f"{paths.root / 'workbench.yaml'}: ci.to: {to}: a runner's folder is gone when its job ends: name a bucket "
            "(store.s3), or write github,index"
        )
    arches = _arches(settings, runners)
    if "x86_64" in arches and "x86_64" not in runners:  # no cross compiler here compiles for it
        runners = {**runners, "x86_64": _USUAL_RUNNERS[host]["x86_64"]}
    facts: dict[str, object] = {
        "ci": ci,
        "program": "workbench" if ci.install else "./inv",
        "python": "python" if ci.install else ".venv/bin/python",
        "to": to,
        "runners": runners,
        # the job that asks for the cells runs on x86-64
        "arch": "" if settings.matrix.arch or "x86_64" in runners else arches[0],
        "built_on": {arch: runners.get(arch) or next(iter(runners.values())) for arch in arches},
        "verified": [f"verify:{arch}" for arch in sorted(arches)],
        "runs_on": _runs_on(runners),
        "bucket": bucket,
        # a bucket has its pages itself
        "pages": ci.pages and not bucket,
        "runtime_images": bool(settings.container.runtime_images),
        "github": any(place.partition(":")[0] == "github" for place in words),
        "attestations": ci.attest
        and (
            bool({SITE, "pypi", "testpypi"} & {*words})
            # no page links to one from any other address
            or (INDEX in words and (settings.public_url or "").startswith("https://"))
        ),
        "identity": ci.attest or bool({"pypi", "testpypi"} & {*words}),
        "secrets": _secrets(words, bucket=bucket),
    }
    unwanted = () if ci.outdated else ("outdated.yml",)
    return tuple(
        WorkflowFile(path=path, text=None if name in unwanted else _drawn(path, name, facts))
        for path, name in _TEMPLATES[host].items()
    )


def _places(to: str, paths: Paths) -> tuple[str, ...]:
    """Return the places of ``ci.to``. Raises SettingsError for what ``--to`` refuses, or what registers nothing."""
    where = f"{paths.root / 'workbench.yaml'}: ci.to"
    try:
        words = places(to)
    except UsageError as error:
        raise SettingsError(f"{where}: {error}") from None
    if not {SITE, INDEX} & {*words}:
        raise SettingsError(
            f"{where}: {to}: nothing would be registered as published, so each run would build it again: write "
            f"{to},{INDEX}, or {SITE} for a bucket"
        )
    return words


def _arches(settings: Settings, runners: Mapping[str, str]) -> tuple[str, ...]:
    """Return the architectures that are built; where the settings name none, the one of the jobs without a cell."""
    words = [word.strip() for word in settings.matrix.arch.split(",")]
    if words == [""]:
        return (next(each for each in ARCHITECTURES if each in runners),)
    try:
        return ARCHITECTURES if "all" in words else tuple(dict.fromkeys(map(parse_arch, words)))
    except UsageError as error:
        raise SettingsError(f"workbench.yaml: matrix.arch: {str(error).removeprefix('--arch ')}") from None


def _secrets(words: Sequence[str], *, bucket: bool) -> list[str]:
    """Return what places may need, which the repository's owner gives its environment; empty where that has none."""
    found = {*_BUCKET_SECRETS} if bucket else set[str]()
    for word in words:
        if word in ("pypi", "testpypi") or is_index_url(word):
            found.add(variables_for(word, word)[0])
    return sorted(found)


def _drawn(path: str, name: str, facts: dict[str, object]) -> str:
    marked = f"<!-- {MARK} -->\n\n" if path.endswith(".md") else f"# {MARK}\n"
    drawn = _environment().get_template(name).render(facts).strip("\n")
    # a macro ends with a line of its own: only what stands at the left, as a job does, keeps a blank line before it
    return f"{marked}{_BLANK.sub(chr(10), drawn)}\n"


def _runs_on(runners: Mapping[str, str]) -> str:
    """Return what says which runner a cell of the matrix needs; an architecture without one is built on the other's."""
    labels = {arch: json.dumps(each.split(","), separators=(",", ":")) for arch, each in runners.items()}
    if len(set(labels.values())) == 1:
        return next(iter(labels.values()))
    return f"${{{{ fromJSON(matrix.arch == 'aarch64' && '{labels['aarch64']}' || '{labels['x86_64']}') }}}}"


@cache
def pins() -> dict[str, PinnedAction]:
    """Return the table of actions, by their names."""
    table = tomllib.loads((_HERE / "pins.toml").read_text(encoding="utf-8"))
    return {name: parse(PinnedAction, pin, path=name) for name, pin in table.items()}


def _pinned(action: str) -> str:
    """Return what stands behind ``uses:``, for whoever reads it with the release beside."""
    pin = pins()[action]
    return f"{action}@{pin.commit} # {pin.version}"


def _quoted(value: str) -> str:
    """Return text as YAML holds it whatever it is: JSON's strings are YAML's."""
    return json.dumps(value)


@cache
def _environment() -> jinja2.Environment:
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE / "templates"),
        # {{ and }} are GitHub's own
        variable_start_string="<<",
        variable_end_string=">>",
        block_start_string="<%",
        block_end_string="%>",
        comment_start_string="<#",
        comment_end_string="#>",
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # noqa: S701 - YAML, not HTML: `quoted` is what escapes
    )
    made.filters["quoted"] = _quoted
    made.filters["shell"] = shlex.quote
    made.filters["flow"] = json.dumps  # a list of plain words, on one line
    made.globals["pinned"] = _pinned
    return made
