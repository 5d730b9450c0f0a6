"""The documents say nothing that is not so: their commands parse, their links lead somewhere."""

from __future__ import annotations

import re
import shlex
import sys
from typing import TYPE_CHECKING

import pytest
from invoke.collection import Collection
from invoke.parser import Parser

import tasks
from workbench.recipe import Recipe
from workbench.site import CHECKOUT

if TYPE_CHECKING:
    from pathlib import Path

PAGES = [CHECKOUT / "README.md", *sorted((CHECKOUT / "docs").glob("*.md"))]
VERBS = Collection.from_module(tasks)

COMMAND = re.compile(r"^(?:\$ )?((?:\./inv|invoke) .*)$", re.MULTILINE)
LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)")


def commands(page: Path) -> list[str]:
    blocks = re.findall(r"```(?:console|sh|bash)?\n(.*?)```", page.read_text(), re.DOTALL)
    indented = re.findall(r"(?:^    .*\n)+", page.read_text(), re.MULTILINE)
    text = "\n".join([*blocks, *(re.sub(r"^    ", "", block, flags=re.MULTILINE) for block in indented)])
    return COMMAND.findall(text.replace("\\\n", " "))


@pytest.mark.parametrize(
    ("page", "line"), [pytest.param(page, line, id=line) for page in PAGES for line in commands(page)]
)
def test_every_command_is_one_that_the_verbs_take(
    page: Path, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = shlex.split(
        line.split("  #", maxsplit=1)[0]
        .split(" # ", maxsplit=1)[0]
        .split(" | ", maxsplit=1)[0]
        .split(" > ", maxsplit=1)[0]
    )[1:]
    if words[0].startswith("-"):
        return  # invoke's own flags
    monkeypatch.setattr(sys, "argv", ["invoke", *words])
    (parsed,) = Parser(contexts=VERBS.to_contexts()).parse_argv(words)
    assert parsed.name == words[0]
    assert not parsed.missing_positional_args, f"{page.name}: {line}"


def test_the_readme_shows_the_commands_that_users_type() -> None:
    verbs = {command.split()[1] for command in commands(CHECKOUT / "README.md")}
    assert verbs >= {"release", "test", "serve", "add-package", "build", "upload"}


def test_every_verb_is_named_in_the_readme() -> None:
    readme = (CHECKOUT / "README.md").read_text()
    assert [name for name in VERBS.task_names if f"`{name}" not in readme] == []


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
