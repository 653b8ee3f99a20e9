"""Stream entries: their order, and the publication of many in one round trip."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from shared.process.log import why
from shared.wire.streams import DATA

if TYPE_CHECKING:
    from redis.asyncio import Redis

Entry: TypeAlias = tuple[str, bytes]
"""An entry's id and body."""

Fields: TypeAlias = Mapping[bytes, bytes]
"""All fields of an entry; ours have one, the body."""


def entry_bytes(fields: Fields) -> int:
    """Return the bytes of an entry: its sender may have given it any fields."""
    return sum(map(len, fields)) + sum(map(len, fields.values()))


def entry_order(entry_id: str) -> tuple[int, int]:
    """Return an entry's id as a pair that sorts as Redis sorts."""
    milliseconds, _, number = entry_id.partition("-")
    return int(milliseconds), int(number or 0)


async def publish_entries(
    redis: "Redis", entries: Sequence[tuple[str, bytes, str]], *, raise_on_error: bool = True
) -> list[Any]:
    """Add (stream, body, id or "*") to the streams in one round trip; return each id, or the error in its place.

    Raises the first error by default: a caller that does not check every result would lose an entry.
    """
    pipeline = redis.pipeline(transaction=False)
    for stream, body, entry_id in entries:
        pipeline.xadd(stream, {DATA: body}, id=entry_id)
    return list(await pipeline.execute(raise_on_error=raise_on_error))


def log_garbled(log: Any, stream: str, entry: str, failure: ValueError) -> None:
    """Log that an entry of one of our services cannot be read: of a damaged file of Redis, or of a stranger."""
    log.warning("entry_garbled", stream=stream, entry=entry, reason=why(failure))
