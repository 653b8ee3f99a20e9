"""Names of the streams."""

from typing import Literal

Role = Literal["supplier", "datacenter"]

PARTITION = "{0}"  # a hash tag: all streams of a partition share a Redis Cluster slot

POSTINGS = f"wafers:{PARTITION}:postings"
BALANCES = f"wafers:{PARTITION}:balances"
ALERTS = f"wafers:{PARTITION}:alerts"

DATA = "__data__"  # the field of an entry that carries its body, as FastStream reads it


def party_stream(role: Role, source: str) -> str:
    """Return the stream of a party's events, the only one that its ACL lets it write."""
    return f"wafers:{PARTITION}:{'supply' if role == 'supplier' else 'demand'}:{source}"


def recorded_stream(source: str) -> str:
    """Return the stream on which the ledger reports to a source: recorded up to a sequence, and refusals."""
    return f"wafers:{PARTITION}:recorded:{source}"
