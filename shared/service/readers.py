"""Readers of streams: the broker, its XREAD subscriptions, and the position that each has reached."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Any, NamedTuple

from faststream import BaseMiddleware, StreamMessage
from faststream.redis import RedisBroker, StreamSub
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff

from shared.process.credentials import RedisAddress
from shared.service.entries import Entry, Fields, entry_bytes
from shared.wire.streams import DATA

Handler = Callable[[list[Entry]], Awaitable[None]]

SOCKET_SILENCE_MAX_S = 3.0  # of a connection; a reader's wait of 1 s is part of it
_POLL_MS = 1000
_RETRY_DELAY_MAX_S = 0.5
_RETRIES = 8


class LongEnd(NamedTuple):
    """The id of a long entry that was found at the end of a stream, and the time."""

    entry: str
    found_at: float


class Reader:
    """One stream, and the position up to which it has been read."""

    def __init__(self, stream: str, position: str, batch_max: int, bytes_max: int) -> None:
        self.stream = stream
        self.position = position
        self.batch_max, self.bytes_max = batch_max, bytes_max
        self.entries = 0
        self.entries_asked, self._entries_next = 1, 1  # of the last read, and of the next one
        self.progressed_at = time.monotonic()
        self.behind_since: float | None = None  # when a waiting entry was first seen
        self.long_end: LongEnd | None = None
        self.rewound = False
        self.seek: Callable[[str], None] = lambda _: None  # moves the subscriber; set by `subscribe`
        self.begin: Callable[[], Awaitable[None]] | None = None  # starts it, in a service that runs already

    def start_after(self, position: str) -> None:
        """Read from behind an entry; to be called before the first read."""
        self.position = position
        self.seek(position)

    def rewind(self) -> None:
        """Read the stream from its beginning again."""
        self.position, self.rewound = "0-0", True
        self.seek(self.position)

    def ask(self) -> int:
        """Return the number of entries to ask Redis for; one after a read that brought none.

        Redis knows no bound on the bytes of a read, and the entries may have been too long for one answer.
        """
        self.entries_asked, self._entries_next = self._entries_next, 1
        return self.entries_asked

    def note_sizes(self, entries: Iterable[Fields]) -> None:
        """Have the next read ask for twice as many entries, as far as entries of this length stay in the bounds."""
        longest = max(map(entry_bytes, entries))
        self._entries_next = max(1, min(2 * self.entries_asked, self.batch_max, self.bytes_max // max(1, longest)))


def open_broker(address: RedisAddress, fail: Callable[[BaseException], None]) -> RedisBroker:
    """Return the broker of a service, not yet connected; it calls `fail` when a handler raises."""
    # Parsing and checking are ours: the framework's casting of arguments would cost more than the work
    return RedisBroker(
        address.url,
        **address.options,
        apply_types=False,
        # A silent connection is dropped, and a short outage is retried here: without a retry FastStream's reader
        # pauses for 5 s, and a publisher stops its service
        socket_timeout=SOCKET_SILENCE_MAX_S,
        socket_connect_timeout=SOCKET_SILENCE_MAX_S,
        retry=Retry(ExponentialBackoff(cap=_RETRY_DELAY_MAX_S, base=0.02), _RETRIES),
        logger=logging.getLogger("waferline.faststream"),
        log_level=logging.DEBUG,
        middlewares=[lambda message, context: _StopOnFailure(message, context=context, fail=fail)],
    )


def subscribe(broker: RedisBroker, reader: Reader, handler: Handler) -> None:
    """Have the broker read the reader's stream into a handler, from behind the reader's position.

    Plain XREAD, no consumer group: the position is stored with the state that the entries changed, so no entry is read
    twice and none is pending.
    """

    async def handle(entries: list[Entry]) -> None:
        await handler(entries)
        if reader.rewound:  # this read may have begun before
            reader.rewound = False
            reader.seek(reader.position)
        else:
            reader.position = entries[-1][0]
        reader.entries += len(entries)
        reader.progressed_at = time.monotonic()

    subscriber = broker.subscriber(
        stream=_BoundedStream(reader),
        parser=partial(_parse, reader),
        decoder=_decode,
    )
    subscriber(handle)
    reader.seek = partial(setattr, subscriber, "last_id")
    reader.begin = subscriber.start


class _BoundedStream(StreamSub):
    """A stream of which each read asks for as many entries as its reader allows then."""

    def __init__(self, reader: Reader) -> None:
        super().__init__(reader.stream, last_id=reader.position, batch=True, polling_interval=_POLL_MS)
        self.reader = reader

    @property
    def max_records(self) -> int:
        """The entries of the next read; the subscriber gets it once before each."""
        return self.reader.ask()

    @max_records.setter
    def max_records(self, _: int | None) -> None:
        """Ignore the number that the constructor sets."""

    def add_prefix(self, prefix: str) -> "_BoundedStream":  # noqa: ARG002 (the subscriber calls it)
        """Return the stream itself, where a copy would have a reader of its own: our streams have no prefix."""
        return self


class _StopOnFailure(BaseMiddleware[Any, Any]):
    """Stops the process where a handler fails: FastStream would log the failure, skip the entries and read on."""

    def __init__(self, message: Any, *, context: Any, fail: Callable[[BaseException], None]) -> None:
        super().__init__(message, context=context)
        self.fail = fail

    async def __aexit__(self, kind: Any = None, failure: BaseException | None = None, trace: Any = None) -> bool | None:
        if isinstance(failure, Exception):
            self.fail(failure)
            raise asyncio.CancelledError  # nothing behind a failed entry may be read: the reader's task ends here
        return False


async def _parse(reader: Reader, message: Any) -> StreamMessage[Any]:
    """Take a read's entries with their bodies undecoded: the handler decodes them strictly."""
    reader.note_sizes(message["data"])
    body = [
        (entry_id.decode(), fields.get(DATA.encode(), b""))
        for entry_id, fields in zip(message["message_ids"], message["data"], strict=True)
    ]
    return StreamMessage(raw_message=message, body=body)


async def _decode(message: StreamMessage[Any]) -> Any:
    return message.body
