"""Response models of remarks: acknowledgements of alerts, and notes."""

from datetime import date

from services.aggregator.http.models.elements import AtPlan
from shared.http.answering import Described


class AcknowledgementRow(Described, title="Acknowledgement"):
    """A planner's acknowledgement of an alert."""

    alert: str
    """The alert's name."""
    assignee: str
    note: str
    snoozed_until: date | None
    is_snoozed: bool
    """Today lies before that day."""
    by: str
    on: date
    """The day of the event."""
    revision: int
    event: str
    """The event that states it, as source/id."""


class NoteRow(Described, title="Note"):
    """A planner's note."""

    note: str
    """Its name at its planner."""
    about: str
    """`line/KIND/PARTY/LINE`, `site/SITE`, `product/PRODUCT` or `alert/ALERT`."""
    text: str
    by: str
    on: date
    revision: int
    event: str


class RemarksPage(AtPlan):
    """The remarks in force: neither revised nor withdrawn."""

    acknowledged: list[AcknowledgementRow]
    """By the alert's name."""
    rows: list[NoteRow]
    """The notes, the oldest first."""
    next: int | None
