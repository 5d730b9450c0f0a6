"""Secrets that a person gives, in URLs, variables and headers, are in nothing that is printed, written or started."""

from __future__ import annotations

import base64
import threading
from contextlib import contextmanager, suppress
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.forked import invoke
from tests.serving import serving
from tests.verbs.conftest import git
from tests.wheels import files_of, packed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from workbench.paths import Paths

PLANTED = "pl4nted"
"""What is in every secret that these tests type, and in nothing else."""

BURIED = "bur1ed"
"""What is in every secret of the build, which the other tests, running beside it, do not show in the process list."""

BACKEND = """
import os
from pathlib import Path

def build_wheel(folder, config_settings=None, metadata_directory=None):
    for name, value in os.environ.items():
        print(name, value)
    print("fetch https://h/x?X-Amz-Signature=bur1ed-1&token=bur1ed-2 with Authorization: Bearer bur1ed-3")
    name = "demo-1.0-py3-none-any.whl"
    Path(folder, name).write_bytes(Path(__file__).with_name("demo.whl").read_bytes())
    return name
"""

PYPROJECT = '[build-system]\nrequires = ["sly"]\nbuild-backend = "sly"\n'

RECIPE = """\
from __future__ import annotations

from workbench.recipe import Git, Recipe

recipe = Recipe(
    name="demo",
    version="1.0",
    description="A demonstration",
    source=Git(url="{url}", commit="{commit}", branch="main"),
)
"""


@contextmanager
def guarded_index(login: str, asked: Callable[[], None]) -> Iterator[str]:
    """Serve an index with the build backend ``sly`` to those who know the login; yield its address.

    It calls `asked` for each request, while whoever asks waits for the answer.
    """
    demo = packed(files_of())
    sly = packed(files_of(name="sly", payload={"sly/__init__.py": BACKEND.encode(), "sly/demo.whl": demo}))
    wheel = "sly-1.0-py3-none-any.whl"
    pages = {"/simple/sly/": f'<a href="/files/{wheel}">{wheel}</a>'.encode(), f"/files/{wheel}": sly}
    expected = f"Basic {base64.b64encode(login.encode()).decode()}"

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked()
            body = pages.get(self.path, b"")
            status = 401 if self.headers.get("Authorization") != expected else 200 if body else 404
            self.send_response(status)
            if status == 401:
                self.send_header("WWW-Authenticate", 'Basic realm="index"')
            self.send_header("Content-Type", "text/html" if self.path.endswith("/") else "application/zip")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_HEAD = do_GET  # noqa: N815 - so the server calls it

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as server:
        yield f"127.0.0.1:{server.server_address[1]}"


def look(seen: set[str]) -> None:
    """Add the command lines that this machine's process list shows now."""
    for line in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it has ended meanwhile
            seen.add(line.read_bytes().replace(b"\0", b" ").decode(errors="replace"))


@contextmanager
def process_list() -> Iterator[set[str]]:
    """Yield the command lines that this machine's process list shows, looked at now and then while the block runs."""
    seen: set[str] = set()
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(0.01):
            look(seen)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        ended.set()
        thread.join()


def files_with(word: str, *roots: Path) -> list[Path]:
    return [
        path
        for root in roots
        for path in root.rglob("*")
        if path.is_file() and word.encode() in path.read_bytes()
    ]


def test_a_build_through_a_guarded_index_and_what_is_published_of_it_show_its_login_nowhere(
    paths: Paths, tmp_path: Path
) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "pyproject.toml").write_text(PYPROJECT)
    git(source, "init", "--quiet", "--initial-branch=main")
    git(source, "add", ".")
    git(source, "commit", "--quiet", "--message", "one")
    commit = git(source, "rev-parse", "HEAD")
    (paths.recipes / "demo.py").write_text(RECIPE.format(url=source, commit=commit))
    login = "me:bur1ed-password"
    with process_list() as seen, guarded_index(login, partial(look, seen)) as address:
        url = f"http://{login}@{address}/simple/"
        env = {
            "PIP_INDEX_URL": url,
            "UV_DEFAULT_INDEX": url,
            "UV_CACHE_DIR": str(tmp_path / "uv"),
            "WORKBENCH_CACHE": str(tmp_path / "cache"),
            "MY_API_TOKEN": "bur1ed-variable",
            "AWS_SECRET_ACCESS_KEY": "bur1ed-key",
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "http.extraHeader",
            "GIT_CONFIG_VALUE_0": "Authorization: Basic bur1ed-header",
            "WORKBENCH_DEBUG": "1",
        }
        done = invoke("build", "demo", env=env)
        assert done.status == 0, done.stderr
        sent = invoke("upload", *paths.wheels.glob("*.whl"), env=env)
        assert sent.status == 0, sent.stderr
    (log,) = paths.wheels.glob("*.build.log")
    assert "X-Amz-Signature=***" in log.read_text()
    assert address not in log.read_text()  # a build gets none of the caller's variables
    assert any("uv --quiet pip install" in line for line in seen)
    assert BURIED not in done.stdout + done.stderr + sent.stdout + sent.stderr + "".join(seen)
    assert (paths.index / "simple/demo/index.html").is_file()
    assert (paths.index / "demo/index.html").is_file()
    assert files_with(BURIED, paths.root, tmp_path / "cache") == []


@pytest.mark.parametrize(
    "line",
    [
        ["add-package", "new", "--source", "https://me:pl4nted@127.0.0.1:9/x"],
        ["add-package", "new", "--source", "ssh://git:pl4nted@127.0.0.1:9/x"],
        ["add-package", "new", "--source", "https://127.0.0.1:9/x?access_token=pl4nted"],
        ["add-package", "new", "--source=pypi:x==1", "--upstream", "https://u:pl4nted@example.com/x"],
        ["add-package", "new", "--source=pypi:x==1", "--description", "at https://pl4nted@example.com"],
        ["yank", "x.whl", "--reason", "see https://h/x?X-Amz-Signature=pl4nted"],
        ["store.history", "--bucket=b", "--endpoint", "http://me:pl4nted@127.0.0.1:9"],
        ["store.history", "--bucket=b", "--public-url", "https://h/?sig=pl4nted"],
        ["toolchain.image", "--mirror", "http://me:pl4nted@127.0.0.1:9/debian"],
    ],
    ids=lambda line: f"{line[0]} {line[-2]}",
)
def test_a_flag_with_a_secret_url_is_refused_before_anything_starts(paths: Paths, line: list[str]) -> None:
    done = invoke(*line, env={"WORKBENCH_DEBUG": "1"})
    assert done.status == 2
    assert "a login or a secret in a URL" in done.stderr
    assert PLANTED not in done.stdout + done.stderr
    assert files_with(PLANTED, paths.root) == []
    assert not list(paths.recipes.iterdir())


@pytest.mark.parametrize(
    ("words", "variables"),
    [
        (["inspect", "http://me:pl4nted@127.0.0.1:9/x-1.0-py3-none-any.whl"], {}),
        (["inspect", "http://127.0.0.1:9/x-1.0-py3-none-any.whl?X-Amz-Signature=pl4nted"], {}),
        (["check-index", "http://me:pl4nted@127.0.0.1:9/simple/"], {}),
        (["check-index", "http://127.0.0.1:9/simple/?token=pl4nted"], {}),
        (
            ["store.history"],
            {"WORKBENCH_S3_BUCKET": "b", "WORKBENCH_S3_ENDPOINT": "http://u:pl4nted@127.0.0.1:9"},
        ),
        (["store.history"], {"WORKBENCH_PUBLIC_URL": "https://h/?X-Amz-Signature=pl4nted"}),
        (
            ["add-package", "new", "--source=pypi:x==1"],
            {"UV_DEFAULT_INDEX": "http://u:pl4nted@127.0.0.1:9/simple/"},
        ),
    ],
    ids=" ".join,
)
def test_a_url_that_fails_is_told_without_its_secret(
    paths: Paths, words: list[str], variables: dict[str, str]
) -> None:
    done = invoke(*words, env={"WORKBENCH_DEBUG": "1", **variables})
    assert done.status not in (0, 70), done.stderr
    assert PLANTED not in done.stdout + done.stderr
    assert files_with(PLANTED, paths.root) == []
