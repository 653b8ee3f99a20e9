"""Sessions of browsers: the reader types the token once, and a cookie stands for it until the logout."""

import re
import secrets
import time
from typing import NamedTuple
from urllib.parse import parse_qs, quote

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.console.settings import ConsoleSettings
from shared.http.access import Access, bearer_token

COOKIE = "waferline-session"
_OPEN = ("/login", "/static/")
_COOKIE_BYTES = 32
_FIELDS_MAX = 10  # of the form: it has two
_is_own_address = re.compile(r"/(?![/\\])[!-~]*").fullmatch
_is_token = re.compile(r"[!-~]+").fullmatch  # as a header can carry it


class WrongLogin(Exception):
    """The form of a login opens no session; the message gives the reason and the remedy."""


class Session(NamedTuple):
    """A session: the token that it stands for, and when it ends by itself."""

    token: str
    ends_at: float  # time.monotonic()


class Sessions:
    """The sessions of all browsers, in memory: a restart of the console ends them.

    The cookie is a random number and not the token, so that a copy of it is worth nothing after the logout.
    """

    def __init__(self, access: Access, settings: ConsoleSettings) -> None:
        self.access = access
        self.settings = settings
        self._by_cookie: dict[str, Session] = {}  # in the order of their opening

    @property
    def are_needed(self) -> bool:
        """Whether a visitor must log in."""
        return self.access.tokens is not None

    @property
    def count(self) -> int:
        """How many sessions are open."""
        return len(self._by_cookie)

    def open(self, token: str) -> str:
        """Return the cookie of a new session; raise `WrongLogin` where no such token is known."""
        if not _is_token(token) or self.access.find(token) is None:
            raise WrongLogin("This token is not known here. Was it replaced? Type the new one.")
        self._end_old(token)
        cookie = secrets.token_urlsafe(_COOKIE_BYTES)
        self._by_cookie[cookie] = Session(token, time.monotonic() + self.settings.session_s)
        return cookie

    def find(self, cookie: str | None) -> str | None:
        """Return the token of a session; None where there is none, or it has ended."""
        session = self._by_cookie.get(cookie or "")
        return session.token if session is not None and session.ends_at > time.monotonic() else None

    def close(self, cookie: str | None) -> None:
        """End a session."""
        self._by_cookie.pop(cookie or "", None)

    def visitor_token(self, request: Request) -> str | None:
        """Return the token of the visitor; None where the console asks for none."""
        return bearer_token(request) if self.are_needed else None

    def _end_old(self, token: str) -> None:
        """End the sessions that are too old, and the oldest one of a token that has as many as it may."""
        now = time.monotonic()
        for cookie in [cookie for cookie, session in self._by_cookie.items() if session.ends_at <= now]:
            del self._by_cookie[cookie]
        same = [cookie for cookie, session in self._by_cookie.items() if session.token == token]
        if len(same) >= self.settings.sessions_max:
            del self._by_cookie[same[0]]


class SessionCookie:
    """Passes the token of a session on as a bearer token, and sends a browser without one to the login page."""

    def __init__(self, app: ASGIApp, sessions: Sessions) -> None:
        self.app = app
        self.sessions = sessions

    @classmethod
    def middleware(cls, sessions: Sessions) -> Middleware:
        """Return it in the form that an application takes."""
        return Middleware(cls, sessions=sessions)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http" or scope["path"].startswith(_OPEN) or not self.sessions.are_needed:
            await self.app(scope, receive, send)
            return
        token = self.sessions.find(HTTPConnection(scope).cookies.get(COOKIE))
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


async def log_in(request: Request, sessions: Sessions) -> Response:
    """Return a redirect to the page asked for, with the cookie of a session; raise `WrongLogin` if it gets none."""
    try:
        form = parse_qs((await request.body()).decode("ascii"), max_num_fields=_FIELDS_MAX)
    except ValueError as why:
        raise WrongLogin("The form cannot be read. Type the token again.") from why
    wanted = form.get("next", ["/"])[0]
    moved = RedirectResponse(wanted if _is_own_address(wanted) else "/", status_code=303)
    if sessions.are_needed:
        moved.set_cookie(
            COOKIE,
            sessions.open(form.get("token", [""])[0].strip()),
            max_age=int(sessions.settings.session_s),
            httponly=True,
            samesite="strict",
            secure=request.scope["scheme"] == "https",
        )
    return moved


def log_out(request: Request, sessions: Sessions) -> Response:
    """Return a redirect to the login, and end the session."""
    sessions.close(request.cookies.get(COOKIE))
    moved = RedirectResponse("/login", status_code=303)
    moved.delete_cookie(COOKIE, httponly=True, samesite="strict", secure=request.scope["scheme"] == "https")
    return moved
