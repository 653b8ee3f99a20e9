"""Tables of the programme at a glance, and of its open alerts."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.text import Text

from services.operator.show.lines import remark_cells, remark_column
from services.operator.show.shortages import act_on_words, first_short_words, until_words
from services.operator.show.sparklines import sparkline
from services.operator.show.table import (
    SYNTHETIC,
    FittedTable,
    not_reported_line,
    plain,
    table,
    today_is,
    window_words,
)
from shared.wire.firmness import FIRMNESS


def _megawatts_table(kinds: Sequence[tuple[str, Mapping[str, Any]]]) -> FittedTable:
    return table(
        "Megawatts on, and those whose racks have all their memory",
        ("", "MW on", "populated", "waiting for memory", "waits for"),
        [
            (
                name,
                *("not known" if each[figure] is None else each[figure]
                  for figure in ("mw_energised", "mw_populated", "mw_waiting")),
                "; ".join(f"{wait['product']}: {wait['wafers']:,} wafers for {wait['mw']:,} MW"
                          for wait in each["waits_for"]) or None,
            )
            for name, each in kinds
        ],
        caption="populated: by the wafers installed and on hand; a rack runs with all its products only\n"
        "waits for: the megawatts that would wait for a product were all others there, so they do not add up",
    )  # fmt: skip


def programme_tables(found: Mapping[str, Any], caption: Text) -> Iterator[FittedTable | Text]:
    """Yield the headline numbers by kind of site, the first shortages, and the months as curves."""
    target = found["target_wafers"]
    kinds = (
        ("total", found), ("announced sites", found["sourced"]), ("assumed sites", found["assumed"]),
        *((("synthetic demand, in no sum", found["synthetic"]),) if found["synthetic"]["products"] else ()),
        *((("sites not declared", found["undeclared"]),) if found["undeclared"]["products"] else ()),
    )  # fmt: skip
    shares = () if target is None else (f"% of {target:,}",)  # of a declared target only
    yield table(
        f"Programme, {window_words(found)}, {found['basis']} basis",
        ("", "supply", "demand", "net", "lacking", *shares, "products at sites short"),
        [
            (
                name, each["supply"], each["demand"], each["net"], each["lacking"],
                *(each.get("share_percent") for _ in shares),
                "not known" if found["today"] is None else f"{each['products_short']:,} of {each['products']:,}",
            )
            for name, each in kinds
        ],
        caption="lacking: of each product at each site, summed; a surplus elsewhere does not cover it\n"
        + not_reported_line(found["lots_not_reported_by"]),
    )  # fmt: skip
    yield _megawatts_table(kinds[:3])
    yield table(
        "First shortages",
        _SHORT,
        [
            (f"{firmness} or above", short["count"], *_first(short["first"], found["today"]))
            for firmness, short in found["short"].items()
        ],
        caption=(
            ", ".join(f"{count} {code.replace('_', ' ')}" for code, count in found["alerts"].items() if count)
            or ("not known before a day is complete" if found["today"] is None else "no open alerts")
        )
        + _of_synthetic(found["alerts_synthetic"]),
    )
    first = found["to_act_on"]
    if first is not None:
        yield Text(f"To act on first: {first['product']} at {first['site']}: {act_on_words(first)}\n")
    before = found["last_plan"]
    if before is not None:
        yield table(
            f"First shortages of the last plan before, position {before['position']}, complete through "
            f"{before['complete_through'] or 'no day'}",
            _SHORT,
            [
                (f"{firmness} or above", short["count"], *_first(short["first"], before["today"]))
                for firmness, short in before["short"].items()
            ],
        )
    for title, months in (("The months", found["months"]), (f"{SYNTHETIC}The months", found["months_synthetic"])):
        if months:
            yield _curves(title, months)
    yield caption


def _of_synthetic(counts: Mapping[str, int]) -> str:
    """Return the number of open alerts of synthetic sites in words; nothing for none."""
    return f"; of synthetic sites {sum(counts.values())} more" * any(counts.values())


_SHORT = (
    "commits counted", "products short", "site", "product", "short now", "first short day", "at worst", "worst day",
    "short until",
)  # fmt: skip


def _first(short: Mapping[str, Any] | None, today: str) -> tuple[Any, ...]:
    if short is None:
        return (None,) * (len(_SHORT) - 2)
    return (
        short["site"], short["product"], short["short_now"], first_short_words(short, {"today": today}),
        short["shortage"], short["worst_day"], until_words(short["short_until"]),
    )  # fmt: skip


def _curves(title: str, months: Sequence[Mapping[str, Any]]) -> FittedTable:
    curves = [
        ("demand, required starts", [row["start"]["demand"] for row in months]),
        ("started", [row["start"]["started"] for row in months]),
        ("letter of intent, never counted", [row["start"]["agreed"] for row in months]),
        ("cumulative gap, start basis", [row["start"]["cumulative_gap"] for row in months]),
        ("orders, at the dock", [row["receipt"]["due"] for row in months]),
        ("forecasts beyond orders", [row["receipt"]["forecast"] for row in months]),
        *((f"committed {grade}", [row["receipt"]["committed"][grade] for row in months]) for grade in FIRMNESS),
        ("received", [row["receipt"]["received"] for row in months]),
        ("to come", [sum(row["receipt"]["to_come"].values()) for row in months]),
    ]
    return table(
        f"{title} {months[0]['month']} to {months[-1]['month']}, each curve from its lowest, or 0, to its highest",
        ("", "curve, a year a group", "lowest", "highest", "total"),
        [
            (name, _by_year(sparkline(values), months), min(known), max(known), None if "gap" in name else sum(known))
            for name, values in curves
            for known in ([value for value in values if value is not None],)
            if known
        ],
        caption="each month in a table, and as a bar: waferline months",
    )


def _by_year(curve: str, months: Sequence[Mapping[str, Any]]) -> str:
    """Return a curve with a blank before each January, where a narrow terminal folds it."""
    return "".join(
        f" {mark}" if n and month["month"].endswith("-01") else mark
        for n, (mark, month) in enumerate(zip(curve, months, strict=True))
    )


def alerts_tables(answer: Mapping[str, Any]) -> tuple[FittedTable, ...]:
    """Return the number of open alerts of each code, their groups where a kind floods, and the alerts of the answer."""
    counts, missing = answer["open"], ", ".join(answer["missing_sources"])
    title = f"Alerts, {today_is(answer)}: {sum(counts.values())} are open{_of_synthetic(answer['open_synthetic'])}"
    if answer["today"] is None:
        title = (
            "Alerts: not known before a day is complete, when only silent sources, undeclared names and days beyond the"
            " horizon are looked for"
        )
    open_ = table(
        title,
        ("alert", "open"),
        [(code, count) for code, count in counts.items() if count],
        caption=f"by what is recorded; {missing}: not known" if missing else "",
    )
    groups = table(
        "By what to act on first",
        ("alert", "open", "about", "wafers", "MW waiting", "days left"),
        [
            (each["code"], each["count"], " ".join(each["subject"].values()) or "several", each["wafers"],
             each["mw_waiting"], each["days_left"])
            for each in answer["groups"]
        ],
    )  # fmt: skip
    column = remark_column(answer["rows"])
    rows = table(
        f"The first {len(answer['rows'])}",
        ("alert", "subject", "day", "detail", *column, "first cause"),
        [
            (
                row["code"],
                " ".join(row["subject"].values()),
                row["day"],
                ", ".join(f"{name.replace('_', ' ')} {_figure(value)}" for name, value in row["detail"].items()),
                *remark_cells(column, row),
                next(iter(row["causes"]), ""),
            )
            for row in answer["rows"]
        ],
        caption="meaning of each, and what to do: docs/alerts.md",
    )
    return (open_, groups, rows) if any(each["count"] > 1 for each in answer["groups"]) else (open_, rows)


def _figure(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else plain(value)
