"""Answer of `/remarks`, and the remarks beside the numbers of other answers."""

from services.aggregator.http.pages import Answer, plan_position_of
from services.aggregator.http.queries import AskRemarks
from services.aggregator.live.view import LiveView
from services.aggregator.plan.overviews import iso_or_none
from shared.programme.remarks import Acknowledgement, Note, RemarksInForce
from shared.wire.alerts import SUBJECTS, AlertCode, AlertName
from shared.wire.days import iso_day

_NOTED = ("product", "site")  # parts of a subject that a note may be about


async def remarks(view: LiveView, query: AskRemarks) -> Answer:
    """The remarks of planners in force: acknowledgements of alerts, and notes on lines, sites, products and alerts."""
    found, today = view.remarks, view.plan.today
    notes = sorted(
        (note for about in found.notes.values() for note in about if query.about in (None, note.about)),
        key=lambda note: (note.on, note.event),
    )
    page = notes[query.offset : query.offset + query.limit]
    following = query.offset + len(page)
    acknowledged = [
        acknowledgement_row(each, today)
        for name, each in sorted(found.acknowledged.items())
        if query.about in (None, f"alert/{name}")
    ]
    return plan_position_of(view, view.plan) | {
        "acknowledged": acknowledged,
        "rows": note_rows(page),
        "next": following if following < len(notes) else None,
    }


def acknowledgement_row(each: Acknowledgement | None, today: int | None) -> Answer | None:
    """Return an acknowledgement as an answer has it."""
    if each is None:
        return None
    return {
        "alert": each.alert,
        "assignee": each.assignee,
        "note": each.note,
        "snoozed_until": iso_or_none(each.snoozed_until),
        "is_snoozed": each.is_snoozed(today),
        "by": each.by,
        "on": iso_day(each.on),
        "revision": each.revision,
        "event": f"{each.source}/{each.event}",
    }


def note_rows(notes: list[Note]) -> list[Answer]:
    """Return notes as an answer has them."""
    return [
        {
            "note": note.note, "about": note.about, "text": note.text, "by": note.by, "on": iso_day(note.on),
            "revision": note.revision, "event": f"{note.source}/{note.event}",
        }
        for note in notes
    ]  # fmt: skip


def alert_remarks(found: RemarksInForce, alert: AlertName, today: int | None) -> Answer:
    """Return the remarks on an alert, and on the product and the site of its subject."""
    now, before = found.of_alert(alert)
    subject = zip(SUBJECTS[alert.code], alert.subject, strict=True)
    things = [f"{part}/{name}" for part, name in subject if part in _NOTED]
    return {
        "acknowledged": acknowledgement_row(now, today),
        "acknowledged_before": acknowledgement_row(before, today),
        "notes": note_rows(found.about(f"alert/{alert.text}", *things)),
    }


def group_remarks(view: LiveView, code: AlertCode, group: tuple[str, str], today: int | None) -> Answer:
    """Return the notes on a product and a site, and the acknowledgement of its alert of a code."""
    alert, product, site = view.alerts.get((code, group)), *group
    if alert is not None:
        return alert_remarks(view.remarks, alert.name, today)
    notes = note_rows(view.remarks.about(f"product/{product}", f"site/{site}"))
    return {"acknowledged": None, "acknowledged_before": None, "notes": notes}
