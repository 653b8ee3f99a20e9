"""Queries to the aggregator and the ledger over HTTP, with a token like any other caller."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from copy import copy
from typing import Any, Self

import httpx

from shared.http.peers import PAST_WAITS, Caller
from shared.wire.events import UNALLOCATED, UNATTRIBUTED

_NAMES_FRESH_S = 30.0
_SILENT_S = 2.0  # after a service has not answered in time, a query does not wait for it again
_OF_TWO_STATES = ("/bridge", "/since")

Params = Mapping[str, str | int | None]

NO_NAMES: Mapping[str, Sequence[str]] = {"product": (), "site": (), "supplier": (), "party": ()}
"""For a visitor who may not see the names."""


class NoAnswer(Exception):
    """A service gave no answer to show; the message gives the reason, `status` is the page's status."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class Upstream:
    """The aggregator and the ledger, over connections that stay open."""

    def __init__(
        self,
        caller: Caller,
        aggregator_url: str,
        ledger_url: str,
        transport: httpx.AsyncBaseTransport | None = None,
        wait_s: float = 10.0,
    ) -> None:
        self._caller, self._wait_s = caller, wait_s
        self._silent_until: dict[str, float] = {}
        self._transport = transport  # none: over the network
        self._urls = {"aggregator": aggregator_url, "ledger": ledger_url}
        self._clients: dict[str, httpx.AsyncClient] = {}
        self._visitor: dict[str, str] = {}  # headers in place of the console's own

    def as_visitor(self, token: str | None) -> Self:
        """Return the same services, asked with a visitor's token: they answer as far as it may see."""
        visitor = copy(self)  # with the same connections
        visitor._visitor = {} if token is None else {"Authorization": f"Bearer {token}"}
        return visitor

    async def aggregator(self, path: str, params: Params | None = None) -> Any:
        """Return the aggregator's answer; parameters that are None or empty are left out."""
        return (await self._get("aggregator", path, params)).json()

    async def ledger(self, path: str, params: Params | None = None) -> Any:
        """Return the ledger's answer."""
        return (await self._get("ledger", path, params)).json()

    async def health(self, url: str) -> dict[str, Any]:
        """Return a service's health, whether it is well or not."""
        try:
            async with asyncio.timeout(self._wait_s):
                answer = await self._client("health", "").get(url + "/health", headers=self._visitor)
            return dict(answer.json())
        except (httpx.HTTPError, TimeoutError, ValueError) as failure:
            return {"well": False, "why": str(failure) or type(failure).__name__}

    async def post(
        self, service: str, url: str, params: Params, content: bytes, headers: Mapping[str, str]
    ) -> httpx.Response:
        """Return a service's answer to a body, of any status; wait for it as for an answer of the past."""
        wait_s = self._wait_s * PAST_WAITS
        try:
            async with asyncio.timeout(wait_s):
                return await self._client("health", "").post(
                    url, params=dict(params), content=content, headers={**self._visitor, **headers}
                )
        except (httpx.HTTPError, TimeoutError) as failure:
            reason = str(failure) or f"not within {wait_s:g} s"
            raise NoAnswer(
                503, f"{service} does not answer at {url} ({reason}). Read its log, then try again."
            ) from failure

    async def _get(self, service: str, path: str, params: Params | None) -> httpx.Response:
        query = {name: value for name, value in (params or {}).items() if value not in (None, "")}
        url, is_past = self._urls[service], "as_of" in query or path in _OF_TWO_STATES
        wait_s = self._wait_s * (PAST_WAITS if is_past else 1)
        try:
            if time.monotonic() < self._silent_until.get(service, 0.0):
                raise httpx.ReadTimeout("it did not answer a moment ago")
            async with asyncio.timeout(wait_s):
                answer = await self._client(service, url).get(path, params=query, headers=self._visitor)
        except (httpx.HTTPError, TimeoutError) as failure:
            late = isinstance(failure, TimeoutError | httpx.TimeoutException)
            if isinstance(failure, TimeoutError) and not is_past:
                self._silent_until[service] = time.monotonic() + _SILENT_S
            reason = str(failure) or (f"not within {wait_s:g} s" if late else type(failure).__name__)
            raise NoAnswer(
                503, f"The {service} does not answer at {url} ({reason}). Start it, or read its log. This page tries"
                " again by itself."
            ) from failure  # fmt: skip
        if answer.status_code >= httpx.codes.BAD_REQUEST:
            raise _refusal(service, answer, is_visitor=bool(self._visitor))
        return answer

    def _client(self, name: str, url: str) -> httpx.AsyncClient:
        if name not in self._clients:
            headers, verify = self._caller
            self._clients[name] = httpx.AsyncClient(
                base_url=url,
                headers=headers,
                verify=verify,
                timeout=self._wait_s * PAST_WAITS,
                transport=self._transport,
            )
        return self._clients[name]


class FilterNames:
    """Names for every page, read again after 30 seconds: those that the filters offer, and those that are declared."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream
        self._names: dict[str, list[str]] = {"product": [], "site": [], "supplier": [], "party": []}
        self.titles: dict[tuple[str, str], str] = {}
        """The declared names by kind (product, site, source, supplier or party) and id."""
        self._read_at = float("-inf")

    async def read(self) -> Mapping[str, Sequence[str]]:
        """Return the names by filter; the earlier ones while the aggregator does not answer."""
        if time.monotonic() - self._read_at > _NAMES_FRESH_S:
            self._read_at = time.monotonic()
            with suppress(NoAnswer):  # of the first query: the next one would wait as long
                for part in ("product", "site", "supplier"):
                    rows = (await self._upstream.aggregator("/balances", {"by": part, "window": 1}))["rows"]
                    # a product or supplier of synthetic sites has a second row
                    names = dict.fromkeys(row[part] for row in rows)
                    self._names[part] = [name for name in names if name not in (UNALLOCATED, UNATTRIBUTED)]
                self.titles = await self._read_titles()
                self._names["party"] = sorted(id_ for kind, id_ in self.titles if kind == "party")
        return self._names

    async def _read_titles(self) -> dict[tuple[str, str], str]:
        answer = await self._upstream.aggregator("/names")
        rows = answer["rows"]
        while answer["next"] is not None:
            answer = await self._upstream.aggregator("/names", {"after": answer["next"]})
            rows += answer["rows"]
        return {
            (row["kind"], row["id"]): row["name"] or row["id"] for row in rows if row["name"] or row["kind"] == "party"
        }


def _refusal(service: str, answer: httpx.Response, *, is_visitor: bool) -> NoAnswer:
    try:
        detail = str(answer.json()["detail"])
    except (ValueError, LookupError, TypeError):
        detail = f"HTTP {answer.status_code}"
    if answer.status_code == httpx.codes.FORBIDDEN and is_visitor:
        return NoAnswer(403, f"This page needs more than your token may see: {detail}. Log in with another one.")
    if answer.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        if is_visitor:
            return NoAnswer(503, f"The {service} does not know your token: both must read the same file of tokens.")
        return NoAnswer(
            503, f"The {service} does not let the console in: {detail}. Name another file in WAFERLINE_TOKEN_FILE."
        )
    return NoAnswer(answer.status_code, detail)
