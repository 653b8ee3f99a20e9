"""An error over HTTP, as RFC 9457 problem details."""

from collections.abc import Mapping

import orjson
from starlette.responses import Response


class Problem(Exception):
    """A request cannot be answered; the message says why, and what to do."""

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.headers = headers


def problem(status: int, detail: str, headers: Mapping[str, str] | None = None) -> Response:
    """Return an error that says what is wrong, and what to do."""
    body = {"type": "about:blank", "status": status, "detail": detail}
    return Response(orjson.dumps(body), status_code=status, headers=headers, media_type="application/problem+json")
