"""The index: pages drawn from the registry, for installers and for people.

    from workbench.index.tree import write
    drawn = write(paths.registry, paths.index, settings)        # Drawn(written=…, unchanged=…, removed=…)

    from workbench.index.serve import Server
    with Server(root, port=8000) as server:                        # root: the store's root, which holds index/
        print(server.url)                                          # http://127.0.0.1:8000/
        server.serve_forever()

    from workbench.simple.check import check_index
    report = check_index("http://127.0.0.1:8000/index/simple/")    # or the path of a simple/ folder

A store that is not a folder stores what `draw.draw` yields: each `Page` under its path (and, where it serves no index
documents, a page ``…/index.html`` under ``…/`` as well) with its type, in order, and deletes each `Gone`. The last
page is the state, ``.drawn.json``, from which the next drawing continues (`draw.read_state`).
"""

from __future__ import annotations
