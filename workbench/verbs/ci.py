"""``ci.*``: the workflows that build and publish a site's wheels, written from its settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from workbench import console
from workbench.paths import PROGRAM
from workbench.text import counted
from workbench.verb import Verb
from workbench.verbs.flags import DryRun, Json, here

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workbench.ci.committed import Compared
    from workbench.paths import Paths

Gitlab = Annotated[bool, "GitLab's file, whatever ci.host says"]


@Verb
def write(
    *,
    gitlab: Gitlab = False,
    replace: Annotated[bool, "write over files that somebody else wrote, too"] = False,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Write the workflows that build and publish, from workbench.yaml."""
    from workbench.ci.committed import write_workflows

    paths, found = _compared(gitlab=gitlab)
    if not dry_run:
        write_workflows(found, paths, replace=replace)
    changed = [each for each in found if each.state != "same"]
    if json:
        console.answer_json({"files": _plain(found), "dry_run": dry_run})
        return
    for each in changed:
        done = "wrote" if each.wanted.text is not None else "removed"
        console.answer(each.diff if dry_run else f"{done} {each.wanted.path}")
    same = counted(len(found) - len(changed), "file")
    console.answer(f"{same} as they should be, {len(changed)} {'to be ' if dry_run else ''}changed")
    if changed and not dry_run:
        console.answer("Commit them. What the repository needs besides: docs/ci.md")


@Verb
def check(*, gitlab: Gitlab = False, json: Json = False) -> int:
    """Say whether the workflows here are those of workbench.yaml."""
    from workbench.errors import SettingsError

    _, found = _compared(gitlab=gitlab)
    changed = [each for each in found if each.state != "same"]
    if json:
        console.answer_json({"files": _plain(found), "current": not changed})
    else:
        console.answer_table(("file", "state"), [(each.wanted.path, each.state) for each in found])
        for each in changed:
            if each.state != "missing":
                console.answer(f"\n{each.diff}")
        if changed:
            console.answer(f"\n'{PROGRAM} ci.write' makes them what they should be")
    return SettingsError.exit_code if changed else 0


def _compared(*, gitlab: bool) -> tuple[Paths, tuple[Compared, ...]]:
    from workbench.ci.committed import compare, expect_top
    from workbench.ci.workflows import workflow_files

    paths, settings = here()
    expect_top(paths.root)
    return paths, compare(workflow_files(paths, settings, host="gitlab" if gitlab else None), paths)


def _plain(found: Sequence[Compared]) -> list[dict[str, str]]:
    return [{"path": each.wanted.path, "state": each.state, "diff": each.diff} for each in found]
