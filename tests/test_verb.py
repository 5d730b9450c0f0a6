from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from tests.forked import Ran, invoke, typed
from workbench.paths import CHECKOUT

if TYPE_CHECKING:
    from pathlib import Path

SITE = '''
import shutil
from dataclasses import dataclass
from typing import Annotated

from workbench.errors import UsageError
from workbench.flags import flag
from workbench.verb import Group, Verb, gathered

@dataclass(frozen=True, kw_only=True)
class Voice:
    pitch: str = flag("how high")
    echoes: int = flag("how often", default=1)
    dry_run: bool = flag("do nothing", default=False)

@Verb
def say(*words: Annotated[str, "what to say"], level: Annotated[int, "a number"] = 0,
        tone: Annotated[str, "a value"] = "", loud: Annotated[bool, "a flag"] = False):
    """Say words."""
    print(words, level, loud)

@Verb
def two_words(one: Annotated[str, "the first"], two: Annotated[str, "the second"], *,
              dry_run: Annotated[bool, "do nothing"] = False):
    """Take two words."""
    print(one, two, dry_run)

@Verb
def tidy(*, apply: Annotated[bool, "do it"] = False):
    """Tidy up."""
    print("tidy" if apply else "would tidy")

@Verb
def fail(how: Annotated[str, "what goes wrong"]):
    """Fail."""
    raise {
        "ours": UsageError("this way: do that"),
        "bug": KeyError("x"),
        "disk": OSError(28, "No space left on device", "/full"),
        "log": OSError(28, "No space left on device"),
        "copy": shutil.Error([("/a/x", "/b/x", "[Errno 13] Permission denied: '/a/x'"), ("/a/y", "/b/y", "likewise")]),
        "fill": shutil.Error([("/a/x", "/b/x", "[Errno 28] No space left on device")]),
        "stop": KeyboardInterrupt(),
    }[how]

@Verb
def sing(*songs: Annotated[str, "which"], voice: Voice, json: Annotated[bool, "in JSON"] = False):
    """Sing songs."""
    print(songs, voice.pitch, voice.echoes, voice.dry_run, json)

@Verb
def new(name: Annotated[str, "whose"], *, voice: Voice):
    """Begin one."""
    print("new", name, voice.pitch)
    return 3

@Verb
def hum(*tunes: Annotated[str, "which (default: all)"], times: Annotated[int, "how often"] = 3,
        key: Annotated[str, "which key"] = "C", loud: Annotated[bool, "a flag"] = False):
    """Hum tunes.

    Nobody listens.
    """

namespace = gathered(
    Group(title="Words", commands=(say, two_words, hum)),
    Group(title="More", commands=(tidy, fail)),
    Group(title="Songs", under="song", commands=(sing, new), default=sing),
    renamed={"chant": "song.sing"},
)
'''


Run = Callable[..., Ran]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    (tmp_path / "tasks.py").write_text(SITE)
    return lambda *words, **env: typed(*words, cwd=tmp_path, env=env)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (["say"], "() 0 False"),
        (["say", "a"], "('a',) 0 False"),
        (["say", "a", "b", "c"], "('a', 'b', 'c') 0 False"),
        (["say", "--level", "3", "a", "b"], "('a', 'b') 3 False"),
        (["say", "a", "b", "--level", "3"], "('a', 'b') 3 False"),
        (["say", "a", "--loud", "b", "--level=3", "c"], "('a', 'b', 'c') 3 True"),
        (["say", "a", "--", "--loud", "say"], "('a', '--loud', 'say') 0 False"),
        (["say", "say", "song.new", "a=b", "-"], "('say', 'song.new', 'a=b', '-') 0 False"),
        (["song.sing", "a", "--pitch", "high", "b", "--json"], "('a', 'b') high 1 False True"),
        (["song.sing", "a", "--echoes=2", "--dry-run"], "('a',)  2 True False"),
        (["song", "a", "song", "b"], "('a', 'song', 'b')  1 False False"),
    ],
)
def test_a_verb_takes_many_words(run: Run, line: list[str], said: str) -> None:
    done = run(*line)
    assert (done.status, done.stdout.strip()) == (0, said), done.stderr


@pytest.mark.parametrize(
    ("how", "status", "message"),
    [
        ("ours", 2, "error: this way: do that"),
        ("", 2, "error: fail needs HOW: what goes wrong"),
        ("bug", 70, "internal error: KeyError: 'x'"),
        ("disk", 1, "error: /full: No space left on device: make room, and run the same command again"),
        ("log", 1, "error: No space left on device: make room, and run the same command again"),
        ("copy", 1, "error: /a/x cannot be copied: [Errno 13] Permission denied: '/a/x'\n"),
        ("fill", 1, "No space left on device: make room, and run the same command again"),
        ("stop", 130, "Interrupted"),
    ],
)
def test_an_error_is_a_message_with_its_own_status(run: Run, how: str, status: int, message: str) -> None:
    done = run("fail", *filter(None, [how]))
    assert done.status == status
    assert message in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("value", "shown"), [("1", True), ("0", False), ("", False)])
def test_debug_shows_where_and_the_status_stays(run: Run, value: str, shown: bool) -> None:
    done = run("fail", "ours", WORKBENCH_DEBUG=value)
    assert ("Traceback" in done.stderr) is shown
    assert done.status == 2
    assert "error: this way: do that" in done.stderr


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (["say", "--levle", "3", "a"], "say has no --levle (did you mean '--level'?)"),
        (["two-words", "--nothing", "a", "b"], "two-words has no --nothing: 'invoke two-words --help' lists"),
        (["say", "--words", "a"], "say has no --words"),
        (["say", "--echo", "a"], "Invoke's own flags stand before the command: 'invoke --echo COMMAND'"),
        (["say", "-xyz", "a"], "say has no -xyz"),
        (["song.new", "--nothing", "a"], "song.new has no --nothing: 'invoke song.new --help' lists"),
        (["song.new", "--name", "a"], "song.new has no --name"),
        (["song.new", "a", "b"], "song.new takes 1 word, and 'b' is one too many"),
        (["song.new", "a", "--echoes", "x"], "--echoes x: give a whole number, 0 or more"),
        (["song", "--ptich=x"], "song has no --ptich (did you mean '--pitch'?)"),
        (["chant", "a"], "chant is called song.sing now: invoke song.sing"),
        (["song.nwe", "a"], "no command 'song.nwe' (did you mean 'song.new'?): 'invoke --list' lists them"),
        (["zzz"], "no command 'zzz': 'invoke --list' lists them"),
        (["--help", "zzz"], "no command 'zzz': 'invoke --list' lists them"),
        (["--list", "zzz"], "--list zzz: the groups are song"),
        (["say", "a", "--level", "x"], "--level x: give a whole number, 0 or more"),
        (["say", "a", "--level", "-1"], "--level -1: give a whole number, 0 or more"),
        (["say", "a", "--level", "²"], "--level ²: give a whole number, 0 or more"),
        (["say", "a", "--level="], "--level : give a whole number, 0 or more"),
        (["say", "a", "--tone"], "--tone needs a value"),
        (["say", "--tone", "--loud", "a"], "--tone needs a value"),
        (["say", "--tone", "a", "--tone", "b", "c"], "--tone is given twice"),
        (["say", "a", "--loud=yes"], "--loud=yes: --loud takes no value"),
        (["two-words", "a", "b", "c"], "two-words takes 2 words, and 'c' is one too many"),
        (["tidy", "say", "a"], "tidy takes no word, and 'say' is one too many; one command to a line"),
        (["two-words", "a"], "two-words needs TWO: the second"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_line_that_is_wrong_is_told_why(run: Run, line: list[str], message: str) -> None:
    done = run(*line)
    assert (done.status, done.stdout) == (2, "")
    assert message in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "line",
    [
        ["say", "--help"],
        ["say", "-h"],
        ["--help", "say"],
        ["say", "--help", "a"],
        ["say", "a", "--help"],
        ["say", "--nonsense", "--help"],
    ],
    ids=" ".join,
)
def test_help_shows_the_words_and_the_flags(run: Run, line: list[str]) -> None:
    done = run(*line)
    assert (done.status, done.stderr) == (0, "")
    usage, *_ = said = done.stdout.splitlines()
    assert usage == "Usage: invoke say WORD... [--options]"
    explained = [" ".join(each.split()) for each in said]
    for expected in ("Say words.", "WORD... what to say", "--level=INT a number", "--loud a flag"):
        assert expected in explained
    assert "--words" not in done.stdout


def test_help_names_what_may_be_left_out_and_every_default(run: Run) -> None:
    said = [" ".join(line.split()) for line in run("hum", "--help").stdout.splitlines()]
    assert said[0] == "Usage: invoke hum [TUNE...] [--options]"
    assert "--times=INT how often (default: 3)" in said
    assert "--key=STRING which key (default: C)" in said
    assert "--loud a flag" in said


def test_help_is_indented_to_its_last_line(run: Run) -> None:
    assert "\n\n  Hum tunes.\n\n  Nobody listens.\n\n" in run("hum", "--help").stdout


def test_words_that_are_taken_one_by_one_are_named_in_the_usage(run: Run) -> None:
    assert run("two-words", "--help").stdout.startswith("Usage: invoke two-words ONE TWO [--options]\n")
    assert run("two-words", "a", "--dry-run", "b").stdout == "a b True\n"


@pytest.mark.parametrize("flag", ["--dry", "-R"])
def test_invokes_own_dry_run_is_the_verbs(run: Run, flag: str) -> None:
    assert run(flag, "two-words", "a", "b").stdout == "a b True\n"
    assert run(flag, "tidy", "--apply").stdout == "would tidy\n"
    refused = run(flag, "say", "a")
    assert (refused.status, refused.stdout) == (2, "")
    assert "say has no dry run; nothing was done" in refused.stderr


@pytest.mark.parametrize("says", ["a variable", "a file beside tasks.py", "a file that is named"])
def test_a_dry_run_that_invokes_settings_ask_for_is_the_verbs(run: Run, tmp_path: Path, says: str) -> None:
    env, flags = {}, []
    if says == "a variable":
        env = {"INVOKE_RUN_DRY": "1"}
    elif says == "a file beside tasks.py":
        (tmp_path / "invoke.yaml").write_text("run: {dry: true}")
    else:
        (tmp_path / "mine.yaml").write_text("run: {dry: true}")
        flags = ["-f", "mine.yaml"]
    assert run(*flags, "two-words", "a", "b", **env).stdout == "a b True\n"
    assert run(*flags, "tidy", "--apply", **env).stdout == "would tidy\n"
    assert run(*flags, "say", "a", **env).status == 2


@pytest.mark.parametrize("line", ["--list", "say --help", "--help say"])
def test_a_reader_that_has_seen_enough_is_no_error(tmp_path: Path, line: str) -> None:
    (tmp_path / "tasks.py").write_text(SITE)
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "invoke", *line.split()],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT), "PYTHONUNBUFFERED": ""},
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (1, "")


def test_a_shell_completes_commands_and_the_flags_that_each_takes(run: Run) -> None:
    assert {"two-words", "song.new"} <= set(run("--complete", "--", "invoke tw").stdout.split())
    for line, flags in (
        ("say --", {"--level", "--tone", "--loud"}),
        ("say a --level 3 --l", {"--level", "--tone", "--loud"}),
        ("two-words a --", {"--dry-run"}),
        ("song.new x --", {"--pitch", "--echoes", "--dry-run"}),
        ("song --", {"--pitch", "--echoes", "--dry-run", "--json"}),
    ):
        assert set(run("--complete", "--", f"invoke {line}").stdout.split()) == {*flags, "--events"}, line


@pytest.mark.parametrize("line", [["--list"], [], ["--echo"]], ids=str)
def test_the_list_is_in_groups_a_line_each(run: Run, line: list[str]) -> None:
    done = run(*line)
    assert (done.status, done.stderr) == (0, "")
    _, *groups = done.stdout.split("\n\n")
    assert [group.splitlines()[0] for group in groups] == ["Words", "More", "Songs"]
    assert [line.split(maxsplit=1) for line in groups[2].splitlines()[1:]] == [
        ["song", "Sing songs."],
        ["song.new", "Begin one."],
    ]
    assert run("--list", "song").stdout.count("\n") == 5


def test_help_of_a_command_in_a_group_shows_and_runs_nothing(run: Run) -> None:
    for line in (["song.new", "--help"], ["--help", "song.new"], ["song.new", "x", "-h"]):
        done = run(*line)
        assert (done.status, done.stderr) == (0, "")
        assert done.stdout.startswith("Usage: invoke song.new NAME [--options]\n")
        assert "--pitch=STRING" in done.stdout
        assert "how high" in done.stdout
    for line in (["song", "--help"], ["song.sing", "--help"]):
        assert run(*line).stdout.startswith("Usage: invoke song SONG... [--options]\n")


def test_a_command_decides_its_exit_status(run: Run) -> None:
    done = run("song.new", "x", "--pitch=low")
    assert (done.status, done.stdout, done.stderr) == (3, "new x low\n", "")


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
        "toolchain",
        "store.prune",
    ],
)
def test_every_option_of_a_verb_is_explained(name: str) -> None:
    shown = invoke(name, "--help")
    assert shown.status == 0
    explained = [line for line in shown.stdout.splitlines() if re.match(r"  (--|[A-Z.]+ )", line)]
    assert explained
    assert all(len(line.strip().split("   ")) > 1 for line in explained), shown.stdout
