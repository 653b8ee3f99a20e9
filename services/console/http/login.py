"""Letting a browser in: the token that every caller needs is typed once, and then comes as a cookie."""

from urllib.parse import quote

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.http.access import Access

COOKIE = "waferline-token"
_KEPT_S = 12 * 3600
_OPEN = ("/login", "/static/")


class TokenCookie:
    """Presents the token of the cookie as any other caller presents it, and sends who has none to the login page."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self.app = app
        self.access = access

    @classmethod
    def middleware(cls, access: Access) -> Middleware:
        """Return what an application wraps itself in."""
        return Middleware(cls, access=access)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        is_open = scope["type"] != "http" or scope["path"].startswith(_OPEN)  # whatever token was kept
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
                asked = scope["path"] + ("?" + scope["query_string"].decode() if scope["query_string"] else "")
                moved = RedirectResponse(f"/login?next={quote(asked)}", status_code=303)
                has_moved = True
                await moved(scope, receive, send)
            elif not has_moved:
                await send(message)

        await self.app(scope, receive, answer)


def remember(request: Request, token: str, to: str) -> Response:
    """Return the way to where somebody wanted to go, with the token as a cookie that no script can read."""
    here = to if to.startswith("/") and not to.startswith("//") else "/"
    answer = RedirectResponse(here, status_code=303)
    answer.set_cookie(
        COOKIE, token, max_age=_KEPT_S, httponly=True, samesite="strict", secure=request.url.scheme == "https"
    )
    return answer
