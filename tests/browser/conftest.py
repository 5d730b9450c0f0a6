"""A headless Chromium, and a site to look at."""

from __future__ import annotations

import os
import re
import threading
from base64 import b64decode
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.index.stores import listed, registry_of
from workbench.evidence.facts import BuildFacts, PatchApplied
from workbench.index.serve import Server
from workbench.index.tree import write
from workbench.paths import CHECKOUT
from workbench.process import find_program
from workbench.registry.file import dumps
from workbench.registry.model import Package, PublishedWheel, Registry, Unavailable
from workbench.settings import IndexSettings, Settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from selenium.webdriver.chrome.webdriver import WebDriver

SHOTS = CHECKOUT / "artifacts" / "index"
LONGEST = 16_000
"""Pixels: what Chromium draws at once."""
HOSTILE = "<img src=x onerror=\"document.title='hacked'\"><script>document.title='hacked'</script>"


@dataclass
class Browser:
    """Chromium on a served index."""

    driver: WebDriver
    url: str

    def open(self, path: str = "") -> None:
        self.driver.get(f"{self.url}{path}")

    def run(self, script: str) -> Any:
        """Run a function's body in the page, and return what it returns; a promise is waited for."""
        wrapped = f"const done = arguments[arguments.length - 1]; (async () => {{ {script} }})().then(done)"
        return self.driver.execute_async_script(wrapped)

    def size(self, width: int, height: int) -> None:
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def scheme(self, name: str) -> None:
        features = [{"name": "prefers-color-scheme", "value": name}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def script(self, *, on: bool) -> None:
        self.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": not on})

    def shown(self, selector: str) -> list[str]:
        """Return the first word of every element that can be seen."""
        from selenium.webdriver.common.by import By

        # not by a script in the page, which a test may have switched off
        elements = self.driver.find_elements(By.CSS_SELECTOR, selector)
        return [element.text.split()[0] for element in elements if element.is_displayed()]

    def screenshot(self, name: str) -> Path:
        """Keep a picture of the whole page, however long, below artifacts/."""
        size = self.driver.execute_cdp_cmd("Page.getLayoutMetrics", {})["cssContentSize"]
        clip = {"x": 0, "y": 0, "scale": 1, "width": size["width"], "height": min(size["height"], LONGEST)}
        shot = {"captureBeyondViewport": True, "clip": clip}
        SHOTS.mkdir(parents=True, exist_ok=True)
        picture = SHOTS / f"{name}.png"
        picture.write_bytes(b64decode(self.driver.execute_cdp_cmd("Page.captureScreenshot", shot)["data"]))
        return picture


@pytest.fixture(scope="session")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebDriver]:
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = find_program("chromium")
    for argument in (
        "headless", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-background-networking",
        "disable-component-update", "disable-sync", "hide-scrollbars",
        f"user-data-dir={tmp_path_factory.mktemp('chromium')}",
    ):  # fmt: skip
        options.add_argument(f"--{argument}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(find_program("chromedriver")))
    driver.set_script_timeout(300)  # seconds: a machine may be busy with other things
    yield driver
    driver.quit()


def plain(project: str, version: str, python: str, arch: str) -> PublishedWheel:
    """Return a wheel for the CPU, built as the workbench builds: with its facts."""
    tag = f"cp{python.replace('.', '')}"
    build = BuildFacts(source=f"{project}=={version}", pin="a" * 64, compute="cpu", glibc="2.34")
    filename = f"{project.replace('-', '_')}-{version}-{tag}-{tag}-manylinux_2_34_{arch}.whl"
    return listed(filename, project, build=build)


def cuda(version: str, python: str, arch: str, **facts: Any) -> PublishedWheel:
    tag = f"cp{python.replace('.', '')}"
    patch = PatchApplied(name="arch.patch", sha256="d" * 64, description="Architectures from the environment")
    compute, torch = re.findall(r"\+(\w+)torch([0-9.]+)", version)[0]
    build = BuildFacts(
        source="https://example.com/causal-conv1d.git",
        pin="c" * 40,
        ref=f"v{version.partition('+')[0]}",
        patches=(patch,),
        compute=compute,
        torch=f"{torch}.0",
        glibc="2.34",
        log="logs/causal-conv1d/build.txt",
    )
    filename = f"causal_conv1d-{version}-{tag}-{tag}-manylinux_2_34_{arch}.whl"
    known = {
        "size": 23_100_000,
        "gpu_architectures": ("sm_120", "sm_121"),
        "requires_python": ">=3.9",
        **facts,
    }
    return listed(filename, "causal-conv1d", build=build, **known)


def example() -> Registry:
    conv = (
        cuda("1.7.0+cu130torch2.11", "3.10", "x86_64"),
        cuda("1.7.0+cu130torch2.11", "3.12", "x86_64"),
        cuda("1.7.0+cu130torch2.11", "3.12", "aarch64"),
        cuda("1.7.0+cu126torch2.10", "3.12", "x86_64"),
        cuda("1.6.0+cu126torch2.10", "3.12", "x86_64", yanked="wrong results on sm_120"),
    )
    registry = registry_of(
        causal_conv1d=conv,
        hnswlib=(
            plain("hnswlib", "0.8.0", "3.10", "x86_64"),
            plain("hnswlib", "0.8.0", "3.11", "aarch64"),
        ),
        pure=(listed("pure-1.0-py3-none-any.whl", "pure"),),
        stable=(listed("stable-1.0-cp39-abi3-manylinux_2_34_x86_64.whl", "stable"),),
        empty=(),
    )
    why = (
        Unavailable(
            reason="failed: out of memory",
            python="3.10",
            arch="aarch64",
            compute="cu130",
            torch="2.11",
            log="logs/causal-conv1d/failed.txt",
        ),
    )
    changed: dict[str, dict[str, Any]] = {
        "causal-conv1d": {
            "description": "Causal convolution in CUDA",
            "unavailable": why,
            "license": "BSD-3-Clause",
        },
        "hnswlib": {
            "description": "Nearest neighbours",
            "status": "deprecated",
            "status_reason": "use another",
        },
        "pure": {"description": HOSTILE, "upstream": "https://example.com/pure"},
    }
    for name, facts in changed.items():
        registry = registry.with_package(name, replace(registry.packages[name], **facts))
    return registry


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve the example, and return the URL of its index."""
    root = tmp_path_factory.mktemp("store")
    (root / "packages.json").write_text(dumps(example()))
    write(root / "packages.json", root / "index", Settings(index=IndexSettings(title="Spark wheels")))
    with _serving(root) as url:
        yield f"{url}index/"


class _serving:  # noqa: N801 - used as a function
    def __init__(self, root: Path) -> None:
        self._server = Server(root, quiet=True)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    def __enter__(self) -> str:
        self._thread.start()
        return self._server.url

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def browser(driver: WebDriver, served: str) -> Iterator[Browser]:
    browser = Browser(driver, served)
    browser.size(1200, 900)
    browser.scheme("light")
    driver.get_log("browser")  # type: ignore[no-untyped-call]
    yield browser
    browser.script(on=True)


@pytest.fixture(scope="session")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve an index of 5,000 projects, and return its URL."""
    packages = {
        f"package-{n:04}": Package(
            source_repo="pypi:package",
            description=f"Kernels number {n}, fast on every card",
            wheels=tuple(plain(f"package-{n:04}", "1.0", "3.12", arch) for arch in ("x86_64", "aarch64")),
        )
        for n in range(5000)
    }
    root = tmp_path_factory.mktemp("crowd")
    (root / "packages.json").write_text(dumps(Registry(packages=packages)))
    write(root / "packages.json", root / "index", Settings())
    with _serving(root) as url:
        yield f"{url}index/"


@pytest.fixture(scope="session")
def axe() -> str:
    """Return axe-core's source; tests/browser/setup fetches it."""
    found = sorted((CHECKOUT / ".workbench" / "tools").glob("axe-core-*/axe.min.js"))
    if not found:
        why = "axe-core is not on this machine: tests/browser/setup fetches it"
        if os.environ.get("CI") == "true":
            pytest.fail(why, pytrace=False)
        pytest.skip(why)
    return found[-1].read_text(encoding="utf-8")
