"""Access over HTTP: tokens with scopes, and routes that each name the scope they need."""

import asyncio
import re
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
from shared.process.log import LineRation, Tally
from shared.process.settings import ServiceSettings
from shared.process.watched_file import WatchedFile

READ = "read"  # the aggregator's views, for planners
AUDIT = "audit"  # the ledger's records, for auditors
METRICS = "metrics"
OPEN = "open"  # needs no token, and no token has it

_WATCH_INTERVAL_S = 1.0

_HEALTH_SCOPES = {READ, AUDIT, METRICS}  # each shows the details of /health

_is_name = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*").fullmatch
_is_scope = re.compile(r"read|audit|metrics|publish:[A-Za-z0-9][A-Za-z0-9._:-]*").fullmatch
_is_digest = re.compile(r"[0-9a-f]{64}").fullmatch

Endpoint = Callable[[Request], Awaitable[Response]]


class Token(NamedTuple):
    """The record of a token: its owner and its scopes, never the token itself."""

    name: str
    scopes: frozenset[str]
    digest: str  # SHA-256 of the token


class ScopedRoute(Route):
    """A route that names the scope it needs of a token; `OPEN` needs none. A service serves only such routes.

    With `publishers_of`, a parameter of the query that names a source, a token that may publish events of this source
    passes, too.
    """

    def __init__(
        self,
        path: str,
        endpoint: Endpoint,
        *,
        scope: str,
        methods: Sequence[str] = ("GET",),
        publishers_of: str | None = None,
    ) -> None:
        super().__init__(path, endpoint, methods=list(methods))
        self.scope = scope
        self.publishers_of = publishers_of

    def scopes(self, request: Request) -> set[str]:
        """Return the scopes of which a request needs one."""
        source = None if self.publishers_of is None else request.query_params.get(self.publishers_of)
        return {self.scope} if source is None else {self.scope, publish_scope(source)}


def publish_scope(source: str) -> str:
    """Return the scope that lets a token hand in events of a source."""
    return f"publish:{source}"


def digest_of(token: str) -> str:
    """Return the SHA-256 of a token, as a file of tokens holds it."""
    return sha256(token.encode()).hexdigest()


def read_tokens(path: Path) -> list[Token]:
    """Return the tokens of a file: one a line, with its name, its scopes separated by commas, and its SHA-256.

    Raises `CredentialsError` with the first wrong line: one that was skipped would lock its owner out unnoticed.
    """
    text = read_secret(path, "WAFERLINE_HTTP_TOKENS_FILE")
    tokens: list[Token] = []
    for number, line in enumerate(text.split("\n"), start=1):
        words = line.partition("#")[0].split()
        if words:
            try:
                tokens.append(_parse(words, tokens))
            except ValueError as why:
                raise CredentialsError(f"{path}, line {number}: {why}") from why
    if not tokens:
        raise CredentialsError(f"{path} names no token, so nobody has access: make it with `waferline secrets`")
    return tokens


def _parse(words: Sequence[str], earlier: Sequence[Token]) -> Token:
    if len(words) != len(Token._fields):
        raise ValueError(f"{len(words)} words, not 3: a name, its scopes separated by commas, a SHA-256")
    name, scopes, digest = words[0], words[1].split(","), words[2]
    if not _is_name(name):
        raise ValueError(f"{name!r} is no name: letters, digits, '.', '_' and '-'")
    for scope in scopes:
        if not _is_scope(scope):
            raise ValueError(f"{scope!r} is no scope; there are read, audit, metrics and publish:<source>")
    if not _is_digest(digest):
        raise ValueError(f"the last word of {name!r} is no SHA-256 of 64 digits 0-9 and a-f; is it the token itself?")
    for other in earlier:
        if other.name == name or other.digest == digest:
            raise ValueError(f"{name!r} has the {'name' if other.name == name else 'token'} of a line before")
    return Token(name, frozenset(scopes), digest)


class Access:
    """Access control of one service: it passes a request with a token of the route's scope, and refuses any other."""

    def __init__(self, settings: ServiceSettings, tally: Tally, registry: CollectorRegistry) -> None:
        path, host = settings.http_tokens_file, settings.http_host
        if path is None and settings.http_port and not _is_loopback(host):
            raise CredentialsError(
                f"WAFERLINE_HTTP_HOST={host} is open to the network, and no tokens are set: name a file of"
                " tokens in WAFERLINE_HTTP_TOKENS_FILE (`waferline secrets` makes it), or listen on 127.0.0.1"
            )
        self.tally = tally
        self.file = None if path is None else WatchedFile(path)
        self.tokens = None if self.file is None else self._read(self.file)
        self.refusals = AccessRefusals(tally, registry)

    @staticmethod
    def _read(file: WatchedFile) -> list[Token]:
        file.has_changed()  # before it is read: a later change is another one
        return read_tokens(file.path)

    async def watch(self) -> None:
        """Read the file of tokens again whenever it changes; one with a fault changes nothing."""
        while self.file is not None:
            await asyncio.sleep(_WATCH_INTERVAL_S)
            self.follow_file(self.file)

    def follow_file(self, file: WatchedFile) -> None:
        """Take the tokens of the file, if it has changed."""
        if not file.has_changed():
            return
        try:
            self.tokens = read_tokens(file.path)
        except CredentialsError as failure:
            self.tally.log.warning("tokens_refused", path=str(file.path), reason=str(failure))
        else:
            self.tally.log.info("tokens_taken", tokens=len(self.tokens))

    def guard(self, route: BaseRoute) -> Route:
        """Return a route that checks the token before it answers."""
        if not isinstance(route, ScopedRoute):
            raise TypeError(f"{route} names no scope: make it a ScopedRoute")

        async def answer(request: Request) -> Response:
            refusal = self._refuse(request, route)
            return await route.endpoint(request) if refusal is None else refusal

        return Route(route.path, answer, methods=list(route.methods or ()))

    def sees_health(self, request: Request) -> bool:
        """Return whether a caller may see the details of the service's health."""
        if self.tokens is None:
            return True
        token = self.find(bearer_token(request))
        return token is not None and not _HEALTH_SCOPES.isdisjoint(token.scopes)

    def _refuse(self, request: Request, route: ScopedRoute) -> Response | None:
        """Return the response to a request that may not pass, and note it; None where it may."""
        if self.tokens is None:
            return None
        scope, bearer = route.scope, bearer_token(request)
        token = self.find(bearer)
        if scope == OPEN and (token is not None or bearer is None):
            return None
        if token is not None and not token.scopes.isdisjoint(route.scopes(request)):
            return None
        peer = request.client.host if request.client else None
        if token is not None:
            self.refusals.note("lacks_scope", route, token.name, peer)
            challenge = f'Bearer error="insufficient_scope", scope="{scope}"'
            detail = f"the token of {token.name} lacks the scope {scope}"
            return problem(LACKS_SCOPE, detail, {"WWW-Authenticate": challenge}, request)
        if bearer is not None:
            self.refusals.note("unknown_token", route, None, peer)
            kind, detail = UNKNOWN_TOKEN, "this service does not know the token: was it replaced? Send the new one"
            challenge = 'Bearer error="invalid_token"'
        else:
            self.refusals.note("no_token", route, None, peer)
            kind, detail, challenge = NO_TOKEN, f"this needs a token with the scope {scope}", "Bearer"
        return problem(kind, detail, {"WWW-Authenticate": challenge}, request)

    def may(self, request: Request, scope: str) -> bool:
        """Return whether a caller has a scope; where no tokens are set, everybody has each."""
        token = self.find(bearer_token(request))
        return self.tokens is None or (token is not None and scope in token.scopes)

    def find(self, bearer: str | None) -> Token | None:
        """Return the record of a token, None where there is none."""
        found = None
        if bearer is not None:
            digest = digest_of(bearer)
            for token in self.tokens or ():  # all of them, in constant time: the time reveals nothing
                if compare_digest(token.digest, digest):
                    found = token
        return found


class AccessRefusals:
    """Counts the refused requests, and logs some of them in each second."""

    def __init__(self, tally: Tally, registry: CollectorRegistry) -> None:
        self.tally = tally  # not its log: a party binds its source to that later
        self.count = Counter("waferline_access_refused", "Requests turned away", ["code"], registry=registry)
        self.ration = LineRation(self._log_others)

    def note(self, code: str, route: ScopedRoute, caller: str | None, peer: str | None) -> None:
        self.count.labels(code).inc()
        if self.ration.admits(code):
            self.tally.log.warning(
                "access_refused", code=code, route=route.path, scope=route.scope, caller=caller, peer=peer
            )

    def _log_others(self, codes: PlainCounter[str]) -> None:
        self.tally.log.warning("accesses_left_out", refused=codes.total(), codes=dict(codes))


def bearer_token(request: Request) -> str | None:
    """Return the token of a request, None where it sends none."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
