"""Alerts on the stream: the entries fold into the open alerts, and a plan's changes make the next entries."""

from collections.abc import Collection, Iterator, Mapping

from services.aggregator.alerts.finding import Alert
from services.aggregator.plan.projection import SupplyPlan
from shared.wire.alerts import SUBJECTS, AlertBatch, AlertChange, AlertName, Cause, Status, change_id

CHANGES_MAX = 1_000  # of one entry


class PublishedAlerts:
    """The fold of the stream of alerts: those raised and not cleared yet."""

    def __init__(self) -> None:
        self.epoch = 0
        self.number = 0
        self.open: set[AlertName] = set()

    def add(self, batch: AlertBatch) -> None:
        """Fold one entry."""
        self.epoch, self.number = batch.epoch, batch.number
        for change in batch.changes:
            if change.status == "raised":
                self.open.add(change.alert)
            else:
                self.open.discard(change.alert)

    def pass_over(self, epoch: int, number: int) -> None:
        """Pass over an entry that cannot be read: the changes of alerts in it are published again."""
        self.epoch, self.number = epoch, number

    def changes(self, epoch: int, found: Mapping[Cause, Alert]) -> tuple[list[Alert], list[AlertName]]:
        """Return the alerts to raise and to clear; a new store clears all alerts of the store before it."""
        if epoch == self.epoch:
            return diff_alerts(self.open, found)
        return list(found.values()), sorted(self.open, key=_order)

    def batches(
        self, epoch: int, plan: SupplyPlan, raised: Collection[Alert], cleared: Collection[AlertName]
    ) -> Iterator[AlertBatch]:
        """Yield the entries that clear and raise alerts as of a plan."""
        number = self.number if epoch == self.epoch else 0
        changes: list[tuple[Status, Alert | None, AlertName]] = [
            *(("cleared", None, name) for name in cleared),
            *(("raised", alert, alert.name) for alert in raised),
        ]
        for first in range(0, len(changes), CHANGES_MAX):
            number += 1
            yield AlertBatch(
                epoch=epoch,
                number=number,
                position=plan.position,
                complete_through=plan.complete_through,
                changes=[_change(epoch, number, *change) for change in changes[first : first + CHANGES_MAX]],
            )


def diff_alerts(open_: Collection[AlertName], found: Mapping[Cause, Alert]) -> tuple[list[Alert], list[AlertName]]:
    """Return the alerts to raise, the most urgent first, and those to clear, sorted."""
    names = {alert.name for alert in found.values()}
    raised = [alert for alert in found.values() if alert.name not in open_]
    return raised, sorted(set(open_) - names, key=_order)


def _order(name: AlertName) -> tuple[Cause, int]:
    return name.cause, -1 if name.day is None else name.day


def _change(epoch: int, number: int, status: Status, alert: Alert | None, name: AlertName) -> AlertChange:
    return AlertChange(
        id=change_id(epoch, number, status, name),
        code=name.code,
        status=status,
        subject=dict(zip(SUBJECTS[name.code], name.subject, strict=True)),
        day=None if alert is None else alert.day,
        detail={} if alert is None else alert.detail,
        causes=[] if alert is None else list(alert.causes),
        name=name.text,
    )
