from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from workbench import __version__

if TYPE_CHECKING:
    from tests.program.conftest import Installed


def test_the_commands_are_there_from_any_folder(installed: Installed) -> None:
    done = installed.run("workbench", "--list")
    assert done.returncode == 0, done.stderr
    assert "add-package" in done.stdout
    assert installed.run("workbench", "--version").stdout.split() == ["workbench", __version__]


def test_without_a_site_around_the_user_gets_one_with_the_shelf_once(installed: Installed) -> None:
    first, second = (installed.run("workbench", "show", "hnswlib") for _ in range(2))
    assert (first.returncode, second.returncode) == (0, 0), first.stderr
    assert "portable-by-default.patch" in second.stdout
    site = installed.folder / ".local" / "share" / "wheel-workbench"
    assert f"{site}: a site of your own" in first.stderr
    assert "a site of your own" not in second.stderr
    assert [each.name for each in site.parent.iterdir()] == ["wheel-workbench"]


def test_a_source_comes_from_the_package_index(installed: Installed) -> None:
    done = installed.run("workbench", "add-package", "six", "--source", "pypi:six==1.17.0")
    assert done.returncode == 0, done.stderr
    assert (installed.folder / ".local" / "share" / "wheel-workbench" / "recipes" / "six.py").is_file()


def test_a_folder_with_settings_is_a_site_for_what_lies_below_it(installed: Installed) -> None:
    (installed.folder / "workbench.yaml").write_text("")
    below = installed.folder / "below"
    below.mkdir()
    done = replace(installed, folder=below).run("workbench", "list", "--json")
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr


def test_messages_name_the_program_that_runs(installed: Installed) -> None:
    assert installed.run("workbench", "--list").stdout.startswith("'workbench COMMAND --help' explains")
    assert installed.run("workbench", "build", "--help").stdout.startswith("Usage: workbench build NAME")
    for line, hint in (
        (["build", "--nonsense"], "'workbench build --help' lists what it has"),
        (["nonsense"], "'workbench --list' lists them"),
        (["prune"], "workbench store.prune"),
        (["--dry", "doctor"], "doctor has no dry run"),
    ):
        refused = installed.run("workbench", *line)
        assert (refused.returncode, hint in refused.stderr) == (2, True), refused.stderr


def test_the_checks_of_a_checkout_are_not_installed(installed: Installed) -> None:
    done = installed.run("workbench", "test")
    assert (done.returncode, done.stderr) == (
        2,
        "error: test needs a checkout of the workbench: its tests are not installed\n",
    )
