"""The records of the store: a batch before it is written, as it is stored, and as it is published."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import NamedTuple

from services.ledger.books.chain import BatchHeader, document
from services.ledger.books.posting import Decision
from shared.wire.days import DAY_US
from shared.wire.postings import PUBLISHED_EVENTS, PostingBatch, Recorded
from shared.wire.refusal import RefusedEvent
from shared.wire.rows import EventHead, Row

_SEQUENCE = attrgetter("sequence")


class ChainHead(NamedTuple):
    """The end of the chain: the last batch, and the hash over all batches up to it."""

    batch: int
    hash: bytes


class NewBatch(NamedTuple):
    """The outcome of some entries of a stream, to be written."""

    source: str
    stream: str
    entry: str  # the last one read
    recorded: int  # microseconds since 1970
    sent: int | None  # the time of the first entry, likewise
    rows: Sequence[Row]
    bodies: Sequence[str]  # the canonical text of each row
    refused: Sequence[RefusedEvent]
    duplicates: int
    decision: Decision


class StoredBatch(NamedTuple):
    """A stored batch without its events, refusals and postings."""

    header: BatchHeader
    sent: int | None
    through: int  # the source's last sequence before a gap, after this batch
    watermark: int | None  # of the source, as `Progress.advance` takes it; None where the batch leaves it
    first_event: int
    first_posting: int
    postings: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class StoredRefusal(RefusedEvent):
    """A refused event with the batch that recorded the refusal."""

    batch: int


class BatchContents(NamedTuple):
    """A stored batch with the events and refusals that its hash seals."""

    batch: StoredBatch
    bodies: list[str]
    refusals: Sequence[RefusedEvent]

    def document(self) -> bytes:
        """Return the lines that the batch's hash seals."""
        return document(self.batch.header, self.bodies, self.refusals)


class PublishedBatch(NamedTuple):
    """A batch as the ledger publishes it: to all readers, and to its source."""

    postings: PostingBatch
    verdict: Recorded


def published_bodies(events: Sequence[Row | EventHead], bodies: Sequence[str]) -> list[str]:
    """Return those of the canonical texts of some events that `PostingBatch.said` holds.

    Of the events that are not published, one for each day: a source has published an event of a day after its watermark
    if the greatest sequence of that day is beyond the watermark's.
    """
    pairs: Iterable[tuple[Row | EventHead, str]] = zip(events, bodies, strict=True)
    sequences = [*map(_SEQUENCE, events)]
    if sequences != sorted(sequences):
        pairs = sorted(pairs, key=lambda pair: pair[0].sequence)
    published: list[str] = []
    newest: dict[int, str] = {}  # day -> the last of its other events
    for event, body in pairs:
        if event.name in PUBLISHED_EVENTS:
            published.append(body)
        else:
            newest[event.time // DAY_US] = body
    return [*published, *newest.values()]


def select_published(bodies: Sequence[str]) -> list[str]:
    """Return those of the canonical texts of a batch that `PostingBatch.said` holds."""
    return published_bodies([*map(EventHead.of, bodies)], bodies)
