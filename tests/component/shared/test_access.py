"""Who may ask what: every route that a service has, with each kind of token; and the file that names them."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import httpx
import pytest
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from services.aggregator.app import build_app as build_aggregator
from services.aggregator.settings import AggregatorSettings
from services.console.app import build_app as build_console
from services.console.settings import ConsoleSettings
from services.datacenter.app import build_app as build_datacenter
from services.ledger.app import build_app as build_ledger
from services.ledger.settings import LedgerSettings
from services.planner.app import build_app as build_planner
from services.planner.settings import PlannerSettings
from services.supplier.app import build_app as build_supplier
from shared.http.access import OPEN, ScopedRoute, digest_of, read_tokens
from shared.party.settings import PartySettings
from shared.process.credentials import CredentialsError
from shared.process.settings import ServiceSettings
from shared.service.health import HealthMonitor
from shared.service.service import Service

SERVICES = ("ledger", "aggregator", "console", "supplier", "datacenter", "planner")
SCOPES = ("read", "audit", "metrics", "publish:samsung", "publish:skhynix", "publish:stargate-emea")
ENDLESS = {"/live"}  # whoever is let in there is told for ever: tests/e2e/test_console.py
NOBODY_THERE = "http://127.0.0.1:1"  # where a stack may run beside the tests, on the ports that are usual
HEALTH_SCOPES = {"read", "audit", "metrics"}
TOKENS = {scope: f"token-of-{scope.replace(':', '-')}" for scope in SCOPES}
LINES = [f"{scope.replace(':', '-')} {scope} {digest_of(token)}" for scope, token in TOKENS.items()]


@contextmanager
def service(name: str, tokens: Path | None = None) -> Iterator[Service]:
    """Build a service as its `__main__` does, in a folder of its own."""
    with TemporaryDirectory() as folder:
        place = Path(folder)
        common: dict[str, Any] = {"http_tokens_file": tokens, "redis_url": "redis://127.0.0.1:1/0"}
        built = {
            "ledger": lambda: build_ledger(LedgerSettings(ledger_store=str(place / "ledger.db"), **common)),
            "aggregator": lambda: build_aggregator(AggregatorSettings(**common)),
            "console": lambda: build_console(
                ConsoleSettings(aggregator_url=NOBODY_THERE, ledger_url=NOBODY_THERE, **common)
            ),
            "supplier": lambda: build_supplier(PartySettings(source="samsung", outbox_dir=place, **common)),
            "planner": lambda: build_planner(PlannerSettings(source="samsung", outbox_dir=place, **common)),
            "datacenter": lambda: build_datacenter(PartySettings(source="stargate-emea", outbox_dir=place, **common)),
        }[name]()
        yield built
        for end in built.at_end:
            end()


class Registered(NamedTuple):
    """A route that a service really has."""

    service: str
    method: str
    path: str
    scope: str


def registered() -> Iterator[Registered]:
    for name in SERVICES:
        with service(name) as built:
            for route in built.web_app().routes:
                assert isinstance(route, Route)
                [scoped] = [each for each in built.routes if (each.path, each.methods) == (route.path, route.methods)]
                for method in sorted(route.methods or ()):
                    yield Registered(name, method, route.path, scoped.scope)


ROUTES = list(registered())


@pytest.fixture
def tokens_file(tmp_path: Path) -> Path:
    path = tmp_path / "tokens"
    path.write_text("# who may ask\n\n" + "\n".join(LINES) + "\n")
    return path


@pytest.fixture(autouse=True)
def _no_redis(monkeypatch: pytest.MonkeyPatch) -> None:
    async def no_lags(self: Service) -> dict[str, Any]:
        return {}

    monkeypatch.setattr(HealthMonitor, "lags", no_lags)


async def request(built: Service, method: str, path: str, token: str | None = None, **headers: str) -> httpx.Response:
    transport = httpx.ASGITransport(built.web_app())
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
        return await client.request(method, path.replace("{", "").replace("}", ""), headers=headers)


def test_the_routes_that_are_tried_are_those_of_every_service():
    paths = {(route.service, route.path) for route in ROUTES}

    assert {name for name, path in paths if path == "/metrics"} == set(SERVICES)
    assert {("ledger", "/postings"), ("aggregator", "/balances"), ("supplier", "/events")} <= paths
    assert {route.path for route in ROUTES if route.scope == OPEN} == {"/health", "/login", "/logout", "/static/{name}"}


@pytest.mark.parametrize("route", ROUTES, ids=str)
async def test_a_route_answers_who_has_its_scope_and_nobody_else(route: Registered, tokens_file: Path) -> None:
    asked = [scope for scope in SCOPES if not (route.path in ENDLESS and scope == route.scope)]
    wanted = {scope: 200 if route.scope in (scope, OPEN) else 403 for scope in asked}

    with service(route.service, tokens_file) as built:
        without = await request(built, route.method, route.path)
        unknown = await request(built, route.method, route.path, "not-of-here")
        answers = {scope: await request(built, route.method, route.path, TOKENS[scope]) for scope in asked}

    assert (without.status_code in (401, 403)) == (route.scope != OPEN)
    assert unknown.status_code == 401
    assert {scope: 403 if answer.status_code == 403 else 200 for scope, answer in answers.items()} == wanted
    assert {answer.status_code for answer in answers.values()}.isdisjoint({401, 500})
    for answer in (without, unknown, *answers.values()):
        if answer.status_code in (401, 403):
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.headers["www-authenticate"].startswith("Bearer")
            assert route.method == "HEAD" or answer.json()["status"] == answer.status_code


@pytest.mark.parametrize("route", [route for route in ROUTES if route.scope != OPEN], ids=str)
async def test_what_only_looks_like_the_token_is_none(route: Registered, tokens_file: Path) -> None:
    token = TOKENS[route.scope]
    digest = digest_of(token)

    with service(route.service, tokens_file) as built:
        answers = [
            await request(built, route.method, route.path, Authorization=text)
            for text in (token, "Bearer", "Bearer ", f"Basic {token}", f"Bearer {digest}", f"Bearer {token}x",
                         f"Bearer {token[:-1]}", f"Bearer {token} {token}", f"Bearer {token.upper()}")
        ]  # fmt: skip

    assert {answer.status_code for answer in answers} == {401}


async def test_a_publisher_may_read_the_lines_of_its_own_source_and_of_no_other(tokens_file: Path) -> None:
    token = TOKENS["publish:samsung"]
    with service("ledger", tokens_file) as built:
        own = await request(built, "GET", "/lines?source=samsung&kind=commit", token)
        others = [
            await request(built, "GET", path, token)
            for path in (
                "/lines",
                "/lines?source=skhynix",
                "/lines?source=samsung&source=skhynix",
                "/head?source=samsung",
            )
        ]

    assert own.status_code == 200
    assert [answer.status_code for answer in others] == [403] * len(others)


async def test_the_file_is_read_again_when_it_changes_and_a_faulty_one_changes_nothing(tokens_file: Path) -> None:
    good, heard = "\n".join(LINES) + "\n", Heard()
    added = f"added audit {digest_of('added')}\n"
    found = []
    with service("ledger", tokens_file) as built:
        built.tally.log = heard
        assert built.access.file is not None
        for content in (good, good + added, good[:-9], None, added):
            await asyncio.to_thread(tokens_file.unlink if content is None else partial(tokens_file.write_text, content))
            built.access.follow_file(built.access.file)
            answers = [await request(built, "GET", "/head", token) for token in (TOKENS["audit"], "added")]
            found.append(tuple(answer.status_code for answer in answers))

    assert found == [(200, 401), (200, 200), (200, 200), (200, 200), (401, 200)]
    assert [line["log"] for line in heard.lines if line["log"].startswith("tokens_")] == [
        "tokens_taken", "tokens_taken", "tokens_refused", "tokens_refused", "tokens_taken",
    ]  # fmt: skip


async def test_a_refusal_says_which_scope_is_missing(tokens_file: Path) -> None:
    with service("ledger", tokens_file) as built:
        without = await request(built, "GET", "/head")
        lacking = await request(built, "GET", "/head", TOKENS["read"])

    assert without.json()["detail"] == "this needs a token with the scope audit"
    assert lacking.json()["detail"] == "the token of read lacks the scope audit"


@pytest.mark.parametrize("scope", [None, *SCOPES])
async def test_health_tells_all_only_to_who_may_look(scope: str | None, tokens_file: Path) -> None:
    with service("ledger", tokens_file) as built:
        health = await request(built, "GET", "/health", None if scope is None else TOKENS[scope])

    assert health.json()["well"] is True
    assert (set(health.json()) == {"well"}) is (scope not in HEALTH_SCOPES)


@pytest.mark.parametrize("route", [route for route in ROUTES if route.path not in ENDLESS], ids=str)
async def test_without_a_file_of_tokens_everybody_on_this_machine_may_ask(route: Registered) -> None:
    with service(route.service) as built:
        answer = await request(built, route.method, route.path)

    assert answer.status_code not in (401, 403)


def test_a_route_that_names_no_scope_is_not_served():
    built = Service("ledger", ServiceSettings())
    built.routes.append(Route("/open", lambda _: PlainTextResponse("")))  # type: ignore[arg-type]

    with pytest.raises(TypeError, match="names no scope"):
        built.web_app()
    with pytest.raises(TypeError, match="scope"):
        ScopedRoute("/open", lambda _: PlainTextResponse(""))  # type: ignore[call-arg]


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "10.1.2.3", "ledger"])  # noqa: S104 (it is refused)
def test_a_service_is_not_open_to_the_network_without_tokens(host: str, tokens_file: Path) -> None:
    with pytest.raises(CredentialsError, match="WAFERLINE_HTTP_TOKENS_FILE"):
        Service("ledger", ServiceSettings(http_host=host, http_port=8100))

    Service("ledger", ServiceSettings(http_host=host, http_port=8100, http_tokens_file=tokens_file))


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_on_its_own_machine_it_needs_none(host: str) -> None:
    Service("ledger", ServiceSettings(http_host=host, http_port=8100))


# ---------------------------------------------------------------- what is noted


class Heard:
    """A log that keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []

    def info(self, event: str, **fields: Any) -> None:
        self.warning(event, **fields)

    def warning(self, name: str, **fields: Any) -> None:
        self.lines.append({"log": name, **fields})


async def test_a_refusal_is_logged_and_counted_without_the_token(tokens_file: Path) -> None:
    heard = Heard()
    secrets = [TOKENS["read"], "not-of-here"]
    with service("ledger", tokens_file) as built:
        built.tally.log = heard
        await request(built, "GET", "/events/samsung/secret-id")
        for token in (TOKENS["read"], "not-of-here", TOKENS["audit"]):
            await request(built, "GET", "/events/samsung/secret-id", token)
        metrics = (await request(built, "GET", "/metrics", TOKENS["metrics"])).text

    assert [(line["log"], line["code"], line["caller"]) for line in heard.lines] == [
        ("access_refused", "no_token", None),
        ("access_refused", "lacks_scope", "read"),
        ("access_refused", "unknown_token", None),
    ]
    assert heard.lines[0] | {"peer": "?"} == {
        "log": "access_refused", "code": "no_token", "route": "/events/{source}/{id}", "scope": "audit",
        "caller": None, "peer": "?",
    }  # fmt: skip
    for code in ("no_token", "lacks_scope", "unknown_token"):
        assert f'waferline_access_refused_total{{code="{code}"}} 1.0' in metrics
    assert not any(word in f"{heard.lines}{metrics}" for token in secrets for word in (token, digest_of(token)))


async def test_many_refusals_are_some_lines_and_one_that_counts_the_others(tokens_file: Path) -> None:
    heard = Heard()
    with service("ledger", tokens_file) as built:
        built.tally.log = heard
        built.access.refusals.ration.window_s = 0.2
        for n in range(60):
            built.access.refusals.note("no_token" if n % 2 else "unknown_token", built.routes[1], None, None)
        await asyncio.sleep(0.3)
        built.access.refusals.note("no_token", built.routes[1], None, None)

    names = [line["log"] for line in heard.lines]
    assert names == ["access_refused"] * 20 + ["accesses_left_out", "access_refused"]
    assert heard.lines[20] == {
        "log": "accesses_left_out", "refused": 40, "codes": {"no_token": 20, "unknown_token": 20}
    }  # fmt: skip


async def test_a_service_that_stops_says_what_it_left_out(tokens_file: Path) -> None:
    heard = Heard()
    with service("ledger", tokens_file) as built:
        built.tally.log = heard
        for _ in range(21):
            built.access.refusals.note("no_token", built.routes[1], None, None)

    assert heard.lines[-1] == {"log": "accesses_left_out", "refused": 1, "codes": {"no_token": 1}}


# ---------------------------------------------------------------- the file


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("planner read", "2 words, not 3"),
        (f"planner read {'0' * 64} more", "4 words, not 3"),
        (f"planner write {'0' * 64}", "'write' is no scope"),
        (f"planner read,,audit {'0' * 64}", "'' is no scope"),
        (f"planner read, {'0' * 64}", "'' is no scope"),
        (f"planner open {'0' * 64}", "'open' is no scope"),
        (f"planner publish: {'0' * 64}", "'publish:' is no scope"),
        (f"planner publish {'0' * 64}", "'publish' is no scope"),
        (f"planner READ {'0' * 64}", "'READ' is no scope"),
        (f"plan/ner read {'0' * 64}", "'plan/ner' is no name"),
        (f"planner read {'0' * 63}", "is it the token itself"),
        (f"planner read {'A' * 64}", "is it the token itself"),
        ("planner read hunter2", "is it the token itself"),
        (f"read read {'0' * 64}", "'read' has the name of a line before"),
        (f"planner audit {digest_of(TOKENS['read'])}", "'planner' has the token of a line before"),
    ],
)
def test_a_line_that_is_wrong_is_named_with_its_file(line: str, why: str, tmp_path: Path) -> None:
    path = tmp_path / "tokens"
    path.write_text("\n".join(["# tokens", *LINES, line]) + "\n")

    with pytest.raises(CredentialsError) as refused:
        read_tokens(path)

    assert str(refused.value).startswith(f"{path}, line {len(LINES) + 2}: ")
    assert why in str(refused.value)
    assert "hunter2" not in str(refused.value), "what may be a token is not told"


def test_a_token_may_have_several_scopes_and_a_line_a_comment(tmp_path: Path) -> None:
    path = tmp_path / "tokens"
    path.write_text(f"operator  read,audit,publish:stargate-emea\t{digest_of('x')}  # the operator's\n")

    [token] = read_tokens(path)

    assert (token.name, token.scopes) == ("operator", {"read", "audit", "publish:stargate-emea"})


@pytest.mark.parametrize("content", [None, b"", b"# nobody\n", b"\xff\n"])
def test_a_file_that_names_nobody_is_refused(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "tokens"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(CredentialsError, match="waferline secrets"):
        read_tokens(path)
