"""Verification: a pass over each wheel, ``twine check`` once for all, then smoke tests of the sound ones."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.events import note, step
from workbench.files import Identity, expect_file
from workbench.text import counted
from workbench.toolchain import runtime
from workbench.verify import archive, cache
from workbench.verify.checks import check
from workbench.verify.pythons import choose, own_cell
from workbench.verify.report import Expectation, Finding, Report
from workbench.verify.smoke import smoke_test
from workbench.verify.twine import check_descriptions
from workbench.wheel import record
from workbench.wheel.metadata import BadMetadata, read_metadata
from workbench.wheel.serves import Audience

if TYPE_CHECKING:
    from workbench.events import Step
    from workbench.paths import Paths
    from workbench.toolchain.emulated import EmulatedPython
    from workbench.verify.report import Check

_MAX_DESCRIPTION = 2 << 20
"""Characters of a description that an index would render; the longest ones have a tenth of it."""
POOL_PAYS = 64 << 20
"""Bytes of wheels from which on more processes are worth their start, a fifth of a second."""


def verify(
    requests: Sequence[Expectation], paths: Paths, *, jobs: int | None = None, reuse: bool = False
) -> tuple[Report, ...]:
    """Verify wheels and return a report for each, in the order of the requests.

    Wheels are read in `jobs` processes; unless said, one for each processor that this process may use. With
    `reuse`, a report that was kept for the same file and the same questions is returned as it is.

    A smoke test runs only for a wheel in which nothing else was found, and with a Python that can run it; otherwise
    ``smoke`` is not among the report's checks. That such a Python should be here and is not is a finding.

    Raises UsageError for a path that is not a file, ToolMissing and CommandFailed when twine does not run.
    """
    for request in requests:
        expect_file(request.path)
    folder = paths.state / "reports"
    reports = {}
    if reuse:
        reports = {request: kept for request in requests if (kept := cache.recall(folder, request))}
    fresh = [request for request in dict.fromkeys(requests) if request not in reports]
    workers = jobs or len(os.sched_getaffinity(0))
    reports |= _smoke_all(_read_all(fresh, workers), workers, paths.cache)
    try:
        for request in fresh:
            cache.keep(folder, request, reports[request])
    except OSError as error:
        # it only saves the next verb a second look
        note(f"· reports are not kept for later: {folder}: {error.strerror}")
    return tuple(reports[request] for request in requests)


def _read_all(requests: Sequence[Expectation], workers: int) -> dict[Expectation, Report]:
    """Pass over every wheel, with ``twine check`` beside it."""
    if not requests:
        return {}
    total = sum(request.path.stat().st_size for request in requests)
    parallel = min(workers, len(requests)) > 1 and total > POOL_PAYS
    title = f"verify {_wheels(requests)}"
    with step(title, total=total) as advance, ThreadPoolExecutor(max_workers=1) as beside:
        described = beside.submit(_describe, requests)
        if parallel:
            reports = _read_in_processes(requests, advance, workers)
        else:
            reports = {request: _read(request, advance) for request in requests}
        findings = described.result()
        for request in requests:
            if (found := findings.get(request.path)) is not None:
                reports[request] = _and(reports[request], "twine", found)
        _close(advance, reports.values())
    for path in (path for path, found in findings.items() if found is None):
        note(
            f"· {path.name}: its description was not checked: rendering it takes too long, or too much memory"
        )
    return reports


def _describe(requests: Sequence[Expectation]) -> dict[Path, tuple[Finding, ...] | None]:
    texts = {request.path: archive.metadata(request.path) for request in requests}
    return check_descriptions({path: text for path, text in texts.items() if text and _is_readable(text)})


def _is_readable(metadata: bytes) -> bool:
    """Say whether twine can be shown METADATA: what is not, our own check has found."""
    try:
        raw, _ = read_metadata(metadata)
    except BadMetadata:
        return False
    return len(raw.get("description", "")) <= _MAX_DESCRIPTION


def _read_in_processes(
    requests: Sequence[Expectation], advance: Callable[[int], None], workers: int
) -> dict[Expectation, Report]:
    # not forked from here: the console's thread may be drawing
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["__main__", __name__])  # imported once, not once a worker
    pool = partial(ProcessPoolExecutor, mp_context=context, initializer=_leave_interrupts_to_parent)
    executor = pool(min(workers, len(requests)))
    with _giving_up(executor):
        # the largest first, or the last one to start would be the one that all wait for
        order = sorted(requests, key=lambda request: request.path.stat().st_size, reverse=True)
        under_way = {executor.submit(_read, request): request for request in order}
        reports = {}
        for future in as_completed(under_way):
            with suppress(BrokenProcessPool):
                report = reports[under_way[future]] = future.result()
                advance(report.size)
    # a process that is killed takes all of its pool with it: what is left is read in one of its own each
    for request in order:
        if request not in reports:
            with pool(1) as alone:
                try:
                    reports[request] = alone.submit(_read, request).result()
                except BrokenProcessPool:
                    reports[request] = _killed(request)
            advance(reports[request].size)
    return reports


def _killed(request: Expectation) -> Report:
    identity = Identity.of(request.path)
    what = "the process that read it was killed, for want of memory perhaps; verify it alone"
    finding = Finding(check="archive", where=request.path.name, what=what)
    return Report(
        path=request.path, identity=identity, size=identity.size, checks=("archive",), findings=(finding,)
    )


def _leave_interrupts_to_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _read(request: Expectation, advance: Callable[[int], None] | None = None) -> Report:
    """Pass over one wheel and check what was found."""
    start = time.monotonic()
    contents = archive.read(request.path, progress=advance)
    some, unknown = request.some_gpu, request.gpu_unknown
    report = check(contents, request.modules, request.gpu, some_gpu=some, gpu_unknown=unknown)
    return replace(report, seconds=time.monotonic() - start)


def _smoke_all(reports: Mapping[Expectation, Report], workers: int, cache: Path) -> dict[Expectation, Report]:
    """Run the smoke tests of wheels in which nothing was found; a damaged wheel is never installed."""
    after = dict(reports)
    due = []
    for request, report in reports.items():
        if not request.smoke or not report.passed:
            continue
        audience = Audience.of(request.path.name, report.requires_python)
        own = own_cell(audience)
        chosen = choose(audience, (*([own] if own else ()), *request.asked), cache=cache)
        for why in chosen.untried if own else ["it is for another system"]:
            note(f"· {request.path.name} is not smoke-tested: {why}")
        if chosen.missing:
            missing = Finding(check="smoke", where="Python", what=chosen.missing)
            after[request] = _and(report, "smoke", (missing,))
        elif chosen.pythons:
            due.append((request, report, chosen.pythons))
    if due:
        with step(f"smoke test {_wheels([request for request, *_ in due])}") as at:
            executor = ThreadPoolExecutor(workers)
            with _giving_up(executor):
                smoked = list(executor.map(_smoke, *zip(*due, strict=True)))
            _close(at, smoked)
        after |= {request: report for (request, *_), report in zip(due, smoked, strict=True)}
    return after


def _smoke(request: Expectation, report: Report, pythons: Mapping[str, Path | EmulatedPython]) -> Report:
    """Try a wheel with one Python after the other, up to the first that finds something."""
    start = time.monotonic()
    imports = [_import_of(module, report) for module in request.modules]
    findings: tuple[Finding, ...] = ()
    for name, python in pythons.items():
        found = smoke_test(request, python=python, imports=imports)
        if found:
            findings = (replace(found, where=f"{found.where} (Python {name})"),)
            break
    return replace(_and(report, "smoke", findings), seconds=report.seconds + time.monotonic() - start)


def _import_of(module: str, report: Report) -> str:
    """Return what an import statement of a module names: before it what its users must have imported already.

    That is so of an extension module, where it is not a package that imports it, but whoever has imported torch.
    """
    start = f"{module.replace('.', '/')}."
    needed = (
        name
        for library in report.libraries
        if (record.installed(library.path) or "").startswith(start)
        for name in library.needed
    )
    return ", ".join((*runtime.import_first(needed), module))


def _and(report: Report, check: Check, findings: tuple[Finding, ...]) -> Report:
    return replace(report, checks=(*report.checks, check), findings=(*report.findings, *findings))


def _close(at: Step, reports: Iterable[Report]) -> None:
    """Let a step end with the count of what was found, if anything was."""
    if findings := sum(len(report.findings) for report in reports):
        at.fail(counted(findings, "finding"))


def _wheels(requests: Sequence[Expectation]) -> str:
    return requests[0].path.name if len(requests) == 1 else f"{len(requests)} wheels"


@contextmanager
def _giving_up(executor: Executor) -> Iterator[None]:
    """Wait for an executor's work, but when something goes wrong only for what has begun."""
    try:
        yield
    except BaseException:
        executor.shutdown(cancel_futures=True)
        raise
    executor.shutdown()
