"""The index: pages drawn from the registry, for installers and for people.

A store that is not a folder stores what `draw.draw` yields: each `Page` under its path (and, where it serves no index
documents, a page ``…/index.html`` under ``…/`` as well) with its type, in order, and deletes each `Gone`. The last
page is the state, ``.drawn.json``, from which the next drawing continues (`draw.read_state`).
"""
