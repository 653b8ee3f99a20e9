"""The restatement of a log that was posted by earlier rules: the postings and watermarks that today's rules add."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from services.ledger.books.lines import Cell
from services.ledger.books.memory import Memory
from services.ledger.books.posting import Decision, post_events
from services.ledger.books.progress import Progress
from shared.wire.rows import Row


class Replay:
    """The events of a log, posted again from the first one on.

    `find_event` returns an event of the whole log and its place in it; a reversal finds those before it only, as it
    did when it was recorded.
    """

    def __init__(self, find_event: Callable[[str, str], tuple[int, Row] | None]) -> None:
        self.events = 0

        def load_event(source: str, id_: str) -> Row | None:
            found = find_event(source, id_)
            return found[1] if found is not None and found[0] <= self.events else None

        self.memory = Memory(load_event=load_event)

    def post(self, rows: Sequence[Row]) -> Decision:
        """Return the effects of the next events of one source."""
        decision = post_events(rows, self.memory)
        self.events += len(rows)
        return decision

    def working_state(self) -> Decision:
        """Return the lines, stock, counts and reversals that all events so far come to, as changes from nothing."""
        memory = self.memory
        return Decision(
            lines=memory.lines,
            stock={(key, day): wafers for key, stock in memory.stocks.items() for day, wafers in stock.moved.items()},
            counts={
                (key, day, name): count.wafers
                for key, stock in memory.stocks.items()
                for day, counts in stock.counts.items()
                for name, count in counts.items()
            },
            reversals=[*memory.reversed],
        )


@dataclass(slots=True)
class Restatement:
    """The difference between the batches that earlier rules posted and their replay by today's rules."""

    cells: dict[Cell, int] = field(default_factory=dict)  # wafers that today's rules post, less those stored
    stored: dict[str, Progress] = field(default_factory=dict)  # the watermark of each source, as it was stored
    replayed: dict[str, Progress] = field(default_factory=dict)  # and as today's rules have it

    def add(self, source: str, watermark: int | None, decision: Decision) -> None:
        """Add the replay of a batch of a source, stored with a watermark (None: without one)."""
        for cell, wafers in decision.cells.items():
            self._add(cell, wafers)
        self.stored.setdefault(source, Progress()).advance(watermark)
        self.replayed.setdefault(source, Progress()).advance(decision.watermark)

    def subtract(self, postings: Iterable[tuple[Cell, int]]) -> None:
        """Subtract stored postings."""
        for cell, wafers in postings:
            self._add(cell, -wafers)

    def _add(self, cell: Cell, wafers: int) -> None:
        self.cells[cell] = self.cells.get(cell, 0) + wafers

    def decisions(self, last: str) -> list[tuple[str, Decision]]:
        """Return the restating batches, each with its source; none where nothing differs.

        The first has all postings, and is of the source of the `last` batch. Each other source whose watermark differs
        has one of its own.
        """
        cells = {cell: wafers for cell, wafers in sorted(self.cells.items()) if wafers}
        marks = {source: before.advanced for source, before in self.stored.items()}
        restated = {
            source: -(after.advanced or 0)
            for source, after in sorted(self.replayed.items())
            if after.advanced != marks[source]
        }
        sources = [last] if cells or last in restated else []
        sources += [source for source in restated if source != last]
        return [
            (source, Decision(cells=cells if n == 0 else {}, watermark=restated.get(source)))
            for n, source in enumerate(sources)
        ]
