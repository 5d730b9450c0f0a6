"""What tests of a recipe's life share: the small package of the verbs' tests."""

from __future__ import annotations

from tests.verbs.conftest import demo

__all__ = ["demo"]
