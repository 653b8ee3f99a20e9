"""Login of a browser: tokens, cookies, and addresses of this host alone."""

from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from services.console.app import build_app
from services.console.settings import ConsoleSettings
from shared.http.access import digest_of


@pytest.fixture
def tokens(tmp_path: Path) -> Path:
    path = tmp_path / "tokens"
    path.write_text(f"planner read {digest_of('of-a-planner')}\nauditor read,audit {digest_of('of-an-auditor')}\n")
    return path


def browser(tokens: Path | None) -> httpx.AsyncClient:
    service = build_app(ConsoleSettings(http_tokens_file=tokens, aggregator_url="http://127.0.0.1:1"))
    transport = httpx.ASGITransport(service.web_app())
    return httpx.AsyncClient(transport=transport, base_url="http://console", headers={"Accept": "text/html"})


async def test_a_browser_without_a_token_logs_in_and_comes_to_the_page_it_wanted(tokens: Path):
    async with browser(tokens) as client:
        sent = await client.get("/shortages?site=AE-ABUDHABI")
        form = await client.get(sent.headers["location"])
        wanted = parse_qs(urlsplit(sent.headers["location"]).query)["next"][0]
        let_in = await client.post("/login", data={"token": "of-a-planner", "next": wanted})
        page = await client.get(let_in.headers["location"])

    assert (sent.status_code, form.status_code, let_in.status_code) == (303, 200, 303)
    assert 'type="password"' in form.text
    assert let_in.headers["location"] == "/shortages?site=AE-ABUDHABI"
    assert {"HttpOnly", "SameSite=strict"} <= set(let_in.headers["set-cookie"].split("; "))
    assert page.status_code == 503  # let in, and there is no aggregator in this test
    assert "The aggregator does not answer" in page.text


async def test_a_token_that_was_replaced_leads_to_the_login_and_not_around(tokens: Path):
    async with browser(tokens) as client:
        refused = await client.post("/login", data={"token": "of-nobody", "next": "/"})
        sent = await client.get("/")
        form = await client.get("/login")

    assert refused.status_code == 400
    assert (sent.status_code, sent.headers["location"]) == (303, "/login?next=/")
    assert form.status_code == 200


async def test_a_planner_is_not_shown_what_only_an_auditor_may_see(tokens: Path):
    async with browser(tokens) as client:
        await client.post("/login", data={"token": "of-a-planner"})
        event = await client.get("/events/samsung/01a5e3c6-3f60-755b-b6c0-63d4bb31bbfa")
        program = await client.get("/log", headers={"Accept": "*/*"})
        await client.post("/login", data={"token": "of-an-auditor"})
        audited = await client.get("/log")

    assert (event.status_code, program.status_code, audited.status_code) == (303, 403, 503)


@pytest.mark.parametrize(
    "elsewhere", ["https://evil.example", "//evil.example", "evil", "/\\evil.example", "/\t/evil.example"]
)
async def test_a_login_leads_nowhere_but_here(tokens: Path, elsewhere: str):
    async with browser(tokens) as client:
        answer = await client.post("/login", data={"token": "of-a-planner", "next": elsewhere})

    assert answer.headers["location"] == "/"


async def test_nothing_of_another_host_and_no_script_in_a_page_is_allowed():
    async with browser(None) as client:
        page = await client.get("/login")
        files = [await client.get(f"/static/{name}") for name in ("console.css", "console.js", "icon.svg")]
        other = await client.get("/static/..%2Fapp.py")

    assert page.headers["content-security-policy"].startswith("default-src 'self'")
    assert [file.status_code for file in files] == [200, 200, 200]
    assert not any(b"http://" in file.content.replace(b"http://www.w3.org/", b"") for file in files)
    assert other.status_code == 404


@pytest.mark.parametrize(
    "part", ["bytes=0-9", "bytes=9-1", "bytes=abc", "items=0-5", "bytes=999999-", "bytes=0-0" + ",0-" * 5_000, "="]
)
async def test_a_file_comes_whole_whatever_part_of_it_is_asked_for(part: str):
    async with browser(None) as client:
        whole = await client.get("/static/console.css")
        answer = await client.get("/static/console.css", headers={"Range": part, "If-Range": '"x"'})

    assert (answer.status_code, answer.content) == (200, whole.content)
