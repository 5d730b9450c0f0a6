"""Registries of sources: ours, gpkg's, merged; and what is wrong in one, with its file and key."""

from __future__ import annotations

import re
from dataclasses import fields
from typing import TYPE_CHECKING

import pytest

from workbench.consume.host import Host
from workbench.consume.offer import Hints
from workbench.consume.registries import (
    MOST_BYTES,
    _Entry,
    named_registries,
    read_registries,
    read_registry,
    shipped_sources,
)
from workbench.consume.sources import HOLDERS, WheelSource, name_of_files, places, sources_for
from workbench.errors import SettingsError, UsageError
from workbench.paths import CHECKOUT

if TYPE_CHECKING:
    from pathlib import Path

SPARK = Host(compute="cu130", torch="2.11.0")

LAB = """
shipped = false

[[sources]]
name = "lab"
kind = "index"
url = "https://ada:s3cret@wheels.example.com/index/{cuda}/torch{torch_minor}/simple/"
packages = ["Flash_Attn"]
about = "Ours"
compute = "cu130"
packing = "patch"
"""


def one(text: str, where: str = "lab.toml") -> WheelSource:
    ((source,), _) = read_registry(text.encode(), where)
    return source


def urls(source: WheelSource, project: str, host: Host = SPARK, *, everywhere: bool = False) -> list[str]:
    return [place.url for place in places(source, project, host, everywhere=everywhere)]


# ---------------------------------------------------------------- ours


def test_a_source_is_what_its_entry_says_and_its_login_is_apart() -> None:
    source = one(LAB)
    assert source == WheelSource(
        name="lab",
        kind="index",
        url="https://wheels.example.com/index/{cuda}/torch{torch_minor}/simple/",
        packages=("flash-attn",),
        about="Ours",
        hints=Hints(compute="cu130", packing="patch"),
        registry="lab.toml",
        own=True,
        login="ada:s3cret",
    )
    assert "s3cret" not in repr(source)
    assert urls(source, "flash.attn") == [
        "https://wheels.example.com/index/cu130/torch2.11/simple/flash-attn/"
    ]


def test_several_are_merged_and_a_later_source_takes_the_place_of_one_of_its_name(tmp_path: Path) -> None:
    first, second = tmp_path / "a.toml", tmp_path / "b.toml"
    first.write_text('[[sources]]\nname = "x"\nkind = "folder"\nurl = "wheels"\n')
    second.write_text(
        '[[sources]]\nname = "x"\nkind = "links"\nurl = "https://a.example/x.html"\n'
        '[[sources]]\nname = "astral"\nkind = "index"\nurl = "https://mirror.example/simple/"\n'
    )
    merged = {source.name: source for source in read_registries([str(first), str(second)])}
    assert (merged["x"].url, merged["x"].registry) == ("https://a.example/x.html", str(second))
    assert merged["astral"].url == "https://mirror.example/simple/"
    assert {source.name for source in shipped_sources()} < merged.keys()
    assert one(first.read_text(), str(first)).url == (tmp_path / "wheels").as_uri()


def test_the_variable_names_several_and_flags_come_after_it() -> None:
    environ = {"GPUWHEELS_REGISTRY": "a.toml  https://b.example/c.toml"}
    assert named_registries(["d.toml"], environ) == ("a.toml", "https://b.example/c.toml", "d.toml")
    assert named_registries((), {}) == ()


def test_the_shipped_ones_can_be_left_out(tmp_path: Path) -> None:
    (tmp_path / "lab.toml").write_text(LAB)
    assert [source.name for source in read_registries([str(tmp_path / "lab.toml")])] == ["lab"]


def test_a_token_for_all_own_sources_is_for_hosts_that_are_not_shipped(tmp_path: Path) -> None:
    text = (
        '[[sources]]\nname = "lab"\nkind = "index"\nurl = "https://wheels.example.com/simple/"\n'
        '[[sources]]\nname = "theirs"\nkind = "index"\nurl = "https://download.pytorch.org/whl/nightly/"\n'
    )
    (tmp_path / "lab.toml").write_text(text)
    merged = read_registries(
        [str(tmp_path / "lab.toml"), "https://ada:pw@b.example/r.toml"], fetch=lambda _: LAB.encode()
    )
    takes = {source.name: source.takes_token for source in merged}
    assert takes == {"lab": False, "theirs": False}  # the one at the URL has taken lab's place
    merged = read_registries([str(tmp_path / "lab.toml")])
    assert [source.name for source in merged if source.takes_token] == ["lab"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[sources]", "lab.toml: not a TOML file"),
        ("a = " + "[" * 5000, "lab.toml: not a TOML file"),
        ("\xff", "lab.toml: not a TOML file"),
        ("source = []", r"lab.toml: source: unknown key \(did you mean 'sources'\?\)"),
        ("shipped = 1", "lab.toml: shipped: expected true or false"),
        ("sources = 1", r"lab.toml: sources: expected \[\[sources\]\]"),
        ('[[sources]]\nname = "x"', r"lab.toml: sources\[1\].kind: missing"),
        ('[[sources]]\nname = "x"\nkind = "indx"', r"sources\[1\].kind: 'indx' is none of index, github.*'index'"),
        ('[[sources]]\nname = "x"\nkind = "index"\nurls = ""', r"sources\[1\].urls: unknown key.*'url'"),
        ('[[sources]]\nname = "x"\nkind = "index"', r"sources\[1\].url: '' is not an http or https URL"),
        ('[[sources]]\nname = "x"\nkind = "links"\nurl = "ftp://a/"', r"\.url: 'ftp://a/' is not an http"),
        ('[[sources]]\nname = "x"\nkind = "links"\nurl = "http://[a/"', r"\.url: not a URL"),
        ('[[sources]]\nname = "x"\nkind = "links"\nurl = "http://a:b@c:d/"', r"\.url: not a URL: Port"),
        ('[[sources]]\nname = "x"\nkind = "links"\nurl = "http://a/{torsh}"', r"{torsh} is not one of.*'torch'"),
        ('[[sources]]\nname = "x"\nkind = "links"\nurl = "http://a/\\u0000"', r"is not an http or https URL"),
        ('[[sources]]\nname = "x"\nkind = "github"', r"sources\[1\].repository: '' is not OWNER/NAME"),
        ('[[sources]]\nname = "x"\nkind = "github"\nurl = "https://github.com/a/b"', r"\.url: .*repository ="),
        (
            '[[sources]]\nname = "x"\nkind = "github"\nrepository = "a/b"\napi = "file:/x"',
            r"\.api: 'file:/x' is not an http",
        ),
        (
            '[[sources]]\nname = "x"\nkind = "index"\nurl = "https://a/"\nrepository = "a/b"',
            r'\.repository: only sources of kind "github"',
        ),
        ('[[sources]]\nname = "x\\u001b"\nkind = "index"', r"sources\[1\].name: 'x\\x1b'"),
        ('[[sources]]\nname = "x"\nkind = "folder"', r"sources\[1\].url: a folder's path is missing"),
        ('[[sources]]\nname = "x"\nkind = "folder"\nurl = "a"\npackages = ["a b"]', r"\.packages: 'a b' is not"),
        ('[[sources]]\nname = "x"\nkind = "folder"\nurl = "a"\ncudas = ["13.0"]', r"\.cudas: '13.0': written as cu130"),
        ('[[sources]]\nname = "x"\nkind = "folder"\nurl = "a"\ntorches = ["2.11"]', r"\.torches: .*as 2.11.0"),
        ('[[sources]]\nname = "x"\nkind = "folder"\nurl = "a"\n' * 2, "2 sources are named 'x'"),
        ('[[sources]]\ntype = "github"\npackage = "x"', r"sources\[1\].wheel_name: missing"),
        ('[[sources]]\ntype = "github"\npackage = "x"\nwheel_name = "x-"\nrepo = "x"', r"\.repo: 'x' is not"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_file_and_key(text: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        read_registry(text.encode("latin-1"), "lab.toml")


def test_a_registry_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"none\.toml: .*could not be read: No such file"):
        read_registries([str(tmp_path / "none.toml")])
    with pytest.raises(SettingsError, match="could not be read: Is a directory"):
        read_registries([str(tmp_path)])
    with pytest.raises(SettingsError, match="could not be read"):
        read_registries(["a\0b"])
    (tmp_path / "large.toml").write_bytes(b"#" * (MOST_BYTES + 1))
    with pytest.raises(SettingsError, match="more than 1,048,576 bytes"):
        read_registries([str(tmp_path / "large.toml")])


@pytest.mark.parametrize("entry", ['kind = "folder"\nurl = "/etc"', 'kind = "index"\nurl = "file:///etc/"'])
def test_a_registry_at_a_url_names_nothing_of_this_machine(entry: str) -> None:
    text = f'[[sources]]\nname = "x"\n{entry}'.encode()
    with pytest.raises(SettingsError, match=r"https://ex\.org/r\.toml: sources\[1\]\.url"):
        read_registries(["https://ex.org/r.toml"], fetch=lambda _: text)


def test_a_login_in_the_address_of_a_registry_is_not_said() -> None:
    with pytest.raises(SettingsError) as raised:
        read_registries(["https://ada:s3cret@ex.org/r.toml?token=abcdefgh"], fetch=lambda _: b"x")
    assert not {"s3cret", "abcdefgh"} & set(str(raised.value).replace("=", " ").replace("@", " ").split())
    assert "s3cret" not in str(raised.value)
    assert "abcdefgh" not in str(raised.value)


# ---------------------------------------------------------------- gpkg's

GPKG = """
[[sources]]
package      = "flash-attn-3"
description  = "One"
type         = "github"
repo         = "ada/wheels"
wheel_name   = "flash_attn_3-{version}+cu{cuda}torch{torch}{hash}-{pytag}-{platform}.whl"
cuda_style   = "full"
scan_tags    = 8

[[sources]]
package      = "grouped-gemm"
type         = "github"
repo         = "ada/wheels"
wheel_name   = "nv_grouped_gemm-{version}+cu{cuda}torch{torch}cxx11abi{abi}-{pytag}-{platform}.whl"
cuda_style   = "short"
has_abi      = true

[[sources]]
package      = "sageattention"
type         = "find-links"
url_template = "https://pages.example/wheels/cu{cuda}_torch{torch}"
wheel_name   = "sageattention-{version}+cu{cuda}torch{torch}-{pytag}-{platform}.whl"
torch_format = "packed"
torch_compat = ">=2.4"
"""


def test_what_gpkg_reads_is_read() -> None:
    (github, links), shipped = read_registry(GPKG.encode(), "registry.toml")
    assert shipped
    assert (github.name, github.kind) == ("ada/wheels", "github")
    assert github.url == "https://api.github.com/repos/ada/wheels/releases?per_page=100"
    assert github.packages == ("flash-attn-3", "grouped-gemm")
    assert name_of_files(github, "Grouped_Gemm") == "nv-grouped-gemm"
    assert name_of_files(github, "flash-attn-3") == "flash-attn-3"
    assert github.hints == Hints(packing="minor")
    assert (links.name, links.kind, links.hints.packing) == ("pages.example/wheels", "links", "patch")
    assert urls(links, "sageattention") == ["https://pages.example/wheels/cu130_torch2110"]


# ---------------------------------------------------------------- shipped


def test_the_shipped_sources_are_those_that_the_guide_lists() -> None:
    sources = shipped_sources()
    assert {source.kind for source in sources} == {"index", "links", "github"}
    assert not any(source.own or source.takes_token or source.login for source in sources)
    github = {
        source.url.split("/repos/")[1].split("/releases")[0] for source in sources if source.kind == "github"
    }
    assert github >= {
        "mjun0812/flash-attention-prebuild-wheels",
        "Dao-AILab/flash-attention",
        "Dao-AILab/causal-conv1d",
        "state-spaces/mamba",
        "SHI-Labs/NATTEN",
        "fanshiqing/grouped_gemm",
        "woct0rdho/SageAttention",
        "mobcat40/sageattention-blackwell",
    }
    named = {source.name: source for source in sources}
    assert urls(named["pyg"], "torch-scatter") == ["https://data.pyg.org/whl/torch-2.11.0+cu130.html"]
    assert urls(named["windreamer"], "flash-attn-3")[0].endswith("/flash-attention3-wheels/cu130_torch2110/")
    assert urls(named["astral"], "flash-attn")[0] == "https://wheels.astral.sh/simple/cu130/flash-attn/"
    assert urls(named["pytorch"], "torch", Host(compute="cpu")) == [
        "https://download.pytorch.org/whl/cpu/torch/"
    ]
    assert urls(named["jetson-ai-lab-sbsa"], "torch")[0].startswith(
        "https://pypi.jetson-ai-lab.io/sbsa/cu130/"
    )


# ---------------------------------------------------------------- places

FOLDERS = WheelSource(
    name="f",
    kind="links",
    url="https://a.example/{torch}/{cuda}",
    cudas=("cu126", "cu128", "cu130", "cu132"),
    torches=("2.10.0", "2.11.0"),
)


def test_folders_are_those_of_the_hosts_cuda_major_and_its_torch() -> None:
    host = Host(compute="cu130", torch="2.10.1")
    assert urls(FOLDERS, "x", host) == [
        f"https://a.example/{torch}/{cuda}" for cuda in ("cu130", "cu132") for torch in ("2.10.1", "2.10.0")
    ]
    (first, *_) = places(FOLDERS, "x", host)
    assert first.hints == Hints(compute="cu130", torch="2.10")


def test_a_cuda_that_is_named_by_its_major_release_alone_is_every_folder_of_it() -> None:
    found = urls(FOLDERS, "x", Host(compute="cu13", torch="2.11.0"))
    assert [url.rpartition("/")[2] for url in found] == ["cu13", "cu130", "cu132"]


def test_without_torch_folders_are_those_that_the_driver_allows() -> None:
    host = Host(torch="", driver_cuda="12.9")
    assert len(urls(FOLDERS, "x", host)) == 4
    assert all("cu12" in url for url in urls(FOLDERS, "x", host))


def test_everywhere_is_every_folder_that_is_known() -> None:
    assert len(urls(FOLDERS, "x", SPARK, everywhere=True)) == 8


def test_a_fact_that_is_missing_is_named_with_its_flag() -> None:
    source = WheelSource(name="f", kind="links", url="https://a.example/{torch}")
    with pytest.raises(
        UsageError, match="f: its folders are by torch, and none is known: name one with --torch"
    ):
        places(source, "x", Host())
    source = WheelSource(name="f", kind="links", url="https://a.example/{cuda}")
    with pytest.raises(UsageError, match="--cuda"):
        places(source, "x", Host(driver_cuda=""))
    assert urls(source, "x", Host(driver_cuda="13.0")) == ["https://a.example/cu130"]


def test_a_package_that_an_own_source_names_is_not_looked_for_at_others_that_have_any() -> None:
    anybodys = WheelSource(name="any", kind="index", url="https://a.example/")
    named = WheelSource(name="named", kind="index", url="https://b.example/", packages=("kernels",))
    own = WheelSource(name="own", kind="index", url="https://c.example/", packages=("kernels",), own=True)
    own_any = WheelSource(name="own-any", kind="index", url="https://d.example/", own=True)
    assert sources_for("Kernels", [anybodys, named, own, own_any]) == (named, own, own_any)
    assert sources_for("Kernels", [anybodys, named, own_any]) == (anybodys, named, own_any)
    assert sources_for("other", [anybodys, named, own]) == (anybodys,)


# ---------------------------------------------------------------- the guide

GUIDE = (CHECKOUT / "docs" / "consumer.md").read_text()


def test_the_guides_registry_is_one_and_its_keys_are_all_explained() -> None:
    (block,) = re.findall(r"```toml\n(\[\[sources\]\].*?)```", GUIDE, re.DOTALL)
    sources, _ = read_registry(block.encode(), "guide.toml")
    assert [source.kind for source in sources] == ["index", "github", "links", "folder"]
    keys = {
        key
        for row in re.findall(r"^\| (`\w+`(?:, `\w+`)*) \|", GUIDE, re.MULTILINE)
        for key in re.findall(r"\w+", row)
    }
    with pytest.raises(SettingsError, match="unknown key"):
        one('[[sources]]\nname = "x"\nkind = "index"\nunheard_of = ""')
    assert {each.name for each in fields(_Entry)} <= keys


def test_the_guides_channel_of_a_site_is_an_address() -> None:
    (url,) = re.findall(r"`(https://\S*{torch_minor}/simple/)`", GUIDE)
    source = one(f'[[sources]]\nname = "x"\nkind = "index"\nurl = "{url}"')
    assert urls(source, "demo") == ["https://wheels.example.com/index/cu130/torch2.11/simple/demo/"]


def test_the_guide_says_what_braces_mean() -> None:
    said = dict(re.findall(r"`{(\w+)}`(?: is)?\s`?([\w.]+?)`?[,.](?=\s)", GUIDE))
    assert said.keys() == set(HOLDERS)
    for holder, value in said.items():
        source = one(f'[[sources]]\nname = "x"\nkind = "links"\nurl = "https://a.example/{{{holder}}}"')
        assert urls(source, "demo") == [f"https://a.example/{value}"]
