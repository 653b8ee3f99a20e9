"""Login of a browser: the reader types the token once, and a cookie carries it from then on."""

from urllib.parse import quote

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.http.access import Access

COOKIE = "waferline-token"
_COOKIE_S = 12 * 3600
_OPEN = ("/login", "/static/")


class TokenCookie:
    """Passes the cookie's token on as a bearer token, and sends a browser without one to the login page."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self.app = app
        self.access = access

    @classmethod
    def middleware(cls, access: Access) -> Middleware:
        """Return it in the form that an application takes."""
        return Middleware(cls, access=access)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        is_open = scope["type"] != "http" or scope["path"].startswith(
            _OPEN
        )  # even with a cookie whose token was replaced
        if is_open or self.access.tokens is None:
            await self.app(scope, receive, send)
            return
        token = HTTPConnection(scope).cookies.get(COOKIE)
        headers = MutableHeaders(scope=scope)
        if token and "authorization" not in headers:
            headers["authorization"] = f"Bearer {token}"
        wants_page = "text/html" in Headers(scope=scope).get("accept", "")
        has_moved = False

        async def answer(message: Message) -> None:
            nonlocal has_moved
            if message["type"] == "http.response.start" and message["status"] in (401, 403) and wants_page:
                address = scope["path"] + ("?" + scope["query_string"].decode() if scope["query_string"] else "")
                moved = RedirectResponse(f"/login?next={quote(address)}", status_code=303)
                has_moved = True
                await moved(scope, receive, send)
            elif not has_moved:
                await send(message)

        await self.app(scope, receive, answer)


def store_token(request: Request, token: str, to: str) -> Response:
    """Return a redirect to an address of this host, with the token in a cookie that no script can read."""
    address = to if to.startswith("/") and not to.startswith("//") else "/"
    answer = RedirectResponse(address, status_code=303)
    answer.set_cookie(
        COOKIE, token, max_age=_COOKIE_S, httponly=True, samesite="strict", secure=request.url.scheme == "https"
    )
    return answer
