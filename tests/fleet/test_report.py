"""The report of a run: one page that needs nothing else, and in which others' text stays text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from workbench.fleet.journal import CellBegan, CellEnded, MemorySeen, Run, RunBegan
from workbench.fleet.report import report_of
from workbench.process import find_program

if TYPE_CHECKING:
    from pathlib import Path

HOSTILE = "<img src=x onerror=\"document.title='hacked'\"><script>document.title='hacked'</script>"


def a_run() -> Run:
    """Return a run in which one cell was built at a second attempt, and one failed with a hostile message."""
    cells = tuple(
        CellEnded(
            run="r",
            time=time,
            cell=f"{package}-1.0-cp312-x86_64-cpu",
            package=package,
            target="cp312 x86_64 cpu",
            key="k",
            state="built" if wheel else "failed",
            wheel=wheel,
            seconds=60.0,
            attempts=2,
            where="spark1",
            peak=2_500_000_000,
            message="" if wheel else HOSTILE,
        )
        for package, time, wheel in (("good", 200.0, "good-1.0-py3-none-any.whl"), ("bad", 300.0, ""))
    )
    began = RunBegan(run="r", time=100.0, host="desk", line="invoke build-all", cells=2)
    attempts = tuple(
        CellBegan(run="r", time=time, cell=cells[which].cell, attempt=number, where="spark1")
        for which, number, time in ((0, 1, 101.0), (1, 1, 102.0), (0, 2, 140.0))
    )
    memory = tuple(
        MemorySeen(run="r", time=100.0 + 10 * each, free=20_000_000_000 - each * 10**9, running=2)
        for each in range(15)
    )
    return Run(began=began, attempts=attempts, cells=cells, memory=memory, ended=310.0)


@pytest.mark.needs("chromium", "chromedriver")
def test_a_browser_shows_it_and_runs_nothing_of_it(tmp_path: Path) -> None:
    from selenium import webdriver
    from selenium.webdriver.common.by import By

    page = tmp_path / "report.html"
    page.write_text(report_of(a_run()), encoding="utf-8")
    options = webdriver.ChromeOptions()
    for each in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1100,900"):
        options.add_argument(each)
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(find_program("chromedriver")))
    try:
        driver.get(page.as_uri())
        assert "1 built, 1 failed" in driver.find_element(By.TAG_NAME, "h1").text
        assert driver.title.startswith("build-all, 1970")
        rows = [each.text for each in driver.find_elements(By.CSS_SELECTOR, "tbody tr")]
        assert HOSTILE in rows[1]
        bars = driver.find_elements(By.TAG_NAME, "rect")
        assert [each.get_attribute("class") for each in bars] == ["again", "failed", "built"]
        assert all(each.size["width"] > 1 for each in bars)
        requests = driver.execute_script("return performance.getEntriesByType('resource').length")
        assert requests == 0
        driver.save_screenshot(str(tmp_path / "report.png"))
    finally:
        driver.quit()
