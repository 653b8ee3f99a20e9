"""The lines of a source that are in force, read from the ledger with Python's own HTTP client."""

import ssl
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import BaseHandler, HTTPSHandler, ProxyHandler, Request, build_opener

import orjson

from shared.documents.document import Kind
from shared.documents.stating import LineInForce, line_in_force
from shared.http.peers import read_caller
from shared.http.problem import AWAY, LACKS_SCOPE, Problem
from shared.http.turns import RETRY_LATER
from shared.party.settings import PartySettings

_PAGE_LINES = 500
_LINE_KINDS: Mapping[Kind, str] = {"commits": "commit", "forecasts": "forecast", "orders": "order"}
_EVENT_TYPES: Mapping[Kind, str] = {
    "receipts": "shipment.received",
    "stock": "stock.counted",
    "sites": "site.declared",
    "products": "product.declared",
}
_REVISED: Mapping[Kind, str] = {"sites": "site", "products": "product"}  # the field that names the thing


class LedgerLines:
    """The ledger's lists of a source's lines and events, asked with the token of the request that needs them."""

    def __init__(self, settings: PartySettings) -> None:
        self.source, self.url, self.wait_s = settings.source, settings.ledger_url, settings.answer_wait_s
        self._own_headers, verify = read_caller(settings)
        handlers: list[BaseHandler] = [ProxyHandler({})]
        if isinstance(verify, ssl.SSLContext):
            handlers.append(HTTPSHandler(context=verify))
        self._opener = build_opener(*handlers)

    def load(self, kind: Kind, authorization: str | None) -> list[LineInForce]:
        """Return the lines, receipts, counts, sites or products of the source that hold; raise `Problem` without them.

        It waits for the ledger: call it in a thread.
        """
        path, query = lines_query(kind)
        return read_lines(kind, self._rows(path, query, authorization))

    def _rows(self, path: str, query: Mapping[str, str], authorization: str | None) -> Iterator[dict[str, Any]]:
        """Yield the rows of all pages."""
        headers = self._own_headers if authorization is None else {"Authorization": authorization}
        after: Any = None
        while True:
            asked = {**query, "source": self.source, "limit": str(_PAGE_LINES)} | ({"after": after} if after else {})
            page = self._get(f"{self.url}{path}?{urlencode(asked)}", headers)
            yield from page["rows"]
            after = page["next"]
            if after is None:
                return

    def _get(self, url: str, headers: Mapping[str, str]) -> Any:
        try:
            with self._opener.open(Request(url, headers=dict(headers)), timeout=self.wait_s) as answer:  # noqa: S310
                return orjson.loads(answer.read())
        except HTTPError as why:
            why.close()  # it is the response, too
            if why.code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
                detail = f"the ledger does not show the lines of {self.source} to this token: all services must read"
                raise Problem(LACKS_SCOPE, detail + " the same file of tokens") from why
            raise _away(self.url, f"HTTP {why.code}") from why
        except (OSError, ValueError) as why:
            raise _away(self.url, str(why)) from why


def lines_query(kind: Kind) -> tuple[str, dict[str, str]]:
    """Return the path and the query by which the ledger lists the lines of a kind."""
    if kind in _LINE_KINDS:
        return "/lines", {"kind": _LINE_KINDS[kind]}
    return "/holding", {"type": _EVENT_TYPES[kind]}


def read_lines(kind: Kind, rows: Iterable[Mapping[str, Any]]) -> list[LineInForce]:
    """Return the lines of a kind from the ledger's rows."""
    if kind in _LINE_KINDS:
        return [line_in_force(row) for row in rows]
    if kind in _REVISED:  # the ledger lists all revisions of them
        name = _REVISED[kind]
        by_order = sorted(rows, key=lambda row: (row["data"].get("revision", 0), row["time"], row["id"]))
        rows = {row["data"][name]: row for row in by_order}.values()
    return [LineInForce(row["data"], datetime.fromisoformat(row["time"]), row["id"]) for row in rows]


def _away(url: str, reason: str) -> Problem:
    detail = f"the ledger does not say which lines are in force ({url}: {reason}): send the document again"
    return Problem(AWAY, detail, headers=RETRY_LATER)
