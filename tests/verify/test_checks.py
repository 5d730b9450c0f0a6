from __future__ import annotations

import re
import stat
import zipfile
from typing import TYPE_CHECKING

import pytest

from tests.libraries import ELF, container
from tests.libraries import entry as gpu_entry
from tests.libraries import library as gpu_library
from tests.wheel.test_elf import library, run
from tests.wheels import encoded, files_of, good, pack, record_of
from workbench.verify import archive
from workbench.verify.checks import check
from workbench.verify.report import Finding

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

INFO = "demo-1.0.dist-info"
NAME = "demo-1.0-py3-none-any.whl"
Files = dict[str, bytes]


def found_in(path: Path, *modules: str) -> tuple[Finding, ...]:
    return check(archive.read(path), modules).findings


def replaced(name: str, old: str, new: str) -> Callable[[Files], None]:
    def change(files: Files) -> None:
        assert old.encode() in files[name]
        files[name] = files[name].replace(old.encode(), new.encode())

    return change


def without(name: str) -> Callable[[Files], None]:
    return lambda files: (files.pop(name), None)[1]


def added(name: str, content: bytes = b"x") -> Callable[[Files], None]:
    return lambda files: files.update({name: content})


@pytest.mark.parametrize(
    ("change", "check_name", "where", "what"),
    [
        (
            replaced(f"{INFO}/METADATA", "Name: demo", "Name: other"),
            "metadata",
            f"{INFO}/METADATA",
            "Name: other",
        ),
        (
            replaced(f"{INFO}/METADATA", "Version: 1.0", "Version: 2"),
            "metadata",
            f"{INFO}/METADATA",
            "Version: 2",
        ),
        (replaced(f"{INFO}/METADATA", "Version: 1.0", "Version: x"), "metadata", f"{INFO}/METADATA", "'x'"),
        (replaced(f"{INFO}/METADATA", ">=3.9", "three"), "metadata", f"{INFO}/METADATA", "three"),
        (
            replaced(f"{INFO}/METADATA", "Summary:", "Sumary:"),
            "metadata",
            f"{INFO}/METADATA",
            "sumary: unknown",
        ),
        (added(f"{INFO}/METADATA", b"Name: \xff"), "metadata", f"{INFO}/METADATA", "not UTF-8"),
        (without(f"{INFO}/METADATA"), "metadata", f"{INFO}/METADATA", "missing"),
        (without(f"{INFO}/WHEEL"), "tags", f"{INFO}/WHEEL", "missing"),
        (
            replaced(f"{INFO}/WHEEL", "Wheel-Version: 1.0", "Wheel-Version: 2.0"),
            "tags",
            f"{INFO}/WHEEL",
            "2.0",
        ),
        (
            replaced(f"{INFO}/WHEEL", "Wheel-Version: 1.0\n", ""),
            "tags",
            f"{INFO}/WHEEL",
            "Wheel-Version: missing",
        ),
        (replaced(f"{INFO}/WHEEL", "true", "maybe"), "tags", f"{INFO}/WHEEL", "Root-Is-Purelib: maybe"),
        (
            replaced(f"{INFO}/WHEEL", "py3-", "py2-"),
            "tags",
            f"{INFO}/WHEEL",
            "the filename has the tag py3-none-any",
        ),
        (
            replaced(f"{INFO}/WHEEL", "Tag: ", "Tag: py2-none-any\nTag: "),
            "tags",
            f"{INFO}/WHEEL",
            "WHEEL has the tag py2-none-any",
        ),
        (
            replaced(f"{INFO}/WHEEL", "Tag: ", "Tag: any\nTag: "),
            "tags",
            f"{INFO}/WHEEL",
            "Tag: any is not a valid tag",
        ),
        (added("other-1.0.dist-info/METADATA"), "metadata", NAME, "more than one .dist-info folder"),
        (added("other-1.0.data/purelib/x.py"), "metadata", "other-1.0.data", "demo-1.0.data"),
        (added("/etc/passwd"), "paths", "/etc/passwd", "absolute"),
        (added("demo/../../x.py"), "paths", "demo/../../x.py", "'..'"),
        (added("C:/x.py"), "paths", "C:/x.py", "drive letter"),
        (added("demo\\x.py"), "paths", "demo\\x.py", "backslash"),
        (added("demo//x.py"), "paths", "demo//x.py", "empty"),
    ],
)
def test_what_is_wrong_is_found_and_said_where(
    tmp_path: Path, change: Callable[[Files], None], check_name: str, where: str, what: str
) -> None:
    files = files_of()
    change(files)
    found = found_in(pack(tmp_path / NAME, files))
    hits = [each for each in found if (each.check, each.where) == (check_name, where) and what in each.what]
    assert len(hits) == 1, found
    # nothing else is blamed for it, save what follows from it
    assert {each.check for each in found} == {check_name}


@pytest.mark.parametrize(
    ("change", "where", "what"),
    [
        (lambda _: "", f"{INFO}/RECORD", "missing"),
        (
            lambda text: text + "demo/gone.py,sha256=x,1\n",
            f"{INFO}/RECORD",
            "demo/gone.py is not in the wheel",
        ),
        (lambda text: text.partition("\n")[2], "demo/__init__.py", "not listed in RECORD"),
        (
            lambda text: re.sub("=[^,]+", f"={encoded(bytes(32))}", text, count=1),
            "demo/__init__.py",
            "its sha256",
        ),
        (
            lambda text: text.replace(",240", ",241"),
            "demo/__init__.py",
            "it has 240 bytes, and RECORD says 241",
        ),
        (
            lambda text: text.replace(",240", ","),
            "demo/__init__.py",
            "it has 240 bytes, and RECORD says nothing",
        ),
        (lambda text: text.replace("sha256=", "md5=", 1), "demo/__init__.py", "RECORD has md5"),
        (lambda text: text.replace("RECORD,,", "RECORD,sha256=x,1"), f"{INFO}/RECORD", "a hash of itself"),
        (
            lambda text: text + text.partition("\n")[0] + "\n",
            f"{INFO}/RECORD",
            "line 5: demo/__init__.py is listed before",
        ),
        (lambda text: text.replace(",240", ""), f"{INFO}/RECORD", "line 1: 2 columns"),
        (lambda text: text.replace("demo/", '"demo/', 1), f"{INFO}/RECORD", "line"),
    ],
)
def test_record_must_be_right_in_every_row(
    tmp_path: Path, change: Callable[[str], str], where: str, what: str
) -> None:
    files = files_of()
    found = found_in(pack(tmp_path / NAME, files, record=change(record_of(files))))
    assert [each for each in found if each.where == where and what in each.what], found
    assert {each.check for each in found} == {"record"}


def test_signatures_of_record_need_no_row(tmp_path: Path) -> None:
    files = files_of()
    path = pack(tmp_path / NAME, {**files, f"{INFO}/RECORD.jws": b"{}"}, record=record_of(files))
    assert found_in(path) == ()


def test_symbolic_links_are_refused(tmp_path: Path) -> None:
    path = tmp_path / NAME
    link = zipfile.ZipInfo("demo/link.py")
    link.create_system = 3
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    files = {**files_of(), "demo/link.py": b"/etc/passwd"}
    pack(
        path,
        {name: content for name, content in files.items() if name != link.filename},
        record=record_of(files),
    )
    with zipfile.ZipFile(path, "a") as out:
        out.writestr(link, files["demo/link.py"])
    (found,) = found_in(path)
    assert (found.check, found.where) == ("paths", "demo/link.py")
    assert "a symbolic link" in found.what


@pytest.mark.parametrize(
    ("filename", "check_name", "what"),
    [
        ("other-1.0-py3-none-any.whl", "metadata", "the filename says other 1.0"),
        ("demo-1.1-py3-none-any.whl", "metadata", "the filename says demo 1.1"),
        ("demo-1.0-py2.py3-none-any.whl", "tags", "the tag py2-none-any, and WHEEL does not"),
        ("demo.whl", "tags", "not a wheel's filename"),
    ],
)
def test_the_filename_must_say_what_the_wheel_says(
    tmp_path: Path, filename: str, check_name: str, what: str
) -> None:
    found = found_in(pack(tmp_path / filename, files_of()))
    assert any(each.check == check_name and what in each.what for each in found), found


def test_names_need_only_be_the_same_name(tmp_path: Path) -> None:
    files = files_of(name="My_Demo", version="1.0+cu130")
    assert found_in(pack(tmp_path / "my_demo-1.0+cu130-py3-none-any.whl", files)) == ()


def test_license_files_of_older_setuptools_are_let_pass(tmp_path: Path) -> None:
    files = files_of()
    text = files[f"{INFO}/METADATA"].replace(
        b"Metadata-Version: 2.4", b"Metadata-Version: 2.1\nLicense-File: LICENSE"
    )
    files[f"{INFO}/METADATA"] = text
    assert found_in(pack(tmp_path / NAME, files)) == ()


def test_no_dist_info_at_all_is_one_finding(tmp_path: Path) -> None:
    path = tmp_path / NAME
    with zipfile.ZipFile(path, "w") as out:
        out.writestr("demo.py", "")
    assert [each.what for each in found_in(path)] == ["no .dist-info folder"]


@pytest.mark.parametrize(
    ("member", "module"),
    [
        ("demo.py", "demo"),
        ("demo/__init__.py", "demo"),
        ("demo/inner.py", "demo.inner"),
        ("demo/inner/x.py", "demo.inner"),
        ("_demo.cpython-311-x86_64-linux-gnu.so", "_demo"),
        ("demo/fast.abi3.so", "demo.fast"),
        ("demo/plain.so", "demo.plain"),
        ("demo-1.0.data/platlib/demo.py", "demo"),
    ],
)
def test_modules_are_found_wherever_they_may_lie(tmp_path: Path, member: str, module: str) -> None:
    path = good(tmp_path, payload={member: b""})
    assert [each for each in found_in(path, module) if each.where == module] == []
    (missing,) = [each for each in found_in(path, "demos") if each.where == "demos"]
    assert missing.check == "module"


@pytest.mark.parametrize(
    ("tag", "member", "fits"),
    [
        ("cp311-cp311-linux_x86_64", "demo.cpython-311-x86_64-linux-gnu.so", True),
        ("cp311-cp311-linux_x86_64", "demo.cpython-312-x86_64-linux-gnu.so", False),
        ("cp311-cp311-linux_x86_64", "demo.cpython-311-aarch64-linux-gnu.so", False),
        ("cp311-cp311-linux_x86_64", "demo.abi3.so", True),
        ("cp311-cp311-linux_x86_64", "demo.so", True),
        ("cp39-abi3-linux_x86_64", "demo.abi3.so", True),
        ("cp39-abi3-linux_x86_64", "demo.cpython-39-x86_64-linux-gnu.so", False),
        ("py3-none-linux_x86_64", "demo.cpython-39-x86_64-linux-gnu.so", False),
        ("py3-none-linux_x86_64", "libdemo.so", True),
        ("cp313-cp313t-linux_x86_64", "demo.cpython-313t-x86_64-linux-gnu.so", True),
        ("cp313-cp313-linux_x86_64", "demo.cpython-313t-x86_64-linux-gnu.so", False),
        ("pp311-pypy311_pp73-linux_x86_64", "demo.pypy311-pp73-x86_64-linux-gnu.so", True),
    ],
)
def test_extension_modules_fit_the_tags(tmp_path: Path, tag: str, member: str, fits: bool) -> None:
    path = good(tmp_path, tag, {member: b""})
    found = [each for each in found_in(path) if (each.check, each.where) == ("module", member)]
    assert (found == []) is fits, found


def test_a_tag_for_one_abi_without_anything_compiled_is_found(tmp_path: Path) -> None:
    path = good(tmp_path, "cp311-cp311-linux_x86_64", {"demo.py": b""})
    (found,) = found_in(path)
    assert "nothing in it is compiled" in found.what


@pytest.mark.needs("gcc", "patchelf")
class TestLibraries:
    def wheel(self, tmp_path: Path, tag: str, member: str, *, rpath: str = "", machine: int = 62) -> Path:
        path = library(tmp_path)
        if rpath:
            run("patchelf", "--set-rpath", rpath, path)
        data = bytearray(path.read_bytes())
        data[18] = machine
        return good(tmp_path, tag, {member: bytes(data)})

    @pytest.mark.parametrize(
        ("member", "rpath"),
        [
            ("demo/lib.so", "$ORIGIN"),
            ("demo/lib.so", "$ORIGIN/../demo.libs"),
            ("demo/lib.so", "${ORIGIN}/lib:$ORIGIN/.."),
            ("demo-1.0.data/platlib/demo/lib.so", "$ORIGIN/../demo.libs"),
        ],
    )
    def test_search_paths_within_site_packages_pass(self, tmp_path: Path, member: str, rpath: str) -> None:
        assert found_in(self.wheel(tmp_path, "py3-none-linux_x86_64", member, rpath=rpath)) == ()

    @pytest.mark.parametrize(
        ("member", "rpath", "what"),
        [
            ("demo/lib.so", "/home/me/build/lib", "/home/me/build/lib, a path of the machine that built it"),
            ("demo/lib.so", "$ORIGIN:/usr/local/cuda/lib64", "/usr/local/cuda/lib64"),
            ("demo/lib.so", "lib", "has lib, a path"),
            ("demo/lib.so", "$ORIGIN::$ORIGIN/lib", "empty entry"),
            ("demo/lib.so", "$ORIGIN/../../..", "leads out of site-packages"),
            ("demo-1.0.data/platlib/demo/lib.so", "$ORIGIN/../../x", "leads out of site-packages"),
        ],
    )
    def test_search_paths_of_the_build_host_are_found(
        self, tmp_path: Path, member: str, rpath: str, what: str
    ) -> None:
        (found,) = found_in(self.wheel(tmp_path, "py3-none-linux_x86_64", member, rpath=rpath))
        assert (found.check, found.where) == ("elf", member)
        assert what in found.what

    @pytest.mark.parametrize(
        ("tag", "machine", "what"),
        [
            (
                "py3-none-manylinux_2_28_aarch64",
                62,
                "compiled for x86_64 64-bit, and the filename says aarch64",
            ),
            (
                "py3-none-manylinux2014_x86_64",
                183,
                "compiled for aarch64 64-bit, and the filename says x86_64",
            ),
            ("py3-none-any", 62, "in a wheel for any platform"),
        ],
    )
    def test_another_machine_than_the_tags_say_is_found(
        self, tmp_path: Path, tag: str, machine: int, what: str
    ) -> None:
        found = found_in(self.wheel(tmp_path, tag, "demo/lib.so", machine=machine))
        assert any(each.check == "elf" and what in each.what for each in found), found

    def test_code_for_a_gpu_may_lie_in_any_wheel(self, tmp_path: Path) -> None:
        assert found_in(self.wheel(tmp_path, "py3-none-any", "demo/kernel.cubin", machine=190)) == ()

    def test_compiled_code_is_not_pure(self, tmp_path: Path) -> None:
        files = files_of(tag="py3-none-linux_x86_64", payload={"lib.so": library(tmp_path).read_bytes()})
        files[f"{INFO}/WHEEL"] = files[f"{INFO}/WHEEL"].replace(b"false", b"true")
        (found,) = found_in(pack(tmp_path / "demo-1.0-py3-none-linux_x86_64.whl", files))
        assert found == Finding(
            check="tags", where=f"{INFO}/WHEEL", what="Root-Is-Purelib: true, and lib.so is compiled code"
        )


def test_gpu_code_that_was_asked_for_and_is_not_there_is_a_finding(tmp_path: Path) -> None:
    data = gpu_library(tmp_path / "lib.so", {".nv_fatbin": container(gpu_entry(ELF, 120))}).read_bytes()
    contents = archive.read(good(tmp_path, "py3-none-linux_x86_64", {"demo/lib.so": data}))
    (code,) = contents.gpu_code
    assert [str(each) for each in code.loadable] == ["sm_120"]
    (found,) = (f for f in check(contents, gpu=("sm_120", "sm_121")).findings if f.check == "gpu")
    assert found.where == "demo/lib.so"
    assert "no sm_121; sm_120 runs there" in found.what
    assert "gpu" not in check(contents).checks


def test_a_wheel_without_gpu_code_fails_where_some_was_asked_for(tmp_path: Path) -> None:
    path = good(tmp_path)
    found = check(archive.read(path), gpu=("sm_121",)).findings
    assert [str(each) for each in found if each.check == "gpu"] == [
        "gpu: demo-1.0-py3-none-any.whl: no sm_121: there is no GPU code at all"
    ]
