from __future__ import annotations

from pathlib import Path

from fastapi.testclient import TestClient
from lxml import html

from app.core.settings import Settings
from app.main import Shiori, application


def test_books_that_disagree_stand_side_by_side_with_edition_and_date(tmp_path: Path) -> None:
    old = tmp_path / "旧版.md"
    new = tmp_path / "新版.md"
    old.write_text(
        "---\ntitle: 届出の手引\nedition: 初版\npublished: 2010-04\nas_of: 2010-04-01\n---\n\n"
        "# 出生\n\n## 出生届の期間\n\n出生の届出は、出生の日から十日以内にしなければならない。\n",
        "utf-8",
    )
    new.write_text(
        "---\ntitle: 窓口の実務\nedition: 第2版\npublished: 2025-04\nas_of: 2025-04-01\n---\n\n"
        "# 出生\n\n## 出生届の期間\n\n出生の届出は、出生の日から十四日以内にしなければならない。\n",
        "utf-8",
    )
    with Shiori(Settings(data_dir=tmp_path / "data")) as product:
        product.add([old, new])
        with TestClient(application(product, "token"), base_url="http://127.0.0.1:8000") as client:
            page = html.fromstring(client.get("/", params={"q": "出生の届出は何日以内か"}).text)
    [sides] = page.xpath("//section[@class='differing']//ul[@class='sides']")
    shown = {" ".join(side.text_content().split()) for side in sides}
    assert any("初版" in side and "2010年4月1日" in side and "十日以内" in side for side in shown)
    assert any("第2版" in side and "2025年4月1日" in side and "十四日" in side for side in shown)
    assert not any("書いてあることが違います" in text for text in page.xpath("//p//text()"))
    assert len(page.xpath("//section[@class='differing']//a[@data-open]")) == 2
