"""HTTP calls to a service, with the token and the CA that the environment names."""

from collections.abc import Mapping
from typing import Literal
from urllib.parse import urlsplit

import httpx

from shared.http.peers import PAST_WAITS, expect_access, read_caller
from shared.process.settings import ServiceSettings


def call(
    url: str,
    *,
    method: Literal["GET", "POST"] = "GET",
    params: Mapping[str, str] | None = None,
    content: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    within_s: float | None = None,
) -> httpx.Response:
    """Return the response of a service; raise `CredentialsError` if it refuses the token.

    By default it waits as long as the settings say. Raises `httpx.TransportError` where there is no answer by then.
    """
    settings = ServiceSettings()
    own_headers, verify = read_caller(settings)
    if within_s is None:
        is_past = "as_of" in (params or {}) or url.endswith("/bridge")
        within_s = settings.answer_wait_s * (PAST_WAITS if is_past else 1)
    with httpx.Client(headers={**own_headers, **(headers or {})}, verify=verify, timeout=within_s) as client:
        response = client.request(method, url, params=params, content=content)
    place = urlsplit(url)
    expect_access(response, f"{place.scheme}://{place.netloc}")
    return response
