"""The catalogue, held to logs of builds that really failed, and to those of builds that did not.

``tests/failures/causes.py`` made the former; the latter are of packages of the index, built by ``invoke build``.
"""

from __future__ import annotations

import runpy
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.failures.causes import (
    CAUSES,
    CUDA,
    LOGS,
    QUICK,
    RECIPE,
    Cause,
    caused,
    commands,
    setuptools,
    tidied,
)
from tests.failures.sound import SOUND
from tests.plans import planned
from workbench.builders.failure import facts
from workbench.paths import CHECKOUT, Paths
from workbench.recipe.model import LocalFolder
from workbench.troubles import Explanation, catalogue, diagnose

if TYPE_CHECKING:
    from collections.abc import Sequence


def found(said: Sequence[str], cause: Cause) -> Explanation | None:
    """Return what a log tells, of a build for a cause's target."""
    plan = planned(RECIPE, replace(cause.target, torch=None), source=LocalFolder(path=Path("/")))
    return diagnose(said, at={"build"}, known=facts(plan, Paths(Path("/site")), jobs=4))


@pytest.mark.parametrize("cause", CAUSES, ids=lambda cause: cause.entry)
def test_each_log_is_explained_by_its_entry(cause: Cause) -> None:
    told = found((LOGS / f"{cause.entry}.log").read_text().splitlines(), cause)
    assert told is not None
    assert told.name
    assert cause.entry.startswith(told.name)
    assert told.evidence
    assert "{" not in told.meaning
    assert len(told.text.splitlines()) < 16, "it fits a screen"


def test_logs_and_causes_are_the_same() -> None:
    assert {path.stem for path in LOGS.glob("*.log")} == {cause.entry for cause in CAUSES}


def test_no_log_names_a_place_of_the_machine_that_made_it() -> None:
    texts = [
        *(log.read_text() for log in LOGS.glob("*.log")),
        *("\n".join(lines) for lines in sound().values()),
    ]
    assert not [text for text in texts if "/root/" in text or "/home/" in text]


@pytest.mark.parametrize("entry", QUICK)
def test_what_causes_a_failure_now_is_still_explained(entry: str, tmp_path: Path) -> None:
    (cause,) = (each for each in CAUSES if each.entry == entry)
    with caused(cause, tmp_path) as (place, error):
        assert error.explanation is not None
        assert error.explanation.name == entry
        said = str(error)
        assert error.explanation.meaning in said
        assert f"The whole log: {place.log}" in said
        assert "What to do: " in said
        assert len(said.splitlines()) < 24, "one screen"
        assert tidied(place)


def test_the_first_real_error_has_its_place() -> None:
    """Though ninja, setuptools and torch say much after it."""
    (cause,) = (each for each in CAUSES if each.entry == "cuda-header-torch")
    told = found((LOGS / f"{cause.entry}.log").read_text().splitlines(), cause)
    assert told is not None
    assert (Path(told.file).name, told.line) == ("CUDAContextLight.h", 10)


def sound() -> dict[str, list[str]]:
    with zipfile.ZipFile(SOUND) as archive:
        return {name: archive.read(name).decode().splitlines() for name in archive.namelist()}


def test_no_entry_is_found_in_the_logs_of_sound_builds() -> None:
    logs = sound()
    assert len(logs) >= 20
    of_a_failure = [trouble for trouble in catalogue() if trouble.at != "result" and not trouble.weak]
    for name, lines in logs.items():
        matches = [
            (trouble.name, line)
            for trouble in of_a_failure
            for pattern in trouble.patterns
            for line in lines
            if pattern.search(line)
        ]
        assert matches == [], name
        for cause in (CAUSES[0], next(each for each in CAUSES if each.target is CUDA)):
            told = found(lines, cause)
            assert told is None or not told.name, name


def test_there_are_entries_enough_and_each_is_of_its_own_name() -> None:
    names = [trouble.name for trouble in catalogue()]
    assert len(names) == len({*names}) >= 30
    assert len({cause.entry for cause in CAUSES} & {*names}) >= 20


@pytest.mark.parametrize(
    ("line", "name", "says"),
    [
        (
            "ImportError: /x/x.so: undefined symbol: _ZN3c106detail14torchCheckFailE",
            "torch-symbol",
            "another torch",
        ),
        ("ImportError: x.so: undefined symbol: dgemm_", "undefined-symbol", "dgemm_"),
        ("ImportError: libc10.so: cannot open shared object file", "torch-first", "import torch first"),
        (
            "ImportError: libcudart.so.13: cannot open shared object file: No such file",
            "cuda-runtime-missing",
            "nvidia-cuda-runtime",
        ),
        (
            "OSError: /lib/libc.so.6: version `GLIBC_2.38' not found (required by x.so)",
            "glibc-too-old",
            "--glibc",
        ),
        ("ModuleNotFoundError: No module named 'numpy'", "import-needs", 'test_requires=("numpy",)'),
    ],
)
def test_what_an_import_says(line: str, name: str, says: str) -> None:
    told = diagnose([line], at={"import"}, known={"recipe": "recipes/x.py"})
    assert told is not None
    assert told.name == name
    assert says in f"{told.meaning} {told.remedy}"


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("ld: a.so: No space left on device", "disk-full"),
        ("sh: Exec format error", "no-emulator"),
        ("  cause: failed to lookup address information: Temporary failure in name resolution", "no-names"),
    ],
)
def test_what_only_a_container_can_lack(line: str, name: str) -> None:
    known = {"engine": "podman", "storage": "/var", "free": "1 MB", "online": "before_all has a network"}
    said = ["error: Request failed after 3 retries in 4.7s", line]
    told = diagnose(said, at={"build", "container"}, known=known)
    assert told is not None
    assert told.name == name


def test_a_certificate_that_is_not_trusted_stays_so() -> None:
    said = [
        "error: Failed to fetch: https://127.0.0.1:8443/simple/setuptools/",
        "  cause: error sending request for url (https://127.0.0.1:8443/simple/setuptools/)",
        "  cause: client error (Connect)",
        "  cause: invalid peer certificate: UnknownIssuer",
    ]
    told = diagnose(said, at={"build"}, known={})
    assert told is not None
    assert (told.name, told.passing) == ("certificate", False)
    assert "SSL_CERT_FILE" in told.remedy


def test_a_requirement_without_a_wheel_is_named_where_nothing_else_is_installed() -> None:
    said = [
        "error: No solution found when resolving dependencies",
        "  cause: Because annoy==1.17.3 has no usable wheels and you require annoy==1.17.3, we can conclude that your",
    ]
    here = diagnose(said, at={"build"}, known={"recipe": "x.py"})
    inside = diagnose(said, at={"build", "container"}, known={"recipe": "x.py"})
    assert here is not None
    assert here.name == "requirement-impossible"
    assert inside is not None
    assert inside.name == "wheel-missing"
    assert "annoy==1.17.3 has none" in inside.meaning


def test_the_page_tells_what_the_catalogue_has() -> None:
    """``python docs/failures.py`` draws it."""
    script = CHECKOUT / "docs" / "failures.py"
    draw = runpy.run_path(str(script))["drawn"]
    page = script.with_suffix(".md").read_text()
    assert draw(page) == page


def test_a_backend_that_is_killed_itself_ran_out_of_memory(tmp_path: Path) -> None:
    """Cython generates code in the backend's own process: nothing in the log tells that it was killed."""
    cause = Cause(entry="killed", files=commands("kill -9 $PPID"), recipe={"memory_per_job": 0.001})
    with caused(cause, tmp_path) as (_, error):
        assert error.explanation is not None
        assert error.explanation.name == "killed"
        assert "--max-jobs 1" in str(error)  # four were tried, and then two


SWITCHED = """\
import os
from setuptools import Extension, setup

if os.getenv("FORCE_CUDA", "0") == "1":
    raise SystemExit("not here")
setup(name="cause", version="1.0", ext_modules=[Extension("x", ["x.c"])])
"""
"""A source that builds for the CPU alone where no GPU is, unless it is told otherwise."""

SWITCH = 'Write environment={"FORCE_CUDA": "1"} in recipes/cause.py; setup.py:4 shows what it looks at.'


def test_a_source_that_is_compiled_without_cuda_names_its_switch(tmp_path: Path) -> None:
    files = setuptools(SWITCHED, x_c="#include <cuda_runtime.h>\n")
    with caused(Cause(entry="cuda-switched-off", files=files, target=CUDA), tmp_path) as (_, error):
        assert error.explanation is not None
        assert error.explanation.name == "cuda-switched-off"
        assert SWITCH in str(error)


def test_a_build_that_left_the_gpu_code_out_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = setuptools(SWITCHED, x_c="#include <Python.h>\nPyMODINIT_FUNC PyInit_x(void) { return 0; }\n")
    cause = Cause(entry="no-gpu-code", files=files, target=CUDA)
    with pytest.raises(AssertionError, match="it builds"), caused(cause, tmp_path):
        pass
    said = capsys.readouterr().err
    assert "the wheel has no GPU code" in said
    assert SWITCH in said
