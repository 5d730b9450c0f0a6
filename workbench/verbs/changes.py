"""``yank``, ``unyank`` and ``remove``: what is published, taken back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from workbench.verb import Verb
from workbench.verbs.flags import After, ChangeFlags, Json, Published, changing

if TYPE_CHECKING:
    from collections.abc import Sequence


@Verb
def yank(
    *wheels: Published,
    reason: Annotated[str, "shown to all who ask for it"] = "",
    change: ChangeFlags,
    json: Json = False,
) -> None:
    """Yank wheels (PEP 592): installers skip them unless pinned."""
    from workbench.publish import withdraw
    from workbench.verbs.summary import answer_change

    with changing(change) as site:
        answer_change(withdraw.yank(site, _named(wheels), reason=reason, dry_run=change.dry_run), json=json)


@Verb
def unyank(*wheels: Published, change: ChangeFlags, json: Json = False) -> None:
    """Take yanks back."""
    from workbench.publish import withdraw
    from workbench.verbs.summary import answer_change

    with changing(change) as site:
        answer_change(withdraw.unyank(site, _named(wheels), dry_run=change.dry_run), json=json)


@Verb
def remove(*wheels: Published, after: After = 7, change: ChangeFlags, json: Json = False) -> None:
    """Take wheels off the registry and the index, then the store."""
    from workbench.publish import withdraw
    from workbench.verbs.summary import answer_change

    with changing(change) as site:
        done = withdraw.remove(site, _named(wheels), after_days=after, dry_run=change.dry_run)
        answer_change(done, json=json)


def _named(words: Sequence[str]) -> tuple[str, ...]:
    """Return the filenames that words mean, each once: a path's last part, as ``wheels/*.whl`` gives them."""
    from workbench.errors import UsageError

    if not words:
        raise UsageError("name the wheels, by their filenames as they are published")
    return tuple(dict.fromkeys(Path(word).name for word in words))
