"""Every page and state: no accessibility violation, nothing cut off, small, printable."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from app.core.settings import Settings
from app.main import Shiori
from tests.browser.conftest import served, settle

# A browser beside other tests on a small machine takes its time.
pytestmark = pytest.mark.timeout(600)

AXE = Path(__file__).parent / "vendor" / "axe.min.js"
STATES = {
    "empty": "/",
    "answer": "/?q=離婚しても今の名字を使い続けたい",
    "silent": "/?q=自動車の車庫証明の手数料",
    "nothing": "/?q=戸籍&as_of=1990-01-01",
    "filtered": "/?q=離婚&edition=第2版",
    "citing": "/?q=民法第767条&citing=民法第767条",
    "bad": "/?q=",
    "unknown": "/nowhere",
    "history": "/history",
    "notes": "/notes",
    "login": "/login",
    "docs": "/docs",
    "slip": "/slip?q=離婚しても今の名字を使い続けたい",
    "follow-up": "/?q=婚姻届の証人、外国人の場合は&said=では外国人の場合は",
    "spelling": "/?q=帯児認地の証人は何人か",
    "inquiry": "/inquiry?q=在外公館で離婚届を出すときの手数料",
}


def violations(page: Page, *rules: str) -> list[str]:
    """What axe-core finds wrong with the page as it is, by all rules or some.

    The size of targets is a rule of WCAG 2.2 AA that axe leaves out unless asked.
    """
    if page.evaluate("typeof axe === 'undefined'"):
        page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate(
        "rules => axe.run({ resultTypes: ['violations'], rules: { 'target-size': { enabled: true } },"
        " ...(rules.length && { runOnly: { type: 'rule', values: rules } }) })",
        list(rules),
    )
    return [
        f"{item['id']}: {item['help']} — {node['html'][:150]}"
        for item in found["violations"]
        for node in item["nodes"]
    ]


# 683 by 384 is what 1366 by 768 leaves at 200 %.
SIZES = ((1366, 768), (820, 1180), (683, 384), (360, 740))


def faults(page: Page) -> list[str]:
    """What is wrong with a page, in light and in dark, in any size of window."""
    page.emulate_media(color_scheme="light")
    found = violations(page)
    page.emulate_media(color_scheme="dark")
    found += [f"dark {fault}" for fault in violations(page, "color-contrast")]
    for width, height in SIZES[::-1]:
        page.set_viewport_size({"width": width, "height": height})
        over = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        if over > 0:
            found.append(f"{over} px too wide at {width} px")
    return found


@pytest.mark.parametrize("name", STATES)
def test_no_state_is_hard_to_read_or_cut_off(page: Page, site: str, name: str) -> None:
    page.goto(site + STATES[name])
    if name == "answer":
        settle(page)
        for summary in page.locator("#p1 .deeds summary").all():
            summary.click()
    assert faults(page) == []


def test_no_state_reached_by_hand_is_hard_to_read_or_cut_off(page: Page, site: str) -> None:
    page.goto(site + "/library")
    page.locator(".books a").first.click()
    assert faults(page) == []
    page.get_by_role("link", name="本を開く").click()
    assert faults(page) == []
    page.keyboard.press("?")
    assert faults(page) == []


def test_books_that_differ_and_notes_are_easy_to_read(page: Page, tmp_path: Path) -> None:
    days = {"届出の手引": ("初版", "十日"), "窓口の実務": ("第2版", "十四日")}
    for title, (edition, limit) in days.items():
        (tmp_path / f"{title}.md").write_text(
            f"---\ntitle: {title}\nedition: {edition}\n---\n\n# 出生\n\n## 出生届の期間\n\n"
            f"出生の届出は、出生の日から{limit}以内にしなければならない。\n",
            "utf-8",
        )
    with Shiori(Settings(data_dir=tmp_path / "data")) as product:
        product.add(sorted(tmp_path.glob("*.md")))
        with served(product) as address:
            page.goto(f"{address}/?q=出生の届出は何日以内か")
            expect(page.locator(".sides > li")).to_have_count(2)
            assert faults(page) == []
            page.set_viewport_size({"width": 1366, "height": 768})
            passage_id = page.locator("#p1").get_attribute("data-passage-id")
            assert passage_id
            product.ledger.add_note(passage_id, "係の取扱い", folder="出生")
            product.ledger.add_note(passage_id, "控え", "佐藤")
            page.goto(f"{address}/notes?folder=出生")
            expect(page.locator(".stuck")).to_have_count(1)
            assert faults(page) == []


def test_the_focus_is_seen(page: Page, site: str) -> None:
    page.goto(f"{site}/?q=離婚")
    page.keyboard.press("Tab")
    for _ in range(12):
        page.keyboard.press("Tab")
        look = page.evaluate(
            "(() => { const s = getComputedStyle(document.activeElement);"
            " return [s.outlineStyle, s.boxShadow] })()"
        )
        assert look[0] == "solid"
        assert "rgb(255, 212, 61)" in look[1]


def test_a_first_visit_is_small_and_asks_nobody_else(browser: Browser, site: str) -> None:
    context = browser.new_context()
    page = context.new_page()
    sizes: dict[str, int] = {}
    page.on("response", lambda answer: sizes.update({answer.url: len(answer.body())}))
    page.goto(site)
    page.wait_for_load_state("networkidle")
    context.close()
    assert sum(sizes.values()) < 150_000
    assert all(url.startswith(site) for url in sizes)


def test_paper_shows_the_answer_and_no_controls(page: Page, site: str) -> None:
    page.goto(f"{site}/slip?q=離婚しても今の名字を使い続けたい")
    page.emulate_media(media="print")
    expect(page.locator(".slip")).to_be_visible()
    expect(page.locator(".top")).to_be_hidden()
    expect(page.get_by_role("button", name="印刷する")).to_be_hidden()
