"""The console's pages for visitors who may not, who cannot type, and who come from elsewhere."""

import httpx

from services.operator.stack.stack import Stack
from tests.abuse.conftest import Watch, bearer

PAGE = {"Accept": "text/html"}


def browser(stack: Stack) -> httpx.Client:
    return httpx.Client(base_url=stack.url("console"), headers=PAGE, timeout=30)


def test_a_login_that_nobody_can_type(guarded: Stack, watch: Watch) -> None:
    bodies = [b"token=\xff\xfe", b"token=%ff%fe", "token=Ω".encode(), b"token=%E2%98%83", b"", b"%", b"token=a%0d%0ab"]
    with watch(guarded, "row 13: logins of wrong bytes, and of a token outside latin-1") as noted:
        found = [httpx.post(guarded.url("console") + "/login", content=body).status_code for body in bodies]
        noted.seen = f"statuses {sorted(set(found))}"

    assert set(found) == {400}, found


def test_a_path_that_climbs(guarded: Stack, watch: Watch) -> None:
    paths = ("/events/%2e%2e/head", "/events/%2e%2e/refusals", "/events/%2e/head", "/events/a/%2e%2e")
    headers = bearer("operator")
    with watch(guarded, "row 13: /events/%2e%2e/head") as noted:
        found = [raw_get(guarded, path, headers) for path in paths]
        site = raw_get(guarded, "/sites/%2e%2e", headers)  # a site of which nobody has spoken
        noted.seen = f"statuses {sorted({*found, site})}"

    assert set(found) <= {400, 404}, found
    assert site in (200, 404)


def raw_get(stack: Stack, path: str, headers: dict[str, str]) -> int:
    request = httpx.Request("GET", stack.url("console") + "/", headers=headers)
    request.url = request.url.copy_with(raw_path=path.encode())
    with httpx.Client(timeout=30) as client:
        return client.send(request).status_code


def test_a_visitor_sees_what_the_visitors_token_may(guarded: Stack, watch: Watch) -> None:
    with watch(guarded, "row 14: pages with the auditor's and the planner's token") as noted:
        found = {
            f"{name} {path}": httpx.get(guarded.url("console") + path, headers=bearer(name), timeout=30).status_code
            for name in ("auditor", "planner", "operator")
            for path in ("/", "/log")
        }
        noted.seen = str(found)

    assert found == {
        "auditor /": 403, "auditor /log": 403, "planner /": 200, "planner /log": 403, "operator /": 200,
        "operator /log": 200,
    }  # fmt: skip


def test_a_session_is_not_the_token_and_ends(guarded: Stack, watch: Watch) -> None:
    with (
        watch(guarded, "row 15: login from elsewhere; what a copied cookie is worth") as noted,
        browser(guarded) as client,
    ):
        elsewhere = client.post("/login", data={"token": "token-of-planner"}, headers={"Origin": "http://evil.example"})
        wrong = client.post("/login", data={"token": "guessed"})
        entered = client.post("/login", data={"token": "token-of-planner", "next": "//evil.example"})
        cookies = dict(client.cookies)
        inside = client.get("/sites").status_code
        left = client.post("/logout")
        replayed = httpx.get(guarded.url("console") + "/sites", headers=PAGE, cookies=cookies)
        noted.seen = f"{elsewhere.status_code}, {wrong.status_code}, {inside}, after logout {replayed.status_code}"

    assert elsewhere.status_code == 403
    assert wrong.status_code == 400
    assert (entered.status_code, entered.headers["location"]) == (303, "/")
    assert "token-of-planner" not in str(cookies)
    assert inside == 200
    assert (left.status_code, left.headers["location"]) == (303, "/login")
    assert (replayed.status_code, replayed.headers["location"]) == (303, "/login?next=/sites")
