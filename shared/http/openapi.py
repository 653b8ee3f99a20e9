"""OpenAPI 3.1 document of a service, made of the documentation of its routes."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING
from http import HTTPStatus
from typing import Any

from pydantic.json_schema import models_json_schema

from shared.http.access import OPEN
from shared.http.answering import CSV, JSON, NDJSON, DescribedRoute, RouteDoc
from shared.http.problem import BAD_PARAMETER, FAILED, KINDS, LACKS_SCOPE, NO_TOKEN, UNKNOWN_TOKEN, Kind
from shared.http.query import Parameter

VERSION = "1"
_REFERENCE = "#/components/schemas/{model}"
_ETAG = {
    "description": "The answer's version. Sent back as `If-None-Match`, it gives 304 while the answer is the same.",
    "schema": {"type": "string"},
}
_LINK = {"description": '`<...>; rel="next"`: the next page, where there is one.', "schema": {"type": "string"}}
_PROBLEM: dict[str, Any] = {
    "type": "object",
    "description": "The reason for an error (RFC 9457).",
    "properties": {
        "type": {"type": "string", "enum": [kind.type for kind in KINDS]},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "The fault, and its remedy."},
        "instance": {"type": "string", "description": "The path and query of the request."},
        "parameter": {"type": "string", "description": "The invalid parameter."},
    },
    "required": ["type", "title", "status", "detail", "instance"],
    "additionalProperties": False,
}

Examples = Mapping[str, Mapping[str, Any]]
"""Answers by query, by the path of a route."""


def describe(name: str, routes: Iterable[DescribedRoute], examples: Examples) -> dict[str, Any]:
    """Return the document of a service's routes."""
    described = sorted(routes, key=lambda route: route.path)
    models_used = dict.fromkeys(route.doc.model for route in described if route.doc.model is not None)
    references, schemas = models_json_schema([(model, "validation") for model in models_used], ref_template=_REFERENCE)
    models = schemas.get("$defs", {})
    # a model is published by its title: that of its class, unless the class sets another
    titles = {_REFERENCE.format(model=key): _REFERENCE.format(model=model["title"]) for key, model in models.items()}
    assert len(set(titles.values())) == len(titles), "two models are published by one title"
    of: dict[Any, Any] = {model: _plain(reference, titles) for (model, _), reference in references.items()}
    return {
        "openapi": "3.1.0",
        "info": {"title": f"Waferline: {name}", "version": VERSION, "summary": "All wafers are WSE, all days UTC."},
        "paths": {
            plain_path(route): {route.doc.method.lower(): _operation(route, of, examples)} for route in described
        },
        "components": {
            "schemas": {"Problem": _PROBLEM} | {model["title"]: _plain(model, titles) for model in models.values()},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def plain_path(route: DescribedRoute) -> str:
    """Return the path of a route as OpenAPI writes it."""
    return re.sub(r"\{(\w+):\w+\}", r"{\1}", route.path)


def _plain(schema: Any, titles: Mapping[str, str]) -> Any:
    """Return a schema without titles, its references by the published names."""
    if isinstance(schema, dict):
        return {
            key: titles[value] if key == "$ref" else _plain(value, titles)
            for key, value in schema.items()
            if key != "title" or not isinstance(value, str)
        }
    return [_plain(each, titles) for each in schema] if isinstance(schema, list) else schema


def _operation(route: DescribedRoute, of: Mapping[Any, Any], examples: Examples) -> dict[str, Any]:
    doc, path = route.doc, plain_path(route)
    in_path = re.findall(r"\{(\w+)\}", path)
    parameters = [_parameter(each, each.name in in_path) for each in doc.query.parameters().values()]
    if doc.tagged:
        parameters.append({"name": "If-None-Match", "in": "header", "schema": {"type": "string"}})
    body = {"description": doc.body, "required": True, "content": {NDJSON: {"schema": {"type": "string"}}}}
    return {
        "operationId": re.sub(r"\W+", "_", path).strip("_"),
        "summary": doc.summary,
        "description": " ".join(doc.description.split()),
        "security": [{}, {"token": []}] if route.scope == OPEN else [{"token": []}],
        "parameters": parameters,
        **({"requestBody": body} if doc.body else {}),
        "responses": _answers(doc, of, examples.get(path, {})) | _problems(_kinds(route.scope, doc)),
    }


def _parameter(each: Parameter, in_path: bool) -> dict[str, Any]:
    schema = each.form.schema()
    if each.default not in (MISSING, None, ()):
        schema["default"] = each.default
    written = {"style": "form", "explode": False} if schema.get("type") == "array" else {}
    required = in_path or each.default is MISSING
    return {
        "name": each.name,
        "in": "path" if in_path else "query",
        "required": required,
        "description": each.meaning,
        **written,
        "schema": schema,
    }


def _answers(doc: RouteDoc, of: Mapping[Any, Any], examples: Mapping[str, Any]) -> dict[str, Any]:
    schema = {"type": "string"} if doc.model is None else of[doc.model]
    content: dict[str, Any] = {doc.media_type: {"schema": schema}}
    if examples and doc.media_type == JSON:
        content[JSON]["examples"] = {query: {"value": answer} for query, answer in examples.items()}
    if doc.rows:
        content[CSV] = {"schema": {"type": "string", "description": "The rows: a header, then a line for each."}}
    answer: dict[str, Any] = {"description": "The answer.", "content": content}
    headers: dict[str, Any] = {"ETag": _ETAG} if doc.tagged else {}
    if "after" in doc.query.parameters() or "offset" in doc.query.parameters():
        headers["Link"] = _LINK
    if headers:
        answer["headers"] = headers
    answers = {"200": answer} | {
        str(status): {"description": meaning, "content": content} for status, meaning in doc.also.items()
    }
    if doc.tagged:
        answers["304"] = {"description": "The answer is still the version that `If-None-Match` names."}
    return answers


def _kinds(scope: str, doc: RouteDoc) -> Sequence[Kind]:
    of_tokens = () if scope == OPEN else (NO_TOKEN, UNKNOWN_TOKEN, LACKS_SCOPE)
    of_parameters = (BAD_PARAMETER,) if doc.query.parameters() else ()
    return (*of_parameters, *of_tokens, *doc.problems, FAILED)


def _problems(kinds: Sequence[Kind]) -> dict[str, Any]:
    answers = {}
    for status in sorted({kind.status for kind in kinds}):
        names = [f"`{kind.type}`: {kind.title}" for kind in kinds if kind.status == status]
        answers[str(status)] = {
            "description": f"{HTTPStatus(status).phrase}. {'; '.join(names)}.",
            "content": {"application/problem+json": {"schema": {"$ref": _REFERENCE.format(model="Problem")}}},
        }
    return answers
