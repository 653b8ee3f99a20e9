"""Tables of sites and declared parties: requirements, stock, shortages, phases, roles, and the history of a site."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.text import Text

from services.operator.show.lines import remark_cells, remark_column, remark_words
from services.operator.show.sparklines import sparkline
from services.operator.show.table import SYNTHETIC, FittedTable, escape_controls, plain, table, today_is

_PHASES_MAX = 12


def sites_tables(answer: Mapping[str, Any], caption: Text) -> Iterator[FittedTable | Text]:
    """Yield requirements, stock and shortage of each site, then its description and phases; synthetic sites apart."""
    for prefix, is_apart in (("", False), (SYNTHETIC, True)):
        rows = [row for row in answer["rows"] if bool(row["synthetic"]) is is_apart]
        if rows or not (is_apart or answer["rows"]):
            yield from _sites_tables(answer, rows, prefix)
    yield caption


def _sites_tables(answer: Mapping[str, Any], rows: list[dict[str, Any]], prefix: str) -> Iterator[FittedTable]:
    column = remark_column(rows)
    yield table(
        f"{prefix}Requirements of {len(rows)} sites, {today_is(answer)}, commits {answer['firmness']} or above",
        ("site", "next due", "last due", "wafers", "on hand", "days of cover", "products short", "short since",
         "first short day", "product", "at worst", *column),
        [
            (
                row["site"],
                *(
                    "not known" if answer["today"] is None else value
                    for value in (
                        row["next_due_day"], row["last_due_day"], row["due"], row["on_hand"], row["cover_days"],
                        f"{len(row['short_products'])} of {row['products']}", row["short_since"],
                        row["first_short_day"], row["first_short_product"], row["shortage"],
                    )
                ),
                *remark_cells(column, row),
            )
            for row in rows
        ],
        spared=("last due", "days of cover", "short since", "product"),
        caption="next due, last due, wafers: orders from today on; days of cover: of the product with the fewest, "
        "– where the orders end before the stock\n"
        "at worst: of the product that is short first; all that are: waferline shortages --site SITE"
        + _sums(rows, due="wafers due", on_hand="on hand"),
    )  # fmt: skip
    yield table(
        f"{prefix}Sites and phases",
        ("site", "mooring", "country", "MW", "on", "populated", "waiting", "waits for", "to come", "stopped", "phases",
         "next on", "land or water", "MWh", "kt CO2"),
        [
            (
                row["site"], row["mooring"], row["country"], row["mw"], row["mw_energised"],
                *("not known" if row[name] is None else row[name] for name in ("mw_populated", "mw_waiting")),
                waits_for_words(row["waits_for"]), row["mw_to_come"], row["mw_stopped"], _phases(row),
                _next_on(row, answer["today"]), _area(row), row["energy_mwh"], _kilotonnes(row["co2_tonnes"]),
            )
            for row in rows
        ],
        spared=("country", "phases", "land or water", "next on"),
        caption="MW: declared; on, to come and stopped: of the phases, each a bar in the order of their days\n"
        "populated: of those on, the racks with all their memory; waiting: the others\n"
        "MWh, CO2: of those on since the day of each phase, at full load; onshore beside floating: waferline footprint"
        + _sums(rows, mw="MW", mw_energised="on", mw_populated="populated", mw_to_come="to come"),
    )  # fmt: skip


def _sums(rows: Sequence[Mapping[str, Any]], **words: str) -> str:
    """Return the sums of some numbers of several sites in words, as far as they are known."""
    values = {name: [row[name] for row in rows if row[name] is not None] for name in words}
    parts = [f"{sum(values[name]):,} {each}" for name, each in words.items() if values[name]]
    return f"\nin all: {', '.join(parts)}" * (bool(parts) and len(rows) > 1)


def parties_tables(answer: Mapping[str, Any], *, with_roles: bool) -> Iterator[FittedTable | Text]:
    """Yield the megawatts by party, and the roles of each where they are wanted."""
    rows = answer["rows"]
    if not rows:
        yield Text("No party is declared.")
        return
    figures = ("mw", "mw_energised", "mw_to_come", "mw_waiting", "mw_at_risk")
    yield table(
        f"MW at risk by party, {today_is(answer)}, commits {answer['firmness']} or above",
        ("party", "name", "sites", "MW", "on", "to come", "waiting", "at risk", "first short day"),
        [
            (row["party"], row["name"], row["sites"], *(row[name] for name in figures), row["first_short_day"])
            for row in rows
        ],
        spared=("name",),
        caption="MW: declared, of the sites at which it has a role; waiting: on, without all their memory; at risk: "
        "wait for the wafers that are short at worst",
    )
    for row in rows if with_roles else ():
        yield table(
            f"Roles of {row['name'] or row['party']}",
            ("role", "of", "name", "MW", "on", "at risk", "first short day", "basis"),
            [
                (
                    each["role"], each["of"], each["name"] if each["is_named"] else f"{each['name']} (not known)",
                    *(each[name] for name in ("mw", "mw_energised", "mw_at_risk", "first_short_day", "basis")),
                )
                for each in row["roles"]
            ],
            spared=("of",),
            caption=row["basis"],
        )  # fmt: skip


def _phases(row: Mapping[str, Any]) -> str:
    megawatts = [phase["mw"] for phase in row["phases"]]
    return sparkline(megawatts) if len(megawatts) <= _PHASES_MAX else f"{len(megawatts)} phases"


def _next_on(row: Mapping[str, Any], today: str | None) -> str | None:
    days = [phase["energise_on"] for phase in row["phases"] if phase["status"] == "planned"]
    return next((day for day in days if today is None or day >= today), None)


def _area(row: Mapping[str, Any]) -> str | None:
    if row["waterplane_m2"] is not None:
        return f"{row['waterplane_m2']:,} m² water"
    return None if row["land_ha"] is None else f"{row['land_ha']:,} ha"


def waits_for_words(products: Sequence[Mapping[str, Any]]) -> str | None:
    """Return the product that most megawatts wait for, and the number of others."""
    if not products:
        return None
    others = f" and {len(products) - 1} more" if len(products) > 1 else ""
    return f"{products[0]['product']}{others}"


def footprint_tables(answer: Mapping[str, Any], caption: Text) -> Iterator[FittedTable | Text]:
    """Yield megawatts, energy, CO2, land and water of the sites side by side."""
    by, is_afloat = answer["by"], any(row["waterplane_m2"] for row in answer["rows"])
    yield table(
        f"Footprint of {sum(row['sites'] for row in answer['rows'])} sites, {today_is(answer)}",
        (*(name.replace("_", " ") for name in by), *_FOOTPRINT),
        [(*(row[name] or "not stated" for name in by), *(row[name] for name in _FOOTPRINT.values()))
         for row in answer["rows"]],
        spared=("sites", "MW waiting", "kg CO2 a MWh"),
        caption="MWh and t CO2: of the megawatts on since the day of each phase, at full load; a year: 8,760 hours, "
        "once all planned phases are on\n"
        "m² a MW: land and water of the sites that state them, a declared MW"
        + ("; a waterplane is of the hulls alone" if is_afloat else "")
        + "\nsynthetic sites are left out",
    )  # fmt: skip
    yield caption


_FOOTPRINT = {
    "sites": "sites", "MW": "mw", "MW on": "mw_energised", "MW populated": "mw_populated", "MW waiting": "mw_waiting",
    "MWh": "energy_mwh", "t CO2": "co2_tonnes", "MWh a year": "year_mwh", "t CO2 a year": "year_co2_tonnes",
    "kg CO2 a MWh": "year_kg_co2_per_mwh", "ha of land": "land_ha", "m² of waterplane": "waterplane_m2",
    "m² a MW": "m2_per_mw",
}  # fmt: skip


def _kilotonnes(tonnes: int | None) -> float | None:
    return None if tonnes is None else round(tonnes / 1000, 1)


def site_tables(answer: Mapping[str, Any], caption: Text) -> Iterator[FittedTable | Text]:
    """Yield a site's description, its phases, their changes, and its months."""
    site, months = answer["described"], answer["months"]
    yield Text(escape_controls(f"{site['site']}: {site['name'] or 'not declared'}"), style="bold underline")
    if site["name"] is not None:
        power = f"{site['power_source']} at " if site["power_source"] else ""
        yield Text(
            escape_controls(
                f"{site['mooring']}, {site['country']}, {site['mw']:,} MW at a PUE of {site['pue_percent'] / 100:.2f}, "
                f"{_area(site) or 'area not declared'}, {power}{site['kg_co2_per_mwh']} kg CO2 a MWh; "
                f"{site['confidence']}: {site['evidence'] or '–'}\n"
            )
        )
    yield Text(escape_controls(f"{_megawatts_line(site)}\n"))
    if words := remark_words(site):
        yield Text(escape_controls(f"remarks: {words}\n"))
    if site["short_products"]:
        yield table(
            f"Short: {len(site['short_products'])} of {site['products']} products",
            ("product", "first short day", "short by then", "at worst"),
            [
                (each["product"], each["first_short_day"], each["first_shortage"], each["shortage"])
                for each in site["short_products"]
            ],
        )
    if site["phases"]:
        is_on = any(each["mw_populated"] is not None for each in site["phases"])
        yield table(
            "Phases",
            ("phase", "MW", *(("populated", "racks") if is_on else ()), "platform", "energised on", "follows", "status",
             "event"),
            [
                (each["phase"], each["mw"], *((each["mw_populated"], _racks(each)) if is_on else ()), each["platform"],
                 each["energise_on"], _follows(each), each["status"], f"{each['source']}/{each['event']}")
                for each in site["phases"]
            ],
        )  # fmt: skip
    changed = [entry for entry in answer["entries"] if entry["changes"]]
    if changed:
        yield table(
            "Changes since the first declaration",
            ("day", "of", "change", "event"),
            [
                (
                    entry["day"],
                    entry["phase"] or entry["milestone"] or "the site",
                    _changes(entry),
                    f"{entry['source']}/{entry['event']}",
                )
                for entry in changed
            ],
        )
    if months:
        yield _site_months(months)
    yield caption


def _follows(phase: Mapping[str, Any]) -> str | None:
    return phase["follows"] and f"{phase['follows']} + {phase['days_after']} days"


def _racks(phase: Mapping[str, Any]) -> str | None:
    return None if phase["racks"] is None else f"{phase['racks_populated']:,} of {phase['racks']:,}"


def _changes(entry: Mapping[str, Any]) -> str:
    return "; ".join(
        f"{name.replace('_', ' ')} {plain(change['before'])} → {plain(change['now'])}"
        for name, change in entry["changes"].items()
    )


def _megawatts_line(site: Mapping[str, Any]) -> str:
    """Return in words the megawatts on, populated and waiting, and their energy and CO2."""
    if site["mw_energised"] is None:
        return "MW on: not known before a day is complete"
    populated = "populated: not known" if site["mw_populated"] is None else f"{site['mw_populated']:,} populated"
    waits = "; ".join(
        f"{each['product']}: {each['wafers']:,} wafers for {each['mw']:,} MW" for each in site["waits_for"]
    )
    waiting = f", {site['mw_waiting']:,} wait for memory ({waits})" if waits else ""
    co2 = "" if site["co2_tonnes"] is None else f", {site['co2_tonnes']:,} t CO2"
    return f"{site['mw_energised']:,} MW on, {populated}{waiting}; {site['energy_mwh']:,} MWh{co2} since energised"


def _site_months(months: Sequence[Mapping[str, Any]]) -> FittedTable:
    columns = ("mw", "mw_populated", "due", "forecast", "committed", "received", "to_come", "consumed", "on_hand")
    curves = "\n".join(f"{name.replace('_', ' '):>12} {sparkline([row[name] for row in months])}" for name in columns)
    return table(
        "Months, receipt basis",
        (
            "month",
            "MW on",
            "MW populated",
            "waits for",
            "due",
            "forecast",
            "committed",
            "received",
            "to come",
            "consumed",
            "on hand at the end",
        ),
        [
            (row["month"], row["mw"], row["mw_populated"], row["waits_for"], *(row[name] for name in columns[2:]))
            for row in months
        ],
        spared=("waits for",),
        caption=curves,
    )
