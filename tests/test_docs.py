"""The documents say nothing that is not so: their commands parse, what they name is there, their links lead somewhere.

That the commands also do what they say is tested where the rest of that is: ``tests/verbs/test_guides.py`` runs the
README's and the publishing guide's, ``tests/patches`` and ``tests/recipe`` those of their own guides.
"""

from __future__ import annotations

import re
import shlex
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest
from nox import registry

import noxfile
import tasks
from workbench.paths import CHECKOUT
from workbench.program.gpuwheels import COMMANDS as GW_COMMANDS
from workbench.program.gpuwheels import parse
from workbench.recipe import Recipe
from workbench.verb import read_line

if TYPE_CHECKING:
    from pathlib import Path

PAGES = [CHECKOUT / "README.md", *sorted((CHECKOUT / "docs").glob("*.md"))]
COMMANDS = {
    name: tasks.namespace[each] for each in tasks.namespace.task_names for name in tasks.namespace[each].names
}
SESSIONS = registry.get()
assert noxfile.verify.__name__ in SESSIONS  # it was imported for their sake

FENCED = re.compile(r"```(?:\w*)\n(.*?)```", re.DOTALL)
INDENTED = re.compile(r"(?:^    .*\n)+", re.MULTILINE)
COMMAND = re.compile(r"^(?:\$ )?((?:\./inv|invoke|workbench|gw|nox|python) .*)$", re.MULTILINE)
SPAN = re.compile(r"`([^`]+)`")
PATH = re.compile(r"(?:\.ci|benchmarks|containers|docs|examples|patches|recipes|tests|workbench)/[\w./-]*")
LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)")


def commands(page: Path) -> list[str]:
    """Return the command lines in a page's blocks, without comments, pipes and redirections."""
    text = page.read_text()
    blocks = [*FENCED.findall(text), *INDENTED.findall(text)]
    lines = re.sub(r"^    ", "", "\n".join(blocks), flags=re.MULTILINE).replace("\\\n", " ")
    return [re.split(r" [#|>] |  #", line, maxsplit=1)[0].strip() for line in COMMAND.findall(lines)]


def spans(page: Path) -> list[str]:
    """Return what stands in a page's text as code."""
    return [" ".join(span.split()) for span in SPAN.findall(FENCED.sub("", page.read_text()))]


def told(page: Path) -> list[str]:
    """Return a page's command lines, and what its text tells to type: whole lines, and verbs with their words."""
    typed = [
        span
        for span in spans(page)
        if COMMAND.fullmatch(span) or (span.split()[0] in COMMANDS and " " in span)
    ]
    return [*commands(page), *typed]


@pytest.mark.parametrize(
    ("page", "line"), [pytest.param(page, line, id=line) for page in PAGES for line in told(page)]
)
def test_every_command_is_one_that_there_is(page: Path, line: str) -> None:
    program, *words = shlex.split(line)
    if program == "python":
        assert find_spec(words[1]) if words[0] == "-m" else (CHECKOUT / words[0]).is_file()
    elif program == "gw":
        named = set(words) <= GW_COMMANDS.keys() and not words[1:] and line not in commands(page)
        if not named and words[-1:] != ["--help"]:
            parse([word for word in words if word != "…"])
    elif program == "nox":
        asked, _, paths = line.partition(" -- ")
        assert set(re.findall(r"-s (\S+)", asked)) <= SESSIONS.keys()
        assert all((CHECKOUT / word).exists() for word in shlex.split(paths) if "/" in word)
    else:
        words = words if program in ("invoke", "./inv", "workbench") else [program, *words]
        words = [word for word in words if word not in ("--dry", "--list", "…", "COMMAND", "--help")]
        if words:
            command = COMMANDS[words[0]]
            given, _ = read_line(words[0], words[1:], command.flags)
            required = sum(not each.many for each in command.words)
            assert required == len(command.words) >= len(given) or required < len(command.words), (
                "a word too many"
            )
            assert line not in commands(page) or len(given) >= required, "a word is missing"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_path_of_this_repository_is_there(page: Path) -> None:
    words = {word for text in (*spans(page), *commands(page)) for word in text.split()}
    assert [word for word in words if PATH.fullmatch(word) and not (CHECKOUT / word).exists()] == []


def test_the_readme_shows_the_commands_that_users_type() -> None:
    lines = [command.split() for command in commands(CHECKOUT / "README.md")]
    verbs = {words[1] for words in lines if words[0] in ("invoke", "./inv")}
    assert verbs >= {"release", "test", "serve", "add-package", "build", "upload"}


def test_every_command_is_named_in_the_readme() -> None:
    readme = (CHECKOUT / "README.md").read_text()
    assert [each.names[-1] for each in COMMANDS.values() if f"`{each.names[-1]}" not in readme] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_to_a_file(page: Path) -> None:
    assert [link for link in LINK.findall(page.read_text()) if not (page.parent / link).exists()] == []


@pytest.mark.parametrize(
    ("page", "block"),
    [
        pytest.param(page, block, id=f"{page.name}-{number}")
        for page in PAGES
        for number, block in enumerate(re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL))
        if "recipe = Recipe(" in block
    ],
)
def test_every_recipe_shown_is_one(page: Path, block: str) -> None:
    shown: dict[str, object] = {}
    exec(compile(block, page, "exec"), shown)  # noqa: S102 - a document of ours
    assert isinstance(shown["recipe"], Recipe)
