"""What this machine is, and what the project on it has: every fact with where it comes from."""

from __future__ import annotations

import os
from pathlib import Path

from workbench.consume.driver import find_driver
from workbench.consume.host import NOT_INSTALLED, Host
from workbench.consume.interpreter import ask_interpreter, find_interpreter, find_torch


def detect(project: Path, python: str = "", root: Path = Path("/"), cache: Path | None = None) -> Host:
    """Return the facts of this machine, and of the Python and the torch of the project in a folder.

    `python` names the project's interpreter (see `find_interpreter`). `root` is where ``/proc`` and ``/sys`` are.
    `cache` is a folder that keeps what the interpreter and the driver said, until they change.
    Raises UsageError where the project has no Python that works.
    """
    executable, origin = find_interpreter(project, python)
    interpreter = ask_interpreter(executable, origin, cache / "interpreter" if cache else None)
    torch = find_torch(interpreter.path)
    driver = find_driver(root, cache / "driver" if cache else None)
    origins = dict.fromkeys(("python", "arch", "glibc"), str(executable))
    origins |= {"interpreter": origin, **torch.origins, **driver.origins}
    memory = _memory(root)
    return Host(
        python=interpreter.python,
        interpreter=str(executable),
        arch=interpreter.arch,
        glibc=interpreter.glibc,
        torch=torch.version,
        torch_local=torch.local,
        compute=torch.compute if torch.version != NOT_INSTALLED else None,
        cxx11_abi=torch.cxx11_abi,
        driver=driver.version,
        driver_cuda=driver.cuda,
        gpus=driver.gpus,
        cpus=len(os.sched_getaffinity(0)),
        memory=memory,
        origins=origins | {"cpus": "this process"} | ({"memory": "/proc/meminfo"} if memory else {}),
    )


def _memory(root: Path) -> int | None:
    try:
        lines = (root / "proc" / "meminfo").read_text().splitlines()
    except OSError:
        return None
    total = next((line.split() for line in lines if line.startswith("MemTotal:")), [])
    return int(total[1]) * 1024 if len(total) > 1 and total[1].isdecimal() else None
