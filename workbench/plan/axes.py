"""The axes of a matrix, as a person types them."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

from workbench.flags import flag


@dataclass(frozen=True, slots=True, kw_only=True)
class Axes:
    """The axes of a matrix, each a list ``a,b``, for Pythons also a range ``3.10-3.13``.

    An empty axis is this machine's own: its architecture, the workbench's Python, no GPU, no torch, no variant.
    """

    python: str = flag(
        "3.12, a list 3.10,3.12, or a range 3.10-3.13 (default: the Python that runs the workbench)"
    )
    arch: str = flag("x86_64, aarch64, or both as a list (default: this machine's)")
    compute: str = flag("cpu, cu130, rocm6.4 ..., or a list (default: cpu)")
    torch: str = flag("the torch releases to build against: 2.11, or a list")
    gpu: str = flag(
        "GPU architectures: sm_121 (machine code), compute_120 (PTX), or a list (default: sm_121)"
    )
    variant: str = flag("variants that the recipe offers, or a list (default: the usual build)")
    glibc: str = flag("the oldest glibc that the wheel must run with: 2.28, or a list")

    def over(self, defaults: Axes) -> Axes:
        """Return these axes, and for those that are empty the default ones."""
        given = {each.name: value for each in fields(self) if (value := getattr(self, each.name))}
        return replace(defaults, **given)
