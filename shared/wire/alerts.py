"""Alerts: what the aggregator tells of what a planner should look at, raised once and cleared once."""

from collections.abc import Sequence
from hashlib import sha256
from typing import Literal, TypeAlias

from pydantic import BaseModel, ConfigDict

AlertCode = Literal[
    "source_silent",
    "stock_negative",
    "received_beyond_dispatched",
    "short_within",
    "cover_below",
    "slip_beyond",
]
"""What is the matter; stable, so that a program may act on it. First those that make the other numbers doubtful."""

Status = Literal["raised", "cleared"]
Cause: TypeAlias = tuple[AlertCode, tuple[str, ...]]
"""What an alert is about: it is raised once for its code and subject, and cleared once."""

SUBJECTS: dict[AlertCode, tuple[str, ...]] = {
    "source_silent": ("source",),
    "stock_negative": ("product", "site"),
    "received_beyond_dispatched": ("owner", "shipment", "product"),
    "short_within": ("product", "site"),
    "cover_below": ("product", "site"),
    "slip_beyond": ("supplier", "product"),
}
"""What the names in an alert's subject are."""


class AlertChange(BaseModel):
    """An alert that is raised, or one that is cleared."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    id: str  # of this change: told again, it is the same one
    code: AlertCode
    status: Status
    subject: dict[str, str]  # see SUBJECTS
    day: int | None  # since when it is so, or when it will be, days since 1970; None of what is cleared
    detail: dict[str, int]  # as it was when it was raised: wafers, and days (those named _day since 1970)
    causes: list[str]  # events, each as source/id, the one that matters most first

    @property
    def cause(self) -> Cause:
        """What it is about."""
        return self.code, tuple(self.subject[name] for name in SUBJECTS[self.code])


class AlertBatch(BaseModel):
    """The alerts that the batch `position` has raised or cleared, first those cleared; all of an entry, or none."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    epoch: int
    number: int  # of this entry in its epoch, from 1: the entry's id is <epoch>-<number>
    position: int
    complete_through: int | None  # the last complete day, days since 1970; None before there is one
    changes: list[AlertChange]

    def encode(self) -> bytes:
        """Return the JSON that an entry carries."""
        return self.model_dump_json().encode()


def change_id(epoch: int, number: int, status: Status, code: AlertCode, subject: Sequence[str]) -> str:
    """Return the id of a change: a hash of what it says and of the entry that says it."""
    return sha256("\n".join((str(epoch), str(number), status, code, *subject)).encode()).hexdigest()[:32]
