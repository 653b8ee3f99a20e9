"""Search: the things with some words in their id or name, each with its kind and the address of its page."""

import asyncio
import re
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import NamedTuple
from urllib.parse import quote

from services.console.http.address import Filters, is_day
from services.console.http.months import Numbers
from services.console.live.upstream import NoAnswer, Upstream
from shared.http.peers import path_of

_SHOWN = 20  # of a kind
_event_id = re.compile(r"(?:[^/]+/)?([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})").fullmatch


class Hit(NamedTuple):
    """A thing that was found."""

    kind: str
    id: str
    name: str
    about: str
    link: str
    line: Numbers | None = None  # the line that it is

    def row(self) -> dict[str, str]:
        """Return it as a row of a table."""
        return {"kind": self.kind, "id": self.id, "name": self.name, "about": self.about}


async def search(upstream: Upstream, filters: Filters) -> tuple[Numbers, list[Hit], int]:
    """Return the position, the things found by the words of an address, and how many more there are."""
    ask, words = upstream.aggregator, filters.q
    if not words:
        return await ask("/names", filters.params() | {"limit": "1"}), [], 0
    at = filters.params() | {"like": words, "limit": str(_SHOWN)}
    names, lines, events = await asyncio.gather(
        ask("/names", at), ask("/lines", at | {"state": "all"}), _find_events(upstream, words)
    )
    hits = [*_moments(words, filters), *_events(events, filters), *_names(names, filters), *_lines(lines, filters)]
    return names, hits, sum(max(0, answer["count"] - _SHOWN) for answer in (names, lines))


async def _find_events(upstream: Upstream, words: str) -> Sequence[Numbers]:
    """Return the events that have an id or name it as their cause; none where the visitor may not see events."""
    found = _event_id(words.lower())
    if found is None:
        return ()
    try:
        events: Sequence[Numbers] = await upstream.ledger(path_of("related", found[1]))
    except NoAnswer as why:
        if why.status != HTTPStatus.FORBIDDEN:
            raise
        return ()
    return events


def _moments(words: str, filters: Filters) -> list[Hit]:
    """Return the past state that a day, or the number of a batch, names."""
    if not is_day(words) and not words.isdecimal():
        return []
    kind = "batch" if words.isdecimal() else "day"
    return [Hit(kind, words, "", "the programme as it was recorded by then", filters.link("/", as_of=words))]


def _names(names: Numbers, filters: Filters) -> list[Hit]:
    """Return the parties, products, sites, suppliers and sources of an answer of `/names`."""
    links: dict[str, Callable[[str], str]] = {
        "party": lambda id_: filters.link("/sites", party=id_),
        "product": lambda id_: filters.link("/", product=id_),
        "site": lambda id_: filters.link(f"/sites/{quote(id_, safe='')}"),
        "source": lambda _: filters.link("/watermarks"),
        "supplier": lambda id_: filters.link("/suppliers", supplier=id_),
    }
    return [Hit(row["kind"], row["id"], row["name"] or "", "", links[row["kind"]](row["id"])) for row in names["rows"]]


def _lines(lines: Numbers, filters: Filters) -> list[Hit]:
    """Return the lines of an answer of `/lines`; each leads to the event that states it."""
    return [
        Hit(
            row["kind"],
            row["line"],
            "",
            f"{row['wafers']:,} wafers of {row['product']} at {row['site']}, due {row['due']}, of {row['source']}",
            filters.link(f"/events/{row['event']}"),
            row,
        )
        for row in lines["rows"]
    ]


def _events(events: Sequence[Numbers], filters: Filters) -> list[Hit]:
    """Return events of the ledger."""
    return [
        Hit(
            "event",
            each["id"],
            each["type"].removeprefix("waferline."),
            f"of {each['source']}, {each['time'][:10]}",
            filters.link(f"/events/{each['source']}/{each['id']}"),
        )
        for each in events
    ]
