from __future__ import annotations

import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING

import pytest

from tests.libraries import dummy, extension
from tests.wheels import ARCH, MODULE, libraries, wheel
from workbench.environment import Environment
from workbench.errors import RepairFailed, UsageError, WorkbenchError
from workbench.repair.repair import repair
from workbench.verify import archive
from workbench.verify.checks import check

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.needs("gcc", "patchelf")

NEW_GLIBC = "int __isoc23_strtol(void); int answer(void) { return __isoc23_strtol(); }\n"


def sound(path: Path) -> bool:
    """Say whether every check of verification passes on a wheel."""
    found = check(archive.read(path)).findings
    assert not found, found
    return True


def raw_bytes(path: Path) -> dict[str, tuple[int, int, bytes]]:
    """Return each member's crc, size and compressed bytes."""
    with path.open("rb") as file, zipfile.ZipFile(file) as archive_:
        members = {}
        for each in archive_.infolist():
            file.seek(each.header_offset + 26)
            lengths = file.read(4)
            file.seek(int.from_bytes(lengths[:2], "little") + int.from_bytes(lengths[2:], "little"), 1)
            members[each.filename] = (each.CRC, each.file_size, file.read(each.compress_size))
        return members


def test_what_needs_nothing_is_only_tagged(tmp_path: Path) -> None:
    raw = wheel(tmp_path, {MODULE: extension(tmp_path)})
    done = repair(raw, tmp_path / "out")
    assert done.policy.startswith("manylinux_2_")
    assert done.path.name.endswith(f"_{ARCH}.whl")
    assert (done.grafted, done.excluded) == ((), ())
    assert sound(done.path)
    before, after = raw_bytes(raw), raw_bytes(done.path)
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"demo-1.0.dist-info/WHEEL", "demo-1.0.dist-info/RECORD"}
    assert before.keys() == after.keys()


def test_a_repaired_wheel_repaired_again_stays_as_it_is(tmp_path: Path) -> None:
    once = repair(wheel(tmp_path, {MODULE: extension(tmp_path)}), tmp_path / "out").path
    data = once.read_bytes()
    twice = repair(once, tmp_path / "out").path
    assert (twice, raw_bytes(twice)) == (once, raw_bytes(once))
    assert len(twice.read_bytes()) == len(data)


def test_auditwheel_itself_is_content_with_it(tmp_path: Path) -> None:
    done = repair(wheel(tmp_path, {MODULE: extension(tmp_path)}), tmp_path / "out")
    words = [sys.executable, "-m", "auditwheel", "show", str(done.path)]
    shown = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    assert f'"{done.policy}"' in shown.replace("\n", " ")


def test_a_library_of_this_machine_is_grafted_and_the_rest_is_not_deflated_anew(tmp_path: Path) -> None:
    needed = dummy(tmp_path / "lib", "libneeded.so.1")
    data = bytes(range(256)) * 400
    raw = wheel(tmp_path, {MODULE: extension(tmp_path, [needed]), "demo/data.bin": data})
    done = repair(raw, tmp_path / "out", library_path=[needed.folder])
    (grafted,) = done.grafted
    assert grafted.startswith("libneeded-")
    assert sound(done.path)
    assert raw_bytes(done.path)["demo/data.bin"] == raw_bytes(raw)["demo/data.bin"]
    assert libraries(done.path)[MODULE].rpath == ("$ORIGIN/../demo.libs",)
    environment = Environment.create(tmp_path / "env", python=sys.executable)
    environment.install([done.path])
    environment.run_code("import demo", cwd=tmp_path)


def test_the_same_content_gives_the_same_bytes_however_it_was_packed(tmp_path: Path) -> None:
    """In another order, at another time, with another umask; what is grafted comes out the same as well."""
    needed = dummy(tmp_path / "lib", "libneeded.so.1")
    one = wheel(tmp_path, {MODULE: extension(tmp_path, [needed]), "demo/run.sh": b"#!/bin/sh\n"})
    other = tmp_path / "other" / one.name
    other.parent.mkdir()
    with zipfile.ZipFile(one) as packed, zipfile.ZipFile(other, "w", zipfile.ZIP_DEFLATED) as again:
        for each in reversed(packed.infolist()):
            fresh = zipfile.ZipInfo(each.filename, date_time=(2030, 1, 2, 3, 4, 6))
            fresh.external_attr, fresh.create_system = (each.external_attr | 0o060 << 16), 3
            again.writestr(fresh, packed.read(each), compress_type=zipfile.ZIP_DEFLATED)
    out = [
        repair(raw, tmp_path / str(at), library_path=[needed.folder], epoch=1_000_000_000).path
        for at, raw in enumerate((one, other))
    ]
    assert sound(out[0])
    assert out[0].read_bytes() == out[1].read_bytes()
    with zipfile.ZipFile(out[0]) as packed:
        assert {each.date_time for each in packed.infolist()} == {(2001, 9, 9, 1, 46, 40)}


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED])
def test_what_lies_uncompressed_is_deflated(tmp_path: Path, method: int) -> None:
    """A container's auditwheel deflates at level 0, which zip calls deflated all the same."""
    raw = wheel(tmp_path, {MODULE: extension(tmp_path), "demo/data.bin": bytes(range(256)) * 400})
    with zipfile.ZipFile(raw) as packed:
        files = [(each, packed.read(each)) for each in packed.infolist()]
    with zipfile.ZipFile(raw, "w") as loose:
        for each, data in files:
            loose.writestr(each.filename, data, compress_type=method, compresslevel=0)
    done = repair(raw, tmp_path / "out")
    assert sound(done.path)
    before, after = raw_bytes(raw), raw_bytes(done.path)
    for name in (MODULE, "demo/data.bin"):
        (crc, size, there), (*same, here) = before[name], after[name]
        assert (same, len(there) >= size) == ([crc, size], True)
        assert len(here) < size / 2


def test_a_library_that_is_nowhere_is_auditwheels_reason(tmp_path: Path) -> None:
    needed = dummy(tmp_path / "lib", "libneeded.so.1")
    raw = wheel(tmp_path, {MODULE: extension(tmp_path, [needed])})
    with pytest.raises(RepairFailed, match=r"libneeded\.so\.1"):
        repair(raw, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_what_the_recipe_excludes_is_left_out(tmp_path: Path) -> None:
    needed = dummy(tmp_path / "lib", "libneeded.so.1")
    raw = wheel(tmp_path, {MODULE: extension(tmp_path, [needed])})
    done = repair(raw, tmp_path / "out", exclude=["libneed*.so.*"])
    assert (done.grafted, done.excluded) == ((), ("libneeded.so.1",))


def test_paths_of_the_build_host_are_taken_out(tmp_path: Path) -> None:
    module = extension(tmp_path, (), "-Wl,-rpath,/opt/python/lib:$ORIGIN/../other", "-Wl,--enable-new-dtags")
    done = repair(wheel(tmp_path, {MODULE: module}), tmp_path / "out")
    assert done.rpaths_removed == ("/opt/python/lib",)
    elf = libraries(done.path)[MODULE]
    assert (*elf.rpath, *elf.runpath) == ("$ORIGIN/../other",)
    assert sound(done.path)


@pytest.mark.parametrize(
    ("soname", "requires", "path"),
    [
        ("libcudart.so.13", "nvidia-cuda-runtime==13.0.*", "$ORIGIN/../nvidia/cu13/lib"),
        ("libcudart.so.13", "cuda-toolkit[cudart,cublas]==13.0.*", "$ORIGIN/../nvidia/cu13/lib"),
        ("libcudart.so.12", "nvidia_cuda_runtime_cu12>=12.8", "$ORIGIN/../nvidia/cuda_runtime/lib"),
        ("libcudnn.so.9", "nvidia-cudnn-cu13", "$ORIGIN/../nvidia/cudnn/lib"),
        ("libcufft.so.12", 'nvidia-cufft; platform_system == "Linux"', "$ORIGIN/../nvidia/cu13/lib"),
    ],
)
def test_what_a_requirement_brings_is_searched_where_it_lies(
    tmp_path: Path, soname: str, requires: str, path: str
) -> None:
    needed = dummy(tmp_path / "lib", soname)
    raw = wheel(tmp_path, {MODULE: extension(tmp_path, [needed])}, requires=[requires])
    done = repair(raw, tmp_path / "out", library_path=[needed.folder])
    assert (done.grafted, done.excluded) == ((), (soname,))
    assert done.rpaths_added == (f"{MODULE}: {path}",)
    assert libraries(done.path)[MODULE].rpath == (path,)
    assert sound(done.path)


def test_a_library_is_found_there_when_the_wheel_is_installed(tmp_path: Path) -> None:
    needed = dummy(tmp_path / "lib", "libcudart.so.13")
    raw = wheel(tmp_path, {MODULE: extension(tmp_path, [needed])}, requires=["nvidia-cuda-runtime"])
    done = repair(raw, tmp_path / "out")
    environment = Environment.create(tmp_path / "env", python=sys.executable)
    environment.install([done.path], options=["--no-deps"])
    (site_packages,) = (tmp_path / "env").glob("lib/python*/site-packages")
    brought = site_packages / "nvidia/cu13/lib"
    brought.mkdir(parents=True)
    (needed.folder / needed.soname).rename(brought / needed.soname)
    environment.run_code("import demo", cwd=tmp_path)


def test_an_rpath_that_is_right_already_is_left_alone(tmp_path: Path) -> None:
    needed = dummy(tmp_path / "lib", "libcudart.so.13")
    module = extension(tmp_path, [needed], "-Wl,-rpath,$ORIGIN/../nvidia/cu13/lib/")
    raw = wheel(tmp_path, {MODULE: module}, requires=["nvidia-cuda-runtime"])
    done = repair(raw, tmp_path / "out")
    assert done.rpaths_added == ()
    assert raw_bytes(done.path)[MODULE] == raw_bytes(raw)[MODULE]


def test_what_torch_has_loaded_needs_no_path(tmp_path: Path) -> None:
    needed = [dummy(tmp_path / "lib", name) for name in ("libtorch_cuda.so", "libc10.so", "libcudart.so.13")]
    raw = wheel(tmp_path, {MODULE: extension(tmp_path, needed)}, requires=["torch==2.13.0"])
    done = repair(raw, tmp_path / "out", library_path=[tmp_path / "lib"])
    assert sorted(done.excluded) == sorted(each.soname for each in needed)
    assert (done.grafted, done.rpaths_added) == ((), ())
    assert raw_bytes(done.path)[MODULE] == raw_bytes(raw)[MODULE]


@pytest.mark.parametrize(
    ("soname", "requires", "advice"),
    [
        ("libcudart.so.13", [], "nvidia-cuda-runtime"),
        ("libcudart.so.13", ["nvidia-cuda-runtime-cu12"], "nvidia-cuda-runtime"),
        ("libcublas.so.13", ["cuda-toolkit[cudart]"], r"cuda-toolkit\[cublas\]"),
        ("libtorch.so", ['torch; extra == "gpu"'], "torch"),
        ("libnccl.so.2", ["numpy"], "nvidia-nccl-cu13"),
    ],
)
def test_a_library_of_cuda_that_no_requirement_brings_is_refused(
    tmp_path: Path, soname: str, requires: list[str], advice: str
) -> None:
    needed = dummy(tmp_path / "lib", soname)
    raw = wheel(tmp_path, {MODULE: extension(tmp_path, [needed])}, requires=requires)
    with pytest.raises(RepairFailed, match=rf"{MODULE} needs {soname}.*{advice}"):
        repair(raw, tmp_path / "out", library_path=[needed.folder])
    assert repair(raw, tmp_path / "out", exclude=["libcu*", "libtorch*", "libnccl*"]).excluded == (soname,)


def test_the_drivers_library_is_never_grafted_nor_shipped(tmp_path: Path) -> None:
    driver = dummy(tmp_path / "lib", "libcuda.so.1")
    module = extension(tmp_path, [driver])
    done = repair(wheel(tmp_path, {MODULE: module}), tmp_path / "out", library_path=[driver.folder])
    assert (done.grafted, done.excluded) == ((), ("libcuda.so.1",))
    stub = (driver.folder / driver.soname).read_bytes()
    shipped = wheel(tmp_path, {MODULE: module, "demo/lib/libcuda.so.1": stub})
    with pytest.raises(RepairFailed, match=r"demo/lib/libcuda\.so\.1 is a library of NVIDIA's driver"):
        repair(shipped, tmp_path / "out")


def needs_glibc(folder: Path, version: str) -> bytes:
    """Compile a module that needs a symbol of glibc 2.34 or later: pthread_create moved into libc there."""
    code = "#include <pthread.h>\nint start(void*(*f)(void*)) { pthread_t t; return pthread_create(&t, 0, f, 0); }\n"
    (folder / "needs.c").write_text(code)
    out = folder / "needs.so"
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", out, folder / "needs.c"], check=True)
    data = out.read_bytes()
    if f"GLIBC_{version}".encode() not in data:
        pytest.skip(f"this machine's glibc is older than {version}")
    return data


def test_a_glibc_ceiling_names_the_symbol_and_the_library_that_break_it(tmp_path: Path) -> None:
    raw = wheel(tmp_path, {"demo/_n.so": needs_glibc(tmp_path, "2.34")}, tag=f"py3-none-linux_{ARCH}")
    done = repair(raw, tmp_path / "out", glibc_ceiling="2.34")
    assert done.policy == f"manylinux_2_34_{ARCH}"
    assert "GLIBC_2.34" in str(done.limits[0])
    with pytest.raises(
        RepairFailed, match=r"(?s)ceiling is 2\.28.*GLIBC_2\.34 of libc\.so\.6: demo/_n\.so: pthread_create"
    ):
        repair(raw, tmp_path / "other", glibc_ceiling="2.28")
    assert not list((tmp_path / "other").iterdir())
    with pytest.raises(UsageError, match=r"2\.34"):
        repair(raw, tmp_path / "out", glibc_ceiling="glibc 2.28")


def test_a_wheel_without_binaries_comes_out_as_it_is(tmp_path: Path) -> None:
    pure = wheel(tmp_path, {}, tag="py3-none-any")
    done = repair(pure, tmp_path / "out")
    assert (done.policy, done.path.read_bytes()) == ("any", pure.read_bytes())


@pytest.mark.parametrize("damage", ["cut", "no record", "not a zip"])
def test_a_damaged_wheel_is_a_repair_that_failed(tmp_path: Path, damage: str) -> None:
    raw = wheel(tmp_path, {MODULE: extension(tmp_path)})
    if damage == "cut":
        raw.write_bytes(raw.read_bytes()[:-100])
    elif damage == "no record":
        with zipfile.ZipFile(raw) as old:
            kept = {name: old.read(name) for name in old.namelist() if not name.endswith("RECORD")}
        with zipfile.ZipFile(raw, "w") as new:
            for name, content in kept.items():
                new.writestr(name, content)
    else:
        raw.write_text("no wheel")
    with pytest.raises(RepairFailed, match=raw.name):
        repair(raw, tmp_path / "out")


def test_a_wheel_with_a_damaged_library_is_refused(tmp_path: Path) -> None:
    library = extension(tmp_path)
    raw = wheel(tmp_path, {MODULE: library})
    size, less = (length.to_bytes(4, "little") for length in (len(library), len(library) - 1))
    raw.write_bytes(raw.read_bytes().replace(size, less))
    with pytest.raises(RepairFailed, match=rf"not a whole wheel: {MODULE}: it holds more bytes"):
        repair(raw, tmp_path / "out")


@pytest.mark.needs("aarch64-linux-gnu-gcc")
def test_a_wheel_for_another_processor_is_repaired_here(tmp_path: Path) -> None:
    (tmp_path / "c.c").write_text("#include <string.h>\nchar *copy(char *s) { return strdup(s); }\n")
    out = tmp_path / "lib.so"
    words: list[str | Path] = [
        "aarch64-linux-gnu-gcc",
        "-shared",
        "-fPIC",
        "-o",
        out,
        tmp_path / "c.c",
        "-Wl,-rpath,/opt/x",
    ]
    subprocess.run(words, check=True)
    raw = wheel(tmp_path, {"demo/lib.so": out.read_bytes()}, tag="py3-none-linux_aarch64")
    done = repair(raw, tmp_path / "out")
    assert done.policy == "manylinux_2_17_aarch64"
    assert done.rpaths_removed == ("/opt/x",)
    assert sound(done.path)


def test_a_full_disk_is_not_the_wheels_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a full disk auditwheel ends as this program does."""
    fill = "open('/dev/full', 'w', buffering=1).write('x\\n')"
    monkeypatch.setattr("workbench.repair.auditwheel._AUDITWHEEL", (sys.executable, "-c", fill))
    built = wheel(tmp_path, {MODULE: extension(tmp_path)})
    with pytest.raises(WorkbenchError, match="the disk is full") as caught:
        repair(built, tmp_path / "out")
    assert not isinstance(caught.value, RepairFailed)


@pytest.mark.parametrize("tag", ["cp313-cp313t", "cp311-abi3", "cp310.cp311-abi3"])
def test_tags_of_stable_and_free_threaded_builds_are_kept(tmp_path: Path, tag: str) -> None:
    raw = wheel(tmp_path, {"demo/lib.so": needs_glibc(tmp_path, "2.34")}, tag=f"{tag}-linux_{ARCH}")
    done = repair(raw, tmp_path / "out")
    assert done.path.name == f"demo-1.0-{tag}-manylinux_2_34_{ARCH}.whl"
    assert sound(done.path)


def test_a_library_of_any_name_is_rid_of_the_build_hosts_paths(tmp_path: Path) -> None:
    module = extension(tmp_path, (), "-Wl,-rpath,/opt/build/lib")
    named = ["demo/tool-1.2", "demo/x.bin"]
    done = repair(
        wheel(tmp_path, {MODULE: extension(tmp_path), **dict.fromkeys(named, module)}), tmp_path / "out"
    )
    assert done.rpaths_removed == ("/opt/build/lib",)
    assert all(not libraries(done.path)[name].runpath for name in named)
    assert sound(done.path)


@pytest.mark.parametrize("epoch", [None, "0"])
def test_what_lies_below_platlib_finds_what_was_grafted_once_it_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, epoch: str | None
) -> None:
    if epoch:
        monkeypatch.setenv("SOURCE_DATE_EPOCH", epoch)
    needed = dummy(tmp_path / "lib", "libneeded.so.1")
    member = f"demo-1.0.data/platlib/{MODULE}"
    raw = wheel(tmp_path, {member: extension(tmp_path, [needed])})
    done = repair(raw, tmp_path / "out", library_path=[needed.folder])
    (grafted,) = done.grafted
    assert libraries(done.path)[member].rpath == ("$ORIGIN/../demo.libs",)
    assert (f"demo.libs/{grafted}" in libraries(done.path), done.rpaths_added) == (True, ())
    assert sound(done.path)
    (needed.folder / needed.soname).unlink()
    environment = Environment.create(tmp_path / "env", python=sys.executable)
    environment.install([done.path])
    environment.run_code("import demo._c", cwd=tmp_path)
