"""Alerts that the aggregator publishes for planners, each raised once and cleared once."""

from collections.abc import Sequence
from hashlib import sha256
from typing import Literal, TypeAlias

from pydantic import BaseModel, ConfigDict

AlertCode = Literal[
    "source_silent",
    "behind_watermark",
    "undeclared_product",
    "undeclared_site",
    "due_beyond_horizon",
    "stock_negative",
    "consumed_beyond_required",
    "stage_negative",
    "received_beyond_dispatched",
    "dispatched_beyond_finished",
    "dispatch_without_commit",
    "dispatch_of_other_product",
    "supplier_contradicts_shipment",
    "receipt_of_other_product",
    "short_within",
    "cover_below",
    "slip_beyond",
]
"""The kinds of alerts, stable for programs; first those that put the other figures in doubt."""

Status = Literal["raised", "cleared"]
Cause: TypeAlias = tuple[AlertCode, tuple[str, ...]]
"""The code and subject of an alert, which is raised once for them, and cleared once."""

SUBJECTS: dict[AlertCode, tuple[str, ...]] = {
    "source_silent": ("source",),
    "behind_watermark": ("source",),
    "undeclared_product": ("product",),
    "undeclared_site": ("site",),
    "due_beyond_horizon": ("product", "site"),
    "stock_negative": ("product", "site"),
    "consumed_beyond_required": ("product", "site"),
    "stage_negative": ("stage", "supplier", "product"),
    "received_beyond_dispatched": ("owner", "shipment", "product"),
    "dispatched_beyond_finished": ("supplier", "product"),
    "dispatch_without_commit": ("owner", "shipment", "product"),
    "dispatch_of_other_product": ("owner", "shipment", "product"),
    "supplier_contradicts_shipment": ("owner", "shipment", "product"),
    "receipt_of_other_product": ("owner", "shipment", "product"),
    "short_within": ("product", "site"),
    "cover_below": ("product", "site"),
    "slip_beyond": ("supplier", "product"),
}
"""The names in an alert's subject, by code."""


class AlertChange(BaseModel):
    """An alert that is raised or cleared."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    id: str  # of this change: the same when published again
    code: AlertCode
    status: Status
    subject: dict[str, str]  # see SUBJECTS
    day: int | None  # day of the condition, past or future, since 1970; None where cleared
    detail: dict[str, int]  # when raised: wafers, and days (those named _day since 1970)
    causes: list[str]  # events as source/id, the greatest first

    @property
    def cause(self) -> Cause:
        """The code and subject of the alert."""
        return self.code, tuple(self.subject[name] for name in SUBJECTS[self.code])


class AlertBatch(BaseModel):
    """The alerts that the batch `position` raises or clears, first those cleared; a reader takes all of an entry."""

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
    """Return the id of a change: a hash of its content and its entry."""
    return sha256("\n".join((str(epoch), str(number), status, code, *subject)).encode()).hexdigest()[:32]
