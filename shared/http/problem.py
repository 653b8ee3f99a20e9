"""An error over HTTP, as RFC 9457 problem details: the kinds that there are, and how one is told."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, NamedTuple

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

_SHOWN_MAX = 1_000  # characters of what was asked


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
    "bad-parameter", 400, "A parameter is not what is allowed",
    "`parameter` names it, and `detail` says what is allowed",
)  # fmt: skip
NO_TOKEN = Kind(
    "no-token", 401, "A token is needed", "send `Authorization: Bearer <token>` (docs/deployment.md: Tokens)"
)
UNKNOWN_TOKEN = Kind("unknown-token", 401, "Nobody has this token", "was it replaced? Send the new one")
LACKS_SCOPE = Kind("lacks-scope", 403, "The token is not for this", "send a token that has the scope named in `detail`")
NO_SUCH_PATH = Kind("no-such-path", 404, "There is no such path", "see `/openapi.json` for those that there are")
UNKNOWN_NAME = Kind(
    "unknown-name",
    404,
    "Nobody has spoken of this name",
    "`parameter` names it, and `detail` some of the names there are",
)
UNKNOWN_EVENT = Kind(
    "unknown-event", 404, "The ledger has judged no such event",
    "is it still in its source's outbox (`waferline status`), or was it handed in to another stack?",
)  # fmt: skip
UNKNOWN_BATCH = Kind("unknown-batch", 404, "There is no such batch", "`detail` names the last one")
NEVER_KNOWN = Kind(
    "never-known", 404, "There is no such past", "ask for a position or a day between those named in `detail`"
)
WRONG_METHOD = Kind("wrong-method", 405, "This cannot be done here", "`Allow` names the methods that there are")
SIMULATED = Kind(
    "simulated", 409, "The source is simulated", "hand events in to a stack that does not play the programme"
)
TOO_LONG = Kind("too-long", 413, "The body is too long", "hand it in in pieces")
UNFIT = Kind(
    "unfit-parameters", 422, "The parameters are well written, but there is no answer to them",
    "`detail` says which do not go together, or lie beyond what there is",
)  # fmt: skip
TOO_MANY_WAIT = Kind("too-many-wait", 429, "Too many events wait for the ledger", "hand in again when it goes on")
FAILED = Kind("failed", 500, "This service has a bug", "its log has the trace: please send it to us")
AWAY = Kind("away", 503, "What is needed for an answer is away", "ask again after the seconds of `Retry-After`")
BUSY = Kind("busy", 503, "Too many ask for the past", "ask again after the seconds of `Retry-After`")
KINDS = (
    BAD_PARAMETER, NO_TOKEN, UNKNOWN_TOKEN, LACKS_SCOPE, NO_SUCH_PATH, UNKNOWN_NAME, UNKNOWN_EVENT, UNKNOWN_BATCH,
    NEVER_KNOWN, WRONG_METHOD, SIMULATED, TOO_LONG, UNFIT, TOO_MANY_WAIT, FAILED, AWAY, BUSY,
)  # fmt: skip


class Problem(Exception):
    """A request cannot be answered; the message says why, and what to do."""

    def __init__(
        self, kind: Kind, detail: str, *, parameter: str | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.kind, self.parameter, self.headers = kind, parameter, headers

    def answer(self, request: Request) -> Response:
        """Return what whoever asked is told."""
        more = {} if self.parameter is None else {"parameter": self.parameter}
        return problem(self.kind, str(self), self.headers, request, **more)


def problem(
    kind: Kind | int,
    detail: str,
    headers: Mapping[str, str] | None = None,
    request: Request | None = None,
    **more: str,
) -> Response:
    """Return an error that says what is wrong, and what to do; a status alone is of no kind of its own."""
    if isinstance(kind, int):
        kind = Kind("", kind, HTTPStatus(kind).phrase, "")
    body: dict[str, Any] = {
        "type": kind.type if kind.name else "about:blank",
        "title": kind.title,
        "status": kind.status,
    }
    body["detail"] = detail
    if request is not None:
        body["instance"] = _asked(request)
    return Response(
        orjson.dumps(body | more),
        status_code=kind.status,
        headers=headers,
        media_type="application/problem+json",
    )


def _asked(request: Request) -> str:
    """Return the path and the query as they came: a relative reference, in ASCII."""
    path: bytes = request.scope.get("raw_path") or request.url.path.encode("ascii", "backslashreplace")
    query: bytes = request.scope["query_string"]
    return (path + b"?" * bool(query) + query).decode("latin-1")[:_SHOWN_MAX]


async def tell_failure(request: Request, failure: Exception) -> Response:
    """Return the answer where no route has given one: there is no such path or method, or we have a bug."""
    if not isinstance(failure, HTTPException):
        return problem(FAILED, "this cannot be answered because of a bug: the log of the service has it", None, request)
    if failure.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        allowed = ", ".join(sorted((failure.headers or {}).get("Allow", "").split(", ")))
        detail = f"{request.method} cannot be done here; there are {allowed}"
        return problem(WRONG_METHOD, detail, {"Allow": allowed}, request)
    return problem(NO_SUCH_PATH, "there is no such path; /openapi.json has those that there are", None, request)
