"""What every view does alike: not again what one has, pages, CSV, and an error in one form whatever went wrong."""

import csv
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from io import StringIO
from typing import Annotated, Any

import httpx
import pytest
from starlette.applications import Starlette

from shared.http.access import OPEN, ScopedRoute
from shared.http.answering import CSV_FORMATS, View, serve
from shared.http.openapi import describe
from shared.http.query import Choice, Query, Text, Whole
from shared.http.tabular import write_csv
from shared.process.settings import ServiceSettings
from shared.service.service import Service


@dataclass(frozen=True, kw_only=True)
class AskRows(Query):
    """The parameters of /rows."""

    after: Annotated[str | None, Text(), "The page behind."] = None
    limit: Annotated[int, Whole(1, 10), "Rows."] = 2
    format: Annotated[str | None, Choice(CSV_FORMATS), "csv"] = None


class Sequence:
    """A source of rows that stands somewhere."""

    def __init__(self) -> None:
        self.position, self.made = 1, 0


async def _rows(sequence: Sequence, query: AskRows) -> dict[str, Any]:
    """Some rows."""
    sequence.made += 1
    first = 1 + int(query.after or 0)
    rows = [{"n": n, "of": {"name": "=1+1", "none": None}} for n in range(first, min(6, first + query.limit))]
    return {"rows": rows, "next": str(rows[-1]["n"]) if first + query.limit < 6 else None}


@pytest.fixture
def sequence() -> Sequence:
    return Sequence()


@pytest.fixture
def client(sequence: Sequence) -> httpx.AsyncClient:
    @asynccontextmanager
    async def find(_: AskRows) -> AsyncIterator[Sequence]:
        yield sequence

    route = serve(View("/rows", _rows, AskRows, None), find, lambda source: source.position, scope=OPEN)
    transport = httpx.ASGITransport(Starlette(routes=[route]))
    return httpx.AsyncClient(transport=transport, base_url="http://service")


async def test_what_one_has_is_not_made_again_until_it_may_be_other(
    client: httpx.AsyncClient, sequence: Sequence
) -> None:
    first = await client.get("/rows")
    known = {"If-None-Match": f'"other", {first.headers["etag"]}'}

    again = await client.get("/rows", headers=known)
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
    assert sequence.made == 1
    for other in ("/rows?limit=3", "/rows?format=csv"):
        assert (await client.get(other, headers=known)).status_code == 200
    assert (await client.get("/rows", headers={**known, "Accept": "text/csv"})).status_code == 200
    sequence.position += 1
    assert (await client.get("/rows", headers=known)).status_code == 200


GARBAGE = [
    "",
    '""',
    '"*"',
    "W/",
    'W/"',
    "garbage",
    "," * 8_000,
    ", ".join(f'"{n}"' for n in range(5_000)),
    '"' * 60_000,
]


@pytest.mark.parametrize("garbage", GARBAGE, ids=range(len(GARBAGE)))
async def test_tags_of_nothing_known_are_answered_in_full_and_beside_the_right_one_ignored(
    client: httpx.AsyncClient, garbage: str
) -> None:
    tag = (await client.get("/rows")).headers["etag"]

    assert (await client.get("/rows", headers={"If-None-Match": garbage})).status_code == 200
    beside = [("If-None-Match", garbage), ("If-None-Match", tag)]  # two fields are one list
    assert (await client.get("/rows", headers=beside)).status_code == 304
    ignored = {"Range": "bytes=0-0", "If-Match": garbage, "If-Range": tag, "If-Modified-Since": garbage}
    assert (await client.get("/rows", headers=ignored)).status_code == 200
    assert (await client.head("/rows", headers={"If-None-Match": tag})).status_code == 304


async def test_the_links_of_the_pages_lead_through_all_of_them(client: httpx.AsyncClient) -> None:
    link, found = "/rows?limit=2", []
    while link:
        page = await client.get(link, headers={"Accept": "text/csv"})
        found += [int(row["n"]) for row in csv.DictReader(StringIO(page.text))]
        link = page.links.get("next", {}).get("url", "")

    assert found == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("text/csv", "text/csv"),
        ("text/csv, application/json;q=0.5", "text/csv"),
        ("text/csv;q=0.5, application/json", "application/json"),
        ("text/csv;q=, application/json", "application/json"),
        ("text/html, */*", "application/json"),
        ("nonsense;;q=x", "application/json"),
    ],
)
async def test_who_prefers_csv_gets_it(client: httpx.AsyncClient, accept: str, media_type: str) -> None:
    answer = await client.get("/rows", headers={"Accept": accept})

    assert answer.headers["content-type"].partition(";")[0] == media_type
    assert answer.headers["vary"] == "Accept"
    assert (await client.get("/rows?format=json", headers={"Accept": accept})).json()["next"] == "2"


def test_csv_is_read_back_as_it_was_told_and_carries_nothing_out() -> None:
    rows = [
        {"name": 'a "b", c\r\nd', "on": None, "gap": -3, "share": 0.5, "is": True, "pegs": [{"n": 1}], "empty": {}},
        {"name": "=HYPERLINK(1)", "on": {"left": 1, "deep": {"er": "+2"}}, "gap": 0},
    ]

    text = write_csv(rows)

    assert text.splitlines()[0] == "name,gap,share,is,pegs,empty,on.left,on.deep.er"
    assert text.endswith("\r\n")
    first, second = csv.DictReader(StringIO(text, newline=""))
    assert first == {
        "name": 'a "b", c\r\nd', "gap": "-3", "share": "0.5", "is": "true", "pegs": '[{"n":1}]', "empty": "",
        "on.left": "", "on.deep.er": "",
    }  # fmt: skip
    assert (second["name"], second["on.deep.er"]) == ("'=HYPERLINK(1)", "'+2")
    assert write_csv([], ["a", "b"]) == "a,b\r\n"


class Broken(Service):
    """A service with a bug."""

    def __init__(self) -> None:
        super().__init__("broken", ServiceSettings())

        async def fail(_: object) -> Any:
            raise RuntimeError("a secret")

        self.routes.append(ScopedRoute("/broken", fail, scope=OPEN))


@pytest.mark.parametrize(
    ("method", "path", "status", "type_", "detail"),
    [
        ("GET", "/nowhere?x=1", 404, "no-such-path", "/openapi.json lists the paths"),
        ("DELETE", "/health", 405, "wrong-method", "DELETE is not allowed here; use GET, HEAD"),
        ("GET", "/broken", 500, "failed", "the log of the service has it"),
    ],
)
async def test_what_no_view_answers_is_a_problem_too(
    method: str, path: str, status: int, type_: str, detail: str
) -> None:
    transport = httpx.ASGITransport(Broken().web_app(), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
        answer = await client.request(method, path)

    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert answer.json() | {"detail": "", "title": ""} == {
        "type": f"/problems/{type_}", "title": "", "status": status, "detail": "", "instance": path,
    }  # fmt: skip
    assert detail in answer.json()["detail"]
    assert "secret" not in answer.text
    assert answer.headers.get("allow") == ("GET, HEAD" if status == 405 else None)


def test_a_parameter_is_described_as_it_is_checked() -> None:
    @asynccontextmanager
    async def find(_: AskRows) -> AsyncIterator[Sequence]:
        yield Sequence()

    route = serve(View("/rows", _rows, AskRows, None), find, lambda source: source.position, scope=OPEN)
    operation = describe("test", [route], {})["paths"]["/rows"]["get"]

    by_name = {each["name"]: each["schema"] for each in operation["parameters"] if each["in"] == "query"}
    assert by_name["limit"] == {"type": "integer", "minimum": 1, "maximum": 10, "default": 2}
    assert by_name["format"] == {"type": "string", "enum": ["json", "csv"]}
    assert operation["summary"] == "Some rows."
