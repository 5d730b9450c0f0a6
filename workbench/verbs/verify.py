"""What ``verify`` prints: the table of checks, and every finding."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench import console
from workbench.make.verification import require_passed
from workbench.verify.report import checks_table, findings_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workbench.verify.report import Report


def report(reports: Sequence[Report], *, json: bool) -> None:
    """Print the table of checks and every finding. Raises VerificationFailed where a wheel did not pass."""
    if json:
        console.answer_json([each.as_dict() for each in reports])
    else:
        console.answer_table(*checks_table(reports))
        for each in reports:
            if each.findings:
                console.answer(f"\n{findings_text(each)}")
    require_passed(reports)
