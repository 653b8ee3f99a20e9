"""Script of a play: events on given days, the same for every seed, and the mistakes of a source."""

from datetime import date
from typing import Any, Literal

from pydantic import Field

from shared.play.facts import Percent, ScenarioPart


class _Scripted(ScenarioPart):
    day: date
    sources: list[str] = Field(default_factory=list)  # none: assumed


class ReportedAgreement(_Scripted):
    """An agreement on gigabytes in a window is reported."""

    supplier: str
    agreement: str
    instrument: Literal["LOI", "MOU", "LTA"]
    product: str
    gb: int
    starts_on: date
    ends_on: date


class YieldExcursion(_Scripted):
    """The probe yield is low for some weeks."""

    supplier: str
    product: str
    probe_percent: Percent
    weeks: int


class ScrappedWafers(_Scripted):
    """WIP is lost in one incident."""

    supplier: str
    product: str
    wafers: int
    cause: str


class RescheduledCommit(_Scripted):
    """Commits that add up to about `wafers` slip by `weeks`."""

    supplier: str
    product: str
    wafers: int
    weeks: int


class ReturnedWafers(_Scripted):
    """Defective gigabytes on hand are returned; no event but the next stock count shows it."""

    datacenter: str
    supplier: str
    product: str
    gb: int


class ReceiptInError(_Scripted):
    """A receipt is published with a wrong quantity, and reversed."""

    datacenter: str


class ScriptedEvents(ScenarioPart):
    """Events on given days, independent of the seed."""

    reported_agreements: list[ReportedAgreement] = Field(default_factory=list)
    yield_excursions: list[YieldExcursion] = Field(default_factory=list)
    scrapped_wafers: list[ScrappedWafers] = Field(default_factory=list)
    rescheduled_commits: list[RescheduledCommit] = Field(default_factory=list)
    returned_wafers: list[ReturnedWafers] = Field(default_factory=list)
    receipts_in_error: list[ReceiptInError] = Field(default_factory=list)


class Mistake(_Scripted):
    """From `day` on, the source publishes its first `event` malformed before it publishes it right."""

    source: str
    event: str
    wrong: dict[str, Any]
