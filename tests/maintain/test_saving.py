"""Whatever a series does, saving what it was applied to gives the same series: by our hand, and by quilt's."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.patches.test_quilt import quilt_push, snapshot
from workbench.maintain.saving import series_of
from workbench.maintain.work import with_patches, with_source
from workbench.patches.series import read_series
from workbench.patches.writing import write_series

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workbench.maintain.repository import Repository

pytestmark = pytest.mark.needs("git")

Files = dict[str, tuple[bytes, bool]]
"""What there is in a tree: content, and whether it is executable."""

LINES = [b"a", b"b", b"c", b"", b"x\r", b"caf\xe9", b"\xff\xfe", b" indented", b"\ttab ", b"@@ -1 +1 @@"]
LINES += [
    b"--- a/x",
    b"+++ b/x",
    b"diff --git a/x b/x",
    b"index 1..2 100644",
    b"-- ",
    b"\\ no",
    b"rename to x",
]
NAMES = ["plain", "with blank", "folder/deep er/x.c", "\xfc.txt", 'quo"te', "back\\slash", "tab\there", "y.c"]
NAMES += [os.fsdecode(b"latin-\xe9")]

contents = st.tuples(st.lists(st.sampled_from(LINES), min_size=1, max_size=12), st.booleans()).map(
    lambda drawn: b"\n".join(drawn[0]) + b"\n" * drawn[1] or b"\n"
)
edits = st.one_of(
    st.tuples(st.just("write"), st.sampled_from(NAMES), contents),
    st.tuples(st.just("append"), st.sampled_from(NAMES), contents),
    st.tuples(st.just("delete"), st.sampled_from(NAMES), st.just(b"")),
    st.tuples(st.just("rename"), st.sampled_from(NAMES), st.sampled_from(NAMES)),
    st.tuples(st.just("mode"), st.sampled_from(NAMES), st.just(b"")),
    st.tuples(st.just("empty"), st.sampled_from(NAMES), st.just(b"")),
)
histories = st.lists(st.lists(edits, min_size=1, max_size=4), min_size=1, max_size=4)


def edited(files: Files, edit: tuple[str, str, bytes | str]) -> Files:
    """Return the files after an edit; one that makes no sense there does nothing."""
    what, name, value = edit
    after = dict(files)
    match what, value:
        case "write", bytes():
            after[name] = (value, name in files and files[name][1])
        case "append", bytes() if name in files:
            after[name] = (files[name][0] + value, files[name][1])
        case "delete", _:
            after.pop(name, None)
        case "rename", str() if name in files and value not in files:
            after[value] = after.pop(name)
        case "mode", _ if name in files:
            after[name] = (files[name][0], not files[name][1])
        case "empty", _ if name not in files:
            after[name] = (b"", False)
    return after


def lay_out(files: Files, folder: Path) -> None:
    """Make a folder hold exactly these files, beside its repository."""
    for each in folder.iterdir():
        if each.name != ".git":
            shutil.rmtree(each) if each.is_dir() else each.unlink()
    for name, (content, executable) in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        path.chmod(0o755 if executable else 0o644)


def history(start: Files, steps: Sequence[Files], folder: Path) -> tuple[Repository, str, str]:
    """Make a repository with a commit for each state, and return it with the first and the last."""
    folder.mkdir()
    lay_out(start, folder)
    repository, base = with_source(folder, "source")
    head = base
    for number, files in enumerate(steps):
        lay_out(files, folder)
        tree = repository.tree(repository.snapshot(folder, "state"))
        head = repository.commit(
            tree, head, f"Step {number}\n", author="Ada <ada@example.org>", date="2026-11-21"
        )
    lay_out(start, folder)
    return repository, base, head


def emptied(before: Files, after: Files) -> bool:
    """Say whether a file becomes empty, which is refused: quilt would delete it."""
    return any(content == b"" != before.get(name, (b"",))[0] for name, (content, _) in after.items())


@settings(
    max_examples=int(os.environ.get("WORKBENCH_EXAMPLES", "25")),
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
    # each example starts dozens of programs: to shrink one takes minutes
    phases=[Phase.explicit, Phase.generate],
)
@given(
    start=st.dictionaries(st.sampled_from(NAMES), st.tuples(contents, st.booleans()), min_size=1),
    asked=histories,
)
@pytest.mark.needs("quilt")
def test_saving_what_a_series_makes_gives_that_series(
    start: Files, asked: list[list[tuple[str, str, bytes | str]]]
) -> None:
    steps: list[Files] = []
    for each in asked:
        after = steps[-1] if steps else start
        for edit in each:
            after = edited(after, edit)
        if not emptied(steps[-1] if steps else start, after):
            steps.append(after)
    with TemporaryDirectory() as name:
        folder, series = Path(name, "tree"), Path(name, "series")
        repository, base, head = history(start, steps, folder)

        first = series_of(repository, base, repository.between(base, head), {})
        written = write_series(series, [each.patch for each in first])
        read = read_series(series)
        plain = Path(name, "plain")
        repository.export(base, plain)
        again = with_patches(repository, base, read, folder)
        second = series_of(
            repository, base, repository.between(base, again), {each.name: each for each in read}
        )

        assert repository.tree(again) == repository.tree(head)
        assert [each.patch for each in second] == [each.patch for each in first]
        assert all(each.kept for each in second)
        assert not write_series(series, [each.patch for each in second])
        # what git writes anew is what was written before: nothing changes by itself
        anew = series_of(repository, base, repository.between(base, again), {})
        assert [each.patch for each in anew] == [each.patch for each in first]
        if written:
            quilt_push(series, plain)
            assert snapshot(plain) == snapshot(folder)
