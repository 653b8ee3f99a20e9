"""Views over HTTP: query, ETag, CSV and paging, so that a view itself is a function of a source and a query."""

import inspect
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Generic, NamedTuple, TypeVar
from urllib.parse import urlencode

import orjson
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from shared.http.access import Endpoint, ScopedRoute
from shared.http.problem import Kind, Problem, path_of
from shared.http.query import Query
from shared.http.tabular import write_csv

JSON, CSV, NDJSON = "application/json", "text/csv", "application/x-ndjson"
CSV_FORMATS = ("json", "csv")

Source = TypeVar("Source")


class Described(BaseModel):
    """Part of an answer, with these fields and no other."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


def optional_field() -> Any:
    """Return a field that an answer may lack; the schema of one with a plain default would show the default."""
    return Field(default_factory=str)


class RouteDoc(NamedTuple):
    """Documentation of a route: the source of its part of the OpenAPI document."""

    summary: str
    description: str
    query: type[Query]
    model: type[BaseModel] | None  # of the answer; None: a text
    media_type: str = JSON
    rows: bool = False  # also as CSV
    tagged: bool = False  # with an ETag
    problems: Sequence[Kind] = ()
    also: Mapping[int, str] = {}  # other statuses with such an answer, and their meaning
    body: str = ""  # the CloudEvents, one a line, that a POST takes; empty: it is a GET

    @property
    def method(self) -> str:
        """The method of the route."""
        return "POST" if self.body else "GET"


class DescribedRoute(ScopedRoute):
    """A route that the OpenAPI document describes."""

    def __init__(
        self, path: str, endpoint: Endpoint, *, scope: str, doc: RouteDoc, publishers_of: str | None = None
    ) -> None:
        super().__init__(path, endpoint, scope=scope, methods=[doc.method], publishers_of=publishers_of)
        self.doc = doc


@dataclass(frozen=True)
class View(Generic[Source]):
    """The answer at a path: a function of a source and a query. Its docstring documents the route.

    The function returns the content of a JSON answer, or a response of its own. Where the query has a `format`, the
    rows alone are served as CSV, too.
    """

    path: str
    answer: Callable[[Source, Any], Awaitable[Any]]
    query: type[Query]
    model: type[BaseModel] | None
    problems: Sequence[Kind] = ()
    media_type: str = JSON

    @property
    def doc(self) -> RouteDoc:
        """The documentation of its route."""
        summary, _, description = (inspect.getdoc(self.answer) or "").partition("\n\n")
        rows = "format" in self.query.parameters()
        return RouteDoc(
            summary, description, self.query, self.model, self.media_type, rows, tagged=True, problems=self.problems
        )


def serve(
    view: View[Source],
    find: Callable[[Any], AbstractAsyncContextManager[Source]],
    version_of: Callable[[Source], object],
    *,
    scope: str,
    publishers_of: str | None = None,
) -> DescribedRoute:
    """Return the route of a view over the source that `find` opens for a query, and closes once it is answered.

    While `version_of` a source is the same, so is the answer to the same query: the ETag is made of both.
    """
    doc, seal = view.doc, secrets.token_bytes(8)  # another start may have other settings, or another version

    async def answer(request: Request) -> Response:
        try:
            query = view.query.read([*request.path_params.items(), *request.query_params.multi_items()])
            as_csv = doc.rows and _wants_csv(request, query)
            async with find(query) as source:
                tag = _tag(seal, request, version_of(source), as_csv)
                headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
                if doc.rows:
                    headers["Vary"] = "Accept"
                if _is_current(request, tag):
                    return Response(status_code=304, headers=headers)
                content = await view.answer(source, query)
        except Problem as why:
            return why.answer(request)
        if isinstance(content, Response):
            content.headers.update(headers)
            return content
        if isinstance(content, dict) and content.get("next") is not None:
            headers["Link"] = f'<{_next_page(request, view.query, content["next"])}>; rel="next"'
        if as_csv:
            rows = content["rows"] if isinstance(content, dict) else content
            return Response(write_csv(rows), headers=headers, media_type=CSV)
        return Response(orjson.dumps(content), headers=headers, media_type=JSON)

    return DescribedRoute(view.path, answer, scope=scope, doc=doc, publishers_of=publishers_of)


def _wants_csv(request: Request, query: Query) -> bool:
    chosen: str | None = getattr(query, "format")  # noqa: B009 (only the query of a view with rows has it)
    if chosen is not None:
        return chosen == "csv"
    accepted = {}
    for part in request.headers.get("accept", "").split(","):
        media_type, _, weight = part.partition(";")
        try:
            accepted[media_type.strip().lower()] = float(weight.strip().removeprefix("q=") or 1)
        except ValueError:
            continue
    return accepted.get(CSV, 0) > max(accepted.get(JSON, 0), accepted.get("application/*", 0))


def _tag(seal: bytes, request: Request, version: object, as_csv: bool) -> str:
    """Return the ETag of an answer; a weak one, as a batch may arrive while the answer is made."""
    parts = [seal, path_of(request).encode(), request.scope["query_string"], repr((version, as_csv)).encode()]
    return f'W/"{blake2b(b" ".join(parts), digest_size=12).hexdigest()}"'


def _is_current(request: Request, tag: str) -> bool:
    """Return whether the client has this answer already (If-None-Match of RFC 9110, compared weakly)."""
    tags = [each.strip() for line in request.headers.getlist("if-none-match") for each in line.split(",")]
    return "*" in tags or tag in tags or tag.removeprefix("W/") in tags


def _next_page(request: Request, query: type[Query], begin: str | int) -> str:
    """Return the URL of the next page, relative to the service."""
    turned = "after" if "after" in query.parameters() else "offset"
    kept = [(name, value) for name, value in request.query_params.multi_items() if name != turned]
    return f"{path_of(request)}?{urlencode([*kept, (turned, begin)])}"
