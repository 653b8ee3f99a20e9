"""Answering over HTTP: what every view does alike, so that a view is a function of what it is asked."""

import inspect
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Generic, NamedTuple, TypeVar
from urllib.parse import urlencode

import orjson
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from shared.http.access import Answer, ScopedRoute
from shared.http.problem import Kind, Problem
from shared.http.query import Query
from shared.http.tabular import write_csv

JSON, CSV, NDJSON = "application/json", "text/csv", "application/x-ndjson"
CSV_FORMATS = ("json", "csv")

Source = TypeVar("Source")


class Described(BaseModel):
    """Part of an answer: it has these fields and no other."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


def unasked() -> Any:
    """Stand for a field that is left out where it is not asked for: a default would be told."""
    return Field(default_factory=str)


class About(NamedTuple):
    """What is to be known of a route by whoever asks it."""

    summary: str
    description: str
    query: type[Query]
    says: type[BaseModel] | None  # None: a text
    media_type: str = JSON
    rows: bool = False  # also as CSV
    tagged: bool = False  # with an ETag
    problems: Sequence[Kind] = ()
    also: Mapping[int, str] = {}  # other statuses with such an answer, and what they say


class DescribedRoute(ScopedRoute):
    """A route that is described to whoever asks for `/openapi.json`."""

    def __init__(self, path: str, answer: Answer, *, scope: str, about: About) -> None:
        super().__init__(path, answer, scope=scope)
        self.about = about


@dataclass(frozen=True)
class View(Generic[Source]):
    """What a path answers: a function of a source and of what is asked. Its docstring describes it to whoever asks.

    It returns what is told in JSON, or a response of its own. With `rows` it is told as CSV, too: the rows alone.
    """

    path: str
    answer: Callable[[Source, Any], Awaitable[Any]]
    query: type[Query]
    says: type[BaseModel] | None
    problems: Sequence[Kind] = ()
    media_type: str = JSON

    @property
    def about(self) -> About:
        """What is to be known of it."""
        summary, _, description = (inspect.getdoc(self.answer) or "").partition("\n\n")
        rows = "format" in self.query.parameters()
        return About(
            summary, description, self.query, self.says, self.media_type, rows, tagged=True, problems=self.problems
        )


def serve(
    view: View[Source],
    find: Callable[[Any], Awaitable[Source]],
    stand: Callable[[Source], object],
    *,
    scope: str,
) -> DescribedRoute:
    """Return the route of a view over the source that `find` returns for a query.

    `stand` says where the source stands: as long as that is the same, so is the answer to the same query.
    """
    about, seal = view.about, secrets.token_bytes(8)  # another start may have other settings, or another version

    async def answer(request: Request) -> Response:
        try:
            query = view.query.read([*request.path_params.items(), *request.query_params.multi_items()])
            as_csv = about.rows and _wants_csv(request, query)
            source = await find(query)
            headers = {"ETag": _tag(seal, request, stand(source), as_csv), "Cache-Control": "private, no-cache"}
            if about.rows:
                headers["Vary"] = "Accept"
            if _is_known(request, headers["ETag"]):
                return Response(status_code=304, headers=headers)
            told = await view.answer(source, query)
        except Problem as why:
            return why.answer(request)
        if isinstance(told, Response):
            told.headers.update(headers)
            return told
        if isinstance(told, dict) and told.get("next") is not None:
            headers["Link"] = f'<{_next_page(request, view.query, told["next"])}>; rel="next"'
        if as_csv:
            rows = told["rows"] if isinstance(told, dict) else told
            return Response(write_csv(rows), headers=headers, media_type=CSV)
        return Response(orjson.dumps(told), headers=headers, media_type=JSON)

    return DescribedRoute(view.path, answer, scope=scope, about=about)


def _wants_csv(request: Request, query: Query) -> bool:
    asked: str | None = getattr(query, "format")  # noqa: B009 (only the query of a view with rows has it)
    if asked is not None:
        return asked == "csv"
    accepted = {}
    for part in request.headers.get("accept", "").split(","):
        media_type, _, weight = part.partition(";")
        try:
            accepted[media_type.strip().lower()] = float(weight.strip().removeprefix("q=") or 1)
        except ValueError:
            continue
    return accepted.get(CSV, 0) > max(accepted.get(JSON, 0), accepted.get("application/*", 0))


def _tag(seal: bytes, request: Request, standing: object, as_csv: bool) -> str:
    """Return the weak ETag of an answer: two of the same page may differ by the batch that came while it was made."""
    asked = [seal, request.url.path.encode(), request.scope["query_string"], repr((standing, as_csv)).encode()]
    return f'W/"{blake2b(b" ".join(asked), digest_size=12).hexdigest()}"'


def _is_known(request: Request, tag: str) -> bool:
    """Whether who asks has this answer already (If-None-Match of RFC 9110, compared weakly)."""
    known = [each.strip() for each in request.headers.get("if-none-match", "").split(",")]
    return "*" in known or tag in known or tag.removeprefix("W/") in known


def _next_page(request: Request, query: type[Query], begin: str | int) -> str:
    """Return the page behind this one, relative to the service."""
    turned = "after" if "after" in query.parameters() else "offset"
    kept = [(name, value) for name, value in request.query_params.multi_items() if name != turned]
    return f"{request.url.path}?{urlencode([*kept, (turned, begin)])}"
