"""The headers of CUDA's libraries, as NVIDIA's own wheels list them: only the lists are fetched."""

from __future__ import annotations

import re
import zipfile
from concurrent.futures import ThreadPoolExecutor

import pytest

from workbench.environment import package_index
from workbench.simple.client import project_files
from workbench.simple.fetch import Fetcher
from workbench.toolchain.cuda_headers import HEADERS, TORCH_LIBRARIES, library_of
from workbench.toolchain.pins import releases, together
from workbench.wheel.remote import open_url

NEWEST = releases()[-1]
DISTRIBUTIONS = {"cupti": "nvidia-cuda-cupti", "nvml": "nvidia-nvml-dev"}


def headers(library: str) -> set[str]:
    """Return the headers at the top of the include folder of a library's wheel."""
    project = DISTRIBUTIONS.get(library, f"nvidia-{library}")
    pinned = re.match(r"\S+==(\S+)", NEWEST.pins[project])
    assert pinned
    files = project_files(Fetcher(), package_index(), project) or ()
    wheels = (file for file in files if f"-{pinned[1]}-" in file.filename and "x86_64" in file.filename)
    url = next(wheels).url
    assert url
    with open_url(url) as file, zipfile.ZipFile(file) as archive:
        found = (re.search(r"/include/([^/]+\.h)$", name) for name in archive.namelist())
        return {match[1] for match in found if match}


def test_every_header_of_every_library_is_known_and_no_other() -> None:
    with ThreadPoolExecutor() as pool:
        found = dict(zip(HEADERS, pool.map(headers, HEADERS), strict=True))
    assert all(found.values())
    wrong = {
        header: library_of(header)
        for library, names in found.items()
        for header in names
        if library_of(header) != library
    }
    assert wrong == {"cuda_stdint.h": None}, "CUPTI's own copy of <stdint.h>"


@pytest.mark.parametrize(
    "header",
    ["cuda_runtime.h", "cudnn.h", "nccl.h", "cusparseLt.h", "cufftMp.h", "cublasdx.hpp", "nvtx3/nvtx3.hpp"],
)
def test_the_runtime_and_other_products_are_no_library_of_the_toolkit(header: str) -> None:
    assert library_of(header) is None


def test_a_library_brings_those_that_it_is_linked_with() -> None:
    assert together([*HEADERS]) == {*HEADERS}
    assert together(["cusolver"]) == {"cusolver", "cublas", "cusparse", "nvjitlink"}
    assert together(TORCH_LIBRARIES) >= {*TORCH_LIBRARIES}
