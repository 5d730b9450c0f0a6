"""The transaction from verified wheels to store, registry and pages, and the way back.

    from workbench.store.opening import open_store
    from workbench.publish.plan import Candidate
    from workbench.publish.transaction import publish

    store = open_store(paths, settings)
    candidate = Candidate.of(report, package, build_key=…, build=…, now=datetime.now(UTC))
    published = publish(paths, settings, store, [candidate], dry_run=False)   # .plan, .generation, .as_dict(), .lines()

    from workbench.publish.changes import remove, unyank, yank
    yank(paths, settings, store, [filename], reason="…")           # a Change: .as_dict(), .lines()

What is written is written in this order: the files of all wheels (wheel, metadata, provenance), their records, the
registry, the pages. Whatever ends the process between two of these, nothing half-published is visible, and publishing
again completes it.

``registry`` changes the registry by compare-and-swap and keeps the rules that all of this rests on; ``files`` says
which files a registered wheel must have; ``pages`` draws. ``transaction`` publishes what ``plan`` decides; ``changes``,
``history`` and ``upkeep`` take back; ``reconcile`` and ``doctor`` look at the whole with ``compare``.
"""

from __future__ import annotations
