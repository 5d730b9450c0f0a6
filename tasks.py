"""The map of the program: every command, by subject. ``workbench/__init__.py`` lists the steps that they call."""

from __future__ import annotations

import sys

sys.dont_write_bytecode = bool(sys.flags.dont_write_bytecode)
"""Invoke forbids Python to keep what it compiles: each command would compile the whole program anew."""

from workbench.garbage import spare_the_collector

spare_the_collector()

from workbench.verb import Group, gathered
from workbench.verbs import (
    ci,
    evidence,
    fleet,
    importing,
    index,
    many,
    patch,
    publish,
    readme,
    recipes,
    reproduce,
    store,
    toolchain,
    upkeep,
    wheels,
)

namespace = gathered(
    Group(
        title="Packages",
        commands=(
            recipes.add_package,
            importing.import_packages,
            recipes.list_,
            recipes.show,
            recipes.source,
            upkeep.bump,
            upkeep.outdated,
        ),
    ),
    Group(
        title="Patches",
        under="patch",
        commands=(
            patch.new,
            patch.edit,
            patch.save,
            patch.list_,
            patch.show,
            patch.drop,
            patch.move,
            patch.import_,
        ),
    ),
    Group(
        title="Wheels",
        commands=(
            wheels.matrix,
            wheels.build,
            many.build_all,
            wheels.repair,
            wheels.verify,
            wheels.inspect,
            readme.update_readme,
        ),
    ),
    Group(title="Many builds", under="fleet", commands=(fleet.up, fleet.down, fleet.builds, fleet.cache)),
    Group(
        title="What wheels are compiled with",
        under="toolchain",
        commands=(toolchain.get, toolchain.image),
        default=toolchain.get,
    ),
    Group(
        title="Publishing",
        commands=(publish.release, publish.upload, publish.yank, publish.unyank, publish.remove),
    ),
    Group(
        title="The store",
        under="store",
        commands=(
            store.history,
            store.rollback,
            store.prune,
            store.reconcile,
            store.clean,
            store.setup,
            store.import_,
        ),
    ),
    Group(
        title="How wheels were made, and who signs that",
        under="evidence",
        commands=(
            evidence.show,
            reproduce.reproduce,
            evidence.sign,
            evidence.sign_index,
            evidence.new_key,
            evidence.keys,
        ),
    ),
    Group(title="Continuous integration", under="ci", commands=(ci.write, ci.check)),
    Group(title="The index", commands=(index.index, index.serve, index.check_index)),
    Group(title="The workbench", commands=(store.doctor, store.test)),
    renamed={
        "history": "store.history",
        "rollback": "store.rollback",
        "prune": "store.prune",
        "reconcile": "store.reconcile",
        "store-clean": "store.clean",
        "store-setup": "store.setup",
        "import-registry": "store.import",
        "image": "toolchain.image",
    },
)
