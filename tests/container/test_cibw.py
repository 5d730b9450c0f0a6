from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from cibuildwheel.options import CommandLineArguments, Options, compute_options

from workbench.builders.container import one_after_the_other
from workbench.container.blame import failure
from workbench.container.cibw import resolve_image
from workbench.container.command import Build, Command, command, names_network
from workbench.container.configuration import Handed
from workbench.container.engine import Engine
from workbench.errors import BuildFailed, ContainerError, RepairFailed, SettingsError
from workbench.process import Completed, run

ENGINE = Engine(name="podman", version="4.3.1", storage=Path("/nowhere"))


def build(**changes: Any) -> Build:
    values = {
        "title": "hnswlib 0.8.0 cp311 aarch64 cpu",
        "python": "3.11",
        "arch": "aarch64",
        "image": "localhost/image:aarch64",
        "tree": Path("/tree"),
        "output": Path("/output"),
        "wheelhouse": Path("/house"),
        **changes,
    }
    return Build(**values)


def made(what: Build, tmp_path: Path, **options: Any) -> Command:
    return command(what, engine="podman", folder=tmp_path, label="wheel-workbench=1", **options)


def understood(what: Command, tmp_path: Path) -> Options:
    """Return the options that cibuildwheel itself makes of a command's variables."""
    (tmp_path / "cibuildwheel.toml").write_text(what.files["cibuildwheel.toml"])
    words = {"only": "cp311-manylinux_aarch64", "config_file": str(tmp_path / "cibuildwheel.toml")}
    arguments = CommandLineArguments(**{**vars(CommandLineArguments.defaults()), **words})
    return compute_options("linux", arguments, dict(what.env))


def test_one_target_at_a_time(tmp_path: Path) -> None:
    argv = made(build(), tmp_path).argv
    assert argv[argv.index("--only") + 1] == "cp311-manylinux_aarch64"
    assert argv[-1] == "."


@pytest.mark.parametrize(
    "value", ["a b", "it's", '"quoted"', "$HOME `id` \\ ;", "libcu*.so.*", "", "two\nlines"]
)
def test_variables_arrive_literally(tmp_path: Path, value: str) -> None:
    assert f"--env=FLAGS={value}" in create_args(build(environment={"FLAGS": value}), tmp_path)


def test_a_kernel_that_counts_nothing_fails_no_build(tmp_path: Path) -> None:
    words = made(build(), tmp_path).env["CIBW_REPAIR_WHEEL_COMMAND"]
    words = words.replace("/proc/net/snmp", str(tmp_path / "not-there")).replace("auditwheel", "echo")
    assert "repair -z 0" in run(["sh", "-c", words]).output


def test_path_goes_before_the_containers_own(tmp_path: Path) -> None:
    options = understood(made(build(environment={"PATH": "/usr/local/cuda/bin"}), tmp_path), tmp_path)
    environment = options.build_options("cp311-manylinux_aarch64").environment
    assert environment.as_dictionary({"PATH": "/usr/bin"})["PATH"] == "/usr/local/cuda/bin:/usr/bin"


def test_cibuildwheel_takes_every_option_as_it_was_meant(tmp_path: Path) -> None:
    what = build(
        frontend="build",
        exclude=("libcuda.so.1", "libc10*.so"),
        config_settings={"compile-args": "-j3"},
        toolkit=Path("/a folder;"),
        create_args=("--tmpfs=/project:size=1m",),
    )
    read = understood(made(what, tmp_path), tmp_path).build_options("cp311-manylinux_aarch64")
    assert read.container_engine.name == "podman"
    toolkit = "--volume=/a folder;:/usr/local/cuda:ro"
    assert {"--label=wheel-workbench=1", toolkit, "--tmpfs=/project:size=1m"} <= set(
        read.container_engine.create_args
    )
    assert read.container_engine.disable_host_mount
    assert read.manylinux_images is not None
    assert read.manylinux_images["aarch64"] == "localhost/image:aarch64"
    assert (read.build_frontend.name, "--no-isolation" in read.build_frontend.args) == ("build", True)
    assert read.repair_command == (
        "grep -E '^(Ip|Udp): ' /proc/net/snmp; "
        "auditwheel repair -z 0 --exclude libcuda.so.1 --exclude 'libc10*.so' -w {dest_dir} {wheel}"
    )
    assert read.config_settings == "compile-args=-j3"
    assert not read.audit_command


def test_neither_the_project_nor_the_shell_decides(tmp_path: Path) -> None:
    inherited = ("CIBW_BEFORE_ALL", "CIBW_BEFORE_ALL_LINUX", "CIBW_CACHE_PATH", "HOME")
    what = made(build(), tmp_path, inherited=inherited)
    dropped = [word for word in what.argv if word.startswith("--unset=")]
    assert dropped == ["--unset=CIBW_BEFORE_ALL", "--unset=CIBW_BEFORE_ALL_LINUX"]
    assert what.argv[what.argv.index("--config-file") + 1] == str(tmp_path / "cibuildwheel.toml")


def create_args(what: Build, tmp_path: Path, **options: Any) -> tuple[str, ...]:
    read = understood(made(what, tmp_path, **options), tmp_path).build_options("cp311-manylinux_aarch64")
    return tuple(read.container_engine.create_args)


def test_a_container_has_no_network_and_no_proxy_unless_it_is_handed_one(tmp_path: Path) -> None:
    closed = create_args(build(), tmp_path)
    assert {"--network=none", "--env=https_proxy=", "--volume=/house:/workbench-packages:ro"} <= set(closed)
    open_ = create_args(build(), tmp_path, handed=Handed())
    assert not any(word.startswith(("--network", "--env")) for word in open_)
    assert "--env=QEMU_CPU=max,pauth=off" in create_args(build(), tmp_path, emulated=True)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("--network=host",), True),
        (("--net", "host"), True),
        (("--net=none",), False),
        (("--network", "none"), False),
        (("--network-alias=x",), False),
        (("--memory=1g",), False),
    ],
)
def test_only_a_network_counts_as_one(tmp_path: Path, arguments: tuple[str, ...], *, named: bool) -> None:
    assert names_network(arguments) is named
    assert "none" in " ".join(create_args(build(create_args=arguments), tmp_path))


def test_a_recipes_command_may_end_with_a_comment(tmp_path: Path) -> None:
    commands = one_after_the_other(("true  # it is", "exit 3"))
    what = made(build(before_build=commands), tmp_path)
    read = understood(what, tmp_path).build_options("cp311-manylinux_aarch64")
    assert (read.before_build or "").endswith(commands)
    assert run(["sh", "-c", commands], check=False).status == 3


def test_a_toolkit_is_mounted_where_cuda_is_looked_for(tmp_path: Path) -> None:
    assert "--volume=/cache/cu130:/usr/local/cuda:ro" in create_args(
        build(toolkit=Path("/cache/cu130")), tmp_path
    )


def test_a_proxys_password_stays_out_of_the_command(tmp_path: Path) -> None:
    assert "--env=https_proxy" in create_args(build(), tmp_path, handed=Handed(passed=("https_proxy",)))


def test_a_policy_is_an_image_that_cibuildwheel_pins() -> None:
    assert "manylinux_2_28_aarch64@sha256:" in resolve_image("manylinux_2_28", "aarch64")
    assert resolve_image("localhost/image:aarch64", "aarch64") == "localhost/image:aarch64"
    with pytest.raises(
        SettingsError, match=r"manylinux_2_99 has no image for aarch64; there are .*manylinux_2_28"
    ):
        resolve_image("manylinux_2_99", "aarch64")


@pytest.mark.parametrize(
    ("lines", "status", "kind", "says"),
    [
        (["Building wheel...", "error: ';' expected"], 1, BuildFailed, "failed at 'Building wheel'"),
        (["Building wheel...", "Repairing wheel..."], 1, RepairFailed, "failed at 'Repairing wheel'"),
        (["Starting container image x..."], 1, ContainerError, "failed at 'Starting container image'"),
        (["::group::Building wheel..."], 5, BuildFailed, "--builder host"),
        ([], 7, ContainerError, "podman is too old"),
        (["Repairing wheel..."], 8, RepairFailed, "left no wheel"),
    ],
)
def test_what_a_failure_means(
    lines: list[str], status: int, kind: type[Exception], says: str, tmp_path: Path
) -> None:
    log = tmp_path / "build.log"
    log.write_text("\n".join(lines))
    done = Completed(argv=("cibuildwheel",), status=status, output="the last line", seconds=1)
    error = failure(build(), ENGINE, done, log)
    assert error.fault is kind
    assert says in str(error)
    assert "the last line" in str(error)
    assert error.inside.startswith("podman run --rm -it --volume=/tree:/project")


def test_builds_are_values() -> None:
    assert build() == build()
    assert dataclasses.replace(build(), arch="x86_64").identifier == "cp311-manylinux_x86_64"
