"""A CUDA kernel in a Python extension."""

from __future__ import annotations

from cuda_cmake._total import total

__all__ = ["total"]
