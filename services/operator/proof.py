"""The proof: that nothing in a store was changed, and that its balances are what its events say."""

from collections.abc import Callable
from hashlib import sha256
from typing import NamedTuple

from services.aggregator.curves import Curves
from services.ledger.posting import Memory, Posting, post_events
from services.ledger.store import GENESIS, Store, chain_bytes
from shared.batch import Row
from shared.catalog import digest
from shared.events import Refused
from shared.postings import PostingBatch


class Proof(NamedTuple):
    """What a verification found: the first thing wrong, if anything is."""

    batches: int
    events: int
    head: str
    state_hash: str
    wrong: str | None


def verify(store: Store, advance: Callable[[int], None] = lambda _: None) -> Proof:
    """Read every event again, rebuild the chain, post it all again, and fold both; the first difference is named."""
    hash_, events = GENESIS, 0
    curves = Curves(catalogue=digest())

    def load_event(source: str, id_: str) -> Row | None:
        """A reversal that came before its target did not find it."""
        return store.event_row(source, id_) if store.verdict(source, id_).get("seq", events + 1) <= events else None

    memory = Memory(load_event=load_event)

    def wrong(what: str) -> Proof:
        return Proof(curves.position, events, hash_.hex(), curves.state_hash(), what)

    for batch, recorded, stored_hash in store.batches():
        digests, rows = [], []
        try:
            found = [(seq, row, row.digest(), digest) for seq, row, digest in store.rows(batch)]
        except (LookupError, TypeError, ValueError, Refused) as why:
            return wrong(f"an event in batch {batch} cannot be read: {why!r}")
        for seq, row, due, stored_digest in found:
            if due != stored_digest:
                return wrong(f"event {seq} ({row.source}/{row.id}) in batch {batch} is not what its digest says")
            digests.append(stored_digest)
            rows.append(row)
        refusals = store.refused(batch)
        for refusal in refusals:
            if sha256(refusal["body"]).digest() != refusal["digest"]:
                return wrong(f"a refused body in batch {batch} ({refusal['source']}) is not what its digest says")
        hash_ = sha256(chain_bytes(hash_, batch, recorded, digests, [r["digest"] for r in refusals])).digest()
        if hash_ != stored_hash:
            return wrong(f"the chain breaks at batch {batch}")
        stored = store.stored_batches(batch - 1, 1)[0].postings
        if stored.batch != batch:
            return wrong(f"batch {batch} is missing")
        decision = post_events(rows, memory)
        if stored.watermarks != decision.watermarks or set(stored.sources) != {row.source for row in rows}:
            return wrong(f"the watermarks or sources told of batch {batch} are not what its events say")
        difference = _difference(stored, decision.postings)
        if difference is not None:
            return wrong(f"posting {difference} of batch {batch} is not what its events say")
        curves.add(stored)
        events += len(rows)
        advance(1)
    if (curves.position, hash_) != store.head:
        return wrong(f"the chain ends at batch {curves.position}, the head says {store.head.batch}")
    if (events, curves.postings) != store.rows_held():
        return wrong(f"the store holds {store.rows_held()} events and postings, its batches {events, curves.postings}")
    return Proof(curves.position, events, hash_.hex(), curves.state_hash(), None)


def _difference(stored: PostingBatch, posted: list[Posting]) -> int | None:
    """Return the first posting in which a stored batch differs from what its events say, None if none does."""
    names = stored.names
    cells = [
        (measure, day, (names[product], names[site], names[supplier]), wafers)
        for measure, day, product, site, supplier, wafers in zip(
            stored.measures, stored.days, stored.products, stored.sites, stored.suppliers, stored.wafers, strict=True
        )
    ]
    due = [(int(p.measure), p.day, p.key, p.wafers) for p in posted]
    if cells == due:
        return None
    return next((n for n, (a, b) in enumerate(zip(cells, due, strict=False)) if a != b), min(len(cells), len(due)))
