"""The names of the streams, and who may write on which."""

from typing import Literal

Role = Literal["supplier", "datacenter"]

PARTITION = "{0}"  # a hash tag: all streams of a partition share a Redis Cluster slot

POSTINGS = f"wafers:{PARTITION}:postings"
BALANCES = f"wafers:{PARTITION}:balances"
ALERTS = f"wafers:{PARTITION}:alerts"

DATA = "__data__"  # the field of an entry that carries its body, as FastStream reads it


def said(role: Role, source: str) -> str:
    """Return the one stream on which a party says its events: an ACL confines it there."""
    return f"wafers:{PARTITION}:{'supply' if role == 'supplier' else 'demand'}:{source}"


def recorded(source: str) -> str:
    """Return the stream on which the ledger tells a source what it recorded or refused."""
    return f"wafers:{PARTITION}:recorded:{source}"
