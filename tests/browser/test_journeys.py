from __future__ import annotations

import io
import re

import pytest
from PIL import Image, ImageChops
from playwright.sync_api import Browser, BrowserContext, Page, expect

# A browser beside other tests on a small machine takes its time.
pytestmark = pytest.mark.timeout(600)

QUESTION = "離婚しても今の名字を使い続けたい"


def shot(page: Page, selector: str) -> Image.Image:
    return Image.open(io.BytesIO(page.locator(selector).screenshot())).convert("RGB")


def drawn(page: Page) -> None:
    page.wait_for_function(
        "() => { const i = document.querySelector('.paper img'); return i && i.complete && i.naturalWidth }"
    )


def test_ask_read_open_the_page_and_see_the_mark(page: Page, site: str) -> None:
    page.goto(site)
    page.get_by_label("質問").fill(QUESTION)
    page.get_by_role("button", name="検索").click()
    expect(page.locator(".blocks blockquote").first).to_be_visible()
    citation = page.locator(".blocks .source a[data-open]").first
    name = citation.inner_text()
    citation.click()
    viewer = page.locator("#viewer")
    expect(viewer).to_be_visible()
    expect(viewer.locator(".page-name")).to_have_text(re.compile(name.split("〜")[0].strip("頁")))
    drawn(page)

    # The marked lines differ from the bare picture, what lies beside them does not.
    page.locator(".paper").evaluate("paper => paper.closest('.paper-room').scrollTo(0, 0)")
    mark = page.locator("rect.quoted").first
    mark.scroll_into_view_if_needed()
    box, paper = mark.bounding_box(), page.locator(".paper-room").bounding_box()
    assert box
    assert paper
    with_mark = shot(page, ".paper-room")
    page.locator(".paper svg").first.evaluate("svg => svg.style.display = 'none'")
    bare = shot(page, ".paper-room")
    changed = ImageChops.difference(with_mark, bare).getbbox()
    assert changed
    middle = (
        round(box["x"] + box["width"] / 2 - paper["x"]),
        round(box["y"] + min(box["height"] / 2, 60) - paper["y"]),
    )
    around = [(middle[0] + dx, middle[1] + dy) for dx in range(-5, 6) for dy in range(-20, 21)]
    marked = [with_mark.getpixel(at) for at in around if at[1] < with_mark.height]
    plain = [bare.getpixel(at) for at in around if at[1] < bare.height]
    blue = lambda pixels: sum(pixel[2] for pixel in pixels) / len(pixels)  # noqa: E731
    assert blue(marked) < blue(plain) - 30, "yellow takes the blue away"
    assert with_mark.getpixel((8, 8)) == bare.getpixel((8, 8))


def test_the_evidence_stands_beside_the_answer_from_the_start(page: Page, site: str) -> None:
    page.goto(f"{site}/?q={QUESTION}")
    expect(page.locator("#viewer [data-sheet]")).to_be_visible()
    answer = page.locator(".answer").bounding_box()
    viewer = page.locator("#viewer").bounding_box()
    assert answer
    assert viewer
    assert viewer["x"] > answer["x"] + answer["width"]
    first = page.locator(".number").first
    number = first.get_attribute("data-passage")
    first.hover()
    expect(page.locator(f"#p{number}")).to_have_class(re.compile("pointed"))
    page.mouse.move(0, 0)
    expect(page.locator(f"#p{number}")).not_to_have_class(re.compile("pointed"))


def test_pages_turn_and_zoom_in_place(page: Page, site: str) -> None:
    page.goto(f"{site}/?q={QUESTION}")
    viewer = page.locator("#viewer")
    where = viewer.locator(".tools .where").first
    before = where.inner_text()
    viewer.get_by_role("link", name="次の頁").click()
    expect(where).not_to_have_text(before)
    expect(viewer.get_by_role("link", name="次の頁")).to_be_focused()
    viewer.get_by_role("link", name="拡大").click()
    expect(viewer.locator(".paper")).to_have_class(re.compile("zoom-125"))
    assert page.url.startswith(f"{site}/?q=")
    viewer.get_by_role("button", name="閉じる").click()
    expect(viewer).to_be_hidden()


def test_a_page_that_cannot_be_drawn_is_read_as_text(page: Page, site: str) -> None:
    page.route("**/image", lambda route: route.abort())
    page.goto(f"{site}/?q={QUESTION}")
    expect(page.locator("#viewer .paper")).to_have_class(re.compile("no-picture"))
    words = page.locator("#viewer .words text").first
    assert words.evaluate("node => getComputedStyle(node).fill") == "rgb(26, 26, 26)"


def test_text_copied_from_a_page_carries_its_citation(
    page: Page, context: BrowserContext, site: str
) -> None:
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(f"{site}/?q={QUESTION}")
    text = page.locator("#viewer svg.words text").first
    wanted = text.text_content()
    text.evaluate("node => getSelection().selectAllChildren(node)")
    page.keyboard.press("Control+c")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith(str(wanted))
    assert re.search(r"（『.+（見本）』 .*版・.*頁）$", copied)


def test_without_scripts_everything_is_read(browser: Browser, site: str) -> None:
    context = browser.new_context(
        java_script_enabled=False, viewport={"width": 1366, "height": 768}
    )
    page = context.new_page()
    page.goto(site)
    page.locator("#q").fill(QUESTION)
    page.locator("#q").press("Enter")
    expect(page.locator(".blocks blockquote").first).to_be_visible()
    page.locator(".number").first.click()
    assert "#p" in page.url
    page.locator(".passage a[data-open]").first.click()
    expect(page.locator(".paper img")).to_be_visible()
    expect(page.locator("rect.cited").first).to_be_visible()
    page.get_by_role("link", name="次の頁").click()
    page.get_by_role("link", name="拡大").click()
    expect(page.locator(".zoom-125")).to_be_visible()
    page.goto(f"{site}/?q={QUESTION}")
    page.locator("#p1 .deeds > form button").click()
    expect(page.locator("#p1 .deeds > form button .count")).to_be_visible()
    context.close()


def test_by_keyboard_alone(page: Page, site: str) -> None:
    page.goto(site)
    expect(page.locator("#q")).to_be_focused()
    page.keyboard.type("死亡届を出せる人")
    page.keyboard.press("Enter")
    expect(page.locator(".answer")).to_be_visible()
    expect(page.locator("#viewer [data-sheet]")).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("j")
    expect(page.locator("#p1")).to_be_focused()
    page.keyboard.press("j")
    page.keyboard.press("k")
    page.keyboard.press("j")
    expect(page.locator("#p2")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#viewer .sheet-title")).to_be_focused()
    where = page.locator("#viewer .tools .where").first
    before = where.inner_text()
    page.keyboard.press("]")
    expect(where).not_to_have_text(before)
    page.keyboard.press("Escape")
    expect(page.locator("#viewer")).to_be_hidden()
    expect(page.locator("#p2")).to_be_focused()
    page.keyboard.press("/")
    expect(page.locator("#q")).to_be_focused()
    page.keyboard.press("j")
    expect(page.locator("#q")).to_be_focused()
    page.locator("#p1").focus()
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()
    page.keyboard.press("Space")
    page.keyboard.press("Escape")
    page.locator("#p1").focus()
    page.keyboard.press("j")
    expect(page.locator("#p1")).to_be_focused()


def test_enter_while_converting_kana_sends_nothing(page: Page, site: str) -> None:
    page.goto(site)
    box = page.locator("#q")
    box.focus()
    session = page.context.new_cdp_session(page)
    session.send(
        "Input.imeSetComposition", {"text": "りこん", "selectionStart": 3, "selectionEnd": 3}
    )
    enter = {"key": "Process", "code": "Enter", "windowsVirtualKeyCode": 229}
    session.send("Input.dispatchKeyEvent", {"type": "rawKeyDown", **enter})
    page.evaluate(
        """() => {
          const box = document.getElementById('q');
          for (const how of [{ isComposing: true, keyCode: 13 }, { isComposing: false, keyCode: 229 }]) {
            const event = new KeyboardEvent('keydown', { key: 'Enter', bubbles: true, cancelable: true, ...how });
            box.dispatchEvent(event);
            if (!event.defaultPrevented) throw new Error('Enter would have sent the form');
          }
        }"""
    )
    page.wait_for_timeout(300)
    assert page.url == f"{site}/"
    session.send("Input.insertText", {"text": "離婚"})
    expect(box).to_have_value("離婚")
    page.keyboard.press("Enter")
    expect(page.locator(".answer")).to_be_visible()


def test_a_like_and_a_note_leave_the_page_where_it_is(page: Page, site: str) -> None:
    page.goto(f"{site}/?q=認知の届出")
    second = page.locator("#p2")
    second.get_by_role("button", name="役に立った").click()
    expect(second.locator(".count")).to_have_text("1")
    expect(page.locator("[data-said]")).to_have_text("記録しました。")
    second.get_by_text("付箋を貼る").click()
    second.locator("textarea").fill("胎児認知は別の頁")
    second.get_by_role("button", name="貼る", exact=True).click()
    expect(second.locator(".note")).to_contain_text("胎児認知は別の頁")
    page.get_by_role("button", name="解決した").click()
    expect(page.locator(".done")).to_contain_text("調べものを終えました")


def test_an_upload_shows_how_far_it_is(page: Page, site: str) -> None:
    page.goto(f"{site}/library")
    page.locator("#files").set_input_files(
        {
            "name": "試し.md",
            "mimeType": "text/markdown",
            "buffer": "# 試し\n\n届出をする。\n".encode(),
        }
    )
    page.get_by_role("button", name="登録する").click()
    expect(page.locator(".books")).to_contain_text("試し", timeout=60_000)
    page.locator(".books a", has_text="試し").click()
    page.get_by_text("この本を外す").click()
    page.get_by_role("button", name="外す", exact=True).click()
    expect(page.locator(".books")).not_to_contain_text("試し")
