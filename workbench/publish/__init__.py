"""The transaction from verified wheels to store, registry and pages, and the way back.

    from workbench.publish.publication import Candidate
    from workbench.publish.transaction import publish
    from workbench.publish.withdraw import remove, unyank, yank
    from workbench.store.opening import open_store

    store = open_store(paths, settings)
    candidate = Candidate.of(report, package, build_key=…, build=…, now=datetime.now(UTC))
    publish(paths, settings, store, [candidate], dry_run=False)
    yank(paths, settings, store, [filename], reason="…")

What is written is written in this order: the files of all wheels (wheel, metadata, provenance), their records, the
registry, the pages. Whatever ends the process between two of these, nothing half-published is visible, and publishing
again completes it. ``amend`` changes the registry by compare-and-swap and keeps the rules that all of this rests on.
"""

from __future__ import annotations
