"""The workbench: recipes and patch series in, a verified wheel and an index out.

Data goes one way, and so do the imports: a package of this list may use those above it, never one below
(``tests/test_architecture.py`` enforces this). ``tasks.py`` stands below them all.

===============  ==============================================================================
what to build
``recipe``       the recipe as a value: sources, requirements, conditions, smoke test
``patches``      quilt series and DEP-3 headers: read, applied strictly, written
``plan``         recipe × target is a draft; a draft and who builds it is a plan, with a build key

a file
``wheel``        everything about a wheel as a file: name, whom it serves, zip, RECORD, ELF, GPU code
``simple``       everything about indexes of others: fetch, parse, judge

making
``memory``       what a build may take of this machine: what is free, what it took before, who else builds
``source``       the plan's source, fetched, checked against its pin, patched
``container``    engines and images, and a wheel built in one of them by cibuildwheel
``toolchain``    CUDA toolkits, cross compilers, Pythons of other architectures
``builders``     host, cross, container: a source tree becomes a raw wheel
``evidence``     how a wheel was made: the record beside it, bill of materials, statement, signatures, verdict
``repair``       auditwheel and the CUDA policy: the platform tag is earned
``verify``       every check that a wheel must pass, and the report
``make``         a request becomes verified wheels
``maintain``     the life of a recipe: created from a source, its patches worked on, moved to new versions

publishing
``registry``     what is published: ``packages.json``
``store``        where a site's files lie: the protocol, and a store for each kind
``index``        pages drawn from the registry, for installers and for people
``publish``      the transaction from verified wheels to store, registry and pages
``outlets``      places that take a wheel and are not ours: GitHub releases, package indexes
``care``         a store's health: doctor, reconcile, prune
``pipeline``     ``release`` as one list of steps: make, publish, prove by pip and uv

many
``fleet``        many builds: objects kept, memory admitted, a journal, many machines
``ci``           workflows as text, from a site's settings

using
``consume``      which wheel fits a machine, why, and how it gets there (it uses wheel, simple and plan alone)

words
``verbs``        one module for each group of commands: parse, call one function, print
``program``      the programs ``gpuwheels`` and ``workbench``
===============  ==============================================================================

Beside the flow, and used by all of it: ``errors``, ``process`` (the one place that starts programs; ``supervise`` is
what it starts builds under), ``cgroup`` and ``build_group`` (control groups: read, and one made for each build),
``http`` (the one door to the network), ``certificates`` (whose are trusted), ``troubles`` and ``first_error`` (what a
log tells of a failure), ``environment`` (virtual environments), ``files`` (whole or not there), ``events`` (progress,
told to a listener), ``console`` (what a person sees), ``endings`` (what a program says last), ``garbage`` (when it is
not collected), ``text`` (amounts in words, others' text without escapes), ``url`` (logins and secrets hidden), ``arch``
(what architectures are called), ``strict`` (data files into values), ``settings`` and ``paths`` (of a site), ``flags``
(declared once) and ``verb`` (Invoke tasks as this project's verbs).
"""

from __future__ import annotations

__version__ = "0.1.0"
