from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from tests.conftest import invoke
from workbench.process import environment
from workbench.site import CHECKOUT

if TYPE_CHECKING:
    from pathlib import Path

SITE = '''
from workbench.errors import UsageError
from workbench.verb import verb

@verb(help={"words": "words", "level": "a value", "loud": "a flag"})
def say(_, *words, level=0, loud=False):
    """Say words."""
    print(words, level, loud)

@verb(help={"how": "what goes wrong"})
def fail(_, how):
    """Fail."""
    raise {
        "ours": UsageError("this way: do that"),
        "bug": KeyError("x"),
        "disk": OSError(28, "No space left on device", "/full"),
        "stop": KeyboardInterrupt(),
    }[how]
'''


Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    (tmp_path / "tasks.py").write_text(SITE)

    def typed(*words: str, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "invoke", *words],
            cwd=tmp_path,
            env=environment({"PYTHONPATH": str(CHECKOUT), **env}),
            capture_output=True,
            text=True,
            check=False,
        )

    return typed


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (["say"], "() 0 False"),
        (["say", "a"], "('a',) 0 False"),
        (["say", "a", "b", "c"], "('a', 'b', 'c') 0 False"),
        (["say", "--level", "3", "a", "b"], "('a', 'b') 3 False"),
        (["say", "a", "b", "--level", "3"], "('a', 'b') 3 False"),
        (["say", "a", "--loud", "b", "--level=3", "c"], "('a', 'b', 'c') 3 True"),
    ],
)
def test_a_verb_takes_many_words(run: Run, line: list[str], said: str) -> None:
    done = run(*line)
    assert (done.returncode, done.stdout.strip()) == (0, said), done.stderr


@pytest.mark.parametrize(
    ("how", "status", "message"),
    [
        ("ours", 2, "error: this way: do that"),
        ("", 2, "error: fail needs HOW: what goes wrong"),
        ("bug", 70, "internal error: KeyError: 'x'"),
        ("disk", 1, "error: /full: No space left on device"),
        ("stop", 130, "Interrupted"),
    ],
)
def test_an_error_is_a_message_with_its_own_status(run: Run, how: str, status: int, message: str) -> None:
    done = run("fail", *filter(None, [how]))
    assert done.returncode == status
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_debug_shows_where(run: Run) -> None:
    assert "Traceback" in run("fail", "bug", WORKBENCH_DEBUG="1").stderr


def test_list_imports_nothing_heavy() -> None:
    program = (
        "import sys; from invoke.collection import Collection; sys.path.insert(0, '.'); import tasks; "
        "Collection.from_module(tasks); print(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=CHECKOUT, capture_output=True, text=True, check=True
    )
    heavy = {"boto3", "packaging", "rich", "jinja2", "requests", "nox", "jsonschema", "twine", "uv"}
    assert not heavy & {name.split(".")[0] for name in done.stdout.split()}


@pytest.mark.parametrize(
    "name",
    [
        "add-package",
        "list",
        "show",
        "build",
        "repair",
        "verify",
        "upload",
        "release",
        "remove",
        "yank",
        "serve",
    ],
)
def test_every_option_of_a_verb_is_explained(name: str) -> None:
    shown = invoke(name, "--help")
    assert shown.status == 0
    options = [
        line for line in shown.stdout.split("Options:")[1].splitlines() if line.strip().startswith("-")
    ]
    assert all(len(line.split("   ")) > 1 for line in options), shown.stdout
