"""The transaction from verified wheels to store, registry and pages, and the way back.

What is written is written in this order: the files of all wheels (wheel, metadata, provenance), their records, the
registry, the pages. Whatever ends the process between two of these, nothing half-published is visible, and publishing
again completes it. ``amend`` changes the registry by compare-and-swap and keeps the rules that all of this rests on.
"""
