from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("mcp")

from app.api.mcp import ProductShelf, server
from app.main import Shiori

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")

QUESTION = "離婚後も結婚していたときの名字を名乗りたい"


def test_search_open_and_ask(product: Shiori) -> None:
    from mcp import Client

    async def run() -> tuple[list[str], Any, Any, Any, Any]:
        async with Client(server(ProductShelf(product))) as client:
            tools = [tool.name for tool in (await client.list_tools()).tools]
            found = await client.call_tool("search", {"query": QUESTION, "k": 2})
            id_ = found.structured_content["hits"][0]["passage_id"]
            opened = await client.call_tool("open_passage", {"passage_id": id_})
            asked = await client.call_tool("ask", {"query": QUESTION})
            bad = await client.call_tool("open_passage", {"passage_id": "none"})
            return tools, found, opened, asked, bad

    tools, found, opened, asked, bad = asyncio.run(run())
    assert tools == ["search", "open_passage", "ask"]
    assert len(found.structured_content["hits"]) == 2
    assert opened.structured_content["book"]["title"] == "窓口問答集"
    assert asked.structured_content["answered"]
    assert bad.is_error


def test_the_command_speaks_mcp(tmp_path: Path) -> None:
    from mcp import Client, StdioServerParameters, stdio_client

    environment = {**os.environ, "SHIORI_DATA_DIR": str(tmp_path)}
    started = StdioServerParameters(
        command=sys.executable,
        args=["-c", "from app.cli import main; main()", "mcp"],
        env=environment,
        cwd=Path(__file__).parents[2],
    )

    async def run() -> Any:
        async with Client(stdio_client(started)) as client:
            return await client.call_tool("search", {"query": "出生届"})

    assert asyncio.run(run()).structured_content["hits"] == []
