"""Proof of a store: its chain is unbroken, and its balances follow from its events."""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from services.ledger.books.chain import GENESIS, seal
from services.ledger.books.lines import Cell
from services.ledger.books.posting import Decision
from services.ledger.books.progress import Progress, runs_of
from services.ledger.books.restatement import Replay, Restatement
from services.ledger.store.batches import BatchContents
from services.ledger.store.reader import StoreReader
from services.operator.record.curves import empty_curves
from shared.wire.postings import Measure, PostingBatch
from shared.wire.rows import Row

_READ_BATCHES = 200  # at once


class Proof(NamedTuple):
    """Result of a verification, up to the first fault if there is one."""

    batches: int
    events: int
    head: str
    state_hash: str | None  # None if only the chain was verified
    wrong: str | None
    earlier_rules: int = 0  # the batches, from the first on, that were posted by earlier rules
    restated_in: tuple[int, ...] = ()  # those that restate them


_UNREADABLE = (LookupError, TypeError, ValueError, OverflowError)  # raised on reading an altered number or text


class _Fault(Exception):
    """The first fault of a store."""


def verify_chain(store: StoreReader, advance: Callable[[int], None] = lambda _: None) -> Proof:
    """Return whether every stored batch matches its hash, and the last one the head.

    This finds every change of a recorded event, at more than a million events a second; `verify` also checks the
    balances.
    """
    seen = _Verified()

    def check() -> None:
        for sealed in store.sealed_batches():
            _check_seal(sealed, seen)
            advance(1)
        _check_end(store, seen)

    return _prove(store, seen, check)


def verify(store: StoreReader, advance: Callable[[int], None] = lambda _: None) -> Proof:
    """Replay every event, rebuild chain, postings and curves, and compare; return the first difference.

    The end state is compared too: lines, stock, counts, reversals, watermarks, gaps, offsets and tallies. Postings of
    earlier rules are compared all together, with the batches that restate them.
    """
    seen, books = _Verified(), _ReplayedBooks(store)
    stored = _stored_postings(store)

    def check() -> str:
        curves = empty_curves(store)  # of declarations that the seals below prove
        for sealed in store.sealed_batches():
            _check_seal(sealed, seen)
            if seen.batch > store.head.batch:
                break
            postings = next(stored)
            books.check(sealed, postings, seen)
            curves.add(postings)
            advance(1)
        _check_end(store, seen)
        books.compare(store)
        return curves.state_hash()

    return _prove(store, seen, check)


def _prove(store: StoreReader, seen: "_Verified", check: Callable[[], str | None]) -> Proof:
    """Return the proof of a check, which returns the state hash if it folds, and raises at the first fault."""
    try:
        return seen.proof(state_hash=check())
    except _Fault as wrong:
        return seen.proof(str(wrong))
    except store.database.failure as why:
        return seen.proof(f"the store cannot be read behind batch {seen.batch}: {why}")
    except _UNREADABLE as why:
        return seen.proof(f"the store cannot be read behind batch {seen.batch}: {why!r}")


class _Verified:
    """Counts and last hash of the batches verified so far."""

    def __init__(self) -> None:
        self.batch, self.events, self.refusals, self.hash = 0, 0, 0, GENESIS
        self.restated_in: list[int] = []
        self.earlier_rules = 0

    def proof(self, wrong: str | None = None, state_hash: str | None = None) -> Proof:
        restated = (self.earlier_rules, tuple(self.restated_in))
        return Proof(self.batch, self.events, self.hash.hex(), state_hash, wrong, *restated)


def _check_seal(sealed: BatchContents, seen: _Verified) -> None:
    batch, header = sealed.batch, sealed.batch.header
    if header.batch != seen.batch + 1:
        raise _Fault(f"batch {seen.batch + 1} is missing")
    if seal(sealed.document()) != batch.hash:
        raise _Fault(f"the chain breaks at batch {header.batch}: it is not what was sealed ({_place(sealed)})")
    if (len(sealed.bodies), len(sealed.refusals)) != (header.events, header.refusals):
        raise _Fault(f"batch {header.batch} has {len(sealed.bodies)} events, and {header.events} were recorded")
    if batch.first_event != seen.events + 1:
        raise _Fault(f"the events of batch {header.batch} do not follow on those of the batch before")
    seen.batch, seen.events, seen.hash = header.batch, seen.events + header.events, batch.hash
    seen.refusals += header.refusals


def _place(sealed: BatchContents) -> str:
    """Return the contents of a batch: the hash covers all of them, so that any of them may be the altered one."""
    first, header = sealed.batch.first_event, sealed.batch.header
    if not header.events:
        return f"{header.refusals} refusals of {header.source}"
    return f"events {first} to {first + header.events - 1}, and {header.refusals} refusals, of {header.source}"


def _check_end(store: StoreReader, seen: _Verified) -> None:
    if (seen.batch, seen.hash) != store.head:
        raise _Fault(f"the chain ends at batch {seen.batch}, the head says {store.head.batch}")
    if (seen.events, seen.refusals) != store.row_counts()[:2]:
        raise _Fault(
            f"the store holds {store.row_counts()[:2]} events and refusals, its batches {seen.events, seen.refusals}"
        )


def _stored_postings(store: StoreReader) -> Iterator[PostingBatch]:
    position = 0
    while batches := store.published_batches(position, _READ_BATCHES, events=False):
        yield from (batch.postings for batch in batches)
        position = batches[-1].postings.batch


def _check_batch(sealed: BatchContents, stored_batch: PostingBatch, decision: Decision) -> None:
    number = sealed.batch.header.batch
    if sealed.batch.watermark != decision.watermark:
        raise _Fault(f"the watermark of batch {number} is not what its events say")
    stored, due = _postings(stored_batch), decision.postings()
    if stored != due and sorted(stored) != sorted(due):  # their order means nothing
        unmatched = dict(due)
        place, found = next(
            ((n, posting) for n, posting in enumerate(stored) if unmatched.pop(posting[0], 0) != posting[1]),
            (len(stored), None),
        )
        expected = None if found is None else (found[0], dict(due).get(found[0], 0))
        expected = expected if expected and expected[1] else next(iter(unmatched.items()), None)
        raise _Fault(
            f"posting {place} of batch {number} is not what its events say: it is {_describe(found)},"
            f" they say {_describe(expected)}"
        )


def _postings(batch: PostingBatch) -> list[tuple[Cell, int]]:
    names = batch.names
    columns = (batch.measures, batch.days, batch.products, batch.sites, batch.suppliers, batch.wafers)
    return [
        ((measure, day, (names[product], names[site], names[supplier])), wafers)
        for measure, day, product, site, supplier, wafers in zip(*columns, strict=True)
    ]


def _describe(posting: tuple[Cell, int] | None) -> str:
    if posting is None:
        return "none"
    (measure, day, key), wafers = posting
    name = Measure(measure).name if measure in set(Measure) else f"measure {measure}"
    return f"{wafers} {name} on day {day} of {'/'.join(key)}"


class _ReplayedBooks:
    """Books that a replay of the events builds, to compare with a store."""

    def __init__(self, store: StoreReader) -> None:
        self.postings = 0
        self.progress: dict[str, Progress] = {}
        self.offsets: dict[str, str] = {}
        self.tallies: Counter[str] = Counter()
        self.replay = Replay(store.find_event)
        self.memory = self.replay.memory
        self.identified = store.identities_match
        self.first = store.rules.first  # the batch from which on today's rules post
        self.restatement = Restatement()
        self.restating: list[tuple[str, Decision]] = []  # the batches that must follow those of earlier rules

    def check(self, sealed: BatchContents, postings: PostingBatch, seen: _Verified) -> None:
        """Compare a batch with its events; the batches of earlier rules all together, with those that restate them."""
        header, decision = sealed.batch.header, self.post(sealed)
        if header.batch < self.first:
            self.restatement.add(header.source, sealed.batch.watermark, decision)
            self.restatement.subtract(_postings(postings))
            seen.earlier_rules = header.batch
            if header.batch == self.first - 1:
                self.restating = self.restatement.decisions(header.source)
            return
        if self.restating:
            source, decision = self.restating.pop(0)
            if (header.source, header.events, header.refusals, header.duplicates) != (source, 0, 0, 0):
                raise _Fault(f"batch {header.batch} does not restate the batches of earlier rules before it")
            seen.restated_in.append(header.batch)
        _check_batch(sealed, postings, decision)

    def post(self, sealed: BatchContents) -> Decision:
        """Post the events of a batch again; raise at the first difference from the stored batch."""
        header = sealed.batch.header
        try:
            rows = [Row.read(body) for body in sealed.bodies]
            decision = self.replay.post(rows)
        except (LookupError, TypeError, ValueError) as why:
            raise _Fault(f"an event of batch {header.batch} cannot be read: {why!r}") from why
        if not self.identified(sealed.batch, rows):
            raise _Fault(f"the events of batch {header.batch} do not stand under their own source and id")
        progress = self.progress.setdefault(header.source, Progress())
        progress.advance(sealed.batch.watermark)  # `check` compares it
        for first, last in runs_of(
            [row.sequence for row in rows] + [r.sequence for r in sealed.refusals if r.sequence]
        ):
            progress.add_run(first, last)
        if progress.through != sealed.batch.through:
            raise _Fault(f"batch {header.batch} says that {header.source} is recorded through {sealed.batch.through}")
        self.postings += sealed.batch.postings
        self.offsets[header.stream] = header.entry
        self.tallies.update(row.name for row in rows)
        return decision

    def compare(self, store: StoreReader) -> None:
        """Raise if the end state of the store differs from the replay's."""
        if self.restating or store.rules.first > store.head.batch + 1:
            raise _Fault("the batches of earlier rules are not restated: the batches that do so are missing")
        if self.postings != store.row_counts()[2]:
            raise _Fault(f"the store holds {store.row_counts()[2]} postings, its batches {self.postings}")
        self._compare_lines(store)
        pairs = {
            "stocks": (
                {
                    key: (stock.moved, stock.counts)
                    for key, stock in self.memory.stocks.items()
                    if stock.moved or stock.counts
                },
                {key: (stock.moved, stock.counts) for key, stock in store.working_state.stocks()},
            ),
            "reversals": (self.memory.reversed, store.working_state.reversals()),
            "progress of the sources": (self.progress, store.progress),
            "offsets": (self.offsets, store.offsets()),
            "tallies": (self.tallies, store.tallies),
        }
        for subject, (replayed, stored) in pairs.items():
            if replayed != stored:
                raise _Fault(f"the {subject} are not what the events say: {_difference(replayed, stored)}")

    def _compare_lines(self, store: StoreReader) -> None:
        """Compare each stored line, and drop it from the replay's: a second copy of all would fill the memory."""
        lines = self.memory.lines
        for name, line in store.working_state.lines():
            if line != lines.pop(name, None):
                raise _Fault(f"the lines are not what the events say: {name}")
        if lines:
            raise _Fault(f"the lines are not what the events say: {min(lines)}")


def _difference(replayed: Any, stored: Any) -> str:
    """Return the first name on which two dicts or sets differ."""
    if isinstance(replayed, set):
        return str(min(replayed ^ stored))
    return str(min(name for name in replayed.keys() | stored.keys() if replayed.get(name) != stored.get(name)))
