"""Asking the aggregator and the ledger over HTTP, as anyone may who has a token."""

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import httpx

from shared.http.peers import Caller
from shared.wire.events import UNALLOCATED, UNATTRIBUTED

_NAMES_KEPT_S = 30.0
_ANSWERED_WITHIN_S = 20.0  # a state of the past is folded before it is read


class Unanswered(Exception):
    """A service gave no answer to show; the message says why, `status` is what to answer in its place."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


class Peers:
    """The aggregator and the ledger, over connections that stay open."""

    def __init__(
        self, caller: Caller, aggregator_url: str, ledger_url: str, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self._caller = caller
        self._transport = transport  # none: over the network
        self._urls = {"aggregator": aggregator_url, "ledger": ledger_url}
        self._clients: dict[str, httpx.AsyncClient] = {}

    async def aggregator(self, path: str, params: Mapping[str, str | int | None] | None = None) -> Any:
        """Return what the aggregator answers; parameters that are None or empty are left out."""
        return (await self._ask("aggregator", path, params)).json()

    async def ledger(self, path: str, params: Mapping[str, str | int | None] | None = None) -> Any:
        """Return what the ledger answers."""
        return (await self._ask("ledger", path, params)).json()

    async def health(self, url: str) -> dict[str, Any]:
        """Return what a service says of its health, whether it is well or not."""
        try:
            answer = await self._client("health", "").get(url + "/health")
            return dict(answer.json())
        except (httpx.HTTPError, ValueError) as failure:
            return {"well": False, "why": str(failure) or type(failure).__name__}

    async def _ask(self, service: str, path: str, params: Mapping[str, str | int | None] | None) -> httpx.Response:
        asked = {name: value for name, value in (params or {}).items() if value not in (None, "")}
        url = self._urls[service]
        try:
            answer = await self._client(service, url).get(path, params=asked)
        except httpx.HTTPError as failure:
            reason = str(failure) or type(failure).__name__
            raise Unanswered(
                503, f"The {service} does not answer at {url} ({reason}). Start it, or look at its log: this page comes"
                " back by itself."
            ) from failure  # fmt: skip
        if answer.status_code >= httpx.codes.BAD_REQUEST:
            raise Unanswered(*_refusal(service, answer))
        return answer

    def _client(self, name: str, url: str) -> httpx.AsyncClient:
        if name not in self._clients:
            headers, verify = self._caller
            self._clients[name] = httpx.AsyncClient(
                base_url=url, headers=headers, verify=verify, timeout=_ANSWERED_WITHIN_S, transport=self._transport
            )
        return self._clients[name]


class Names:
    """The sites and suppliers that somebody has spoken of, to choose from; asked for again after a while."""

    def __init__(self, peers: Peers) -> None:
        self._peers = peers
        self._known: dict[str, list[str]] = {"site": [], "supplier": []}
        self._asked_at = float("-inf")

    async def known(self) -> Mapping[str, Sequence[str]]:
        """Return the names; those of before where nobody answers."""
        if time.monotonic() - self._asked_at > _NAMES_KEPT_S:
            self._asked_at = time.monotonic()
            with suppress(Unanswered):
                for part in self._known:
                    rows = (await self._peers.aggregator("/balances", {"by": part, "window": 1}))["rows"]
                    self._known[part] = [row[part] for row in rows if row[part] not in (UNALLOCATED, UNATTRIBUTED)]
        return self._known


def _refusal(service: str, answer: httpx.Response) -> tuple[int, str]:
    try:
        said = str(answer.json()["detail"])
    except (ValueError, LookupError, TypeError):
        said = f"HTTP {answer.status_code}"
    if answer.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):  # it is our token, not the reader's
        return 503, f"The {service} does not let the console in: {said}. Name another file in WAFERLINE_TOKEN_FILE."
    return answer.status_code, said
