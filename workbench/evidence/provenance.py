"""How a wheel was made, as a statement of in-toto (v1) with SLSA's provenance (v1), in plain JSON.

The statement names the wheel by its sha256, and everything that the build used by hashes of its own. It is made when it
is asked for: what a build is known by (`Provenance`) lies in the wheel's ``.build.json``.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote

from workbench.errors import ProofFailed
from workbench.evidence.dsse import text_of

if TYPE_CHECKING:
    from workbench.evidence.facts import IsolationKind

STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://slsa.dev/provenance/v1"
_BUILD_TYPE = "urn:wheel-workbench:build:v1"
BUILDER = "urn:wheel-workbench:builder:"

_OF_A_URI = ":/?#[]@!$&'()*+,;=%"

Role = Literal["source", "patch", "recipe", "image", "toolkit", "python", "compiler", "tool", "requirement"]

_ROLES: dict[Role, str] = {
    "source": "source",
    "patch": "patch",
    "recipe": "recipe",
    "image": "container image",
    "toolkit": "CUDA toolkit",
    "python": "Python",
    "compiler": "compiler",
    "tool": "tool",
    "requirement": "build requirement",
}
"""Each role of something that a build used, in words, in the order in which people read them."""


ONE_OF = "one of "
"""What `Used.about` begins with where several files are pinned, by sha256, of which each machine takes its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """Something that a build used.

    `uri` names it (a purl, a repository), `url` is where it was fetched from. `digest` is in hex, by algorithm:
    ``sha256``, or ``gitCommit`` for a commit. What is not known is empty.
    """

    role: Role
    name: str
    version: str = ""
    uri: str = ""
    url: str = ""
    digest: dict[str, str] = field(default_factory=dict)
    about: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Isolation:
    """Whether a build could reach nothing but its own tree, and `how` that was ensured, or why it was not.

    With a `network` it could reach that, and nothing else.
    """

    isolated: bool = False
    network: bool = False
    how: str

    @property
    def kind(self) -> IsolationKind:
        """What it comes to, in two words."""
        if self.isolated:
            return "isolated"
        return "network allowed" if self.network else "not isolated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """What is known of a build. Times are UTC in RFC 3339; `epoch` is its source's own time, in seconds since 1970.

    `command` asks for the same wheel again. `parameters` are what it was built for (``python``, ``compute``),
    `inputs` what the recipe says of that target, `environment` the recipe's variables for it. `key` is the build key,
    None where nothing is pinned, or where it was not kept yet. `took` says what of earlier builds went into this one,
    `changed` what was changed in the wheel after its build.
    """

    command: str
    builder: str
    workbench: str
    started: str
    finished: str
    isolation: Isolation
    epoch: int
    parameters: dict[str, str]
    inputs: dict[str, tuple[str, ...]]
    environment: dict[str, str]
    used: tuple[Used, ...]
    key: str | None = None
    took: str = ""
    changed: str = ""

    @property
    def seconds(self) -> int:
        """How long the build took."""
        began, ended = (datetime.fromisoformat(each) for each in (self.started, self.finished))
        return round((ended - began).total_seconds())

    @property
    def beyond_key(self) -> tuple[Used, ...]:
        """What had a say in the wheel and is not in its build key: with another, the same key may give other bytes."""
        image: tuple[Role, ...] = () if self.builder == "container" else ("python", "compiler")
        return tuple(each for each in self.used if each.role in (*image, "tool", "requirement"))

    def of_role(self, role: Role) -> tuple[Used, ...]:
        """Return what was used in one role."""
        return tuple(each for each in self.used if each.role == role)


def statement(filename: str, sha256: str, made: Provenance) -> dict[str, Any]:
    """Return the statement of a wheel: in-toto's Statement v1, with SLSA's provenance v1 as its predicate."""
    return {
        "_type": STATEMENT,
        "subject": [{"name": filename, "digest": {"sha256": sha256}}],
        "predicateType": PREDICATE,
        "predicate": {
            "buildDefinition": {
                "buildType": _BUILD_TYPE,
                "externalParameters": {"command": made.command, **made.parameters},
                "internalParameters": {
                    "buildKey": made.key,
                    "notInBuildKey": sorted({each.role for each in made.beyond_key}),
                    "took": made.took,
                    **({"changed": made.changed} if made.changed else {}),
                    "isolation": asdict(made.isolation),
                    "sourceDateEpoch": made.epoch,
                    "inputs": {key: list(values) for key, values in made.inputs.items()},
                    "environment": made.environment,
                },
                "resolvedDependencies": [_descriptor(each) for each in made.used],
            },
            "runDetails": {
                "builder": {"id": f"{BUILDER}{made.builder}", "version": {"wheel-workbench": made.workbench}},
                "metadata": {"startedOn": made.started, "finishedOn": made.finished},
            },
        },
    }


def _descriptor(used: Used) -> dict[str, Any]:
    """Return in-toto's ResourceDescriptor of something that was used, without what is not known."""
    annotations = {"role": used.role, "version": used.version, "about": used.about}
    told = {"name": used.name, "uri": uri_of(used.uri), "downloadLocation": used.url, "digest": used.digest}
    known = {key: value for key, value in told.items() if value}
    return {**known, "annotations": {key: value for key, value in annotations.items() if value}}


def uri_of(name: str) -> str:
    """Return a `Used.uri` as a URI (RFC 3986): git also takes a path, ``host:path``, and characters that no URI has."""
    if not name.startswith("git+"):
        return name
    url = name.removeprefix("git+")
    if "://" not in url:
        host, colon, path = url.partition(":")
        url = f"ssh://{host}/{path}" if colon and "/" not in host else f"file://{url}"
    return f"git+{quote(url, safe=_OF_A_URI)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedBuild:
    """What a statement says, read from its JSON: which file it is about, and how that was made.

    What the build used stands in the order of `_ROLES`.
    """

    filename: str
    sha256: str
    made: Provenance

    @property
    def facts(self) -> tuple[tuple[str, str], ...]:
        """The build, as lines for people."""
        made = self.made
        return (
            ("command", made.command),
            ("builder", made.builder),
            ("workbench", made.workbench),
            ("isolated", f"{'yes' if made.isolation.isolated else 'no'}: {made.isolation.how}"),
            *([("took", made.took)] if made.took else []),
            *([("changed", made.changed)] if made.changed else []),
            ("built", f"{made.started} to {made.finished}"),
        )


def read_statement(data: Any, *, where: str) -> StatedBuild:  # noqa: ANN401 - any value of JSON
    """Return what a statement says. Raises ProofFailed for what is not one of those that `statement` makes."""
    try:
        if (data["_type"], data["predicateType"]) != (STATEMENT, PREDICATE):
            raise ProofFailed(f"{where}: it is not a statement of SLSA's provenance v1")
        (subject,) = data["subject"]
        definition, run = data["predicate"]["buildDefinition"], data["predicate"]["runDetails"]
        if definition["buildType"] != _BUILD_TYPE:
            raise ProofFailed(
                f"{where}: it speaks of a build of another kind: {definition['buildType']!r:.80}"
            )
        asked, inner = definition["externalParameters"], definition["internalParameters"]
        metadata, isolation = run["metadata"], inner["isolation"]
        used = [_used(each) for each in definition["resolvedDependencies"]]
        order = list(_ROLES)
        key = inner.get("buildKey")
        made = Provenance(
            command=text_of(asked["command"]),
            builder=text_of(run["builder"]["id"]).removeprefix(BUILDER),
            workbench=text_of(run["builder"]["version"]["wheel-workbench"]),
            started=text_of(metadata["startedOn"]),
            finished=text_of(metadata["finishedOn"]),
            isolation=Isolation(
                isolated=isolation["isolated"] is True,
                network=isolation.get("network") is True,
                how=text_of(isolation["how"]),
            ),
            epoch=_whole(inner["sourceDateEpoch"]),
            parameters={name: text_of(value) for name, value in asked.items() if name != "command"},
            inputs={name: tuple(map(text_of, values)) for name, values in inner["inputs"].items()},
            environment={name: text_of(value) for name, value in inner["environment"].items()},
            used=tuple(sorted(used, key=lambda each: order.index(each.role))),
            key=None if key is None else text_of(key),
            took=text_of(inner.get("took", "")),
            changed=text_of(inner.get("changed", "")),
        )
        sha256 = text_of(subject["digest"]["sha256"])
        return StatedBuild(filename=text_of(subject["name"]), sha256=sha256, made=made)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ProofFailed(
            f"{where}: it is not a statement as the workbench makes them: {type(error).__name__}: {error}"
        ) from error


def _whole(value: object) -> int:
    """Return a whole number of JSON. Raises TypeError for another value."""
    if not isinstance(value, int):
        raise TypeError(f"expected a whole number, got {value!r:.60}")
    return value


def _used(data: dict[str, Any]) -> Used:
    annotations = data["annotations"]
    role: Role = annotations["role"]
    return Used(
        role=role,
        name=text_of(data["name"]),
        version=text_of(annotations.get("version", "")),
        uri=text_of(data.get("uri", "")),
        url=text_of(data.get("downloadLocation", "")),
        digest={text_of(key): text_of(value) for key, value in data.get("digest", {}).items()},
        about=text_of(annotations.get("about", "")),
    )


def used_rows(told: StatedBuild) -> tuple[tuple[str, str, str], list[tuple[str, str, str]]]:
    """Return what a build used as a table for people: what it is, its name and version, its hash."""
    rows = []
    for each in told.made.used:
        digest = ", ".join(f"{algorithm} {value}" for algorithm, value in each.digest.items())
        name = f"{each.name} {each.version}".strip()
        if each.about.startswith(ONE_OF):
            rows.append((_ROLES[each.role], name, each.about))
        else:
            what = f"{name}: {each.about}" if each.about else name
            rows.append((_ROLES[each.role], what, digest or "no hash"))
    return ("used as", "what", "hash"), rows
