"""The page of the HTTP API in Markdown, made of the documents that the services serve."""

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from shared.http.answering import JSON
from shared.http.problem import KINDS

_SHOWN_LINES_MAX = 60

_HEAD = """\
# The HTTP API

<!-- Written by `make contracts` from what each route says of itself: change that, not this page. -->

The aggregator answers what a planner asks, the ledger what an auditor asks. Each serves this description as
`GET /openapi.json` (OpenAPI 3.1), with the same examples, which were really answered over the tape in tests/replay. All
is read with `GET`; events are handed in at a party (docs/events.md).

- **Who may ask.** Where tokens are used, send `Authorization: Bearer <token>`: scope `read` at the aggregator, `audit`
  at the ledger (docs/deployment.md). `/health` is open.
- **Parameters** are checked strictly: one that is unknown, given twice or ill written is refused, and named.
- **As of then.** Every view of the aggregator takes `as_of=1234`, what was known after that batch, or
  `as_of=2026-12-31`, at the end of that UTC day. The first who asks for a past waits until it is folded from the
  ledger; the last few pasts are kept.
- **One position.** An answer is of the batch `position`, whose chain head is `head`.
- **Pages.** `next` is what to ask `after` (or `offset`) for the next page, null on the last. The header
  `Link: <...>; rel="next"` has it as a whole.
- **Not again what you have.** Each answer has an `ETag`, which follows from where the state and the plan stand and what
  was asked. Send it as `If-None-Match`: as long as all is as it was, the answer is `304` without a body, and costs next
  to nothing.
- **CSV.** A view with rows is told as CSV with `format=csv` or `Accept: text/csv`: RFC 4180, a header, nested fields
  named with dots, lists as JSON, a text that a spreadsheet would take for a formula with an apostrophe before it. The
  rows alone: the next page is in `Link`.
- **Errors** are problem details (RFC 9457), `application/problem+json`; see [below](#problems)."""

_PROBLEMS = """\
## Problems

`type` says which of these it is, and never changes; `detail` says what is wrong and what to do, `instance` what was
asked, `parameter` which parameter is wrong. A `type` is relative to the service.

| type | status | it means | what to do |
|---|---|---|---|"""


def api_page(documents: Mapping[str, dict[str, Any]]) -> str:
    """Return the page of some services' documents, by name."""
    parts = [_HEAD]
    for name, document in documents.items():
        parts.append(f"## The {name}")
        for path, methods in document["paths"].items():
            parts += _operation(path, methods["get"], document["components"]["schemas"])
    problems = [f"| `{kind.type}` | {kind.status} | {kind.title} | {kind.remedy} |" for kind in KINDS]
    return "\n\n".join([*parts, "\n".join([_PROBLEMS, *problems])]) + "\n"


def _operation(path: str, operation: dict[str, Any], schemas: dict[str, Any]) -> Iterator[str]:
    yield f"### `GET {path}`"
    yield " ".join(filter(None, (operation["summary"], operation["description"])))
    parameters = [each for each in operation["parameters"] if each["in"] != "header"]
    if parameters:
        yield "\n".join(["| parameter | allowed | default | meaning |", "|---|---|---|---|", *map(_row, parameters)])
    content = operation["responses"]["200"]["content"]
    told = [
        f"| `{field}` | {meaning} |" for field, meaning in _fields(content.get(JSON, {}).get("schema", {}), schemas)
    ]
    if told:
        yield "\n".join(["| field | meaning |", "|---|---|", *told])
    for question, example in content.get(JSON, {}).get("examples", {}).items():
        yield f"`GET {question}`"
        yield f"```json\n{_cut(example['value'])}\n```"


def _fields(schema: dict[str, Any], schemas: dict[str, Any], before: str = "") -> Iterator[tuple[str, str]]:
    """Yield the fields of an answer whose names do not say it all, with what they mean."""
    for choice in schema.get("anyOf", [schema]):
        if "items" in choice:
            yield from _fields(choice["items"], schemas, f"{before.rstrip('.')}[].")
            continue
        named = schemas[choice["$ref"].rpartition("/")[2]] if "$ref" in choice else choice
        for name, field in named.get("properties", {}).items():
            if "description" in field:
                yield before + name, field["description"]
            yield from _fields(field, schemas, f"{before}{name}.")


def _row(parameter: dict[str, Any]) -> str:
    schema = parameter["schema"]
    default = f"`{_said(schema['default'])}`" if "default" in schema else ("required" if parameter["required"] else "")
    return f"| `{parameter['name']}` | {_allowed(schema)} | {default} | {parameter['description']} |"


def _said(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _allowed(schema: dict[str, Any]) -> str:
    if "anyOf" in schema:
        return "a position, or a day"
    if schema["type"] == "array":
        return f"some of {_allowed(schema['items'])}, with commas"
    if "enum" in schema:
        return ", ".join(f"`{_said(each)}`" for each in schema["enum"])
    if schema["type"] == "integer":
        return f"{schema['minimum']} to {schema['maximum']}"
    if schema["type"] == "boolean":
        return "`false`, `true`"
    return {"date": "YYYY-MM-DD"}.get(schema.get("format", ""), "a text" if "pattern" not in schema else "as described")


def _cut(value: Any) -> str:
    """Return an example, of a long one its beginning."""
    lines = orjson.dumps(value, option=orjson.OPT_INDENT_2).decode().splitlines()
    return "\n".join(lines if len(lines) <= _SHOWN_LINES_MAX else [*lines[:_SHOWN_LINES_MAX], "..."])
