from __future__ import annotations

import re

import workbench.errors
from workbench.errors import WorkbenchError, nearest
from workbench.paths import CHECKOUT


def test_each_kind_has_an_exit_status_of_its_own_and_the_docs_list_them() -> None:
    kinds: list[type[WorkbenchError]] = [WorkbenchError, *WorkbenchError.__subclasses__()]
    ours = {kind.__name__: kind.exit_code for kind in kinds if kind.__module__ == workbench.errors.__name__}
    assert len(set(ours.values())) == len(ours)
    page = (CHECKOUT / "docs" / "errors.md").read_text()
    listed = {name: int(status) for status, name in re.findall(r"^\| (\d+) \| `(\w+)`", page, re.MULTILINE)}
    assert listed == ours


def test_nearest_names_a_near_word_and_no_far_one() -> None:
    assert nearest("sorce", ["source", "name"]) == " (did you mean 'source'?)"
    assert nearest("zzz", ["source", "name"]) == ""
