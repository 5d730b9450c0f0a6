"""The pages for people in a real browser: searching, choosing, copying, with and without script, eyes or a mouse."""

from __future__ import annotations

import gzip
import struct
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit
from urllib.request import urlopen

import pytest

if TYPE_CHECKING:
    from pathlib import Path

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


def test_names_are_compared_as_installers_do(browser: Browser) -> None:
    browser.open()
    for text in ("causal_conv1d", "Causal.Conv1D", "causal-conv1d"):
        choose(browser, q=text)
        assert browser.shown(PROJECTS) == ["causal-conv1d"]


def test_where_nothing_fits_that_is_said_and_cleared(browser: Browser) -> None:
    from selenium.webdriver.common.by import By

    browser.open()
    assert browser.shown("#choose button, #none") == []
    choose(browser, q="nothing of the kind")
    assert browser.shown(PROJECTS) == []
    assert browser.shown("#choose button, #none") == ["Clear", "No"]
    browser.driver.find_element(By.CSS_SELECTOR, "#none button").click()
    browser.run("await new Promise((done) => setTimeout(done))")
    assert len(browser.shown(PROJECTS)) == 5
    assert browser.shown("#none") == []


CONV = "causal_conv1d-1.7.0+{}-cp312-cp312-manylinux_2_34_{}.whl"


def test_a_choice_goes_along_to_the_project_and_home_again(browser: Browser) -> None:
    from selenium.webdriver.common.by import By

    browser.open()
    choose(browser, platform="Linux aarch64", q="conv")
    browser.driver.find_element(By.CSS_SELECTOR, "#projects a[href='causal-conv1d/']").click()
    assert query(browser) == {"platform": ["Linux aarch64"]}
    assert browser.shown(WHEELS) == [CONV.format("cu130torch2.11", "aarch64")]
    browser.driver.find_element(By.CSS_SELECTOR, ".brand a").click()
    assert query(browser) == {"platform": ["Linux aarch64"]}
    assert browser.shown(PROJECTS) == ["causal-conv1d", "hnswlib", "pure"]


def test_a_choice_that_a_page_does_not_offer_is_kept_and_shown(browser: Browser) -> None:
    from selenium.webdriver.support.select import Select

    browser.open("hnswlib/?python=3.13&compute=cu130")
    assert query(browser) == {"python": ["3.13"], "compute": ["cu130"]}
    fields = browser.driver.find_elements("css selector", "#choose select")
    chosen = {field.get_attribute("name"): Select(field).first_selected_option.text for field in fields}
    assert chosen == {"python": "3.13", "platform": "any", "compute": "CUDA 13.0"}
    assert browser.shown(WHEELS) == []
    assert browser.shown("#none") == ["No"]


def test_choosing_narrows_the_matrix_and_opens_what_fits(browser: Browser) -> None:
    browser.open("causal-conv1d/")
    assert browser.shown(".matrix tbody th") == ["3.10", "3.12"]
    assert len(browser.shown(".matrix thead th")) == 4
    choose(browser, python="3.12", compute="CUDA 12.6")
    assert browser.shown(".matrix tbody th") == ["3.12"]
    heads = browser.driver.find_elements("css selector", ".matrix thead th")
    assert [head.text.split() for head in heads if head.is_displayed()] == [
        ["Python"],
        ["Linux", "x86_64", "CUDA", "12.6", "torch", "2.10"],
    ]
    assert browser.shown(".release > summary h3") == ["1.7.0", "1.6.0"]
    assert browser.shown(".release[open] > summary h3") == ["1.7.0"]
    assert (
        "causal-conv1d==1.7.0+cu126torch2.10"
        in browser.driver.find_element("css selector", ".release[open] pre").text
    )
    assert browser.shown(WHEELS) == [CONV.format("cu126torch2.10", "x86_64")]


def test_a_cell_of_the_matrix_leads_to_its_wheel(browser: Browser) -> None:
    browser.open("causal-conv1d/")
    browser.driver.find_element("css selector", ".matrix tbody tr:nth-child(2) td:nth-child(3) a").click()
    browser.run(
        """
        const isShown = () => document.querySelector(":target details")?.open;
        if (!isShown()) await new Promise((done) => addEventListener("hashchange", done));
        """
    )
    assert CONV.format("cu126torch2.10", "x86_64") in browser.shown(WHEELS)
    assert browser.run("return document.querySelector(':target details').open")


def test_an_address_with_a_wheel_shows_it_though_the_choice_hides_it(browser: Browser) -> None:
    wheel = CONV.format("cu130torch2.11", "aarch64")
    browser.open(f"causal-conv1d/?python=3.10#{wheel.removesuffix('.whl')}")
    assert wheel in browser.shown(WHEELS)
    assert browser.run("return document.querySelector(':target details').open")


@pytest.mark.parametrize("fragment", ["#%", "#v-1.7.0+cu130torch2.11", "#nothing"])
def test_an_address_with_another_fragment_does_no_harm(browser: Browser, fragment: str) -> None:
    browser.open(f"causal-conv1d/{fragment}")
    assert browser.driver.get_log("browser") == []  # type: ignore[no-untyped-call]
    assert len(browser.shown(".release")) == 3


def test_copying_gives_the_line_with_the_index_s_own_address(browser: Browser) -> None:
    from selenium.webdriver.common.by import By

    origin = browser.url.removesuffix("/index/")
    permissions = {"origin": origin, "permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]}
    browser.driver.execute_cdp_cmd("Browser.grantPermissions", permissions)
    browser.open("causal-conv1d/")
    browser.run(
        """
        const button = document.querySelector(".code button"), status = document.querySelector(".hidden[role=status]");
        window.said = new Promise((done) => {  // both are kept: the page takes them back after two seconds
          const keep = () => done([button.textContent, status.textContent]);
          new MutationObserver(keep).observe(button, { childList: true });
        });
        """
    )
    browser.driver.find_element(By.CSS_SELECTOR, ".code button").click()
    assert browser.run("return await window.said") == ["Copied", "Copied: uv"]
    copied = browser.run("return await navigator.clipboard.readText()")
    index = f"{origin}/index/cu130/torch2.11/simple/"
    assert copied == f"uv pip install --index {index} causal-conv1d==1.7.0+cu130torch2.11"
    assert browser.shown(".here") == []


def test_without_script_everything_is_there(browser: Browser) -> None:
    browser.script(on=False)
    browser.open()
    assert len(browser.shown(PROJECTS)) == 5
    assert browser.shown("form") == []
    assert browser.shown(".here") == ["https://HERE"]
    browser.open("causal-conv1d/?python=3.10")
    assert browser.shown(".release > summary h3") == ["1.7.0", "1.7.0", "1.6.0"]
    assert len(browser.shown(WHEELS)) == 3
    assert browser.shown(".matrix td.no") == ["failed:", "not"]
    assert browser.shown("pre")[0] == "uv"
    assert browser.shown(".here") == ["https://HERE"]


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
    reached = [press(Keys.TAB) for _ in range(6)]
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


def png_size(picture: Path) -> tuple[int, int]:
    """Return a picture's width and height."""
    width, height = struct.unpack(">II", picture.read_bytes()[16:24])
    return width, height


@pytest.mark.parametrize("path", ["", "causal-conv1d/", "hnswlib/", "pure/", "empty/"])
@pytest.mark.parametrize(("scheme", "width"), [("light", 1200), ("dark", 1200), ("light", 390)])
def test_axe_finds_nothing_serious(browser: Browser, axe: str, path: str, scheme: str, width: int) -> None:
    browser.scheme(scheme)
    browser.size(width, 1400)
    browser.open(path)
    browser.run(
        "document.querySelectorAll('details').forEach((each) => { each.removeAttribute('name'); each.open = true; })"
    )
    picture = browser.screenshot(f"{path.strip('/') or 'front'}-{scheme}-{width}")
    assert png_size(picture) == (width, browser.run("return document.documentElement.scrollHeight"))
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
    assert browser.driver.get_log("browser") == []  # type: ignore[no-untyped-call]


def test_the_front_page_of_5000_projects_is_whole_and_small(browser: Browser, crowd: str) -> None:
    browser.driver.get(crowd)
    browser.screenshot("crowd-light-1200")
    assert browser.run("return document.documentElement.scrollWidth") <= 1200
    asked = browser.run("return performance.getEntriesByType('resource').map((each) => each.name)")
    loaded = 0
    for url in [crowd, *asked]:
        with urlopen(url) as answer:  # noqa: S310 - loopback
            loaded += len(gzip.compress(answer.read()))
    assert len(asked) == 2
    assert loaded < 500_000


def test_5000_projects_are_searched(browser: Browser, crowd: str) -> None:
    browser.driver.get(crowd)
    for text, shown in {
        "4999": 1,
        "499": 15,
        "4999 kernels": 1,
        "fast kernels": 5000,
        "zzz": 0,
        "": 5000,
    }.items():
        found = browser.run(
            f"""
            const field = document.querySelector("[name=q]");
            field.value = "{text}";
            field.dispatchEvent(new InputEvent("input", {{ bubbles: true }}));
            return document.querySelectorAll("#projects > li:not([hidden])").length;
            """
        )
        assert found == shown, text
