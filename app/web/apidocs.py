"""The description of the REST interface as a page, made from the service's own schema."""

from __future__ import annotations

import json
from typing import Any

from fastapi import APIRouter, Request, Response

from app.web.view import View

_EXAMPLE_WORDS = {
    "q": "離婚しても今の名字を使い続けたい",
    "query": "離婚しても今の名字を使い続けたい",
    "k": "5",
    "content": "離婚しても今の名字を使い続けたい",
    "role": "user",
    "as_of": "2026-04-01",
}


def router(view: View) -> APIRouter:
    """The page /docs."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/docs")
    def docs(request: Request) -> Response:
        schema: dict[str, Any] = request.app.openapi()
        base = str(request.base_url).rstrip("/")
        return view.page(
            request,
            "docs.html",
            info=schema["info"],
            operations=operations(schema, base),
            schemas=shapes(schema),
        )

    return routes


def operations(schema: dict[str, Any], base: str) -> list[dict[str, Any]]:
    """Every operation with its parameters, the shape of its body and answer, and a curl example."""
    found = []
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            body = _content(operation.get("requestBody", {}))
            answer = _content(operation["responses"].get("200", {}))
            found.append(
                {
                    "method": method.upper(),
                    "path": path,
                    "id": operation["operationId"],
                    "summary": operation.get("summary", ""),
                    "description": operation.get("description", ""),
                    "parameters": [_parameter(item) for item in operation.get("parameters", [])],
                    "body": _type(body) if body else "",
                    "answer": _type(answer) if answer else "",
                    "errors": [
                        (status, response.get("description", ""))
                        for status, response in operation["responses"].items()
                        if status != "200"
                    ],
                    "example": _example(base, method, path, operation, body, schema),
                    "answer_example": _answer_example(answer, schema),
                }
            )
    return found


def shapes(schema: dict[str, Any]) -> list[dict[str, Any]]:
    """Every named shape with its fields."""
    return [
        {
            "name": name,
            "description": shape.get("description", ""),
            "fields": [
                {
                    "name": field,
                    "type": _type(value),
                    "description": value.get("description", ""),
                    "required": field in shape.get("required", []),
                }
                for field, value in shape.get("properties", {}).items()
            ],
        }
        for name, shape in schema.get("components", {}).get("schemas", {}).items()
    ]


def _parameter(item: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": item["name"],
        "where": {"query": "クエリ", "path": "パス", "header": "ヘッダー"}[item["in"]],
        "type": _type(item["schema"]),
        "required": item.get("required", False),
        "default": item["schema"].get("default", ""),
        "description": item.get("description", ""),
    }


def _content(part: dict[str, Any]) -> dict[str, Any]:
    for media in part.get("content", {}).values():
        shape: dict[str, Any] = media.get("schema", {})
        return shape
    return {}


def _type(shape: dict[str, Any]) -> str:
    if "$ref" in shape:
        return str(shape["$ref"]).rsplit("/", 1)[-1]
    if "anyOf" in shape:
        return " | ".join(_type(part) for part in shape["anyOf"])
    if shape.get("type") == "array":
        return f"{_type(shape.get('items', {}))} の配列"
    names = {
        "string": "文字列",
        "integer": "整数",
        "number": "数値",
        "boolean": "真偽",
        "null": "null",
        "object": "オブジェクト",
    }
    return names.get(str(shape.get("type", "")), "任意")


def _example(
    base: str,
    method: str,
    path: str,
    operation: dict[str, Any],
    body: dict[str, Any],
    schema: dict[str, Any],
) -> str:
    if method == "get":
        wanted = [
            item
            for item in operation.get("parameters", [])
            if item["in"] == "query" and item.get("required")
        ]
        given = "".join(
            f" --data-urlencode '{item['name']}={_EXAMPLE_WORDS.get(item['name'], '値')}'"
            for item in wanted
        )
        return f"curl{' --get' if given else ''} {base}{path}{given}"
    text = json.dumps(_sample("", body, schema), ensure_ascii=False)
    sent = f" -H 'Content-Type: application/json' -d '{text}'" if body else ""
    return f"curl -X {method.upper()} {base}{path}{sent}"


def _answer_example(answer: dict[str, Any], schema: dict[str, Any]) -> str:
    shape = schema["components"]["schemas"].get(_type(answer), {})
    examples = shape.get("examples")
    return json.dumps(examples[0], ensure_ascii=False, indent=2) if examples else ""


def _sample(name: str, shape: dict[str, Any], schema: dict[str, Any]) -> Any:
    """A value of a shape: its own example, else what is required of it."""
    if "$ref" in shape:
        shape = schema["components"]["schemas"][_type(shape)]
    if examples := shape.get("examples"):
        return examples[0]
    if "anyOf" in shape:
        return _sample(name, shape["anyOf"][0], schema)
    if "default" in shape:
        return shape["default"]
    kind = shape.get("type")
    if kind == "array":
        return [_sample(name, shape.get("items", {}), schema)]
    if kind == "object":
        fields = shape.get("properties", {})
        given = [name for name in fields if name in shape.get("required", []) or name == "content"]
        return {field: _sample(field, fields[field], schema) for field in given}
    if kind in ("integer", "number"):
        return 1
    if kind == "boolean":
        return False
    choices = shape.get("enum") or [shape.get("const") or _EXAMPLE_WORDS.get(name, "値")]
    return choices[0]
