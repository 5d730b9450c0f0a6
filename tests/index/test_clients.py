"""Real installers on the drawn index, over HTTP."""

from __future__ import annotations

import re
import subprocess
import sys
from html import unescape
from typing import TYPE_CHECKING

import pytest

from tests.index.wheels import wheel_bytes
from workbench.environment import Environment
from workbench.process import environment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.index.wheels import Store


@pytest.fixture(scope="module")
def venv(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    return Environment.create(tmp_path_factory.mktemp("env") / "env", python=sys.executable)


@pytest.fixture
def url(store: Store) -> Iterator[str]:
    store.publish("demo", "1.0")
    store.publish("demo", "1.1", yanked="breaks")
    store.publish("demo", "1.2", requires_python=">=3.99")
    store.publish("demo", "0.9+cu130torch2.11")
    store.publish("demo", "0.9+cu126torch2.10")
    store.draw()
    with store.served() as root:
        yield root


def pip(venv: Environment, *words: str | Path) -> str:
    """Install with pip into the environment, from nowhere but what the words name; return what it says."""
    argv = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        str(venv.python),
        "--isolated",
        "--no-cache-dir",
        "--disable-pip-version-check",
    ]
    return _run([*argv, "install", "--force-reinstall", "--no-deps", *map(str, words)])


def uv(venv: Environment, cache: Path, *words: str | Path, verbose: bool = False) -> str:
    argv = ["uv", "--no-config", "--cache-dir", str(cache), *(["-v"] if verbose else [])]
    return _run(
        [*argv, "pip", "install", "--python", str(venv.python), "--reinstall", "--no-deps", *map(str, words)]
    )


def _run(argv: list[str]) -> str:
    env = {key: value for key, value in environment().items() if not key.startswith(("PIP_", "UV_"))}
    done = subprocess.run(argv, capture_output=True, text=True, check=False, env=env)
    return f"{done.stdout}\n{done.stderr}\n[{done.returncode}]"


def version(venv: Environment) -> str:
    done = subprocess.run(
        [venv.python, "-c", "import demo; print(demo.version)"], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.mark.parametrize("page", ["index/simple/", "index/simple-json/", "index/"])
@pytest.mark.parametrize("installer", ["pip", "uv"])
def test_the_newest_good_version_is_taken(
    url: str, venv: Environment, tmp_path: Path, installer: str, page: str
) -> None:
    """1.1 is yanked and 1.2 is for another Python; people's pages serve as an index as well."""
    if installer == "pip":
        said = pip(venv, "--index-url", f"{url}{page}", "demo")
    else:
        said = uv(venv, tmp_path / "cache", "--default-index", f"{url}{page}", "demo")
    assert "[0]" in said, said
    assert version(venv) == "1.0"


@pytest.mark.parametrize("installer", ["pip", "uv"])
def test_a_page_for_people_serves_as_find_links(
    url: str, venv: Environment, tmp_path: Path, installer: str
) -> None:
    words = ["--no-index", "--find-links", f"{url}index/demo/", "demo==0.9+cu126torch2.10"]
    said = pip(venv, *words) if installer == "pip" else uv(venv, tmp_path / "cache", *words)
    assert "[0]" in said, said
    assert version(venv) == "0.9+cu126torch2.10"


@pytest.mark.parametrize("installer", ["pip", "uv"])
def test_a_channel_gives_what_fits_it(url: str, venv: Environment, tmp_path: Path, installer: str) -> None:
    index = f"{url}index/cu126/torch2.10/simple/"
    if installer == "pip":
        said = pip(venv, "--index-url", index, "demo")
    else:
        said = uv(venv, tmp_path / "cache", "--default-index", index, "demo")
    assert "[0]" in said, said
    assert version(venv) == "0.9+cu126torch2.10"


@pytest.mark.parametrize("installer", ["pip", "uv"])
def test_a_file_with_other_bytes_is_refused(
    store: Store, venv: Environment, tmp_path: Path, installer: str
) -> None:
    wheel = store.publish("demo", "1.0")
    store.draw()
    place = store.root / wheel.url
    place.write_bytes(wheel_bytes("demo", "1.0", requires_python=">=3.1")[0])
    with store.served() as url:
        if installer == "pip":
            said = pip(venv, "--index-url", f"{url}index/simple/", "demo")
        else:
            said = uv(venv, tmp_path / "cache", "--default-index", f"{url}index/simple/", "demo")
    assert "[0]" not in said
    assert "hash" in said.lower()


def test_uv_asks_again_and_is_told_that_nothing_changed(url: str, venv: Environment, tmp_path: Path) -> None:
    words = ["--default-index", f"{url}index/simple/", "demo"]
    assert "[0]" in uv(venv, tmp_path / "cache", *words)
    said = uv(venv, tmp_path / "cache", *words, verbose=True)
    assert "Found not-modified response for: " + f"{url}index/simple/demo/" in said


def snippets(page: str) -> dict[str, str]:
    """Return the lines of the first release on a page, by what they are for."""
    found: dict[str, str] = {}
    for what, text in re.findall(
        r'<div class="code" data-what="([^"]+)"><pre[^>]*><code>(.*?)</code></pre></div>', page, re.DOTALL
    ):
        found.setdefault(unescape(what), unescape(text))
    return found


@pytest.fixture
def lines(store: Store) -> Iterator[dict[str, str]]:
    """Return the lines of a page, with the address of the index where it belongs, while that is served."""
    store.publish("demo", "1.0+cu130torch2.11")
    store.draw()
    with store.served() as url:
        page = (store.root / "index" / "demo" / "index.html").read_text()
        yield {what: text.replace("https://HERE/", url) for what, text in snippets(page).items()}


@pytest.mark.parametrize("what", ["pip", "pip, this file"])
def test_the_lines_for_pip_install(lines: dict[str, str], venv: Environment, what: str) -> None:
    line = lines[what].splitlines()[0]
    program, verb, *words = (
        line.replace('"', "").split(" ") if what == "pip" else ["pip", "install", line.split('"')[1]]
    )
    assert (program, verb) == ("pip", "install")
    said = pip(venv, *words)
    assert "[0]" in said, said
    assert version(venv) == "1.0+cu130torch2.11"


def test_the_requirements_pin_the_hash(lines: dict[str, str], venv: Environment, tmp_path: Path) -> None:
    file = tmp_path / "requirements.txt"
    file.write_text(lines["requirements.txt"])
    said = pip(venv, "--require-hashes", "-r", file)
    assert "[0]" in said, said
    file.write_text(re.sub("[0-9a-f]{64}", "0" * 64, lines["requirements.txt"]))
    said = pip(venv, "--require-hashes", "-r", file)
    assert "DO NOT MATCH THE HASHES" in said, said


def test_the_lines_for_uv_install(lines: dict[str, str], venv: Environment, tmp_path: Path) -> None:
    words = lines["uv"].split(" ")
    assert words[:3] == ["uv", "pip", "install"]
    said = uv(venv, tmp_path / "cache", *words[3:])
    assert "[0]" in said, said
    assert version(venv) == "1.0+cu130torch2.11"


def test_the_lines_for_a_uv_project_lock_it_from_here(lines: dict[str, str], tmp_path: Path) -> None:
    """Nothing else is asked of any index: the public one is switched off here."""
    text = lines["uv project"].replace(
        "[project]\n", '[project]\nname = "mine"\nversion = "1"\nrequires-python = ">=3.11"\n'
    )
    (tmp_path / "pyproject.toml").write_text(text)
    said = _run(
        ["uv", "--no-config", "--cache-dir", str(tmp_path / "cache"), "--directory", str(tmp_path), "lock"]
    )
    assert "[0]" in said, said
    locked = (tmp_path / "uv.lock").read_text()
    assert 'version = "1.0+cu130torch2.11"' in locked
    assert "sha256:" in locked


def test_the_check_of_a_download_finds_a_changed_file(lines: dict[str, str], store: Store) -> None:
    folder = store.root / "files" / "demo"
    wheel = next(folder.glob("*.whl"))

    def check() -> int:
        return subprocess.run(
            ["sh", "-c", lines["check this file"]], cwd=folder, check=False, capture_output=True
        ).returncode

    assert check() == 0
    wheel.write_bytes(wheel.read_bytes() + b" ")
    assert check() != 0


def test_no_line_adds_an_index_beside_another(lines: dict[str, str]) -> None:
    assert lines
    assert not any("--extra-index-url" in text for text in lines.values())
