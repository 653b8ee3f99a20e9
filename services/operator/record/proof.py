"""The proof: that nothing in a store was changed, and that its balances are what its events say."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from services.aggregator.fold.curves import Curves
from services.ledger.books.chain import GENESIS, seal
from services.ledger.books.posting import Cell, Decision, Memory, post_events
from services.ledger.store.checkpoint import Checkpoint, read_checkpoints, read_verifier
from services.ledger.store.store import Progress, SealedBatch, Store, runs_of
from services.operator.stack.finding import StackError
from services.operator.stack.stack import Stack
from shared.wire.batch import Row
from shared.wire.catalog import digest
from shared.wire.postings import Measure, PostingBatch

_TOLD_AT_ONCE = 200


class Proof(NamedTuple):
    """What a verification found: the first thing wrong, if anything is."""

    batches: int
    events: int
    head: str
    state_hash: str | None  # None where only the chain was looked at
    wrong: str | None


_UNREADABLE = (LookupError, TypeError, ValueError, OverflowError)  # what a changed number or text is met with


class _Wrong(Exception):
    """The first thing that is not as it must be."""


def verify_chain(store: Store, advance: Callable[[int], None] = lambda _: None) -> Proof:
    """Return whether every stored batch is the one that its hash seals, and the head the last of them.

    This finds each change of what was recorded, at more than a million events a second; that the balances are what the
    events say is for `verify` to find.
    """
    seen = _Seen()

    def look() -> None:
        for sealed in store.sealed_batches():
            _check_seal(sealed, seen)
            advance(1)
        _check_end(store, seen)

    return _prove(store, seen, look)


def verify(store: Store, advance: Callable[[int], None] = lambda _: None) -> Proof:
    """Read every event again, rebuild the chain, post it all again, fold and compare; the first difference is named.

    What it ends with, too, is compared: lines, stock, counts, reversals, watermarks, gaps, offsets and tallies.
    """
    seen, curves, books = _Seen(), Curves(catalogue=digest()), _Books(store)
    told = _told_batches(store)

    def look() -> str:
        for sealed in store.sealed_batches():
            _check_seal(sealed, seen)
            if seen.batch > store.head.batch:
                break
            postings = next(told)
            _check_batch(sealed, postings, books.post(sealed))
            curves.add(postings)
            advance(1)
        _check_end(store, seen)
        books.compare(store)
        return curves.state_hash()

    return _prove(store, seen, look)


def _prove(store: Store, seen: "_Seen", look: Callable[[], str | None]) -> Proof:
    """Return what a look at a store found: it returns the state hash, if it folds, and raises at the first fault."""
    try:
        return seen.proof(state_hash=look())
    except _Wrong as wrong:
        return seen.proof(str(wrong))
    except store.database.failure as why:
        return seen.proof(f"the store cannot be read behind batch {seen.batch}: {why}")
    except _UNREADABLE as why:
        return seen.proof(f"the store cannot be read behind batch {seen.batch}: {why!r}")


def expect_sealed(batches: Iterable[SealedBatch]) -> Iterator[SealedBatch]:
    """Yield batches as long as each is what its hash seals; raise `StackError` at the first that is not."""
    for sealed in batches:
        if seal(sealed.document()) != sealed.batch.hash:
            number = sealed.batch.header.batch
            raise StackError(f"batch {number} is not what was sealed: `waferline verify` says more")
        yield sealed


def contradicted(store: Store, checkpoint: Checkpoint) -> str | None:
    """Return how a store contradicts what was signed of it, None where it holds what the checkpoint says."""
    if checkpoint.epoch != store.epoch:
        return f"it is of the store of epoch {checkpoint.epoch}, and this is {store.epoch}"
    if checkpoint.batch > store.head.batch:
        return f"the chain ends at batch {store.head.batch}, and {checkpoint.batch} was signed: its tail is gone"
    if store.hash_of(checkpoint.batch) != checkpoint.head:
        return f"batch {checkpoint.batch} has another hash than was signed"
    return None


def kept_checkpoints(folder: Path, file: Path | None, key: Path | None) -> list[Checkpoint]:
    """Return the checkpoints of a file, those of a stack's folder by default; raise `Untrusted` where one is forged."""
    stack = Stack(folder)
    path = file or stack.checkpoints
    if file is None and key is None and not path.exists():
        return []
    public = key or stack.checkpoint_key.with_name(stack.checkpoint_key.name + ".pub")
    for each, option in ((path, "--checkpoints"), (public, "--key")):
        if not each.exists():
            raise StackError(f"{each} is not there: name another with {option}")
    return read_checkpoints(path, read_verifier(public.read_text(encoding="utf-8"))).checkpoints


class _Seen:
    """What has been looked at so far, and found to be in order."""

    def __init__(self) -> None:
        self.batch, self.events, self.refusals, self.hash = 0, 0, 0, GENESIS

    def proof(self, wrong: str | None = None, state_hash: str | None = None) -> Proof:
        return Proof(self.batch, self.events, self.hash.hex(), state_hash, wrong)


def _check_seal(sealed: SealedBatch, seen: _Seen) -> None:
    batch, header = sealed.batch, sealed.batch.header
    if header.batch != seen.batch + 1:
        raise _Wrong(f"batch {seen.batch + 1} is missing")
    if seal(sealed.document()) != batch.hash:
        raise _Wrong(f"the chain breaks at batch {header.batch}: it is not what was sealed ({_place(sealed)})")
    if (len(sealed.bodies), len(sealed.refusals)) != (header.events, header.refusals):
        raise _Wrong(f"batch {header.batch} has {len(sealed.bodies)} events, and {header.events} were recorded")
    if batch.first_event != seen.events + 1:
        raise _Wrong(f"the events of batch {header.batch} do not follow on those of the batch before")
    seen.batch, seen.events, seen.hash = header.batch, seen.events + header.events, batch.hash
    seen.refusals += header.refusals


def _place(sealed: SealedBatch) -> str:
    """Tell where to look: the hash seals a batch as a whole, so that any of these may be what was changed."""
    first, header = sealed.batch.first_event, sealed.batch.header
    if not header.events:
        return f"{header.refusals} refusals of {header.source}"
    return f"events {first} to {first + header.events - 1}, and {header.refusals} refusals, of {header.source}"


def _check_end(store: Store, seen: _Seen) -> None:
    if (seen.batch, seen.hash) != store.head:
        raise _Wrong(f"the chain ends at batch {seen.batch}, the head says {store.head.batch}")
    if (seen.events, seen.refusals) != store.rows_held()[:2]:
        raise _Wrong(
            f"the store holds {store.rows_held()[:2]} events and refusals, its batches {seen.events, seen.refusals}"
        )


def _told_batches(store: Store) -> Iterator[PostingBatch]:
    position = 0
    while told := store.told_batches(position, _TOLD_AT_ONCE, said=False):
        yield from (batch.postings for batch in told)
        position = told[-1].postings.batch


def _check_batch(sealed: SealedBatch, told: PostingBatch, decision: Decision) -> None:
    number = sealed.batch.header.batch
    if sealed.batch.watermark != decision.watermark:
        raise _Wrong(f"the watermark of batch {number} is not what its events say")
    names = told.names
    columns = (told.measures, told.days, told.products, told.sites, told.suppliers, told.wafers)
    stored: list[tuple[Cell, int]] = [
        ((measure, day, (names[product], names[site], names[supplier])), wafers)
        for measure, day, product, site, supplier, wafers in zip(*columns, strict=True)
    ]
    due = decision.postings()
    if stored != due:
        place = next(
            (n for n, (a, b) in enumerate(zip(stored, due, strict=False)) if a != b), min(len(stored), len(due))
        )
        found, said = (_told(cells[place]) if place < len(cells) else "none" for cells in (stored, due))
        raise _Wrong(f"posting {place} of batch {number} is not what its events say: it is {found}, they say {said}")


def _told(posting: tuple[Cell, int]) -> str:
    (measure, day, key), wafers = posting
    name = Measure(measure).name if measure in set(Measure) else f"measure {measure}"
    return f"{wafers} {name} on day {day} of {'/'.join(key)}"


class _Books:
    """The books as a replay of the events makes them."""

    def __init__(self, store: Store) -> None:
        self.events, self.postings = 0, 0
        self.progress: dict[str, Progress] = {}
        self.offsets: dict[str, str] = {}
        self.tallies: Counter[str] = Counter()

        def load_event(source: str, id_: str) -> Row | None:
            """A reversal that came before its target did not find it."""
            found = store.find_event(source, id_)
            return found[1] if found is not None and found[0] <= self.events else None

        self.memory = Memory(load_event=load_event)
        self.identified = store.identified

    def post(self, sealed: SealedBatch) -> Decision:
        """Post the events of a batch again; raise where the store would not find them, or says otherwise."""
        header = sealed.batch.header
        try:
            rows = [Row.read(body) for body in sealed.bodies]
            decision = post_events(rows, self.memory)
        except (LookupError, TypeError, ValueError) as why:
            raise _Wrong(f"an event of batch {header.batch} cannot be read: {why!r}") from why
        self.events += header.events
        if not self.identified(sealed.batch, rows):
            raise _Wrong(f"the events of batch {header.batch} do not stand under their own source and id")
        progress = self.progress.setdefault(header.source, Progress())
        progress.advance(decision.watermark)
        for first, last in runs_of(
            [row.sequence for row in rows] + [r.sequence for r in sealed.refusals if r.sequence]
        ):
            progress.reach(first, last)
        if progress.through != sealed.batch.through:
            raise _Wrong(f"batch {header.batch} says that {header.source} is recorded through {sealed.batch.through}")
        self.postings += sealed.batch.postings
        self.offsets[header.stream] = header.entry
        self.tallies.update(row.name for row in rows)
        return decision

    def compare(self, store: Store) -> None:
        """Raise where what the store works with is not what the replay came to."""
        if self.postings != store.rows_held()[2]:
            raise _Wrong(f"the store holds {store.rows_held()[2]} postings, its batches {self.postings}")
        self._compare_lines(store)
        pairs = {
            "stocks": (
                {
                    key: (stock.moved, stock.counts)
                    for key, stock in self.memory.stocks.items()
                    if stock.moved or stock.counts
                },
                {key: (stock.moved, stock.counts) for key, stock in store.stocks()},
            ),
            "reversals": (self.memory.reversed, store.memory.reversed),
            "progress of the sources": (self.progress, store.progress),
            "offsets": (self.offsets, store.offsets()),
            "tallies": (self.tallies, store.tallies),
        }
        for what, (replayed, stored) in pairs.items():
            if replayed != stored:
                raise _Wrong(f"the {what} are not what the events say: {_difference(replayed, stored)}")

    def _compare_lines(self, store: Store) -> None:
        """Take each stored line away from those of the replay: a second copy of all would fill the memory."""
        lines = self.memory.lines
        for name, line in store.lines():
            if line != lines.pop(name, None):
                raise _Wrong(f"the lines are not what the events say: {name}")
        if lines:
            raise _Wrong(f"the lines are not what the events say: {min(lines)}")


def _difference(replayed: Any, stored: Any) -> str:
    """Return the first name that two dicts or sets do not agree on."""
    if isinstance(replayed, set):
        return str(min(replayed ^ stored))
    return str(min(name for name in replayed.keys() | stored.keys() if replayed.get(name) != stored.get(name)))
