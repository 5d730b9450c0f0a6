"""A CUDA kernel in a Python extension."""

from __future__ import annotations

from cuda_kernel._saxpy import saxpy

__all__ = ["saxpy"]
