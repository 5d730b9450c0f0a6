from __future__ import annotations

import json
import os
import signal
import socket
import sys
import time
from typing import TYPE_CHECKING

import pytest

from tests.libraries import dummy, extension
from tests.wheels import files_of, good, pack, wheel
from workbench.builders.interpreter import interpreter_here
from workbench.errors import UsageError, WorkbenchError
from workbench.plan.target import this_arch
from workbench.process import run
from workbench.verify import archive, twine, verifier
from workbench.verify.report import CHECKS, Expectation, Report, checks_table, findings_text
from workbench.verify.verifier import verify

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from workbench.paths import Paths
    from workbench.process import Completed

INFO = "demo-1.0.dist-info"
LOWEST = next(f"3.{minor}" for minor in range(9, 20) if interpreter_here(f"3.{minor}"))
"""The lowest Python here that the factory's wheels say they take: they require 3.9."""


def wheel_in(folder: Path, **files: str) -> Path:
    """Write a wheel with the given text in its METADATA or its module."""
    folder.mkdir()
    content = files_of()
    if "metadata" in files:
        content[f"{INFO}/METADATA"] = files["metadata"].encode()
    if "module" in files:
        content["demo/__init__.py"] = files["module"].encode()
    return pack(folder / "demo-1.0-py3-none-any.whl", content)


def one(paths: Paths, path: Path, **asked: object) -> Report:
    (report,) = verify([Expectation(path=path, **asked)], paths)  # type: ignore[arg-type] # a Expectation's own fields
    return report


def damaged(path: Path) -> Path:
    data = bytearray(path.read_bytes())
    data[70] ^= 0xFF
    path.write_bytes(data)
    return path


def test_a_sound_wheel_passes_with_what_publishing_needs(paths: Paths, tmp_path: Path) -> None:
    report = one(paths, good(tmp_path), modules=("demo",))
    assert report.passed
    assert report.checks == tuple(check for check in CHECKS if check not in ("gpu", "smoke"))
    assert (report.name, report.version, report.tags) == ("demo", "1.0", ("py3-none-any",))
    assert report.requires_python == ">=3.9"
    assert report.metadata == files_of()[f"{INFO}/METADATA"]
    assert findings_text(report) == ""


def test_reports_come_in_the_order_of_the_requests(paths: Paths, tmp_path: Path) -> None:
    sound, broken = wheel_in(tmp_path / "a"), damaged(wheel_in(tmp_path / "b"))
    requests = [Expectation(path=path) for path in (broken, sound, broken)]
    assert [report.passed for report in verify(requests, paths)] == [False, True, False]
    assert verify([], paths) == ()


def test_many_large_wheels_are_read_in_processes_to_the_same_end(
    paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verifier, "POOL_PAYS", 0)
    monkeypatch.setattr(archive, "read", None)  # not in this process
    wheels = [wheel_in(tmp_path / "a"), damaged(wheel_in(tmp_path / "b")), wheel_in(tmp_path / "c")]
    reports = verify([Expectation(path=path) for path in wheels], paths, jobs=2)
    assert [report.path for report in reports] == wheels
    assert [report.passed for report in reports] == [True, False, True]


def test_one_wheel_starts_no_processes(paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verifier, "POOL_PAYS", 0)
    monkeypatch.setattr(verifier, "ProcessPoolExecutor", None)
    assert one(paths, good(tmp_path)).passed


def test_twine_looks_at_all_wheels_in_one_run_and_blames_the_right_ones(
    paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    head = "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\nDescription-Content-Type: text/x-rst\n\n"
    texts = {"a": "Plain.\n", "b": ".. nonsense::\n\n`open <\n", "c": "Plain.\n"}
    wheels = [wheel_in(tmp_path / name, metadata=head + text) for name, text in texts.items()]
    runs: list[Sequence[str | Path]] = []

    def counted(argv: Sequence[str | Path], *, cwd: Path, env: dict[str, str], check: bool) -> Completed:
        runs.append(argv)
        return run(argv, cwd=cwd, env=env, check=check)

    monkeypatch.setattr(twine, "run", counted)
    first, second, third = verify([Expectation(path=path) for path in wheels], paths)
    assert first.passed
    assert third.passed
    (found,) = second.findings
    assert (found.check, found.where) == ("twine", "METADATA")
    assert "nonsense" in found.what
    assert len(runs) == 1


def test_metadata_that_stops_twine_hides_no_other_wheel(paths: Paths, tmp_path: Path) -> None:
    head = "Metadata-Version: 2.1\nName: demo\n"
    bad = wheel_in(tmp_path / "a", metadata=f"{head}Version: none\n\n")
    rst = "Version: 1.0\nDescription-Content-Type: text/x-rst\n\n.. nonsense::\n"
    unreadable = wheel_in(tmp_path / "b", metadata=head + rst)
    reports = verify([Expectation(path=path) for path in (bad, unreadable)], paths)
    assert ["twine" in {each.check for each in report.findings} for report in reports] == [True, True]
    assert "none" in next(each.what for each in reports[0].findings if each.check == "twine")


RST = "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\nDescription-Content-Type: text/x-rst\n\n"


def test_a_description_that_takes_hours_to_render_is_given_up_and_hides_no_other_wheel(
    paths: Paths, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bomb = (
        "".join(f".. |a{n}| replace:: |a{n + 1}| |a{n + 1}|\n" for n in range(24))
        + ".. |a24| replace:: x\n\n|a0|\n"
    )
    wheels = [wheel_in(tmp_path / "a", metadata=RST + bomb), wheel_in(tmp_path / "b")]
    reports = verify([Expectation(path=path) for path in wheels], paths)
    assert ["twine" in report.checks for report in reports] == [False, True]
    assert "its description was not checked" in capsys.readouterr().err


def test_what_twine_takes_to_begin_is_not_taken_from_the_descriptions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a slow machine, or where Python may not keep what it compiles."""
    slow = f"import time\nwhile time.process_time() < {twine._SECONDS}:\n    pass\n"
    (tmp_path / "sitecustomize.py").write_text(slow)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    path = good(tmp_path)
    text = archive.metadata(path)
    assert text is not None
    assert twine.check_descriptions({path: text}) == {path: ()}


def test_a_clock_before_1980_hinders_no_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "localtime", lambda *_: time.gmtime(0))
    path = good(tmp_path)
    text = archive.metadata(path)
    assert text is not None
    assert twine.check_descriptions({path: text}) == {path: ()}


def test_the_smoke_test_runs_where_no_source_lies(paths: Paths, tmp_path: Path) -> None:
    module = "import os\nassert os.listdir() == [] and 'site-packages' in __file__, os.getcwd()"
    path = wheel_in(tmp_path / "a", module=module)
    report = one(paths, path, modules=("demo",), smoke_test="import demo", smoke=True)
    assert report.passed, report.findings
    assert report.checks == tuple(check for check in CHECKS if check != "gpu")


@pytest.mark.parametrize(
    ("module", "asked", "says"),
    [
        ("raise RuntimeError('no driver')", {}, ("import demo", "no driver")),
        (
            "answer = 41",
            {"smoke_test": "import demo; assert demo.answer == 42, demo.answer"},
            ("smoke_test", "41"),
        ),
        ("", {"test_requires": ("demo==99",)}, ("install", "99")),
    ],
)
def test_a_failed_smoke_test_quotes_what_was_printed(
    paths: Paths, tmp_path: Path, module: str, asked: dict[str, object], says: tuple[str, str]
) -> None:
    path = wheel_in(tmp_path / "a", module=module)
    report = one(paths, path, modules=("demo",), smoke=True, **asked)
    where, what = says
    (found,) = report.findings
    assert (found.check, found.where) == ("smoke", f"{where} (Python {LOWEST})")
    assert what in found.what
    assert f"smoke: {where} (Python {LOWEST}): " in findings_text(report)


@pytest.mark.parametrize("cache", ["/sys", "/proc/cache"])
def test_a_cache_that_cannot_be_written_is_no_finding_about_the_wheel(
    paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache: str
) -> None:
    monkeypatch.setenv("UV_CACHE_DIR", cache)
    path = wheel_in(tmp_path / "a")
    with pytest.raises(WorkbenchError, match=f"^uv cannot write its cache, {cache}: see that") as refused:
        one(paths, path, modules=("demo",), smoke=True)
    assert refused.value.exit_code == 1


def test_it_is_tried_on_each_python_that_was_asked_for(paths: Paths, tmp_path: Path) -> None:
    newer = newer_python()
    module = f"import sys\nassert '%d.%d' % sys.version_info[:2] != '{newer}', 'not here'"
    path = wheel_in(tmp_path / "a", module=module)
    assert one(paths, path, modules=("demo",), smoke=True).passed
    report = one(paths, path, modules=("demo",), smoke=True, asked=((newer, this_arch()),))
    assert [each.where for each in report.findings] == [f"import demo (Python {newer})"]


def test_a_wheel_that_needs_a_newer_python_than_the_workbench_is_tried_on_that(
    paths: Paths, tmp_path: Path
) -> None:
    """By its Requires-Python as by its tag: it cannot be installed into this one."""
    newer = newer_python()
    module = f"import sys\nassert '%d.%d' % sys.version_info[:2] == '{newer}'"
    content = files_of()
    text = content[f"{INFO}/METADATA"].replace(b">=3.9", f">={newer}".encode())
    content |= {f"{INFO}/METADATA": text, "demo/__init__.py": module.encode()}
    report = one(paths, pack(tmp_path / "demo-1.0-py3-none-any.whl", content), modules=("demo",), smoke=True)
    assert report.passed, report.findings
    assert "smoke" in report.checks


def newer_python() -> str:
    """Return a Python on this machine that is newer than the one that runs the tests."""
    for minor in range(sys.version_info[1] + 1, 20):
        if interpreter_here(f"3.{minor}"):
            return f"3.{minor}"
    pytest.skip("no newer Python is on this machine")


def test_an_extension_module_of_torch_is_imported_after_torch(paths: Paths, tmp_path: Path) -> None:
    """As everybody does who uses one: repair leaves torch's libraries to torch, which has loaded them by then."""
    library = dummy(tmp_path, "libtorch_demo.so")
    loads = (
        "import ctypes, pathlib\nctypes.CDLL(pathlib.Path(__file__).parent / 'lib' / 'libtorch_demo.so')\n"
    )
    files = {
        "_c.so": extension(tmp_path, [library]),
        "demo/__init__.py": b"",
        "torch/__init__.py": loads.encode(),
        "torch/lib/libtorch_demo.so": (tmp_path / "libtorch_demo.so").read_bytes(),
    }
    report = one(paths, wheel(tmp_path, files), modules=("demo", "_c"), smoke=True)
    assert "smoke" in report.checks
    assert report.passed, report.findings


NOSY = """
import os, pathlib, socket
try:
    socket.create_connection(("127.0.0.1", {port}), timeout=5)
except OSError as error:
    assert "refused" in str(error), error
else:
    raise SystemExit("a network")
assert "AWS_SECRET_ACCESS_KEY" not in os.environ
assert not pathlib.Path({home!r}).exists()
pathlib.Path("~/mine").expanduser().write_text("")
import demo
try:
    pathlib.Path(demo.__file__).write_text("")
except OSError:
    pass
else:
    raise SystemExit("it may change what is installed, whose files others have as well")
"""


@pytest.mark.needs("bwrap")
def test_a_smoke_test_sees_no_network_no_home_and_no_secret(
    paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    with socket.create_server(("127.0.0.1", 0)) as server:
        nosy = NOSY.format(port=server.getsockname()[1], home=str(tmp_path))
        report = one(paths, good(tmp_path), modules=("demo",), smoke=True, smoke_test=nosy)
    assert report.passed, findings_text(report)


def test_several_smoke_tests_run_at_once_each_for_its_own_wheel(paths: Paths, tmp_path: Path) -> None:
    wheels = [wheel_in(tmp_path / str(n), module=f"answer = {n}") for n in range(3)]
    requests = [
        Expectation(
            path=path, modules=("demo",), smoke=True, smoke_test="import demo; assert demo.answer != 1"
        )
        for path in wheels
    ]
    assert [report.passed for report in verify(requests, paths)] == [True, False, True]


def test_a_wheel_of_a_free_threaded_python_is_sound_with_its_own_modules_and_no_others(
    paths: Paths, tmp_path: Path
) -> None:
    module = extension(tmp_path)
    for suffix, sound in (("313t", True), ("313", False)):
        member = f"demo/_c.cpython-{suffix}-{this_arch()}-linux-gnu.so"
        (folder := tmp_path / suffix).mkdir()
        report = one(paths, wheel(folder, {member: module}, tag=f"cp313-cp313t-linux_{this_arch()}"))
        assert report.passed == sound, findings_text(report)
        assert sound or f"an extension module for cpython-{suffix}" in findings_text(report)
    assert report.tags == (f"cp313-cp313t-linux_{this_arch()}",)


def test_a_wheel_for_another_machine_is_not_installed_and_says_so(paths: Paths, tmp_path: Path) -> None:
    report = one(paths, good(tmp_path, "py3-none-linux_s390x"), smoke=True)
    assert report.passed
    assert "smoke" not in report.checks


def test_a_damaged_wheel_is_never_installed(paths: Paths, tmp_path: Path) -> None:
    report = one(paths, damaged(good(tmp_path)), smoke=True)
    assert not report.passed
    assert "smoke" not in report.checks


def test_a_path_that_is_no_file_is_an_error(paths: Paths, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"gone\.whl: no such file"):
        verify([Expectation(path=tmp_path / "gone.whl")], paths)


class TestReuse:
    @pytest.fixture
    def seen(self, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
        """Return the list to which each pass over a file adds its path."""
        seen: list[Path] = []
        read = archive.read

        def counted(path: Path, *, progress: Callable[[int], None] | None = None) -> archive.Contents:
            seen.append(path)
            return read(path, progress=progress)

        monkeypatch.setattr(archive, "read", counted)
        monkeypatch.setattr(verifier, "check_descriptions", lambda _: {})  # half a second each
        return seen

    def again(self, paths: Paths, request: Expectation) -> Report:
        (report,) = verify([request], paths, reuse=True)
        return report

    def test_an_unchanged_file_is_not_read_again(
        self, paths: Paths, tmp_path: Path, seen: list[Path]
    ) -> None:
        request = Expectation(path=good(tmp_path), modules=("demo",))
        (first,) = verify([request], paths)
        second = self.again(paths, request)
        assert len(seen) == 1
        assert {**first.as_dict(), "seconds": 0} == {**second.as_dict(), "seconds": 0}
        assert second.metadata == first.metadata

    def test_another_file_or_another_question_is_read(
        self, paths: Paths, tmp_path: Path, seen: list[Path]
    ) -> None:
        request = Expectation(path=good(tmp_path))
        self.again(paths, request)
        assert not self.again(paths, Expectation(path=request.path, modules=("gone",))).passed
        self.again(paths, request)
        os.utime(request.path, (1, 1))
        self.again(paths, request)
        damaged(request.path)
        assert not self.again(paths, request).passed
        assert len(seen) == 4  # one that failed leaves the report that was kept where it was

    def test_a_wheel_that_did_not_pass_is_read_again(
        self, paths: Paths, tmp_path: Path, seen: list[Path]
    ) -> None:
        request = Expectation(path=good(tmp_path), modules=("gone",))
        assert not self.again(paths, request).passed
        assert not self.again(paths, request).passed
        assert len(seen) == 2

    def test_a_kept_report_that_cannot_be_read_is_as_good_as_none(
        self, paths: Paths, tmp_path: Path, seen: list[Path]
    ) -> None:
        request = Expectation(path=good(tmp_path))
        self.again(paths, request)
        (kept,) = (paths.state / "reports").iterdir()
        for content in ("{", "[]", '{"question": 1}', "\xff"):
            kept.write_text(content, encoding="latin-1")
            assert self.again(paths, request).passed
        assert len(seen) == 5


def test_the_table_has_a_mark_for_each_check_and_wheel(paths: Paths, tmp_path: Path) -> None:
    sound, broken = wheel_in(tmp_path / "a"), damaged(wheel_in(tmp_path / "b"))
    columns, rows = checks_table(verify([Expectation(path=sound), Expectation(path=broken)], paths))
    assert columns == ("wheel", *CHECKS)
    marks = [dict(zip(columns, row, strict=True)) for row in rows]
    assert (marks[0]["archive"], marks[0]["smoke"]) == ("✓", "–")
    assert (marks[1]["archive"], marks[1]["tags"]) == ("✗", "✓")


def test_a_report_can_be_written_as_json(paths: Paths, tmp_path: Path) -> None:
    plain = json.loads(json.dumps(one(paths, damaged(good(tmp_path))).as_dict()))
    assert plain["passed"] is False
    assert plain["findings"][0]["check"] == "archive"
    assert plain["filename"] == "demo-1.0-py3-none-any.whl"


def test_metadata_ahead_of_the_pass_is_none_where_it_cannot_be_had(tmp_path: Path) -> None:
    """Whatever the central directory promises: sizes without end, offsets beyond the file."""
    path = good(tmp_path)
    assert archive.metadata(path) == files_of()[f"{INFO}/METADATA"]
    whole = path.read_bytes()
    entry = whole.index(b"PK\1\2", whole.index(b"PK\1\2") + 1)
    for at in (20, 24, 42):  # compressed size, size, offset
        data = bytearray(whole)
        data[entry + at : entry + at + 4] = b"\xfe\xff\xff\xff"
        path.write_bytes(data)
        assert archive.metadata(path) is None
    path.write_bytes(whole[:100])
    assert archive.metadata(path) is None


def read_or_die(request: Expectation, advance: Callable[[int], None] | None = None) -> Report:
    if request.path.parent.name == "bad":
        os.kill(os.getpid(), signal.SIGKILL)
    return ORIGINAL(request, advance)


ORIGINAL = verifier._read


def test_a_wheel_whose_reader_is_killed_hides_no_others_verdict(
    tmp_path: Path, paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verifier, "POOL_PAYS", 0)
    monkeypatch.setattr(verifier, "_read", read_or_die)
    folders = [tmp_path / name for name in ("first", "bad", "last")]
    for folder in folders:
        folder.mkdir()
    first, bad, last = verify([Expectation(path=good(folder)) for folder in folders], paths, jobs=2)
    assert (first.passed, last.passed) == (True, True)
    assert [each.check for each in bad.findings] == ["archive"]
    assert "was killed" in bad.findings[0].what


def test_requirements_nested_without_end_are_a_finding_and_hide_no_others_verdict(
    tmp_path: Path, paths: Paths
) -> None:
    folders = [tmp_path / name for name in ("good", "bad")]
    for folder in folders:
        folder.mkdir()
    files = files_of()
    nested = f"Requires-Dist: six ; {'(' * 2000}python_version > '3'{')' * 2000}\n"
    files[f"{INFO}/METADATA"] = files[f"{INFO}/METADATA"].replace(
        b"Requires-Python", nested.encode() + b"Requires-Python"
    )
    sound, bad = verify(
        [
            Expectation(path=good(folders[0])),
            Expectation(path=pack(folders[1] / "demo-1.0-py3-none-any.whl", files)),
        ],
        paths,
    )
    assert sound.passed
    assert any("nested too deep" in each.what for each in bad.findings)
