"""The head of a request decides: another host, another origin, an ambiguous length; and a body that is too long."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse

from shared.http.access import OPEN, ScopedRoute
from shared.process.settings import ServiceSettings
from shared.service.service import Service


async def count_bytes(request: Request) -> PlainTextResponse:
    return PlainTextResponse(str(len(await request.body())))


async def ask(settings: ServiceSettings, *, content: bytes | Iterator[bytes] = b"", **headers: str) -> httpx.Response:
    service = Service("ledger", settings)
    service.routes.append(ScopedRoute("/count", count_bytes, scope=OPEN, methods=("POST",)))
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(service.web_app()), base_url="http://any") as client:
        return await client.post("/count", content=content, headers=sent)


OPEN_HERE = ServiceSettings(http_port=8100)
NAMED = ServiceSettings(http_port=8100, http_hosts="planner.example")


@pytest.mark.parametrize(
    ("settings", "host", "status"),
    [
        (OPEN_HERE, "127.0.0.1:8100", 200),
        (OPEN_HERE, "localhost", 200),
        (OPEN_HERE, "[::1]:8100", 200),
        (OPEN_HERE, "LOCALHOST:1", 200),
        (OPEN_HERE, "evil.example:8100", 421),
        (OPEN_HERE, "127.0.0.1.evil.example", 421),
        (OPEN_HERE, "[::1", 421),
        (OPEN_HERE, "localhost@evil.example", 421),
        (OPEN_HERE, "planner.example", 421),
        (NAMED, "planner.example:443", 200),
    ],
)
async def test_without_tokens_a_request_names_this_host(settings: ServiceSettings, host: str, status: int) -> None:
    assert (await ask(settings, Host=host)).status_code == status


async def test_with_tokens_any_name_will_do(tmp_path: Path) -> None:
    (tmp_path / "tokens").write_text(f"planner read {'0' * 64}\n")

    answer = await ask(ServiceSettings(http_port=8100, http_tokens_file=tmp_path / "tokens"), Host="ledger:8100")

    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "http://localhost:8100"}, 200),
        ({"Origin": "http://localhost:8101"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": ""}, 403),
        ({"Origin": "https://planner.example"}, 200),
        ({"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "no-cors"}, 403),
        ({"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate"}, 200),
        ({"Sec_Fetch_Site": "same-origin", "Sec_Fetch_Mode": "cors"}, 200),
    ],
)
async def test_a_page_of_another_origin_may_not(headers: dict[str, str], status: int) -> None:
    assert (await ask(NAMED, Host="localhost:8100", **headers)).status_code == status


@pytest.mark.parametrize(("count", "status"), [(10, 200), (11, 413), (5_000, 413)])
async def test_a_body_is_bounded_with_and_without_a_length(count: int, status: int) -> None:
    settings = ServiceSettings(body_bytes_max=10)

    async def pieces() -> Iterator[bytes]:
        for _ in range(count):
            yield b"x"

    answers = [await ask(settings, content=b"x" * count), await ask(settings, content=pieces())]

    assert [answer.status_code for answer in answers] == [status, status]


async def test_a_length_that_is_no_number_of_bytes_is_too_long() -> None:
    assert (await ask(OPEN_HERE, Host="localhost", Content_Length="9" * 5_000)).status_code == 413
