"""Large wheels of the package index through ``verify``'s reading and checks: each finding must be true.

    .venv/bin/python benchmarks/real_wheels.py [REQUIREMENT[@ARCH] ...] [--write docs/real-wheels.md]

The newest wheel of each project is downloaded, read, and deleted again, one at a time. A finding that people have
looked into and found true is listed in JUDGED with what they saw; any other one fails the run. With ``--write`` the
table of the page is written anew.
"""

from __future__ import annotations

import argparse
import datetime as dt
import re
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from workbench.process import run
from workbench.verify import archive
from workbench.verify.checks import check

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workbench.verify.report import Finding

ARCHES = ("x86_64", "aarch64")
EVERYWHERE = (
    *("torch", "torchvision", "vllm", "triton", "jaxlib", "pyarrow", "opencv-python-headless", "cmake"),
    *("cupy-cuda13x", "nvidia-cublas", "nvidia-cufft", "nvidia-nccl-cu13", "polars-runtime-32", "ruff"),
    *("tokenizers", "faiss-cpu", "bitsandbytes", "scipy", "onnxruntime", "llvmlite", "grpcio"),
)
ONLY_X86 = (
    *("xformers", "open3d", "tensorflow", "nvidia-cudnn-cu13", "cupy-cuda12x", "jax-cuda13-plugin"),
    *("onnxruntime-gpu", "PySide6-Essentials", "ray", "ansible", "botocore", "plotly"),
)
WANTED = (*(f"{name}@{arch}" for name in EVERYWHERE for arch in ARCHES), *(f"{n}@x86_64" for n in ONLY_X86))

JUDGED: tuple[tuple[str, str, str], ...] = (
    (
        "torch|triton|scipy|bitsandbytes|open3d|tensorflow",
        "a path of the machine that built it",
        "search paths of the machine that built it: readelf -d shows them",
    ),
    (
        "torch|jax|open3d|tensorflow",
        "leads out of site-packages",
        "search paths with one '..' too many: $ORIGIN/../.. of a folder of site-packages is outside it",
    ),
    (
        "triton|open3d",
        "an empty entry, which is the working directory",
        "RUNPATHs with an empty entry: '::' or a ':' at an end",
    ),
    (
        "vllm|ray|cupy",
        "(the filename|WHEEL) has the tag",
        "renamed from linux to manylinux by hand, and WHEEL still says linux",
    ),
    ("nvidia", "Root-Is-Purelib: true", "shared libraries in a wheel that calls itself pure: WHEEL says so"),
    (
        "bitsandbytes|cupy",
        "does not promise",
        "newer symbols than the tag's policy has: readelf -V shows them",
    ),
)
"""Findings that are true: of which wheels, which text (both patterns), and what a person saw."""

PLATFORMS = ("2014", "_2_17", "_2_24", "_2_26", "_2_27", "_2_28", "_2_31", "_2_34", "_2_35", "_2_39")
START, END = "<!-- written by benchmarks/real_wheels.py -->", "<!-- end -->"


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What came of one wheel: CPU seconds are those of reading and checking it."""

    filename: str
    size: int
    members: int
    libraries: int
    cpu: float
    findings: tuple[Finding, ...]

    @property
    def unjudged(self) -> tuple[Finding, ...]:
        """The findings that nobody has looked into yet."""
        return tuple(each for each in self.findings if judgement(self.filename, each) is None)

    @property
    def row(self) -> str:
        """Its row of the table."""
        true = sorted({each for f in self.findings if (each := judgement(self.filename, f))})
        said = "; ".join([*true, *map(str, self.unjudged)]) or "none"
        numbers = f"{self.size / 1e6:.0f} | {self.members} | {self.libraries} | {self.cpu:.1f}"
        return f"| {self.filename} | {numbers} | {len(self.findings)} | {said} |"


def judgement(filename: str, finding: Finding) -> str | None:
    """Return what a person saw who looked into a finding; None where nobody has."""
    found = (
        why for wheels, text, why in JUDGED if re.match(wheels, filename) and re.search(text, str(finding))
    )
    return next(found, None)


def download(wanted: str, folder: Path) -> Path:
    """Download the newest wheel of ``REQUIREMENT@ARCH``, without what it requires."""
    requirement, _, arch = wanted.partition("@")
    platforms = [f"--platform=manylinux{each}_{arch or ARCHES[0]}" for each in PLATFORMS]
    only = ["--no-deps", "--only-binary=:all:", "--no-cache-dir", "--disable-pip-version-check"]
    run([sys.executable, "-m", "pip", "download", *only, *platforms, f"--dest={folder}", requirement])
    (path,) = folder.glob("*.whl")
    return path


def look(path: Path) -> Looked:
    """Read and check a wheel as ``verify`` does."""
    start = time.process_time()
    contents = archive.read(path)
    findings = check(contents).findings
    return Looked(
        filename=path.name,
        size=contents.size,
        members=len(contents.members),
        libraries=len(contents.libraries),
        cpu=time.process_time() - start,
        findings=findings,
    )


def look_at_all(wanted: tuple[str, ...]) -> Iterator[Looked]:
    """Download, read and delete one wheel after the other."""
    for each in wanted:
        with tempfile.TemporaryDirectory(prefix="real-wheels-") as folder:
            yield look(download(each, Path(folder)))


def main() -> None:
    """Print a row for each wheel, then what fails."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("wanted", nargs="*", default=WANTED, metavar="REQUIREMENT[@ARCH]")
    parser.add_argument("--write", type=Path, metavar="PAGE")
    asked = parser.parse_args()
    looked = []
    for each in look_at_all(tuple(asked.wanted)):
        print(each.row, flush=True)
        looked.append(each)
    if asked.write:
        write(asked.write, looked)
    unjudged = [f"{each.filename}: {finding}" for each in looked for finding in each.unjudged]
    print(f"{len(looked)} wheels, {len(unjudged)} findings that nobody has looked into")
    sys.exit("\n".join(unjudged) or None)


def write(page: Path, looked: list[Looked]) -> None:
    """Write the table anew, between its marks."""
    before, _, rest = page.read_text().partition(START)
    after = rest.partition(END)[2]
    gigabytes = sum(each.size for each in looked) / 1e9
    title = f"{dt.datetime.now(tz=dt.UTC).date()}: {len(looked)} wheels, {gigabytes:.1f} GB."
    head = "| wheel | MB | members | libraries | CPU s | findings | what they are |\n|---|--:|--:|--:|--:|--:|---|"
    rows = "\n".join(each.row for each in looked)
    page.write_text(f"{before}{START}\n{title}\n\n{head}\n{rows}\n{END}{after}")


if __name__ == "__main__":
    main()
