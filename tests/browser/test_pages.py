"""The pages for people in a real browser: searching, choosing, copying, with and without script, eyes or a mouse."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest

if TYPE_CHECKING:
    from tests.browser.conftest import Browser

pytestmark = pytest.mark.needs("chromium", "chromedriver")

PROJECTS = "#projects > li"
WHEELS = "li.wheel"


def choose(browser: Browser, **values: str) -> None:
    """Set the fields of the form as a person does."""
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.select import Select

    for name, value in values.items():
        field = browser.driver.find_element(By.NAME, name)
        if field.tag_name == "select":
            Select(field).select_by_visible_text(value)
        else:
            field.clear()
            field.send_keys(value)


def query(browser: Browser) -> dict[str, list[str]]:
    return parse_qs(urlsplit(browser.driver.current_url).query)


def test_searching_narrows_the_list_and_is_remembered_in_the_address(browser: Browser) -> None:
    browser.open()
    assert browser.shown(PROJECTS) == ["causal-conv1d", "empty", "hnswlib", "pure", "stable"]
    choose(browser, q="Convolution cuda")
    assert browser.shown(PROJECTS) == ["causal-conv1d"]
    assert query(browser) == {"q": ["Convolution cuda"]}
    browser.driver.refresh()
    assert browser.shown(PROJECTS) == ["causal-conv1d"]
    assert browser.run("return document.querySelector('#count').textContent") == "1 of 5 projects"


def test_clearing_shows_everything_again(browser: Browser) -> None:
    from selenium.webdriver.common.by import By

    browser.open("?q=conv&python=3.12")
    browser.driver.find_element(By.CSS_SELECTOR, "button[type=reset]").click()
    browser.run("await new Promise((done) => setTimeout(done))")
    assert len(browser.shown(PROJECTS)) == 5
    assert query(browser) == {}


@pytest.mark.parametrize(
    ("chosen", "shown"),
    [
        ({"python": "3.10"}, ["causal-conv1d", "hnswlib", "pure", "stable"]),
        ({"python": "3.10", "platform": "Linux aarch64"}, ["pure"]),
        ({"python": "3.11", "platform": "Linux aarch64"}, ["hnswlib", "pure"]),
        ({"compute": "CUDA 13.0", "torch": "2.11"}, ["causal-conv1d", "hnswlib", "pure", "stable"]),
        ({"python": "3.12", "platform": "Linux aarch64", "q": "cuda"}, ["causal-conv1d"]),
    ],
)
def test_choosing_shows_what_one_wheel_can_serve(
    browser: Browser, chosen: dict[str, str], shown: list[str]
) -> None:
    """hnswlib has 3.10 for x86_64 and 3.11 for aarch64, so nothing for 3.10 on aarch64."""
    browser.open()
    choose(browser, **chosen)
    assert browser.shown(PROJECTS) == shown


def test_a_choice_goes_along_to_the_project(browser: Browser) -> None:
    from selenium.webdriver.common.by import By

    browser.open()
    choose(browser, platform="Linux aarch64", q="conv")
    browser.driver.find_element(By.LINK_TEXT, "causal-conv1d").click()
    assert query(browser) == {"platform": ["Linux aarch64"]}
    assert browser.shown(WHEELS) == [
        "causal_conv1d-1.7.0+cu130torch2.11-cp312-cp312-manylinux_2_34_aarch64.whl"
    ]


def test_a_cell_of_the_matrix_leads_to_its_wheel_though_it_was_filtered_out(browser: Browser) -> None:
    from selenium.webdriver.common.by import By

    browser.open("causal-conv1d/?python=3.10")
    assert len(browser.shown(WHEELS)) == 1
    browser.driver.find_element(By.CSS_SELECTOR, ".matrix tbody tr:nth-child(2) td:nth-child(2) a").click()
    assert "causal_conv1d-1.7.0+cu130torch2.11-cp312-cp312-manylinux_2_34_aarch64.whl" in browser.shown(
        WHEELS
    )
    assert browser.run("return document.querySelector(':target details').open")


def test_copying_gives_the_line_with_the_index_s_own_address(browser: Browser) -> None:
    from selenium.webdriver.common.by import By

    origin = browser.url.removesuffix("/index/")
    permissions = {"origin": origin, "permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]}
    browser.driver.execute_cdp_cmd("Browser.grantPermissions", permissions)
    browser.open("causal-conv1d/")
    browser.run(
        """
        const button = document.querySelector(".code button");
        window.said = new Promise((done) => {
          new MutationObserver(() => done(button.textContent)).observe(button, { childList: true });
        });
        """
    )
    browser.driver.find_element(By.CSS_SELECTOR, ".code button").click()
    assert browser.run("return await window.said") == "Copied"
    copied = browser.run("return await navigator.clipboard.readText()")
    index = f"{origin}/index/cu130/torch2.11/simple/"
    assert copied == f"uv pip install --index {index} causal-conv1d==1.7.0+cu130torch2.11"


def test_without_script_everything_is_there(browser: Browser) -> None:
    browser.script(on=False)
    browser.open()
    assert len(browser.shown(PROJECTS)) == 5
    assert browser.shown("form") == []
    browser.open("causal-conv1d/?python=3.10")
    assert len(browser.shown(WHEELS)) == 4
    assert browser.shown(".matrix td.no") == ["failed:"]
    assert browser.shown("pre")[0] == "uv"


def test_the_keyboard_reaches_everything(browser: Browser) -> None:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    browser.open()

    def press(*keys: str) -> Any:
        browser.driver.switch_to.active_element.send_keys(*keys)
        return browser.driver.switch_to.active_element

    assert press(Keys.TAB).text == "Skip to the content"
    press(Keys.ENTER)
    assert urlsplit(browser.driver.current_url).fragment == "main"
    browser.open()
    reached = [press(Keys.TAB) for _ in range(4)]
    assert reached[-1].get_attribute("name") == "q"
    press("hnsw")
    assert browser.shown(PROJECTS) == ["hnswlib"]
    browser.open("hnswlib/")
    summary = browser.driver.find_element(By.CSS_SELECTOR, ".wheel summary")
    summary.send_keys(Keys.ENTER)
    assert browser.run("return document.querySelector('.wheel details').open")


@pytest.mark.parametrize("path", ["", "causal-conv1d/", "hnswlib/", "empty/"])
@pytest.mark.parametrize("width", [320, 1200])
def test_nothing_is_wider_than_the_screen(browser: Browser, path: str, width: int) -> None:
    browser.size(width, 700)
    browser.open(path)
    browser.run(
        "document.querySelectorAll('details').forEach((each) => { each.removeAttribute('name'); each.open = true; })"
    )
    assert browser.run("return document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("path", ["", "causal-conv1d/", "hnswlib/", "pure/", "empty/"])
@pytest.mark.parametrize(("scheme", "width"), [("light", 1200), ("dark", 1200), ("light", 390)])
def test_axe_finds_nothing_serious(browser: Browser, axe: str, path: str, scheme: str, width: int) -> None:
    browser.scheme(scheme)
    browser.size(width, 1400)
    browser.open(path)
    browser.run(
        "document.querySelectorAll('details').forEach((each) => { each.removeAttribute('name'); each.open = true; })"
    )
    browser.screenshot(f"{path.strip('/') or 'front'}-{scheme}-{width}")
    browser.driver.execute_script(axe)
    violations = browser.run("return (await axe.run()).violations")
    serious = [
        (each["id"], each["help"], [node["html"] for node in each["nodes"]][:3])
        for each in violations
        if each["impact"] in {"serious", "critical"}
    ]
    assert serious == []


@pytest.mark.parametrize("path", ["", "pure/"])
def test_hostile_text_does_not_run_and_the_page_asks_nobody_else(browser: Browser, path: str) -> None:
    browser.open(path)
    assert "hacked" not in browser.driver.title
    assert browser.run("return document.images.length") == 0
    origin = browser.url.removesuffix("/index/")
    asked = browser.run("return performance.getEntriesByType('resource').map((each) => each.name)")
    assert {f"{urlsplit(each).scheme}://{urlsplit(each).netloc}" for each in asked} == {origin}
    problems = [each for each in browser.driver.get_log("browser") if "favicon" not in each["message"]]  # type: ignore[no-untyped-call]
    assert problems == []


def test_a_keystroke_among_5000_projects_is_answered_at_once(browser: Browser, crowd: str) -> None:
    browser.driver.get(crowd)
    times = browser.run(
        """
        const field = document.querySelector("[name=q]");
        const times = [];
        for (const text of ["4", "49", "499", "4999", "", "kern", "zzz"]) {
          const start = performance.now();
          field.value = text;
          field.dispatchEvent(new InputEvent("input", { bubbles: true }));
          document.body.getBoundingClientRect(); // the layout that the eye waits for
          times.push(performance.now() - start);
        }
        return times;
        """
    )
    assert sorted(times)[len(times) // 2] < 100, times
    assert browser.run("return document.querySelectorAll('#projects > li:not([hidden])').length") == 0
