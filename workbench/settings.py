"""``workbench.yaml``, the variables above it, and what they say of a site: its store, its pages, its builders.

The file is optional: without it the builder is this machine and the store is the site's own folder.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field, fields, replace
from functools import partial
from operator import attrgetter
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from workbench.arch import PLATFORMS
from workbench.errors import SettingsError
from workbench.strict import Mismatch, parse
from workbench.url import has_secret

if TYPE_CHECKING:
    from workbench.paths import Paths


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Settings:
    """A bucket, and the prefix in it below which everything lies.

    `endpoint` is the URL of a store that is not AWS; `region` and `profile` are those of the AWS
    configuration unless given. Credentials are never set here: they come from the standard AWS chain.
    `single_writer` is your word that nobody else publishes there: it lets a store be used that ignores conditions.
    """

    bucket: str
    prefix: str = ""
    endpoint: str | None = None
    region: str | None = None
    profile: str | None = None
    single_writer: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreSettings:
    """Where published files go: a folder, relative to the site, or a bucket. Without either, the site itself."""

    folder: str | None = None
    s3: S3Settings | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexSettings:
    """How the index is drawn.

    `urls` says whether pages link to files relatively or by `public_url`. `title` heads the pages for people,
    which are drawn unless `people` is off. `committed` pages are served from the branch: ``--commit`` commits them too,
    and they link by `public_url`.
    """

    urls: Literal["relative", "absolute"] = "relative"
    title: str = "Wheels"
    people: bool = True
    committed: bool = False


_DEFAULT_IMAGE = "manylinux_2_28"
"""Where nothing is said: the manylinux image that cibuildwheel pins, with the toolchain mounted in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerSettings:
    """``container:``, every key of it optional.

    ==================  ============================================================================
    ``engine``          ``docker``, ``podman``, or ``auto``: the first of them that answers
    ``create_args``     more arguments for the engine's ``create``
    ``frontend``        ``build[uv]``, or ``build``, which installs with pip
    ``images``          compute platform → architecture → image (``cu130: {aarch64: NAME}``)
    ``runtime_images``  the same: where a built wheel is tried; none: in the image that built it
    ==================  ============================================================================
    """

    engine: Literal["auto", "docker", "podman"] = "auto"
    create_args: tuple[str, ...] = ()
    frontend: Literal["build", "build[uv]"] = "build[uv]"
    images: dict[str, dict[str, str]] = field(default_factory=dict)
    runtime_images: dict[str, dict[str, str]] = field(default_factory=dict)

    def image(self, compute: str, arch: str) -> str:
        """Return the image that builds for a compute platform and an architecture."""
        return self.images.get(compute, {}).get(arch, _DEFAULT_IMAGE)

    def runtime_image(self, compute: str, arch: str) -> str | None:
        """Return the image that a wheel is tried in, where another than the build's is named."""
        return self.runtime_images.get(compute, {}).get(arch)


@dataclass(frozen=True, slots=True, kw_only=True)
class MatrixSettings:
    """``matrix:``: what is built where a verb's flags say nothing, each as that flag takes it."""

    version: Literal["", "all"] = ""
    python: str = ""
    arch: str = ""
    compute: str = ""
    torch: str = ""
    gpu: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningSettings:
    """``signing:``: the private key that signs, by its path; the days after which a signed root expires.

    A path is relative to the site. Without `expires` a root never does: set it where something signs it on a schedule.
    """

    key: str | None = None
    expires: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CiSettings:
    """``ci:``: what `ci.write` makes workflows of, every key of it optional.

    ===============  ===============================================================================
    ``host``         ``github`` or ``gitlab``
    ``branch``       the branch that is published from
    ``install``      what pip installs to have ``workbench``, where the repository is no checkout of it
    ``python``       the Python that runs the workbench
    ``runners``      architecture → the runner's label, or a list of labels; empty: those that the host has for all
    ``builder``      who builds, as ``--builder`` takes it
    ``to``           where wheels are published, as ``--to`` takes it; empty: where the host keeps files, and ``index``
    ``pages``        false: the index is not deployed to Pages
    ``attest``       false: no attestation is made (GitHub)
    ``schedule``     when all that is not published is built, as cron says it; empty: never
    ``outdated``     when it is asked which packages are behind upstream; empty: never
    ``environment``  the environment whose rules guard what publishes; empty: none (GitHub)
    ``keep``         days for which artifacts stay
    ===============  ===============================================================================
    """

    host: Literal["github", "gitlab"] = "github"
    branch: str = "main"
    install: str | None = None
    python: str = "3.12"
    runners: dict[str, str] = field(default_factory=dict)
    builder: str = "auto"
    to: str = ""
    pages: bool = True
    attest: bool = True
    schedule: str = ""
    outdated: str = "17 3 * * 1"
    environment: str = "release"
    keep: int = 14


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheSettings:
    """``cache:``, every key of it optional: what builds keep for those that come after them.

    ===========  =================================================================================
    ``objects``  false: builds use no object cache; those of a site that signs its wheels never do
    ``size``     how much the objects of all recipes may take on this machine: ``20 GB``
    ``wheels``   a folder that several machines share, or ``store``: wheels of the same build key come from there
    ===========  =================================================================================
    """

    objects: bool = True
    size: str = "10 GB"
    wheels: str | None = None

    @property
    def limit(self) -> int:
        """`size` in bytes."""
        return int(self.size[:-2]) * {"MB": 10**6, "GB": 10**9, "TB": 10**12}[self.size[-2:]]


@dataclass(frozen=True, slots=True, kw_only=True)
class SlurmSettings:
    """``fleet.slurm``: the jobs that ``build-all --scheduler slurm`` submits, every key of it optional.

    =============  ===============================================================================
    ``jobs``       how many there are
    ``cores``      processors of each; it builds as many cells at once
    ``memory``     memory of each: ``100 GB``
    ``walltime``   how long each may run, as Slurm has it, in quotes: ``"12:00:00"``
    ``partition``  the partition
    ``account``    who is charged
    =============  ===============================================================================

    What is not said is as dask-jobqueue's own file has it.
    """

    jobs: int = 1
    cores: int | None = None
    memory: str | None = None
    walltime: str | None = None
    partition: str | None = None
    account: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetSettings:
    """``fleet:``: the machines that `build-all` is handed to."""

    slurm: SlurmSettings = field(default_factory=SlurmSettings)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """``workbench.yaml``, every key of it optional.

    `public_url` is where the world finds the store's root, without a trailing slash. `glibc` is the newest glibc
    that a wheel may need (``2.34``; DGX OS 7 has 2.39). `local_version` is the template for recipes that have none of
    their own. `cuda` names CUDA toolkits of this machine by compute platform; others are laid out from NVIDIA's wheels.
    `isolation` says whether a build on this machine that cannot be isolated runs all the same. `max_memory` is how many
    gigabytes the builds of this machine take together, and each of them at most; None: what is free.
    """

    public_url: str | None = None
    glibc: str | None = None
    local_version: str = ""
    matrix: MatrixSettings = field(default_factory=MatrixSettings)
    cuda: dict[str, str] = field(default_factory=dict)
    store: StoreSettings = field(default_factory=StoreSettings)
    index: IndexSettings = field(default_factory=IndexSettings)
    container: ContainerSettings = field(default_factory=ContainerSettings)
    signing: SigningSettings = field(default_factory=SigningSettings)
    cache: CacheSettings = field(default_factory=CacheSettings)
    fleet: FleetSettings = field(default_factory=FleetSettings)
    isolation: Literal["auto", "required"] = "auto"
    ci: CiSettings = field(default_factory=CiSettings)
    max_memory: int | None = None

    @property
    def most_memory(self) -> int | None:
        """`max_memory` in bytes."""
        return None if self.max_memory is None else self.max_memory * 1_000_000_000


VARIABLES = {each.name: f"WORKBENCH_S3_{each.name.upper()}" for each in fields(S3Settings)}
VARIABLES |= {"public_url": "WORKBENCH_PUBLIC_URL", "folder": "WORKBENCH_STORE_FOLDER"}
"""The variables that stand above ``workbench.yaml``."""

FLAGS: ContextVar[Mapping[str, str]] = ContextVar("FLAGS", default=MappingProxyType({}))
"""What the running verb's flags say, by the keys of `VARIABLES`, which they stand above."""

_GLIBC = re.compile(r"2\.\d{1,2}")
_SIZE = re.compile(r"([1-9]\d{0,8}) ?(MB|GB|TB)")
_BUCKET = re.compile(r"[A-Za-z0-9._-]{1,255}|arn:[^\s]+")
_COMPUTE = re.compile(r"cpu|cu\d{3}|rocm\d+\.\d+")
_ARCH = re.compile(r"x86_64|aarch64")
PASTABLE = re.compile(r"[A-Za-z0-9._~:/%+,=\[\]-]+")
"""A URL that stands in a shell's command line as it is. (A query or a fragment ends the path of no page.)"""


def _cron(*fields: str) -> re.Pattern[str]:
    """Return the form of times as cron writes them, each of whose fields has such values; or of nothing."""
    parts = (rf"(?:\*|(?:{each})(?:-(?:{each}))?)(?:/[1-9]\d?)?" for each in fields)
    return re.compile(f"(?:{' '.join(f'{part}(?:,{part})*' for part in parts)})?")


_CRON = (
    _cron(
        r"[0-5]?\d",
        r"[01]?\d|2[0-3]",
        r"0?[1-9]|[12]\d|3[01]",
        r"0?[1-9]|1[0-2]|JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|OCT|NOV|DEC",
        r"[0-6]|SUN|MON|TUE|WED|THU|FRI|SAT",
    ),
    'write minute, hour, day, month and weekday as cron does: "17 3 * * 1"',
)
_FORMS = {
    "cache.size": (_SIZE, "write an amount of storage: 500 MB or 20 GB"),
    "ci.branch": (re.compile(r"[A-Za-z0-9._/-]+"), "write the name of a branch"),
    "ci.python": (re.compile(r"3\.(1[1-9]|[2-9]\d)"), 'write a version in quotes, 3.11 or later: "3.12"'),
    "ci.builder": (
        re.compile("auto|host|native|cross|container|docker"),
        "write what --builder takes: auto, host, cross, container",
    ),
    "ci.to": (
        re.compile(r"[^\s\"'$`\\]*"),
        "write what --to takes, without spaces and quotes: github,pypi",
    ),
    "ci.schedule": _CRON,
    "ci.outdated": _CRON,
    "ci.environment": (re.compile(r"[A-Za-z0-9._-]*"), "write the name of an environment"),
    "fleet.slurm.memory": (_SIZE, "write 100 GB"),
    "fleet.slurm.walltime": (
        re.compile(r"[0-9]+(-[0-9]+)?(:[0-9]+){0,2}"),
        'write as Slurm does, in quotes: "12:00:00"',
    ),
    "fleet.slurm.partition": (
        re.compile(r"[A-Za-z0-9._,-]+"),
        "write the name of a partition, or a list",
    ),
    "fleet.slurm.account": (re.compile(r"[A-Za-z0-9._-]+"), "write the name of an account"),
}
"""What a text must look like: those of ``ci`` and ``fleet`` reach a workflow, or a job's script, as they stand."""

_NUMBERS = {
    "max_memory": (None, "a number of gigabytes"),
    "signing.expires": (3650, "a number of days"),
    "ci.keep": (400, "a number of days"),  # GitHub keeps artifacts of a public repository for 90
    "fleet.slurm.jobs": (None, "a number"),
    "fleet.slurm.cores": (None, "a number"),
}
"""The most that a number may be, if there is a most, and what it counts; the least is 1."""

_LABELS = re.compile(r"[A-Za-z0-9._-]+(?:,[A-Za-z0-9._-]+)*")

_GONE = {
    "container.network": "a container has no network unless the recipe says network=True",
    "container.cache": "what a container installs is downloaded outside of it",
}
"""Keys of earlier releases, and what to know of them."""

_MOST_MERGED = 1000
"""Keys that merge keys may bring, for mappings that merge one another can multiply without end."""
_WORDS = {"1": True, "true": True, "0": False, "false": False}


def read_settings(paths: Paths) -> Settings:
    """Return ``workbench.yaml`` of a site, or the defaults where there is none, under what variables and flags say.

    Raises SettingsError, which blames the flag, the variable, or the file and the key that the value came from.
    """
    path = paths.root / "workbench.yaml"
    settings = _read(path) if path.exists() else Settings()
    chosen = {key: (name, os.environ[name]) for key, name in VARIABLES.items() if os.environ.get(name)}
    chosen |= {key: (f"--{key.replace('_', '-')}", value) for key, value in FLAGS.get().items() if value}
    return _checked(_overridden(settings, chosen), partial(_origin, path, chosen))


def _origin(path: Path, chosen: Mapping[str, tuple[str, str]], key: str) -> str:
    """Return what a value came from, as an error names it."""
    name, value = chosen.get(key.rpartition(".")[2], ("", ""))
    return f"{name} {value}" if name.startswith("--") else f"{name}={value}" if name else f"{path}: {key}"


def _read(path: Path) -> Settings:
    try:
        data = yaml_document(path.read_text(encoding="utf-8"))
        settings = parse(Settings, {} if data is None else data)
        _require_known(settings)
    except Mismatch as error:
        key = str(error).partition(":")[0]
        why = f"{key}: unknown key: {_GONE[key]}; remove the key" if key in _GONE else error
        raise SettingsError(f"{path}: {why}") from error
    except RecursionError:
        raise SettingsError(f"{path}: nested too deep") from None
    except ValueError as error:
        raise SettingsError(f"{path}: not YAML: {error}") from error
    return settings


def yaml_document(text: str) -> object:
    """Return a document in which no key stands twice. What looks like a date is text, for the key's own check to judge.

    Raises ValueError.
    """
    import yaml

    class Loader(yaml.SafeLoader):
        def flatten_mapping(self, node: yaml.MappingNode) -> None:
            super().flatten_mapping(node)
            if len(node.value) > _MOST_MERGED:
                why = f"its merge keys (<<) bring more than {_MOST_MERGED} keys"
                raise yaml.MarkedYAMLError(None, None, why, node.start_mark)

        def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
            seen: set[str] = set()
            for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
                if key.value in seen:
                    why = f"the key {key.value!r} stands twice"
                    raise yaml.MarkedYAMLError(None, None, why, key.start_mark)
                seen.add(key.value)
            return super().construct_mapping(node, deep)

    Loader.yaml_implicit_resolvers = {
        first: [(tag, form) for tag, form in resolvers if not tag.endswith(":timestamp")]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    try:
        data: object = Loader(text).get_single_data()
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error
    return data


def _require_known(settings: Settings) -> None:
    """Raise Mismatch for a text or a number that makes no sense, and for keys that nothing would be looked up by."""
    for key, (form, remedy) in _FORMS.items():
        text = attrgetter(key)(settings)
        if text is not None and not form.fullmatch(text):
            raise Mismatch(f"{key}: {text!r:.60}: {remedy}")
    for key, (most, what) in _NUMBERS.items():
        number = attrgetter(key)(settings)
        if number is not None and not 1 <= number <= (most or number):
            raise Mismatch(f"{key}: write {what} {f'from 1 to {most}' if most else 'above 0'}")
    _require_known_keys(settings)


def _require_known_keys(settings: Settings) -> None:
    """Raise Mismatch for a compute platform or an architecture that nothing would ever be looked up by."""
    container = settings.container
    tables: dict[str, dict[str, dict[str, str]]] = {
        "cuda": {compute: {} for compute in settings.cuda},
        "container.images": container.images,
        "container.runtime_images": container.runtime_images,
    }
    for section, table in tables.items():
        for compute in table:
            if not _COMPUTE.fullmatch(compute):
                raise Mismatch(f"{section}.{compute}: write a compute platform: cpu, cu130, rocm6.4")
    by_arch = {
        f"{section}.{compute}": found for section, table in tables.items() for compute, found in table.items()
    }
    for section, found in {**by_arch, "ci.runners": settings.ci.runners}.items():
        for arch in found:
            if not _ARCH.fullmatch(arch):
                raise Mismatch(f"{section}.{arch}: write an architecture: x86_64 or aarch64")
    for arch, labels in settings.ci.runners.items():
        if not _LABELS.fullmatch(labels):
            raise Mismatch(f"ci.runners.{arch}: {labels!r:.60}: write labels: self-hosted,linux,dgx-spark")


def _overridden(settings: Settings, chosen: Mapping[str, tuple[str, str]]) -> Settings:
    bucket: dict[str, Any] = {
        key: value for key, (_, value) in chosen.items() if key not in ("public_url", "folder")
    }
    if word := bucket.get("single_writer"):
        if word.lower() not in _WORDS:
            name = chosen["single_writer"][0]
            raise SettingsError(f"{name}={word}: write 1 where nobody else publishes there, else 0")
        bucket["single_writer"] = _WORDS[word.lower()]
    store = settings.store
    if folder := chosen.get("folder"):
        if bucket:
            raise SettingsError(
                f"{folder[0]}={folder[1]}: {', '.join(chosen[key][0] for key in bucket)} too: give one"
            )
        store = StoreSettings(folder=folder[1])
    elif store.s3 is not None:
        store = replace(store, s3=replace(store.s3, **bucket))
    elif "bucket" in bucket:
        store = StoreSettings(s3=S3Settings(**bucket))
    elif bucket:
        names = ", ".join(chosen[key][0] for key in bucket)
        raise SettingsError(f"{names}: no bucket is named: set WORKBENCH_S3_BUCKET, or give --bucket")
    _, public_url = chosen.get("public_url", ("", settings.public_url))
    return replace(settings, store=store, public_url=public_url)


def _is_web(url: str) -> bool:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)


def _checked(settings: Settings, origin: Callable[[str], str]) -> Settings:
    """Return the settings, the public URL without a slash at the end. Raises SettingsError."""
    if settings.store.folder is not None and settings.store.s3 is not None:
        raise SettingsError(f"{origin('store')}: give folder or s3, not both")
    if settings.glibc is not None and not _GLIBC.fullmatch(settings.glibc):
        what = f"{settings.glibc!r} is not a glibc version"
        raise SettingsError(f'{origin("glibc")}: {what}: write "2.28", "2.34", "2.39"')
    s3, public_url = settings.store.s3, settings.public_url
    for key, url in (("public_url", public_url), ("store.s3.endpoint", s3.endpoint if s3 else None)):
        if url is None:
            continue
        # first, and without the value: what is shown of a URL must not show them
        if "@" in url.partition("?")[0] or has_secret(url):
            blamed = origin(key).removesuffix(url).rstrip(" =")
            raise SettingsError(f"{blamed}: no login or secret in a URL: it would reach logs and pages")
        if not _is_web(url):
            raise SettingsError(f"{origin(key)}: {url!r} is not an http or https URL")
    if public_url is not None and not PASTABLE.fullmatch(public_url):
        raise SettingsError(
            f"{origin('public_url')}: {public_url!r} cannot be pasted into a command line: write other characters "
            "percent-encoded (%20 is a space), a host name as DNS has it (xn--...), no query and no fragment"
        )
    if s3 is not None and not _BUCKET.fullmatch(s3.bucket):
        raise SettingsError(f"{origin('store.s3.bucket')}: {s3.bucket!r} cannot be the name of a bucket")
    index = _checked_index(settings.index, public_url, origin)
    arch = ",".join(PLATFORMS.get(each.strip(), each) for each in settings.matrix.arch.split(","))
    return replace(
        settings,
        index=index,
        public_url=public_url.rstrip("/") if public_url else None,
        matrix=replace(settings.matrix, arch=arch),
    )


def _checked_index(
    index: IndexSettings, public_url: str | None, origin: Callable[[str], str]
) -> IndexSettings:
    """Return how the index is drawn: a committed one has absolute links. Raises SettingsError."""
    if (index.urls == "absolute" or index.committed) and public_url is None:
        key, what = ("committed", "true") if index.committed else ("urls", "absolute")
        raise SettingsError(f"{origin(f'index.{key}')}: {what} needs public_url, the URL of the store's root")
    return replace(index, urls="absolute") if index.committed else index
