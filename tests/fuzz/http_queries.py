"""The oracle of HTTP queries: a query is read as its parameters say, or refused with the parameter named; no 500."""

import asyncio
import gzip
import json
import random
import re
from collections.abc import Iterable, Sequence
from dataclasses import MISSING
from datetime import date
from functools import cache
from itertools import islice
from typing import Any, NamedTuple
from urllib.parse import quote, unquote, urlencode

import structlog
from prometheus_client import CollectorRegistry
from starlette.datastructures import QueryParams

from services.aggregator.fold.curves import Curves
from services.aggregator.fold.state import FoldState
from services.aggregator.http import queries
from services.aggregator.http.routes import routes as aggregator_routes
from services.aggregator.http.routes import views as aggregator_views
from services.aggregator.live.view import LiveView
from services.console.http.address import Filters
from services.ledger.http.routes import views as ledger_views
from services.ledger.store.as_of import UnknownAsOf, batches_as_of, find_as_of
from shared.http.access import Access
from shared.http.problem import (
    BAD_PARAMETER,
    KINDS,
    NEVER_KNOWN,
    UNKNOWN_BATCH,
    UNKNOWN_EVENT,
    UNKNOWN_NAME,
    Problem,
)
from shared.http.query import Choice, Day, Form, Moment, Month, Parameter, Query, SomeOf, Text, Whole, Yes
from shared.process.log import Tally
from shared.process.settings import ServiceSettings
from shared.service.web import build_web_app
from testing.fold import Horizon
from testing.played import Played, play
from tests.fuzz.mutation import mutate_bytes
from tests.fuzz.stream_entries import TAPE

TEXTS = (
    "", " ", "0", "1", "2", "7", "30", "200", "201", "00", "01", "-1", "+1", "1.0", "1e3", "9" * 18, "9" * 19,
    "9" * 5000,
    "٣", "²", "2026-03-01", "2026-02-29", "2026-02-30", "0000-01-01", "0001-01-01", "1999-12-31", "2000-01-01",
    "2025-12-31", "2026-01-01", "2026-02-15", "2026-12-31", "2028-12-31", "2029-01-01", "2100-12-31", "9999-12-31",
    "20260301", "2026-W10-1", "2026-03-01T00:00:00Z", "2026-03", "2026-13", "1000-01", "2999-12", "٢٠٢٦-03-01",
    "2026-03-01\n", "firm", "planned", "FIRM", "product", "site", "supplier", "product,site", "site,site", ",", "true",
    "false", "True", "yes", "csv", "json", "HBM4-12H", "DDR5-16G", "hbm4-12h", "samsung", "skhynix", "TX-ABILENE",
    "unattributed", "unallocated", "nobody", "x" * 65, "x" * 5000, "\0", "\ud7ff", "\U0001f600", "é", "%", "%2", "a/b",
    "../..", "..", "'", '"', ";", "--", "_", "\\", "<script>", "\r\nX: 1", "HBM4-12H/TX-ABILENE", "HBM4-12H,TX-ABILENE",
    "start", "receipt", "week", "day", "first_short", "act_by", "onshore", "floating", "28", "90", "365", "400", "800",
    "60", "61", "13", "1000000000", "1000000001", "stock.counted", "stock.opened,demand.required", "event.reversed",
    "019c0000-0000-7000-8000-000000000000", "019C0000-0000-7000-8000-000000000000",
)  # fmt: skip
_RAW = (
    "%", "%zz", "%00", "%ff", "%c0%80", "%ed%a0%80", "+", "&", "=", "&&", "==", ";", "#", "?", "%26", "\xff", "/",
)  # fmt: skip
_KINDS = {kind.type: kind for kind in KINDS}
_NAMED = {BAD_PARAMETER.type, NEVER_KNOWN.type, UNKNOWN_NAME.type, UNKNOWN_BATCH.type, UNKNOWN_EVENT.type}
"""The problems of a parameter, which name it."""
_PASTS_MAX, _EVENTS = 8, 700


def _views() -> dict[str, type[Query]]:
    found = {view.path: view.query for view in (*aggregator_views(), *ledger_views())}
    return found | {"/bridge": queries.AskBridge}


QUERIES = _views()
_PATHS = tuple(QUERIES)


class ApiRequest(NamedTuple):
    """A path of the API and the query string, as they come over the wire."""

    path: str
    values: dict[str, str]  # the parameters of the path
    query: bytes

    @property
    def target(self) -> bytes:
        """The path with its parameters, and the query."""
        return self.where.encode() + b"?" * bool(self.query) + self.query

    @property
    def where(self) -> str:
        """The path with its parameters."""
        return re.sub(r"{(\w+)(?::path)?}", lambda found: quote(self.values[found[1]], safe=""), self.path)


def read_request(data: bytes) -> ApiRequest:
    """Return the request of an input: a byte for the path, then a line for its parameters, then the query."""
    path = _PATHS[(data[0] if data else 0) % len(_PATHS)]
    names = re.findall(r"{(\w+)(?::path)?}", path)
    if not names:
        return ApiRequest(path, {}, data[1:])
    line, _, query = data[1:].partition(b"\n")
    texts = [*line.decode("utf-8", "replace").split("\t"), *["x"] * len(names)]
    return ApiRequest(path, dict(zip(names, texts, strict=False)), query)


def write_request(path: str, values: Sequence[str], query: str) -> bytes:
    """Return the input of a request."""
    line = "\t".join(values).encode() + b"\n" if values else b""
    return bytes([_PATHS.index(path)]) + line + query.encode("latin-1")


def seeds() -> list[bytes]:
    """Return each path with no query, with each of its parameters, and with all that may go together."""
    found = []
    for path, query in QUERIES.items():
        own = re.findall(r"{(\w+)(?::path)?}", path)
        values = [
            "samsung" if name in ("supplier", "source") else "TX-ABILENE" if name == "site" else "1" for name in own
        ]
        parameters = [each for each in query.parameters().values() if each.name not in own]
        found.append(write_request(path, values, ""))
        for parameter in parameters:
            found += [write_request(path, values, urlencode({parameter.name: text})) for text in _good(parameter)]
        found.append(write_request(path, values, urlencode({each.name: _good(each)[-1] for each in parameters})))
    return found


def _good(parameter: Parameter) -> list[str]:
    match parameter.form:
        case Choice(allowed=allowed):
            return [str(allowed[0]), str(allowed[-1])]
        case SomeOf(allowed=allowed):
            return ["", ",".join(allowed)]
        case Whole(least=least, most=most):
            return [str(least), str(most)]
        case Yes():
            return ["true"]
        case Month():
            return ["2026-02"]
        case Day():
            return ["2026-02-15"]
        case Moment():
            return ["3", "2026-02-15"]
    return [{"product": "HBM4-12H", "site": "TX-ABILENE", "supplier": "samsung"}.get(parameter.name, "x")]


def mutate(data: bytes, dice: random.Random) -> bytes:
    """Change the path, a parameter of it or one of the query, or some bytes."""
    if not data or dice.random() < 0.1:
        return mutate_bytes(data, dice)
    request = read_request(data)
    given = QueryParams(request.query.decode("latin-1")).multi_items()
    names = [*QUERIES[request.path].parameters(), "x", "as_of"]
    for _ in range(dice.randint(1, 2)):
        match dice.randrange(6):
            case 0 | 1:
                given.append((dice.choice(names), dice.choice(TEXTS)))
            case 2 | 3 if given:
                at = dice.randrange(len(given))
                given[at] = (given[at][0], dice.choice(TEXTS))
            case 4 if given:
                del given[dice.randrange(len(given))]
            case _ if request.values:
                request.values[dice.choice(list(request.values))] = dice.choice(TEXTS)
    text = urlencode(given, errors="replace")
    if dice.random() < 0.2:
        at = dice.randint(0, len(text))
        text = text[:at] + dice.choice(_RAW) + text[at + dice.randint(0, 2) :]
    path = dice.choice(_PATHS) if dice.random() < 0.05 else request.path
    wanted = len(re.findall("{", path))
    values = [value.replace("\t", " ").replace("\n", " ") for value in request.values.values()]
    return write_request(path, [*values, "samsung", "x"][:wanted], text)


def check(data: bytes) -> str:
    """Read the query, and have it answered by the real views over a small log."""
    request = read_request(data)
    query_class = QUERIES[request.path]
    given = [*request.values.items(), *QueryParams(request.query.decode("latin-1")).multi_items()]
    is_valid = _is_valid(query_class, given)
    try:
        query = query_class.read(given)
    except Problem as why:
        assert not is_valid, f"a valid query is refused: {why}"
        assert why.kind is BAD_PARAMETER
        names = {name[:80] for name, _ in given} | query_class.parameters().keys()
        assert why.parameter in names, why.parameter
    else:
        assert is_valid, f"an invalid query is read: {query}"
    _check_address(request.query)
    status, headers, body = _log().get(request)
    check_answer(request, status, headers, body)
    return str(status)


def check_answer(request: ApiRequest, status: int, headers: dict[str, str], body: bytes) -> None:
    """Check an answer: content of its type, or a problem below 500 that names the parameter."""
    if status == 200:
        if headers["content-type"] == "application/json":
            json.loads(body)
        if "link" in headers:
            _check_next(request, headers["link"])
        return
    assert 400 <= status < 500, f"{status} {body[:200]!r} for {request.target!r}"
    assert headers["content-type"] == "application/problem+json"
    problem = json.loads(body)
    assert _KINDS[problem["type"]].status == problem["status"] == status
    if problem["type"] in _NAMED:
        assert "parameter" in problem, f"no parameter is named: {body[:200]!r} for {request.target!r}"


def _check_next(request: ApiRequest, link: str) -> None:
    target = link.partition("<")[2].partition(">")[0]
    given = QueryParams(target.partition("?")[2]).multi_items()
    QUERIES[request.path].read([*request.values.items(), *given])


def _check_address(query: bytes) -> None:
    """Read the filters of a console's page; its links read the same."""
    filters = Filters.of(QueryParams(query.decode("latin-1")))
    filters.day_beside("2026-03-01", -1)
    again = Filters.of(QueryParams(filters.download("/x").partition("?")[2]))
    assert again == filters, "a link has other filters than its page"


# ---------------------------------------------------------------- the forms, a second time


def _is_valid(query: type[Query], given: Iterable[tuple[str, str]]) -> bool:
    parameters, seen = query.parameters(), set[str]()
    for name, text in given:
        if name not in parameters or name in seen or not _fits(parameters[name].form, text):
            return False
        seen.add(name)
    required = {each.name for each in parameters.values() if each.default is MISSING}
    return required <= seen


def _fits(form: Form, text: str) -> bool:
    match form:
        case Choice(allowed=allowed):
            return text in [str(value) for value in allowed]
        case SomeOf(allowed=allowed):
            words = text.split(",") if text else []
            return all(words.count(word) == 1 and word in allowed for word in words)
        case Whole(least=least, most=most):
            return _is_number(text) and least <= int(text) <= most
        case Yes():
            return text in {"true", "false"}
        case Month():
            return len(text) == len("2026-03") and text[0] in "12" and _is_day(f"{text}-01")
        case Moment():
            return _is_number(text) or _is_day(text)
        case Day():
            return _is_day(text)
        case Text(pattern=pattern):
            return not pattern or re.match(rf"(?:{pattern})\Z", text) is not None
    raise AssertionError(form)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 18


def _is_day(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


# ---------------------------------------------------------------- the views


class _Log:
    """A played log, and the routes over it, called without a socket."""

    def __init__(self, played: Played) -> None:
        self.loop, self.played = asyncio.new_event_loop(), played
        self.pasts: dict[str, LiveView] = {}
        routes = aggregator_routes(lambda: played.view, self._read_past)
        access = Access(ServiceSettings(), Tally(structlog.get_logger(), CollectorRegistry()), CollectorRegistry())
        self.apps = {
            True: build_web_app(access, played.ledger_app.routes, []),
            False: build_web_app(access, routes, []),
        }

    async def _read_past(self, as_of: str) -> LiveView:
        if as_of not in self.pasts:
            try:
                position = find_as_of(self.played.store, as_of)
            except UnknownAsOf as why:
                raise Problem(NEVER_KNOWN, str(why), parameter="as_of") from why
            then = FoldState(Curves(*self.played.horizon))
            for batch in batches_as_of(self.played.store, position):
                then.add(batch)
            if len(self.pasts) == _PASTS_MAX:
                self.pasts.clear()
            self.pasts[as_of] = LiveView(then)
        return self.pasts[as_of]

    def get(self, request: ApiRequest) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers and body of an answer."""
        messages: list[Any] = []

        async def receive() -> dict[str, Any]:  # a client that waits for its answer
            await asyncio.sleep(3600)
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            messages.append(message)

        scope = {
            "type": "http", "http_version": "1.1", "method": "GET", "scheme": "http", "server": ("x", 80),
            "path": unquote(request.where), "raw_path": request.where.encode(), "query_string": request.query,
            "headers": [], "root_path": "", "client": ("x", 1), "asgi": {"version": "3.0", "spec_version": "2.4"},
        }  # fmt: skip
        self.loop.run_until_complete(self.apps[request.path in OF_THE_LEDGER](scope, receive, send))
        headers = {name.decode(): value.decode("latin-1") for name, value in messages[0]["headers"]}
        return messages[0]["status"], headers, b"".join(each.get("body", b"") for each in messages[1:])


OF_THE_LEDGER = {view.path for view in ledger_views()}


@cache
def _log() -> _Log:
    with gzip.open(TAPE) as lines:
        events = [json.loads(line) for line in islice(lines, _EVENTS)]
    return _Log(play(events, horizon=Horizon(date(2026, 1, 1), 400), trust_recorded=True))
