"""A build in a control group of its own: measured, limited, and ended whole."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.test_process import DAEMON, has_ended
from workbench import build_group
from workbench.build_group import BuildGroup, Told, below, why_not
from workbench.cgroup import ControlGroup, groups_of
from workbench.errors import CommandFailed
from workbench.process import run

MB = 1_000_000


def version() -> int:
    """Return of which version the groups are that this process may make; 0 for none."""
    if why_not():
        return 0
    own = next(groups_of(), None)
    return own.version if own else 2


real = pytest.mark.skipif(not version(), reason=f"no control group can be made here: {why_not()}")


def taking(count: int, until: Path) -> list[str]:
    """Return a program that takes so many bytes, and holds them until a file is there."""
    held = f"while not os.path.exists({str(until)!r}): time.sleep(0.01)"
    return [sys.executable, "-c", f"import os, time; taken = b'x' * {count}\n{held}\nprint(len(taken))"]


def telling(seen: Path, least: int) -> Told:
    """Return what makes a file once more than so many bytes were seen."""

    def told(used: int, _: object) -> None:
        if used > least:
            seen.touch()

    return told


def children(*each: list[str]) -> list[str]:
    code = f"import subprocess; [p.wait() for p in [subprocess.Popen(w) for w in {list(each)!r}]]"
    return [sys.executable, "-c", code]


@real
def test_what_all_its_programs_take_together_is_measured(tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    with build_group.build_group(told=telling(seen, 200 * MB)) as group:
        run(children(*2 * [taking(100 * MB, seen)]), log=tmp_path / "log", group=group, timeout=300)
        run(taking(MB, seen), log=tmp_path / "log", group=group)
    assert 200 * MB < group.peak < 300 * MB
    assert 100 * MB < group.largest < 150 * MB
    assert not group.killed


@real
def test_over_its_limit_it_is_killed_and_says_so(tmp_path: Path) -> None:
    with (
        build_group.build_group(100 * MB) as group,
        pytest.raises(CommandFailed, match=r"killed by signal 9|failed with 137"),
    ):
        run(taking(300 * MB, tmp_path), log=tmp_path / "log", group=group)
    assert group.killed
    assert group.peak <= 100 * MB


@pytest.mark.skipif(version() != 1, reason="the groups of this machine are not of version 1")
def test_what_outlives_its_supervisor_ends_with_the_group_which_is_gone_then(tmp_path: Path) -> None:
    with build_group.build_group() as group:
        run(["true"], log=tmp_path / "log", group=group)
        daemon = int(run([sys.executable, "-c", DAEMON]).output)  # of ours, and not supervised
        Path(group.joins).write_text(str(daemon))
    assert has_ended(daemon)
    assert not Path(group.joins).exists()


@pytest.mark.skipif(version() != 1, reason="the groups of this machine are not of version 1")
def test_the_group_of_a_process_that_was_killed_is_removed_by_the_next() -> None:
    own = next(groups_of()).folder
    left = own / "workbench-999999999-1"
    left.mkdir()
    with build_group.build_group():
        assert not left.exists()


def test_without_a_group_the_processes_are_measured(tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    group = BuildGroup(None, telling(seen, 200 * MB))
    with group.opened():
        run(children(*2 * [taking(100 * MB, seen)]), log=tmp_path / "log", group=group, timeout=300)
    assert 200 * MB < group.peak < 400 * MB
    assert not group.limited


SCOPE = """\
#!/bin/sh
# stands for systemd-run: notes how it was called, and puts itself into a group below a folder that stands for the root
echo "$@" "$XDG_RUNTIME_DIR" > {root}/called
mkdir -p {root}/proc/$$ {group}
echo 0::/build.scope > {root}/proc/$$/cgroup
echo 5000000 > {group}/memory.current
echo "active_file 1000000 inactive_file 500000" | xargs -n 2 > {group}/memory.stat
echo "oom_kill 1" > {group}/memory.events
echo $$ > {group}/cgroup.procs
while [ "$1" != -- ]; do shift; done
shift
exec "$@"
"""


def test_version_2_is_a_scope_of_systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a folder that stands for the root of the file system, for here there is no systemd."""
    root, programs = tmp_path / "root", tmp_path / "programs"
    group_folder = root / "sys/fs/cgroup/build.scope"
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text("0::/session.scope\n")
    (root / "sys/fs/cgroup/session.scope").mkdir(parents=True)
    (root / "sys/fs/cgroup/session.scope/memory.current").write_text("1\n")
    programs.mkdir()
    (programs / "systemd-run").write_text(SCOPE.format(root=root, group=group_folder))
    (programs / "systemd-run").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/1")
    code = "import os, time; time.sleep(0.3); print(os.environ.get('XDG_RUNTIME_DIR'), os.environ['OWN'])"
    with build_group.build_group(7 * MB, root=root) as group:
        env = {**dict.fromkeys(os.environ), "PATH": os.environ["PATH"], "OWN": "mine"}  # as a build gets it
        done = run([sys.executable, "-c", code], log=tmp_path / "log", group=group, env=env)
    assert done.output == "None mine\n"
    called = (root / "called").read_text()
    assert "--scope" in called
    assert "--property=MemoryMax=7000000 --property=MemorySwapMax=0" in called
    assert called.endswith("/run/user/1\n")
    assert (group.peak, group.killed) == (3_500_000, True)
    warns = SCOPE.format(root=root, group=group_folder).replace("exec", "echo 'Warning: a unit' >&2\nexec")
    (programs / "systemd-run").write_text(warns)
    assert not why_not(root / ".." / "root")  # it is asked of each root once


def test_a_scope_that_counts_no_memory_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it measured would be nothing, and so would be what the next build claims."""
    root, programs = tmp_path / "root", tmp_path / "programs"
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text("0::/\n")
    programs.mkdir()
    script = SCOPE.format(root=root, group=root / "sys/fs/cgroup/build.scope")
    (programs / "systemd-run").write_text(script.replace("memory.current", "pids.current"))
    (programs / "systemd-run").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    assert why_not(root).startswith("a scope of systemd's counts no memory: let it delegate")
    with build_group.build_group(7 * MB, root=root) as group:
        assert not group.limited


def test_where_no_group_can_be_made_the_reason_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text("0::/\n")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert why_not(tmp_path).startswith("there is no systemd-run: ")


def test_a_process_is_below_its_parent() -> None:
    assert os.getpid() in below({os.getppid()})
    assert os.getppid() not in below({os.getpid()})


def test_a_group_that_is_gone_has_no_processes(tmp_path: Path) -> None:
    assert ControlGroup(tmp_path / "gone", 2).processes() == ()
