from __future__ import annotations

import io
import re

import pytest
from PIL import Image, ImageStat
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from tests.browser.conftest import settle

# A browser beside other tests on a small machine takes its time.
pytestmark = pytest.mark.timeout(600)

QUESTION = "離婚しても今の名字を使い続けたい"


def shot(page: Page, selector: str) -> Image.Image:
    return Image.open(io.BytesIO(page.locator(selector).screenshot())).convert("RGB")


def drawn(page: Page) -> None:
    page.wait_for_function(
        "() => { const i = document.querySelector('.paper img'); return i && i.complete && i.naturalWidth }"
    )


def is_marked(page: Page, mark: Locator) -> bool:
    """Whether the pixels in a marked box are yellower than those of the bare picture, and no others."""
    page.locator(".paper").evaluate("paper => paper.closest('.paper-room').scrollTo(0, 0)")
    mark.scroll_into_view_if_needed()
    box, room = mark.bounding_box(), page.locator(".paper-room").bounding_box()
    assert box
    assert room
    with_mark = shot(page, ".paper-room")
    page.locator(".paper svg").first.evaluate("svg => svg.style.display = 'none'")
    bare = shot(page, ".paper-room")
    page.locator(".paper svg").first.evaluate("svg => svg.style.display = ''")
    x0, y0 = round(box["x"] - room["x"]) + 3, round(box["y"] - room["y"]) + 3
    x1 = min(round(x0 + box["width"]) - 6, bare.width - 3)
    y1 = min(round(y0 + box["height"]) - 6, bare.height - 3)
    inside = (max(x0, 3), max(y0, 3), x1, y1)
    blue = [ImageStat.Stat(image.crop(inside)).mean[2] for image in (with_mark, bare)]
    return blue[0] < blue[1] - 20 and with_mark.getpixel((8, 8)) == bare.getpixel((8, 8))


def test_ask_read_open_the_page_and_see_the_mark(page: Page, site: str) -> None:
    page.goto(site)
    page.get_by_label("質問").fill(QUESTION)
    page.get_by_role("button", name="検索").click()
    expect(page.locator(".blocks blockquote").first).to_be_visible()
    # Before its script is there, a citation leads to the page instead of opening it here.
    page.wait_for_load_state()
    citation = page.locator(".blocks .source a[data-open]").first
    name = citation.inner_text()
    citation.click()
    viewer = page.locator("#viewer")
    expect(viewer).to_be_visible()
    expect(viewer.locator(".page-name")).to_have_text(re.compile(name.split("〜")[0].strip("頁")))
    drawn(page)
    # This book is set vertically: its marks are higher than wide.
    mark = page.locator("rect.quoted").first
    box = mark.bounding_box()
    assert box
    assert box["height"] > box["width"] * 3
    assert is_marked(page, mark)


def test_marks_on_a_page_of_horizontal_lines(page: Page, site: str) -> None:
    page.goto(f"{site}/?q=届出の何日以内はいつから数えるか")
    settle(page)
    page.locator(".passage", has_text="問答集").first.locator("a[data-open]").first.click()
    expect(page.locator("#viewer .sheet-title")).to_contain_text("問答集")
    drawn(page)
    mark = page.locator("rect.cited").nth(1)
    box = mark.bounding_box()
    assert box
    assert box["width"] > box["height"] * 3
    assert is_marked(page, mark)


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
    # A number opens its page and leaves the answer where it is.
    page.locator(".number").last.click()
    expect(page.locator("#viewer .sheet-title")).to_be_focused()
    assert page.evaluate("scrollY") == 0


def test_a_vertical_page_is_whole_until_another_size_is_chosen(page: Page, site: str) -> None:
    page.goto(f"{site}/?q={QUESTION}")
    settle(page)
    drawn(page)
    room, image = page.locator(".paper-room"), page.locator(".paper img")

    def fits() -> list[bool]:
        sides = "e => [e.clientWidth, e.clientHeight]"
        (width, height), (wide, high) = room.evaluate(sides), image.evaluate(sides)
        return [wide <= width, high <= height]

    assert fits() == [True, True]
    box = room.bounding_box()
    assert box
    assert box["y"] + box["height"] <= 768
    assert box["height"] > 500
    page.keyboard.press("f")
    expect(page.locator("[data-fit]")).to_have_text("頁全体")
    expect(page.locator("[data-fit]")).to_be_focused()
    drawn(page)
    assert fits() == [True, False]
    page.reload()
    expect(page.locator("#viewer [data-fit]")).to_have_text("頁全体")
    # However large, the cited column stands in the frame.
    page.get_by_role("link", name="拡大").click()
    expect(page.locator(".paper")).to_have_class(re.compile("zoom-125"))
    expect(page.locator("rect.quoted").first).to_be_in_viewport()
    page.get_by_role("link", name="頁全体").click()
    expect(page.locator(".paper")).to_have_class(re.compile("zoom-page"))
    drawn(page)
    assert fits() == [True, True]


def test_pages_turn_and_zoom_in_place(page: Page, site: str) -> None:
    page.goto(f"{site}/?q={QUESTION}")
    viewer = page.locator("#viewer")
    where = viewer.locator(".tools .where").first
    before = where.inner_text()
    viewer.get_by_role("link", name="次の頁").click()
    expect(where).not_to_have_text(before)
    expect(viewer.get_by_role("link", name="次の頁")).to_be_focused()
    viewer.get_by_role("link", name="拡大").click()
    expect(viewer.locator(".paper")).to_have_class(re.compile("zoom-75"))
    assert page.url.startswith(f"{site}/?q=")
    viewer.get_by_role("button", name="閉じる").click()
    expect(viewer).to_be_hidden()
    page.locator(".blocks .source a[data-open]").first.click()
    expect(viewer.locator(".paper")).to_have_class(re.compile("zoom-75"))


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
    settle(page)
    second = page.locator("#p2")
    second.get_by_role("button", name="役に立った").click()
    expect(second.locator(".count")).to_have_text("1")
    expect(page.locator("[data-said]")).to_have_text("記録しました。")
    second.get_by_text("付箋を貼る").click()
    second.locator("textarea").fill("胎児認知は別の頁")
    second.get_by_role("button", name="貼る", exact=True).dblclick()
    expect(second.locator(".note")).to_have_count(1)
    expect(second.locator(".note")).to_contain_text("胎児認知は別の頁")
    page.get_by_role("button", name="解決した").click()
    expect(page.locator(".done")).to_contain_text("調べものを終えました")


def test_a_note_lies_in_its_folder_and_one_of_ones_own_is_seen_by_nobody_else(
    page: Page, browser: Browser, site: str
) -> None:
    page.goto(f"{site}/?q=国籍選択の届出")
    settle(page)
    first = page.locator("#p1")
    first.get_by_text("付箋を貼る").click()
    first.locator("textarea").fill("うちの係の控え")
    first.get_by_label("フォルダー").fill("国籍の係")
    first.get_by_label("自分だけ").check()
    first.get_by_role("button", name="貼る", exact=True).click()
    expect(first.locator(".note")).to_contain_text("〔国籍の係〕・自分だけ")
    page.goto(f"{site}/notes")
    page.get_by_role("link", name=re.compile("国籍の係")).click()
    note = page.locator(".stuck", has_text="うちの係の控え")
    expect(note).to_be_visible()

    context = browser.new_context()
    other = context.new_page()
    other.goto(f"{site}/notes")
    expect(other.locator("body")).not_to_contain_text("うちの係の控え")
    note.get_by_label("自分だけ").uncheck()
    note.get_by_role("button", name=re.compile("変える")).click()
    expect(note).to_contain_text("係で共有")
    other.reload()
    expect(other.locator("body")).to_contain_text("うちの係の控え")
    context.close()
    note.get_by_role("button", name=re.compile("はがす")).click()
    expect(note).to_have_count(0)


def test_a_follow_up_shows_how_it_was_read(page: Page, site: str) -> None:
    page.goto(f"{site}/?q=婚姻届の証人は誰か")
    page.locator("#q").fill("では外国人の場合は？")
    page.get_by_role("button", name="検索").click()
    told = page.locator(".read")
    expect(told).to_contain_text("続きの質問「では外国人の場合は？」")
    whole = page.locator("#q").input_value()
    assert "証人" in whole
    assert "外国人" in whole
    told.get_by_role("link").click()
    expect(page.locator("#q")).to_have_value("では外国人の場合は？")
    expect(told).to_have_count(0)


def test_what_the_books_do_not_say_is_said_with_what_stands_near(page: Page, site: str) -> None:
    page.goto(f"{site}/?q=自動車の車庫証明の手数料")
    expect(page.locator("h1")).to_have_text("本に答えを確かめられませんでした")
    expect(page.locator(".answer blockquote")).to_have_count(0)
    expect(page.locator(".passages h2")).to_have_text("近い箇所")
    expect(page.locator(".passage").first).to_be_visible()
    page.goto(f"{site}/?q=帯児認地の証人は何人か")
    page.locator(".spelling a").first.click()
    expect(page.locator("#q")).to_have_value(re.compile("認知"))


def test_filters_stay_in_sight_and_count_what_else_there_is(page: Page, site: str) -> None:
    page.goto(f"{site}/?q=届出の期間")
    settle(page)
    for label in ("書棚", "本", "版", "届出", "時点", "引く条文・先例"):
        expect(page.get_by_label(label, exact=True)).to_be_visible()
    acts = page.get_by_role("navigation", name="届出の種類で絞る")
    acts.get_by_role("link", name=re.compile("死亡・失踪")).click()
    expect(acts.locator("[aria-current]")).to_contain_text("死亡・失踪")
    expect(page.get_by_label("届出", exact=True)).to_have_value("死亡・失踪")
    expect(acts.get_by_role("link")).not_to_have_count(2)
    page.get_by_label("届出", exact=True).select_option("出生")
    page.get_by_label("時点").fill("2026-05-01")
    page.get_by_role("button", name="検索").click()
    expect(page.get_by_label("時点")).to_have_value("2026-05-01")
    expect(acts.locator("[aria-current]")).to_contain_text("出生")
    books = page.get_by_role("navigation", name="本で絞る")
    books.get_by_role("link").nth(1).click()
    expect(page).to_have_url(re.compile("act=.*as_of=2026-05-01|as_of=2026-05-01.*act="))


def test_the_glossarys_words_can_be_taken_out(page: Page, site: str) -> None:
    page.goto(f"{site}/?q={QUESTION}")
    settle(page)
    row = page.locator(".expansions li", has=page.locator(".term", has_text="名字")).first
    row.get_by_role("link", name=re.compile("外す")).click()
    expect(page.locator(".expansions .off")).to_contain_text("読み替えていません")


def test_a_passage_is_copied_with_its_citation_where_the_clipboard_is_closed(
    page: Page, context: BrowserContext, site: str
) -> None:
    # Browsers open their clipboard to secure pages only; plain http in an office is none.
    page.add_init_script("Object.defineProperty(navigator, 'clipboard', { get: () => undefined })")
    page.goto(f"{site}/?q={QUESTION}")
    page.evaluate(
        "document.addEventListener('copy', () => { window.copied = document.activeElement.value })"
    )
    page.locator("#p1").get_by_role("button", name="引用付きで写す").click()
    expect(page.locator("[data-said]")).to_contain_text("写しました")
    assert re.search(r"（『.+』 .+）$", page.evaluate("window.copied"))


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("/?q=", "質問が空です"),
        ("/?q=" + "戸籍" * 2000, "長すぎます"),
        ("/?q=戸籍&as_of=きのう", "日付"),
        ("/?q=戸籍&book=nothing", "この書棚にありません"),
        ("/?q=戸籍&shown=many", "使えません"),
        ("/books/unknown/pages/0", "この書棚にありません"),
        ("/books/unknown/pages/x", "使えません"),
        ("/nowhere", "ページはありません"),
    ],
)
def test_what_cannot_be_used_is_named_with_the_next_step(
    page: Page, site: str, address: str, words: str
) -> None:
    page.goto(site + address)
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text(words)
    assert alert.locator("p").count() == 2
