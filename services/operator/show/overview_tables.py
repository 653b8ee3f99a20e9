"""What the programme, its months, its sites and its suppliers look like to a person."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Group
from rich.text import Text

from services.operator.show.sparklines import SHADES, sparkline, stacked_bar
from services.operator.show.tables import table
from shared.wire.catalog import PROGRAMME_WAFERS
from shared.wire.events import FIRMNESS

_BAR_WIDTH = 60
_PHASES_SHOWN = 12


def programme_tables(found: Mapping[str, Any], caption: Text) -> Iterator[Group | Text]:
    """Yield the headline numbers, whose demand they are of, who runs short first, and how the months went."""
    yield table(
        f"Programme, {found['window_days']} days to {found['day']}, start basis",
        ("", "supply", "demand", "net", f"% of {PROGRAMME_WAFERS:,}"),
        [
            (what, each["supply"], each["demand"], each["net"], each.get("share_percent"))
            for what, each in (
                ("in total", found), ("sites that are announced", found["sourced"]),
                ("sites that are assumed", found["assumed"]),
            )
        ],
    )  # fmt: skip
    yield table(
        "Short first",
        ("if commits count that are", "products at sites short", "first short day", "site", "product", "wafers"),
        [
            (f"{firmness} or above", short["count"], *_first(short["first"]))
            for firmness, short in found["short"].items()
        ],
        caption=", ".join(f"{count} {code.replace('_', ' ')}" for code, count in found["alerts"].items() if count)
        or "no alerts are open",
    )
    months = found["months"]
    if months:
        yield _curves(months)
    yield caption


def _first(short: Mapping[str, Any] | None) -> tuple[Any, ...]:
    names = ("first_short_day", "site", "product", "first_shortage")
    return tuple(None if short is None else short[name] for name in names)


def _curves(months: Sequence[Mapping[str, Any]]) -> Group:
    curves = [
        ("demand, to be started", [row["start"]["demand"] for row in months]),
        ("started", [row["start"]["started"] for row in months]),
        ("letter of intent, never counted", [row["start"]["agreed"] for row in months]),
        ("cumulative gap, start basis", [row["start"]["cumulative_gap"] for row in months]),
        ("due at the dock", [row["receipt"]["due"] for row in months]),
        ("forecast beyond that", [row["receipt"]["forecast"] for row in months]),
        *((f"committed {grade}", [row["receipt"]["committed"][grade] for row in months]) for grade in FIRMNESS),
        ("received", [row["receipt"]["received"] for row in months]),
    ]
    return table(
        f"The months {months[0]['month']} to {months[-1]['month']}, each curve from its least, or 0, to its greatest",
        ("", "curve", "least", "greatest", "in all"),
        [
            (what, sparkline(values), min(values), max(values), None if "gap" in what else sum(values))
            for what, values in curves
        ],
        caption="each month in a table, and as a bar: waferline months",
    )


def months_bars(answer: Mapping[str, Any]) -> Group:
    """Return supply by firmness as a bar a month, and what is due and forecast as a mark on it, receipt basis."""
    rows = answer["rows"]
    receipts = [row["receipt"] for row in rows]
    needs = [each["due"] + each["forecast"] for each in receipts]
    supplies = [tuple(each["committed"][grade] for grade in FIRMNESS) for each in receipts]
    most = max([1, *needs, *map(sum, supplies)])
    keys = "  ".join(f"{shade} {grade}" for shade, grade in zip(SHADES, FIRMNESS, strict=True))
    lines = [
        Text(f"{row['month']}  {stacked_bar(supply, need, most, _BAR_WIDTH)}  {sum(supply) - need:+,}")
        for row, supply, need in zip(rows, supplies, needs, strict=True)
    ]
    gaps = [sparkline([row[basis]["cumulative_gap"] for row in rows]) for basis in ("start", "receipt")]
    return Group(
        Text("Committed by firmness against due and forecast (┃), receipt basis", style="bold"),
        Text(f"         {keys}, to {most:,} a month; on the right: committed less both\n", style="dim"),
        *lines,
        Text(f"\ncumulative gap  start basis {gaps[0]}  receipt basis {gaps[1]}\n"),
    )


def sites_tables(answer: Mapping[str, Any], caption: Text) -> Iterator[Group | Text]:
    """Yield what each site needs, has and lacks, and what it is."""
    rows = answer["rows"]
    yield table(
        f"Needs of {len(rows)} sites, as of {answer['today']}, commits {answer['firmness']} or above",
        ("site", "next need", "until", "wafers", "on hand", "days of cover", "short since", "first short day", "of",
         "at worst"),
        [
            (
                row["site"], row["next_due_day"], row["last_due_day"], row["due"], row["on_hand"], row["cover_days"],
                row["short_since"], row["first_short_day"], row["first_short_product"], row["shortage"],
            )
            for row in rows
        ],
        caption="next need, until, wafers: orders from today on; days of cover: of the product that is covered least",
    )  # fmt: skip
    yield table(
        "What they are",
        ("site", "mooring", "country", "MW", "on", "to come", "stopped", "its phases", "next on", "land or water",
         "kt CO2 a year"),
        [
            (
                row["site"], row["mooring"], row["country"], row["mw"], row["mw_energised"], row["mw_to_come"],
                row["mw_stopped"], _phases(row), _next_on(row, answer["today"]), _area(row),
                _kilotonnes(row["co2_tonnes_a_year"]),
            )
            for row in rows
        ],
        caption="MW: declared; on, to come and stopped: of the phases, each a bar in the order of their days; CO2: at "
        "full load all year",
    )  # fmt: skip
    yield caption


def _phases(row: Mapping[str, Any]) -> str:
    megawatts = [phase["mw"] for phase in row["phases"]]
    return sparkline(megawatts) if len(megawatts) <= _PHASES_SHOWN else f"{len(megawatts)} phases"


def _next_on(row: Mapping[str, Any], today: str | None) -> str | None:
    days = [phase["energise_on"] for phase in row["phases"] if phase["status"] == "planned"]
    return next((day for day in days if today is None or day >= today), None)


def _area(row: Mapping[str, Any]) -> str | None:
    if row["waterplane_m2"] is not None:
        return f"{row['waterplane_m2']:,} m² water"
    return None if row["land_ha"] is None else f"{row['land_ha']:,} ha"


def _kilotonnes(tonnes: int | None) -> float | None:
    return None if tonnes is None else round(tonnes / 1000, 1)


def site_tables(answer: Mapping[str, Any], caption: Text) -> Iterator[Group | Text]:
    """Yield what a site is, its phases, what was said of it, and its months."""
    site, months = answer["described"], answer["months"]
    yield Text(f"{site['site']}: {site['name'] or 'not declared'}", style="bold underline")
    if site["name"] is not None:
        yield Text(
            f"{site['mooring']}, {site['country']}, {site['mw']:,} MW at a PUE of {site['pue_percent'] / 100:.2f}, "
            f"{_area(site) or 'area not said'}, {site['kg_co2_per_mwh']} kg CO2 a MWh; {site['confidence']}: "
            f"{site['evidence'] or '–'}\n"
        )
    if site["phases"]:
        yield table(
            "Phases",
            ("phase", "MW", "platform", "energised on", "status", "its event"),
            [
                (each["phase"], each["mw"], each["platform"], each["energise_on"], each["status"],
                 f"{each['source']}/{each['event']}")
                for each in site["phases"]
            ],
        )  # fmt: skip
    changed = [entry for entry in answer["entries"] if entry["changes"]]
    if changed:
        yield table(
            "What was altered since it was first said",
            ("day", "of", "what", "its event"),
            [
                (entry["day"], entry["phase"] or "the site", _changes(entry), f"{entry['source']}/{entry['event']}")
                for entry in changed
            ],
        )
    if months:
        yield _site_months(months)
    yield caption


def _changes(entry: Mapping[str, Any]) -> str:
    return "; ".join(
        f"{name.replace('_', ' ')} {change['before']} → {change['now']}" for name, change in entry["changes"].items()
    )


def _site_months(months: Sequence[Mapping[str, Any]]) -> Group:
    columns = ("mw", "due", "forecast", "committed", "received", "consumed", "on_hand")
    curves = "\n".join(f"{name.replace('_', ' '):>10} {sparkline([row[name] for row in months])}" for name in columns)
    return table(
        "Its months, receipt basis",
        ("month", "MW on", "due", "forecast", "committed", "received", "consumed", "on hand at the end"),
        [(row["month"], *(row[name] for name in columns)) for row in months],
        caption=curves,
    )


def suppliers_tables(answer: Mapping[str, Any], caption: Text) -> Iterator[Group | Text]:
    """Yield how the suppliers keep their word, and what they have in process, side by side by product."""
    rows = sorted(answer["rows"], key=lambda row: (row["product"], row["supplier"]))
    yield table(
        f"Commits against receipts; bias and slip against what was committed {answer['lag_days']} days before",
        ("product", "supplier", "due", "received", "in full, on time %", "churn %", "bias %", "slip days", "at most",
         "still open"),
        [
            (
                row["product"], row["supplier"], row["wafers_due"], row["wafers_received"], _percent(row["otif"]),
                _percent(row["churn"]), _percent(row["bias"]), row["slip_days"], row["slip_greatest"],
                row["open_wafers"],
            )
            for row in rows
        ],
        caption="– : nothing was committed, or not so early; more on each: waferline performance SUPPLIER",
    )  # fmt: skip
    made = [row for row in rows if row["wip_by_age"] is not None]
    ages = [_age(each) for each in made[0]["wip_by_age"]] if made else []
    yield table(
        "In process by age in days, first in first out, and yield against the planned one",
        ("product", "supplier", "in process", *ages, "yield %", "by month", "last month %"),
        [
            (
                row["product"], row["supplier"], row["wip"], *(each["wafers"] for each in row["wip_by_age"]),
                row["yield"]["percent"], _yields(row),
                row["yield_by_month"][-1]["percent"] if row["yield_by_month"] else None,
            )
            for row in made
        ],
        caption="so old they are at the least; 100 %: as planned, what was scrapped and written off is lost",
    )  # fmt: skip
    yield caption


def _yields(row: Mapping[str, Any]) -> str:
    return sparkline([each["percent"] for each in row["yield_by_month"]], from_zero=False)


def _percent(ratio: Mapping[str, Any] | None) -> float | None:
    return None if ratio is None else ratio["percent"]


def _age(each: Mapping[str, Any]) -> str:
    if each["before_days"] is None:
        return f"{each['from_days']}+"
    return f"{each['from_days']}–{each['before_days'] - 1}"
