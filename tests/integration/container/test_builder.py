"""Builder ``container`` through the verb: images with a CUDA of their own, and a recipe's commands."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.builders.test_own_index import listed, publish
from tests.consume.served import serving
from tests.forked import invoke
from workbench.container.engine import find_image
from workbench.paths import CHECKOUT, Paths
from workbench.process import run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from workbench.container.engine import Engine

pytestmark = pytest.mark.needs("podman")

RECIPE = """\
from __future__ import annotations

from workbench.recipe import Recipe, Sdist

recipe = Recipe(
    name="{name}",
    version="1.0",
    description="A test's",
    source=Sdist(sha256="{digest}"),
    compute=("cpu", "cu13*"),
    {fields}
)
"""


def describe(paths: Paths, name: str, *fields: str, **images: str) -> None:
    """Write a recipe, and settings with an image for each compute platform; nothing goes to the user's objects."""
    text = RECIPE.format(name=name, digest="0" * 64, fields="\n    ".join(fields))
    (paths.recipes / f"{name.replace('-', '_')}.py").write_text(text)
    chosen = {compute: {"x86_64": image} for compute, image in images.items()}
    settings = {"container": {"engine": "podman", "images": chosen}, "cache": {"objects": False}}
    (paths.root / "workbench.yaml").write_text(json.dumps(settings))  # JSON is YAML


def test_an_image_with_a_cuda_of_its_own_is_used_as_it_is(
    paths: Paths,
    image: Callable[..., str],
    toolkit: Callable[[str], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    own = image("x86_64", toolkit=toolkit("x86_64"))
    describe(paths, "cuda-kernel", cu130=own, cu131=own)
    sample = shutil.copytree(CHECKOUT / "examples" / "cuda-kernel", tmp_path / "sample")
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path / "cache"))
    build = ("build", "cuda-kernel", "--source-dir", sample, "--python", "3.11", "--builder", "container")

    made = invoke(*build, "--compute", "cu130")
    assert made.status == 0, made.stderr
    assert not (tmp_path / "cache" / "toolchains").exists()
    (wheel,) = paths.wheels.glob("*.whl")
    shown = json.loads(invoke("inspect", wheel, "--json").stdout)
    assert "sm_121" in json.dumps(shown)

    refused = invoke(*build, "--compute", "cu131")
    assert refused.status == 17
    assert f"the image {own} has CUDA 13.0, and the wheel is for cu131" in refused.stderr

    unknown = invoke(*build, "--compute", "cu130", "--gpu", "sm_107")
    assert unknown.status == 18
    assert "CUDA 13.0 cannot compile for sm_107: the first that can is cu134" in unknown.stderr


def test_the_commands_of_a_recipe_are_run_where_they_belong(
    paths: Paths, image: Callable[..., str], small: Path
) -> None:
    describe(
        paths,
        "small",
        'before_all=("echo $(ls /sys/class/net | wc -l) interfaces >/from-before-all", "mkdir -p {project}/deps  #"),',
        """before_build=("test -e setup.py  #", "sed -i 's/small.n/changed/' small.c"),""",
        """smoke_test="import small",""",
        cpu=image("x86_64"),
    )
    (small / "setup.py").write_text(
        "import pathlib, sys\n"
        "told = pathlib.Path('/from-before-all')\n"
        "assert told.exists() == pathlib.Path('/opt/python').exists() == pathlib.Path('deps').exists()\n"
        "assert not told.exists() or told.read_text() != '1 interfaces\\n'\n"
        "assert 'changed' in pathlib.Path('small.c').read_text() or 'bdist_wheel' not in sys.argv\n"
        + (small / "setup.py").read_text()
    )
    build = ("build", "small", "--source-dir", small, "--python", "3.11")
    for builder in ("container", "host"):
        made = invoke(*build, "--builder", builder)
        assert made.status == 0, made.stderr
    assert not run(["podman", "images", "--quiet", "localhost/wheel-workbench/before-all"]).output


@pytest.mark.parametrize("silent", [True, False])
def test_what_is_asked_of_no_network_in_silence_is_counted(
    paths: Paths, image: Callable[..., str], small: Path, *, silent: bool
) -> None:
    describe(paths, "small", cpu=image("x86_64"))
    trying = """\
import contextlib, socket
with contextlib.suppress(OSError):
    socket.create_connection(("1.2.3.4", 9))
"""
    (small / "setup.py").write_text((trying if silent else "") + (small / "setup.py").read_text())
    built = invoke("build", "small", "--source-dir", small, "--python", "3.11", "--builder", "container")
    assert built.status == 0, built.stderr
    assert ("of which its log says nothing" in built.stderr) is silent, built.stderr


@pytest.mark.parametrize("network", [True, False], ids=["with-a-network", "without"])
def test_the_provenance_has_the_image_and_what_was_installed_in_it(
    paths: Paths, image: Callable[..., str], engine: Engine, small: Path, *, network: bool
) -> None:
    name = image("x86_64")
    describe(paths, "small", *(["network=True,"] if network else []), cpu=name)
    online = f"assert ([*pathlib.Path('/sys/class/net').iterdir()] != [pathlib.Path('/sys/class/net/lo')]) is {network}"
    (small / "setup.py").write_text(f"import pathlib\n{online}\n{(small / 'setup.py').read_text()}")
    built = invoke("build", "small", "--source-dir", small, "--python", "3.11", "--builder", "container")
    assert built.status == 0, built.stderr
    (wheel,) = paths.wheels.glob("*.whl")
    told = json.loads(invoke("evidence.show", wheel, "--json").stdout)["predicate"]["buildDefinition"]
    isolation = told["internalParameters"]["isolation"]
    assert isolation["isolated"] is not network
    assert ("network=True" in isolation["how"]) is network
    used = {each["name"]: each for each in told["resolvedDependencies"]}
    found = find_image(engine, name)
    assert found is not None
    assert used[name]["digest"] == {"sha256": found.id.removeprefix("sha256:")}
    assert used["setuptools"]["annotations"]["role"] == "requirement"
    assert used["setuptools"]["digest"]["sha256"]


def test_what_a_requirement_brings_is_not_copied_in_a_container_either(
    paths: Paths, image: Callable[..., str], tmp_path: Path
) -> None:
    describe(paths, "cuda-kernel", cu130=image("x86_64"))
    sample = shutil.copytree(CHECKOUT / "examples" / "cuda-kernel", tmp_path / "sample")
    setup = (sample / "setup.py").read_text()
    (sample / "setup.py").write_text(setup.replace('"cudart_static"', '"cudart"'))
    project = (sample / "pyproject.toml").read_text()
    (sample / "pyproject.toml").write_text(
        project.replace("requires-python", 'dependencies = ["nvidia-cuda-runtime"]\nrequires-python')
    )
    words = ("build", "cuda-kernel", "--source-dir", sample, "--python", "3.11", "--builder", "container")
    made = invoke(*words, "--compute", "cu130", "--json")
    assert made.status == 0, made.stderr
    (wheel,) = json.loads(made.stdout)["wheels"]
    assert (wheel["grafted"], wheel["excluded"]) == ([], ["libcudart.so.13"])
    assert [path.partition(": ")[2] for path in wheel["rpaths_added"]] == ["$ORIGIN/../nvidia/cu13/lib"]


@pytest.mark.parametrize(
    ("frontend", "is_served"),
    [("build[uv]", True), ("build", False)],
    ids=["uv-and-public-url", "pip-and-folder"],
)
def test_a_build_in_a_container_gets_what_the_site_itself_publishes(
    paths: Paths, image: Callable[..., str], small: Path, frontend: str, *, is_served: bool
) -> None:
    store = paths.root / "out" if is_served else paths.root
    listed(store, "ours", "1.0")
    publish(paths, "ours")
    with serving(store) as served:
        describe(
            paths, "small", 'build_requires=("ours",),', 'smoke_test="import small",', cpu=image("x86_64")
        )
        settings = json.loads((paths.root / "workbench.yaml").read_text())
        settings["container"] |= {"frontend": frontend}
        settings |= {"public_url": served.url, "store": {"folder": "out"}} if is_served else {}
        (paths.root / "workbench.yaml").write_text(json.dumps(settings))
        (small / "setup.py").write_text("import ours\n" + (small / "setup.py").read_text())
        words = ("build", "small", "--source-dir", small, "--python", "3.11", "--builder", "container")
        made = invoke(*words)
        assert made.status == 0, made.stderr
        assert any("/files/ours/ours-1.0" in path for path in served.asked) is is_served


def test_a_build_that_fails_is_explained_as_on_this_machine(
    paths: Paths, image: Callable[..., str], small: Path
) -> None:
    describe(paths, "small", cpu=image("x86_64"))
    (small / "small.c").write_text('#include <Python.h>\n#include "turbojpeg.h"\n')
    words = ("build", "small", "--source-dir", small, "--python", "3.11", "--builder", "container")
    failed = invoke(*words)
    assert failed.status == 9, failed.stderr
    assert "the compiler finds no turbojpeg.h" in failed.stderr
    assert "small.c:2:10: fatal error: turbojpeg.h" in failed.stderr
    assert "To look inside: podman run" in failed.stderr

    (small / "large").write_bytes(b"\0" * 2_000_000)
    settings = json.loads((paths.root / "workbench.yaml").read_text())
    settings["container"]["create_args"] = ["--tmpfs=/project:size=1m"]
    (paths.root / "workbench.yaml").write_text(json.dumps(settings))
    full = invoke(*words)
    assert full.status == 17, full.stderr
    assert "the disk is full where the container writes" in full.stderr
