"""The working state of the books, as the store keeps it: lines, stock, counts and reversals. A replay rebuilds it."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import orjson

from services.ledger.books.lines import Key, LineState
from services.ledger.books.memory import Count, Stock
from services.ledger.store.database import Database
from services.ledger.store.names import KeyTable, NameTable, id_key, id_keys, id_text
from shared.wire.lines import LineName
from shared.wire.rows import Row

PAGE_LINES = 16_384  # read by one query


class WorkingState:
    """The working state of one store, for reading."""

    def __init__(self, database: Database, names: NameTable, keys: KeyTable) -> None:
        self.database, self.names, self.keys = database, names, keys

    def load_lines(self, names: Sequence[LineName]) -> dict[LineName, LineState]:
        """Return those of some lines that are stored."""
        numbered = [(self.names[owner], kind, line) for owner, kind, line in names if owner in self.names]
        return dict(self._read_lines(self.database.find("lines", ("owner", "kind", "line"), ("state",), numbered)))

    def _read_lines(self, found: Iterable[tuple[int, str, str, str]]) -> Iterator[tuple[LineName, LineState]]:
        for owner, kind, line, state in found:
            yield (self.names.texts[owner], kind, line), LineState.read(orjson.loads(state))

    def find_events(self, identities: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Row]:
        """Return those of some events, named by source and id, that are recorded."""
        keys = [(self.names[source], id_key(id_)) for source, id_ in identities if source in self.names]
        found = self.database.find("events", ("source", "id"), ("body",), keys)
        return {(self.names.texts[source], id_text(id_)): Row.read(body) for source, id_, body in found}

    def recorded_bodies(self, source: str, ids: Sequence[str]) -> dict[str, str]:
        """Return the canonical text of those of a source's events that are recorded, by id."""
        number = self.names.get(source)
        if number is None or not ids:
            return {}
        keys = [(number, key) for key in set(id_keys(ids))]
        return {id_text(id_): body for _, id_, body in self.database.find("events", ("source", "id"), ("body",), keys)}

    def refused_bodies(self, source: str, ids: Iterable[str]) -> set[bytes]:
        """Return the bodies of those of a source's events that were refused."""
        number = self.names.get(source)
        if number is None:
            return set()
        found = self.database.find("refusals", ("source", "id"), ("body",), [(number, id_) for id_ in ids])
        return {bytes(body) for _, _, body in found}

    def load_stock(self, key: Key) -> Stock:
        """Return the stock of a key, an empty one if nothing is stored of it."""
        number = self.keys.get(key)
        stock = Stock()
        for day, wafers in self.database.query("SELECT day, wafers FROM stock WHERE key = ? ORDER BY day", (number,)):
            stock.move(day, wafers)
        counts = self.database.query("SELECT day, name, wafers FROM counts WHERE key = ?", (number,))
        events = self.find_events((source, id_) for id_, _, source in (name.partition("/") for _, name, _ in counts))
        for day, name, wafers in counts:
            id_, _, source = name.partition("/")
            stock.count(day, name, Count.of(events[source, id_], wafers))
        return stock

    def load_suppliers(self, product: str, site: str) -> list[str]:
        """Return the suppliers that may have a stock of a product at a site."""
        return [key[2] for key in [*self.keys] if key[:2] == (product, site)]

    def lines(self, *, page_lines: int = PAGE_LINES) -> Iterator[tuple[LineName, LineState]]:
        """Yield every stored line, page by page: there may be millions."""
        last: tuple[Any, ...] = (-(1 << 63), "", "")
        while found := self.database.query(
            "SELECT owner, kind, line, state FROM lines WHERE (owner, kind, line) > (?, ?, ?)"
            " ORDER BY owner, kind, line LIMIT ?",
            (*last, page_lines),
        ):
            yield from self._read_lines(found)
            last = found[-1][:3]

    def lines_of(
        self, owner: str, kind: str | None, after: tuple[str, str] = ("", ""), *, page_lines: int = PAGE_LINES
    ) -> Iterator[tuple[LineName, LineState]]:
        """Yield the stored lines of an owner behind a kind and a line, of one kind or of all, page by page.

        The kind of a shipment has its product behind a slash; `shipment` stands for all of them.
        """
        number = self.names.get(owner)
        first, last = ("", "~") if kind is None else (kind, kind + "/~")  # a name of a kind or product has no "~"
        while found := self.database.query(
            "SELECT owner, kind, line, state FROM lines WHERE owner = ? AND (kind, line) > (?, ?)"
            " AND kind BETWEEN ? AND ? ORDER BY kind, line LIMIT ?",
            (number, *after, first, last, page_lines),
        ):
            yield from self._read_lines(found)
            after = found[-1][1:3]

    def stocks(self) -> Iterator[tuple[Key, Stock]]:
        """Yield the stock of every key that has any."""
        for (number,) in self.database.query("SELECT key FROM stock UNION SELECT key FROM counts"):
            key = self.keys.key(number)
            yield key, self.load_stock(key)

    def is_reversed(self, source: str, id_: str) -> bool:
        """Return whether a source reverses an event, recorded already or not."""
        values = (self.names.get(source), id_key(id_))
        return bool(self.database.query("SELECT 1 FROM reversals WHERE source = ? AND id = ?", values))

    def reversals(self) -> set[tuple[str, str]]:
        """Return source and id of every reversed event."""
        found = self.database.query("SELECT source, id FROM reversals")
        return {(self.names.texts[source], id_text(id_)) for source, id_ in found}
