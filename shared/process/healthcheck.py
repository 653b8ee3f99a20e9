"""python -m shared.process.healthcheck: ask this container's service for its health. It loads little: it runs often."""

import os
import ssl
import sys
from collections.abc import Mapping
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPSConnection

_TIMEOUT_S = 4.0
_ALL_ADDRESSES = {"", "0.0.0.0", "::"}  # noqa: S104 (the service listens on all; the check uses one)


def find_fault(environment: Mapping[str, str]) -> str | None:
    """Return the fault of the service that these settings start here; None if it is well."""
    host = environment.get("WAFERLINE_HTTP_HOST", "127.0.0.1")
    port = int(environment.get("WAFERLINE_HTTP_PORT", "0"))
    if not port:
        return "no WAFERLINE_HTTP_PORT is set: set it, so that the service answers /health"
    connection = _connection("127.0.0.1" if host in _ALL_ADDRESSES else host, port, environment)
    try:
        connection.request("GET", "/health")
        answer = connection.getresponse()
        body = answer.read(4_000).decode(errors="replace")
    except (OSError, HTTPException) as failure:
        return f"no answer at {host}:{port}: {failure!r}"
    finally:
        connection.close()
    return None if answer.status == HTTPStatus.OK else f"{answer.status}: {body}"


def _connection(host: str, port: int, environment: Mapping[str, str]) -> HTTPConnection:
    if not environment.get("WAFERLINE_TLS_CERT_FILE"):
        return HTTPConnection(host, port, timeout=_TIMEOUT_S)
    context = ssl.create_default_context(cafile=environment.get("WAFERLINE_TLS_CA_FILE"))
    context.check_hostname = False  # the certificate names the service as others call it, and this is its own address
    return HTTPSConnection(host, port, timeout=_TIMEOUT_S, context=context)


if __name__ == "__main__":
    sys.exit(find_fault(os.environ))
