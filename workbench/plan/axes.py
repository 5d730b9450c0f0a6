"""The axes of a matrix, as a person types them, and what their words mean for a recipe. Pure."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

from workbench.arch import PLATFORMS
from workbench.flags import flag


@dataclass(frozen=True, slots=True, kw_only=True)
class Axes:
    """The axes of a matrix: each a list ``a,b``, a range ``a-b`` where there is an order, or ``all``.

    `gpu` is only a list, and one wheel has code for all of it: no recipe knows for which GPUs its source compiles.
    An empty axis is the newest version, and this machine's own: its architecture, the workbench's Python, no GPU, no
    torch, no variant.
    """

    version: str = flag("the recipe's versions: 1.2, a list, a range 1.0-1.2, or all (default: the newest)")
    python: str = flag(
        "3.12, a list 3.10,3.12, a range 3.10-3.13, or all (default: the Python that runs the workbench)"
    )
    arch: str = flag(
        "x86_64, aarch64, both as a list, or all (default: this machine's)", also="platform", words=PLATFORMS
    )
    compute: str = flag("cpu, cu130, rocm6.4 ..., a list, a range cu130-cu132, or all (default: cpu)")
    torch: str = flag("the torch releases to build against: 2.11, a list, a range 2.9-2.11, or all")
    gpu: str = flag(
        "GPU architectures: sm_121 (machine code), compute_120 (PTX), or a list (default: sm_121)"
    )
    variant: str = flag("variants that the recipe offers, a list, or all (default: the usual build)")
    glibc: str = flag("the oldest glibc that the wheel must run with: 2.28, a list, or a range 2.28-2.34")

    def over(self, defaults: Axes) -> Axes:
        """Return these axes, and for those that are empty the default ones."""
        given = {each.name: value for each in fields(self) if (value := getattr(self, each.name))}
        return replace(defaults, **given)
