"""The reference page of the HTTP API, docs/api.md, made of the services' OpenAPI documents."""

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from services.operator.contracts.markdown import json_block, prose, table
from shared.http.answering import JSON
from shared.http.problem import KINDS

_EXAMPLE_LINES_MAX = 60

_INTRODUCTION = """\
# The HTTP API

<!-- Written by `make contracts` from the description of each route: change that, not this page. -->

The aggregator answers a planner's questions, the ledger an auditor's. Each serves this description as
`GET /openapi.json` (OpenAPI 3.1), with the same examples, which are real answers over the tape in tests/replay. All
reading is `GET`; parties take events in (docs/events.md). The two `POST` take events as well, and keep nothing of them:
they answer what the events would do.

- **Access.** Where tokens are used, send `Authorization: Bearer <token>`: scope `read` at the aggregator and for
  the ledger's `/lines` and `/days`, `audit` for all else of the ledger (docs/deployment.md). `/health` is open.
- **Parameters** are checked strictly: a parameter that is unknown, given twice or malformed is refused, and named.
- **As of** is a day of knowledge. Every view of the aggregator takes `as_of=1234`, to answer from the batches up to
  that one, or `as_of=2026-12-31`, from those recorded by the end of that UTC day. The days of the numbers are others:
  `day` of `/balances` and `/bridge` is the day of the balance, and `today` the day on which the plan begins, after the
  last day that was complete then. The first query for a past state waits until the aggregator has folded it from the
  ledger; the aggregator keeps the last few past states.
- **One position.** An answer is of the batch `position`, whose chain head is `head`.
- **Pages.** `next` is the value of `after` (or `offset`) for the next page, null on the last. The header
  `Link: <...>; rel="next"` has the whole address.
- **ETags.** Each answer has an `ETag`, which follows from the position of the state, the position of the plan, and the
  query. Send it as `If-None-Match`: while nothing has changed, the answer is `304` without a body, and costs next to
  nothing.
- **CSV.** A view with rows answers CSV to `format=csv` or `Accept: text/csv`: RFC 4180, a header, nested fields named
  with dots, lists as JSON, an apostrophe before a text that a spreadsheet would take for a formula. It holds the rows
  alone: the next page is in `Link`.
- **Errors** are problem details (RFC 9457), `application/problem+json`; see [below](#problems)."""

_PROBLEMS = """\
## Problems

`type` names one of these, and never changes; `detail` names the fault and the remedy, `instance` the query, `parameter`
the parameter at fault. A `type` is relative to the service."""


def api_page(documents: Mapping[str, dict[str, Any]]) -> str:
    """Return the page of some services' documents, by the service's name."""
    parts = [_INTRODUCTION]
    for name, document in documents.items():
        parts.append(f"## The {name}")
        for path, methods in document["paths"].items():
            for method, operation in methods.items():
                parts += _operation(method.upper(), path, operation, document["components"]["schemas"])
    problems = ((f"`{kind.type}`", str(kind.status), kind.title, kind.remedy) for kind in KINDS)
    return "\n\n".join([*parts, _PROBLEMS, table(("type", "status", "meaning", "what to do"), problems)]) + "\n"


def _operation(method: str, path: str, operation: dict[str, Any], schemas: dict[str, Any]) -> Iterator[str]:
    yield f"### `{method} {path}`"
    yield prose(" ".join(filter(None, (operation["summary"], operation["description"]))))
    parameters = [each for each in operation["parameters"] if each["in"] != "header"]
    if parameters:
        yield table(("parameter", "allowed", "default", "meaning"), map(_parameter_row, parameters))
    if "requestBody" in operation:
        yield prose(f"Body: {operation['requestBody']['description']}")
    content = operation["responses"]["200"]["content"].get(JSON, {})
    fields = [(f"`{field}`", meaning) for field, meaning in _fields(content.get("schema", {}), schemas)]
    if fields:
        yield table(("field", "meaning"), fields)
    for query, example in content.get("examples", {}).items():
        yield f"`GET {query}`"
        yield json_block(example["value"], _EXAMPLE_LINES_MAX)


def _fields(schema: dict[str, Any], schemas: dict[str, Any], before: str = "") -> Iterator[tuple[str, str]]:
    """Yield the fields of an answer that have a description, with it."""
    for choice in schema.get("anyOf", [schema]):
        if "items" in choice:
            yield from _fields(choice["items"], schemas, f"{before.rstrip('.')}[].")
            continue
        named = schemas[choice["$ref"].rpartition("/")[2]] if "$ref" in choice else choice
        for name, field in named.get("properties", {}).items():
            if "description" in field:
                yield before + name, field["description"]
            yield from _fields(field, schemas, f"{before}{name}.")


def _parameter_row(parameter: dict[str, Any]) -> tuple[str, ...]:
    schema = parameter["schema"]
    default = f"`{_text(schema['default'])}`" if "default" in schema else ("required" if parameter["required"] else "")
    return f"`{parameter['name']}`", _allowed(schema), default, parameter["description"]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _allowed(schema: dict[str, Any]) -> str:
    if "anyOf" in schema:
        return "a position, or a day"
    if schema["type"] == "array":
        return f"some of {_allowed(schema['items'])}, with commas"
    if "enum" in schema:
        return ", ".join(f"`{_text(each)}`" for each in schema["enum"])
    if schema["type"] == "integer":
        return f"{schema['minimum']} to {schema['maximum']}"
    if schema["type"] == "boolean":
        return "`false`, `true`"
    return {"date": "YYYY-MM-DD"}.get(schema.get("format", ""), "a text" if "pattern" not in schema else "as described")
