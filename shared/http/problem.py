"""Errors over HTTP as RFC 9457 problem details: their kinds, and their responses."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, NamedTuple
from urllib.parse import quote

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

_TARGET_LENGTH_MAX = 1_000  # characters of the request's path and query
_PRINTABLE = "".join(map(chr, range(0x21, 0x7F)))


class Kind(NamedTuple):
    """A kind of problem; its name is part of its `type`, which a program may act on, and never changes."""

    name: str
    status: int
    title: str
    remedy: str

    @property
    def type(self) -> str:
        """The URI of the kind, relative to the service."""
        return f"/problems/{self.name}"


BAD_PARAMETER = Kind(
    "bad-parameter", 400, "A parameter is invalid",
    "`parameter` names it, and `detail` the values allowed",
)  # fmt: skip
AMBIGUOUS = Kind(
    "ambiguous-length", 400, "The body's length is ambiguous", "send Content-Length or Transfer-Encoding, not both"
)
NO_TOKEN = Kind(
    "no-token", 401, "A token is needed", "send `Authorization: Bearer <token>` (docs/deployment.md: Tokens)"
)
UNKNOWN_TOKEN = Kind("unknown-token", 401, "The token is unknown", "was it replaced? Send the new one")
LACKS_SCOPE = Kind("lacks-scope", 403, "The token lacks the scope", "send a token that has the scope named in `detail`")
FOREIGN_ORIGIN = Kind(
    "foreign-origin", 403, "A page of another origin sends this",
    "open this service's own page, or add the origin's host to WAFERLINE_HTTP_HOSTS",
)  # fmt: skip
NO_SUCH_PATH = Kind("no-such-path", 404, "There is no such path", "see `/openapi.json` for the paths")
UNKNOWN_NAME = Kind(
    "unknown-name",
    404,
    "No event uses this name",
    "`parameter` names the parameter, and `detail` some of the names in use",
)
UNKNOWN_EVENT = Kind(
    "unknown-event", 404, "The ledger has judged no such event",
    "is it still in its source's outbox (`waferline status`), or was it handed in to another stack?",
)  # fmt: skip
UNKNOWN_BATCH = Kind("unknown-batch", 404, "There is no such batch", "`detail` names the last one")
NEVER_KNOWN = Kind(
    "never-known", 404, "There is no such past", "ask for a position or a day between those named in `detail`"
)
WRONG_METHOD = Kind("wrong-method", 405, "The path has no such method", "`Allow` names its methods")
TOO_SLOW = Kind("too-slow", 408, "The request arrives too slowly", "send it in smaller parts, each at once")
SIMULATED = Kind(
    "simulated", 409, "The source is simulated", "hand events in to a stack that does not play the programme"
)
TOO_LONG = Kind("too-long", 413, "The body is too long", "send it in parts")
WRONG_HOST = Kind(
    "wrong-host", 421, "The service has another name", "ask it by 127.0.0.1, or add the name to WAFERLINE_HTTP_HOSTS"
)
UNFIT = Kind(
    "unfit-parameters", 422, "The parameters are valid, but have no answer",
    "`detail` names those that do not go together, or lie outside the data",
)  # fmt: skip
TOO_MANY_WAIT = Kind(
    "too-many-wait", 429, "Too many events wait for the ledger", "send the events again when the ledger has caught up"
)
TOO_MANY_NAMES = Kind(
    "too-many-names", 429, "The source has used too many names",
    "are they right? If so, raise WAFERLINE_NAMES_MAX of the party, and see docs/limits.md",
)  # fmt: skip
FAILED = Kind("failed", 500, "This service has a bug", "its log has the trace: please send it to us")
AWAY = Kind("away", 503, "A service that the answer needs is away", "ask again after the seconds of `Retry-After`")
BUSY = Kind("busy", 503, "Too much is asked at once", "ask again after the seconds of `Retry-After`")
NO_ROOM = Kind(
    "no-room", 507, "The disk takes no more", "make room on the disk of the service, and hand the same body in again"
)
KINDS = (
    BAD_PARAMETER, AMBIGUOUS, NO_TOKEN, UNKNOWN_TOKEN, LACKS_SCOPE, FOREIGN_ORIGIN, NO_SUCH_PATH, UNKNOWN_NAME,
    UNKNOWN_EVENT, UNKNOWN_BATCH, NEVER_KNOWN, WRONG_METHOD, TOO_SLOW, SIMULATED, TOO_LONG, WRONG_HOST, UNFIT,
    TOO_MANY_WAIT, TOO_MANY_NAMES, FAILED, AWAY, BUSY, NO_ROOM,
)  # fmt: skip


class Problem(Exception):
    """A request that cannot be answered; the message names the reason and the remedy."""

    def __init__(
        self, kind: Kind, detail: str, *, parameter: str | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.kind, self.parameter, self.headers = kind, parameter, headers

    def answer(self, request: Request) -> Response:
        """Return the response to the request."""
        more = {} if self.parameter is None else {"parameter": self.parameter}
        return problem(self.kind, str(self), self.headers, request, **more)


def problem(
    kind: Kind | int,
    detail: str,
    headers: Mapping[str, str] | None = None,
    request: Request | None = None,
    **more: str,
) -> Response:
    """Return an error response; one with a bare status is of type `about:blank`."""
    if isinstance(kind, int):
        kind = Kind("", kind, HTTPStatus(kind).phrase, "")
    body: dict[str, Any] = {
        "type": kind.type if kind.name else "about:blank",
        "title": kind.title,
        "status": kind.status,
    }
    body["detail"] = detail
    if request is not None:
        body["instance"] = _target(request)
    return Response(
        orjson.dumps(body | more),
        status_code=kind.status,
        headers=headers,
        media_type="application/problem+json",
    )


def path_of(request: Request) -> str:
    """Return the path as it came, in ASCII."""
    return quote(request.scope.get("raw_path") or request.scope["path"], safe=_PRINTABLE)


def _target(request: Request) -> str:
    """Return the path and the query as they came: a relative reference, in ASCII."""
    query: bytes = request.scope["query_string"]
    return (path_of(request) + "?" * bool(query) + quote(query, safe=_PRINTABLE))[:_TARGET_LENGTH_MAX]


async def answer_failure(request: Request, failure: Exception) -> Response:
    """Return the response where no route gives one: no such path, no such method, or a bug."""
    if not isinstance(failure, HTTPException):
        return problem(FAILED, "a bug prevents the answer: the log of the service has its trace", None, request)
    if failure.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        allowed = ", ".join(sorted((failure.headers or {}).get("Allow", "").split(", ")))
        detail = f"{request.method} is not allowed here; use {allowed}"
        return problem(WRONG_METHOD, detail, {"Allow": allowed}, request)
    return problem(NO_SUCH_PATH, "there is no such path; /openapi.json lists the paths", None, request)
