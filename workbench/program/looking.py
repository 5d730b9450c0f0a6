"""The commands that look at this machine: what it is, what is wrong, what works."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from workbench import console
from workbench.program.hosts import host_of, interpreter_of
from workbench.text import counted, file_size

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Mapping, Sequence

    from workbench.consume.ailments import Ailment
    from workbench.consume.host import Host

_LABELS = {
    "python": "Python",
    "compute": "torch is for",
    "cxx11_abi": "C++ ABI",
    "gpus": "GPUs",
    "arch": "architecture",
    "cpus": "CPU",
}
"""The facts whose names in JSON are not words."""

FAILED = 1
"""Exit status where the answer is that something does not work."""


def overview(asked: Namespace) -> int:
    """Say in ten lines what this machine is and what is wrong with it."""
    from workbench.consume.ailments import installed

    host = host_of(asked, anew=True)
    found = _ailments(host, installed(_folders(host)), ask_torch=False)
    if asked.json:
        console.answer_json({"host": host, "ailments": found})
    else:
        _show_host(host)
        _show_ailments(found)
        console.answer(
            "\n'gw PACKAGE' says which wheel fits, 'gw add PACKAGE' installs it, 'gw --help' lists the rest."
        )
    return FAILED if any(each.severity == "error" for each in found) else 0


def detect(asked: Namespace) -> int:
    """Print the facts of this machine and its project, each with where it comes from."""
    from workbench.consume.given import to_json

    host = host_of(asked, anew=True)
    if asked.json:
        console.answer(to_json(host).rstrip())
        return 0
    rows = [(_LABELS.get(name, name), text, host.origins.get(name, "")) for name, text in _facts(host)]
    console.answer_table(("fact", "value", "from"), rows)
    return 0


def doctor(asked: Namespace) -> int:
    """Print what is wrong with the machine, the project's environment and its lock."""
    from workbench.consume.ailments import code_ailments, file_ailments, installed
    from workbench.consume.lock import check_lock, read_lock
    from workbench.program.places import places_of

    host = host_of(asked, anew=True)
    packages = _names_of(asked)
    if packages:
        interpreter_of(host)  # what is installed on a machine that is only described is not known
    folders = _folders(host)
    versions = installed(folders)
    found = _ailments(host, versions, ask_torch=True)
    if packages:
        named = tuple(each for each in found if any(each.what.startswith(f"{name} ") for name in packages))
        lacking = code_ailments(host, folders, packages)
        found = (*(named or found), *_missing(versions, packages), *lacking)
    lock = Path(asked.lock)
    if lock.is_file():
        read = read_lock(lock)
        check_lock(read, lock)
        found = (*found, *file_ailments(read, places_of(asked).logins, deep=asked.deep))
    if asked.json:
        console.answer_json(found)
    else:
        _show_host(host)
        _show_ailments(found)
    return FAILED if any(each.severity == "error" for each in found) else 0


def test(asked: Namespace) -> int:
    """Try installed packages with the project's interpreter."""
    from workbench.consume.tryout import try_out
    from workbench.events import step
    from workbench.paths import SHIPPED

    host, packages, recipes = host_of(asked, anew=True), _names_of(asked), SHIPPED / "recipes"
    tried = []
    with step("try " + ", ".join(packages)) as at:
        for each in try_out(interpreter_of(host), packages, recipes, gpu=bool(host.gpus)):
            at.detail(each.what)
            tried.append(each)
        failed = [each for each in tried if each.outcome in ("fails", "not installed")]
        if failed:
            at.fail(f"{len(failed)} of {len(tried)} do not work")
    if asked.json:
        console.answer_json(tried)
    else:
        console.answer_table(
            ("what", "outcome", "said"), [(each.what, each.outcome, each.said) for each in tried]
        )
        if not host.gpus:
            console.answer("There is no GPU here, so nothing was run on one.")
    return FAILED if failed else 0


def env(asked: Namespace) -> int:
    """Print the variables for a package's build, for a shell."""
    from workbench.consume.exports import exports

    (package,) = _names_of(asked)
    variables = exports(package, host_of(asked))
    if asked.json:
        console.answer_json(dict(variables))
    else:
        console.answer("\n".join(f"export {name}={shlex.quote(value)}" for name, value in variables))
    return 0


def request(asked: Namespace) -> int:
    """Print an issue for a wheel's maintainer, and the line that makes the wheel oneself."""
    from workbench.consume.exports import wish

    host, (package,) = host_of(asked), _names_of(asked)
    title, body = wish(package, host)
    own = f"workbench add-package {package} --source pypi:{package}"
    if asked.json:
        console.answer_json({"title": title, "body": body, "workbench": own})
    else:
        console.answer(f"{title}\n\n{body}\n\nOr build it yourself: {own}")
    return 0


def _names_of(asked: Namespace) -> tuple[str, ...]:
    """Return the normalised names of a line's packages. Raises UsageError."""
    if not asked.packages:
        return ()
    from workbench.consume.resolving import name_of

    return tuple(map(name_of, asked.packages))


def _folders(host: Host) -> tuple[Path, ...]:
    """Return where the project's interpreter looks for packages; nothing where that is not of this machine."""
    from workbench.consume.interpreter import ask_interpreter

    return ask_interpreter(Path(host.interpreter), "").path if host.interpreter else ()


def _ailments(host: Host, versions: Mapping[str, str], *, ask_torch: bool) -> tuple[Ailment, ...]:
    from workbench.consume.ailments import ailments
    from workbench.consume.tryout import code_of_torch

    asks = ask_torch and host.interpreter and host.gpus and host.torch
    return ailments(host, versions, code_of_torch(Path(str(host.interpreter))) if asks else ())


def _missing(versions: Mapping[str, str], packages: Sequence[str]) -> tuple[Ailment, ...]:
    """Return which of the packages are not installed at all."""
    from workbench.consume.ailments import Ailment

    return tuple(
        Ailment(severity="error", what=f"{name} is not installed", remedy=f"gw add {name}")
        for name in packages
        if name not in versions
    )


def _show_host(host: Host) -> None:
    facts = dict(_facts(host))
    del facts["interpreter"]
    if host.interpreter:
        facts["python"] += f" ({host.origins.get('interpreter') or host.interpreter})"
    console.answer_table(
        ("this machine", ""), [(_LABELS.get(name, name), text) for name, text in facts.items()]
    )


def _show_ailments(found: tuple[Ailment, ...]) -> None:
    for each in found:
        console.answer(f"\n{each.severity}: {each.what}\n  {each.remedy}")
    if not found:
        console.answer("\nNo problem was found.")


def _facts(host: Host) -> list[tuple[str, str]]:
    """Return a host's facts in words, in the order in which people ask for them."""
    unknown = "not known"
    gpus = unknown if host.gpus is None else "none"
    if host.gpus:
        shared = "" if host.origins.get("gpus") == "given" else ", memory of the machine"
        gpus = ", ".join(
            f"{each.name} ({each.capability}{f', {file_size(each.memory)}' if each.memory else shared})"
            for each in host.gpus
        )
    driver = unknown if host.driver is None else host.driver or "none"
    knows = f", up to CUDA {host.driver_cuda}" if host.driver and host.driver_cuda else ""
    torch = unknown if host.torch is None else host.torch or "not installed"
    abi = {None: unknown, True: "cxx11", False: "pre-cxx11"}[host.cxx11_abi]
    facts = {
        "python": host.python,
        "interpreter": host.interpreter,
        "torch": torch,
        **({"compute": host.compute, "cxx11_abi": abi} if host.torch or host.compute else {}),
        "driver": f"{driver}{knows}",
        "gpus": gpus,
        "arch": host.arch,
        "glibc": "another C library" if host.glibc == "" else host.glibc,
        "cpus": counted(host.cpus, "core") if host.cpus else None,
        "memory": file_size(host.memory) if host.memory else None,
    }
    return [(name, text if text is not None else unknown) for name, text in facts.items()]
