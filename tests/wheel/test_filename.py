from __future__ import annotations

import pytest
from packaging.utils import InvalidWheelFilename

from workbench.wheel.filename import label, parse_wheel


@pytest.mark.parametrize(
    ("filename", "expected"),
    [
        ("demo-1.0-cp312-cp312-linux_x86_64.whl", None),
        ("demo-1.0-1-cp312-cp312-linux_x86_64.whl", None),
        ("demo-1.0-1a-cp312-abi3-linux_x86_64-cu130.whl", "cu130"),
        ("demo-1.0-cp312-cp312-manylinux1_x86_64.manylinux_2_5_x86_64-x86_64_v3.whl", "x86_64_v3"),
        ("demo-1.0-cp312-cp312-linux_x86_64-null.whl", "null"),
        ("demo-1.0-cp312-cp312-linux_x86_64-UPPER.whl", None),
    ],
)
def test_a_label_is_told_from_a_build_tag(filename: str, expected: str | None) -> None:
    assert label(filename) == expected


@pytest.mark.parametrize("end", ["", "-cu130"])
def test_a_wheel_has_the_same_tags_with_a_label_and_without(end: str) -> None:
    found = parse_wheel(f"demo-1.0-3x-cp312-cp312-linux_x86_64{end}.whl", labelled=True)
    assert (found.name, str(found.version), found.build) == ("demo", "1.0", (3, "x"))
    assert {str(tag) for tag in found.tags} == {"cp312-cp312-linux_x86_64"}
    assert found.architectures == {"x86_64"}


@pytest.mark.parametrize(
    "filename",
    [
        "demo-1.0.whl",
        "demo-1.0-cp312-cp312-linux_x86_64-cu130.whl",
        "demo-1.0-cp312-cp312-linux_x86_64-cu130-more.whl",
    ],
)
def test_what_installers_do_not_read_is_refused(filename: str) -> None:
    with pytest.raises(InvalidWheelFilename):
        parse_wheel(filename)
