"""A package index as an outlet: PyPI, TestPyPI, and any that takes uploads as they do (pypiserver, devpi, others).

twine sends the files. What is there is asked of the simple API, by name and hash: indexes answer the same upload in
different ways, some replace a file silently, and a status alone proves nothing.
"""

from __future__ import annotations

import io
import time
from contextlib import contextmanager, redirect_stdout
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from packaging.version import Version

from workbench.certificates import trusted
from workbench.errors import FilenameTaken, IndexFault, OutletError, UsageError
from workbench.events import note
from workbench.http import NoAnswer, Sending, reason
from workbench.outlets.credentials import expect_private, index_login, variables_for
from workbench.outlets.outlet import Held, same
from workbench.outlets.places import SIMPLE
from workbench.simple.client import project_files
from workbench.simple.fetch import Fetcher, why
from workbench.wheel.filename import parse_wheel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from workbench.outlets.credentials import Login
    from workbench.outlets.outlet import Parcel, Subject
    from workbench.store.protocol import Progress

PYPI = ("https://upload.pypi.org/legacy/", "https://pypi.org/simple/")
TESTPYPI = ("https://test.pypi.org/legacy/", "https://test.pypi.org/simple/")

BELOW = ("simple/", "+simple/")
"""Where indexes have their simple API below the URL that takes uploads: most of them, and devpi."""

CI_TOKEN_SECONDS = 600
"""How long a CI's token is used; PyPI's are good for 15 minutes."""

_SECONDS = (30, 600)
"""How long an index may take to answer a connection, and a whole file."""

_FIRST_FAILURE = 300


class PackageIndex:
    """An index: `upload` is the URL that takes files, `simple` those where its simple API may be, by turns.

    A `public` one refuses what PyPI refuses.
    """

    how = "uploaded by twine, then looked up by hash"

    def __init__(
        self, name: str, upload: str, simple: tuple[str, ...], root: Path, *, public: bool = False
    ) -> None:
        self.name = name
        self.place = upload
        self._simple = simple
        self._root = root
        self._public = self._known = public
        self._fetcher = Fetcher(4)
        self._held: dict[str, Mapping[str, Held]] = {}
        self._found: tuple[Login | None, float] | None = None

    @property
    def _login(self) -> Login | None:
        """What logs in, looked up once; a CI's token is asked for anew before it expires: a build may take hours."""
        found, since = self._found or (None, 0.0)
        is_old = found is not None and found.is_ci and time.monotonic() - since > CI_TOKEN_SECONDS
        if self._found is None or is_old:
            found = index_login(self._root, self.name, self.place)
            self._found = found, time.monotonic()
        return found

    def _headers(self, url: str) -> dict[str, str]:
        """Return what logs in at a URL of the index; nothing for one that lies elsewhere. Raises OutletError."""
        known = {urlsplit(each)[:2] for each in (self.place, *self._simple)}
        if self._public or self._login is None or urlsplit(url)[:2] not in known:
            return {}
        expect_private(url)
        return self._login.basic

    @property
    def access(self) -> str:
        """Where its login comes from. Raises OutletError for a public index without one."""
        if self._login is not None:
            return self._login.origin
        if self._public:
            raise OutletError(f"no login for {self.name}: {self._remedy}")
        return "no login"

    @property
    def _takes_attestations(self) -> bool:
        return self._public and self._login is not None and self._login.is_ci

    @property
    def _remedy(self) -> str:
        variables = " or ".join(variables_for(self.name, self.place))
        return (
            f"set {variables} to a token or to USER:PASSWORD, or have one in the keyring, in ~/.pypirc, or in .env "
            "(mode 600)"
        )

    def refuse(self, subject: Subject, filename: str = "", size: int = 0) -> None:  # noqa: ARG002 - PyPI's limit differs
        """Raise UsageError for what PyPI refuses: a local version, or a platform tag that no policy defines."""
        if not self._public:
            return
        if local := Version(subject.version).local:
            raise UsageError(
                f"{subject.project} {subject.version}: {self.name} takes no local version (+{local}): build it with "
                'local_version="" in its recipe and none in --version-suffix, and give each variant a name of its own; '
                "or send it to another outlet"
            )
        tags = parse_wheel(filename).tags if filename else ()
        if bare := sorted(tag.platform for tag in tags if tag.platform.startswith("linux_")):
            raise UsageError(
                f"{filename}: {self.name} takes no {bare[0]}: 'invoke repair' gives it a manylinux tag"
            )

    def held(self, subject: Subject) -> Mapping[str, Held]:
        """Return the files that it lists for a project, of all versions; asked once until something is sent."""
        if subject.project not in self._held:
            self._held[subject.project] = {
                link.filename: Held(
                    filename=link.filename,
                    url=link.url,
                    hashes=link.hashes,
                    metadata_sha256=(link.metadata or {}).get("sha256"),
                )
                for link in self._files(subject.project)
                if link.url is not None
            }
        return self._held[subject.project]

    def _files(self, project: str) -> Sequence[Any]:
        """Return the links of a project; none where the index does not have it."""
        failed: list[str] = []
        for root in self._simple:
            try:
                found = project_files(self._fetcher, root, project, headers=self._headers(root))
            except IndexFault as error:
                failed.append(str(error))
            except OSError as error:
                if isinstance(error, NoAnswer) and error.status in (
                    HTTPStatus.UNAUTHORIZED,
                    HTTPStatus.FORBIDDEN,
                ):
                    raise self._refused(root) from error
                failed.append(f"{root}: {why(error)}")
            else:
                if found is not None:
                    self._simple, self._known = (root,), True
                    return found
        if not failed and (self._known or self._is_known()):
            return ()
        tried = "\n  ".join(failed) or ", ".join(self._simple)
        raise OutletError(
            f"{self.place}: nobody knows what is there, so nothing is sent. Its simple API is not at\n  {tried}\n"
            f"Where it lies elsewhere, write --to {self.place}{SIMPLE}URL"
        )

    def _is_known(self) -> bool:
        """Find which of the URLs is an index at all, and keep to it."""
        for root in self._simple:
            try:
                self._fetcher.size(root, headers=self._headers(root))
            except OSError:
                continue
            self._simple, self._known = (root,), True
            return True
        return False

    def sha256_of(self, held: Held) -> str:
        """Read a file through of which the index tells no hash."""
        try:
            sha256, _ = self._fetcher.read_through(
                held.url, f"read {held.url}", headers=self._headers(held.url)
            )
        except OSError as error:
            raise OutletError(f"{held.url}: {why(error)}") from error
        return sha256

    def send(self, parcels: Sequence[Parcel], moved: Progress) -> Mapping[str, Held]:
        """Upload wheels, each once, and look whether the index has these very bytes."""
        with self._repository() as repository:
            for parcel in parcels:
                parcel.expect_unchanged()
                self._upload(repository, parcel, moved)
                parcel.expect_unchanged()
        there: dict[str, Held] = {}
        self._held.clear()
        for parcel in parcels:
            found = self.held(parcel.subject).get(parcel.filename)
            if found is None:
                note(f"· {self.place} took {parcel.filename} and does not list it yet")
                continue
            if not same(self, found, parcel):
                raise FilenameTaken(
                    f"{found.url} has other bytes than were sent: somebody else published this name"
                )
            there[parcel.filename] = found
        return there

    @contextmanager
    def _repository(self) -> Iterator[Any]:
        """Yield twine's client, quiet, with our trust and our patience. Raises OutletError for what it raises."""
        from twine.exceptions import TwineException
        from twine.repository import Repository

        repository: Any = Repository(self.place, None, None, disable_progress_bar=True)
        repository.set_certificate_authority(trusted())
        for adapter in repository.session.adapters.values():
            # what is read once cannot be sent again by it: twine itself begins anew where a server fails
            adapter.max_retries = adapter.max_retries.new(total=0)
        try:
            with redirect_stdout(io.StringIO()):  # where it prints, answers stand
                yield repository
        except TwineException as error:
            raise OutletError(f"{self.place}: {error}") from error
        finally:
            repository.close()

    def _upload(self, repository: Any, parcel: Parcel, moved: Progress) -> None:  # noqa: ANN401 - twine has no types
        from twine.package import PackageFile

        package = PackageFile.from_filename(str(parcel.path), None)
        if parcel.attestation is not None:
            if self._takes_attestations:
                package.attestations = [dict(parcel.attestation)]
            else:
                note(
                    f"· {parcel.filename} goes without its attestation: PyPI takes one by trusted publishing"
                )
        if login := self._login:  # as bytes: requests knows Latin-1 alone
            repository.session.auth = login.user.encode(), login.secret.encode()
        repository.session.send = _watched(type(repository.session).send, repository.session, moved)
        try:
            response = repository.upload(package)
        except OSError as error:  # as all errors of requests are
            self._expect_there(parcel, reason(error))
            return
        if response.status_code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            raise self._refused(self.place, _said(response))
        if response.status_code >= _FIRST_FAILURE:
            self._expect_there(parcel, _said(response))

    def _expect_there(self, parcel: Parcel, said: str) -> None:
        """Raise for an upload that failed, unless the index has these bytes all the same."""
        self._held.clear()
        found = self.held(parcel.subject).get(parcel.filename)
        if found is None:
            raise OutletError(f"{self.place} does not take {parcel.filename}: {said}")
        if not same(self, found, parcel):
            raise FilenameTaken(f"{found.url} has other bytes, and nothing there is replaced: {said}")

    def _refused(self, url: str, said: str = "") -> OutletError:
        what = f"the login from {self._login.origin}" if self._login else "whoever has no login"
        return OutletError(f"{url} refuses {what}{f' ({said})' if said else ''}: {self._remedy}")


def _watched(send: Callable[..., Any], session: Any, moved: Progress) -> Callable[..., Any]:  # noqa: ANN401 - requests' own
    """Return what sends a request as a session does, tells of the bytes as they go, and does not wait for ever."""

    def sent(request: Any, **options: Any) -> Any:  # noqa: ANN401 - likewise
        # twine would have it read in pieces of 16 kB, and that is half of the work
        request.body = Sending(request.body, request.body.len, moved)
        return send(session, request, **{**options, "timeout": _SECONDS})

    return sent


def _said(response: Any) -> str:  # noqa: ANN401 - requests' own
    """Return what a server says of a refusal, on one line; of a redirect, which no file follows, where it leads."""
    if response.is_redirect:
        there = urljoin(response.url, response.headers["Location"])
        return f"{response.status_code}, it redirects to {there}: write that URL if it is the index that you mean"
    text = "" if "html" in response.headers.get("Content-Type", "") else " ".join(response.text.split())[:300]
    return f"{response.status_code} {text or response.reason}"
