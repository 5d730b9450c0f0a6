"""``test``: the checks of this checkout."""

from __future__ import annotations

from typing import Annotated

from workbench.verb import Verb


@Verb
def test(*sessions: Annotated[str, "nox sessions (default: lint, typing, tests)"]) -> int:
    """Run the checks: nox."""
    from workbench.errors import UsageError
    from workbench.paths import CHECKOUT, SHIPPED
    from workbench.process import attached

    if SHIPPED != CHECKOUT:
        raise UsageError("test needs a checkout of the workbench: its tests are not installed")
    chosen = [word for session in sessions for word in ("--session", session)]
    return attached(["nox", "--noxfile", CHECKOUT / "noxfile.py", *chosen])
