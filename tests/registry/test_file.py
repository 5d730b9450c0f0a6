from __future__ import annotations

import dataclasses
import io
import json
from pathlib import Path

import jsonschema
import pytest

from workbench.errors import RegistryError
from workbench.evidence.facts import BuildFacts, PatchApplied
from workbench.registry import model
from workbench.registry.file import dumps, encode, filename_fault, load, loads, parse_json, projects
from workbench.registry.model import Package, PublishedWheel, Registry, Removal, Unavailable
from workbench.wheel.library_facts import FileCode, LibraryFacts

SCHEMA = json.loads(Path(model.__file__).with_name("schema.json").read_text())

WHEEL = PublishedWheel(
    filename="demo-1.0-cp311-cp311-manylinux_2_34_aarch64.whl",
    url="files/demo/demo-1.0-cp311-cp311-manylinux_2_34_aarch64.whl",
    python_version="3.11",
    platform="manylinux_2_34_aarch64",
    upload_date="2026-11-21",
    sha256="a" * 64,
    size=12,
    upload_time="2026-11-21T10:00:00Z",
    requires_python=">=3.10",
    metadata_sha256="b" * 64,
    yanked="",
    gpu_architectures=("sm_121",),
    libraries=LibraryFacts(
        processors=("aarch64",),
        gpu_code=(FileCode(path="demo/_c.so", architectures=("sm_121",)),),
        toolkit="13.0",
        compute="cu130",
    ),
    build_key="c" * 64,
    provenance="https://example.com/demo.json",
    build=BuildFacts(
        source="demo==1.0",
        pin="d" * 64,
        ref="v1",
        patches=(PatchApplied(name="a.patch", sha256="e" * 64, description="A"),),
        compute="cu130",
        torch="2.11.0",
        glibc="2.34",
        seconds=90,
    ),
)
GONE = Removal(
    project="demo",
    filename="demo-0.9-py3-none-any.whl",
    sha256="f" * 64,
    removed="2026-11-21T10:00:00Z",
    delete_after="2026-11-28T10:00:00Z",
    state="deleting",
)
FULL = Registry(
    generation=3,
    updated="2026-11-21T10:00:00Z",
    change="publish demo-1.0",
    removed=(GONE,),
    packages={
        "demo": Package(
            source_repo="https://example.com/demo",
            source_branch="main",
            upstream="https://example.com/up",
            description="A demonstration",
            license="MIT",
            status="deprecated",
            status_reason="use other",
            unavailable=(Unavailable(python="3.13", reason="upstream stops at 3.12"),),
            wheels=(WHEEL,),
        ),
        "bare": Package(source_repo="pypi:bare"),
    },
)


@pytest.mark.parametrize(
    "registry", [Registry(), Registry(removed=(GONE,)), FULL], ids=["empty", "emptied", "full"]
)
def test_what_is_written_is_read_again_and_keeps_the_schema(registry: Registry) -> None:
    text = dumps(registry)
    assert loads(text, where="x") == dataclasses.replace(
        registry, packages=dict(sorted(registry.packages.items()))
    )
    assert dumps(loads(text, where="x")) == text
    jsonschema.validate(json.loads(text), SCHEMA, cls=jsonschema.Draft202012Validator)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (Package, "package"),
        (Unavailable, "unavailable"),
        (PublishedWheel, "wheel"),
        (BuildFacts, "build"),
        (PatchApplied, "patch"),
        (Removal, "removal"),
    ],
)
def test_the_schema_knows_every_key(kind: type, name: str) -> None:
    definition = SCHEMA["$defs"][name]
    fields = dataclasses.fields(kind)
    assert set(definition["properties"]) == {field.name for field in fields}
    assert set(definition["required"]) == {
        field.name
        for field in fields
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    }


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.update(schema=9), "schema 9, and this version reads 2"),
        (lambda d: d.pop("schema"), "invoke store.import"),
        (
            lambda d: d["packages"]["demo"].update(licence="MIT"),
            "packages.demo.licence: unknown key (did you mean 'license'?)",
        ),
        (
            lambda d: d["packages"]["demo"]["wheels"][0].update(size="12"),
            "packages.demo.wheels[0].size: expected a whole number",
        ),
        (
            lambda d: d["packages"]["demo"]["wheels"].append(d["packages"]["demo"]["wheels"][0]),
            f"filename: '{WHEEL.filename}' is there twice",
        ),
        (
            lambda d: d["packages"]["demo"]["wheels"][0].pop("sha256"),
            "packages.demo.wheels[0].sha256: missing",
        ),
        (
            lambda d: d["packages"]["demo"]["wheels"][0].update(filename="not a wheel"),
            "packages.demo.wheels[0].filename: 'not a wheel' has characters that no index may offer",
        ),
        (
            lambda d: d["packages"]["demo"]["wheels"][0].update(filename="demo-1.x-py3-none-any.whl"),
            "packages.demo.wheels[0].filename: Invalid wheel filename (invalid version)",
        ),
        (
            lambda d: d["packages"].update({"De_mo": d["packages"].pop("demo")}),
            "packages.De_mo: not a normalised project name",
        ),
    ],
)
def test_a_registry_of_another_shape_is_refused_by_key(change, message: str) -> None:  # type: ignore[no-untyped-def] # noqa: ANN001
    data = json.loads(dumps(FULL))
    change(data)
    with pytest.raises(RegistryError) as caught:
        loads(json.dumps(data), where="packages.json")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "filename",
    [
        "demo-1.0-py3-none-any.whl",
        "flash_attn-2.8.3.post2+cu130torch2.11.hdim128-1-cp311-abi3-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
        "zope.interface-1!1.0rc1.dev2-py2.py3-none-any.whl",
        "Demo-v1.0-py3-none-any.whl",  # no normal form, and packaging reads it
        "demo-1.0-cp311-cp311-linux_x86_64-cu130.whl",  # a variant (PEP 825's draft)
    ],
)
def test_a_filename_that_an_index_can_offer(filename: str) -> None:
    assert filename_fault(filename) is None


@pytest.mark.parametrize(
    "filename",
    [
        "demo.whl",
        "demo-1.0-py3-none-any.zip",
        "demo__x-1.0-py3-none-any.whl",
        "demo-1.0-py3-none-any.whl\n",
        "demo-1..0-py3-none-any.whl",
        "demo-1.0-py3-none-.whl",
        "demo-1.0-3-none-any.whl",
        "a/../demo-1.0-py3-none-any.whl",
        "dém-1.0-py3-none-any.whl",
    ],
)
def test_a_filename_that_no_index_can_offer(filename: str) -> None:
    assert filename_fault(filename) is not None


def test_what_could_not_be_read_again_is_not_written() -> None:
    for wheel in (dataclasses.replace(WHEEL, filename="x.whl"), dataclasses.replace(WHEEL, yanked="\udcff")):
        with pytest.raises(RegistryError, match=r"store/packages\.json"):
            encode(FULL.with_wheel("demo", wheel), before=FULL, where="store/packages.json")
    assert encode(FULL, before=Registry(), where="x").decode() == dumps(FULL)


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "packages.json"
    path.write_text(dumps(FULL)[:-20])
    with pytest.raises(RegistryError, match="not JSON"):
        load(path)


def test_no_file_is_an_empty_registry(tmp_path: Path) -> None:
    assert load(tmp_path / "packages.json") == Registry()


def test_each_wheel_has_a_line_of_its_own() -> None:
    lines = dumps(FULL).splitlines()
    assert [line for line in lines if line.startswith('    "')] == ['    "bare": {', '    "demo": {']
    assert sum(WHEEL.filename in line for line in lines) == 1


@pytest.mark.parametrize(
    "registry", [Registry(), Registry(removed=(GONE,)), FULL], ids=["empty", "emptied", "full"]
)
@pytest.mark.parametrize("indent", [None, 1, 2, 4], ids=str)
def test_projects_are_told_apart_in_every_layout(registry: Registry, indent: int | None) -> None:
    data = json.loads(dumps(registry))
    ours = list(projects(io.BytesIO(dumps(registry).encode()), where="x"))
    theirs = list(projects(io.BytesIO(json.dumps(data, indent=indent).encode()), where="x"))
    for found in (ours, theirs):
        assert {name: json.loads(text) for name, text in found} == data["packages"]


def test_a_layout_that_a_hand_changed_is_read_as_every_document_is() -> None:
    written = dumps(FULL)
    edited = written.replace('    "demo": {\n', '    "demo":\n    {\n')
    assert edited != written
    found = dict(projects(io.BytesIO(edited.encode()), where="x"))
    assert {name: json.loads(text) for name, text in found.items()} == json.loads(written)["packages"]


LINES = dumps(FULL).encode().splitlines(keepends=True)
CLOSING = LINES.index(b"    },\n")


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (b"".join(LINES[:CLOSING] + LINES[CLOSING + 1 :]), "not JSON"),
        (b"".join(LINES[:CLOSING]), "not JSON"),
        (b"".join(LINES[:-1]), "not JSON"),
        (dumps(FULL).replace("    }\n  },", "    },\n  },").encode(), "not JSON"),
        (dumps(FULL).replace("    },\n", "    }\n", 1).encode(), "not JSON"),
        (dumps(FULL).replace('"deleting"}', '"deleting"},').encode(), "not JSON"),
        (dumps(FULL).replace('"deleting"}', '"deletin"}').encode(), "is none of"),
        (dumps(FULL).replace('"bare"', '"demo"').encode(), "the key 'demo' is there twice"),
        (b"".join([*LINES[:CLOSING], *LINES[CLOSING:].copy() * 2]), "not JSON"),
        (b'{"schema": 2, "generation": 1, "packages": ' + b'{"a": ' * 20_000, "nested too deeply"),
        (b"[" * 20_000, "nested too deeply"),
        (b'{"schema": 2, "packages": {"a": [%s{}]}}' % (b"{}," * 20_000), "hardly more than brackets"),
        (b'{"schema": 2, "schema": 2, "generation": 1, "packages": {}}', "the key 'schema' is there twice"),
        (
            b'{"schema": 2, "generation": 1, "packages": {"a": {"a" : 1, "\\u0061": 2}}}',
            "the key 'a' is there",
        ),
    ],
    ids=str,
)
def test_what_is_no_registry_is_refused_alike_by_who_reads_all_and_who_reads_projects(
    document: bytes, message: str
) -> None:
    for read in (lambda: loads(document, where="x"), lambda: list(projects(io.BytesIO(document), where="x"))):
        with pytest.raises(RegistryError) as caught:
            read()
        assert message in str(caught.value)
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 300


@pytest.mark.parametrize("twice", ["description", "wheels"])
def test_a_key_that_is_twice_in_a_project_is_refused(twice: str) -> None:
    document = dumps(FULL).replace(f'"{twice}"', f'"description": "Another", "{twice}"', 1)
    with pytest.raises(RegistryError, match="the key 'description' is there twice"):
        loads(document, where="x")
    (text,) = (text for name, text in projects(io.BytesIO(document.encode()), where="x") if name == "demo")
    with pytest.raises(RegistryError, match="the key 'description' is there twice"):
        parse_json(text, where="packages.demo")


@pytest.mark.parametrize(
    "text",
    [
        '{"a": "\\":", "b": "\\u0022:"}',
        '{"a" : {"a" :1}, "b"\t:2}',
        '{"a": "x\\ud800", "b": 1e400, "c": 123456789012345678901234567890}',
        '{"a": [{"b": 1}, {"b": 1}], "b": ""}',
    ],
)
def test_keys_that_are_there_once_are_no_fault(text: str) -> None:
    assert parse_json(text, where="x") == json.loads(text)
