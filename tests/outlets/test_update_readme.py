from __future__ import annotations

import json
import zipfile
from typing import TYPE_CHECKING

import pytest

from tests.forked import invoke
from tests.outlets.conftest import wheel
from workbench.evidence import notes
from workbench.make.verification import verify_wheels

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.verbs.conftest import Demo
    from workbench.paths import Paths

TEXT = "# Demo\n\nIt *answers* — „42“.\n"


def contents(path: Path) -> dict[str, tuple[bytes, tuple[int, ...], int]]:
    """Return what a wheel holds: each member's bytes, time and mode."""
    with zipfile.ZipFile(path) as archive:
        return {
            each.filename: (archive.read(each), each.date_time, each.external_attr)
            for each in archive.infolist()
        }


def test_only_the_description_and_its_row_of_record_change(paths: Paths, tmp_path: Path) -> None:
    made = wheel(paths.wheels)
    (readme := tmp_path / "README.md").write_text(TEXT)
    before, bytes_before = contents(made), made.read_bytes()
    dry = invoke("update-readme", made, "--file", readme, "--dry-run")
    assert (dry.status, made.read_bytes()) == (0, bytes_before), dry.stderr

    done = invoke("update-readme", made, "--file", readme, "--json")
    assert done.status == 0, done.stderr
    after = contents(made)
    changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    assert changed == {"demo-1.0.dist-info/METADATA", "demo-1.0.dist-info/RECORD"}
    assert list(after) == list(before)
    metadata = after["demo-1.0.dist-info/METADATA"][0].decode()
    assert metadata.endswith(f"Description-Content-Type: text/markdown; charset=UTF-8\n\n{TEXT}")
    assert metadata.count("Description-Content-Type") == 1
    rows = [
        content.decode().splitlines()
        for content in (before["demo-1.0.dist-info/RECORD"][0], after["demo-1.0.dist-info/RECORD"][0])
    ]
    assert len({*rows[0]} ^ {*rows[1]}) == 2
    (report,) = verify_wheels([made], paths)
    assert report.passed
    assert json.loads(done.stdout)["wheels"][0]["sha256"] == report.sha256

    again = invoke("update-readme", made, "--file", readme)
    assert "has this description already" in again.stdout


def test_what_is_known_of_a_wheel_goes_with_it_and_tells_of_the_change(
    released: Demo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (made,) = released.wheels()
    (readme := tmp_path / "README.md").write_text(TEXT)
    monkeypatch.setattr("pathlib.Path.replace", _cut(made))
    with pytest.raises(InterruptedError):
        _update(made, readme)
    monkeypatch.undo()
    monkeypatch.setenv("WORKBENCH_SITE", str(released.paths.root))
    _update(made, readme)
    known = notes.recall(made)
    assert known is not None
    assert known.provenance is not None
    assert known.provenance.changed.startswith("the long description is README.md, sha256 ")
    assert known.build_key
    assert "the long description is README.md" in invoke("evidence.show", made).stdout


def _update(made: Path, readme: Path) -> None:
    from workbench.publish.redescribing import update_readme

    update_readme([made], readme)


def _cut(made: Path) -> Callable[[Path, Path], Path]:
    """Return a rename that breaks off before the wheel itself, as a kill would."""
    from pathlib import Path

    rename = Path.replace

    def cut(self: Path, target: Path) -> Path:
        if target == made:
            raise InterruptedError
        return rename(self, target)

    return cut


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("README", b"text", "Name it .md, .rst or .txt"),
        ("README.md", b"\xff", "it is not UTF-8"),
        ("README.md", b"  \n", "it is empty"),
        ("README.rst", b"A title\n=\n\n.. nothing:: \n", "an index would not show it"),
    ],
)
def test_what_is_no_description_is_refused(
    paths: Paths, tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    made = wheel(paths.wheels)
    before = made.read_bytes()
    (tmp_path / name).write_bytes(content)
    done = invoke("update-readme", made, "--file", tmp_path / name)
    assert done.status in (2, 11)
    assert said in done.stderr
    assert made.read_bytes() == before
