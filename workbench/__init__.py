"""The workbench: recipes and patch series in, a verified wheel and an index out.

Data goes one way, and so do the imports: a package of this list may use those above it, never one below
(``tests/test_architecture.py`` holds it to that). ``tasks.py``, the verbs, stands below them all.

==================  ===========================================================================
``recipe``          what to build: source, pins, requirements, smoke test
``patches``         how it is changed: quilt series, applied strictly
``plan``            a recipe crossed with a target: a value, and its build key
``source``          the plan's source, fetched, checked against its pin, patched
``container``       an engine, images, and a wheel built in one of them by cibuildwheel
``toolchain``       what it is compiled with: CUDA toolkits, compilers for another architecture
``build``           a source tree made into a raw wheel
``binary``          what is in a binary: what it needs, and its GPU code by architecture
``repair``          auditwheel: libraries grafted or excluded, the platform tag earned
``verify``          every check that a wheel must pass, and the report of it
``registry``        what is published: ``packages.json``
``index``           the pages drawn from the registry, for installers and for people
``store``           where published files lie: the protocol, and a store for each kind
``publish``         the transaction from verified wheels to store, registry and pages
``commands``        what each verb does: the steps above, joined
==================  ===========================================================================

Beside the flow, and used by all of it: ``errors``, ``process`` (the one place that starts programs), ``troubles``
(what a log tells of a failure), ``environment`` (virtual environments), ``files`` (whole or not there), ``console``
(what a person sees), ``strict`` (data files into values), ``site`` (paths and settings) and ``verb`` (Invoke tasks as
this project's verbs).
"""

from __future__ import annotations

__version__ = "0.1.0"
