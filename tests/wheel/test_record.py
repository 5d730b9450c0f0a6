from __future__ import annotations

import pytest

from workbench.wheel.record import modules


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        (["demo/__init__.py", "demo/sub/__init__.py", "demo-1.0.dist-info/RECORD"], ("demo",)),
        (["demo/__init__.py", "demo_cuda.cpython-311-x86_64-linux-gnu.so"], ("demo",)),
        (["demo.cpython-311-x86_64-linux-gnu.so", "demo.libs/libgomp-1.so.1"], ("demo",)),
        (["demo/__init__.cpython-311-x86_64-linux-gnu.so"], ("demo",)),
        (["google/demo/__init__.py", "google/demo/api.py"], ("google.demo",)),
        (["six.py", "../../bin/six", "__pycache__/six.cpython-311.pyc"], ("six",)),
        (["b/__init__.py", "a.py", "not-a-module.py"], ("a", "b")),
        (["demo-1.0.dist-info/RECORD"], ()),
    ],
)
def test_what_a_wheel_is_imported_as(paths: list[str], expected: tuple[str, ...]) -> None:
    assert modules(paths) == expected
