"""The flags and words that commands share: each means the same everywhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from workbench import console
from workbench.arch import PLATFORMS
from workbench.flags import Meaning, flag
from workbench.paths import Paths

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workbench.evidence.keys import Keyring
    from workbench.evidence.signer import Signer
    from workbench.publish.withdraw import Change
    from workbench.settings import Settings
    from workbench.store.opening import Site
    from workbench.verify.report import Report

Package = Annotated[str, "the package, as its recipe names it"]
WheelFiles = Annotated[str, "wheel files"]
Published = Annotated[str, "filenames as they are published"]
Builder = Annotated[
    str,
    Meaning(
        "host (or native), cross, container (or docker), or auto, which says what it picks and why",
        words={"native": "host", "docker": "container"},
    ),
]
MaxJobs = Annotated[int, "compilers that may run at once (default: one for each processor)"]
VersionSuffix = Annotated[str, "added to the version, to publish the same version again: .post1, +local"]
Arch = Annotated[
    str,
    Meaning("the architecture: x86_64, aarch64 (default: this machine's)", also="platform", words=PLATFORMS),
]
Libraries = Annotated[str, "CUDA's libraries beside the runtime: cublas, or a list"]
After = Annotated[int, "days that the files stay, for readers of older pages; 0 deletes them at once"]
SignedBy = Annotated[
    str, "public keys, of which one must have signed: a PEM file, or a site's trust/keys.json"
]
To = Annotated[
    str,
    "where to, a list in order: site, github, github:TAG, pypi, testpypi, or an index's URL for uploads; after one of "
    "these, index: this site's index, with links to the wheels there (default: site)",
]
Static = Annotated[bool, "run nothing of the wheels: no smoke test"]
Strict = Annotated[bool, "end with an error, not a note, where twine check finds a bad description"]
DistDir = Annotated[str, "the folder for built wheels (default: wheels/)"]
CacheDir = Annotated[
    str,
    "where finished wheels are shared: a folder, store (the site's own), or none "
    "(default: cache.wheels of workbench.yaml)",
]
DryRun = Annotated[bool, "say what would be done, and do none of it"]
Json = Annotated[bool, "answer in JSON on stdout"]


def here() -> tuple[Paths, Settings]:
    """Return this run's site and its settings. Raises SettingsError."""
    from workbench.settings import read_settings

    paths = Paths.here()
    settings = read_settings(paths)
    if settings.signing.key is not None:
        from workbench.evidence.signer import ASK

        if sys.stdin.isatty():
            ASK.set(lambda path: console.ask_secret(f"the passphrase of {path}"))
    return paths, settings


def ready_to_sign(paths: Paths, settings: Settings) -> Signer | None:
    """Return the private key that a site signs with, if its settings name one; a person may be asked for a passphrase.

    Called first, it tells what would stop the signing before anything is changed. Raises UsageError.
    """
    if settings.signing.key is None:
        return None  # without what signing imports
    from workbench.publish.signing import signer_of

    return signer_of(paths, settings)


def keys_named(signed_by: str) -> Keyring | None:
    """Return the keys of which one must have signed, None where nobody is named. Raises UsageError, ProofFailed."""
    if not signed_by:
        return None
    from workbench.evidence.keys import read_keyring

    return read_keyring(Path(signed_by))


def prove_all(reports: Sequence[Report], keys: Keyring | None) -> dict[str, str]:
    """Return who has signed the statement beside each wheel, a key's id by filename; nothing without keys.

    A verdict that lies beside a wheel must be signed too, and be about it. Raises ProofFailed, which names all wheels
    of which nobody trusted has, and why.
    """
    signers: dict[str, str] = {}
    if keys is None:
        return signers
    from workbench.errors import ProofFailed
    from workbench.evidence.reproduction import verdict_beside
    from workbench.evidence.statements import prove

    reasons = []
    for each in reports:
        try:
            stated = prove(each.path, each.sha256, keys)
            verdict_beside(each.path, each.sha256, statement=stated.digest, keys=keys)
            signers[each.path.name] = stated.signer.id if stated.signer else ""
        except ProofFailed as error:
            reasons.append(str(error))
    if reasons:
        raise ProofFailed("\n".join(reasons))
    return signers


def with_wheels_in(folder: str, paths: Paths) -> Paths:
    """Return a site's paths with the folder for built wheels that a person named, if any. Raises UsageError."""
    from workbench.errors import UsageError

    if not folder:
        return paths
    wheels = Path(folder).expanduser().resolve()
    if wheels.exists() and not wheels.is_dir():
        raise UsageError(f"--dist-dir {folder}: not a folder")
    return replace(paths, dist=wheels)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreFlags:
    """Which store, for this run: they stand above ``workbench.yaml``."""

    bucket: str = flag("the S3 bucket to publish in")
    prefix: str = flag("the prefix of all keys in the bucket")
    endpoint: str = flag("the URL of an S3 store that is not AWS")
    region: str = flag("the bucket's region")
    profile: str = flag("the profile of the AWS configuration that has the credentials")
    public_url: str = flag("the URL at which everyone finds the store's root")
    single_writer: bool = flag(
        "use a store that ignores conditional writes: only safe while nobody else publishes there",
        default=False,
    )

    def here(self) -> tuple[Paths, Settings]:
        """Return this run's site, and its settings under what these flags say. Raises SettingsError."""
        from workbench.settings import FLAGS, VARIABLES

        FLAGS.set({key: str(value) for key in VARIABLES if (value := getattr(self, key, None))})
        return here()

    def opened(self) -> Site:
        """Return this run's site, with its settings and its store. Raises SettingsError, StoreError."""
        from workbench.store.opening import open_site

        return open_site(*self.here())


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitFlags(StoreFlags):
    """How a change is made that has no dry run."""

    commit: bool = flag(
        "commit packages.json and the files that prove it, with a message that names the wheels",
        default=False,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeFlags(CommitFlags):
    """How a change is made."""

    dry_run: bool = flag("say what would be done, and do none of it", default=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class UpkeepFlags(CommitFlags):
    """How a change is made that is only shown unless it is asked for."""

    apply: bool = flag("do it; without this it is only shown", default=False)


def _committing() -> AbstractContextManager[None]:
    from workbench.publish.commit import committing

    return committing(Paths.here(), wanted=True)


@contextmanager
def changing(how: CommitFlags) -> Iterator[Site]:
    """Yield this run's site for a change, and commit the registry after it where that is asked."""
    really = how.apply if isinstance(how, UpkeepFlags) else not (isinstance(how, ChangeFlags) and how.dry_run)
    with _committing() if how.commit and really else nullcontext():
        site = how.opened()
        if really:
            ready_to_sign(site.paths, site.settings)
        yield site


def answer_change(change: Change, *, json: bool) -> None:
    """Print what was changed, or would be."""
    if json:
        console.answer_json(change)
        return
    for line in change.lines():
        console.answer(f"would {line}" if change.dry_run and change.done else line)
