"""Real installers on the drawn index, over HTTP."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tomllib
from dataclasses import replace
from html import unescape
from typing import TYPE_CHECKING

import pytest

from tests.index.stores import Store, registry_of, wheel_bytes
from tests.index.test_people import BREAKING, TAKEN
from workbench.environment import Environment
from workbench.evidence.facts import BuildFacts, PatchApplied
from workbench.process import environment, run
from workbench.registry.model import Package, Registry
from workbench.wheel.library_facts import FileCode, LibraryFacts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def venv(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    return Environment.create(tmp_path_factory.mktemp("env") / "env", python=sys.executable)


@pytest.fixture
def url(store: Store) -> Iterator[str]:
    code = (FileCode(path='demo/"_c"<.so', architectures=("sm_121",)),)
    store.publish("demo", "1.0", libraries=LibraryFacts(processors=("aarch64",), gpu_code=code))
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


def from_index(installer: str, index: str, project: str, venv: Environment, cache: Path) -> str:
    """Install a project with pip or uv from an index, and from no other; return what that says."""
    if installer == "pip":
        return pip(venv, "--index-url", index, project)
    return uv(venv, cache, "--default-index", index, project)


def _run(argv: list[str], **added: str) -> str:
    env = {key: value for key, value in environment().items() if not key.startswith(("PIP_", "UV_"))} | added
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
    said = from_index(installer, f"{url}{page}", "demo", venv, tmp_path / "cache")
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
def test_no_url_of_others_on_a_page_for_people_is_a_candidate(
    store: Store, venv: Environment, tmp_path: Path, installer: str
) -> None:
    urls = [*TAKEN, *BREAKING]
    wheel = store.publish("demo", "1.0")
    patches = tuple(PatchApplied(name=url, sha256="d" * 64, description=url, url=url) for url in urls)
    build = BuildFacts(source=urls[0], pin="", log=urls[1], sbom=urls[2], patches=patches)
    package = Package(source_repo=urls[0], upstream=urls[1], wheels=(replace(wheel, build=build),))
    store.registry = Registry().with_package("demo", package)
    store.draw()
    with store.served() as root:
        said = from_index(installer, f"{root}index/", "demo", venv, tmp_path / "cache")
    assert "[0]" in said, said
    assert version(venv) == "1.0"


@pytest.mark.parametrize("installer", ["pip", "uv"])
def test_a_channel_gives_what_fits_it(url: str, venv: Environment, tmp_path: Path, installer: str) -> None:
    index = f"{url}index/cu126/torch2.10/simple/"
    said = from_index(installer, index, "demo", venv, tmp_path / "cache")
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
        said = from_index(installer, f"{url}index/simple/", "demo", venv, tmp_path / "cache")
    assert "[0]" not in said
    assert "hash" in said.lower()


def test_uv_asks_again_and_is_told_that_nothing_changed(url: str, venv: Environment, tmp_path: Path) -> None:
    words = ["--default-index", f"{url}index/simple/", "demo"]
    assert "[0]" in uv(venv, tmp_path / "cache", *words)
    said = uv(venv, tmp_path / "cache", *words, verbose=True)
    assert "Found not-modified response for: " + f"{url}index/simple/demo/" in said


OLD_PIPS = ("21.3.1", "22.3.1", "23.0.1", "23.1.2", "23.2.1", "24.0")
"""The first that reads HTML as HTML, those that know the older name of PEP 658's attribute, and later ones."""


@pytest.fixture(scope="module")
def old_pips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a folder for each of the pips, to be run by ``PYTHONPATH``."""
    folder = tmp_path_factory.mktemp("pips")
    for each in OLD_PIPS:
        run(["uv", "pip", "install", "--quiet", "--target", folder / each, f"pip=={each}"])
    return folder


@pytest.fixture
def oddly_named(store: Store) -> Iterator[str]:
    """Serve a project whose METADATA spells its name in another way than installers ask for."""
    store.publish("Torch_Scatter", "1.0+cu130torch2.11")
    store.draw()
    with store.served() as root:
        yield root


@pytest.mark.parametrize(
    ("pip_version", "page"), [*((each, "index/simple/") for each in OLD_PIPS), ("23.0.1", "index/")]
)
def test_old_pips_install_from_the_pages(
    oddly_named: str, old_pips: Path, tmp_path: Path, pip_version: str, page: str
) -> None:
    if pip_version < "23.1" and sys.version_info >= (3, 12):
        pytest.skip("this pip does not start on Python 3.12")
    words = ["--isolated", "--disable-pip-version-check", "install", "--no-cache-dir", "--target", tmp_path]
    argv = [sys.executable, "-m", "pip", *words, "--index-url", f"{oddly_named}{page}", "torch-scatter"]
    said = _run(list(map(str, argv)), PYTHONPATH=str(old_pips / pip_version), PYTHONWARNINGS="ignore")
    assert "[0]" in said, said
    assert (tmp_path / "Torch_Scatter.py").is_file()


@pytest.mark.parametrize("installer", ["pip", "uv"])
def test_new_installers_take_such_a_name_as_well(
    oddly_named: str, venv: Environment, tmp_path: Path, installer: str
) -> None:
    index = f"{oddly_named}index/simple/"
    said = from_index(installer, index, "torch-scatter", venv, tmp_path / "cache")
    assert "[0]" in said, said


Lines = dict[str, str]
"""What a page gives to copy, by what it is for."""


def snippets(page: str) -> list[Lines]:
    """Return the lines of every release on a page, the newest first."""
    return [
        {
            unescape(what): unescape(text)
            for what, text in re.findall(
                r'<div class="code" data-what="([^"]+)"><pre[^>]*><code>(.*?)</code></pre></div>',
                release,
                re.DOTALL,
            )
        }
        for release in page.split('<details class="release"')[1:]
    ]


@pytest.fixture
def releases(store: Store) -> Iterator[dict[str, Lines]]:
    """Return the lines of some releases, by project and channel, while the index that they name is served."""
    for name in ("demo", "other-demo"):
        store.publish(name, "1.0+cu130torch2.11")
    store.publish("demo", "0.9+cu126torch2.10")
    store.publish("plain", "2.0")
    store.draw()
    with store.served() as url:

        def of(name: str) -> list[Lines]:
            page = (store.root / "index" / name / "index.html").read_text()
            return [
                {what: text.replace("https://HERE/", url) for what, text in lines.items()}
                for lines in snippets(page)
            ]

        demo, old = of("demo")
        yield {"demo": demo, "demo, cu126": old, "other-demo": of("other-demo")[0], "plain": of("plain")[0]}


@pytest.fixture
def lines(releases: dict[str, Lines]) -> Lines:
    return releases["demo"]


@pytest.mark.parametrize("what", ["pip", "pip, this file"])
def test_the_lines_for_pip_install(lines: Lines, venv: Environment, what: str) -> None:
    program, verb, *words = shlex.split(lines[what].splitlines()[0])
    assert (program, verb) == ("pip", "install")
    said = pip(venv, *words)
    assert "[0]" in said, said
    assert version(venv) == "1.0+cu130torch2.11"


SAY = 'say() { printf "[%s]" "$@"; echo; }\n'


def test_an_interactive_shell_takes_the_lines_as_they_stand(store: Store) -> None:
    """It replaces what stands behind a ``!``, as an epoch has it, also in double quotes."""
    store.publish("demo", "1!1.0+cu130")
    store.publish("plain", "1!2.0")
    store.draw()
    pages = [(store.root / "index" / name / "index.html").read_text() for name in ("demo", "plain")]
    pasted = [
        f"say {line}\n"
        for page in pages
        for lines in snippets(page)
        for what in ("uv", "uv project", "pip", "pip, this file", "Poetry")
        for line in lines[what].splitlines()
    ]
    said = subprocess.run(
        ["bash", "--norc", "-i"], input=SAY + "".join(pasted), capture_output=True, text=True, check=True
    ).stdout
    assert said.count("[demo==1!1.0+cu130]") == 4  # uv, uv project, pip, Poetry
    assert said.count("[plain===1!2.0]") == 3
    assert "[demo @ https://HERE/files/demo/demo-1!1.0%2Bcu130-py3-none-any.whl#sha256=" in said
    assert said.count("[plain==1!2.0]") == 1  # Poetry


def test_the_requirements_pin_the_hash(lines: Lines, venv: Environment, tmp_path: Path) -> None:
    file = tmp_path / "requirements.txt"
    file.write_text(lines["requirements.txt"])
    said = pip(venv, "--require-hashes", "-r", file)
    assert "[0]" in said, said
    file.write_text(re.sub("[0-9a-f]{64}", "0" * 64, lines["requirements.txt"]))
    said = pip(venv, "--require-hashes", "-r", file)
    assert "DO NOT MATCH THE HASHES" in said, said


def test_the_lines_for_uv_install(lines: Lines, venv: Environment, tmp_path: Path) -> None:
    words = lines["uv"].split(" ")
    assert words[:3] == ["uv", "pip", "install"]
    said = uv(venv, tmp_path / "cache", *words[3:])
    assert "[0]" in said, said
    assert version(venv) == "1.0+cu130torch2.11"


PROJECT = """\
[project]
name = "mine"
version = "1"
requires-python = ">=3.11,<4"
dependencies = []
"""


def test_the_lines_for_a_uv_project_go_into_one_that_is_there(
    releases: dict[str, Lines], tmp_path: Path
) -> None:
    """Two channels, and in one of them two projects, whose index is pasted once."""
    project = tmp_path / "pyproject.toml"
    kept = '\n[tool.uv]\npackage = false\n\n[tool.uv.sources]\nelsewhere = { path = "elsewhere" }\n'
    project.write_text(PROJECT + kept)
    for release in ("demo", "plain"):
        project.write_text(f"{project.read_text()}\n{releases[release]['uv project, the index']}\n")
    for release in ("demo", "other-demo", "plain"):
        program, *words = shlex.split(releases[release]["uv project"])
        assert program == "uv"
        options = ["--no-config", "--cache-dir", str(tmp_path / "cache"), "--directory", str(tmp_path)]
        said = _run([program, *options, *words, "--no-sync"])
        assert "[0]" in said, said
    written = tomllib.loads(project.read_text())
    assert written["project"]["dependencies"] == [
        "demo==1.0+cu130torch2.11", "other-demo==1.0+cu130torch2.11", "plain===2.0",
    ]  # fmt: skip
    assert [index["explicit"] for index in written["tool"]["uv"]["index"]] == [True, True]
    assert written["tool"]["uv"]["sources"]["other-demo"] == {"index": "workbench-cu130-torch2-11"}
    locked = {each["name"]: each for each in tomllib.loads((tmp_path / "uv.lock").read_text())["package"]}
    assert locked["demo"]["source"]["registry"].endswith("/index/cu130/torch2.11/simple/")
    assert locked["plain"]["source"]["registry"].endswith("/index/simple/")
    assert locked["other-demo"]["wheels"][0]["hash"].startswith("sha256:")


@pytest.fixture(scope="module")
def poetry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    environment = Environment.create(tmp_path_factory.mktemp("poetry") / "env", python=sys.executable)
    environment.install(["poetry>=2.1"])
    return environment.path / "bin" / "poetry"


def test_the_lines_for_poetry_go_into_a_project_that_is_there(
    releases: dict[str, Lines], poetry: Path, tmp_path: Path
) -> None:
    project = tmp_path / "pyproject.toml"
    project.write_text(f"{PROJECT}\n[tool.poetry]\npackage-mode = false\n")
    kept = {"POETRY_CACHE_DIR": str(tmp_path / "cache"), "POETRY_VIRTUALENVS_CREATE": "false"}
    for release in ("demo", "other-demo", "plain"):
        for line in releases[release]["Poetry"].splitlines():
            program, *words = shlex.split(line)
            assert program == "poetry"
            # the project's own environment is not the question
            lock = ["--lock"] if words[0] == "add" else []
            said = _run([str(poetry), "--directory", str(tmp_path), *words, *lock], **kept)
            assert "[0]" in said, said
    written = tomllib.loads(project.read_text())
    assert written["project"]["dependencies"][1] == "other-demo (==1.0+cu130torch2.11)"
    assert written["tool"]["poetry"]["dependencies"]["demo"] == {"source": "workbench-cu130-torch2-11"}
    assert [source["priority"] for source in written["tool"]["poetry"]["source"]] == ["explicit", "explicit"]
    said = _run([str(poetry), "--directory", str(tmp_path), "check", "--lock"], **kept)
    assert "[0]" in said, said
    locked = {each["name"]: each for each in tomllib.loads((tmp_path / "poetry.lock").read_text())["package"]}
    assert locked["demo"]["source"]["url"].endswith("/index/cu130/torch2.11/simple")
    assert locked["plain"]["files"][0]["hash"].startswith("sha256:")


def test_a_project_of_which_nothing_is_published_hides_none_of_another_index(
    store: Store, venv: Environment, tmp_path: Path
) -> None:
    """uv takes a project from the first index that has it."""
    elsewhere = Store(tmp_path / "elsewhere", Registry(), store.settings)
    elsewhere.root.mkdir()
    elsewhere.publish("demo", "3.0")
    elsewhere.draw()
    store.registry = registry_of(demo=())
    store.publish("other", "1.0")
    store.draw()
    with store.served() as ours, elsewhere.served() as theirs:
        indexes = ["--index", f"{ours}index/simple/", "--default-index", f"{theirs}index/simple/"]
        said = uv(venv, tmp_path / "cache", *indexes, "demo")
    assert "[0]" in said, said
    assert version(venv) == "3.0"


def test_the_check_of_a_download_finds_a_changed_file(lines: Lines, store: Store) -> None:
    folder = store.root / "files" / "demo"
    (wheel,) = folder.glob("demo-1.0*.whl")

    def check() -> int:
        return subprocess.run(
            ["sh", "-c", lines["check this file"]], cwd=folder, check=False, capture_output=True
        ).returncode

    assert check() == 0
    wheel.write_bytes(wheel.read_bytes() + b" ")
    assert check() != 0


def test_no_line_adds_an_index_beside_another(lines: Lines) -> None:
    assert lines
    assert not any("--extra-index-url" in text for text in lines.values())
