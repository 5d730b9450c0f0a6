"""What ``upload`` prints: what was published, or would be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench import console
from workbench.verbs.summary import published_facts

if TYPE_CHECKING:
    from workbench.publish.transaction import Published
    from workbench.settings import Settings


def report(published: Published, settings: Settings, *, json: bool) -> None:
    """Print what was published, or would be; at the end a summary of each wheel."""
    if json:
        console.answer_json(published.as_dict())
        return
    for line in published.lines():
        console.answer(line)
    if published.drawn is None:
        return
    for planned in published.plan.wheels:
        already = " already" if planned.registered else ""
        facts = published_facts(planned.wheel, settings)
        console.answer_summary(f"published{already}: {planned.wheel.filename}", facts)
