"""Names of the streams."""

from typing import Literal

Role = Literal["supplier", "datacenter", "planner"]

PARTITION = "{0}"  # a hash tag: all streams of a partition share a Redis Cluster slot

POSTINGS = f"wafers:{PARTITION}:postings"
BALANCES = f"wafers:{PARTITION}:balances"
ALERTS = f"wafers:{PARTITION}:alerts"

_STREAM_KINDS: dict[Role, str] = {"supplier": "supply", "datacenter": "demand", "planner": "plan"}
_PLAN_STREAM_PREFIX = f"wafers:{PARTITION}:plan:"

DATA = "__data__"  # the field of an entry that carries its body, as FastStream reads it


def party_stream(role: Role, source: str) -> str:
    """Return the stream of a party's events, the only one that its ACL lets it write."""
    return f"wafers:{PARTITION}:{_STREAM_KINDS[role]}:{source}"


def is_plan_stream(stream: str) -> bool:
    """Return whether a stream is a planner's: its source publishes no watermark."""
    return stream.startswith(_PLAN_STREAM_PREFIX)


def recorded_stream(source: str) -> str:
    """Return the stream on which the ledger reports to a source: recorded up to a sequence, and refusals."""
    return f"wafers:{PARTITION}:recorded:{source}"
