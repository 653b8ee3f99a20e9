"""Alerts that the aggregator publishes for planners, each raised once and cleared once."""

from datetime import date
from hashlib import sha256
from typing import Literal, NamedTuple, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, model_validator

from shared.wire.days import day_number, iso_day

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
"""The code and subject of an alert."""

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


NAMED_BY: dict[AlertCode, str | None] = {
    "source_silent": "watermark_day",
    "behind_watermark": "watermark_day",
    "undeclared_product": None,
    "undeclared_site": None,
    "due_beyond_horizon": "day",
    "stock_negative": "since_day",
    "consumed_beyond_required": "since_day",
    "stage_negative": "since_day",
    "received_beyond_dispatched": None,
    "dispatched_beyond_finished": "since_day",
    "dispatch_without_commit": None,
    "dispatch_of_other_product": None,
    "supplier_contradicts_shipment": None,
    "receipt_of_other_product": None,
    "short_within": "day",
    "cover_below": "since_day",
    "slip_beyond": "since_day",
}
"""The day in an alert's name, by code: its `day`, a day of its detail, or none, as the subject alone names it."""


class AlertName(NamedTuple):
    """The name of an alert: its code and subject, and the day that its definition fixes.

    It follows from the recorded events: every fold of the same log gives the same names. As a text its parts stand
    between slashes, which no name has.
    """

    code: AlertCode
    subject: tuple[str, ...]
    day: int | None

    @property
    def cause(self) -> Cause:
        """The code and the subject."""
        return self.code, self.subject

    @property
    def text(self) -> str:
        """The name as a text: short_within/HBM-12H/north/2027-03-10."""
        return "/".join((self.code, *self.subject, *(() if self.day is None else (iso_day(self.day),))))

    @classmethod
    def read(cls, text: str) -> "AlertName":
        """Return the name of a text; raise ValueError for a text that names no alert."""
        code, *parts = text.split("/")
        if code not in SUBJECTS:
            raise ValueError(f"{code[:80]!r} is no code of an alert")
        checked: AlertCode = code
        names = len(SUBJECTS[checked])
        if not names <= len(parts) <= names + (NAMED_BY[checked] is not None) or not all(parts):
            due = "/".join((code, *SUBJECTS[checked], *(() if NAMED_BY[checked] is None else ("YYYY-MM-DD",))))
            raise ValueError(f"is not {due}")
        day = day_number(date.fromisoformat(parts[names])) if len(parts) > names else None
        name = cls(checked, tuple(parts[:names]), day)
        if name.text != text:
            raise ValueError(f"is not {name.text}")
        return name


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
    name: str = ""  # of the alert; empty in entries of versions that knew no names

    @model_validator(mode="after")
    def _names_an_alert(self) -> Self:
        if missing := set(SUBJECTS[self.code]) - set(self.subject):
            raise ValueError(f"its subject lacks {', '.join(sorted(missing))}")
        if self.name:
            AlertName.read(self.name)
        return self

    @property
    def alert(self) -> AlertName:
        """The name of the alert; without a day where the entry states none."""
        if self.name:
            return AlertName.read(self.name)
        return AlertName(self.code, tuple(self.subject[name] for name in SUBJECTS[self.code]), None)


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


def change_id(epoch: int, number: int, status: Status, alert: AlertName) -> str:
    """Return the id of a change: a hash of its content and its entry."""
    return sha256("\n".join((str(epoch), str(number), status, alert.text)).encode()).hexdigest()[:32]
