"""Answers of `/lines`, `/names` and `/watermarks`."""

from services.aggregator.fold.lines.facts import Group
from services.aggregator.fold.lines.listing import LineSelection, ListedLine, days_overdue, list_lines, sort_lines
from services.aggregator.http.pages import Answer, check_today, cut_labels, position_of, select_keys
from services.aggregator.http.queries import AskLines, AskNames, AskWatermarks
from services.aggregator.http.remarks import note_rows
from services.aggregator.live.view import LiveView
from services.aggregator.plan.overviews import iso_or_none, names_by_id
from shared.programme.remarks import RemarksInForce, line_about
from shared.wire.days import day_of, is_ended, iso_day

_WEEK = 7


async def lines(view: LiveView, query: AskLines) -> Answer:
    """Commits, orders, forecasts and shipments as they are in force, by due day, those of synthetic sites last."""

    def read() -> Answer:
        curves, book, today = view.state.curves, view.state.lines, view.state.curves.today
        check_today(curves)
        select_keys(curves, product=query.product, site=query.site, supplier=query.supplier)
        like = (query.like or "").casefold()
        chosen = LineSelection(
            query.kind, query.product, query.site, query.supplier, query.source, *_due_days(query.due, today),
            is_open=query.state == "open", like=like,
        )  # fmt: skip
        # before a day is complete nothing is known to be overdue, or due this week
        found = list_lines(book, chosen, today, _backorders(view)) if today is not None or query.due is None else []
        if like:
            found.sort(key=lambda line: (line.name.casefold() != like, line.open_wafers == 0))
        remarks, synthetic = view.state.remarks.in_force(), view.state.sites.synthetic_names()
        others, apart = ([line for line in found if (line.key[1] in synthetic) is kind] for kind in (False, True))
        ranked = [line for kind in (others, apart) for line in sort_lines(kind, query.sort, today)]
        page = ranked[query.offset : query.offset + query.limit]
        following = query.offset + len(page)
        return position_of(view) | {
            "today": iso_or_none(today),
            "count": len(found),
            "synthetic_count": len(apart),
            **{
                f"{kind}{name}": sum(getattr(line, name) for line in lines)
                for kind, lines in (("", others), ("synthetic_", apart))
                for name in ("wafers", "open_wafers")
            },
            "rows": [
                _row(line, today) | {"synthetic": line.key[1] in synthetic, "notes": _notes(remarks, line)}
                for line in page
            ],
            "next": following if following < len(found) else None,
        }

    return await view.run_paused(read)


def _backorders(view: LiveView) -> dict[Group, int]:
    """Return the backorder of each product at each site that has one, by the plan."""
    plan = view.plan
    return {
        (product, site): plan.backorder(group)
        for group, (product, site, *_) in enumerate(plan.grouping.labels)
        if plan.backorder(group) > 0
    }


def _due_days(due: str | None, today: int | None) -> tuple[int | None, int | None]:
    """Return the first and the last due day; a week is one of ISO 8601, from Monday to Sunday."""
    if due is None or today is None:
        return None, None
    monday = today - (today + 3) % _WEEK  # 1970-01-01 was a Thursday
    spans = {"overdue": (None, today - 1), "this_week": (monday, monday + 6), "next_week": (monday + 7, monday + 13)}
    return spans[due]


def _notes(remarks: RemarksInForce, line: ListedLine) -> list[Answer]:
    return note_rows(remarks.about(line_about(line.kind, line.source, line.name)))


def _row(line: ListedLine, today: int | None) -> Answer:
    product, site, supplier = line.key
    return {
        "kind": line.kind, "source": line.source, "line": line.name, "product": product, "site": site,
        "supplier": supplier, "due": iso_day(line.due), "wafers": line.wafers, "open_wafers": line.open_wafers,
        "days_overdue": days_overdue(line, today), "firmness": line.firmness,
        "priority": line.priority, "revision": line.revision, "stated_on": iso_day(line.stated_on),
        "reason": line.reason, "event": f"{line.source}/{line.event}",
    }  # fmt: skip


async def names(view: LiveView, query: AskNames) -> Answer:
    """Products, sites, suppliers, sources and parties, and the name that is declared of each."""
    words = (query.like or "").casefold().split()

    def read() -> Answer:
        names = names_by_id(view.state)
        found = [
            label
            for label, name in names.items()
            if all(word in f"{label[1]} {name or ''}".casefold() for word in words)
        ]
        page, following = cut_labels(found, query.after, query.limit)
        rows = [{"kind": kind, "id": id_, "name": names[kind, id_]} for kind, id_ in page]
        return position_of(view) | {"rows": rows, "count": len(found), "next": following}

    return await view.run_paused(read)


async def watermarks(view: LiveView, _: AskWatermarks) -> Answer:
    """The day that each source has completed, and which sources hold up the last complete day."""
    curves, late = view.state.curves, view.state.sources.late_events()
    through = curves.complete_through
    going_on = [each for each in curves.watermarks.values() if not is_ended(each)]
    latest = max(going_on, default=None)
    rows = []
    for source in sorted(curves.sources):
        watermark = curves.watermarks.get(source)
        ended = watermark is not None and is_ended(watermark)
        day = None if watermark is None else day_of(watermark)
        rows.append(
            {
                "source": source, "completed_through": iso_or_none(day), "ended": ended,
                "days_behind": latest - day if latest is not None and day is not None and not ended else None,
                "holds_up": day is not None and not ended and day == through and latest is not None and day < latest,
                "days_with_late_events": len(late[source][1]) if source in late else 0,
            }
        )  # fmt: skip
    rows.sort(key=lambda row: (not row["holds_up"], str(row["completed_through"] or "")))
    return position_of(view) | {"latest_day": iso_or_none(latest), "rows": rows}
