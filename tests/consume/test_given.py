"""Facts that are given in place of those that were found."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from tests.consume import hosts
from workbench.consume.given import from_json, given, to_json
from workbench.consume.host import Gpu, Host
from workbench.errors import UsageError

SPARK = replace(
    hosts.SPARK,
    interpreter="/home/me/project/.venv/bin/python",
    cpus=20,
    memory=128 << 30,
    origins={"torch": "torch-2.11.0.dist-info", "gpus": "libcuda", "compute": "version.py", "glibc": "x"},
)


@pytest.mark.parametrize(
    ("facts", "changed"),
    [
        ({"torch": "2.11"}, {"torch": "2.11"}),
        ({"torch": "2.10"}, {"torch": "2.10", "compute": None}),
        ({"torch": "2.6"}, {"torch": "2.6", "compute": None, "cxx11_abi": None}),
        ({"torch": "2.9.1+cu128"}, {"torch": "2.9.1", "torch_local": "cu128", "compute": "cu128"}),
        ({"torch": "2.9.1+cpu"}, {"torch": "2.9.1", "torch_local": "cpu", "compute": "cpu"}),
        ({"torch": "none"}, {"torch": "", "compute": None, "cxx11_abi": None}),
        ({"torch": "2.10", "cuda": "12.8"}, {"torch": "2.10", "compute": "cu128"}),
        ({"cuda": "13.2"}, {"compute": "cu132"}),
        ({"cuda": "cu126"}, {"compute": "cu126"}),
        ({"cuda": "13"}, {"compute": "cu13"}),
        ({"cuda": "130"}, {"compute": "cu130"}),
        ({"cuda": "rocm6.4"}, {"compute": "rocm6.4"}),
        ({"cuda": "cpu"}, {"compute": "cpu"}),
        ({"driver": "550.54.14"}, {"driver": "550.54.14", "driver_cuda": "12.4"}),
        ({"driver": "580"}, {"driver": "580", "driver_cuda": "13.0"}),
        ({"driver": "999"}, {"driver": "999", "driver_cuda": None}),
        ({"driver": "none"}, {"driver": "", "driver_cuda": "", "gpus": ()}),
        ({"gpu": "9.0"}, {"gpus": (Gpu(name="a GPU", capability="9.0"),)}),
        ({"gpu": "sm_89"}, {"gpus": (Gpu(name="a GPU", capability="8.9"),)}),
        ({"gpu": "121"}, {"gpus": (Gpu(name="a GPU", capability="12.1"),)}),
        ({"gpu": "none"}, {"gpus": ()}),
        ({"glibc": "2.28"}, {"glibc": "2.28"}),
        ({"python": "3.13t"}, {"python": "3.13t", "interpreter": None}),
        ({"arch": "arm64"}, {"arch": "aarch64"}),
        ({"arch": "linux/arm64"}, {"arch": "aarch64"}),
        (
            {"arch": "x86_64", "glibc": "2.35"},
            {
                "arch": "x86_64",
                "glibc": "2.35",
                **dict.fromkeys(
                    ("driver", "driver_cuda", "gpus", "cpus", "memory", "interpreter", "compute")
                ),
            },
        ),
    ],
)
def test_what_is_given_counts_and_what_hung_on_it_is_not_known(
    facts: dict[str, str], changed: dict[str, object]
) -> None:
    found = given(SPARK, **facts)
    assert replace(found, origins={}) == replace(SPARK, **changed, origins={})  # type: ignore[arg-type]
    assert all(found.origins.get(name) == "given" for name, value in changed.items() if value is not None)
    assert not {name for name, value in changed.items() if value is None} & found.origins.keys()


@pytest.mark.parametrize(
    "facts",
    [
        {"torch": "two"},
        {"torch": "2"},
        {"torch": "2.11+cu13x"},
        {"cuda": "13.0.1"},
        {"cuda": "thirteen"},
        {"cuda": "٣٠"},
        {"driver": "13.0"},
        {"driver": "newest"},
        {"gpu": "GB10"},
        {"gpu": "12"},
        {"gpu": "0.0"},
        {"gpu": "12.1,"},
        {"glibc": "2"},
        {"glibc": "3.1"},
        {"arch": "sparc"},
        {"python": "3"},
        {"python": "2.7"},
        {"python": "3.13tt"},
    ],
)
def test_what_makes_no_sense_is_one_clear_error(facts: dict[str, str]) -> None:
    ((name, value),) = facts.items()
    with pytest.raises(UsageError, match=re.escape(f"--{name} {value}: ")) as caught:
        given(SPARK, **facts)
    assert len(str(caught.value).splitlines()) == 1


def test_a_host_goes_through_json() -> None:
    for host in (SPARK, Host(), given(SPARK, driver="none"), given(SPARK, torch="none")):
        assert from_json(to_json(host), "spark.json") == host


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "spark.json: not JSON"),
        ("{", "spark.json: not JSON"),
        ("[" * 100_000, "spark.json: not JSON"),
        ("[]", "spark.json: expected a mapping"),
        ('{"pyton": "3.12"}', "did you mean 'python'"),
        ('{"python": 3.12}', "spark.json.python: expected a string"),
        ('{"gpus": [{"name": "GB10"}]}', r"spark.json.gpus\[0\].capability: missing"),
        ('{"gpus": [{"name": "GB10", "capability": "big"}]}', r"spark.json.gpus\[0\].capability: 'big'"),
        ('{"python": "3.12; rm"}', "spark.json.python: '3.12; rm'"),
        ('{"compute": "cu13x"}', "spark.json.compute"),
        ('{"driver": "0xff"}', "spark.json.driver"),
        ('{"torch": "2.11.0+cu130x"}', "spark.json.torch"),
        ('{"glibc": "2.39\\n"}', "spark.json.glibc"),
    ],
)
def test_a_bad_machine_file_is_one_error_with_the_key(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        from_json(text, "spark.json")
    assert "gw detect --json" in str(caught.value)
