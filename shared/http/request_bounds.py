"""Bounds on requests: the hosts and origins that they may name, and the bytes and the time of their bodies."""

import asyncio
from collections import Counter as PlainCounter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple
from urllib.parse import urlsplit

from prometheus_client import CollectorRegistry, Counter
from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.http.problem import AMBIGUOUS, BUSY, FOREIGN_ORIGIN, TOO_LONG, TOO_SLOW, WRONG_HOST, Kind, Problem
from shared.process.log import LineRation, Tally
from shared.process.settings import ServiceSettings

_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_RETRY_AFTER_S = "1"
_PATH_SHOWN_MAX = 80  # characters, in a log line
_LENGTH_DIGITS_MAX = 18


class BodyBound(NamedTuple):
    """The bound on the bodies of one path, and the setting that raises it."""

    bytes_max: int
    setting: str


class RequestBounds:
    """Refuses a request for another host, of another origin, or with a body that is too long or too slow.

    It answers each `Problem` that a route raises, too. Without tokens everybody on this machine has access, and so
    would the pages of strangers in a browser on it: then the request's host must be this one by name. A body is bounded
    while it arrives, before any route reads it.
    """

    def __init__(
        self, app: ASGIApp, settings: ServiceSettings, tally: Tally, refused: Counter, bodies: Mapping[str, BodyBound]
    ) -> None:
        self.app = app
        self.settings = settings
        self.bodies = bodies  # by path: those that may be longer than others
        self.every_body = BodyBound(settings.body_bytes_max, "WAFERLINE_BODY_BYTES_MAX")
        self.tally = tally  # not its log: a party binds its source to that later
        self.refused = refused
        self.held_bytes = 0  # of the bodies of all requests in progress
        self.ration = LineRation(self._log_others)
        self.names = frozenset(settings.http_hosts.lower().replace(",", " ").split())
        self.checks_host = settings.http_tokens_file is None and settings.http_port != 0

    @classmethod
    def middleware(
        cls, settings: ServiceSettings, tally: Tally, registry: CollectorRegistry, bodies: Mapping[str, BodyBound]
    ) -> Middleware:
        """Return it in the form that an application takes."""
        refused = Counter("waferline_requests_refused", "Requests refused at a bound", ["code"], registry=registry)
        return Middleware(cls, settings=settings, tally=tally, refused=refused, bodies=bodies)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, with its body bounded."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        has_begun = False

        async def answer(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        bound = self.bodies.get(scope["path"], self.every_body)
        try:
            self._check_head(Headers(scope=scope), bound)
            with self._bounded(receive, bound) as body:
                await self.app(scope, body, answer)
        except ClientDisconnect:
            return  # nobody is there to answer
        except Problem as why:
            if has_begun:  # the answer cannot be taken back
                raise
            self._note(why.kind, scope["path"])
            await why.answer(Request(scope))(scope, receive, send)

    def _check_head(self, headers: Headers, bound: BodyBound) -> None:
        """Raise `Problem` where the head alone refuses the request."""
        if "content-length" in headers and "transfer-encoding" in headers:
            detail = "the request has both Content-Length and Transfer-Encoding: send one of them"
            raise Problem(AMBIGUOUS, detail, headers={"Connection": "close"})
        host = headers.get("host", "").lower()
        name = _name_in(host)
        if self.checks_host and host and name not in {*_LOOPBACK, *self.names, self.settings.http_host}:
            shown = name[:80]
            raise Problem(
                WRONG_HOST, f"{shown!r} is no name of this service: ask it by 127.0.0.1, or add the name to"
                " WAFERLINE_HTTP_HOSTS",
            )  # fmt: skip
        self._check_origin(headers, host)
        length = headers.get("content-length", "")
        if length.isdecimal() and (len(length) > _LENGTH_DIGITS_MAX or int(length) > bound.bytes_max):
            raise _too_long(bound)

    def _check_origin(self, headers: Headers, host: str) -> None:
        """Raise `Problem` where a browser sends the request for a page of another origin."""
        origin = headers.get("origin")
        fetched = (headers.get("sec-fetch-site"), headers.get("sec-fetch-mode"))
        is_foreign = fetched[0] == "cross-site" and fetched[1] != "navigate"
        if origin is not None:
            place = origin.lower().rpartition("://")[2]
            is_foreign = place != host and _name_in(place) not in self.names
        if is_foreign:
            raise Problem(
                FOREIGN_ORIGIN, "a page of another origin sends this: open this service's own page, or add the origin's"
                " host to WAFERLINE_HTTP_HOSTS",
            )  # fmt: skip

    def _note(self, kind: Kind, path: str) -> None:
        """Count a refused request, and log some of them each second."""
        self.refused.labels(kind.name).inc()
        if self.ration.admits(kind.name):
            self.tally.log.warning(
                "request_refused", status=kind.status, reason=kind.name, route=path[:_PATH_SHOWN_MAX]
            )

    def _log_others(self, codes: PlainCounter[str]) -> None:
        self.tally.log.warning("requests_left_out", refused=codes.total(), codes=dict(codes))

    @contextmanager
    def _bounded(self, receive: Receive, bound: BodyBound) -> Iterator[Receive]:
        """Give a `receive` that raises `Problem` where the body is too long, too slow, or one too many."""
        settings, taken, is_complete = self.settings, 0, False
        deadline = asyncio.get_running_loop().time() + settings.body_timeout_s

        async def receive_bounded() -> Message:
            nonlocal taken, is_complete
            if is_complete:
                return await receive()
            try:
                async with asyncio.timeout_at(deadline):
                    message = await receive()
            except TimeoutError:
                detail = (
                    f"the body has not arrived within {settings.body_timeout_s:g} s (WAFERLINE_BODY_TIMEOUT_S): send it"
                    " in smaller parts"
                )
                raise Problem(TOO_SLOW, detail, headers={"Connection": "close"}) from None
            size = len(message.get("body", b""))
            taken, self.held_bytes = taken + size, self.held_bytes + size
            if taken > bound.bytes_max:
                raise _too_long(bound)
            if self.held_bytes > settings.bodies_bytes_max:
                detail = (
                    f"all bodies that arrive now are more than {settings.bodies_bytes_max} bytes together"
                    " (WAFERLINE_BODIES_BYTES_MAX): send this one again"
                )
                raise Problem(BUSY, detail, headers={"Retry-After": _RETRY_AFTER_S})
            is_complete = not message.get("more_body", False)
            return message

        try:
            yield receive_bounded
        finally:
            self.held_bytes -= taken


def _too_long(bound: BodyBound) -> Problem:
    detail = f"the body has more than {bound.bytes_max} bytes ({bound.setting}): send it in parts"
    return Problem(TOO_LONG, detail)


def _name_in(place: str) -> str:
    """Return the name or address of a host and port; empty where there is none."""
    try:
        return urlsplit(f"//{place}").hostname or ""
    except ValueError:  # half an IPv6 address
        return ""
