"""The streams of a world, as Redis keeps them: ids that grow, reading from behind an offset, and nothing else."""

from collections import defaultdict

from shared.service.entries import Entry, entry_order

Order = tuple[int, int]


class EqualOrSmaller(Exception):
    """Redis refuses an id that does not follow the last one of the stream."""


class Streams:
    """One list a stream, in memory."""

    def __init__(self) -> None:
        self.entries: dict[str, list[tuple[Order, bytes]]] = defaultdict(list)
        self.last: dict[str, Order] = {}

    def add(self, stream: str, body: bytes, *, now_ms: int, entry_id: Order | None = None) -> Order:
        """XADD: return the id, that of the clock where none is given."""
        last = self.last.get(stream, (0, 0))
        order = entry_id or ((now_ms, 0) if now_ms > last[0] else (last[0], last[1] + 1))
        if order <= last:
            raise EqualOrSmaller
        self.last[stream] = order
        self.entries[stream].append((order, body))
        return order

    def read(self, stream: str, after: str, limit: int) -> list[Entry]:
        """XREAD: return the entries behind an id, as the services get them."""
        behind = entry_order(after)
        found = [(order, body) for order, body in self.entries[stream] if order > behind]
        return [(f"{order[0]}-{order[1]}", body) for order, body in found[:limit]]

    def holds(self, stream: str, entry_id: str) -> bool:
        """XRANGE: return whether an entry is there."""
        return any(order == entry_order(entry_id) for order, _ in self.entries[stream])

    def copy(self) -> "Streams":
        """Return what a snapshot holds."""
        other = Streams()
        other.entries.update({stream: list(entries) for stream, entries in self.entries.items()})
        other.last = dict(self.last)
        return other

    def delete(self, stream: str) -> None:
        """DEL: the ids begin anew."""
        self.entries.pop(stream, None)
        self.last.pop(stream, None)
