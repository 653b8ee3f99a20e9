"""Who may ask what over HTTP: tokens with scopes, and routes of which each names the scope that it needs."""

import asyncio
import re
import time
from collections import Counter as PlainCounter
from collections.abc import Awaitable, Callable, Sequence
from hashlib import sha256
from hmac import compare_digest
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple

from prometheus_client import CollectorRegistry, Counter
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from shared.http.problem import LACKS_SCOPE, NO_TOKEN, UNKNOWN_TOKEN, problem
from shared.process.credentials import CredentialsError, read_secret
from shared.process.log import REFUSALS_SAID_MAX, Tally
from shared.process.settings import ServiceSettings

READ = "read"  # what a planner asks the aggregator
AUDIT = "audit"  # what an auditor asks the ledger
METRICS = "metrics"
OPEN = "open"  # for whoever comes; no token has it, so none needs it

_HEALTH_SCOPES = {READ, AUDIT, METRICS}  # any of them sees more than whether a service is well
_SAID_EVERY_S = 1.0

_is_name = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*").fullmatch
_is_scope = re.compile(r"read|audit|metrics|publish:[A-Za-z0-9][A-Za-z0-9._:-]*").fullmatch
_is_digest = re.compile(r"[0-9a-f]{64}").fullmatch

Answer = Callable[[Request], Awaitable[Response]]


class Token(NamedTuple):
    """What is known of a token: whose it is and what it is for, never the token itself."""

    name: str
    scopes: frozenset[str]
    digest: str  # SHA-256 of the token


class ScopedRoute(Route):
    """A route that names the scope that a token needs for it; `OPEN` needs none. A service serves no other."""

    def __init__(self, path: str, answer: Answer, *, scope: str, methods: Sequence[str] = ("GET",)) -> None:
        super().__init__(path, answer, methods=list(methods))
        self.scope = scope


def publish_scope(source: str) -> str:
    """Return the scope of whoever may hand in events of a source."""
    return f"publish:{source}"


def digest_of(token: str) -> str:
    """Return what a file of tokens holds of a token."""
    return sha256(token.encode()).hexdigest()


def read_tokens(path: Path) -> list[Token]:
    """Return the tokens of a file: a line each, its name, its scopes with commas, and its SHA-256.

    Raises `CredentialsError` with the line that is wrong: a token that is not what somebody meant is none.
    """
    text = read_secret(path, "WAFERLINE_HTTP_TOKENS_FILE")
    tokens: list[Token] = []
    for number, line in enumerate(text.splitlines(), start=1):
        said = line.partition("#")[0].split()
        if said:
            try:
                tokens.append(_parse(said, tokens))
            except ValueError as why:
                raise CredentialsError(f"{path}, line {number}: {why}") from why
    if not tokens:
        raise CredentialsError(f"{path} names no token, so nobody could ask anything: make it with `waferline secrets`")
    return tokens


def _parse(said: Sequence[str], before: Sequence[Token]) -> Token:
    if len(said) != len(Token._fields):
        raise ValueError(f"{len(said)} words, not 3: a name, its scopes with commas, a SHA-256")
    name, scopes, digest = said[0], said[1].split(","), said[2]
    if not _is_name(name):
        raise ValueError(f"{name!r} is no name: letters, digits, '.', '_' and '-'")
    for scope in scopes:
        if not _is_scope(scope):
            raise ValueError(f"{scope!r} is no scope; there are read, audit, metrics and publish:<source>")
    if not _is_digest(digest):
        raise ValueError(f"the last word of {name!r} is no SHA-256 of 64 digits 0-9 and a-f; is it the token itself?")
    for known in before:
        if known.name == name or known.digest == digest:
            raise ValueError(f"{name!r} has the {'name' if known.name == name else 'token'} of a line before")
    return Token(name, frozenset(scopes), digest)


class Access:
    """The door of one service: it lets through who has a token with the scope of the route, and notes who has not."""

    def __init__(self, settings: ServiceSettings, tally: Tally, registry: CollectorRegistry) -> None:
        path, host = settings.http_tokens_file, settings.http_host
        if path is None and settings.http_port and not _is_loopback(host):
            raise CredentialsError(
                f"WAFERLINE_HTTP_HOST={host} is open to the network, and nothing says who may ask: name a file of"
                " tokens in WAFERLINE_HTTP_TOKENS_FILE (`waferline secrets` makes it), or listen on 127.0.0.1"
            )
        self.tokens = None if path is None else read_tokens(path)
        self.refusals = _Refusals(tally, registry)

    def guard(self, route: BaseRoute) -> Route:
        """Return a route that asks for the token before it answers."""
        if not isinstance(route, ScopedRoute):
            raise TypeError(f"{route} names no scope: make it a ScopedRoute, so that it is said who may ask")

        async def answer(request: Request) -> Response:
            refusal = self._refusal(request, route)
            return await route.endpoint(request) if refusal is None else refusal

        return Route(route.path, answer, methods=list(route.methods or ()))

    def sees_health(self, request: Request) -> bool:
        """Whether a caller may know more than whether the service is well."""
        if self.tokens is None:
            return True
        token = self._find(_presented(request))
        return token is not None and not _HEALTH_SCOPES.isdisjoint(token.scopes)

    def _refusal(self, request: Request, route: ScopedRoute) -> Response | None:
        """Return what to answer instead where a request may not be answered, and note it."""
        if self.tokens is None:
            return None
        scope, presented = route.scope, _presented(request)
        token = self._find(presented)
        if scope == OPEN and (token is not None or presented is None):
            return None
        if token is not None and scope in token.scopes:
            return None
        peer = request.client.host if request.client else None
        if token is not None:
            self.refusals.note("lacks_scope", route, token.name, peer)
            challenge = f'Bearer error="insufficient_scope", scope="{scope}"'
            detail = f"the token of {token.name} lacks the scope {scope}"
            return problem(LACKS_SCOPE, detail, {"WWW-Authenticate": challenge}, request)
        if presented is not None:
            self.refusals.note("unknown_token", route, None, peer)
            kind, detail = UNKNOWN_TOKEN, "nobody here has this token: was it replaced?"
            challenge = 'Bearer error="invalid_token"'
        else:
            self.refusals.note("no_token", route, None, peer)
            kind, detail, challenge = NO_TOKEN, f"this needs a token with the scope {scope}", "Bearer"
        return problem(kind, detail, {"WWW-Authenticate": challenge}, request)

    def _find(self, presented: str | None) -> Token | None:
        """Return the token whose digest is that of what was presented."""
        found = None
        if presented is not None:
            digest = digest_of(presented)
            for token in self.tokens or ():  # all of them, and each to its end: the time it takes tells nothing
                if compare_digest(token.digest, digest):
                    found = token
        return found


class _Refusals:
    """Counts who was turned away, and says some a second; the others are added up in a line at the end of it."""

    def __init__(self, tally: Tally, registry: CollectorRegistry) -> None:
        self.tally = tally  # its log, as a party names itself in it later
        self.count = Counter("waferline_access_refused", "Requests turned away", ["code"], registry=registry)
        self._since, self._said = float("-inf"), 0
        self._left: PlainCounter[str] = PlainCounter()

    def note(self, code: str, route: ScopedRoute, caller: str | None, peer: str | None) -> None:
        self.count.labels(code).inc()
        now = time.monotonic()
        if now - self._since >= _SAID_EVERY_S:
            self._since, self._said = now, 0
        if self._said < REFUSALS_SAID_MAX:
            self._said += 1
            self.tally.log.warning(
                "access_refused", code=code, route=route.path, scope=route.scope, caller=caller, peer=peer
            )
            return
        if not self._left:
            asyncio.get_running_loop().call_later(self._since + _SAID_EVERY_S - now, self.flush)
        self._left[code] += 1

    def flush(self) -> None:
        """Say what was left out; a service that stops has no second left."""
        if self._left:
            self.tally.log.warning("accesses_left_out", refused=self._left.total(), codes=dict(self._left))
            self._left.clear()


def _presented(request: Request) -> str | None:
    """Return what a request presents as its token, None where it presents none."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
